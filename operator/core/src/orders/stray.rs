//! Copies that no record explains: a member restored from a backup has again what had moved away, or an order arrived
//! that had been given up.

use std::collections::BTreeSet;

use domicile_crds::{ADOPTED, ClusterName, Seat, WorkloadKey};

use super::{Copy, Desk, Order, Outlook, Removal, Remove, kept_at};
use crate::{
    World,
    decide::{Verdict, Wish},
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

/// Whether an object got its labels from its owner, to be adopted or handed over, and never was of a copy on record there: it is nobody's
/// to remove or to stop. What we have applied is ours, whatever its labels say.
#[must_use]
pub fn is_owners(world: &World, key: &WorkloadKey, cluster: &ClusterName, seen: &ObjectView) -> bool {
    seen.is_only_labelled() && !world.was_adopted_from(key, cluster)
}

/// Whether such an object was labelled to be adopted: it is nobody's to change either.
pub(super) fn is_original(
    world: &World,
    key: &WorkloadKey,
    cluster: &ClusterName,
    seen: &ObjectView,
) -> bool {
    seen.epoch == ADOPTED && is_owners(world, key, cluster, seen)
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

/// Where a workload is to go, or might, and what is known of such objects there is no longer true: with whether there are any.
#[must_use]
pub fn news_of_originals(world: &World, observed: &Observed, verdict: &Verdict) -> Vec<(ClusterName, bool)> {
    let key = &verdict.key;
    let targets = verdict.seats.iter().filter_map(|seat| match &seat.wish {
        Wish::Place(to) | Wish::Move { to, .. } => Some(to),
        _ => None,
    });
    let known = world.originals.get(key);
    let places: BTreeSet<&ClusterName> = targets.chain(known.into_iter().flatten()).collect();
    let there = |at: &ClusterName| originals_at(world, observed, key, at).next().is_some();
    let places = places.into_iter().map(|at| (at.clone(), there(at)));
    places.filter(|(at, there)| known.is_some_and(|known| known.contains(at)) != *there).collect()
}

/// Where there is something of a workload that its owner labelled and that never was on record, and one such object.
pub(crate) fn originals<'a>(
    world: &'a World,
    observed: &'a Observed,
    key: &'a WorkloadKey,
) -> Option<(&'a ClusterName, &'a ObjectRef)> {
    let all = observed.members_with(key).filter_map(|cluster| {
        let mut seen = observed.copies(cluster, key).flat_map(|(_, view)| view);
        Some((cluster, seen.find(|(_, seen)| is_owners(world, key, cluster, seen))?.0))
    });
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
        let ours = view.iter().filter(|(_, seen)| !is_owners(desk.world, copy.key, cluster, seen));
        let ours: Vec<_> = ours.collect();
        let older = !ours.is_empty() && ours.iter().all(|(_, seen)| seen.epoch <= newest);
        let kept = kept_at(desk.world, copy.key, (tenant, cluster), desk.now).is_some();
        if !older || kept || !desk.observed.is_reachable(cluster) || desk.is_taken(copy.key, cluster) {
            continue;
        }
        if !desk.observed.is_known(cluster, &copy.key.namespace) {
            out.orders.push(Order::Verify(cluster.clone()));
            continue;
        }
        let objects = ours.into_iter().map(|(object, _)| super::item(object)).collect();
        let because = Removal::Strayed { to: seat.cluster.clone() };
        let (cluster, ordinal) = (cluster.clone(), seat.ordinal);
        out.orders.push(Order::Remove(Remove { cluster, ordinal, objects, retain_claims: true, because }));
    }
}
