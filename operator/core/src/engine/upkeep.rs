//! Bringing the answers up to date, and noting whom that concerns.

use std::collections::{BTreeSet, HashMap};

use domicile_crds::{MigrationMode, WorkloadKey};
use jiff::{SignedDuration, Timestamp};

use super::Engine;
use crate::{
    class::ClassId,
    decide::{Verdict, decided},
    eligibility::Cell,
    world::{ClusterId, OBSERVATION_AGE_MAX},
};

/// The first instant at which what was seen at `seen` is too old.
pub(super) fn stale_from(seen: Timestamp) -> Timestamp {
    let least = SignedDuration::from_nanos(1);
    seen.checked_add(OBSERVATION_AGE_MAX + least).unwrap_or(Timestamp::MAX)
}

impl Engine {
    /// Judges again what was touched by changes, and what has changed by itself until `now`.
    pub fn advance(&mut self, now: Timestamp) {
        self.age(now);
        self.dirty.extend(self.pending.due(now).cloned());
        self.judge(now);
        let news = std::mem::take(&mut self.touched.news);
        self.dirty.extend(self.pending.concerned(&self.world, &self.classes, &news).cloned());
    }

    /// When [`advance`](Self::advance) has something to do next: in the past if it has already.
    ///
    /// # Guarantees
    ///
    /// Whoever advances and decides at these instants misses nothing that changes by itself.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        if !self.is_settled() {
            return Some(Timestamp::MIN);
        }
        let classes = self.classes.ids().filter_map(|id| self.classes.row(id)?.next).min();
        let seen = self.ageing.first().map(|(at, _)| *at);
        [classes, seen, self.hub_stale_from, self.pending.next()].into_iter().flatten().min()
    }

    /// Decides for `keys`, as they stood when last [advanced](Self::advance).
    #[must_use]
    pub fn decide(&mut self, keys: &BTreeSet<WorkloadKey>, now: Timestamp) -> Vec<Verdict> {
        let mut verdicts = Vec::with_capacity(keys.len());
        for key in keys {
            let promised = self.pending.forget(key);
            let class = self.classes.id_of(key);
            let row = class.and_then(|class| self.classes.row(class));
            let decided = decided(&self.world, row, key, self.pending.promised(), now);
            let kept = decided.as_ref().map_or(&[][..], |decided| &decided.chosen);
            let freed = promised.into_iter().filter(|id| !kept.contains(id));
            self.touched.news.freed.extend(freed);
            if let Some(decided) = decided {
                self.pending.note(class, &decided);
                verdicts.push(decided.verdict);
            }
        }
        if !self.pending.lacks_room() {
            self.touched.news.freed.clear();
        }
        verdicts
    }

    /// What was seen too long ago is so from now on.
    fn age(&mut self, now: Timestamp) {
        if self.hub_stale_from.is_some_and(|at| at <= now) {
            self.hub_stale_from = None;
            self.dirty.extend(self.world.workloads.keys().cloned());
        }
        while let Some((at, id)) = self.ageing.first().copied()
            && at <= now
        {
            self.ageing.pop_first();
            self.concerns(id);
        }
    }

    /// Looks again at whoever is on a cluster or was given it.
    pub(super) fn concerns(&mut self, id: ClusterId) {
        self.dirty.extend(self.on_cluster.get(&id).into_iter().flatten().cloned());
        self.touched.news.closed.insert(id);
    }

    /// A cluster is larger or smaller now: what waits may have room there, and what is on its way there may go on, or not.
    pub(super) fn resized(&mut self, id: ClusterId) {
        self.touched.news.freed.insert(id);
        self.touched.news.closed.insert(id);
        let there = self.on_cluster.get(&id).into_iter().flatten();
        let arrives = |key: &&WorkloadKey| {
            self.world.running_moves(key).any(|m| self.world.find_cluster(&m.spec.to) == Some(id))
        };
        self.dirty.extend(there.filter(arrives).cloned());
    }

    /// Judges clusters again for each class, and notes whom the differences concern.
    fn judge(&mut self, now: Timestamp) {
        let touched = std::mem::take(&mut self.touched.clusters);
        let sets = std::mem::take(&mut self.touched.sets);
        let tenants = std::mem::take(&mut self.touched.tenants);
        let reopened = std::mem::take(&mut self.touched.reopened);
        let providers = std::mem::take(&mut self.touched.providers);
        let mut changed: HashMap<ClusterId, Vec<ClassId>> = HashMap::new();
        for class in self.classes.ids() {
            let Some(row) = self.classes.row(class) else { continue };
            let is_new = !row.is_judged();
            let all = tenants.contains(&row.class.tenant) || sets.iter().any(|set| row.class.names(set));
            let cells = if all {
                let every = self.world.clusters_by_name().iter().copied();
                self.classes.refresh(&self.world, class, every, now)
            } else {
                let otherwise = providers.then(|| self.classes.hosted_otherwise(&self.world, class, now));
                let clusters = touched.iter().copied().chain(otherwise.into_iter().flatten());
                self.classes.refresh(&self.world, class, clusters, now)
            };
            // Whoever made a class new is looked at anyway.
            if !is_new {
                self.spread(class, &cells, &reopened);
                for (id, _) in cells {
                    changed.entry(id).or_default().push(class);
                }
            }
        }
        for (id, classes) in changed {
            let there = self.on_cluster.get(&id).into_iter().flatten();
            let concerned = there.filter(|key| {
                self.classes.id_of(key).is_some_and(|class| classes.binary_search(&class).is_ok())
            });
            self.dirty.extend(concerned.cloned());
        }
    }

    /// Notes whom differences of a class concern that aren't on these clusters: whoever looks for a place, and
    /// whoever is at one that is less preferred.
    fn spread(&mut self, class: ClassId, cells: &[(ClusterId, Cell)], reopened: &BTreeSet<ClusterId>) {
        let Some(row) = self.classes.row(class) else { return };
        let differs = |(id, old): &&(ClusterId, Cell)| {
            let new = row.cell(*id);
            (old.is_open(), old.tier) != (new.is_open(), new.tier) && (old.is_open() || new.is_open())
        };
        let differing = cells.iter().filter(differs).map(|(id, _)| *id);
        let mut any = false;
        let mut best = u16::MAX;
        for id in differing.chain(reopened.iter().copied()) {
            any = true;
            let cell = row.cell(id);
            if cell.is_open() {
                best = best.min(cell.tier);
            }
        }
        if !any {
            return;
        }
        self.touched.news.classes.insert(class);
        let tenant = self.world.tenants.get(&row.class.tenant);
        let attracts = tenant.is_some_and(|tenant| tenant.migration.mode != MigrationMode::Manual);
        let less_preferred = |id: &ClusterId| row.cell(*id).tier_at_best > best;
        if attracts && self.world.clusters_by_name().iter().any(less_preferred) {
            let drawn =
                |key: &&WorkloadKey| self.used_by.get(*key).is_some_and(|at| at.iter().any(less_preferred));
            self.dirty.extend(row.members.iter().filter(drawn).cloned());
        }
    }
}
