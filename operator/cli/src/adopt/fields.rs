//! Who has set which fields of an object, and what an apply would change of it.

use domicile_crds::keys;
use serde_json::{Map, Value};

/// The managers of fields of `live` that `ours` sets, other than `manager` itself, each with the paths of those fields.
///
/// What a subresource has written (a status, an autoscaler's scale) isn't taken over.
pub(super) fn taken_over(live: &Value, ours: &Value, manager: &str) -> Vec<(String, Vec<String>)> {
    let mut taken: Vec<(String, Vec<String>)> = Vec::new();
    for entry in entries(live).iter().filter(|entry| !is_kept(entry, manager)) {
        let mut paths = Vec::new();
        if let Some(fields) = entry.get("fieldsV1").and_then(Value::as_object) {
            walk(fields, ours, "", &mut paths);
        }
        let name = entry.get("manager").and_then(Value::as_str).unwrap_or("somebody").to_owned();
        match taken.iter_mut().find(|(known, _)| *known == name) {
            _ if paths.is_empty() => {}
            Some((_, known)) => known.extend(paths),
            None => taken.push((name, paths)),
        }
    }
    for (_, paths) in &mut taken {
        paths.sort();
        paths.dedup();
    }
    taken
}

/// The entries of `metadata.managedFields` that stay once `manager` has taken over.
pub(super) fn kept(live: &Value, manager: &str) -> Vec<Value> {
    entries(live).iter().filter(|entry| is_kept(entry, manager)).cloned().collect()
}

fn entries(live: &Value) -> &[Value] {
    live.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is_kept(entry: &Value, manager: &str) -> bool {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
    text("manager") == manager && text("operation") == "Apply" || !text("subresource").is_empty()
}

/// Follows `fieldsV1`: `f:NAME` is a field, `k:{...}` the item of a list with these keys, `v:...` the item with this value.
fn walk(fields: &Map<String, Value>, ours: &Value, path: &str, paths: &mut Vec<String>) {
    for (key, below) in fields {
        let Some((kind, name)) = key.split_once(':') else { continue };
        let (found, path) = match kind {
            "f" => (ours.get(name), format!("{path}.{name}")),
            "k" => (item_with(ours, name), format!("{path}[{name}]")),
            _ => (item_equal(ours, name), format!("{path}[{name}]")),
        };
        let Some(found) = found else { continue };
        match below.as_object().filter(|below| below.keys().any(|key| key != ".")) {
            Some(below) => walk(below, found, &path, paths),
            None => paths.push(path.trim_start_matches('.').to_owned()),
        }
    }
}

fn item_with<'a>(list: &'a Value, keys: &str) -> Option<&'a Value> {
    let keys: Map<String, Value> = serde_json::from_str(keys).ok()?;
    list.as_array()?.iter().find(|item| keys.iter().all(|(key, value)| item.get(key) == Some(value)))
}

fn item_equal<'a>(list: &'a Value, value: &str) -> Option<&'a Value> {
    let value: Value = serde_json::from_str(value).ok()?;
    list.as_array()?.iter().find(|item| **item == value)
}

/// Paths of what differs between an object as it is and as it would be, but for its metadata, its status, and our labels in what it
/// makes later.
pub(super) fn changes(live: &Value, after: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    let bare = |value: &Value| {
        let mut value = value.clone();
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|field, _| !["metadata", "status", "apiVersion", "kind"].contains(&field.as_str()));
        }
        remove_labels(&mut value);
        value
    };
    differ(&bare(live), &bare(after), "", &mut paths);
    paths
}

/// Removes our labels everywhere, and maps that have no others.
fn remove_labels(value: &mut Value) {
    match value {
        Value::Object(fields) => fields.retain(|_, value| {
            let had = value.as_object().is_some_and(|map| map.keys().any(|key| key.starts_with(keys::GROUP)));
            if let (true, Some(map)) = (had, value.as_object_mut()) {
                map.retain(|key, _| !key.starts_with(keys::GROUP));
                return !map.is_empty();
            }
            remove_labels(value);
            true
        }),
        Value::Array(items) => items.iter_mut().for_each(remove_labels),
        _ => {}
    }
}

fn differ(old: &Value, new: &Value, path: &str, paths: &mut Vec<String>) {
    match (old, new) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                differ(value, new.get(key).unwrap_or(&Value::Null), &format!("{path}.{key}"), paths);
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                differ(&Value::Null, value, &format!("{path}.{key}"), paths);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (index, (old, new)) in old.iter().zip(new).enumerate() {
                differ(old, new, &format!("{path}[{index}]"), paths);
            }
        }
        _ if old == new => {}
        _ => paths.push(path.trim_start_matches('.').to_owned()),
    }
}
