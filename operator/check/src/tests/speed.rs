//! A check looks things up and never searches the fleet.

use std::time::{Duration, Instant};

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
