//! Writes to where something runs: updates, Secrets, scaling to zero.

use domicile_crds::SecretSource;
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::Halt;

fn placed(change: impl FnOnce(&mut World)) -> World {
    let mut world = World::placed();
    change(&mut world);
    world
}

fn decided(subject: &str, verdict: &str) -> World {
    placed(|w| w.decide("d", subject, verdict, json!({})))
}

const SUSPEND: What<'_> = What::ScaleToZero { objects: &[], because: Halt::Suspended };

#[test]
fn a_hold_for_a_compliance_reason_means_no_new_bytes() {
    for (subject, verdict, wanted) in [
        ("HostingProvider/runs", "Revoked", "ApprovalRevoked"),
        ("HostingProvider/owns", "Revoked", "ApprovalRevoked"),
        ("Site/nl-ams", "Suspended", "ApprovalSuspended"),
        ("Tenant/shop", "Frozen", "ApprovalFrozen"),
        ("TenantWorkload/shop/web", "Frozen", "ApprovalFrozen"),
    ] {
        assert_eq!(decided(subject, verdict).update(), wanted, "{subject} {verdict}");
    }
    let ended = json!({"validUntil": NOON});
    let expired = placed(|w| w.decide("runs-1", "HostingProvider/runs", "Approved", ended));
    assert_eq!(expired.update(), "ApprovalExpired");
    let elsewhere = json!({"scope": {"countries": ["BE"]}});
    let scoped = placed(|w| w.decide("runs-1", "HostingProvider/runs", "Approved", elsewhere));
    assert_eq!(scoped.update(), "ApprovalOutOfScope");
    assert_eq!(placed(|w| w.facts.remove_decision("owns-1")).update(), "NotApproved");
    let residency = |r: Value| placed(|w| w.tenant(json!({"residency": r}))).update();
    assert_eq!(residency(json!({"allowed": []})), "CountryNotAllowed");
    assert_eq!(residency(json!({"denied": [{"country": "NL"}]})), "CountryDenied");
}

#[test]
fn what_is_unknown_bars_an_update_too() {
    assert_eq!(placed(|w| w.facts.remove_provider("runs")).update(), "NotApproved?");
    let site = placed(|w| w.facts.remove_site("nl-ams"));
    assert_eq!(site.update(), "CountryDenied? CountryNotAllowed? NotApproved?");
    assert_eq!(placed(|w| w.facts.remove_country_set("benelux")).update(), "CountryNotAllowed?");
    assert_eq!(placed(|w| w.facts.remove_member("ams-1")).update(), "ClusterNotReady?");
    let going = placed(|w| w.member("ams-1", "nl-ams", json!({"metadata": {"deletionTimestamp": NOON}})));
    assert_eq!(going.update(), "ClusterNotReady?");
}

#[test]
fn a_hold_for_convenience_lets_updates_through() {
    for state in ["Planned", "Closing", "Offline"] {
        assert_eq!(placed(|w| w.site("nl-ams", "NL", json!({"state": state}))).update(), "");
    }
    for patch in [
        json!({"spec": {"scheduling": "Cordoned"}}),
        json!({"spec": {"scheduling": "Draining"}}),
        json!({"spec": {"capacity": {"cpu": "1m"}}}),
        json!({"status": {"conditions": []}}),
        json!({"status": {"kindsNotServed": ["Deployment"]}}),
    ] {
        assert_eq!(placed(|w| w.member("ams-1", "nl-ams", patch.clone())).update(), "", "{patch}");
    }
}

#[test]
fn an_update_wants_an_admitted_tenant_its_own_namespace_and_a_fresh_view() {
    let unlisted = json!({"status": {"tenants": []}});
    assert_eq!(placed(|w| w.member("ams-1", "nl-ams", unlisted)).update(), "TenantNotAdmitted");
    assert_eq!(placed(|w| w.tenant(json!({"namespaces": ["x"]}))).update(), "NamespaceTaken");
    let stale = placed(|w| w.seen(SignedDuration::from_mins(11)));
    assert_eq!(stale.update(), "ObservationStale ObservationStale");
}

#[test]
fn nothing_is_written_that_is_not_on_record() {
    assert_eq!(World::lawful().update(), "NotRecorded");
    for seats in [&[("bru-1", "Active")][..], &[("ams-1", "Leaving")], &[]] {
        assert_eq!(placed(|w| w.seats(seats)).update(), "NotRecorded", "{seats:?}");
    }
    let going = |workload: &dyn Fn(&mut World)| {
        let mut world = placed(|w| {
            w.assignment.as_mut().unwrap().metadata.deletion_timestamp = Some(read(json!(NOON)));
        });
        workload(&mut world);
        world.update()
    };
    assert_eq!(going(&|_| ()), "", "its workload lives");
    let deleted = |w: &mut World| {
        w.workload.as_mut().unwrap().metadata.deletion_timestamp = Some(read(json!(NOON)));
    };
    assert_eq!(going(&deleted), "WorkloadMismatch");
}

#[test]
fn the_target_of_a_move_is_written_while_its_source_is_on_record_and_not_frozen() {
    let source = cluster("ams-1");
    let start = |world: &World| {
        let objects = &world.workload.as_ref().unwrap().spec.manifests;
        world.verdict("bru-1", What::Apply { objects, from: Some(&source) })
    };
    assert_eq!(start(&World::placed()), "");
    assert_eq!(start(&placed(|w| w.seats(&[]))), "NotRecorded");
    assert_eq!(start(&decided("Site/nl-ams", "Frozen")), "ApprovalFrozen");
    assert_eq!(start(&decided("Site/nl-ams", "Revoked")), "", "that is why it moves");
    assert_eq!(start(&decided("Site/be-bru", "Revoked")), "ApprovalRevoked", "the target is judged again");
}

#[test]
fn the_namespace_is_made_where_objects_may_be_written() {
    let namespace = What::Apply { objects: &[], from: None };
    assert_eq!(World::placed().verdict("ams-1", namespace), "");
    assert_eq!(World::placed().verdict("bru-1", namespace), "NotRecorded", "no namespaces on every member");
}

fn secrets(from: SecretSource) -> Value {
    json!({"secrets": [{"name": "key", "from": from}]})
}

#[test]
fn a_secret_is_copied_only_if_the_workload_says_so() {
    let copy = What::CopySecret { name: "key" };
    assert_eq!(placed(|w| w.workload(secrets(SecretSource::Hub))).verdict("ams-1", copy), "");
    let member = placed(|w| w.workload(secrets(SecretSource::Member)));
    assert_eq!(member.verdict("ams-1", copy), "SecretNotNamed");
    assert_eq!(World::placed().verdict("ams-1", copy), "SecretNotNamed");
    let revoked = placed(|w| {
        w.workload(secrets(SecretSource::Hub));
        w.decide("d", "Site/nl-ams", "Revoked", json!({}));
    });
    assert_eq!(revoked.verdict("ams-1", copy), "ApprovalRevoked");
}

#[test]
fn the_hub_and_its_backups_are_places_too() {
    let hub = |spec: Value| {
        let world = placed(|w| {
            w.workload(secrets(SecretSource::Hub));
            w.installation(spec);
            w.site("us-nyc", "US", json!({}));
        });
        world.verdict("ams-1", What::CopySecret { name: "key" })
    };
    assert_eq!(hub(json!({"hub": {"site": "be-bru", "backupSites": ["nl-ams"]}})), "");
    assert_eq!(hub(json!({"hub": {"site": "us-nyc"}})), "HubNotAllowed");
    assert_eq!(hub(json!({"hub": {"site": "nl-ams", "backupSites": ["us-nyc"]}})), "HubNotAllowed");
    assert_eq!(hub(json!({"hub": {"site": "gone"}})), "HubNotAllowed");
    assert_eq!(hub(json!({"hub": {"backupSites": ["nl-ams"]}})), "HubNotAllowed", "unknown is not allowed");
    assert_eq!(hub(json!({})), "HubNotAllowed");
}

#[test]
fn nothing_is_scaled_to_zero_unless_a_decision_suspends_it() {
    assert_eq!(World::placed().verdict("ams-1", SUSPEND), "NotSuspended");
    for subject in ["HostingProvider/runs", "Site/nl-ams", "Tenant/shop", "TenantWorkload/shop/web"] {
        assert_eq!(decided(subject, "Suspended").verdict("ams-1", SUSPEND), "");
        assert_eq!(decided(subject, "Frozen").verdict("ams-1", SUSPEND), "NotSuspended");
        assert_eq!(decided(subject, "Revoked").verdict("ams-1", SUSPEND), "NotSuspended");
    }
    let elsewhere = json!({"scope": {"sites": ["be-bru"]}});
    let scoped = placed(|w| w.decide("d", "Tenant/shop", "Suspended", elsewhere));
    assert_eq!(scoped.verdict("ams-1", SUSPEND), "NotSuspended");
    assert_eq!(scoped.verdict("bru-1", SUSPEND), "");
}

#[test]
fn a_suspension_goes_before_a_freeze_and_needs_no_fresh_member() {
    let mut world = decided("Tenant/shop", "Suspended");
    world.decide("f", "Site/nl-ams", "Frozen", json!({}));
    world.facts.member_seen(&cluster("ams-1"), world.now - SignedDuration::from_hours(1));
    assert_eq!(world.verdict("ams-1", SUSPEND), "");
    world.facts.remove_site("nl-ams");
    assert_eq!(world.verdict("ams-1", SUSPEND), "", "the tenant's suspension is known without the site");
    world.facts.hub_seen(world.now - SignedDuration::from_hours(1));
    assert_eq!(world.verdict("ams-1", SUSPEND), "ObservationStale", "it may have been lifted since");
}

#[test]
fn the_source_of_a_move_is_stopped_for_a_lawful_target_only() {
    let target = cluster("bru-1");
    let stop = |world: &World, to| {
        world.verdict("ams-1", What::ScaleToZero { objects: &[], because: Halt::Moving { to } })
    };
    assert_eq!(stop(&World::placed(), &target), "");
    assert_eq!(stop(&decided("Site/nl-ams", "Revoked"), &target), "");
    assert_eq!(stop(&decided("Site/be-bru", "Revoked"), &target), "ApprovalRevoked");
    assert_eq!(stop(&decided("Site/nl-ams", "Frozen"), &target), "ApprovalFrozen");
    assert_eq!(stop(&World::placed(), &cluster("ams-1")), "ReplacementNotElsewhere");
}

#[test]
fn nothing_is_scaled_down_that_takes_its_volumes_along() {
    let objects = [item("apps/v1", "StatefulSet", "db")];
    let target = cluster("bru-1");
    let mut world = decided("Tenant/shop", "Suspended");
    let suspend = |world: &World| {
        world.verdict("ams-1", What::ScaleToZero { objects: &objects, because: Halt::Suspended })
    };
    let stop = |world: &World| {
        let because = Halt::Moving { to: &target };
        world.verdict("ams-1", What::ScaleToZero { objects: &objects, because })
    };
    world.seen = vec![Seen { item: objects[0].clone(), deletes_claims: false }];
    assert_eq!(suspend(&world), "");
    world.seen[0].deletes_claims = true;
    assert_eq!(suspend(&world), "VolumeRemoved");
    let mut moving = World::placed();
    moving.seen.clone_from(&world.seen);
    assert_eq!(stop(&moving), "VolumeRemoved");
    world.seen[0].item.name = "other".to_owned();
    world.seen.push(Seen { item: objects[0].clone(), deletes_claims: false });
    assert_eq!(suspend(&world), "", "the other set isn't touched");
}

#[test]
fn what_isnt_there_isnt_scaled_to_zero() {
    let mut world = decided("Tenant/shop", "Suspended");
    let suspend = |world: &World, objects: &[InventoryItem]| {
        world.verdict("ams-1", What::ScaleToZero { objects, because: Halt::Suspended })
    };
    assert_eq!(suspend(&world, &web()), "");
    assert_eq!(suspend(&world, &[item("apps/v1", "Deployment", "api")]), "NotSeen");
    assert_eq!(suspend(&world, &[item("batch/v1", "Deployment", "web")]), "NotSeen");
    world.seen.clear();
    assert_eq!(suspend(&world, &web()), "NotSeen");
    world.workload = None;
    world.seen = web().into_iter().map(|item| Seen { item, deletes_claims: false }).collect();
    assert_eq!(suspend(&world, &web()), "", "what a deleted workload left must stop too");
}
