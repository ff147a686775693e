//! Copies that no record explains: a member restored from a backup has again what had moved away, or an order arrived
//! that had been given up.

use domicile_crds::{ADOPTED, ClusterName, Seat, WorkloadKey};

use super::{Copy, Desk, Order, Outlook, Removal, Remove, kept_at};
use crate::{
    World,
    manifests::ObjectRef,
    observed::{ObjectView, Observed},
    render::Mode,
};

/// Members that have something of a workload and that its record doesn't name.
pub(crate) fn strays<'a>(
    world: &World,
    observed: &'a Observed,
    key: &'a WorkloadKey,
) -> Vec<&'a ClusterName> {
    let known = world.clusters_used_by(key);
    observed.members_with(key).filter(|cluster| !known.contains(cluster)).collect()
}

/// Where there is a newer copy than the record knows of, and its epoch: then the record is the older one.
pub(super) fn newer(desk: &Desk<'_>, copy: &Copy<'_>) -> Option<(ClusterName, i64)> {
    let seat = copy.seat;
    let known = newest_known(desk.world, copy.key, seat);
    let others = desk.observed.members_with(copy.key).filter(|cluster| **cluster != seat.cluster);
    let epochs = others.filter_map(|cluster| {
        let view = desk.observed.seat(cluster, copy.key, seat.ordinal);
        Some((cluster.clone(), view.values().map(|seen| seen.epoch).max()?))
    });
    epochs.filter(|(_, epoch)| *epoch > known).max_by_key(|(_, epoch)| *epoch)
}

/// The newest epoch of a copy that is on record: its own, or that of a move, also of one that was given up.
#[must_use]
pub fn newest_known(world: &World, key: &WorkloadKey, seat: &Seat) -> i64 {
    let moves = world.migrations.get(key).into_iter().flat_map(|moves| moves.values());
    let epochs = moves.filter(|m| m.spec.seat == seat.ordinal).map(|m| m.spec.epoch);
    epochs.max().unwrap_or(0).max(seat.epoch)
}

/// Whether an object was labelled by its owner to be adopted and isn't, nor was, of a copy on record there: it is nobody's to change or
/// remove.
pub(super) fn is_original(
    world: &World,
    key: &WorkloadKey,
    cluster: &ClusterName,
    seen: &ObjectView,
) -> bool {
    seen.epoch == ADOPTED && !world.was_adopted_from(key, cluster)
}

/// What of a workload's labels was given at a cluster to what isn't on record there.
pub(super) fn originals_at<'a>(
    world: &'a World,
    observed: &'a Observed,
    key: &'a WorkloadKey,
    cluster: &'a ClusterName,
) -> impl Iterator<Item = &'a ObjectRef> {
    let all = observed.copies(cluster, key).flat_map(|(_, view)| view);
    all.filter(move |(_, seen)| is_original(world, key, cluster, seen)).map(|(object, _)| object)
}

/// Where there are such objects, and one of them.
pub(crate) fn originals<'a>(
    world: &'a World,
    observed: &'a Observed,
    key: &'a WorkloadKey,
) -> Option<(&'a ClusterName, &'a ObjectRef)> {
    let all = observed
        .members_with(key)
        .filter_map(|cluster| Some((cluster, originals_at(world, observed, key, cluster).next()?)));
    all.min()
}

/// Removes what strays of a copy that is ready where it belongs. What has a newer epoch isn't touched: then the record
/// is the older one.
pub(super) fn remove_strays(desk: &Desk<'_>, copy: &Copy<'_>, out: &mut Outlook) {
    let seat = copy.seat;
    let strays = strays(desk.world, desk.observed, copy.key);
    let is_here = desk.observed.is_current(&seat.cluster) && desk.is_ready(copy, seat, Mode::Running);
    if strays.is_empty() || !is_here {
        return;
    }
    let Ok(tenant) = desk.world.tenant_of(&copy.key.namespace) else { return };
    let newest = newest_known(desk.world, copy.key, seat);
    for cluster in strays {
        let view = desk.observed.seat(cluster, copy.key, seat.ordinal);
        let older = !view.is_empty() && view.values().all(|seen| seen.epoch <= newest);
        if view.values().any(|seen| is_original(desk.world, copy.key, cluster, seen)) {
            continue;
        }
        let kept = kept_at(desk.world, copy.key, (tenant, cluster), desk.now).is_some();
        if !older || kept || !desk.observed.is_reachable(cluster) {
            continue;
        }
        if !desk.observed.is_known(cluster, &copy.key.namespace) {
            out.orders.push(Order::Verify(cluster.clone()));
            continue;
        }
        let objects = view.keys().map(super::item).collect();
        let because = Removal::Strayed { to: seat.cluster.clone() };
        let (cluster, ordinal) = (cluster.clone(), seat.ordinal);
        out.orders.push(Order::Remove(Remove { cluster, ordinal, objects, retain_claims: true, because }));
    }
}
