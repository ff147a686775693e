//! What the operator is watched by: alerts and dashboards, of metrics that there are, and a page for each alert.

use std::collections::BTreeSet;

use anyhow::Context as _;
use domicile_crds::yaml;
use domicile_e2e::stage::root;
use serde_json::Value;

use domicile_e2e::helm::{CHART, Helm, text};

const PAGE: &str = "docs/operate.md";

fn read(path: &str) -> anyhow::Result<String> {
    std::fs::read_to_string(root().join(path)).with_context(|| path.to_owned())
}

/// The metrics in the page's table, which a test of the operator holds against those that there are.
fn documented() -> anyhow::Result<BTreeSet<String>> {
    let page = read(PAGE)?;
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `domicile_")?.split_once('`'));
    Ok(rows.map(|(name, _)| format!("domicile_{name}")).collect())
}

/// The metrics of ours that an expression names.
fn named(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("domicile_")).map(str::to_owned).collect()
}

pub(crate) fn alerts() -> anyhow::Result<Vec<Value>> {
    let rule: Value = yaml::from_str(&read(&format!("{CHART}/monitoring/alerts.yaml"))?)?;
    Ok(rule["spec"]["groups"][0]["rules"].as_array().context("no rules")?.clone())
}

#[test]
fn each_alert_is_of_a_metric_and_says_what_to_do() -> anyhow::Result<()> {
    let (metrics, page) = (documented()?, read(PAGE)?);
    let mut told: BTreeSet<String> = BTreeSet::new();
    for alert in alerts()? {
        let name = text(&alert, "/alert");
        let used = named(text(&alert, "/expr"));
        assert!(!used.is_empty() && used.is_subset(&metrics), "{name}: {used:?}");
        assert!(["critical", "warning"].contains(&text(&alert, "/labels/severity")), "{name}");
        for part in ["summary", "description"] {
            assert!(text(&alert, &format!("/annotations/{part}")).len() > 20, "{name} has no {part}");
        }
        assert_eq!(text(&alert, "/annotations/runbook"), format!("{PAGE}#{}", name.to_lowercase()));
        told.insert(name.to_owned());
    }
    let chapters = page.lines().filter_map(|line| line.strip_prefix("### Domicile"));
    assert_eq!(told, chapters.map(|rest| format!("Domicile{rest}")).collect());
    Ok(())
}

fn boards() -> anyhow::Result<Vec<Value>> {
    let mut all = Vec::new();
    for entry in root().join(CHART).join("monitoring/dashboards").read_dir()? {
        all.push(serde_json::from_str(&std::fs::read_to_string(entry?.path())?)?);
    }
    Ok(all)
}

/// What the panels of dashboards show.
fn panels() -> anyhow::Result<BTreeSet<String>> {
    let boards = boards()?;
    let panels = boards.iter().flat_map(|board| board["panels"].as_array().into_iter().flatten());
    let targets = panels.flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    Ok(targets.map(|target| text(target, "/expr").to_owned()).collect())
}

/// Every expression of an alert or a panel.
pub(crate) fn expressions() -> anyhow::Result<BTreeSet<String>> {
    let mut all = panels()?;
    all.extend(alerts()?.iter().map(|alert| text(alert, "/expr").to_owned()));
    Ok(all)
}

#[test]
fn the_dashboards_show_every_metric_and_no_other() -> anyhow::Result<()> {
    let boards = boards()?;
    let uids: BTreeSet<&str> = boards.iter().map(|board| text(board, "/uid")).collect();
    assert_eq!(uids, ["domicile-fleet", "domicile-operator"].into());
    let shown: BTreeSet<String> = panels()?.iter().flat_map(|expression| named(expression)).collect();
    assert_eq!(shown, documented()?);
    Ok(())
}

#[tokio::test]
async fn they_are_rendered_as_they_are() -> anyhow::Result<()> {
    let flags = ["--set=monitoring.prometheusRule.enabled=true", "--set=monitoring.dashboards.enabled=true"];
    let rendered = Helm::alone()?.render(&flags).await?;
    let rule = rendered.iter().find(|object| object["kind"] == "PrometheusRule").context("no rule")?;
    assert_eq!(rule["spec"]["groups"][0]["rules"], Value::Array(alerts()?));
    let maps: Vec<&Value> = rendered.iter().filter(|object| object["kind"] == "ConfigMap").collect();
    let mut there: Vec<Value> = Vec::new();
    for map in maps {
        assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
        for board in map["data"].as_object().into_iter().flat_map(serde_json::Map::values) {
            there.push(serde_json::from_str(board.as_str().unwrap_or_default())?);
        }
    }
    let sorted = |mut all: Vec<Value>| {
        all.sort_by_key(|board| board["uid"].to_string());
        all
    };
    assert_eq!(sorted(there), sorted(boards()?));
    Ok(())
}
