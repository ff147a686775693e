//! The section "Ownership, control and law" of `docs/rules.md`.
//!
//! Who holds what is written in a line: `both 24 person bob US` is 24 % of capital and of votes, held by a person
//! named bob from the US; `votes 0-30 @mid` a range of votes, held by the HostingProvider mid.

mod chains;
mod control;
mod foreign;
mod independence;
mod laws;
mod monotone;
mod unaccounted;

use serde_json::json;

use super::*;
use crate::{Halt, Removal};

const FOREIGN: &str = "ForeignControl";
const UNKNOWN: &str = "OwnershipUnknown";

/// A provider and what is known of it: settings and holdings, separated by commas.
type Known<'a> = (&'a str, &'a str);

/// Amsterdam, of the provider `host` alone, for a tenant that asks this.
fn hosted(asks: &Value, providers: &[Known<'_>]) -> World {
    let mut world = World::placed();
    world.assignment = None;
    world.decide("host-1", "HostingProvider/host", "Approved", json!({}));
    world.site("nl-ams", "NL", json!({"operatedBy": "host", "ownedBy": "host"}));
    world.tenant(json!({"providers": asks}));
    for known in providers {
        world.known(*known);
    }
    world
}

impl World {
    fn known(&mut self, (provider, text): Known<'_>) {
        self.provider_of(provider, record(provider, text));
    }
}

/// What a provider says: of itself nothing bad, unless it is said.
fn record(provider: &str, text: &str) -> Value {
    let mut spec = json!({
        "legalName": format!("{provider} BV"), "registeredIn": "NL", "headquarteredIn": "NL",
        "subjectTo": [], "operatedFrom": [], "ownership": [],
    });
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let setting = part.split_once('=').filter(|(key, _)| !key.contains(' '));
        match setting {
            Some(("hq", "-")) => merge(&mut spec, &json!({"headquarteredIn": null})),
            Some(("hq", country)) => spec["headquarteredIn"] = json!(country),
            Some(("registered", country)) => spec["registeredIn"] = json!(country),
            Some(("named", name)) => spec["legalName"] = json!(name),
            Some(("lei", id)) => spec["identifiers"] = json!([{"scheme": "LEI", "id": id}]),
            Some((key, _)) => panic!("what is {key}?"),
            None => spec["ownership"].as_array_mut().unwrap().extend(holdings(part)),
        }
    }
    spec
}

fn holdings(text: &str) -> Vec<Value> {
    let mut words = text.split(' ');
    let interests = match words.next().unwrap() {
        "both" => vec!["Capital", "Votes"],
        "capital" => vec!["Capital"],
        "votes" => vec!["Votes"],
        "control" => vec!["Control"],
        other => panic!("what is {other}?"),
    };
    let share = if interests == ["Control"] { "0" } else { words.next().unwrap() };
    let (min, max) = share.split_once('-').unwrap_or((share, share));
    let kind = words.next().unwrap();
    let mut holder = match (kind.strip_prefix('@'), kind) {
        (Some(provider), _) => {
            json!({"kind": "Entity", "provider": provider, "name": format!("{provider} BV")})
        }
        (_, "person") => json!({"kind": "Person", "name": words.next()}),
        (_, "state") => json!({"kind": "State", "name": words.next()}),
        (_, "entity") => json!({"kind": "Entity", "name": words.next()}),
        (_, "unknown") => json!({"kind": "Unknown", "name": words.next()}),
        (_, other) => panic!("what is {other}?"),
    };
    let mut more = json!({});
    for word in words {
        match word.split_once('=') {
            Some((key @ ("from" | "until"), at)) => more[key] = json!(at),
            Some((key @ ("id" | "name"), value)) => holder[key] = json!(value),
            Some((key, _)) => panic!("what is {key}?"),
            None => holder["country"] = json!(word),
        }
    }
    let percent = |number: &str| number.parse::<f64>().unwrap();
    let share = json!({"min": percent(min), "max": percent(max)});
    let entry = |interest| json!({"holder": holder, "interest": interest, "share": share});
    interests.into_iter().map(|interest| merged(entry(interest), &more)).collect()
}

/// What a table says of cases by name: what is known, and what is found.
fn table(asks: &Value, cases: &[(&str, &[Known<'_>], &str)]) {
    for (name, providers, wanted) in cases {
        assert_eq!(hosted(asks, providers).place(), *wanted, "{name}");
    }
}

/// Home is the Benelux; 24 % for one foreigner and 39 % for all.
fn home() -> Value {
    json!({"homeCountrySet": "benelux"})
}

/// Any share is allowed, so that only control is left to judge.
fn any_share() -> Value {
    json!({"homeCountrySet": "benelux", "maxForeignShare": {"individual": 100, "collective": 100}})
}

/// Cases about who holds `host`, and nobody else.
fn held(asks: &Value, cases: &[(&str, &str, &str)]) {
    for (name, holdings, wanted) in cases {
        assert_eq!(hosted(asks, &[("host", holdings)]).place(), *wanted, "{name}");
    }
}

#[test]
fn what_is_not_asked_is_not_judged() {
    let worst = "hq=US, both 60 person bob US, control unknown x, both 40 @vendor";
    assert_eq!(hosted(&json!({}), &[("host", worst)]).place(), "");
    let limits = json!({"maxForeignShare": {"individual": 0, "collective": 0}});
    assert_eq!(hosted(&limits, &[("host", worst)]).place(), "");
    let one = |asks: Value| hosted(&asks, &[("host", worst)]).place();
    assert_eq!(one(json!({"homeCountrySet": "benelux"})), "ForeignControl");
    assert_eq!(one(json!({"independentOf": ["other"]})), "OwnershipUnknown");
    assert_eq!(one(json!({"notSubjectTo": [{"jurisdiction": "US"}]})), "CompelledDisclosure");
    assert_eq!(one(json!({"certifications": [{"scheme": "C5"}]})), "CertificationMissing");
}

#[test]
fn who_operates_the_site_is_judged_and_who_owns_it() {
    let with = |site: Value| {
        let good = ("host", "both 100 person ann NL");
        let mut world = hosted(&json!({"homeCountrySet": "benelux"}), &[good, ("bad", "hq=US")]);
        world.decide("bad-1", "HostingProvider/bad", "Approved", json!({}));
        world.site("nl-ams", "NL", site);
        world.place()
    };
    assert_eq!(with(json!({"operatedBy": "host", "ownedBy": "host"})), "");
    assert_eq!(with(json!({"operatedBy": "bad", "ownedBy": "host"})), "ForeignControl");
    assert_eq!(with(json!({"operatedBy": "host", "ownedBy": "bad"})), "ForeignControl");
    assert_eq!(with(json!({"operatedBy": "bad", "ownedBy": "bad"})), "ForeignControl", "once, if it is one");
}

#[test]
fn of_one_provider_something_fails_and_of_the_other_something_is_unknown() {
    let mut world = hosted(&json!({"homeCountrySet": "benelux"}), &[("host", "hq=US"), ("other", "")]);
    world.decide("other-1", "HostingProvider/other", "Approved", json!({}));
    world.site("nl-ams", "NL", json!({"operatedBy": "host", "ownedBy": "other"}));
    assert_eq!(world.place(), "ForeignControl OwnershipUnknown");
}

#[test]
fn without_the_site_or_the_provider_all_that_is_asked_is_unknown() {
    let all = json!({
        "independentOf": ["vendor"], "homeCountrySet": "benelux", "certifications": [{"scheme": "C5"}],
        "notSubjectTo": [{"jurisdiction": "US"}]
    });
    let asked = "ProviderNotIndependent? ForeignControl? OwnershipUnknown? CompelledDisclosure? CertificationMissing?";
    assert_eq!(hosted(&all, &[]).place(), format!("{asked} NotApproved?"));
    let mut gone = hosted(&all, &[]);
    gone.facts.remove_site("nl-ams");
    let before = "CountryDenied? CountryNotAllowed?";
    assert_eq!(gone.place(), format!("{before} {asked} NotApproved? SiteNotOnline?"));
    let some = hosted(&json!({"independentOf": ["vendor"]}), &[]);
    assert_eq!(some.place(), "ProviderNotIndependent? OwnershipUnknown? NotApproved?");
    assert_eq!(hosted(&json!({}), &[]).place(), "NotApproved?");
}

#[test]
fn a_record_that_changes_is_judged_anew() {
    let mut world = hosted(&json!({"homeCountrySet": "benelux"}), &[("host", "both 100 person ann NL")]);
    assert_eq!(world.place(), "");
    world.known(("host", "both 100 person bob US"));
    assert_eq!(world.place(), "ForeignControl");
    world.known(("host", "both 100 @mid"));
    assert_eq!(world.place(), "OwnershipUnknown");
    world.known(("mid", "both 100 person ann NL"));
    assert_eq!(world.place(), "");
    world.facts.remove_provider("mid");
    assert_eq!(world.place(), "OwnershipUnknown");
}

/// A host, and what is asked of it, in a world in which the site must be left.
fn revoked(patch: &Value) -> World {
    let asks = json!({
        "independentOf": ["vendor"], "homeCountrySet": "benelux", "certifications": [{"scheme": "C5"}],
        "notSubjectTo": [{"law": "CLOUD Act"}]
    });
    let mut world = hosted(&asks, &[("vendor", "both 100 person vera US"), ("other", "")]);
    let certified = json!({"certifications": [{"scheme": "C5"}]});
    world.provider_of("other", merged(record("other", "both 100 person olga NL"), &certified));
    world.provider_of("host", merged(merged(record("host", "both 100 person ann NL"), &certified), patch));
    world.decide("other-1", "HostingProvider/other", "Approved", json!({}));
    world.site("be-bru", "BE", json!({"operatedBy": "other", "ownedBy": "other"}));
    world.decide("evict", "Site/nl-ams", "Revoked", json!({}));
    world.seats(&[("ams-1", "Active")]);
    world
}

impl World {
    /// What forbids to move from Amsterdam to Brussels, to stop there before, and to remove there what is left.
    fn leave(&self) -> [String; 3] {
        let migration: domicile_crds::MigrationSpec = read(json!({
            "workload": "web", "tenant": "shop", "seat": 0, "from": "ams-1", "to": "bru-1", "epoch": 2,
            "generation": 1, "cause": {"kind": "ApprovalRevoked", "subject": "Site/nl-ams"}, "compulsory": true,
            "digest": "0123456789abcdef"
        }));
        let (to, objects) = (cluster("bru-1"), web());
        let mut left = self.clone();
        left.seats(&[("ams-1", "Leaving"), ("bru-1", "Active")]);
        [
            self.verdict("bru-1", What::PlanMove { migration: &migration }),
            self.verdict("ams-1", What::ScaleToZero { objects: &objects, because: Halt::Moving { to: &to } }),
            left.verdict(
                "ams-1",
                What::Remove { objects: &objects, keeps_claims: true, because: Removal::SeatDropped },
            ),
        ]
    }
}

#[test]
fn what_fails_freezes() {
    assert_eq!(revoked(&json!({})).leave(), ["", "", ""]);
    for (patch, wanted) in [
        (json!({"legalName": "vendor BV"}), "ProviderNotIndependent"),
        (json!({"registeredIn": "US"}), "ForeignControl"),
        (json!({"headquarteredIn": null}), "OwnershipUnknown"),
        (json!({"subjectTo": [{"jurisdiction": "US", "law": "CLOUD Act"}]}), "CompelledDisclosure"),
        (json!({"certifications": []}), "CertificationMissing"),
    ] {
        let mut world = revoked(&patch);
        assert_eq!(world.update(), format!("{wanted} ApprovalRevoked"), "nothing in");
        assert_eq!(world.leave(), ["", "", ""], "somebody has decided that it must leave");
        world.facts.remove_decision("evict");
        assert_eq!(world.update(), wanted, "nothing in");
        assert_eq!(world.leave()[2], wanted, "nothing deleted");
    }
    let mut contradicted = revoked(&json!({}));
    contradicted.member("ams-1", "nl-ams", json!({"status": {"contradictions": ["a node is in us-nyc"]}}));
    assert_eq!(contradicted.update(), "ApprovalRevoked LocationContradicted");
    assert_eq!(contradicted.leave(), ["", "", ""]);
    contradicted.facts.remove_decision("evict");
    assert_eq!(contradicted.leave()[2], "LocationContradicted");
}

#[test]
fn what_is_unknown_lets_nothing_in_and_holds_up_nothing_that_leaves() {
    let silent = revoked(&json!({"subjectTo": null}));
    assert_eq!(silent.update(), "CompelledDisclosure? ApprovalRevoked");
    assert_eq!(silent.leave(), ["", "", ""]);
    let mut homeless = revoked(&json!({}));
    homeless.facts.remove_country_set("benelux");
    homeless.tenant(json!({
        "providers": {"homeCountrySet": "benelux"}, "residency": {"allowed": [{"country": "NL"}, {"country": "BE"}]}
    }));
    assert_eq!(homeless.update(), "ForeignControl? ApprovalRevoked");
    let [plan, stop, remove] = homeless.leave();
    assert_eq!(
        [&plan[..], &stop, &remove],
        ["ForeignControl?", "ForeignControl?", ""],
        "the target is asked, too"
    );
}

#[test]
fn what_is_frozen_stops_when_it_is_suspended() {
    let mut world = revoked(&json!({"registeredIn": "US"}));
    let suspend = What::ScaleToZero { objects: &[], because: Halt::Suspended };
    assert_eq!(world.verdict("ams-1", suspend), "NotSuspended");
    world.decide("stop", "Tenant/shop", "Suspended", json!({}));
    assert_eq!(world.verdict("ams-1", suspend), "");
}
