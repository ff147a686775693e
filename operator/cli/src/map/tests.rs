use domicile_crds::yaml;
use serde_json::{Value, from_value, json};

use super::*;
use crate::output::Format;

fn site(name: &str, country: &str, provider: &str, state: &str) -> Site {
    let spec = json!({"operatedBy": provider, "ownedBy": provider, "country": country, "state": state});
    from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

fn cluster(name: &str, site: &str, scheduling: &str) -> MemberCluster {
    let spec = json!({"site": site, "connection": {"kubeconfigSecret": "s"}, "scheduling": scheduling});
    from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
}

fn assignment(tenant: Option<&str>, seats: &[(&str, &str)]) -> Assignment {
    let seats: Vec<_> = seats
        .iter()
        .enumerate()
        .map(|(ordinal, (cluster, phase))| {
            json!({"ordinal": ordinal, "cluster": cluster, "epoch": 1, "generation": 1, "phase": phase})
        })
        .collect();
    let spec = json!({"tenant": tenant, "seats": seats});
    from_value(json!({"metadata": {"name": "a", "namespace": "shop-ns"}, "spec": spec})).unwrap()
}

fn drawn() -> Chart {
    let clusters = [
        cluster("nl-ams-1", "nl-ams", "Open"),
        cluster("nl-ams-2", "nl-ams", "Draining"),
        cluster("ch-zrh-1", "ch-zrh", "Open"),
        cluster("lost-1", "never-recorded", "Open"),
    ];
    let sites = [site("nl-ams", "NL", "schelde", "Online"), site("ch-zrh", "CH", "limmat", "Planned")];
    let assignments = [
        assignment(Some("shop"), &[("nl-ams-1", "Active"), ("nl-ams-2", "Active")]),
        assignment(Some("shop"), &[("nl-ams-1", "Active"), ("nl-ams-2", "Leaving")]),
        assignment(Some("bank"), &[("nl-ams-1", "Active")]),
        assignment(None, &[("gone-1", "Active")]),
    ];
    let seats: Vec<_> = assignments.into_iter().flat_map(seats_of).collect();
    chart(&clusters, &sites, seats.iter())
}

#[test]
fn everything_has_a_place_on_the_map() {
    insta::assert_snapshot!(text(&drawn(), false, Paint::plain()), @r"
    CH
      limmat
        ch-zrh  (Planned)
          ch-zrh-1: empty
    NL
      schelde
        nl-ams
          nl-ams-1: bank 1, shop 2
          nl-ams-2  (Draining): shop 1, 1 leaving
    unknown
      unknown
        never-recorded  (not recorded)
          lost-1: empty
        unknown  (not recorded)
          gone-1  (not recorded): (shop-ns) 1
    ");
}

/// The copy may still run where it was, until the move has ended.
#[test]
fn the_source_of_a_move_is_on_the_map_until_it_is_gone() {
    let migration = |step: &str| -> Migration {
        let spec = json!({
            "workload": "a", "tenant": "shop", "seat": 0, "from": "nl-ams-2", "to": "nl-ams-1", "epoch": 2, "generation": 1,
            "cause": {"kind": "ApprovalRevoked", "subject": "HostingProvider/schelde"}, "digest": "0011223344556677",
        });
        let metadata = json!({"name": "a-0", "namespace": "shop-ns"});
        from_value(json!({"metadata": metadata, "spec": spec, "status": {"step": step}})).unwrap()
    };
    let shown = |step: &str, at: &str| {
        let assignment = assignment(Some("shop"), &[(at, "Active")]);
        let key = workload(&assignment);
        let mut seats = seats_of(assignment);
        if let Some((of, ordinal, from)) = source_of(&migration(step)) {
            assert_eq!(of, key);
            add_source(&mut seats, ordinal, &from);
        }
        seats.into_iter().map(|(_, seat)| (seat.cluster.to_string(), seat.phase)).collect::<Vec<_>>()
    };
    let (target, source) = (("nl-ams-1".to_owned(), SeatPhase::Active), "nl-ams-2".to_owned());
    assert_eq!(shown("Switched", "nl-ams-1"), [target.clone(), (source.clone(), SeatPhase::Leaving)]);
    assert_eq!(shown("Completed", "nl-ams-1"), [target]);
    assert_eq!(shown("Starting", "nl-ams-2"), [(source, SeatPhase::Active)]);
}

#[test]
fn a_part_of_the_map_shows_only_what_is_there() {
    let mut chart = drawn();
    chart.drop_empty();
    insta::assert_snapshot!(text(&chart, true, Paint::plain()));
    assert_eq!(text(&Chart::default(), false, Paint::plain()), "nothing runs anywhere\n");
}

#[test]
fn the_map_as_data() {
    let json = render(Format::Json, &drawn(), |_| String::new()).unwrap();
    let value: Value = serde_json::from_str(&json).unwrap();
    let tenants = &value["NL"]["schelde"]["nl-ams"]["clusters"]["nl-ams-1"]["tenants"];
    assert_eq!(tenants, &json!({"bank": 1, "shop": 2}));
    assert_eq!(
        yaml::documents(&render(Format::Yaml, &drawn(), |_| String::new()).unwrap()).unwrap(),
        [value]
    );
}
