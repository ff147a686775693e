//! Random providers, with who owns them, and what tenants ask of them.

use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Value, json};

use super::{COUNTRIES, PROVIDERS, instant};

/// Two of these, so that limits are just met, just missed and added up to.
const SHARES: [u32; 9] = [0, 12, 20, 24, 25, 30, 50, 51, 100];

/// What a provider is if nothing is wrong with it.
pub(crate) fn flawless(at: usize) -> Value {
    let holder = json!({"name": format!("owner of p{at}"), "kind": "Person", "country": "NL"});
    let held = |what: &str| json!({"holder": holder, "interest": what, "share": {"min": 100, "max": 100}});
    json!({
        "legalName": format!("p{at}"), "registeredIn": "NL", "headquarteredIn": "NL",
        "ownership": [held("Capital"), held("Votes")], "subjectTo": [], "operatedFrom": [],
        "certifications": [{"scheme": "x"}],
    })
}

/// A provider, mostly one with which nothing is wrong.
pub(crate) fn provider(at: usize) -> impl Strategy<Value = Value> {
    let country = || option::weighted(0.9, select(&COUNTRIES[..]));
    let law = select(vec![json!([]), json!([{"jurisdiction": "CH", "law": "L"}]), Value::Null]);
    let certificates =
        select(vec![json!([{"scheme": "x"}]), json!([]), json!([{"scheme": "x", "validUntil": instant(2)}])]);
    let drawn = (
        select(&COUNTRIES[..]),
        country(),
        holdings(),
        (law, option::of(select(&COUNTRIES[..]))),
        certificates,
    );
    let drawn = drawn.prop_map(move |(registered, led, ownership, (law, operated), certificates)| {
        without_nulls(json!({
            "legalName": format!("p{at}"), "registeredIn": registered, "headquarteredIn": led, "ownership": ownership,
            "subjectTo": law, "operatedFrom": operated.map(|country| vec![country]), "certifications": certificates,
        }))
    });
    prop_oneof![3 => Just(flawless(at)), 4 => drawn]
}

/// Often the same of capital and of votes, so that some may host.
fn holdings() -> impl Strategy<Value = Vec<Value>> {
    let both = vec((holder(), share(), edges()), 1..4);
    let single = vec((holder(), share(), edges(), select(vec!["Capital", "Votes", "Control"])), 0..2);
    (both, single).prop_map(|(both, single)| {
        let both = both.into_iter().flat_map(|(holder, share, edges)| {
            ["Capital", "Votes"].map(|what| (holder.clone(), share.clone(), edges, what))
        });
        let held =
            |(holder, share, (from, until), what): (Value, Value, (Option<i64>, Option<i64>), &str)| {
                let times = json!({"from": from.map(instant), "until": until.map(instant)});
                let mut held = json!({"holder": holder, "interest": what, "share": share});
                held.as_object_mut().unwrap().extend(without_nulls(times).as_object().unwrap().clone());
                held
            };
        both.chain(single).map(held).collect()
    })
}

fn holder() -> impl Strategy<Value = Value> {
    let country = || option::weighted(0.9, select(&COUNTRIES[..]));
    let person = (0..3_u8, country(), select(vec!["Person", "Person", "State"]))
        .prop_map(|(at, country, kind)| json!({"name": format!("Q{at}"), "kind": kind, "country": country}));
    let described = (0..=PROVIDERS)
        .prop_map(|at| json!({"name": format!("p{at}"), "kind": "Entity", "provider": format!("p{at}")}));
    let bare = (select(vec!["Entity", "Unknown"]), country(), option::of(Just("id")))
        .prop_map(|(kind, country, id)| json!({"name": "E", "kind": kind, "country": country, "id": id}));
    prop_oneof![4 => person, 2 => described, 1 => bare].prop_map(without_nulls)
}

fn share() -> impl Strategy<Value = Value> {
    (select(&SHARES[..]), select(&SHARES[..]), prop::bool::weighted(0.7)).prop_map(|(a, b, exact)| {
        if exact { json!({"min": a, "max": a}) } else { json!({"min": a.min(b), "max": a.max(b)}) }
    })
}

fn edges() -> impl Strategy<Value = (Option<i64>, Option<i64>)> {
    (option::weighted(0.1, -2..10_i64), option::weighted(0.1, -2..10_i64))
}

/// What a tenant asks of providers: often nothing.
pub(crate) fn policy() -> impl Strategy<Value = Value> {
    let independent = vec(select(vec!["p0", "P1", "p3", "E", "id", "P2"]), 0..2);
    let home = option::weighted(0.6, select(vec!["near", "near", "far", "gone"]));
    let limit = (select(vec![0, 24, 24, 50]), select(vec![0, 39, 39, 60]));
    let law = select(vec![
        json!([]),
        json!([]),
        json!([{"jurisdiction": "CH"}]),
        json!([{"law": "l"}]),
        json!([{"jurisdiction": "CH", "law": "L"}]),
    ]);
    let certificate =
        select(vec![json!([]), json!([]), json!([{"scheme": "x"}]), json!([{"scheme": "x", "level": "1"}])]);
    let drawn = (independent, home, limit, law, certificate);
    let drawn = drawn.prop_map(|(independent, home, (individual, collective), law, certificate)| {
        without_nulls(json!({
            "independentOf": independent, "homeCountrySet": home, "notSubjectTo": law, "certifications": certificate,
            "maxForeignShare": {"individual": individual, "collective": collective},
        }))
    });
    prop_oneof![1 => Just(json!({})), 1 => drawn]
}

fn without_nulls(mut value: Value) -> Value {
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    value
}
