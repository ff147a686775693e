//! The country sets that the chart ships, against what is known of the treaties and decisions.
#![expect(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

use std::{collections::BTreeSet, fs, path::Path};

use domicile_crds::{Basis, CountrySet, in_force, yaml};
use jiff::Timestamp;

const TODAY: &str = "2026-11-24T12:00:00Z";

/// The Member States of the EU since 2020.
const EU: &str = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK";

fn set(name: &str) -> CountrySet {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../charts/domicile/countrysets/{name}.yaml"));
    let set: CountrySet = yaml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(set.metadata.name.as_deref(), Some(name), "a set is looked up by its file's name");
    set
}

/// Who is in a set at an instant, for somebody who accepts `scopes`.
fn members(set: &CountrySet, at: &str, scopes: &[&str]) -> BTreeSet<String> {
    let now: Timestamp = at.parse().unwrap();
    let counts = |scope: Option<&str>| scope.is_none_or(|scope| scopes.contains(&scope));
    set.spec
        .members
        .iter()
        .filter(|m| in_force(m.from.as_ref(), m.until.as_ref(), now) && counts(m.scope.as_deref()))
        .map(|m| m.country.to_string())
        .collect()
}

fn countries(codes: &str) -> BTreeSet<String> {
    codes.split_whitespace().map(str::to_owned).collect()
}

#[track_caller]
fn changes(set: &CountrySet, country: &str, before: &str, after: &str, joins: bool) {
    let is_in = |at| members(set, at, &[]).contains(country);
    assert_eq!((is_in(before), is_in(after)), (!joins, joins), "{country} at {before} and {after}");
}

#[test]
fn the_eu_has_27_members_today() {
    let eu = members(&set("eu"), TODAY, &[]);
    assert_eq!(eu, countries(EU));
    assert_eq!(eu.len(), 27);
}

#[test]
fn the_eu_grew_as_the_treaties_say() {
    let eu = set("eu");
    for (at, count) in [
        ("1957-12-31T23:59:59Z", 0),
        ("1958-01-01T00:00:00Z", 6),
        ("1972-12-31T23:59:59Z", 6),
        ("1973-01-01T00:00:00Z", 9),
        ("1981-01-01T00:00:00Z", 10),
        ("1986-01-01T00:00:00Z", 12),
        ("1995-01-01T00:00:00Z", 15),
        ("2004-04-30T23:59:59Z", 15),
        ("2004-05-01T00:00:00Z", 25),
        ("2007-01-01T00:00:00Z", 27),
        ("2013-07-01T00:00:00Z", 28),
        ("2020-01-31T22:59:59Z", 28),
        ("2020-01-31T23:00:00Z", 27),
    ] {
        assert_eq!(members(&eu, at, &[]).len(), count, "members at {at}");
    }
}

#[test]
fn croatia_joined_the_eu_in_2013_and_the_eea_in_2014() {
    changes(&set("eu"), "HR", "2013-06-30T23:59:59Z", "2013-07-01T00:00:00Z", true);
    changes(&set("eea"), "HR", "2014-04-11T23:59:59Z", "2014-04-12T00:00:00Z", true);
}

#[test]
fn the_united_kingdom_left_both_at_midnight_in_brussels() {
    for name in ["eu", "eea"] {
        changes(&set(name), "GB", "2020-01-31T22:59:59Z", "2020-01-31T23:00:00Z", false);
        assert!(
            !members(&set(name), "2020-12-31T22:00:00Z", &[]).contains("GB"),
            "transition is not membership"
        );
    }
}

#[test]
fn the_eea_is_the_eu_and_three_more() {
    let eea = set("eea");
    assert_eq!(members(&eea, TODAY, &[]), countries(&format!("{EU} IS LI NO")));
    assert_eq!(members(&eea, "1993-12-31T23:59:59Z", &[]).len(), 0);
    assert_eq!(members(&eea, "1994-01-01T00:00:00Z", &[]).len(), 17);
    changes(&eea, "LI", "1995-04-30T23:59:59Z", "1995-05-01T00:00:00Z", true);
    changes(&eea, "BG", "2007-07-31T23:59:59Z", "2007-08-01T00:00:00Z", true);
}

#[test]
fn switzerland_is_adequate_and_never_a_member() {
    for name in ["eu", "eea"] {
        let ever = set(name).spec.members.iter().any(|m| m.country.as_str() == "CH");
        assert!(!ever, "Switzerland in {name}");
    }
    assert!(members(&set("gdpr-adequate"), TODAY, &[]).contains("CH"));
}

#[test]
fn adequate_without_a_scope() {
    let adequate = members(&set("gdpr-adequate"), TODAY, &[]);
    assert_eq!(adequate, countries("AD AR BR CH FO GB GG IL IM JE NZ UY"));
}

#[test]
fn adequate_only_in_a_scope_that_is_named_word_for_word() {
    let adequate = set("gdpr-adequate");
    for (country, scope) in [
        ("CA", "commercial organisations"),
        ("JP", "business operators under the APPI"),
        ("KR", "entities under the PIPA"),
        ("US", "EU-US Data Privacy Framework"),
    ] {
        assert!(!members(&adequate, TODAY, &[]).contains(country), "{country} without its scope");
        assert!(!members(&adequate, TODAY, &[&scope.to_lowercase().replace(' ', "-")]).contains(country));
        assert!(members(&adequate, TODAY, &[scope]).contains(country), "{country} in its scope");
    }
    let dpf: &[&str] = &["EU-US Data Privacy Framework"];
    assert!(!members(&adequate, "2023-07-09T23:59:59Z", dpf).contains("US"));
    assert!(members(&adequate, "2023-07-10T00:00:00Z", dpf).contains("US"));
    assert!(!members(&adequate, TODAY, dpf).contains("CA"), "one country's scope admits no other");
}

#[test]
fn brazil_is_adequate_since_january_2026() {
    changes(&set("gdpr-adequate"), "BR", "2026-01-25T23:59:59Z", "2026-01-26T00:00:00Z", true);
}

#[test]
fn the_united_kingdom_is_adequate_from_2021_to_2031_without_a_gap() {
    let adequate = set("gdpr-adequate");
    changes(&adequate, "GB", "2021-06-27T23:59:59Z", "2021-06-28T00:00:00Z", true);
    changes(&adequate, "GB", "2031-12-27T22:59:59Z", "2031-12-27T23:00:00Z", false);
    let mut ends: Vec<_> = adequate.spec.members.iter().filter(|m| m.country.as_str() == "GB").collect();
    ends.sort_by_key(|m| m.from.clone());
    for pair in ends.windows(2) {
        assert_eq!(pair[0].until, pair[1].from, "{} is followed by {}", pair[0].source, pair[1].source);
    }
}

#[test]
fn membership_and_adequacy_never_overlap() {
    let adequate = set("gdpr-adequate");
    let mine: BTreeSet<_> = adequate.spec.members.iter().map(|m| m.country).collect();
    for name in ["eu", "eea"] {
        let set = set(name);
        let now = members(&set, TODAY, &[]);
        assert!(mine.iter().all(|c| !now.contains(c.as_str())), "adequate and in {name}");
        assert!(set.spec.members.iter().all(|m| m.basis == Basis::Membership && m.scope.is_none()));
    }
    assert!(adequate.spec.members.iter().all(|m| m.basis == Basis::Adequacy));
}

#[test]
fn every_entry_begins_at_a_known_instant_and_names_its_source() {
    for name in ["eu", "eea", "gdpr-adequate"] {
        for member in set(name).spec.members {
            assert!(member.from.is_some(), "{name}: {} has no beginning", member.country);
            let instrument =
                ["Treaty", "Agreement", "Decision"].iter().any(|word| member.source.contains(word));
            assert!(instrument, "{name}: {} of {} is no treaty or decision", member.source, member.country);
        }
    }
}
