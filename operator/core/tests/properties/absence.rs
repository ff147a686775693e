//! Absence of information is not information: what is missing admits nobody and moves nothing.

use domicile_core::{
    Change,
    decide::{SeatVerdict, Wish},
};
use domicile_crds::{ClusterName, WorkloadKey};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::{
    follower::{Follower, Verdicts},
    worlds::{
        self, Cluster, Decision, Fact, config,
        draw::{approval, decision},
        name, world,
    },
};

fn settled(facts: &[Fact]) -> Follower {
    let mut follower = Follower::new(facts);
    follower.settle();
    follower
}

/// The fact with all or part of it taken away; `None` if nothing of it can be.
fn without(fact: &Fact, part: usize, facts: &[Fact]) -> Option<Fact> {
    Some(match fact.clone() {
        Fact::Set(at, _) => Fact::Set(at, None),
        Fact::Provider(at, spec) => Fact::Provider(at, spec.and_then(|spec| less(spec, part))),
        Fact::Site(at, _) => Fact::Site(at, None),
        Fact::Cluster(at, Some(cluster)) => Fact::Cluster(
            at,
            match part {
                0 => None,
                1 => Some(Cluster { observed: false, ..cluster }),
                2 => Some(Cluster { ready: None, ..cluster }),
                3 => Some(Cluster { classes: false, ..cluster }),
                _ => Some(Cluster { tenants: vec![], ..cluster }),
            },
        ),
        // Only an approval that no other decision depends on: to delete one that lifts a freeze is to freeze again, and to delete one
        // that renews another is to say that it ended, which is what the other says.
        Fact::Decision(at, Some(Decision { kind, name, verdict: "Approved", supersedes, .. })) => {
            let depends_on_it = |other: &Fact| match other {
                Fact::Decision(other, Some(d)) => {
                    let renewed = *other != at && d.until.is_some() && (d.kind, &d.name) == (kind, &name);
                    renewed || d.supersedes.contains(&format!("d{at}"))
                }
                _ => false,
            };
            if !supersedes.is_empty() || facts.iter().any(depends_on_it) {
                return None;
            }
            Fact::Decision(at, None)
        }
        Fact::Tenant(at, _) => Fact::Tenant(at, None),
        Fact::Namespace(at, _) => Fact::Namespace(at, None),
        Fact::Assignment(at, _) => Fact::Assignment(at, None),
        Fact::Seen(at, _) => Fact::Seen(at, 60),
        Fact::HubSeen(_) => Fact::HubSeen(60),
        _ => return None,
    })
}

/// A provider of which less is said: nothing at all, or one holding or one field less. When something ends isn't taken away:
/// without that it goes on.
fn less(mut spec: Value, part: usize) -> Option<Value> {
    let optional = ["headquarteredIn", "subjectTo", "operatedFrom", "certifications", "ownership"];
    match part {
        0 => return None,
        part if part <= optional.len() => drop(spec.as_object_mut()?.remove(optional[part - 1])),
        part => {
            let ownership = spec["ownership"].as_array_mut()?;
            let shares: Vec<usize> =
                (0..ownership.len()).filter(|at| ownership[*at]["interest"] != "Control").collect();
            let at = *shares.get(part % shares.len().max(1))?;
            match part / 8 {
                0 | 1 => drop(ownership.remove(at)),
                2 => drop(ownership[at]["holder"].as_object_mut()?.remove("country")),
                _ => drop(ownership[at]["holder"].as_object_mut()?.remove("provider")),
            }
        }
    }
    Some(spec)
}

/// Copies that are to leave or move now and weren't before, unless they only take the place of another copy of the
/// same workload, which was to have it.
fn set_in_motion(before: &Verdicts, after: &Verdicts) -> Vec<(WorkloadKey, SeatVerdict, SeatVerdict)> {
    let mut moved = Vec::new();
    for (key, verdict) in after {
        let Some(old) = before.get(key).filter(|old| old.blocked.is_none()) else { continue };
        let given: Vec<_> = old.seats.iter().filter_map(|seat| target(&seat.wish)).collect();
        for seat in &verdict.seats {
            let same = |other: &&SeatVerdict| other.ordinal == seat.ordinal && other.at == seat.at;
            let Some(old) = old.seats.iter().find(same) else { continue };
            let passed_on = target(&seat.wish).is_some_and(|to| given.contains(&to));
            if is_motion(&seat.wish) && !is_motion(&old.wish) && !passed_on {
                moved.push((key.clone(), old.clone(), seat.clone()));
            }
        }
    }
    moved
}

fn target(wish: &Wish) -> Option<&ClusterName> {
    match wish {
        Wish::Place(to) | Wish::Move { to, .. } => Some(to),
        _ => None,
    }
}

fn is_motion(wish: &Wish) -> bool {
    matches!(wish, Wish::Move { .. } | Wish::Leave)
}

/// Pairs of workload and cluster that nothing bars.
fn open(follower: &Follower) -> Vec<(WorkloadKey, String)> {
    let world = follower.engine.world();
    let mut open = Vec::new();
    for key in world.workloads.keys() {
        let Some(row) = follower.engine.classes().of(key) else { continue };
        for id in world.clusters_by_name() {
            if row.cell(*id).is_open() && !world.is_stale(*id, follower.now) {
                open.push((key.clone(), world.cluster(*id).unwrap().name.to_string()));
            }
        }
    }
    open
}

/// Another provider, approved, with a site and a member that takes anybody.
fn add_a_place(follower: &mut Follower, country: &str) {
    let provider =
        Change::Provider(name("p9"), Some(crate::worlds::read(crate::worlds::owners::flawless(9))));
    let mut approval = approval(9);
    approval.name = "p9".to_owned();
    let decision = Fact::Decision(90, Some(approval)).change(follower.now);
    let site = json!({"operatedBy": "p9", "ownedBy": "p9", "country": country, "state": "Online"});
    let site = Change::Site(name("s9"), Some(worlds::read(site)));
    let ready = json!({"type": "Ready", "status": "True", "reason": "x", "message": "",
                       "lastTransitionTime": "2026-01-01T00:00:00Z"});
    let cluster = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "MemberCluster", "metadata": {"name": "c9"},
        "spec": {"site": "s9", "connection": {"kubeconfigSecret": "x"},
                 "classes": {"storage": {"fast": "a"}, "ingress": {"web": "b"}}},
        "status": {"clusterId": "x", "tenants": ["t0", "t1"], "conditions": [ready]},
    });
    let cluster = Change::Cluster(name("c9"), Some(Box::new(worlds::read(cluster))));
    let seen = Change::Seen(name("c9"), follower.now);
    for change in [provider, decision, site, cluster, seen] {
        follower.apply(change);
    }
}

proptest! {
    #![proptest_config(config(300))]

    #[test]
    fn what_is_taken_away_admits_nobody_and_moves_nothing(facts in world(false), at in any::<prop::sample::Index>(), part in 0..40_usize) {
        let mut follower = settled(&facts);
        let (before, lawful) = (follower.known(), open(&follower));
        let Some(less) = without(at.get(&facts), part, &facts) else { return Ok(()) };
        follower.take(&less);
        follower.settle();
        // That another tenant no longer claims a namespace makes it somebody's again.
        let was_somebodys = |key: &WorkloadKey| before.get(key).is_some_and(|old| old.blocked.is_none());
        let admits = |(key, cluster): &(WorkloadKey, String)| was_somebodys(key) && !lawful.contains(&(key.clone(), cluster.clone()));
        let admitted: Vec<_> = open(&follower).into_iter().filter(admits).collect();
        prop_assert!(admitted.is_empty(), "{:?} admits {:?}", less, admitted);
        let moved = set_in_motion(&before, &follower.known());
        prop_assert!(moved.is_empty(), "{:?} moves {:?}", less, moved);
    }

    #[test]
    fn another_place_moves_only_whoever_prefers_it_or_must_leave(facts in world(false), country in prop::sample::select(vec!["NL", "BE", "DE", "CH"])) {
        let mut follower = settled(&facts);
        let before = follower.known();
        add_a_place(&mut follower, country);
        follower.settle();
        for (key, old, new) in set_in_motion(&before, &follower.known()) {
            let world = follower.engine.world();
            let row = follower.engine.classes().of(&key).unwrap();
            let cell = |cluster| row.cell(world.find_cluster(cluster).unwrap());
            match &new.wish {
                Wish::Move { compulsory: true, .. } => {
                    prop_assert!(matches!(old.wish, Wish::Stuck { .. }), "{} {:?} {:?}", key, old, new);
                }
                Wish::Move { to, .. } => {
                    prop_assert!(cell(to).tier < cell(new.at.as_ref().unwrap()).tier_at_best);
                    prop_assert!(!row.class.preferences.is_empty());
                }
                other => prop_assert!(false, "{} {:?}", key, other),
            }
        }
    }

    #[test]
    fn a_routine_approval_lifts_nothing(facts in world(false), subject in decision(), names_all in any::<bool>()) {
        let mut follower = settled(&facts);
        let before = follower.known();
        let supersedes = if names_all { (0..worlds::DECISIONS).map(|at| format!("d{at}")).collect() } else { vec![] };
        let authority = if names_all { "nobody" } else { subject.authority };
        let routine = Decision { verdict: "Approved", supersedes, authority, ..subject };
        follower.take(&Fact::Decision(90, Some(routine)));
        follower.settle();
        let after = follower.known();
        for (key, old) in &before {
            for (old, new) in old.seats.iter().zip(&after[key].seats) {
                let kept = matches!(old.wish, Wish::Freeze | Wish::Suspend);
                prop_assert!(!kept || old.wish == new.wish, "{} {:?} {:?}", key, old, new);
            }
        }
    }
}
