//! Objects in, text out.

use domicile_core::moves::Wait;
use domicile_crds::{Assignment, yaml};
use serde_json::{Value, from_value, json};

use super::*;

fn now() -> Timestamp {
    "2026-11-24T12:00:00Z".parse().unwrap()
}

fn conditions(all: &[(&str, &str, &str, &str)]) -> Value {
    let one = |(kind, status, reason, message): &(&str, &str, &str, &str)| {
        json!({
            "type": kind, "status": status, "reason": reason, "message": message,
            "lastTransitionTime": "2026-11-24T11:00:00Z", "observedGeneration": 2,
        })
    };
    all.iter().map(one).collect()
}

fn lease(renewed: &str) -> Lease {
    from_value(json!({
        "metadata": {"name": LEASE},
        "spec": {"holderIdentity": "operator-1", "leaseDurationSeconds": 15, "renewTime": renewed},
    }))
    .unwrap()
}

fn workload(name: &str, generation: i64, all: &[(&str, &str, &str, &str)]) -> Workload {
    let workload: TenantWorkload = from_value(json!({
        "metadata": {"name": name, "namespace": "shop", "generation": generation},
        "spec": {"manifests": []},
        "status": {"conditions": conditions(all)},
    }))
    .unwrap();
    workload.into()
}

const FINE: [(&str, &str, &str, &str); 3] = [
    ("Ready", "True", "Ready", ""),
    ("Placed", "True", "Placed", ""),
    ("Compliant", "True", "Compliant", ""),
];

fn world() -> World {
    let cluster = |name: &str, site: &str, ready: &str, reason: &str, message: &str| -> MemberCluster {
        from_value(json!({
            "metadata": {"name": name, "generation": 2},
            "spec": {"site": site, "connection": {"kubeconfigSecret": "s"}, "scheduling": "Open"},
            "status": {"version": "v1.36.3", "conditions": conditions(&[("Ready", ready, reason, message)])},
        }))
        .unwrap()
    };
    let mut held =
        workload("held", 2, &[("Placed", "True", "Placed", ""), ("Compliant", "False", "NotCompliant", "")]);
    held.observed.conditions.extend(
        from_value::<Vec<Condition>>(conditions(&[(
            "Stalled",
            "True",
            "NoLawfulPlace",
            "nothing fits: approve a provider",
        )]))
        .unwrap(),
    );
    let mut failing = workload("failing", 2, &[("Ready", "False", "NotReady", ""), FINE[1], FINE[2]]);
    failing.problems = from_value(json!([{
        "cluster": "nl-ams-1", "object": "Deployment/web", "reason": "ImagePullBackOff", "message": "no such image",
    }]))
    .unwrap();
    let mut expired = workload("expired", 2, &FINE);
    expired.compliant_until = Some(now());
    World {
        lease: Sight::Seen(Some(lease("2026-11-24T11:59:57.000000Z"))),
        clusters: Sight::Seen(vec![
            cluster("nl-ams-1", "nl-ams", "True", "Reachable", ""),
            cluster("de-fra-1", "de-fra", "False", "Unreachable", "connection refused: see that it runs"),
        ]),
        sites: vec![
            from_value(json!({"metadata": {"name": "nl-ams"}, "spec": {"operatedBy": "schelde", "ownedBy": "schelde", "country": "NL"}})).unwrap(),
        ],
        tenants: Sight::Seen(["shop", "quiet"]
            .map(|name| {
                from_value(json!({"metadata": {"name": name}, "spec": {"namespaces": [name], "residency": {}}})).unwrap()
            })
            .to_vec()),
        workloads: vec![workload("fine", 2, &FINE), workload("changed", 3, &FINE), held, failing, expired],
        others: vec![Observed {
            kind: "Relocation".to_owned(),
            namespace: None,
            name: "running".to_owned(),
            created: None,
            generation: Some(1),
            conditions: from_value(conditions(&[("Ready", "False", "Moving", "2 to go")])).unwrap(),
        }],
        ..World::default()
    }
}

fn shown(world: &World) -> String {
    let report = report(world, "domicile-system", now());
    [text(&report, true, Paint::plain()), stuck_text(&report, Paint::plain())].join("\n----\n\n")
}

#[test]
fn a_fleet_at_a_glance() {
    insta::assert_snapshot!(shown(&world()));
}

#[test]
fn while_nobody_keeps_watch_nothing_is_known() {
    for lease in
        [Some(lease("2026-11-24T11:59:44.000000Z")), Some(lease("2026-11-20T11:59:44.000000Z")), None]
    {
        let mut world = World { lease: Sight::Seen(lease), ..world() };
        let report = report(&world, "domicile-system", now());
        assert!(!report.operator.as_ref().unwrap().alive);
        assert!(report.clusters.iter().flatten().all(|line| line.ready == Seen::Unknown));
        assert!(report.tenants.iter().flatten().all(|line| line.counts.is_none()));
        assert_eq!(report.stuck[0].reason, "OperatorSilent");
        let json = serde_json::to_string(&report).unwrap();
        assert!(!json.contains("compliant") && !json.contains("\"True\""), "{json}");
        world.workloads.clear();
        assert!(!text(&report, true, Paint::plain()).contains("True"));
    }
    insta::assert_snapshot!(shown(&World { lease: Sight::Seen(None), ..world() }));
}

#[test]
fn a_site_that_is_as_somebody_wrote_it_needs_nobody() {
    let site = |name: &str, reason: &str| {
        from_value(json!({
            "metadata": {"name": name},
            "spec": {"operatedBy": "schelde", "ownedBy": "schelde", "country": "NL"},
            "status": {"conditions": conditions(&[("Ready", "False", reason, "")])},
        }))
        .unwrap()
    };
    let as_written =
        ["Planned", "NotYetOnline", "Closing", "Offline"].map(|reason| site("as-written", reason));
    let world = World {
        lease: Sight::Seen(Some(lease("2026-11-24T12:00:00.000000Z"))),
        sites: [&as_written[..], &[site("wrong", "ProviderMissing")]].concat(),
        ..World::default()
    };
    let stuck = report(&world, "n", now()).stuck;
    let names: Vec<_> = stuck.iter().map(|stuck| (stuck.object.as_str(), stuck.reason.as_str())).collect();
    assert_eq!(names, [("Site wrong", "ProviderMissing")]);
}

#[test]
fn a_clock_ahead_of_ours_is_no_reason_for_alarm() {
    let world = World { lease: Sight::Seen(Some(lease("2026-11-24T12:00:07.000000Z"))), ..world() };
    assert_eq!(report(&world, "n", now()).operator.unwrap().age_seconds, Some(0));
}

#[test]
fn a_lease_from_the_future_tells_nothing() {
    let world = World { lease: Sight::Seen(Some(lease("2026-11-24T13:00:00.000000Z"))), ..world() };
    let report = report(&world, "n", now());
    assert!(!report.operator.as_ref().unwrap().alive);
    assert_eq!(report.clusters.as_ref().unwrap()[1].ready, Seen::Unknown);
    assert_eq!(report.stuck[0].since_seconds, None);
    assert_eq!(
        report.stuck[0].message,
        "operator-1 was last heard of 3600 s in the future: nobody knows whether it keeps watch, set its clock or the hub's"
    );
    assert!(
        text(&report, true, Paint::plain())
            .contains("UNKNOWN: operator-1 was last heard of 60m in the future")
    );
}

#[test]
fn a_member_of_which_nobody_knows_is_stuck() {
    let member = |created: &str, since: &str, status: Option<&str>| -> MemberCluster {
        let conditions: Vec<_> = status
            .iter()
            .map(|status| {
                json!({"type": "Ready", "status": status, "reason": "Unreachable", "message": "it is silent",
                    "lastTransitionTime": since})
            })
            .collect();
        from_value(json!({
            "metadata": {"name": "nl-ams-1", "creationTimestamp": created},
            "spec": {"site": "nl-ams", "connection": {"kubeconfigSecret": "s"}, "scheduling": "Open"},
            "status": {"conditions": conditions},
        }))
        .unwrap()
    };
    let long_ago = "2026-11-24T10:00:00Z";
    let (lately, before) = ("2026-11-24T11:59:31Z", "2026-11-24T11:59:30Z");
    for (member, wanted) in [
        (member(long_ago, before, Some("Unknown")), Some("Unreachable")),
        (member(long_ago, lately, Some("Unknown")), None),
        (member(long_ago, lately, Some("False")), Some("Unreachable")),
        (member(long_ago, long_ago, Some("True")), None),
        (member(before, long_ago, None), Some("NotObserved")),
        (member(lately, long_ago, None), None),
    ] {
        let lease = Sight::Seen(Some(lease("2026-11-24T12:00:00.000000Z")));
        let world = World { lease, clusters: Sight::Seen(vec![member]), ..World::default() };
        let stuck = report(&world, "n", now()).stuck;
        assert_eq!(stuck.first().map(|stuck| stuck.reason.as_str()), wanted, "{world:?}");
    }
}

#[test]
fn what_was_said_of_an_older_generation_does_not_count() {
    let world = World { workloads: vec![workload("changed", 3, &FINE)], ..world() };
    let counts = report(&world, "n", now()).tenants.unwrap()[1].counts.unwrap();
    assert_eq!((counts.placed, counts.compliant, counts.unknown), (0, 0, 1));
}

#[test]
fn a_pause_is_told_and_nothing_stuck_is_said() {
    let installation =
        from_value(json!({"metadata": {"name": "default"}, "spec": {"paused": true}})).unwrap();
    let world = World {
        lease: Sight::Seen(Some(lease("2026-11-24T12:00:00.000000Z"))),
        installation: Sight::Seen(Some(installation)),
        ..World::default()
    };
    insta::assert_snapshot!(shown(&world));
}

/// What leaves by itself needs nobody, and what is paused leaves only when somebody ends that.
#[test]
fn what_would_leave_and_is_paused_needs_a_person() {
    let leaving = |message| {
        let conditions = vec![
            FINE[0],
            FINE[1],
            ("Compliant", "False", "ApprovalRevoked", "nl-ams-1: a Decision is against it"),
            ("MovePending", "True", "ApprovalRevoked", message),
        ];
        World { workloads: vec![workload("web", 2, &conditions)], others: Vec::new(), ..world() }
    };
    // All of it has been said for an hour.
    let soon = now() - jiff::SignedDuration::from_mins(55);
    let stuck = |world: &World| {
        report(world, "n", soon).stuck.into_iter().filter(|it| it.object.contains("web")).count()
    };
    let installation = json!({"metadata": {"name": "default"}, "spec": {"paused": true}});
    let installation = Sight::Seen(Some(from_value(installation).unwrap()));
    assert_eq!(stuck(&leaving("to de-fra-1 because of it")), 0);
    assert_eq!(stuck(&World { installation, ..leaving("to de-fra-1 because of it") }), 1);
    let pause = format!("to de-fra-1 because of it; {}", Wait::Paused("Relocation/x".to_owned()));
    assert_eq!(stuck(&leaving(&pause)), 1);
    // What hasn't left after ten minutes doesn't leave by itself, whatever was expected.
    let late = report(&leaving("to de-fra-1 because of it"), "n", now()).stuck.into_iter();
    let late: Vec<_> = late.filter(|it| it.object.contains("web")).map(|it| it.message).collect();
    assert_eq!(late, ["nl-ams-1: a Decision is against it"]);
}

#[test]
fn the_report_is_the_same_as_json_and_yaml() {
    let report = report(&world(), "domicile-system", now());
    let json = render(output::Format::Json, &report, |_| String::new()).unwrap();
    let yaml_text = render(output::Format::Yaml, &report, |_| String::new()).unwrap();
    assert_eq!(yaml::documents(&yaml_text).unwrap(), [serde_json::from_str::<Value>(&json).unwrap()]);
    insta::assert_snapshot!(yaml_text);
}

/// A tenant may see three kinds of its own namespace, and nothing of the fleet.
fn own(workloads: Vec<Workload>) -> World {
    let hidden = [&["memberclusters", "tenants"][..], &text::FACTS].concat();
    World {
        namespace: Some("shop".to_owned()),
        lease: Sight::Hidden,
        installation: Sight::Hidden,
        clusters: Sight::Hidden,
        tenants: Sight::Hidden,
        workloads,
        hidden: hidden.into_iter().map(str::to_owned).collect(),
        ..World::default()
    }
}

#[test]
fn what_is_forbidden_is_not_absent() {
    insta::assert_snapshot!(shown(&own(vec![workload("fine", 2, &FINE)])));
    let report = report(&own(vec![workload("fine", 2, &FINE)]), "n", now());
    assert_eq!(report.stuck, []);
    let json = serde_json::to_value(&report).unwrap();
    for hidden in ["operator", "paused", "clusters", "tenants"] {
        assert_eq!(json[hidden], Value::Null, "{hidden}");
    }
    assert_eq!((&json["namespace"]["name"], &json["namespace"]["compliant"]), (&json!("shop"), &json!(1)));
    assert_eq!(json["left"], json!([]));
    assert_eq!(json["hidden"][0], "memberclusters");
}

#[test]
fn a_tenants_own_trouble_is_told() {
    let stalled = ("Stalled", "True", "NoLawfulPlace", "nothing fits");
    let report = report(&own(vec![workload("held", 2, &[FINE[1], stalled])]), "n", now());
    assert_eq!(report.stuck.iter().map(|stuck| stuck.reason.as_str()).collect::<Vec<_>>(), ["NoLawfulPlace"]);
}

#[test]
fn of_one_namespace_only_its_tenant_is_counted() {
    let world = World { namespace: Some("shop".to_owned()), ..world() };
    let tenants = report(&world, "n", now()).tenants.unwrap();
    assert_eq!(tenants.iter().map(|line| line.name.as_deref()).collect::<Vec<_>>(), [Some("shop")]);
}

fn record(name: &str, deleted: Option<&str>, clusters: &[&str]) -> Record {
    let seats: Vec<_> = clusters
        .iter()
        .enumerate()
        .map(|(ordinal, at)| json!({"ordinal": ordinal, "cluster": at, "epoch": 1, "generation": 1}))
        .collect();
    let owner = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload", "name": name, "uid": "first"});
    let assignment: Assignment = from_value(json!({
        "metadata": {"name": name, "namespace": "shop", "deletionTimestamp": deleted, "ownerReferences": [owner]},
        "spec": {"tenant": "shop", "seats": seats},
    }))
    .unwrap();
    assignment.into()
}

#[test]
fn what_a_deleted_workload_has_left_is_told() {
    let later = Workload { uid: Some("second".to_owned()), ..workload("again", 2, &FINE) };
    let world = World {
        lease: Sight::Seen(Some(lease("2026-11-24T12:00:00.000000Z"))),
        workloads: vec![workload("fine", 2, &FINE), later],
        unreadable: [("shop".to_owned(), "odd".to_owned())].into(),
        records: Sight::Seen(vec![
            record("fine", None, &["nl-ams-1"]),
            record("odd", None, &["nl-ams-1"]),
            record("lost", Some("2026-11-24T11:00:00Z"), &["nl-ams-1"]),
            record("both", Some("2026-11-24T11:00:00Z"), &["nl-ams-1", "de-fra-1"]),
            record("again", Some("2026-11-24T11:00:00Z"), &["nl-ams-1"]),
            record("going", Some("2026-11-24T11:59:50Z"), &["nl-ams-1"]),
            record("orphan", None, &["de-fra-1"]),
        ]),
        ..World::default()
    };
    insta::assert_snapshot!(shown(&world));
    let unseen = World { records: Sight::Hidden, ..world };
    assert_eq!(report(&unseen, "n", now()).left, None);
}

#[test]
fn what_is_held_and_what_is_not_lawful_is_told() {
    let because = |reason| ("Compliant", "False", reason, "nl-ams-1: a Decision is against it");
    let ready = |reason, message| ("Ready", "False", reason, message);
    let all = [
        (
            "suspended",
            vec![ready("Suspended", "it is scaled to zero"), FINE[1], because("ApprovalSuspended")],
        ),
        ("stopping", vec![ready("Suspending", "its pods haven't all ended"), FINE[1], FINE[2]]),
        (
            "held",
            vec![ready("UpdateHeld", "the last change isn't applied"), FINE[1], because("ApprovalFrozen")],
        ),
        ("silent", vec![ready("MemberUnreachable", "it may still run"), FINE[1], FINE[2]]),
        ("frozen", vec![FINE[0], FINE[1], because("ApprovalFrozen")]),
        (
            "doubtful",
            vec![FINE[0], FINE[1], ("Compliant", "Unknown", "ObservationStale", "nl-ams-1 is silent")],
        ),
        ("starting", vec![ready("Progressing", "0 of 1 copies are ready"), FINE[1], FINE[2]]),
        // That goes on by itself.
        (
            "leaving",
            vec![
                FINE[0],
                FINE[1],
                because("ApprovalRevoked"),
                ("MovePending", "True", "ApprovalRevoked", "to de-fra-1"),
            ],
        ),
    ];
    let world = World {
        lease: Sight::Seen(Some(lease("2026-11-24T12:00:00.000000Z"))),
        workloads: all.iter().map(|(name, conditions)| workload(name, 2, conditions)).collect(),
        ..world()
    };
    let world = World { clusters: Sight::default(), others: Vec::new(), ..world };
    insta::assert_snapshot!(shown(&world));
    let tenants = World { clusters: Sight::Hidden, ..world };
    let text = shown(&tenants);
    assert!(
        text.contains("`kubectl describe tw frozen -n shop` says more") && !text.contains("explain"),
        "{text}"
    );
}

#[test]
fn what_a_decision_or_a_move_waits_for_is_told_with_what_to_do() {
    let remedy = |kind: &str, condition: &str, reason: &str| {
        let conditions =
            conditions(&[(condition, if condition == "Ready" { "False" } else { "True" }, reason, "m")]);
        let (namespace, name, created, generation) = (None, "x".to_owned(), None, Some(1));
        let conditions = from_value(conditions).unwrap();
        let fact = Observed { kind: kind.to_owned(), namespace, name, created, generation, conditions };
        let world = World { others: vec![fact], ..world() };
        let stuck = report(&world, "n", now()).stuck;
        stuck.into_iter().find(|it| it.reason == reason).and_then(|it| it.remedy).unwrap_or_default()
    };
    assert_eq!(
        remedy("Decision", "Ready", "ByOneAlone"),
        "another user makes the same decision, which `kubectl describe` of it shows"
    );
    assert!(remedy("Migration", "Stalled", "Frozen").starts_with("`kubectl domicile reinstate`"));
}

#[test]
fn tables_fit_into_80_columns() {
    let tenants = ["a-tenant-1"].map(|name| {
        from_value(json!({"metadata": {"name": name}, "spec": {"namespaces": ["shop"], "residency": {}}}))
            .unwrap()
    });
    for lease in [Some(lease("2026-11-24T12:00:00.000000Z")), None] {
        let lease = Sight::Seen(lease);
        let world = World { lease, tenants: Sight::Seen(tenants.to_vec()), ..world() };
        let text = text(&report(&world, "n", now()), false, Paint::plain());
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
}

#[test]
fn a_decision_that_is_over_or_outlived_its_workload_needs_nobody() {
    let of = |kind: &str, in_force: &str, why: &str, reason: &str| -> Option<Observed> {
        let decision: Decision = from_value(json!({
            "metadata": {"name": "d", "generation": 2},
            "spec": {
                "subject": {"kind": kind, "name": "shop/gone"}, "decision": "Frozen", "basis": "Request", "authority": "x",
                "decidedBy": "x", "reason": "r",
            },
            "status": {"conditions": conditions(&[("Ready", "False", reason, "m"), ("InForce", in_force, why, "")])},
        }))
        .unwrap();
        Observed::of_decision(&decision)
    };
    let listed = |found: Option<Observed>| {
        let world = World { others: found.into_iter().collect(), ..world() };
        report(&world, "domicile-system", now()).stuck.iter().any(|stuck| stuck.object == "Decision d")
    };
    assert!(!listed(of("TenantWorkload", "True", "InForce", "SubjectMissing")));
    assert!(!listed(of("HostingProvider", "False", "Superseded", "SubjectMissing")));
    assert!(!listed(of("HostingProvider", "False", "Expired", "SubjectMissing")));
    assert!(listed(of("HostingProvider", "True", "InForce", "SubjectMissing")));
    assert!(listed(of("Site", "False", "NotYet", "SubjectMissing")));
    assert!(listed(of("TenantWorkload", "False", "DecisionMissing", "DecisionMissing")));
}

#[test]
fn whoever_relies_on_the_operator_is_warned_of_its_silence() {
    let said = |lease: Option<Lease>| silence::silence(lease.as_ref(), "domicile-system", now());
    assert_eq!(said(Some(lease("2026-11-24T11:59:46Z"))), None);
    assert_eq!(
        said(Some(lease("2026-11-24T11:59:42Z"))).unwrap(),
        "the operator was last heard of 18 s ago: nothing is carried out until it runs"
    );
    assert!(said(Some(lease("2026-11-24T13:00:00Z"))).unwrap().contains("3600 s in the future"));
    assert!(
        said(None).unwrap().starts_with("nobody holds the operator's lease in namespace domicile-system")
    );
    let mut released = lease("2026-11-24T12:00:00Z");
    released.spec.as_mut().unwrap().holder_identity = None;
    assert!(said(Some(released)).unwrap().starts_with("nobody holds the operator's lease"));
}

#[test]
fn the_way_to_what_is_stuck_stays_in_the_namespace() {
    let world = World { namespace: Some("shop".to_owned()), ..world() };
    let text = text(&report(&world, "domicile-system", now()), false, Paint::plain());
    assert!(text.contains(": kubectl domicile status -n shop --stuck\n"), "{text}");
}
