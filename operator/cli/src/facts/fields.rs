//! Whether an object is of a kind that there is, and has no other fields than that kind.
//!
//! The hub refuses a misspelt field. Who plans with files must hear of it, too: what a plan doesn't read, it would
//! call harmless.

use std::sync::LazyLock;

use domicile_crds::{SiteName, definitions};
use serde_json::Value;

use crate::hub::listed;

/// The version of the API that this program reads.
const API: &str = "domicile.dev/v1alpha1";

/// An object that the hub wouldn't take.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldError {
    /// It is of another version.
    #[error("{object} is of {found}: this program reads {API}")]
    Version {
        /// Which object.
        object: String,
        /// Its version.
        found: String,
    },
    /// There is no such kind.
    #[error("{object} is of no kind that Domicile has; there are {there}")]
    Kind {
        /// Which object.
        object: String,
        /// The kinds.
        there: String,
    },
    /// It can't have that name.
    #[error("{object} needs a metadata.name of at most 63 lower-case letters, digits and hyphens")]
    Name {
        /// Which object.
        object: String,
    },
    /// Nobody knows where it would be.
    #[error("{object} needs a metadata.namespace")]
    Namespace {
        /// Which object.
        object: String,
    },
    /// Its kind has no such field.
    #[error("{object} has a field that its kind doesn't have, {path}; there {}", are(.there))]
    Unknown {
        /// Which object.
        object: String,
        /// The field.
        path: String,
        /// Those that there are beside it.
        there: Vec<String>,
    },
}

fn are(there: &[String]) -> String {
    match there {
        [] => "are none".to_owned(),
        [one] => format!("is {one}"),
        all => format!("are {}", listed(all)),
    }
}

/// A kind, with what the hub says of its fields.
struct Kind {
    name: String,
    is_namespaced: bool,
    schema: Value,
}

static ALL: LazyLock<Vec<Kind>> = LazyLock::new(|| {
    let kind = |definition: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition| {
        let version = definition.spec.versions.into_iter().next()?;
        let schema = version.schema?.open_api_v3_schema?;
        Some(Kind {
            name: definition.spec.names.kind,
            is_namespaced: definition.spec.scope == "Namespaced",
            schema: serde_json::to_value(schema).ok()?,
        })
    };
    definitions().into_iter().filter_map(kind).collect()
});

/// Refuses an object of ours that the hub wouldn't take. What isn't ours is let through.
pub(super) fn check(value: &Value) -> Result<(), FieldError> {
    let text = |pointer| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let (version, name) = (text("/apiVersion"), text("/metadata/name"));
    if !version.starts_with("domicile.dev/") {
        return Ok(());
    }
    let object = format!("{}/{name}", text("/kind"));
    if version != API {
        return Err(FieldError::Version { object, found: version.to_owned() });
    }
    let Some(kind) = ALL.iter().find(|kind| kind.name == text("/kind")) else {
        let all: Vec<String> = ALL.iter().map(|kind| kind.name.clone()).collect();
        return Err(FieldError::Kind { object, there: all.join(", ") });
    };
    // The names of all kinds are of one form.
    if SiteName::new(name).is_err() {
        return Err(FieldError::Name { object });
    }
    if kind.is_namespaced && text("/metadata/namespace").is_empty() {
        return Err(FieldError::Namespace { object });
    }
    let fields = value.as_object().into_iter().flatten();
    let of_every_kind = ["apiVersion", "kind", "metadata"];
    for (field, value) in fields.filter(|(field, _)| !of_every_kind.contains(&field.as_str())) {
        let found = within(&kind.schema, field, value, "");
        found.map_or(Ok(()), |(path, there)| {
            Err(FieldError::Unknown { object: object.clone(), path, there })
        })?;
    }
    Ok(())
}

/// The first field in `value`, which is `field` of what has `schema`, that isn't known, and those that are beside it.
fn within(schema: &Value, field: &str, value: &Value, at: &str) -> Option<(String, Vec<String>)> {
    let path = if at.is_empty() { field.to_owned() } else { format!("{at}.{field}") };
    let properties = schema.get("properties").and_then(Value::as_object);
    let known = properties.and_then(|all| all.get(field)).or_else(|| schema.get("additionalProperties"));
    match known {
        Some(schema) => unknown(schema, value, &path),
        None => Some((path, properties.into_iter().flatten().map(|(name, _)| name.clone()).collect())),
    }
}

fn unknown(schema: &Value, value: &Value, path: &str) -> Option<(String, Vec<String>)> {
    let is_free = schema.get("x-kubernetes-preserve-unknown-fields") == Some(&Value::Bool(true));
    match value {
        _ if is_free => None,
        Value::Object(fields) => fields.iter().find_map(|(field, value)| within(schema, field, value, path)),
        Value::Array(items) => {
            let of = schema.get("items")?;
            items.iter().enumerate().find_map(|(at, item)| unknown(of, item, &format!("{path}[{at}]")))
        }
        _ => None,
    }
}
