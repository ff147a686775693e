//! The operator's processes are killed, or stand still, on the hub's node.

use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::wait::eventually,
    kind::Stage,
    props::workload,
    sight::managed,
    world::{OPERATOR_NAMESPACE, PATIENCE},
};
use serde_json::Value;
use tokio::time::Instant;

use crate::{
    client::Client,
    set::{ACME, DE, NL, decided, node_port, patient, serving},
};

const WEB: u16 = 30080;
/// How often the leader is killed in a move: there and back, twice.
const KILLS: u32 = 4;

/// Within the lease's time and five seconds, another leader has acted.
const SLACK: Duration = Duration::from_secs(5);

fn web(stage: &Stage, version: &str) -> String {
    workload(ACME, "web", &[serving(stage, "web", version), node_port("web", WEB)], patient()).to_string()
}

/// Asks for a version of the application, and waits for at most `within` until the member is told.
async fn changes(stage: &Stage, version: &str, within: Duration) -> anyhow::Result<()> {
    stage.apply(&web(stage, version)).await?;
    let what = format!("version {version} to be asked of the member");
    eventually(within, &what, || async {
        let objects = managed(stage.member(NL)?).await?;
        let deployment = objects.get("acme/Deployment/web").context("it isn't there")?;
        let now = &deployment["spec"]["template"]["spec"]["containers"][0]["env"][0]["value"];
        if now == version { Ok(Some(())) } else { bail!("it is {now}") }
    })
    .await
    .with_context(|| stage.log_tail())
}

async fn lease_time(stage: &Stage) -> anyhow::Result<Duration> {
    let seconds = stage.lease().await?["leaseDurationSeconds"].as_u64().context("no duration")?;
    Ok(Duration::from_secs(seconds))
}

async fn signal(stage: &Stage, pod: &Value, signal: &str) -> anyhow::Result<()> {
    let hub = stage.fleet.hub()?;
    let process = hub.process_of(pod).await?;
    hub.run(&["kill", signal, &process]).await.map(|_| ())
}

async fn restarts(stage: &Stage, pod: &Value) -> anyhow::Result<u64> {
    Ok(container(stage, pod, "restartCount").await?.parse()?)
}

/// How a pod's container has ended the last time.
async fn ended(stage: &Stage, pod: &Value) -> anyhow::Result<String> {
    container(stage, pod, "lastState.terminated").await
}

async fn container(stage: &Stage, pod: &Value, field: &str) -> anyhow::Result<String> {
    let name = pod["metadata"]["name"].as_str().context("a pod has no name")?;
    let columns = format!("jsonpath={{.status.containerStatuses[0].{field}}}");
    let get = ["-n", OPERATOR_NAMESPACE, "get", "pod", name, "-o", columns.as_str()];
    Ok(stage.hub().kubectl(get).text().await?.trim().to_owned())
}

/// SIGKILL, in the midst of a life.
pub(crate) async fn killed(stage: &Stage) -> anyhow::Result<()> {
    changes(stage, "1", PATIENCE).await?;
    stage.wait_on((ACME, "web"), &[NL]).await?;
    stage.comes_to_rest().await?;
    let leader = stage.leader().await?;
    let (before, within) = (restarts(stage, &leader).await?, lease_time(stage).await? + SLACK);
    let holder = stage.holder().await?;
    signal(stage, &leader, "-KILL").await?;
    let killed = Instant::now();
    changes(stage, "2", within).await?;
    tracing::info!(after = ?killed.elapsed(), ?within, "another leader has acted");
    ensure!(killed.elapsed() <= within + SLACK, "it took {:?}", killed.elapsed());
    let now = stage.holder().await?;
    tracing::info!(%holder, %now, "the lease was taken");
    eventually(PATIENCE, "the killed one to be started again", || async {
        Ok((restarts(stage, &leader).await? > before).then_some(()))
    })
    .await?;
    stage.rolled_out().await?;
    stage.wait_on((ACME, "web"), &[NL]).await?;
    nothing_is_forbidden(stage).await
}

/// SIGKILL for whoever leads, at random moments of moves from one provider to the other and back.
pub(crate) async fn killed_in_moves(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(&web(stage, "1")).await?;
    stage.wait_on((ACME, "web"), &[NL]).await?;
    let client = Client::of(stage, WEB).await?;
    client.answered_by(NL).await?;
    let mut last = "alpha-approved".to_owned();
    for round in 1..=KILLS {
        let (verdict, to) = if round % 2 == 1 { ("Revoked", DE) } else { ("Approved", NL) };
        let next = format!("alpha-{round}");
        let decision = decided(&next, "HostingProvider/alpha", verdict, &[&last]);
        // What it was is in the log; a move takes some seconds.
        let pause =
            Duration::from_millis(u64::from(jiff::Timestamp::now().subsec_millisecond().unsigned_abs()) * 4);
        let leader = stage.leader().await?;
        stage.apply(&decision.to_string()).await?;
        tokio::time::sleep(pause).await;
        signal(stage, &leader, "-KILL").await?;
        tracing::info!(round, ?pause, verdict, "the leader was killed in a move");
        stage.wait_on((ACME, "web"), &[to]).await?;
        client.answered_by(to).await?;
        last = next;
    }
    for object in ["acme/Deployment/web", "acme/Service/web"] {
        stage.leaves(DE, object).await?;
    }
    client.was_always_answered(&[NL, DE, NL, DE, NL])?;
    stage.rolled_out().await?;
    nothing_is_forbidden(stage).await
}

/// SIGSTOP until another one leads, which does something; then SIGCONT, with the old world in mind.
pub(crate) async fn woken(stage: &Stage) -> anyhow::Result<()> {
    changes(stage, "1", PATIENCE).await?;
    stage.wait_on((ACME, "web"), &[NL]).await?;
    stage.comes_to_rest().await?;
    let leader = stage.leader().await?;
    let before = restarts(stage, &leader).await?;
    let within = lease_time(stage).await? + SLACK;
    let holder = stage.holder().await?;
    signal(stage, &leader, "-STOP").await?;
    changes(stage, "2", within).await?;
    let next = stage.holder().await?;
    ensure!(next != holder, "{holder} stands still and holds the lease");
    let (lease, told) = (stage.lease().await?, managed(stage.member(NL)?).await?);
    let counts = stage.member(NL)?.metrics().await?;
    // The kubelet may have been faster: then it has ended without having woken up.
    let _ = signal(stage, &leader, "-CONT").await;
    eventually(PATIENCE, "the old one to end", || async {
        Ok((restarts(stage, &leader).await? > before).then_some(()))
    })
    .await?;
    let how = ended(stage, &leader).await?;
    tracing::info!(%how, "the old one has ended");
    stage.rolled_out().await?;
    stage.wait_on((ACME, "web"), &[NL]).await?;
    let now = stage.lease().await?;
    for field in ["holderIdentity", "leaseTransitions", "acquireTime"] {
        ensure!(lease[field] == now[field], "the lease was {lease}, and is {now}");
    }
    // The application's own progress is in statuses; nothing else was written.
    let after = managed(stage.member(NL)?).await?;
    for (name, object) in &told {
        let spec = |object: &Value| (object["spec"].clone(), object["metadata"]["labels"].clone());
        ensure!(after.get(name).map(spec) == Some(spec(object)), "{name} was touched: {object} {after:?}");
    }
    let applied = stage.member(NL)?.metrics().await?.since(&counts).filter(|key| key.verb == "APPLY");
    ensure!(applied.total() == 0, "something was applied again: {applied:?}");
    nothing_is_forbidden(stage).await
}
