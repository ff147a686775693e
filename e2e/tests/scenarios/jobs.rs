//! Jobs run once: whether they stay or go when they have finished, over restarts and moves, until their manifest changes.

use anyhow::{Context as _, bail};
use domicile_e2e::{
    fleet::{process::Signal, wait::eventually},
    props::{config_map, job, with, workload},
    sight::{domicile, look, tenants},
    stage::{PATIENCE, Stage},
};
use serde_json::{Value, json};

use crate::{
    audit::nothing_is_forbidden,
    set::{DE, NL, only, two_members},
};

/// A Job that goes a second after it has finished.
fn brief(name: &str, version: &str) -> Value {
    let version = json!({"metadata": {"labels": {"version": version}}});
    with(with(job(name), json!({"spec": {"ttlSecondsAfterFinished": 1}})), version)
}

/// One workload with Jobs only, and one with more.
async fn ask(stage: &Stage, country: &str, version: &str) -> anyhow::Result<()> {
    let alone = workload("acme", "alone", &[brief("alone", version)], only(country));
    let manifests = [config_map("more", "a"), brief("goes", version), job("stays")];
    let more = workload("acme", "more", &manifests, only(country));
    stage.apply(&domicile_e2e::props::list(&[alone, more])).await?;
    Ok(())
}

/// Waits until so many Jobs of a workload are on record as completed. Answers the record of them.
async fn completed(stage: &Stage, name: &str, count: usize, before: &[Value]) -> anyhow::Result<Vec<Value>> {
    let path = domicile(&format!("assignments/acme/{name}"));
    eventually(PATIENCE, &format!("{count} Jobs of {name} to be recorded"), || async {
        let record = look(stage.fleet.hub()?, &path).await?.unwrap_or_default();
        let jobs = record.pointer("/spec/seats/0/completedJobs").and_then(Value::as_array);
        let new = |jobs: &&Vec<Value>| jobs.iter().filter(|job| !before.contains(job)).count() == count;
        match jobs.filter(new) {
            Some(jobs) => Ok(Some(jobs.clone())),
            None => bail!("the record is {record}"),
        }
    })
    .await
    .with_context(|| stage.log_tail())
}

async fn is_there(stage: &Stage, member: &str, name: &str) -> anyhow::Result<bool> {
    Ok(look(stage.fleet.member(member)?, &tenants(&format!("acme/Job/{name}"))?).await?.is_some())
}

/// How often a Job was applied on a member.
async fn applied(stage: &Stage, member: &str) -> anyhow::Result<u64> {
    let counts = stage.counts().await?;
    Ok(counts[member].filter(|key| key.verb == "APPLY" && key.resource == "jobs").total())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_completed_is_not_run_again() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    ask(&stage, "NL", "1").await?;
    let first =
        [completed(&stage, "alone", 1, &[]).await?, completed(&stage, "more", 2, &[]).await?].concat();
    for gone in ["alone", "goes"] {
        stage.leaves(NL, &format!("acme/Job/{gone}")).await?;
    }
    for name in ["alone", "more"] {
        stage.wait_on(("acme", name), &[NL]).await?;
    }
    stage.comes_to_rest().await?;
    assert!(is_there(&stage, NL, "stays").await?);
    // Each was made once, and those that go were told when to.
    assert_eq!(applied(&stage, NL).await?, 5);

    // By hand, too, and while nobody looks.
    stage.stop_operator(Signal::KILL).await?;
    stage.fleet.member(NL)?.kubectl(["-n", "acme", "delete", "job", "stays"]).text().await?;
    stage.start_operator()?;
    stage.comes_to_rest().await?;
    for name in ["alone", "goes", "stays"] {
        assert!(!is_there(&stage, NL, name).await?, "{name} was made again");
    }
    assert_eq!(applied(&stage, NL).await?, 5);

    ask(&stage, "DE", "1").await?;
    for name in ["alone", "more"] {
        stage.wait_on(("acme", name), &[DE]).await?;
    }
    stage.leaves(NL, "acme/ConfigMap/more").await?;
    stage.comes_to_rest().await?;
    assert_eq!(applied(&stage, DE).await?, 0, "a Job was made where it had moved to");
    let moves = look(stage.fleet.hub()?, "/apis/domicile.dev/v1alpha1/migrations").await?.unwrap_or_default();
    for ended in moves["items"].as_array().into_iter().flatten() {
        assert_eq!(ended["status"]["step"], "Completed", "{ended}");
    }

    ask(&stage, "DE", "2").await?;
    completed(&stage, "alone", 1, &first).await?;
    completed(&stage, "more", 1, &first).await?;
    for gone in ["alone", "goes"] {
        stage.leaves(DE, &format!("acme/Job/{gone}")).await?;
    }
    stage.comes_to_rest().await?;
    assert!(!is_there(&stage, DE, "stays").await?, "that one hasn't changed");
    nothing_is_forbidden(&stage).await
}
