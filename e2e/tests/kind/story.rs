//! The story of the Benelux in short, with pods that answer over the network and data on real volumes.

use anyhow::{Context as _, bail, ensure};
use domicile_crds::MigrationStep;
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::wait::eventually,
    kind::Stage,
    props::{claim, list, with, workload},
    sight::{domicile, look, managed},
    witness::Witness,
    world::PATIENCE,
};
use serde_json::{Value, json};

use crate::{
    client::Client,
    set::{ACME, CH, DE, EDELWEISS, NL, app, decided, node_port, patient, pods, serving, swiss_site},
};

const REPLICAS: usize = 2;
/// Where each answers.
const WEB: u16 = 30080;
const DATA: u16 = 30081;
const SHOP: u16 = 30082;

fn web(stage: &Stage) -> Value {
    let two = with(serving(stage, "web", "1"), json!({"spec": {"replicas": REPLICAS}}));
    let exposed = json!({"expose": [{"service": "web", "port": 80}]});
    workload(ACME, "web", &[two, node_port("web", WEB)], with(patient(), exposed))
}

fn data(stage: &Stage) -> Value {
    let small = with(claim("data"), json!({"spec": {"resources": {"requests": {"storage": "16Mi"}}}}));
    let mut keeping = with(
        serving(stage, "data", "1"),
        json!({"spec": {"strategy": {"type": "Recreate"}, "template": {"spec": {"volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}
        ]}}}}),
    );
    keeping["spec"]["template"]["spec"]["containers"][0]["volumeMounts"] =
        json!([{"name": "data", "mountPath": "/data"}]);
    workload(ACME, "data", &[small, keeping, node_port("data", DATA)], patient())
}

pub(crate) async fn acted_out(stage: &Stage) -> anyhow::Result<()> {
    let witness = Witness::begin(stage);
    // A tenant is served in the Netherlands, and keeps something there; another one isn't in Switzerland yet.
    stage.apply(&list(&[web(stage), data(stage), app(stage, EDELWEISS, "shop", SHOP, json!({}))])).await?;
    for (workload, at) in [((ACME, "web"), NL), ((ACME, "data"), NL), ((EDELWEISS, "shop"), DE)] {
        stage.wait_on(workload, &[at]).await?;
    }
    let (client, keeper) = (Client::of(stage, WEB).await?, Client::of(stage, DATA).await?);
    let follower = Client::following(stage, ACME, "web").await?;
    client.answered_by(NL).await?;
    follower.answered_by(NL).await?;
    keeper.answered_by(NL).await?;
    keeper.put(NL, "/data/note", "kept").await?;

    frozen_and_reinstated(stage).await?;

    // The provider is revoked: what can go goes, and what has data stays, and says so.
    let revoked = decided("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    stage.apply(&revoked.to_string()).await?;
    stage.wait_on((ACME, "web"), &[DE]).await?;
    client.answered_by(DE).await?;
    follower.answered_by(DE).await?;
    for object in ["acme/Deployment/web", "acme/Service/web"] {
        stage.leaves(NL, object).await?;
    }
    stage.says("tenantworkloads/acme/web", "Compliant", "True", "").await?;
    stage.says("tenantworkloads/acme/data", "Stalled", "True", "VolumesNotMovable").await?;
    ensure!(keeper.get(NL, "/data/note").await? == "kept", "the note is gone");
    ensure!(witness.fewest_ready("web", REPLICAS)? >= REPLICAS, "it was served by less: {witness:?}");
    client.was_always_answered(&[NL, DE])?;
    // Whoever goes where the hub's EndpointSlices lead has not one request that isn't answered.
    follower.was_always_answered(&[NL, DE])?;
    keeper.was_always_answered(&[NL])?;

    switzerland(stage).await?;
    client.was_always_answered(&[NL, DE])?;
    nothing_is_forbidden(stage).await
}

/// A ministry bars the tenant as a precaution, and reconsiders: nothing is touched meanwhile.
async fn frozen_and_reinstated(stage: &Stage) -> anyhow::Result<()> {
    let before = (managed(stage.member(NL)?).await?, pods(stage, NL, "web").await?);
    stage.apply(&decided("acme-frozen", "Tenant/acme", "Frozen", &[]).to_string()).await?;
    stage.says("tenantworkloads/acme/web", "Compliant", "False", "").await?;
    let back = decided("acme-reinstated", "Tenant/acme", "Approved", &["acme-frozen"]);
    stage.apply(&back.to_string()).await?;
    stage.says("tenantworkloads/acme/web", "Compliant", "True", "").await?;
    let after = (managed(stage.member(NL)?).await?, pods(stage, NL, "web").await?);
    ensure!(uids(&before.0) == uids(&after.0) && before.1 == after.1, "it was touched: {before:?} {after:?}");
    Ok(())
}

fn uids(objects: &std::collections::BTreeMap<String, Value>) -> Vec<(&str, &Value)> {
    let fields = |(name, object)| {
        let object: &Value = object;
        let name: &String = name;
        [(name.as_str(), &object["metadata"]["uid"]), (name.as_str(), &object["spec"])]
    };
    objects.iter().flat_map(fields).collect()
}

/// A Swiss data centre comes online: who wants to be there is asked, and goes; the other doesn't notice.
async fn switzerland(stage: &Stage) -> anyhow::Result<()> {
    let client = Client::of(stage, SHOP).await?;
    client.answered_by(DE).await?;
    let before = (managed(stage.member(DE)?).await?, pods(stage, DE, "web").await?);
    let approved = decided("gamma-approved", "HostingProvider/gamma", "Approved", &[]);
    stage.apply(&list(&[approved, swiss_site("Online")])).await?;
    stage.says("tenantworkloads/edelweiss/shop", "MovePending", "True", "").await?;
    let (name, digest) = waiting(stage).await?;
    let answer = json!({"spec": {"answer": "Approved", "answerFor": digest}}).to_string();
    let patch = ["-n", EDELWEISS, "patch", "dmig", name.as_str(), "--type=merge", "-p", answer.as_str()];
    stage.hub().kubectl(patch).text().await?;
    stage.wait_on((EDELWEISS, "shop"), &[CH]).await?;
    client.answered_by(CH).await?;
    stage.leaves(DE, "edelweiss/Deployment/shop").await?;
    client.was_always_answered(&[DE, CH])?;
    let mut after = (managed(stage.member(DE)?).await?, pods(stage, DE, "web").await?);
    let mut left = before;
    for objects in [&mut left.0, &mut after.0] {
        objects.retain(|name, _| name.starts_with("acme/"));
    }
    ensure!(uids(&left.0) == uids(&after.0) && left.1 == after.1, "the other tenant noticed");
    let swiss = managed(stage.member(CH)?).await?;
    ensure!(swiss.keys().all(|name| name.starts_with("edelweiss/")), "Switzerland has {:?}", swiss.keys());
    Ok(())
}

/// The plan that waits for its tenant's answer: its name and digest.
async fn waiting(stage: &Stage) -> anyhow::Result<(String, String)> {
    eventually(PATIENCE, "a plan that waits for an answer", || async {
        let all = look(stage.hub(), domicile("migrations/edelweiss/").trim_end_matches('/')).await?;
        let all = all.unwrap_or_default();
        let items = all["items"].as_array().context("no list")?;
        let waits = serde_json::to_value(MigrationStep::Waiting)?;
        let Some(plan) = items.iter().find(|m| m["status"]["step"] == waits && m["spec"]["to"] == CH) else {
            bail!("there are {items:?}")
        };
        let text = |path: &str| plan.pointer(path).and_then(Value::as_str).map(str::to_owned);
        Ok(text("/metadata/name").zip(text("/spec/digest")))
    })
    .await
}
