//! The two opinions held against each other on random worlds: what decides, and what was written from the same
//! page (docs/rules.md) without looking at it.
//!
//! Left out is what only one of them knows: how full a cluster is with others, and labels of namespaces on the hub.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "it is all one test: what is missing fails it"
)]

use std::{collections::BTreeSet, sync::Arc};

use domicile_check::{Act, Facts, Forbidden, Halt, Removal, Rule as Checked, What, check};
use domicile_core::{
    Change, Engine, Rule,
    class::ClassRow,
    decide::{Obstacle, SeatVerdict, Verdict, Wish, decide},
    eligibility::judge_workload,
    moves::Proposal,
    world::ClusterId,
};
use domicile_crds::{
    Assignment, Cause, CauseKind, ClusterName, CountrySet, Decision, HostingProvider, Installation,
    InstallationSpec, MemberCluster, Seat, SeatPhase, Site, Tenant, TenantWorkload, WorkloadKey,
};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::json;

#[cfg(test)]
#[path = "../../operator/core/tests/properties/worlds.rs"]
#[allow(dead_code, clippy::needless_pass_by_value, reason = "made for the properties of the core")]
mod worlds;

use worlds::{Fact, config, fact, start, world};

/// The same facts, as each of the two keeps them.
struct Both {
    engine: Engine,
    facts: Facts,
    workloads: std::collections::BTreeMap<WorkloadKey, TenantWorkload>,
    now: Timestamp,
    /// Approving and lifting takes two users; every second Decision is by another.
    two_persons: bool,
}

impl Both {
    fn new(facts: &[Fact], two_persons: bool) -> Self {
        let mut both = Self {
            engine: Engine::default(),
            facts: Facts::default(),
            workloads: std::collections::BTreeMap::new(),
            now: start(),
            two_persons,
        };
        let installation: InstallationSpec =
            serde_json::from_value(json!({"twoPersonRule": two_persons})).unwrap();
        both.engine.apply(Change::Installation(Some(installation.clone())), both.now);
        both.facts.installation(Arc::new(Installation::new("default", installation)));
        for fact in facts {
            both.take(fact);
        }
        both
    }

    fn take(&mut self, fact: &Fact) {
        let mut change = fact.change(self.now);
        if let Change::Decision(name, Some(spec)) = &mut change
            && self.two_persons
            && name.as_str().ends_with(['1', '3', '5', '7', '9'])
        {
            "bob".clone_into(&mut Arc::make_mut(spec).decided_by);
        }
        self.check_learns(change.clone());
        self.engine.apply(change, self.now);
    }

    fn check_learns(&mut self, change: Change) {
        let facts = &mut self.facts;
        match change {
            Change::CountrySet(name, Some(spec)) => {
                facts.country_set(Arc::new(CountrySet::new(name.as_str(), spec)));
            }
            Change::CountrySet(name, None) => facts.remove_country_set(name.as_str()),
            Change::Provider(name, Some(spec)) => {
                facts.provider(Arc::new(HostingProvider::new(name.as_str(), (*spec).clone())));
            }
            Change::Provider(name, None) => facts.remove_provider(name.as_str()),
            Change::Site(name, Some(spec)) => facts.site(Arc::new(Site::new(name.as_str(), spec))),
            Change::Site(name, None) => facts.remove_site(name.as_str()),
            Change::Cluster(_, Some(object)) => facts.member(Arc::<MemberCluster>::from(object)),
            Change::Cluster(name, None) => facts.remove_member(name.as_str()),
            Change::Seen(name, at) => facts.member_seen(&name, at),
            Change::HubSeen(at) => facts.hub_seen(at),
            Change::NamespaceTaken(name, namespace, true) => facts.namespace_seen(&name, &namespace, None),
            Change::NamespaceTaken(name, namespace, false) => facts.remove_namespace(&name, &namespace),
            Change::Decision(name, Some(spec)) => {
                facts.decision(Arc::new(Decision::new(name.as_str(), (*spec).clone())));
            }
            Change::Decision(name, None) => facts.remove_decision(name.as_str()),
            Change::Tenant(name, Some(spec)) => facts.tenant(Arc::new(Tenant::new(name.as_str(), *spec))),
            Change::Tenant(name, None) => facts.remove_tenant(name.as_str()),
            Change::Workload(key, Some(object)) => drop(self.workloads.insert(key, *object)),
            Change::Workload(key, None) => drop(self.workloads.remove(&key)),
            Change::Namespace(..)
            | Change::Originals(..)
            | Change::Assignment(..)
            | Change::Migration(..)
            | Change::Relocation(..)
            | Change::Exposure(..)
            | Change::Secret(..)
            | Change::Installation(..) => {}
        }
    }

    fn verdicts(&mut self) -> Vec<Verdict> {
        self.engine.advance(self.now);
        decide(self.engine.world(), self.now)
    }

    fn row(&self, key: &WorkloadKey) -> Option<&ClassRow> {
        self.engine.classes().of(key)
    }

    fn id(&self, cluster: &ClusterName) -> ClusterId {
        self.engine.world().find_cluster(cluster).unwrap()
    }

    fn is_stale(&self, cluster: &ClusterName) -> bool {
        self.engine.world().is_stale(self.id(cluster), self.now)
    }

    fn exists(&self, cluster: &ClusterName) -> bool {
        self.engine.world().cluster(self.id(cluster)).is_some_and(|row| row.fact.is_some())
    }

    fn clusters(&self) -> Vec<ClusterName> {
        let world = self.engine.world();
        world.clusters_by_name().iter().map(|id| world.cluster(*id).unwrap().name.clone()).collect()
    }

    fn assignment(&self, key: &WorkloadKey) -> Option<Assignment> {
        let fact = self.engine.world().assignments.get(key)?;
        let mut object = Assignment::new(key.name.as_str(), (*fact.spec).clone());
        object.metadata.namespace = Some(key.namespace.to_string());
        Some(object)
    }

    /// What the second opinion has against an act.
    fn objections(
        &self,
        key: &WorkloadKey,
        cluster: &ClusterName,
        assignment: Option<&Assignment>,
        what: What<'_>,
    ) -> Vec<Forbidden> {
        let workload = &self.workloads[key];
        let act = Act {
            tenant: &self.row(key).unwrap().class.tenant,
            key,
            uid: workload.metadata.uid.as_deref().unwrap(),
            workload: Some(workload),
            assignment,
            cluster,
            seen: &[],
            what,
        };
        let violations = check(&self.facts, &act, self.now).err().unwrap_or_default();
        violations.into_iter().map(|violation| violation.fact).collect()
    }

    /// Rules that fail or, with a question mark, can't be told: by the one that decides.
    fn decided(&self, key: &WorkloadKey, cluster: &ClusterName) -> BTreeSet<String> {
        let (world, id, row) = (self.engine.world(), self.id(cluster), self.row(key).unwrap());
        let cell = row.cell(id);
        let mut horizon = domicile_core::Horizon::new(self.now);
        let own = judge_workload(world, &row.class.tenant, key, id, &mut horizon);
        let stale = world.is_stale(id, self.now).then_some(Rule::ObservationStale);
        let failing = cell.failing.union(own).iter().chain(stale).map(|rule| rule.to_string());
        failing.chain(cell.unknown.iter().map(|rule| format!("{rule}?"))).collect()
    }

    /// The same by the second opinion on a new placement.
    fn checked(&self, key: &WorkloadKey, cluster: &ClusterName) -> BTreeSet<String> {
        let told = |fact: Forbidden| match fact {
            // Never seen, it is as good as seen too long ago.
            Forbidden::Unknown { rule: Checked::ObservationStale, .. } => "ObservationStale".to_owned(),
            Forbidden::Unknown { rule, .. } => format!("{rule}?"),
            Forbidden::SecondPersonMissing { .. } => Rule::NotApproved.to_string(),
            fact => fact.name().to_owned(),
        };
        self.objections(key, cluster, None, What::Place).into_iter().map(told).collect()
    }

    /// What the second opinion has against planning a move of a copy.
    fn against_moving(
        &self,
        key: &WorkloadKey,
        seat: &Seat,
        to: &ClusterName,
        cause: &Cause,
    ) -> Vec<Forbidden> {
        let tenant = &self.row(key).unwrap().class.tenant;
        let compulsory = cause.kind != CauseKind::PreferredPlace;
        let proposal = Proposal { key, tenant, seat, to, cause, compulsory };
        let (_, migration) = proposal.record(self.engine.world()).unwrap();
        self.objections(key, to, self.assignment(key).as_ref(), What::PlanMove { migration: &migration })
    }
}

/// What the second opinion has against doing as the verdict says, for one copy.
fn against(both: &Both, verdict: &Verdict, seat: &SeatVerdict) -> Vec<Forbidden> {
    let key = &verdict.key;
    let assignment = both.assignment(key);
    let recorded = assignment.iter().flat_map(|a| &a.spec.seats).find(|s| s.ordinal == seat.ordinal);
    match (&seat.wish, seat.at.as_ref(), recorded) {
        (Wish::Place(to), ..) => both.objections(key, to, assignment.as_ref(), What::Place),
        (Wish::Move { to, cause, .. }, Some(at), Some(recorded)) => {
            let running = both.engine.world().running_moves(key).find(|m| m.spec.seat == seat.ordinal);
            match running.filter(|m| m.spec.to == *to) {
                None => both.against_moving(key, recorded, to, cause),
                // It goes on, unless its target can't be reached for the time being.
                Some(_) if both.is_stale(to) => vec![],
                Some(_) => {
                    let what = What::Apply { objects: &both.workloads[key].spec.manifests, from: Some(at) };
                    both.objections(key, to, assignment.as_ref(), what)
                }
            }
        }
        (Wish::Stay, Some(at), _) => {
            let what = What::Apply { objects: &both.workloads[key].spec.manifests, from: None };
            both.objections(key, at, assignment.as_ref(), what)
        }
        // Without the MemberCluster nothing can be written there; the wish stands.
        (Wish::Suspend, Some(at), _) if !both.exists(at) => vec![],
        (Wish::Suspend, Some(at), _) => {
            let what = What::ScaleToZero { objects: &[], because: Halt::Suspended };
            let mut objections = both.objections(key, at, assignment.as_ref(), what);
            // The wish stands, also while nothing can be done for it.
            objections.retain(|fact| {
                fact.rule() != Some(Checked::ObservationStale) && fact.rule() != Some(Checked::NamespaceTaken)
            });
            objections
        }
        (Wish::Leave, Some(at), _) => {
            let mut left = assignment.clone().unwrap();
            for other in verdict.seats.iter().filter(|other| other.wish == Wish::Leave) {
                let leaving = left.spec.seats.iter_mut().find(|s| s.ordinal == other.ordinal).unwrap();
                leaving.phase = SeatPhase::Leaving;
            }
            let what = What::Remove { objects: &[], keeps_claims: true, because: Removal::SeatDropped };
            let mut objections = both.objections(key, at, Some(&left), what);
            // The others may not have their places yet.
            objections.retain(|fact| !matches!(fact, Forbidden::SeatStillWanted { .. }));
            objections
        }
        _ => vec![],
    }
}

fn worlds_in_time() -> impl Strategy<Value = (Vec<Fact>, Vec<Fact>, i64, bool)> {
    (world(false), proptest::collection::vec(fact(false), 0..8), 0..30_i64, any::<bool>())
}

/// The other user's, of an approval.
fn second_approval(fact: &Fact) -> Option<Fact> {
    let Fact::Decision(at, Some(decision)) = fact else { return None };
    (decision.verdict == "Approved").then(|| Fact::Decision(at + 101, Some(decision.clone())))
}

fn both_of((facts, changes, minutes, two_persons): &(Vec<Fact>, Vec<Fact>, i64, bool)) -> Both {
    let mut both = Both::new(facts, *two_persons);
    // What a world begins with is approved by both, so that something runs.
    let approved: Vec<Fact> = facts.iter().filter_map(second_approval).filter(|_| *two_persons).collect();
    for fact in &approved {
        both.take(fact);
    }
    both.now += SignedDuration::from_mins(*minutes);
    for fact in facts.iter().filter(|fact| matches!(fact, Fact::Seen(..) | Fact::HubSeen(_))).chain(changes) {
        both.take(fact);
    }
    both
}

proptest! {
    #![proptest_config(config(300))]

    /// They agree on every cluster about every rule: which fails and which can't be told.
    #[test]
    fn they_agree_on_every_rule(drawn in worlds_in_time()) {
        let mut both = both_of(&drawn);
        for verdict in both.verdicts().iter().filter(|verdict| verdict.blocked.is_none()) {
            for cluster in both.clusters() {
                let (decided, checked) = (both.decided(&verdict.key, &cluster), both.checked(&verdict.key, &cluster));
                if both.exists(&cluster) {
                    prop_assert_eq!(decided, checked, "{} on {}", verdict.key, cluster);
                } else {
                    // Without the MemberCluster one rule stands for all.
                    prop_assert!(!decided.is_empty() && !checked.is_empty());
                }
            }
        }
    }

    /// The second opinion has nothing against what is decided.
    #[test]
    fn nothing_is_decided_that_the_second_opinion_forbids(drawn in worlds_in_time()) {
        let mut both = both_of(&drawn);
        for verdict in both.verdicts().iter().filter(|verdict| verdict.blocked.is_none()) {
            for seat in &verdict.seats {
                let objections = against(&both, verdict, seat);
                prop_assert!(objections.is_empty(), "{} {:?}: {:?}", verdict.key, seat, objections);
            }
        }
    }

    /// Nor does it know of a lawful place or a reason to move that was overlooked.
    #[test]
    fn nothing_is_overlooked_that_the_second_opinion_allows(drawn in worlds_in_time()) {
        let mut both = both_of(&drawn);
        for verdict in both.verdicts().iter().filter(|verdict| verdict.blocked.is_none()) {
            let key = &verdict.key;
            let assignment = both.assignment(key);
            let is_used = |cluster: &ClusterName| both.engine.on_cluster(cluster).any(|other| other == key);
            for seat in verdict.seats.iter().filter(|seat| seat.ordinal < both.workloads[key].spec.clusters.count) {
                for cluster in both.clusters().into_iter().filter(|cluster| !is_used(cluster)) {
                    let recorded = assignment.iter().flat_map(|a| &a.spec.seats).find(|s| s.ordinal == seat.ordinal);
                    let moving = |kind| {
                        let cause = Cause { kind, subject: "x".to_owned() };
                        both.against_moving(key, recorded.unwrap(), &cluster, &cause)
                    };
                    let overlooked = match &seat.wish {
                        Wish::Wait => both.objections(key, &cluster, assignment.as_ref(), What::Place).is_empty(),
                        Wish::Stuck { obstacle: Obstacle::NoLawfulPlace, .. } | Wish::Hold | Wish::Freeze | Wish::Suspend => {
                            moving(CauseKind::Draining).is_empty()
                        }
                        Wish::Stay => {
                            let cell = both.row(key).unwrap().cell(both.id(seat.at.as_ref().unwrap()));
                            // Where a set is missing, the one that decides takes the copy's place for the better one.
                            let told = cell.tier == cell.tier_at_best;
                            // A move whose cause is gone is wound up before another is thought of.
                            let runs = both.engine.world().running_moves(key).any(|m| m.spec.seat == seat.ordinal);
                            moving(CauseKind::Draining).is_empty()
                                || (told && !runs && moving(CauseKind::PreferredPlace).is_empty())
                        }
                        _ => false,
                    };
                    let given = verdict.seats.iter().any(|other| matches!(&other.wish, Wish::Place(to) | Wish::Move { to, .. } if *to == cluster));
                    prop_assert!(!overlooked || given, "{} {:?}: {}", key, seat, cluster);
                }
            }
        }
    }
}
