//! The operator's pods are such as the strictest Pod Security level takes.

use anyhow::{Context as _, ensure};
use domicile_e2e::{fleet::Cluster, props::with};
use serde_json::{Value, json};

use domicile_e2e::helm::NAMESPACE;

/// A pod of the Deployment, as the API server's own admission sees it. Nothing is made.
async fn try_pod(hub: &Cluster, pod: &Value) -> anyhow::Result<Result<(), String>> {
    let create = ["create", "--dry-run=server", "-f", "-"];
    let output = hub.kubectl(create).stdin(pod.to_string()).output().await?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    Ok(if output.status.success() { Ok(()) } else { Err(words) })
}

pub(crate) async fn are_restricted(hub: &Cluster) -> anyhow::Result<()> {
    let label = ["label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted"];
    hub.kubectl(label).text().await?;
    let get = ["-n", NAMESPACE, "get", "deployment", "domicile-operator", "-o", "json"];
    let deployment: Value = serde_json::from_str(&hub.kubectl(get).text().await?)?;
    let template = deployment.pointer("/spec/template").context("no template")?;
    let meta = json!({"name": "try", "namespace": NAMESPACE, "labels": template["metadata"]["labels"]});
    let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]});
    if let Err(words) = try_pod(hub, &pod).await? {
        anyhow::bail!("the operator's pod is refused: {words}");
    }
    // That it is looked at shows by what is refused.
    let sly = with(pod, json!({"spec": {"hostNetwork": true}}));
    let refused = try_pod(hub, &sly).await?.err().unwrap_or_default();
    ensure!(refused.contains("violates PodSecurity \"restricted"), "{refused}");
    let container = &template["spec"]["containers"][0];
    ensure!(container["securityContext"]["readOnlyRootFilesystem"] == true, "{container}");
    ensure!(template["spec"]["securityContext"]["runAsUser"] == 65532, "{template}");
    Ok(())
}
