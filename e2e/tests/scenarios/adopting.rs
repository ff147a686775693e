//! What runs on a member before anybody asked Domicile: handed over without a restart, kept where it may be, and moved from where it may not.

use anyhow::{Context as _, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::{Cluster, wait::eventually},
    plugin::{self, Ran},
    props::{config_map, cron_job, decision, deployment, list, service, stateful_set, tenant, with},
    sight::{look, managed, tenants},
    stage::{PATIENCE, Stage},
};
use serde_json::{Value, json};

use crate::set::{DE, NL, two_members};

/// The tenant is at home in the Netherlands only, and may connect to one network.
pub(crate) async fn set() -> anyhow::Result<Stage> {
    let stage = two_members(true).await?;
    let home = json!({"spec": {
        "residency": {"allowed": [{"country": "NL"}]}, "egress": [{"cidr": "192.0.2.0/24"}],
    }});
    let hub = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Installation", "metadata": {"name": "default"},
        "spec": {"hub": {"site": "nl-ams"}},
    });
    stage.apply(&list(&[with(tenant("acme"), home), hub])).await?;
    for member in [NL, DE] {
        stage.says(&format!("memberclusters/{member}"), "Ready", "True", "").await?;
    }
    Ok(stage)
}

/// An application as somebody has made it with kubectl, long ago: its pods take a setting and a password.
async fn make_by_hand(member: &Cluster) -> anyhow::Result<()> {
    let mut web = deployment("web", "1");
    web["spec"]["template"]["spec"]["containers"][0]["env"] = json!([
        {"name": "MODE", "value": "old"},
        {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "db", "key": "password"}}},
    ]);
    web["spec"]["replicas"] = 2.into();
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db"}, "stringData": {"password": "secret"},
    });
    let other = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "other"}, "stringData": {"password": "x"},
    });
    // It does nothing by itself while somebody looks.
    let yearly = with(cron_job("nightly"), json!({"spec": {"schedule": "0 3 1 1 *"}}));
    let all = [config_map("web", "a"), secret, other, service("web"), web, yearly];
    member.kubectl(["create", "namespace", "acme"]).text().await?;
    member.kubectl(["-n", "acme", "apply", "-f", "-"]).stdin(list(&all)).text().await?;
    member.kubectl(["-n", "acme", "create", "job", "once", "--from=cronjob/nightly"]).text().await?;
    let ready = ["-n", "acme", "wait", "--for=condition=Available", "deployment/web", "--timeout=90s"];
    member.kubectl(ready).text().await?;
    Ok(())
}

fn adopt(stage: &Stage, member: &str, more: &[&str]) -> anyhow::Result<Ran> {
    adopt_as(stage, "shop", member, more)
}

pub(crate) fn adopt_as(stage: &Stage, name: &str, member: &str, more: &[&str]) -> anyhow::Result<Ran> {
    let kubeconfig = stage.fleet.member(member)?.kubeconfig_path();
    let kubeconfig = kubeconfig.to_str().context("a path that isn't text")?;
    let args = ["adopt", name, "-n", "acme", "--member", member, "--member-kubeconfig", kubeconfig];
    plugin::domicile(Some(&stage.fleet.hub()?.kubeconfig_path()), &[&args[..], more].concat(), "")
}

/// The pods of the Deployment, by uid.
async fn pods(member: &Cluster) -> anyhow::Result<Vec<String>> {
    let path = "/api/v1/namespaces/acme/pods?labelSelector=app%3Dweb";
    let found = look(member, path).await?.unwrap_or_default();
    let uid = |pod: &Value| pod.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
    let mut uids: Vec<_> = found["items"].as_array().into_iter().flatten().filter_map(uid).collect();
    uids.sort();
    Ok(uids)
}

async fn web(member: &Cluster) -> anyhow::Result<Value> {
    look(member, &tenants("acme/Deployment/web")?).await?.context("there is no Deployment")
}

const ALL: [&str; 4] =
    ["acme/ConfigMap/web", "acme/CronJob/nightly", "acme/Deployment/web", "acme/Service/web"];

#[tokio::test(flavor = "multi_thread")]
async fn what_may_not_be_where_it_is_leaves_unharmed() -> anyhow::Result<()> {
    let stage = set().await?;
    let de = stage.fleet.member(DE)?;
    make_by_hand(de).await?;
    let (before, running) = (web(de).await?, pods(de).await?);
    ensure!(running.len() == 2, "{running:?}");

    let ran = adopt(&stage, DE, &["--yes"])?;
    ensure!(ran.code == Some(1) && ran.err.contains("pods need Secrets (db)"), "{ran:?}");
    let shown = adopt(&stage, DE, &["--secrets", "hub", "--dry-run"])?;
    ensure!(shown.code == Some(0) && shown.out.contains("adopt: de-fra-1"), "{shown:?}");
    for part in [
        "Adopts 5 objects of de-fra-1",
        "  Deployment/web\n    kubectl-client-side-apply:\n",
        "spec.template.spec.containers[{\"name\":\"main\"}].image",
        "Domicile lets them connect to their own namespace, DNS, 192.0.2.0/24 alone",
        "must move from de-fra-1 to nl-ams-1: 1",
    ] {
        ensure!(shown.err.contains(part), "{part:?} is missing in:\n{}", shown.err);
    }
    let asked = adopt(&stage, DE, &["--secrets", "hub"])?;
    ensure!(asked.code == Some(1) && asked.err.contains("say --yes"), "{asked:?}");
    ensure!(managed(de).await?.is_empty(), "something was written before anybody said so");
    let workloads = look(stage.fleet.hub()?, "/apis/domicile.dev/v1alpha1/tenantworkloads").await?;
    ensure!(workloads.is_some_and(|all| all["items"].as_array().is_some_and(Vec::is_empty)));

    // Moves are paused, so that it can be looked at where it is.
    plugin::domicile(Some(&stage.fleet.hub()?.kubeconfig_path()), &["pause"], "")?.done()?;
    adopt(&stage, DE, &["--secrets", "hub", "--yes"])?.done()?;
    stage.says("tenantworkloads/acme/shop", "Placed", "True", "").await?;
    stage.says("tenantworkloads/acme/shop", "Compliant", "False", "CountryNotAllowed").await?;
    let rest = stage.comes_to_rest().await?;
    let after = web(de).await?;
    assert_eq!(after["spec"], before["spec"]);
    assert_eq!(pods(de).await?, running, "its pods were restarted");
    assert_eq!(managed(de).await?.keys().collect::<Vec<_>>(), ALL);
    let job = look(de, &tenants("acme/Job/once")?).await?.unwrap_or_default();
    assert_eq!(
        job["metadata"]["labels"]["domicile.dev/workload"], "shop",
        "what a CronJob has made is seen to end"
    );
    stage.stays_still(&rest).await?;

    plugin::domicile(Some(&stage.fleet.hub()?.kubeconfig_path()), &["resume"], "")?.done()?;
    stage.wait_on(("acme", "shop"), &[NL]).await?;
    for object in ALL {
        stage.leaves(DE, object).await?;
    }
    stage.leaves(DE, "acme/Secret/db").await?;
    let other = look(de, &tenants("acme/Secret/other")?).await?;
    ensure!(other.is_some(), "nobody has asked for that one");
    let there = web(stage.fleet.member(NL)?).await?;
    assert_eq!(there["spec"]["template"]["metadata"]["labels"]["domicile.dev/epoch"], "1");
    eventually(PATIENCE, "the pods to end", || async { Ok(pods(de).await?.is_empty().then_some(())) })
        .await?;
    stage.comes_to_rest().await?;
    nothing_is_forbidden(&stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_stay_is_kept_up_to_date_where_it_is() -> anyhow::Result<()> {
    let stage = set().await?;
    let nl = stage.fleet.member(NL)?;
    make_by_hand(nl).await?;
    let (before, running) = (web(nl).await?, pods(nl).await?);
    // An earlier try was interrupted.
    nl.kubectl(["-n", "acme", "label", "deployment/web", "domicile.dev/workload=shop"]).text().await?;
    nl.kubectl(["label", "namespace/acme", "domicile.dev/tenant=acme"]).text().await?;

    adopt(&stage, NL, &["--secrets", "hub", "--yes"])?.done()?;
    stage.wait_on(("acme", "shop"), &[NL]).await?;
    stage.says("tenantworkloads/acme/shop", "Compliant", "True", "").await?;
    let rest = stage.comes_to_rest().await?;
    assert_eq!(web(nl).await?["spec"], before["spec"]);
    assert_eq!(pods(nl).await?, running, "its pods were restarted");
    let policy =
        look(nl, "/apis/networking.k8s.io/v1/namespaces/acme/networkpolicies/domicile-egress").await?;
    ensure!(policy.is_some(), "its namespace is set up as every tenant's");
    stage.stays_still(&rest).await?;
    let again = adopt(&stage, NL, &["--secrets", "hub", "--yes"])?;
    ensure!(again.code == Some(1) && again.err.contains("was adopted from there already"), "{again:?}");

    // What the tenant takes out goes, although kubectl has once set it.
    let hub = stage.fleet.hub()?;
    let manifests = stage.workload("acme", "shop").await?.spec.manifests;
    let at = manifests.iter().position(|it| it["kind"] == "Deployment").context("no Deployment")?;
    let env = format!("/spec/manifests/{at}/spec/template/spec/containers/0/env/0");
    let patch = json!([{"op": "remove", "path": env}]).to_string();
    hub.kubectl(["-n", "acme", "patch", "tw", "shop", "--type=json", "-p", patch.as_str()]).text().await?;
    let names = |found: &Value| {
        let env = found.pointer("/spec/template/spec/containers/0/env").and_then(Value::as_array).cloned();
        env.into_iter().flatten().filter_map(|it| it["name"].as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let updated =
        stage.sees(NL, "acme/Deployment/web", "no MODE", |found| names(found) == ["PASSWORD"]).await?;
    ensure!(updated["spec"]["template"]["metadata"]["labels"].get("domicile.dev/epoch").is_none());
    stage.says("tenantworkloads/acme/shop", "Ready", "True", "").await?;

    // Claims go with the set that has made them.
    let set = stateful_set("db").to_string();
    nl.kubectl(["-n", "acme", "apply", "-f", "-"]).stdin(set).text().await?;
    let db = tenants("acme/StatefulSet/db")?;
    stage.sees(NL, "acme/StatefulSet/db", "its pod", |it| it["status"]["replicas"] == 1).await?;
    let before = look(nl, &db).await?.unwrap_or_default();
    adopt_as(&stage, "data", NL, &["StatefulSet/db", "--yes"])?.done()?;
    stage.says("tenantworkloads/acme/data", "Placed", "True", "").await?;
    // This member has no volumes: what is wrong with its pods is told, although they have no labels of ours.
    stage.says("tenantworkloads/acme/data", "Ready", "False", "Unschedulable").await?;
    assert_eq!(look(nl, &db).await?.unwrap_or_default()["spec"], before["spec"]);
    let claim = look(nl, &tenants("acme/PersistentVolumeClaim/data-db-0")?).await?.unwrap_or_default();
    assert!(claim["metadata"]["labels"].get("domicile.dev/workload").is_none());

    // A provider that is revoked loses it like any other.
    let revoked = decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    let wider = json!({"spec": {"residency": {"allowed": [{"countrySet": "eu"}]}}});
    stage.apply(&list(&[with(tenant("acme"), wider), revoked])).await?;
    stage.wait_on(("acme", "shop"), &[DE]).await?;
    stage.leaves(NL, "acme/Deployment/web").await?;
    stage.comes_to_rest().await?;
    nothing_is_forbidden(&stage).await
}
