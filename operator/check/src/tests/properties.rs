//! What holds in every world.

use domicile_crds::MigrationSpec;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::{Halt, Removal, Replacement};

/// A decision, drawn from few names, subjects and times so that they meet.
#[derive(Clone, Debug)]
struct Drawn {
    name: usize,
    subject: usize,
    verdict: usize,
    from: Option<i8>,
    until: Option<i8>,
    scope: usize,
    authority: usize,
    liftable: bool,
    supersedes: Vec<usize>,
}

const SUBJECTS: [&str; 7] = [
    "HostingProvider/runs",
    "HostingProvider/owns",
    "Site/nl-ams",
    "Tenant/shop",
    "TenantWorkload/shop/web",
    "Tenant/*",
    "HostingProvider/runs",
];
const VERDICTS: [&str; 6] = ["Approved", "Frozen", "Suspended", "Revoked", "Approved", "Approved"];

fn drawn() -> impl Strategy<Value = Drawn> {
    let times = (prop::option::weighted(0.3, -2..=2i8), prop::option::weighted(0.3, -2..=2i8));
    let who = (0..3usize, any::<bool>(), prop::collection::vec(0..9usize, 0..3));
    (0..8usize, 0..SUBJECTS.len(), 0..6usize, times, 0..6usize, who).prop_map(
        |(name, subject, verdict, (from, until), scope, (authority, liftable, supersedes))| Drawn {
            name,
            subject,
            verdict,
            from,
            until,
            scope,
            authority,
            liftable,
            supersedes,
        },
    )
}

fn put(world: &mut World, drawn: &Drawn) {
    let at = |hours: i8| (world.now + SignedDuration::from_hours(hours.into())).to_string();
    let scope = match drawn.scope {
        0 => json!({"sites": ["be-bru"]}),
        1 => json!({"countries": ["NL"]}),
        2 => json!({"tenants": ["other"]}),
        _ => json!({}),
    };
    let names: Vec<_> = drawn.supersedes.iter().map(|n| format!("d{n}")).collect();
    let mut patch =
        json!({"scope": scope, "supersedes": names, "authority": format!("a{}", drawn.authority)});
    if let Some(from) = drawn.from {
        patch["validFrom"] = json!(at(from));
    }
    if let Some(until) = drawn.until {
        patch["validUntil"] = json!(at(until));
    }
    if drawn.liftable {
        patch["liftableBy"] = json!(["a0", "a1"]);
    }
    world.decide(&format!("d{}", drawn.name), SUBJECTS[drawn.subject], VERDICTS[drawn.verdict], patch);
}

/// What makes a world in which much may be broken.
#[derive(Clone, Debug)]
struct Seed {
    decisions: Vec<Drawn>,
    unapproved: bool,
    allowed: usize,
    denied: usize,
    narrowed: usize,
    site: usize,
    member: usize,
}

fn seeds() -> impl Strategy<Value = Seed> {
    let residency = (0..5usize, 0..5usize, 0..5usize);
    let place = (any::<bool>(), 0..8usize, 0..8usize);
    (prop::collection::vec(drawn(), 0..10), residency, place).prop_map(
        |(decisions, (allowed, denied, narrowed), (unapproved, site, member))| Seed {
            decisions,
            unapproved,
            allowed,
            denied,
            narrowed,
            site,
            member,
        },
    )
}

fn entries(which: usize) -> Value {
    match which {
        0 => json!([{"country": "NL"}]),
        1 => json!([{"countrySet": "benelux"}]),
        2 => json!([{"countrySet": "gone"}]),
        _ => json!([]),
    }
}

fn world(seed: &Seed) -> World {
    let mut world = World::lawful();
    if seed.unapproved {
        world.facts.remove_decision("runs-1");
    }
    for decision in &seed.decisions {
        put(&mut world, decision);
    }
    let allowed = if seed.allowed > 2 { entries(1) } else { entries(seed.allowed) };
    world.tenant(json!({"residency": {"allowed": allowed, "denied": entries(seed.denied + 1)}}));
    let narrowed = json!({"allowed": entries(seed.narrowed)});
    world.workload(json!({"clusters": {"count": 2}, "residency": narrowed}));
    if let Some(state) = ["Planned", "Closing", "Offline"].get(seed.site) {
        world.site("nl-ams", "NL", json!({"state": state}));
    }
    match seed.member {
        0 => world.member("ams-1", "nl-ams", json!({"spec": {"scheduling": "Draining"}})),
        1 => world.member("ams-1", "nl-ams", json!({"status": {"tenants": []}})),
        2 => world.member("ams-1", "nl-ams", json!({"status": {"conditions": []}})),
        3 => world.seen(SignedDuration::from_mins(11)),
        _ => {}
    }
    world.seats(&[]);
    world
}

/// Every act on Amsterdam, in a world where the records fit it; named.
fn acts(world: &World) -> Vec<(&'static str, String)> {
    let (source, target) = (cluster("ams-1"), cluster("bru-1"));
    let with = |seats: &[(&str, &str)]| {
        let mut world = world.clone();
        world.seats(seats);
        world
    };
    let migration: MigrationSpec = read(json!({
        "workload": "web", "tenant": "shop", "seat": 0, "from": "bru-1", "to": "ams-1", "epoch": 2,
        "generation": 1, "cause": {"kind": "Draining", "subject": "MemberCluster/bru-1"}, "compulsory": true,
        "digest": "0123456789abcdef"
    }));
    let mut draining = with(&[("bru-1", "Active")]);
    draining.member("bru-1", "be-bru", json!({"spec": {"scheduling": "Draining"}}));
    let ready = web();
    let replacement = Replacement { cluster: &target, generation: 1, ready: &ready, verified_at: world.now };
    let moved = What::Remove { objects: &ready, keeps_claims: true, because: Removal::Moved(replacement) };
    let dropped = What::Remove { objects: &ready, keeps_claims: true, because: Removal::SeatDropped };
    let mut fewer = with(&[("ams-1", "Leaving"), ("bru-1", "Active")]);
    fewer.workload.as_mut().unwrap().spec.clusters.count = 1;
    let objects = &world.workload.as_ref().unwrap().spec.manifests;
    let active = with(&[("ams-1", "Active")]);
    vec![
        ("place", world.place()),
        ("plan", draining.verdict("ams-1", What::PlanMove { migration: &migration })),
        ("begin", draining.verdict("ams-1", What::BeginMove { migration: &migration })),
        ("apply", active.verdict("ams-1", What::Apply { objects, from: None })),
        (
            "start",
            with(&[("bru-1", "Active")]).verdict("ams-1", What::Apply { objects, from: Some(&target) }),
        ),
        ("suspend", active.verdict("ams-1", What::ScaleToZero { objects: &ready, because: Halt::Suspended })),
        ("moved", fewer.verdict("ams-1", moved)),
        ("dropped", fewer.verdict("ams-1", dropped)),
        (
            "stop",
            active.verdict(
                "bru-1",
                What::ScaleToZero { objects: &ready, because: Halt::Moving { to: &source } },
            ),
        ),
    ]
}

/// The facts whose removal must open nothing. Sets that are denied, decisions and tenants restrict as well as
/// permit: what they forbade may become lawful without them.
fn without(world: &World, which: usize) -> World {
    let mut world = world.clone();
    match which {
        0 => world.facts.remove_country_set("benelux"),
        1 => world.facts.remove_provider("runs"),
        2 => world.facts.remove_provider("owns"),
        3 => world.facts.remove_site("nl-ams"),
        4 => world.facts.remove_member("ams-1"),
        5 => world.facts.remove_tenant("shop"),
        6 => world.facts.remove_decision("owns-1"),
        7 => world.facts.remove_installation("default"),
        _ => world.workload = None,
    }
    world
}

fn is_new_byte(act: &str) -> bool {
    ["place", "plan", "begin", "apply", "start"].contains(&act)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn taking_a_fact_away_never_makes_a_seat_lawful(seed in seeds(), which in 0..9usize) {
        let world = world(&seed);
        if world.place() != "" {
            prop_assert_ne!(without(&world, which).place(), "");
        }
    }

    #[test]
    fn a_seat_needs_each_of_the_facts_that_permit_it(seed in seeds(), which in 1..7usize) {
        let world = world(&seed);
        // Without an approval, or without who is approved, nothing is lawful, however lawful all else is.
        let mut world = without(&world, which);
        if which == 6 {
            (0..8).for_each(|i| world.facts.remove_decision(&format!("d{i}")));
        }
        prop_assert_ne!(world.place(), "");
    }

    #[test]
    fn one_more_restriction_never_makes_a_new_byte_lawful(seed in seeds(), subject in 0..6usize, verdict in 1..4usize) {
        let world = world(&seed);
        let mut stricter = world;
        stricter.decide("more", SUBJECTS[subject], VERDICTS[verdict], json!({"authority": "other"}));
        for (act, found) in acts(&stricter) {
            if is_new_byte(act) {
                prop_assert_ne!(&found, "", "{} is lawful under {}", act, VERDICTS[verdict]);
            }
        }
    }

    #[test]
    fn where_all_is_frozen_nothing_happens_but_a_suspension(seed in seeds(), subject in 0..6usize) {
        // Of one subject's decisions the strictest holds, and a revocation is stricter than a freeze.
        let (name, mut seed) = (SUBJECTS[subject], seed);
        seed.decisions.retain(|decision| SUBJECTS[decision.subject] != name);
        let world = world(&seed);
        let mut frozen = world;
        frozen.decide("freeze", SUBJECTS[subject], "Frozen", json!({"authority": "other"}));
        for (act, found) in acts(&frozen) {
            let suspended = found.is_empty() && act == "suspend";
            prop_assert!(suspended || !found.is_empty(), "{} is lawful", act);
            if suspended {
                prop_assert!(frozen.place().contains("ApprovalSuspended"));
            }
        }
    }

    #[test]
    fn a_place_that_may_have_a_new_seat_may_be_updated(seed in seeds()) {
        let world = world(&seed);
        if world.place().is_empty() {
            let mut placed = world;
            placed.seats(&[("ams-1", "Active")]);
            prop_assert_eq!(placed.update(), "");
        }
    }

    #[test]
    fn no_act_is_lawful_on_an_old_view_of_the_hub(seed in seeds()) {
        let world = world(&seed);
        let mut old = world;
        old.facts.hub_seen(old.now - SignedDuration::from_mins(11));
        for (act, found) in acts(&old) {
            prop_assert!(found.contains("ObservationStale"), "{}: {}", act, found);
        }
    }

    #[test]
    fn what_was_inserted_and_removed_again_leaves_no_trace(seed in seeds(), more in prop::collection::vec(drawn(), 1..6)) {
        let world = world(&seed);
        let before = acts(&world);
        let mut after = world;
        for (i, drawn) in more.iter().enumerate() {
            // Names of their own, so that none replaces one that was there.
            put(&mut after, &Drawn { name: 100 + i, ..drawn.clone() });
        }
        (0..more.len()).for_each(|i| after.facts.remove_decision(&format!("d{}", 100 + i)));
        prop_assert_eq!(before, acts(&after));
    }
}
