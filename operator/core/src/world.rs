//! Everything that a decision rests on.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use domicile_crds::{
    ClusterName, NamespaceName, ProviderName, RelocationName, SeatPhase, SiteName, TenantName, WorkloadKey,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    countries::CountrySets,
    decisions::Decisions,
    expose::Exposure,
    facts::{
        AssignmentFact, Brakes, ClusterFact, MigrationFact, RelocationFact, SiteFact, TenantFact,
        WorkloadFact,
    },
    providers::Providers,
    quantity::Resources,
};

/// Age beyond which an observation is not trusted for a *new* placement.
///
/// Members are asked every ten seconds and the hub is watched: ten minutes are many missed rounds. Older
/// data may hide a revocation, and placing a tenant's data on a revoked site can't be undone.
pub const OBSERVATION_AGE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// A cluster's place in the world's tables. It stays with the name as long as the world lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClusterId(u32);

impl ClusterId {
    /// As an index.
    #[must_use]
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A cluster that was ever heard of: because it exists, or because something was placed there.
#[derive(Clone, Debug)]
pub struct ClusterRow {
    /// Its name.
    pub name: ClusterName,
    /// What is known of it; `None` if there is no such MemberCluster.
    pub fact: Option<ClusterFact>,
    /// When it was last seen.
    pub seen: Option<Timestamp>,
    /// What is placed there or on its way.
    pub used: Resources,
    /// Namespaces that belong to somebody else there.
    pub taken: HashSet<NamespaceName>,
}

/// Everything that a decision rests on. Changed through [`Engine`](crate::Engine), which keeps track of what depends on what.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// When the hub's objects were last known to be complete; `None` until they have been read.
    pub hub_seen: Option<Timestamp>,
    /// Country sets.
    pub sets: CountrySets,
    /// Providers that exist.
    pub providers: Providers,
    /// Sites.
    pub sites: HashMap<SiteName, SiteFact>,
    /// Decisions.
    pub decisions: Decisions,
    /// Tenants.
    pub tenants: BTreeMap<TenantName, TenantFact>,
    /// The tenants that list a namespace. Two is one too many: it is nobody's then.
    pub namespaces: HashMap<NamespaceName, BTreeSet<TenantName>>,
    /// Whom a namespace of the hub belongs to by its label; `None` for one without a label.
    pub labelled: HashMap<NamespaceName, Option<TenantName>>,
    /// Secrets of the hub that may be copied to members, by namespace and name: which version each is.
    pub secrets: HashMap<NamespaceName, HashMap<String, u64>>,
    /// Members, among those where a workload might have gone, on which there is something that was labelled to be adopted as its.
    pub originals: HashMap<WorkloadKey, BTreeSet<ClusterName>>,
    /// Workloads.
    pub workloads: HashMap<WorkloadKey, Arc<WorkloadFact>>,
    /// Where their copies are.
    pub assignments: HashMap<WorkloadKey, AssignmentFact>,
    /// What is kept on the hub for what they expose.
    pub exposure: Exposure,
    /// Their moves, by the Migration's name.
    pub migrations: HashMap<WorkloadKey, BTreeMap<String, MigrationFact>>,
    /// Campaigns.
    pub relocations: BTreeMap<RelocationName, RelocationFact>,
    /// The brakes.
    pub brakes: Brakes,
    clusters: Vec<ClusterRow>,
    ids: HashMap<ClusterName, ClusterId>,
    by_name: Vec<ClusterId>,
    at_site: HashMap<SiteName, BTreeSet<ClusterId>>,
}

impl World {
    /// The id of a cluster, new if it wasn't heard of before.
    pub fn cluster_id(&mut self, name: &ClusterName) -> ClusterId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let id = ClusterId(u32::try_from(self.clusters.len()).unwrap_or(u32::MAX));
        let at = self.by_name.partition_point(|other| self.name_of(*other).is_some_and(|n| n < name));
        self.by_name.insert(at, id);
        self.ids.insert(name.clone(), id);
        self.clusters.push(ClusterRow {
            name: name.clone(),
            fact: None,
            seen: None,
            used: Resources::default(),
            taken: HashSet::new(),
        });
        id
    }

    /// The id of a cluster, if it was ever heard of.
    #[must_use]
    pub fn find_cluster(&self, name: &ClusterName) -> Option<ClusterId> {
        self.ids.get(name).copied()
    }

    /// A cluster.
    #[must_use]
    pub fn cluster(&self, id: ClusterId) -> Option<&ClusterRow> {
        self.clusters.get(id.index())
    }

    pub(crate) fn cluster_mut(&mut self, id: ClusterId) -> Option<&mut ClusterRow> {
        self.clusters.get_mut(id.index())
    }

    /// Takes what is known of a cluster.
    pub(crate) fn set_cluster(&mut self, id: ClusterId, fact: Option<ClusterFact>) {
        let Some(row) = self.clusters.get_mut(id.index()) else { return };
        if let Some(left) = row.fact.as_ref().map(|fact| &fact.site)
            && let Some(there) = self.at_site.get_mut(left)
        {
            there.remove(&id);
            if there.is_empty() {
                self.at_site.remove(left);
            }
        }
        if let Some(fact) = &fact {
            self.at_site.entry(fact.site.clone()).or_default().insert(id);
        }
        row.fact = fact;
    }

    /// The clusters whose nodes are at a site, whether it exists or not.
    pub fn clusters_at(&self, site: &SiteName) -> impl Iterator<Item = ClusterId> {
        self.at_site.get(site).into_iter().flatten().copied()
    }

    /// The clusters at sites that such providers operate or own.
    pub(crate) fn clusters_of(&self, is_such: impl Fn(&ProviderName) -> bool) -> Vec<ClusterId> {
        let theirs = |site: &SiteFact| is_such(&site.operated_by) || is_such(&site.owned_by);
        let sites = self.sites.iter().filter(|(_, site)| theirs(site));
        sites.flat_map(|(name, _)| self.clusters_at(name)).collect()
    }

    pub(crate) fn name_of(&self, id: ClusterId) -> Option<&ClusterName> {
        self.cluster(id).map(|row| &row.name)
    }

    /// All clusters ever heard of, in the order of their names.
    #[must_use]
    pub fn clusters_by_name(&self) -> &[ClusterId] {
        &self.by_name
    }

    /// The site of a cluster, by name and with what is known of it.
    #[must_use]
    pub fn site_of(&self, id: ClusterId) -> Option<(&SiteName, &SiteFact)> {
        let name = &self.cluster(id)?.fact.as_ref()?.site;
        Some((name, self.sites.get(name)?))
    }

    /// The tenant whose namespace it is: the only one that lists it, if the label on the hub agrees.
    ///
    /// # Errors
    ///
    /// Why it is nobody's.
    pub fn tenant_of(&self, namespace: &NamespaceName) -> Result<&TenantName, Homeless> {
        let mut listed = self.namespaces.get(namespace).into_iter().flatten();
        let tenant = match (listed.next(), listed.next()) {
            (Some(tenant), None) => tenant,
            (None, _) => return Err(Homeless::NoTenant),
            (Some(one), Some(other)) => return Err(Homeless::TwoTenants(one.clone(), other.clone())),
        };
        match self.labelled.get(namespace) {
            Some(Some(owner)) if owner == tenant => Ok(tenant),
            Some(Some(owner)) => Err(Homeless::LabelledForOther(owner.clone())),
            Some(None) => Err(Homeless::NotLabelled(tenant.clone())),
            None => Err(Homeless::NotSeen),
        }
    }

    /// Whether a cluster was seen too long ago, or the hub's own objects were.
    #[must_use]
    pub fn is_stale(&self, id: ClusterId, now: Timestamp) -> bool {
        let old =
            |seen: Option<Timestamp>| seen.is_none_or(|at| now.duration_since(at) > OBSERVATION_AGE_MAX);
        old(self.hub_seen) || self.cluster(id).is_none_or(|row| old(row.seen))
    }

    /// Whether a cluster could hold something if it were empty.
    #[must_use]
    pub fn is_large_enough(&self, id: ClusterId, demand: Resources) -> bool {
        let fact = self.cluster(id).and_then(|row| row.fact.as_ref());
        fact.is_some_and(|fact| fact.limit.fits(Resources::default(), demand))
    }

    /// Moves of a workload that haven't ended.
    pub fn running_moves(&self, key: &WorkloadKey) -> impl Iterator<Item = &MigrationFact> {
        self.migrations.get(key).into_iter().flat_map(BTreeMap::values).filter(|m| !m.is_finished())
    }

    /// A copy as it is recorded.
    #[must_use]
    pub fn seat(&self, key: &WorkloadKey, ordinal: i32) -> Option<&domicile_crds::Seat> {
        self.assignments.get(key)?.spec.seats.iter().find(|seat| seat.ordinal == ordinal)
    }

    /// Whether a workload ran at a cluster before Domicile had it, by what is on record.
    #[must_use]
    pub fn was_adopted_from(&self, key: &WorkloadKey, cluster: &ClusterName) -> bool {
        self.assignments.get(key).is_some_and(|record| record.spec.adopted_from.as_ref() == Some(cluster))
    }

    /// Whether what is recorded under a workload's name is about another one, which had the name before.
    #[must_use]
    pub fn is_succeeding(&self, key: &WorkloadKey) -> bool {
        let (Some(workload), Some(record)) = (self.workloads.get(key), self.assignments.get(key)) else {
            return false;
        };
        record.owner.as_ref().is_some_and(|owner| *owner != workload.uid)
    }

    /// Whether such a record may be none of an earlier workload: it is no older than the living one, and was never seen
    /// with another, so that somebody has restored it. Kubernetes deletes it, since its owner isn't there, and that says
    /// nothing about the copies. Times of objects are whole seconds: who deletes a workload and makes it again within
    /// one has a record as old as both.
    #[must_use]
    pub fn is_restored(&self, key: &WorkloadKey) -> bool {
        let (Some(workload), Some(record)) = (self.workloads.get(key), self.assignments.get(key)) else {
            return false;
        };
        let no_older = record.created.zip(workload.created).is_some_and(|(record, made)| record >= made);
        self.is_succeeding(key) && no_older && !record.witnessed
    }

    /// Whether the workload that a record is about was deleted, and the record with it. A record that is deleted while
    /// its workload lives stays what it is: its finalizer holds it.
    #[must_use]
    pub fn has_departed(&self, key: &WorkloadKey) -> bool {
        let deleting = self.assignments.get(key).is_some_and(|record| record.deleting);
        let lives = self.workloads.get(key).is_some_and(|workload| !workload.deleting);
        deleting && (!lives || (self.is_succeeding(key) && !self.is_restored(key)))
    }

    /// The clusters on which a workload has or is about to have something, each once.
    #[must_use]
    pub fn clusters_used_by(&self, key: &WorkloadKey) -> Vec<ClusterName> {
        let mut used: Vec<ClusterName> = Vec::new();
        if let Some(assignment) = self.assignments.get(key) {
            used.extend(assignment.spec.seats.iter().map(|seat| seat.cluster.clone()));
        }
        for migration in self.running_moves(key) {
            used.push(migration.spec.from.clone());
            used.push(migration.spec.to.clone());
        }
        used.sort();
        used.dedup();
        used
    }

    /// The copies that a workload has at present and keeps.
    #[must_use]
    pub fn active_seats(&self, key: &WorkloadKey) -> Vec<&domicile_crds::Seat> {
        let seats = self.assignments.get(key).map_or(&[][..], |a| a.spec.seats.as_slice());
        seats.iter().filter(|seat| seat.phase == SeatPhase::Active).collect()
    }
}

/// Why a namespace is nobody's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Homeless {
    /// No tenant lists it.
    #[error("no Tenant lists this namespace in spec.namespaces")]
    NoTenant,
    /// Two tenants list it.
    #[error("Tenants {0} and {1} both list this namespace in spec.namespaces: take it off one of them")]
    TwoTenants(TenantName, TenantName),
    /// The label names another tenant.
    #[error("the namespace is labelled domicile.dev/tenant={0}, which is another tenant")]
    LabelledForOther(TenantName),
    /// It has no label, so it existed before and is somebody's own.
    #[error(
        "the namespace exists without the label domicile.dev/tenant={0}: a platform engineer must set it"
    )]
    NotLabelled(TenantName),
    /// It hasn't been seen yet.
    #[error("the namespace hasn't been observed yet")]
    NotSeen,
}
