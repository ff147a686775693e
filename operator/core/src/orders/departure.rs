//! What leaves for good: copies that aren't asked for any more, and all copies of a workload that was deleted.

use domicile_crds::{
    ClusterName, MigrationStep, OnDelete, Seat, SeatPhase, Subject, SubjectKind, TenantName, Verdict,
    WorkloadKey,
};
use jiff::Timestamp;

use super::{Desk, Order, Outlook, Record, Removal, Remove};
use crate::{
    Horizon, World,
    decisions::{Circumstances, Standing},
    moves::Wait,
};

/// Copies whose removal is recorded.
pub(super) fn leaving_orders(desk: &Desk<'_>, key: &WorkloadKey, record: &mut Record<'_>, out: &mut Outlook) {
    let leaving: Vec<Seat> =
        record.recorded.seats.iter().filter(|seat| seat.phase == SeatPhase::Leaving).cloned().collect();
    for seat in leaving {
        let place = (key.clone(), seat.ordinal, seat.cluster.clone());
        if desk.gone.contains(&place) {
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
        match obstacle(desk, tenant, &seat.cluster) {
            Some(wait) => out.waits.push((seat.ordinal, wait)),
            None => out.orders.push(removal(desk, key, &seat, (true, Removal::SeatDropped))),
        }
    }
}

/// What is left to do for a workload that was deleted. `None` if it wasn't.
#[must_use]
pub fn departure(desk: &Desk<'_>, key: &WorkloadKey) -> Option<Outlook> {
    let assignment = desk.world.assignments.get(key).filter(|assignment| assignment.deleting)?;
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
        let abandoned = assignment.abandoned.iter().any(|name| name == seat.cluster.as_str());
        if abandoned || desk.gone.contains(&place) {
            continue;
        }
        left = true;
        match obstacle(desk, assignment.spec.tenant.as_ref(), &seat.cluster) {
            Some(wait) => out.waits.push((seat.ordinal, wait)),
            None => out.orders.push(removal(desk, key, seat, (retain, Removal::WorkloadDeleted))),
        }
    }
    if !left {
        for migration in desk.world.running_moves(key) {
            let message = "the workload was deleted".to_owned();
            out.orders.push(Order::FinishMigration(
                migration.name.clone(),
                MigrationStep::RolledBack,
                message,
            ));
        }
        if out.orders.is_empty() {
            out.orders.push(Order::ReleaseAssignment);
        }
    }
    Some(out)
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

fn obstacle(desk: &Desk<'_>, tenant: Option<&TenantName>, cluster: &ClusterName) -> Option<Wait> {
    if tenant.is_some_and(|tenant| frozen_at(desk.world, tenant, cluster, desk.now)) {
        return Some(Wait::Frozen(cluster.clone()));
    }
    (!desk.observed.is_reachable(cluster)).then(|| Wait::Unreachable(cluster.clone()))
}

/// Whether a decision freezes or suspends the tenant at a member, so that nothing may be deleted there.
#[must_use]
pub fn frozen_at(world: &World, tenant: &TenantName, cluster: &ClusterName, now: Timestamp) -> bool {
    let Some((name, site)) = world.find_cluster(cluster).and_then(|id| world.site_of(id)) else {
        return false;
    };
    let at = Circumstances { site: name, country: site.country, tenant };
    let subjects = [
        (SubjectKind::HostingProvider, site.operated_by.as_str()),
        (SubjectKind::HostingProvider, site.owned_by.as_str()),
        (SubjectKind::Site, name.as_str()),
        (SubjectKind::Tenant, tenant.as_str()),
    ];
    let mut horizon = Horizon::new(now);
    subjects.into_iter().any(|(kind, name)| {
        let subject = Subject { kind, name: name.to_owned() };
        let standing = world.decisions.standing(&subject, &at, &mut horizon);
        matches!(standing, Standing::Decided(Verdict::Frozen | Verdict::Suspended))
    })
}
