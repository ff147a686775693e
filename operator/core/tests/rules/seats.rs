//! How many copies there are.

use domicile_core::Change;
use serde_json::json;

use crate::fixture::{Fleet, name};

fn count(count: i32, seats: &[(&str, &str)], change: impl FnOnce(&mut Fleet) -> &mut Fleet) -> String {
    let mut fleet = Fleet::lawful();
    fleet
        .tenant(json!({"residency": {"allowed": [{"country": "NL"}, {"country": "BE"}, {"country": "DE"}]}}));
    fleet.workload(json!({"clusters": {"count": count}}));
    fleet.seats(seats);
    change(&mut fleet);
    fleet.wish()
}

#[test]
fn each_copy_has_a_cluster_of_its_own() {
    let wish = count(3, &[], |fleet| fleet);
    let mut places: Vec<_> = wish.split("; ").collect();
    places.sort_unstable();
    assert_eq!(places, ["place ams-1", "place bru-1", "place fra-1"]);
    assert!(count(4, &[], |fleet| fleet).ends_with("wait"), "there are but three");
}

#[test]
fn more_are_added_and_the_others_stay() {
    let wish = count(3, &[("bru-1", "Active")], |fleet| fleet);
    assert!(wish == "stay; place ams-1; place fra-1" || wish == "stay; place fra-1; place ams-1", "{wish}");
}

#[test]
fn those_beyond_the_number_leave() {
    assert_eq!(
        count(1, &[("bru-1", "Active"), ("ams-1", "Active"), ("fra-1", "Active")], |fleet| fleet),
        "stay; leave; leave"
    );
}

#[test]
fn what_is_leaving_is_passed_over_and_its_cluster_isnt_free_yet() {
    let leaving = [("ams-1", "Active"), ("bru-1", "Leaving")];
    assert_eq!(count(1, &leaving, |fleet| fleet), "stay");
    assert_eq!(count(2, &leaving, |fleet| fleet), "stay", "its number is taken until it has left");
    assert_eq!(count(3, &leaving, |fleet| fleet), "stay; place fra-1");
}

#[test]
fn a_copy_too_many_leaves_rather_than_moves() {
    let seats = [("bru-1", "Active"), ("ams-1", "Active")];
    let wish = count(1, &seats, |fleet| fleet.decide("r", "Site/nl-ams", "Revoked", json!({})));
    assert_eq!(wish, "stay; leave");
}

#[test]
fn a_place_without_approval_is_left_by_what_isnt_asked_for() {
    let seats = [("fra-1", "Active"), ("ams-1", "Active")];
    let wish = count(1, &seats, |fleet| fleet.apply(Change::Decision(name("runs-1"), None)));
    assert_eq!(wish, "stay; leave");
}

#[test]
fn nothing_leaves_a_place_that_is_frozen_or_may_be() {
    let seats = [("bru-1", "Active"), ("ams-1", "Active")];
    let decided = |verdict| count(1, &seats, |fleet| fleet.decide("d", "Site/nl-ams", verdict, json!({})));
    let taken = Change::NamespaceTaken(name("ams-1"), name("shop"), true);
    assert_eq!(count(1, &seats, |fleet| fleet.apply(taken)), "stay; hold", "nor what may be somebody else's");
    assert_eq!(decided("Frozen"), "stay; freeze");
    assert_eq!(decided("Suspended"), "stay; suspend");
    assert_eq!(count(1, &seats, |fleet| fleet.apply(Change::Site(name("nl-ams"), None))), "stay; hold");
    assert_eq!(count(1, &seats, |fleet| fleet.apply(Change::Cluster(name("ams-1"), None))), "stay; hold");
}
