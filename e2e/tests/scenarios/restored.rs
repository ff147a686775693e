//! The hub is restored from a backup of before an evacuation, as docs/operate.md says.

use anyhow::{Context as _, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::process::Signal,
    props::{decision, deployment, list, with, workload},
    stage::Stage,
    witness::Witness,
};
use serde_json::{Value, json};

use crate::set::{DE, NL, two_members};

/// What was decided after the backup: `alpha` is revoked and `beta` approved.
fn decided_since() -> String {
    list(&[
        decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]),
        decision("beta-approved", "HostingProvider/beta", "Approved", &[]),
    ])
}

fn apps() -> [Value; 2] {
    let solo = with(deployment("solo", "1"), json!({"spec": {"strategy": {"type": "Recreate"}}}));
    [
        workload("acme", "web", &[deployment("web", "1")], json!({})),
        workload("acme", "solo", &[solo], json!({})),
    ]
}

async fn all_on(stage: &Stage, member: &str) -> anyhow::Result<()> {
    for name in ["web", "solo"] {
        stage.wait_on(("acme", name), &[member]).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_hub_runs_nothing_twice_and_loses_nothing() -> anyhow::Result<()> {
    let stage = two_members(false).await?;
    let hub = stage.fleet.hub()?;
    stage.apply(&list(&apps())).await?;
    all_on(&stage, NL).await?;
    let witness = Witness::begin(&stage);
    stage.stop_operator(Signal::TERM).await?;
    hub.back_up().await?;
    stage.start_operator()?;
    stage.apply(&decided_since()).await?;
    all_on(&stage, DE).await?;
    for object in ["acme/Deployment/web", "acme/Deployment/solo"] {
        stage.leaves(NL, object).await?;
    }

    stage.stop_operator(Signal::TERM).await?;
    hub.restore().await?;
    // Nobody has compared the Decisions yet, and the operator runs all the same.
    stage.start_operator()?;
    let told = stage.says("tenantworkloads/acme/solo", "Stalled", "True", "RecordOlder").await?;
    ensure!(told.contains(DE) && told.contains("epoch"), "{told}");

    stage.apply(&decided_since()).await?;
    all_on(&stage, DE).await.with_context(|| stage.log_tail())?;
    for object in ["acme/Deployment/web", "acme/Deployment/solo"] {
        stage.leaves(NL, object).await?;
    }
    witness.never_on_two("solo")?;
    ensure!(witness.fewest_ready("web", 1)? == 1, "web wasn't served for a while");
    nothing_is_forbidden(&stage).await
}
