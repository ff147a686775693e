//! Stopping: told from what was seen at a place, not from what is asked for. A workload can't evade it by what its owner
//! writes into it, and nothing is made where nothing may be written.

use domicile_crds::WorkloadKey;

use super::{Copy, Desk, Halt, HaltCause, Order, Outlook, is_owners, strays};
use crate::{
    Horizon,
    eligibility::is_suspended,
    manifests::ObjectRef,
    observed::{ObjectView, SeatView},
};

/// Stops whatever runs of a workload where a decision suspends it: copies that stay, leave, move or were deleted, also
/// where its manifests can't be read or it is nobody's any more. Nothing else is written there.
pub(super) fn suspend(desk: &Desk<'_>, key: &WorkloadKey, out: &mut Outlook) {
    let world = desk.world;
    let recorded = || world.assignments.get(key).and_then(|record| record.tenant.as_ref());
    let Some(tenant) = world.tenant_of(&key.namespace).ok().or_else(recorded) else { return };
    let mut horizon = Horizon::new(desk.now);
    let mut places = world.clusters_used_by(key);
    places.extend(strays(world, desk.observed, key).into_iter().cloned());
    for cluster in places {
        let Some(id) = world.find_cluster(&cluster) else { continue };
        if !is_suspended(world, (tenant, key), id, &mut horizon) {
            continue;
        }
        out.orders.retain(|order| !matches!(order, Order::Apply(apply) if apply.cluster == cluster));
        if !desk.observed.is_reachable(&cluster) {
            continue;
        }
        // That all its pods have ended is known once all of it was listed.
        let verify = Order::Verify(cluster.clone());
        if !desk.observed.is_known(&cluster, &key.namespace) && !out.orders.contains(&verify) {
            out.orders.push(verify);
        }
        for (ordinal, view) in desk.observed.copies(&cluster, key) {
            let objects = running(view, |_, seen| !is_owners(world, key, &cluster, seen));
            if !objects.is_empty() {
                let (cluster, because) = (cluster.clone(), HaltCause::Suspended);
                out.orders.push(Order::Halt(Halt { cluster, ordinal, objects, because }));
            }
        }
    }
    out.next.into_iter().for_each(|next| horizon.note(next));
    out.next = horizon.next();
}

/// What of a view has pods and wasn't told to stop.
fn running(view: &SeatView, concerns: impl Fn(&ObjectRef, &ObjectView) -> bool) -> Vec<ObjectRef> {
    let runs = |seen: &ObjectView| !seen.stopped && !seen.terminating;
    let objects = view.iter().filter(|(object, seen)| object.kind.runs_pods() && runs(seen));
    objects.filter(|(object, seen)| concerns(object, seen)).map(|(object, _)| object.clone()).collect()
}

impl Desk<'_> {
    /// What must never run twice and hasn't been told to stop at the place of a copy. What the manifests don't have any
    /// more is taken for such.
    pub(super) fn to_stop(&self, copy: &Copy<'_>) -> Vec<ObjectRef> {
        let ours = |seen: &ObjectView| !is_owners(self.world, copy.key, &copy.seat.cluster, seen);
        running(self.view(copy.key, copy.seat), |object, seen| copy.is_exclusive(object) && ours(seen))
    }

    /// Whether something that must never run twice was told to stop at the place of a copy.
    pub(super) fn is_stopping(&self, copy: &Copy<'_>) -> bool {
        let mut view = self.view(copy.key, copy.seat).iter();
        view.any(|(object, seen)| seen.halted && copy.is_exclusive(object))
    }

    /// Whether nothing that must never run twice has pods.
    pub(super) fn is_idle(&self, copy: &Copy<'_>) -> bool {
        let mut view = self.view(copy.key, copy.seat).iter();
        let not_ours = |seen: &ObjectView| is_owners(self.world, copy.key, &copy.seat.cluster, seen);
        view.all(|(object, seen)| {
            seen.idle || !object.kind.runs_pods() || !copy.is_exclusive(object) || not_ours(seen)
        })
    }
}

impl Copy<'_> {
    fn is_exclusive(&self, object: &ObjectRef) -> bool {
        let fact = self.manifests.objects.iter().find(|fact| fact.object == *object);
        let all = self.workload.overlap == domicile_crds::Overlap::Forbid;
        all || fact.is_none_or(|fact| fact.exclusive)
    }
}
