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
    let fine = said(None, &[("Compliant", "True", "Lawful", "")]);
    let copied: Vec<_> =
        assignments.into_iter().flat_map(|one| copies(&seats_of(one), Some(&fine), Some(now()))).collect();
    chart(Some(&clusters), Some(&sites), &copied)
}

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

/// What the operator has said of a workload whose first copy is at `at`.
fn said(at: Option<&str>, conditions: &[(&str, &str, &str, &str)]) -> Said {
    let conditions: Vec<_> = conditions
        .iter()
        .map(|(kind, status, reason, message)| {
            json!({"type": kind, "status": status, "reason": reason, "message": message, "lastTransitionTime": "2026-11-24T11:00:00Z"})
        })
        .collect();
    let place = |at| json!({"cluster": at, "site": "nl-ams", "country": "NL", "provider": "schelde"});
    let seats: Vec<_> =
        at.iter().map(|at| json!({"ordinal": 0, "place": place(at), "epoch": 1, "ready": true})).collect();
    let workload: TenantWorkload = from_value(json!({
        "metadata": {"name": "a", "namespace": "shop-ns", "generation": 1}, "spec": {"manifests": []},
        "status": {"conditions": conditions, "seats": seats, "compliantUntil": "2026-11-24T12:00:01Z"},
    }))
    .unwrap();
    workload.into()
}

#[test]
fn what_may_not_be_there_is_marked() {
    let clusters = ["nl-ams-1", "nl-ams-2", "nl-ams-3"].map(|name| cluster(name, "nl-ams", "Open"));
    let because =
        |reason| ("Compliant", "False", reason, "nl-ams-2: a Decision is against HostingProvider/x");
    let fine = ("Compliant", "True", "Lawful", "every copy is at a lawful place");
    let suspended = ("Ready", "False", "Suspended", "a Decision keeps it scaled to zero");
    let both = [("nl-ams-1", "Active"), ("nl-ams-2", "Active")];
    let copied = [
        ("fine", vec![fine], &both[..1]),
        ("frozen", vec![because("ApprovalFrozen")], &both[1..]),
        ("stopped", vec![because("ApprovalSuspended"), suspended], &both[1..]),
        // Only one of its places is named.
        ("half", vec![because("ApprovalSuspended"), suspended], &both[..]),
        ("moved", vec![because("ApprovalRevoked")], &[("nl-ams-1", "Active"), ("nl-ams-2", "Leaving")]),
        ("doubtful", vec![("Compliant", "Unknown", "ObservationStale", "")], &both[..1]),
    ]
    .into_iter()
    .flat_map(|(tenant, conditions, seats)| {
        copies(&seats_of(assignment(Some(tenant), seats)), Some(&said(None, &conditions)), Some(now()))
    })
    .collect::<Vec<_>>();
    let chart = chart(Some(&clusters), Some(&[site("nl-ams", "NL", "schelde", "Online")]), &copied);
    insta::assert_snapshot!(text(&chart, true, Paint::plain()));
    let json = serde_json::to_value(&chart).unwrap();
    let clusters = &json["NL"]["schelde"]["nl-ams"]["clusters"];
    let stopped = json!({"notCompliant": 1, "suspended": 1, "unknown": 0});
    assert_eq!(clusters["nl-ams-2"]["standing"]["stopped"], stopped);
    assert_eq!(clusters["nl-ams-2"]["leavingStanding"]["notCompliant"], 1);
    assert_eq!(clusters["nl-ams-3"].get("standing"), None);
}

#[test]
fn what_nobody_has_said_lately_is_not_known() {
    let seats = seats_of(assignment(Some("shop"), &[("nl-ams-1", "Active")]));
    let fine = said(None, &[("Compliant", "True", "Lawful", "")]);
    let unknown = |said: Option<&Said>, now| copies(&seats, said, now)[0].standing.unknown;
    assert_eq!(unknown(Some(&fine), Some(now())), 0);
    assert_eq!(unknown(Some(&fine), None), 1, "nobody keeps watch");
    assert_eq!(unknown(None, Some(now())), 1, "the workload is gone");
    assert_eq!(
        unknown(Some(&fine), Some("2026-11-24T12:00:01Z".parse().unwrap())),
        1,
        "an approval has ended"
    );
}

#[test]
fn a_tenant_sees_its_places_as_the_operator_has_said() {
    let fine = said(Some("nl-ams-1"), &[("Compliant", "True", "Lawful", "")]);
    let seats = seats_of(assignment(Some("shop"), &[("nl-ams-1", "Active")]));
    let chart = chart(None, None, &copies(&seats, Some(&fine), Some(now())));
    assert_eq!(text(&chart, false, Paint::plain()), "NL\n  schelde\n    nl-ams\n      nl-ams-1: shop 1\n");
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
