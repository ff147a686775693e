//! A suspension stops what runs, whatever its owner writes, and takes no data along; lifted, all runs as before.

use anyhow::bail;
use domicile_e2e::{
    fleet::wait::eventually,
    props::{cron_job, decision, deployment, stateful_set, with, workload},
    sight::{look, tenants},
    stage::{PATIENCE, Stage},
};
use serde_json::{Value, json};

use crate::set::{NL, admit_again, apply_unadmitted, only, two_members};

const HALTED: &str = "/metadata/annotations/domicile.dev~1halted";
const POLICY: &str = "/spec/persistentVolumeClaimRetentionPolicy";

fn number(found: &Value, path: &str) -> Option<i64> {
    found.pointer(path).and_then(Value::as_i64)
}

async fn claim_uid(stage: &Stage) -> anyhow::Result<Option<Value>> {
    let claim = look(stage.fleet.member(NL)?, &tenants("acme/PersistentVolumeClaim/data-db-0")?).await?;
    let living = claim.filter(|claim| claim.pointer("/metadata/deletionTimestamp").is_none());
    Ok(living.and_then(|claim| claim.pointer("/metadata/uid").cloned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_suspended_stops_and_keeps_its_data() -> anyhow::Result<()> {
    let stage = two_members(false).await?;
    let app = |manifests: &[Value]| workload("acme", "app", manifests, only("NL")).to_string();
    let manifests = [stateful_set("db"), deployment("web", "1"), cron_job("tick")];
    stage.apply(&app(&manifests)).await?;
    stage
        .sees(NL, "acme/StatefulSet/db", "its pod", |found| number(found, "/status/replicas") == Some(1))
        .await?;
    stage.sees(NL, "acme/PersistentVolumeClaim/data-db-0", "a uid", |_| true).await?;
    let before = claim_uid(&stage).await?;
    assert!(before.is_some());

    // As it was before that was refused, or as somebody has it on the member.
    let policy = json!({"spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Delete", "whenScaled": "Delete"}}});
    let policy = policy.to_string();
    let patch = ["-n", "acme", "patch", "statefulset", "db", "--type=merge", "-p", policy.as_str()];
    stage.fleet.member(NL)?.kubectl(patch).text().await?;
    // The owner has written what can't be run, before the hub refused that, and is suspended: what runs stops all the same.
    let sly = json!({"spec": {"template": {"spec": {"hostNetwork": true}}}});
    let sly = workload("acme", "app", &[with(deployment("other", "1"), sly)], only("NL"));
    apply_unadmitted(&stage, &sly).await?;
    admit_again(&stage).await?;
    stage.says("tenantworkloads/acme/app", "Placed", "False", "ManifestRejected").await?;
    stage.apply(&decision("stop", "Tenant/acme", "Suspended", &[]).to_string()).await?;
    for object in ["acme/StatefulSet/db", "acme/Deployment/web"] {
        stage
            .sees(NL, object, "nothing that runs", |found| number(found, "/spec/replicas") == Some(0))
            .await?;
        stage
            .sees(NL, object, "no pods", |found| number(found, "/status/replicas").unwrap_or(0) == 0)
            .await?;
    }
    let suspended = |found: &Value| found.pointer("/spec/suspend") == Some(&json!(true));
    stage.sees(NL, "acme/CronJob/tick", "no more Jobs", suspended).await?;
    let keeps = |found: &Value| {
        found.pointer(POLICY) == Some(&json!({"whenDeleted": "Retain", "whenScaled": "Retain"}))
    };
    stage.sees(NL, "acme/StatefulSet/db", "claims that stay", keeps).await?;
    stage.comes_to_rest().await?;
    assert!(look(stage.fleet.member(NL)?, &tenants("acme/Deployment/other")?).await?.is_none());
    assert_eq!(claim_uid(&stage).await?, before, "the data is another");

    stage.apply(&app(&manifests)).await?;
    stage.apply(&decision("go-on", "Tenant/acme", "Approved", &["stop"]).to_string()).await?;
    for object in ["acme/StatefulSet/db", "acme/Deployment/web"] {
        stage
            .sees(NL, object, "one replica again", |found| number(found, "/spec/replicas") == Some(1))
            .await?;
        stage.sees(NL, object, "no mark", |found| found.pointer(HALTED).is_none()).await?;
    }
    stage.sees(NL, "acme/CronJob/tick", "Jobs again", |found| !suspended(found)).await?;
    stage.comes_to_rest().await?;
    assert_eq!(claim_uid(&stage).await?, before, "the data is another");
    what_a_cron_job_has_begun(&stage).await
}

/// A CronJob of every second. Its Jobs have labels of their own, and run until a node is called `late`.
fn often() -> Value {
    let late = json!({"template": {"spec": {"nodeSelector": {"late": "true"}}}});
    let jobs = json!({"metadata": {"labels": {"own": "true"}}, "spec": late});
    let spec = json!({"schedule": "@every 1s", "successfulJobsHistoryLimit": 100, "jobTemplate": jobs});
    with(cron_job("often"), json!({"spec": spec}))
}

/// What of a list of `acme` on the member belongs to the workload `often`.
async fn list(stage: &Stage, plural: &str) -> anyhow::Result<Vec<Value>> {
    let path = format!("{plural}?labelSelector=domicile.dev/workload%3Doften");
    let found = look(stage.fleet.member(NL)?, &path).await?.unwrap_or_default();
    Ok(found["items"].as_array().cloned().unwrap_or_default())
}

/// Waits until there are Jobs and all of them are so. Answers their names.
async fn jobs(stage: &Stage, what: &str, fits: impl Fn(&Value) -> bool) -> anyhow::Result<Vec<String>> {
    eventually(PATIENCE, &format!("Jobs that {what}"), || async {
        let jobs = list(stage, "/apis/batch/v1/namespaces/acme/jobs").await?;
        if jobs.len() < 2 || !jobs.iter().all(&fits) {
            bail!("they are {jobs:?}");
        }
        Ok(Some(
            jobs.iter().map(|job| job["metadata"]["name"].as_str().unwrap_or_default().to_owned()).collect(),
        ))
    })
    .await
}

/// Nobody reads that all is well of what was stopped already.
async fn it_was_said_before_it_stopped(stage: &Stage) -> anyhow::Result<()> {
    stage.says("tenantworkloads/acme/often", "Compliant", "False", "ApprovalSuspended").await?;
    let workload = stage.workload("acme", "often").await?;
    let conditions = workload.status.unwrap_or_default().conditions;
    let said = conditions.iter().find(|c| c.type_ == "Compliant").map(|c| c.last_transition_time.0);
    let job = look(stage.fleet.member(NL)?, &tenants("acme/CronJob/often")?).await?.unwrap_or_default();
    let managers = job["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let stopped =
        managers.iter().find(|entry| entry["manager"] == "domicile-halt").map(|entry| entry["time"].clone());
    let stopped: jiff::Timestamp = serde_json::from_value(stopped.unwrap_or_default())?;
    // Both are whole seconds.
    assert!(said.is_some_and(|said| said <= stopped), "said at {said:?}, stopped at {stopped}");
    Ok(())
}

/// Jobs that a CronJob has begun stop with it, and go on where it does.
async fn what_a_cron_job_has_begun(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(&workload("acme", "often", &[often()], only("NL")).to_string()).await?;
    let active = |job: &Value| number(job, "/status/active");
    jobs(stage, "run", |job| active(job) == Some(1)).await?;
    stage.says("tenantworkloads/acme/often", "Compliant", "True", "Lawful").await?;
    stage.apply(&decision("stop-often", "TenantWorkload/acme/often", "Suspended", &[]).to_string()).await?;
    let suspended = |job: &Value| job.pointer("/spec/suspend") == Some(&json!(true));
    stage.sees(NL, "acme/CronJob/often", "no more Jobs", suspended).await?;
    it_was_said_before_it_stopped(stage).await?;
    jobs(stage, "are suspended", |job| suspended(job) && active(job).unwrap_or(0) == 0).await?;
    stage.comes_to_rest().await?;
    let stopped = jobs(stage, "are suspended", |job| suspended(job) && job.pointer(HALTED).is_some()).await?;
    assert_eq!(list(stage, "/api/v1/namespaces/acme/pods").await?, Vec::<Value>::new());

    let lifted = decision("often-goes-on", "TenantWorkload/acme/often", "Approved", &["stop-often"]);
    stage.apply(&lifted.to_string()).await?;
    let node = format!("{NL}-node-1");
    stage.fleet.member(NL)?.kubectl(["label", "node", node.as_str(), "late=true"]).text().await?;
    for job in stopped {
        let done = |job: &Value| number(job, "/status/succeeded") == Some(1) && job.pointer(HALTED).is_none();
        stage.sees(NL, &format!("acme/Job/{job}"), "what it was made for", done).await?;
    }
    Ok(())
}
