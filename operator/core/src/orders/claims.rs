//! Volumes outlive what mounts them: a StatefulSet that would have its claims deleted with it is told to keep them first.

use domicile_crds::{ClusterName, WorkloadKey};

use super::{Desk, KeepClaims, Order, Outlook, object};
use crate::manifests::ObjectRef;

/// Puts keeping the claims before whatever scales down or removes a StatefulSet that was seen to delete them. It goes
/// on when it was seen that they are kept.
pub(super) fn keep_claims_first(desk: &Desk<'_>, key: &WorkloadKey, out: &mut Outlook) {
    for order in &mut out.orders {
        let Some((cluster, ordinal, objects)) = endangering(order) else { continue };
        let view = desk.observed.seat(cluster, key, ordinal);
        let deletes = |object: &ObjectRef| view.get(object).is_some_and(|seen| seen.deletes_claims);
        let sets: Vec<ObjectRef> = objects.into_iter().filter(deletes).collect();
        if !sets.is_empty() {
            let (cluster, before) = (cluster.clone(), Box::new(order.clone()));
            *order = Order::KeepClaims(KeepClaims { cluster, ordinal, sets, before });
        }
    }
}

/// What an order scales down or removes while its claims are to stay.
fn endangering(order: &Order) -> Option<(&ClusterName, i32, Vec<ObjectRef>)> {
    match order {
        Order::Halt(halt) => Some((&halt.cluster, halt.ordinal, halt.objects.clone())),
        Order::Remove(remove) if remove.retain_claims => {
            Some((&remove.cluster, remove.ordinal, remove.objects.iter().filter_map(object).collect()))
        }
        _ => None,
    }
}
