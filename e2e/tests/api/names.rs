//! That names find our kinds, also beside others' of like names.

use anyhow::{bail, ensure};
use domicile_e2e::fleet::Cluster;
use serde_json::{Value, json};

use crate::{
    Kind, kinds,
    refused::{Table, tables},
};

/// Others' definitions of like names, as (group, plural, kind, short names). The first four are real projects'.
const FOREIGN: [(&str, &str, &str, &[&str]); 9] = [
    ("pkg.crossplane.io", "providers", "Provider", &[]),
    ("notification.toolkit.fluxcd.io", "providers", "Provider", &[]),
    ("kueue.x-k8s.io", "workloads", "Workload", &["wl"]),
    ("capsule.clastix.io", "tenants", "Tenant", &["tnt"]),
    ("cms.example.com", "sites", "Site", &["site"]),
    ("schema.example.com", "migrations", "Migration", &["mig"]),
    ("board.example.com", "decisions", "Decision", &["decision"]),
    ("packages.example.com", "installations", "Installation", &["inst"]),
    ("school.example.com", "assignments", "Assignment", &["as"]),
];

fn foreign(group: &str, plural: &str, kind: &str, short: &[&str]) -> Value {
    let anything =
        json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "shortNames": short},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": anything}],
        },
    })
}

pub(crate) async fn all(hub: &Cluster) -> anyhow::Result<Vec<String>> {
    let list: Vec<_> =
        FOREIGN.iter().map(|(group, plural, kind, short)| foreign(group, plural, kind, short)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": list}).to_string();
    hub.kubectl(["apply", "--server-side", "-f", "-"]).stdin(list.clone()).text().await?;
    hub.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "-f", "-"])
        .stdin(list)
        .text()
        .await?;
    for (group, plural, kind, _) in FOREIGN {
        let object =
            json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": "foreign"}});
        hub.kubectl(["apply", "--server-side", "-f", "-"]).stdin(object.to_string()).text().await?;
        let got = hub.kubectl(["get", &format!("{plural}.{group}"), "-o", "name"]).text().await?;
        ensure!(got.trim().ends_with("/foreign"), "{plural}.{group}: {got}");
    }
    // Of the kinds that only the operator writes, the examples have none.
    for Table { base, .. } in tables()? {
        if matches!(base["kind"].as_str(), Some("Assignment" | "Migration" | "Relocation")) {
            hub.kubectl(["apply", "--server-side", "-f", "-"]).stdin(base.to_string()).text().await?;
        }
    }
    let mut failures = Vec::new();
    let all = hub.kubectl(["get", "domicile", "-A", "-o", "name"]).text().await?;
    if all.contains("/foreign") {
        failures.push(format!("`kubectl get domicile -A` shows what isn't ours: {all}"));
    }
    for (kind, Kind { plural, short, .. }) in kinds() {
        let singular = kind.to_lowercase();
        if !all.contains(&format!("{singular}.domicile.dev/")) {
            failures.push(format!("`kubectl get domicile -A` shows no {kind}"));
        }
        for name in [format!("{plural}.domicile.dev"), format!("{singular}.v1alpha1.domicile.dev"), short] {
            let got = hub.kubectl(["get", &name, "-A", "-o", "name"]).text().await?;
            let ours = |line: &str| line.starts_with(&format!("{singular}.domicile.dev/"));
            if got.trim().is_empty() || !got.lines().all(ours) {
                failures.push(format!("`kubectl get {name} -A` shows `{}`", got.trim()));
            }
        }
    }
    failures.extend(one_workload(hub).await?);
    let table = hub.kubectl(["get", "tw", "-A"]).text().await?;
    let columns: Vec<_> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    if columns != ["NAMESPACE", "NAME", "CLUSTER", "COUNTRY", "PROVIDER", "COMPLIANT", "READY", "AGE"] {
        failures.push(format!("`kubectl get tw -A` has the columns {columns:?}"));
    }
    Ok(failures)
}

/// What the documentation does with one workload: explain it, wait for it, look at it.
async fn one_workload(hub: &Cluster) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    let explained = hub.kubectl(["explain", "tenantworkload.spec"]).text().await?;
    if !explained.contains("domicile.dev") || !explained.contains("  manifests\t") {
        failures.push(format!("`kubectl explain tenantworkload.spec` beside others says {explained}"));
    }
    let found = hub.kubectl(["get", "tw", "-A", "--no-headers"]).text().await?;
    let mut words = found.split_whitespace();
    let (Some(namespace), Some(name)) = (words.next(), words.next()) else {
        bail!("the examples have no workload")
    };
    let status = json!({"status": {"observedGeneration": 1, "conditions": [{
        "type": "Ready", "status": "True", "reason": "Ready", "message": "1 of 1 copies are ready",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }]}});
    let patch =
        ["patch", "tenantworkload", name, "--subresource=status", "--type=merge", "-p", &status.to_string()];
    hub.kubectl(["-n", namespace]).args(patch).text().await?;
    for resource in ["tenantworkload", "tw", "tenantworkloads.domicile.dev"] {
        let object = format!("{resource}/{name}");
        let wait = ["wait", "--for=condition=Ready", &object, "--timeout=10s"];
        let waited = hub.kubectl(["-n", namespace]).args(wait).output().await?;
        let said = String::from_utf8_lossy(&waited.stdout);
        if said.trim() != format!("tenantworkload.domicile.dev/{name} condition met") {
            let error = String::from_utf8_lossy(&waited.stderr);
            failures.push(format!("`kubectl wait --for=condition=Ready {object}` says {said}{error}"));
        }
    }
    let described = hub.kubectl(["-n", namespace, "describe", "tenantworkload", name]).text().await?;
    if !described.contains("1 of 1 copies are ready") {
        failures.push(format!("`kubectl describe tenantworkload {name}` says {described}"));
    }
    Ok(failures)
}
