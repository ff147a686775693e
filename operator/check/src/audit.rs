//! What must not be seen in an observed world.

use std::collections::BTreeMap;

use domicile_crds::{ADOPTED, ClusterName, TenantName, WorkloadKey};
use jiff::Timestamp;

use crate::{
    candidate::Candidate,
    check::is_unknown,
    facts::Facts,
    moves::{is_draining, leaving_rule, must_leave},
    rule::{Object, Rule},
    violation::{Forbidden, Violation},
};

/// Objects of one copy of a workload, seen on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Whose they are, by their label.
    pub tenant: TenantName,
    /// The workload, by their namespace and label.
    pub workload: WorkloadKey,
    /// Which copy.
    pub ordinal: i32,
    /// The copy's epoch.
    pub epoch: i64,
    /// Where they were seen.
    pub cluster: ClusterName,
    /// Whether they ask for pods: something isn't scaled to zero or suspended.
    pub running: bool,
    /// What the hub's records say of them.
    pub explained: Explained,
}

/// What the hub's records say of objects on a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Explained {
    /// Nothing but that they belong there.
    No,
    /// They are the source or target of a Migration under way, or being removed.
    Moving,
    /// They should leave, and can't: the workload is `Stalled` or not `Compliant`.
    Held,
}

/// Says what is forbidden about a world as it was seen at `now`, at rest: the operator has had time to act.
///
/// # Caveats
///
/// It sees one instant and not how it came about. What once was lawful and must now stay or leave is
/// forbidden only if no record says so; what never was is forbidden in any case. Clusters that the facts
/// don't know are passed over.
#[must_use]
pub fn audit(facts: &Facts, sightings: &[Sighting], now: Timestamp) -> Vec<Violation> {
    let mut copies: BTreeMap<&WorkloadKey, Vec<&Sighting>> = BTreeMap::new();
    for sighting in sightings {
        copies.entry(&sighting.workload).or_default().push(sighting);
    }
    let mut violations = Vec::new();
    for sighting in sightings {
        let others = copies.get(&sighting.workload).map_or(&[][..], Vec::as_slice);
        let mut found = presence(facts, sighting, now);
        found.extend(twins(sighting, others));
        found.extend(neighbours(sighting, others));
        violations.extend(found.into_iter().map(|fact| Violation {
            workload: sighting.workload.clone(),
            cluster: sighting.cluster.clone(),
            fact,
        }));
    }
    violations
}

/// Whether these objects may be where they are.
fn presence(facts: &Facts, sighting: &Sighting, now: Timestamp) -> Vec<Forbidden> {
    let Sighting { tenant, workload, cluster, running, explained, .. } = sighting;
    let candidate = Candidate::new(facts, now, (tenant, workload, None), cluster);
    let fails: Vec<_> = candidate.failures().into_iter().filter(|fact| !is_unknown(fact)).collect();
    let is_kept =
        fails.iter().any(|fact| fact.freezes() || matches!(fact, Forbidden::ApprovalSuspended { .. }));
    let mut found: Vec<_> = candidate.namespace_of_another().into_iter().collect();
    for fact in &fails {
        let forbidden = match fact {
            // A name that was taken off the tenant's list withdraws rights and deletes nothing.
            Forbidden::NamespaceTaken { .. } => found.is_empty() && *explained == Explained::No,
            Forbidden::ApprovalSuspended { .. } => *running,
            Forbidden::NotApproved { object } | Forbidden::ApprovalOutOfScope { object, .. } => {
                // What was adopted was there before anybody was asked.
                sighting.epoch != ADOPTED && !candidate.outlook().ever_approved(&object.name)
            }
            _ => false,
        };
        if forbidden {
            found.push(fact.clone());
        }
    }
    if *explained == Explained::No && !is_kept {
        found.extend(overstays(&candidate));
    }
    found
}

/// Whether it must leave, and for which rule.
fn overstays(candidate: &Candidate<'_>) -> Option<Forbidden> {
    let object = candidate.member_object();
    if let Some(rule) = leaving_rule(candidate) {
        return Some(Forbidden::Unaccounted { object, rule });
    }
    let rule = if is_draining(candidate) { Rule::Cordoned } else { Rule::SiteNotOnline };
    must_leave(candidate).then_some(Forbidden::Unaccounted { object, rule })
}

/// Two running copies of one seat: only a move explains them, and then one has a higher epoch.
///
/// Reported once for each pair, at the cluster whose name comes first.
fn twins(sighting: &Sighting, others: &[&Sighting]) -> Option<Forbidden> {
    let same: Vec<_> = others.iter().filter(|o| o.ordinal == sighting.ordinal && o.running).collect();
    let twin = same.iter().find(|other| other.cluster > sighting.cluster)?;
    let moves = |s: &Sighting| s.explained == Explained::Moving;
    let explained = (moves(sighting) || moves(twin)) && sighting.epoch != twin.epoch && same.len() == 2;
    (sighting.running && !explained).then(|| Forbidden::TwoCopies {
        object: Object::new("TenantWorkload", sighting.workload.to_string()),
        other: twin.cluster.to_string(),
    })
}

/// Two seats of one workload on one cluster; reported at the second.
fn neighbours(sighting: &Sighting, others: &[&Sighting]) -> Option<Forbidden> {
    let before = |o: &&&Sighting| o.cluster == sighting.cluster && o.ordinal < sighting.ordinal;
    let object = || Object::new("Assignment", sighting.workload.to_string());
    others.iter().find(before).map(|_| Forbidden::SeatTaken { object: object() })
}
