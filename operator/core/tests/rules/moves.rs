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

#[test]
fn a_place_that_is_preferred_and_comes_online_attracts_from_that_instant() {
    let mut fleet = yearning("Automatic");
    fleet.site("be-bru", "BE", json!({"onlineFrom": "2026-07-01T00:00:00Z"}));
    assert_eq!(fleet.wish(), "stay");
    assert_eq!(fleet.next().as_deref(), Some("2026-07-01T00:00:00Z"));
    fleet.at("2026-07-01T00:00:00Z");
    assert_eq!(fleet.wish(), PREFERRED);
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
fn a_move_by_preference_under_way_survives_a_target_that_blinks() {
    let mut fleet = yearning("Automatic");
    fleet.moving("ams-1", "bru-1", "PreferredPlace", None);
    fleet.ready("bru-1", "be-bru", "Unknown", NOON);
    assert_eq!(fleet.wish(), PREFERRED);
    fleet.tenant(json!({"migration": {"mode": "Automatic"}}));
    assert_eq!(fleet.wish(), "stay", "nobody prefers it any more");
}

#[test]
fn a_move_under_way_keeps_its_target_though_a_better_one_is_open() {
    let mut fleet = under_way();
    assert_eq!(fleet.wish(), "must move to bru-1, SiteClosing Site/nl-ams");
    fleet.ready("bru-1", "be-bru", "False", NOON);
    assert_eq!(fleet.wish(), "must move to bru-1, SiteClosing Site/nl-ams", "one that blinks keeps it");
    fleet.cluster("bru-1", "be-bru", json!({"spec": {"capacity": {"pods": 1}}}));
    assert_eq!(fleet.wish(), "must move to bru-1, SiteClosing Site/nl-ams", "its room was reserved");
    fleet.cluster("bru-1", "be-bru", json!({"spec": {"capacity": {"pods": 0}}}));
    assert_eq!(fleet.wish(), "must move to fra-1, SiteClosing Site/nl-ams", "no room is left to be reserved");
}

#[test]
fn a_move_under_way_leaves_a_target_that_may_not_have_it_any_more() {
    let elsewhere = "must move to fra-1, SiteClosing Site/nl-ams";
    let after = |change: &dyn Fn(&mut Fleet) -> &mut Fleet| {
        let mut fleet = under_way();
        change(&mut fleet);
        fleet.wish()
    };
    for verdict in ["Frozen", "Suspended", "Revoked"] {
        assert_eq!(after(&|fleet| fleet.decide("d", "Site/be-bru", verdict, json!({}))), elsewhere);
    }
    assert_eq!(after(&|fleet| fleet.apply(Change::Site(name("be-bru"), None))), elsewhere);
    assert_eq!(after(&|fleet| fleet.site("be-bru", "BE", json!({"state": "Closing"}))), elsewhere);
    let draining = json!({"spec": {"scheduling": "Draining"}});
    assert_eq!(after(&|fleet| fleet.cluster("bru-1", "be-bru", draining.clone())), elsewhere);
    let strangers = json!({"status": {"tenants": ["bank"]}});
    assert_eq!(after(&|fleet| fleet.cluster("bru-1", "be-bru", strangers.clone())), elsewhere);
    let deleted = json!({"metadata": {"deletionTimestamp": NOON}});
    assert_eq!(after(&|fleet| fleet.cluster("bru-1", "be-bru", deleted.clone())), elsewhere);
    let taken = || Change::NamespaceTaken(name("bru-1"), name("shop"), true);
    assert_eq!(after(&|fleet| fleet.apply(taken())), elsewhere);
    assert_eq!(
        after(&|fleet| fleet.workload(json!({"residency": {"denied": [{"country": "BE"}]}}))),
        elsewhere
    );
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

#[test]
fn a_target_that_takes_nothing_new_is_given_up_only_for_one_that_does() {
    let after = |change: &dyn Fn(&mut Fleet) -> &mut Fleet| {
        let mut fleet = under_way();
        change(&mut fleet);
        let open = fleet.wish();
        fleet.apply(Change::Cluster(name("fra-1"), None));
        (open, fleet.wish())
    };
    let given_up = (
        "must move to fra-1, SiteClosing Site/nl-ams".to_owned(),
        "must move to bru-1, SiteClosing Site/nl-ams".to_owned(),
    );
    let cordoned = json!({"spec": {"scheduling": "Cordoned"}});
    assert_eq!(after(&|fleet| fleet.cluster("bru-1", "be-bru", cordoned.clone())), given_up);
    assert_eq!(after(&|fleet| fleet.site("be-bru", "BE", json!({"state": "Offline"}))), given_up);
    let long_ago = |fleet: &Fleet| fleet.now - jiff::SignedDuration::from_mins(11);
    assert_eq!(after(&|fleet| fleet.apply(Change::Seen(name("bru-1"), long_ago(fleet)))), given_up);
}
