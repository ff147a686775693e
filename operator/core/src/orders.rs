//! What to do next for a workload: derived anew each time from what is recorded and what was seen.
//!
//! No step is told what changed. An order that was carried out shows in the next observation, and one
//! that was lost is derived again.

mod claims;
mod copy;
mod create;
mod departure;
mod halt;
mod migration;
mod order;
mod publish;
mod rollback;
mod stray;

use std::collections::HashSet;

use domicile_crds::{
    AssignmentSpec, ClusterName, INVENTORY_MAX, InventoryItem, OnDelete, Seat, SeatPhase, WorkloadKey,
};
use jiff::Timestamp;

use crate::{
    RuleSet, World,
    class::Classes,
    decide::{SeatVerdict, Verdict, Wish},
    facts::{MigrationFact, WorkloadFact},
    manifests::{Kind, Manifests, ObjectRef},
    moves::{Memory, Wait, move_of, moves_over},
    observed::Observed,
    render::Mode,
};
use claims::keep_claims_first;
use copy::{Copy, is_news};
use create::create;
use departure::leaving_orders;
use halt::suspend;
use migration::{finish_orders, migration_orders, propose};
use publish::publish;
use stray::{is_original, newer, remove_strays};

pub use stray::{is_owners, newest_known, news_of_originals};
pub(crate) use stray::{originals, strays};

pub use copy::is_ready;
pub use departure::{departure, kept_at, releases};
pub use order::{Apply, Because, Halt, HaltCause, KeepClaims, Order, Removal, Remove};
pub use publish::{Publish, service_object, slice_object};

/// What to do next, and what is waited for.
#[derive(Clone, Debug, Default)]
pub struct Outlook {
    /// What to do, each independent of the others.
    pub orders: Vec<Order>,
    /// What its moves wait for, by ordinal.
    pub waits: Vec<(i32, Wait)>,
    /// What has moved away and isn't gone yet.
    pub sources: Vec<Source>,
    /// Copies whose move goes back, by ordinal.
    pub going_back: Vec<i32>,
    /// The workload has no Assignment, and a member that may have something of it can't be asked.
    pub placement_unknown: Option<ClusterName>,
    /// Its first copy runs somewhere already and isn't on record yet.
    pub adopting: Option<Adopting>,
    /// A new generation isn't applied, because what runs must be left as it is.
    pub update_held: bool,
    /// When to look again.
    pub next: Option<Timestamp>,
}

/// Why what runs somewhere already isn't on record yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopting {
    /// Where.
    pub cluster: ClusterName,
    /// What of it isn't seen there.
    pub missing: Vec<ObjectRef>,
    /// What is seen there with its labels and isn't in its manifests: it would be stopped and removed with it.
    pub surplus: Vec<ObjectRef>,
    /// Until when that is nothing to tell of: it is being handed over.
    pub settles: Timestamp,
}

/// Where a copy still is, or may be, that moves from there or has moved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Which copy.
    pub ordinal: i32,
    /// Where.
    pub cluster: ClusterName,
    /// The copy is elsewhere on record. Else it has yet to stop here before it starts there.
    pub moved: bool,
    /// From when on somebody must know if its member doesn't answer.
    pub unfenced: Timestamp,
    /// From when on somebody must look why it is still there.
    pub overdue: Timestamp,
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
    let mut out = derive(desk, verdict);
    suspend(desk, &verdict.key, &mut out);
    publish(desk, &verdict.key, &mut out);
    keep_claims_first(desk, &verdict.key, &mut out);
    out
}

fn derive(desk: &mut Desk<'_>, verdict: &Verdict) -> Outlook {
    let mut out = Outlook { next: verdict.next, ..Outlook::default() };
    let key = &verdict.key;
    let Some(workload) = desk.world.workloads.get(key).cloned() else { return out };
    match desk.world.assignments.get(key) {
        Some(_) if desk.world.is_succeeding(key) => return out,
        Some(_) => {}
        None => {
            create(desk, verdict, &workload, &mut out);
            return out;
        }
    }
    let mut record = Record::of(desk.world, key, &workload);
    record.keep_claims();
    for seat in &verdict.seats {
        match &seat.wish {
            Wish::Place(cluster) => record.place(seat.ordinal, cluster),
            Wish::Adopt(_) | Wish::Wait => {}
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
        static EMPTY: AssignmentSpec =
            AssignmentSpec { tenant: None, on_delete: None, adopted_from: None, seats: Vec::new() };
        let recorded = world.assignments.get(key).map_or(&EMPTY, |a| a.spec.as_ref());
        Self { recorded, wanted: recorded.clone(), workload, updating: false }
    }

    fn place(&mut self, ordinal: i32, cluster: &ClusterName) {
        self.wanted.seats.push(new_seat(self.workload, ordinal, cluster));
        self.wanted.seats.sort_by_key(|seat| seat.ordinal);
    }

    /// That claims are to be kept is recorded at once: an update may have to wait, and a deletion doesn't.
    fn keep_claims(&mut self) {
        if self.recorded.on_delete == Some(OnDelete::Remove) && self.workload.on_delete == OnDelete::Retain {
            self.wanted.on_delete = Some(OnDelete::Retain);
        }
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

/// Looks at a copy that is left as it is: reading is always allowed, and after a restart nothing could be said of it
/// otherwise.
fn ask(desk: &Desk<'_>, copy: &Copy<'_>, out: &mut Outlook) {
    if !desk.observed.is_known(&copy.seat.cluster, &copy.key.namespace) {
        out.orders.push(Order::Verify(copy.seat.cluster.clone()));
    }
}

fn seat_orders(
    desk: &mut Desk<'_>,
    (key, workload): (&WorkloadKey, &WorkloadFact),
    verdict: &SeatVerdict,
    record: &mut Record<'_>,
    out: &mut Outlook,
) {
    let Some(seat) = record.seat(verdict.ordinal).map(|seat| seat.clone()) else { return };
    let Ok(manifests) = &workload.manifests else { return rest(desk, key, verdict.ordinal) };
    let copy = Copy { key, workload, manifests, seat: &seat };
    let newer = if workload.breaks_before_make() { newer(desk, &copy) } else { None };
    copy_orders(desk, &copy, verdict, record, out);
    // What must never run twice isn't started by a record that may be outdated.
    if let Some((cluster, epoch)) = newer {
        let starts = |order: &Order| matches!(order, Order::Apply(apply) if apply.ordinal == seat.ordinal && apply.mode == Mode::Running);
        out.orders.retain(|order| !starts(order));
        out.waits.insert(0, (seat.ordinal, Wait::Newer(cluster, epoch)));
    }
}

/// Nothing can be done about a move of a copy: it holds up no other.
fn rest(desk: &mut Desk<'_>, key: &WorkloadKey, ordinal: i32) {
    if let Some(migration) = move_of(desk.world, key, ordinal) {
        desk.memory.counts(key, &migration.name, false);
    }
}

fn copy_orders(
    desk: &mut Desk<'_>,
    copy: &Copy<'_>,
    verdict: &SeatVerdict,
    record: &mut Record<'_>,
    out: &mut Outlook,
) {
    let Copy { key, workload, seat, .. } = *copy;
    if is_news(desk, copy, record) {
        return;
    }
    if let Some(migration) = move_of(desk.world, key, seat.ordinal).cloned() {
        migration_orders(desk, copy, &migration, verdict, (record, out));
        return;
    }
    let over: Vec<MigrationFact> = moves_over(desk.world, key, seat).cloned().collect();
    for migration in &over {
        finish_orders(desk, copy, migration, verdict, (record, out));
    }
    if record.seat(verdict.ordinal).is_some_and(|now| now.cluster != seat.cluster) {
        // It goes back to where it was.
        return;
    }
    if let (false, Wish::Move { compulsory: false, .. }) = (over.is_empty(), &verdict.wish) {
        // What only would rather be elsewhere first finishes what it has begun.
        return look_after(desk, copy, verdict, (record, out));
    }
    match &verdict.wish {
        Wish::Stay => {
            keep_orders(desk, copy, record, out);
            if over.is_empty() {
                remove_strays(desk, copy, out);
            }
        }
        // What moved lately is removed where it was first.
        Wish::Leave if !over.is_empty() => look_after(desk, copy, verdict, (record, out)),
        Wish::Leave => {
            if let Some(seat) = record.seat(verdict.ordinal) {
                seat.phase = SeatPhase::Leaving;
            }
        }
        Wish::Move { to, cause, compulsory } => {
            propose(desk, copy, (to, cause, *compulsory), out);
            look_after(desk, copy, verdict, (record, out));
            if !compulsory {
                remove_strays(desk, copy, out);
            }
        }
        Wish::Stuck { .. } => look_after(desk, copy, verdict, (record, out)),
        Wish::Hold | Wish::Freeze => {
            ask(desk, copy, out);
            out.update_held |= seat.generation != workload.generation;
        }
        Wish::Suspend | Wish::Place(_) | Wish::Adopt(_) | Wish::Wait => {}
    }
}

/// Until a copy has gone, it is kept as it should be where it is, if anything may be written there.
fn look_after(
    desk: &Desk<'_>,
    copy: &Copy<'_>,
    verdict: &SeatVerdict,
    (record, out): (&mut Record<'_>, &mut Outlook),
) {
    if verdict.failing.union(verdict.unknown).intersection(RuleSet::BARRING).is_empty() {
        keep_orders(desk, copy, record, out);
    } else {
        ask(desk, copy, out);
        out.update_held |= copy.seat.generation != copy.workload.generation;
    }
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
        let new: Vec<_> = wanted.iter().filter(|item| !seat.inventory.contains(item)).cloned().collect();
        if seat.inventory.len() + new.len() > INVENTORY_MAX {
            return out.waits.push((seat.ordinal, Wait::InventoryFull));
        }
        let on_delete = copy.workload.on_delete;
        record.wanted.on_delete = Some(on_delete);
        if let Some(recorded) = record.seat(seat.ordinal) {
            recorded.generation = copy.workload.generation;
            recorded.inventory.extend(new);
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
