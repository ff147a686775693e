//! `e2e/tests/escalation/attempts.yaml`, as anna.

use std::{collections::BTreeMap, fs};

use anyhow::{Context as _, ensure};
use domicile_crds::yaml;
use domicile_e2e::stage::root;
use http::Method;
use serde_json::{Value, json};

use crate::{
    asking::{Ask, together},
    ground::{Ground, move_path, workload_path},
};

struct Attempt {
    ask: Ask,
    path: String,
    reads: bool,
    says: String,
}

impl Attempt {
    fn read(entry: &Value) -> anyhow::Result<Self> {
        let text = |key: &str| entry[key].as_str();
        let path = text("path").with_context(|| format!("{entry} has no path"))?;
        let says = text("says").with_context(|| format!("{entry} doesn't say how it is refused"))?.to_owned();
        let method: Method = text("method").unwrap_or("POST").parse()?;
        let reads = method == Method::GET;
        let body = &entry["body"];
        let mut ask = match (entry["apply"] == true, body.is_null()) {
            (true, _) => Ask::apply(path, body),
            (false, true) => Ask::new(method, path),
            (false, false) => Ask::new(method, path).body(body),
        };
        if let Some(user) = text("as") {
            ask = ask.acting_as(user);
        }
        Ok(Self { ask, path: path.to_owned(), reads, says })
    }
}

pub(crate) async fn all(ground: &Ground) -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(root().join("e2e/tests/escalation/attempts.yaml"))?;
    let entries: Vec<Value> = yaml::from_str(&text)?;
    let attempts: Vec<Attempt> = entries.iter().map(Attempt::read).collect::<anyhow::Result<_>>()?;
    ensure!(attempts.len() >= 60, "only {} attempts", attempts.len());
    let before = seen(ground, &attempts).await;
    let mut failures = together(&attempts, |one| one.ask.refused(&ground.anna, &one.says)).await;
    failures.extend(beside_the_status(ground).await?);
    let after = seen(ground, &attempts).await;
    for (path, was) in before {
        let is = after.get(&path).cloned().unwrap_or_default();
        if is != was {
            failures.push(format!("{path} was {was} and became {is}"));
        }
    }
    Ok(failures)
}

/// What the administrator sees where something was attempted.
async fn seen(ground: &Ground, attempts: &[Attempt]) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for path in attempts.iter().filter(|attempt| !attempt.reads).map(|attempt| &attempt.path) {
        let path = path.split('?').next().unwrap_or(path);
        let answer = Ask::get(path).to(&ground.admin).await.unwrap_or_else(|refusal| json!(refusal));
        found.insert(path.to_owned(), essence(answer));
    }
    found
}

/// Of a list, who is there; of an object, all that is said of it but by whom.
fn essence(mut answer: Value) -> Value {
    if let Some(items) = answer["items"].as_array() {
        return items.iter().map(|item| item["metadata"]["uid"].clone()).collect();
    }
    if let Some(meta) = answer.get_mut("metadata").and_then(Value::as_object_mut) {
        meta.remove("resourceVersion");
        meta.remove("managedFields");
    }
    // Written by the API server's own controllers, soon after they were applied.
    if matches!(answer["kind"].as_str(), Some("ValidatingAdmissionPolicy" | "CustomResourceDefinition")) {
        answer["status"] = Value::Null;
    }
    answer
}

/// A status that is applied with the object is taken and has no effect, which is how Kubernetes does it.
async fn beside_the_status(ground: &Ground) -> anyhow::Result<Option<String>> {
    for (path, kind, name) in
        [(workload_path("web"), "TenantWorkload", "web"), (move_path("web-0"), "Migration", "web-0")]
    {
        let status = json!({"observedGeneration": 99});
        let object = json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "status": status,
        });
        Ask::apply(&path, &object).to(&ground.anna).await.map_err(anyhow::Error::msg)?;
        let now = Ask::get(&path).to(&ground.admin).await.map_err(anyhow::Error::msg)?;
        if now["status"] != json!({"observedGeneration": -1}) {
            return Ok(Some(format!("anna has written a status: {now}")));
        }
    }
    Ok(None)
}
