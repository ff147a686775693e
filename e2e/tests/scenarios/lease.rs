//! Two operators: only who holds the lease writes.

use std::time::Duration;

use anyhow::bail;
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::{
        ports::Port,
        process::{Process, Signal, Spec},
        wait::eventually,
    },
    props::{config_map, decision, deployment, list, workload},
    sight::look,
    stage::{LEASE_SECONDS, OPERATOR_NAMESPACE, PATIENCE, Stage, binary},
};
use serde_json::{Value, json};

use crate::set::{DE, NL, two_members};

async fn holder(stage: &Stage) -> anyhow::Result<String> {
    let path =
        format!("/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases/domicile-operator");
    let lease = look(stage.fleet.hub()?, &path).await?.unwrap_or_default();
    Ok(lease.pointer("/spec/holderIdentity").and_then(Value::as_str).unwrap_or_default().to_owned())
}

/// Another holder acts within the lease's time and five seconds.
pub(crate) async fn takes_over(stage: &Stage, identity: &str) -> anyhow::Result<()> {
    let within = Duration::from_secs(LEASE_SECONDS + 5);
    eventually(within, &format!("{identity} to hold the lease"), || async {
        let found = holder(stage).await?;
        if found == identity { Ok(Some(())) } else { bail!("{found} holds it") }
    })
    .await
}

fn web(version: &str) -> Value {
    workload("acme", "web", &[config_map("web", version), deployment("web", version)], json!({}))
}

/// Where a lease can't be, the operator says so and doesn't only wait.
async fn misses_its_namespace(stage: &Stage) -> anyhow::Result<()> {
    let (port, log) = (Port::reserve()?, stage.fleet.dir().join("lost.log"));
    let hub = stage.fleet.hub()?.kubeconfig_path().display().to_string();
    let spec = Spec {
        name: "lost".to_owned(),
        program: binary("domicile-operator")?,
        args: vec![format!("--listen=127.0.0.1:{}", port.number()), "--namespace=nowhere".to_owned()],
        env: vec![("KUBECONFIG".to_owned(), hub)],
        log: log.clone(),
    };
    let lost = Process::start(&spec)?;
    eventually(PATIENCE, "it to say which namespace is missing", || async {
        let said = std::fs::read_to_string(&log)?;
        Ok(said.contains("namespaces \"nowhere\" not found").then_some(()))
    })
    .await?;
    lost.stop(Duration::from_secs(10)).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_holder_of_the_lease_writes() -> anyhow::Result<()> {
    let stage = two_members(false).await?;
    misses_its_namespace(&stage).await?;
    let first = holder(&stage).await?;
    let second = stage.start_operator()?;
    let third = stage.start_operator()?;
    stage.apply(&web("1").to_string()).await?;
    stage.wait_on(("acme", "web"), &[NL]).await?;
    let written = stage.comes_to_rest().await?;
    let applied = written[NL].filter(|key| key.verb == "APPLY" && key.resource == "deployments").total();
    assert_eq!((applied, holder(&stage).await?), (1, first.clone()));

    // The first dies: another goes on where it was.
    stage.signal_operator(&first, Signal::KILL)?;
    eventually(Duration::from_secs(LEASE_SECONDS + 5), "another holder", || async {
        Ok((holder(&stage).await? != first).then_some(()))
    })
    .await?;
    let leader = holder(&stage).await?;
    let other = if leader == second { third } else { second };
    stage.apply(&web("2").to_string()).await?;
    let image = |found: &Value| found.pointer("/spec/template/spec/containers/0/image").cloned();
    let new = Some(json!("example.invalid/web:2"));
    stage.sees(NL, "acme/Deployment/web", "the new image", |found| image(found) == new).await?;

    // The leader stands still, and the other moves everything. Then the leader wakes, with the old world in mind.
    stage.signal_operator(&leader, Signal::STOP)?;
    takes_over(&stage, &other).await?;
    let approved = decision("beta-approved", "HostingProvider/beta", "Approved", &[]);
    let revoked = decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    stage.apply(&list(&[approved, revoked])).await?;
    stage.wait_on(("acme", "web"), &[DE]).await?;
    stage.leaves(NL, "acme/Deployment/web").await?;
    let rest = stage.comes_to_rest().await?;
    stage.signal_operator(&leader, Signal::CONT)?;
    stage.operator_ends(&leader).await?;
    stage.stays_still(&rest).await?;
    assert_eq!(holder(&stage).await?, other);
    nothing_is_forbidden(&stage).await
}
