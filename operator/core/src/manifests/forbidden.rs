//! What a tenant may not set in a manifest: docs/rules.md, "What a manifest may say".

use domicile_crds::keys;
use serde_json::Value;

use super::{Kind, list, pods};

/// The sources of volumes that stay on the member and that Pod Security, quotas and network policies are about.
const VOLUMES: [&str; 7] =
    ["configMap", "secret", "projected", "emptyDir", "downwardAPI", "persistentVolumeClaim", "ephemeral"];
/// Annotations that name a class and win over the field that does.
const CLASSES: [&str; 2] = ["volume.beta.kubernetes.io/storage-class", "kubernetes.io/ingress.class"];
/// Longest time that pods may take to end, in seconds: as long as a source may drain.
const GRACE_MAX: i64 = 3600;

/// A field that would reach beyond the tenant's own objects, or that is Domicile's.
pub(super) fn forbidden_field(kind: Kind, manifest: &Value) -> Option<String> {
    let has = |path: &str| manifest.pointer(path).is_some_and(|v| !v.is_null());
    if has("/metadata/generateName") {
        return Some("metadata.generateName".to_owned());
    }
    if let Some(found) = metadata_fields(kind, manifest) {
        return Some(found);
    }
    let is = |path: &str, value: &str| manifest.pointer(path).and_then(Value::as_str) == Some(value);
    let field = match kind.name() {
        "Service" if is("/spec/type", "ExternalName") => "spec.type ExternalName",
        "Service" if has("/spec/externalIPs") => "spec.externalIPs",
        "NetworkPolicy" if has("/spec/egress") => "spec.egress",
        "NetworkPolicy" if list(manifest, "/spec/policyTypes").iter().any(|t| t == "Egress") => {
            "policy type Egress"
        }
        "PersistentVolumeClaim" if has("/spec/volumeName") => "spec.volumeName",
        "StatefulSet"
            if list(manifest, "/spec/volumeClaimTemplates")
                .iter()
                .any(|claim| claim.pointer("/spec/volumeName").is_some_and(|name| !name.is_null())) =>
        {
            "spec.volumeClaimTemplates.spec.volumeName"
        }
        "StatefulSet" if deletes_claims(manifest) => "spec.persistentVolumeClaimRetentionPolicy Delete",
        _ if selects_ours(kind, manifest) => "a selector of labels that begin with domicile.dev",
        _ => return pods(kind, manifest).and_then(pod_field),
    };
    Some(field.to_owned())
}

/// Whether what makes pods selects them by Domicile's labels: they differ from copy to copy, which a selector may not, and a StatefulSet
/// gives its claims the labels that it selects.
fn selects_ours(kind: Kind, manifest: &Value) -> bool {
    let at = match kind.name() {
        "Deployment" | "StatefulSet" | "Job" => "/spec/selector",
        "CronJob" => "/spec/jobTemplate/spec/selector",
        _ => return false,
    };
    let labels = manifest.pointer(&format!("{at}/matchLabels")).and_then(Value::as_object);
    let labels = labels.into_iter().flat_map(|labels| labels.keys().map(String::as_str));
    let rules = list(manifest, &format!("{at}/matchExpressions")).iter();
    let rules = rules.filter_map(|rule| rule.get("key").and_then(Value::as_str));
    labels.chain(rules).any(|key| key.starts_with(keys::GROUP))
}

/// Whether Kubernetes would delete the claims of a StatefulSet with its pods: a suspension, which scales to zero, would
/// destroy what it is to preserve.
fn deletes_claims(manifest: &Value) -> bool {
    ["whenDeleted", "whenScaled"].into_iter().any(|when| {
        let policy = manifest.pointer(&format!("/spec/persistentVolumeClaimRetentionPolicy/{when}"));
        policy.is_some_and(|policy| !policy.is_null() && policy != "Retain")
    })
}

/// Its own metadata, and whatever Kubernetes copies onto what the object makes.
fn metadata_fields(kind: Kind, manifest: &Value) -> Option<String> {
    let nested: &[&str] = match kind.name() {
        "Deployment" | "StatefulSet" | "Job" => &["spec.template"],
        "CronJob" => &["spec.jobTemplate", "spec.jobTemplate.spec.template"],
        _ => &[],
    };
    let at = |path: &str| manifest.pointer(&format!("/{}/metadata", path.replace('.', "/")));
    let own = manifest.pointer("/metadata").map(|meta| ("metadata".to_owned(), meta));
    let nested = nested.iter().filter_map(|path| Some((format!("{path}.metadata"), at(path)?)));
    let claims = list(manifest, "/spec/volumeClaimTemplates").iter();
    let claims = claims.filter_map(|claim| claim.get("metadata"));
    let volumes = pods(kind, manifest).map_or(&[][..], |pods| list(pods, "/volumes")).iter();
    let volumes = volumes.filter_map(|volume| volume.pointer("/ephemeral/volumeClaimTemplate/metadata"));
    let claims = claims.chain(volumes).map(|meta| ("volumeClaimTemplate.metadata".to_owned(), meta));
    own.into_iter().chain(nested).chain(claims).find_map(|(path, meta)| metadata_field(&path, meta))
}

fn metadata_field(path: &str, meta: &Value) -> Option<String> {
    for field in ["ownerReferences", "finalizers"] {
        if meta.get(field).is_some_and(|found| !found.is_null()) {
            return Some(format!("{path}.{field}"));
        }
    }
    let keys =
        |field: &str| meta.get(field).and_then(Value::as_object).into_iter().flat_map(|all| all.keys());
    if keys("labels").chain(keys("annotations")).any(|key| key.starts_with(keys::GROUP)) {
        return Some("a label or annotation that begins with domicile.dev".to_owned());
    }
    keys("annotations").find(|key| is_reserved(key)).map(|key| format!("the annotation {key}"))
}

/// Annotations that name a class past its field, or that are configuration of a controller all tenants share.
fn is_reserved(annotation: &str) -> bool {
    let name = annotation.rsplit('/').next().unwrap_or_default();
    CLASSES.contains(&annotation) || name.ends_with("-snippet") || name.ends_with("-snippets")
}

/// What would give pods more of a node than their containers, or lead their data past all rules. Pod Security says
/// some of it on the member, but only to the controller that then can't make them.
fn pod_field(pods: &Value) -> Option<String> {
    let yes = |value: &Value, path: &str| value.pointer(path).and_then(Value::as_bool) == Some(true);
    if let Some(field) =
        ["hostNetwork", "hostPID", "hostIPC"].into_iter().find(|f| yes(pods, &format!("/{f}")))
    {
        return Some(field.to_owned());
    }
    let sources = list(pods, "/volumes").iter().filter_map(Value::as_object).flatten();
    let mut others = sources.filter(|(source, value)| {
        *source != "name" && !value.is_null() && !VOLUMES.contains(&source.as_str())
    });
    if let Some((source, _)) = others.next() {
        return Some(format!("a {source} volume"));
    }
    let binds = |volume: &Value| {
        let name = volume.pointer("/ephemeral/volumeClaimTemplate/spec/volumeName");
        name.is_some_and(|name| !name.is_null())
    };
    if list(pods, "/volumes").iter().any(binds) {
        return Some("ephemeral.volumeClaimTemplate.spec.volumeName".to_owned());
    }
    let text = |path: &str| pods.pointer(path).and_then(Value::as_str).unwrap_or_default();
    if text("/priorityClassName").starts_with("system-") {
        return Some(format!("priorityClassName {}", text("/priorityClassName")));
    }
    let set = |field: &str| pods.get(field).is_some_and(|value| !value.is_null());
    if let Some(field) = ["priority", "nodeName"].into_iter().find(|field| set(field)) {
        return Some(field.to_owned());
    }
    if pods.get("terminationGracePeriodSeconds").and_then(Value::as_i64).is_some_and(|s| s > GRACE_MAX) {
        return Some(format!("terminationGracePeriodSeconds above {GRACE_MAX}"));
    }
    let lists = ["/containers", "/initContainers", "/ephemeralContainers"];
    let mut containers = lists.into_iter().flat_map(|kind| list(pods, kind));
    containers.any(|container| yes(container, "/securityContext/privileged")).then(|| "privileged".to_owned())
}
