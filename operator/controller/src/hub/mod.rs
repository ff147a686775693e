//! The hub: what is observed there, and what is written.

pub(crate) mod bindings;
pub(crate) mod publish;
pub(crate) mod secrets;
pub(crate) mod watch;
pub(crate) mod write;

use std::sync::Arc;

use domicile_crds::{
    Assignment, CountrySet, Decision, HostingProvider, Installation, MemberCluster, Migration, Relocation,
    Site, Tenant, TenantWorkload, Unreadable,
};
use k8s_openapi::{
    api::{
        core::v1::{ObjectReference, Service},
        discovery::v1::EndpointSlice,
    },
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

/// An object of the hub.
#[derive(Clone, Debug)]
pub(crate) enum HubObject {
    CountrySet(Arc<CountrySet>),
    Provider(Arc<HostingProvider>),
    Site(Arc<Site>),
    Installation(Arc<Installation>),
    Cluster(Arc<MemberCluster>),
    Decision(Arc<Decision>),
    Tenant(Arc<Tenant>),
    Namespace(Arc<ObjectMeta>),
    Workload(Arc<TenantWorkload>),
    Assignment(Arc<Assignment>),
    Migration(Arc<Migration>),
    Relocation(Arc<Relocation>),
    Service(Arc<Service>),
    Slice(Arc<EndpointSlice>),
}

impl HubObject {
    /// Whether it is one of those that there are many of, and that say nothing about facts.
    pub(crate) fn is_of_workloads(&self) -> bool {
        self.identity().0.is_of_workloads()
    }

    /// Its kind and metadata.
    pub(crate) fn identity(&self) -> (HubKind, &ObjectMeta) {
        match self {
            Self::CountrySet(object) => (HubKind::CountrySet, &object.metadata),
            Self::Provider(object) => (HubKind::Provider, &object.metadata),
            Self::Site(object) => (HubKind::Site, &object.metadata),
            Self::Installation(object) => (HubKind::Installation, &object.metadata),
            Self::Cluster(object) => (HubKind::Cluster, &object.metadata),
            Self::Decision(object) => (HubKind::Decision, &object.metadata),
            Self::Tenant(object) => (HubKind::Tenant, &object.metadata),
            Self::Namespace(metadata) => (HubKind::Namespace, metadata),
            Self::Workload(object) => (HubKind::Workload, &object.metadata),
            Self::Assignment(object) => (HubKind::Assignment, &object.metadata),
            Self::Migration(object) => (HubKind::Migration, &object.metadata),
            Self::Relocation(object) => (HubKind::Relocation, &object.metadata),
            Self::Service(object) => (HubKind::Service, &object.metadata),
            Self::Slice(object) => (HubKind::Slice, &object.metadata),
        }
    }
}

/// A kind that is watched on the hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum HubKind {
    CountrySet,
    Provider,
    Site,
    Installation,
    Cluster,
    Decision,
    Tenant,
    Namespace,
    Workload,
    Assignment,
    Migration,
    Relocation,
    /// Services that are kept for what workloads expose.
    Service,
    /// EndpointSlices that are kept for what workloads expose.
    Slice,
}

impl HubKind {
    /// How many kinds decisions rest on.
    pub(crate) const COUNT: usize = 12;

    /// Whether decisions rest on it. What is exposed follows from them: whoever can't see it decides all the same.
    pub(crate) fn is_decisive(self) -> bool {
        !matches!(self, Self::Service | Self::Slice)
    }

    fn is_of_workloads(self) -> bool {
        matches!(self, Self::Workload | Self::Assignment | Self::Migration | Self::Relocation)
            || !self.is_decisive()
    }
}

/// Something was observed on the hub.
#[derive(Clone, Debug)]
pub(crate) enum HubEvent {
    /// An object is there, new or changed.
    There(HubObject),
    /// An object is gone: its deletion was seen, or a complete list doesn't have it any more.
    Gone(HubKind, Option<String>, String),
    /// An object is there and couldn't be read.
    Unreadable(HubKind, Box<ObjectReference>, Box<Unreadable>),
    /// All objects of a kind have been listed.
    Listed(HubKind),
}
