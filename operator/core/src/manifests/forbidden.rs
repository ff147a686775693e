//! What a tenant may not set in a manifest.

use domicile_crds::keys;
use serde_json::Value;

use super::{Kind, list, pods};

/// A field that would reach beyond the tenant's own objects, or that is Domicile's.
pub(super) fn forbidden_field(kind: Kind, manifest: &Value) -> Option<&'static str> {
    let has = |path: &str| manifest.pointer(path).is_some_and(|v| !v.is_null());
    if has("/metadata/ownerReferences") {
        return Some("metadata.ownerReferences");
    }
    if has("/metadata/finalizers") {
        return Some("metadata.finalizers");
    }
    if has("/metadata/generateName") {
        return Some("metadata.generateName");
    }
    let keys = ["/metadata/labels", "/metadata/annotations", "/spec/template/metadata/labels"];
    let ours = |path: &&str| {
        let object = manifest.pointer(path).and_then(Value::as_object);
        object.is_some_and(|o| o.keys().any(|key| key.starts_with(keys::GROUP)))
    };
    if keys.iter().any(ours) {
        return Some("a label or annotation that begins with domicile.dev");
    }
    let is = |path: &str, value: &str| manifest.pointer(path).and_then(Value::as_str) == Some(value);
    match kind.name() {
        "Service" if is("/spec/type", "ExternalName") => Some("spec.type ExternalName"),
        "Service" if has("/spec/externalIPs") => Some("spec.externalIPs"),
        "NetworkPolicy" if has("/spec/egress") => Some("spec.egress"),
        "NetworkPolicy" if list(manifest, "/spec/policyTypes").iter().any(|t| t == "Egress") => {
            Some("policy type Egress")
        }
        "StatefulSet" if deletes_claims(manifest) => Some("spec.persistentVolumeClaimRetentionPolicy Delete"),
        _ => pods(kind, manifest).and_then(pod_field),
    }
}

/// Whether Kubernetes would delete the claims of a StatefulSet with its pods: a suspension, which scales to zero, would
/// destroy what it is to preserve.
fn deletes_claims(manifest: &Value) -> bool {
    ["whenDeleted", "whenScaled"].into_iter().any(|when| {
        let policy = manifest.pointer(&format!("/spec/persistentVolumeClaimRetentionPolicy/{when}"));
        policy.is_some_and(|policy| !policy.is_null() && policy != "Retain")
    })
}

/// What would give pods more of a node than their containers. Pod Security says the same on the member, but only to
/// the controller that then can't make them.
fn pod_field(pods: &Value) -> Option<&'static str> {
    let yes = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_bool) == Some(true);
    let on_node = |volume: &Value| volume.get("hostPath").is_some_and(|path| !path.is_null());
    let mut containers = ["/containers", "/initContainers", "/ephemeralContainers"]
        .into_iter()
        .flat_map(|kind| list(pods, kind));
    if yes(pods, "/hostNetwork") {
        Some("hostNetwork")
    } else if yes(pods, "/hostPID") {
        Some("hostPID")
    } else if yes(pods, "/hostIPC") {
        Some("hostIPC")
    } else if list(pods, "/volumes").iter().any(on_node) {
        Some("a hostPath volume")
    } else {
        containers.any(|container| yes(container, "/securityContext/privileged")).then_some("privileged")
    }
}
