//! What must never run twice: moved, with the operator killed at every step, it never does.

use anyhow::{Context as _, bail, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::{process::Signal, wait::eventually},
    props::{cron_job, deployment, list, with, workload},
    sight::{domicile, look, tenants},
    stage::{PATIENCE, Stage},
    witness::Witness,
};
use serde_json::{Value, json};

use crate::set::{DE, NL, only, two_members};

/// A CronJob of every second, something that is recreated, and something whose owner forbids two of it.
fn apps(country: &str) -> [Value; 2] {
    let tick = with(cron_job("tick"), json!({"spec": {"schedule": "@every 1s"}}));
    let solo =
        with(deployment("solo", "1"), json!({"spec": {"replicas": 2, "strategy": {"type": "Recreate"}}}));
    let forbid = with(only(country), json!({"overlap": "Forbid"}));
    [
        workload("acme", "exclusive", &[tick, solo], only(country)),
        workload("acme", "forbid", &[deployment("forbid", "1")], forbid),
    ]
}

/// A step of the move, as it can be seen from outside.
async fn reached(stage: &Stage, step: &str) -> anyhow::Result<bool> {
    let (hub, nl, de) = (stage.fleet.hub()?, stage.fleet.member(NL)?, stage.fleet.member(DE)?);
    let solo = tenants("acme/Deployment/solo")?;
    Ok(match step {
        "recorded" => {
            let path = "/apis/domicile.dev/v1alpha1/namespaces/acme/migrations";
            let all = look(hub, path).await?.unwrap_or_default();
            all["items"].as_array().is_some_and(|items| items.len() == 2)
        }
        "on standby" => look(de, &solo).await?.is_some(),
        "stopping" => look(nl, &solo).await?.is_none_or(|found| found["spec"]["replicas"] == 0),
        "switched" => {
            let record = look(hub, &domicile("assignments/acme/exclusive")).await?.unwrap_or_default();
            record["spec"]["seats"][0]["cluster"] == DE
        }
        "running" => look(de, &solo).await?.is_some_and(|found| found["spec"]["replicas"] == 2),
        "removed" => look(nl, &solo).await?.is_none(),
        other => bail!("{other} is no step"),
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_never_run_twice_never_does() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    let witness = Witness::begin(&stage);
    stage.apply(&list(&apps("NL"))).await?;
    for name in ["exclusive", "forbid"] {
        stage.wait_on(("acme", name), &[NL]).await?;
    }
    ran(&stage, &witness, NL).await?;

    stage.apply(&list(&apps("DE"))).await?;
    for step in ["recorded", "on standby", "stopping", "switched", "running", "removed"] {
        eventually(PATIENCE, &format!("the move to be {step}"), || async {
            Ok(reached(&stage, step).await?.then_some(()))
        })
        .await
        .with_context(|| stage.log_tail())?;
        stage.stop_operator(Signal::KILL).await?;
        stage.start_operator()?;
    }
    for name in ["exclusive", "forbid"] {
        stage.wait_on(("acme", name), &[DE]).await?;
    }
    ran(&stage, &witness, DE).await?;
    for object in ["acme/Deployment/solo", "acme/CronJob/tick", "acme/Deployment/forbid"] {
        stage.leaves(NL, object).await?;
    }
    for app in ["solo", "tick", "forbid"] {
        witness.never_on_two(app)?;
    }
    witness.ran_each_time_once("tick")?;
    let left =
        look(stage.fleet.member(NL)?, "/apis/batch/v1/namespaces/acme/jobs").await?.unwrap_or_default();
    ensure!(left["items"] == json!([]), "Jobs of the CronJob are left: {left}");
    nothing_is_forbidden(&stage).await
}

async fn ran(stage: &Stage, witness: &Witness, member: &str) -> anyhow::Result<()> {
    for app in ["solo", "tick", "forbid"] {
        eventually(PATIENCE, &format!("{app} to run on {member}"), || async {
            Ok(witness.saw(app, member).then_some(()))
        })
        .await
        .with_context(|| stage.log_tail())?;
    }
    Ok(())
}
