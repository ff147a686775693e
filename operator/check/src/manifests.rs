//! What a manifest says, read without trust.

use domicile_crds::{ALLOWED_KINDS, Classes, InventoryItem, TenantName, TenantWorkload, WorkloadKey, keys};
use serde_json::Value;

pub(crate) fn kind(manifest: &Value) -> &str {
    text(manifest, "/kind")
}

/// As kind/name.
pub(crate) fn label(manifest: &Value) -> String {
    format!("{}/{}", kind(manifest), text(manifest, "/metadata/name"))
}

/// Whether the manifest and the item are the same object.
pub(crate) fn is_item(manifest: &Value, item: &InventoryItem) -> bool {
    kind(manifest) == item.kind
        && text(manifest, "/apiVersion") == item.api_version
        && text(manifest, "/metadata/name") == item.name
}

/// The first thing about a manifest that no tenant may have, as the path of the field.
pub(crate) fn forbidden_field(
    manifest: &Value,
    tenant: &TenantName,
    key: &WorkloadKey,
) -> Option<&'static str> {
    let allowed = |(api, allowed_kind, _): &(&str, &str, &str)| {
        *api == text(manifest, "/apiVersion") && *allowed_kind == kind(manifest)
    };
    if !ALLOWED_KINDS.iter().any(allowed) {
        return Some("kind");
    }
    metadata_field(manifest, tenant, key)
        .or_else(|| service_field(manifest))
        .or_else(|| egress_field(manifest))
        .or_else(|| retention_field(manifest))
        .or_else(|| pod_spec(manifest).and_then(pod_field))
}

fn metadata_field(manifest: &Value, tenant: &TenantName, key: &WorkloadKey) -> Option<&'static str> {
    let namespace = at(manifest, "/metadata/namespace");
    let labels = at(manifest, "/metadata/labels");
    let label_differs = |name: &str, wanted: &str| {
        labels.and_then(|l| l.get(name)).is_some_and(|found| found.as_str() != Some(wanted))
    };
    if text(manifest, "/metadata/name").is_empty() {
        return Some("metadata.name");
    }
    if namespace.is_some_and(|n| n.as_str() != Some(key.namespace.as_str())) {
        return Some("metadata.namespace");
    }
    if label_differs(keys::TENANT_LABEL, tenant.as_str()) {
        return Some("the label domicile.dev/tenant");
    }
    if label_differs(keys::WORKLOAD_LABEL, key.name.as_str()) {
        return Some("the label domicile.dev/workload");
    }
    if !is_empty(at(manifest, "/metadata/ownerReferences")) {
        return Some("metadata.ownerReferences");
    }
    (!is_empty(at(manifest, "/metadata/finalizers"))).then_some("metadata.finalizers")
}

fn service_field(manifest: &Value) -> Option<&'static str> {
    if kind(manifest) != "Service" {
        return None;
    }
    if text(manifest, "/spec/type") == "ExternalName" {
        return Some("spec.type ExternalName");
    }
    (!is_empty(at(manifest, "/spec/externalIPs"))).then_some("spec.externalIPs")
}

fn egress_field(manifest: &Value) -> Option<&'static str> {
    if kind(manifest) != "NetworkPolicy" {
        return None;
    }
    let types = array(manifest, "/spec/policyTypes");
    if types.iter().any(|t| t.as_str() == Some("Egress")) {
        return Some("spec.policyTypes Egress");
    }
    // An empty list counts: it makes a policy for egress.
    at(manifest, "/spec/egress").is_some_and(|e| !e.is_null()).then_some("spec.egress")
}

/// A StatefulSet that says so takes its volumes along, whoever scales it down or removes it.
fn retention_field(manifest: &Value) -> Option<&'static str> {
    if kind(manifest) != "StatefulSet" {
        return None;
    }
    let keeps =
        |path| at(manifest, path).is_none_or(|when| when.is_null() || when.as_str() == Some("Retain"));
    if !keeps("/spec/persistentVolumeClaimRetentionPolicy/whenDeleted") {
        return Some("spec.persistentVolumeClaimRetentionPolicy.whenDeleted");
    }
    let scaled = keeps("/spec/persistentVolumeClaimRetentionPolicy/whenScaled");
    (!scaled).then_some("spec.persistentVolumeClaimRetentionPolicy.whenScaled")
}

fn pod_field(pod: &Value) -> Option<&'static str> {
    let is_set = |value: &Value, path: &str| at(value, path).and_then(Value::as_bool) == Some(true);
    let host =
        [("/hostNetwork", "spec.hostNetwork"), ("/hostPID", "spec.hostPID"), ("/hostIPC", "spec.hostIPC")];
    if let Some((_, field)) = host.iter().find(|(path, _)| is_set(pod, path)) {
        return Some(field);
    }
    let on_host = |volume: &Value| volume.get("hostPath").is_some_and(|path| !path.is_null());
    if array(pod, "/volumes").iter().any(on_host) {
        return Some("spec.volumes.hostPath");
    }
    let lists = ["/containers", "/initContainers", "/ephemeralContainers"];
    let mut containers = lists.iter().flat_map(|list| array(pod, list));
    containers
        .any(|c| is_set(c, "/securityContext/privileged"))
        .then_some("spec.containers.securityContext.privileged")
}

/// What of a workload holds data: a claim, what makes claims, or what mounts one; as kind/name.
pub(crate) fn volume(workload: &TenantWorkload) -> Option<String> {
    let mounts =
        |pod: &Value| array(pod, "/volumes").iter().any(|v| v.get("persistentVolumeClaim").is_some());
    let holds_data = |manifest: &&Value| {
        kind(manifest) == "PersistentVolumeClaim"
            || !array(manifest, "/spec/volumeClaimTemplates").is_empty()
            || pod_spec(manifest).is_some_and(mounts)
    };
    workload.spec.manifests.iter().find(holds_data).map(label)
}

/// The StorageClasses and IngressClasses that a manifest names and a member doesn't have.
pub(crate) fn classes_not_served(manifest: &Value, classes: &Classes) -> Vec<String> {
    let claims = array(manifest, "/spec/volumeClaimTemplates").iter();
    let pod_volumes = pod_spec(manifest).map_or(&[][..], |pod| array(pod, "/volumes"));
    let ephemeral = pod_volumes.iter().filter_map(|v| at(v, "/ephemeral/volumeClaimTemplate"));
    let storage = claims.chain(ephemeral).map(|claim| text(claim, "/spec/storageClassName"));
    let mut missing: Vec<&str> = storage.filter(|c| !classes.storage.contains_key(*c)).collect();
    let direct = match kind(manifest) {
        "PersistentVolumeClaim" => (text(manifest, "/spec/storageClassName"), &classes.storage),
        "Ingress" => (text(manifest, "/spec/ingressClassName"), &classes.ingress),
        _ => ("", &classes.storage),
    };
    if !direct.1.contains_key(direct.0) {
        missing.push(direct.0);
    }
    // The empty name asks for no class.
    missing.into_iter().filter(|class| !class.is_empty()).map(str::to_owned).collect()
}

/// The spec of the pods that a manifest makes.
pub(crate) fn pod_spec(manifest: &Value) -> Option<&Value> {
    match kind(manifest) {
        "Deployment" | "StatefulSet" | "Job" => at(manifest, "/spec/template/spec"),
        "CronJob" => at(manifest, "/spec/jobTemplate/spec/template/spec"),
        _ => None,
    }
}

/// As `Value::pointer`, which allocates at each step, for paths without escapes.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/').skip(1).try_fold(value, |value, key| value.get(key))
}

pub(crate) fn array<'a>(value: &'a Value, path: &str) -> &'a [Value] {
    at(value, path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

pub(crate) fn text<'a>(value: &'a Value, path: &str) -> &'a str {
    at(value, path).and_then(Value::as_str).unwrap_or_default()
}

fn is_empty(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    }
}
