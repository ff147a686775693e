//! What it documents: `kubectl explain` is made from the schemas that the server publishes.

use std::time::Duration;

use anyhow::Context;
use domicile_e2e::fleet::{Cluster, wait::eventually};
use http::Request;
use serde_json::Value;

use crate::kinds;

/// Every field of every kind has words of its own.
pub(crate) async fn all(hub: &Cluster) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    let schemas = eventually(Duration::from_secs(30), "the server to publish the schemas", async || {
        let request = Request::get("/openapi/v3/apis/domicile.dev/v1alpha1").body(Vec::new())?;
        let schemas = hub.client().request::<Value>(request).await?["components"]["schemas"].take();
        Ok(kinds().keys().all(|kind| !schemas[schema_name(kind)].is_null()).then_some(schemas))
    })
    .await?;
    for kind in kinds().keys() {
        let schema = &schemas[schema_name(kind)];
        if schema["description"].as_str().unwrap_or_default().is_empty() {
            failures.push(format!("{kind} has no description"));
        }
        undocumented(kind, schema, &mut failures);
    }
    let text = hub.kubectl(["explain", "tenantworkload.spec"]).text().await?;
    let properties = schemas[schema_name("TenantWorkload")]["properties"]["spec"]["properties"].clone();
    for field in properties.as_object().context("a TenantWorkload without fields")?.keys() {
        if !text.contains(&format!("  {field}\t")) {
            failures.push(format!("`kubectl explain tenantworkload.spec` doesn't show {field}:\n{text}"));
        }
    }
    let words: Vec<_> = text.split_whitespace().collect();
    let words = words.join(" ");
    if !words.contains("GROUP: domicile.dev") || !words.contains("at most 64, and 512 KiB in all") {
        failures.push(format!("`kubectl explain tenantworkload.spec` says: {text}"));
    }
    Ok(failures)
}

fn schema_name(kind: &str) -> String {
    format!("dev.domicile.v1alpha1.{kind}")
}

fn undocumented(path: &str, schema: &Value, found: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        if property["description"].as_str().unwrap_or_default().is_empty() {
            found.push(format!("{path} has no description"));
        }
        undocumented(&path, property, found);
    }
    for inner in ["items", "additionalProperties"] {
        if schema[inner].is_object() {
            undocumented(&format!("{path}[]"), &schema[inner], found);
        }
    }
}
