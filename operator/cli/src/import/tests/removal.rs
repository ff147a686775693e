//! Who says less is never taken to hold more.

use std::collections::BTreeMap;

use domicile_crds::{HolderKind, HostingProvider, Interest};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const ENTITIES: usize = 4;
const PERSONS: usize = 3;

/// A relationship: whom it is about, whose it is, how much, and how.
type Related = (usize, usize, u8, bool, bool);

fn statements(related: &[Related]) -> Vec<Value> {
    let mut all = Vec::new();
    let mut add = |record: String, kind: &str, details: Value| {
        all.push(json!({
            "statementId": format!("invented-statement-{:016}", all.len()), "declarationSubject": "e0",
            "statementDate": "2026-01-01", "recordId": record, "recordType": kind, "recordDetails": details,
        }));
    };
    for number in 0..ENTITIES {
        let details = json!({"entityType": {"type": "registeredEntity"}, "name": format!("Entity {number}"),
            "jurisdiction": {"name": "x", "code": "NL"}});
        add(format!("e{number}"), "entity", details);
    }
    add("state".to_owned(), "entity", json!({"entityType": {"type": "state"}, "name": "State"}));
    for number in 0..PERSONS {
        let details =
            json!({"personType": "knownPerson", "names": [{"fullName": format!("Person {number}")}]});
        add(format!("p{number}"), "person", details);
    }
    for (number, (subject, party, share, direct, votes)) in related.iter().enumerate() {
        let party = match party {
            0..ENTITIES => format!("e{party}"),
            &ENTITIES => "state".to_owned(),
            _ => format!("p{}", party - ENTITIES - 1),
        };
        let interest = json!({
            "type": if *votes { "votingRights" } else { "shareholding" },
            "directOrIndirect": if *direct { "direct" } else { "indirect" },
            "share": {"minimum": share, "maximum": share + 10},
        });
        let details =
            json!({"subject": format!("e{subject}"), "interestedParty": party, "interests": [interest]});
        add(format!("r{number}"), "relationship", details);
    }
    all
}

/// What persons and states hold of each provider at least, over chains, by legal name.
fn known(statements: &[Value]) -> BTreeMap<(String, bool), f64> {
    let input = Input { file: PathBuf::from("a.json"), bytes: json!(statements).to_string().into_bytes() };
    let Ok(imported) = bods(&[input]) else { return BTreeMap::new() };
    let all = providers(&imported.text);
    let mut sums = BTreeMap::new();
    for provider in &all {
        for (votes, interest) in [(false, Interest::Capital), (true, Interest::Votes)] {
            sums.insert((provider.spec.legal_name.clone(), votes), held(&all, provider, interest, 6));
        }
    }
    sums
}

fn held(all: &[HostingProvider], of: &HostingProvider, interest: Interest, depth: usize) -> f64 {
    let entries = of.spec.ownership.iter().filter(|held| held.interest == interest);
    let shares = entries.map(|entry| match (entry.holder.kind, &entry.holder.provider) {
        (HolderKind::Person | HolderKind::State, _) => entry.share.min,
        (HolderKind::Entity, Some(name)) if depth > 0 => {
            entry.share.min / 100.0 * held(all, provider(all, name.as_str()), interest, depth - 1)
        }
        _ => 0.0,
    });
    shares.sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Without later statements, which take something back, and without data that contradict themselves: ten
    /// relationships of at most nine percent each don't come to more than everything.
    #[test]
    fn removing_a_statement_never_makes_anybody_hold_more(
        related in prop::collection::vec((0..ENTITIES, 0..ENTITIES + 1 + PERSONS, 0u8..10, any::<bool>(), any::<bool>()), 1..10),
        removed in any::<prop::sample::Index>(),
    ) {
        let whole = statements(&related);
        let mut less = whole.clone();
        less.remove(removed.index(whole.len()));
        let before = known(&whole);
        for (key, sum) in known(&less) {
            let most = before.get(&key).copied().unwrap_or_default();
            prop_assert!(sum <= most + 1e-9, "{key:?}: {sum} is more than {most}");
        }
    }

    #[test]
    fn the_order_of_statements_does_not_matter(
        related in prop::collection::vec((0..ENTITIES, 0..ENTITIES + 1 + PERSONS, 0u8..90, any::<bool>(), any::<bool>()), 1..10),
        turned in any::<prop::sample::Index>(),
    ) {
        let text = |statements: &[Value]| {
            let bytes = json!(statements).to_string().into_bytes();
            let digest = sha256(&bytes);
            bods(&[Input { file: PathBuf::from("a.json"), bytes }]).unwrap().text.replace(&format!("\"{digest}\""), &digest).replace(&digest, "digest")
        };
        let whole = statements(&related);
        let mut other = whole.clone();
        other.rotate_left(turned.index(whole.len()));
        prop_assert_eq!(text(&whole), text(&other));
    }

    /// Contradictory or not: what is known of anybody never comes to more than everything.
    #[test]
    fn nobody_holds_more_than_everything(
        related in prop::collection::vec((0..ENTITIES, 0..ENTITIES + 1 + PERSONS, 0u8..90, any::<bool>(), any::<bool>()), 1..10),
    ) {
        for (key, sum) in known(&statements(&related)) {
            prop_assert!(sum <= 100.0 + 1e-6, "{key:?}: {sum}");
        }
    }
}
