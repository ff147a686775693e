//! The section "Countries" of `docs/rules.md`.

use serde_json::json;

use super::*;

/// A tenant that allows `allowed` and denies `denied`; its workload likewise.
#[track_caller]
fn says(tenant: (Value, Value), workload: (Value, Value), wanted: &str) {
    let world = after(|w| {
        w.tenant(json!({"residency": {"allowed": tenant.0, "denied": tenant.1}}));
        w.workload(json!({"residency": {"allowed": workload.0, "denied": workload.1}}));
    });
    assert_eq!(world.place(), wanted);
}

fn set(set: &str) -> Value {
    json!({"countrySet": set})
}

fn one(country: &str) -> Value {
    json!({"country": country})
}

fn none() -> (Value, Value) {
    (json!([]), json!([]))
}

#[test]
fn a_country_is_allowed_by_itself_or_in_a_set() {
    says((json!([one("NL")]), json!([])), none(), "");
    says((json!([set("benelux")]), json!([])), none(), "");
    says((json!([one("BE"), set("benelux")]), json!([])), none(), "");
    says((json!([one("BE")]), json!([])), none(), "CountryNotAllowed");
    says((json!([]), json!([])), none(), "CountryNotAllowed");
}

#[test]
fn the_workload_narrows_and_cannot_widen() {
    says((json!([set("benelux")]), json!([])), (json!([one("NL")]), json!([])), "");
    says((json!([set("benelux")]), json!([])), (json!([one("BE")]), json!([])), "CountryNotAllowed");
    says((json!([one("BE")]), json!([])), (json!([one("NL")]), json!([])), "CountryNotAllowed");
    says((json!([one("NL")]), json!([])), (json!([]), json!([one("NL")])), "CountryDenied");
}

#[test]
fn denied_wins_over_allowed() {
    says((json!([one("NL")]), json!([set("benelux")])), none(), "CountryDenied");
    says((json!([one("NL")]), json!([one("BE")])), none(), "");
}

#[test]
fn a_set_that_does_not_exist_is_unknown_unless_another_entry_answers() {
    says((json!([set("gone")]), json!([])), none(), "CountryNotAllowed?");
    says((json!([set("gone"), one("NL")]), json!([])), none(), "");
    says((json!([set("gone"), one("BE")]), json!([])), none(), "CountryNotAllowed?");
    says((json!([one("NL")]), json!([set("gone")])), none(), "CountryDenied?");
    says((json!([one("NL")]), json!([set("gone"), one("NL")])), none(), "CountryDenied");
}

#[test]
fn one_list_that_fails_is_enough_when_the_other_is_unknown() {
    says((json!([set("gone")]), json!([])), (json!([one("BE")]), json!([])), "CountryNotAllowed");
    says((json!([one("BE")]), json!([])), (json!([set("gone")]), json!([])), "CountryNotAllowed");
    says((json!([one("NL")]), json!([set("gone")])), (json!([]), json!([one("NL")])), "CountryDenied");
}

#[test]
fn an_entry_that_names_nothing_or_both_cannot_be_evaluated() {
    says((json!([{}]), json!([])), none(), "CountryNotAllowed?");
    says((json!([one("NL")]), json!([{"country": "BE", "countrySet": "benelux"}])), none(), "CountryDenied?");
}

#[test]
fn a_member_counts_from_its_first_instant_and_not_at_its_last() {
    let member = |from: &str, until: &str| {
        let mut member = json!({"country": "NL", "basis": "Membership", "source": "treaty"});
        merge(&mut member, &json!({"from": from, "until": until}));
        after(|w| {
            w.country_set_of("benelux", vec![member]);
        })
    };
    let (before, after_it) = ("2026-06-01T11:59:59Z", "2026-06-01T12:00:01Z");
    assert_eq!(member(before, after_it).place(), "");
    assert_eq!(member(NOON, after_it).place(), "", "from is included");
    assert_eq!(member(before, NOON).place(), "CountryNotAllowed", "until is excluded");
    assert_eq!(member(after_it, "2027-01-01T00:00:00Z").place(), "CountryNotAllowed");
}

#[test]
fn a_scoped_member_counts_only_for_who_names_the_scope_word_for_word() {
    let world = |scopes: &[&str]| {
        after(|w| {
            let member = json!({"country": "NL", "basis": "Adequacy", "source": "x", "scope": "Trade only"});
            w.country_set_of("adequate", vec![member]);
            w.tenant(json!({"residency": {"allowed": [{"countrySet": "adequate", "scopes": scopes}]}}));
        })
    };
    assert_eq!(world(&[]).place(), "CountryNotAllowed");
    assert_eq!(world(&["trade only"]).place(), "CountryNotAllowed");
    assert_eq!(world(&["else", "Trade only"]).place(), "");
}

#[test]
fn without_a_site_the_country_is_unknown() {
    let world = after(|w| w.facts.remove_site("nl-ams"));
    assert_eq!(world.place(), "CountryDenied? CountryNotAllowed? NotApproved? SiteNotOnline?");
}

#[test]
fn without_a_tenant_the_country_is_unknown() {
    let world = after(|w| w.facts.remove_tenant("shop"));
    assert_eq!(world.place(), "CountryDenied? CountryNotAllowed? NamespaceTaken?");
}
