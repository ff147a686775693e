//! The nodes of a cluster, and volumes: API objects only; kwok does the rest.

use std::time::Duration;

use anyhow::{Context, anyhow};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::{Node, PersistentVolume};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::json;

use super::options::ClusterOptions;
use super::wait::eventually;

/// Creates the nodes and volumes that `options` ask for.
pub(crate) async fn create(client: &Client, cluster: &str, options: &ClusterOptions) -> anyhow::Result<()> {
    let api = Api::<Node>::all(client.clone());
    let nodes = (1..=options.nodes).map(|number| node(&format!("{cluster}-node-{number}"), options));
    let nodes = nodes.collect::<Result<Vec<_>, _>>()?;
    let params = PostParams::default();
    try_join_all(nodes.iter().map(|node| api.create(&params, node))).await.context("cannot create a node")?;
    if options.volumes == 0 {
        return Ok(());
    }
    let classes = Api::<StorageClass>::all(client.clone());
    classes.create(&params, &storage_class()?).await.context("cannot create the storage class")?;
    let api = Api::<PersistentVolume>::all(client.clone());
    let volumes = (1..=options.volumes).map(|number| volume(&format!("{cluster}-volume-{number}")));
    let volumes = volumes.collect::<Result<Vec<_>, _>>()?;
    try_join_all(volumes.iter().map(|volume| api.create(&params, volume)))
        .await
        .context("cannot create a volume")?;
    Ok(())
}

/// Waits until pods can be scheduled on every node: it is Ready and the taint of a new node is gone.
pub(crate) async fn ready(client: &Client, count: u32, deadline: Duration) -> anyhow::Result<()> {
    let api = Api::<Node>::all(client.clone());
    let count = usize::try_from(count)?;
    eventually(deadline, "the nodes to be ready", || async {
        let nodes = api.list(&kube::api::ListParams::default()).await?;
        let ready = nodes.iter().filter(|node| is_ready(node)).count();
        if ready < count { Err(anyhow!("{ready} of {count} nodes are ready")) } else { Ok(Some(())) }
    })
    .await
}

fn is_ready(node: &Node) -> bool {
    let tainted =
        node.spec.as_ref().and_then(|spec| spec.taints.as_ref()).is_some_and(|taints| !taints.is_empty());
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    !tainted
        && conditions.is_some_and(|all| all.iter().any(|one| one.type_ == "Ready" && one.status == "True"))
}

fn node(name: &str, options: &ClusterOptions) -> serde_json::Result<Node> {
    let resources = json!({
        "cpu": options.allocatable.cpu,
        "memory": options.allocatable.memory,
        "pods": options.allocatable.pods.to_string(),
    });
    serde_json::from_value(json!({
        "metadata": {"name": name, "labels": {
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/os": "linux",
            "kubernetes.io/hostname": name,
            "topology.kubernetes.io/region": options.region,
            "topology.kubernetes.io/zone": options.zone,
        }},
        "status": {"capacity": resources, "allocatable": resources},
    }))
}

fn storage_class() -> serde_json::Result<StorageClass> {
    serde_json::from_value(json!({
        "metadata": {
            "name": "standard",
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "Immediate",
    }))
}

/// Large enough for any claim, and only a name: nobody mounts it.
fn volume(name: &str) -> serde_json::Result<PersistentVolume> {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {
            "storageClassName": "standard",
            "capacity": {"storage": "1Ti"},
            "accessModes": ["ReadWriteOnce", "ReadWriteMany", "ReadOnlyMany"],
            "persistentVolumeReclaimPolicy": "Retain",
            "hostPath": {"path": format!("/nonexistent/{name}")},
        },
    }))
}
