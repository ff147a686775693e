//! What must be refused: `e2e/tests/invalid`, and what is too long to write down.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, ensure};
use domicile_crds::{definitions, yaml};
use domicile_e2e::fleet::Cluster;
use http::{Method, Request};
use serde_json::{Value, json};

use crate::{kinds, yaml_files};

/// One object that must be refused.
#[derive(Debug)]
struct Case {
    object: Value,
    update: bool,
    says: String,
}

#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) base: Value,
    cases: Vec<Case>,
}

/// RFC 7386.
fn merge(target: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        change.clone_into(target);
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in change {
        match target.as_object_mut() {
            Some(object) if value.is_null() => {
                object.remove(key);
            }
            Some(object) => merge(object.entry(key.as_str()).or_insert(Value::Null), value),
            None => {}
        }
    }
}

pub(crate) fn tables() -> anyhow::Result<Vec<Table>> {
    let mut tables = Vec::new();
    for path in yaml_files("e2e/tests/invalid")? {
        let file: Value = yaml::from_str(&fs::read_to_string(&path)?)?;
        let base = &file["base"];
        let case = |change: &Value, update: bool, says: &str| {
            let mut object = base.clone();
            merge(&mut object, change);
            Case { object, update, says: says.to_owned() }
        };
        let written = file["refused"].as_array().context("a table without `refused`")?;
        let mut cases = Vec::new();
        for entry in written {
            let says = entry["says"].as_str().context("a case without `says`")?;
            cases.push(case(&entry["change"], entry["update"] == true, says));
        }
        for (change, says) in too_much(base["kind"].as_str().context("a base without a kind")?) {
            cases.push(case(&change, false, says));
        }
        tables.push(Table { base: base.clone(), cases });
    }
    Ok(tables)
}

/// What is too long to be written down.
fn too_much(kind: &str) -> Vec<(Value, &'static str)> {
    let mut cases = Vec::new();
    if kind != "Installation" {
        let change = json!({"metadata": {"name": "a".repeat(64)}});
        cases.push((change, "the name has at most 63 characters and no dots"));
    }
    let names = |count: usize| (0..count).map(|index| format!("n-{index}")).collect::<Vec<_>>();
    match kind {
        "CountrySet" => cases.push((
            json!({"spec": {"description": "x".repeat(257)}}),
            "spec.description: Too long: may not be more than 256 bytes",
        )),
        "Decision" => cases.push((
            json!({"spec": {"reason": "x".repeat(4097)}}),
            "spec.reason: Too long: may not be more than 4096 bytes",
        )),
        "Tenant" => cases.push((
            json!({"spec": {"namespaces": names(33)}}),
            "spec.namespaces: Too many: 33: must have at most 32 items",
        )),
        "TenantWorkload" => {
            let manifest =
                |name| json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
            let manifests: Vec<_> = names(65).into_iter().map(manifest).collect();
            let says = "spec.manifests: Too many: 65: must have at most 64 items";
            cases.push((json!({"spec": {"manifests": manifests}}), says));
        }
        _ => {}
    }
    cases
}

pub(crate) async fn all(hub: &Cluster) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    let tables = tables()?;
    let count: usize = tables.iter().map(|table| table.cases.len()).sum();
    ensure!(count >= 60, "only {count} cases");
    for Table { base, cases } in &tables {
        // Else the refused ones might be refused for something that they share.
        if let Err(error) = send(hub, Method::POST, base, true).await {
            failures.push(format!("{} of the table is refused itself: {error}", base["kind"]));
            continue;
        }
        for case in cases.iter().filter(|case| !case.update) {
            let result = send(hub, Method::POST, &case.object, true).await;
            failures.extend(complaint(case, result));
        }
        if cases.iter().any(|case| case.update) {
            let created = send(hub, Method::POST, base, false).await?;
            for case in cases.iter().filter(|case| case.update) {
                let mut object = case.object.clone();
                object["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"].clone();
                let result = send(hub, Method::PUT, &object, true).await;
                failures.extend(complaint(case, result));
            }
            send(hub, Method::DELETE, base, false).await?;
        }
    }
    failures.extend(rules_without_a_case(&tables)?);
    Ok(failures)
}

/// A refusal: what the server said, and how many things it found.
#[derive(Debug)]
pub(crate) struct Refusal {
    message: String,
    causes: usize,
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Refusal {}

/// Sends an object as kubectl does, with strict validation, and perhaps without an effect.
pub(crate) async fn send(
    hub: &Cluster,
    method: Method,
    object: &Value,
    dry_run: bool,
) -> Result<Value, Refusal> {
    let other =
        |error: &dyn std::fmt::Display| Refusal { message: format!("not an answer: {error}"), causes: 0 };
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kinds = kinds();
    let kind = kinds.get(&text(&object["kind"])).ok_or_else(|| other(&"no kind of ours"))?;
    let namespace = match text(&object["metadata"]["namespace"]) {
        namespace if kind.namespaced => format!("namespaces/{namespace}/"),
        _ => String::new(),
    };
    let name = match method {
        Method::POST => String::new(),
        _ => format!("/{}", text(&object["metadata"]["name"])),
    };
    let dry_run = if dry_run { "&dryRun=All" } else { "" };
    let path = format!(
        "/apis/domicile.dev/v1alpha1/{namespace}{}{name}?fieldValidation=Strict{dry_run}",
        kind.plural
    );
    let body = if method == Method::DELETE { Vec::new() } else { object.to_string().into_bytes() };
    let request = Request::builder().method(method).uri(path).header("Content-Type", "application/json");
    match hub.client().request::<Value>(request.body(body).map_err(|error| other(&error))?).await {
        Ok(value) => Ok(value),
        Err(kube::Error::Api(status)) => {
            let causes = status.details.iter().flat_map(|details| &details.causes);
            // The server says so where a value was so wrong that a rule couldn't look at it.
            let causes =
                causes.filter(|cause| !cause.message.contains("some validation rules were not checked"));
            Err(Refusal { causes: causes.count(), message: status.message.clone() })
        }
        Err(error) => Err(other(&error)),
    }
}

fn complaint(case: &Case, result: Result<Value, Refusal>) -> Option<String> {
    let Case { object, says, .. } = case;
    let what = format!("{} that should be refused with `{says}`", object["kind"]);
    match result {
        Ok(_) => Some(format!("{what} was accepted: {}", object["spec"])),
        Err(refusal) if !refusal.message.contains(says.as_str()) => Some(format!("{what}: {refusal}")),
        Err(refusal) if refusal.causes > 1 => {
            Some(format!("{what} was refused for more than that: {refusal}"))
        }
        Err(_) => None,
    }
}

/// Every message of a rule in `crds/yaml` must stand in a table: a rule that nobody tried may not work.
fn rules_without_a_case(tables: &[Table]) -> anyhow::Result<Vec<String>> {
    let mut missing = Vec::new();
    for definition in definitions() {
        let kind = definition.spec.names.kind.clone();
        let mut rules = BTreeSet::new();
        messages(&serde_json::to_value(&definition)?, &mut rules);
        let tried = tables.iter().filter(|table| table.base["kind"] == kind.as_str());
        let said: Vec<_> = tried.flat_map(|table| &table.cases).map(|case| case.says.as_str()).collect();
        let untried = rules.into_iter().filter(|rule| !said.iter().any(|says| rule.starts_with(says)));
        missing.extend(untried.map(|rule| format!("no case of {kind} tries the rule `{rule}`")));
    }
    Ok(missing)
}

fn messages(schema: &Value, found: &mut BTreeSet<String>) {
    match schema {
        Value::Object(object) => {
            let rules = object.get("x-kubernetes-validations").and_then(Value::as_array);
            found.extend(
                rules.into_iter().flatten().filter_map(|rule| rule["message"].as_str().map(str::to_owned)),
            );
            object.values().for_each(|inner| messages(inner, found));
        }
        Value::Array(array) => array.iter().for_each(|inner| messages(inner, found)),
        _ => {}
    }
}
