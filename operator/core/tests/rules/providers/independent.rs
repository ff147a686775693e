//! Of whom a tenant is to be independent, and who may have a say without being on record.

use serde_json::{Value, json};

use super::*;

/// What bars if the tenant wants to be independent of `vendor`, which the person Smith holds.
fn dependent(change: impl FnOnce(&mut Fleet)) -> String {
    after(json!({"independentOf": ["Vendor"]}), |fleet| {
        let spec = json!({
            "legalName": "Vendor Inc.", "identifiers": [{"scheme": "LEI", "id": "EXAM00MERIDIANUS0058"}],
            "ownership": person("Smith", "US", 100),
        });
        fleet.provider_with("vendor", spec);
        change(fleet);
    })
}

#[test]
fn nobody_of_whom_the_tenant_is_to_be_independent_has_a_say() {
    assert_eq!(dependent(|_| {}), "");
    let by = |share: f64, name: &str, id: Option<&str>| {
        dependent(|fleet| {
            let mut all = holds(name, "Entity", "US", json!(share));
            for held in &mut all {
                held["holder"]["id"] = json!(id);
            }
            owned(fleet, "runs", &[all, person("Jansen", "NL", 100.0 - share)]);
        })
    };
    assert_eq!(
        (by(24.9, "VENDOR", None).as_str(), by(25.0, "VENDOR", None).as_str()),
        ("", "ProviderNotIndependent")
    );
    assert_eq!(by(25.0, "elsewhere", Some("vendor")), "ProviderNotIndependent");
    assert_eq!(by(25.0, "elsewhere", None), "OwnershipUnknown", "who stands behind it?");
    let itself = after(json!({"independentOf": ["RUNS"]}), |_| {});
    assert_eq!(itself, "ProviderNotIndependent");
}

#[test]
fn more_than_all_on_record_says_nothing_of_the_rest() {
    let twice = |share: f64| {
        dependent(|fleet| {
            owned(
                fleet,
                "runs",
                &[vendor(share), person("Jansen", "NL", 60), person("Vries", "NL", 40.0 - share)],
            );
            owned(fleet, "vendor", &[person("Smith", "US", 100), person("J. Smith", "US", 100)]);
        })
    };
    assert_eq!((twice(20.0).as_str(), twice(30.0).as_str()), ("", "ProviderNotIndependent"));
    let open = dependent(|fleet| {
        owned(fleet, "runs", &[vendor(20.0), person("Jansen", "NL", 60)]);
        owned(fleet, "vendor", &[person("Smith", "US", 100), person("J. Smith", "US", 100)]);
    });
    assert_eq!(open, "OwnershipUnknown", "20 % may be the vendor's, too");
}

/// Of two that hold 13 % each the vendor controls one, and of the other this is known.
fn two_of_13(ann: u32, other: &[Vec<Value>]) -> String {
    dependent(|fleet| {
        owned(fleet, "runs", &[entity("p-m", 13), entity("p-n", 13), person("Jansen", "NL", ann)]);
        owned(fleet, "p-m", &[vendor(51.0), person("Vries", "NL", 49)]);
        owned(fleet, "p-n", other);
    })
}

#[test]
fn whoever_controls_an_opaque_one_has_all_that_it_has() {
    let half = [vendor(51.0), person("Vries", "NL", 49)];
    let open = [person("Vries", "NL", 49)];
    let unknown = "OwnershipUnknown";
    assert_eq!(two_of_13(74, &half), "ProviderNotIndependent");
    assert_eq!(two_of_13(74, &open), unknown, "to leave out a holding gains nothing");
    assert_eq!(two_of_13(74, &[person("Vries", "NL", 50)]), "", "nobody can control it without him");
    let by_somebody = [person("Vries", "NL", 100), controls("?", "Unknown", "")];
    assert_eq!(two_of_13(74, &by_somebody), unknown);
    let by_one = |share: u32| {
        dependent(|fleet| {
            owned(fleet, "runs", &[entity("p-m", 13), entity("p-n", 13), person("Jansen", "NL", 74)]);
            owned(fleet, "p-m", &half);
            owned(fleet, "p-n", &[person("Vries", "NL", 100), controls("p-o", "Entity", "NL")]);
            owned(fleet, "p-o", &[person("Vries", "NL", share)]);
        })
    };
    assert_eq!((by_one(49).as_str(), by_one(50).as_str()), (unknown, ""), "of which little is known");
    let votes = [person("Vries", "NL", 49)[1..].to_vec(), person("Vries", "NL", 100)[..1].to_vec()];
    assert_eq!(two_of_13(74, &votes), unknown, "of its votes");
    let less = |other: &[Vec<Value>]| {
        dependent(|fleet| {
            owned(fleet, "runs", &[entity("p-m", 13), entity("p-n", 11.9), person("Jansen", "NL", 75.1)]);
            owned(fleet, "p-m", &half);
            owned(fleet, "p-n", other);
        })
    };
    assert_eq!((less(&half).as_str(), less(&open).as_str()), ("", ""));
    let behind = |jansen: u32, m: u32| {
        dependent(|fleet| {
            owned(fleet, "runs", &[entity("p-m", m), entity("p-c", 17), person("Jansen", "NL", jansen)]);
            owned(fleet, "p-m", &half);
            owned(fleet, "p-c", &[person("Vries", "NL", 50), entity("p-n", 50)]);
            owned(fleet, "p-n", &open);
        })
    };
    assert_eq!((behind(66, 17).as_str(), behind(67, 16).as_str()), (unknown, ""), "25.5 %, and 24.5 %");
    let reverse = dependent(|fleet| {
        owned(fleet, "vendor", &[person("Smith", "US", 74), entity("p-m", 13), entity("p-n", 13)]);
        owned(fleet, "p-m", &[holds("runs", "Entity", "NL", json!(51)), person("Vries", "NL", 49)]);
        owned(fleet, "p-n", &open);
    });
    assert_eq!(reverse, unknown);
}

/// More than all is recorded of `runs`: what is known of others says nothing of the rest.
#[test]
fn who_may_have_more_than_half_by_what_is_recorded_may_control() {
    let bound = |other: &[Vec<Value>]| {
        after(json!({"notSubjectTo": [{"jurisdiction": "US"}]}), |fleet| {
            let runs = [entity("p-m", 30), entity("p-n", 30), person("Jansen", "NL", 100)];
            let m = [person("Smith", "US", 51), person("Vries", "NL", 49)];
            for (provider, held) in [("runs", &runs[..]), ("p-m", &m), ("p-n", other)] {
                let spec = json!({"ownership": held.concat(), "subjectTo": [], "operatedFrom": []});
                fleet.provider_with(provider, spec);
            }
        })
    };
    let half = |share: u32| person("Vries", "NL", share);
    assert_eq!(bound(&[person("Smith", "US", 51), half(49)]), "CompelledDisclosure");
    assert_eq!(bound(&[half(49)]), "CompelledDisclosure?");
    assert_eq!(bound(&[half(50)]), "");
}

fn vendor(share: f64) -> Vec<Value> {
    let mut all = holds("Vendor Inc.", "Entity", "US", json!(share));
    for held in &mut all {
        held["holder"]["provider"] = json!("vendor");
    }
    all
}

/// One company under two names, of which one says nothing.
#[test]
fn all_that_describes_somebody_is_true_of_it() {
    let law = json!({"notSubjectTo": [{"jurisdiction": "US", "law": "US CLOUD Act"}]});
    let bound = |ids: [&str; 2]| {
        after(law.clone(), |fleet| {
            fleet.provider_with("runs", json!({"ownership": entity("p-one", 100), "subjectTo": []}));
            let says = json!([{"jurisdiction": "US", "law": "US CLOUD Act"}]);
            for (name, id, says) in [("p-one", ids[0], json!([])), ("p-two", ids[1], says)] {
                let spec = json!({
                    "identifiers": [{"scheme": "LEI", "id": id}], "subjectTo": says, "operatedFrom": [],
                    "ownership": person("Jansen", "NL", 100),
                });
                fleet.provider_with(name, spec);
            }
        })
    };
    assert_eq!(bound(["EXAM00ONE00000000058", "EXAM00TWO00000000058"]), "");
    assert_eq!(bound(["EXAM00ONE00000000058", "exam00one00000000058"]), "CompelledDisclosure");
    let cased = [person("Große", "US", 13), person("GROSSE", "US", 13), person("Jansen", "NL", 74)];
    assert_eq!(foreign(&cased), "ForeignControl");
}

#[test]
fn nor_has_the_provider_a_say_in_them_or_one_parent() {
    let vendor = |holdings: &[Vec<Value>]| dependent(|fleet| owned(fleet, "vendor", holdings));
    let held = vendor(&[holds("runs", "Entity", "NL", json!(30)), person("Smith", "US", 70)]);
    assert_eq!(held, "ProviderNotIndependent");
    assert_eq!(vendor(&[person("Smith", "US", 70)]), "OwnershipUnknown", "of the vendor, too");
    assert_eq!(vendor(&[person("jansen", "NL", 100)]), "ProviderNotIndependent", "Jansen controls both");
    let sisters = dependent(|fleet| {
        owned(fleet, "runs", &[entity("p-parent", 60), person("Jansen", "NL", 40)]);
        owned(fleet, "vendor", &[entity("p-parent", 60), person("Smith", "US", 40)]);
        owned(fleet, "p-parent", &[person("Kuyper", "NL", 100)]);
    });
    assert_eq!(sisters, "ProviderNotIndependent");
    assert_eq!(
        after(json!({"independentOf": ["nobody"]}), |_| {}),
        "OwnershipUnknown",
        "nobody describes it"
    );
    let meant = |name: &str| {
        after(json!({"independentOf": [name]}), |fleet| {
            let spec = json!({"legalName": "Vendor Inc.", "identifiers": [{"scheme": "LEI", "id": "EXAM00MERIDIANUS0058"}], "ownership": person("jansen", "NL", 100)});
            fleet.provider_with("vendor", spec);
        })
    };
    for name in ["vendor", "vendor inc.", "exam00meridianus0058"] {
        assert_eq!(meant(name), "ProviderNotIndependent", "{name}");
    }
}
