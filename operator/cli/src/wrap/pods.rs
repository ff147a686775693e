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
