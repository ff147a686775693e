//! Who stands behind a provider is told by the size of the web of holdings, and not by the number of its chains.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use domicile_core::{
    Change,
    eligibility::{Suits, judge},
};
use domicile_crds::{Holder, HolderKind, HostingProviderSpec, Interest, Ownership, Share};
use serde_json::json;

use crate::fixture::{Fleet, key, name, read};

/// What one of 1,000 providers is held by: by number another of them, `None` for a person, and how much at least and at most.
type Entry = (Option<usize>, Interest, f64, f64);

/// A tenant that asks for independence, a home and no law of the US, where `p0` operates and owns the site.
fn owned(entries: impl Fn(usize) -> Vec<Entry>) -> Fleet {
    let mut fleet = Fleet::lawful();
    fleet.tenant(json!({"providers": {
        "independentOf": ["p500"], "homeCountrySet": "benelux", "notSubjectTo": [{"jurisdiction": "US"}]
    }}));
    fleet.site("nl-ams", "NL", json!({"operatedBy": "p0", "ownedBy": "p0"}));
    fleet.decide("p0-1", "p0", "Approved", json!({}));
    let spec = json!({"legalName": "x", "registeredIn": "NL", "headquarteredIn": "NL", "subjectTo": [], "operatedFrom": []});
    let template: HostingProviderSpec = read(spec);
    for provider in 0..1000 {
        let ownership = entries(provider).into_iter().enumerate().map(|(at, (other, interest, min, max))| {
            let entity = other.map(|other| format!("p{other}"));
            let kind = if entity.is_some() { HolderKind::Entity } else { HolderKind::Person };
            let described = entity.as_deref().map(name);
            let person = || format!("person {provider} {}", at / 2);
            let (name, country) = (entity.unwrap_or_else(person), "NL".parse().ok());
            let holder = Holder { name, id: None, provider: described, country, kind };
            Ownership {
                holder,
                interest,
                share: Share { min, max },
                from: None,
                until: None,
                evidence: vec![],
            }
        });
        let called = format!("p{provider}");
        let spec = HostingProviderSpec {
            legal_name: called.clone(),
            ownership: ownership.collect(),
            ..template.clone()
        };
        fleet.apply(Change::Provider(name(&called), Some(Arc::new(spec))));
    }
    fleet
}

/// As many of capital as of votes, with all of it shared out.
fn even(holdings: usize, holder: impl Fn(usize) -> Option<usize>, most: Option<f64>) -> Vec<Entry> {
    let share = 200.0 / f64::from(u32::try_from(holdings).unwrap());
    let entry =
        |at: usize| (holder(at), [Interest::Capital, Interest::Votes][at % 2], share, most.unwrap_or(share));
    (0..holdings).map(entry).collect()
}

/// How long this thread has been at work, to a clock tick: what else the machine does isn't counted. Where Linux doesn't tell, it is the time of day.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn worked() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap(), Duration::from_nanos)
}

/// The fastest of some.
fn time_to_judge(mut fleet: Fleet, wanted: &str, times: usize) -> Duration {
    assert_eq!(fleet.bars("ams-1"), wanted);
    let world = fleet.engine.world();
    let row = fleet.engine.classes().of(&key("shop/web")).unwrap();
    let id = world.find_cluster(&name("ams-1")).unwrap();
    let once = |_| {
        let start = worked();
        assert_eq!(judge(world, &row.class, (id, fleet.now), &mut Suits::default()), row.cell(id));
        worked().saturating_sub(start)
    };
    (0..times).map(once).min().unwrap()
}

#[test]
fn a_web_of_holdings_is_judged_by_its_size_and_not_by_its_chains() {
    // Groups of ten, in which each belongs in part to the next.
    let group = owned(|p| even(10, |at| (at < 2 && p % 10 < 9).then_some(p + 1), None));
    let usual = time_to_judge(group, "", 20);
    // Of a tenth of them nobody is known, so that each might have a say by what they have and what isn't known.
    let other = |p: usize, at: usize| (at < 4).then_some((p * 7 + at / 2 * 131 + 1) % 1000);
    let web = owned(|p| if p % 10 == 3 { vec![] } else { even(10, |at| other(p, at), None) });
    let web = time_to_judge(web, "", 5);
    println!("{usual:?} in groups, {web:?} in one web");
    // Unoptimised.
    assert!(usual < Duration::from_millis(50), "{usual:?}");
    assert!(web < Duration::from_secs(1), "{web:?}");
}

#[test]
fn a_hostile_web_is_judged_in_time() {
    let dense = |p: usize, at: usize| Some((p * 7 + at * 131 + 1) % 1000);
    // There are 64^32 chains.
    let all = owned(|p| even(64, |at| dense(p, at), Some(100.0)));
    let all = time_to_judge(all, "ProviderNotIndependent CompelledDisclosure?", 1);
    println!("{all:?} where all hold all");
    assert!(all < Duration::from_secs(30), "{all:?}");
}
