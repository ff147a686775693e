//! What could stay somewhere for ever: each goes on where it may, or somebody is told.

use std::collections::HashSet;

use domicile_core::{
    Change,
    observed::ObjectView,
    orders::{Desk, Order, departure},
};
use domicile_crds::keys::ABANDON_ANNOTATION;
use serde_json::json;

use crate::{
    fixture::{Fleet, NOON, claim, deployment, key, name, read},
    held::held,
    outdated::said,
    relocating::{allowed, exclusive, pause},
    stopping::{RUNS, Scene, the},
    yard::{Yard, wanderer},
};

const WEB: &str = "shop/web";

/// What the status says of a condition.
fn says(yard: &mut Yard, kind: &str) -> String {
    let observed = yard.observed.clone();
    said(&mut yard.fleet, &observed, kind)
}

fn workload(meta: serde_json::Value, spec: serde_json::Value) -> Change {
    let mut object = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload", "spec": spec,
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-1", "generation": 1},
    });
    object["metadata"].as_object_mut().unwrap().extend(meta.as_object().unwrap().clone());
    Change::Workload(key(WEB), Some(Box::new(read(object))))
}

/// It must never run twice, and was told to stop in Amsterdam, where its pods don't end.
fn stopping(policy: serde_json::Value) -> Yard {
    let mut yard = exclusive(wanderer("Manual", policy));
    yard.busy.insert("ams-1");
    yard.revoke("nl-ams").rest();
    assert_eq!(yard.halted("web", "ams-1"), "Deployment/x");
    yard
}

#[test]
fn what_was_stopped_goes_on_when_its_source_may_only_be_held() {
    let mut yard = held(json!({}));
    yard.later(3600).busy.clear();
    yard.end_pods("web", "ams-1").calm();
    assert_eq!((yard.place("web").as_str(), yard.runs("web").as_str()), ("bru-1", "bru-1"));
}

#[test]
fn what_was_stopped_and_may_start_nowhere_says_so_and_starts_when_it_may() {
    let mut yard = stopping(allowed(&["NL", "BE"]));
    yard.revoke("be-bru").busy.clear();
    yard.end_pods("web", "ams-1").calm();
    assert_eq!((yard.there("web").as_str(), yard.runs("web").as_str()), ("ams-1", ""));
    let stalled = yard.told("Stalled");
    assert!(stalled.starts_with("Stopped: the copy on ams-1 is stopped, "), "{stalled}");
    assert!(stalled.contains("starts neither there (ApprovalRevoked) nor elsewhere"), "{stalled}");
    yard.fleet.decide("again", "Site/be-bru", "Approved", json!({"supersedes": ["revoked-be-bru"]}));
    yard.later(3600).calm();
    assert_eq!((yard.place("web").as_str(), yard.runs("web").as_str()), ("bru-1", "bru-1"));
    assert_eq!(yard.told("Stalled"), "");
}

#[test]
fn what_was_suspended_and_must_move_through_a_pause_says_so() {
    let mut yard = wanderer("Manual", json!({}));
    yard.calm();
    yard.fleet.decide("s", "Site/nl-ams", "Suspended", json!({}));
    yard.calm();
    assert_eq!(yard.told("Stalled"), "");
    pause(&mut yard, true);
    yard.fleet.decide("r", "Site/nl-ams", "Revoked", json!({"supersedes": ["s"]}));
    yard.calm();
    let stalled = yard.told("Stalled");
    assert!(
        stalled.starts_with("Stopped: ") && stalled.contains("yet: Installation/default is paused"),
        "{stalled}"
    );
    pause(&mut yard, false);
    yard.calm();
    assert_eq!((yard.runs("web").as_str(), yard.told("Stalled").as_str()), ("bru-1", ""));
}

#[test]
fn pods_that_do_not_end_are_looked_for_after_a_while() {
    let mut yard = stopping(allowed(&["NL", "BE"]));
    assert_eq!(yard.told("Stalled"), "");
    yard.later(86_400).calm();
    let stalled = yard.told("Stalled");
    assert!(
        stalled.starts_with("SourceRemains: it must never run twice, and its pods on MemberCluster/ams-1"),
        "{stalled}"
    );
    yard.busy.clear();
    yard.end_pods("web", "ams-1").calm();
    assert_eq!((yard.runs("web").as_str(), yard.told("Stalled").as_str()), ("bru-1", ""));
}

#[test]
fn another_target_is_tried_before_one_that_failed() {
    let mut yard = wanderer("Manual", json!({"preferences": [{"country": "BE"}]}));
    yard.calm().revoke("nl-ams");
    for _ in 0..60 {
        yard.round();
        yard.unready("web", "bru-1").later(30);
    }
    yard.calm();
    assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("fra-1", "fra-1"));
    assert_eq!(yard.moves(), 2, "once to the target that fails, once to the other");
}

#[test]
fn a_move_that_fails_again_and_again_is_tried_less_and_less_often() {
    let mut yard = wanderer("Manual", allowed(&["NL", "BE"]));
    yard.calm().revoke("nl-ams");
    for _ in 0..400 {
        yard.round();
        yard.unready("web", "bru-1").later(30);
    }
    assert_eq!(yard.place("web"), "ams-1");
    assert!((4..=6).contains(&yard.moves()), "{} in 200 minutes", yard.moves());
    yard.later(3600).calm();
    assert_eq!(yard.place("web"), "bru-1", "once it becomes ready");
}

#[test]
fn a_failing_move_does_not_hold_up_the_other_copies() {
    let mut fleet = Fleet::lawful();
    fleet.tenant(allowed(&["NL", "BE", "DE"])).workload(json!({"clusters": {"count": 2}}));
    fleet.seats(&[("ams-1", "Active"), ("bru-1", "Active")]);
    fleet.cluster("bru-1", "be-bru", json!({"spec": {"scheduling": "Draining"}}));
    let value = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Migration", "metadata": {"name": "m"}, "spec": {
        "workload": "web", "tenant": "shop", "seat": 1, "from": "bru-1", "to": "fra-1", "epoch": 2, "generation": 1,
        "cause": {"kind": "Draining", "subject": "MemberCluster/bru-1"}, "compulsory": true, "digest": "0123456789abcdef"}});
    fleet.apply(Change::Migration(key(WEB), "m".to_owned(), Some(Box::new(read(value)))));
    let mut scene = Scene::of(fleet);
    let unready = ObjectView { ready: false, ..RUNS };
    scene.observed.member_mut(&name("fra-1")).note(&key(WEB), 1, the("Deployment", "x"), Some(unready));
    assert!(scene.orders().contains("apply Deployment on ams-1, Placed"), "{}", scene.orders());
    scene.fleet.at("2026-06-01T13:00:00Z");
    let orders = scene.orders();
    assert!(orders.contains("apply Deployment on ams-1, Placed"), "{orders}");
    assert!(orders.contains("remove Deployment from fra-1"), "{orders}");
}

#[test]
fn a_record_that_is_older_than_what_runs_starts_nothing_twice() {
    let mut fleet = Fleet::placed();
    fleet.workload(json!({"overlap": "Forbid"}));
    let mut scene = Scene::of(fleet);
    scene.sees("bru-1", the("Deployment", "x"), ObjectView { epoch: 2, ..RUNS });
    assert_eq!(scene.orders(), "");
    let stalled = said(&mut scene.fleet, &scene.observed, "Stalled");
    assert!(
        stalled.starts_with("True RecordOlder: MemberCluster/bru-1 has this copy in epoch 2"),
        "{stalled}"
    );
    assert!(stalled.contains("cluster: bru-1, epoch: 2"), "{stalled}");
    scene.sees("ams-1", the("Deployment", "x"), RUNS);
    scene.fleet.decide("s", "Tenant/shop", "Suspended", json!({}));
    assert_eq!(scene.orders(), "halt Deployment on ams-1, Suspended; halt Deployment on bru-1, Suspended");
}

#[test]
fn a_copy_that_leaves_from_a_member_that_is_away_is_told_of() {
    let mut fleet = Fleet::lawful();
    fleet.seats(&[("bru-1", "Active"), ("ams-1", "Leaving")]);
    let mut scene = Scene::of(fleet);
    let away = scene.observed.member_mut(&name("ams-1"));
    away.note(&key(WEB), 1, the("Deployment", "x"), Some(RUNS));
    away.reachable = false;
    let stalled = said(&mut scene.fleet, &scene.observed, "Stalled");
    assert!(stalled.starts_with("True MemberUnreachable: copy 1 isn't asked for any more, but"), "{stalled}");
    scene.fleet.decide("r", "Site/nl-ams", "Revoked", json!({}));
    let compliant = said(&mut scene.fleet, &scene.observed, "Compliant");
    assert!(compliant.starts_with("False ApprovalRevoked: ams-1: "), "{compliant}");
}

#[test]
fn a_suspension_is_done_when_it_was_seen_to_be() {
    let mut yard = Yard::new();
    yard.lose("ams-1").rest();
    yard.fleet.decide("s", "Tenant/shop", "Suspended", json!({}));
    yard.calm();
    let ready = says(&mut yard, "Ready");
    assert!(
        ready.starts_with("False MemberUnreachable: a Decision suspends it, but MemberCluster/ams-1"),
        "{ready}"
    );
    assert!(yard.told("Stalled").starts_with("MemberUnreachable: "), "{}", yard.told("Stalled"));
    yard.busy.insert("ams-1");
    yard.find("ams-1").calm();
    assert!(says(&mut yard, "Ready").starts_with("False Suspending: "), "{}", says(&mut yard, "Ready"));
    yard.end_pods("web", "ams-1").calm();
    let ready = says(&mut yard, "Ready");
    assert_eq!(
        ready,
        "False Suspended: it is kept scaled to zero: ams-1: Tenant/shop is suspended by Decision/s of compliance: because"
    );
    assert_eq!(yard.told("Stalled"), "");
}

#[test]
fn a_moment_of_silence_lets_go_of_nothing() {
    let mut yard = wanderer("Automatic", json!({"preferences": []}));
    yard.mark("web", |meta| {
        meta.annotations = Some([(ABANDON_ANNOTATION.to_owned(), "ams-1".to_owned())].into());
    });
    yard.fleet.workload(json!({"drainSeconds": 300}));
    yard.rest().revoke("nl-ams");
    while yard.place("web") == "ams-1" {
        assert_ne!(yard.round(), 0);
    }
    yard.lose("ams-1").rest().find("ams-1").later(400).calm();
    assert!(!yard.there("web").contains("ams-1"), "{}", yard.there("web"));
    assert!(!yard.said("web").contains("let go"), "{}", yard.said("web"));
}

#[test]
fn what_only_keeps_data_is_placed_when_all_members_were_asked_for_it() {
    let mut fleet = Fleet::lawful();
    fleet.workload(json!({"manifests": [claim()]}));
    let mut scene = Scene::of(fleet);
    for cluster in ["ams-1", "bru-1", "fra-1"] {
        scene.observed.member_mut(&name(cluster)).verified = HashSet::new();
    }
    assert_eq!(scene.orders(), "Verify; Verify; Verify");
    for cluster in ["ams-1", "bru-1", "fra-1"] {
        scene.observed.member_mut(&name(cluster)).verified.insert(name("shop"));
    }
    assert_eq!(scene.orders(), "CreateAssignment");
}

#[test]
fn an_update_that_no_record_has_room_for_is_told_of() {
    let config_map = |generation: i64, at: usize| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("g{generation}-{at}")}});
    let mut scene = Scene::of(Fleet::placed());
    let mut recorded = 0;
    for generation in 2..6 {
        let mut manifests = vec![deployment("100m")];
        manifests.extend((0..63).map(|at| config_map(generation, at)));
        scene.fleet.apply(workload(json!({"generation": generation}), json!({"manifests": manifests})));
        for order in scene.outlook().orders {
            if let Order::UpdateAssignment(spec) = order {
                recorded = spec.seats[0].inventory.len();
                let object = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Assignment", "metadata": {"name": "web"}, "spec": spec});
                scene.fleet.apply(Change::Assignment(key(WEB), Some(Box::new(read(object)))));
            }
        }
    }
    assert_eq!(recorded, 127, "two generations have room");
    let stalled = said(&mut scene.fleet, &scene.observed, "Stalled");
    assert!(stalled.starts_with("True InventoryFull: "), "{stalled}");
}

#[test]
fn what_nobody_cleans_up_is_told_of() {
    // Deleted, and its record left behind.
    let mut fleet = Fleet::placed();
    fleet.apply(Change::Workload(key(WEB), None));
    let mut scene = Scene::of(fleet);
    let (gone, engine) = (HashSet::new(), &scene.fleet.engine);
    let desk = Desk {
        world: engine.world(),
        classes: engine.classes(),
        observed: &scene.observed,
        memory: &mut domicile_core::moves::Memory::default(),
        gone: &gone,
        now: scene.fleet.now,
    };
    let orphaned = departure(&desk, &key(WEB)).unwrap();
    let waits: Vec<_> = orphaned.waits.iter().map(|(_, wait)| wait.to_string()).collect();
    assert_eq!(waits, ["its TenantWorkload doesn't exist, and nobody has deleted this record"]);
    // Being deleted, and held by somebody's finalizer: Kubernetes' own only wait for us.
    for (finalizer, expected) in [("example.com/backup", "True BeingDeleted: "), ("foregroundDeletion", "")] {
        let meta = json!({"deletionTimestamp": NOON, "finalizers": [finalizer]});
        scene.fleet.apply(workload(meta, json!({"manifests": [deployment("100m")]})));
        let stalled = said(&mut scene.fleet, &scene.observed, "Stalled");
        assert!(
            stalled.starts_with(expected) && stalled.contains(finalizer) != expected.is_empty(),
            "{stalled}"
        );
    }
}

#[test]
fn that_a_suspended_copy_has_no_pods_is_looked_for_at_once() {
    let mut fleet = Fleet::placed();
    fleet.decide("s", "Tenant/shop", "Suspended", json!({}));
    let mut scene = Scene::of(fleet);
    scene.observed.member_mut(&name("ams-1")).verified = HashSet::new();
    assert_eq!(scene.orders(), "Verify");
}
