//! Secrets that workloads take from the hub: what changes there reaches members, and nothing else is written for it.

use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::process::Signal,
    props::{deployment, workload},
    sight::{look, tenants},
    stage::Stage,
};
use serde_json::{Value, json};

use crate::set::{DE, NL, two_members};

fn secret(password: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db", "namespace": "acme"},
        "stringData": {"password": password},
    })
    .to_string()
}

/// What a member has as password.
fn password(found: &Value) -> Option<String> {
    let bytes: k8s_openapi::ByteString = serde_json::from_value(found["data"]["password"].clone()).ok()?;
    String::from_utf8(bytes.0).ok()
}

async fn has(stage: &Stage, member: &str, wanted: &str) -> anyhow::Result<()> {
    let fits = |found: &Value| password(found).as_deref() == Some(wanted);
    stage.sees(member, "acme/Secret/db", &format!("the password {wanted}"), fits).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_is_changed_on_the_hub_reaches_members() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    stage.apply(&json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Installation", "metadata": {"name": "default"},
        "spec": {"hub": {"site": "nl-ams"}},
    }).to_string()).await?;
    let web = |more: Value| workload("acme", "web", &[deployment("web", "1")], more).to_string();
    let takes = json!({
        "clusters": {"count": 2, "spreadBy": "Country"}, "secrets": [{"name": "db", "from": "Hub"}],
    });
    stage.apply(&web(takes)).await?;
    // It is there a moment later.
    stage.says("tenantworkloads/acme/web", "Ready", "False", "SecretMissing").await?;
    stage.apply(&secret("first")).await?;
    stage.says("tenantworkloads/acme/web", "Ready", "True", "").await?;

    rotate(&stage, "second").await?;

    // Whoever starts anew finds all as it should be, and notices what changed meanwhile.
    let before = stage.comes_to_rest().await?;
    stage.stop_operator(Signal::TERM).await?;
    stage.start_operator()?;
    rests(&stage, &before).await?;
    rotate(&stage, "third").await?;
    let before = stage.comes_to_rest().await?;
    stage.stop_operator(Signal::KILL).await?;
    stage.apply(&secret("fourth")).await?;
    stage.start_operator()?;
    for member in [NL, DE] {
        has(&stage, member, "fourth").await?;
    }
    only_secrets(&stage, &before).await?;

    // Where it is gone from the hub, what was copied stays.
    stage.fleet.hub()?.kubectl(["-n", "acme", "delete", "secret", "db"]).text().await?;
    let before = stage.comes_to_rest().await?;
    stage.stop_operator(Signal::KILL).await?;
    stage.start_operator()?;
    rests(&stage, &before).await?;
    for member in [NL, DE] {
        assert!(look(stage.fleet.member(member)?, &tenants("acme/Secret/db")?).await?.is_some());
    }
    stage.apply(&secret("fifth")).await?;
    for member in [NL, DE] {
        has(&stage, member, "fifth").await?;
    }

    may_not_be_read(&stage).await?;

    // Somebody stops taking it, and somebody else begins: it is followed for as long as anybody takes it.
    stage.apply(&web(json!({"clusters": {"count": 2, "spreadBy": "Country"}}))).await?;
    for member in [NL, DE] {
        stage.leaves(member, "acme/Secret/db").await?;
    }
    let other = json!({"secrets": [{"name": "db", "from": "Hub"}], "preferences": [{"country": "NL"}]});
    stage.apply(&workload("acme", "other", &[deployment("other", "1")], other).to_string()).await?;
    has(&stage, NL, "fifth").await?;
    stage.apply(&secret("sixth")).await?;
    has(&stage, NL, "sixth").await?;
    nothing_is_forbidden(&stage).await
}

/// Whoever takes a Secret that the operator may read no more says so, and what was copied stays.
async fn may_not_be_read(stage: &Stage) -> anyhow::Result<()> {
    let hub = stage.fleet.hub()?;
    let role = ["get", "clusterrole", "domicile:secret-reader", "-o", "json"];
    let mut role: Value = serde_json::from_str(&hub.kubectl(role).text().await?)?;
    role["metadata"] = json!({"name": "domicile:secret-reader", "labels": role["metadata"]["labels"]});
    let before = stage.comes_to_rest().await?;
    hub.kubectl(["delete", "clusterrole", "domicile:secret-reader"]).text().await?;
    for (condition, status) in [("Ready", "False"), ("Stalled", "True")] {
        let told = stage.says("tenantworkloads/acme/web", condition, status, "SecretForbidden").await?;
        assert!(told.contains("Secret/db") && told.contains("domicile:secret-reader"), "{told}");
    }
    for member in [NL, DE] {
        has(stage, member, "fifth").await?;
    }
    stage.apply(&role.to_string()).await?;
    rests(stage, &before).await
}

/// Changes it, and sees that each member is written to once.
async fn rotate(stage: &Stage, to: &str) -> anyhow::Result<()> {
    let before = stage.comes_to_rest().await?;
    stage.apply(&secret(to)).await?;
    for member in [NL, DE] {
        has(stage, member, to).await?;
    }
    only_secrets(stage, &before).await
}

async fn only_secrets(
    stage: &Stage,
    before: &std::collections::BTreeMap<String, domicile_e2e::fleet::RequestCounts>,
) -> anyhow::Result<()> {
    stage.comes_to_rest().await?;
    let written = stage.written(before).await?;
    for member in [NL, DE] {
        let writes = written.get(member).cloned().unwrap_or_default();
        let secrets = writes.filter(|key| key.resource == "secrets").total();
        assert_eq!((secrets, writes.total()), (1, 1), "{member}: {writes:?}");
    }
    Ok(())
}

/// Nothing is written on members.
async fn rests(
    stage: &Stage,
    before: &std::collections::BTreeMap<String, domicile_e2e::fleet::RequestCounts>,
) -> anyhow::Result<()> {
    stage.says("tenantworkloads/acme/web", "Ready", "True", "").await?;
    stage.comes_to_rest().await?;
    let written = stage.written(before).await?;
    for member in [NL, DE] {
        assert!(!written.contains_key(member), "{member}: {written:?}");
    }
    Ok(())
}
