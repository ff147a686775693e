//! A site comes online that tenants prefer: each is moved, asked, or left alone as its own policy says, and whoever may
//! not go there doesn't notice.

use anyhow::{Context as _, bail, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::{ClusterOptions, wait::eventually},
    plugin,
    props::{config_map, deployment, list, place, tenant, with, workload},
    sight::{domicile, look},
    stage::{PATIENCE, Stage},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::set::{NL, namespace};

const CH: &str = "ch-zrh-1";
const TENANTS: [&str; 6] = ["auto", "asks", "denies", "hand", "later", "european"];

/// A tenant that may go to Switzerland and would rather be there.
fn drawn(name: &str, migration: &Value) -> Value {
    let spec = json!({
        "residency": {"allowed": [{"countrySet": "eu"}, {"country": "CH"}]},
        "preferences": [{"site": "ch-zrh"}], "migration": migration,
    });
    with(tenant(name), json!({"spec": spec}))
}

/// A window that opened an hour ago for a minute, so that the next opens tomorrow.
fn missed_window() -> Value {
    let start = Timestamp::now() - SignedDuration::from_hours(1);
    json!({"mode": "Automatic", "windows": [{"start": start.strftime("%H:%M").to_string(), "minutes": 1}]})
}

fn app(tenant: &str) -> Value {
    workload(tenant, "web", &[config_map("web", "a"), deployment("web", "1")], json!({}))
}

async fn set() -> anyhow::Result<Stage> {
    let members = [(NL, Stage::member_options(NL)), (CH, Stage::member_options(CH))];
    let stage = Stage::set_with(ClusterOptions::hub(), &members).await?;
    let mut facts = place("alpha", "nl-ams", "NL");
    facts.extend(place("gamma", "ch-zrh", "CH"));
    for fact in &mut facts {
        if fact["metadata"]["name"] == "ch-zrh" {
            fact["spec"]["state"] = json!("Planned");
        }
    }
    facts.extend([
        drawn("auto", &json!({"mode": "Automatic"})),
        drawn("asks", &json!({"mode": "Approval"})),
        drawn("denies", &json!({"mode": "Approval"})),
        drawn("hand", &json!({"mode": "Manual"})),
        drawn("later", &missed_window()),
        with(tenant("european"), json!({"spec": {"preferences": [{"site": "ch-zrh"}]}})),
    ]);
    stage.apply(&list(&facts)).await?;
    stage.join(NL, "nl-ams", &TENANTS).await?;
    stage.join(CH, "ch-zrh", &TENANTS).await?;
    stage.start_operator()?;
    for name in TENANTS {
        namespace(&stage, name).await?;
    }
    stage.apply(&list(&TENANTS.map(app))).await?;
    for name in TENANTS {
        stage.wait_on((name, "web"), &[NL]).await?;
    }
    Ok(stage)
}

/// The versions of what the hub knows of a workload.
async fn versions(stage: &Stage, tenant: &str) -> anyhow::Result<Vec<Value>> {
    let mut versions = Vec::new();
    for kind in ["tenantworkloads", "assignments"] {
        let object = look(stage.fleet.hub()?, &domicile(&format!("{kind}/{tenant}/web"))).await?;
        versions.push(
            object.with_context(|| format!("{tenant} has no {kind}"))?["metadata"]["resourceVersion"].clone(),
        );
    }
    Ok(versions)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_comes_online_and_each_tenant_decides_for_itself() -> anyhow::Result<()> {
    let stage = set().await?;
    stage.comes_to_rest().await?;
    let (european, hand) = (versions(&stage, "european").await?, versions(&stage, "hand").await?);

    // Online from an instant on that is still to come: nothing is written when it does but what follows from it.
    let from = Timestamp::now() + SignedDuration::from_secs(15);
    let from = json!({"spec": {"onlineFrom": from.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}});
    let online = domicile_e2e::props::site("ch-zrh", "gamma", "CH");
    stage.apply(&with(online, from.clone()).to_string()).await?;
    stage.wait_on(("auto", "web"), &[CH]).await?;
    let instant: Timestamp = from["spec"]["onlineFrom"].as_str().context("no instant")?.parse()?;
    ensure!(Timestamp::now() >= instant, "it moved before the site was online");
    stage.leaves(NL, "auto/Deployment/web").await?;

    let later = stage.says("tenantworkloads/later/web", "MovePending", "True", "PreferredPlace").await?;
    ensure!(later.contains("waits for the window that opens at"), "{later}");
    answers(&stage, "asks", "approve").await?;
    answers(&stage, "denies", "deny").await?;
    stage.wait_on(("asks", "web"), &[CH]).await?;
    stage.leaves(NL, "asks/Deployment/web").await?;
    let denied = ("MovePending", "True", "PreferredPlace");
    stage.wait_until_said("tenantworkloads/denies/web", denied, "the tenant has denied it").await?;
    finished(&stage, "asks").await?;

    stage.comes_to_rest().await?;
    for name in ["denies", "hand", "later", "european"] {
        stage.wait_on((name, "web"), &[NL]).await?;
        stage.says(&format!("tenantworkloads/{name}/web"), "Ready", "True", "").await?;
    }
    ensure!(versions(&stage, "european").await? == european, "who may not go there noticed");
    ensure!(versions(&stage, "hand").await? == hand, "who moves by hand noticed");
    nothing_is_forbidden(&stage).await
}

/// The tenant does what its own object says it should type.
async fn answers(stage: &Stage, tenant: &str, answer: &str) -> anyhow::Result<()> {
    let asked = ("MovePending", "True", "PreferredPlace");
    let message = stage
        .wait_until_said(&format!("tenantworkloads/{tenant}/web"), asked, "kubectl domicile answer")
        .await?;
    ensure!(message.contains("to ch-zrh-1 (CH, gamma) because Site/ch-zrh is preferred"), "{message}");
    let (_, command) = message.split_once(": kubectl domicile ").context("no command in the message")?;
    let mut args: Vec<&str> = command.split_whitespace().collect();
    *args.last_mut().context("an empty command")? = answer;
    plugin::domicile(Some(&stage.fleet.hub()?.kubeconfig_path()), &args, "")?.done()?;
    Ok(())
}

/// `kubectl wait` on a Migration, as a tenant would.
async fn finished(stage: &Stage, tenant: &str) -> anyhow::Result<()> {
    let args =
        ["-n", tenant, "wait", "--for=condition=Ready", "migrations.domicile.dev", "--all", "--timeout=60s"];
    stage.fleet.hub()?.kubectl(args).text().await?;
    eventually(PATIENCE, "MovePending to end", || async {
        let found = look(stage.fleet.hub()?, &domicile(&format!("tenantworkloads/{tenant}/web"))).await?;
        let found = found.context("it is gone")?;
        match domicile_e2e::sight::condition(&found, "MovePending") {
            None => Ok(Some(())),
            Some(said) => bail!("it says {said:?}"),
        }
    })
    .await
}
