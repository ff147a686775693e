//! A campaign: as many moves at a time as its budgets allow, paused and resumed by whoever runs the fleet.

use anyhow::{Context as _, bail, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::wait::eventually,
    props::{decision, deployment, list, tenant, with, workload},
    sight::{look, managed},
    stage::{PATIENCE, Stage},
};
use serde_json::{Value, json};

use crate::set::{DE, NL, two_members};

const COUNT: usize = 6;

async fn patch(stage: &Stage, object: &str, patch: Value) -> anyhow::Result<()> {
    let patch = patch.to_string();
    let args = ["patch", object, "--type=merge", "-p", patch.as_str()];
    stage.fleet.hub()?.kubectl(args).text().await?;
    Ok(())
}

/// The campaign for the revocation, once its status says so.
async fn campaign(stage: &Stage, wanted: Value) -> anyhow::Result<String> {
    eventually(PATIENCE, &format!("a campaign with {wanted}"), || async {
        let all = look(stage.fleet.hub()?, "/apis/domicile.dev/v1alpha1/relocations").await?.unwrap_or_default();
        let [one] = all["items"].as_array().map(Vec::as_slice).unwrap_or_default() else { bail!("there are {all}") };
        let counts = json!({
            "pending": one["status"]["pending"], "moving": one["status"]["moving"], "done": one["status"]["done"],
        });
        if counts == wanted {
            return Ok(Some(one["metadata"]["name"].as_str().unwrap_or_default().to_owned()));
        }
        bail!("it is {one}")
    })
    .await
    .with_context(|| stage.log_tail())
}

async fn begun(stage: &Stage) -> anyhow::Result<usize> {
    Ok(managed(stage.fleet.member(DE)?).await?.len())
}

/// Whether pods can be scheduled in Germany, so that a copy there becomes ready. A taint, since a cluster that has
/// nothing but cordoned nodes takes nothing new at all.
async fn schedulable(stage: &Stage, yes: bool) -> anyhow::Result<()> {
    let node = format!("{DE}-node-1");
    let taint = if yes { "full-" } else { "full=yes:NoSchedule" };
    stage.fleet.member(DE)?.kubectl(["taint", "node", node.as_str(), taint]).text().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_keeps_its_budgets_and_pauses() -> anyhow::Result<()> {
    let stage = two_members(false).await?;
    let two = with(tenant("acme"), json!({"spec": {"migration": {"maxConcurrent": 2}}}));
    let installation = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "Installation", "metadata": {"name": "default"}, "spec": {}});
    let apps = (0..COUNT).map(|n| {
        let name = format!("app-{n}");
        workload("acme", &name, &[deployment(&name, "1")], json!({}))
    });
    stage.apply(&list(&[vec![two, installation], apps.collect()].concat())).await?;
    for n in 0..COUNT {
        stage.wait_on(("acme", &format!("app-{n}")), &[NL]).await?;
    }

    // As long as nothing becomes ready there, two are on their way, and no more.
    schedulable(&stage, false).await?;
    let approved = decision("beta-approved", "HostingProvider/beta", "Approved", &[]);
    let revoked = decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    stage.apply(&list(&[approved, revoked])).await?;
    let name = campaign(&stage, json!({"pending": 4, "moving": 2, "done": 0})).await?;
    stage.comes_to_rest().await?;
    ensure!(begun(&stage).await? == 2, "{} have begun", begun(&stage).await?);
    ensure!(
        managed(stage.fleet.member(NL)?).await?.len() == COUNT,
        "something left before its replacement was ready"
    );
    says_why(&stage, "waits its turn: the tenant's maxConcurrent").await?;

    // Paused: what has begun goes on to its end, and nothing else begins.
    let object = format!("relocations.domicile.dev/{name}");
    patch(&stage, &object, json!({"spec": {"paused": true}})).await?;
    says_why(&stage, &format!("Relocation/{name} is paused")).await?;
    schedulable(&stage, true).await?;
    campaign(&stage, json!({"pending": 4, "moving": 0, "done": 2})).await?;
    stage.comes_to_rest().await?;
    ensure!(begun(&stage).await? == 2, "{} have begun", begun(&stage).await?);

    // One at a time, and the whole installation paused.
    schedulable(&stage, false).await?;
    patch(&stage, &object, json!({"spec": {"paused": false, "maxConcurrent": 1}})).await?;
    campaign(&stage, json!({"pending": 3, "moving": 1, "done": 2})).await?;
    says_why(&stage, "waits its turn: the Relocation's maxConcurrent").await?;
    patch(&stage, "installations.domicile.dev/default", json!({"spec": {"paused": true}})).await?;
    says_why(&stage, "Installation/default is paused").await?;
    schedulable(&stage, true).await?;
    stage.comes_to_rest().await?;
    ensure!(begun(&stage).await? == 3, "{} have begun", begun(&stage).await?);
    ensure!(
        managed(stage.fleet.member(NL)?).await?.len() == 4,
        "the one under way went past its next safe point"
    );

    patch(&stage, "installations.domicile.dev/default", json!({"spec": {"paused": false}})).await?;
    for n in 0..COUNT {
        stage.wait_on(("acme", &format!("app-{n}")), &[DE]).await?;
    }
    campaign(&stage, json!({"pending": 0, "moving": 0, "done": 6})).await?;
    let wait = ["wait", "--for=condition=Ready", object.as_str(), "--timeout=60s"];
    stage.fleet.hub()?.kubectl(wait).text().await?;
    ensure!(managed(stage.fleet.member(NL)?).await?.is_empty(), "something is left behind");
    nothing_is_forbidden(&stage).await
}

/// Some workload's MovePending says what it waits for.
async fn says_why(stage: &Stage, part: &str) -> anyhow::Result<()> {
    eventually(PATIENCE, part, || async {
        let path = "/apis/domicile.dev/v1alpha1/namespaces/acme/tenantworkloads";
        let all = look(stage.fleet.hub()?, path).await?.unwrap_or_default();
        let pending = |w: &Value| domicile_e2e::sight::condition(w, "MovePending");
        let messages: Vec<_> = all["items"].as_array().into_iter().flatten().filter_map(pending).collect();
        if messages.iter().any(|(_, _, message)| message.contains(part)) {
            Ok(Some(()))
        } else {
            bail!("{messages:?}")
        }
    })
    .await
    .with_context(|| stage.log_tail())
}
