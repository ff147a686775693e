//! What may be removed, and on what evidence. Nothing that is removed comes back.

use domicile_crds::{Assignment, InventoryItem, OnDelete, SecretSource, TenantWorkload};
use serde_json::Value;

use crate::{
    act::{Act, Removal, Replacement},
    candidate::{Candidate, OBSERVATION_AGE_MAX},
    check::{active_clusters, assignment_object, barred, is_unknown},
    manifests,
    rule::{Object, Rule},
    violation::Forbidden,
};

/// The place must not be one where everything stays as it is, and that must be known.
pub(crate) fn kept_in_place(candidate: &Candidate<'_>) -> Vec<Forbidden> {
    if candidate.site.is_none() {
        let object = candidate.site_object();
        return vec![Forbidden::Unknown { object, rule: Rule::ApprovalFrozen }];
    }
    let failures = candidate.failures();
    let expelled = is_expelled(&failures);
    let keeps = |fact: &Forbidden| match fact {
        Forbidden::ApprovalFrozen { .. } | Forbidden::ApprovalSuspended { .. } => true,
        other => other.freezes() && !expelled,
    };
    failures.into_iter().filter(keeps).collect()
}

/// What may have to be frozen, and can't be told, is held where it is: no move away is planned.
pub(crate) fn held_in_doubt(candidate: &Candidate<'_>) -> Vec<Forbidden> {
    let failures = candidate.failures();
    if is_expelled(&failures) {
        return Vec::new();
    }
    failures.into_iter().filter(|fact| is_unknown(fact) && fact.rule().is_some_and(Rule::freezes)).collect()
}

/// Whether somebody has decided that it must leave, whatever is recorded of the place.
fn is_expelled(failures: &[Forbidden]) -> bool {
    let expels = |fact: &Forbidden| {
        matches!(
            fact,
            Forbidden::ApprovalRevoked { .. }
                | Forbidden::CountryDenied { .. }
                | Forbidden::CountryNotAllowed { .. }
        )
    };
    failures.iter().any(expels)
}

pub(crate) fn remove(
    candidate: &Candidate<'_>,
    act: &Act<'_>,
    (objects, keeps_claims): (&[InventoryItem], bool),
    because: Removal<'_>,
) -> Vec<Forbidden> {
    let mut found = kept_in_place(candidate);
    found.extend(candidate.hub_stale());
    found.extend(candidate.namespace_of_another());
    let on_delete = match because {
        Removal::Moved(replacement) => {
            found.extend(moved(candidate, act, &replacement));
            None
        }
        Removal::RolledBack { source } => {
            found.extend(rolled_back(candidate, act, source));
            None
        }
        Removal::WorkloadDeleted => {
            found.extend(workload_deleted(candidate, act));
            act.assignment.and_then(|a| a.spec.on_delete)
        }
        Removal::Pruned { ready_generation } => {
            found.extend(pruned(candidate, act, objects, ready_generation));
            None
        }
        Removal::SeatDropped => {
            found.extend(seat_dropped(act));
            None
        }
    };
    if on_delete != Some(OnDelete::Remove) {
        found.extend(claims_among(candidate, objects, keeps_claims));
        found.extend(volumes_taken_along(candidate, act, objects));
    }
    found
}

/// Claims that would be deleted: those among the objects, and those that StatefulSets among them have made.
fn claims_among(
    candidate: &Candidate<'_>,
    objects: &[InventoryItem],
    keeps_claims: bool,
) -> Option<Forbidden> {
    let volume = objects.iter().find_map(|item| match item.kind.as_str() {
        "PersistentVolumeClaim" => Some(item_label(item)),
        "StatefulSet" if !keeps_claims => Some(claims_of(item)),
        _ => None,
    })?;
    Some(Forbidden::VolumeRemoved { object: candidate.member_object(), volume })
}

/// A StatefulSet that says so takes its volumes along when it is scaled down or removed.
pub(crate) fn volumes_taken_along(
    candidate: &Candidate<'_>,
    act: &Act<'_>,
    objects: &[InventoryItem],
) -> Option<Forbidden> {
    let set = act.seen.iter().find(|seen| seen.deletes_claims && objects.contains(&seen.item))?;
    Some(Forbidden::VolumeRemoved { object: candidate.member_object(), volume: claims_of(&set.item) })
}

fn claims_of(set: &InventoryItem) -> String {
    format!("the claims of {}", item_label(set))
}

/// The record says that the copy has left this cluster, and is on `remains` if that is given.
fn left(act: &Act<'_>, remains: Option<&domicile_crds::ClusterName>) -> Option<Forbidden> {
    let expected = "no active seat on this cluster, and one where the copy remains,";
    let is_active = |a: &Assignment, cluster| active_clusters(a).any(|active| active == cluster);
    let is_recorded = act
        .assignment
        .is_some_and(|a| !is_active(a, act.cluster) && remains.is_none_or(|remains| is_active(a, remains)));
    (!is_recorded).then(|| Forbidden::NotRecorded { object: assignment_object(act), expected })
}

fn moved(candidate: &Candidate<'_>, act: &Act<'_>, replacement: &Replacement<'_>) -> Vec<Forbidden> {
    let target = candidate.at(replacement.cluster);
    let mut found = Vec::new();
    if replacement.cluster == act.cluster {
        found.push(Forbidden::ReplacementNotElsewhere { object: target.member_object() });
    }
    // From one unlawful place to another, it is one copy less at an unlawful place. A lawful copy goes only for a
    // lawful one.
    if barred(candidate).is_empty() {
        found.extend(barred(&target));
    }
    found.extend(target.failures().into_iter().filter(|f| f.rule() == Some(Rule::ClusterNotReady)));
    if let Some(missing) = not_ready(candidate, act, replacement) {
        found.push(Forbidden::ReplacementNotReady { object: target.member_object(), missing });
    }
    found.extend(left(act, Some(replacement.cluster)));
    found
}

/// What of the replacement wasn't seen ready lately.
///
/// A move may pin an older generation than the workload's own; then only that something is there can be seen from here.
/// A Job that is on record as completed isn't run again, so it may be missing: also where there is nothing else, which of an
/// older generation the record says.
fn not_ready(candidate: &Candidate<'_>, act: &Act<'_>, replacement: &Replacement<'_>) -> Option<String> {
    let age = candidate.now.duration_since(replacement.verified_at);
    let workload = act.workload.filter(|w| w.metadata.generation == Some(replacement.generation));
    let has_run =
        |manifest: &Value| manifests::kind(manifest) == "Job" && completed(act, replacement, manifest);
    let only_ran = |w: &TenantWorkload| {
        let all = &w.spec.manifests;
        let copied = w.spec.secrets.iter().any(|secret| secret.from == SecretSource::Hub);
        !copied && !all.is_empty() && all.iter().all(has_run)
    };
    let all_ran = workload.map_or_else(|| only_jobs_that_ran(act, replacement), only_ran);
    let nothing = replacement.ready.is_empty() && !all_ran;
    if nothing || age > OBSERVATION_AGE_MAX {
        return Some("the replacement".to_owned());
    }
    let seen = |manifest: &Value| replacement.ready.iter().any(|item| manifests::is_item(manifest, item));
    let missing = workload?.spec.manifests.iter().find(|m| !has_run(m) && !seen(m));
    missing.map(manifests::label)
}

/// Whether the record of the copy at the replacement's place says that a Job has completed.
fn completed(act: &Act<'_>, replacement: &Replacement<'_>, job: &Value) -> bool {
    let seats = act.assignment.map_or(&[][..], |assignment| &assignment.spec.seats);
    let jobs =
        seats.iter().filter(|seat| seat.cluster == *replacement.cluster).flat_map(|s| &s.completed_jobs);
    jobs.into_iter().any(|done| done.name == manifests::text(job, "/metadata/name"))
}

/// Whether the copy at the replacement's place consists of Jobs that have completed, and nothing else, as its record says.
fn only_jobs_that_ran(act: &Act<'_>, replacement: &Replacement<'_>) -> bool {
    let seats = act.assignment.map_or(&[][..], |assignment| &assignment.spec.seats);
    seats.iter().filter(|seat| seat.cluster == *replacement.cluster).any(|seat| {
        let ran = |item: &InventoryItem| {
            item.kind == "Job" && seat.completed_jobs.iter().any(|done| done.name == item.name)
        };
        !seat.inventory.is_empty() && seat.inventory.iter().all(ran)
    })
}

fn rolled_back(
    candidate: &Candidate<'_>,
    act: &Act<'_>,
    source: &domicile_crds::ClusterName,
) -> Vec<Forbidden> {
    let same = source == act.cluster;
    let elsewhere = same.then(|| Forbidden::ReplacementNotElsewhere { object: candidate.member_object() });
    elsewhere.into_iter().chain(left(act, Some(source))).collect()
}

/// That the workload can't be found is no evidence: the Assignment, which it owns, must be going too.
fn workload_deleted(candidate: &Candidate<'_>, act: &Act<'_>) -> Option<Forbidden> {
    let lives = |w: &TenantWorkload| {
        w.metadata.uid.as_deref() == Some(act.uid) && w.metadata.deletion_timestamp.is_none()
    };
    if act.workload.is_some_and(lives) {
        return Some(Forbidden::WorkloadNotDeleted { object: candidate.workload_object() });
    }
    let going = act.assignment.is_some_and(|a| a.metadata.deletion_timestamp.is_some());
    (!going).then(|| Forbidden::WorkloadNotDeleted { object: assignment_object(act) })
}

/// Pruning is the end of an update: where no update is lawful, it isn't either. After a revocation, or where the
/// country isn't lawful any more, less is better than more.
fn pruned(
    candidate: &Candidate<'_>,
    act: &Act<'_>,
    objects: &[InventoryItem],
    ready_generation: i64,
) -> Vec<Forbidden> {
    let must_leave = [Rule::CountryDenied, Rule::CountryNotAllowed, Rule::ApprovalRevoked];
    let lawful =
        |fact: &Forbidden| !is_unknown(fact) && fact.rule().is_some_and(|rule| must_leave.contains(&rule));
    let mut found: Vec<_> = barred(candidate).into_iter().filter(|fact| !lawful(fact)).collect();
    let Some(workload) = act.workload.filter(|w| w.metadata.uid.as_deref() == Some(act.uid)) else {
        found.push(Forbidden::WorkloadMismatch { object: candidate.workload_object() });
        return found;
    };
    if workload.metadata.generation != Some(ready_generation) {
        let missing = "the workload's present generation".to_owned();
        found.push(Forbidden::ReplacementNotReady { object: candidate.member_object(), missing });
    }
    for item in objects.iter().filter(|item| is_wanted(workload, item)) {
        let object = candidate.workload_object();
        found.push(Forbidden::StillWanted { object, wanted: item_label(item) });
    }
    found
}

fn is_wanted(workload: &TenantWorkload, item: &InventoryItem) -> bool {
    let copied = |s: &domicile_crds::SecretRef| s.from == SecretSource::Hub && s.name == item.name;
    workload.spec.manifests.iter().any(|manifest| manifests::is_item(manifest, item))
        || (item.kind == "Secret" && workload.spec.secrets.iter().any(copied))
}

/// The record must have as many other copies as the workload wants.
fn seat_dropped(act: &Act<'_>) -> Vec<Forbidden> {
    let mut found: Vec<_> = left(act, None).into_iter().collect();
    let object = || Object::new("Assignment", act.key.to_string());
    let Some(workload) = act.workload.filter(|w| w.metadata.uid.as_deref() == Some(act.uid)) else {
        found
            .push(Forbidden::WorkloadMismatch { object: Object::new("TenantWorkload", act.key.to_string()) });
        return found;
    };
    let count = workload.spec.clusters.count;
    let remaining = act.assignment.map_or(0, |a| active_clusters(a).count());
    if i64::try_from(remaining).unwrap_or(i64::MAX) < i64::from(count) {
        found.push(Forbidden::SeatStillWanted { object: object(), count });
    }
    found
}

pub(crate) fn item_label(item: &InventoryItem) -> String {
    format!("{}/{}", item.kind, item.name)
}
