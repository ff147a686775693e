//! What should become of a workload: pure, total, and the same for whoever asks.

use std::collections::HashMap;

use domicile_crds::{Cause, ClusterName, WorkloadKey};
use jiff::{SignedDuration, Timestamp};

use crate::{
    RuleSet, World,
    class::{ClassRow, Classes},
    facts::WorkloadFact,
    manifests::ManifestError,
    quantity::Resources,
    world::{ClusterId, Homeless},
};

mod case;
mod choose;

use case::Case;

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
    /// When this can change by itself, as long as what is seen goes on being seen: an observation that grows too
    /// old isn't told here, since it is renewed every few seconds. [`Engine::next`](crate::Engine::next) minds that.
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
    /// It runs there already: record that, once it is seen.
    Adopt(ClusterName),
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

/// Room that is promised but not on record.
#[derive(Clone, Debug, Default)]
pub struct Overlay(HashMap<ClusterId, Resources>);

impl Overlay {
    /// What is used of a cluster and promised there.
    fn used(&self, world: &World, id: ClusterId) -> Resources {
        let mut used = world.cluster(id).map(|row| row.used).unwrap_or_default();
        if !self.0.is_empty() {
            used += self.0.get(&id).copied().unwrap_or_default();
        }
        used
    }

    /// Whether a cluster has room for `demand` besides.
    pub(crate) fn has_room(&self, world: &World, id: ClusterId, demand: Resources) -> bool {
        let limit = world.cluster(id).and_then(|row| row.fact.as_ref()).map(|fact| fact.limit);
        limit.is_some_and(|limit| limit.fits(self.used(world, id), demand))
    }

    /// What is free of a cluster, in eighths.
    fn free(&self, world: &World, id: ClusterId) -> u8 {
        let limit = world.cluster(id).and_then(|row| row.fact.as_ref()).map(|fact| fact.limit);
        limit.map_or(0, |limit| limit.free_eighths(self.used(world, id)))
    }

    pub(crate) fn promise(&mut self, id: ClusterId, demand: Resources) {
        if demand != Resources::default() {
            *self.0.entry(id).or_default() += demand;
        }
    }

    pub(crate) fn take_back(&mut self, id: ClusterId, demand: Resources) {
        if let Some(promised) = self.0.get_mut(&id) {
            *promised -= demand;
            if *promised == Resources::default() {
                self.0.remove(&id);
            }
        }
    }
}

/// A verdict with what would change it, for whoever keeps it up to date.
#[derive(Clone, Debug)]
pub(crate) struct Decided {
    pub(crate) verdict: Verdict,
    /// Clusters that were chosen and aren't on record.
    pub(crate) chosen: Vec<ClusterId>,
    /// What one copy asks for.
    pub(crate) demand: Resources,
    /// A cluster was passed over because it had no room.
    pub(crate) short: bool,
    /// When it can change by itself for a reason that is this workload's own: no class shares it.
    pub(crate) wake: Option<Timestamp>,
}

impl Decided {
    /// Whether a copy has yet to find a place, or to leave: what its verdict says is also about other places than
    /// its cell, such as the site that the cause names.
    pub(crate) fn is_open(&self) -> bool {
        let open = |wish: &Wish| match wish {
            Wish::Place(_) | Wish::Wait | Wish::Move { .. } | Wish::Stuck { .. } => true,
            Wish::Adopt(_) | Wish::Stay | Wish::Hold | Wish::Suspend | Wish::Freeze | Wish::Leave => false,
        };
        self.verdict.seats.iter().any(|seat| open(&seat.wish))
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
        let Some(decided) = decided(world, classes.of(key), key, &overlay, now) else { continue };
        decided.chosen.iter().for_each(|id| overlay.promise(*id, decided.demand));
        verdicts.push(decided.verdict);
    }
    verdicts
}

/// The reference: everything from nothing, without a cache. What the operator keeps up to date piece by
/// piece must always equal this.
#[must_use]
pub fn decide(world: &World, now: Timestamp) -> Vec<Verdict> {
    let mut keys: Vec<&WorkloadKey> = world.workloads.keys().collect();
    keys.sort_unstable();
    let mut classes = Classes::default();
    for key in &keys {
        classes.classify(world, key);
    }
    for id in classes.ids() {
        classes.refresh(world, id, std::iter::empty(), now);
    }
    decide_all(world, &classes, keys, now)
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
    decided(world, classes.of(key), key, overlay, now).map(|decided| decided.verdict)
}

/// Decides for one workload of the class `row`, if it is of one.
pub(crate) fn decided(
    world: &World,
    row: Option<&ClassRow>,
    key: &WorkloadKey,
    overlay: &Overlay,
    now: Timestamp,
) -> Option<Decided> {
    let workload = world.workloads.get(key)?;
    let case = row.and_then(|row| Case::open(world, row, (key, workload), overlay, now));
    Some(case.map_or_else(|| blocked(world, key, workload), Case::decide))
}

/// Nothing can be done for it: what runs is left as it is.
fn blocked(world: &World, key: &WorkloadKey, workload: &WorkloadFact) -> Decided {
    let reason = match &workload.manifests {
        Err(error) => Blocked::ManifestRejected(error.clone()),
        Ok(_) => Blocked::Homeless(world.tenant_of(&key.namespace).err().unwrap_or(Homeless::NotSeen)),
    };
    let hold = |seat: &domicile_crds::Seat| SeatVerdict {
        ordinal: seat.ordinal,
        at: Some(seat.cluster.clone()),
        failing: RuleSet::EMPTY,
        unknown: RuleSet::LEGAL,
        wish: Wish::Hold,
    };
    let seats = world.active_seats(key).into_iter().map(hold).collect();
    let verdict = Verdict { key: key.clone(), seats, blocked: Some(reason), next: None };
    Decided { verdict, chosen: Vec::new(), demand: Resources::default(), short: false, wake: None }
}
