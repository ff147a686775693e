//! What somebody does on a member or to records takes nothing out of sight: it stops when it must, runs again when it may,
//! and is cleaned up.

use domicile_e2e::{
    audit::nothing_is_forbidden,
    props::{decision, deployment, list, with, workload},
    sight::{look, tenants},
    stage::Stage,
};
use serde_json::{Value, json};

use crate::set::{DE, NL, only, two_members};

const DOMICILE: &str = "tenantworkloads.domicile.dev";

const NAMES: [&str; 6] = ["paused", "unmarked", "relabelled", "unlabelled", "orphaned", "held"];

fn app(manifest: Value) -> Value {
    let name = manifest["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    workload("acme", &name, &[manifest], only("NL"))
}

async fn on(stage: &Stage, cluster: &str, args: &str) -> anyhow::Result<()> {
    let cluster = if cluster == "hub" { stage.fleet.hub()? } else { stage.fleet.member(cluster)? };
    let args = ["-n", "acme"].into_iter().chain(args.split(' '));
    cluster.kubectl(args.collect::<Vec<_>>()).text().await.map(|_| ())
}

async fn pods(stage: &Stage, name: &str, wanted: i64) -> anyhow::Result<Value> {
    let short = format!("acme/Deployment/{name}");
    let has = |found: &Value| found["status"]["replicas"].as_i64().unwrap_or(0) == wanted;
    stage.sees(NL, &short, &format!("{wanted} pods"), has).await
}

/// All run; then their owners and others do what they can.
async fn begin(stage: &Stage) -> anyhow::Result<()> {
    let mut apps: Vec<Value> = NAMES.iter().map(|name| app(deployment(name, "1"))).collect();
    // How much of it runs is for nobody to say but Kubernetes.
    apps[1] = app(with(deployment("unmarked", "1"), json!({"spec": {"replicas": null}})));
    stage.apply(&list(&apps)).await?;
    for name in NAMES {
        pods(stage, name, 1).await?;
        stage.wait_on(("acme", name), &[NL]).await?;
    }
    // Its next version waits, and so does whatever else Kubernetes would do with it.
    let paused = with(deployment("paused", "2"), json!({"spec": {"paused": true}}));
    stage.apply(&app(paused).to_string()).await?;
    stage.sees(NL, "acme/Deployment/paused", "a pause", |found| found["spec"]["paused"] == true).await?;
    // As `--cascade=orphan` does.
    let orphan = json!({"metadata": {"ownerReferences": null}});
    on(stage, "hub", &format!("patch assignments.domicile.dev orphaned --type=merge -p {orphan}")).await?;
    on(stage, "hub", &format!("delete {DOMICILE} orphaned")).await?;
    let hold = json!({"metadata": {"finalizers": ["example.com/hold"]}});
    on(stage, "hub", &format!("patch {DOMICILE} held --type=merge -p {hold}")).await?;
    on(stage, "hub", &format!("delete {DOMICILE} held --wait=false")).await?;
    let message = stage.says("tenantworkloads/acme/held", "Stalled", "True", "BeingDeleted").await?;
    assert!(message.contains("example.com/hold"), "{message}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_gets_out_of_sight() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    begin(&stage).await?;
    stage.apply(&decision("stop", "Tenant/acme", "Suspended", &[]).to_string()).await?;
    for name in NAMES {
        pods(&stage, name, 0).await?;
    }
    stage.says("tenantworkloads/acme/paused", "Ready", "False", "Suspended").await?;
    stage.comes_to_rest().await?;
    on(&stage, NL, "annotate deployment unmarked domicile.dev/halted-").await?;
    on(&stage, NL, "label deployment relabelled domicile.dev/seat=7 --overwrite").await?;
    on(&stage, NL, "label deployment unlabelled domicile.dev/seat-").await?;
    on(&stage, NL, "scale deployment relabelled unlabelled --replicas=1").await?;
    for name in NAMES {
        pods(&stage, name, 0).await?;
    }
    stage.comes_to_rest().await?;

    stage.apply(&decision("go-on", "Tenant/acme", "Approved", &["stop"]).to_string()).await?;
    for name in ["unmarked", "relabelled", "unlabelled"] {
        let found = pods(&stage, name, 1).await?;
        assert_eq!(found["metadata"]["labels"]["domicile.dev/seat"], "0", "{name}");
    }
    stage
        .sees(NL, "acme/Deployment/paused", "a pause as before", |found| found["spec"]["paused"] == true)
        .await?;
    on(&stage, "hub", "delete assignments.domicile.dev orphaned --wait=false").await?;
    on(
        &stage,
        "hub",
        &format!("patch {DOMICILE} held --type=merge -p {}", json!({"metadata": {"finalizers": null}})),
    )
    .await?;
    for name in ["orphaned", "held"] {
        stage.leaves(NL, &format!("acme/Deployment/{name}")).await?;
    }
    strays(&stage).await?;
    stage.comes_to_rest().await?;
    nothing_is_forbidden(&stage).await
}

/// A member has again what it had before a backup.
async fn strays(stage: &Stage) -> anyhow::Result<()> {
    // Its namespace there is the tenant's.
    stage.apply(&workload("acme", "there", &[deployment("there", "1")], only("DE")).to_string()).await?;
    stage.wait_on(("acme", "there"), &[DE]).await?;
    let labels =
        json!({"domicile.dev/workload": "unmarked", "domicile.dev/seat": "0", "domicile.dev/epoch": "1"});
    let stray = with(
        deployment("unmarked", "0"),
        json!({"metadata": {"labels": labels, "finalizers": ["example.com/hold"]}}),
    );
    stage
        .fleet
        .member(DE)?
        .kubectl(["-n", "acme", "apply", "-f", "-"])
        .stdin(stray.to_string())
        .text()
        .await?;
    let message =
        stage.says("tenantworkloads/acme/unmarked", "Compliant", "False", "CountryNotAllowed").await?;
    assert!(message.contains(DE), "{message}");
    let going = |found: &Value| !found["metadata"]["deletionTimestamp"].is_null();
    stage.sees(DE, "acme/Deployment/unmarked", "its removal", going).await?;
    on(
        stage,
        DE,
        &format!("patch deployment unmarked --type=merge -p {}", json!({"metadata": {"finalizers": null}})),
    )
    .await?;
    stage.leaves(DE, "acme/Deployment/unmarked").await?;
    stage.says("tenantworkloads/acme/unmarked", "Compliant", "True", "").await?;
    assert!(look(stage.fleet.member(NL)?, &tenants("acme/Deployment/unmarked")?).await?.is_some());
    Ok(())
}
