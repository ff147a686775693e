//! Decisions as people make them, with the plugin: what they bring about, who may lift them, and whether one person is enough.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use domicile_crds::yaml;
use domicile_e2e::{
    plugin::{self, Ran},
    props::{config_map, deployment, workload},
    sight::{domicile, look},
    stage::Stage,
};
use serde_json::{Value, json};

use crate::{
    set::{DE, only, two_members},
    unreadable::events_have,
};

/// A kubeconfig of the hub by which somebody else is known.
fn as_somebody(stage: &Stage, user: &str) -> anyhow::Result<PathBuf> {
    let text = std::fs::read_to_string(stage.fleet.hub()?.kubeconfig_path())?;
    let mut config: Value = yaml::from_str(&text)?;
    let identity = config.pointer_mut("/users/0/user").and_then(Value::as_object_mut).context("no user")?;
    identity.insert("as".to_owned(), json!(user));
    identity.insert("as-groups".to_owned(), json!(["system:masters"]));
    let path = stage.fleet.dir().join(format!("{user}.yaml"));
    std::fs::write(&path, config.to_string())?;
    Ok(path)
}

fn ran(who: &Path, command: &str) -> anyhow::Result<Ran> {
    let args: Vec<&str> = command.split_whitespace().collect();
    plugin::domicile(Some(who), &args, "")
}

fn done(who: &Path, command: &str) -> anyhow::Result<String> {
    ran(who, command)?.done().with_context(|| command.to_owned())
}

fn refused(who: &Path, command: &str, part: &str) -> anyhow::Result<()> {
    let ran = ran(who, command)?;
    ensure!(ran.code == Some(1) && ran.err.contains(part), "{command}: {part:?} is missing in {ran:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_decide_happens_and_is_lifted_by_whoever_may() -> anyhow::Result<()> {
    let stage = two_members(false).await?;
    let (anna, bert) = (as_somebody(&stage, "anna")?, as_somebody(&stage, "bert")?);
    let web = workload("acme", "web", &[config_map("web", "a"), deployment("web", "1")], only("DE"));
    stage.apply(&web.to_string()).await?;
    stage.says("tenantworkloads/acme/web", "Placed", "False", "NotApproved").await?;

    // Approved, with a reminder in a week, of which there is an event today.
    let day = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(7 * 24))?.to_string();
    let approve = format!("approve beta --authority compliance --reason audited --review-on {day}");
    let told = ran(&anna, &approve)?;
    ensure!(told.code == Some(0) && told.err.contains("placed on de-fra-1: 1"), "{told:?}");
    stage.wait_on(("acme", "web"), &[DE]).await?;
    events_have(&stage, "reason=ReviewDueSoon").await?;

    // Suspended by one authority: who isn't there to type the name must say that it is meant, and another may not lift it.
    let suspend = "suspend beta --authority ministry --reason inquiry --name inquiry";
    refused(&anna, suspend, "workloads would move or stop: say --yes")?;
    done(&anna, &format!("{suspend} --yes"))?;
    stage.says("tenantworkloads/acme/web", "Compliant", "False", "ApprovalSuspended").await?;
    stage.sees(DE, "acme/Deployment/web", "nothing that runs", |it| it["spec"]["replicas"] == 0).await?;
    let lift = "reinstate beta --reason cleared --authority";
    refused(&anna, &format!("{lift} compliance"), "can't lift anything about HostingProvider/beta")?;
    done(&anna, &format!("{lift} ministry"))?;
    stage.wait_on(("acme", "web"), &[DE]).await?;
    refused(&anna, &format!("{lift} ministry"), "there is nothing to reinstate")?;

    // With two persons: a freeze by one of them counts at once, and what lifts it only with the other's.
    let two = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Installation", "metadata": {"name": "default"},
        "spec": {"twoPersonRule": true},
    });
    done(&bert, "approve beta --authority compliance --reason second")?;
    stage.apply(&two.to_string()).await?;
    // Also of what one alone has lifted before.
    stage.says("tenantworkloads/acme/web", "Compliant", "False", "ApprovalSuspended").await?;
    done(&bert, &format!("{lift} ministry"))?;
    stage.wait_on(("acme", "web"), &[DE]).await?;
    stage.says("tenantworkloads/acme/web", "Compliant", "True", "").await?;
    done(&anna, "freeze workload/acme/web --authority ministry --reason evidence --yes")?;
    stage.says("tenantworkloads/acme/web", "Compliant", "False", "ApprovalFrozen").await?;
    let first = done(&anna, "reinstate workload/acme/web --authority ministry --reason copied --name first")?;
    ensure!(first.contains("second user"), "{first}");
    stage.says("decisions/first", "InForce", "False", "ByOneAlone").await?;
    stage.says("tenantworkloads/acme/web", "Compliant", "False", "ApprovalFrozen").await?;
    let second = done(&bert, "reinstate workload/acme/web --authority ministry --reason copied")?;
    ensure!(!second.contains("second user"), "{second}");
    stage.says("tenantworkloads/acme/web", "Compliant", "True", "").await?;

    // Who decided what stays to be seen.
    let of = |name: &str| domicile(&format!("decisions/{name}"));
    let first = look(stage.fleet.hub()?, &of("first")).await?.unwrap_or_default();
    assert_eq!(first["spec"]["decidedBy"], "anna");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lifted_for_one_tenant_is_approved_for_no_other() -> anyhow::Result<()> {
    let stage = two_members(false).await?;
    let anna = as_somebody(&stage, "anna")?;
    let web = workload("acme", "web", &[config_map("web", "a"), deployment("web", "1")], only("DE"));
    stage.apply(&web.to_string()).await?;

    // A slip would be there for good.
    let approve = "approve beta --authority compliance --reason audited --tenant";
    refused(&anna, &format!("{approve} amce"), "there is no Tenant amce; there are ")?;
    let printed = ran(&anna, &format!("{approve} amce --print"))?;
    ensure!(printed.code == Some(0) && printed.err.contains("note: there is no Tenant amce"), "{printed:?}");
    let told = done(&anna, &format!("{approve} acme"))?;
    ensure!(told.contains("Approved for tenant acme, on the ground Contract"), "{told}");
    stage.wait_on(("acme", "web"), &[DE]).await?;

    done(&anna, "freeze beta --authority ministry --reason inquiry --tenant acme --name inquiry")?;
    stage.says("tenantworkloads/acme/web", "Compliant", "False", "ApprovalFrozen").await?;
    let lifted = ran(&anna, "reinstate beta --authority ministry --reason cleared --name cleared")?;
    let wanted = "HostingProvider/beta Approved for tenant acme in place of inquiry";
    ensure!(lifted.code == Some(0) && lifted.out.contains(wanted), "{lifted:?}");
    ensure!(!lifted.err.contains("this approves"), "no more than was approved: {lifted:?}");
    stage.says("tenantworkloads/acme/web", "Compliant", "True", "").await?;
    stage.says("decisions/inquiry", "InForce", "False", "Superseded").await?;
    let cleared = look(stage.fleet.hub()?, &domicile("decisions/cleared")).await?.unwrap_or_default();
    assert_eq!(cleared["spec"]["scope"], json!({"tenants": ["acme"]}));

    // What begins in a week is asked about today.
    let week = jiff::Timestamp::now().checked_add(jiff::SignedDuration::from_hours(7 * 24))?.to_string();
    let revoke =
        ran(&anna, &format!("revoke beta --authority compliance --reason sold --valid-from {week}"))?;
    ensure!(revoke.code == Some(1) && revoke.err.contains(", when it begins, if\n"), "{revoke:?}");
    ensure!(revoke.err.contains("workloads would move or stop: say --yes"), "{revoke:?}");
    Ok(())
}
