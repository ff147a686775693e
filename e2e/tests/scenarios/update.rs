//! Day 2: updates go to one copy after another, what is dropped goes when the new is ready, drift is put right.

use domicile_e2e::{
    audit::nothing_is_forbidden,
    props::{claim, config_map, deployment, service, with, workload},
    sight::{domicile, look, managed, tenants},
    stage::Stage,
};
use serde_json::{Value, json};

use crate::set::{DE, NL, only, two_members};

fn image(found: &Value) -> &str {
    found.pointer("/spec/template/spec/containers/0/image").and_then(Value::as_str).unwrap_or_default()
}

async fn generations(stage: &Stage, name: &str) -> anyhow::Result<Vec<i64>> {
    let path = domicile(&format!("assignments/acme/{name}"));
    let assignment = look(stage.fleet.hub()?, &path).await?.unwrap_or_default();
    let seats = assignment.pointer("/spec/seats").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(seats.iter().filter_map(|seat| seat["generation"].as_i64()).collect())
}

async fn is_there(stage: &Stage, member: &str, short: &str) -> anyhow::Result<bool> {
    Ok(look(stage.fleet.member(member)?, &tenants(short)?).await?.is_some())
}

/// A Deployment whose new pods find no node.
fn homeless(name: &str, version: &str) -> Value {
    let nowhere = json!({"spec": {"template": {"spec": {"nodeSelector": {"nowhere": "true"}}}}});
    with(deployment(name, version), nowhere)
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_in_order_and_others_changes_do_not_last() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    one_copy_after_another(&stage).await?;
    drift(&stage).await?;
    autoscaler(&stage).await?;
    made_again(&stage).await?;
    stage.comes_to_rest().await?;
    nothing_is_forbidden(&stage).await
}

/// Two copies, spread by country; what doesn't become ready at the first never reaches the second.
async fn one_copy_after_another(stage: &Stage) -> anyhow::Result<()> {
    let spread = |count: i32| json!({"clusters": {"count": count, "spreadBy": "Country"}});
    let twice = |manifests: &[Value], count| workload("acme", "twice", manifests, spread(count)).to_string();
    let first = [config_map("old", "a"), claim("data"), deployment("twice", "1")];
    stage.apply(&twice(&first, 2)).await?;
    stage.says("tenantworkloads/acme/twice", "Ready", "True", "").await?;
    let seats = stage.workload("acme", "twice").await?.status.unwrap_or_default().seats;
    let mut clusters: Vec<&str> = seats.iter().map(|seat| seat.place.cluster.as_str()).collect();
    let (one, two) = (clusters[0].to_owned(), clusters[1].to_owned());
    clusters.sort_unstable();
    assert_eq!(clusters, [DE, NL]);

    let broken = [config_map("new", "a"), homeless("twice", "2")];
    stage.apply(&twice(&broken, 2)).await?;
    stage.sees(&one, "acme/Deployment/twice", "the new image", |found| image(found).ends_with(":2")).await?;
    stage.says("tenantworkloads/acme/twice", "Ready", "False", "").await?;
    stage.comes_to_rest().await?;
    let [first, second] = generations(stage, "twice").await?[..] else { anyhow::bail!("not two seats") };
    assert!(first > second, "{first} {second}");
    let unchanged =
        look(stage.fleet.member(&two)?, &tenants("acme/Deployment/twice")?).await?.unwrap_or_default();
    assert!(image(&unchanged).ends_with(":1"));
    // What the new manifests lack is still there, since the new isn't ready.
    assert!(is_there(stage, &one, "acme/ConfigMap/old").await?);
    assert!(is_there(stage, &one, "acme/ConfigMap/new").await?);

    stage.apply(&twice(&[config_map("new", "a"), deployment("twice", "3")], 2)).await?;
    for member in [&one, &two] {
        stage
            .sees(member, "acme/Deployment/twice", "the new image", |found| image(found).ends_with(":3"))
            .await?;
        stage.leaves(member, "acme/ConfigMap/old").await?;
        assert!(is_there(stage, member, "acme/PersistentVolumeClaim/data").await?, "a claim was pruned");
    }
    stage.says("tenantworkloads/acme/twice", "Ready", "True", "").await?;

    // Fewer copies, and more again.
    stage.apply(&twice(&[config_map("new", "a"), deployment("twice", "3")], 1)).await?;
    stage.leaves(&two, "acme/Deployment/twice").await?;
    stage.wait_on(("acme", "twice"), &[&one]).await?;
    assert!(is_there(stage, &two, "acme/PersistentVolumeClaim/data").await?, "a claim was removed");
    stage.apply(&twice(&[config_map("new", "a"), deployment("twice", "3")], 2)).await?;
    stage.wait_on(("acme", "twice"), &[&one, &two]).await
}

/// Somebody edits on the member.
async fn drift(stage: &Stage) -> anyhow::Result<()> {
    let web = [config_map("web", "a"), service("web"), deployment("web", "1")];
    stage.apply(&workload("acme", "web", &web, only("NL")).to_string()).await?;
    stage.wait_on(("acme", "web"), &[NL]).await?;
    let nl = stage.fleet.member(NL)?;
    nl.kubectl(["-n", "acme", "scale", "deployment/web", "--replicas=5"]).text().await?;
    let replicas = |found: &Value| found.pointer("/spec/replicas").and_then(Value::as_i64);
    stage.sees(NL, "acme/Deployment/web", "one replica again", |found| replicas(found) == Some(1)).await?;
    nl.kubectl(["-n", "acme", "set", "image", "deployment/web", "main=example.invalid/other:9"])
        .text()
        .await?;
    stage
        .sees(NL, "acme/Deployment/web", "its own image again", |found| image(found).ends_with("web:1"))
        .await?;
    nl.kubectl(["-n", "acme", "delete", "deployment/web"]).text().await?;
    stage
        .sees(NL, "acme/Deployment/web", "there again", |found| {
            found["metadata"]["deletionTimestamp"].is_null()
        })
        .await?;
    stage.says("tenantworkloads/acme/web", "Ready", "True", "").await?;
    Ok(())
}

/// Replicas are left alone where an autoscaler sets them, or nobody does.
async fn autoscaler(stage: &Stage) -> anyhow::Result<()> {
    let hpa = json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": {"name": "scaled"},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "scaled"}, "minReplicas": 1, "maxReplicas": 5,
            "metrics": [{"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}],
        },
    });
    let free = with(deployment("free", "1"), json!({"spec": {"replicas": null}}));
    let scaled = |version: &str| {
        workload("acme", "scaled", &[deployment("scaled", version), free.clone(), hpa.clone()], only("NL"))
            .to_string()
    };
    stage.apply(&scaled("1")).await?;
    stage.wait_on(("acme", "scaled"), &[NL]).await?;
    let nl = stage.fleet.member(NL)?;
    for name in ["deployment/scaled", "deployment/free"] {
        nl.kubectl(["-n", "acme", "scale", name, "--replicas=3"]).text().await?;
    }
    let before = stage.comes_to_rest().await?;
    stage.apply(&scaled("2")).await?;
    let three = |found: &Value| found.pointer("/spec/replicas") == Some(&json!(3));
    stage
        .sees(NL, "acme/Deployment/scaled", "new with three", |found| {
            three(found) && image(found).ends_with(":2")
        })
        .await?;
    stage.says("tenantworkloads/acme/scaled", "Ready", "True", "").await?;
    let objects = managed(nl).await?;
    assert!(objects.get("acme/Deployment/free").is_some_and(three));
    let applied = stage.counts().await?[NL].since(&before[NL]).filter(|key| key.verb == "APPLY").total();
    assert_eq!(applied, 1, "more was applied than the one Deployment that changed");
    Ok(())
}

/// What isn't watched on the member, changed once, removed and made again under its name: its generation begins anew.
async fn made_again(stage: &Stage) -> anyhow::Result<()> {
    let policy = |port: i32| {
        json!({
            "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "walled"},
            "spec": {"podSelector": {}, "ingress": [{"ports": [{"port": port}]}]},
        })
    };
    let walled =
        |port| workload("acme", "walled", &[deployment("walled", "1"), policy(port)], only("NL")).to_string();
    let port = |found: &Value| found.pointer("/spec/ingress/0/ports/0/port").and_then(Value::as_i64);
    for wanted in [80, 81] {
        stage.apply(&walled(wanted)).await?;
        stage
            .sees(NL, "acme/NetworkPolicy/walled", "its port", |found| port(found) == Some(wanted.into()))
            .await?;
    }
    stage.wait_on(("acme", "walled"), &[NL]).await?;
    let delete = ["-n", "acme", "delete", "tenantworkloads.domicile.dev", "walled"];
    stage.fleet.hub()?.kubectl(delete).text().await?;
    stage.leaves(NL, "acme/NetworkPolicy/walled").await?;
    let before = stage.comes_to_rest().await?;
    stage.apply(&walled(80)).await?;
    stage.wait_on(("acme", "walled"), &[NL]).await?;
    let applied = stage.counts().await?[NL].since(&before[NL]).filter(|key| key.verb == "APPLY");
    let policies = applied.filter(|key| key.resource == "networkpolicies").total();
    assert_eq!(policies, 1, "applied again and again: {applied:?}");
    Ok(())
}
