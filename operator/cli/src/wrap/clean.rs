//! What a cluster or a tool added to an object, and what only kubectl would understand.

use serde_json::{Map, Value};

use super::pods;

/// Fields of metadata that the API server writes.
const SERVER_FIELDS: [&str; 7] = [
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// What client-side `kubectl apply` leaves behind: the whole object a second time.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Whether a cluster has had this object in its hands.
pub(super) fn is_exported(object: &Map<String, Value>) -> bool {
    object
        .get("metadata")
        .is_some_and(|meta| meta.get("uid").is_some() || meta.get("resourceVersion").is_some())
}

/// Removes what isn't the author's. The namespace is the workload's.
pub(super) fn clean(object: &mut Map<String, Value>) {
    object.remove("status");
    if let Some(Value::Object(meta)) = object.get_mut("metadata") {
        meta.remove("namespace");
        for field in SERVER_FIELDS {
            meta.remove(field);
        }
        if let Some(Value::Object(annotations)) = meta.get_mut("annotations") {
            annotations.remove(LAST_APPLIED);
            if annotations.is_empty() {
                meta.remove("annotations");
            }
        }
    }
    object.values_mut().for_each(drop_nulls);
    if let Some(Value::Array(volumes)) = pods::spec_mut(object).and_then(|spec| spec.get_mut("volumes")) {
        volumes.iter_mut().for_each(octal_modes);
    }
}

/// A null field is an absent one to Kubernetes, but would be kept in the embedded object as it is.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|_, value| !value.is_null());
            map.values_mut().for_each(drop_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

/// `defaultMode: 0644` is a number to kubectl (YAML 1.1) and a string to YAML 1.2, which our reader
/// follows. In a volume, where these fields are, nothing else can be meant.
fn octal_modes(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "defaultMode" || key == "mode" => {
                        let digits = text.strip_prefix('0').unwrap_or_default();
                        if let Ok(mode) = i64::from_str_radix(digits, 8) {
                            *value = Value::from(mode);
                        }
                    }
                    other => octal_modes(other),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(octal_modes),
        _ => {}
    }
}
