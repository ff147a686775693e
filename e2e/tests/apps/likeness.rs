//! Whether what runs on a member is what the authors wrote.

use anyhow::{Context as _, ensure};
use domicile_e2e::fleet::Cluster;
use domicile_e2e::props::list;
use serde_json::Value;

/// What a cluster decides for itself: of each object as it takes it, these don't count.
const OF_THE_CLUSTER: [&str; 3] = ["clusterIP", "clusterIPs", "healthCheckNodePort"];

/// The objects as an API server without Domicile would take them, with its defaults, and quantities, times and
/// Secrets in the form that it keeps. Nothing is created.
pub(crate) async fn as_a_cluster_takes_it(
    cluster: &Cluster,
    objects: &[Value],
) -> anyhow::Result<Vec<Value>> {
    let create = ["create", "--dry-run=server", "--validate=strict", "-o", "json", "-f", "-"];
    let text = cluster.kubectl(create).stdin(list(objects)).text().await?;
    let mut taken: Vec<Value> =
        serde_json::Deserializer::from_str(&text).into_iter().collect::<Result<_, _>>()?;
    if let [one] = taken.as_mut_slice()
        && one["kind"] == "List"
    {
        taken = serde_json::from_value(one["items"].take())?;
    }
    ensure!(taken.len() == objects.len(), "{} of {} objects were taken", taken.len(), objects.len());
    for object in &mut taken {
        // Of a Secret on the hub, type and data are what members get.
        let kept: &[&str] = if object["kind"] == "Secret" {
            &["name", "namespace"]
        } else {
            &["name", "namespace", "labels", "annotations"]
        };
        let object = object.as_object_mut().context("it isn't an object")?;
        object.remove("status");
        if let Some(meta) = object.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.retain(|field, _| kept.contains(&field.as_str()));
        }
        if let Some(spec) = object.get_mut("spec").and_then(Value::as_object_mut) {
            spec.retain(|field, _| !OF_THE_CLUSTER.contains(&field.as_str()));
        }
    }
    Ok(taken)
}

/// Asserts that all of the objects are on a member, with the content that they should have.
pub(crate) async fn as_published(member: &Cluster, wanted: &[Value]) -> anyhow::Result<()> {
    let mut differences = Vec::new();
    for object in wanted {
        let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let name = format!("{}/{}", text("/kind"), text("/metadata/name"));
        let get =
            ["-n", text("/metadata/namespace"), "get", text("/kind"), text("/metadata/name"), "-o", "json"];
        match member.kubectl(get).text().await {
            Ok(found) => compare(object, &serde_json::from_str(&found)?, &name, &mut differences),
            Err(error) => differences.push(format!("{error:#}")),
        }
    }
    ensure!(differences.is_empty(), "on {}:\n{}", member.name(), differences.join("\n"));
    Ok(())
}

/// Whatever is in `wanted` must be in `found`; lists must be the same from end to end.
fn compare(wanted: &Value, found: &Value, path: &str, differences: &mut Vec<String>) {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            for (field, value) in wanted.iter().filter(|(_, value)| !value.is_null()) {
                let there = found.get(field).unwrap_or(&Value::Null);
                compare(value, there, &format!("{path}.{field}"), differences);
            }
        }
        (Value::Array(wanted), Value::Array(found)) if wanted.len() == found.len() => {
            for (index, (wanted, found)) in wanted.iter().zip(found).enumerate() {
                compare(wanted, found, &format!("{path}[{index}]"), differences);
            }
        }
        (wanted, found) if wanted == found => {}
        (wanted, found) => differences.push(format!("{path} should be {wanted} and is {found}")),
    }
}
