use domicile_crds::TenantWorkload;
use serde_json::{Value, json};

use super::*;

fn read(manifest: &Value) -> Result<Manifests, String> {
    let object = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload",
        "metadata": {"name": "web", "namespace": "acme"}, "spec": {"manifests": [manifest]},
    });
    let workload: TenantWorkload = serde_json::from_value(object).unwrap();
    Manifests::read(&workload).map_err(|error| error.to_string())
}

#[test]
fn what_is_nested_too_deep_is_named() {
    let mut deep = json!(1);
    for _ in 0..100 {
        deep = json!({"a": deep});
    }
    let manifest = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}, "x": deep});
    let error = read(&manifest).unwrap_err();
    assert!(error.contains("spec.manifests[0] (ConfigMap/c) has more than 32 levels"), "{error}");
}
