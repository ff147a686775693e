//! What a tenant is told, above all of a move that has switched: the Assignment names the target alone.

use domicile_core::{Change, moves::Memory, observed::Observed};
use domicile_crds::{TenantWorkloadStatus, condition_of};
use serde_json::json;

use crate::fixture::{Fleet, NOON, key, name, read};

/// Moved from Amsterdam to Brussels, and not gone from Amsterdam yet.
fn switched(cause: &str, step: Option<&str>) -> Fleet {
    let mut fleet = Fleet::lawful();
    let seat = json!({"ordinal": 0, "cluster": "bru-1", "epoch": 2, "generation": 1, "phase": "Active"});
    let spec = json!({"tenant": "shop", "seats": [seat]});
    let assignment = read(json!({"metadata": {"name": "web"}, "spec": spec}));
    fleet.apply(Change::Assignment(key("shop/web"), Some(Box::new(assignment))));
    fleet.moving("ams-1", "bru-1", cause, step);
    fleet
}

fn seen(reachable: &[&str]) -> Observed {
    let mut observed = Observed::default();
    for cluster in reachable {
        let member = observed.member_mut(&name(cluster));
        (member.reachable, member.synced) = (true, true);
        member.verified.insert(name("shop"));
    }
    observed
}

fn said(status: &TenantWorkloadStatus, kind: &str) -> String {
    let told = condition_of(&status.conditions, kind);
    told.map_or("nothing".to_owned(), |c| format!("{} {}: {}", c.status, c.reason, c.message))
}

#[test]
fn a_source_that_must_be_left_is_not_compliant_until_it_is_gone() {
    let (observed, mut memory) = (seen(&["ams-1", "bru-1"]), Memory::default());
    let mut fleet = switched("ApprovalRevoked", None);
    assert!(
        said(&fleet.status(&observed, &mut memory), "Compliant").starts_with("True"),
        "it may be there still"
    );

    fleet.decide("r", "Site/nl-ams", "Revoked", json!({}));
    let compliant = said(&fleet.status(&observed, &mut memory), "Compliant");
    assert!(compliant.starts_with("False ApprovalRevoked: ams-1: "), "{compliant}");
    assert!(compliant.ends_with("; what has moved away isn't gone from there yet"), "{compliant}");

    fleet.apply(Change::Cluster(name("ams-1"), None));
    assert!(said(&fleet.status(&observed, &mut memory), "Compliant").starts_with("Unknown"));

    let mut ended = switched("ApprovalRevoked", Some("Completed"));
    ended.decide("r", "Site/nl-ams", "Revoked", json!({}));
    assert!(said(&ended.status(&observed, &mut memory), "Compliant").starts_with("True"));
}

/// A freeze of where it is hides no revocation of where it was.
#[test]
fn what_is_only_frozen_does_not_hide_what_must_be_left() {
    let (observed, mut memory) = (seen(&["ams-1", "bru-1"]), Memory::default());
    let mut fleet = switched("ApprovalRevoked", None);
    fleet.decide("f", "Site/be-bru", "Frozen", json!({}));
    let frozen = said(&fleet.status(&observed, &mut memory), "Compliant");
    assert!(frozen.starts_with("False ApprovalFrozen: bru-1: "), "{frozen}");

    fleet.decide("r", "Site/nl-ams", "Revoked", json!({}));
    let both = said(&fleet.status(&observed, &mut memory), "Compliant");
    assert!(
        both.starts_with("False ApprovalRevoked: ams-1: ")
            && both.contains("; bru-1: Site/be-bru is frozen by "),
        "{both}"
    );
}

#[test]
fn a_source_that_does_not_go_calls_for_help() {
    let (there, away) = (seen(&["ams-1", "bru-1"]), seen(&["bru-1"]));
    let mut memory = Memory::default();
    let mut fleet = switched("ApprovalRevoked", None);
    fleet.decide("r", "Site/nl-ams", "Revoked", json!({})).at(NOON);
    assert_eq!(said(&fleet.status(&there, &mut memory), "Stalled"), "nothing");
    assert_eq!(said(&fleet.status(&away, &mut memory), "Stalled"), "nothing", "it may only be slow");

    // Ten seconds to drain, and half a minute of patience.
    fleet.at("2026-06-01T12:00:40Z");
    assert!(said(&fleet.status(&away, &mut memory), "Stalled").starts_with("True SourceUnfenced: "));
    assert_eq!(said(&fleet.status(&there, &mut memory), "Stalled"), "nothing");

    // Ten seconds to drain, and the ten minutes that a copy may take.
    fleet.at("2026-06-01T12:10:09Z");
    assert_eq!(said(&fleet.status(&there, &mut memory), "Stalled"), "nothing");
    fleet.at("2026-06-01T12:10:10Z");
    let stalled = said(&fleet.status(&there, &mut memory), "Stalled");
    assert!(
        stalled.starts_with("True SourceRemains: ") && stalled.contains("MemberCluster/ams-1"),
        "{stalled}"
    );
}

/// Kubernetes keeps whole seconds: a finer instant would never equal what was stored, and be written for ever.
#[test]
fn a_status_equals_itself_after_it_was_stored() {
    let mut fleet = Fleet::placed();
    let until = json!({"supersedes": ["runs-1"], "validUntil": "2026-12-31T23:59:59.999Z"});
    fleet.decide("runs-2", "runs", "Approved", until).at("2026-06-02T12:00:00.123456789Z");
    let status = fleet.status(&seen(&["ams-1"]), &mut Memory::default());
    assert!(status.compliant_until.is_some(), "{status:?}");
    let stored: TenantWorkloadStatus = read(json!(status));
    assert_eq!(stored, status);
}

#[test]
fn what_is_nobodys_says_so_and_nothing_of_its_member() {
    let (observed, mut memory) = (seen(&["ams-1"]), Memory::default());
    let mut fleet = Fleet::placed();
    fleet.apply(Change::Tenant(name("shop"), None));
    let compliant = said(&fleet.status(&observed, &mut memory), "Compliant");
    assert_eq!(
        compliant, "Unknown NamespaceTaken: no Tenant lists this namespace in spec.namespaces",
        "whether it is lawful there can't be told without it"
    );
}

/// A second copy isn't kept from the first one's cluster by its size.
#[test]
fn a_copy_without_a_cluster_is_told_what_bars_the_others() {
    let told = |countries: &[&str], alone: bool| {
        let mut fleet = Fleet::placed();
        let allowed: Vec<_> = countries.iter().map(|country| json!({"country": country})).collect();
        fleet.tenant(json!({"residency": {"allowed": allowed}}));
        fleet.workload(json!({"clusters": {"count": 2}}));
        if alone {
            for cluster in ["bru-1", "fra-1"] {
                fleet.apply(Change::Cluster(cluster.parse().unwrap(), None));
            }
        }
        let status = fleet.status(&seen(&["ams-1"]), &mut Memory::default());
        let reasons: Vec<_> =
            status.candidates.iter().map(|it| format!("{} {}", it.reason, it.count)).collect();
        let placed = condition_of(&status.conditions, "Placed").unwrap();
        (format!("{}: {}", placed.reason, placed.message), reasons.join(", "))
    };
    let (placed, reasons) = told(&["NL"], false);
    assert!(placed.starts_with("CountryNotAllowed: none of 2 more clusters may have it; "), "{placed}");
    assert_eq!(reasons, "HasCopy 1, CountryNotAllowed 2");
    let (placed, reasons) = told(&["NL"], true);
    assert_eq!(placed, "HasCopy: no cluster takes two copies, and there is none without one");
    assert_eq!(reasons, "HasCopy 1");
}
