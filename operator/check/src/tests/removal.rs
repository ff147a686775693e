//! What may be removed. Nothing that is removed comes back.

use domicile_crds::OnDelete;
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::{Removal, Replacement};

/// The copy has moved from Amsterdam to Brussels, and that is on record.
fn moved() -> World {
    let mut world = World::placed();
    world.seats(&[("ams-1", "Leaving"), ("bru-1", "Active")]);
    world
}

/// The workload is gone, and its record goes.
fn deleted() -> World {
    let mut world = World::placed();
    world.workload = None;
    world.assignment.as_mut().unwrap().metadata.deletion_timestamp = Some(read(json!(NOON)));
    world
}

/// Two copies were wanted, one is now.
fn dropped() -> World {
    let mut world = World::placed();
    world.seats(&[("bru-1", "Active"), ("ams-1", "Leaving")]);
    world
}

fn remove(world: &World, objects: &[InventoryItem], because: Removal<'_>) -> String {
    world.verdict("ams-1", What::Remove { objects, keeps_claims: true, because })
}

fn remove_moved(world: &World) -> String {
    remove_replaced(world, &web(), "bru-1", &web(), SignedDuration::ZERO)
}

fn remove_replaced(
    world: &World,
    objects: &[InventoryItem],
    at: &str,
    ready: &[InventoryItem],
    ago: SignedDuration,
) -> String {
    let replacement =
        Replacement { cluster: &cluster(at), generation: 1, ready, verified_at: world.now - ago };
    remove(world, objects, Removal::Moved(replacement))
}

fn remove_rolled_back(world: &World) -> String {
    remove(world, &web(), Removal::RolledBack { source: &cluster("bru-1") })
}

#[test]
fn nothing_is_removed_where_all_is_frozen_or_suspended() {
    type Case = (World, fn(&World) -> String);
    let cases: [Case; 4] = [
        (moved(), remove_moved),
        (moved(), remove_rolled_back),
        (deleted(), |w| remove(w, &web(), Removal::WorkloadDeleted)),
        (dropped(), |w| remove(w, &web(), Removal::SeatDropped)),
    ];
    for (world, remove) in cases {
        assert_eq!(remove(&world), "");
        for (verdict, wanted) in
            [("Frozen", "ApprovalFrozen"), ("Suspended", "ApprovalSuspended"), ("Revoked", "")]
        {
            let mut world = world.clone();
            world.decide("d", "Site/nl-ams", verdict, json!({}));
            assert_eq!(remove(&world), wanted);
        }
        let mut unknown = world.clone();
        unknown.facts.remove_site("nl-ams");
        assert_eq!(remove(&unknown), "ApprovalFrozen?", "what isn't known to be free isn't removed");
        let mut stale = world.clone();
        stale.facts.hub_seen(stale.now - SignedDuration::from_mins(11));
        assert!(remove(&stale).contains("ObservationStale"));
        let mut taken = world.clone();
        let namespace = taken.namespace();
        taken.facts.namespace_seen(&cluster("ams-1"), &namespace, Some(name("other")));
        assert_eq!(remove(&taken), "NamespaceTaken");
    }
}

#[test]
fn a_frozen_tenant_or_workload_keeps_what_it_has() {
    for subject in ["Tenant/shop", "TenantWorkload/shop/web"] {
        let mut world = deleted();
        world.decide("d", subject, "Frozen", json!({}));
        assert_eq!(remove(&world, &web(), Removal::WorkloadDeleted), "ApprovalFrozen");
    }
}

#[test]
fn a_source_goes_only_when_its_replacement_is_ready_elsewhere() {
    let world = moved();
    let now = SignedDuration::ZERO;
    assert_eq!(remove_replaced(&world, &web(), "bru-1", &web(), SignedDuration::from_mins(10)), "");
    let late = SignedDuration::from_millis(600_001);
    assert_eq!(remove_replaced(&world, &web(), "bru-1", &web(), late), "ReplacementNotReady");
    assert_eq!(
        remove_replaced(&world, &web(), "bru-1", &[], now),
        "ReplacementNotReady",
        "empty by accident"
    );
    let other = [item("apps/v1", "Deployment", "api")];
    assert_eq!(remove_replaced(&world, &web(), "bru-1", &other, now), "ReplacementNotReady");
    assert_eq!(remove_replaced(&world, &web(), "ams-1", &web(), now), "ReplacementNotElsewhere NotRecorded");
    assert_eq!(remove_replaced(&world, &web(), "lux-1", &web(), now), "ClusterNotReady? NotRecorded");
}

#[test]
fn all_that_is_wanted_must_be_ready_but_jobs_that_have_run() {
    let config = manifest("v1", "ConfigMap", json!({}));
    let job = manifest("batch/v1", "Job", json!({}));
    let mut world = moved();
    world.workload(json!({"manifests": [deployment("web"), config, job]}));
    let (config, job) = (item("v1", "ConfigMap", "x"), item("batch/v1", "Job", "x"));
    let now = SignedDuration::ZERO;
    assert_eq!(remove_replaced(&world, &web(), "bru-1", &web(), now), "ReplacementNotReady");
    let most = [web(), vec![config]].concat();
    assert_eq!(remove_replaced(&world, &web(), "bru-1", &most, now), "ReplacementNotReady");
    let all = [most.clone(), vec![job]].concat();
    assert_eq!(remove_replaced(&world, &web(), "bru-1", &all, now), "");
    has_run(&mut world, "x");
    assert_eq!(remove_replaced(&world, &web(), "bru-1", &most, now), "");
    world.workload.as_mut().unwrap().metadata.generation = Some(2);
    assert_eq!(remove_replaced(&world, &web(), "bru-1", &web(), now), "", "a move pins what it began with");
}

/// The copy in Brussels has a Job that has completed.
fn has_run(world: &mut World, job: &str) {
    let done = json!([{"name": job, "manifest": "0123456789abcdef"}]);
    world.assignment.as_mut().unwrap().spec.seats[1].completed_jobs = read(done);
}

#[test]
fn where_all_that_is_wanted_has_run_nothing_needs_to_be_there() {
    let job = manifest("batch/v1", "Job", json!({}));
    let mut world = moved();
    world.workload(json!({"manifests": [job.clone()]}));
    let nothing = |world: &World| remove_replaced(world, &web(), "bru-1", &[], SignedDuration::ZERO);
    assert_eq!(nothing(&world), "ReplacementNotReady");
    has_run(&mut world, "other");
    assert_eq!(nothing(&world), "ReplacementNotReady");
    has_run(&mut world, "x");
    assert_eq!(nothing(&world), "");
    for (from, wanted) in [("Member", ""), ("Hub", "ReplacementNotReady")] {
        world.workload(json!({"manifests": [job.clone()], "secrets": [{"name": "key", "from": from}]}));
        assert_eq!(nothing(&world), wanted, "a Secret of the {from}");
    }
    world.workload(json!({"manifests": [job, manifest("v1", "ConfigMap", json!({}))]}));
    assert_eq!(nothing(&world), "ReplacementNotReady");
    world.workload(json!({"manifests": []}));
    assert_eq!(nothing(&world), "ReplacementNotReady", "no manifests is no evidence");
}

#[test]
fn where_the_workload_was_updated_since_the_record_says_what_must_be_there() {
    let mut world = moved();
    world.workload(json!({"manifests": [deployment("web")]}));
    world.workload.as_mut().unwrap().metadata.generation = Some(2);
    has_run(&mut world, "x");
    let (job, config) = (item("batch/v1", "Job", "x"), item("v1", "ConfigMap", "x"));
    for (inventory, wanted) in [
        (vec![], "ReplacementNotReady"),
        (vec![job.clone(), config], "ReplacementNotReady"),
        (vec![item("batch/v1", "Job", "other")], "ReplacementNotReady"),
        (vec![job], ""),
    ] {
        world.assignment.as_mut().unwrap().spec.seats[1].inventory = inventory.clone();
        let found = remove_replaced(&world, &web(), "bru-1", &[], SignedDuration::ZERO);
        assert_eq!(found, wanted, "{inventory:?}");
    }
}

#[test]
fn the_replacements_place_must_be_lawful_and_ready_itself() {
    for (subject, verdict, wanted) in [
        ("Site/be-bru", "Revoked", "ApprovalRevoked"),
        ("Site/be-bru", "Frozen", "ApprovalFrozen"),
        ("Site/nl-ams", "Revoked", ""),
    ] {
        let mut world = moved();
        world.decide("d", subject, verdict, json!({}));
        assert_eq!(remove_moved(&world), wanted);
    }
    for (patch, wanted) in [
        (json!({"status": {"conditions": []}}), "ClusterNotReady?"),
        (json!({"status": {"tenants": []}}), "TenantNotAdmitted"),
        (json!({"metadata": {"deletionTimestamp": NOON}}), "ClusterNotReady?"),
        (json!({"spec": {"scheduling": "Cordoned"}}), ""),
    ] {
        let mut world = moved();
        world.member("bru-1", "be-bru", patch);
        assert_eq!(remove_moved(&world), wanted);
    }
    let mut world = moved();
    world.facts.member_seen(&cluster("bru-1"), world.now - SignedDuration::from_mins(11));
    assert_eq!(remove_moved(&world), "ObservationStale");
    world.facts.member_seen(&cluster("bru-1"), world.now);
    world.facts.member_seen(&cluster("ams-1"), world.now - SignedDuration::from_mins(11));
    assert_eq!(remove_moved(&world), "", "a source that was away is cleaned up");
}

#[test]
fn the_record_says_first_that_the_copy_has_left() {
    for seats in [
        &[("ams-1", "Active"), ("bru-1", "Active")][..],
        &[("ams-1", "Active")],
        &[("ams-1", "Leaving")],
        &[("ams-1", "Leaving"), ("bru-1", "Leaving")],
        &[],
    ] {
        let mut world = moved();
        world.seats(seats);
        assert_eq!(remove_moved(&world), "NotRecorded", "{seats:?}");
        assert_eq!(remove_rolled_back(&world), "NotRecorded", "{seats:?}");
    }
    let mut world = moved();
    world.assignment = None;
    assert_eq!(remove_moved(&world), "NotRecorded");
}

#[test]
fn a_target_that_was_given_up_goes_while_the_source_is_on_record() {
    assert_eq!(remove_rolled_back(&moved()), "");
    let back = Removal::RolledBack { source: &cluster("ams-1") };
    assert_eq!(remove(&moved(), &web(), back), "ReplacementNotElsewhere NotRecorded");
    let mut source_revoked = moved();
    source_revoked.decide("d", "Site/be-bru", "Revoked", json!({}));
    assert_eq!(remove_rolled_back(&source_revoked), "");
}

#[test]
fn a_workload_is_deleted_only_if_its_record_goes() {
    let delete = |world: &World| remove(world, &web(), Removal::WorkloadDeleted);
    assert_eq!(delete(&deleted()), "");
    let mut absent = deleted();
    absent.assignment.as_mut().unwrap().metadata.deletion_timestamp = None;
    assert_eq!(delete(&absent), "WorkloadNotDeleted", "that it can't be found is no evidence");
    absent.assignment = None;
    assert_eq!(delete(&absent), "WorkloadNotDeleted");
    let mut alive = deleted();
    alive.workload(json!({}));
    assert_eq!(delete(&alive), "WorkloadNotDeleted");
    alive.workload.as_mut().unwrap().metadata.deletion_timestamp = Some(read(json!(NOON)));
    assert_eq!(delete(&alive), "");
    let mut anew = deleted();
    anew.workload(json!({}));
    anew.workload.as_mut().unwrap().metadata.uid = Some("web-2".to_owned());
    assert_eq!(delete(&anew), "", "another of the same name doesn't keep it");
}

#[test]
fn a_workload_can_be_deleted_wherever_it_is_merely_not_lawful() {
    let mut world = deleted();
    world.facts.remove_decision("runs-1");
    world.facts.remove_tenant("shop");
    assert_eq!(remove(&world, &web(), Removal::WorkloadDeleted), "");
}

#[test]
fn claims_go_only_with_a_workload_that_says_so() {
    let claims = [claim()];
    assert_eq!(remove_replaced(&moved(), &claims, "bru-1", &web(), SignedDuration::ZERO), "VolumeRemoved");
    let back = Removal::RolledBack { source: &cluster("bru-1") };
    assert_eq!(remove(&moved(), &claims, back), "VolumeRemoved");
    let pruned = Removal::Pruned { ready_generation: 1 };
    for on_delete in [json!({}), json!({"onDelete": "Remove"})] {
        let mut world = World::placed();
        world.workload(on_delete);
        assert_eq!(remove(&world, &claims, pruned), "VolumeRemoved");
    }
    for (on_delete, wanted) in
        [(None, "VolumeRemoved"), (Some(OnDelete::Retain), "VolumeRemoved"), (Some(OnDelete::Remove), "")]
    {
        let mut gone = deleted();
        gone.assignment.as_mut().unwrap().spec.on_delete = on_delete;
        assert_eq!(remove(&gone, &claims, Removal::WorkloadDeleted), wanted);
        let mut fewer = dropped();
        fewer.workload.as_mut().unwrap().spec.on_delete = on_delete;
        assert_eq!(remove(&fewer, &claims, Removal::SeatDropped), "VolumeRemoved", "it wasn't deleted");
    }
}

#[test]
fn claims_that_a_set_has_made_go_only_with_a_workload_that_says_so() {
    let set = [item("apps/v1", "StatefulSet", "db")];
    let remove = |world: &World, because| {
        world.verdict("ams-1", What::Remove { objects: &set, keeps_claims: false, because })
    };
    let say = |on_delete| {
        let mut world = deleted();
        world.assignment.as_mut().unwrap().spec.on_delete = on_delete;
        world
    };
    assert_eq!(remove(&say(Some(OnDelete::Remove)), Removal::WorkloadDeleted), "");
    for on_delete in [None, Some(OnDelete::Retain)] {
        assert_eq!(remove(&say(on_delete), Removal::WorkloadDeleted), "VolumeRemoved");
    }
    for verdict in ["Frozen", "Suspended"] {
        let mut kept = say(Some(OnDelete::Remove));
        kept.decide("d", "Site/nl-ams", verdict, json!({}));
        assert_eq!(remove(&kept, Removal::WorkloadDeleted), format!("Approval{verdict}"));
    }
    let mut fewer = dropped();
    fewer.workload.as_mut().unwrap().spec.on_delete = Some(OnDelete::Remove);
    assert_eq!(remove(&fewer, Removal::SeatDropped), "VolumeRemoved");
    let source = cluster("bru-1");
    assert_eq!(remove(&moved(), Removal::RolledBack { source: &source }), "VolumeRemoved");
    assert_eq!(remove(&World::placed(), Removal::Pruned { ready_generation: 1 }), "VolumeRemoved");
}

#[test]
fn only_what_is_no_longer_wanted_is_pruned() {
    let prune = |world: &World, objects: &[InventoryItem]| {
        remove(world, objects, Removal::Pruned { ready_generation: 1 })
    };
    let old = [item("v1", "ConfigMap", "old"), item("v1", "Secret", "key")];
    let mut world = World::placed();
    assert_eq!(prune(&world, &old), "");
    assert_eq!(prune(&world, &web()), "StillWanted");
    world.workload(json!({"secrets": [{"name": "key", "from": "Hub"}]}));
    assert_eq!(prune(&world, &old), "StillWanted");
    assert_eq!(remove(&world, &old[..1], Removal::Pruned { ready_generation: 0 }), "ReplacementNotReady");
    world.workload = None;
    assert_eq!(prune(&world, &old), "WorkloadMismatch", "no manifests is not empty manifests");
}

#[test]
fn pruning_ends_an_update_so_a_hold_bars_it_and_a_duty_to_leave_does_not() {
    let old = [item("v1", "ConfigMap", "old")];
    let prune = |change: &dyn Fn(&mut World)| {
        let mut world = World::placed();
        change(&mut world);
        remove(&world, &old, Removal::Pruned { ready_generation: 1 })
    };
    assert_eq!(prune(&|w| w.facts.remove_decision("runs-1")), "NotApproved");
    assert_eq!(prune(&|w| w.facts.remove_country_set("benelux")), "CountryNotAllowed?");
    assert_eq!(prune(&|w| w.decide("d", "Site/nl-ams", "Revoked", json!({}))), "");
    assert_eq!(prune(&|w| w.tenant(json!({"residency": {"allowed": []}}))), "");
    let frozen = prune(&|w| w.decide("d", "Site/nl-ams", "Frozen", json!({})));
    assert_eq!(frozen, "ApprovalFrozen");
}

#[test]
fn a_seat_is_dropped_only_if_enough_remain() {
    let drop_seat = |world: &World| remove(world, &web(), Removal::SeatDropped);
    assert_eq!(drop_seat(&dropped()), "");
    let mut more = dropped();
    more.workload(json!({"clusters": {"count": 2}}));
    assert_eq!(drop_seat(&more), "SeatStillWanted");
    let mut active = dropped();
    active.seats(&[("ams-1", "Active"), ("bru-1", "Active")]);
    assert_eq!(drop_seat(&active), "NotRecorded");
    let mut empty = dropped();
    empty.seats(&[]);
    assert_eq!(drop_seat(&empty), "SeatStillWanted", "an empty record is no evidence");
    empty.workload = None;
    assert_eq!(drop_seat(&empty), "WorkloadMismatch");
}

#[test]
fn a_set_that_takes_its_volumes_along_goes_only_where_claims_may() {
    let set = [item("apps/v1", "StatefulSet", "db")];
    let mut deleted = deleted();
    deleted.seen = vec![Seen { item: set[0].clone(), deletes_claims: true }];
    let on_delete = |world: &mut World, on_delete| {
        world.assignment.as_mut().unwrap().spec.on_delete = on_delete;
        remove(world, &set, Removal::WorkloadDeleted)
    };
    assert_eq!(on_delete(&mut deleted, None), "VolumeRemoved");
    assert_eq!(on_delete(&mut deleted, Some(OnDelete::Retain)), "VolumeRemoved");
    assert_eq!(on_delete(&mut deleted, Some(OnDelete::Remove)), "");
    for (mut world, because) in [
        (moved(), Removal::RolledBack { source: &cluster("bru-1") }),
        (dropped(), Removal::SeatDropped),
        (World::placed(), Removal::Pruned { ready_generation: 1 }),
    ] {
        world.seen.clone_from(&deleted.seen);
        assert_eq!(remove(&world, &set, because), "VolumeRemoved");
        world.seen[0].deletes_claims = false;
        assert_eq!(remove(&world, &set, because), "");
    }
}
