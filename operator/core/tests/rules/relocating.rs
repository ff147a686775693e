//! What comes of a move: when it begins, what it waits for, and what is left where.

use domicile_core::Change;
use domicile_crds::{InstallationSpec, keys::ABANDON_ANNOTATION};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use serde_json::{Value, json};

use crate::{
    fixture::{NOON, deployment, key, read},
    yard::{Yard, wanderer},
};

pub(crate) fn exclusive(mut yard: Yard) -> Yard {
    yard.fleet.workload(json!({"overlap": "Forbid"}));
    yard.calm();
    yard
}

pub(crate) fn draining(yard: &mut Yard, cluster: &str, site: &str) {
    yard.fleet.cluster(cluster, site, json!({"spec": {"scheduling": "Draining"}}));
}

pub(crate) fn allowed(countries: &[&str]) -> Value {
    let allowed: Vec<_> = countries.iter().map(|country| json!({"country": country})).collect();
    json!({"residency": {"allowed": allowed}})
}

pub(crate) fn pause(yard: &mut Yard, paused: bool) {
    let spec: InstallationSpec = serde_json::from_value(json!({"paused": paused})).unwrap();
    yard.fleet.apply(Change::Installation(Some(spec)));
}

#[test]
fn a_compulsory_move_waits_neither_for_an_answer_nor_for_a_window() {
    let window = json!({"days": ["Sat"], "start": "02:00", "minutes": 60});
    let policies = [
        (json!({"mode": "Approval"}), None),
        (json!({"mode": "Approval"}), Some("Denied")),
        (json!({"mode": "Automatic", "windows": [window]}), None),
    ];
    for (policy, answer) in policies {
        for (also, target) in [(None, "bru-1"), (Some("be-bru"), "fra-1")] {
            let mut yard = wanderer("Approval", json!({"migration": policy}));
            yard.calm();
            assert_eq!(yard.under_way(), ["web ams-1>bru-1 PreferredPlace"]);
            if let Some(answer) = answer {
                yard.answer(answer).calm();
            }
            assert_eq!(yard.there("web"), "ams-1", "{policy} {answer:?}");
            if let Some(site) = also {
                yard.revoke(site);
            }
            yard.revoke("nl-ams").calm();
            assert_eq!(
                (yard.place("web").as_str(), yard.there("web").as_str()),
                (target, target),
                "{policy}"
            );
            assert!(yard.under_way().is_empty());
        }
    }
}

#[test]
fn a_move_whose_compulsion_is_gone_asks_as_any_other() {
    let mut yard = wanderer("Approval", json!({}));
    yard.lose("bru-1").revoke("nl-ams").calm();
    assert_eq!(yard.under_way(), ["web ams-1>bru-1 ApprovalRevoked"]);
    yard.fleet.decide("lifted", "Site/nl-ams", "Approved", json!({"supersedes": ["revoked-nl-ams"]}));
    yard.find("bru-1").calm();
    assert_eq!(yard.under_way(), ["web ams-1>bru-1 PreferredPlace"]);
    assert_eq!(
        (yard.there("web").as_str(), yard.waits("web").as_str()),
        ("ams-1", "waits for the tenant's answer")
    );
    yard.answer("Approved").calm();
    assert_eq!(yard.there("web"), "bru-1");
}

#[test]
fn what_waits_for_an_answer_is_looked_after_where_it_is() {
    let mut yard = wanderer("Approval", json!({}));
    yard.calm();
    assert_eq!(yard.under_way().len(), 1);
    yard.break_copy("web", "ams-1");
    assert_eq!(yard.there("web"), "");
    assert_eq!(yard.calm().runs("web"), "ams-1");
}

#[test]
fn a_source_that_doesnt_answer_takes_nobodys_turn() {
    for restart in [false, true] {
        let mut yard = wanderer("Automatic", json!({"preferences": [], "migration": {"maxConcurrent": 1}}));
        yard.fleet.workload_named("two", "uid-2", json!({}));
        yard.fleet.workload_named("three", "uid-3", json!({}));
        yard.settle("two").settle("three").lose("ams-1").revoke("nl-ams").calm();
        if restart {
            yard.fleet.workload_named("four", "uid-4", json!({}));
            yard.seat("four", "ams-1").restart().calm();
            assert_ne!(yard.place("four"), "ams-1", "after a restart they don't count either");
        }
        for workload in ["web", "two", "three"] {
            assert_ne!(yard.place(workload), "ams-1");
            assert_eq!(yard.waits(workload), "MemberCluster/ams-1 can't be reached");
        }
    }
}

#[test]
fn a_move_that_waits_for_a_member_that_doesnt_answer_takes_nobodys_turn() {
    let alone = json!({"preferences": [], "migration": {"maxConcurrent": 1}});
    // What must never run twice waits for its source.
    let mut yard = exclusive(wanderer("Automatic", alone.clone()));
    yard.fleet.workload_named("two", "uid-2", json!({}));
    yard.settle("two").lose("ams-1").revoke("nl-ams").calm();
    assert_eq!(
        (yard.place("web").as_str(), yard.waits("web")),
        ("ams-1", "MemberCluster/ams-1 can't be reached".to_owned())
    );
    assert_ne!(yard.place("two"), "ams-1");

    // What goes back waits for its target.
    let mut yard = wanderer("Automatic", alone);
    yard.fleet.workload_named("two", "uid-2", json!({}));
    yard.settle("two").revoke("nl-ams");
    while yard.there("web") == "ams-1" {
        assert_ne!(yard.round(), 0);
    }
    let target = if yard.there("web").contains("bru-1") { "bru-1" } else { "fra-1" };
    yard.unready("web", target).lose(target).calm();
    assert_eq!(
        (yard.place("web").as_str(), yard.waits("web")),
        ("ams-1", format!("MemberCluster/{target} can't be reached"))
    );
    assert_ne!(yard.place("two"), "ams-1");
    yard.find(target).break_copy("web", target).calm();
    assert_ne!(yard.place("web"), "ams-1");
    assert!(yard.under_way().is_empty());
}

#[test]
fn a_move_that_waits_for_a_person_takes_nobodys_turn() {
    let frozen = |yard: &mut Yard| {
        yard.fleet.decide("stop", "TenantWorkload/shop/two", "Frozen", json!({}));
    };
    let unreadable = |yard: &mut Yard| {
        yard.fleet.workload_named("two", "uid-2", json!({"manifests": [{}]}));
    };
    let stops: [&dyn Fn(&mut Yard); 2] = [&frozen, &unreadable];
    for stop in stops {
        let mut yard = wanderer("Automatic", json!({"preferences": [], "migration": {"maxConcurrent": 1}}));
        yard.fleet.workload_named("two", "uid-2", json!({}));
        yard.settle("two").revoke("nl-ams");
        while yard.there("two") == "ams-1" {
            assert_ne!(yard.round(), 0);
        }
        let target = if yard.there("two").contains("bru-1") { "bru-1" } else { "fra-1" };
        yard.unready("two", target);
        stop(&mut yard);
        yard.calm();
        assert_eq!(yard.place("two"), "ams-1");
        assert_ne!(yard.place("web"), "ams-1", "it must leave, whatever holds the other one");
    }
}

#[test]
fn a_migration_that_is_deleted_in_the_middle_of_its_move_ends_first() {
    // Before the switch and after it, with the other end away and with a record that is deleted later.
    for (switched, restart) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut yard = wanderer("Manual", json!({}));
        yard.revoke("nl-ams");
        while yard.there("web") == "ams-1" || (switched && yard.place("web") == "ams-1") {
            assert_ne!(yard.round(), 0);
        }
        let away = if switched { "ams-1" } else { "bru-1" };
        assert_eq!(yard.there("web"), "ams-1,bru-1");
        yard.lose(away).delete_move();
        if restart {
            yard.restart();
        }
        yard.calm();
        assert_eq!(yard.moves(), 1, "the record says where else it may be");
        yard.find(away).calm();
        assert_eq!((yard.there("web").as_str(), yard.moves()), ("bru-1", 0));
    }
}

#[test]
fn a_migration_that_waits_for_an_answer_may_go_and_is_asked_again_later() {
    let mut yard = wanderer("Approval", json!({}));
    yard.rest().answer("Denied").rest();
    yard.delete_move().rest();
    assert_eq!((yard.there("web").as_str(), yard.moves()), ("ams-1", 0));
    yard.later(310).rest();
    assert_eq!(yard.waits("web"), "waits for the tenant's answer");
}

#[test]
fn a_migration_that_has_ended_may_go() {
    let mut yard = wanderer("Manual", json!({}));
    yard.revoke("nl-ams").rest();
    yard.delete_move().calm();
    assert_eq!((yard.there("web").as_str(), yard.moves()), ("bru-1", 0));
}

#[test]
fn a_person_may_let_go_of_a_source_that_is_gone_for_good() {
    let mut yard = wanderer("Automatic", json!({}));
    yard.lose("ams-1").revoke("nl-ams").calm();
    assert_eq!(yard.under_way(), ["web ams-1>bru-1 ApprovalRevoked"]);
    yard.mark("web", |meta| {
        meta.annotations = Some([(ABANDON_ANNOTATION.to_owned(), "ams-1".to_owned())].into());
    });
    yard.calm();
    assert!(yard.under_way().is_empty());
    assert!(yard.said("web").contains("let go"), "{}", yard.said("web"));
    assert_eq!(yard.there("web"), "ams-1,bru-1");
}

#[test]
fn letting_go_of_a_source_that_answers_is_cleaning_it_up() {
    let mut yard = wanderer("Automatic", json!({}));
    yard.mark("web", |meta| {
        meta.annotations = Some([(ABANDON_ANNOTATION.to_owned(), "ams-1".to_owned())].into());
    });
    yard.revoke("nl-ams").calm();
    assert_eq!(yard.there("web"), "bru-1");
}

#[test]
fn a_copy_leaves_its_new_place_though_the_old_one_doesnt_answer() {
    let mut yard = wanderer("Automatic", json!({}));
    yard.lose("ams-1").revoke("nl-ams").calm();
    assert_eq!(yard.place("web"), "bru-1");
    yard.revoke("be-bru").calm();
    assert_eq!(yard.place("web"), "fra-1");
    assert_eq!(yard.under_way(), ["web ams-1>bru-1 ApprovalRevoked"], "Brussels is clean, Amsterdam isn't");
    assert_eq!(yard.find("ams-1").calm().there("web"), "fra-1");
    assert!(yard.under_way().is_empty());
}

#[test]
fn a_copy_may_go_back_to_where_it_was_before_last() {
    let mut yard = wanderer("Automatic", json!({}));
    yard.lose("ams-1").revoke("nl-ams").calm();
    yard.revoke("be-bru").calm();
    assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("fra-1", "ams-1,fra-1"));
    let lifts = json!({"supersedes": ["revoked-nl-ams"]});
    yard.fleet.decide("nl-ams-again", "Site/nl-ams", "Approved", lifts);
    // Nowhere else is lawful, and a move from there is still under way.
    yard.find("ams-1").revoke("de-fra").calm();
    assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("ams-1", "ams-1"));
    assert!(yard.under_way().is_empty(), "{:?}", yard.under_way());
}

#[test]
fn what_has_switched_and_must_leave_again_is_running_somewhere() {
    // The new place is drained at the instant of the switch; there is a third, or there is none.
    for (lawful, last) in [(["NL", "BE", "DE"], "fra-1"), (["NL", "BE", "LU"], "bru-1")] {
        let mut yard = wanderer("Manual", allowed(&lawful));
        yard.fleet.workload(json!({"overlap": "Forbid"}));
        yard.calm();
        yard.fleet.cluster("fra-1", "de-fra", json!({"spec": {"scheduling": "Cordoned"}}));
        yard.revoke("nl-ams");
        while yard.place("web") == "ams-1" {
            assert_ne!(yard.round(), 0);
        }
        assert_eq!(yard.runs("web"), "", "it starts after the switch");
        draining(&mut yard, "bru-1", "be-bru");
        yard.fleet.cluster("fra-1", "de-fra", json!({}));
        yard.calm();
        assert_eq!((yard.place("web").as_str(), yard.runs("web").as_str()), (last, last));
        assert_eq!(yard.there("web"), last);
    }
}

#[test]
fn the_old_place_doesnt_take_over_what_may_still_run_at_the_new_one() {
    let mut yard = exclusive(wanderer("Manual", allowed(&["NL", "BE"])));
    draining(&mut yard, "ams-1", "nl-ams");
    while yard.runs("web") != "bru-1" {
        assert_ne!(yard.round(), 0);
    }
    assert_eq!(yard.there("web"), "ams-1,bru-1", "the source isn't cleaned up yet");
    yard.revoke("be-bru").lose("bru-1").calm();
    assert_eq!((yard.place("web").as_str(), yard.runs("web").as_str()), ("bru-1", "bru-1"));
    yard.find("bru-1").calm();
    assert_eq!((yard.place("web").as_str(), yard.runs("web").as_str()), ("ams-1", "ams-1"));
    assert_eq!(yard.there("web"), "ams-1");
}

#[test]
fn a_move_that_is_given_up_switches_its_source_on_again() {
    let stop = |yard: &mut Yard| {
        draining(yard, "ams-1", "nl-ams");
        while yard.runs("web") == "ams-1" {
            assert_ne!(yard.round(), 0);
        }
    };
    let mut yard = exclusive(wanderer("Automatic", json!({"preferences": []})));
    stop(&mut yard);
    yard.change_move(|object| object.spec.abort = true).rest();
    assert_eq!((yard.place("web").as_str(), yard.runs("web").as_str()), ("ams-1", "ams-1"));
    assert!(yard.waits("web").starts_with("the last try failed"), "{}", yard.waits("web"));

    let mut yard = exclusive(wanderer("Automatic", json!({"preferences": []})));
    stop(&mut yard);
    yard.fleet.tenant(allowed(&["NL"]));
    yard.rest();
    assert_eq!((yard.place("web").as_str(), yard.runs("web").as_str()), ("ams-1", "ams-1"));
}

#[test]
fn the_deadline_counts_from_when_the_target_was_ready_last() {
    let mut yard = exclusive(wanderer("Automatic", json!({"preferences": []})));
    yard.busy.insert("ams-1");
    draining(&mut yard, "ams-1", "nl-ams");
    yard.rest().later(700).rest();
    let under_way = yard.under_way();
    let target = if under_way[0].contains("bru-1") { "bru-1" } else { "fra-1" };
    yard.unready("web", target);
    yard.rest();
    assert_eq!(yard.under_way(), under_way, "one restart of a pod is no failure");
    yard.later(700).rest();
    assert_eq!(yard.there("web"), "ams-1", "but it must be ready within its time");
}

#[test]
fn the_brakes_stop_what_hasnt_begun() {
    let mut yard = wanderer("Automatic", json!({}));
    pause(&mut yard, true);
    yard.revoke("nl-ams").calm();
    assert_eq!(
        (yard.there("web").as_str(), yard.waits("web").as_str()),
        ("ams-1", "Installation/default is paused")
    );
}

#[test]
fn deleting_a_record_doesnt_touch_what_it_is_about() {
    let mut yard = wanderer("Automatic", json!({"preferences": []}));
    yard.delete_record("web").calm();
    assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("ams-1", "ams-1"));
    yard.break_copy("web", "ams-1").calm();
    assert_eq!(yard.runs("web"), "ams-1", "it is looked after as before");
    yard.fleet.apply(Change::Workload(key("shop/web"), None));
    assert_eq!(yard.calm().there("web"), "", "until its workload is deleted too");
}

/// The workload was made at noon; its record is another's, made at this time, and Kubernetes deletes it.
fn restored(at: &str) -> Yard {
    let mut yard = wanderer("Automatic", json!({"preferences": []}));
    made_at_noon(&mut yard, "uid-1");
    recorded(&mut yard, at);
    yard.delete_record("web");
    yard
}

fn made_at_noon(yard: &mut Yard, uid: &str) {
    let object = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload",
        "metadata": {"name": "web", "namespace": "shop", "uid": uid, "generation": 1, "creationTimestamp": NOON},
        "spec": {"manifests": [deployment("100m")]},
    });
    yard.fleet.apply(Change::Workload(key("shop/web"), Some(Box::new(read(object)))));
}

/// The record is of the workload with the uid 0.
fn recorded(yard: &mut Yard, at: &str) {
    yard.mark("web", |meta| {
        let kind = "TenantWorkload".to_owned();
        let owner = OwnerReference { kind, uid: "uid-0".to_owned(), ..OwnerReference::default() };
        meta.owner_references = Some(vec![owner]);
        meta.creation_timestamp = Some(Time(at.parse().unwrap()));
    });
}

#[test]
fn a_record_that_was_restored_is_held_until_somebody_says_whose_it_is() {
    let mut yard = restored("2026-06-01T12:00:00Z");
    assert_eq!(yard.calm().there("web"), "ams-1");
    yard.break_copy("web", "ams-1").calm();
    assert_eq!(yard.there("web"), "", "nothing is done by a record that may not be its own");
    yard.mark("web", |meta| meta.owner_references.as_mut().unwrap()[0].uid = "uid-1".to_owned());
    assert_eq!(yard.calm().runs("web"), "ams-1");
}

#[test]
fn a_workload_made_again_within_a_second_doesnt_inherit_the_record() {
    let mut yard = wanderer("Automatic", json!({"preferences": []}));
    recorded(&mut yard, NOON);
    made_at_noon(&mut yard, "uid-0");
    yard.calm().fleet.apply(Change::Workload(key("shop/web"), None));
    made_at_noon(&mut yard, "uid-1");
    yard.delete_record("web");
    while !yard.there("web").is_empty() {
        assert_ne!(yard.round(), 0);
    }
}

#[test]
fn what_an_earlier_workload_left_is_removed() {
    let mut yard = restored("2026-06-01T11:59:59Z");
    while !yard.there("web").is_empty() {
        assert_ne!(yard.round(), 0);
    }
}
