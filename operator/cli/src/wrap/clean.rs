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

/// What controllers note on objects.
const NOTED: [&str; 6] = [
    "deployment.kubernetes.io/revision",
    "pv.kubernetes.io/bind-completed",
    "pv.kubernetes.io/bound-by-controller",
    "volume.kubernetes.io/selected-node",
    "volume.kubernetes.io/storage-provisioner",
    "volume.beta.kubernetes.io/storage-provisioner",
];

/// Whether an annotation is a controller's or kubectl's note, which may change at any time and says nothing of what is wanted.
#[must_use]
pub fn is_noted(annotation: &str) -> bool {
    NOTED.contains(&annotation) || annotation == LAST_APPLIED
}

/// Whether a finalizer is one of Kubernetes' own, such as that of a claim in use or of a load balancer.
fn is_of_kubernetes(finalizer: &str) -> bool {
    ["kubernetes.io/", "service.kubernetes.io/"].iter().any(|group| finalizer.starts_with(group))
}

/// Labels by which a Job knows its pods.
const OF_JOB: [&str; 4] =
    ["controller-uid", "batch.kubernetes.io/controller-uid", "job-name", "batch.kubernetes.io/job-name"];

/// Removes what a cluster has filled in of an object that was read from it, and what would be wrong in any other: addresses,
/// volumes, selectors with uids, finalizers of Kubernetes' own.
pub(super) fn unbind(object: &mut Map<String, Value>) {
    let kind = object.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(Value::Object(meta)) = object.get_mut("metadata") {
        if let Some(Value::Array(finalizers)) = meta.get_mut("finalizers") {
            finalizers.retain(|it| !it.as_str().is_some_and(is_of_kubernetes));
            if finalizers.is_empty() {
                meta.remove("finalizers");
            }
        }
        remove_keys(meta, "annotations", &NOTED);
    }
    let spec = object.get_mut("spec").and_then(Value::as_object_mut);
    match (kind.as_str(), spec) {
        ("Service", Some(spec)) => {
            let headless = spec.get("clusterIP").is_some_and(|address| address == "None");
            for field in ["clusterIP", "clusterIPs", "ipFamilies", "healthCheckNodePort"] {
                if !(headless && field.starts_with("clusterIP")) {
                    spec.remove(field);
                }
            }
            for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
                port.as_object_mut().map(|port| port.remove("nodePort"));
            }
        }
        ("PersistentVolumeClaim", Some(spec)) => drop(spec.remove("volumeName")),
        ("StatefulSet", Some(spec)) => {
            let claims = spec.get_mut("volumeClaimTemplates").and_then(Value::as_array_mut);
            for claim in claims.into_iter().flatten().filter_map(Value::as_object_mut) {
                claim.remove("status");
            }
        }
        ("Job", Some(spec)) if spec.get("manualSelector") != Some(&Value::Bool(true)) => {
            spec.remove("selector");
            let template = spec.get_mut("template").and_then(|template| template.get_mut("metadata"));
            if let Some(Value::Object(meta)) = template {
                remove_keys(meta, "labels", &OF_JOB);
            }
            if let Some(Value::Object(meta)) = object.get_mut("metadata") {
                remove_keys(meta, "labels", &OF_JOB);
            }
        }
        ("ServiceAccount", _) => drop(object.remove("secrets")),
        _ => {}
    }
}

fn remove_keys(meta: &mut Map<String, Value>, field: &str, keys: &[&str]) {
    if let Some(Value::Object(map)) = meta.get_mut(field) {
        map.retain(|key, _| !keys.contains(&key.as_str()));
        if map.is_empty() {
            meta.remove(field);
        }
    }
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
