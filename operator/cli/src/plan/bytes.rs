//! How much data is concerned, as far as manifests tell.

use domicile_core::quantity::whole;
use domicile_core::snapshot::Snapshot;
use serde_json::Value;

/// What the claims of one copy of a workload (as namespace/name) ask for, in bytes: how much is in them, nobody on the hub knows. `None` if it
/// has none.
pub(super) fn claimed(snapshot: &Snapshot, workload: &str) -> Option<i64> {
    let (namespace, name) = workload.split_once('/')?;
    let object = snapshot.get("TenantWorkload", namespace, name)?;
    let manifests = object.pointer("/spec/manifests").and_then(Value::as_array)?;
    Some(manifests.iter().map(of_manifest).fold(0, i64::saturating_add)).filter(|bytes| *bytes > 0)
}

fn of_manifest(manifest: &Value) -> i64 {
    match manifest.get("kind").and_then(Value::as_str) {
        Some("PersistentVolumeClaim") => of_claim(manifest),
        Some("StatefulSet") => {
            let copies = manifest.pointer("/spec/replicas").and_then(Value::as_i64).unwrap_or(1);
            let claims = manifest.pointer("/spec/volumeClaimTemplates").and_then(Value::as_array);
            claims.into_iter().flatten().map(of_claim).fold(0, i64::saturating_add).saturating_mul(copies)
        }
        _ => 0,
    }
}

fn of_claim(claim: &Value) -> i64 {
    let asked = claim.pointer("/spec/resources/requests/storage");
    let number = |value: &Value| value.as_str().map_or_else(|| value.as_i64(), whole);
    asked.and_then(number).unwrap_or_default()
}

/// An amount of bytes for people.
pub(super) fn shown(bytes: i64) -> String {
    const UNITS: [(&str, i64); 4] = [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let unit = UNITS.into_iter().find(|(_, size)| bytes >= *size);
    unit.map_or_else(
        || format!("{bytes} B"),
        |(name, size)| {
            let tenths = bytes.saturating_mul(10) / size;
            let (whole, rest) = (tenths / 10, tenths % 10);
            if rest == 0 { format!("{whole} {name}") } else { format!("{whole}.{rest} {name}") }
        },
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_and_templates_are_added_up() {
        let claim = |size: Value| json!({"spec": {"resources": {"requests": {"storage": size}}}});
        let kind = |kind: &str, mut object: Value, more: Value| {
            object["kind"] = json!(kind);
            object["spec"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            object
        };
        let templates =
            json!({"replicas": 3, "volumeClaimTemplates": [claim(json!("1Gi")), claim(json!("512Mi"))]});
        let manifests = json!([
            kind("PersistentVolumeClaim", claim(json!("2Gi")), json!({})),
            kind("PersistentVolumeClaim", claim(json!(1024)), json!({})),
            kind("StatefulSet", json!({"spec": {}}), templates),
            {"kind": "ConfigMap"},
        ]);
        let mut snapshot = Snapshot::default();
        let workload = |name: &str, manifests: &Value| {
            json!({
                "apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload",
                "metadata": {"namespace": "shop", "name": name}, "spec": {"manifests": manifests},
            })
        };
        snapshot.put(workload("db", &manifests));
        snapshot.put(workload("web", &json!([{"kind": "ConfigMap"}])));
        assert_eq!(claimed(&snapshot, "shop/db"), Some((6 << 30) + (512 << 20) + 1024));
        assert_eq!((claimed(&snapshot, "shop/web"), claimed(&snapshot, "shop/none")), (None, None));
    }

    #[test]
    fn amounts_are_short() {
        let all = [0, 1023, 1 << 10, 3 << 29, 5 << 40].map(shown);
        assert_eq!(all, ["0 B", "1023 B", "1 KiB", "1.5 GiB", "5 TiB"]);
    }
}
