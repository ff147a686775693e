//! The API as a user meets it, on a real API server with nothing of ours running: what it accepts, what
//! it refuses and with which words, what it documents, and that names find it among others' of like names.
//!
//! One server for all: each part collects its failures, so that one run shows every one.

#![expect(clippy::indexing_slicing, reason = "JSON: a missing member is null")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, ensure};
use domicile_crds::{COUNTRY_CODES, definitions, yaml};
use domicile_e2e::fleet::{Cluster, Fleet, wait::eventually};
use http::{Method, Request};
use serde_json::{Value, json};

/// Others' definitions of like names, as (group, plural, kind, short names). The first four are real projects'.
const FOREIGN: [(&str, &str, &str, &[&str]); 9] = [
    ("pkg.crossplane.io", "providers", "Provider", &[]),
    ("notification.toolkit.fluxcd.io", "providers", "Provider", &[]),
    ("kueue.x-k8s.io", "workloads", "Workload", &["wl"]),
    ("capsule.clastix.io", "tenants", "Tenant", &["tnt"]),
    ("cms.example.com", "sites", "Site", &["site"]),
    ("schema.example.com", "migrations", "Migration", &["mig"]),
    ("board.example.com", "decisions", "Decision", &["decision"]),
    ("packages.example.com", "installations", "Installation", &["inst"]),
    ("school.example.com", "assignments", "Assignment", &["as"]),
];

/// A plural, a short name, and whether it lives in namespaces.
struct Kind {
    plural: String,
    short: String,
    namespaced: bool,
}

fn kinds() -> BTreeMap<String, Kind> {
    let kind = |definition: k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition| {
        let names = definition.spec.names;
        let short = names.short_names.unwrap_or_default().join(",");
        let namespaced = definition.spec.scope == "Namespaced";
        (names.kind, Kind { plural: names.plural, short, namespaced })
    };
    definitions().into_iter().map(kind).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn yaml_files(folder: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(root().join(folder)).with_context(|| format!("cannot read {folder}"))?;
    let mut files: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    files.sort();
    ensure!(!files.is_empty(), "{folder} has no YAML");
    Ok(files)
}

#[tokio::test]
async fn the_api_as_a_user_meets_it() -> anyhow::Result<()> {
    let fleet = Fleet::builder().hub().start().await?;
    let hub = fleet.hub()?;
    install(hub).await?;
    let mut failures = Vec::new();
    failures.extend(refused(hub).await.context("what must be refused")?);
    failures.extend(every_country(hub).await);
    failures.extend(accepted(hub).await.context("what must be accepted")?);
    failures.extend(documented(hub).await.context("documentation")?);
    failures.extend(found_by_name(hub).await.context("names")?);
    ensure!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}

async fn install(hub: &Cluster) -> anyhow::Result<()> {
    let folder = root().join("crds/yaml").display().to_string();
    let output = hub.kubectl(["apply", "--server-side", "-f", &folder]).output().await?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && said.is_empty(), "the definitions are taken with complaints: {said}");
    hub.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "-f", &folder]).text().await?;
    Ok(())
}

// What must be refused.

/// One object that must be refused.
struct Case {
    object: Value,
    update: bool,
    says: String,
}

struct Table {
    base: Value,
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

fn tables() -> anyhow::Result<Vec<Table>> {
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

async fn refused(hub: &Cluster) -> anyhow::Result<Vec<String>> {
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
struct Refusal {
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
async fn send(hub: &Cluster, method: Method, object: &Value, dry_run: bool) -> Result<Value, Refusal> {
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

// What must be accepted.

/// Every assigned code, since one that is mangled on its way (`NO` is a boolean in YAML 1.1) is missed by nobody else.
async fn every_country(hub: &Cluster) -> Option<String> {
    let member = |code: &&str| json!({"country": code, "basis": "Agreement", "source": "ISO 3166-1"});
    let members: Vec<_> = COUNTRY_CODES.iter().map(member).collect();
    let world = json!({
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "CountrySet",
        "metadata": {"name": "world"},
        "spec": {"members": members},
    });
    send(hub, Method::POST, &world, true)
        .await
        .err()
        .map(|refusal| format!("a country is refused: {refusal}"))
}

/// Applies every example, in order, as its README says, and then once more.
async fn accepted(hub: &Cluster) -> anyhow::Result<Vec<String>> {
    let mut failures = Vec::new();
    let mut seen = BTreeSet::new();
    for folder in ["charts/domicile/countrysets", "examples/benelux", "examples/first-placement"] {
        for path in yaml_files(folder)? {
            let path = path.display().to_string();
            for document in yaml::documents(&fs::read_to_string(&path)?)? {
                if let Some(namespace) = document["metadata"]["namespace"].as_str()
                    && seen.insert(namespace.to_owned())
                {
                    hub.kubectl(["create", "namespace", namespace]).text().await?;
                }
            }
            for _ in ["first", "again"] {
                let apply = ["apply", "--server-side", "--validate=strict", "-f", &path];
                let output = hub.kubectl(apply).output().await?;
                let said = String::from_utf8_lossy(&output.stderr);
                if !output.status.success() || !said.is_empty() {
                    failures.push(format!("{path}: {}", said.trim()));
                }
            }
        }
    }
    Ok(failures)
}

// What it documents.

/// `kubectl explain` is made from this: every field of every kind has words of its own.
async fn documented(hub: &Cluster) -> anyhow::Result<Vec<String>> {
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

// Names.

fn foreign(group: &str, plural: &str, kind: &str, short: &[&str]) -> Value {
    let anything =
        json!({"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}});
    json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}")},
        "spec": {
            "group": group,
            "scope": "Cluster",
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "shortNames": short},
            "versions": [{"name": "v1", "served": true, "storage": true, "schema": anything}],
        },
    })
}

async fn found_by_name(hub: &Cluster) -> anyhow::Result<Vec<String>> {
    let list: Vec<_> =
        FOREIGN.iter().map(|(group, plural, kind, short)| foreign(group, plural, kind, short)).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": list}).to_string();
    hub.kubectl(["apply", "--server-side", "-f", "-"]).stdin(list.clone()).text().await?;
    hub.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "-f", "-"])
        .stdin(list)
        .text()
        .await?;
    for (group, plural, kind, _) in FOREIGN {
        let object =
            json!({"apiVersion": format!("{group}/v1"), "kind": kind, "metadata": {"name": "foreign"}});
        hub.kubectl(["apply", "--server-side", "-f", "-"]).stdin(object.to_string()).text().await?;
        let got = hub.kubectl(["get", &format!("{plural}.{group}"), "-o", "name"]).text().await?;
        ensure!(got.trim().ends_with("/foreign"), "{plural}.{group}: {got}");
    }
    // Of the kinds that only the operator writes, the examples have none.
    for Table { base, .. } in tables()? {
        if matches!(base["kind"].as_str(), Some("Assignment" | "Migration" | "Relocation")) {
            hub.kubectl(["apply", "--server-side", "-f", "-"]).stdin(base.to_string()).text().await?;
        }
    }
    let mut failures = Vec::new();
    let all = hub.kubectl(["get", "domicile", "-A", "-o", "name"]).text().await?;
    if all.contains("/foreign") {
        failures.push(format!("`kubectl get domicile -A` shows what isn't ours: {all}"));
    }
    for (kind, Kind { plural, short, .. }) in kinds() {
        let singular = kind.to_lowercase();
        if !all.contains(&format!("{singular}.domicile.dev/")) {
            failures.push(format!("`kubectl get domicile -A` shows no {kind}"));
        }
        for name in [format!("{plural}.domicile.dev"), format!("{singular}.v1alpha1.domicile.dev"), short] {
            let got = hub.kubectl(["get", &name, "-A", "-o", "name"]).text().await?;
            let ours = |line: &str| line.starts_with(&format!("{singular}.domicile.dev/"));
            if got.trim().is_empty() || !got.lines().all(ours) {
                failures.push(format!("`kubectl get {name} -A` shows `{}`", got.trim()));
            }
        }
    }
    let table = hub.kubectl(["get", "tw", "-A"]).text().await?;
    let columns: Vec<_> = table.lines().next().unwrap_or_default().split_whitespace().collect();
    if columns != ["NAMESPACE", "NAME", "CLUSTER", "COUNTRY", "PROVIDER", "COMPLIANT", "READY", "AGE"] {
        failures.push(format!("`kubectl get tw -A` has the columns {columns:?}"));
    }
    Ok(failures)
}
