//! `CompelledDisclosure` and `CertificationMissing`.

use super::*;

const FAILS: &str = "CompelledDisclosure";
const UNKNOWN: &str = "CompelledDisclosure?";

fn cloud_act() -> Value {
    json!({"jurisdiction": "US", "law": "CLOUD Act"})
}

/// What is found if the tenant excludes a law, and the host belongs to Ann and says this besides.
fn says(law: &Value, patch: &Value) -> String {
    let mut world = hosted(&json!({"notSubjectTo": [law]}), &[]);
    world.provider_of("host", merged(record("host", "both 100 person ann NL"), patch));
    world.place()
}

/// What is found if the tenant excludes a law, and these hold it.
fn held(law: &Value, providers: &[Known<'_>]) -> String {
    hosted(&json!({"notSubjectTo": [law]}), providers).place()
}

#[test]
fn a_law_binds_whoever_is_said_to_be_subject_to_it() {
    let subject =
        |jurisdiction: &str, law: &str| json!({"subjectTo": [{"jurisdiction": jurisdiction, "law": law}]});
    let act = cloud_act();
    assert_eq!(says(&act, &json!({})), "");
    assert_eq!(says(&act, &json!({"subjectTo": null})), UNKNOWN, "nobody has looked");
    assert_eq!(says(&act, &subject("US", "CLOUD Act")), FAILS);
    assert_eq!(says(&act, &subject("US", "Cloud ACT")), FAILS);
    assert_eq!(says(&act, &subject("US", "FISA 702")), "");
    assert_eq!(says(&act, &subject("GB", "CLOUD Act")), "");
    let disputed = json!({"subjectTo": [{"jurisdiction": "US", "law": "CLOUD Act", "disputed": true}]});
    assert_eq!(says(&act, &disputed), FAILS, "it counts all the same");
    let anybodys = json!({"law": "cloud act"});
    assert_eq!(says(&anybodys, &subject("GB", "CLOUD Act")), FAILS);
    assert_eq!(says(&anybodys, &subject("GB", "other")), "");
    assert_eq!(says(&act, &json!({"registeredIn": "US", "headquarteredIn": null, "operatedFrom": null})), "");
}

#[test]
fn all_that_is_recorded_of_who_controls_is_true_of_it() {
    let all = json!({"jurisdiction": "US"});
    let bob = ("host", "both 51 person bob NL, both 49 person ann NL");
    let ended = format!("both 1 person bob US until={NOON}");
    assert_eq!(held(&all, &[bob]), "");
    assert_eq!(held(&all, &[bob, ("far", "both 1 person bob US")]), FAILS);
    assert_eq!(held(&all, &[bob, ("far", &ended)]), "", "nothing but who is the same");
    let cy = ("host", "both 51 person cy, both 49 person ann NL");
    assert_eq!(held(&all, &[cy]), UNKNOWN);
    assert_eq!(held(&all, &[cy, ("far", "both 1 person cy NL")]), "");
    let mut named = hosted(&json!({"notSubjectTo": [cloud_act()]}), &[("host", "both 60 entity Named NL")]);
    assert_eq!(named.place(), UNKNOWN);
    let says = json!({"subjectTo": [{"jurisdiction": "US", "law": "CLOUD Act"}]});
    named.provider_of("mid", merged(record("mid", "named=NAMED, both 100 person ann NL"), &says));
    assert_eq!(named.place(), FAILS, "what a provider of its name says is its own");
}

#[test]
fn every_law_of_a_country_binds_whoever_is_there() {
    let all = json!({"jurisdiction": "US"});
    assert_eq!(says(&all, &json!({})), "");
    assert_eq!(says(&all, &json!({"subjectTo": [{"jurisdiction": "US", "law": "any"}]})), FAILS);
    assert_eq!(says(&all, &json!({"subjectTo": [{"jurisdiction": "GB", "law": "any"}]})), "");
    assert_eq!(says(&all, &json!({"registeredIn": "US"})), FAILS);
    assert_eq!(says(&all, &json!({"headquarteredIn": "US"})), FAILS);
    assert_eq!(says(&all, &json!({"operatedFrom": ["IN", "US"]})), FAILS);
    assert_eq!(says(&all, &json!({"operatedFrom": ["IN"]})), "");
    for missing in ["subjectTo", "headquarteredIn", "operatedFrom"] {
        assert_eq!(says(&all, &json!({missing: null})), UNKNOWN, "{missing}");
    }
    assert_eq!(
        says(&all, &json!({"subjectTo": null, "registeredIn": "US"})),
        FAILS,
        "what is known is enough"
    );
}

#[test]
fn a_law_binds_through_whoever_controls() {
    let all = json!({"jurisdiction": "US"});
    let act = cloud_act();
    let by = |law: &Value, holdings: &str| held(law, &[("host", holdings)]);
    assert_eq!(by(&all, "both 51 person bob US, both 49 person ann NL"), FAILS);
    assert_eq!(by(&all, "both 50 person bob US, both 50 person ann NL"), "");
    assert_eq!(by(&all, "both 100 person ann NL, control state us US"), FAILS);
    assert_eq!(by(&act, "both 51 person bob US, both 49 person ann NL"), "", "it is about one law");
    assert_eq!(by(&all, "both 51 person cy, both 49 person ann NL"), UNKNOWN);
    assert_eq!(by(&act, "both 51 person cy, both 49 person ann NL"), "");
    assert_eq!(by(&all, "both 45-51 entity shell NL, both 49-55 person ann NL"), UNKNOWN);
    assert_eq!(by(&all, "both 45-51 entity shell NL, both 55 person ann NL"), "", "ann leaves it 45");
    assert_eq!(by(&act, "both 45-51 unknown x NL, both 49-55 person ann NL"), UNKNOWN);
    assert_eq!(by(&all, "both 51 entity shell US, both 49 person ann NL"), FAILS);
    assert_eq!(by(&act, "capital 100 person ann NL"), UNKNOWN, "nobody knows who has the votes");
    assert_eq!(by(&all, "both 45-51 @mid NL, both 49-55 person ann NL"), UNKNOWN, "no such HostingProvider");
}

#[test]
fn a_law_binds_through_entities_that_control() {
    let (all, act) = (json!({"jurisdiction": "US"}), cloud_act());
    let by = |law: &Value, patch: Value| {
        let mut world =
            hosted(&json!({"notSubjectTo": [law]}), &[("host", "both 51 @mid NL, both 49 person ann NL")]);
        world.provider_of("mid", merged(record("mid", "both 100 person ann NL"), &patch));
        world.place()
    };
    let bound = json!({"subjectTo": [{"jurisdiction": "US", "law": "CLOUD Act"}]});
    for law in [&all, &act] {
        assert_eq!(by(law, json!({})), "");
        assert_eq!(by(law, bound.clone()), FAILS);
        assert_eq!(by(law, json!({"subjectTo": null})), UNKNOWN);
    }
    assert_eq!(by(&all, json!({"registeredIn": "US"})), FAILS);
    assert_eq!(by(&act, json!({"registeredIn": "US"})), "");
    assert_eq!(by(&all, json!({"operatedFrom": ["US"]})), FAILS);
    assert_eq!(by(&all, json!({"operatedFrom": null})), UNKNOWN);
    assert_eq!(by(&act, json!({"ownership": []})), UNKNOWN, "nobody knows who controls it");
    let behind = record("mid", "both 51 person bob US, both 49 person ann NL");
    assert_eq!(by(&all, behind), FAILS);
    let nowhere = [("host", "both 51 @mid, both 49 person ann NL"), ("mid", "both 100 person ann NL")];
    assert_eq!(held(&all, &nowhere), "", "it says itself from where it is");
    assert_eq!(held(&act, &nowhere), "");
    let abroad = [("host", "both 51 @mid US, both 49 person ann NL"), ("mid", "both 100 person ann NL")];
    assert_eq!(held(&all, &abroad), FAILS, "its holding says that it is from there");
}

#[test]
fn one_law_that_binds_is_enough_when_another_is_unknown() {
    let two = json!({"notSubjectTo": [{"jurisdiction": "US"}, {"jurisdiction": "NL"}]});
    let mut world = hosted(&two, &[]);
    world.provider_of(
        "host",
        merged(record("host", "both 100 person ann NL"), &json!({"operatedFrom": null})),
    );
    assert_eq!(world.place(), FAILS);
    let neither = json!({"notSubjectTo": [{}]});
    assert_eq!(hosted(&neither, &[("host", "both 100 person ann NL")]).place(), UNKNOWN);
}

#[test]
fn certificates_hold_within_their_dates() {
    let (before, after_it) = ("2026-06-01T11:59:59Z", "2026-06-01T12:00:01Z");
    let ask = |wanted: Value, held: Value| {
        let mut world = hosted(&json!({"certifications": wanted}), &[]);
        world.provider_of("host", merged(record("host", ""), &json!({"certifications": held})));
        world.place()
    };
    let one = |patch: Value| {
        ask(json!([{"scheme": "C5"}]), json!([merged(json!({"scheme": "C5", "level": "2"}), &patch)]))
    };
    assert_eq!(one(json!({})), "");
    assert_eq!(one(json!({"validFrom": NOON})), "", "from is included");
    assert_eq!(one(json!({"validFrom": after_it})), "CertificationMissing");
    assert_eq!(one(json!({"validUntil": after_it})), "");
    assert_eq!(one(json!({"validUntil": NOON})), "CertificationMissing", "until is excluded");
    assert_eq!(one(json!({"validFrom": before, "validUntil": after_it})), "");
    assert_eq!(one(json!({"scheme": "ISO27001"})), "CertificationMissing");
    assert_eq!(one(json!({"scheme": "c5"})), "CertificationMissing", "schemes are named as they are");
    let level = |held: Value| ask(json!([{"scheme": "C5", "level": "2"}]), held);
    assert_eq!(level(json!([{"scheme": "C5", "level": "2"}])), "");
    assert_eq!(level(json!([{"scheme": "C5", "level": "1"}])), "CertificationMissing");
    assert_eq!(level(json!([{"scheme": "C5"}])), "CertificationMissing");
    let mixed = json!([{"scheme": "C5", "level": "1"}, {"scheme": "C5", "level": "2", "validUntil": NOON}]);
    assert_eq!(level(mixed), "CertificationMissing", "the level must be the valid one's");
    let two = json!([{"scheme": "C5"}, {"scheme": "ISO27001"}]);
    assert_eq!(ask(two.clone(), json!([{"scheme": "C5"}, {"scheme": "ISO27001"}])), "");
    assert_eq!(ask(two, json!([{"scheme": "ISO27001"}])), "CertificationMissing");
}
