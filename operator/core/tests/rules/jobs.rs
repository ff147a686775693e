//! A Job that has completed is recorded, and runs once.

use domicile_core::{
    Change,
    manifests::ObjectFact,
    observed::ObjectView,
    orders::{Order, is_ready},
    render::{Mode, Target},
};
use domicile_crds::CompletedJob;
use serde_json::{Value, json};

use crate::{
    fixture::{Fleet, key, manifest, name, read},
    relocating::allowed,
    stopping::{RUNS, Scene, the},
    yard::wanderer,
};

const DONE: ObjectView = ObjectView { idle: true, completed: true, stopped: true, ..RUNS };
const FAILED: ObjectView = ObjectView { ready: false, idle: true, stopped: true, ..RUNS };

fn job(spec: Value) -> Value {
    manifest("batch/v1", "Job", spec)
}

fn expiring() -> Value {
    job(json!({"ttlSecondsAfterFinished": 60}))
}

/// A Job in Amsterdam as it was applied, seen like this.
fn seen(job: Value, view: ObjectView) -> Scene {
    let mut fleet = Fleet::placed();
    fleet.workload(json!({"manifests": [job]}));
    let mut scene = Scene::of(fleet);
    sees(&mut scene, view);
    scene
}

fn sees(scene: &mut Scene, view: ObjectView) {
    let digest = scene.digest(&the("Job", "x"), (1, Mode::Running));
    scene.sees("ams-1", the("Job", "x"), ObjectView { digest, ..view });
}

fn goes(scene: &mut Scene) {
    scene.observed.member_mut(&name("ams-1")).note(&key("shop/web"), 0, the("Job", "x"), None);
}

/// Writes the record that is ordered.
fn record(scene: &mut Scene) -> Vec<CompletedJob> {
    let orders = scene.outlook().orders;
    let [Order::UpdateAssignment(spec)] = &orders[..] else { panic!("{orders:?}") };
    let object = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Assignment", "metadata": {"name": "web"}, "spec": spec,
    });
    scene.fleet.apply(Change::Assignment(key("shop/web"), Some(Box::new(read(object)))));
    scene.completed_jobs()
}

fn ready(scene: &Scene) -> bool {
    let world = scene.fleet.engine.world();
    is_ready(world, &scene.observed, &key("shop/web"), &world.assignments[&key("shop/web")].spec.seats[0])
}

#[test]
fn what_has_completed_is_recorded_and_not_made_again() {
    let mut scene = seen(job(json!({})), RUNS);
    assert_eq!(scene.orders(), "");
    sees(&mut scene, DONE);
    let done = record(&mut scene);
    assert_eq!((done.len(), done[0].name.as_str(), done[0].manifest.len()), (1, "x", 16));
    assert_eq!(scene.orders(), "", "nothing is written on the member");
    goes(&mut scene);
    assert_eq!(scene.orders(), "");
    assert!(ready(&scene));
}

#[test]
fn what_is_deleted_before_it_has_completed_is_made_again() {
    let mut scene = seen(job(json!({})), RUNS);
    goes(&mut scene);
    assert_eq!(scene.orders(), "apply Job on ams-1, Placed");
    assert!(!ready(&scene));
}

#[test]
fn only_what_was_applied_counts() {
    let mut scene = seen(job(json!({})), RUNS);
    scene.sees("ams-1", the("Job", "x"), DONE);
    assert_eq!(scene.orders(), "apply Job on ams-1, Placed", "it has run as somebody else made it");
    let mut failed = seen(job(json!({})), FAILED);
    assert_eq!(failed.orders(), "");
    assert!(!ready(&failed), "it shows that it has failed");
}

#[test]
fn what_was_halted_as_it_completed_counts() {
    let mut scene = seen(job(json!({})), ObjectView { halted: true, ..DONE });
    assert_eq!(record(&mut scene).len(), 1);
    assert_eq!(scene.orders(), "apply Job on ams-1, Placed", "the mark goes");
}

#[test]
fn what_has_completed_is_recorded_also_where_nothing_may_be_written() {
    for verdict in ["Frozen", "Suspended"] {
        let mut scene = seen(expiring(), DONE);
        scene.fleet.decide("d", "Tenant/shop", verdict, json!({}));
        assert_eq!(record(&mut scene).len(), 1, "{verdict}");
        assert_eq!(scene.orders(), "", "{verdict}");
    }
}

#[test]
fn kubernetes_deletes_it_only_once_it_is_on_record() {
    let mut scene = seen(expiring(), DONE);
    assert_eq!(record(&mut scene).len(), 1);
    assert_eq!(scene.orders(), "apply Job on ams-1, Placed");
    sees(&mut scene, DONE);
    assert_eq!(scene.orders(), "");
    goes(&mut scene);
    assert_eq!(scene.orders(), "");
    assert!(ready(&scene));
}

#[test]
fn a_job_that_was_changed_or_put_back_runs() {
    let changed = json!({"manifests": [job(json!({"parallelism": 2}))]});
    let dropped = json!({"manifests": []});
    for (first, then) in [(changed, None), (dropped, Some(json!({"manifests": [job(json!({}))]})))] {
        let mut scene = seen(job(json!({})), DONE);
        record(&mut scene);
        goes(&mut scene);
        scene.fleet.workload(first);
        assert!(record(&mut scene).is_empty());
        if let Some(then) = then {
            scene.fleet.workload(then);
        }
        assert_eq!(scene.orders(), "apply Job on ams-1, Placed");
    }
}

#[test]
fn a_job_that_has_completed_stays_behind_when_its_copy_moves() {
    for also in [None, Some(manifest("v1", "ConfigMap", json!({})))] {
        let mut yard = wanderer("Manual", allowed(&["NL", "BE"]));
        let manifests: Vec<_> = also.iter().cloned().chain([job(json!({}))]).collect();
        yard.fleet.workload(json!({"manifests": manifests}));
        yard.break_copy("web", "ams-1").calm().complete("web", "ams-1", "x").revoke("nl-ams").calm();
        assert_eq!(yard.place("web"), "bru-1");
        assert_eq!(yard.there("web"), if also.is_some() { "bru-1" } else { "" });
        assert_eq!(yard.runs("web"), "");
        assert!(yard.under_way().is_empty());
        yard.restart().calm();
        assert_eq!(yard.runs("web"), "");
        yard.fleet.workload(json!({"manifests": [job(json!({"parallelism": 2}))]}));
        assert_eq!(yard.calm().runs("web"), "bru-1");
    }
}

#[test]
fn what_completes_in_the_middle_of_a_move_is_recorded_before_anything_is_made_at_the_target() {
    let mut scene = seen(job(json!({})), DONE);
    scene.fleet.tenant(json!({"migration": {"mode": "Automatic"}}));
    scene.fleet.site("nl-ams", "NL", json!({"state": "Closing"}));
    scene.fleet.moving("ams-1", "bru-1", "SiteClosing", None);
    assert_eq!(record(&mut scene).len(), 1);
    assert_eq!(scene.orders(), "UpdateAssignment", "nothing is left to wait for");
}

#[test]
fn when_it_goes_is_said_with_that_it_doesnt_run() {
    let mut fleet = Fleet::lawful();
    fleet.workload(json!({"manifests": [expiring()]}));
    let fact: &ObjectFact =
        &fleet.engine.world().workloads[&key("shop/web")].manifests.as_ref().unwrap().objects[0];
    let done = [domicile_core::render::completed(fact)];
    let other = [CompletedJob { manifest: "0123456789abcdef".to_owned(), ..done[0].clone() }];
    for (jobs, ttl, suspend) in [(&[][..], None, None), (&other, None, None), (&done, Some(60), Some(true))] {
        let (tenant, key) = (name("shop"), key("shop/web"));
        let target = Target {
            tenant: &tenant,
            key: &key,
            ordinal: 0,
            epoch: 1,
            mode: Mode::Running,
            all_exclusive: false,
            completed_jobs: jobs,
            cluster: None,
        };
        let sent = target.render(fact, &expiring());
        let at = |field: &str| sent.pointer(&format!("/spec/{field}")).cloned();
        assert_eq!(
            (at("ttlSecondsAfterFinished"), at("suspend")),
            (ttl.map(Value::from), suspend.map(Value::from))
        );
    }
}
