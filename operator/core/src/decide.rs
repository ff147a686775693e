//! What should become of a workload: pure, total, and the same for whoever asks.

use std::collections::{BTreeSet, HashMap};

use domicile_crds::{
    Cause, CauseKind, ClusterName, MigrationMode, OnApprovalExpired, SiteState, SpreadBy, WorkloadKey,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    Horizon, Rule, RuleSet, World,
    class::{ClassRow, Classes},
    eligibility::{Cell, explain, judge_workload},
    facts::WorkloadFact,
    manifests::{ManifestError, Manifests, fnv1a},
    quantity::Resources,
    world::{ClusterId, Homeless},
};

/// How long a cluster must have been ready before anything moves there by preference.
///
/// A cluster that comes and goes would otherwise attract what must then wait for it.
pub const PREFERENCE_SETTLE: SignedDuration = SignedDuration::from_mins(1);

/// What should become of a workload, with what it rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Which workload.
    pub key: WorkloadKey,
    /// What should become of each copy, by ordinal.
    pub seats: Vec<SeatVerdict>,
    /// Why nothing can be done at all.
    pub blocked: Option<Blocked>,
    /// When this can change by itself.
    pub next: Option<Timestamp>,
}

/// What should become of one copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeatVerdict {
    /// Which copy.
    pub ordinal: i32,
    /// Where it is; `None` if it has no place.
    pub at: Option<ClusterName>,
    /// Rules that fail where it is.
    pub failing: RuleSet,
    /// Rules that can't be told where it is.
    pub unknown: RuleSet,
    /// What to do.
    pub wish: Wish,
}

/// What to do with a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Place it there.
    Place(ClusterName),
    /// No cluster may have it.
    Wait,
    /// Leave it where it is and keep it up to date.
    Stay,
    /// Leave it exactly as it is: no rule drives it away, but one forbids new bytes.
    Hold,
    /// Scale it to zero and keep its data.
    Suspend,
    /// Nothing in, out or deleted.
    Freeze,
    /// Move it.
    Move {
        /// To where.
        to: ClusterName,
        /// Why.
        cause: Cause,
        /// Whatever the tenant's mode and windows say.
        compulsory: bool,
    },
    /// It should move and can't: left as it is, loudly.
    Stuck {
        /// Why it should move.
        cause: Cause,
        /// Why it can't.
        obstacle: Obstacle,
    },
    /// The workload asks for fewer copies now.
    Leave,
}

/// Why a move that should be made can't.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// No cluster may have it.
    NoLawfulPlace,
    /// It keeps data in volumes, which aren't moved yet.
    VolumesNotMovable,
}

/// Why nothing can be done for a workload at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Blocked {
    /// Its manifests can't be run for a tenant.
    ManifestRejected(ManifestError),
    /// Its namespace is nobody's.
    Homeless(Homeless),
}

/// Places given away in the same round, before they are recorded.
#[derive(Clone, Debug, Default)]
pub struct Overlay(HashMap<ClusterId, Resources>);

impl Overlay {
    fn used(&self, world: &World, id: ClusterId) -> Resources {
        let mut used = world.cluster(id).map(|row| row.used).unwrap_or_default();
        used += self.0.get(&id).copied().unwrap_or_default();
        used
    }

    fn reserve(&mut self, world: &World, verdict: &Verdict) {
        let demand =
            world.workloads.get(&verdict.key).and_then(|w| w.manifests.as_ref().ok()).map(|m| m.demand);
        for seat in &verdict.seats {
            if let (Wish::Place(to) | Wish::Move { to, .. }, Some(demand)) = (&seat.wish, demand)
                && let Some(id) = world.find_cluster(to)
            {
                *self.0.entry(id).or_default() += demand;
            }
        }
    }
}

/// Decides for each of `keys`, in order; places given to one are not given to the next.
pub fn decide_all<'a>(
    world: &World,
    classes: &Classes,
    keys: impl IntoIterator<Item = &'a WorkloadKey>,
    now: Timestamp,
) -> Vec<Verdict> {
    let mut overlay = Overlay::default();
    let mut verdicts = Vec::new();
    for key in keys {
        let Some(verdict) = decide_one(world, classes, key, &overlay, now) else { continue };
        overlay.reserve(world, &verdict);
        verdicts.push(verdict);
    }
    verdicts
}

/// The reference: everything from nothing, without a cache. What the operator keeps up to date piece by
/// piece must always equal this.
#[must_use]
pub fn decide(world: &World, now: Timestamp) -> Vec<Verdict> {
    let mut classes = Classes::default();
    for key in world.workloads.keys() {
        classes.classify(world, key, now);
    }
    decide_all(world, &classes, world.workloads.keys(), now)
}

/// Decides for one workload. `None` if there is no such workload.
#[must_use]
pub fn decide_one(
    world: &World,
    classes: &Classes,
    key: &WorkloadKey,
    overlay: &Overlay,
    now: Timestamp,
) -> Option<Verdict> {
    let workload = world.workloads.get(key)?;
    let (Some(row), Ok(manifests)) = (classes.of(key), &workload.manifests) else {
        return Some(blocked(world, key, workload));
    };
    let horizon = Horizon::new(now);
    let mut case = Case { world, row, key, workload, manifests, overlay, horizon, taken: BTreeSet::new() };
    Some(case.decide())
}

fn blocked(world: &World, key: &WorkloadKey, workload: &WorkloadFact) -> Verdict {
    let reason = match &workload.manifests {
        Err(error) => Blocked::ManifestRejected(error.clone()),
        Ok(_) => Blocked::Homeless(world.tenant_of(&key.namespace).err().unwrap_or(Homeless::NotSeen)),
    };
    let hold = |seat: &&domicile_crds::Seat| SeatVerdict {
        ordinal: seat.ordinal,
        at: Some(seat.cluster.clone()),
        failing: RuleSet::EMPTY,
        unknown: RuleSet::LEGAL,
        wish: Wish::Hold,
    };
    let seats = world.active_seats(key).iter().map(hold).collect();
    Verdict { key: key.clone(), seats, blocked: Some(reason), next: None }
}

/// One workload, looked at.
struct Case<'a> {
    world: &'a World,
    row: &'a ClassRow,
    key: &'a WorkloadKey,
    workload: &'a WorkloadFact,
    manifests: &'a Manifests,
    overlay: &'a Overlay,
    horizon: Horizon,
    /// Clusters that one of its copies has or gets.
    taken: BTreeSet<ClusterId>,
}

impl Case<'_> {
    fn decide(&mut self) -> Verdict {
        let world = self.world;
        let used = world.clusters_used_by(self.key);
        self.taken = used.iter().filter_map(|name| world.find_cluster(name)).collect();
        let mut seats = Vec::new();
        for seat in world.active_seats(self.key) {
            let verdict = self.seat(seat.ordinal, &seat.cluster);
            if let Wish::Move { to, .. } = &verdict.wish {
                self.taken.extend(world.find_cluster(to));
            }
            seats.push(verdict);
        }
        let recorded = world.assignments.get(self.key);
        let leaving: BTreeSet<i32> =
            recorded.into_iter().flat_map(|a| a.spec.seats.iter().map(|seat| seat.ordinal)).collect();
        for ordinal in (0..self.workload.clusters.count).filter(|ordinal| !leaving.contains(ordinal)) {
            let target = self.choose(0..u16::MAX);
            self.taken.extend(target);
            let place = target.and_then(|id| world.cluster(id)).map(|row| Wish::Place(row.name.clone()));
            if place.is_none() {
                self.note(self.row.next);
            }
            seats.push(SeatVerdict {
                ordinal,
                at: None,
                failing: RuleSet::EMPTY,
                unknown: RuleSet::EMPTY,
                wish: place.unwrap_or(Wish::Wait),
            });
        }
        seats.sort_by_key(|seat| seat.ordinal);
        Verdict { key: self.key.clone(), seats, blocked: None, next: self.horizon.next() }
    }

    fn note(&mut self, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.horizon.note(at);
        }
    }

    /// What should become of a copy that is somewhere.
    fn seat(&mut self, ordinal: i32, cluster: &ClusterName) -> SeatVerdict {
        let (world, now) = (self.world, self.horizon.now());
        let Some(id) = world.find_cluster(cluster) else {
            let unknown = RuleSet::LEGAL.with(Rule::ClusterNotReady);
            let (at, failing, wish) = (Some(cluster.clone()), RuleSet::EMPTY, Wish::Hold);
            return SeatVerdict { ordinal, at, failing, unknown, wish };
        };
        let cell = self.row.cell(id);
        self.note(cell.next);
        let own = judge_workload(world, &self.row.class.tenant, self.key, id, &mut self.horizon);
        let mut failing = cell.failing.union(own);
        if world.is_stale(id, now) {
            failing.insert(Rule::ObservationStale);
        }
        let wish = self.react(ordinal, id, failing, cell);
        SeatVerdict { ordinal, at: Some(cluster.clone()), failing, unknown: cell.unknown, wish }
    }

    /// The table of docs/rules.md: the first row that applies wins.
    fn react(&mut self, ordinal: i32, id: ClusterId, failing: RuleSet, cell: Cell) -> Wish {
        if failing.contains(Rule::ApprovalSuspended) {
            return Wish::Suspend;
        }
        if !failing.intersection(RuleSet::FREEZING).is_empty() {
            return Wish::Freeze;
        }
        if ordinal >= self.workload.clusters.count {
            // Nothing is deleted where a freeze can't be ruled out.
            let frozen = self.world.site_of(id).is_none() || failing.contains(Rule::ObservationStale);
            return if frozen { Wish::Hold } else { Wish::Leave };
        }
        if let Some((kind, rule)) = self.driver(id, failing, cell.evacuating) {
            let cause = Cause { kind, subject: self.subject(id, rule, kind) };
            return self.relocate(ordinal, id, cause);
        }
        let leaving = self.world.cluster(id).and_then(|row| row.fact.as_ref()).is_some_and(|f| f.leaving);
        if leaving || !failing.union(cell.unknown).intersection(RuleSet::BARRING).is_empty() {
            return Wish::Hold;
        }
        self.prefer(ordinal, id).unwrap_or(Wish::Stay)
    }

    /// What drives a copy away, if anything does.
    fn driver(&self, id: ClusterId, failing: RuleSet, evacuating: bool) -> Option<(CauseKind, Option<Rule>)> {
        let expired_leaves = self
            .world
            .tenants
            .get(&self.row.class.tenant)
            .is_some_and(|tenant| tenant.on_approval_expired == OnApprovalExpired::Evacuate);
        if failing.contains(Rule::ApprovalRevoked) {
            Some((CauseKind::ApprovalRevoked, Some(Rule::ApprovalRevoked)))
        } else if failing.contains(Rule::CountryDenied) {
            Some((CauseKind::ResidencyChanged, Some(Rule::CountryDenied)))
        } else if failing.contains(Rule::CountryNotAllowed) {
            Some((CauseKind::ResidencyChanged, Some(Rule::CountryNotAllowed)))
        } else if failing.contains(Rule::ApprovalExpired) && expired_leaves {
            Some((CauseKind::ApprovalExpired, Some(Rule::ApprovalExpired)))
        } else if !evacuating {
            None
        } else if self.world.site_of(id).is_some_and(|(_, site)| site.state == SiteState::Closing) {
            Some((CauseKind::SiteClosing, None))
        } else {
            Some((CauseKind::Draining, None))
        }
    }

    /// The object that a cause is about.
    fn subject(&self, id: ClusterId, rule: Option<Rule>, kind: CauseKind) -> String {
        let name = self.world.cluster(id).map(|row| row.name.to_string()).unwrap_or_default();
        let findings = explain(self.world, &self.row.class, id, self.horizon.now());
        let found = findings.into_iter().find(|f| Some(f.rule) == rule && f.certain).map(|f| f.object);
        match (found, kind, self.world.site_of(id)) {
            (Some(object), ..) => object,
            (None, CauseKind::ApprovalRevoked, _) => format!("TenantWorkload/{}", self.key),
            (None, CauseKind::SiteClosing, Some((site, _))) => format!("Site/{site}"),
            _ => format!("MemberCluster/{name}"),
        }
    }

    fn relocate(&mut self, ordinal: i32, id: ClusterId, cause: Cause) -> Wish {
        if self.manifests.has_volumes {
            return Wish::Stuck { cause, obstacle: Obstacle::VolumesNotMovable };
        }
        let target = self.target(ordinal, id, 0..u16::MAX);
        if let Some(row) = target.and_then(|id| self.world.cluster(id)) {
            return Wish::Move { to: row.name.clone(), cause, compulsory: true };
        }
        self.note(self.row.next);
        Wish::Stuck { cause, obstacle: Obstacle::NoLawfulPlace }
    }

    /// Where a copy that is at `here` goes: on to the target of a move that is recorded, or to the best of `tiers`.
    ///
    /// A better target doesn't change the course of a move, nor does one that isn't ready for a moment. One that
    /// takes nothing new is given up for one that does, and kept if there is none: it may have begun.
    fn target(&mut self, ordinal: i32, here: ClusterId, tiers: std::ops::Range<u16>) -> Option<ClusterId> {
        let standing = self.standing_target(ordinal).filter(|id| *id != here);
        let Some(standing) = standing else { return self.choose(tiers) };
        let cell = self.row.cell(standing);
        let closed = cell.failing.union(cell.unknown).without(Rule::ClusterNotReady);
        if closed.is_empty() && !self.world.is_stale(standing, self.horizon.now()) {
            return Some(standing);
        }
        self.choose(tiers).or(Some(standing))
    }

    /// The target of a move that is recorded, unless it may not have the copy any more.
    fn standing_target(&mut self, ordinal: i32) -> Option<ClusterId> {
        let migration = self.world.running_moves(self.key).find(|m| m.spec.seat == ordinal)?;
        let id = self.world.find_cluster(&migration.spec.to)?;
        let cell = self.row.cell(id);
        self.note(cell.next);
        let own = judge_workload(self.world, &self.row.class.tenant, self.key, id, &mut self.horizon);
        let barred = cell.failing.union(cell.unknown).union(own).intersection(RuleSet::BARRING);
        (barred.is_empty() && !cell.evacuating).then_some(id)
    }

    /// A move to a strictly better tier, where the tenant's mode allows one.
    fn prefer(&mut self, ordinal: i32, id: ClusterId) -> Option<Wish> {
        let tenant = self.world.tenants.get(&self.row.class.tenant)?;
        if tenant.migration.mode == MigrationMode::Manual || self.manifests.has_volumes {
            return None;
        }
        let here = self.row.cell(id).tier_at_best;
        let target = self.target(ordinal, id, 0..here)?;
        if self.row.cell(target).tier >= here {
            return None;
        }
        let row = self.world.cluster(target)?;
        let site = &row.fact.as_ref()?.site;
        let cause = Cause { kind: CauseKind::PreferredPlace, subject: format!("Site/{site}") };
        Some(Wish::Move { to: row.name.clone(), cause, compulsory: false })
    }

    /// The best open cluster of `tiers` that no copy of the workload uses: tier, spread, free capacity, hash.
    fn choose(&mut self, tiers: std::ops::Range<u16>) -> Option<ClusterId> {
        let row = self.row;
        let by_preference = tiers.end < u16::MAX;
        for (_, open) in row.open.iter().filter(|(tier, _)| tiers.contains(tier)) {
            if let Some(id) = self.best_of(open, by_preference) {
                return Some(id);
            }
        }
        None
    }

    fn best_of(&mut self, open: &[ClusterId], by_preference: bool) -> Option<ClusterId> {
        let start =
            usize::try_from(fnv1a(self.workload.uid.as_bytes()) % (open.len().max(1) as u64)).unwrap_or(0);
        let several = self.workload.clusters.count > 1;
        let mut best: Option<((usize, u8), ClusterId)> = None;
        let (head, tail) = open.split_at(start);
        for id in tail.iter().chain(head).copied() {
            if self.taken.contains(&id) || !self.has_room(id) || self.world.is_stale(id, self.horizon.now()) {
                continue;
            }
            let own = judge_workload(self.world, &self.row.class.tenant, self.key, id, &mut self.horizon);
            if !own.is_empty() || (by_preference && !self.is_settled(id)) {
                continue;
            }
            let crowd = if several { self.crowd(id) } else { 0 };
            let full = 8 - self.free(id);
            if best.is_none_or(|(rank, _)| (crowd, full) < rank) {
                best = Some(((crowd, full), id));
            }
            if (crowd, full) == (0, 0) {
                break;
            }
        }
        best.map(|(_, id)| id)
    }

    fn has_room(&self, id: ClusterId) -> bool {
        let limit = self.world.cluster(id).and_then(|row| row.fact.as_ref()).map(|fact| fact.limit);
        limit.is_some_and(|limit| limit.fits(self.overlay.used(self.world, id), self.manifests.demand))
    }

    fn free(&self, id: ClusterId) -> u8 {
        let limit = self.world.cluster(id).and_then(|row| row.fact.as_ref()).map(|fact| fact.limit);
        limit.map_or(0, |limit| limit.free_eighths(self.overlay.used(self.world, id)))
    }

    fn is_settled(&mut self, id: ClusterId) -> bool {
        let since = self.world.cluster(id).and_then(|row| row.fact.as_ref()).and_then(|f| f.ready_since);
        let settled = since.and_then(|since| since.checked_add(PREFERENCE_SETTLE).ok());
        settled.is_some_and(|at| self.horizon.has_begun(Some(at)))
    }

    /// How many copies of the workload are in the same site, provider or country.
    fn crowd(&self, id: ClusterId) -> usize {
        let Some((name, site)) = self.world.site_of(id) else { return usize::MAX };
        let same = |other: &&ClusterId| {
            self.world.site_of(**other).is_some_and(|(other_name, other)| {
                match self.workload.clusters.spread_by {
                    SpreadBy::Site => other_name == name,
                    SpreadBy::Provider => other.operated_by == site.operated_by,
                    SpreadBy::Country => other.country == site.country,
                }
            })
        };
        self.taken.iter().filter(same).count()
    }
}
