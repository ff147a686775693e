//! What pods can't start, or be found, without: ConfigMaps, claims, ServiceAccounts, and the Service of a StatefulSet.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::pods::{containers, list, spec, text};

/// What an object needs beside Secrets, as kind/name.
#[must_use]
pub fn needs(object: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let Some(fields) = object.as_object() else { return found };
    if fields.get("kind").is_some_and(|kind| kind == "StatefulSet")
        && let Some(service) = text(object, &["spec", "serviceName"]).filter(|name| !name.is_empty())
    {
        found.insert(format!("Service/{service}"));
    }
    if let Some(pod) = spec(fields) {
        of_pod(pod, &mut found);
    }
    found
}

fn of_pod(pod: &Map<String, Value>, found: &mut BTreeSet<String>) {
    let account = pod.get("serviceAccountName").and_then(Value::as_str);
    if let Some(account) = account.filter(|name| !["", "default"].contains(name)) {
        found.insert(format!("ServiceAccount/{account}"));
    }
    for volume in list(pod.get("volumes")) {
        let projected =
            list(volume.pointer("/projected/sources")).filter_map(|source| source.get("configMap"));
        found.extend(volume.get("configMap").into_iter().chain(projected).filter_map(config_map));
        let claim = text(volume, &["persistentVolumeClaim", "claimName"]);
        found.extend(claim.map(|claim| format!("PersistentVolumeClaim/{claim}")));
    }
    for container in containers(pod) {
        let whole = list(container.get("envFrom")).filter_map(|from| from.get("configMapRef"));
        let single = list(container.get("env")).filter_map(|env| env.pointer("/valueFrom/configMapKeyRef"));
        found.extend(whole.chain(single).filter_map(config_map));
    }
}

/// The ConfigMap that must be there.
fn config_map(source: &Value) -> Option<String> {
    let optional = source.get("optional").and_then(Value::as_bool) == Some(true);
    source.get("name").and_then(Value::as_str).filter(|_| !optional).map(|name| format!("ConfigMap/{name}"))
}
