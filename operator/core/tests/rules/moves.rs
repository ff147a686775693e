//! Moves by preference, and moves under way.

use domicile_core::Change;
use serde_json::{Value, json};

use crate::fixture::{Fleet, NOON, name};

/// A copy in Amsterdam of a tenant that would rather be in Brussels.
fn yearning(mode: &str) -> Fleet {
    let mut fleet = Fleet::placed();
    fleet.tenant(json!({"preferences": [{"country": "BE"}], "migration": {"mode": mode}}));
    fleet
}

const PREFERRED: &str = "move to bru-1, PreferredPlace Site/be-bru";

#[test]
fn a_strictly_better_tier_moves_unless_the_mode_is_manual() {
    assert_eq!(yearning("Automatic").wish(), PREFERRED);
    assert_eq!(yearning("Approval").wish(), PREFERRED);
    assert_eq!(yearning("Manual").wish(), "stay");
}

#[test]
fn nothing_else_moves_by_itself() {
    let mut fleet = Fleet::placed();
    fleet.tenant(json!({"migration": {"mode": "Automatic"}}));
    fleet.cluster("ams-1", "nl-ams", json!({"spec": {"capacity": {"cpu": "100m"}}}));
    assert_eq!(fleet.wish(), "stay", "more room elsewhere");
    fleet.workload(json!({"clusters": {"count": 2}}));
    fleet.cluster("ams-2", "nl-ams", json!({})).seats(&[("ams-1", "Active"), ("ams-2", "Active")]);
    let now = fleet.now;
    fleet.apply(Change::Seen(name("ams-2"), now));
    assert_eq!(fleet.wish(), "stay; stay", "a better spread");
    let mut same = yearning("Automatic");
    same.tenant(json!({"preferences": [{"countrySet": "benelux"}], "migration": {"mode": "Automatic"}}));
    assert_eq!(same.wish(), "stay", "the same tier");
    same.tenant(
        json!({"preferences": [{"country": "NL"}, {"country": "BE"}], "migration": {"mode": "Automatic"}}),
    );
    assert_eq!(same.wish(), "stay", "a worse tier");
}

#[test]
fn a_cluster_attracts_only_after_it_has_been_ready_for_a_minute() {
    let mut fleet = yearning("Automatic");
    fleet.ready("bru-1", "be-bru", "True", "2026-06-01T11:59:01Z");
    assert_eq!(fleet.wish(), "stay");
    assert_eq!(fleet.next().as_deref(), Some("2026-06-01T12:00:01Z"));
    fleet.at("2026-06-01T12:00:01Z");
    assert_eq!(fleet.wish(), PREFERRED);
    assert_eq!(fleet.next(), None);
}

#[test]
fn a_compulsory_move_and_a_placement_dont_wait_for_that_minute() {
    let mut fleet = Fleet::placed();
    fleet.ready("bru-1", "be-bru", "True", NOON).decide("r", "Site/nl-ams", "Revoked", json!({}));
    assert_eq!(fleet.wish(), "must move to bru-1, ApprovalRevoked Site/nl-ams");
    fleet.seats(&[]);
    assert_eq!(fleet.wish(), "place bru-1");
}

#[test]
fn whoever_is_held_frozen_or_stuck_isnt_attracted() {
    let wish = |change: &dyn Fn(&mut Fleet) -> &mut Fleet| {
        let mut fleet = yearning("Automatic");
        change(&mut fleet);
        fleet.wish()
    };
    assert_eq!(wish(&|fleet| fleet.apply(Change::Site(name("nl-ams"), None))), "hold");
    assert_eq!(wish(&|fleet| fleet.decide("f", "Site/nl-ams", "Frozen", json!({}))), "freeze");
    assert_eq!(wish(&|fleet| fleet.decide("f", "Site/be-bru", "Frozen", json!({}))), "stay");
}

/// Three lawful clusters; the copy in Amsterdam must leave and is on its way to Brussels.
fn under_way() -> Fleet {
    let mut fleet = Fleet::placed();
    fleet.tenant(json!({"residency": {"allowed": [{"country": "NL"}, {"country": "BE"}, {"country": "DE"}]},
                        "preferences": [{"country": "DE"}], "migration": {"mode": "Automatic"}}));
    fleet.site("nl-ams", "NL", json!({"state": "Closing"}));
    fleet.moving("ams-1", "bru-1", "SiteClosing", None);
    fleet
}

#[test]
fn a_move_under_way_keeps_its_target_though_a_better_one_is_open() {
    let mut fleet = under_way();
    assert_eq!(fleet.wish(), "must move to bru-1, SiteClosing Site/nl-ams");
    fleet.cluster("bru-1", "be-bru", json!({"spec": {"scheduling": "Cordoned", "capacity": {"pods": 0}}}));
    assert_eq!(fleet.wish(), "must move to bru-1, SiteClosing Site/nl-ams", "what is unhandy stops no move");
    fleet.ready("bru-1", "be-bru", "False", NOON);
    assert_eq!(fleet.wish(), "must move to bru-1, SiteClosing Site/nl-ams", "nor what isn't ready");
}

#[test]
fn a_copy_that_has_switched_stays_while_its_source_is_cleaned_up() {
    let mut fleet = yearning("Automatic");
    fleet.moving("ams-1", "bru-1", "PreferredPlace", None).seats(&[("bru-1", "Active")]);
    assert_eq!(fleet.wish(), "stay");
    fleet.decide("r", "Site/be-bru", "Revoked", json!({}));
    assert_eq!(fleet.wish(), "stuck, ApprovalRevoked Site/be-bru, NoLawfulPlace", "Amsterdam isn't free yet");
}

#[test]
fn moves_of_two_copies_dont_meet() {
    let mut fleet = Fleet::lawful();
    let allowed: Value = json!([{"country": "NL"}, {"country": "BE"}, {"country": "DE"}]);
    fleet.tenant(json!({"residency": {"allowed": allowed}}));
    fleet.cluster("ams-2", "nl-ams", json!({})).workload(json!({"clusters": {"count": 2}}));
    fleet.seats(&[("ams-1", "Active"), ("ams-2", "Active")]).decide("r", "Site/nl-ams", "Revoked", json!({}));
    let wish = fleet.wish();
    let mut targets: Vec<_> = wish.split("; ").map(|w| w.split([' ', ',']).nth(3).unwrap()).collect();
    targets.sort_unstable();
    assert_eq!(targets, ["bru-1", "fra-1"], "{wish}");
}

#[test]
fn a_move_that_has_ended_binds_nobody() {
    for step in ["Completed", "RolledBack"] {
        let mut fleet = under_way();
        fleet.moving("ams-1", "bru-1", "SiteClosing", Some(step));
        assert_eq!(fleet.wish(), "must move to fra-1, SiteClosing Site/nl-ams");
    }
}
