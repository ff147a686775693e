//! What guards a tenant's namespace on a member follows its tenant, and is put right when it was damaged.

use anyhow::{Context as _, bail, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::{process::Signal, wait::eventually},
    plugin,
    props::{decision, deployment, tenant, with, workload},
    sight::{domicile, look, tenants},
    stage::{PATIENCE, Stage},
};
use serde_json::{Value, json};

use crate::set::{DE, NL, only, two_members};

const EGRESS: &str = "acme/NetworkPolicy/domicile-egress";
const QUOTA: &str = "/api/v1/namespaces/acme/resourcequotas/domicile-quota";

fn web(version: &str) -> String {
    workload("acme", "web", &[deployment("web", version)], only("NL")).to_string()
}

/// Whether a policy lets pods connect to an address.
fn lets_out_to(policy: &Value, cidr: &str) -> bool {
    policy["spec"]["egress"].to_string().contains(cidr)
}

/// Waits until so many pods are allowed.
async fn limit_becomes(stage: &Stage, pods: Option<&str>) -> anyhow::Result<()> {
    eventually(PATIENCE, &format!("a limit of {pods:?} pods"), || async {
        let quota = look(stage.fleet.member(NL)?, QUOTA).await?.context("there is no quota")?;
        let found = quota.pointer("/spec/hard/pods").and_then(Value::as_str);
        if found == pods { Ok(Some(())) } else { bail!("it is {found:?}") }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_are_guarded_as_their_tenant_says() -> anyhow::Result<()> {
    let stage = two_members(false).await?;
    let open = json!({"spec": {"egress": [{"cidr": "192.0.2.0/24"}], "quota": {"pods": "9"}}});
    stage.apply(&with(tenant("acme"), open).to_string()).await?;
    stage.apply(&web("1")).await?;
    stage.wait_on(("acme", "web"), &[NL]).await?;
    stage.sees(NL, EGRESS, "the way out", |policy| lets_out_to(policy, "192.0.2.0/24")).await?;
    limit_becomes(&stage, Some("9")).await?;
    follows_the_tenant(&stage).await?;
    damage_is_mended(&stage).await?;
    taken_for_a_while(&stage).await?;
    stage.comes_to_rest().await?;
    nothing_is_forbidden(&stage).await
}

/// Less is allowed: that arrives although no object of the tenant changes.
async fn follows_the_tenant(stage: &Stage) -> anyhow::Result<()> {
    let before = look(stage.fleet.member(NL)?, &tenants("acme/Deployment/web")?).await?;
    stage.apply(&tenant("acme").to_string()).await?;
    stage.sees(NL, EGRESS, "no way out", |policy| !lets_out_to(policy, "192.0.2.0/24")).await?;
    limit_becomes(stage, None).await?;
    assert_eq!(before, look(stage.fleet.member(NL)?, &tenants("acme/Deployment/web")?).await?);
    Ok(())
}

/// Somebody on the member deletes what lets the tenant act, or opens the way out.
async fn damage_is_mended(stage: &Stage) -> anyhow::Result<()> {
    let nl = stage.fleet.member(NL)?;
    nl.kubectl(["-n", "acme", "delete", "rolebinding", "domicile-tenant"]).text().await?;
    stage.apply(&web("2")).await?;
    let image = |found: &Value| found.pointer("/spec/template/spec/containers/0/image").cloned();
    let new = Some(json!("example.invalid/web:2"));
    stage.sees(NL, "acme/Deployment/web", "the new image", |found| image(found) == new).await?;
    stage.says("tenantworkloads/acme/web", "Ready", "True", "").await?;

    let all = r#"[{"op": "replace", "path": "/spec/egress", "value": [{}]}]"#;
    let patch = ["-n", "acme", "patch", "networkpolicy", "domicile-egress", "--type=json", "-p", all];
    nl.kubectl(patch).text().await?;
    // Guards are looked at whenever a namespace is listed: every ten minutes, and after a start.
    stage.stop_operator(Signal::TERM).await?;
    stage.start_operator()?;
    let closed =
        |policy: &Value| !policy["spec"]["egress"].as_array().is_some_and(|e| e.contains(&json!({})));
    stage.sees(NL, EGRESS, "closed again", closed).await?;
    Ok(())
}

/// The label of the tenant's namespace is lost, and put back.
async fn taken_for_a_while(stage: &Stage) -> anyhow::Result<()> {
    let nl = stage.fleet.member(NL)?;
    nl.kubectl(["label", "namespace", "acme", "domicile.dev/tenant-"]).text().await?;
    stage.stop_operator(Signal::TERM).await?;
    stage.start_operator()?;
    stage.says("tenantworkloads/acme/web", "Ready", "False", "NamespaceTaken").await?;
    nl.kubectl(["label", "namespace", "acme", "domicile.dev/tenant=acme"]).text().await?;
    stage.says("tenantworkloads/acme/web", "Ready", "True", "").await?;
    stage.apply(&web("3")).await?;
    let image = |found: &Value| found.pointer("/spec/template/spec/containers/0/image").cloned();
    let new = Some(json!("example.invalid/web:3"));
    stage.sees(NL, "acme/Deployment/web", "the new image", |found| image(found) == new).await?;
    Ok(())
}

/// Waits until a member's status names these of tenants' namespaces as somebody else's.
async fn taken_are(stage: &Stage, wanted: Option<Value>) -> anyhow::Result<()> {
    eventually(PATIENCE, &format!("the member to say that {wanted:?} are taken"), || async {
        let member = look(stage.fleet.hub()?, &domicile(&format!("memberclusters/{DE}"))).await?;
        let found = member.and_then(|member| member.pointer("/status/namespacesTaken").cloned());
        if found == wanted { Ok(Some(())) } else { bail!("it says {found:?}") }
    })
    .await
}

/// Somebody on the other member has a namespace of the tenant's name. The operator learns of it when it has chosen that member.
#[tokio::test(flavor = "multi_thread")]
async fn a_move_to_somebody_elses_namespace_goes_back_and_says_so() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    let de = stage.fleet.member(DE)?;
    de.kubectl(["create", "namespace", "acme"]).text().await?;
    let web = |more| workload("acme", "web", &[deployment("web", "1")], more).to_string();
    stage.apply(&web(only("NL"))).await?;
    stage.wait_on(("acme", "web"), &[NL]).await?;
    let revoked = decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    stage.apply(&revoked.to_string()).await?;
    stage.says("tenantworkloads/acme/web", "Stalled", "True", "NoLawfulPlace").await?;
    stage.apply(&web(json!({}))).await?;

    taken_are(&stage, Some(json!(["acme"]))).await?;
    let words = [DE, "the namespace belongs to somebody else"];
    eventually(PATIENCE, "the workload to say what bars the other member", || async {
        let told = stage.says("tenantworkloads/acme/web", "Stalled", "True", "NoLawfulPlace").await?;
        if words.iter().all(|word| told.contains(word)) { Ok(Some(())) } else { bail!("{told}") }
    })
    .await?;
    let kubeconfig = stage.fleet.hub()?.kubeconfig_path();
    let explained =
        plugin::domicile(Some(&kubeconfig), &["explain", "web", "-n", "acme", "--cluster", DE], "")?
            .done()?;
    ensure!(explained.contains("NamespaceTaken: "), "{explained}");
    ensure!(!explained.contains("must move"), "{explained}");

    // What was said of the member survives a restart whole: it isn't taken back and found out again.
    let version = || async {
        let member = look(stage.fleet.hub()?, &domicile(&format!("memberclusters/{DE}"))).await?;
        anyhow::Ok(member.context("there is no such member")?["metadata"]["resourceVersion"].clone())
    };
    stage.comes_to_rest().await?;
    let before = version().await?;
    stage.stop_operator(Signal::KILL).await?;
    stage.start_operator()?;
    stage.comes_to_rest().await?;
    ensure!(version().await? == before, "the member's status was written anew");

    de.kubectl(["label", "namespace", "acme", "domicile.dev/tenant=acme"]).text().await?;
    stage.wait_on(("acme", "web"), &[DE]).await?;
    taken_are(&stage, None).await?;
    stage.comes_to_rest().await?;
    nothing_is_forbidden(&stage).await
}
