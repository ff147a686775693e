//! What to do next for a workload: derived anew each time from what is recorded and what was seen.
//!
//! No step is told what changed. An order that was carried out shows in the next observation, and one
//! that was lost is derived again.

use std::collections::HashSet;

use domicile_crds::{
    AssignmentSpec, ClusterName, InventoryItem, MigrationSpec, MigrationStep, Seat, SeatPhase, WorkloadKey,
};
use jiff::Timestamp;

use crate::{
    Horizon, Rule, RuleSet, World,
    class::Classes,
    decide::{SeatVerdict, Verdict, Wish},
    facts::{MigrationFact, WorkloadFact},
    manifests::{Kind, Manifests, ObjectRef},
    moves::{Memory, Proposal, Wait, may_begin, move_of, plan_digest},
    observed::{Observed, SeatView},
    render::{Mode, Target},
};

/// Something to do. Each is safe to carry out twice.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Record where a workload goes, before anything goes there.
    CreateAssignment(Box<AssignmentSpec>),
    /// Record a change.
    UpdateAssignment(Box<AssignmentSpec>),
    /// Nothing is left on members: let the Assignment go.
    ReleaseAssignment,
    /// Record a move, before it begins.
    CreateMigration(String, Box<MigrationSpec>),
    /// Record another target of a move that hasn't begun.
    RetargetMigration(String, ClusterName, String),
    /// Record the end of a move.
    FinishMigration(String, MigrationStep, String),
    /// List what is in the workload's namespace on a member.
    Verify(ClusterName),
    /// Apply objects on a member, as the tenant.
    Apply(Apply),
    /// Remove objects from a member, as the tenant.
    Remove(Remove),
}

/// Objects to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apply {
    /// On which member.
    pub cluster: ClusterName,
    /// Which copy.
    pub ordinal: i32,
    /// Its epoch.
    pub epoch: i64,
    /// How much of it runs.
    pub mode: Mode,
    /// Which objects, in the order of applying; the others are as they should be.
    pub objects: Vec<ObjectRef>,
    /// Jobs that aren't run again.
    pub completed_jobs: Vec<String>,
    /// Why.
    pub because: Because,
}

/// Why objects are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The workload is placed there, or was updated, or has drifted.
    Placed,
    /// It is on its way there.
    Moving,
    /// What must never run twice is stopped there, to start elsewhere.
    Stopping,
    /// A decision suspends it: it is scaled to zero.
    Suspended,
}

/// Objects to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remove {
    /// From which member.
    pub cluster: ClusterName,
    /// Which copy.
    pub ordinal: i32,
    /// Which objects.
    pub objects: Vec<InventoryItem>,
    /// Claims are kept and labelled.
    pub retain_claims: bool,
    /// Why.
    pub because: Removal,
}

/// Why objects are removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The copy has moved, and its replacement was seen ready at another member.
    Moved {
        /// Where it is now.
        to: ClusterName,
    },
    /// The move there was given up.
    RolledBack,
    /// The workload was deleted.
    WorkloadDeleted,
    /// The workload asks for fewer copies.
    SeatDropped,
    /// The new manifests don't have them.
    Pruned,
}

/// What to do next, and what is waited for.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    /// What to do, each independent of the others.
    pub orders: Vec<Order>,
    /// What its moves wait for, by ordinal.
    pub waits: Vec<(i32, Wait)>,
    /// The workload has no Assignment, and a member that may have something of it can't be asked.
    pub placement_unknown: Option<ClusterName>,
    /// A new generation isn't applied, because what runs must be left as it is.
    pub update_held: bool,
    /// When to look again.
    pub next: Option<Timestamp>,
}

/// What is known when deriving.
#[derive(Debug)]
pub struct Desk<'a> {
    /// The facts.
    pub world: &'a World,
    /// The classes and their answers.
    pub classes: &'a Classes,
    /// What was seen on members.
    pub observed: &'a Observed,
    /// What is remembered of moves.
    pub memory: &'a mut Memory,
    /// The copies whose objects were removed and seen to be gone.
    pub gone: &'a HashSet<(WorkloadKey, i32, ClusterName)>,
    /// The instant.
    pub now: Timestamp,
}

/// Derives what to do next for a workload that exists.
pub fn orders(desk: &mut Desk<'_>, verdict: &Verdict) -> Outlook {
    let mut out = Outlook { next: verdict.next, ..Outlook::default() };
    let key = &verdict.key;
    let Some(workload) = desk.world.workloads.get(key).cloned() else { return out };
    match desk.world.assignments.get(key) {
        Some(assignment) if assignment.deleting => return out,
        Some(_) => {}
        None => {
            create(desk, verdict, &workload, &mut out);
            return out;
        }
    }
    let mut record = Record::of(desk.world, key, &workload);
    for seat in &verdict.seats {
        match &seat.wish {
            Wish::Place(cluster) => record.place(seat.ordinal, cluster),
            Wish::Wait => {}
            _ => seat_orders(desk, (key, &workload), seat, &mut record, &mut out),
        }
    }
    leaving_orders(desk, key, &mut record, &mut out);
    if let Some(spec) = record.changed() {
        // What is recorded comes first: nothing is applied that isn't recorded yet.
        out.orders.retain(|order| !matches!(order, Order::Apply(Apply { because: Because::Placed, .. })));
        out.orders.push(Order::UpdateAssignment(Box::new(spec)));
    }
    out
}

/// The Assignment as recorded and as it should be.
struct Record<'a> {
    recorded: &'a AssignmentSpec,
    wanted: AssignmentSpec,
    workload: &'a WorkloadFact,
    /// A seat was brought to a new generation in this round; the next one waits for it.
    updating: bool,
}

impl<'a> Record<'a> {
    fn of(world: &'a World, key: &WorkloadKey, workload: &'a WorkloadFact) -> Self {
        static EMPTY: AssignmentSpec = AssignmentSpec { tenant: None, on_delete: None, seats: Vec::new() };
        let recorded = world.assignments.get(key).map_or(&EMPTY, |a| a.spec.as_ref());
        Self { recorded, wanted: recorded.clone(), workload, updating: false }
    }

    fn place(&mut self, ordinal: i32, cluster: &ClusterName) {
        self.wanted.seats.push(new_seat(self.workload, ordinal, cluster));
        self.wanted.seats.sort_by_key(|seat| seat.ordinal);
    }

    fn seat(&mut self, ordinal: i32) -> Option<&mut Seat> {
        self.wanted.seats.iter_mut().find(|seat| seat.ordinal == ordinal)
    }

    fn changed(self) -> Option<AssignmentSpec> {
        (*self.recorded != self.wanted).then_some(self.wanted)
    }
}

fn inventory(manifests: &Manifests) -> Vec<InventoryItem> {
    manifests.objects.iter().map(|object| item(&object.object)).collect()
}

/// An object as an inventory names it.
#[must_use]
pub fn item(object: &ObjectRef) -> InventoryItem {
    InventoryItem {
        api_version: object.kind.api_version().to_owned(),
        kind: object.kind.name().to_owned(),
        name: object.name.to_string(),
    }
}

/// The object that an inventory names, if it is of a kind that is put on members.
#[must_use]
pub fn object(item: &InventoryItem) -> Option<ObjectRef> {
    let kind = match (item.api_version.as_str(), item.kind.as_str()) {
        ("v1", "Secret") => Kind::SECRET,
        (api_version, kind) => Kind::of(api_version, kind)?,
    };
    Some(ObjectRef { kind, name: item.name.as_str().into() })
}

fn new_seat(workload: &WorkloadFact, ordinal: i32, cluster: &ClusterName) -> Seat {
    Seat {
        ordinal,
        cluster: cluster.clone(),
        epoch: 1,
        generation: workload.generation,
        phase: SeatPhase::Active,
        inventory: workload.manifests.as_ref().map(inventory).unwrap_or_default(),
        completed_jobs: Vec::new(),
    }
}

/// A workload without an Assignment: it is new, or the hub was restored and has forgotten. Every known member is
/// asked for objects of it first.
fn create(desk: &Desk<'_>, verdict: &Verdict, workload: &WorkloadFact, out: &mut Outlook) {
    if let Some(cluster) = cannot_rule_out(desk, verdict) {
        out.placement_unknown = Some(cluster);
        return;
    }
    let Ok(tenant) = desk.world.tenant_of(&verdict.key.namespace) else { return };
    let mut seats: Vec<Seat> = Vec::new();
    for seat in &verdict.seats {
        if let Wish::Place(cluster) = &seat.wish {
            seats.push(new_seat(workload, seat.ordinal, cluster));
        }
    }
    if !seats.is_empty() {
        let spec =
            AssignmentSpec { tenant: Some(tenant.clone()), on_delete: Some(workload.on_delete), seats };
        out.orders.push(Order::CreateAssignment(Box::new(spec)));
    }
}

/// A member that has something of the workload, or may have and can't be asked.
fn cannot_rule_out(desk: &Desk<'_>, verdict: &Verdict) -> Option<ClusterName> {
    if let Some(cluster) = desk.observed.members_with(&verdict.key).next() {
        return Some(cluster.clone());
    }
    let tenant = desk.world.tenant_of(&verdict.key.namespace).ok()?;
    for id in desk.world.clusters_by_name() {
        let Some(row) = desk.world.cluster(*id) else { continue };
        let Some(fact) = &row.fact else { continue };
        // A member that this tenant was never admitted to can't have anything of it.
        let possible = fact.admitted.as_ref().is_none_or(|tenants| tenants.contains(tenant));
        let asked = desk.observed.member(&row.name).is_some_and(|member| member.synced);
        if possible && !asked {
            return Some(row.name.clone());
        }
    }
    None
}

fn seat_orders(
    desk: &mut Desk<'_>,
    (key, workload): (&WorkloadKey, &WorkloadFact),
    verdict: &SeatVerdict,
    record: &mut Record<'_>,
    out: &mut Outlook,
) {
    let Some(seat) = record.seat(verdict.ordinal).map(|seat| seat.clone()) else { return };
    let Ok(manifests) = &workload.manifests else { return };
    let copy = Copy { key, workload, manifests, seat: &seat };
    if verdict.wish == Wish::Suspend {
        let objects = desk.differing(&copy, &seat, Mode::Off);
        let objects = objects.into_iter().filter(|o| o.kind.runs_pods()).collect();
        apply(desk, &seat, Mode::Off, objects, (Because::Suspended, out));
    }
    if let Some(migration) = move_of(desk.world, key, seat.ordinal).cloned() {
        migration_orders(desk, &copy, &migration, verdict, (record, out));
        return;
    }
    match &verdict.wish {
        Wish::Stay => keep_orders(desk, &copy, record, out),
        Wish::Leave => {
            if let Some(seat) = record.seat(verdict.ordinal) {
                seat.phase = SeatPhase::Leaving;
            }
        }
        Wish::Move { to, cause, compulsory } => {
            propose(desk, &copy, (to, cause, *compulsory), out);
            // Until it has gone, it is looked after where it is, if it may be.
            if !compulsory {
                keep_orders(desk, &copy, record, out);
            }
        }
        Wish::Hold | Wish::Freeze | Wish::Stuck { .. } => {
            out.update_held |= seat.generation != workload.generation;
        }
        Wish::Suspend | Wish::Place(_) | Wish::Wait => {}
    }
}

/// A copy with all that belongs to it.
struct Copy<'a> {
    key: &'a WorkloadKey,
    workload: &'a WorkloadFact,
    manifests: &'a Manifests,
    seat: &'a Seat,
}

impl Desk<'_> {
    /// What a copy may have on a member: what should be there, and what was seen there beyond that.
    fn all_of(&self, key: &WorkloadKey, seat: &Seat, inventory: &[InventoryItem]) -> Vec<InventoryItem> {
        let seen = self.view(key, seat).keys().map(item).filter(|item| !inventory.contains(item));
        inventory.iter().cloned().chain(seen).collect()
    }

    /// Whether a move has brought anything to its target. `None` if that isn't known: after a restart, a target
    /// that doesn't answer may have everything of it.
    fn has_begun(&self, key: &WorkloadKey, spec: &MigrationSpec) -> Option<bool> {
        let seen = self.memory.begun(key, spec.seat).is_some()
            || !self.observed.seat(&spec.to, key, spec.seat).is_empty();
        (seen || self.observed.is_known(&spec.to, &key.namespace)).then_some(seen)
    }

    /// Whether the law certainly lets a workload be on a member, which answers.
    fn is_lawful(&self, key: &WorkloadKey, cluster: &ClusterName) -> bool {
        let Some((row, id)) = self.classes.of(key).zip(self.world.find_cluster(cluster)) else {
            return false;
        };
        let cell = row.cell(id);
        cell.failing.union(cell.unknown).intersection(RuleSet::BARRING).is_empty()
            && self.observed.is_reachable(cluster)
            && !self.world.is_stale(id, self.now)
    }

    fn target<'b>(&'b self, copy: &'b Copy<'_>, seat: &'b Seat, mode: Mode) -> Option<Target<'b>> {
        let id = self.world.find_cluster(&seat.cluster)?;
        Some(Target {
            tenant: self.world.tenant_of(&copy.key.namespace).ok()?,
            key: copy.key,
            ordinal: seat.ordinal,
            epoch: seat.epoch,
            mode,
            all_exclusive: copy.workload.overlap == domicile_crds::Overlap::Forbid,
            completed_jobs: &seat.completed_jobs,
            cluster: self.world.cluster(id).and_then(|row| row.fact.as_ref()),
        })
    }

    fn view(&self, key: &WorkloadKey, seat: &Seat) -> &SeatView {
        self.observed.seat(&seat.cluster, key, seat.ordinal)
    }

    /// The objects that aren't there as they should be.
    fn differing(&self, copy: &Copy<'_>, seat: &Seat, mode: Mode) -> Vec<ObjectRef> {
        let Some(target) = self.target(copy, seat, mode) else { return Vec::new() };
        let view = self.view(copy.key, seat);
        let differs = |object: &&crate::manifests::ObjectFact| {
            view.get(&object.object).is_none_or(|seen| seen.digest != target.digest(object))
        };
        copy.manifests.objects.iter().filter(differs).map(|object| object.object.clone()).collect()
    }

    /// Whether all objects are there as they should be, and ready.
    fn is_ready(&self, copy: &Copy<'_>, seat: &Seat, mode: Mode) -> bool {
        let view = self.view(copy.key, seat);
        self.differing(copy, seat, mode).is_empty()
            && copy.manifests.objects.iter().all(|o| view.get(&o.object).is_some_and(|seen| seen.ready))
    }

    /// Whether nothing that must never run twice has pods.
    fn is_idle(&self, copy: &Copy<'_>, seat: &Seat) -> bool {
        let view = self.view(copy.key, seat);
        let all = copy.workload.overlap == domicile_crds::Overlap::Forbid;
        let exclusive =
            copy.manifests.objects.iter().filter(|o| o.object.kind.runs_pods() && (o.exclusive || all));
        let mut exclusive = exclusive;
        exclusive.all(|o| view.get(&o.object).is_none_or(|seen| seen.idle))
    }
}

/// Whether a copy is there as it should be, and ready: for status and tests.
#[must_use]
pub fn is_ready(world: &World, observed: &Observed, key: &WorkloadKey, seat: &Seat) -> bool {
    let Some(workload) = world.workloads.get(key) else { return false };
    let Ok(manifests) = &workload.manifests else { return false };
    let (mut memory, gone, classes) = (Memory::default(), HashSet::new(), Classes::default());
    let now = Timestamp::UNIX_EPOCH;
    let desk = Desk { world, classes: &classes, observed, memory: &mut memory, gone: &gone, now };
    desk.is_ready(&Copy { key, workload, manifests, seat }, seat, Mode::Running)
}

fn apply(
    desk: &Desk<'_>,
    seat: &Seat,
    mode: Mode,
    objects: Vec<ObjectRef>,
    (because, out): (Because, &mut Outlook),
) {
    if objects.is_empty() || !desk.observed.is_reachable(&seat.cluster) {
        return;
    }
    out.orders.push(Order::Apply(Apply {
        cluster: seat.cluster.clone(),
        ordinal: seat.ordinal,
        epoch: seat.epoch,
        mode,
        objects,
        completed_jobs: seat.completed_jobs.clone(),
        because,
    }));
}

/// Keeps a copy as the workload says: one copy after another, the new before what it replaces goes.
fn keep_orders(desk: &Desk<'_>, copy: &Copy<'_>, record: &mut Record<'_>, out: &mut Outlook) {
    let seat = copy.seat;
    if !desk.observed.is_known(&seat.cluster, &copy.key.namespace) {
        out.orders.push(Order::Verify(seat.cluster.clone()));
        return;
    }
    let wanted = inventory(copy.manifests);
    if seat.generation != copy.workload.generation {
        if record.updating {
            return;
        }
        record.updating = true;
        let on_delete = copy.workload.on_delete;
        record.wanted.on_delete = Some(on_delete);
        if let Some(recorded) = record.seat(seat.ordinal) {
            recorded.generation = copy.workload.generation;
            let new = wanted.iter().filter(|item| !seat.inventory.contains(item)).cloned();
            recorded.inventory.extend(new.collect::<Vec<_>>());
        }
        return;
    }
    apply(desk, seat, Mode::Running, desk.differing(copy, seat, Mode::Running), (Because::Placed, out));
    let ready = desk.is_ready(copy, seat, Mode::Running);
    record.updating |= !ready;
    let surplus: Vec<InventoryItem> =
        seat.inventory.iter().filter(|item| !wanted.contains(item)).cloned().collect();
    if surplus.is_empty() || !ready {
        return;
    }
    let view = desk.view(copy.key, seat);
    let is_claim = |item: &InventoryItem| item.kind == "PersistentVolumeClaim";
    let there = |item: &&InventoryItem| {
        !is_claim(item) && object(item).is_some_and(|object| view.contains_key(&object))
    };
    let objects: Vec<InventoryItem> = surplus.iter().filter(there).cloned().collect();
    if objects.is_empty() {
        if let Some(recorded) = record.seat(seat.ordinal) {
            recorded.inventory.retain(|item| wanted.contains(item) || is_claim(item));
        }
    } else {
        let (cluster, ordinal) = (seat.cluster.clone(), seat.ordinal);
        let because = Removal::Pruned;
        out.orders.push(Order::Remove(Remove { cluster, ordinal, objects, retain_claims: true, because }));
    }
}

/// Records a new move, unless it would only wait for its turn.
fn propose(
    desk: &Desk<'_>,
    copy: &Copy<'_>,
    (to, cause, compulsory): (&ClusterName, &domicile_crds::Cause, bool),
    out: &mut Outlook,
) {
    let (key, seat) = (copy.key, copy.seat);
    if let Some(at) = desk.memory.retry_at(key, seat.ordinal, desk.now) {
        look_again(out, desk.now, at);
        out.waits.push((seat.ordinal, Wait::Retry(at)));
        return;
    }
    let Ok(tenant) = desk.world.tenant_of(&key.namespace) else { return };
    let proposal = Proposal { key, tenant, seat, to, cause, compulsory };
    let Some((name, spec)) = proposal.record(desk.world) else { return };
    match may_begin(desk.world, desk.memory, &spec, desk.now) {
        // Whoever must answer, or plan for a window, has to see it.
        Ok(()) | Err(Wait::Answer | Wait::Window(_)) => {
            out.orders.push(Order::CreateMigration(name, Box::new(spec)));
        }
        Err(wait) => out.waits.push((seat.ordinal, wait)),
    }
}

fn look_again(out: &mut Outlook, now: Timestamp, at: Timestamp) {
    let mut horizon = Horizon::new(now);
    horizon.note(at);
    out.next.into_iter().for_each(|next| horizon.note(next));
    out.next = horizon.next();
}

fn migration_orders(
    desk: &mut Desk<'_>,
    copy: &Copy<'_>,
    migration: &MigrationFact,
    verdict: &SeatVerdict,
    (record, out): (&mut Record<'_>, &mut Outlook),
) {
    let spec = &migration.spec;
    let switched = copy.seat.cluster == spec.to && copy.seat.epoch >= spec.epoch;
    if switched {
        desk.memory.begin(copy.key, spec, desk.now);
        return finish_orders(desk, copy, migration, verdict, (record, out));
    }
    let target = Seat { cluster: spec.to.clone(), epoch: spec.epoch, ..copy.seat.clone() };
    let arrived = !desk.observed.seat(&spec.to, copy.key, spec.seat).is_empty();
    if arrived {
        desk.memory.begin(copy.key, spec, desk.now);
    }
    match &verdict.wish {
        Wish::Move { .. } if spec.abort => roll_back(desk, copy, migration, "it was aborted", out),
        Wish::Move { to, .. } if *to == spec.to => advance(desk, copy, (migration, &target), (record, out)),
        Wish::Move { to, cause, .. } if desk.has_begun(copy.key, spec) == Some(false) => {
            let digest = plan_digest(&spec.from, to, cause);
            out.orders.push(Order::RetargetMigration(migration.name.clone(), to.clone(), digest));
        }
        Wish::Move { .. } => roll_back(desk, copy, migration, "its target may not have it any more", out),
        Wish::Stuck { .. } => roll_back(desk, copy, migration, "no place may have it any more", out),
        Wish::Stay | Wish::Leave => roll_back(desk, copy, migration, "its cause is gone", out),
        Wish::Hold => out.waits.push((spec.seat, Wait::Unreachable(spec.from.clone()))),
        Wish::Suspend | Wish::Freeze => out.waits.push((spec.seat, Wait::Frozen(spec.from.clone()))),
        Wish::Place(_) | Wish::Wait => {}
    }
}

/// The next step of a move before its switch.
fn advance(
    desk: &mut Desk<'_>,
    copy: &Copy<'_>,
    (migration, target): (&MigrationFact, &Seat),
    (record, out): (&mut Record<'_>, &mut Outlook),
) {
    let spec = &migration.spec;
    let ordinal = spec.seat;
    if !desk.observed.is_reachable(&spec.to) {
        return out.waits.push((ordinal, Wait::Unreachable(spec.to.clone())));
    }
    if !desk.observed.is_known(&spec.to, &copy.key.namespace) {
        return out.orders.push(Order::Verify(spec.to.clone()));
    }
    if desk.memory.begun(copy.key, ordinal).is_none() {
        if let Err(wait) = may_begin(desk.world, desk.memory, spec, desk.now) {
            if let Wait::Window(at) = wait {
                look_again(out, desk.now, at);
            }
            return out.waits.push((ordinal, wait));
        }
        desk.memory.begin(copy.key, spec, desk.now);
    }
    let exclusive = copy.workload.breaks_before_make();
    let mode = if exclusive { Mode::Standby } else { Mode::Running };
    let objects = desk.differing(copy, target, mode);
    if !objects.is_empty() {
        apply(desk, target, mode, objects, (Because::Moving, out));
    }
    if !desk.is_ready(copy, target, mode) {
        out.waits.push((ordinal, Wait::NotReady(spec.to.clone())));
        return check_deadline(desk, copy, migration, out);
    }
    if exclusive && !stop_source(desk, copy, out) {
        return;
    }
    if desk.world.brakes.paused {
        return out.waits.push((ordinal, Wait::Paused("Installation/default".to_owned())));
    }
    let view = desk.view(copy.key, copy.seat);
    let done = view.iter().filter(|(_, seen)| seen.completed).map(|(object, _)| object.name.to_string());
    let completed_jobs: Vec<String> = done.collect();
    if let Some(seat) = record.seat(ordinal) {
        seat.cluster = spec.to.clone();
        seat.epoch = spec.epoch;
        seat.generation = copy.workload.generation;
        // What an earlier generation brought there is pruned later, like anything that the manifests lack.
        seat.inventory = desk.all_of(copy.key, target, &inventory(copy.manifests));
        seat.completed_jobs.extend(completed_jobs);
        seat.completed_jobs.sort();
        seat.completed_jobs.dedup();
    }
}

/// A target that doesn't become ready in time is given up.
fn check_deadline(desk: &mut Desk<'_>, copy: &Copy<'_>, migration: &MigrationFact, out: &mut Outlook) {
    let seconds = i64::from(copy.workload.progress_deadline_seconds);
    let begun = desk.memory.begun(copy.key, migration.spec.seat).unwrap_or(desk.now);
    let Ok(deadline) = begun.checked_add(jiff::SignedDuration::from_secs(seconds)) else { return };
    if deadline <= desk.now {
        out.orders.clear();
        roll_back(desk, copy, migration, "the copy at the target wasn't ready in time", out);
    } else {
        look_again(out, desk.now, deadline);
    }
}

/// Stops at the source what must never run twice. Answers whether it has stopped.
fn stop_source(desk: &Desk<'_>, copy: &Copy<'_>, out: &mut Outlook) -> bool {
    let seat = copy.seat;
    if !desk.observed.is_reachable(&seat.cluster) {
        out.waits.push((seat.ordinal, Wait::Unreachable(seat.cluster.clone())));
        return false;
    }
    let Some(target) = desk.target(copy, seat, Mode::Standby) else { return false };
    let view = desk.view(copy.key, seat);
    // Only what has to stop is written: the rest of the source stays as it is.
    let running = |object: &&crate::manifests::ObjectFact| {
        target.is_off(object)
            && view.get(&object.object).is_some_and(|seen| seen.digest != target.digest(object))
    };
    let objects: Vec<ObjectRef> =
        copy.manifests.objects.iter().filter(running).map(|object| object.object.clone()).collect();
    let stopped = objects.is_empty() && desk.is_idle(copy, seat);
    if !stopped {
        out.waits.push((seat.ordinal, Wait::NotIdle(seat.cluster.clone())));
        apply(desk, seat, Mode::Standby, objects, (Because::Stopping, out));
    }
    stopped
}

/// After the switch: the target is brought fully up, the source drained and removed.
fn finish_orders(
    desk: &mut Desk<'_>,
    copy: &Copy<'_>,
    migration: &MigrationFact,
    verdict: &SeatVerdict,
    (record, out): (&mut Record<'_>, &mut Outlook),
) {
    let spec = &migration.spec;
    let switched = desk.memory.switched(copy.key, spec.seat, desk.now);
    let place = (copy.key.clone(), spec.seat, spec.from.clone());
    if desk.gone.contains(&place) {
        let message = format!("moved from {} to {}: {}", spec.from, spec.to, spec.cause);
        return out.orders.push(Order::FinishMigration(
            migration.name.clone(),
            MigrationStep::Completed,
            message,
        ));
    }
    if matches!(verdict.wish, Wish::Suspend | Wish::Freeze) {
        return out.waits.push((spec.seat, Wait::Frozen(spec.to.clone())));
    }
    if desk.is_lawful(copy.key, &spec.from) && !desk.is_lawful(copy.key, &spec.to) {
        // A lawful copy goes only for a lawful one. Where the target must be left, the source takes over again.
        let must_leave = matches!(verdict.wish, Wish::Move { compulsory: true, .. } | Wish::Stuck { .. });
        match record.seat(spec.seat) {
            Some(seat) if must_leave => {
                seat.cluster = spec.from.clone();
                seat.epoch += 1;
            }
            _ => out.waits.push((spec.seat, Wait::Frozen(spec.to.clone()))),
        }
        return;
    }
    if verdict.wish == Wish::Stay || matches!(verdict.wish, Wish::Move { compulsory: false, .. }) {
        keep_orders(desk, copy, record, out);
    }
    let unsure = RuleSet::EMPTY.with(Rule::ClusterNotReady).with(Rule::ObservationStale);
    if !verdict.failing.union(verdict.unknown).intersection(unsure).is_empty()
        || !desk.observed.is_reachable(&spec.to)
    {
        return out.waits.push((spec.seat, Wait::Unreachable(spec.to.clone())));
    }
    if !desk.is_ready(copy, copy.seat, Mode::Running) {
        return out.waits.push((spec.seat, Wait::NotReady(spec.to.clone())));
    }
    if frozen_at(desk.world, &spec.tenant, &spec.from, desk.now) {
        return out.waits.push((spec.seat, Wait::Frozen(spec.from.clone())));
    }
    let drain = jiff::SignedDuration::from_secs(i64::from(copy.workload.drain_seconds));
    if let Ok(drained) = switched.checked_add(drain)
        && drained > desk.now
    {
        look_again(out, desk.now, drained);
        return out.waits.push((spec.seat, Wait::Draining(spec.from.clone())));
    }
    if !desk.observed.is_reachable(&spec.from) {
        return out.waits.push((spec.seat, Wait::Unreachable(spec.from.clone())));
    }
    if !desk.observed.is_known(&spec.from, &copy.key.namespace) {
        return out.orders.push(Order::Verify(spec.from.clone()));
    }
    let source = Seat { cluster: spec.from.clone(), ..copy.seat.clone() };
    let objects = desk.all_of(copy.key, &source, &copy.seat.inventory);
    out.orders.push(Order::Remove(Remove {
        cluster: spec.from.clone(),
        ordinal: spec.seat,
        objects,
        retain_claims: true,
        because: Removal::Moved { to: spec.to.clone() },
    }));
}

/// Takes back what a move has brought to its target. The source was never touched, or is brought up again.
fn roll_back(desk: &mut Desk<'_>, copy: &Copy<'_>, migration: &MigrationFact, why: &str, out: &mut Outlook) {
    let spec = &migration.spec;
    let began = desk.has_begun(copy.key, spec);
    let gone = desk.gone.contains(&(copy.key.clone(), spec.seat, spec.to.clone()));
    if gone || began == Some(false) {
        return out.orders.push(Order::FinishMigration(
            migration.name.clone(),
            MigrationStep::RolledBack,
            format!("{why}; the copy stays on {}", spec.from),
        ));
    }
    if frozen_at(desk.world, &spec.tenant, &spec.to, desk.now) {
        return out.waits.push((spec.seat, Wait::Frozen(spec.to.clone())));
    }
    if !desk.observed.is_reachable(&spec.to) {
        return out.waits.push((spec.seat, Wait::Unreachable(spec.to.clone())));
    }
    if !desk.observed.is_known(&spec.to, &copy.key.namespace) {
        return out.orders.push(Order::Verify(spec.to.clone()));
    }
    let target = Seat { cluster: spec.to.clone(), ..copy.seat.clone() };
    out.orders.push(Order::Remove(Remove {
        cluster: spec.to.clone(),
        ordinal: spec.seat,
        objects: desk.all_of(copy.key, &target, &inventory(copy.manifests)),
        retain_claims: true,
        because: Removal::RolledBack,
    }));
}

mod departure;

use departure::leaving_orders;
pub use departure::{departure, frozen_at};
