//! The fleet itself: what every other end-to-end test takes for granted.

use std::time::Duration;

use anyhow::{Context, anyhow, ensure};
use domicile_e2e::fleet::wait::eventually;
use domicile_e2e::fleet::{Cluster, ClusterOptions, Fleet, Program};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Client, Resource};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

const DEADLINE: Duration = Duration::from_mins(1);

/// Server-side apply into the namespace `default`, as everything in Domicile writes.
async fn apply<K>(client: &Client, object: Value) -> anyhow::Result<K>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
        + DeserializeOwned
        + Clone
        + std::fmt::Debug,
{
    let name = object.pointer("/metadata/name").and_then(Value::as_str).context("no name")?.to_owned();
    let api = Api::<K>::namespaced(client.clone(), "default");
    Ok(api.patch(&name, &PatchParams::apply("test"), &Patch::Apply(object)).await?)
}

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "value"}})
}

fn deployment(name: &str, replicas: i32) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "web", "image": "web:1"}]},
            },
        },
    })
}

async fn has_ready_replicas(client: &Client, name: &str, wanted: i32) -> anyhow::Result<()> {
    let deployments = Api::<Deployment>::namespaced(client.clone(), "default");
    eventually(DEADLINE, "ready replicas", || async {
        let status = deployments.get(name).await?.status.context("no status")?;
        match status.ready_replicas {
            Some(ready) if ready == wanted => Ok(Some(())),
            other => Err(anyhow!("{other:?} of {wanted} ready replicas")),
        }
    })
    .await
}

async fn has_config_map(cluster: &Cluster, name: &str) -> anyhow::Result<bool> {
    let api = Api::<ConfigMap>::namespaced(cluster.client(), "default");
    Ok(api.get_opt(name).await?.is_some())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_and_a_member_come_up() -> anyhow::Result<()> {
    let member = ClusterOptions::member().nodes(3).topology("nl-ams", "nl-ams-1");
    let mut fleet = Fleet::builder().hub().member("nl-ams-1", member).start().await?;
    fleet.add_member("ch-zrh-1", &ClusterOptions::member().nodes(0)).await?;
    for cluster in fleet.clusters() {
        let namespaces = Api::<Namespace>::all(cluster.client()).list(&ListParams::default()).await?;
        ensure!(namespaces.iter().any(|namespace| namespace.metadata.name.as_deref() == Some("default")));
        let usage = cluster.usage()?;
        assert!(usage[&Program::Apiserver].cpu_seconds > 0.0, "{usage:?}");
        assert!(
            usage.values().all(|one| one.rss_bytes > 1 << 20 && one.peak_rss_bytes >= one.rss_bytes),
            "{usage:?}"
        );
    }
    let nodes = Api::<Node>::all(fleet.member("nl-ams-1")?.client()).list(&ListParams::default()).await?;
    let zones: Vec<_> = nodes
        .iter()
        .filter_map(|node| node.metadata.labels.as_ref()?.get("topology.kubernetes.io/zone"))
        .collect();
    assert_eq!(zones, ["nl-ams-1"; 3]);
    let names: Vec<_> = fleet.members().map(|member| member.name()).collect();
    assert_eq!(names, ["ch-zrh-1", "nl-ams-1"]);
    let output = fleet.kubectl(fleet.member("nl-ams-1")?, &["get", "nodes", "--no-headers"]).await?;
    let table = String::from_utf8(output.stdout)?;
    assert_eq!(table.lines().filter(|line| line.contains(" Ready ")).count(), 3, "{table}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn workloads_become_ready_without_containers() -> anyhow::Result<()> {
    let fleet = Fleet::builder().member("nl-ams-1", ClusterOptions::member().volumes(1)).start().await?;
    let cluster = fleet.member("nl-ams-1")?;
    let client = cluster.client();
    apply::<Deployment>(&client, deployment("web", 5)).await?;
    let mut store = deployment("store", 1);
    store["kind"] = json!("StatefulSet");
    store["spec"]["volumeClaimTemplates"] = json!([{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }]);
    apply::<StatefulSet>(&client, store).await?;
    has_ready_replicas(&client, "web", 5).await?;
    let sets = Api::<StatefulSet>::namespaced(client, "default");
    eventually(DEADLINE, "the volume's pod", || async {
        let status = sets.get("store").await?.status.context("no status")?;
        Ok((status.ready_replicas == Some(1)).then_some(()))
    })
    .await?;
    let job = "kind: Job\napiVersion: batch/v1\nmetadata: {name: once}\nspec: {template: {spec: \
               {restartPolicy: Never, containers: [{name: one, image: one}]}}}";
    cluster.kubectl(["create", "-f", "-"]).stdin(job).text().await?;
    cluster.kubectl(["wait", "--for=condition=Complete", "job/once", "--timeout=60s"]).text().await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_fleets_started_at_once_do_not_meet() -> anyhow::Result<()> {
    let fleet = || Fleet::builder().hub().member("nl-ams-1", ClusterOptions::member().nodes(0)).start();
    let (one, other) = tokio::try_join!(fleet(), fleet())?;
    let mut endpoints: Vec<_> = one.clusters().chain(other.clusters()).map(Cluster::endpoint).collect();
    endpoints.sort_unstable();
    endpoints.dedup();
    assert_eq!(endpoints.len(), 4);
    assert_ne!(one.dir(), other.dir());
    apply::<ConfigMap>(&one.hub()?.client(), config_map("mine")).await?;
    assert!(has_config_map(one.hub()?, "mine").await?);
    assert!(!has_config_map(other.hub()?, "mine").await?);
    // What ends with one fleet does not end with the other.
    one.stop();
    assert!(!has_config_map(other.member("nl-ams-1")?, "mine").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_server_that_is_killed_returns_with_its_data() -> anyhow::Result<()> {
    let fleet = Fleet::builder().member("nl-ams-1", ClusterOptions::member()).start().await?;
    let member = fleet.member("nl-ams-1")?;
    let (endpoint, pids) = (member.endpoint().to_owned(), member.pids());
    apply::<ConfigMap>(&member.client(), config_map("kept")).await?;
    member.kill_apiserver();
    assert_eq!(member.apiserver_pid(), None);
    let refused = has_config_map(member, "kept").await.unwrap_err();
    assert!(format!("{refused:#}").contains("refused"), "{refused:#}");
    member.restart_apiserver().await?;
    assert_eq!(member.endpoint(), endpoint);
    assert!(has_config_map(member, "kept").await?);
    // The others were there all the time and go on as before, but for who would have lost its lease.
    let now = member.pids();
    let changed: Vec<_> = now.iter().filter(|one| pids.get(one.0) != Some(one.1)).map(|one| *one.0).collect();
    assert_eq!((changed, now.len()), (vec![Program::Apiserver, Program::ControllerManager], pids.len()));
    apply::<Deployment>(&member.client(), deployment("web", 2)).await?;
    has_ready_replicas(&member.client(), "web", 2).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_api_server_hangs_until_it_is_resumed() -> anyhow::Result<()> {
    let fleet = Fleet::builder().hub().start().await?;
    let hub = fleet.hub()?;
    let configs = Api::<ConfigMap>::namespaced(hub.client(), "default");
    hub.pause().await?;
    let answer = tokio::time::timeout(Duration::from_secs(1), configs.get_opt("any")).await;
    assert!(answer.is_err(), "a paused API server answered: {answer:?}");
    hub.resume()?;
    eventually(DEADLINE, "an answer after resuming", || async { Ok(Some(configs.get_opt("any").await?)) })
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_may_what_rbac_says() -> anyhow::Result<()> {
    let fleet = Fleet::builder().hub().start().await?;
    let hub = fleet.hub()?;
    let groups = ["auditors", "domicile:readers"];
    let auditor = Api::<ConfigMap>::all(hub.client_for("auditor", &groups).await?);
    let refused = auditor.list(&ListParams::default()).await.unwrap_err();
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 403), "{refused}");
    // The second group, since a certificate with only one of them would be an easy mistake to make.
    let bind = ["create", "clusterrolebinding", "readers", "--clusterrole=view", "--group=domicile:readers"];
    hub.kubectl(bind).text().await?;
    eventually(DEADLINE, "the binding to count", || async {
        Ok(Some(auditor.list(&ListParams::default()).await?))
    })
    .await?;
    let stranger = Api::<ConfigMap>::all(hub.client_for("stranger", &[]).await?);
    assert!(stranger.list(&ListParams::default()).await.is_err());

    let kubeconfig = hub.kubeconfig_for("auditor", &groups)?;
    let text = std::fs::read_to_string(&kubeconfig)?;
    assert!(text.contains("certificate-authority-data") && !text.contains("insecure"), "{text}");
    let me = hub
        .kubectl(["auth", "whoami", "-o", "jsonpath={.status.userInfo}"])
        .kubeconfig(kubeconfig)
        .text()
        .await?;
    let me: Value = serde_json::from_str(&me)?;
    assert_eq!(me["username"], "auditor");
    assert_eq!(me["groups"], json!(["auditors", "domicile:readers", "system:authenticated"]));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_are_counted() -> anyhow::Result<()> {
    let fleet = Fleet::builder().hub().start().await?;
    let hub = fleet.hub()?;
    let before = hub.metrics().await?;
    for name in ["one", "two", "two"] {
        apply::<ConfigMap>(&hub.client(), config_map(name)).await?;
    }
    has_config_map(hub, "one").await?;
    let written = eventually(DEADLINE, "the third write to be counted", || async {
        // Only ours: the controllers of a young cluster write too, and one of them applies ClusterRoles.
        let writes = hub.metrics().await?.since(&before).writes();
        let ours = writes.filter(|key| key.verb == "APPLY" && key.resource == "configmaps");
        Ok((ours.total() >= 3).then_some(ours))
    })
    .await?;
    let seen: Vec<_> = written.iter().map(|(key, count)| (key.resource.as_str(), key.code, count)).collect();
    assert_eq!(seen, [("configmaps", 200, 1), ("configmaps", 201, 2)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_does_not_start_says_why() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let bad = ClusterOptions::hub().arg(Program::Apiserver, "--no-such-flag");
    let error = Fleet::builder().hub_with(bad).dir(dir.path()).start().await.unwrap_err();
    let text = format!("{error:#}");
    for part in [
        "cannot start cluster hub",
        "kube-apiserver of hub ended",
        "unknown flag: --no-such-flag",
        "kube-apiserver.log",
    ] {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }

    let taken = std::net::TcpListener::bind("127.0.0.1:0")?;
    let flag = format!("--secure-port={}", taken.local_addr()?.port());
    let bad = ClusterOptions::hub().arg(Program::Apiserver, &flag);
    let error = Fleet::builder().hub_with(bad).dir(dir.path()).start().await.unwrap_err();
    let text = format!("{error:#}");
    assert!(text.contains("address already in use") && text.contains(&flag), "{text}");
    Ok(())
}

/// Nobody has an image compiled for minutes to be told that there is no engine.
#[test]
fn real_clusters_without_an_engine_are_refused_before_anything_is_built() {
    let mut make = std::process::Command::new("make");
    make.args(["kind"]).current_dir(domicile_e2e::stage::root());
    let told = make.env("DOCKER_HOST", "tcp://127.0.0.1:1").output().unwrap();
    let words = String::from_utf8_lossy(&told.stderr);
    assert!(words.contains("no Docker engine answers at DOCKER_HOST=tcp://127.0.0.1:1: start it"), "{words}");
    assert!(!words.contains("Compiling") && !words.contains("Finished"), "{words}");
}
