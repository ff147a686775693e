//! A suspension stops what runs, whatever its owner writes, and takes no data along; lifted, all runs as before.

use domicile_e2e::{
    props::{cron_job, decision, deployment, stateful_set, workload},
    sight::{look, tenants},
    stage::Stage,
};
use serde_json::{Value, json};

use crate::set::{NL, only, two_members};

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
    // The owner writes what can't be run, and is suspended: what runs stops all the same.
    let sly = json!({"spec": {"template": {"spec": {"hostNetwork": true}}}});
    stage.apply(&app(&[domicile_e2e::props::with(deployment("other", "1"), sly)])).await?;
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
    Ok(())
}
