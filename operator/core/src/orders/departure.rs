//! What leaves for good: copies that aren't asked for any more, and all copies of a workload that was deleted.

use domicile_crds::{
    ClusterName, MigrationStep, OnDelete, Seat, SeatPhase, Subject, SubjectKind, TenantName, Verdict,
    WorkloadKey,
};
use jiff::{SignedDuration, Timestamp};

use super::{
    Desk, Order, Outlook, Record, Removal, Remove, keep_claims_first,
    migration::{after, look_again},
    publish::leads_to,
    suspend,
};
use crate::{
    Horizon, Rule, World,
    decisions::{Circumstances, Standing},
    eligibility::unsuitable,
    facts::WorkloadFact,
    moves::Wait,
    observed::SeatView,
    rule::is_frozen,
};

/// How long a member may be out of reach before what is there is given up on: one that misses a probe or two is none.
pub(super) const OUT_OF_REACH: SignedDuration = SignedDuration::from_secs(30);

/// Copies whose removal is recorded.
pub(super) fn leaving_orders(
    desk: &mut Desk<'_>,
    key: &WorkloadKey,
    record: &mut Record<'_>,
    out: &mut Outlook,
) {
    let leaving: Vec<Seat> =
        record.recorded.seats.iter().filter(|seat| seat.phase == SeatPhase::Leaving).cloned().collect();
    for seat in leaving {
        let place = (key.clone(), seat.ordinal, seat.cluster.clone());
        if desk.gone.contains(&place) {
            desk.memory.left.forget(key, seat.ordinal, &seat.cluster);
            record.wanted.seats.retain(|other| other.ordinal != seat.ordinal);
            continue;
        }
        if seat.ordinal < record.workload.clusters.count {
            // It is wanted again before it has gone.
            if let Some(again) = record.seat(seat.ordinal) {
                again.phase = SeatPhase::Active;
            }
            continue;
        }
        let tenant = record.recorded.tenant.as_ref();
        let drains = drains(desk, (key, record.workload), &seat, out);
        match drains.or_else(|| obstacle(desk, key, tenant, &seat.cluster)) {
            Some(wait) => out.waits.push((seat.ordinal, wait)),
            None => out.orders.push(removal(desk, key, &seat, (true, Removal::SeatDropped))),
        }
    }
}

/// Whether a copy that isn't asked for any more still has clients: where nothing is exposed, nobody knows.
fn drains(
    desk: &mut Desk<'_>,
    (key, workload): (&WorkloadKey, &WorkloadFact),
    seat: &Seat,
    out: &mut Outlook,
) -> Option<Wait> {
    if workload.expose.is_empty() {
        return None;
    }
    let followed = leads_to(desk, (key, workload), seat.ordinal, &seat.cluster);
    let since = desk.memory.left.since((key, seat.ordinal, &seat.cluster), followed, desk.now);
    if followed {
        return Some(Wait::Followed(seat.cluster.clone()));
    }
    let drained = after(since, workload.drain_seconds);
    (drained > desk.now).then(|| {
        look_again(out, desk.now, drained);
        Wait::Draining(seat.cluster.clone())
    })
}

/// What is left to do for a workload that was deleted. `None` if it wasn't.
#[must_use]
pub fn departure(desk: &Desk<'_>, key: &WorkloadKey) -> Option<Outlook> {
    let Some(assignment) = desk.world.assignments.get(key).filter(|_| desk.world.has_departed(key)) else {
        return forsaken(desk, key);
    };
    let mut out = Outlook::default();
    let retain = assignment.spec.on_delete != Some(OnDelete::Remove);
    let mut left = false;
    let mut places: Vec<Seat> = assignment.spec.seats.clone();
    for migration in desk.world.running_moves(key) {
        for cluster in [&migration.spec.from, &migration.spec.to] {
            let seat = assignment.spec.seats.iter().find(|seat| seat.ordinal == migration.spec.seat);
            if let Some(seat) = seat.filter(|seat| seat.cluster != *cluster) {
                places.push(Seat { cluster: cluster.clone(), ..seat.clone() });
            }
        }
    }
    for seat in &places {
        let place = (key.clone(), seat.ordinal, seat.cluster.clone());
        if is_abandoned(desk, key, &seat.cluster) || desk.gone.contains(&place) {
            continue;
        }
        left = true;
        if let Some(wait) = obstacle(desk, key, assignment.spec.tenant.as_ref(), &seat.cluster) {
            out.waits.push((seat.ordinal, wait));
            continue;
        }
        out.orders.push(removal(desk, key, seat, (retain, Removal::WorkloadDeleted)));
    }
    if !left {
        for migration in desk.world.running_moves(key) {
            out.orders.push(Order::FinishMigration {
                name: migration.name.clone(),
                step: MigrationStep::RolledBack,
                message: "the workload was deleted".to_owned(),
                given_up: false,
            });
        }
        if out.orders.is_empty() {
            out.orders.push(Order::ReleaseAssignment);
        }
    }
    suspend(desk, key, &mut out);
    keep_claims_first(desk, key, &mut out);
    Some(out)
}

/// Whether a person has let go of what may be on a member. That is heard only once the member hasn't been seen for a while, or where the
/// namespace there is somebody else's: what can be cleaned up is. Of what must never run twice it isn't heard against what is seen to run.
pub(super) fn is_abandoned(desk: &Desk<'_>, key: &WorkloadKey, cluster: &ClusterName) -> bool {
    let record = desk.world.assignments.get(key);
    let named = record.is_some_and(|record| record.abandoned.iter().any(|name| name == cluster.as_str()));
    let row = desk.world.find_cluster(cluster).and_then(|id| desk.world.cluster(id));
    // After a start, nothing was seen yet: then what its record says counts.
    let since = row.and_then(|row| row.seen.or(row.fact.as_ref()?.away_since));
    let is_unknown = row.is_none_or(|row| row.fact.is_none());
    let is_away = is_unknown || since.is_some_and(|at| desk.now.duration_since(at) >= OUT_OF_REACH);
    let is_out_of_reach = is_away && !desk.observed.is_reachable(cluster);
    named && (is_out_of_reach || (desk.is_taken(key, cluster) && !may_run_twice(desk, key, cluster)))
}

/// Whether something of what must never run twice is seen to run on a member, or nobody has looked.
fn may_run_twice(desk: &Desk<'_>, key: &WorkloadKey, cluster: &ClusterName) -> bool {
    let runs = |view: &SeatView| {
        view.iter().any(|(object, seen)| object.kind.runs_pods() && !(seen.stopped && seen.idle))
    };
    let is_still = || {
        desk.observed.is_listed(cluster) && !desk.observed.copies(cluster, key).any(|(_, view)| runs(view))
    };
    let workload = desk.world.workloads.get(key).filter(|workload| !workload.deleting);
    workload.is_some_and(|workload| workload.breaks_before_make()) && !is_still()
}

/// A workload that is gone, or is being deleted and held by somebody's finalizer, and whose record stays: nothing is decided
/// for it, and what a decision suspends stops all the same.
fn forsaken(desk: &Desk<'_>, key: &WorkloadKey) -> Option<Outlook> {
    if desk.world.workloads.get(key).is_some_and(|workload| !workload.deleting) {
        return None;
    }
    let mut out = Outlook::default();
    if let (None, Some(record)) = (desk.world.workloads.get(key), desk.world.assignments.get(key)) {
        out.waits.extend(record.spec.seats.first().map(|seat| (seat.ordinal, Wait::Orphaned)));
    }
    suspend(desk, key, &mut out);
    keep_claims_first(desk, key, &mut out);
    Some(out).filter(|out| !out.orders.is_empty() || !out.waits.is_empty() || out.next.is_some())
}

/// Migrations that somebody has deleted, and that may go. One under way says where else a copy may be, and is held until
/// it has ended; deleting it stops nothing.
#[must_use]
pub fn releases(world: &World, key: &WorkloadKey) -> Vec<Order> {
    let Some(moves) = world.migrations.get(key) else { return Vec::new() };
    let nothing_left = !world.workloads.contains_key(key) && !world.assignments.contains_key(key);
    let may_go = moves.values().filter(|m| m.held && (m.is_finished() || nothing_left));
    may_go.map(|m| Order::ReleaseMigration(m.name.clone())).collect()
}

/// Removes all that a copy may have on a member, once it is known what that is.
fn removal(
    desk: &Desk<'_>,
    key: &WorkloadKey,
    seat: &Seat,
    (retain_claims, because): (bool, Removal),
) -> Order {
    if !desk.observed.is_known(&seat.cluster, &key.namespace) {
        return Order::Verify(seat.cluster.clone());
    }
    Order::Remove(Remove {
        cluster: seat.cluster.clone(),
        ordinal: seat.ordinal,
        objects: desk.all_of(key, seat, &seat.inventory),
        retain_claims,
        because,
    })
}

fn obstacle(
    desk: &Desk<'_>,
    key: &WorkloadKey,
    tenant: Option<&TenantName>,
    cluster: &ClusterName,
) -> Option<Wait> {
    let kept = tenant.and_then(|tenant| kept_at(desk.world, key, (tenant, cluster), desk.now));
    let away = || (!desk.observed.is_reachable(cluster)).then(|| Wait::Unreachable(cluster.clone()));
    kept.or_else(away).or_else(|| desk.is_taken(key, cluster).then(|| Wait::Taken(cluster.clone())))
}

/// Why nothing of a workload may be deleted at a member, if so: a decision freezes or suspends it there, or what is recorded
/// of the place, or that can't be told.
#[must_use]
pub fn kept_at(
    world: &World,
    key: &WorkloadKey,
    (tenant, cluster): (&TenantName, &ClusterName),
    now: Timestamp,
) -> Option<Wait> {
    let id = world.find_cluster(cluster)?;
    let Some((name, site)) = world.site_of(id) else {
        // Without the member, nothing reaches it anyway.
        let exists = world.cluster(id).is_some_and(|row| row.fact.is_some());
        return exists.then(|| Wait::SiteMissing(cluster.clone()));
    };
    let at = Circumstances { site: name, country: site.country, tenant };
    let subjects = [
        (SubjectKind::HostingProvider, site.operated_by.to_string()),
        (SubjectKind::HostingProvider, site.owned_by.to_string()),
        (SubjectKind::Site, name.to_string()),
        (SubjectKind::Tenant, tenant.to_string()),
        (SubjectKind::TenantWorkload, key.to_string()),
        (SubjectKind::Tenant, Subject::EVERY.to_owned()),
    ];
    let mut horizon = Horizon::new(now);
    let mut failing = unsuitable(world, (tenant, key), id, now);
    for (kind, name) in subjects {
        match world.decisions.standing(&Subject { kind, name }, &at, &mut horizon) {
            Standing::Decided(Verdict::Frozen | Verdict::Suspended) => failing.insert(Rule::ApprovalFrozen),
            Standing::Decided(Verdict::Revoked) => failing.insert(Rule::ApprovalRevoked),
            _ => {}
        }
    }
    is_frozen(failing).then(|| Wait::Frozen(cluster.clone()))
}
