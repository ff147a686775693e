//! What was stopped runs again, whoever was interrupted in between.

use domicile_core::{
    manifests::{ObjectRef, fnv1a},
    observed::ObjectView,
    render::Mode,
};
use serde_json::{Value, json};

use crate::{
    fixture::{Fleet, deployment, manifest},
    relocating::allowed,
    stopping::{RUNS, STOPPED, Scene, the},
    yard::{Yard, wanderer},
};

fn cron_job() -> Value {
    manifest("batch/v1", "CronJob", json!({}))
}

fn placed(manifests: &[Value]) -> Scene {
    let mut fleet = Fleet::placed();
    fleet.workload(json!({"manifests": manifests}));
    Scene::of(fleet)
}

/// As it was applied.
fn applied(scene: &Scene, object: &ObjectRef, view: ObjectView) -> ObjectView {
    ObjectView { digest: scene.digest(object, (1, Mode::Running)), ..view }
}

/// A Job that the CronJob `x` has made.
fn child(view: ObjectView) -> ObjectView {
    ObjectView { digest: 0, made_by: fnv1a(b"x"), ..view }
}

#[test]
fn what_was_applied_and_is_halted_still_is_applied_again() {
    let deployed = the("Deployment", "x");
    let mut scene = placed(&[deployment("100m")]);
    scene.sees("ams-1", deployed.clone(), applied(&scene, &deployed, RUNS));
    assert_eq!(scene.orders(), "");
    scene.sees("ams-1", deployed.clone(), applied(&scene, &deployed, STOPPED));
    assert_eq!(scene.orders(), "apply Deployment on ams-1, Placed", "nothing else lets it run again");
}

#[test]
fn jobs_that_a_cron_job_has_begun_go_on_with_it() {
    let ticks = the("CronJob", "x");
    let mut scene = placed(&[cron_job()]);
    scene.sees("ams-1", ticks.clone(), applied(&scene, &ticks, RUNS));
    scene.sees("ams-1", the("Job", "x-1"), child(RUNS));
    assert_eq!(scene.orders(), "", "they are its own");
    scene.sees("ams-1", the("Job", "x-1"), child(STOPPED));
    assert_eq!(scene.orders(), "apply CronJob on ams-1, Placed");
    scene.fleet.decide("s", "Tenant/shop", "Suspended", json!({}));
    assert_eq!(scene.orders(), "halt CronJob on ams-1, Suspended");
    scene.sees("ams-1", ticks.clone(), STOPPED).sees("ams-1", the("Job", "x-2"), child(RUNS));
    assert_eq!(scene.orders(), "halt Job on ams-1, Suspended", "one that was begun just before");
    scene.fleet.decide("l", "Tenant/shop", "Approved", json!({"supersedes": ["s"]}));
    assert_eq!(scene.orders(), "apply CronJob on ams-1, Placed");
}

#[test]
fn a_halted_job_that_no_cron_job_of_the_manifests_has_made_holds_nothing_up() {
    let ticks = the("CronJob", "x");
    for (what, view) in [
        ("dropped", STOPPED),
        ("made by one that was dropped", ObjectView { made_by: fnv1a(b"y"), ..STOPPED }),
        ("on its way out", ObjectView { terminating: true, ..child(STOPPED) }),
    ] {
        let mut scene = placed(&[cron_job()]);
        scene.sees("ams-1", ticks.clone(), applied(&scene, &ticks, RUNS));
        scene.sees("ams-1", the("Job", "old"), view);
        assert_eq!(scene.orders(), "", "{what}");
    }
}

/// A CronJob with a Job in Amsterdam that must move, whose pods don't end.
fn leaving() -> Yard {
    let mut yard = wanderer("Manual", allowed(&["NL", "BE"]));
    yard.fleet.workload(json!({"manifests": [cron_job()]}));
    yard.break_copy("web", "ams-1").calm();
    yard.begin_job("web", "ams-1", "x");
    yard.busy.insert("ams-1");
    yard.revoke("nl-ams").rest();
    assert!(yard.waits("web").contains("hasn't stopped yet"), "{}", yard.waits("web"));
    assert_eq!(yard.halted("web", "ams-1"), "Job/x-1 CronJob/x");
    yard
}

#[test]
fn what_a_move_stops_stays_so_until_that_has_ended() {
    let mut yard = leaving();
    assert_eq!(yard.round(), 0, "nothing is applied there again");
    yard.end_pods("web", "ams-1").calm();
    assert_eq!((yard.there("web").as_str(), yard.runs("web").as_str()), ("bru-1", "bru-1"));
}

#[test]
fn a_move_that_is_given_up_lets_all_run_again() {
    let mut yard = leaving();
    yard.fleet.decide("lifted", "Site/nl-ams", "Approved", json!({"supersedes": ["revoked-nl-ams"]}));
    yard.busy.clear();
    yard.calm();
    assert_eq!((yard.there("web").as_str(), yard.halted("web", "ams-1").as_str()), ("ams-1", ""));
    assert_eq!(yard.runs("web"), "ams-1");
}
