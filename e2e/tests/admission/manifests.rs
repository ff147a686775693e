//! `e2e/tests/escalation/manifests.yaml`: refused by the API server, and by the operator's own code.

use std::fs;

use anyhow::{Context as _, ensure};
use domicile_core::manifests::Manifests;
use domicile_crds::{TenantWorkload, yaml};
use domicile_e2e::{
    props::{config_map, with, workload},
    stage::root,
};
use serde_json::{Value, json};

use crate::{
    asking::{API, Ask, together},
    ground::Ground,
};

/// One manifest, and what is said of it: by the API server, by the operator.
struct Case {
    manifest: Value,
    says: Option<(String, String)>,
}

fn object(api: &str, kind: &str, spec: &Value) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"name": "a"}, "spec": spec})
}

/// Everything that makes pods, with such a template.
fn with_template(template: &Value) -> Vec<Value> {
    let spec = json!({"template": template});
    vec![
        object("apps/v1", "Deployment", &spec),
        object("apps/v1", "StatefulSet", &spec),
        object("batch/v1", "Job", &spec),
        object("batch/v1", "CronJob", &json!({"jobTemplate": {"spec": spec}})),
    ]
}

/// Everything that has metadata, or gives it to what it makes, with such metadata.
fn with_metadata(metadata: &Value) -> Vec<Value> {
    let mut all = with_template(&json!({"metadata": metadata}));
    all.push(object("batch/v1", "CronJob", &json!({"jobTemplate": {"metadata": metadata}})));
    all.push(object("apps/v1", "StatefulSet", &json!({"volumeClaimTemplates": [{"metadata": metadata}]})));
    let volume = json!({"name": "v", "ephemeral": {"volumeClaimTemplate": {"metadata": metadata}}});
    all.extend(with_template(&json!({"spec": {"volumes": [volume]}})));
    all.push(with(config_map("a", "b"), json!({"metadata": metadata})));
    all
}

fn cases() -> anyhow::Result<Vec<Case>> {
    let text = fs::read_to_string(root().join("e2e/tests/escalation/manifests.yaml"))?;
    let table: Value = yaml::from_str(&text)?;
    let list = |key: &str| table[key].as_array().with_context(|| format!("no {key} in the table"));
    let mut cases = Vec::new();
    let mut refuse = |manifest: Value, says: &str, operator: Option<&str>| {
        let says = Some((says.to_owned(), operator.unwrap_or(says).to_owned()));
        cases.push(Case { manifest, says });
    };
    for source in list("volumes")? {
        let source = source.as_str().context("a source is a name")?;
        for manifest in with_template(&json!({"spec": {"volumes": [{"name": "v", source: {}}]}})) {
            refuse(manifest, &format!("sets a {source} volume, which"), None);
        }
    }
    for (key, expand) in [("pods", with_template as fn(&Value) -> Vec<Value>), ("metadata", with_metadata)] {
        for entry in list(key)? {
            let says = entry["says"].as_str().context("a case without `says`")?;
            let template =
                if key == "pods" { json!({"spec": entry["spec"]}) } else { entry["metadata"].clone() };
            for manifest in expand(&template) {
                refuse(manifest, says, None);
            }
        }
    }
    for entry in list("manifests")? {
        let says = entry["says"].as_str().context("a case without `says`")?;
        refuse(entry["manifest"].clone(), says, entry["operator"].as_str());
    }
    let fine = list("fine")?.iter();
    cases.extend(fine.map(|manifest| Case { manifest: manifest.clone(), says: None }));
    Ok(cases)
}

/// The manifest beside one that is fine, so that its index is seen to be the right one.
fn beside(manifest: &Value) -> Value {
    workload("bakery", "sly", &[config_map("fine", "a"), manifest.clone()], json!({}))
}

fn complaint(who: &str, manifest: &Value, wanted: Option<&str>, found: Option<&str>) -> Option<String> {
    match (wanted, found) {
        (None, None) => None,
        (None, Some(refusal)) => Some(format!("{who} refuses {manifest}: {refusal}")),
        (Some(says), Some(refusal)) if refusal.contains(says) => {
            // Whose rule it is that the definition states, the definition says in its own words.
            let named = refusal.contains("spec.manifests[1] (") || !says.starts_with("sets");
            (!named).then(|| format!("{who} doesn't say which manifest it refuses: {refusal}"))
        }
        (Some(says), found) => {
            Some(format!("{who} says {found:?} to {manifest}, wanted a refusal with `{says}`"))
        }
    }
}

pub(crate) async fn all(ground: &Ground) -> anyhow::Result<Vec<String>> {
    let cases = cases()?;
    ensure!(cases.len() >= 200, "only {} cases", cases.len());
    let mut failures: Vec<String> = cases.iter().filter_map(operator_on).collect();
    let path = format!("{API}/namespaces/bakery/tenantworkloads?dryRun=All");
    failures.extend(
        together(&cases, |case| async {
            let answer = Ask::create(&path, &beside(&case.manifest)).to(&ground.anna).await;
            let wanted = case.says.as_ref().map(|(hub, _)| hub.as_str());
            complaint("the hub", &case.manifest, wanted, answer.as_ref().err().map(String::as_str))
        })
        .await,
    );
    Ok(failures)
}

/// What the operator would say, had the hub taken it.
fn operator_on(case: &Case) -> Option<String> {
    let read = serde_json::from_value::<TenantWorkload>(beside(&case.manifest));
    let found = match read.as_ref().map(Manifests::read) {
        Ok(read) => read.err().map(|error| error.to_string()),
        Err(error) => Some(error.to_string()),
    };
    let wanted = case.says.as_ref().map(|(_, operator)| operator.as_str());
    complaint("the operator", &case.manifest, wanted, found.as_deref())
}
