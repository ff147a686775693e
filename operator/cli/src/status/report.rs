//! From objects to what a person wants to know of them.
//!
//! # Guarantees
//!
//! Nothing counts as compliant, ready or placed unless the operator was heard of within its lease and spoke
//! of the object as it is now. Who may not see whether it was heard of takes what it said as it stands.

use std::collections::BTreeMap;

use domicile_crds::{MemberCluster, NamespaceName, Scheduling, Tenant, keys::condition};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use serde::Serialize;

use super::{LEASE, Left, Observed, Stuck, Workload, World, left, stuck};

/// How long a lease lasts if it doesn't say.
pub(super) const LEASE_SECONDS: i32 = 15;

/// Everything at a glance. What may not be seen is absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Who leads, and since when nothing was heard.
    pub operator: Option<Operator>,
    /// Whether all moves are paused.
    pub paused: Option<bool>,
    /// The members.
    pub clusters: Option<Vec<ClusterLine>>,
    /// The tenants.
    pub tenants: Option<Vec<TenantLine>>,
    /// The namespace that is looked at, if it isn't known whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<TenantLine>,
    /// The namespace that is looked at, if it is only one.
    #[serde(skip)]
    pub only: Option<String>,
    /// What deleted workloads have left.
    pub left: Option<Vec<Left>>,
    /// What a person must act on.
    pub stuck: Vec<Stuck>,
    /// Kinds that may not be seen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hidden: Vec<String>,
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
    /// Are scaled to zero by a Decision, or about to be.
    pub suspended: usize,
}

/// Makes the report.
#[must_use]
pub fn report(world: &World, operator_namespace: &str, now: Timestamp) -> Report {
    let operator = world.lease.seen().map(|lease| operator(lease.as_ref(), now));
    // Who may not see the operator takes what it said as it stands.
    let trusted = operator.as_ref().is_none_or(|operator| operator.alive);
    let left = world.records.seen().map(|records| left::left(world, records, now));
    let mut stuck = stuck::stuck(world, left.iter().flatten(), now);
    stuck.sort();
    if let Some(silent) = operator.as_ref().filter(|operator| !operator.alive) {
        let object = format!("Lease {operator_namespace}/{LEASE}");
        stuck.insert(0, stuck::nobody_watches(object, silent));
    }
    Report {
        paused: world.is_paused(),
        clusters: world.clusters.seen().map(|found| clusters(world, found, trusted, now)),
        tenants: world.tenants.seen().map(|found| tenants(world, found, trusted, now)),
        namespace: own_namespace(world, trusted, now),
        only: world.namespace.clone(),
        left,
        stuck,
        hidden: world.hidden.clone(),
        operator,
    }
}

/// Whether the operator was heard of within its lease.
#[must_use]
pub fn alive(lease: Option<&Lease>, now: Timestamp) -> bool {
    operator(lease, now).alive
}

/// Seconds since; a clock that is ahead of ours makes nothing younger than now.
pub(super) fn seconds_since(then: Timestamp, now: Timestamp) -> i64 {
    now.duration_since(then).as_secs().max(0)
}

pub(super) fn operator(lease: Option<&Lease>, now: Timestamp) -> Operator {
    let spec = lease.and_then(|lease| lease.spec.as_ref());
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

fn seen(condition: Option<&Condition>, alive: bool) -> Seen {
    match condition.map(|condition| condition.status.as_str()) {
        Some("True") if alive => Seen::True,
        Some("False") if alive => Seen::False,
        _ => Seen::Unknown,
    }
}

fn clusters(world: &World, found: &[MemberCluster], trusted: bool, now: Timestamp) -> Vec<ClusterLine> {
    let line = |cluster: &MemberCluster| {
        let status = cluster.status.as_ref();
        let observed = Observed::of(cluster, status.map(|status| status.conditions.clone()));
        let ready = observed.current(condition::READY);
        let site = world.sites.iter().find(|site| site.name_any() == cluster.spec.site.as_str());
        ClusterLine {
            name: observed.name.clone(),
            site: cluster.spec.site.to_string(),
            country: site.map(|site| site.spec.country.to_string()),
            provider: site.map(|site| site.spec.operated_by.to_string()),
            scheduling: cluster.spec.scheduling,
            ready: seen(ready, trusted),
            // What it was is no reason for what nobody knows.
            reason: ready.filter(|_| trusted).map(|ready| ready.reason.clone()),
            since_seconds: ready.map(|ready| seconds_since(ready.last_transition_time.0, now)),
            version: status.and_then(|status| status.version.clone()),
        }
    };
    let mut lines: Vec<_> = found.iter().map(line).collect();
    lines.sort_by(|a, b| a.name.cmp(&b.name));
    lines
}

fn tenants(world: &World, found: &[Tenant], trusted: bool, now: Timestamp) -> Vec<TenantLine> {
    let mut owners = BTreeMap::new();
    let mut lines: BTreeMap<Option<String>, (usize, Counts)> = BTreeMap::new();
    for tenant in found {
        let names = tenant.spec.namespaces.iter().map(NamespaceName::as_str);
        // Of a tenant with other namespaces only, nothing was looked at.
        if world.namespace.as_deref().is_none_or(|only| names.clone().any(|name| name == only)) {
            lines.insert(Some(tenant.name_any()), (0, Counts::default()));
        }
        owners.extend(names.map(|namespace| (namespace, tenant.name_any())));
    }
    for workload in &world.workloads {
        let namespace = workload.observed.namespace.as_deref().unwrap_or_default();
        let (number, counts) = lines.entry(owners.get(namespace).cloned()).or_default();
        *number += 1;
        count(workload, counts, now);
    }
    // Nobody's workloads, which sort first, are the last line.
    let nobodys = lines.remove_entry(&None);
    let line =
        |(name, (workloads, counts))| TenantLine { name, workloads, counts: trusted.then_some(counts) };
    lines.into_iter().chain(nobodys).map(line).collect()
}

/// The workloads of the namespace that is looked at, whosever it is.
fn own_namespace(world: &World, trusted: bool, now: Timestamp) -> Option<TenantLine> {
    let name = world.namespace.clone().filter(|_| world.tenants.seen().is_none());
    name.map(|name| {
        let mut counts = Counts::default();
        world.workloads.iter().for_each(|workload| count(workload, &mut counts, now));
        let counts = trusted.then_some(counts);
        TenantLine { name: Some(name), workloads: world.workloads.len(), counts }
    })
}

fn count(workload: &Workload, counts: &mut Counts, now: Timestamp) {
    let is = |kind: &str| seen(workload.observed.current(kind), true) == Seen::True;
    counts.placed += usize::from(is(condition::PLACED));
    counts.pending += usize::from(is(condition::MOVE_PENDING));
    counts.stalled += usize::from(is(condition::STALLED));
    counts.suspended += usize::from(workload.observed.is_suspended());
    let expired = workload.compliant_until.is_some_and(|until| until <= now);
    match seen(workload.observed.current(condition::COMPLIANT), true) {
        Seen::True if !expired => counts.compliant += 1,
        Seen::False => counts.not_compliant += 1,
        Seen::True | Seen::Unknown => counts.unknown += 1,
    }
}
