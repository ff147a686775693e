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
