//! What several commands look up or write on the hub.

use std::collections::BTreeSet;
use std::fmt::Debug;

use domicile_crds::kubeconfig::Kubeconfig;
use domicile_crds::{
    Assignment, ClusterName, MemberCluster, Migration, MigrationStep, NamespaceName, Site, SiteName,
};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::cluster::{Cluster, ClusterError, FIELD_MANAGER};

/// Label on the Secrets that this program makes on the hub.
pub const MANAGED_LABEL: &str = "app.kubernetes.io/managed-by";
/// Its value.
pub const MANAGED_BY: &str = "kubectl-domicile";
/// Names that a message lists.
const NAMES_MAX: usize = 20;

/// Something on the hub isn't as it must be.
#[derive(Debug, thiserror::Error)]
pub enum HubError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// There is no such object.
    #[error("there is no {kind} {name} on the hub; {}", if .there.is_empty() { "there is none at all".to_owned() } else { format!("there are {}", .there) })]
    Missing {
        /// The kind.
        kind: String,
        /// The name.
        name: String,
        /// The names that there are.
        there: String,
    },
    /// The operator's namespace isn't there.
    #[error(
        "there is no namespace {0} on the hub, where the operator would look for the Secret: install the operator first, or name its namespace with --operator-namespace"
    )]
    NoNamespace(NamespaceName),
    /// The member is known at another site.
    #[error(
        "{name} is at site {known}, not {wanted}; if it stands there, say so first: kubectl patch membercluster {name} --type=merge -p '{{\"spec\":{{\"site\":\"{wanted}\"}}}}'"
    )]
    OtherSite {
        /// The member.
        name: ClusterName,
        /// Where the hub has it.
        known: SiteName,
        /// Where it was to be.
        wanted: SiteName,
    },
    /// The kubeconfig leads to another cluster.
    #[error(
        "that kubeconfig leads to another cluster than {name}: the hub knows {name} by the kube-system uid {wanted}, and this one has {found}"
    )]
    OtherCluster {
        /// The member.
        name: ClusterName,
        /// What the hub has seen.
        wanted: String,
        /// What is there.
        found: String,
    },
    /// The kubeconfig leads to a cluster that has a name already.
    #[error(
        "that kubeconfig leads to the cluster that has joined as {other} (kube-system uid {id}): under a second name it would be judged twice, and a move between the two would remove the only copy; choose another kubeconfig or context, or leave {other} first"
    )]
    Twice {
        /// The name that it has.
        other: String,
        /// Its kube-system uid.
        id: String,
    },
}

/// An object that must be there; if not, the names of those that are.
///
/// # Errors
///
/// If it isn't there, or can't be read.
pub async fn need<K>(hub: &Cluster, name: &str) -> Result<K, HubError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    if let Some(found) = hub.find(name).await? {
        return Ok(found);
    }
    Err(missing::<K>(hub, name).await?)
}

/// The error for an object that isn't there.
///
/// # Errors
///
/// If the others can't be listed.
pub async fn missing<K>(hub: &Cluster, name: &str) -> Result<HubError, ClusterError>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let there = hub.collect(Api::all(hub.client.clone()), |object: K| object.name_any()).await?;
    let there = listed(&there);
    Ok(HubError::Missing { kind: K::kind(&()).into_owned(), name: name.to_owned(), there })
}

/// Names in a sentence; not all of them if there are many.
#[must_use]
pub fn listed(names: &[String]) -> String {
    let shown = names.get(..NAMES_MAX).unwrap_or(names).join(", ");
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

/// Looks for what a join needs, before anything is changed anywhere.
///
/// # Errors
///
/// If the site or the operator's namespace isn't there, if what would be written may not be, or the member is known at another site: a
/// slip there would move everything on it to another country on paper.
pub async fn check_join(
    hub: &Cluster,
    name: &ClusterName,
    site: &SiteName,
    namespace: &NamespaceName,
) -> Result<(), HubError> {
    need::<Site>(hub, site.as_str()).await?;
    let known = hub.find::<MemberCluster>(name.as_str()).await?.map(|known| known.spec.site);
    if let Some(known) = known.filter(|known| known != site) {
        return Err(HubError::OtherSite { name: name.clone(), known, wanted: site.clone() });
    }
    if hub.find::<Namespace>(namespace.as_str()).await?.is_none() {
        return Err(HubError::NoNamespace(namespace.clone()));
    }
    // Whoever may not write them had better know before the member is changed.
    hub.would_apply_shared(&member_object(name, site)).await?;
    hub.would_take_as(FIELD_MANAGER, &secret_object(namespace, name, &json!({}))).await?;
    Ok(())
}

fn member_object(name: &ClusterName, site: &SiteName) -> Value {
    json!({
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "MemberCluster",
        "metadata": {"name": name.as_str()},
        "spec": {"site": site.as_str(), "connection": {"kubeconfigSecret": secret_name(name)}},
    })
}

fn secret_object(namespace: &NamespaceName, name: &ClusterName, data: &Value) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(name),
            "namespace": namespace.as_str(),
            "labels": {MANAGED_LABEL: MANAGED_BY, "app.kubernetes.io/part-of": "domicile"},
        },
        "type": "Opaque",
        "data": data,
    })
}

/// Refuses a kubeconfig that leads to another cluster than the one that the hub knows by that name.
///
/// # Errors
///
/// If it does.
pub async fn check_same(known: &MemberCluster, member: &Cluster, name: &ClusterName) -> Result<(), HubError> {
    let Some(wanted) = known.status.as_ref().and_then(|status| status.cluster_id.clone()) else {
        return Ok(());
    };
    let found = member.id().await?;
    if found == wanted { Ok(()) } else { Err(HubError::OtherCluster { name: name.clone(), wanted, found }) }
}

/// Refuses a kubeconfig that leads to a cluster that the hub knows by another name.
///
/// # Errors
///
/// If it does.
pub async fn check_only(hub: &Cluster, member: &Cluster, name: &ClusterName) -> Result<(), HubError> {
    let id = member.id().await?;
    match same_as(hub, &id, name).await? {
        Some(other) => Err(HubError::Twice { other, id }),
        None => Ok(()),
    }
}

/// Another member that is the cluster with this uid, if the hub knows one.
///
/// # Errors
///
/// If the members can't be listed.
pub async fn same_as(hub: &Cluster, id: &str, name: &ClusterName) -> Result<Option<String>, ClusterError> {
    let found = hub
        .collect(Api::all(hub.client.clone()), |member: MemberCluster| {
            let same = member.status.as_ref().and_then(|status| status.cluster_id.as_deref()) == Some(id);
            (same && member.name_any() != name.as_str()).then(|| member.name_any())
        })
        .await?;
    Ok(found.into_iter().flatten().next())
}

/// The Secret's name for a member.
#[must_use]
pub fn secret_name(member: &ClusterName) -> String {
    format!("member-{member}")
}

/// Writes the Secret and the MemberCluster, in this order: the operator looks for the one that the other names.
/// Neither, if the MemberCluster isn't taken.
///
/// # Errors
///
/// If the hub refuses, or somebody else has set the MemberCluster to something else.
pub async fn write_member(
    hub: &Cluster,
    namespace: &NamespaceName,
    name: &ClusterName,
    site: &SiteName,
    kubeconfig: &Kubeconfig,
) -> Result<(), ClusterError> {
    let text = ByteString(kubeconfig.to_yaml(name.as_str()).into_bytes());
    let secret = secret_object(namespace, name, &json!({"kubeconfig": text}));
    let member = member_object(name, site);
    hub.would_apply_shared(&member).await?;
    hub.apply(&secret).await?;
    hub.apply_shared(&member).await
}

/// Workloads that have a copy on a member, or a move from or to it that hasn't ended: after the switch, the source
/// stands in the Migration only, and before it the target.
///
/// # Errors
///
/// If the Assignments or Migrations can't be listed.
pub async fn placed_on(hub: &Cluster, member: &ClusterName) -> Result<Vec<String>, ClusterError> {
    let seated = hub.collect(Api::all(hub.client.clone()), |assignment: Assignment| {
        let here = assignment.spec.seats.iter().any(|seat| seat.cluster == *member);
        here.then(|| format!("{}/{}", assignment.namespace().unwrap_or_default(), assignment.name_any()))
    });
    let moving = hub.collect(Api::all(hub.client.clone()), |migration: Migration| {
        let ended =
            migration.status.as_ref().and_then(|status| status.step).is_some_and(MigrationStep::is_final);
        let here = migration.spec.from == *member || migration.spec.to == *member;
        let workload = &migration.spec.workload;
        (here && !ended).then(|| format!("{}/{workload}", migration.namespace().unwrap_or_default()))
    });
    // Moves last: one that ends in between has left its copy in an Assignment, or nowhere.
    let (seated, moving) = (seated.await?, moving.await?);
    let all: BTreeSet<_> = seated.into_iter().chain(moving).flatten().collect();
    Ok(all.into_iter().collect())
}
