//! What no record explains, and what its owner tries to take out of all control.

use domicile_core::{Change, observed::ObjectView};
use domicile_crds::keys::ABANDON_ANNOTATION;
use serde_json::json;

use crate::{
    fixture::{NOON, deployment, key, manifest, name, read},
    stopping::{RUNS, the},
    yard::{Yard, wanderer},
};

#[test]
fn what_is_suspended_stops_whatever_became_of_its_workload() {
    let suspend = |yard: &mut Yard| {
        yard.fleet.decide("s", "Tenant/shop", "Suspended", json!({}));
        yard.calm();
    };
    // Deleted, and its record left behind.
    let mut orphaned = Yard::new();
    orphaned.fleet.apply(Change::Workload(key("shop/web"), None));
    suspend(&mut orphaned);
    assert_eq!((orphaned.there("web").as_str(), orphaned.runs("web").as_str()), ("ams-1", ""));
    // Being deleted, and held by somebody's finalizer.
    let mut held = Yard::new();
    let object = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload", "spec": {"manifests": [deployment("100m")]},
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-1", "generation": 1, "deletionTimestamp": NOON},
    });
    held.fleet.apply(Change::Workload(key("shop/web"), Some(Box::new(read(object)))));
    suspend(&mut held);
    assert_eq!((held.there("web").as_str(), held.runs("web").as_str()), ("ams-1", ""));
    // On a member that was restored from a backup.
    let mut restored = wanderer("Automatic", json!({}));
    restored.calm();
    restored.observed.member_mut(&name("ams-1")).note(
        &key("shop/web"),
        0,
        the("Deployment", "x"),
        Some(RUNS),
    );
    suspend(&mut restored);
    assert_eq!(restored.runs("web"), "");
}

#[test]
fn what_strays_is_removed_once_the_copy_is_ready_and_makes_it_not_compliant_until_then() {
    let mut yard = wanderer("Automatic", json!({}));
    yard.calm();
    assert_eq!(yard.there("web"), "bru-1");
    let stray = |yard: &mut Yard, epoch| {
        let view = ObjectView { epoch, ..RUNS };
        yard.observed.member_mut(&name("ams-1")).note(
            &key("shop/web"),
            0,
            the("Deployment", "x"),
            Some(view),
        );
    };
    // As long as its own place doesn't answer, nothing is removed elsewhere.
    stray(&mut yard, 1);
    yard.lose("bru-1").rest();
    assert_eq!(yard.there("web"), "ams-1,bru-1");
    yard.revoke("nl-ams").find("bru-1");
    assert_eq!(yard.told("Compliant"), "", "it runs where it may not");
    yard.calm();
    assert_eq!(yard.there("web"), "bru-1");
    assert!(yard.told("Compliant").starts_with("Lawful"));
    // A newer one means that the record is the older one.
    stray(&mut yard, 9);
    yard.calm();
    assert_eq!(yard.there("web"), "ams-1,bru-1");
    assert_eq!(yard.told("Compliant"), "");
}

#[test]
fn a_member_that_answers_is_cleaned_up_whatever_was_let_go_of() {
    let mut yard = Yard::new();
    yard.mark("web", |meta| {
        meta.annotations = Some([(ABANDON_ANNOTATION.to_owned(), "ams-1".to_owned())].into());
    });
    yard.calm();
    yard.fleet.apply(Change::Workload(key("shop/web"), None));
    yard.delete_record("web").calm();
    assert_eq!(yard.there("web"), "");
}

#[test]
fn no_epoch_is_too_large_to_go_on() {
    let mut yard = wanderer("Approval", json!({}));
    yard.calm();
    yard.change_move(|object| object.spec.epoch = i64::MAX).answer("Approved").calm();
    assert_eq!(yard.place("web"), "bru-1");
    yard.revoke("be-bru").calm();
    yard.restart().calm();
}

#[test]
fn a_cron_job_is_made_at_its_new_place_when_it_may_run_there() {
    let mut yard = wanderer("Manual", json!({}));
    let ticks = manifest("batch/v1", "CronJob", json!({}));
    let serves = manifest("apps/v1", "Deployment", json!({"strategy": {"type": "Recreate"}}));
    yard.fleet.workload(json!({"manifests": [ticks, serves]}));
    yard.calm();
    yard.busy.insert("ams-1");
    yard.revoke("nl-ams").rest();
    let at_the_target = |yard: &Yard| {
        let seen = yard.observed.seat(&name("bru-1"), &key("shop/web"), 0);
        seen.keys().map(|object| object.kind.name()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!((yard.place("web").as_str(), at_the_target(&yard).as_str()), ("ams-1", "Deployment"));
    yard.busy.clear();
    yard.end_pods("web", "ams-1").calm();
    assert_eq!((yard.place("web").as_str(), yard.there("web").as_str()), ("bru-1", "bru-1"));
    assert_eq!(at_the_target(&yard), "Deployment CronJob");
}
