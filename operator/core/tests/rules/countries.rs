//! Which countries a set means, and what a tenant and a workload allow.

use domicile_core::Change;
use serde_json::json;

use crate::fixture::{Fleet, NOON, name};

/// The tenant allows the set `some` alone; Amsterdam is looked at.
fn with_set(patch: serde_json::Value) -> Fleet {
    let mut fleet = Fleet::lawful();
    fleet.tenant(json!({"residency": {"allowed": [{"countrySet": "some"}]}}));
    fleet.set_with("some", "NL", patch);
    fleet
}

#[test]
fn in_a_lawful_world_all_is_lawful() {
    assert_eq!(Fleet::lawful().bars("ams-1"), "");
    assert_eq!(Fleet::lawful().bars("bru-1"), "");
    assert_eq!(Fleet::placed().wish(), "stay");
}

#[test]
fn a_country_is_in_a_set_from_its_beginning_and_until_just_before_its_end() {
    let later = "2026-06-01T12:00:00.000000001Z";
    assert_eq!(with_set(json!({})).bars("ams-1"), "");
    assert_eq!(with_set(json!({"from": NOON})).bars("ams-1"), "");
    assert_eq!(with_set(json!({"from": later})).bars("ams-1"), "CountryNotAllowed");
    assert_eq!(with_set(json!({"until": later})).bars("ams-1"), "");
    assert_eq!(with_set(json!({"until": NOON})).bars("ams-1"), "CountryNotAllowed");
}

#[test]
fn a_member_with_a_scope_counts_only_for_whoever_names_it_word_for_word() {
    let mut fleet = with_set(json!({"scope": "certified companies"}));
    assert_eq!(fleet.bars("ams-1"), "CountryNotAllowed");
    for (scopes, bars) in [
        (json!(["certified companies"]), ""),
        (json!(["other", "certified companies"]), ""),
        (json!(["Certified companies"]), "CountryNotAllowed"),
        (json!(["certified"]), "CountryNotAllowed"),
    ] {
        fleet.tenant(json!({"residency": {"allowed": [{"countrySet": "some", "scopes": scopes}]}}));
        assert_eq!(fleet.bars("ams-1"), bars, "{scopes}");
    }
}

#[test]
fn a_set_of_another_country_doesnt_contain_this_one() {
    let mut fleet = with_set(json!({}));
    assert_eq!(fleet.bars("bru-1"), "CountryNotAllowed");
}

#[test]
fn what_a_missing_set_contains_is_unknown() {
    let mut fleet = Fleet::lawful();
    fleet.tenant(json!({"residency": {"allowed": [{"countrySet": "gone"}]}}));
    assert_eq!(fleet.bars("ams-1"), "CountryNotAllowed?");
    fleet.tenant(json!({"residency": {"denied": [{"countrySet": "gone"}]}}));
    assert_eq!(fleet.bars("ams-1"), "CountryDenied?");
}

#[test]
fn one_entry_that_answers_is_enough() {
    let mut fleet = Fleet::lawful();
    let residency = |allowed, denied| json!({"residency": {"allowed": allowed, "denied": denied}});
    let (gone, nl, be) = (json!({"countrySet": "gone"}), json!({"country": "NL"}), json!({"country": "BE"}));
    fleet.tenant(residency(json!([gone, nl]), json!([])));
    assert_eq!(fleet.bars("ams-1"), "");
    fleet.tenant(residency(json!([nl]), json!([gone, nl])));
    assert_eq!(fleet.bars("ams-1"), "CountryDenied");
    fleet.tenant(residency(json!([nl]), json!([gone, be])));
    assert_eq!(fleet.bars("ams-1"), "CountryDenied?");
    fleet.tenant(residency(json!([be]), json!([])));
    assert_eq!(fleet.bars("ams-1"), "CountryNotAllowed");
    fleet.tenant(residency(json!([be, gone]), json!([])));
    assert_eq!(fleet.bars("ams-1"), "CountryNotAllowed?");
}

#[test]
fn an_entry_that_names_both_or_nothing_cant_be_evaluated() {
    let mut fleet = Fleet::lawful();
    for entry in [json!({}), json!({"country": "NL", "countrySet": "benelux"})] {
        fleet.tenant(json!({"residency": {"allowed": [entry]}}));
        assert_eq!(fleet.bars("ams-1"), "CountryNotAllowed?");
    }
}

#[test]
fn denied_beats_allowed() {
    let mut fleet = Fleet::lawful();
    fleet.tenant(json!({"residency": {"denied": [{"country": "NL"}]}}));
    assert_eq!(fleet.bars("ams-1"), "CountryDenied");
    assert_eq!(fleet.bars("bru-1"), "");
}

#[test]
fn a_tenant_that_allows_nothing_may_be_nowhere() {
    let mut fleet = Fleet::lawful();
    fleet.tenant(json!({"residency": {"allowed": []}}));
    assert_eq!(fleet.bars("ams-1"), "CountryNotAllowed");
}

#[test]
fn a_workload_only_narrows() {
    let mut fleet = Fleet::lawful();
    fleet.workload(json!({"residency": {"allowed": [{"country": "NL"}, {"country": "DE"}]}}));
    assert_eq!(fleet.bars("ams-1"), "");
    assert_eq!(fleet.bars("bru-1"), "CountryNotAllowed", "the workload leaves it out");
    assert_eq!(fleet.bars("fra-1"), "CountryNotAllowed", "the tenant leaves it out");
    fleet.workload(json!({"residency": {"denied": [{"country": "NL"}]}}));
    assert_eq!(fleet.bars("ams-1"), "CountryDenied");
    fleet.workload(json!({"residency": {"allowed": []}}));
    assert_eq!(fleet.bars("ams-1"), "", "an empty list leaves the tenant's as it is");
}

#[test]
fn a_list_that_answers_no_is_no_whatever_the_other_cant_tell() {
    let mut fleet = Fleet::lawful();
    fleet.workload(json!({"residency": {"allowed": [{"countrySet": "gone"}]}}));
    assert_eq!(fleet.bars("ams-1"), "CountryNotAllowed?");
    assert_eq!(fleet.bars("fra-1"), "CountryNotAllowed");
    fleet.tenant(json!({"residency": {"allowed": [{"countrySet": "gone"}]}}));
    fleet.workload(json!({"residency": {"allowed": [{"country": "BE"}]}}));
    assert_eq!(fleet.bars("ams-1"), "CountryNotAllowed");
    assert_eq!(fleet.bars("bru-1"), "CountryNotAllowed?");
}

#[test]
fn without_a_site_no_country_is_known() {
    let mut fleet = Fleet::lawful();
    fleet.apply(Change::Site(name("nl-ams"), None));
    assert_eq!(fleet.bars("ams-1"), "CountryDenied? CountryNotAllowed? NotApproved? SiteNotOnline?");
}

#[test]
fn a_country_that_leaves_a_set_moves_what_runs_and_one_that_joins_admits() {
    let mut fleet = Fleet::placed();
    fleet.set_with("nl", "NL", json!({"until": "2026-07-01T00:00:00Z"}));
    fleet.tenant(json!({"residency": {"allowed": [{"countrySet": "nl"}, {"country": "BE"}]}}));
    assert_eq!(fleet.wish(), "stay");
    assert_eq!(fleet.next().as_deref(), Some("2026-07-01T00:00:00Z"));
    fleet.at("2026-07-01T00:00:00Z");
    assert_eq!(fleet.wish(), "must move to bru-1, ResidencyChanged Site/nl-ams");
}
