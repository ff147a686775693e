//! What is held, aborted or cut off in the middle of a move: it goes on, goes back, or says why it can't.

use domicile_core::{Change, observed::ObjectView, render::Mode};
use domicile_crds::keys::ABANDON_ANNOTATION;
use serde_json::{Value, json};

use crate::{
    fixture::{Fleet, manifest, name},
    outdated::{migration, said},
    relocating::{allowed, exclusive, pause},
    stopping::{RUNS, Scene, the},
    yard::{Yard, wanderer},
};

/// Stopped to move to Brussels by preference; at 12:30 its source may only be held.
pub(crate) fn held(policy: Value) -> Yard {
    let mut yard = wanderer("Approval", policy);
    let until = json!({"validUntil": "2026-06-01T12:30:00Z"});
    yard.fleet.provider("solo").decide("solo-1", "solo", "Approved", until);
    yard.fleet.site("nl-ams", "NL", json!({"operatedBy": "solo", "ownedBy": "solo"}));
    let mut yard = exclusive(yard);
    yard.busy.insert("ams-1");
    yard.answer("Approved").rest();
    assert_eq!(yard.halted("web", "ams-1"), "Deployment/x");
    yard
}

/// It must leave Amsterdam, and has arrived in Brussels, where it isn't ready.
fn arriving() -> Yard {
    let mut yard = wanderer("Manual", json!({"preferences": [{"country": "BE"}]}));
    yard.calm().revoke("nl-ams");
    for _ in 0..4 {
        yard.round();
        yard.unready("web", "bru-1");
    }
    assert_eq!(yard.there("web"), "ams-1,bru-1");
    yard
}

#[test]
fn what_goes_on_is_not_said_to_be_stopped() {
    let mut yard = held(json!({}));
    yard.later(3600).calm();
    let early = yard.told("Stalled");
    yard.later(86_400).calm();
    let late = yard.told("Stalled");
    assert!(!early.starts_with("Stopped"), "{early}");
    assert!(late.starts_with("SourceRemains"), "{late}");
}

#[test]
fn what_is_being_started_is_not_said_to_be_stopped() {
    let mut fleet = Fleet::placed();
    fleet.tenant(allowed(&["NL"]));
    fleet.cluster("ams-1", "nl-ams", json!({"spec": {"scheduling": "Draining"}}));
    let mut scene = Scene::of(fleet);
    scene.sees(
        "ams-1",
        the("Deployment", "x"),
        ObjectView { halted: true, stopped: true, idle: true, ready: true, ..RUNS },
    );
    let orders = scene.orders();
    let stalled = said(&mut scene.fleet, &scene.observed, "Stalled");
    assert!(orders.contains("apply Deployment on ams-1"), "{orders}");
    assert!(!stalled.contains("Stopped"), "{stalled}");
}

#[test]
fn what_was_stopped_goes_on_through_a_pause_or_says_that_it_is_down() {
    for restart in [false, true] {
        let mut yard = wanderer("Manual", allowed(&["NL", "BE"]));
        let cron = manifest(
            "batch/v1",
            "CronJob",
            json!({"schedule": "* * * * *", "jobTemplate": {"spec": {"template": {"spec": {}}}}}),
        );
        yard.fleet.workload(json!({"manifests": [cron]}));
        yard.break_copy("web", "ams-1").calm();
        yard.busy.insert("ams-1");
        yard.revoke("nl-ams").rest();
        assert_eq!(yard.halted("web", "ams-1"), "CronJob/x");
        pause(&mut yard, true);
        if restart {
            yard.restart();
        }
        yard.busy.clear();
        yard.end_pods("web", "ams-1").calm();
        // Nothing at its target shows that the move had begun, once that is forgotten.
        let stalled = yard.told("Stalled");
        assert_eq!(
            (yard.place("web") == "bru-1", stalled.starts_with("Stopped: ")),
            (!restart, restart),
            "{stalled}"
        );
        pause(&mut yard, false);
        yard.calm();
        assert_eq!(yard.runs("web"), "bru-1", "restart={restart}");
    }
}

#[test]
fn a_suspension_is_no_failure_of_the_target() {
    let mut yard = arriving();
    yard.fleet.decide("s", "Tenant/shop", "Suspended", json!({}));
    yard.rest().later(3600).rest();
    yard.fleet.decide("lift", "Tenant/shop", "Approved", json!({"supersedes": ["s"]}));
    yard.round();
    yard.unready("web", "bru-1");
    yard.round();
    yard.round();
    yard.rest();
    assert!(!yard.said("web").contains("wasn't ready in time"), "it had no time: {}", yard.said("web"));
}

#[test]
fn what_was_stopped_starts_again_when_its_move_is_aborted_and_the_target_is_away() {
    let mut yard = exclusive(wanderer("Approval", json!({})));
    yard.busy.insert("ams-1");
    yard.answer("Approved").rest();
    assert_eq!(yard.halted("web", "ams-1"), "Deployment/x");
    yard.lose("bru-1").change_move(|m| m.spec.abort = true);
    yard.busy.clear();
    yard.end_pods("web", "ams-1").calm();
    yard.later(86_400).calm();
    assert_eq!(yard.runs("web"), "ams-1", "aborted, lawful where it is, and nothing ever ran in Brussels");
}

#[test]
fn a_source_does_not_start_while_something_runs_at_the_target_of_a_restored_move() {
    // Recorded: in Amsterdam, on its way to Brussels. In truth it has arrived there, and what called for it is forgotten.
    let mut fleet = Fleet::placed();
    fleet.tenant(allowed(&["NL", "BE"])).workload(json!({"overlap": "Forbid"}));
    fleet.apply(migration("m", "ams-1", "bru-1", 2, None));
    let mut scene = Scene::of(fleet);
    scene.sees("bru-1", the("Deployment", "x"), ObjectView { epoch: 2, ..RUNS });
    assert_eq!(scene.orders(), "remove Deployment from bru-1");
    scene.sees("bru-1", the("Deployment", "x"), ObjectView { epoch: 2, stopped: true, ..RUNS });
    assert_eq!(scene.orders(), "remove Deployment from bru-1", "its pods haven't ended");
    scene.sees("bru-1", the("Deployment", "x"), ObjectView { epoch: 2, stopped: true, idle: true, ..RUNS });
    assert_eq!(scene.orders(), "remove Deployment from bru-1; apply Deployment on ams-1, Placed");
}

#[test]
fn the_only_copy_is_not_removed_since_its_move_was_restored_and_its_cause_is_gone() {
    let mut fleet = Fleet::placed();
    fleet.tenant(allowed(&["NL", "BE"]));
    fleet.apply(migration("m", "ams-1", "bru-1", 2, None));
    let mut scene = Scene::of(fleet);
    scene.sees("bru-1", the("Deployment", "x"), ObjectView { epoch: 2, ..RUNS });
    assert_eq!(scene.orders(), "apply Deployment on ams-1, Placed");
    let object = the("Deployment", "x");
    let applied = ObjectView { digest: scene.digest(&object, (1, Mode::Running)), ..RUNS };
    scene.sees("ams-1", object, applied);
    assert_eq!(scene.orders(), "remove Deployment from bru-1");
}

#[test]
fn other_targets_come_before_a_failed_one_also_for_a_recorded_move() {
    let mut fleet = Fleet::placed();
    fleet.tenant(json!({"residency": {"allowed": [{"country": "NL"}, {"country": "BE"}, {"country": "DE"}]}, "preferences": [{"country": "BE"}]}));
    fleet.cluster("fra-2", "de-fra", json!({}));
    let now = fleet.now;
    fleet.apply(Change::Seen(name("fra-2"), now));
    fleet.decide("r", "Site/nl-ams", "Revoked", json!({}));
    fleet.apply(migration("m1", "ams-1", "bru-1", 2, Some("Failed")));
    fleet.apply(migration("m2", "ams-1", "fra-1", 3, None));
    fleet.cluster("fra-1", "de-fra", json!({"spec": {"scheduling": "Cordoned"}}));
    let wish = fleet.wish();
    assert!(wish.contains("to fra-2"), "bru-1 has failed: {wish}");
}

#[test]
fn a_person_may_let_go_of_a_target_that_is_gone_for_good() {
    let mut yard = arriving();
    yard.lose("bru-1");
    yard.mark("web", |meta| {
        meta.annotations = Some([(ABANDON_ANNOTATION.to_owned(), "bru-1".to_owned())].into());
    });
    yard.later(86_400).calm();
    yard.later(86_400).calm();
    assert_eq!(yard.place("web"), "fra-1");
}

#[test]
fn an_abort_is_heard_while_the_source_is_held() {
    let mut yard = held(json!({}));
    yard.later(3600).rest();
    yard.change_move(|m| m.spec.abort = true);
    yard.busy.clear();
    yard.end_pods("web", "ams-1").calm();
    assert_eq!(yard.place("web"), "ams-1", "aborted before the switch");
}

#[test]
fn what_was_suspended_with_a_planned_move_goes_nowhere_while_held() {
    // It was stopped by a suspension, not to move; the tenant's mode begins by itself.
    let mut yard = wanderer("Approval", json!({}));
    let until = json!({"validUntil": "2026-06-01T12:30:00Z"});
    yard.fleet.provider("solo").decide("solo-1", "solo", "Approved", until);
    yard.fleet.site("nl-ams", "NL", json!({"operatedBy": "solo", "ownedBy": "solo"}));
    let mut yard = exclusive(yard);
    assert_eq!(yard.under_way().len(), 1);
    yard.fleet.decide("s", "Tenant/shop", "Suspended", json!({}));
    yard.calm();
    assert_eq!(yard.halted("web", "ams-1"), "Deployment/x");
    yard.answer("Approved").later(3600).calm();
    yard.fleet.decide("lift", "Tenant/shop", "Approved", json!({"supersedes": ["s"]}));
    yard.calm();
    assert_eq!(yard.there("web"), "ams-1", "held, and nothing of the move had begun");
}

#[test]
fn what_cannot_be_told_sets_nothing_in_motion() {
    // Stopped by a suspension; then its country set is gone: unknown, held.
    let mut yard = wanderer(
        "Automatic",
        json!({"migration": {"mode": "Approval"}, "residency": {"allowed": [{"country": "BE"}, {"countrySet": "mine"}]}}),
    );
    yard.fleet.set("mine", &["NL"]);
    let mut yard = exclusive(yard);
    assert_eq!(yard.under_way().len(), 1);
    yard.fleet.decide("s", "Tenant/shop", "Suspended", json!({}));
    yard.calm();
    yard.answer("Approved");
    yard.fleet.apply(Change::CountrySet(name("mine"), None));
    yard.fleet.decide("lift", "Tenant/shop", "Approved", json!({"supersedes": ["s"]}));
    yard.calm();
    assert_eq!(yard.there("web"), "ams-1");
}

#[test]
fn a_target_that_is_away_keeps_no_source_down() {
    let mut yard = exclusive(wanderer("Approval", json!({})));
    yard.busy.insert("ams-1");
    yard.answer("Approved").rest();
    yard.lose("bru-1").busy.clear();
    yard.end_pods("web", "ams-1").calm();
    yard.later(86_400).calm();
    assert_ne!((yard.runs("web").as_str(), yard.told("Stalled").as_str()), ("", ""));
}

#[test]
fn what_was_never_stopped_to_move_is_not_moved_while_held() {
    // A drain planned a move; it was suspended; the drain is over and the approval has ended: held. It was never stopped to move.
    let mut fleet = Fleet::placed();
    fleet.tenant(allowed(&["NL", "BE"])).workload(json!({"overlap": "Forbid"}));
    fleet.provider("solo").decide(
        "solo-1",
        "solo",
        "Approved",
        json!({"validUntil": "2026-06-01T11:30:00Z"}),
    );
    fleet.site("nl-ams", "NL", json!({"operatedBy": "solo", "ownedBy": "solo"}));
    fleet.moving("ams-1", "bru-1", "Draining", None);
    let mut scene = Scene::of(fleet);
    scene.sees(
        "ams-1",
        the("Deployment", "x"),
        ObjectView { halted: true, stopped: true, idle: true, ..RUNS },
    );
    assert_eq!(scene.orders(), "", "nothing calls for a move");
}
