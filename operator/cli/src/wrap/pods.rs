//! Where an object has its pods, and what is in them.

use serde_json::{Map, Value};

fn path(kind: &str) -> Option<&'static [&'static str]> {
    match kind {
        "Deployment" | "StatefulSet" | "Job" => Some(&["spec", "template", "spec"]),
        "CronJob" => Some(&["spec", "jobTemplate", "spec", "template", "spec"]),
        _ => None,
    }
}

/// The pod's spec within a workload object.
pub(super) fn spec(object: &Map<String, Value>) -> Option<&Map<String, Value>> {
    let (first, rest) = path(object.get("kind")?.as_str()?)?.split_first()?;
    let mut value = object.get(*first)?;
    for key in rest {
        value = value.get(key)?;
    }
    value.as_object()
}

pub(super) fn spec_mut(object: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    let (first, rest) = path(object.get("kind")?.as_str()?)?.split_first()?;
    let mut value = object.get_mut(*first)?;
    for key in rest {
        value = value.get_mut(key)?;
    }
    value.as_object_mut()
}

/// All containers, of whatever sort.
pub(super) fn containers(spec: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(|key| list(spec.get(key)))
}

/// The items of a list; none if it is none.
pub(super) fn list(value: Option<&Value>) -> impl Iterator<Item = &Value> {
    value.and_then(Value::as_array).into_iter().flatten()
}

/// A string somewhere below.
pub(super) fn text<'a>(value: &'a Value, path: &[&str]) -> Option<&'a str> {
    path.iter().try_fold(value, |value, key| value.get(key))?.as_str()
}

/// The metadata of an object and of all that it makes, with where each stands.
pub(super) fn metadata(object: &Map<String, Value>) -> Vec<(String, &Value)> {
    let mut found: Vec<_> =
        object.get("metadata").map(|meta| ("metadata".to_owned(), meta)).into_iter().collect();
    for way in [&["template"][..], &["jobTemplate"], &["jobTemplate", "spec", "template"]] {
        let made = way.iter().try_fold(object.get("spec"), |at, key| Some(at?.get(key))).flatten();
        if let Some(meta) = made.and_then(|made| made.get("metadata")) {
            found.push((format!("spec.{}.metadata", way.join(".")), meta));
        }
    }
    let claims = made_claims(object).filter_map(|claim| claim.get("metadata"));
    found.extend(claims.map(|meta| ("volumeClaimTemplate.metadata".to_owned(), meta)));
    found
}

/// What has the spec of a claim: the object itself, and those that it makes.
pub(super) fn claims(object: &Map<String, Value>) -> Vec<Value> {
    let itself = object.get("kind").is_some_and(|kind| kind == "PersistentVolumeClaim");
    let itself = itself.then(|| Value::Object(object.clone()));
    itself.into_iter().chain(made_claims(object).cloned()).collect()
}

fn made_claims(object: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    let templates = list(object.get("spec").and_then(|spec| spec.get("volumeClaimTemplates")));
    let volumes = list(spec(object).and_then(|pod| pod.get("volumes")));
    templates.chain(volumes.filter_map(|volume| volume.pointer("/ephemeral/volumeClaimTemplate")))
}
