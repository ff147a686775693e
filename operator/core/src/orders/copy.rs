//! One copy of a workload, and how it is where it is.

use std::collections::HashSet;

use domicile_crds::{ClusterName, CompletedJob, InventoryItem, MigrationSpec, Seat, WorkloadKey};
use jiff::Timestamp;

use super::{Desk, Record, is_original, is_owners, item};
use crate::{
    World,
    class::Classes,
    facts::{MigrationFact, WorkloadFact},
    manifests::{Manifests, ObjectFact, ObjectRef, fnv1a},
    moves::Memory,
    observed::{ObjectView, Observed, SeatView},
    render::{Mode, Target, completed, is_done},
};

/// A copy with all that belongs to it.
pub(super) struct Copy<'a> {
    pub(super) key: &'a WorkloadKey,
    pub(super) workload: &'a WorkloadFact,
    pub(super) manifests: &'a Manifests,
    pub(super) seat: &'a Seat,
}

impl Desk<'_> {
    /// What a copy may have on a member: what should be there, and what was seen there beyond that.
    pub(super) fn all_of(
        &self,
        key: &WorkloadKey,
        seat: &Seat,
        inventory: &[InventoryItem],
    ) -> Vec<InventoryItem> {
        let view = self.view(key, seat).iter();
        let seen = view.filter(|(_, seen)| !is_owners(self.world, key, &seat.cluster, seen));
        let seen = seen.map(|(object, _)| item(object)).filter(|item| !inventory.contains(item));
        inventory.iter().cloned().chain(seen).collect()
    }

    /// Whether a move has brought anything to its target. `None` if that isn't known: after a restart, a target
    /// that doesn't answer may have everything of it.
    pub(super) fn has_begun(&self, key: &WorkloadKey, migration: &MigrationFact) -> Option<bool> {
        let spec = &migration.spec;
        let seen = self.memory.begun(key, &migration.name).is_some() || self.has_arrived(key, spec);
        (seen || self.observed.is_known(&spec.to, &key.namespace)).then_some(seen)
    }

    /// Whether anything that a move has brought is seen at its target: what is there of an earlier epoch came by another way.
    pub(super) fn has_arrived(&self, key: &WorkloadKey, spec: &MigrationSpec) -> bool {
        self.observed.seat(&spec.to, key, spec.seat).values().any(|seen| seen.epoch >= spec.epoch)
    }

    /// Whether a member takes a new copy of a workload.
    pub(super) fn is_open(&self, copy: &Copy<'_>, cluster: &ClusterName) -> bool {
        let Some((row, id)) = self.classes.of(copy.key).zip(self.world.find_cluster(cluster)) else {
            return false;
        };
        row.cell(id).is_open()
            && self.world.is_large_enough(id, copy.manifests.demand)
            && !self.world.is_stale(id, self.now)
    }

    /// Whether the workload's namespace on a member is somebody else's: nothing of it can be looked at there, brought or removed.
    pub(super) fn is_taken(&self, key: &WorkloadKey, cluster: &ClusterName) -> bool {
        let row = self.world.find_cluster(cluster).and_then(|id| self.world.cluster(id));
        row.is_some_and(|row| row.taken.contains(&key.namespace))
    }

    /// Whether nothing that makes pods is seen of what a move has brought to its target. That is watched in whosever namespace it is.
    pub(super) fn runs_nothing_at(&self, key: &WorkloadKey, spec: &domicile_crds::MigrationSpec) -> bool {
        let view = self.observed.seat(&spec.to, key, spec.seat);
        self.observed.is_listed(&spec.to)
            && !view.iter().any(|(object, seen)| object.kind.runs_pods() && seen.epoch >= spec.epoch)
    }

    /// Whether the law certainly lets a workload be on a member, which answers.
    pub(super) fn is_lawful(&self, key: &WorkloadKey, cluster: &ClusterName) -> bool {
        let Some((row, id)) = self.classes.of(key).zip(self.world.find_cluster(cluster)) else {
            return false;
        };
        row.cell(id).is_lawful() && self.observed.is_reachable(cluster) && !self.world.is_stale(id, self.now)
    }

    pub(super) fn target<'b>(&'b self, copy: &'b Copy<'_>, seat: &'b Seat, mode: Mode) -> Option<Target<'b>> {
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

    pub(super) fn view(&self, key: &WorkloadKey, seat: &Seat) -> &SeatView {
        self.observed.seat(&seat.cluster, key, seat.ordinal)
    }

    /// The objects that aren't there as they should be. What was stopped, or has made a Job that was, isn't: whoever has
    /// it run again may have been interrupted half-way.
    pub(super) fn differing(&self, copy: &Copy<'_>, seat: &Seat, mode: Mode) -> Vec<ObjectRef> {
        let Some(target) = self.target(copy, seat, mode) else { return Vec::new() };
        let view = self.view(copy.key, seat);
        let secrets = self.world.secrets.get(&copy.key.namespace);
        let differs = |object: &&ObjectFact| {
            let version = secrets.and_then(|there| there.get(&*object.object.name)).copied();
            let seen = view.get(&object.object);
            let ours = |seen: &&ObjectView| !is_original(self.world, copy.key, &seat.cluster, seen);
            let Some(seen) = seen.filter(ours) else {
                return !is_done(&seat.completed_jobs, object) && !comes_later(object, mode);
            };
            seen.halted
                || !target.is_applied(object, seen, version)
                || (mode == Mode::Running && has_halted_jobs(&object.object, view))
        };
        copy.manifests.objects.iter().filter(differs).map(|object| object.object.clone()).collect()
    }

    /// Whether all objects are there as they should be, and ready. A Job that has completed needn't be there.
    pub(super) fn is_ready(&self, copy: &Copy<'_>, seat: &Seat, mode: Mode) -> bool {
        let view = self.view(copy.key, seat);
        let is_ready = |object: &ObjectFact| {
            is_done(&seat.completed_jobs, object)
                || view.get(&object.object).map_or(comes_later(object, mode), |seen| seen.ready)
        };
        self.differing(copy, seat, mode).is_empty() && copy.manifests.objects.iter().all(is_ready)
    }

    /// The Jobs of a copy that have completed: those on record, and those that were seen to. One that the manifests
    /// have changed or dropped since isn't among them.
    pub(super) fn completed_jobs(&self, copy: &Copy<'_>) -> Vec<CompletedJob> {
        let Some(target) = self.target(copy, copy.seat, Mode::Running) else {
            return copy.seat.completed_jobs.clone();
        };
        let view = self.view(copy.key, copy.seat);
        let has_run = |job: &ObjectFact, seen: &ObjectView| {
            // As it was applied before it was on record, in whichever epoch.
            let applied = Target { epoch: seen.epoch, completed_jobs: &[], ..target };
            seen.completed && seen.digest == applied.digest(job)
        };
        let jobs = copy.manifests.objects.iter().filter(|object| object.object.kind.name() == "Job");
        let done = jobs.filter(|job| {
            is_done(&copy.seat.completed_jobs, job)
                || view.get(&job.object).is_some_and(|seen| has_run(job, seen))
        });
        done.map(completed).collect()
    }
}

/// Records which Jobs have completed. Answers whether one has that wasn't on record: that comes before anything else is
/// done with the copy, since what isn't recorded runs again where it goes, or when it is deleted.
pub(super) fn is_news(desk: &Desk<'_>, copy: &Copy<'_>, record: &mut Record<'_>) -> bool {
    let completed = desk.completed_jobs(copy);
    let news = completed.iter().any(|job| !copy.seat.completed_jobs.contains(job));
    if let Some(recorded) = record.seat(copy.seat.ordinal) {
        recorded.completed_jobs = completed;
    }
    news
}

/// A CronJob is made where its copy goes when it may run there: one that was made before and is let run then makes up for
/// what it has missed, which the source has run.
fn comes_later(object: &ObjectFact, mode: Mode) -> bool {
    mode == Mode::Standby && object.object.kind.name() == "CronJob"
}

/// Whether a CronJob has made a Job that was stopped and should run as it does.
fn has_halted_jobs(object: &ObjectRef, view: &SeatView) -> bool {
    object.kind.name() == "CronJob" && {
        let name = fnv1a(object.name.as_bytes());
        view.values().any(|seen| seen.halted && !seen.terminating && seen.made_by == name)
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
