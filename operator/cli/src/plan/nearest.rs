//! Why a copy has no place: what bars the cluster that comes nearest.

use std::cmp::Reverse;

use domicile_core::{Engine, Rule, eligibility::explain_place, text::shorten, world::ClusterId};
use domicile_crds::{ClusterName, WorkloadKey};
use jiff::Timestamp;

/// The cluster that comes nearest of those that could have another copy, by the rule that is the least permanent of those that come first and then by how few
/// others bar it, and why it may not have a copy.
pub(super) fn nearest(engine: &Engine, key: &WorkloadKey, now: Timestamp) -> Option<String> {
    let (world, row) = (engine.world(), engine.classes().of(key)?);
    let (used, seats) = (world.clusters_used_by(key), world.active_seats(key));
    let has_copy = |name: &ClusterName| seats.iter().any(|seat| seat.cluster == *name);
    let mut best: Option<((Option<Rule>, usize), ClusterId)> = None;
    for id in world.clusters_by_name().iter().copied() {
        let Some(member) = world.cluster(id).filter(|member| member.fact.is_some()) else { continue };
        let cell = row.cell(id);
        let rules = cell.failing.union(cell.unknown);
        if has_copy(&member.name) || (used.contains(&member.name) && rules.is_empty()) {
            continue;
        }
        let first = (rules.first(), rules.iter().count());
        // What nothing bars for its class has no room, or is barred for this workload alone.
        let rank = |(rule, count): (Option<Rule>, usize)| (rule.is_none(), rule, Reverse(count));
        if best.is_none_or(|(known, _)| rank(first) > rank(known)) {
            best = Some((first, id));
        }
    }
    let ((rule, _), id) = best?;
    let name = &world.cluster(id)?.name;
    let findings = explain_place(world, (&row.class, key), id, now);
    let found = findings.iter().find(|finding| rule.is_none_or(|rule| rule == finding.rule));
    let why = found.map_or_else(|| "it has promised its room".to_owned(), ToString::to_string);
    Some(shorten(&format!("{name}: {why}")))
}

/// Why a copy that is nowhere has no place, and the cluster that comes nearest.
pub(super) fn no_place(engine: &Engine, key: &WorkloadKey, now: Timestamp) -> (String, Option<String>) {
    if engine.world().workloads.get(key).is_some_and(|workload| workload.deleting) {
        return ("it is being deleted".to_owned(), None);
    }
    match nearest(engine, key, now) {
        None if engine.world().clusters_used_by(key).is_empty() => {
            ("there is no MemberCluster".to_owned(), None)
        }
        None => ("no cluster takes two copies, and there is none without one".to_owned(), None),
        near => ("no cluster may have it".to_owned(), near),
    }
}
