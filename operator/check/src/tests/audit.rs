//! What must not be seen.

use serde_json::json;

use super::*;
use crate::{Explained, Sighting, audit};

fn at(member: &str) -> Sighting {
    Sighting {
        tenant: name("shop"),
        workload: WorkloadKey::new("shop", "web").unwrap(),
        ordinal: 0,
        epoch: 1,
        cluster: cluster(member),
        running: true,
        explained: Explained::No,
    }
}

fn seen(world: &World, sightings: &[Sighting]) -> String {
    let violations = audit(&world.facts, sightings, world.now);
    violations.iter().map(|v| format!("{}: {}", v.cluster, short(&v.fact))).collect::<Vec<_>>().join(" ")
}

fn decided(subject: &str, verdict: &str) -> World {
    after(|w| w.decide("d", subject, verdict, json!({})))
}

#[test]
fn what_is_lawful_is_not_reported() {
    assert_eq!(seen(&World::lawful(), &[at("ams-1")]), "");
    assert_eq!(seen(&World::lawful(), &[at("ams-1"), Sighting { ordinal: 1, ..at("bru-1") }]), "");
}

#[test]
fn what_is_frozen_or_on_hold_may_remain() {
    assert_eq!(seen(&decided("Site/nl-ams", "Frozen"), &[at("ams-1")]), "");
    let ended = json!({"validUntil": NOON});
    let expired = after(|w| w.decide("runs-1", "HostingProvider/runs", "Approved", ended));
    assert_eq!(seen(&expired, &[at("ams-1")]), "");
    let offline = after(|w| w.site("nl-ams", "NL", json!({"state": "Offline"})));
    assert_eq!(seen(&offline, &[at("ams-1")]), "");
}

#[test]
fn what_the_tenant_asks_of_providers_freezes_what_runs() {
    let asking = |asks: Value| {
        after(|w| {
            w.tenant(json!({"providers": asks}));
            w.site("nl-ams", "NL", json!({"state": "Closing"}));
        })
    };
    assert_eq!(seen(&asking(json!({})), &[at("ams-1")]), "ams-1: Unaccounted");
    assert_eq!(seen(&asking(json!({"certifications": [{"scheme": "C5"}]})), &[at("ams-1")]), "");
    assert_eq!(seen(&asking(json!({"homeCountrySet": "benelux"})), &[at("ams-1")]), "");
    let unknown = asking(json!({"notSubjectTo": [{"law": "CLOUD Act"}]}));
    assert_eq!(seen(&unknown, &[at("ams-1")]), "ams-1: Unaccounted", "what isn't known holds up nothing");
}

#[test]
fn what_is_suspended_must_not_run() {
    let world = decided("Tenant/shop", "Suspended");
    assert_eq!(seen(&world, &[at("ams-1")]), "ams-1: ApprovalSuspended");
    assert_eq!(seen(&world, &[Sighting { running: false, ..at("ams-1") }]), "");
}

#[test]
fn where_no_approval_ever_was_nothing_may_be() {
    let world = after(|w| w.facts.remove_decision("owns-1"));
    for explained in [Explained::No, Explained::Moving, Explained::Held] {
        assert_eq!(seen(&world, &[Sighting { explained, ..at("ams-1") }]), "ams-1: NotApproved");
    }
    let elsewhere = json!({"scope": {"countries": ["BE"]}});
    let scoped = after(|w| w.decide("owns-1", "HostingProvider/owns", "Approved", elsewhere));
    assert_eq!(
        seen(&scoped, &[at("ams-1"), Sighting { ordinal: 1, ..at("bru-1") }]),
        "ams-1: ApprovalOutOfScope"
    );
    let lapsed = after(|w| {
        w.decide(
            "owns-2",
            "HostingProvider/owns",
            "Revoked",
            json!({"supersedes": ["owns-1"], "validUntil": NOON}),
        );
    });
    assert_eq!(seen(&lapsed, &[at("ams-1")]), "", "it was lawful once");
}

#[test]
fn what_must_leave_is_leaving_or_held() {
    let worlds = [
        decided("Site/nl-ams", "Revoked"),
        after(|w| w.tenant(json!({"residency": {"allowed": [{"country": "BE"}]}}))),
        after(|w| w.site("nl-ams", "NL", json!({"state": "Closing"}))),
        after(|w| w.member("ams-1", "nl-ams", json!({"spec": {"scheduling": "Draining"}}))),
    ];
    for world in worlds {
        assert_eq!(seen(&world, &[at("ams-1")]), "ams-1: Unaccounted");
        for explained in [Explained::Moving, Explained::Held] {
            assert_eq!(seen(&world, &[Sighting { explained, ..at("ams-1") }]), "");
        }
        let mut frozen = world.clone();
        frozen.decide("f", "Tenant/shop", "Frozen", json!({}));
        assert_eq!(seen(&frozen, &[at("ams-1")]), "");
        let mut contradicted = world;
        let patch = json!({"status": {"contradictions": ["a node is in us-nyc"]}});
        contradicted.member("ams-1", "nl-ams", patch);
        assert_eq!(seen(&contradicted, &[at("ams-1")]), "", "it stays until somebody knows where it is");
    }
}

#[test]
fn absence_of_information_accuses_nobody() {
    let world = after(|w| w.facts.remove_site("nl-ams"));
    assert_eq!(seen(&world, &[at("ams-1")]), "");
    assert_eq!(seen(&World::lawful(), &[at("lux-1")]), "");
}

#[test]
fn nobody_is_in_anothers_namespace() {
    let spec = json!({"namespaces": ["shop"], "residency": {}});
    let taken = after(|w| w.facts.tenant(Arc::new(read(object("Tenant", "other", spec)))));
    for explained in [Explained::No, Explained::Held] {
        assert_eq!(seen(&taken, &[Sighting { explained, ..at("ams-1") }]), "ams-1: NamespaceTaken");
    }
    let withdrawn = after(|w| w.tenant(json!({"namespaces": ["x"]})));
    assert_eq!(seen(&withdrawn, &[at("ams-1")]), "ams-1: NamespaceTaken");
    assert_eq!(seen(&withdrawn, &[Sighting { explained: Explained::Held, ..at("ams-1") }]), "");
}

#[test]
fn only_a_move_explains_two_copies_of_one_seat() {
    let moving = |epoch| Sighting { epoch, explained: Explained::Moving, ..at("bru-1") };
    let world = World::lawful();
    assert_eq!(seen(&world, &[at("ams-1"), Sighting { epoch: 2, ..at("bru-1") }]), "ams-1: TwoCopies");
    assert_eq!(seen(&world, &[at("ams-1"), moving(2)]), "");
    assert_eq!(seen(&world, &[at("ams-1"), moving(1)]), "ams-1: TwoCopies", "the epoch grows with each move");
    assert_eq!(seen(&world, &[at("ams-1"), Sighting { running: false, ..at("bru-1") }]), "");
    let three = [at("ams-1"), moving(2), Sighting { epoch: 3, ..at("lux-1") }];
    assert_eq!(seen(&world, &three), "ams-1: TwoCopies bru-1: TwoCopies");
    let other = Sighting { workload: WorkloadKey::new("shop", "api").unwrap(), ..at("bru-1") };
    assert_eq!(seen(&world, &[at("ams-1"), other]), "");
}

#[test]
fn two_seats_never_share_a_cluster() {
    let both = [at("ams-1"), Sighting { ordinal: 1, ..at("ams-1") }];
    assert_eq!(seen(&World::lawful(), &both), "ams-1: SeatTaken");
}
