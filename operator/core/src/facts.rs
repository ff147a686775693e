//! API objects as the core keeps them: small, and with what can't be read left out.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use domicile_crds::{
    AssignmentSpec, ClusterName, Clusters, CountryCode, MemberCluster, MigrationPolicy, MigrationSpec,
    MigrationStep, NamespaceName, OnApprovalExpired, OnDelete, Overlap, PlaceRef, ProviderName,
    ProviderPolicy, RelocationSpec, Residency, Scheduling, SiteName, SiteSpec, SiteState, TenantName,
    TenantSpec, TenantWorkload, WorkloadKey, condition_of, keys::condition,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::{
    Tri,
    expose::ExposeFact,
    manifests::{ManifestError, Manifests},
    quantity::Limit,
};

/// A site.
#[derive(Clone, Debug)]
pub struct SiteFact {
    /// Who operates it.
    pub operated_by: ProviderName,
    /// Who owns it.
    pub owned_by: ProviderName,
    /// Where it is.
    pub country: CountryCode,
    /// What it is used for.
    pub state: SiteState,
    /// Before this it isn't online.
    pub online_from: Option<Timestamp>,
}

impl From<&SiteSpec> for SiteFact {
    fn from(spec: &SiteSpec) -> Self {
        Self {
            operated_by: spec.operated_by.clone(),
            owned_by: spec.owned_by.clone(),
            country: spec.country,
            state: spec.state,
            online_from: spec.online_from.as_ref().map(|t| t.0),
        }
    }
}

/// A member cluster.
#[derive(Clone, Debug)]
pub struct ClusterFact {
    /// Where its nodes are.
    pub site: SiteName,
    /// Whether it takes new workloads.
    pub scheduling: Scheduling,
    /// Whether it can be used.
    pub ready: Tri,
    /// Since when it has been ready.
    pub ready_since: Option<Timestamp>,
    /// Since when it is recorded that it can't be used.
    pub away_since: Option<Timestamp>,
    /// Tenants that its owner has admitted; `None` if it was never observed.
    pub admitted: Option<HashSet<TenantName>>,
    /// Kinds that it doesn't serve, one bit each.
    pub kinds_not_served: u16,
    /// Storage classes that tenants may use, and what they are called there.
    pub storage_classes: BTreeMap<String, String>,
    /// Ingress classes that tenants may use, and what they are called there.
    pub ingress_classes: BTreeMap<String, String>,
    /// What its nodes say contradicts where it is recorded to be.
    pub contradicted: bool,
    /// How much it can take.
    pub limit: Limit,
    /// It is being deleted: nothing new goes there, and what it says doesn't hold any more.
    pub leaving: bool,
}

impl From<&MemberCluster> for ClusterFact {
    fn from(object: &MemberCluster) -> Self {
        let status = object.status.as_ref();
        let ready = status.and_then(|s| condition_of(&s.conditions, condition::READY));
        let answer = match ready.map(|c| c.status.as_str()) {
            Some("True") => Tri::Yes,
            Some("False") => Tri::No,
            _ => Tri::Unknown,
        };
        let leaving = object.metadata.deletion_timestamp.is_some();
        let observed = status.filter(|s| s.cluster_id.is_some());
        let not_served = observed.map_or(0, |s| kinds_bits(&s.kinds_not_served));
        Self {
            site: object.spec.site.clone(),
            scheduling: object.spec.scheduling,
            ready: if leaving { Tri::Unknown } else { answer },
            ready_since: ready.filter(|_| answer == Tri::Yes).map(|c| c.last_transition_time.0),
            away_since: ready.filter(|_| answer != Tri::Yes).map(|c| c.last_transition_time.0),
            admitted: observed.map(|s| s.tenants.iter().cloned().collect()),
            kinds_not_served: not_served,
            storage_classes: object.spec.classes.storage.clone(),
            ingress_classes: object.spec.classes.ingress.clone(),
            contradicted: status.is_some_and(|s| !s.contradictions.is_empty()),
            limit: Limit::of(object.spec.capacity.as_ref(), observed.and_then(|s| s.allocatable.as_ref())),
            leaving,
        }
    }
}

fn kinds_bits(names: &[String]) -> u16 {
    crate::manifests::Kind::all()
        .filter(|kind| names.iter().any(|name| name == kind.name()))
        .fold(0, |bits, kind| bits | kind.bit())
}

/// A tenant.
#[derive(Clone, Debug)]
pub struct TenantFact {
    /// Its namespaces.
    pub namespaces: Vec<NamespaceName>,
    /// Where its data may live.
    pub residency: Arc<Residency>,
    /// What it asks of providers.
    pub providers: Arc<ProviderPolicy>,
    /// What it prefers, best first.
    pub preferences: Arc<[PlaceRef]>,
    /// How moves by preference are made.
    pub migration: MigrationPolicy,
    /// What becomes of what runs when an approval ends.
    pub on_approval_expired: OnApprovalExpired,
}

impl From<&TenantSpec> for TenantFact {
    fn from(spec: &TenantSpec) -> Self {
        Self {
            namespaces: spec.namespaces.clone(),
            residency: Arc::new(spec.residency.clone()),
            providers: Arc::new(spec.providers.clone()),
            preferences: spec.preferences.clone().into(),
            migration: spec.migration.clone(),
            on_approval_expired: spec.on_approval_expired,
        }
    }
}

/// A workload.
#[derive(Clone, Debug)]
pub struct WorkloadFact {
    /// Its uid.
    pub uid: Arc<str>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// It is being deleted.
    pub deleting: bool,
    /// The finalizer of somebody else that holds it meanwhile.
    pub held_by: Option<Arc<str>>,
    /// Its generation.
    pub generation: i64,
    /// Where its first copy runs already.
    pub adopt: Option<ClusterName>,
    /// On how many clusters, and what keeps them apart.
    pub clusters: Clusters,
    /// Its own residency, which narrows the tenant's.
    pub residency: Residency,
    /// Its own preferences, which replace the tenant's.
    pub preferences: Arc<[PlaceRef]>,
    /// Whether two copies may run for the length of a move.
    pub overlap: Overlap,
    /// What becomes of its claims when it is deleted.
    pub on_delete: OnDelete,
    /// How long the source keeps running after the switch, in seconds.
    pub drain_seconds: i32,
    /// What it exposes.
    pub expose: Arc<[ExposeFact]>,
    /// How long a copy may take to become ready at the target, in seconds.
    pub progress_deadline_seconds: i32,
    /// Its manifests, or what is wrong with them.
    pub manifests: Result<Manifests, ManifestError>,
}

/// The first finalizer of an object that is being deleted, those aside by which Kubernetes deletes what it owns.
fn holder(meta: &ObjectMeta) -> Option<Arc<str>> {
    meta.deletion_timestamp.as_ref()?;
    let mut finalizers = meta.finalizers.iter().flatten();
    finalizers
        .find(|name| !["foregroundDeletion", "orphan"].contains(&name.as_str()))
        .map(|name| name.as_str().into())
}

impl From<&TenantWorkload> for WorkloadFact {
    fn from(object: &TenantWorkload) -> Self {
        let spec = &object.spec;
        Self {
            uid: object.metadata.uid.as_deref().unwrap_or_default().into(),
            created: object.metadata.creation_timestamp.as_ref().map(|t| t.0),
            deleting: object.metadata.deletion_timestamp.is_some(),
            held_by: holder(&object.metadata),
            generation: object.metadata.generation.unwrap_or_default(),
            adopt: spec.adopt.clone(),
            clusters: spec.clusters.clone(),
            residency: spec.residency.clone(),
            preferences: spec.preferences.clone().into(),
            overlap: spec.overlap,
            // What its manifests have no more may still be there, with data.
            on_delete: spec.on_delete.unwrap_or(OnDelete::Retain),
            drain_seconds: spec.drain_seconds,
            expose: ExposeFact::read(spec),
            progress_deadline_seconds: spec.health.progress_deadline_seconds,
            manifests: Manifests::read(object),
        }
    }
}

impl WorkloadFact {
    /// Whether a move must stop the source before the target starts.
    #[must_use]
    pub fn breaks_before_make(&self) -> bool {
        self.overlap == Overlap::Forbid || self.manifests.as_ref().is_ok_and(|m| m.has_exclusive)
    }
}

/// Where a workload's copies are.
#[derive(Clone, Debug)]
pub struct AssignmentFact {
    /// Its own uid.
    pub uid: Option<Arc<str>>,
    /// It was there together with the workload that it is about: it is no restored one.
    pub witnessed: bool,
    /// The uid of the workload that it is about, if it says so.
    pub owner: Option<Arc<str>>,
    /// The tenant to whom it was placed.
    pub tenant: Option<TenantName>,
    /// What was recorded.
    pub spec: Arc<AssignmentSpec>,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Somebody has deleted it: because its workload is gone, or by itself.
    pub deleting: bool,
    /// The version of the object, for writes that must not overtake another.
    pub resource_version: String,
    /// Members that a person has given up for good.
    pub abandoned: Vec<String>,
}

/// A move.
#[derive(Clone, Debug)]
pub struct MigrationFact {
    /// Name of the Migration.
    pub name: String,
    /// What was recorded.
    pub spec: Arc<MigrationSpec>,
    /// The last step that was written.
    pub step: Option<MigrationStep>,
    /// Somebody has deleted it, and our finalizer holds it.
    pub held: bool,
}

impl MigrationFact {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.step.is_some_and(MigrationStep::is_final)
    }

    /// Whether its target didn't become ready in time.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.step == Some(MigrationStep::Failed)
    }
}

/// A campaign.
#[derive(Clone, Debug)]
pub struct RelocationFact {
    /// What was recorded.
    pub spec: RelocationSpec,
}

/// The brakes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Brakes {
    /// No move begins, and none switches.
    pub paused: bool,
    /// How many moves may begin within any hour.
    pub max_moves_per_hour: Option<i32>,
}

/// The key of an object in a namespace.
///
/// `None` if a name isn't one that Domicile could have accepted.
#[must_use]
pub fn key_of(namespace: Option<&str>, name: Option<&str>) -> Option<WorkloadKey> {
    WorkloadKey::new(namespace?, name?).ok()
}
