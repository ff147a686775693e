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
        .or_else(|| passed_on_field(manifest))
        .or_else(|| service_field(manifest))
        .or_else(|| egress_field(manifest))
        .or_else(|| retention_field(manifest))
        .or_else(|| selector_field(manifest))
        .or_else(|| claims(manifest).find_map(claim_field))
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
    if !is_empty(at(manifest, "/metadata/finalizers")) {
        return Some("metadata.finalizers");
    }
    at(manifest, "/metadata").and_then(shared_annotation)
}

/// Metadata that Kubernetes gives to what an object makes.
fn passed_on_field(manifest: &Value) -> Option<&'static str> {
    let templates = ["/spec/template", "/spec/jobTemplate", "/spec/jobTemplate/spec/template"];
    let templates = templates.iter().filter_map(|path| at(manifest, path));
    for meta in templates.chain(claims_made(manifest)).filter_map(|made| made.get("metadata")) {
        if !is_empty(meta.get("ownerReferences")) {
            return Some("ownerReferences in a template");
        }
        if !is_empty(meta.get("finalizers")) {
            return Some("finalizers in a template");
        }
        let maps = ["labels", "annotations"].into_iter().filter_map(|map| meta.get(map)?.as_object());
        let is_ours = |key: &String| {
            key.starts_with(keys::GROUP)
                && ![keys::TENANT_LABEL, keys::WORKLOAD_LABEL].contains(&key.as_str())
        };
        // As it is sent, a template carries our labels.
        let sent = [keys::SEAT_LABEL, keys::EPOCH_LABEL];
        if maps.flat_map(|map| map.keys()).any(|key| is_ours(key) && !sent.contains(&key.as_str())) {
            return Some("a key of domicile.dev in a template");
        }
        if let Some(field) = shared_annotation(meta) {
            return Some(field);
        }
    }
    None
}

/// A label of ours that Kubernetes would give to claims, or that would bind an object to one copy.
fn selector_field(manifest: &Value) -> Option<&'static str> {
    if !matches!(kind(manifest), "Deployment" | "StatefulSet" | "Job" | "CronJob") {
        return None;
    }
    let selectors = ["/spec/selector", "/spec/jobTemplate/spec/selector"];
    let mut found = selectors.iter().filter_map(|path| at(manifest, path));
    let names_ours = |selector: &Value| {
        let of_labels = selector.get("matchLabels").and_then(Value::as_object).into_iter();
        let of_rules = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
        of_labels.flat_map(|labels| labels.keys()).any(|key| key.starts_with(keys::GROUP))
            || of_rules.filter_map(|rule| rule.get("key")?.as_str()).any(|key| key.starts_with(keys::GROUP))
    };
    found.any(names_ours).then_some("a key of domicile.dev in a selector")
}

fn shared_annotation(meta: &Value) -> Option<&'static str> {
    let annotations = meta.get("annotations").and_then(Value::as_object)?;
    annotations.keys().find_map(|key| match key.as_str() {
        "kubernetes.io/ingress.class" => Some("the annotation kubernetes.io/ingress.class"),
        "volume.beta.kubernetes.io/storage-class" => {
            Some("the annotation volume.beta.kubernetes.io/storage-class")
        }
        key if key.ends_with("-snippet") || key.ends_with("-snippets") => {
            Some("an annotation with a piece of configuration")
        }
        _ => None,
    })
}

/// The claims that a manifest is or makes.
fn claims(manifest: &Value) -> impl Iterator<Item = &Value> {
    let itself = (kind(manifest) == "PersistentVolumeClaim").then_some(manifest);
    itself.into_iter().chain(claims_made(manifest))
}

fn claims_made(manifest: &Value) -> impl Iterator<Item = &Value> {
    let made = array(manifest, "/spec/volumeClaimTemplates").iter();
    let volumes = pod_spec(manifest).map_or(&[][..], |pod| array(pod, "/volumes"));
    let ephemeral = volumes.iter().filter_map(|volume| at(volume, "/ephemeral/volumeClaimTemplate"));
    made.chain(ephemeral)
}

fn claim_field(claim: &Value) -> Option<&'static str> {
    at(claim, "/spec/volumeName").filter(|name| !name.is_null()).map(|_| "spec.volumeName")
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
    if array(pod, "/volumes").iter().any(|volume| !is_local(volume)) {
        return Some("spec.volumes");
    }
    if text(pod, "/priorityClassName").starts_with("system-") {
        return Some("spec.priorityClassName");
    }
    let given = |field: &str| pod.get(field).is_some_and(|value| !value.is_null());
    if given("priority") || given("nodeName") {
        return Some("spec.priority or spec.nodeName");
    }
    if pod.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|s| s > 3600) {
        return Some("spec.terminationGracePeriodSeconds");
    }
    let lists = ["/containers", "/initContainers", "/ephemeralContainers"];
    let mut containers = lists.iter().flat_map(|list| array(pod, list));
    containers
        .any(|c| is_set(c, "/securityContext/privileged"))
        .then_some("spec.containers.securityContext.privileged")
}

/// Whether a volume is of a source that tenants may use: nothing of another network or of the node.
fn is_local(volume: &Value) -> bool {
    let Some(fields) = volume.as_object() else { return false };
    fields.iter().filter(|(_, value)| !value.is_null()).all(|(field, _)| {
        matches!(
            field.as_str(),
            "name"
                | "configMap"
                | "secret"
                | "projected"
                | "emptyDir"
                | "downwardAPI"
                | "persistentVolumeClaim"
                | "ephemeral"
        )
    })
}

/// What of a workload holds data: a claim, what makes claims, or what mounts one; as kind/name.
pub(crate) fn volume(workload: &TenantWorkload) -> Option<String> {
    let holds = |volume: &Value| {
        ["persistentVolumeClaim", "ephemeral"]
            .iter()
            .any(|source| volume.get(source).is_some_and(|found| !found.is_null()))
    };
    let mounts = |pod: &Value| array(pod, "/volumes").iter().any(holds);
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
