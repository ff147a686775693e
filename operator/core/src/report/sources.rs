//! What has moved away and isn't gone yet: the Assignment doesn't name it any more, and it may run all the same.

use domicile_crds::{ClusterName, Seat, SeatPhase, WorkloadKey, keys::ABANDON_ANNOTATION};

use super::Situation;
use crate::{
    Horizon, Rule, RuleSet,
    class::ClassRow,
    decide::{Obstacle, SeatVerdict, Wish},
    eligibility::{is_suspended, judge_workload},
    moves::{Wait, left_behind},
    observed::SeatView,
    orders::{originals, strays},
};

impl Situation<'_> {
    /// Where copies were before the switch of their moves, and where there is anything that no record explains.
    pub(super) fn sources(&self) -> Vec<&ClusterName> {
        if self.world.is_succeeding(self.key()) {
            return Vec::new();
        }
        let mut left = left_behind(self.world, self.key());
        left.extend(strays(self.world, self.observed, self.key()));
        left
    }

    /// Copies that aren't asked for any more and aren't gone yet.
    fn leaving(&self) -> impl Iterator<Item = &Seat> {
        let seats = self.world.assignments.get(self.key()).map_or(&[][..], |record| &record.spec.seats);
        seats.iter().filter(|seat| seat.phase == SeatPhase::Leaving)
    }

    /// Which rules fail and which can't be told where something still is.
    pub(super) fn judge(&self, row: Option<&ClassRow>, cluster: &ClusterName) -> (RuleSet, RuleSet) {
        let Some((row, id)) = row.zip(self.world.find_cluster(cluster)) else {
            return (RuleSet::EMPTY, RuleSet::LEGAL);
        };
        let cell = row.cell(id);
        let mut horizon = Horizon::new(self.now);
        let own = judge_workload(self.world, &row.class.tenant, self.key(), id, &mut horizon);
        (cell.failing.union(own), cell.unknown.without(Rule::ClusterNotReady))
    }

    /// What keeps a copy that must leave from its next step, if that is a member that doesn't answer, or takes nothing new.
    pub(super) fn cut_off(&self) -> Option<(&'static str, String)> {
        let goes_to = |ordinal, cluster: &ClusterName| {
            let planned = crate::moves::move_of(self.world, self.key(), ordinal);
            planned.is_some_and(|planned| planned.spec.to == *cluster)
        };
        self.verdict.seats.iter().find_map(|seat| {
            let Wish::Move { cause, compulsory: true, .. } = &seat.wish else { return None };
            let mut waits = self.outlook.waits.iter().filter(|(ordinal, _)| *ordinal == seat.ordinal);
            let (reason, wait) = waits.find_map(|(_, wait)| match wait {
                Wait::Unreachable(_) => Some(("MemberUnreachable", wait)),
                Wait::Closed(_) => Some((Obstacle::NoLawfulPlace.name(), wait)),
                Wait::Taken(taken) if goes_to(seat.ordinal, taken) => {
                    Some((Rule::NamespaceTaken.name(), wait))
                }
                _ => None,
            })?;
            let at = seat.at.as_ref()?;
            let is_lost = matches!(wait, Wait::Unreachable(lost) if lost == at) && self.breaks_before_make();
            let way_out = if is_lost { self.way_out(at) } else { String::new() };
            Some((reason, format!("must leave {at} because {cause}, but {wait}{way_out}")))
        })
    }

    fn breaks_before_make(&self) -> bool {
        self.world.workloads.get(self.key()).is_some_and(|workload| workload.breaks_before_make())
    }

    /// How what must never run twice gets away from a member that is lost.
    fn way_out(&self, at: &ClusterName) -> String {
        let WorkloadKey { namespace, name } = self.key();
        format!(
            "; once nothing of it runs there for certain: kubectl -n {namespace} annotate assignments.domicile.dev {name} {ABANDON_ANNOTATION}={at}"
        )
    }

    /// A workload that is being deleted, and that a finalizer of somebody else keeps from being cleaned up.
    pub(super) fn is_held(&self) -> Option<(&'static str, String)> {
        let finalizer = self.world.workloads.get(self.key())?.held_by.as_ref()?;
        let message = format!(
            "it is being deleted, and the finalizer {finalizer} holds it: until that is gone, nothing of it is updated, moved or removed"
        );
        Some(("BeingDeleted", message))
    }

    /// An update that its record has no room for.
    pub(super) fn is_full(&self) -> Option<(&'static str, String)> {
        let full = self.outlook.waits.iter().find(|(_, wait)| *wait == Wait::InventoryFull)?;
        let message = format!("{}: go back to what was ready, or bring fewer new objects at a time", full.1);
        Some(("InventoryFull", message))
    }

    /// A copy that isn't asked for any more, at a member that doesn't answer.
    pub(super) fn cannot_leave(&self) -> Option<(&'static str, String)> {
        let lost = self.leaving().find(|seat| !self.observed.is_reachable(&seat.cluster))?;
        let message = format!(
            "copy {} isn't asked for any more, but MemberCluster/{} can't be reached: it may still run there, and is removed \
             when that answers again",
            lost.ordinal, lost.cluster
        );
        Some(("MemberUnreachable", message))
    }

    /// A copy of which a member has a newer one than the record knows of.
    pub(super) fn record_is_older(&self) -> Option<(&'static str, String)> {
        self.outlook.waits.iter().find_map(|(ordinal, wait)| {
            let Wait::Newer(cluster, epoch) = wait else { return None };
            let message = format!(
                "{wait}. Nothing is started until Assignment/{} names that place and epoch for copy {ordinal} \
                 (cluster: {cluster}, epoch: {epoch}), or its objects there are deleted",
                self.key().name
            );
            Some(("RecordOlder", message))
        })
    }

    /// What was labelled to be adopted where no record names it: it runs beside the copy that is on record.
    pub(super) fn original_remains(&self) -> Option<(&'static str, String)> {
        let (cluster, object) = originals(self.world, self.observed, self.key())?;
        self.world.assignments.get(self.key())?;
        let message = format!(
            "{}/{} on MemberCluster/{cluster} has this workload's labels and was never on record: Domicile neither changes nor removes it, and \
             moves nothing there. Delete it there, or take off its label domicile.dev/workload if it is somebody else's",
            object.kind.name(),
            object.name
        );
        Some(("OriginalRemains", message))
    }

    /// A copy that a suspension or a move has stopped, and that may neither go on nor start where it is.
    pub(super) fn stopped_for_good(&self) -> Option<(&'static str, String)> {
        let waits = |seat: &SeatVerdict| {
            let mut waits = self.outlook.waits.iter().filter(|(ordinal, _)| *ordinal == seat.ordinal);
            waits.find(|(_, wait)| begins_when_somebody_acts(wait))
        };
        let goes_on = |seat: &SeatVerdict| {
            let mut waits = self.outlook.waits.iter().filter(|(ordinal, _)| *ordinal == seat.ordinal);
            waits.any(|(_, wait)| {
                matches!(wait, Wait::NotReady(_) | Wait::NoAddress(_) | Wait::Settles(_) | Wait::NotIdle(_))
            })
        };
        let is_barred =
            |seat: &SeatVerdict| !seat.failing.union(seat.unknown).intersection(RuleSet::BARRING).is_empty();
        let stays = |seat: &SeatVerdict| match seat.wish {
            Wish::Hold | Wish::Freeze => !goes_on(seat),
            Wish::Stuck { .. } => is_barred(seat) && !goes_on(seat),
            Wish::Move { .. } => waits(seat).is_some(),
            _ => false,
        };
        let stopped = self.verdict.seats.iter().find(|seat| stays(seat) && self.was_stopped(seat))?;
        let at = stopped.at.as_ref()?;
        let rule = stopped
            .failing
            .union(stopped.unknown)
            .first()
            .map_or("it can't be told whether it may", Rule::name);
        let until = waits(stopped).map_or("until it may".to_owned(), |(_, wait)| format!("yet: {wait}"));
        let message = format!(
            "the copy on {at} is stopped, as a suspension or a move had it, and starts neither there ({rule}) nor elsewhere {until}; \
             nothing is deleted"
        );
        Some(("Stopped", message))
    }

    fn was_stopped(&self, seat: &SeatVerdict) -> bool {
        let Some(at) = &seat.at else { return false };
        self.observed.seat(at, self.key(), seat.ordinal).values().any(|seen| seen.halted && !seen.terminating)
    }

    /// Where a decision suspends something of the workload that was not seen to have stopped.
    pub(super) fn not_stopped_yet(&self) -> Option<(&'static str, String)> {
        let key = self.key();
        let tenant = self.world.tenant_of(&key.namespace).ok()?;
        let mut places = self.world.clusters_used_by(key);
        places.extend(strays(self.world, self.observed, key).into_iter().cloned());
        let mut horizon = Horizon::new(self.now);
        places.retain(|cluster| {
            let id = self.world.find_cluster(cluster);
            id.is_some_and(|id| is_suspended(self.world, (tenant, key), id, &mut horizon))
        });
        places.iter().find_map(|at| {
            if !self.observed.is_current(at) {
                let message = format!(
                    "a Decision suspends it, but MemberCluster/{at} can't be reached: it may still run there, and is stopped when \
                     that answers again"
                );
                return Some(("MemberUnreachable", message));
            }
            let runs = |view: &SeatView| {
                view.iter().any(|(object, seen)| object.kind.runs_pods() && !(seen.stopped && seen.idle))
            };
            let listed = self.observed.is_known(at, &key.namespace);
            (!listed || self.observed.copies(at, key).any(|(_, view)| runs(view))).then(|| {
                ("Suspending", format!("a Decision suspends it; that all its pods on MemberCluster/{at} have ended wasn't seen yet"))
            })
        })
    }

    /// Why a person must look at a source, if so.
    pub(super) fn source_stays(&self) -> Option<(&'static str, String)> {
        self.outlook.sources.iter().find_map(|source| {
            let cluster = &source.cluster;
            if !source.moved && !self.observed.is_current(cluster) {
                return None;
            }
            if !source.moved {
                let message = format!(
                    "it must never run twice, and its pods on MemberCluster/{cluster} don't end: look there for finalizers and for \
                     pods that don't end, or for a node that is gone"
                );
                return (source.overdue <= self.now).then_some(("SourceRemains", message));
            }
            if !self.observed.is_reachable(cluster) && source.unfenced <= self.now {
                let message = format!(
                    "it has moved, and MemberCluster/{cluster} can't be reached: what was there may still run, and is \
                     removed when that answers again"
                );
                return Some(("SourceUnfenced", message));
            }
            (source.overdue <= self.now).then(|| {
                let wait = self.outlook.waits.iter().find(|(ordinal, _)| *ordinal == source.ordinal);
                let why = wait.map_or_else(
                    || "look there for finalizers and for pods that don't end".to_owned(),
                    |(_, wait)| wait.to_string(),
                );
                let message = format!("it has moved, and what was on MemberCluster/{cluster} isn't gone: {why}");
                ("SourceRemains", message)
            })
        })
    }
}

/// Whether a move hasn't begun, and doesn't before somebody acts.
fn begins_when_somebody_acts(wait: &Wait) -> bool {
    matches!(
        wait,
        Wait::Paused(_)
            | Wait::Closed(_)
            | Wait::Originals(_)
            | Wait::Taken(_)
            | Wait::Answer
            | Wait::OtherPlan
            | Wait::Denied
            | Wait::Aborted(_)
    )
}
