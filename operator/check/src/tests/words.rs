//! The words of a violation.

use domicile_crds::MigrationMode;
use jiff::SignedDuration;
use serde_json::json;

use super::*;
use crate::{Object, Rule};

fn text(world: &World) -> String {
    world.check("ams-1", What::Place).unwrap_err().first().unwrap().to_string()
}

#[test]
fn a_sentence_says_what_was_wanted_what_was_found_and_what_to_change() {
    let revoked = after(|w| w.decide("evict", "HostingProvider/runs", "Revoked", json!({})));
    assert_eq!(
        text(&revoked),
        "shop/web on ams-1: wanted nothing revoked, found Decision/evict that revokes HostingProvider/runs: \
         choose another cluster or supersede the decision"
    );
    let unknown = after(|w| w.facts.remove_country_set("benelux"));
    assert_eq!(
        text(&unknown),
        "shop/web on ams-1: wanted an answer to CountryNotAllowed, found that CountrySet/benelux is missing or \
         says nothing about it: create or complete it"
    );
    let stale = after(|w| w.facts.member_seen(&cluster("ams-1"), w.now - SignedDuration::from_secs(601)));
    assert_eq!(
        text(&stale),
        "shop/web on ams-1: wanted a state of at most 10 minutes, found that MemberCluster/ams-1 was last seen \
         601 s ago: wait until it is seen again"
    );
}

#[test]
fn a_violation_names_itself_and_the_object_to_look_at() {
    let world = after(|w| w.facts.remove_decision("owns-1"));
    let violations = world.check("ams-1", What::Place).unwrap_err();
    let violation = violations.first().unwrap();
    assert_eq!(violation.name(), "NotApproved");
    assert_eq!(violation.object(), &Object { kind: "HostingProvider", name: "owns".to_owned() });
    assert_eq!(violation.fact.rule(), Some(Rule::NotApproved));
}

#[test]
fn a_forbidden_fact_is_data_too() {
    let object = Object { kind: "Tenant", name: "shop".to_owned() };
    let fact = Forbidden::MoveNotAgreed { object, mode: MigrationMode::Approval };
    let wanted = json!({"MoveNotAgreed": {"object": {"kind": "Tenant", "name": "shop"}, "mode": "Approval"}});
    assert_eq!(serde_json::to_value(&fact).unwrap(), wanted);
}

#[test]
fn a_sentence_fits_into_a_condition_with_the_longest_names() {
    let long = "x".repeat(63);
    let object = Object { kind: "HostingProvider", name: long.clone() };
    let facts = [
        Forbidden::ApprovalOutOfScope { object: object.clone(), decision: long.clone() },
        Forbidden::NamespaceTaken { object: object.clone(), tenant: long.clone(), namespace: long },
        Forbidden::HubNotAllowed { object: object.clone() },
        Forbidden::ForeignControl { object: object.clone(), set: "x".repeat(63) },
        Forbidden::LocationContradicted { object: object.clone(), site: object },
    ];
    for fact in facts {
        assert!(fact.to_string().len() <= 300 + 63, "{fact}");
    }
}

#[test]
fn what_a_tenant_writes_is_cut_to_fit_into_a_sentence() {
    let long = "\u{20ac}".repeat(256);
    let host = "x".repeat(63);
    let mut world = World::lawful();
    world.site("nl-ams", "NL", json!({"operatedBy": host, "ownedBy": host}));
    world.provider_of(
        &host,
        json!({
            "legalName": long, "registeredIn": "US", "subjectTo": [{"jurisdiction": "US", "law": long}]
        }),
    );
    let certificate = "\u{20ac}".repeat(64);
    for asks in [
        json!({"independentOf": [long]}),
        json!({"independentOf": [format!("{long}?")]}),
        json!({"notSubjectTo": [{"jurisdiction": "US", "law": long}]}),
        json!({"certifications": [{"scheme": certificate, "level": certificate}]}),
    ] {
        world.tenant(json!({"providers": asks}));
        for violation in world.check("ams-1", What::Place).unwrap_err() {
            assert!(violation.fact.to_string().len() <= 300 + 63, "{violation}");
        }
    }
}

#[test]
fn the_rules_on_owners_say_what_is_wrong() {
    let asking = |asks: Value| text(&after(|w| w.tenant(json!({"providers": asks}))));
    let before = "shop/web on ams-1: wanted";
    assert_eq!(
        asking(json!({"independentOf": ["Runs"]})),
        format!(
            "{before} a provider independent of Runs, found that one has a say in the other, or somebody controls \
             both, see HostingProvider/runs: choose another cluster"
        )
    );
    assert_eq!(
        asking(json!({"independentOf": ["ghost"]})),
        format!(
            "{before} to know who controls it, found that nothing says so of HostingProvider/runs: complete its \
             record, or choose another cluster"
        )
    );
    assert_eq!(
        asking(json!({"certifications": [{"scheme": "C5", "level": "2"}]})),
        format!(
            "{before} a provider with the certificate C5 2, found none in force of HostingProvider/runs: record it, \
             or choose another cluster"
        )
    );
}
