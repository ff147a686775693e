//! The chart is upgraded and rolled back while workloads run: they don't notice.

use std::collections::BTreeMap;

use anyhow::{Context as _, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::RequestCounts,
    helm::{Helm, NAMESPACE, newer},
    kind::Stage,
    sight::managed,
};
use serde_json::{Value, json};

use crate::{
    outages::placed,
    set::{ACME, DE, NL, app, pods},
};

/// What can be seen of a workload: its pods, and its objects.
type Seen = (Vec<String>, BTreeMap<String, Value>);

pub(crate) async fn there_and_back(stage: &Stage) -> anyhow::Result<()> {
    let clients = placed(stage).await?;
    let (before, counts) = (seen(stage).await?, stage.counts().await?);
    let first = names(stage).await?;

    let helm = Helm::on(stage.hub())?;
    let folder = tempfile::tempdir()?;
    let chart = newer(folder.path())?.display().to_string();
    let release = ["--namespace", NAMESPACE];
    let annotate = ["--reuse-values", "--set", "podAnnotations.scenario=upgrade"];
    helm.run(&[&["upgrade", "domicile", &chart], &release[..], &annotate].concat()).await?;
    let second = rolled_out(stage).await?;
    ensure!(first.iter().all(|name| !second.contains(name)), "the same pods run: {first:?} {second:?}");
    acts(stage, "while-newer", 30082).await?;

    helm.run(&[&["rollback", "domicile"], &release[..]].concat()).await?;
    let third = rolled_out(stage).await?;
    ensure!(second.iter().all(|name| !third.contains(name)), "the same pods run: {second:?} {third:?}");
    acts(stage, "while-older", 30083).await?;

    stage.comes_to_rest().await?;
    let mut after = seen(stage).await?;
    for (_, objects) in &mut after {
        objects.retain(|name, _| !name.contains("/while-"));
    }
    ensure!(before == after, "something was touched: {before:?}\n{after:?}");
    for (name, counts) in stage.written(&counts).await? {
        let deleted = deletions(&counts);
        ensure!(name == "hub" || deleted.total() == 0, "something was deleted on {name}: {deleted:?}");
    }
    clients[0].was_always_answered(&[NL])?;
    clients[1].was_always_answered(&[DE])?;
    nothing_is_forbidden(stage).await
}

async fn seen(stage: &Stage) -> anyhow::Result<[Seen; 2]> {
    Ok([
        (pods(stage, NL, "here").await?, managed(stage.member(NL)?).await?),
        (pods(stage, DE, "there").await?, managed(stage.member(DE)?).await?),
    ])
}

fn deletions(counts: &RequestCounts) -> RequestCounts {
    counts.filter(|key| key.verb.starts_with("DELETE"))
}

/// The operator of today does what it is for.
async fn acts(stage: &Stage, name: &str, port: u16) -> anyhow::Result<()> {
    stage.leader().await?;
    stage.apply(&app(stage, ACME, name, port, json!({})).to_string()).await?;
    stage.wait_on((ACME, name), &[NL]).await
}

/// Waits for the operator's new pods, none of which may have been restarted. Answers their names.
async fn rolled_out(stage: &Stage) -> anyhow::Result<Vec<String>> {
    stage.rolled_out().await?;
    for pod in stage.operators().await? {
        let restarts = pod.pointer("/status/containerStatuses/0/restartCount");
        ensure!(restarts == Some(&json!(0)), "an operator was restarted: {pod}");
    }
    names(stage).await
}

async fn names(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let pods = stage.operators().await?;
    let name = |pod: &Value| pod["metadata"]["name"].as_str().map(str::to_owned);
    pods.iter().map(|pod| name(pod).context("a pod has no name")).collect()
}
