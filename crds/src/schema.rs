//! Pieces of schema that several kinds share.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, ValidationRule,
};
use serde_json::{Value, json};

/// CEL rules for `x-kubernetes-validations`, as pairs of rule and message.
pub(crate) fn cel(rules: &[(&str, &str)]) -> Value {
    rules.iter().map(|(rule, message)| json!({"rule": rule, "message": message})).collect()
}

/// A Kubernetes quantity such as `500m` or `2Gi` (apimachinery's `resource.Quantity`).
pub(crate) const QUANTITY: &str = r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$";

/// Schema of a map's values. schemars' `inner` reaches the items of lists only, and says nothing when
/// it is written on a map.
pub(crate) fn text(min: usize, max: usize) -> Value {
    json!({"type": "string", "minLength": min, "maxLength": max})
}

/// Schema of a map's values that are quantities.
pub(crate) fn quantity() -> Value {
    json!({"type": "string", "maxLength": 32, "pattern": QUANTITY})
}

/// A lower-case SHA-256 in hexadecimal.
pub(crate) const SHA256: &str = "^[0-9a-f]{64}$";

/// A digest that tells plans from each other (FNV-1a, 64 bits, hexadecimal).
pub(crate) const DIGEST: &str = "^[0-9a-f]{16}$";

/// Adds the rule for `metadata.name`, which only the root of a schema can hold.
///
/// Names become label values, which end at 63 characters.
pub(crate) fn constrain_name(definition: &mut CustomResourceDefinition) {
    let (rule, message) = match definition.spec.names.kind.as_str() {
        "Installation" => ("self.metadata.name == 'default'", "there is one Installation, named default"),
        _ => (
            "self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')",
            "the name has at most 63 characters and no dots",
        ),
    };
    let rule = ValidationRule {
        rule: rule.to_owned(),
        message: Some(message.to_owned()),
        ..ValidationRule::default()
    };
    for version in &mut definition.spec.versions {
        if let Some(root) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            root.x_kubernetes_validations.get_or_insert_default().push(rule.clone());
        }
    }
}

/// Gives a new object a status that speaks of no generation of it, until the operator says something.
///
/// kstatus, and with it whoever waits for what was applied, takes an object without a status for one that is ready.
pub(crate) fn begin_unobserved(definition: &mut CustomResourceDefinition) {
    for version in &mut definition.spec.versions {
        let root = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut());
        if let Some(status) = root.and_then(|root| root.properties.as_mut()?.get_mut("status")) {
            status.default = Some(JSON(json!({"observedGeneration": -1})));
        }
    }
}
