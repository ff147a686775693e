//! `kubectl domicile leave`.

use domicile_crds::{ClusterName, MemberCluster, NamespaceName};
use k8s_openapi::api::core::v1::Secret;
use kube::ResourceExt;
use kube::api::Api;
use serde_json::{Value, json};

use crate::args::{HubArgs, LeaveArgs};
use crate::cluster::{Cluster, ClusterError};
use crate::hub::{self, HubError};
use crate::member::{ADMITTED_LABEL, TENANT_ROLE, setup};
use crate::output;

/// A member can't leave.
#[derive(Debug, thiserror::Error)]
pub enum LeaveError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Something on the hub isn't as it must be.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// Something runs there.
    #[error("{}", in_use(.name, *.count, .listed))]
    InUse {
        /// The member.
        name: String,
        /// How many.
        count: usize,
        /// Some of them.
        listed: String,
    },
    /// Something is there that the hub's records don't tell of.
    #[error("{}", remains(.name, *.count, .listed))]
    Remains {
        /// The member.
        name: String,
        /// How many.
        count: usize,
        /// Some of them.
        listed: String,
    },
}

fn in_use(name: &str, count: usize, listed: &str) -> String {
    let (those, moves, object, subject) = match count {
        1 => ("1 workload is".to_owned(), "moves", "it", "it is"),
        n => (format!("{n} workloads are"), "move", "them", "they are"),
    };
    format!(
        "{those} on {name}, or {moves} from or to it: {listed}; move {object} away with `kubectl domicile drain {name}`, or delete {object}, and try again when {subject} gone"
    )
}

fn remains(name: &str, count: usize, listed: &str) -> String {
    let (those, object, subject) = match count {
        1 => ("1 object of a workload is".to_owned(), "it", "it is"),
        n => (format!("{n} objects of workloads are"), "them", "they are"),
    };
    format!(
        "{those} still on {name}: {listed}; nobody could remove {object} afterwards: wait until {subject} gone, or delete {object} there, and try again"
    )
}

/// Runs the command; returns what goes to stdout.
///
/// # Errors
///
/// If something runs there, or something can't be deleted. Repeating is safe.
pub async fn run(args: &LeaveArgs, options: &HubArgs) -> Result<String, LeaveError> {
    let name = &args.name;
    let hub = Cluster::hub(&options.target()).await?;
    let known: Option<MemberCluster> = hub.find(name.as_str()).await?;
    let owner = match args.member.target() {
        Some(target) => Some(Cluster::member(&target).await?),
        None => None,
    };
    if let (Some(known), Some(owner)) = (&known, &owner) {
        hub::check_same(known, owner, name).await?;
    }
    unused(&hub, name).await?;
    if let Some(owner) = &owner {
        empty(&hub, owner, name).await?;
    }
    let mut lines = Vec::new();
    if known.is_some() {
        // Nothing may be placed there between looking and deleting.
        hub.patch::<MemberCluster>(name.as_str(), &json!({"spec": {"scheduling": "Cordoned"}})).await?;
        unused(&hub, name).await?;
        hub.delete(&object("domicile.dev/v1alpha1", "MemberCluster", None, name.as_str())).await?;
        lines.push(format!("membercluster.domicile.dev/{name} deleted"));
    } else if owner.is_none() {
        return Err(hub::missing::<MemberCluster>(&hub, name.as_str()).await?.into());
    }
    let secret =
        known.map_or_else(|| hub::secret_name(name), |known| known.spec.connection.kubeconfig_secret);
    if delete_secret(&hub, &options.operator_namespace, &secret).await? {
        lines.push(format!("secret/{secret} deleted"));
    }
    match owner {
        Some(owner) => {
            let id = owner.id().await?;
            if let Some(other) = hub::same_as(&hub, &id, name).await? {
                output::note(format!(
                    "note: that cluster has also joined as {other}: nothing was removed there"
                ));
                return Ok(lines.join("\n") + "\n");
            }
            let same = id == hub.id().await?;
            setup::tear_down(&owner, same).await?;
            lines.push(format!("{name} cleaned up; what tenants have there was left alone"));
        }
        None => output::note(format!(
            "note: what Domicile has on {name} is still there; its owner removes it with\n  kubectl domicile join {name} --print-member | kubectl delete --ignore-not-found -f -\n  kubectl delete clusterrole,clusterrolebinding -l {ADMITTED_LABEL}\n  kubectl delete rolebinding -A --field-selector metadata.name={TENANT_ROLE}"
        )),
    }
    Ok(lines.join("\n") + "\n")
}

async fn unused(hub: &Cluster, name: &ClusterName) -> Result<(), LeaveError> {
    let placed = hub::placed_on(hub, name).await?;
    if placed.is_empty() {
        return Ok(());
    }
    Err(LeaveError::InUse { name: name.to_string(), count: placed.len(), listed: hub::listed(&placed) })
}

/// Asks the member itself, unless it has joined by another name as well, by which the hub goes on looking after it.
async fn empty(hub: &Cluster, owner: &Cluster, name: &ClusterName) -> Result<(), LeaveError> {
    if hub::same_as(hub, &owner.id().await?, name).await?.is_some() {
        return Ok(());
    }
    let there = setup::copies(owner).await?;
    if there.is_empty() {
        return Ok(());
    }
    let (count, listed) = (there.len(), hub::listed(&there));
    Err(LeaveError::Remains { name: name.to_string(), count, listed })
}

/// Deletes the Secret if this program made it: one from elsewhere would come back, or be missed.
async fn delete_secret(hub: &Cluster, namespace: &NamespaceName, name: &str) -> Result<bool, ClusterError> {
    let api = Api::<Secret>::namespaced(hub.client.clone(), namespace.as_str());
    let found = api.get_opt(name).await.map_err(hub.failed(format!("get Secret {namespace}/{name}")))?;
    let Some(found) = found else { return Ok(false) };
    if found.labels().get(hub::MANAGED_LABEL).is_none_or(|by| by != hub::MANAGED_BY) {
        output::note(format!("note: Secret {namespace}/{name} was not made by this program and stays"));
        return Ok(false);
    }
    hub.delete(&object("v1", "Secret", Some(namespace.as_str()), name)).await
}

fn object(api_version: &str, kind: &str, namespace: Option<&str>, name: &str) -> Value {
    json!({"apiVersion": api_version, "kind": kind, "metadata": {"name": name, "namespace": namespace}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_several() {
        let said =
            |count| LeaveError::InUse { name: "a".to_owned(), count, listed: "s/w".to_owned() }.to_string();
        assert!(
            said(1).starts_with("1 workload is on a, or moves from or to it: s/w; move it away"),
            "{}",
            said(1)
        );
        assert!(
            said(2).starts_with("2 workloads are on a, or move from or to it: s/w; move them"),
            "{}",
            said(2)
        );
        let remains = LeaveError::Remains { name: "a".to_owned(), count: 1, listed: "s/w".to_owned() };
        assert!(
            remains.to_string().starts_with("1 object of a workload is still on a: s/w; nobody"),
            "{remains}"
        );
    }
}
