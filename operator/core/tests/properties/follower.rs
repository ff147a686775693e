//! Whoever follows an engine: keeps the last verdict on each workload, and asks again only where told to.

use std::collections::BTreeMap;

use domicile_core::{
    Change, Engine,
    decide::{Verdict, Wish, decide},
};
use domicile_crds::{SeatPhase, WorkloadKey};
use jiff::{SignedDuration, Timestamp};

use crate::worlds::{CLUSTERS, Fact, index, start};

pub(crate) struct Follower {
    pub(crate) engine: Engine,
    pub(crate) now: Timestamp,
    pub(crate) last: BTreeMap<WorkloadKey, Verdict>,
}

pub(crate) type Verdicts = BTreeMap<WorkloadKey, Verdict>;

/// The verdicts without their horizons, which may be nearer than needed.
pub(crate) fn plain(verdicts: impl IntoIterator<Item = Verdict>) -> Verdicts {
    let strip = |verdict: Verdict| (verdict.key.clone(), Verdict { next: None, ..verdict });
    verdicts.into_iter().map(strip).collect()
}

impl Follower {
    pub(crate) fn new(facts: &[Fact]) -> Self {
        let mut follower = Self { engine: Engine::default(), now: start(), last: BTreeMap::new() };
        for fact in facts {
            follower.take(fact);
        }
        follower
    }

    pub(crate) fn take(&mut self, fact: &Fact) {
        self.engine.apply(fact.change(self.now), self.now);
    }

    pub(crate) fn pass(&mut self, time: SignedDuration) {
        self.now += time;
    }

    /// All is seen just now.
    pub(crate) fn see(&mut self) {
        (0..CLUSTERS).for_each(|at| self.take(&Fact::Seen(at, 0)));
        self.take(&Fact::HubSeen(0));
    }

    /// Decides anew where told to, until nothing is left to look at.
    pub(crate) fn settle(&mut self) {
        for _ in 0..20 {
            self.engine.advance(self.now);
            let keys = self.engine.take_dirty();
            let verdicts = self.engine.decide(&keys, self.now);
            for key in &keys {
                self.last.remove(key);
            }
            self.last.extend(verdicts.into_iter().map(|verdict| (verdict.key.clone(), verdict)));
            if self.engine.is_settled() {
                return;
            }
        }
        panic!("it never settles");
    }

    /// What is followed, without horizons.
    pub(crate) fn known(&self) -> Verdicts {
        plain(self.last.values().cloned())
    }

    /// What is decided from nothing.
    pub(crate) fn reference(&self) -> Verdicts {
        plain(decide(self.engine.world(), self.now))
    }

    /// Records what is to be placed and moved, and gives up moves that go elsewhere. Answers whether there was any.
    pub(crate) fn act(&mut self) -> bool {
        let world = self.engine.world();
        let mut changes = Vec::new();
        for (key, verdict) in &self.last {
            let recorded = world.assignments.get(key).map_or_else(Vec::new, |a| a.spec.seats.clone());
            let is_leaving = |phase| phase == SeatPhase::Leaving;
            let mut seats: Vec<_> =
                recorded.iter().map(|s| (s.ordinal, cluster(&s.cluster), is_leaving(s.phase))).collect();
            for seat in &verdict.seats {
                match &seat.wish {
                    Wish::Place(to) => seats.push((seat.ordinal, cluster(to), false)),
                    Wish::Move { to, .. } => {
                        let running = world.running_moves(key).find(|m| m.spec.seat == seat.ordinal);
                        let other = running.filter(|m| m.spec.to != *to);
                        if running.is_none() || other.is_some() {
                            let from = cluster(seat.at.as_ref().unwrap());
                            let (to, ended) = (cluster(other.map_or(to, |m| &m.spec.to)), other.is_some());
                            changes.push(Fact::Migration(index(key), Some((seat.ordinal, from, to, ended))));
                        }
                    }
                    _ => {}
                }
            }
            if seats.len() != recorded.len() {
                changes.push(Fact::Assignment(index(key), Some(seats)));
            }
        }
        for fact in &changes {
            self.take(fact);
        }
        !changes.is_empty()
    }

    pub(crate) fn apply(&mut self, change: Change) {
        self.engine.apply(change, self.now);
    }
}

fn cluster(name: &domicile_crds::ClusterName) -> usize {
    name.as_str().trim_start_matches('c').parse().unwrap()
}
