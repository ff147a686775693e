//! The section "Place and capacity" of `docs/rules.md`, and what a new seat wants beyond.

use jiff::SignedDuration;
use serde_json::json;

use super::*;

#[track_caller]
fn site(patch: Value, wanted: &str) {
    assert_eq!(after(|w| w.site("nl-ams", "NL", patch)).place(), wanted);
}

#[track_caller]
fn member(patch: Value, wanted: &str) {
    assert_eq!(after(|w| w.member("ams-1", "nl-ams", patch)).place(), wanted);
}

fn manifests(manifests: Value) -> World {
    after(|w| w.workload(json!({"manifests": manifests})))
}

#[test]
fn a_site_must_be_online_and_its_first_day_reached() {
    for state in ["Planned", "Closing", "Offline"] {
        site(json!({"state": state}), "SiteNotOnline");
    }
    site(json!({"onlineFrom": "2026-06-01T11:59:59Z"}), "");
    site(json!({"onlineFrom": NOON}), "");
    site(json!({"onlineFrom": "2026-06-01T12:00:01Z"}), "SiteNotOnline");
}

#[test]
fn the_members_owner_must_have_admitted_the_tenant() {
    member(json!({"status": {"tenants": ["shop"]}}), "");
    member(json!({"status": {"tenants": ["other"]}}), "TenantNotAdmitted");
    member(json!({"status": {"tenants": null}}), "TenantNotAdmitted");
}

#[test]
fn of_a_member_never_observed_nothing_is_known() {
    member(json!({"status": {"clusterId": null}}), "TenantNotAdmitted? KindNotServed?");
    member(json!({"status": null}), "TenantNotAdmitted? KindNotServed? ClusterNotReady?");
}

#[test]
fn the_namespace_must_be_the_tenants_and_nobody_elses() {
    let tenant = |namespaces: &[&str]| after(|w| w.tenant(json!({"namespaces": namespaces})));
    assert_eq!(tenant(&["other", "shop"]).place(), "");
    assert_eq!(tenant(&["other"]).place(), "NamespaceTaken");
    let on_member = |owner: Option<&str>| {
        after(|w| {
            let namespace = w.namespace();
            w.facts.namespace_seen(&cluster("ams-1"), &namespace, owner.map(name));
        })
    };
    assert_eq!(on_member(Some("shop")).place(), "");
    assert_eq!(on_member(Some("other")).place(), "NamespaceTaken");
    assert_eq!(on_member(None).place(), "NamespaceTaken", "an unlabelled one is never taken");
    let elsewhere = after(|w| {
        let namespace = w.namespace();
        w.facts.namespace_seen(&cluster("bru-1"), &namespace, None);
    });
    assert_eq!(elsewhere.place(), "");
    let gone = after(|w| {
        let namespace = w.namespace();
        w.facts.namespace_seen(&cluster("ams-1"), &namespace, None);
        w.facts.remove_namespace(&cluster("ams-1"), &namespace);
    });
    assert_eq!(gone.place(), "");
}

#[test]
fn a_namespace_that_two_tenants_list_is_nobodys() {
    let other = |namespaces: Value| {
        let spec = json!({"namespaces": namespaces, "residency": {}});
        after(|w| w.facts.tenant(Arc::new(read(object("Tenant", "other", spec)))))
    };
    assert_eq!(other(json!(["shop"])).place(), "NamespaceTaken");
    assert_eq!(other(json!(["else"])).place(), "");
    let mut left = other(json!(["shop"]));
    left.facts.tenant(Arc::new(read(object(
        "Tenant",
        "other",
        json!({"namespaces": ["x"], "residency": {}}),
    ))));
    assert_eq!(left.place(), "");
}

#[test]
fn the_systems_namespaces_are_no_tenants() {
    for reserved in ["default", "kube-system", "domicile-system"] {
        let world = after(|w| {
            w.tenant(json!({"namespaces": [reserved]}));
            w.key = WorkloadKey::new(reserved, "web").unwrap();
            let workload = w.workload.as_mut().unwrap();
            workload.metadata.namespace = Some(reserved.to_owned());
        });
        assert_eq!(world.place(), "NamespaceTaken");
    }
}

#[test]
fn every_kind_must_be_served() {
    member(json!({"status": {"kindsNotServed": ["Deployment"]}}), "KindNotServed");
    member(json!({"status": {"kindsNotServed": ["CronJob"]}}), "");
}

#[test]
fn every_class_that_is_named_must_be_served() {
    let claim = |class: &str| manifest("v1", "PersistentVolumeClaim", json!({"storageClassName": class}));
    let ingress =
        |class: &str| manifest("networking.k8s.io/v1", "Ingress", json!({"ingressClassName": class}));
    let stateful = |class: &str| {
        let claim = json!({"metadata": {"name": "d"}, "spec": {"storageClassName": class}});
        manifest("apps/v1", "StatefulSet", json!({"replicas": 0, "volumeClaimTemplates": [claim]}))
    };
    let ephemeral = |class: &str| {
        let volume = json!({"ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": class}}}});
        manifest("batch/v1", "Job", json!({"template": {"spec": {"volumes": [volume]}}}))
    };
    assert_eq!(
        manifests(json!([claim("fast"), ingress("web"), stateful("fast"), ephemeral("fast")])).place(),
        ""
    );
    for unserved in [claim("web"), ingress("fast"), stateful("slow"), ephemeral("slow")] {
        assert_eq!(manifests(json!([unserved])).place(), "ClassNotServed", "{unserved}");
    }
    let unnamed = [
        manifest("v1", "PersistentVolumeClaim", json!({})),
        manifest("networking.k8s.io/v1", "Ingress", json!({})),
        claim(""),
    ];
    assert_eq!(manifests(json!(unnamed)).place(), "");
}

#[test]
fn a_member_that_is_cordoned_or_drained_takes_nothing() {
    for scheduling in ["Cordoned", "Draining"] {
        member(json!({"spec": {"scheduling": scheduling}}), "Cordoned");
    }
    member(json!({"spec": {"scheduling": "Open"}}), "");
}

#[test]
fn what_a_workload_alone_asks_for_must_fit() {
    // Two replicas of 500m and 1Gi each.
    for (amounts, wanted) in [
        (json!({"cpu": "1", "memory": "2Gi", "pods": 2}), ""),
        (json!({"cpu": "1000m"}), ""),
        (json!({"cpu": "999m"}), "CapacityExceeded"),
        (json!({"cpu": "0.9"}), "CapacityExceeded"),
        (json!({"memory": "2147483648"}), ""),
        (json!({"memory": "2147483647"}), "CapacityExceeded"),
        (json!({"memory": "2G"}), "CapacityExceeded"),
        (json!({"memory": "2097152Ki"}), ""),
        (json!({"pods": 1}), "CapacityExceeded"),
        (json!({}), ""),
    ] {
        member(json!({"spec": {"capacity": amounts}}), wanted);
    }
    member(
        json!({"status": {"allocatable": {"cpu": "900m"}}, "spec": {"capacity": {"cpu": "4"}}}),
        "CapacityExceeded",
    );
}

#[test]
fn an_autoscaler_may_lower_what_is_asked_for() {
    let scaler = manifest("autoscaling/v2", "HorizontalPodAutoscaler", json!({}));
    let mut world = manifests(json!([deployment("web"), scaler]));
    world.member("ams-1", "nl-ams", json!({"spec": {"capacity": {"cpu": "500m", "pods": 1}}}));
    assert_eq!(world.place(), "");
}

#[test]
fn a_member_must_say_that_it_is_ready() {
    let ready = |status: &str| {
        let condition = json!({"type": "Ready", "status": status, "reason": "x", "message": "",
                               "lastTransitionTime": NOON});
        json!({"status": {"conditions": [condition]}})
    };
    member(ready("True"), "");
    member(ready("False"), "ClusterNotReady");
    member(ready("Unknown"), "ClusterNotReady?");
    member(json!({"status": {"conditions": []}}), "ClusterNotReady?");
}

#[test]
fn a_member_that_is_gone_or_going_is_unknown() {
    assert_eq!(after(|w| w.facts.remove_member("ams-1")).place(), "ClusterNotReady?");
    member(json!({"metadata": {"deletionTimestamp": NOON}}), "ClusterNotReady?");
}

#[test]
fn what_was_seen_more_than_ten_minutes_ago_is_not_trusted() {
    let seen = |ago: SignedDuration| after(|w| w.seen(ago)).place();
    assert_eq!(seen(SignedDuration::from_mins(10)), "");
    assert_eq!(seen(SignedDuration::from_millis(600_001)), "ObservationStale ObservationStale");
    assert_eq!(seen(SignedDuration::from_mins(-1)), "", "clocks differ");
    let hub = after(|w| w.facts.hub_seen(w.now - SignedDuration::from_mins(11)));
    assert_eq!(hub.place(), "ObservationStale");
    let member = after(|w| w.facts.member_seen(&cluster("ams-1"), w.now - SignedDuration::from_mins(11)));
    assert_eq!(member.place(), "ObservationStale");
    let other = after(|w| w.facts.member_seen(&cluster("bru-1"), w.now - SignedDuration::from_mins(11)));
    assert_eq!(other.place(), "", "one dead member delays nobody else");
}

#[test]
fn what_was_never_seen_is_unknown() {
    let world = after(|w| {
        w.facts.remove_member("ams-1");
        w.member("ams-1", "nl-ams", json!({}));
    });
    assert_eq!(world.place(), "ObservationStale?");
    assert_eq!(World { facts: Facts::default(), ..World::lawful() }.place(), "ClusterNotReady?");
}

#[test]
fn a_member_that_contradicts_its_place_takes_nothing() {
    member(json!({"status": {"contradictions": ["a node is in us-nyc"]}}), "LocationContradicted");
    member(json!({"status": {"contradictions": []}}), "");
    member(json!({"status": {"nodeRegions": ["us-nyc"]}}), "");
}

#[test]
fn a_cluster_never_has_two_seats_of_one_workload() {
    let seats = |seats: &[(&str, &str)]| {
        after(|w| {
            w.workload(json!({"clusters": {"count": 2}}));
            w.seats(seats);
        })
    };
    assert_eq!(seats(&[]).place(), "");
    assert_eq!(seats(&[("bru-1", "Active")]).place(), "");
    assert_eq!(seats(&[("ams-1", "Active")]).place(), "SeatTaken");
    assert_eq!(seats(&[("ams-1", "Leaving")]).place(), "SeatTaken", "what leaves is still there");
}

#[test]
fn there_are_no_more_seats_than_the_workload_wants() {
    let mut world = World::lawful();
    world.seats(&[("bru-1", "Leaving")]);
    assert_eq!(world.place(), "");
    world.seats(&[("bru-1", "Active")]);
    assert_eq!(world.place(), "TooManySeats");
}

#[test]
fn the_workload_must_be_the_one_that_was_meant() {
    let mismatch =
        |change: &dyn Fn(&mut TenantWorkload)| after(|w| change(w.workload.as_mut().unwrap())).place();
    assert_eq!(mismatch(&|w| w.metadata.uid = Some("web-2".to_owned())), "WorkloadMismatch");
    assert_eq!(mismatch(&|w| w.metadata.name = Some("api".to_owned())), "WorkloadMismatch");
    assert_eq!(mismatch(&|w| w.metadata.namespace = Some("shop-test".to_owned())), "WorkloadMismatch");
    let going = Some(read(json!(NOON)));
    assert_eq!(mismatch(&|w| w.metadata.deletion_timestamp.clone_from(&going)), "WorkloadMismatch");
    assert_eq!(after(|w| w.workload = None).place(), "WorkloadMismatch");
}

#[test]
fn the_record_must_be_the_workloads_own() {
    let mismatch = |change: &dyn Fn(&mut Assignment)| {
        let mut world = World::lawful();
        world.seats(&[]);
        change(world.assignment.as_mut().unwrap());
        world.place()
    };
    assert_eq!(mismatch(&|_| {}), "");
    assert_eq!(mismatch(&|a| a.spec.tenant = None), "");
    assert_eq!(mismatch(&|a| a.spec.tenant = Some(name("other"))), "RecordMismatch");
    assert_eq!(mismatch(&|a| a.metadata.name = Some("api".to_owned())), "RecordMismatch");
    assert_eq!(mismatch(&|a| a.metadata.namespace = Some("other".to_owned())), "RecordMismatch");
    let older =
        |a: &mut Assignment| a.metadata.owner_references.as_mut().unwrap()[0].uid = "web-0".to_owned();
    assert_eq!(mismatch(&older), "RecordMismatch", "of a workload that was deleted and made anew");
}

#[test]
fn what_is_adopted_is_there_is_to_be_and_is_not_on_record() {
    let adopted = |patch: Value| {
        after(|w| {
            w.workload(patch);
            w.decide("d", "HostingProvider/runs", "Revoked", json!({}));
        })
    };
    let adopt = |world: &World| world.verdict("ams-1", What::Adopt);
    let world = adopted(json!({"adopt": "ams-1"}));
    assert_eq!(adopt(&world), "", "whoever may not have it must let it go");
    assert_eq!(world.verdict("bru-1", What::Adopt), "NotHandedOver");
    assert_eq!(adopt(&adopted(json!({}))), "NotHandedOver");
    let more = adopted(json!({"adopt": "ams-1", "manifests": [deployment("web"), deployment("worker")]}));
    assert_eq!(adopt(&more), "NotHandedOver");
    let secret = json!({"adopt": "ams-1", "secrets": [{"name": "key", "from": "Hub"}]});
    let mut world = adopted(secret);
    assert_eq!(adopt(&world), "NotHandedOver");
    world.seen.push(Seen { item: item("v1", "Secret", "key"), deletes_claims: false });
    assert_eq!(adopt(&world), "");
    world.seats(&[("bru-1", "Active")]);
    assert_eq!(adopt(&world), "NotHandedOver");
}
