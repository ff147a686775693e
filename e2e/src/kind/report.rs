//! All that can be known of a scenario that failed, in one folder.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use futures::future::try_join_all;
use tokio::time::timeout;

use super::{Cluster, Fleet};
use crate::world::{OPERATOR_NAMESPACE, World};

/// Something that doesn't answer must not keep the rest from being written.
const TIMEOUT: &str = "--request-timeout=30s";
/// kubectl asks five times.
const ANSWERS: Duration = Duration::from_secs(10);

/// Writes every object of every cluster but Secrets, events, logs and the node's journal into a folder of its own in
/// `parent`, and answers that. What can't be had is said in its place.
///
/// # Errors
///
/// If the folder can't be written.
pub async fn report(
    fleet: &Fleet,
    world: &World,
    parent: &Path,
    name: &str,
    why: &str,
) -> anyhow::Result<PathBuf> {
    let folder = parent.join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    fs::write(folder.join("why.txt"), why)?;
    if world.operator_log().exists() {
        fs::copy(world.operator_log(), folder.join("operator.log"))?;
    }
    fs::write(folder.join("usage.txt"), said(fleet.usage().await))?;
    try_join_all(fleet.clusters().map(|cluster| whole(cluster, folder.join(cluster.name())))).await?;
    operators(fleet.hub()?, &folder).await?;
    Ok(folder)
}

async fn operators(hub: &Cluster, folder: &Path) -> anyhow::Result<()> {
    let decisions = ["get", "domicile", "-A", "-o", "wide"];
    fs::write(folder.join("decisions.txt"), said(kubectl(hub, &decisions).await))?;
    for pod in said(kubectl(hub, &["-n", OPERATOR_NAMESPACE, "get", "pods", "-o", "name"]).await).lines() {
        let file = pod.replace('/', "-");
        let describe = ["-n", OPERATOR_NAMESPACE, "describe", pod];
        fs::write(folder.join(format!("{file}.txt")), said(kubectl(hub, &describe).await))?;
        let before = ["-n", OPERATOR_NAMESPACE, "logs", pod, "--previous"];
        fs::write(folder.join(format!("{file}-previous.log")), said(kubectl(hub, &before).await))?;
    }
    Ok(())
}

async fn whole(cluster: &Cluster, folder: PathBuf) -> anyhow::Result<()> {
    fs::create_dir_all(&folder)?;
    node(cluster, &folder).await?;
    match timeout(ANSWERS, cluster.answers()).await {
        Ok(_) => objects(cluster, &folder).await,
        Err(_) => Ok(fs::write(folder.join("objects.yaml"), "# the API server doesn't answer\n")?),
    }
}

async fn objects(cluster: &Cluster, folder: &Path) -> anyhow::Result<()> {
    let kinds = said(kubectl(cluster, &["api-resources", "--verbs=list", "-o", "name"]).await);
    // Events have a file of their own, and once is enough.
    let kinds = kinds.lines().filter(|kind| !["secrets", "events", "events.events.k8s.io"].contains(kind));
    let kinds = kinds.collect::<Vec<_>>().join(",");
    for (file, args) in [
        ("objects.yaml", &["get", &kinds, "-A", "-o", "yaml", "--ignore-not-found"][..]),
        ("secrets.txt", &["get", "secrets", "-A"]),
        ("events.txt", &["get", "events", "-A", "--sort-by=.metadata.creationTimestamp"]),
        ("pods.txt", &["get", "pods", "-A", "-o", "wide"]),
    ] {
        fs::write(folder.join(file), said(kubectl(cluster, args).await))?;
    }
    Ok(())
}

async fn node(cluster: &Cluster, folder: &Path) -> anyhow::Result<()> {
    let journal = |unit: &'static str| async move {
        cluster.run(&["journalctl", "--no-pager", "-n", "500", "-u", unit]).await
    };
    fs::write(folder.join("kubelet.log"), said(journal("kubelet").await))?;
    fs::write(folder.join("containerd.log"), said(journal("containerd").await))?;
    Ok(())
}

async fn kubectl(cluster: &Cluster, args: &[&str]) -> anyhow::Result<String> {
    cluster.kubectl(args.iter().copied().chain([TIMEOUT])).text().await
}

fn said(answer: anyhow::Result<String>) -> String {
    answer.unwrap_or_else(|error| format!("{error:#}\n"))
}
