//! Enough of OpenAPI to see whether an object fits the schema that the API server has.

use serde_json::Value;

const CRD: &str = include_str!("../../../../../crds/yaml/hostingproviders.yaml");

/// What the API server would say against an object.
pub(super) fn problems(object: &Value) -> Vec<String> {
    let crd: Value = domicile_crds::yaml::from_str(CRD).unwrap();
    let schema = crd.pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec").unwrap();
    let mut found = Vec::new();
    check("spec", schema, &object["spec"], &mut found);
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    if domicile_crds::ProviderName::new(name).is_err() {
        found.push(format!("metadata.name: {name}"));
    }
    found
}

fn check(path: &str, schema: &Value, value: &Value, found: &mut Vec<String>) {
    let mut wrong = |what: String| found.push(format!("{path}: {what}"));
    let limit = |key: &str| schema.get(key).and_then(Value::as_f64);
    let outside = |n: f64, min: &str, max: &str| {
        limit(min).is_some_and(|min| n < min) || limit(max).is_some_and(|max| n > max)
    };
    if let Some(values) = schema.get("enum").and_then(Value::as_array)
        && !values.contains(value)
    {
        wrong(format!("{value} is not in the enum"));
    }
    match (schema["type"].as_str().unwrap_or_default(), value) {
        ("string", Value::String(text)) => {
            #[expect(clippy::cast_precision_loss, reason = "texts are short")]
            let length = text.chars().count() as f64;
            if outside(length, "minLength", "maxLength") {
                wrong(format!("{length} characters"));
            }
            if schema.get("pattern").and_then(Value::as_str).is_some_and(|pattern| !matches(pattern, text)) {
                wrong(format!("{text} doesn't match"));
            }
        }
        ("number", Value::Number(number)) => {
            if outside(number.as_f64().unwrap(), "minimum", "maximum") {
                wrong(format!("{number} is out of range"));
            }
        }
        ("boolean", Value::Bool(_)) => {}
        ("array", Value::Array(items)) => {
            #[expect(clippy::cast_precision_loss, reason = "lists are short")]
            let length = items.len() as f64;
            if outside(length, "minItems", "maxItems") {
                wrong(format!("{length} items"));
            }
            for (index, item) in items.iter().enumerate() {
                check(&format!("{path}[{index}]"), &schema["items"], item, found);
            }
        }
        ("object", Value::Object(map)) => {
            for key in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                if !map.contains_key(key) {
                    wrong(format!("no {key}"));
                }
            }
            rules(value, &mut wrong);
            for (key, value) in map {
                match schema["properties"].get(key) {
                    Some(schema) => check(&format!("{path}.{key}"), schema, value, found),
                    None => found.push(format!("{path}.{key}: unknown")),
                }
            }
        }
        (wanted, _) => wrong(format!("wanted {wanted}, found {value}")),
    }
}

/// What the schema says in CEL.
fn rules(value: &Value, wrong: &mut impl FnMut(String)) {
    if let (Some(min), Some(max)) = (value["min"].as_f64(), value["max"].as_f64())
        && min > max
    {
        wrong("min must not exceed max".to_owned());
    }
    // As texts: all are of one form.
    if let (Some(from), Some(until)) = (value["from"].as_str(), value["until"].as_str())
        && from >= until
    {
        wrong("until must be later than from".to_owned());
    }
    if value["scheme"] == "LEI" && value["id"].as_str().unwrap().parse::<crate::import::Lei>().is_err() {
        wrong("no LEI".to_owned());
    }
}

/// The patterns that this kind has.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern {
        domicile_crds::NAME_PATTERN => domicile_crds::ProviderName::new(text).is_ok(),
        _ if pattern.contains("[0-9a-f]{64}") => {
            text.len() == 64 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
        }
        other => panic!("what does {other} match?"),
    }
}

#[test]
fn what_does_not_fit_is_found() {
    let object = serde_json::json!({
        "metadata": {"name": "A"},
        "spec": {"legalName": "", "registeredIn": "UK", "more": 1, "ownership": [{"share": {"min": 2, "max": 1}}]},
    });
    let found = problems(&object).join("\n");
    for part in [
        "metadata.name: A",
        "0 characters",
        "UK",
        "spec.more: unknown",
        "no holder",
        "min must not exceed max",
    ] {
        assert!(found.contains(part), "{part} isn't in {found}");
    }
}
