//! The largest workloads that are allowed are judged, and what nobody could judge in time is refused at once.

use std::time::{Duration, Instant};

use domicile_crds::{MANIFESTS_BYTES_MAX, MANIFESTS_MAX};
use domicile_e2e::props::{config_map, deployment, with, workload};
use serde_json::{Value, json};

use crate::{
    asking::{API, Ask},
    ground::Ground,
};

/// A request that took longer would hold up others; without the limit of 256 entries it was half a minute.
const AT_MOST: Duration = Duration::from_secs(10);

fn many(count: usize, one: impl Fn(usize) -> Value) -> Vec<Value> {
    (0..count).map(one).collect()
}

fn keys(count: usize) -> Value {
    (0..count).map(|at| (format!("k{at}"), json!(""))).collect::<serde_json::Map<_, _>>().into()
}

/// As many Deployments as there may be, with containers, volumes and labels, and 512 KiB in all.
fn lawful() -> Value {
    let fields = json!({"spec": {"template": {
        "metadata": {"labels": keys(60), "annotations": keys(60)},
        "spec": {
            "containers": many(40, |at| json!({
                "name": format!("c{at}"), "image": "example.invalid/a:1", "securityContext": {"privileged": false},
            })),
            "volumes": many(60, |at| json!({"name": format!("v{at}"), "emptyDir": {}})),
        },
    }}});
    filled(|name| with(deployment(name, "1"), fields.clone()))
}

/// As many manifests as there may be, with annotations up to 512 KiB in all.
fn filled(one: impl Fn(&str) -> Value) -> Value {
    let each = MANIFESTS_BYTES_MAX / MANIFESTS_MAX;
    let manifests = many(MANIFESTS_MAX, |at| {
        let manifest = one(&format!("n-{at}"));
        let room = each.saturating_sub(manifest.to_string().len() + 60);
        with(manifest, json!({"metadata": {"annotations": {"filler": "x".repeat(room)}}}))
    });
    workload("bakery", "large", &manifests, json!({}))
}

fn crowded(spec: &Value) -> Value {
    let object =
        json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "a"}, "spec": spec});
    workload("bakery", "crowded", &[object], json!({}))
}

pub(crate) async fn all(ground: &Ground) -> anyhow::Result<Vec<String>> {
    let pods = |fields: Value| crowded(&json!({"template": {"spec": fields}}));
    let cases = [
        (filled(|name| config_map(name, "a")), None),
        (lawful(), None),
        (crowded(&json!({"template": {"metadata": {"labels": keys(40_000)}}})), Some("more than 256 labels")),
        (
            crowded(&json!({"template": {"metadata": {"annotations": keys(40_000)}}})),
            Some("more than 256 annotations"),
        ),
        (pods(json!({"volumes": many(15_000, |_| json!({"emptyDir": {}}))})), Some("more than 256 volumes")),
        (pods(json!({"volumes": [keys(40_000)]})), Some("more than 256 fields of a volume")),
        (pods(json!({"initContainers": many(90_000, |_| json!({}))})), Some("more than 256 initContainers")),
        (
            crowded(&json!({"volumeClaimTemplates": many(90_000, |_| json!({}))})),
            Some("more than 256 volumeClaimTemplates"),
        ),
        (crowded(&json!({"policyTypes": many(90_000, |_| json!("")) })), Some("more than 256 policyTypes")),
    ];
    let path = format!("{API}/namespaces/bakery/tenantworkloads?dryRun=All");
    let mut failures = Vec::new();
    for (object, says) in cases {
        let begin = Instant::now();
        let what = format!("a workload of {} bytes", object.to_string().len());
        let ask = Ask::create(&path, &object);
        failures.extend(match (ask.to(&ground.anna).await, says) {
            (Ok(_), None) => None,
            (Err(refusal), Some(says)) if refusal.contains(says) => None,
            (answer, _) => Some(format!("{what} gets {:?}, wanted {says:?}", answer.err())),
        });
        if begin.elapsed() > AT_MOST {
            failures.push(format!("{what} took {:?}", begin.elapsed()));
        }
    }
    Ok(failures)
}
