//! `kubectl domicile status`: the fleet and the tenants at a glance.
//!
//! [`report()`] is pure: objects in, a [`Report`] out. Only [`run`] asks the hub.

mod report;
mod text;

use domicile_crds::{
    CountrySet, Decision, FactStatus, HostingProvider, Installation, MemberCluster, Migration, Problem,
    Relocation, Site, Tenant, TenantWorkload,
};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::Api;
use kube::{Resource, ResourceExt};
pub use report::{ClusterLine, Operator, Report, Seen, Stuck, TenantLine, report};
use serde::de::DeserializeOwned;
pub use text::{stuck_text, text};

use crate::Outcome;
use crate::args::{HubArgs, StatusArgs};
use crate::cluster::{Cluster, ClusterError};
use crate::output::{self, Paint, render};

/// The operator's lease.
pub const LEASE: &str = "domicile-operator";

/// The status can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The report can't be written.
    #[error("the report can't be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The operator's lease.
    pub lease: Option<Lease>,
    /// This hub.
    pub installation: Option<Installation>,
    /// All members.
    pub clusters: Vec<MemberCluster>,
    /// All sites.
    pub sites: Vec<Site>,
    /// All tenants.
    pub tenants: Vec<Tenant>,
    /// Workloads: all, or those of a namespace.
    pub workloads: Vec<Workload>,
    /// Everything else that has conditions.
    pub others: Vec<Observed>,
}

/// An object as far as conditions go.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Its kind.
    pub kind: String,
    /// Its namespace, if it has one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Its generation now.
    pub generation: Option<i64>,
    /// What was observed of it.
    pub conditions: Vec<Condition>,
}

/// A workload without its manifests.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name and conditions.
    pub observed: Observed,
    /// What is wrong on members.
    pub problems: Vec<Problem>,
    /// Until when it stays compliant by itself.
    pub compliant_until: Option<Timestamp>,
}

impl Observed {
    /// Of any kind.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K, conditions: Option<Vec<Condition>>) -> Self {
        Self {
            kind: K::kind(&()).into_owned(),
            namespace: object.namespace(),
            name: object.name_any(),
            created: object.creation_timestamp().map(|created| created.0),
            generation: object.meta().generation,
            conditions: conditions.unwrap_or_default(),
        }
    }
}

impl From<TenantWorkload> for Workload {
    fn from(workload: TenantWorkload) -> Self {
        let status = workload.status.clone().unwrap_or_default();
        Self {
            observed: Observed::of(&workload, Some(status.conditions)),
            problems: status.problems,
            compliant_until: status.compliant_until.map(|until| until.0),
        }
    }
}

/// Runs the command.
///
/// # Errors
///
/// If the hub doesn't show what is needed.
pub async fn run(args: &StatusArgs, options: &HubArgs) -> Result<Outcome, StatusError> {
    let hub = Cluster::hub(&options.target()).await?;
    let world = look(&hub, args, options).await?;
    let report = report(&world, options.operator_namespace.as_str(), hub.now().await?);
    let paint = Paint::for_stdout();
    let text = if args.stuck {
        render(args.output, &report.stuck, |_| stuck_text(&report, paint))?
    } else {
        render(args.output, &report, |wide| text::text(&report, wide, paint))?
    };
    Ok(Outcome { text, stuck: args.stuck && !report.stuck.is_empty() })
}

async fn look(hub: &Cluster, args: &StatusArgs, options: &HubArgs) -> Result<World, StatusError> {
    let leases = Api::<Lease>::namespaced(hub.client.clone(), options.operator_namespace.as_str());
    let lease = leases.get_opt(LEASE).await.map_err(hub.failed(format!("get Lease {LEASE}")));
    // A tenant may look at its own namespace, and not at the fleet.
    let own = args.namespace.is_some();
    let lease = allowed(lease, own, "the operator's lease")?.flatten();
    let workloads = match &args.namespace {
        Some(namespace) => Api::namespaced(hub.client.clone(), namespace.as_str()),
        None => Api::all(hub.client.clone()),
    };
    let migrations = match &args.namespace {
        Some(namespace) => Api::namespaced(hub.client.clone(), namespace.as_str()),
        None => Api::all(hub.client.clone()),
    };
    let workloads =
        hub.collect_readable(workloads, |workload: TenantWorkload| Workload::from(workload)).await?;
    let conditions = |m: &Migration| m.status.as_ref().map(|status| status.conditions.clone());
    let mut others =
        hub.collect_readable(migrations, |m: Migration| Observed::of(&m, conditions(&m))).await?;
    let clusters = allowed(all::<MemberCluster>(hub).await, own, "memberclusters")?.unwrap_or_default();
    let sites = allowed(all::<Site>(hub).await, own, "sites")?.unwrap_or_default();
    let tenants = allowed(all::<Tenant>(hub).await, own, "tenants")?.unwrap_or_default();
    let mut installation = None;
    if !own {
        let of = |status: Option<&FactStatus>| status.map(|status| status.conditions.clone());
        others.extend(all(hub).await?.iter().map(|x: &CountrySet| Observed::of(x, of(x.status.as_ref()))));
        others
            .extend(all(hub).await?.iter().map(|x: &HostingProvider| Observed::of(x, of(x.status.as_ref()))));
        others.extend(all(hub).await?.iter().map(|x: &Decision| Observed::of(x, of(x.status.as_ref()))));
        let of = |x: &Relocation| x.status.as_ref().map(|status| status.conditions.clone());
        others.extend(all(hub).await?.iter().map(|x| Observed::of(x, of(x))));
        installation = hub.find("default").await?;
    }
    Ok(World { lease, installation, clusters, sites, tenants, workloads, others })
}

async fn all<K>(hub: &Cluster) -> Result<Vec<K>, ClusterError>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
{
    hub.collect_readable(Api::all(hub.client.clone()), |object: K| object).await
}

/// A tenant that looks at its own namespace goes without what it may not see, and is told so.
fn allowed<T>(result: Result<T, ClusterError>, own: bool, what: &str) -> Result<Option<T>, ClusterError> {
    match result {
        Err(error) if own && error.code() == Some(403) => {
            output::note(format!("note: you may not see {what}"));
            Ok(None)
        }
        Err(error) => Err(error),
        Ok(found) => Ok(Some(found)),
    }
}

#[cfg(test)]
mod tests;
