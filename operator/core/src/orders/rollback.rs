//! Moves that go back before their switch.

use domicile_crds::{MigrationStep, Seat};

use super::{Copy, Desk, Order, Outlook, Removal, Remove, departure::is_abandoned, inventory, kept_at};
use crate::{facts::MigrationFact, moves::Wait, render::Mode};

/// Why a move goes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Why {
    #[error("it was deleted")]
    Deleted,
    #[error("it was aborted")]
    Aborted,
    #[error("the copy at the target wasn't ready in time")]
    NotReady,
    #[error("it is called for by something else now")]
    OtherCause,
    #[error("its target may not have it any more")]
    TargetBarred,
    #[error("no place may have it any more")]
    NoPlace,
    #[error("its cause is gone")]
    CauseGone,
}

impl Why {
    /// It failed, or somebody gave it up: the next try waits. After all others, what is called for then begins at once.
    fn is_failure(self) -> bool {
        matches!(self, Self::Deleted | Self::Aborted | Self::NotReady)
    }

    fn step(self) -> MigrationStep {
        if self == Self::NotReady { MigrationStep::Failed } else { MigrationStep::RolledBack }
    }
}

/// Takes back what a move has brought to its target. The source was never touched, or is brought up again.
pub(super) fn roll_back(
    desk: &mut Desk<'_>,
    copy: &Copy<'_>,
    migration: &MigrationFact,
    why: Why,
    out: &mut Outlook,
) {
    let spec = &migration.spec;
    out.going_back.push(spec.seat);
    let began = desk.has_begun(copy.key, migration);
    let gone = desk.gone.contains(&(copy.key.clone(), spec.seat, spec.to.clone()));
    let abandoned = is_abandoned(desk, copy.key, &spec.to);
    // Where nothing of it runs, a source that must be left doesn't wait for somebody else's namespace.
    let taken = desk.is_taken(copy.key, &spec.to);
    if gone || abandoned || began == Some(false) || (taken && desk.runs_nothing_at(copy.key, spec)) {
        let annotation = domicile_crds::keys::ABANDON_ANNOTATION;
        let left = if gone || began == Some(false) {
            String::new()
        } else if abandoned {
            format!("; what may be left on {} was let go of, as {annotation} says", spec.to)
        } else {
            let namespace = &copy.key.namespace;
            format!(
                "; nobody could see whether anything is left on {}, where {namespace} belongs to somebody else",
                spec.to
            )
        };
        return out.orders.push(Order::FinishMigration {
            name: migration.name.clone(),
            step: why.step(),
            message: format!("{why}; the copy stays on {}{left}", spec.from),
            given_up: why.is_failure(),
        });
    }
    if let Some(wait) = kept_at(desk.world, copy.key, (&spec.tenant, &spec.to), desk.now) {
        return out.waits.push((spec.seat, wait));
    }
    if !desk.observed.is_reachable(&spec.to) {
        return out.waits.push((spec.seat, Wait::Unreachable(spec.to.clone())));
    }
    if taken {
        return out.waits.push((spec.seat, Wait::Taken(spec.to.clone())));
    }
    if !desk.observed.is_known(&spec.to, &copy.key.namespace) {
        return out.orders.push(Order::Verify(spec.to.clone()));
    }
    let target = Seat { cluster: spec.to.clone(), ..copy.seat.clone() };
    if is_needed(desk, copy, &target) && why != Why::NotReady {
        return out.waits.push((spec.seat, Wait::NotReady(spec.from.clone())));
    }
    out.orders.push(Order::Remove(Remove {
        cluster: spec.to.clone(),
        ordinal: spec.seat,
        objects: desk.all_of(copy.key, &target, &inventory(copy.manifests)),
        retain_claims: true,
        because: Removal::RolledBack,
    }));
}

/// Whether what is at the target serves and its source doesn't: it stays until that does. The source was never touched, unless the
/// hub was restored from before the move.
fn is_needed(desk: &Desk<'_>, copy: &Copy<'_>, target: &Seat) -> bool {
    let view = desk.view(copy.key, target);
    let serves = !view.is_empty() && view.values().all(|seen| seen.ready && !seen.terminating);
    let may_wait = !copy.workload.breaks_before_make() && desk.is_lawful(copy.key, &target.cluster);
    serves && may_wait && !desk.is_ready(copy, copy.seat, Mode::Running)
}
