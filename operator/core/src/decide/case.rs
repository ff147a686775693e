//! One workload, looked at.

use domicile_crds::{
    Cause, CauseKind, ClusterName, MigrationMode, OnApprovalExpired, Seat, SiteState, WorkloadKey,
};
use jiff::Timestamp;

use super::{Decided, Obstacle, Overlay, SeatVerdict, Verdict, Wish};
use crate::{
    Horizon, Rule, RuleSet, World,
    class::ClassRow,
    decisions::DecisionFact,
    eligibility::{Cell, Object, judge_own},
    facts::{MigrationFact, TenantFact, WorkloadFact},
    manifests::Manifests,
    rule::{is_expelled, is_frozen},
    world::ClusterId,
};

/// A workload with all that is looked at for it.
pub(super) struct Case<'a> {
    pub(super) world: &'a World,
    pub(super) row: &'a ClassRow,
    pub(super) key: &'a WorkloadKey,
    pub(super) workload: &'a WorkloadFact,
    pub(super) manifests: &'a Manifests,
    pub(super) overlay: &'a Overlay,
    tenant: &'a TenantFact,
    /// The copies on record.
    seats: &'a [Seat],
    /// Its moves that haven't ended.
    moves: Vec<&'a MigrationFact>,
    /// Decisions about the workload itself.
    own: &'a [DecisionFact],
    /// What all of its class share.
    pub(super) horizon: Horizon,
    /// What is its own.
    wake: Horizon,
    /// Clusters that one of its copies has, or where it may have none, and then those that one gets.
    pub(super) taken: Vec<ClusterId>,
    /// Where the copy which is looked at was before last: nothing is on its way between there and where it is.
    pub(super) left: Vec<ClusterId>,
    /// Clusters that the copy which is looked at isn't given as long as there are others.
    pub(super) avoided: Vec<ClusterId>,
    pub(super) short: bool,
}

impl<'a> Case<'a> {
    /// `None` if it can't be run.
    pub(super) fn open(
        world: &'a World,
        row: &'a ClassRow,
        (key, workload): (&'a WorkloadKey, &'a WorkloadFact),
        overlay: &'a Overlay,
        now: Timestamp,
    ) -> Option<Self> {
        let record = world.assignments.get(key);
        let seats = record.map_or(&[][..], |a| &a.spec.seats);
        let adopts = workload.adopt.iter().filter(|_| record.is_none());
        let moves: Vec<_> = world.running_moves(key).collect();
        let targets = moves.iter().flat_map(|m| [&m.spec.from, &m.spec.to]);
        let originals = world.originals.get(key).into_iter().flatten();
        let used = seats.iter().map(|seat| &seat.cluster).chain(targets).chain(adopts).chain(originals);
        let mut taken: Vec<ClusterId> = used.filter_map(|name| world.find_cluster(name)).collect();
        taken.sort_unstable();
        taken.dedup();
        Some(Self {
            world,
            row,
            key,
            workload,
            manifests: workload.manifests.as_ref().ok()?,
            overlay,
            tenant: world.tenants.get(&row.class.tenant)?,
            seats,
            moves,
            own: world.decisions.about_workload(key),
            horizon: Horizon::new(now),
            wake: Horizon::new(now),
            taken,
            left: Vec::new(),
            avoided: Vec::new(),
            short: false,
        })
    }

    pub(super) fn decide(mut self) -> Decided {
        let on_record = self.taken.len();
        let mut seats: Vec<SeatVerdict> = Vec::new();
        for seat in self.seats.iter().filter(|seat| seat.phase == domicile_crds::SeatPhase::Active) {
            seats.push(self.seat(seat.ordinal, &seat.cluster));
        }
        for ordinal in 0..self.workload.clusters.count {
            if !self.seats.iter().any(|seat| seat.ordinal == ordinal) {
                let wish = self.adopt(ordinal).unwrap_or_else(|| self.place());
                let (failing, unknown) = (RuleSet::EMPTY, RuleSet::EMPTY);
                seats.push(SeatVerdict { ordinal, at: None, failing, unknown, wish });
            }
        }
        seats.sort_by_key(|seat| seat.ordinal);
        let wake = self.wake.next();
        self.note(wake);
        let verdict = Verdict { key: self.key.clone(), seats, blocked: None, next: self.horizon.next() };
        let chosen = self.taken.split_off(on_record);
        Decided { verdict, chosen, demand: self.manifests.demand, short: self.short, wake }
    }

    fn note(&mut self, at: Option<Timestamp>) {
        if let Some(at) = at {
            self.horizon.note(at);
        }
    }

    /// What decisions about the workload itself bar at a cluster.
    pub(super) fn own(&mut self, id: ClusterId) -> RuleSet {
        judge_own(self.world, &self.row.class.tenant, self.own, id, &mut self.wake)
    }

    /// Whether a cluster has been ready for long enough to attract anybody.
    pub(super) fn is_settled(&mut self, id: ClusterId) -> bool {
        let since = self.world.cluster(id).and_then(|row| row.fact.as_ref()).and_then(|f| f.ready_since);
        let settled = since.and_then(|since| since.checked_add(super::PREFERENCE_SETTLE).ok());
        settled.is_some_and(|at| self.wake.has_begun(Some(at)))
    }

    /// Where the first copy of a workload without a record runs already.
    fn adopt(&self, ordinal: i32) -> Option<Wish> {
        let has_record = self.world.assignments.contains_key(self.key);
        let there = self.workload.adopt.as_ref().filter(|_| ordinal == 0 && !has_record);
        there.filter(|_| !self.workload.deleting).cloned().map(Wish::Adopt)
    }

    fn place(&mut self) -> Wish {
        if self.workload.deleting {
            return Wish::Wait;
        }
        let target = self.choose(0..u16::MAX);
        let name = target.and_then(|id| self.world.name_of(id));
        name.map_or(Wish::Wait, |name| Wish::Place(name.clone()))
    }

    /// What should become of a copy that is somewhere.
    fn seat(&mut self, ordinal: i32, cluster: &ClusterName) -> SeatVerdict {
        let Some(id) = self.world.find_cluster(cluster) else {
            let unknown = RuleSet::LEGAL.with(Rule::ClusterNotReady);
            let (at, failing, wish) = (Some(cluster.clone()), RuleSet::EMPTY, Wish::Hold);
            return SeatVerdict { ordinal, at, failing, unknown, wish };
        };
        let cell = self.row.cell(id);
        self.note(cell.next);
        let mut failing = cell.failing.union(self.own(id));
        if self.world.is_stale(id, self.horizon.now()) {
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
        if is_frozen(failing) {
            return Wish::Freeze;
        }
        let may_be_frozen = !cell.unknown.intersection(RuleSet::FREEZING).is_empty() && !is_expelled(failing);
        if self.world.site_of(id).is_none() || may_be_frozen {
            // Without its site, its providers aren't known, and one of them may be frozen: nothing moves out or is deleted.
            return Wish::Hold;
        }
        if self.workload.deleting {
            return Wish::Hold;
        }
        if ordinal >= self.workload.clusters.count {
            let unsafe_to_delete = RuleSet::EMPTY.with(Rule::NamespaceTaken).with(Rule::ObservationStale);
            let holds = !failing.intersection(unsafe_to_delete).is_empty();
            return if holds { Wish::Hold } else { Wish::Leave };
        }
        if let Some(cause) = self.driver(id, failing, cell) {
            return self.relocate(ordinal, id, cause);
        }
        if self.is_leaving(id) || !failing.union(cell.unknown).intersection(RuleSet::BARRING).is_empty() {
            return Wish::Hold;
        }
        self.prefer(ordinal, id, cell.tier_at_best).unwrap_or(Wish::Stay)
    }

    /// Whether the member is being deleted.
    fn is_leaving(&self, id: ClusterId) -> bool {
        self.world.cluster(id).and_then(|row| row.fact.as_ref()).is_some_and(|fact| fact.leaving)
    }

    /// What drives a copy away, if anything does.
    fn driver(&self, id: ClusterId, failing: RuleSet, cell: Cell) -> Option<Cause> {
        let name = |object: Object| object.name(self.world, &self.row.class.tenant, id);
        let evacuates = self.tenant.on_approval_expired == OnApprovalExpired::Evacuate;
        let (kind, subject) = if failing.contains(Rule::ApprovalRevoked) {
            let shared = cell.failing.contains(Rule::ApprovalRevoked);
            let subject = if shared { name(cell.culprit) } else { format!("TenantWorkload/{}", self.key) };
            (CauseKind::ApprovalRevoked, subject)
        } else if failing.contains(Rule::CountryDenied) || failing.contains(Rule::CountryNotAllowed) {
            (CauseKind::ResidencyChanged, name(Object::Site))
        } else if failing.contains(Rule::ApprovalExpired) && evacuates {
            (CauseKind::ApprovalExpired, name(cell.culprit))
        } else if !cell.evacuating {
            return None;
        } else if self.world.site_of(id).is_some_and(|(_, site)| site.state == SiteState::Closing) {
            (CauseKind::SiteClosing, name(Object::Site))
        } else {
            (CauseKind::Draining, name(Object::Member))
        };
        Some(Cause { kind, subject })
    }

    fn relocate(&mut self, ordinal: i32, id: ClusterId, cause: Cause) -> Wish {
        if self.manifests.has_volumes {
            return Wish::Stuck { cause, obstacle: Obstacle::VolumesNotMovable };
        }
        let target = self.target(ordinal, id, 0..u16::MAX);
        match target.and_then(|id| self.world.name_of(id)) {
            Some(name) => Wish::Move { to: name.clone(), cause, compulsory: true },
            None => Wish::Stuck { cause, obstacle: Obstacle::NoLawfulPlace },
        }
    }

    /// Where a copy that is at `here` goes: on to the target of a move that is recorded, or to the best of `tiers`.
    ///
    /// A better target doesn't change the course of a move, nor does one that isn't ready for a moment. One that
    /// takes nothing new is given up for one that does, and kept if there is none: it may have begun.
    fn target(&mut self, ordinal: i32, here: ClusterId, tiers: std::ops::Range<u16>) -> Option<ClusterId> {
        let standing = self.standing_target(ordinal).filter(|id| *id != here);
        let Some(standing) = standing else { return self.choose_anew(ordinal, tiers) };
        let cell = self.row.cell(standing);
        let closed = cell.failing.union(cell.unknown).without(Rule::ClusterNotReady);
        let fits =
            self.world.is_large_enough(standing, self.manifests.demand) && !self.has_originals(standing);
        if closed.is_empty() && fits && !self.world.is_stale(standing, self.horizon.now()) {
            return Some(standing);
        }
        self.choose_anew(ordinal, tiers).or(Some(standing))
    }

    /// Whether something there was labelled to be adopted as this workload's: nothing may be put over it.
    fn has_originals(&self, id: ClusterId) -> bool {
        let originals = self.world.originals.get(self.key).into_iter().flatten();
        originals.filter_map(|name| self.world.find_cluster(name)).any(|at| at == id)
    }

    /// The best of `tiers`, and of those where a move of the copy has failed only if there is no other.
    fn choose_anew(&mut self, ordinal: i32, tiers: std::ops::Range<u16>) -> Option<ClusterId> {
        self.left = self.left_long_ago(ordinal);
        self.avoided = self.failed_targets(ordinal);
        let chosen = if self.avoided.is_empty() { None } else { self.choose(tiers.clone()) };
        self.avoided.clear();
        let chosen = chosen.or_else(|| self.choose(tiers));
        self.left.clear();
        chosen
    }

    /// Where a copy was before a later move took it on, and hasn't been removed yet: it may go back there by a move of its own.
    fn left_long_ago(&self, ordinal: i32) -> Vec<ClusterId> {
        let Some(seat) = self.seats.iter().find(|seat| seat.ordinal == ordinal) else { return Vec::new() };
        let ends = |m: &MigrationFact| [m.spec.from.clone(), m.spec.to.clone()];
        let all = self.moves.iter().copied();
        let over = all.filter(|m| m.spec.seat == ordinal && crate::moves::is_over(&m.spec, seat));
        let (latest, earlier): (Vec<&MigrationFact>, Vec<_>) =
            over.partition(|m| ends(m).contains(&seat.cluster));
        let is_latest = |name: &ClusterName| latest.iter().any(|m| ends(m).contains(name));
        let others = |name: &ClusterName| {
            let seats =
                self.seats.iter().filter(|other| other.ordinal != ordinal).map(|other| &other.cluster);
            let moves = self.moves.iter().filter(|m| m.spec.seat != ordinal);
            seats.chain(moves.flat_map(|m| [&m.spec.from, &m.spec.to])).any(|other| other == name)
        };
        let names = earlier.into_iter().flat_map(ends).filter(|name| !is_latest(name) && !others(name));
        names.filter_map(|name| self.world.find_cluster(&name)).collect()
    }

    /// Where moves of a copy have failed since it has been where it is.
    fn failed_targets(&self, ordinal: i32) -> Vec<ClusterId> {
        let Some(seat) = self.seats.iter().find(|seat| seat.ordinal == ordinal) else { return Vec::new() };
        let moves = self.world.migrations.get(self.key).into_iter().flat_map(|moves| moves.values());
        let failed = moves
            .filter(|m| m.has_failed() && m.spec.seat == ordinal && !crate::moves::is_over(&m.spec, seat));
        failed.filter_map(|m| self.world.find_cluster(&m.spec.to)).collect()
    }

    /// The target of a move that is recorded, unless it may not have the copy any more.
    fn standing_target(&mut self, ordinal: i32) -> Option<ClusterId> {
        let seat = self.seats.iter().find(|seat| seat.ordinal == ordinal)?;
        let migration =
            self.moves.iter().find(|m| m.spec.seat == ordinal && !crate::moves::is_over(&m.spec, seat))?;
        let id = self.world.find_cluster(&migration.spec.to)?;
        let cell = self.row.cell(id);
        self.note(cell.next);
        let barred = cell.failing.union(cell.unknown).union(self.own(id)).intersection(RuleSet::BARRING);
        (barred.is_empty() && !cell.evacuating && !self.is_leaving(id)).then_some(id)
    }

    /// A move to a tier that is certainly better, where the tenant's mode allows one.
    fn prefer(&mut self, ordinal: i32, id: ClusterId, here: u16) -> Option<Wish> {
        let moves = self.tenant.migration.mode != MigrationMode::Manual && !self.manifests.has_volumes;
        if here == 0 || !moves {
            return None;
        }
        let target = self.target(ordinal, id, 0..here)?;
        if self.row.cell(target).tier >= here {
            return None;
        }
        let to = self.world.name_of(target)?.clone();
        let subject = Object::Site.name(self.world, &self.row.class.tenant, target);
        let cause = Cause { kind: CauseKind::PreferredPlace, subject };
        Some(Wish::Move { to, cause, compulsory: false })
    }
}
