//! Whether an act is lawful.

use domicile_crds::{Assignment, InventoryItem, SeatPhase, SecretSource, SubjectKind, Verdict};
use jiff::Timestamp;
use serde_json::Value;

use crate::{
    act::{Act, Halt, What},
    candidate::{Candidate, name_of},
    decisions::{Standing, by_one},
    facts::Facts,
    manifests, moves, removal,
    rule::{Object, Rule},
    violation::{Forbidden, Violation},
};

/// Rules that bar every new byte of a tenant, also where its workload runs already.
///
/// The others (a cordon, too little room, a site that goes offline) bar new placements only.
const BARS_WRITES: [Rule; 17] = [
    Rule::CountryDenied,
    Rule::CountryNotAllowed,
    Rule::ProviderNotIndependent,
    Rule::ForeignControl,
    Rule::OwnershipUnknown,
    Rule::CompelledDisclosure,
    Rule::CertificationMissing,
    Rule::NotApproved,
    Rule::ApprovalOutOfScope,
    Rule::ApprovalRevoked,
    Rule::ApprovalSuspended,
    Rule::ApprovalFrozen,
    Rule::ApprovalExpired,
    Rule::LocationContradicted,
    Rule::TenantNotAdmitted,
    Rule::NamespaceTaken,
    Rule::ObservationStale,
];

/// Says whether `act` is lawful, by what is known at `now`.
///
/// # Guarantees
///
/// `Ok` is only returned if no rule of `docs/rules.md` and no invariant that one act can break is broken:
/// what can't be known bars as what fails does.
///
/// # Errors
///
/// Every forbidden fact about the act. None of them goes away by trying again.
pub fn check(facts: &Facts, act: &Act<'_>, now: Timestamp) -> Result<(), Vec<Violation>> {
    let candidate = Candidate::new(facts, now, (act.tenant, act.key, act.workload), act.cluster);
    let mut found = record_mismatch(act);
    found.extend(match act.what {
        What::Place => place(&candidate, act),
        What::Adopt => adopt(&candidate, act),
        What::PlanMove { migration } => moves::plan(&candidate, act, migration),
        What::BeginMove { migration } => moves::begin(&candidate, act, migration),
        What::Apply { objects, from } => apply(&candidate, act, objects, from),
        What::CopySecret { name } => copy_secret(&candidate, act, name),
        What::Publish { ordinal } => publish(&candidate, act, ordinal),
        What::ScaleToZero { objects, because } => scale_to_zero(&candidate, act, objects, because),
        What::Remove { objects, keeps_claims, because } => {
            removal::remove(&candidate, act, (objects, keeps_claims), because)
        }
    });
    let mut violations: Vec<Violation> = Vec::new();
    for fact in found {
        // Source and target may break the same rule by the same decision.
        if !violations.iter().any(|violation| violation.fact == fact) {
            violations.push(Violation { workload: act.key.clone(), cluster: act.cluster.clone(), fact });
        }
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// A new seat: every rule must pass.
fn place(candidate: &Candidate<'_>, act: &Act<'_>) -> Vec<Forbidden> {
    let mut found = new_copy(candidate, act);
    let (Some(workload), Some(assignment)) = (act.workload, act.assignment) else { return found };
    let count = workload.spec.clusters.count;
    let others = active_clusters(assignment).count();
    if i64::from(count) <= i64::try_from(others).unwrap_or(i64::MAX) {
        found.push(Forbidden::TooManySeats { object: assignment_object(act), count });
    }
    if assignment.spec.seats.iter().any(|seat| seat.cluster == *act.cluster) {
        found.push(Forbidden::SeatTaken { object: assignment_object(act) });
    }
    found
}

/// What runs there already is put on record, lawful or not: only then do the rules get hold of it.
fn adopt(candidate: &Candidate<'_>, act: &Act<'_>) -> Vec<Forbidden> {
    let mut found = workload_mismatch(candidate, act);
    let Some(spec) = act.workload.map(|workload| &workload.spec) else { return found };
    let is_seen = |wanted: &dyn Fn(&InventoryItem) -> bool| act.seen.iter().any(|seen| wanted(&seen.item));
    let of_hub = spec.secrets.iter().filter(|secret| secret.from == SecretSource::Hub);
    let is_secret = |item: &InventoryItem, name: &str| item.kind == "Secret" && item.name == name;
    let missing = if act.assignment.is_some() {
        Some("an Assignment already".to_owned())
    } else if spec.adopt.as_ref() != Some(act.cluster) {
        Some("another cluster, or none, in spec.adopt".to_owned())
    } else if let Some(one) =
        spec.manifests.iter().find(|one| !is_seen(&|item| manifests::is_item(one, item)))
    {
        Some(format!("no {} there", manifests::label(one)))
    } else {
        let mut of_hub = of_hub.filter(|secret| !is_seen(&|item| is_secret(item, &secret.name)));
        of_hub.next().map(|secret| format!("no Secret/{} there", secret.name))
    };
    let object = candidate.workload_object();
    found.extend(missing.map(|missing| Forbidden::NotHandedOver { object, missing }));
    found
}

/// What must hold for every copy at a new place.
pub(crate) fn new_copy(candidate: &Candidate<'_>, act: &Act<'_>) -> Vec<Forbidden> {
    let mut found = workload_mismatch(candidate, act);
    found.extend(candidate.failures());
    found.extend(second_person_missing(candidate));
    let manifests = act.workload.map_or(&[][..], |w| &w.spec.manifests);
    found.extend(manifests_not_allowed(candidate, manifests));
    found
}

/// What must hold wherever a byte of a tenant is written.
pub(crate) fn barred(candidate: &Candidate<'_>) -> Vec<Forbidden> {
    let mut found = candidate.failures();
    // Without the member nothing is known, so nothing is written.
    found.retain(|fact| {
        let rule = fact.rule();
        let member_unknown = rule == Some(Rule::ClusterNotReady) && is_unknown(fact) && is_going(candidate);
        member_unknown || rule.is_some_and(|rule| BARS_WRITES.contains(&rule))
    });
    found.extend(second_person_missing(candidate));
    found
}

fn is_going(candidate: &Candidate<'_>) -> bool {
    candidate.member.is_none_or(|m| m.metadata.deletion_timestamp.is_some())
}

pub(crate) fn is_unknown(fact: &Forbidden) -> bool {
    matches!(fact, Forbidden::Unknown { .. })
}

fn apply(
    candidate: &Candidate<'_>,
    act: &Act<'_>,
    objects: &[Value],
    from: Option<&domicile_crds::ClusterName>,
) -> Vec<Forbidden> {
    let mut found = workload_mismatch(candidate, act);
    found.extend(barred(candidate));
    found.extend(manifests_not_allowed(candidate, objects));
    if let Some(source) = from {
        found.extend(removal::kept_in_place(&candidate.at(source)));
    }
    // A record that is deleted while its workload lives is still the record: its finalizer holds it.
    let seated = act
        .assignment
        .is_some_and(|a| active_clusters(a).any(|cluster| cluster == act.cluster || Some(cluster) == from));
    if !seated {
        let expected = "an active seat on this cluster, or where it moves from,";
        found.push(Forbidden::NotRecorded { object: assignment_object(act), expected });
    }
    found
}

fn copy_secret(candidate: &Candidate<'_>, act: &Act<'_>, name: &str) -> Vec<Forbidden> {
    let mut found = workload_mismatch(candidate, act);
    found.extend(barred(candidate));
    let secrets = act.workload.map_or(&[][..], |w| &w.spec.secrets);
    if !secrets.iter().any(|s| s.name == name && s.from == SecretSource::Hub) {
        let object = candidate.workload_object();
        found.push(Forbidden::SecretNotNamed { object, secret: name.to_owned() });
    }
    found.extend(hub_not_allowed(candidate));
    found
}

/// Clients go nowhere but where the record says that the copy is. What runs where it may not any more is still served there,
/// until it has moved.
fn publish(candidate: &Candidate<'_>, act: &Act<'_>, ordinal: i32) -> Vec<Forbidden> {
    let mut found = workload_mismatch(candidate, act);
    let is_there = |seat: &domicile_crds::Seat| {
        seat.ordinal == ordinal && seat.cluster == *act.cluster && seat.phase == SeatPhase::Active
    };
    if !act.assignment.is_some_and(|assignment| assignment.spec.seats.iter().any(is_there)) {
        let expected = "this copy's active seat on this cluster,";
        found.push(Forbidden::NotRecorded { object: assignment_object(act), expected });
    }
    found
}

/// The hub and its backups are places too: unless the tenant's countries allow each of them, no Secret passes there.
fn hub_not_allowed(candidate: &Candidate<'_>) -> Vec<Forbidden> {
    let hub = candidate.facts.get_installation().and_then(|i| i.spec.hub.as_ref());
    let Some(hub) = hub.filter(|hub| hub.site.is_some()) else {
        return vec![Forbidden::HubNotAllowed { object: Object::new("Installation", "default") }];
    };
    let excluded = |site: &&domicile_crds::SiteName| {
        let site = candidate.facts.get_site(site.as_str());
        site.is_none_or(|site| !candidate.country_failures(site.spec.country).is_empty())
    };
    let sites = hub.site.iter().chain(&hub.backup_sites).filter(excluded);
    sites.map(|site| Forbidden::HubNotAllowed { object: Object::new("Site", site.as_str()) }).collect()
}

fn scale_to_zero(
    candidate: &Candidate<'_>,
    act: &Act<'_>,
    objects: &[domicile_crds::InventoryItem],
    because: Halt<'_>,
) -> Vec<Forbidden> {
    let mut found: Vec<Forbidden> = candidate.hub_stale().into_iter().collect();
    found.extend(candidate.namespace_of_another());
    found.extend(removal::volumes_taken_along(candidate, act, objects));
    // What isn't there would be made, and this isn't the way to make anything.
    let unseen = objects.iter().find(|item| !act.seen.iter().any(|seen| seen.item == **item));
    found.extend(unseen.map(|item| Forbidden::NotSeen {
        object: candidate.member_object(),
        wanted: removal::item_label(item),
    }));
    match because {
        Halt::Suspended => {
            let suspends =
                |fact: &Forbidden| fact.rule() == Some(Rule::ApprovalSuspended) && !is_unknown(fact);
            if !candidate.failures().iter().any(suspends) {
                found.push(Forbidden::NotSuspended { object: candidate.workload_object() });
            }
        }
        Halt::Moving { to } => {
            found.extend(removal::kept_in_place(candidate));
            if to == candidate.cluster {
                found.push(Forbidden::ReplacementNotElsewhere { object: candidate.member_object() });
            }
            found.extend(barred(&candidate.at(to)));
        }
    }
    found
}

fn workload_mismatch(candidate: &Candidate<'_>, act: &Act<'_>) -> Vec<Forbidden> {
    let is_it = act.workload.is_some_and(|w| {
        let meta = &w.metadata;
        meta.uid.as_deref() == Some(act.uid)
            && meta.namespace.as_deref() == Some(act.key.namespace.as_str())
            && meta.name.as_deref() == Some(act.key.name.as_str())
            && meta.deletion_timestamp.is_none()
    });
    if is_it { vec![] } else { vec![Forbidden::WorkloadMismatch { object: candidate.workload_object() }] }
}

fn record_mismatch(act: &Act<'_>) -> Vec<Forbidden> {
    let Some(assignment) = act.assignment else { return vec![] };
    let meta = &assignment.metadata;
    let owners = meta.owner_references.iter().flatten();
    let mut workloads = owners.filter(|owner| owner.kind == "TenantWorkload");
    let is_it = meta.namespace.as_deref() == Some(act.key.namespace.as_str())
        && meta.name.as_deref() == Some(act.key.name.as_str())
        && workloads.all(|owner| owner.uid == act.uid)
        && assignment.spec.tenant.as_ref().is_none_or(|tenant| tenant == act.tenant);
    if is_it { vec![] } else { vec![Forbidden::RecordMismatch { object: assignment_object(act) }] }
}

pub(crate) fn assignment_object(act: &Act<'_>) -> Object {
    Object::new("Assignment", act.key.to_string())
}

pub(crate) fn active_clusters(assignment: &Assignment) -> impl Iterator<Item = &domicile_crds::ClusterName> {
    let active = assignment.spec.seats.iter().filter(|seat| seat.phase == SeatPhase::Active);
    active.map(|seat| &seat.cluster)
}

fn manifests_not_allowed(candidate: &Candidate<'_>, manifests: &[Value]) -> Vec<Forbidden> {
    let fault = |manifest: &Value| {
        let field = manifests::forbidden_field(manifest, candidate.tenant_name, candidate.key)?;
        let object = candidate.workload_object();
        Some(Forbidden::ManifestNotAllowed { object, manifest: manifests::label(manifest), field })
    };
    manifests.iter().filter_map(fault).collect()
}

/// Where the Installation asks for two persons: a provider that one user alone has approved.
fn second_person_missing(candidate: &Candidate<'_>) -> Vec<Forbidden> {
    let outlook = candidate.outlook();
    if !outlook.wants_two() {
        return vec![];
    }
    // What is stricter holds by itself, and of what isn't there nothing can be told.
    let approved = |name: &&str| {
        let standing = outlook.standing(SubjectKind::HostingProvider, name);
        let holds = matches!(standing, Standing::Holds(it) if it.spec.decision == Verdict::Approved);
        holds && outlook.facts.has_provider(name)
    };
    let approvals = candidate.providers().filter(approved).map(|name| outlook.approvals(name));
    let alone = approvals.filter(|all| !all.is_empty() && by_one(all));
    alone
        .filter_map(|all| {
            Some(Forbidden::SecondPersonMissing { object: Object::new("Decision", name_of(all.first()?)) })
        })
        .collect()
}
