//! What bears a workload's labels and was never applied by us, and what was and whose labels somebody has edited.

use domicile_core::{
    Change,
    manifests::{Kind, ObjectRef},
    observed::{NO_EPOCH, ObjectView},
    render::{Mode, Target},
};
use domicile_crds::{ADOPTED, condition_of};
use serde_json::json;

use crate::{
    fixture::{Fleet, deployment, key, name},
    yard::{Yard, wanderer},
};

fn the(kind: &str, name: &str) -> ObjectRef {
    let api = if kind == "ConfigMap" { "v1" } else { "apps/v1" };
    ObjectRef { kind: Kind::of(api, kind).unwrap(), name: name.into() }
}

fn labelled(epoch: i64) -> ObjectView {
    ObjectView { epoch, ready: true, ..ObjectView::default() }
}

/// Benelux and Germany.
fn wide() -> serde_json::Value {
    json!({"residency": {"allowed": [{"country": "NL"}, {"country": "BE"}, {"country": "DE"}]}})
}

#[test]
fn an_edited_epoch_keeps_nothing_where_it_must_leave() {
    for epoch in [ADOPTED, NO_EPOCH] {
        let mut yard = Yard::new();
        for (object, seen) in yard.observed.seat(&name("ams-1"), &key("shop/web"), 0).clone() {
            yard.sees(("web", "ams-1"), object, Some(ObjectView { epoch, ..seen }));
        }
        yard.revoke("nl-ams").calm();
        assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("bru-1", "bru-1"), "{epoch}");
    }
}

#[test]
fn a_deleted_workload_leaves_nothing_whatever_its_labels_say() {
    let mut yard = Yard::new();
    for (object, seen) in yard.observed.seat(&name("ams-1"), &key("shop/web"), 0).clone() {
        yard.sees(("web", "ams-1"), object, Some(ObjectView { epoch: ADOPTED, ..seen }));
    }
    yard.fleet.apply(Change::Workload(key("shop/web"), None));
    yard.delete_record("web").calm();
    assert!(yard.record("web").is_none() && yard.there("web").is_empty());
}

#[test]
fn labels_at_one_place_keep_nothing_from_another() {
    let mut yard = Yard::new();
    yard.fleet.workload_named("one", "uid-2", json!({"manifests": [deployment("1")]}));
    yard.fleet.tenant(wide());
    yard.seat("one", "fra-1").rest();
    yard.sees(("one", "ams-1"), the("ConfigMap", "note"), Some(labelled(ADOPTED))).revoke("de-fra").calm();
    assert_eq!(yard.place("one"), "bru-1");
}

#[test]
fn a_second_copy_is_not_put_over_what_was_labelled() {
    let taken = |at: Option<&'static str>| {
        let mut yard = Yard::new();
        yard.fleet.tenant(wide());
        yard.calm();
        if let Some(at) = at {
            yard.sees(("web", at), the("Deployment", "x"), Some(labelled(ADOPTED)));
        }
        yard.fleet.workload(json!({"clusters": {"count": 2}}));
        yard.calm();
        yard.place("web")
    };
    let usual = taken(None);
    let second = if usual.contains("fra-1") { "fra-1" } else { "bru-1" };
    assert!(usual.contains(second), "{usual}");
    let instead = taken(Some(second));
    assert!(instead.contains(',') && !instead.contains(second), "{instead}");
}

#[test]
fn labels_at_a_target_begin_no_move() {
    for (epoch, answer) in [(NO_EPOCH, None), (1, None), (1, Some("Denied"))] {
        let mut yard = wanderer("Approval", json!({}));
        yard.calm();
        assert_eq!(yard.under_way().len(), 1);
        if let Some(answer) = answer {
            yard.answer(answer).calm();
        }
        yard.sees(("web", "bru-1"), the("ConfigMap", "note"), Some(labelled(epoch))).calm();
        assert_eq!(yard.place("web"), "ams-1", "{epoch} {answer:?}");
    }
}

#[test]
fn what_is_handed_over_is_not_removed() {
    // Between two tries, and when a move is given up.
    let mut yard = Yard::new();
    yard.calm().sees(("web", "bru-1"), the("Deployment", "x"), Some(labelled(NO_EPOCH))).calm();
    assert_eq!(yard.there("web"), "ams-1,bru-1");
    assert!(yard.told("Stalled").contains("OriginalRemains"), "{}", yard.told("Stalled"));
    let mut yard = wanderer("Approval", json!({}));
    yard.calm().sees(("web", "bru-1"), the("Deployment", "legacy"), Some(labelled(NO_EPOCH)));
    yard.fleet.tenant(json!({"preferences": []}));
    assert_eq!(yard.calm().there("web"), "ams-1,bru-1");
}

#[test]
fn what_was_only_labelled_is_not_stopped() {
    for how in ["moved", "suspended"] {
        let mut yard = Yard::new();
        yard.fleet.workload_named(
            "one",
            "uid-2",
            json!({"overlap": "Forbid", "manifests": [deployment("1")]}),
        );
        yard.seat("one", "ams-1").rest();
        yard.sees(("one", "ams-1"), the("Deployment", "legacy"), Some(labelled(ADOPTED)));
        if how == "moved" {
            yard.revoke("nl-ams");
        } else {
            yard.fleet.decide("s", "Site/nl-ams", "Suspended", json!({}));
        }
        yard.calm();
        let legacy = yard.observed.seat(&name("ams-1"), &key("shop/one"), 0)[&the("Deployment", "legacy")];
        assert!(!legacy.stopped && !legacy.halted, "{how}: {legacy:?}");
        assert_eq!(yard.place("one"), if how == "moved" { "bru-1" } else { "ams-1" });
    }
}

#[test]
fn a_stray_goes_though_a_move_waits_for_the_tenant() {
    for mode in ["Manual", "Approval"] {
        let mut yard =
            wanderer(mode, json!({"residency": {"allowed": [{"country": "NL"}, {"country": "BE"}]}}));
        yard.calm().sees(("web", "fra-1"), the("Deployment", "x"), Some(labelled(1))).calm();
        assert_eq!(yard.there("web"), "ams-1", "{mode}");
    }
}

#[test]
fn what_was_adopted_and_let_go_of_is_removed_when_its_member_is_back() {
    let mut yard = Yard::new();
    yard.fleet.workload_named("past", "uid-2", json!({"adopt": "fra-1", "manifests": [deployment("1")]}));
    yard.hand_over("past", "fra-1").rest();
    for (object, seen) in yard.observed.seat(&name("fra-1"), &key("shop/past"), 0).clone() {
        yard.sees(("past", "fra-1"), object, Some(ObjectView { applied: true, ..seen }));
    }
    // A later workload of that name is elsewhere, and the member comes back.
    yard.fleet.workload_named("past", "uid-3", json!({"manifests": [deployment("1")]}));
    yard.seat("past", "ams-1").calm();
    assert_eq!(yard.there("past"), "ams-1");
}

#[test]
fn the_digest_tells_workloads_apart() {
    let fleet = Fleet::lawful();
    let objects = &fleet.engine.world().workloads[&key("shop/web")].manifests.as_ref().unwrap().objects;
    let tenant = name("shop");
    let digest = |key| {
        let (mode, completed_jobs, cluster) = (Mode::Running, &[][..], None);
        Target {
            tenant: &tenant,
            key,
            ordinal: 0,
            epoch: 1,
            mode,
            all_exclusive: false,
            completed_jobs,
            cluster,
        }
        .digest(&objects[0])
    };
    assert_ne!(digest(&key("shop/web")), digest(&key("shop/api")));
}

#[test]
fn where_it_was_only_labelled_nothing_has_moved_away() {
    let mut yard = Yard::new();
    yard.calm().sees(("web", "fra-1"), the("Deployment", "x"), Some(labelled(ADOPTED))).calm();
    let mut memory = domicile_core::moves::Memory::default();
    let status = yard.fleet.status_of("web", &yard.observed, &mut memory);
    let told = condition_of(&status.conditions, "Compliant").unwrap();
    assert!(told.status == "False" && told.message.contains("was never on record"), "{told:?}");
}
