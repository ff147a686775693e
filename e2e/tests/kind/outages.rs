//! A node hangs or is switched off, the hub's API server restarts, the network between hub and member is cut.

use anyhow::ensure;
use domicile_e2e::{
    audit::nothing_is_forbidden, fleet::wait::eventually, kind::Stage, props::list, sight::managed,
    witness::Witness, world::PATIENCE,
};
use serde_json::{Value, json};

use crate::{
    client::Client,
    set::{ACME, DE, NL, app, decided, pods, pods_if_any},
};

const HERE: u16 = 30080;
const THERE: u16 = 30081;

/// One workload in the Netherlands, and one that may be in Germany only.
pub(crate) async fn placed(stage: &Stage) -> anyhow::Result<[Client; 2]> {
    let german = json!({"residency": {"allowed": [{"country": "DE"}]}});
    let workloads = [app(stage, ACME, "here", HERE, json!({})), app(stage, ACME, "there", THERE, german)];
    stage.apply(&list(&workloads)).await?;
    stage.wait_on((ACME, "here"), &[NL]).await?;
    stage.wait_on((ACME, "there"), &[DE]).await?;
    let clients = [Client::of(stage, HERE).await?, Client::of(stage, THERE).await?];
    clients[0].answered_by(NL).await?;
    clients[1].answered_by(DE).await?;
    stage.comes_to_rest().await?;
    Ok(clients)
}

async fn uids(stage: &Stage, member: &str) -> anyhow::Result<Vec<(String, Value)>> {
    let objects = managed(stage.member(member)?).await?;
    Ok(objects.into_iter().map(|(name, object)| (name, object["metadata"]["uid"].clone())).collect())
}

async fn knows(stage: &Stage, status: &str) -> anyhow::Result<()> {
    stage.says(&format!("memberclusters/{NL}"), "Ready", status, "").await.map(|_| ())
}

/// A member's node hangs, and is then switched off: what is there stays there, and is there when it is back.
pub(crate) async fn node(stage: &Stage) -> anyhow::Result<()> {
    let clients = placed(stage).await?;
    let nl = stage.fleet.member(NL)?;
    let (objects, before) = (uids(stage, NL).await?, pods(stage, NL, "here").await?);
    nl.pause().await?;
    let unknown = knows(stage, "Unknown").await;
    nl.unpause().await?;
    unknown?;
    knows(stage, "True").await?;
    clients[0].answered_by(NL).await?;
    ensure!(uids(stage, NL).await? == objects && pods(stage, NL, "here").await? == before, "it was touched");

    nl.switch_off().await?;
    let unknown = knows(stage, "Unknown").await;
    nl.switch_on().await?;
    unknown?;
    knows(stage, "True").await?;
    stage.wait_on((ACME, "here"), &[NL]).await?;
    // Pods of the same name, whose containers are new.
    let client = Client::of(stage, HERE).await?;
    client.answered_by(NL).await?;
    ensure!(uids(stage, NL).await? == objects, "it was made again");
    clients[1].was_always_answered(&[DE])?;
    stage.comes_to_rest().await?;
    nothing_is_forbidden(stage).await
}

/// The hub's API server is killed: workloads don't notice, and the operator goes on.
pub(crate) async fn hub(stage: &Stage) -> anyhow::Result<()> {
    let clients = placed(stage).await?;
    let before = (uids(stage, NL).await?, pods(stage, NL, "here").await?);
    stage.fleet.hub()?.restart_apiserver().await?;
    stage.apply(&app(stage, ACME, "afterwards", 30082, json!({})).to_string()).await?;
    stage.wait_on((ACME, "afterwards"), &[NL]).await?;
    stage.rolled_out().await?;
    let mut after = (uids(stage, NL).await?, pods(stage, NL, "here").await?);
    after.0.retain(|(name, _)| !name.ends_with("/afterwards"));
    ensure!(before == after, "it was touched: {before:?} {after:?}");
    clients[0].was_always_answered(&[NL])?;
    clients[1].was_always_answered(&[DE])?;
    nothing_is_forbidden(stage).await
}

/// The hub doesn't reach a member any more whose provider is then revoked: the workload starts elsewhere, and what is
/// left behind is cleaned up as soon as it can be.
pub(crate) async fn network(stage: &Stage) -> anyhow::Result<()> {
    let clients = placed(stage).await?;
    let witness = Witness::begin(stage);
    let (hub, nl) = (stage.fleet.hub()?, stage.fleet.member(NL)?);
    hub.cut_off(nl).await?;
    let moved = moves_without_its_source(stage).await;
    hub.heal(nl).await?;
    moved?;
    knows(stage, "True").await?;
    stage.leaves(NL, "acme/Deployment/here").await?;
    stage.leaves(NL, "acme/Service/here").await?;
    stage.says("tenantworkloads/acme/here", "Compliant", "True", "").await?;
    clients[0].answered_by(DE).await?;
    clients[0].was_always_answered(&[NL, DE])?;
    clients[1].was_always_answered(&[DE])?;
    ensure!(witness.fewest_ready("here", 1)? >= 1, "nobody served: {witness:?}");
    eventually(PATIENCE, "the pods to be gone", || async {
        let left = pods_if_any(stage, NL, "here").await?;
        ensure!(left.is_empty(), "there are {left:?}");
        Ok(Some(()))
    })
    .await?;
    nothing_is_forbidden(stage).await
}

async fn moves_without_its_source(stage: &Stage) -> anyhow::Result<()> {
    knows(stage, "Unknown").await?;
    let revoked = decided("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    stage.apply(&revoked.to_string()).await?;
    stage.wait_on((ACME, "here"), &[DE]).await?;
    let message = stage.says("tenantworkloads/acme/here", "Stalled", "True", "SourceUnfenced").await?;
    ensure!(message.contains(NL), "{message}");
    stage.says("tenantworkloads/acme/here", "Compliant", "False", "ApprovalRevoked").await?;
    // From where we are, the member answers: it still serves, and nobody has touched it.
    ensure!(!uids(stage, NL).await?.is_empty(), "it was removed through a network that is cut");
    Ok(())
}
