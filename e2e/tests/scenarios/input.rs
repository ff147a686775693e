//! Bad input: what is wrong is said by name, nothing that runs is lost, and putting it right is enough.

use domicile_e2e::{
    audit::nothing_is_forbidden,
    props::{config_map, deployment, list, service, tenant, with, workload},
    sight::{look, managed, tenants},
    stage::{OPERATOR_NAMESPACE, Stage},
};
use serde_json::{Value, json};

use crate::set::{DE, NL, admit_again, apply_unadmitted, members_like, namespace, only, two_members};

fn web(version: &str) -> Value {
    workload("acme", "web", &[config_map("web", "a"), service("web"), deployment("web", version)], json!({}))
}

/// Asserts that all parts are in a message.
#[track_caller]
fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
}

async fn deployed(stage: &Stage, member: &str, short: &str) -> anyhow::Result<(String, String)> {
    let found = look(stage.fleet.member(member)?, &tenants(short)?).await?.unwrap_or_default();
    let text = |path: &str| found.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok((text("/metadata/uid"), text("/spec/template/spec/containers/0/image")))
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_manifests_are_named_and_what_runs_goes_on() -> anyhow::Result<()> {
    let stage = members_like(&[(NL, Stage::member_options(NL))], false).await?;
    stage.apply(&web("1").to_string()).await?;
    stage.says("tenantworkloads/acme/web", "Ready", "True", "").await?;
    let running = deployed(&stage, NL, "acme/Deployment/web").await?;

    misspelt_field(&stage).await?;
    fields_that_are_not_a_tenants(&stage).await?;
    name_taken(&stage).await?;
    immutable_field(&stage).await?;

    assert_eq!(deployed(&stage, NL, "acme/Deployment/web").await?, running);
    nothing_is_forbidden(&stage).await
}

/// In a new workload and in an update of one that runs.
async fn misspelt_field(stage: &Stage) -> anyhow::Result<()> {
    let misspelt = with(deployment("typo", "1"), json!({"spec": {"replicsa": 2}}));
    let typo =
        |deployment: Value| workload("acme", "typo", &[config_map("typo", "a"), deployment], json!({}));
    stage.apply(&typo(misspelt).to_string()).await?;
    let message = stage.says("tenantworkloads/acme/typo", "Ready", "False", "ManifestRejected").await?;
    says(&message, &["spec.manifests[1]", "Deployment/typo", "spec.replicsa"]);
    stage.says("tenantworkloads/acme/typo", "Stalled", "True", "ManifestRejected").await?;
    stage.apply(&typo(deployment("typo", "1")).to_string()).await?;
    stage.says("tenantworkloads/acme/typo", "Ready", "True", "").await?;

    let nested = json!({"spec": {"template": {"spec": {"containers": [{
        "name": "main", "image": "example.invalid/typo:2", "imagePullPolcy": "Always",
    }]}}}});
    stage.apply(&typo(with(deployment("typo", "2"), nested)).to_string()).await?;
    let message = stage.says("tenantworkloads/acme/typo", "Ready", "False", "ManifestRejected").await?;
    says(&message, &["spec.manifests[1]", "Deployment/typo", "imagePullPolcy"]);
    assert_eq!(deployed(stage, NL, "acme/Deployment/typo").await?.1, "example.invalid/typo:1");
    stage.apply(&typo(deployment("typo", "2")).to_string()).await?;
    stage.says("tenantworkloads/acme/typo", "Ready", "True", "").await?;
    assert_eq!(deployed(stage, NL, "acme/Deployment/typo").await?.1, "example.invalid/typo:2");
    Ok(())
}

/// What the hub refuses at admission, where it was there before that.
async fn fields_that_are_not_a_tenants(stage: &Stage) -> anyhow::Result<()> {
    let pod = |more: Value| with(deployment("sly", "1"), json!({"spec": {"template": {"spec": more}}}));
    let cases = [
        (with(config_map("sly", "a"), json!({"metadata": {"namespace": "kube-system"}})), "kube-system"),
        (with(config_map("sly", "a"), json!({"metadata": {"finalizers": ["a.b/c"]}})), "metadata.finalizers"),
        (with(service("sly"), json!({"spec": {"externalIPs": ["192.0.2.1"]}})), "spec.externalIPs"),
        (with(service("sly"), json!({"spec": {"type": "ExternalName"}})), "ExternalName"),
        (pod(json!({"hostNetwork": true})), "hostNetwork"),
        (pod(json!({"volumes": [{"name": "etc", "hostPath": {"path": "/etc"}}]})), "hostPath"),
    ];
    for (manifest, field) in cases {
        let kind = manifest["kind"].as_str().unwrap_or_default();
        let sly = workload("acme", "sly", &[config_map("ok", "a"), manifest.clone()], json!({}));
        apply_unadmitted(stage, &sly).await?;
        let message = stage
            .wait_until_said("tenantworkloads/acme/sly", ("Ready", "False", "ManifestRejected"), field)
            .await?;
        says(&message, &["spec.manifests[1]", &format!("{kind}/sly"), field]);
    }
    admit_again(stage).await?;
    let member = stage.fleet.member(NL)?;
    assert!(!managed(member).await?.keys().any(|name| name.ends_with("/sly") || name.ends_with("/ok")));
    stage.apply(&workload("acme", "sly", &[deployment("sly", "1")], json!({})).to_string()).await?;
    stage.says("tenantworkloads/acme/sly", "Ready", "True", "").await?;
    Ok(())
}

async fn name_taken(stage: &Stage) -> anyhow::Result<()> {
    let second = |name: &str| workload("acme", "second", &[config_map(name, "mine")], json!({}));
    stage.apply(&second("web").to_string()).await?;
    let message = stage.says("tenantworkloads/acme/second", "Ready", "False", "NameTaken").await?;
    says(&message, &["ConfigMap/web", "web", "rename"]);
    stage.says("tenantworkloads/acme/web", "Ready", "True", "").await?;
    let taken = look(stage.fleet.member(NL)?, &tenants("acme/ConfigMap/web")?).await?.unwrap_or_default();
    assert_eq!(taken["data"]["value"], "a");
    stage.apply(&second("second").to_string()).await?;
    stage.says("tenantworkloads/acme/second", "Ready", "True", "").await?;
    Ok(())
}

async fn immutable_field(stage: &Stage) -> anyhow::Result<()> {
    let moved = json!({"spec": {"selector": {"matchLabels": {"tier": "x"}}, "template": {"metadata": {"labels": {"tier": "x"}}}}});
    let changed = with(deployment("web", "1"), moved);
    let manifests = [config_map("web", "b"), service("web"), changed];
    stage.apply(&workload("acme", "web", &manifests, json!({})).to_string()).await?;
    let message = stage.says("tenantworkloads/acme/web", "Ready", "False", "ImmutableField").await?;
    says(&message, &["Deployment/web", "spec.selector"]);
    stage.apply(&web("1").to_string()).await?;
    stage.says("tenantworkloads/acme/web", "Ready", "True", "").await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_cannot_be_used_says_why_and_holds_up_nobody() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    let on = |name: &str, country: &str| workload("acme", name, &[deployment(name, "1")], only(country));
    stage.apply(&on("here", "NL").to_string()).await?;
    stage.wait_on(("acme", "here"), &[NL]).await?;
    let good = kubeconfig_of(&stage, NL).await?;
    let broken = [
        ("broken", "this is not a kubeconfig".to_owned(), "False", "KubeconfigInvalid", "broken"),
        (
            "exec",
            spoilt(
                &good,
                "user",
                json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "true", "interactiveMode": "Never"}}),
            )?,
            "False",
            "KubeconfigInvalid",
            "exec",
        ),
        (
            "expired",
            spoilt(&good, "user", json!({"token": "eyJhbGciOiJSUzI1NiJ9.e30.expired"}))?,
            "False",
            "CredentialRefused",
            "kubectl domicile join",
        ),
        (
            "nowhere",
            spoilt(&good, "cluster", json!({"server": "https://127.0.0.1:1"}))?,
            "Unknown",
            "Unreachable",
            "127.0.0.1:1",
        ),
    ];
    for (case, kubeconfig, status, reason, part) in broken {
        put_kubeconfig(&stage, NL, &kubeconfig).await?;
        let message =
            stage.wait_until_said(&format!("memberclusters/{NL}"), ("Ready", status, reason), part).await?;
        says(&message, &[&format!("member-{NL}")]);
        stage.apply(&on(case, "DE").to_string()).await?;
        stage.wait_on(("acme", case), &[DE]).await?;
        put_kubeconfig(&stage, NL, &good).await?;
        stage.says(&format!("memberclusters/{NL}"), "Ready", "True", "").await?;
    }
    stage.wait_on(("acme", "here"), &[NL]).await?;
    assert_eq!(managed(stage.fleet.member(NL)?).await?.len(), 1);

    // It is as it was: the next change of the workload arrives.
    stage.apply(&workload("acme", "here", &[deployment("here", "2")], only("NL")).to_string()).await?;
    stage
        .sees(NL, "acme/Deployment/here", "the new image", |found| {
            found.pointer("/spec/template/spec/containers/0/image") == Some(&json!("example.invalid/here:2"))
        })
        .await?;
    namespaces_of_nobody(&stage).await?;
    nothing_is_forbidden(&stage).await
}

async fn kubeconfig_of(stage: &Stage, member: &str) -> anyhow::Result<String> {
    let path = format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/secrets/member-{member}");
    let mut secret = look(stage.fleet.hub()?, &path).await?.unwrap_or_default();
    let bytes: k8s_openapi::ByteString = serde_json::from_value(secret["data"]["kubeconfig"].take())?;
    Ok(String::from_utf8(bytes.0)?)
}

/// A kubeconfig with another `user`, or with something else in its `cluster`.
fn spoilt(kubeconfig: &str, part: &str, with_this: Value) -> anyhow::Result<String> {
    let mut file: Value = domicile_crds::yaml::from_str(kubeconfig)?;
    let at = if part == "user" { "/users/0/user" } else { "/clusters/0/cluster" };
    if let Some(slot) = file.pointer_mut(at) {
        *slot = if part == "user" { with_this } else { with(slot.take(), with_this) };
    }
    Ok(domicile_crds::yaml::to_string(&file)?)
}

async fn put_kubeconfig(stage: &Stage, member: &str, text: &str) -> anyhow::Result<()> {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": format!("member-{member}"), "namespace": OPERATOR_NAMESPACE},
        "stringData": {"kubeconfig": text},
    });
    stage.apply(&secret.to_string()).await?;
    Ok(())
}

/// A namespace that was there before isn't taken over, and one that two tenants list is nobody's.
async fn namespaces_of_nobody(stage: &Stage) -> anyhow::Result<()> {
    let hub = stage.fleet.hub()?;
    for name in ["plain", "shared"] {
        hub.kubectl(["create", "namespace", name]).text().await?;
    }
    let listing =
        |name: &str, namespaces: Value| with(tenant(name), json!({"spec": {"namespaces": namespaces}}));
    stage
        .apply(&list(&[
            listing("acme", json!(["acme", "plain", "shared"])),
            listing("other", json!(["other", "shared"])),
        ]))
        .await?;
    namespace(stage, "other").await?;
    let plain = workload("plain", "app", &[config_map("app", "a")], json!({}));
    let shared = workload("shared", "app", &[config_map("app", "a")], json!({}));
    stage.apply(&list(&[plain, shared])).await?;
    let message = stage.says("tenantworkloads/plain/app", "Placed", "False", "NamespaceTaken").await?;
    says(&message, &["domicile.dev/tenant=acme"]);
    let message = stage.says("tenantworkloads/shared/app", "Placed", "False", "NamespaceTaken").await?;
    says(&message, &["acme", "other", "spec.namespaces"]);
    for name in ["plain", "shared"] {
        hub.kubectl(["label", "namespace", name, "domicile.dev/tenant=acme"]).text().await?;
    }
    stage.apply(&listing("other", json!(["other"])).to_string()).await?;
    stage.says("tenantworkloads/plain/app", "Ready", "True", "").await?;
    stage.says("tenantworkloads/shared/app", "Ready", "True", "").await?;
    Ok(())
}
