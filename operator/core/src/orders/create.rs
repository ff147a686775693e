//! Placing what has no record: nothing goes anywhere that may be somewhere already.

use domicile_crds::{ADOPTED, AssignmentSpec, ClusterName, Seat, WorkloadKey};
use jiff::SignedDuration;

use super::{Adopting, Desk, Order, Outlook, new_seat};
use crate::{
    decide::{Verdict, Wish},
    facts::WorkloadFact,
    manifests::ObjectRef,
};

/// How long it may take to hand over what runs already, once its TenantWorkload is there.
const SETTLES: SignedDuration = SignedDuration::from_mins(2);

/// A workload without an Assignment: it is new, or the hub was restored and has forgotten. Every known member is
/// asked for objects of it first.
pub(super) fn create(desk: &Desk<'_>, verdict: &Verdict, workload: &WorkloadFact, out: &mut Outlook) {
    if let Some(cluster) = cannot_rule_out(desk, verdict, workload) {
        out.placement_unknown = Some(cluster);
        return;
    }
    if only_keeps_data(workload) {
        // Its kinds aren't watched.
        let members = possible_members(desk, &verdict.key);
        let unasked = members.filter(|name| !desk.observed.is_known(name, &verdict.key.namespace));
        let (there, away): (Vec<_>, Vec<_>) = unasked.partition(|name| desk.observed.is_reachable(name));
        out.placement_unknown = away.first().map(|name| (*name).clone());
        let asks = !there.is_empty();
        out.orders.extend(there.into_iter().cloned().map(Order::Verify));
        if asks || out.placement_unknown.is_some() {
            return;
        }
    }
    let Ok(tenant) = desk.world.tenant_of(&verdict.key.namespace) else { return };
    let mut seats: Vec<Seat> = Vec::new();
    let mut adopted_from = None;
    for seat in &verdict.seats {
        match &seat.wish {
            Wish::Place(cluster) => seats.push(new_seat(workload, seat.ordinal, cluster)),
            Wish::Adopt(cluster) => {
                let adopting = adopting(desk, &verdict.key, workload, cluster);
                let complete = adopting.missing.is_empty() && adopting.surplus.is_empty();
                if !complete || !desk.observed.is_current(cluster) {
                    out.adopting = Some(adopting);
                    return;
                }
                if !desk.observed.is_known(cluster, &verdict.key.namespace) {
                    // What else bears its labels would go with it.
                    out.adopting = Some(adopting);
                    return out.orders.push(Order::Verify(cluster.clone()));
                }
                adopted_from = Some(cluster.clone());
                seats.push(Seat { epoch: ADOPTED, ..new_seat(workload, seat.ordinal, cluster) });
            }
            _ => {}
        }
    }
    if !seats.is_empty() {
        let (tenant, on_delete) = (Some(tenant.clone()), Some(workload.on_delete));
        let spec = AssignmentSpec { tenant, on_delete, adopted_from, seats };
        out.orders.push(Order::CreateAssignment(Box::new(spec)));
    }
}

/// What of a workload isn't seen where it is said to run already, as whoever hands it over labels it, and what is seen besides.
fn adopting(desk: &Desk<'_>, key: &WorkloadKey, workload: &WorkloadFact, cluster: &ClusterName) -> Adopting {
    let view = desk.observed.seat(cluster, key, 0);
    let objects = || workload.manifests.iter().flat_map(|manifests| &manifests.objects).map(|it| &it.object);
    let is_there = |object: &&ObjectRef| view.get(*object).is_some_and(|seen| !seen.terminating);
    // The Jobs that its CronJobs have made come with those.
    let others = view.iter().filter(|(object, seen)| seen.made_by == 0 && !objects().any(|it| it == *object));
    let settles = workload.created.and_then(|made| made.checked_add(SETTLES).ok());
    Adopting {
        settles: settles.unwrap_or(desk.now),
        cluster: cluster.clone(),
        missing: objects().filter(|object| !is_there(object)).cloned().collect(),
        surplus: others.map(|(object, _)| object.clone()).collect(),
    }
}

/// A member that has something of the workload, or may have and can't be asked. What runs where it is to be adopted is no surprise,
/// unless Domicile has had it before.
fn cannot_rule_out(desk: &Desk<'_>, verdict: &Verdict, workload: &WorkloadFact) -> Option<ClusterName> {
    let key = &verdict.key;
    let adopts = |cluster: &ClusterName| workload.adopt.as_ref() == Some(cluster);
    let is_found = |cluster: &ClusterName| {
        desk.observed.copies(cluster, key).all(|(_, view)| view.values().all(|seen| seen.epoch == ADOPTED))
    };
    let mut known = desk.observed.members_with(key);
    if let Some(cluster) = known.find(|cluster| !adopts(cluster) || !is_found(cluster)) {
        return Some(cluster.clone());
    }
    let mut members = possible_members(desk, &verdict.key);
    let is_asked = |name: &ClusterName| desk.observed.member(name).is_some_and(|member| member.synced);
    let rules_out = |name: &ClusterName| is_asked(name) || is_younger_than_outage(desk, workload, name);
    members.find(|name| !adopts(name) && !rules_out(name)).cloned()
}

/// Members that may have something of a workload: one that its tenant was never admitted to can't.
fn possible_members<'a>(desk: &'a Desk<'_>, key: &WorkloadKey) -> impl Iterator<Item = &'a ClusterName> {
    let tenant = desk.world.tenant_of(&key.namespace).ok();
    let rows = desk.world.clusters_by_name().iter().filter_map(|id| desk.world.cluster(*id));
    let possible = rows.filter(move |row| {
        let admitted = row.fact.as_ref().map(|fact| fact.admitted.as_ref());
        admitted.zip(tenant).is_some_and(|(admitted, tenant)| admitted.is_none_or(|all| all.contains(tenant)))
    });
    possible.map(|row| &row.name)
}

/// Whether a workload keeps data and has nothing that makes pods, so that no watch tells where it is.
fn only_keeps_data(workload: &WorkloadFact) -> bool {
    let manifests = workload.manifests.as_ref();
    manifests.is_ok_and(|m| m.has_volumes && !m.objects.iter().any(|object| object.object.kind.runs_pods()))
}

/// Whether a workload was made when the member was known to be away already, so that nothing of it can have gone there.
///
/// Without this, one dead member would hold up everything new after a restart. A hub restored from a backup that is
/// older than the workload, with a member that is away, can still be deceived when a workload is made again under its
/// old name: what must never run twice therefore waits for certainty.
fn is_younger_than_outage(desk: &Desk<'_>, workload: &WorkloadFact, member: &ClusterName) -> bool {
    let member = desk.world.find_cluster(member).and_then(|id| desk.world.cluster(id)?.fact.as_ref());
    let keeps_data = workload.manifests.as_ref().is_ok_and(|manifests| manifests.has_volumes);
    let away_since = member.and_then(|member| member.away_since);
    let made_since = away_since.zip(workload.created).is_some_and(|(away, made)| away <= made);
    made_since && !keeps_data && !workload.breaks_before_make()
}
