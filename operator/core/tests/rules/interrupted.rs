//! Moves that somebody or something interrupts: answers, aborts, pauses, members that don't answer.

use serde_json::json;

use crate::{
    relocating::{allowed, draining, exclusive, pause},
    yard::{Yard, wanderer},
};

#[test]
fn an_answer_to_another_plan_is_said_to_be_one() {
    for answer in ["Approved", "Denied"] {
        let mut yard = wanderer("Approval", json!({}));
        yard.calm().answer(answer);
        yard.change_move(|object| object.spec.answer_for = Some("0000000000000000".to_owned())).calm();
        assert_eq!(
            (yard.there("web").as_str(), yard.waits("web").as_str()),
            ("ams-1", "the tenant's answer is for another plan")
        );
        yard.answer("Approved").calm();
        assert_eq!(yard.there("web"), "bru-1", "after {answer} for another");
    }
}

#[test]
fn what_a_tenant_has_aborted_is_not_proposed_again() {
    for mode in ["Automatic", "Approval"] {
        let mut yard = wanderer(mode, json!({}));
        while yard.under_way().is_empty() {
            assert_ne!(yard.round(), 0);
        }
        yard.change_move(|object| object.spec.abort = true).rest();
        yard.later(310).calm();
        assert_eq!((yard.there("web").as_str(), yard.moves()), ("ams-1", 1), "{mode}");
        assert!(yard.waits("web").starts_with("the tenant has aborted it: see Migration/"), "{mode}");
        yard.revoke("nl-ams").calm();
        assert_eq!(yard.there("web"), "bru-1", "what must move does: {mode}");
    }
}

#[test]
fn an_aborted_migration_that_is_deleted_is_forgotten() {
    let mut yard = wanderer("Approval", json!({}));
    yard.rest().change_move(|object| object.spec.abort = true).rest();
    yard.later(310).rest().delete_ended_moves().rest();
    assert_eq!(yard.waits("web"), "waits for the tenant's answer");
}

#[test]
fn a_pause_leaves_nothing_down() {
    // Before the source is told to stop, it runs on through the pause; after that, the move goes on.
    for (stopped, during) in [(false, "ams-1"), (true, "bru-1")] {
        let mut yard = exclusive(wanderer("Manual", allowed(&["NL", "BE"])));
        yard.busy.insert("ams-1");
        yard.revoke("nl-ams");
        while yard.there("web") == "ams-1" {
            assert_ne!(yard.round(), 0);
        }
        if stopped {
            yard.rest();
            assert!(yard.waits("web").contains("hasn't stopped yet"), "{}", yard.waits("web"));
        }
        pause(&mut yard, true);
        yard.rest();
        yard.busy.clear();
        if stopped {
            yard.end_pods("web", "ams-1");
        }
        yard.calm();
        assert_eq!((yard.place("web").as_str(), yard.runs("web").as_str()), (during, during));
        pause(&mut yard, false);
        assert_eq!(yard.calm().runs("web"), "bru-1");
    }
}

#[test]
fn a_move_whose_target_becomes_forbidden_goes_elsewhere_at_once() {
    let mut yard = wanderer("Automatic", json!({}));
    yard.revoke("nl-ams");
    while yard.there("web") == "ams-1" {
        assert_ne!(yard.round(), 0);
    }
    yard.unready("web", "bru-1").revoke("be-bru").rest();
    assert_eq!(yard.place("web"), "fra-1", "{}", yard.waits("web"));
}

#[test]
fn a_move_that_is_called_for_again_begins_at_once() {
    let mut yard = wanderer("Automatic", json!({"preferences": []}));
    draining(&mut yard, "ams-1", "nl-ams");
    while yard.there("web") == "ams-1" {
        assert_ne!(yard.round(), 0);
    }
    yard.fleet.cluster("ams-1", "nl-ams", json!({}));
    assert_eq!(yard.rest().there("web"), "ams-1");
    draining(&mut yard, "ams-1", "nl-ams");
    assert_ne!(yard.rest().place("web"), "ams-1", "{}", yard.waits("web"));
}

#[test]
fn what_must_leave_and_cannot_be_stopped_calls_for_help() {
    let mut yard = exclusive(wanderer("Automatic", json!({"preferences": []})));
    yard.lose("ams-1").rest();
    assert_eq!(yard.told("Stalled"), "", "it may stay");
    yard.revoke("nl-ams").calm();
    let stalled = yard.told("Stalled");
    assert!(stalled.starts_with("MemberUnreachable: must leave ams-1 because "), "{stalled}");
    let last = ", but MemberCluster/ams-1 can't be reached; once nothing of it runs there for certain: kubectl -n shop annotate \
                assignments.domicile.dev web domicile.dev/abandon=ams-1";
    assert!(stalled.ends_with(last), "{stalled}");
    yard.find("ams-1").calm();
    assert_eq!(yard.told("Stalled"), "");
    assert_ne!(yard.place("web"), "ams-1");
}

#[test]
fn what_must_never_run_twice_leaves_a_member_that_is_lost_only_if_somebody_lets_go_of_it() {
    let abandon = |meta: &mut k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta| {
        let annotations = meta.annotations.get_or_insert_default();
        annotations.insert(domicile_crds::keys::ABANDON_ANNOTATION.to_owned(), "ams-1".to_owned());
    };
    let mut yard = exclusive(wanderer("Automatic", json!({"preferences": []})));
    yard.revoke("nl-ams").lose("ams-1").later(300).calm();
    assert_eq!(yard.place("web"), "ams-1", "it may run there");
    yard.mark("web", abandon).calm();
    assert_ne!(yard.place("web"), "ams-1", "{}", yard.waits("web"));
    assert!(yard.said("web").contains("was let go of, as domicile.dev/abandon says"), "{}", yard.said("web"));

    // A member that answers is asked, whatever somebody says.
    let mut yard = exclusive(wanderer("Automatic", json!({"preferences": []})));
    yard.busy.insert("ams-1");
    yard.revoke("nl-ams").mark("web", abandon).rest();
    assert_eq!(yard.place("web"), "ams-1", "its pods haven't ended");
}

/// A cluster is left with less than one pod.
fn shrink(yard: &mut Yard, cluster: &str, site: &str) {
    yard.fleet.cluster(cluster, site, json!({"status": {"allocatable": {"pods": 0}}}));
}

#[test]
fn nothing_goes_on_to_a_target_that_has_become_too_small() {
    let mut yard = wanderer("Approval", json!({}));
    yard.calm();
    assert_eq!(yard.under_way(), ["web ams-1>bru-1 PreferredPlace"]);
    shrink(&mut yard, "bru-1", "be-bru");
    yard.answer("Approved").calm();
    assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("ams-1", "ams-1"));
    assert_eq!(yard.waits("web"), "MemberCluster/bru-1 takes nothing new at present");
    yard.fleet.cluster("bru-1", "be-bru", json!({}));
    yard.calm();
    assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("bru-1", "bru-1"));

    // What must move and hasn't begun goes where there is room.
    let mut yard = wanderer("Manual", json!({}));
    yard.calm();
    yard.revoke("nl-ams").round();
    assert_eq!(yard.under_way(), ["web ams-1>bru-1 ApprovalRevoked"]);
    shrink(&mut yard, "bru-1", "be-bru");
    yard.calm();
    assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("fra-1", "fra-1"));

    // Where there is none, somebody must know.
    let mut yard = wanderer("Manual", allowed(&["NL", "BE"]));
    yard.calm();
    yard.revoke("nl-ams").round();
    shrink(&mut yard, "bru-1", "be-bru");
    yard.calm();
    assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("ams-1", "ams-1"));
    assert_eq!(
        yard.told("Stalled"),
        "NoLawfulPlace: must leave ams-1 because Site/nl-ams was revoked, but MemberCluster/bru-1 takes nothing new at present"
    );
}

#[test]
fn a_move_is_told_with_the_decision_that_compelled_it() {
    let mut yard = wanderer("Automatic", json!({"preferences": []}));
    yard.revoke("nl-ams").calm();
    let said = yard.said("web");
    assert!(
        said.starts_with("moved from ams-1 to ") && said.contains(": Site/nl-ams is revoked by Decision/"),
        "{said}"
    );
}
