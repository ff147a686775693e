//! A check looks things up and never searches the fleet.

use std::time::{Duration, Instant, SystemTime};

use domicile_crds::{Holder, HolderKind, Interest, Ownership, Share};
use serde_json::json;

use super::*;

/// 10,000 clusters at 200 sites of 100 providers, and 10,000 decisions: 20 about each provider, the rest about
/// sites, tenants and workloads.
fn fleet() -> World {
    let mut world = World::lawful();
    for i in 0..100 {
        world.provider(&format!("p{i}"));
        world.decide(&format!("p{i}-ok"), &format!("HostingProvider/p{i}"), "Approved", json!({}));
    }
    for i in 0..200 {
        let place = json!({"operatedBy": format!("p{}", i % 100), "ownedBy": format!("p{}", (i + 1) % 100)});
        world.site(&format!("s{i}"), "NL", place);
    }
    for i in 0..10_000 {
        let cluster = format!("c{i}");
        world.member(&cluster, &format!("s{}", i % 200), json!({}));
        world.facts.member_seen(&name(&cluster), world.now);
        let (subject, predecessor) = match i % 5 {
            0 => (format!("HostingProvider/p{}", i / 5 % 100), format!("p{}-ok", i / 5 % 100)),
            1 => (format!("Site/s{}", i / 5 % 200), format!("d{}", i % 2000)),
            2 => (format!("Tenant/t{i}"), format!("d{}", i % 2000)),
            _ => (format!("TenantWorkload/shop/w{i}"), format!("d{}", i % 2000)),
        };
        let approval = json!({"supersedes": [predecessor], "scope": {"countries": ["BE"]}});
        world.decide(&format!("d{i}"), &subject, "Approved", approval);
    }
    world
}

/// A tenant that asks for independence, a home and no law of the US, and 1,000 providers with holdings of which each
/// names a provider, by number, or a person, and has so much at most.
fn owned(holdings: usize, holder: impl Fn(usize, usize) -> Option<usize>, most: Option<f64>) -> World {
    let mut world = World::lawful();
    world.tenant(json!({"providers": {
        "independentOf": ["p500"], "homeCountrySet": "benelux", "notSubjectTo": [{"jurisdiction": "US"}]
    }}));
    world.site("nl-ams", "NL", json!({"operatedBy": "p0", "ownedBy": "p0"}));
    world.decide("p0-ok", "HostingProvider/p0", "Approved", json!({}));
    let share = 200.0 / f64::from(u32::try_from(holdings).unwrap());
    let share = Share { min: share, max: most.unwrap_or(share) };
    let spec = json!({"legalName": "x", "registeredIn": "NL", "headquarteredIn": "NL", "subjectTo": [], "operatedFrom": []});
    let template = read::<HostingProvider>(object("HostingProvider", "x", spec));
    for provider in 0..1000 {
        let entry = |i: usize| {
            let entity = holder(provider, i).map(|other| format!("p{other}"));
            let kind = if entity.is_some() { HolderKind::Entity } else { HolderKind::Person };
            let described = entity.as_deref().map(super::name);
            let name = entity.unwrap_or_else(|| format!("person {provider} {}", i / 2));
            let holder =
                Holder { name, id: None, provider: described, country: Some("NL".parse().unwrap()), kind };
            let interest = [Interest::Capital, Interest::Votes][i % 2];
            Ownership { holder, interest, share, from: None, until: None, evidence: vec![] }
        };
        let mut object = template.clone();
        object.metadata.name = Some(format!("p{provider}"));
        object.spec.legal_name = format!("p{provider}");
        object.spec.ownership = (0..holdings).map(entry).collect();
        world.facts.provider(Arc::new(object));
    }
    world
}

/// How long this thread has been at work, to a clock tick: what else the machine does isn't counted. Where Linux doesn't tell, it is the time of day.
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn worked() -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanos = told.and_then(|text| text.split(' ').next()?.parse().ok());
    nanos.map_or_else(|| SystemTime::UNIX_EPOCH.elapsed().unwrap(), Duration::from_nanos)
}

/// The fastest of some.
fn time_to_place(world: &World, wanted: &str, times: usize) -> Duration {
    assert_eq!(world.place(), wanted);
    let once = |_| {
        let start = worked();
        world.place();
        worked().saturating_sub(start)
    };
    (0..times).map(once).min().unwrap()
}

#[test]
fn a_web_of_holdings_is_judged_by_its_size_and_not_by_its_chains() {
    // Groups of ten, in which each belongs in part to the next.
    let group = owned(10, |p, i| (i < 2 && p % 10 < 9).then_some(p + 1), None);
    let usual = time_to_place(&group, "", 20);
    let mut web = owned(10, |p, i| (i < 4).then_some((p * 7 + i / 2 * 131 + 1) % 1000), None);
    // Of a tenth of them nobody is known, so that each might have a say by what they have and what isn't known.
    (3..1000).step_by(10).for_each(|p| web.provider(&format!("p{p}")));
    let web = time_to_place(&web, "", 5);
    let all = owned(64, |p, i| Some((p * 7 + i * 131 + 1) % 1000), Some(100.0));
    let hostile = time_to_place(&all, "ProviderNotIndependent CompelledDisclosure?", 1);
    println!("{usual:?} in groups, {web:?} in one web, {hostile:?} where all hold all");
    // Unoptimised. There are 64^32 chains in the last.
    assert!(usual < Duration::from_millis(50), "{usual:?}");
    assert!(web < Duration::from_secs(1), "{web:?}");
    assert!(hostile < Duration::from_secs(30), "{hostile:?}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "it measures")]
fn a_check_takes_microseconds_in_a_large_fleet() {
    let world = fleet();
    let clusters: Vec<ClusterName> = (0..100).map(|i| cluster(&format!("c{}", i * 97))).collect();
    let batch = || {
        let start = Instant::now();
        for cluster in &clusters {
            let act = Act {
                tenant: &world.tenant,
                key: &world.key,
                uid: UID,
                workload: world.workload.as_ref(),
                assignment: None,
                cluster,
                seen: &[],
                what: What::Place,
            };
            assert_eq!(check(&world.facts, &act, world.now), Ok(()));
        }
        start.elapsed() / 100
    };
    // The fastest of many: the machine has other things to do.
    let each = (0..50).map(|_| batch()).min().unwrap();
    println!("{each:?} for each check");
    // An unoptimised build is some ten times slower than an optimised one, of which 10 µs are wanted;
    // a search through the fleet would be a hundred times slower.
    assert!(each < Duration::from_micros(500), "{each:?}");
}
