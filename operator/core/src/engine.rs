//! Keeps the answers up to date: a change touches only the workloads that it can affect.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use domicile_crds::{
    Assignment, ClusterName, CountrySetName, CountrySetSpec, DecisionName, DecisionSpec, HostingProviderSpec,
    InstallationSpec, MemberCluster, Migration, NamespaceName, ProviderName, Relocation, RelocationName,
    SiteName, SiteSpec, TenantName, TenantSpec, TenantWorkload, WorkloadKey,
};
use jiff::Timestamp;

use crate::{World, class::Classes, expose::ExposureChange, quantity::Resources, world::ClusterId};

mod apply;
mod dirty;
mod pending;
mod upkeep;

use dirty::Dirty;
use pending::{News, Pending};

/// Something was observed. `None` means that the object is gone.
#[derive(Clone, Debug)]
pub enum Change {
    /// A country set.
    CountrySet(CountrySetName, Option<CountrySetSpec>),
    /// A provider.
    Provider(ProviderName, Option<Arc<HostingProviderSpec>>),
    /// A site.
    Site(SiteName, Option<SiteSpec>),
    /// A member cluster.
    Cluster(ClusterName, Option<Box<MemberCluster>>),
    /// A member was seen at this time.
    Seen(ClusterName, Timestamp),
    /// The hub's own objects were complete at this time.
    HubSeen(Timestamp),
    /// A member says that a namespace is, or isn't, somebody else's.
    NamespaceTaken(ClusterName, NamespaceName, bool),
    /// There is, or isn't, something on a member that was labelled to be adopted as a workload's, and never was on record.
    Originals(WorkloadKey, ClusterName, bool),
    /// A decision.
    Decision(DecisionName, Option<Arc<DecisionSpec>>),
    /// A tenant.
    Tenant(TenantName, Option<Box<TenantSpec>>),
    /// A namespace of the hub, with the tenant that its label names.
    Namespace(NamespaceName, Option<Option<TenantName>>),
    /// A Secret of the hub, with its [version](crate::render::secret_version).
    Secret(NamespaceName, String, Option<u64>),
    /// A workload.
    Workload(WorkloadKey, Option<Box<TenantWorkload>>),
    /// Where a workload's copies are.
    Assignment(WorkloadKey, Option<Box<Assignment>>),
    /// A move.
    Migration(WorkloadKey, String, Option<Box<Migration>>),
    /// What is kept on the hub for what workloads expose.
    Exposure(ExposureChange),
    /// A campaign.
    Relocation(RelocationName, Option<Box<Relocation>>),
    /// The brakes.
    Installation(Option<InstallationSpec>),
}

/// The world, what follows from it, and what hasn't been looked at since it changed.
///
/// A change is [applied](Self::apply), [advancing](Self::advance) judges what it touched, and what that
/// concerns is [taken](Self::take_dirty) and [decided](Self::decide).
#[derive(Debug, Default)]
pub struct Engine {
    world: World,
    classes: Classes,
    in_namespace: HashMap<NamespaceName, BTreeSet<WorkloadKey>>,
    on_cluster: HashMap<ClusterId, BTreeSet<WorkloadKey>>,
    used_by: HashMap<WorkloadKey, Vec<ClusterId>>,
    reserved: HashMap<WorkloadKey, Resources>,
    /// What is on record and of no class: deleted, nobody's or with manifests that can't be read. No answer is kept for
    /// them, so that every decision concerns them.
    unclassed: BTreeSet<WorkloadKey>,
    pending: Pending,
    touched: Touched,
    /// When what was seen of each cluster will be too old; without those of which it is.
    ageing: BTreeSet<(Timestamp, ClusterId)>,
    /// The same for the hub's own objects.
    hub_stale_from: Option<Timestamp>,
    dirty: Dirty,
}

/// What changed since the answers were last brought up to date.
#[derive(Debug, Default)]
struct Touched {
    /// To be judged again for every class.
    clusters: BTreeSet<ClusterId>,
    /// To be judged again at every cluster, for classes that name them.
    sets: BTreeSet<CountrySetName>,
    /// To be judged again at every cluster, for their classes.
    tenants: BTreeSet<TenantName>,
    /// A provider is another: whoever asks for something of providers may have it in the graph of any host.
    providers: bool,
    /// May be chosen now for another reason than their answer.
    reopened: BTreeSet<ClusterId>,
    /// What concerns those that are pending.
    news: News,
}

impl Touched {
    fn is_empty(&self) -> bool {
        self.clusters.is_empty()
            && self.sets.is_empty()
            && self.tenants.is_empty()
            && !self.providers
            && self.reopened.is_empty()
            && self.news.is_empty()
    }
}

impl Engine {
    /// The facts.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The classes and their answers.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Looks at a workload again, whatever has changed.
    pub fn touch(&mut self, key: WorkloadKey) {
        self.dirty.insert(key);
    }

    /// Whether nothing waits to be judged or to be looked at.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.dirty.is_empty() && self.touched.is_empty()
    }

    /// The workloads to be looked at again, which are then forgotten.
    pub fn take_dirty(&mut self) -> BTreeSet<WorkloadKey> {
        self.dirty.take()
    }

    /// The workloads that have or are about to have something on a cluster.
    pub fn on_cluster(&self, name: &ClusterName) -> impl Iterator<Item = &WorkloadKey> {
        let id = self.world.find_cluster(name);
        id.and_then(|id| self.on_cluster.get(&id)).into_iter().flatten()
    }
}
