//! Planning and beginning moves.

use domicile_crds::MigrationSpec;
use serde_json::json;

use super::*;

/// A move from Amsterdam to Brussels because Amsterdam's site is revoked.
fn compulsory() -> (World, Value) {
    let mut world = World::placed();
    world.decide("d", "Site/nl-ams", "Revoked", json!({}));
    let cause = json!({"kind": "ApprovalRevoked", "subject": "Site/nl-ams"});
    let spec = json!({
        "workload": "web", "tenant": "shop", "seat": 0, "from": "ams-1", "to": "bru-1", "epoch": 2,
        "generation": 1, "cause": cause, "compulsory": true, "digest": "0123456789abcdef"
    });
    (world, spec)
}

/// A move to Brussels because the tenant prefers it.
fn preferred(migration: Value) -> (World, Value) {
    let (_, spec) = compulsory();
    let mut world = World::placed();
    world.tenant(json!({"preferences": [{"country": "BE"}], "migration": migration}));
    let cause = json!({"kind": "PreferredPlace", "subject": "Site/be-bru"});
    (world, merged(spec, &json!({"compulsory": false, "cause": cause})))
}

fn plan(world: &World, spec: &Value) -> String {
    world.verdict("bru-1", What::PlanMove { migration: &read::<MigrationSpec>(spec.clone()) })
}

fn begin(world: &World, spec: &Value) -> String {
    world.verdict("bru-1", What::BeginMove { migration: &read::<MigrationSpec>(spec.clone()) })
}

#[track_caller]
fn both(world: &World, spec: &Value, wanted: &str) {
    assert_eq!(plan(world, spec), wanted, "planned");
    assert_eq!(begin(world, spec), wanted, "begun");
}

#[test]
fn each_reason_for_a_compulsory_move_is_one() {
    let (_, spec) = compulsory();
    let expired = |reaction: &str| {
        let mut world = World::placed();
        let scope = json!({"scope": {"sites": ["nl-ams"]}});
        world.decide(
            "runs-1",
            "HostingProvider/runs",
            "Approved",
            merged(scope, &json!({"validUntil": NOON})),
        );
        world.decide("runs-2", "HostingProvider/runs", "Approved", json!({"scope": {"sites": ["be-bru"]}}));
        world.tenant(json!({"onApprovalExpired": reaction}));
        world
    };
    let changed = |change: &dyn Fn(&mut World)| {
        let mut world = World::placed();
        change(&mut world);
        world
    };
    for compelled in [
        changed(&|w| w.decide("d", "Site/nl-ams", "Revoked", json!({}))),
        changed(&|w| w.tenant(json!({"residency": {"allowed": [{"country": "BE"}]}}))),
        changed(&|w| w.tenant(json!({"residency": {"denied": [{"country": "NL"}]}}))),
        changed(&|w| w.site("nl-ams", "NL", json!({"state": "Closing"}))),
        changed(&|w| w.member("ams-1", "nl-ams", json!({"spec": {"scheduling": "Draining"}}))),
        expired("Evacuate"),
    ] {
        both(&compelled, &spec, "");
    }
    for not in [
        World::placed(),
        expired("Hold"),
        changed(&|w| w.site("nl-ams", "NL", json!({"state": "Offline"}))),
        changed(&|w| w.member("ams-1", "nl-ams", json!({"spec": {"scheduling": "Cordoned"}}))),
        changed(&|w| w.member("ams-1", "nl-ams", json!({"status": {"conditions": []}}))),
    ] {
        both(&not, &spec, "MoveNotCalledFor");
    }
}

#[test]
fn absence_of_information_moves_nothing() {
    let (_, spec) = compulsory();
    let mut world = World::placed();
    world.tenant(json!({"residency": {"allowed": [{"country": "BE"}, {"countrySet": "gone"}]}}));
    both(&world, &spec, "MoveNotCalledFor");
    let (mut world, spec) = compulsory();
    world.facts.remove_site("nl-ams");
    both(&world, &spec, "ApprovalFrozen?");
    world.facts.remove_member("ams-1");
    both(&world, &spec, "ApprovalFrozen? MoveNotCalledFor");
}

#[test]
fn what_is_frozen_or_suspended_is_not_moved() {
    let (mut world, spec) = compulsory();
    world.decide("f", "HostingProvider/runs", "Frozen", json!({"scope": {"sites": ["nl-ams"]}}));
    both(&world, &spec, "ApprovalFrozen");
    world.decide("f", "HostingProvider/runs", "Suspended", json!({"scope": {"sites": ["nl-ams"]}}));
    both(&world, &spec, "ApprovalSuspended");
    world.decide("f", "Tenant/shop", "Frozen", json!({}));
    both(&world, &spec, "ApprovalFrozen");
}

#[test]
fn what_may_have_to_be_frozen_is_held() {
    let (mut world, spec) = compulsory();
    world.facts.remove_decision("d");
    world.tenant(json!({"providers": {"certifications": [{"scheme": "C5"}]}}));
    let certified = json!({"legalName": "x", "registeredIn": "BE", "certifications": [{"scheme": "C5"}]});
    world.provider_of("owns", certified.clone());
    world.provider_of("other", certified);
    world.decide("other-1", "HostingProvider/other", "Approved", json!({}));
    world.site("be-bru", "BE", json!({"operatedBy": "other", "ownedBy": "other"}));
    world.member("ams-1", "nl-ams", json!({"spec": {"scheduling": "Draining"}}));
    world.facts.remove_provider("runs");
    assert_eq!(
        plan(&world, &spec),
        "CertificationMissing?",
        "drained, and nobody knows whether it is to be frozen"
    );
    world.decide("revoked", "Site/nl-ams", "Revoked", json!({}));
    assert_eq!(plan(&world, &spec), "", "somebody has decided that it must leave");
}

#[test]
fn the_target_must_pass_every_rule() {
    let (mut world, spec) = compulsory();
    world.decide("e", "Site/be-bru", "Revoked", json!({}));
    world.member("bru-1", "be-bru", json!({"spec": {"scheduling": "Cordoned"}}));
    both(&world, &spec, "ApprovalRevoked Cordoned");
    world.facts.remove_member("bru-1");
    both(&world, &spec, "ClusterNotReady?");
}

#[test]
fn a_workload_with_volumes_stays() {
    let template = json!({"metadata": {"name": "d"}});
    let mount = json!({"name": "d", "persistentVolumeClaim": {"claimName": "older"}});
    for manifests in [
        json!([manifest("v1", "PersistentVolumeClaim", json!({}))]),
        json!([
            deployment("web"),
            manifest("apps/v1", "StatefulSet", json!({"volumeClaimTemplates": [template]}))
        ]),
        json!([manifest("apps/v1", "Deployment", json!({"template": {"spec": {"volumes": [mount]}}}))]),
    ] {
        let (mut world, spec) = compulsory();
        world.workload(json!({"manifests": manifests}));
        both(&world, &spec, "VolumesNotMovable");
    }
}

#[test]
fn the_migration_must_be_about_what_moves() {
    let (world, spec) = compulsory();
    for patch in [
        json!({"workload": "api"}),
        json!({"tenant": "other"}),
        json!({"to": "lux-1"}),
        json!({"abort": true}),
    ] {
        both(&world, &merged(spec.clone(), &patch), "RecordMismatch");
    }
}

#[test]
fn it_is_planned_from_where_the_copy_is_to_where_none_is() {
    let (mut world, spec) = compulsory();
    assert_eq!(plan(&world, &merged(spec.clone(), &json!({"seat": 1}))), "NotRecorded");
    assert_eq!(plan(&world, &merged(spec.clone(), &json!({"epoch": 1}))), "EpochNotGrown");
    world.seats(&[("ams-1", "Active"), ("bru-1", "Leaving")]);
    assert_eq!(plan(&world, &spec), "SeatTaken");
    world.seats(&[("ams-1", "Leaving")]);
    assert_eq!(plan(&world, &spec), "NotRecorded");
}

#[test]
fn a_pause_lets_moves_be_planned_and_not_begin() {
    let (mut world, spec) = compulsory();
    world.installation(json!({"paused": true}));
    assert_eq!(plan(&world, &spec), "");
    assert_eq!(begin(&world, &spec), "MovesPaused");
    world.facts.remove_decision("d");
    world.seats(&[]);
    assert_eq!(world.place(), "", "placements of new workloads go on");
}

#[test]
fn a_compulsory_move_ignores_mode_and_windows() {
    let (mut world, spec) = compulsory();
    let window = json!({"start": "00:00", "minutes": 1});
    world.tenant(json!({"migration": {"mode": "Manual", "windows": [window]}}));
    both(&world, &spec, "");
}

#[test]
fn the_mode_says_who_begins_a_move_by_preference() {
    let (world, spec) = preferred(json!({"mode": "Automatic"}));
    both(&world, &spec, "");
    let (world, spec) = preferred(json!({"mode": "Manual"}));
    both(&world, &spec, "MoveNotAgreed");
    let (world, spec) = preferred(json!({}));
    assert_eq!(plan(&world, &spec), "");
    assert_eq!(begin(&world, &spec), "MoveNotAgreed");
    let answer = |answer: &str, digest: &str| {
        begin(&world, &merged(spec.clone(), &json!({"answer": answer, "answerFor": digest})))
    };
    assert_eq!(answer("Approved", "0123456789abcdef"), "");
    assert_eq!(answer("Approved", "fedcba9876543210"), "MoveNotAgreed", "a changed plan asks again");
    assert_eq!(answer("Denied", "0123456789abcdef"), "MoveNotAgreed");
}

#[test]
fn a_denial_counts_in_every_mode() {
    let (world, spec) = preferred(json!({"mode": "Automatic"}));
    let denied = json!({"answer": "Denied", "answerFor": "0123456789abcdef"});
    assert_eq!(begin(&world, &merged(spec, &denied)), "MoveNotAgreed");
}

#[test]
fn only_a_strictly_better_tier_moves_anything() {
    let (mut world, spec) = preferred(json!({"mode": "Automatic"}));
    let mut prefers = |preferences: Value, wanted: &str| {
        world.tenant(json!({"preferences": preferences, "migration": {"mode": "Automatic"}}));
        both(&world, &spec, wanted);
    };
    prefers(json!([{"site": "be-bru"}]), "");
    prefers(json!([{"site": "be-bru"}, {"site": "nl-ams"}]), "");
    prefers(json!([{"site": "nl-ams"}, {"site": "be-bru"}]), "MoveNotCalledFor");
    prefers(json!([{"countrySet": "benelux"}]), "MoveNotCalledFor");
    prefers(json!([{"countrySet": "gone"}, {"country": "BE"}]), "");
    prefers(json!([{"provider": "runs"}]), "MoveNotCalledFor");
    prefers(json!([]), "MoveNotCalledFor");
    world.workload(json!({"preferences": [{"country": "NL"}]}));
    world.tenant(json!({"preferences": [{"country": "BE"}], "migration": {"mode": "Automatic"}}));
    both(&world, &spec, "MoveNotCalledFor");
    let (world, spec) = preferred(json!({"mode": "Automatic"}));
    let cause = json!({"cause": {"kind": "Draining"}});
    both(&world, &merged(spec, &cause), "MoveNotCalledFor");
}

#[test]
fn a_cluster_that_comes_and_goes_attracts_nobody() {
    let since = |instant: &str| {
        let (mut world, spec) = preferred(json!({"mode": "Automatic"}));
        let ready = json!({"type": "Ready", "status": "True", "reason": "x", "message": "", "lastTransitionTime": instant});
        world.member("bru-1", "be-bru", json!({"status": {"conditions": [ready]}}));
        begin(&world, &spec)
    };
    assert_eq!(since("2026-06-01T11:59:00Z"), "");
    assert_eq!(since("2026-06-01T11:59:01Z"), "TargetNotSettled");
}

#[test]
fn a_move_by_preference_begins_in_a_window() {
    let at = |days: &[&str], start: &str, minutes: i32| {
        let window = json!({"days": days, "start": start, "minutes": minutes});
        let (world, spec) = preferred(json!({"mode": "Automatic", "windows": [window]}));
        assert_eq!(plan(&world, &spec), "", "it may wait for one");
        begin(&world, &spec)
    };
    // It is Monday noon.
    assert_eq!(at(&[], "12:00", 1), "");
    assert_eq!(at(&["Mon"], "12:00", 1), "");
    assert_eq!(at(&["Tue", "Sun"], "12:00", 1), "WindowClosed");
    assert_eq!(at(&[], "12:01", 60), "WindowClosed");
    assert_eq!(at(&[], "11:00", 60), "WindowClosed", "its end is excluded");
    assert_eq!(at(&[], "11:00", 61), "");
    assert_eq!(at(&["Sun"], "13:00", 1440), "", "it reaches into the next day");
    assert_eq!(at(&["Mon"], "13:00", 1440), "WindowClosed");
    assert_eq!(at(&["Sun"], "12:00", 1440), "WindowClosed");
    assert_eq!(at(&[], "noon", 1440), "WindowClosed");
}
