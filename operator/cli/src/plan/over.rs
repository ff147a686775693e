//! Moves that have switched: what was left behind goes, stays, or takes over again.

use std::collections::BTreeSet;

use domicile_core::{
    Change, Engine,
    decide::{SeatVerdict, Wish},
    moves::moves_over,
    orders::kept_at,
};
use domicile_crds::{ClusterName, WorkloadKey};
use jiff::Timestamp;

/// Has those ended whose source may be removed. One holds its source where that may not be, or where the copy is held as it is now: a
/// copy that may have that place will go there once the move has ended.
pub(super) fn settle(engine: &mut Engine, now: Timestamp) {
    let moving = |key: &&WorkloadKey| engine.world().running_moves(key).next().is_some();
    let keys: BTreeSet<WorkloadKey> = engine.world().assignments.keys().filter(moving).cloned().collect();
    let mut over = Vec::new();
    for verdict in engine.decide(&keys, now) {
        for seat in &verdict.seats {
            if let Fate::Over(names) = fate(engine, &verdict.key, seat, now) {
                over.extend(names.into_iter().map(|name| (verdict.key.clone(), name)));
            }
        }
    }
    for (key, name) in over {
        engine.apply(Change::Migration(key, name, None), now);
    }
}

/// Where a copy goes back to, and why: it must leave, and what it left is lawful and not gone.
pub(super) fn back(
    engine: &Engine,
    key: &WorkloadKey,
    seat: &SeatVerdict,
    now: Timestamp,
) -> Option<(ClusterName, String)> {
    match fate(engine, key, seat, now) {
        Fate::Back(to, cause) => Some((to, cause)),
        Fate::Held | Fate::Over(_) => None,
    }
}

/// What becomes of the moves of a copy.
enum Fate {
    /// Nothing, for the time being.
    Held,
    /// The copy goes back.
    Back(ClusterName, String),
    /// These end.
    Over(Vec<String>),
}

fn fate(engine: &Engine, key: &WorkloadKey, verdict: &SeatVerdict, now: Timestamp) -> Fate {
    let world = engine.world();
    let Some(seat) = world.seat(key, verdict.ordinal) else { return Fate::Held };
    if matches!(verdict.wish, Wish::Suspend | Wish::Freeze) {
        return Fate::Held;
    }
    let mut ended = Vec::new();
    for migration in moves_over(world, key, seat) {
        let spec = &migration.spec;
        let ends = [&spec.from, &spec.to];
        let Some(left) = ends.into_iter().find(|end| **end != seat.cluster) else { continue };
        if is_lawful(engine, key, left, now) && !is_lawful(engine, key, &seat.cluster, now) {
            return match &verdict.wish {
                Wish::Move { cause, compulsory: true, .. } | Wish::Stuck { cause, .. }
                    if ends.contains(&&seat.cluster) =>
                {
                    Fate::Back(left.clone(), cause.to_string())
                }
                _ => Fate::Held,
            };
        }
        if kept_at(world, key, (&spec.tenant, left), now).is_none() {
            ended.push(migration.name.clone());
        }
    }
    Fate::Over(ended)
}

/// Whether the law certainly lets a workload be on a member, as far as that was seen lately.
fn is_lawful(engine: &Engine, key: &WorkloadKey, cluster: &ClusterName, now: Timestamp) -> bool {
    let found = engine.classes().of(key).zip(engine.world().find_cluster(cluster));
    found.is_some_and(|(row, id)| row.cell(id).is_lawful() && !engine.world().is_stale(id, now))
}
