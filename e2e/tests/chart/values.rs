//! What can be set: each value is described, has a default, does something, and nothing else is taken.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use domicile_crds::yaml;
use domicile_e2e::stage::root;
use serde_json::Value;

use domicile_e2e::helm::{CHART, Helm, NAMESPACE, id, text};

fn schema() -> anyhow::Result<Value> {
    let text = std::fs::read_to_string(root().join(CHART).join("values.schema.json"))?;
    Ok(serde_json::from_str(&text)?)
}

/// Every value by its path; a group is one, too.
fn every(schema: &Value, path: &str, found: &mut BTreeMap<String, Value>) {
    for (name, value) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        every(value, &path, found);
        found.insert(path, value.clone());
    }
}

fn all() -> anyhow::Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    every(&schema()?, "", &mut found);
    // A chart that has this one as a part hands it on, and none of it is used.
    found.remove("global");
    Ok(found)
}

fn is_group(value: &Value) -> bool {
    value["properties"].is_object()
}

#[test]
fn every_value_has_a_description_and_a_default() -> anyhow::Result<()> {
    let values = all()?;
    assert!(values.len() > 30);
    for (path, value) in &values {
        let words = value["description"].as_str().unwrap_or_default();
        assert!(words.len() > 10 && !words.ends_with('.'), "{path}: {words:?}");
        assert!(value.get("default").is_some(), "{path} has no default");
        assert!(!is_group(value) || value["additionalProperties"] == false, "{path} takes anything");
    }
    let schema = schema()?;
    assert_eq!(schema["additionalProperties"], false);
    let file: Value = yaml::from_str(&std::fs::read_to_string(root().join(CHART).join("values.yaml"))?)?;
    assert_eq!(schema["default"], file, "values.yaml has the defaults");
    for (path, value) in &values {
        let pointer = format!("/{}", path.replace('.', "/"));
        assert_eq!(file.pointer(&pointer), value.get("default"), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_misspelt_or_out_of_bounds_is_refused() -> anyhow::Result<()> {
    let helm = Helm::alone()?;
    let groups = all()?.into_iter().filter(|(_, value)| is_group(value)).map(|(path, _)| format!("{path}."));
    let misspelt = groups.chain([String::new()]).map(|group| format!("{group}enabeld=true"));
    let bounds = [
        "replicas=-1",
        "replicas=two",
        "operator.leaseSeconds=2",
        "operator.logFormat=xml",
        "image.digest=latest",
        "image.pullPolicy=Sometimes",
        "crds.install=maybe",
        "networkPolicy.apiServerPorts={}",
        "monitoring.serviceMonitor.interval=often",
    ];
    for set in misspelt.chain(bounds.map(str::to_owned)) {
        let flag = format!("--set={set}");
        let output = helm.try_run(&["template", "domicile", CHART, "--namespace", NAMESPACE, &flag]).await?;
        let words = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && words.contains("schema"), "{set}: {words}");
    }
    Ok(())
}

#[tokio::test]
async fn every_value_has_its_effect() -> anyhow::Result<()> {
    let helm = Helm::alone()?;
    let effects = include_str!("effects.yaml").replace("VERSION", env!("CARGO_PKG_VERSION"));
    let effects: Vec<Value> = yaml::from_str(&effects)?;
    let told: BTreeSet<&str> = effects.iter().map(|effect| text(effect, "/value")).collect();
    let values = all()?;
    let leaves = values.iter().filter(|(_, value)| !is_group(value)).map(|(path, _)| path.as_str());
    assert_eq!(told, leaves.collect());
    let monitored = ["serviceMonitor", "prometheusRule", "dashboards"]
        .map(|part| format!("--set=monitoring.{part}.enabled=true"));
    let monitored: Vec<&str> = monitored.iter().map(String::as_str).collect();
    let (plain, watched) = (helm.render(&[]).await?, helm.render(&monitored).await?);
    for effect in &effects {
        let path = text(effect, "/value");
        let set = format!("--set-json={path}={}", effect["set"]);
        let needs_it = path.starts_with("monitoring.") && !path.ends_with(".enabled");
        let (given, before) = if needs_it { (&monitored[..], &watched) } else { (&[][..], &plain) };
        let after = helm.render(&[given, &[&set]].concat()).await.with_context(|| path.to_owned())?;
        let of = |all: &[Value]| all.iter().find(|object| id(object) == text(effect, "/in")).cloned();
        let (before, after) = (of(before), of(&after));
        let Some(at) = effect["at"].as_str() else {
            assert_eq!(
                (before.is_some(), after.is_some()),
                (effect["set"] == false, effect["set"] == true),
                "{path}"
            );
            continue;
        };
        let at = |object: Option<Value>| object.and_then(|it| it.pointer(at).cloned()).unwrap_or_default();
        assert_eq!(at(after), effect["is"], "{path}");
        assert_ne!(at(before), effect["is"], "{path}, by default");
    }
    Ok(())
}
