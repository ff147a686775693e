//! Who has set which fields of an object, and what an apply would change of it.

use domicile_crds::keys;
use serde_json::{Map, Value};

use crate::wrap;

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

/// `metadata.managedFields` once `manager` has taken over what `ours` sets: the others keep the rest.
pub(super) fn left(live: &Value, ours: &Value, manager: &str) -> Vec<Value> {
    let mut entries = entries(live).to_vec();
    entries.retain_mut(|entry| {
        if is_kept(entry, manager) {
            return true;
        }
        let Some(fields) = entry.get_mut("fieldsV1").and_then(Value::as_object_mut) else { return false };
        cut(fields, ours);
        !fields.is_empty()
    });
    entries
}

/// Removes the fields that `ours` sets, and of items of lists with keys whatever else is in them: an item that somebody holds a part of would stay
/// when ours drops it.
fn cut(fields: &mut Map<String, Value>, ours: &Value) {
    fields.retain(|key, below| {
        let Some(found) = below_in(key, ours) else { return true };
        if key.starts_with("k:") {
            return false;
        }
        match below.as_object_mut().filter(|below| below.keys().any(|key| key != ".")) {
            None => false,
            Some(below) => {
                cut(below, found);
                below.keys().any(|key| key != ".")
            }
        }
    });
    if fields.keys().all(|key| key == ".") {
        fields.clear();
    }
}

/// What a key of `fieldsV1` leads to: `f:NAME` is a field, `k:{...}` the item of a list with these keys, `v:...` the item with this value.
fn below_in<'a>(key: &str, at: &'a Value) -> Option<&'a Value> {
    let (kind, name) = key.split_once(':')?;
    match kind {
        "f" => at.get(name),
        "k" => item_with(at, name),
        _ => item_equal(at, name),
    }
}

fn entries(live: &Value) -> &[Value] {
    live.pointer("/metadata/managedFields").and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn is_kept(entry: &Value, manager: &str) -> bool {
    let text = |field: &str| entry.get(field).and_then(Value::as_str).unwrap_or_default();
    text("manager") == manager && text("operation") == "Apply" || !text("subresource").is_empty()
}

/// Follows `fieldsV1` as far as `ours` goes.
fn walk(fields: &Map<String, Value>, ours: &Value, path: &str, paths: &mut Vec<String>) {
    for (key, below) in fields {
        let (Some((kind, name)), Some(found)) = (key.split_once(':'), below_in(key, ours)) else { continue };
        let path = if kind == "f" { format!("{path}.{name}") } else { format!("{path}[{name}]") };
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

/// Paths of what differs between an object as it is and as it would be, but for its status, what the server and its controllers note in its
/// metadata, our own labels and annotations, and our labels in what it makes later.
pub(super) fn changes(live: &Value, after: &Value) -> Vec<String> {
    let mut paths = Vec::new();
    let bare = |value: &Value| {
        let mut value = value.clone();
        if let Some(fields) = value.as_object_mut() {
            fields.retain(|field, _| !["status", "apiVersion", "kind"].contains(&field.as_str()));
            let meta = fields.remove("metadata").unwrap_or_default();
            for kept in ["labels", "annotations"] {
                let mut map = meta.get(kept).and_then(Value::as_object).cloned().unwrap_or_default();
                map.retain(|key, _| !key.starts_with(keys::GROUP) && !wrap::is_noted(key));
                fields.insert(format!("metadata.{kept}"), Value::Object(map));
            }
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
