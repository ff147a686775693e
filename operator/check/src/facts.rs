//! What is known: API objects as last observed, by name, and when they were seen.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use domicile_crds::{
    ClusterName, CountrySet, Decision, HostingProvider, Installation, MemberCluster, NamespaceName, Site,
    SubjectKind, Tenant, TenantName,
};
use jiff::Timestamp;

use crate::ownership::Register;

/// API objects as last observed. Kept up to date by whoever observes; never asks anybody anything.
///
/// # Assumptions
///
/// Objects without a name are left out: an API server has none.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    country_sets: HashMap<String, Arc<CountrySet>>,
    providers: HashMap<String, Arc<HostingProvider>>,
    /// What all providers say of each other, put together when it is asked for.
    register: OnceLock<Arc<Register>>,
    sites: HashMap<String, Arc<Site>>,
    installations: HashMap<String, Arc<Installation>>,
    members: HashMap<String, Arc<MemberCluster>>,
    tenants: HashMap<String, Arc<Tenant>>,
    /// Names of the tenants that list a namespace.
    claims: HashMap<NamespaceName, Vec<String>>,
    decisions: HashMap<String, Arc<Decision>>,
    by_subject: HashMap<SubjectKind, HashMap<String, Vec<Arc<Decision>>>>,
    /// Decisions that name the key in `supersedes`.
    successors: HashMap<String, Vec<Arc<Decision>>>,
    hub_seen: Option<Timestamp>,
    members_seen: HashMap<ClusterName, Timestamp>,
    namespaces: HashMap<ClusterName, HashMap<NamespaceName, Option<TenantName>>>,
}

/// Insertion and removal, for kinds that need no index.
macro_rules! plain {
    ($($kind:ident $store:ident $insert:ident $remove:ident;)*) => {
        impl Facts {
            $(
                #[doc = concat!("Takes a ", stringify!($kind), " as it was last observed.")]
                pub fn $insert(&mut self, object: Arc<$kind>) {
                    if let Some(name) = object.metadata.name.clone() {
                        self.$store.insert(name, object);
                    }
                }

                #[doc = concat!("Forgets a ", stringify!($kind), " that doesn't exist any more.")]
                pub fn $remove(&mut self, name: &str) {
                    self.$store.remove(name);
                }
            )*
        }
    };
}

plain! {
    CountrySet country_sets country_set remove_country_set;
    Site sites site remove_site;
    Installation installations installation remove_installation;
}

impl Facts {
    /// Takes a HostingProvider as it was last observed: all of it, since it also says who stands behind others.
    pub fn provider(&mut self, object: Arc<HostingProvider>) {
        if let Some(name) = object.metadata.name.clone() {
            self.register = OnceLock::new();
            self.providers.insert(name, object);
        }
    }

    /// Forgets a HostingProvider that doesn't exist any more.
    pub fn remove_provider(&mut self, name: &str) {
        self.register = OnceLock::new();
        self.providers.remove(name);
    }

    /// Takes a MemberCluster as it was last observed on the hub.
    pub fn member(&mut self, object: Arc<MemberCluster>) {
        if let Some(name) = object.metadata.name.clone() {
            self.members.insert(name, object);
        }
    }

    /// Forgets a MemberCluster that doesn't exist any more, and what it said.
    pub fn remove_member(&mut self, name: &str) {
        self.members.remove(name);
        self.members_seen.remove(name);
        self.namespaces.remove(name);
    }

    /// Takes a Tenant as it was last observed.
    pub fn tenant(&mut self, object: Arc<Tenant>) {
        let Some(name) = object.metadata.name.clone() else { return };
        self.remove_tenant(&name);
        for namespace in &object.spec.namespaces {
            self.claims.entry(namespace.clone()).or_default().push(name.clone());
        }
        self.tenants.insert(name, object);
    }

    /// Forgets a Tenant that doesn't exist any more.
    pub fn remove_tenant(&mut self, name: &str) {
        let Some(old) = self.tenants.remove(name) else { return };
        for namespace in &old.spec.namespaces {
            if let Some(claims) = self.claims.get_mut(namespace) {
                claims.retain(|tenant| tenant != name);
                if claims.is_empty() {
                    self.claims.remove(namespace);
                }
            }
        }
    }

    /// Takes a Decision as it was last observed.
    pub fn decision(&mut self, object: Arc<Decision>) {
        let Some(name) = object.metadata.name.clone() else { return };
        self.remove_decision(&name);
        let subject = &object.spec.subject;
        let subjects = self.by_subject.entry(subject.kind).or_default();
        subjects.entry(subject.name.clone()).or_default().push(Arc::clone(&object));
        for predecessor in &object.spec.supersedes {
            let successors = self.successors.entry(predecessor.as_str().to_owned()).or_default();
            successors.push(Arc::clone(&object));
        }
        self.decisions.insert(name, object);
    }

    /// Forgets a Decision that doesn't exist any more.
    pub fn remove_decision(&mut self, name: &str) {
        let Some(old) = self.decisions.remove(name) else { return };
        if let Some(subjects) = self.by_subject.get_mut(&old.spec.subject.kind) {
            drop_decision(subjects, &old.spec.subject.name, &old);
        }
        for predecessor in &old.spec.supersedes {
            drop_decision(&mut self.successors, predecessor.as_str(), &old);
        }
    }

    /// The hub's own objects were seen to be complete and current at `at`.
    pub fn hub_seen(&mut self, at: Timestamp) {
        self.hub_seen = Some(at);
    }

    /// The member was heard from at `at`.
    pub fn member_seen(&mut self, cluster: &ClusterName, at: Timestamp) {
        self.members_seen.insert(cluster.clone(), at);
    }

    /// The member has this namespace, and its label names `owner`; `None` if it has no such label.
    pub fn namespace_seen(
        &mut self,
        cluster: &ClusterName,
        namespace: &NamespaceName,
        owner: Option<TenantName>,
    ) {
        self.namespaces.entry(cluster.clone()).or_default().insert(namespace.clone(), owner);
    }

    /// The member doesn't have this namespace any more.
    pub fn remove_namespace(&mut self, cluster: &ClusterName, namespace: &NamespaceName) {
        if let Some(namespaces) = self.namespaces.get_mut(cluster) {
            namespaces.remove(namespace);
        }
    }
}

fn drop_decision(index: &mut HashMap<String, Vec<Arc<Decision>>>, key: &str, old: &Arc<Decision>) {
    if let Some(decisions) = index.get_mut(key) {
        decisions.retain(|decision| !Arc::ptr_eq(decision, old));
        if decisions.is_empty() {
            index.remove(key);
        }
    }
}

/// Looking things up.
impl Facts {
    pub(crate) fn get_country_set(&self, name: &str) -> Option<&CountrySet> {
        self.country_sets.get(name).map(Arc::as_ref)
    }

    pub(crate) fn has_provider(&self, name: &str) -> bool {
        self.providers.contains_key(name)
    }

    pub(crate) fn register(&self) -> &Register {
        self.register.get_or_init(|| Arc::new(Register::new(self.providers.values())))
    }

    pub(crate) fn get_site(&self, name: &str) -> Option<&Site> {
        self.sites.get(name).map(Arc::as_ref)
    }

    /// There is one, named `default`.
    pub(crate) fn get_installation(&self) -> Option<&Installation> {
        self.installations.get("default").map(Arc::as_ref)
    }

    pub(crate) fn get_member(&self, name: &str) -> Option<&MemberCluster> {
        self.members.get(name).map(Arc::as_ref)
    }

    pub(crate) fn get_tenant(&self, name: &str) -> Option<&Tenant> {
        self.tenants.get(name).map(Arc::as_ref)
    }

    /// A tenant other than `tenant` that lists the namespace.
    pub(crate) fn other_claim(&self, namespace: &NamespaceName, tenant: &TenantName) -> Option<&str> {
        let claims = self.claims.get(namespace)?;
        claims.iter().map(String::as_str).find(|claim| *claim != tenant.as_str())
    }

    /// Whether the member says that it has the namespace, and that it isn't `tenant`'s.
    pub(crate) fn is_anothers(
        &self,
        cluster: &ClusterName,
        namespace: &NamespaceName,
        tenant: &TenantName,
    ) -> bool {
        let owner = self.namespaces.get(cluster).and_then(|namespaces| namespaces.get(namespace));
        owner.is_some_and(|owner| owner.as_ref() != Some(tenant))
    }

    pub(crate) fn has_decision(&self, name: &str) -> bool {
        self.decisions.contains_key(name)
    }

    pub(crate) fn decisions_about(&self, kind: SubjectKind, name: &str) -> &[Arc<Decision>] {
        self.by_subject.get(&kind).and_then(|subjects| subjects.get(name)).map_or(&[], Vec::as_slice)
    }

    /// Decisions that name `decision` in `supersedes`, whatever they are about.
    pub(crate) fn successors_of(&self, decision: &str) -> &[Arc<Decision>] {
        self.successors.get(decision).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn hub_seen_at(&self) -> Option<Timestamp> {
        self.hub_seen
    }

    pub(crate) fn member_seen_at(&self, cluster: &ClusterName) -> Option<Timestamp> {
        self.members_seen.get(cluster).copied()
    }
}
