//! Prometheus' own promtool on what the operator is watched by: every expression is one, and each alert fires when it should,
//! with what it says, and only then (alerts.yaml beside this file).

use std::{collections::BTreeSet, path::Path, process::Output};

use anyhow::{Context as _, ensure};
use domicile_crds::yaml;
use domicile_e2e::{fleet::tools, helm::text};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::monitoring::{alerts, expressions};

const TESTS: &str = include_str!("alerts.yaml");

async fn promtool(folder: &Path, args: &[&str]) -> anyhow::Result<Output> {
    let program = tokio::task::spawn_blocking(tools::promtool).await??;
    Ok(Command::new(program).args(args).current_dir(folder).output().await?)
}

/// Tries the tests on these rules. Answers what promtool complains of.
async fn complaints(rules: &[Value]) -> anyhow::Result<String> {
    let folder = tempfile::tempdir()?;
    std::fs::write(folder.path().join("rules.yaml"), groups(rules))?;
    std::fs::write(folder.path().join("tests.yaml"), TESTS)?;
    let output = promtool(folder.path(), &["test", "rules", "tests.yaml"]).await?;
    let words = [output.stdout, output.stderr].concat();
    let words = String::from_utf8_lossy(&words).into_owned();
    ensure!(output.status.success() != words.contains("FAILED"), "{words}");
    Ok(if output.status.success() { String::new() } else { words })
}

fn groups(rules: &[Value]) -> String {
    yaml::document(&json!({"groups": [{"name": "domicile", "rules": rules}]}))
}

#[tokio::test]
async fn each_alert_fires_when_it_should_and_only_then() -> anyhow::Result<()> {
    let rules = alerts()?;
    let tests: Value = yaml::from_str(TESTS)?;
    let cases: Vec<&Value> = tests["tests"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|test| test["alert_rule_test"].as_array().into_iter().flatten())
        .collect();
    for rule in &rules {
        let fires: BTreeSet<bool> = cases
            .iter()
            .filter(|case| case["alertname"] == rule["alert"])
            .map(|case| case["exp_alerts"].is_array())
            .collect();
        assert_eq!(fires, [false, true].into(), "{}", rule["alert"]);
    }
    assert_eq!(complaints(&rules).await?, "");
    Ok(())
}

/// That what is wrong would be found: alerts that never fire, that always do, or that say something else.
#[tokio::test]
async fn an_alert_that_is_wrong_does_not_pass() -> anyhow::Result<()> {
    for (path, wrong) in [
        ("/expr", "vector(0) > 1"),
        ("/expr", "vector(1)"),
        ("/labels/severity", "info"),
        ("/annotations/summary", "Something"),
    ] {
        let mut rules = alerts()?;
        for rule in &mut rules {
            *rule.pointer_mut(path).context("a path")? = wrong.into();
        }
        let words = complaints(&rules).await?;
        for rule in &rules {
            let name = text(rule, "/alert");
            assert!(
                words.contains(&format!("alertname: {name},")),
                "{name} with {wrong} as {path}: {words:?}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn every_expression_is_one() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let check = async |all: &[String]| {
        let records =
            all.iter().map(|it| json!({"record": "domicile:shown", "expr": it, "labels": {"of": it}}));
        std::fs::write(folder.path().join("rules.yaml"), groups(&records.collect::<Vec<_>>()))?;
        promtool(folder.path(), &["check", "rules", "--lint=none", "rules.yaml"]).await
    };
    let all: Vec<String> = expressions()?.into_iter().collect();
    assert!(all.len() > 15, "{all:?}");
    let output = check(&all).await?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let output = check(&["sum by (kind) rate(domicile_leader[5m]))".to_owned()]).await?;
    assert!(!output.status.success(), "promtool takes anything");
    Ok(())
}
