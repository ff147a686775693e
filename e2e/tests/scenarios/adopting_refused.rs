//! What is not handed over: another workload's, what Domicile has had before, what was half handed over and isn't what it was.

use anyhow::{Context as _, ensure};
use domicile_e2e::{
    fleet::{Cluster, process::Signal},
    plugin::Ran,
    props::{config_map, deployment, list, workload},
    sight::{look, tenants},
};
use serde_json::{Value, json};

use crate::{
    adopting::{adopt_as, set},
    set::NL,
};

async fn make(member: &Cluster, objects: &[Value]) -> anyhow::Result<()> {
    member.kubectl(["-n", "acme", "apply", "-f", "-"]).stdin(list(objects)).text().await?;
    Ok(())
}

async fn there(member: &Cluster, short: &str) -> anyhow::Result<Value> {
    look(member, &tenants(short)?).await?.with_context(|| format!("{short} is gone"))
}

fn adopted(ran: &Ran) -> anyhow::Result<()> {
    ensure!(ran.code == Some(0), "{ran:?}");
    Ok(())
}

fn refused(ran: &Ran, why: &str) -> anyhow::Result<()> {
    ensure!(ran.code == Some(1) && ran.err.contains(why), "wanted a refusal with \"{why}\", found {ran:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_is_neither_taken_nor_removed() -> anyhow::Result<()> {
    let stage = set().await?;
    let (hub, nl) = (stage.fleet.hub()?, stage.fleet.member(NL)?);
    nl.kubectl(["create", "namespace", "acme"]).text().await?;
    make(nl, &[deployment("legacy", "1"), deployment("both", "1"), config_map("other", "a")]).await?;

    // Handed over, never put on record, and given back by hand as the messages say.
    stage.stop_operator(Signal::KILL).await?;
    adopted(&adopt_as(&stage, "temp", NL, &["Deployment/legacy", "ConfigMap/other", "--yes"])?)?;
    hub.kubectl(["-n", "acme", "delete", "tw", "temp"]).text().await?;
    let fewer = adopt_as(&stage, "temp", NL, &["ConfigMap/other", "--dry-run"])?;
    refused(&fewer, "Deployment/legacy has the label domicile.dev/workload=temp of an earlier try")?;
    nl.kubectl(["-n", "acme", "label", "deployment/legacy", "configmap/other", "domicile.dev/workload-"])
        .text()
        .await?;
    let before = there(nl, "acme/Deployment/legacy").await?;
    stage.start_operator()?;

    // A tenant without any right there names the same object.
    stage.apply(&workload("acme", "spy", &[deployment("legacy", "2")], json!({})).to_string()).await?;
    stage.says("tenantworkloads/acme/spy", "Stalled", "True", "NameTaken").await?;
    hub.kubectl(["-n", "acme", "delete", "tw", "spy", "--wait"]).text().await?;
    let after = there(nl, "acme/Deployment/legacy").await?;
    ensure!(
        before["spec"] == after["spec"] && before["metadata"]["uid"] == after["metadata"]["uid"],
        "{before} became {after}"
    );

    adopted(&adopt_as(&stage, "first", NL, &["Deployment/both", "--yes"])?)?;
    stage.wait_on(("acme", "first"), &[NL]).await?;
    let second = adopt_as(&stage, "second", NL, &["Deployment/both", "--yes"])?;
    refused(&second, "Deployment/both can't be adopted: it is TenantWorkload/first's")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_domicile_has_had_is_not_adopted_and_what_was_interrupted_goes_on() -> anyhow::Result<()> {
    let stage = set().await?;
    let (hub, nl) = (stage.fleet.hub()?, stage.fleet.member(NL)?);
    stage.apply(&workload("acme", "had", &[deployment("had", "1")], json!({})).to_string()).await?;
    stage.wait_on(("acme", "had"), &[NL]).await?;
    // The hub is restored from before it was made.
    stage.stop_operator(Signal::KILL).await?;
    hub.kubectl(["-n", "acme", "delete", "tw", "had", "--cascade=orphan"]).text().await?;
    let released = ["-n", "acme", "patch", "assignments.domicile.dev", "had", "--type=merge", "-p"];
    hub.kubectl(released).args([r#"{"metadata":{"finalizers":null}}"#]).text().await?;
    hub.kubectl(["-n", "acme", "delete", "assignments.domicile.dev", "had", "--ignore-not-found"])
        .text()
        .await?;
    let again = adopt_as(&stage, "had", NL, &["Deployment/had", "--dry-run"])?;
    refused(&again, "Deployment/had was placed here by Domicile")?;

    // The command ends after the first object: that is all it has done by then.
    make(nl, &[deployment("app", "1"), config_map("app", "a")]).await?;
    let objects = ["Deployment/app", "ConfigMap/app"];
    let dry = adopt_as(&stage, "app", NL, &[&objects[..], &["--dry-run"]].concat())?;
    hub.kubectl(["apply", "--server-side", "-f", "-"]).stdin(dry.out).text().await?;
    let labels = [
        "domicile.dev/tenant=acme",
        "domicile.dev/workload=app",
        "domicile.dev/seat=0",
        "domicile.dev/epoch=0",
    ];
    nl.kubectl(["-n", "acme", "label", "configmap/app"]).args(labels).text().await?;
    stage.start_operator()?;
    stage.says("tenantworkloads/acme/app", "Placed", "False", "Adopting").await?;
    // What was handed over is as the TenantWorkload says, whatever is done to it since; the rest must be as it was.
    let other = json!({"data": {"key": "changed since"}}).to_string();
    nl.kubectl(["-n", "acme", "patch", "configmap/app", "--type=merge", "-p", &other]).text().await?;
    adopted(&adopt_as(&stage, "app", NL, &[&objects[..], &["--yes"]].concat())?)?;
    stage.wait_on(("acme", "app"), &[NL]).await?;
    Ok(())
}
