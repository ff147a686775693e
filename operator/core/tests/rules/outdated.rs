//! What is known may be old, or not be known yet: nothing is started, ended or said on it.

use std::collections::HashSet;

use domicile_core::{
    Change,
    moves::Memory,
    observed::{ObjectView, Observed},
    orders::{Desk, departure},
};
use domicile_crds::{condition_of, keys::ABANDON_ANNOTATION};
use serde_json::json;

use crate::{
    fixture::{Fleet, NOON, claim, key, name, read},
    relocating::{allowed, exclusive},
    stopping::{RUNS, Scene, the},
    yard::wanderer,
};

pub(crate) fn said(fleet: &mut Fleet, observed: &Observed, kind: &str) -> String {
    let status = fleet.status(observed, &mut Memory::default());
    let told = condition_of(&status.conditions, kind);
    told.map(|told| format!("{} {}: {}", told.status, told.reason, told.message)).unwrap_or_default()
}

pub(crate) fn migration(name: &str, from: &str, to: &str, epoch: i64, step: Option<&str>) -> Change {
    let mut value = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Migration", "metadata": {"name": name}, "spec": {
        "workload": "web", "tenant": "shop", "seat": 0, "from": from, "to": to, "epoch": epoch, "generation": 1,
        "cause": {"kind": "ApprovalRevoked", "subject": "Site/nl-ams"}, "compulsory": true, "digest": "0123456789abcdef"}});
    if let Some(step) = step {
        value["status"] = json!({"step": step});
    }
    Change::Migration(key("shop/web"), name.to_owned(), Some(Box::new(read(value))))
}

#[test]
fn an_older_record_starts_no_copy_twice_where_another_copy_was() {
    let mut fleet = Fleet::lawful();
    fleet
        .tenant(allowed(&["NL", "BE", "DE"]))
        .workload(json!({"overlap": "Forbid", "clusters": {"count": 2}}));
    // The record of before: 0 in Amsterdam, 1 in Frankfurt. Since then 1 went to Brussels, then 0 to Frankfurt.
    fleet.seats(&[("ams-1", "Active"), ("fra-1", "Active")]);
    let mut scene = Scene::of(fleet);
    let newer = ObjectView { epoch: 2, ..RUNS };
    scene.observed.member_mut(&name("fra-1")).note(&key("shop/web"), 0, the("Deployment", "x"), Some(newer));
    scene.observed.member_mut(&name("bru-1")).note(&key("shop/web"), 1, the("Deployment", "x"), Some(newer));
    let orders = scene.orders();
    assert!(!orders.contains("on ams-1"), "copy 0 runs in Frankfurt in epoch 2: {orders}");
}

#[test]
fn a_member_that_lies_holds_up_no_evacuation() {
    let mut fleet = Fleet::placed();
    fleet.tenant(allowed(&["NL", "BE", "DE"])).workload(json!({"overlap": "Forbid"}));
    let mut scene = Scene::of(fleet);
    let item = the("Deployment", "x");
    scene.sees("ams-1", item.clone(), RUNS);
    scene.sees("fra-1", item, ObjectView { epoch: 999, stopped: true, idle: true, ..RUNS });
    scene.fleet.decide("r", "Site/nl-ams", "Revoked", json!({}));
    let orders = scene.orders();
    assert!(orders.contains("CreateMigration"), "the copy runs where it may not: {orders:?}");
}

#[test]
fn what_a_failed_move_left_is_no_newer_than_the_record() {
    let mut fleet = Fleet::placed();
    fleet.workload(json!({"overlap": "Forbid"}));
    fleet.apply(migration("m", "ams-1", "bru-1", 2, Some("Failed")));
    let mut scene = Scene::of(fleet);
    // A write that timed out arrived after the target was cleaned up: it stands by and runs nothing.
    scene.sees("bru-1", the("Deployment", "x"), ObjectView { epoch: 2, stopped: true, idle: true, ..RUNS });
    let orders = scene.orders();
    assert!(orders.contains("apply Deployment on ams-1"), "{orders:?}");
}

#[test]
fn after_a_restart_nobody_lets_go_before_the_member_was_asked() {
    let mut fleet = Fleet { engine: domicile_core::Engine::default(), now: NOON.parse().unwrap() };
    fleet.set("benelux", &["BE", "NL", "LU"]);
    for provider in ["runs", "owns"] {
        fleet.provider(provider);
        fleet.decide(&format!("{provider}-1"), provider, "Approved", json!({}));
    }
    fleet.site("nl-ams", "NL", json!({})).cluster("ams-1", "nl-ams", json!({}));
    fleet.tenant(json!({})).label("shop", Some("shop"));
    let now = fleet.now;
    fleet.apply(Change::HubSeen(now));
    let seat = json!({"ordinal": 0, "cluster": "ams-1", "epoch": 1, "generation": 1});
    let record = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Assignment",
        "metadata": {"name": "web", "deletionTimestamp": NOON, "finalizers": ["domicile.dev/cleanup"], "annotations": {ABANDON_ANNOTATION: "ams-1"}},
        "spec": {"tenant": "shop", "seats": [seat]}});
    fleet.apply(Change::Assignment(key("shop/web"), Some(Box::new(read(record)))));
    fleet.engine.advance(now);
    let observed = Observed::default();
    let gone = HashSet::new();
    let desk = Desk {
        world: fleet.engine.world(),
        classes: fleet.engine.classes(),
        observed: &observed,
        memory: &mut Memory::default(),
        gone: &gone,
        now,
    };
    let orders = departure(&desk, &key("shop/web")).unwrap().orders;
    assert!(orders.is_empty(), "the member wasn't asked yet: {orders:?}");
}

#[test]
fn suspended_is_not_said_of_what_was_not_listed() {
    let mut fleet = Fleet::placed();
    fleet.decide("s", "Tenant/shop", "Suspended", json!({}));
    let mut scene = Scene::of(fleet);
    let member = scene.observed.member_mut(&name("ams-1"));
    member.synced = false;
    member.verified.clear();
    let ready = said(&mut scene.fleet, &scene.observed, "Ready");
    assert!(!ready.starts_with("False Suspended:"), "nothing was listed there: {ready}");
}

#[test]
fn suspended_is_not_said_while_a_source_runs() {
    let mut yard = wanderer("Automatic", json!({"preferences": []}));
    yard.fleet.workload(json!({"drainSeconds": 300}));
    yard.rest().revoke("nl-ams");
    while yard.place("web") == "ams-1" {
        assert_ne!(yard.round(), 0);
    }
    yard.lose("ams-1").rest();
    yard.fleet.decide("s", "Tenant/shop", "Suspended", json!({}));
    yard.calm();
    let observed = yard.observed.clone();
    let ready = said(&mut yard.fleet, &observed, "Ready");
    assert_eq!(yard.runs("web"), "ams-1");
    assert!(!ready.starts_with("False Suspended:"), "it runs in Amsterdam: {ready}");
}

#[test]
fn a_member_that_is_away_is_not_said_to_have_pods_that_do_not_end() {
    let mut yard = exclusive(wanderer("Manual", allowed(&["NL", "BE"])));
    yard.busy.insert("ams-1");
    yard.revoke("nl-ams").rest();
    yard.lose("ams-1").later(300).rest();
    yard.later(86_400).calm();
    let late = yard.told("Stalled");
    assert!(late.starts_with("MemberUnreachable"), "{late}");
}

#[test]
fn claims_are_not_said_to_be_placed_while_a_member_cannot_be_asked() {
    let mut fleet = Fleet::lawful();
    fleet.workload(json!({"manifests": [claim()]}));
    let mut scene = Scene::of(fleet);
    let member = scene.observed.member_mut(&name("fra-1"));
    member.verified.clear();
    member.reachable = false;
    assert!(!said(&mut scene.fleet, &scene.observed, "Placed").starts_with("True"));
}

#[test]
fn nothing_switches_before_its_source_was_listed() {
    let mut fleet = Fleet::placed();
    fleet.tenant(allowed(&["NL", "BE"])).workload(json!({"overlap": "Forbid"}));
    fleet.decide("r", "Site/nl-ams", "Revoked", json!({}));
    fleet.apply(migration("m", "ams-1", "bru-1", 2, None));
    let mut scene = Scene::of(fleet);
    let object = the("Deployment", "x");
    let digest = {
        let manifests = scene.fleet.engine.world().workloads[&key("shop/web")].manifests.as_ref().unwrap();
        let row = scene
            .fleet
            .engine
            .world()
            .cluster(scene.fleet.engine.world().find_cluster(&name("bru-1")).unwrap())
            .unwrap()
            .fact
            .as_ref();
        let target = domicile_core::render::Target {
            tenant: &name("shop"),
            key: &key("shop/web"),
            ordinal: 0,
            epoch: 2,
            mode: domicile_core::render::Mode::Standby,
            all_exclusive: true,
            completed_jobs: &[],
            cluster: row,
        };
        target.digest(manifests.objects.iter().find(|fact| fact.object == object).unwrap())
    };
    scene.sees("bru-1", object, ObjectView { digest, epoch: 2, stopped: true, idle: true, ..RUNS });
    // After a restart: it answers, and its watches haven't listed anything yet.
    let member = scene.observed.member_mut(&name("ams-1"));
    member.synced = false;
    member.verified.clear();
    let orders = scene.orders();
    assert!(!orders.contains("UpdateAssignment"), "what runs in Amsterdam wasn't listed: {orders}");
}
