//! From text to single objects: documents, JSON streams, Lists within Lists, merge keys.

use domicile_crds::yaml;
use serde_json::{Map, Value};

use super::WrapError;

/// Lists within Lists: kubectl makes none deeper than one, and an endless one must not end the program.
const NESTING_MAX: usize = 8;

/// A text to read.
#[derive(Clone, Debug)]
pub struct Input {
    /// How messages call it: a file's name, or `stdin`.
    pub name: String,
    /// What is in it.
    pub text: String,
}

/// Something that should be an object, and where it was found.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) value: Value,
    pub(super) place: String,
}

pub(super) fn items(inputs: &[Input]) -> Result<Vec<Item>, WrapError> {
    let mut items = Vec::new();
    for input in inputs {
        for (index, mut value) in documents(input)?.into_iter().enumerate() {
            merge_keys(&mut value);
            let place = format!("document {} of {}", index + 1, input.name);
            flatten(Item { value, place }, 0, &mut items);
        }
    }
    Ok(items)
}

fn documents(input: &Input) -> Result<Vec<Value>, WrapError> {
    let text = input.text.strip_prefix('\u{feff}').unwrap_or(&input.text);
    if text.trim_start().starts_with('{') {
        // JSON objects one after the other are no YAML, but kubectl takes them.
        let stream: Result<Vec<Value>, _> = serde_json::Deserializer::from_str(text).into_iter().collect();
        if let Ok(values) = stream {
            return Ok(values);
        }
    }
    let hint = if text.contains("{{") {
        ": it looks like a template; render it first, for example with `helm template`"
    } else {
        ""
    };
    yaml::documents(text).map_err(|source| WrapError::Read { name: input.name.clone(), hint, source })
}

/// A List's items in its place. Items of a typed list (`DeploymentList`) may lack apiVersion and kind.
fn flatten(item: Item, depth: usize, out: &mut Vec<Item>) {
    let Some((of, api_version, entries)) = list(&item.value).filter(|_| depth < NESTING_MAX) else {
        out.push(item);
        return;
    };
    for (index, entry) in entries.iter().enumerate() {
        let mut value = entry.clone();
        if let Value::Object(map) = &mut value
            && !of.is_empty()
        {
            map.entry("apiVersion").or_insert_with(|| api_version.clone());
            map.entry("kind").or_insert_with(|| Value::from(of));
        }
        let place = format!("item {} of {}", index + 1, item.place);
        flatten(Item { value, place }, depth + 1, out);
    }
}

/// What kind a list is of (empty for `List`), its apiVersion, and its items.
fn list(value: &Value) -> Option<(&str, &Value, &Vec<Value>)> {
    let of = value.get("kind")?.as_str()?.strip_suffix("List")?;
    Some((of, value.get("apiVersion")?, value.get("items")?.as_array()?))
}

/// YAML 1.1's `<<`, which kubectl knows and our library leaves as a key. No Kubernetes field is called so.
fn merge_keys(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(merge_keys),
        Value::Object(map) => {
            let merged = map.remove("<<");
            map.values_mut().for_each(merge_keys);
            match merged {
                Some(Value::Object(from)) => merge(map, from),
                Some(Value::Array(all)) => {
                    for from in all {
                        if let Value::Object(from) = from {
                            merge(map, from);
                        }
                    }
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// What is there already wins, as the specification of `<<` wants it.
fn merge(map: &mut Map<String, Value>, from: Map<String, Value>) {
    let mut from = Value::Object(from);
    merge_keys(&mut from);
    if let Value::Object(from) = from {
        for (key, value) in from {
            map.entry(key).or_insert(value);
        }
    }
}
