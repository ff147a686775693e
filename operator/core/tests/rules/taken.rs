//! A tenant's namespace on a member becomes somebody else's, or is found to be.

use domicile_core::Change;
use domicile_crds::keys::ABANDON_ANNOTATION;
use serde_json::json;

use crate::{
    fixture::{key, name},
    relocating::{allowed, draining, exclusive},
    yard::{Yard, wanderer},
};

/// Nobody can say what is in a namespace that is somebody else's, and nothing can be taken back from there: what must leave goes elsewhere.
#[test]
fn a_move_to_where_the_namespace_is_somebody_elses_goes_elsewhere() {
    for restart in [false, true] {
        let mut yard = wanderer("Automatic", json!({}));
        yard.taken.insert("bru-1");
        yard.revoke("nl-ams").round();
        assert_eq!(yard.under_way(), ["web ams-1>bru-1 ApprovalRevoked"]);
        if restart {
            yard.restart();
        }
        yard.calm();
        assert_eq!((yard.place("web").as_str(), yard.runs("web").as_str()), ("fra-1", "fra-1"));
        assert!(yard.under_way().is_empty());
    }
}

/// In the middle of a move to Brussels, the namespace there becomes somebody else's.
fn taken_in_the_middle(overlap: &str) -> Yard {
    let mut yard = wanderer("Manual", json!({}));
    yard.fleet.workload(json!({"overlap": overlap}));
    yard.calm().revoke("nl-ams").round();
    yard.round();
    assert_eq!(yard.there("web"), "ams-1,bru-1");
    yard.unready("web", "bru-1").take_away("bru-1").calm();
    assert_eq!((yard.place("web").as_str(), yard.under_way().len()), ("ams-1", 1));
    yard
}

/// What has begun somewhere is on record as long as something of it is seen there, and nobody may touch it in somebody else's namespace.
#[test]
fn what_was_brought_to_a_namespace_that_is_taken_since_is_waited_for() {
    let words = "the workload's namespace on MemberCluster/bru-1 belongs to somebody else";
    for overlap in ["Allow", "Forbid"] {
        let mut yard = taken_in_the_middle(overlap);
        assert!(yard.waits("web").starts_with(words), "{}", yard.waits("web"));
        let stalled = yard.told("Stalled");
        assert!(stalled.starts_with("NamespaceTaken: must leave ams-1 because "), "{stalled}");
        assert!(stalled.contains(words), "{stalled}");
        yard.give_back("bru-1").ready("web", "bru-1").calm();
        assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("bru-1", "bru-1"));
    }
}

#[test]
fn what_others_have_removed_from_a_namespace_that_is_taken_holds_nothing_up() {
    for overlap in ["Allow", "Forbid"] {
        let mut yard = taken_in_the_middle(overlap);
        yard.break_copy("web", "bru-1").calm();
        assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("fra-1", "fra-1"));
        assert!(yard.said("web").starts_with("moved from ams-1 to fra-1"), "{}", yard.said("web"));
    }
}

/// A person's word counts for what nobody can see, and not against what is seen.
#[test]
fn what_must_never_run_twice_is_not_let_go_of_where_it_is_seen_to_run() {
    let mut yard = exclusive(wanderer("Manual", json!({})));
    yard.busy.insert("ams-1");
    draining(&mut yard, "ams-1", "nl-ams");
    yard.take_away("ams-1").mark("web", |meta| {
        meta.annotations.get_or_insert_default().insert(ABANDON_ANNOTATION.to_owned(), "ams-1".to_owned());
    });
    assert_eq!(yard.calm().place("web"), "ams-1");
    yard.busy.clear();
    yard.end_pods("web", "ams-1").calm();
    assert_ne!(yard.place("web"), "ams-1");
}

/// After a start or with another credential nothing was seen yet, and that somebody else has the namespace is known from before.
#[test]
fn what_was_not_seen_yet_is_not_taken_for_gone_from_a_namespace_that_is_taken() {
    for overlap in ["Allow", "Forbid"] {
        let mut yard = taken_in_the_middle(overlap);
        let seen = yard.observed.clone();
        yard.lose("bru-1").restart();
        yard.observed.forget(&name("bru-1"));
        yard.calm();
        assert_eq!((yard.place("web").as_str(), yard.under_way().len()), ("ams-1", 1));
        assert_eq!(yard.waits("web"), "MemberCluster/bru-1 can't be reached");
        yard.observed = seen;
        yard.find("bru-1").calm();
        assert!(yard.waits("web").contains("belongs to somebody else"), "{}", yard.waits("web"));
    }
}

#[test]
fn moves_that_wait_for_somebody_elses_namespace_take_nobodys_turn() {
    let mut yard = wanderer("Manual", json!({"migration": {"mode": "Manual", "maxConcurrent": 1}}));
    yard.fleet.workload_named("two", "uid-2", json!({}));
    yard.settle("two").calm().revoke("nl-ams").round();
    yard.round();
    let (first, other) = if yard.there("web").contains("bru-1") { ("web", "two") } else { ("two", "web") };
    assert_eq!((yard.there(first).as_str(), yard.there(other).as_str()), ("ams-1,bru-1", "ams-1"));
    yard.unready(first, "bru-1").take_away("bru-1").calm();
    assert!(yard.waits(first).contains("belongs to somebody else"), "{}", yard.waits(first));
    assert_eq!(yard.place(other), "fra-1");
}

#[test]
fn a_deleted_workload_stays_on_record_while_something_of_it_is_in_a_namespace_that_is_taken() {
    let mut yard = taken_in_the_middle("Allow");
    yard.fleet.apply(Change::Workload(key("shop/web"), None));
    yard.delete_record("web").calm();
    assert!(yard.record("web").is_some() && yard.waits("web").contains("belongs to somebody else"));
    assert_eq!(yard.there("web"), "bru-1");
    yard.give_back("bru-1").calm();
    assert_eq!((yard.record("web").is_none(), yard.there("web").as_str()), (true, ""));

    // Or a person lets go of it.
    let mut yard = taken_in_the_middle("Allow");
    yard.fleet.apply(Change::Workload(key("shop/web"), None));
    yard.mark("web", |meta| {
        meta.annotations.get_or_insert_default().insert(ABANDON_ANNOTATION.to_owned(), "bru-1".to_owned());
    });
    yard.delete_record("web").calm();
    assert_eq!((yard.record("web").is_none(), yard.there("web").as_str()), (true, "bru-1"));
}

#[test]
fn what_has_nowhere_else_to_go_says_so_where_the_namespace_is_taken() {
    let mut yard = wanderer("Automatic", allowed(&["NL", "BE"]));
    yard.taken.insert("bru-1");
    yard.revoke("nl-ams").calm();
    assert_eq!(yard.place("web"), "ams-1");
    assert!(yard.under_way().is_empty());
    assert!(yard.told("Stalled").starts_with("NoLawfulPlace: must leave ams-1"), "{}", yard.told("Stalled"));
    assert!(
        yard.told("Stalled").contains("somebody else on MemberCluster/bru-1"),
        "{}",
        yard.told("Stalled")
    );
    assert_eq!(yard.give_back("bru-1").calm().place("web"), "bru-1");
}

/// After the switch, too, it is said what keeps the source, or the copy, from being removed.
#[test]
fn what_is_left_in_a_namespace_that_is_taken_is_told_by_its_reason() {
    let words = |cluster: &str| {
        format!("the workload's namespace on MemberCluster/{cluster} belongs to somebody else")
    };
    let moved = || {
        let mut yard = wanderer("Manual", json!({}));
        yard.calm();
        draining(&mut yard, "ams-1", "nl-ams");
        yard.rest();
        assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("bru-1", "ams-1,bru-1"));
        yard
    };
    let mut yard = moved();
    yard.take_away("ams-1").calm();
    assert!(yard.waits("web").starts_with(&words("ams-1")), "{}", yard.waits("web"));
    assert_eq!(yard.give_back("ams-1").calm().there("web"), "bru-1");

    let mut yard = moved();
    yard.take_away("bru-1").calm();
    assert!(yard.waits("web").starts_with(&words("bru-1")), "{}", yard.waits("web"));
    assert_eq!(yard.there("web"), "ams-1,bru-1", "nothing lawful is removed for it");
    assert_eq!(yard.give_back("bru-1").calm().there("web"), "bru-1");
}
