//! From objects to what a person wants to know of them.
//!
//! # Guarantees
//!
//! Nothing counts as compliant, ready or placed unless the operator was heard of within its lease and spoke
//! of the object as it is now.

use std::collections::BTreeMap;

use domicile_crds::{FactStatus, Scheduling, condition_of, keys::condition};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use serde::Serialize;

use super::{LEASE, Observed, Workload, World};

/// How long a lease lasts if it doesn't say.
const LEASE_SECONDS: i32 = 15;
/// How long a member may be unknown before a person must look: three missed questions of the operator.
const UNKNOWN_SECONDS: i64 = 30;

/// Everything at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Who leads, and since when nothing was heard.
    pub operator: Operator,
    /// Whether all moves are paused.
    pub paused: bool,
    /// The members.
    pub clusters: Vec<ClusterLine>,
    /// The tenants.
    pub tenants: Vec<TenantLine>,
    /// What a person must act on.
    pub stuck: Vec<Stuck>,
}

/// The operator, as its lease tells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Operator {
    /// Whether it was heard of within its lease: if not, nothing that was observed is known to hold.
    pub alive: bool,
    /// Who holds the lease.
    pub holder: Option<String>,
    /// Seconds since it was renewed; negative if the renewal is further in the future than the lease lasts.
    pub age_seconds: Option<i64>,
    /// Seconds that it lasts.
    pub lease_seconds: Option<i32>,
}

/// What was observed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Seen {
    /// It holds.
    True,
    /// It doesn't hold.
    False,
    /// Nobody knows.
    Unknown,
}

/// A member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterLine {
    /// Its name.
    pub name: String,
    /// Its site.
    pub site: String,
    /// The site's country.
    pub country: Option<String>,
    /// The provider that operates the site.
    pub provider: Option<String>,
    /// Whether it takes workloads.
    pub scheduling: Scheduling,
    /// Whether it can be used.
    pub ready: Seen,
    /// Why, in one word.
    pub reason: Option<String>,
    /// Seconds since that changed last.
    pub since_seconds: Option<i64>,
    /// Its Kubernetes version.
    pub version: Option<String>,
}

/// A tenant; no counts while nobody keeps watch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantLine {
    /// Its name; absent for workloads in namespaces that belong to nobody.
    pub name: Option<String>,
    /// How many workloads it has.
    pub workloads: usize,
    /// What was observed of them.
    #[serde(flatten)]
    pub counts: Option<Counts>,
}

/// How many workloads are how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Have all their places.
    pub placed: usize,
    /// Are at lawful places.
    pub compliant: usize,
    /// Aren't.
    pub not_compliant: usize,
    /// Neither is known.
    pub unknown: usize,
    /// Are to move.
    pub pending: usize,
    /// Need a person.
    pub stalled: usize,
}

/// Something that a person must act on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stuck {
    /// Which object.
    pub object: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// Seconds since.
    pub since_seconds: Option<i64>,
}

/// Makes the report.
#[must_use]
pub fn report(world: &World, operator_namespace: &str, now: Timestamp) -> Report {
    let operator = operator(world, now);
    let clusters = clusters(world, &operator, now);
    let tenants = tenants(world, &operator, now);
    let mut stuck = stuck(world, now);
    stuck.sort();
    if !operator.alive {
        let object = format!("Lease {operator_namespace}/{LEASE}");
        stuck.insert(0, nobody_watches(object, &operator));
    }
    let paused = world.installation.as_ref().is_some_and(|installation| installation.spec.paused);
    Report { operator, paused, clusters, tenants, stuck }
}

fn seconds_since(then: Timestamp, now: Timestamp) -> i64 {
    // A clock that is ahead of ours makes nothing younger than now.
    now.duration_since(then).as_secs().max(0)
}

fn operator(world: &World, now: Timestamp) -> Operator {
    let spec = world.lease.as_ref().and_then(|lease| lease.spec.as_ref());
    let holder = spec.and_then(|spec| spec.holder_identity.clone()).filter(|holder| !holder.is_empty());
    let lasts = spec.map(|spec| spec.lease_duration_seconds.unwrap_or(LEASE_SECONDS));
    let renewed = spec.and_then(|spec| spec.renew_time.as_ref());
    let age = renewed.map(|renewed| now.duration_since(renewed.0).as_secs());
    // A clock that is a little ahead of the hub's is no reason for alarm; one that is far ahead tells nothing.
    let lasting = i64::from(lasts.unwrap_or(LEASE_SECONDS));
    let age = age.map(|age| if age >= -lasting { age.max(0) } else { age });
    let heard = age.is_some_and(|age| (0..=lasting).contains(&age));
    Operator { alive: heard && holder.is_some(), holder, age_seconds: age, lease_seconds: lasts }
}

fn nobody_watches(object: String, operator: &Operator) -> Stuck {
    let message = match (&operator.holder, operator.age_seconds) {
        (Some(holder), Some(age)) if age < 0 => format!(
            "{holder} was last heard of {} s in the future: nobody knows whether it keeps watch, set its clock or the hub's",
            -age
        ),
        (Some(holder), Some(age)) => format!(
            "{holder} was last heard of {age} s ago, longer than its lease of {} s: nobody keeps watch, see that the operator runs",
            operator.lease_seconds.unwrap_or(LEASE_SECONDS)
        ),
        _ => "nobody holds the lease: see that the operator runs, and in this namespace".to_owned(),
    };
    let since_seconds = operator.age_seconds.filter(|age| *age >= 0);
    Stuck { object, reason: "OperatorSilent".to_owned(), message, since_seconds }
}

/// A condition, if it speaks of the object as it is now.
fn current<'a>(observed: &'a Observed, kind: &str) -> Option<&'a Condition> {
    let condition = condition_of(&observed.conditions, kind)?;
    let old = condition.observed_generation.zip(observed.generation).is_some_and(|(seen, now)| seen < now);
    (!old).then_some(condition)
}

fn seen(condition: Option<&Condition>, alive: bool) -> Seen {
    match condition.map(|condition| condition.status.as_str()) {
        Some("True") if alive => Seen::True,
        Some("False") if alive => Seen::False,
        _ => Seen::Unknown,
    }
}

fn clusters(world: &World, operator: &Operator, now: Timestamp) -> Vec<ClusterLine> {
    let line = |cluster: &domicile_crds::MemberCluster| {
        let status = cluster.status.as_ref();
        let observed = Observed::of(cluster, status.map(|status| status.conditions.clone()));
        let ready = current(&observed, condition::READY);
        let site = world.sites.iter().find(|site| site.name_any() == cluster.spec.site.as_str());
        ClusterLine {
            name: observed.name.clone(),
            site: cluster.spec.site.to_string(),
            country: site.map(|site| site.spec.country.to_string()),
            provider: site.map(|site| site.spec.operated_by.to_string()),
            scheduling: cluster.spec.scheduling,
            ready: seen(ready, operator.alive),
            // What it was is no reason for what nobody knows.
            reason: ready.filter(|_| operator.alive).map(|ready| ready.reason.clone()),
            since_seconds: ready.map(|ready| seconds_since(ready.last_transition_time.0, now)),
            version: status.and_then(|status| status.version.clone()),
        }
    };
    let mut lines: Vec<_> = world.clusters.iter().map(line).collect();
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    lines
}

fn tenants(world: &World, operator: &Operator, now: Timestamp) -> Vec<TenantLine> {
    let mut owners = BTreeMap::new();
    let mut lines: BTreeMap<Option<String>, (usize, Counts)> = BTreeMap::new();
    for tenant in &world.tenants {
        lines.insert(Some(tenant.name_any()), (0, Counts::default()));
        owners.extend(tenant.spec.namespaces.iter().map(|namespace| (namespace.as_str(), tenant.name_any())));
    }
    for workload in &world.workloads {
        let namespace = workload.observed.namespace.as_deref().unwrap_or_default();
        let (number, counts) = lines.entry(owners.get(namespace).cloned()).or_default();
        *number += 1;
        count(workload, counts, now);
    }
    // Nobody's workloads, which sort first, are the last line.
    let nobodys = lines.remove_entry(&None);
    let line = |(name, (workloads, counts))| TenantLine {
        name,
        workloads,
        counts: operator.alive.then_some(counts),
    };
    lines.into_iter().chain(nobodys).map(line).collect()
}

fn count(workload: &Workload, counts: &mut Counts, now: Timestamp) {
    let is = |kind: &str| seen(current(&workload.observed, kind), true) == Seen::True;
    counts.placed += usize::from(is(condition::PLACED));
    counts.pending += usize::from(is(condition::MOVE_PENDING));
    counts.stalled += usize::from(is(condition::STALLED));
    let expired = workload.compliant_until.is_some_and(|until| until <= now);
    match seen(current(&workload.observed, condition::COMPLIANT), true) {
        Seen::True if !expired => counts.compliant += 1,
        Seen::False => counts.not_compliant += 1,
        Seen::True | Seen::Unknown => counts.unknown += 1,
    }
}

fn stuck(world: &World, now: Timestamp) -> Vec<Stuck> {
    let mut all = Vec::new();
    let of = |status: Option<&FactStatus>| status.map(|status| status.conditions.clone());
    let mut facts: Vec<Observed> = world.others.clone();
    facts.extend(world.sites.iter().map(|site| Observed::of(site, of(site.status.as_ref()))));
    facts.extend(world.tenants.iter().map(|tenant| Observed::of(tenant, of(tenant.status.as_ref()))));
    facts.extend(world.installation.iter().map(|x| Observed::of(x, of(x.status.as_ref()))));
    facts.extend(world.clusters.iter().map(|cluster| {
        Observed::of(cluster, cluster.status.as_ref().map(|status| status.conditions.clone()))
    }));
    for fact in &facts {
        let stalled = condition_of(&fact.conditions, condition::STALLED).filter(|c| c.status == "True");
        all.extend(stalled.map(|condition| entry(fact, condition, now)).or_else(|| unready(fact, now)));
    }
    for workload in &world.workloads {
        let conditions = &workload.observed.conditions;
        if let Some(stalled) = condition_of(conditions, condition::STALLED).filter(|c| c.status == "True") {
            all.push(entry(&workload.observed, stalled, now));
            continue;
        }
        let ready = condition_of(conditions, condition::READY).filter(|c| c.status != "True");
        if let (Some(problem), Some(ready)) = (workload.problems.first(), ready) {
            all.push(Stuck {
                object: shown(&workload.observed),
                reason: problem.reason.clone(),
                message: format!("{} on {}: {}", problem.object, problem.cluster, problem.message),
                since_seconds: Some(seconds_since(ready.last_transition_time.0, now)),
            });
        }
    }
    all
}

/// A fact that isn't Ready isn't used, and a member of which nobody knows is no better.
fn unready(fact: &Observed, now: Timestamp) -> Option<Stuck> {
    // A campaign or a move isn't Ready as long as it runs.
    if fact.kind == "Relocation" || fact.kind == "Migration" || is_as_written(fact) {
        return None;
    }
    let Some(ready) = condition_of(&fact.conditions, condition::READY) else {
        let age = seconds_since(fact.created.filter(|_| fact.kind == "MemberCluster")?, now);
        return (age >= UNKNOWN_SECONDS).then(|| Stuck {
            object: shown(fact),
            reason: "NotObserved".to_owned(),
            message: "the operator has said nothing of it yet: see that it runs, and what it logs".to_owned(),
            since_seconds: Some(age),
        });
    };
    let unknown = seconds_since(ready.last_transition_time.0, now) >= UNKNOWN_SECONDS;
    (ready.status == "False" || ready.status != "True" && unknown).then(|| entry(fact, ready, now))
}

/// A site that isn't in use because somebody wrote so: it may be planned for a year, and nobody must act on that.
fn is_as_written(fact: &Observed) -> bool {
    let reason = condition_of(&fact.conditions, condition::READY).map_or("", |ready| ready.reason.as_str());
    fact.kind == "Site" && ["Planned", "NotYetOnline", "Closing", "Offline"].contains(&reason)
}

fn entry(observed: &Observed, condition: &Condition, now: Timestamp) -> Stuck {
    Stuck {
        object: shown(observed),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        since_seconds: Some(seconds_since(condition.last_transition_time.0, now)),
    }
}

fn shown(observed: &Observed) -> String {
    let Observed { kind, namespace, name, .. } = observed;
    match namespace {
        Some(namespace) => format!("{kind} {namespace}/{name}"),
        None => format!("{kind} {name}"),
    }
}
