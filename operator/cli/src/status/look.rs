//! Asks the hub for what a report is made of.

use std::fmt::Debug;

use domicile_crds::{
    Assignment, CountrySet, Decision, FactStatus, HostingProvider, Installation, Migration, Relocation,
    TenantWorkload,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource;
use kube::api::Api;
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;

use super::{LEASE, Observed, Record, Workload, World};
use crate::args::HubArgs;
use crate::cluster::{Cluster, ClusterError, tell_left_out};
use crate::sight::{Eyes, Sight, SightError};

pub(super) async fn look(eyes: Eyes<'_>, options: &HubArgs) -> Result<World, SightError> {
    let right = || format!("get the Lease {LEASE} in namespace {}", options.operator_namespace);
    let lease = eyes.allowed(lease(eyes.hub, options).await, right)?;
    let mut looker = Looker { eyes, hidden: Vec::new() };
    // Before the workloads: of a record that is there, the workload has been there.
    let records = looker.there(|assignment: Assignment| Record::from(assignment)).await?;
    let mut world = World {
        namespace: eyes.namespace.map(ToString::to_string),
        lease,
        records,
        ..workloads(eyes).await?
    };
    let of = |status: Option<&FactStatus>| status.map(|status| status.conditions.clone());
    let conditions = |m: &Migration| m.status.as_ref().map(|status| status.conditions.clone());
    let migrations = looker.there(|m: Migration| Observed::of(&m, conditions(&m))).await?;
    world.others.extend(migrations.into_seen().unwrap_or_default());
    world.clusters = looker.all().await?;
    world.sites = looker.all().await?.into_seen().unwrap_or_default();
    world.tenants = looker.all().await?;
    world.others.extend(looker.observed(|x: &CountrySet| of(x.status.as_ref())).await?);
    world.others.extend(looker.observed(|x: &HostingProvider| of(x.status.as_ref())).await?);
    let decisions = looker.all::<Decision>().await?.into_seen().unwrap_or_default();
    world.others.extend(decisions.iter().filter_map(Observed::of_decision));
    let campaign = |x: &Relocation| x.status.as_ref().map(|status| status.conditions.clone());
    world.others.extend(looker.observed(campaign).await?);
    let installation = eyes.hub.find("default").await;
    let installation = eyes.allowed(installation, || "get installations.domicile.dev".to_owned())?;
    world.installation = looker.noted::<Installation, _>(installation);
    looker.hidden.sort();
    world.hidden = looker.hidden;
    Ok(world)
}

/// Looks, and remembers what may not be seen.
struct Looker<'a> {
    eyes: Eyes<'a>,
    hidden: Vec<String>,
}

impl Looker<'_> {
    fn noted<K: Resource<DynamicType = ()>, T>(&mut self, found: Sight<T>) -> Sight<T> {
        if found.seen().is_none() {
            self.hidden.push(K::plural(&()).into_owned());
        }
        found
    }

    async fn all<K>(&mut self) -> Result<Sight<Vec<K>>, SightError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let found = self.eyes.all::<K>().await?;
        Ok(self.noted::<K, _>(found))
    }

    async fn observed<K>(
        &mut self,
        conditions: impl Fn(&K) -> Option<Vec<Condition>>,
    ) -> Result<Vec<Observed>, SightError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let found = self.all::<K>().await?;
        Ok(found.seen().into_iter().flatten().map(|x| Observed::of(x, conditions(x))).collect())
    }

    async fn there<K, T>(&mut self, keep: impl Fn(K) -> T) -> Result<Sight<Vec<T>>, SightError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let found = self.eyes.there(keep).await?;
        Ok(self.noted::<K, _>(found))
    }
}

/// The operator's lease.
///
/// # Errors
///
/// If the hub doesn't say whether there is one.
pub async fn lease(hub: &Cluster, options: &HubArgs) -> Result<Option<Lease>, ClusterError> {
    let leases = Api::<Lease>::namespaced(hub.client.clone(), options.operator_namespace.as_str());
    leases.get_opt(LEASE).await.map_err(hub.failed(format!("get Lease {LEASE}")))
}

/// The workloads, without which there is nothing to say.
async fn workloads(eyes: Eyes<'_>) -> Result<World, SightError> {
    let read = eyes.hub.collect_guarded(eyes.api(), |read| read.map(|w: TenantWorkload| Workload::from(w)));
    let mut world = World::default();
    for found in eyes.needed(read.await, || eyes.right::<TenantWorkload>())? {
        match found {
            Ok(workload) => world.workloads.push(workload),
            Err(error) => {
                tell_left_out(&error);
                if let ClusterError::Unreadable { source, .. } = error {
                    let meta = *source.metadata;
                    let key = (meta.namespace.unwrap_or_default(), meta.name.unwrap_or_default());
                    world.unreadable.insert(key);
                }
            }
        }
    }
    Ok(world)
}
