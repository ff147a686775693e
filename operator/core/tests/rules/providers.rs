//! Whether a tenant's policy lets a provider host: docs/rules.md, "Ownership, control and law".

use serde_json::{Value, json};

use crate::fixture::{Fleet, NOON};

mod independent;
mod sold;

/// Somebody who holds `share` percent of capital and votes.
fn holds(name: &str, kind: &str, country: &str, share: Value) -> Vec<Value> {
    let share = if share.is_object() { share } else { json!({"min": share, "max": share}) };
    let mut holder = json!({"name": name, "kind": kind});
    if !country.is_empty() {
        holder["country"] = json!(country);
    }
    if kind == "Entity" && (name == "runs" || name.starts_with("p-")) {
        holder["provider"] = json!(name);
    }
    ["Capital", "Votes"].map(|what| json!({"holder": holder, "interest": what, "share": share})).into()
}

fn person(name: &str, country: &str, share: impl Into<Value>) -> Vec<Value> {
    holds(name, "Person", country, share.into())
}

fn entity(name: &str, share: impl Into<Value>) -> Vec<Value> {
    holds(name, "Entity", "NL", share.into())
}

fn controls(name: &str, kind: &str, country: &str) -> Vec<Value> {
    let mut control = holds(name, kind, country, json!(0));
    control.truncate(1);
    control[0]["interest"] = json!("Control");
    control
}

/// `runs` and `owns` are held by a Dutch person; then whatever `change` says.
fn after(policy: Value, change: impl FnOnce(&mut Fleet)) -> String {
    let mut fleet = Fleet::lawful();
    let members = [
        json!({"country": "NL", "basis": "Membership", "source": "treaty"}),
        json!({"country": "BE", "basis": "Membership", "source": "treaty"}),
    ];
    fleet.set_of("home", members.into());
    for provider in ["runs", "owns"] {
        fleet.provider_with(
            provider,
            json!({"ownership": person("Jansen", "NL", 100), "subjectTo": [], "operatedFrom": []}),
        );
    }
    fleet.tenant(json!({"providers": policy}));
    change(&mut fleet);
    fleet.bars("ams-1")
}

fn owned(fleet: &mut Fleet, provider: &str, holdings: &[Vec<Value>]) {
    fleet.provider_with(provider, json!({"ownership": holdings.concat()}));
}

fn home() -> Value {
    json!({"homeCountrySet": "home"})
}

/// What bars under the policy [`home`] when `runs` is held so.
fn foreign(holdings: &[Vec<Value>]) -> String {
    after(home(), |fleet| owned(fleet, "runs", holdings))
}

#[test]
fn a_policy_that_asks_for_nothing_judges_nothing() {
    assert_eq!(after(json!({}), |fleet| owned(fleet, "runs", &[])), "");
    assert_eq!(after(home(), |_| {}), "");
}

/// SecNumCloud 3.2, 19.6: 24 % for one, 39 % for all together. A public reference has it the other way round.
#[test]
fn one_foreigner_may_have_24_percent_and_all_together_39() {
    let rest = |share: f64| person("Jansen", "NL", 100.0 - share);
    let one = |share: f64| foreign(&[person("Smith", "US", share), rest(share)]);
    assert_eq!(
        (one(24.0).as_str(), one(24.01).as_str(), one(30.0).as_str()),
        ("", "ForeignControl", "ForeignControl")
    );
    let each = |count: u32, share: f64| {
        let mut all: Vec<_> = (0..count).map(|at| person(&format!("Smith {at}"), "US", share)).collect();
        all.push(rest(share * f64::from(count)));
        foreign(&all)
    };
    assert_eq!((each(3, 13.0).as_str(), each(4, 12.0).as_str()), ("", "ForeignControl"));
    assert_eq!(
        foreign(&[person("Smith", "US", 13), person("smith", "US", 13), rest(26.0)]),
        "ForeignControl",
        "one and the same"
    );
}

#[test]
fn shares_multiply_along_chains_and_add_up_over_them() {
    let through = |direct: f64, of_b: f64, b: f64| {
        after(home(), |fleet| {
            let all =
                [entity("p-b", b), person("Smith", "US", direct), person("Jansen", "NL", 100.0 - b - direct)];
            owned(fleet, "runs", &all);
            owned(fleet, "p-b", &[person("Smith", "US", of_b), person("Vries", "NL", 100.0 - of_b)]);
        })
    };
    assert_eq!(through(0.0, 40.0, 60.0), "", "24 %");
    assert_eq!(through(0.0, 41.0, 60.0), "ForeignControl", "24.6 %");
    assert_eq!(through(5.0, 40.0, 60.0), "ForeignControl", "29 %");
    assert_eq!(through(0.0, 51.0, 40.0), "", "it controls the smaller part");
}

#[test]
fn control_goes_on_undiminished() {
    let chain = |share: f64| {
        after(home(), |fleet| {
            owned(fleet, "runs", &[entity("p-b", share), person("Jansen", "NL", 100.0 - share)]);
            owned(fleet, "p-b", &[entity("p-c", share), person("Jansen", "NL", 100.0 - share)]);
            owned(fleet, "p-c", &[person("Smith", "US", share), person("Jansen", "NL", 100.0 - share)]);
        })
    };
    assert_eq!(
        (chain(50.0).as_str(), chain(51.0).as_str()),
        ("", "ForeignControl"),
        "13 %, and all the power"
    );
    let by_contract = |country| foreign(&[person("Jansen", "NL", 100), controls("Smith", "Person", country)]);
    assert_eq!(
        (by_contract("BE").as_str(), by_contract("US").as_str(), by_contract("").as_str()),
        ("", "ForeignControl", "OwnershipUnknown"),
        "and from nowhere, it may be abroad"
    );
}

#[test]
fn ranges_are_judged_at_their_worst() {
    let range = |min: u32, max: u32| {
        foreign(&[
            person("Smith", "US", json!({"min": min, "max": max})),
            person("Jansen", "NL", json!({"min": 100 - max, "max": 100 - min})),
        ])
    };
    assert_eq!((range(10, 24).as_str(), range(10, 25).as_str()), ("", "ForeignControl"));
    let home = |min: u32| foreign(&[person("Jansen", "NL", json!({"min": min, "max": 100}))]);
    assert_eq!((home(76).as_str(), home(75).as_str()), ("", "OwnershipUnknown"));
}

/// What is recorded of somebody is true of it wherever it is recorded, as long as it counts.
#[test]
fn where_somebody_is_from_is_told_by_all_entries_that_count() {
    let told = |policy: Value, smith: &[Vec<Value>], elsewhere: &[Vec<Value>], times: Value| {
        after(policy, |fleet| {
            owned(fleet, "runs", smith);
            let mut held = elsewhere.concat();
            for entry in &mut held {
                entry.as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
            }
            fleet.provider_with("p-far", json!({"ownership": held}));
        })
    };
    let dutch = [person("Smith", "NL", 30), person("Jansen", "NL", 70)];
    let says = |country: &str, times: Value| told(home(), &dutch, &[person("smith", country, 1)], times);
    assert_eq!(says("NL", json!({})), "");
    assert_eq!(says("US", json!({})), "ForeignControl");
    assert_eq!(says("US", json!({"until": NOON})), "", "it has ended");
    assert_eq!(says("US", json!({"from": "2026-06-01T12:00:01Z"})), "", "it hasn't begun");
    let nowhere = [person("Smith", "", 30), person("Jansen", "NL", 70)];
    let home_is = told(home(), &nowhere, &[person("Smith", "NL", 1)], json!({}));
    assert_eq!(home_is, "OwnershipUnknown", "home is told by the entry alone");
    let any = json!({"homeCountrySet": "home", "maxForeignShare": {"individual": 100, "collective": 100}});
    let controls = [person("Smith", "", 51), person("Jansen", "NL", 49)];
    let from = |country: &str| told(any.clone(), &controls, &[person("Smith", country, 1)], json!({}));
    let wanted = ["OwnershipUnknown", "", "ForeignControl"];
    assert_eq!(["", "NL", "US"].map(from), wanted);
    let law = |times: Value| {
        let us = json!({"notSubjectTo": [{"jurisdiction": "US"}]});
        after(us, |fleet| {
            let held = [person("Smith", "NL", 51), person("Jansen", "NL", 49)].concat();
            fleet.provider_with("runs", json!({"ownership": held, "subjectTo": [], "operatedFrom": []}));
            let mut held = person("Smith", "US", 1);
            held[0].as_object_mut().unwrap().extend(times.as_object().unwrap().clone());
            fleet.provider_with("p-far", json!({"ownership": held[..1]}));
        })
    };
    assert_eq!(law(json!({})), "CompelledDisclosure");
    assert_eq!(law(json!({"until": NOON})), "");
}

/// By the name of one that is described alone: it is the same, and what that says of itself is its own.
#[test]
fn who_goes_by_the_name_of_a_provider_is_that() {
    let cloud = json!({"notSubjectTo": [{"jurisdiction": "US", "law": "US CLOUD Act"}]});
    let bars = after(cloud, |fleet| {
        let held = [entity("Named BV", 60), person("Jansen", "NL", 40)].concat();
        fleet.provider_with("runs", json!({"ownership": held, "subjectTo": []}));
        let says = json!([{"jurisdiction": "US", "law": "US CLOUD Act"}]);
        let spec =
            json!({"legalName": "named bv", "subjectTo": says, "ownership": person("Jansen", "NL", 100)});
        fleet.provider_with("p-named", spec);
    });
    assert_eq!(bars, "CompelledDisclosure");
}

#[test]
fn what_isnt_recorded_may_be_anybodys() {
    assert_eq!(foreign(&[]), "OwnershipUnknown");
    assert_eq!(foreign(&[person("Jansen", "NL", 80)]), "");
    assert_eq!(foreign(&[person("Jansen", "NL", 70)]), "OwnershipUnknown");
    assert_eq!(
        foreign(&[person("Jansen", "NL", 70), person("Kuyper", "", 30)]),
        "OwnershipUnknown",
        "from nowhere"
    );
    assert_eq!(
        foreign(&[person("Jansen", "NL", 70), holds("?", "Unknown", "NL", json!(30))]),
        "OwnershipUnknown"
    );
    assert_eq!(foreign(&[entity("Jansen BV", 100)]), "OwnershipUnknown", "nobody describes it");
    assert_eq!(
        foreign(&[person("Jansen", "NL", 100)[..1].to_vec()]),
        "OwnershipUnknown",
        "votes aren't capital"
    );
    assert_eq!(foreign(&[person("Jansen", "NL", 100), controls("?", "Unknown", "NL")]), "OwnershipUnknown");
    let led = after(home(), |fleet| {
        fleet.provider_with(
            "runs",
            json!({"headquarteredIn": null, "ownership": person("Jansen", "NL", 100)}),
        );
    });
    assert_eq!(led, "OwnershipUnknown", "nobody knows from where it is led");
    let abroad = |field| {
        after(home(), |fleet| {
            let mut patch = json!({"ownership": person("Jansen", "NL", 100)});
            patch[field] = json!("US");
            fleet.provider_with("runs", patch);
        })
    };
    assert_eq!(
        (abroad("registeredIn").as_str(), abroad("headquarteredIn").as_str()),
        ("ForeignControl", "ForeignControl")
    );
}

#[test]
fn companies_may_hold_each_other() {
    let round = |others: &[Vec<Value>]| {
        after(home(), |fleet| {
            owned(fleet, "runs", &[entity("p-b", 100)]);
            owned(fleet, "p-b", &[&[entity("p-a", 5)], others].concat());
            owned(fleet, "p-a", &[entity("p-b", 100)]);
        })
    };
    assert_eq!(round(&[person("Jansen", "NL", 95)]), "");
    assert_eq!(
        round(&[person("Jansen", "NL", 70), person("Smith", "US", 25)]),
        "ForeignControl",
        "26.3 % of what isn't its own"
    );
    let nobody = after(home(), |fleet| {
        owned(fleet, "runs", &[entity("p-b", 100)]);
        owned(fleet, "p-b", &[entity("p-c", 100)]);
        owned(fleet, "p-c", &[entity("p-b", 100)]);
    });
    assert_eq!(nobody, "OwnershipUnknown");
}

#[test]
fn holdings_count_within_their_time() {
    let dated = |field: &str, at: &str| {
        let mut smith = person("Smith", "US", 30);
        for held in &mut smith {
            held[field] = json!(at);
        }
        foreign(&[smith, person("Jansen", "NL", 80)])
    };
    assert_eq!((dated("from", NOON).as_str(), dated("until", NOON).as_str()), ("ForeignControl", ""));
    assert_eq!(dated("from", "2026-06-01T12:00:01Z"), "");
}

#[test]
fn laws_bind_whoever_controls() {
    let law = |law: Value, change: &dyn Fn(&mut Fleet)| after(json!({"notSubjectTo": [law]}), change);
    let cloud = json!({"jurisdiction": "US", "law": "US CLOUD Act"});
    let bound = |by: Value| {
        let by = json!([by]);
        law(cloud.clone(), &move |fleet| {
            fleet.provider_with("runs", json!({"ownership": person("Jansen", "NL", 100), "subjectTo": by}));
        })
    };
    assert_eq!(law(cloud.clone(), &|_| {}), "");
    assert_eq!(
        bound(json!({"jurisdiction": "US", "law": "us cloud act", "disputed": true})),
        "CompelledDisclosure"
    );
    assert_eq!(bound(json!({"jurisdiction": "US", "law": "FISA 702"})), "");
    let silent = |field: &str, law_: Value| {
        law(law_, &|fleet| {
            let mut patch =
                json!({"ownership": person("Jansen", "NL", 100), "subjectTo": [], "operatedFrom": []});
            patch[field] = Value::Null;
            fleet.provider_with("runs", patch);
        })
    };
    let us = json!({"jurisdiction": "US"});
    assert_eq!(silent("subjectTo", cloud.clone()), "CompelledDisclosure?");
    assert_eq!(silent("operatedFrom", cloud.clone()), "");
    assert_eq!(silent("operatedFrom", us.clone()), "CompelledDisclosure?");
    assert_eq!(silent("headquarteredIn", us.clone()), "CompelledDisclosure?");
    let from_us = |patch: Value| {
        law(us.clone(), &move |fleet| {
            fleet.provider_with("runs", merged(&patch));
        })
    };
    assert_eq!(from_us(json!({"operatedFrom": ["NL", "US"]})), "CompelledDisclosure");
    assert_eq!(from_us(json!({"registeredIn": "US"})), "CompelledDisclosure");
    assert_eq!(
        from_us(
            json!({"ownership": person("Smith", "US", 51).into_iter().chain(person("Jansen", "NL", 49)).collect::<Vec<_>>()})
        ),
        "CompelledDisclosure"
    );
    assert_eq!(
        from_us(
            json!({"ownership": person("Smith", "US", 50).into_iter().chain(person("Jansen", "NL", 50)).collect::<Vec<_>>()})
        ),
        ""
    );
    let parent = |subject_to: Value| {
        law(cloud.clone(), &move |fleet| {
            owned(fleet, "runs", &[entity("p-b", 100)]);
            fleet.provider_with("runs", json!({"ownership": entity("p-b", 100), "subjectTo": []}));
            fleet.provider_with(
                "p-b",
                json!({"ownership": person("Jansen", "NL", 100), "subjectTo": subject_to}),
            );
        })
    };
    assert_eq!(parent(json!([])), "");
    assert_eq!(parent(json!(null)), "CompelledDisclosure?");
    assert_eq!(parent(json!([{"jurisdiction": "US", "law": "US CLOUD Act"}])), "CompelledDisclosure");
}

fn merged(patch: &Value) -> Value {
    let mut spec = json!({"ownership": person("Jansen", "NL", 100), "subjectTo": [], "operatedFrom": []});
    for (field, value) in patch.as_object().unwrap() {
        spec[field] = value.clone();
    }
    spec
}

#[test]
fn certificates_are_valid_at_the_time() {
    let with = |wanted: Value, held: Value| {
        after(json!({"certifications": [wanted]}), |fleet| {
            for provider in ["runs", "owns"] {
                fleet.provider_with(provider, json!({"certifications": [held]}));
            }
        })
    };
    let iso = json!({"scheme": "ISO27001"});
    let missing = "CertificationMissing";
    assert_eq!(with(iso.clone(), json!({"scheme": "ISO27001", "level": "any"})), "");
    assert_eq!(with(iso.clone(), json!({"scheme": "C5"})), missing);
    assert_eq!(with(iso.clone(), json!({"scheme": "ISO27001", "validUntil": NOON})), missing);
    assert_eq!(with(iso.clone(), json!({"scheme": "ISO27001", "validFrom": NOON})), "");
    assert_eq!(with(json!({"scheme": "C5", "level": "2"}), json!({"scheme": "C5", "level": "1"})), missing);
    assert_eq!(with(json!({"scheme": "C5", "level": "2"}), json!({"scheme": "C5"})), missing);
}

#[test]
fn who_owns_the_machines_must_pass_as_well() {
    assert_eq!(after(home(), |fleet| owned(fleet, "owns", &[])), "OwnershipUnknown");
}

#[test]
fn without_a_site_a_provider_or_a_set_it_cant_be_told() {
    use domicile_core::Change;
    let all = json!({"homeCountrySet": "home", "certifications": [{"scheme": "x"}]});
    let gone = after(all, |fleet| {
        fleet.apply(Change::Provider("runs".parse().unwrap(), None));
    });
    assert!(gone.contains("ForeignControl?") && gone.contains("OwnershipUnknown?"), "{gone}");
    assert_eq!(after(json!({"homeCountrySet": "gone"}), |_| {}), "ForeignControl?");
}

#[test]
fn a_hostile_graph_is_judged_in_time() {
    let bars = after(home(), |fleet| {
        for at in 0..64 {
            let all: Vec<_> =
                (0..64).map(|of| entity(&format!("p-{of}"), json!({"min": 0, "max": 100}))).collect();
            owned(fleet, &format!("p-{at}"), &all);
        }
        owned(fleet, "runs", &[entity("p-0", 100)]);
    });
    assert_eq!(bars, "OwnershipUnknown");
}
