//! docs/install.md: its commands, typed as they stand there, and its table of permissions.

use std::{collections::BTreeSet, path::Path};

use anyhow::{Context as _, ensure};
use domicile_crds::definitions;
use domicile_e2e::{
    fleet::{Cluster, ClusterOptions, Fleet, tools},
    stage::root,
};
use serde_json::Value;
use tokio::process::Command;

use domicile_e2e::helm::files;

fn page() -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(root().join("docs/install.md"))?)
}

/// The shell commands of a chapter.
fn commands(page: &str, chapter: &str) -> anyhow::Result<String> {
    let rest = page.split(&format!("\n## {chapter}\n")).nth(1).with_context(|| format!("no {chapter}"))?;
    let text = rest.split("\n## ").next().unwrap_or_default();
    let blocks = text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap_or_default());
    Ok(blocks.collect())
}

/// Types commands in the repository's root, with a home of their own.
async fn type_in(cluster: &Cluster, home: &Path, commands: &str) -> anyhow::Result<()> {
    let helm = tokio::task::spawn_blocking(tools::helm).await??;
    let folders = [helm.parent().context("a folder")?, cluster.binaries().folder()];
    let path = folders.map(|folder| folder.display().to_string()).join(":");
    let commands = commands.replace("domicile.yaml", &home.join("domicile.yaml").display().to_string());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands])
        .current_dir(root())
        .env("PATH", format!("{path}:{}", std::env::var("PATH")?))
        .env("KUBECONFIG", cluster.kubeconfig_path())
        .env("KUBECACHEDIR", home.join("kube"))
        .env("HOME", home)
        .output()
        .await?;
    ensure!(output.status.success(), "{commands}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

async fn has(hub: &Cluster, what: &str) -> anyhow::Result<bool> {
    let words = what.split_whitespace().chain(["--ignore-not-found", "-o", "name"]);
    Ok(!hub.kubectl(words).text().await?.trim().is_empty())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_s_commands_install_it() -> anyhow::Result<()> {
    let page = page()?;
    // Only members have nodes: two of them are as good as hubs.
    let options = ClusterOptions::member;
    let fleet = Fleet::builder().member("hub-1", options()).member("hub-2", options()).start().await?;
    let (hub, other) = (fleet.member("hub-1")?, fleet.member("hub-2")?);
    let home = tempfile::tempdir()?;
    type_in(hub, home.path(), &commands(&page, "With Helm")?).await?;
    type_in(other, home.path(), &commands(&page, "With files alone")?).await?;
    for cluster in [hub, other] {
        for what in ["get countrysets.domicile.dev eu", "get validatingadmissionpolicies domicile-decisions"]
        {
            ensure!(has(cluster, what).await?, "{what} on {}", cluster.name());
        }
    }
    // Helm waits by kstatus, also for country sets, until the operator has looked at them. Here, its pods are played.
    for set in ["eu", "eea", "gdpr-adequate"] {
        let seen = r#"{"status": {"observedGeneration": 1}}"#;
        let patch =
            ["patch", "countrysets.domicile.dev", set, "--subresource=status", "--type=merge", "-p", seen];
        other.kubectl(patch).text().await?;
    }
    // What was applied by hand becomes the release's.
    let first = commands(&page, "With Helm")?.lines().next().context("no command")?.to_owned();
    ensure!(page.contains("add `--take-ownership --force-conflicts` to the first command"));
    type_in(other, home.path(), &format!("{first} --take-ownership --force-conflicts")).await?;
    type_in(hub, home.path(), &commands(&page, "Removing it")?).await?;
    ensure!(has(hub, "get countrysets.domicile.dev eu").await?, "country sets stay");
    ensure!(!has(hub, "get validatingadmissionpolicies domicile-decisions").await?, "policies go");
    Ok(())
}

/// Group aside, resource and verb.
type Right = (String, String);

#[test]
fn the_table_says_every_right_and_no_other() -> anyhow::Result<()> {
    let mut granted: BTreeSet<Right> = BTreeSet::new();
    let all = files("charts/domicile/roles/operator.yaml")?;
    for rule in all.iter().flat_map(|object| object["rules"].as_array().into_iter().flatten()) {
        for resource in strings(&rule["resources"]) {
            granted.extend(strings(&rule["verbs"]).map(|verb| (resource.clone(), verb)));
        }
    }
    let mut told: BTreeSet<Right> = BTreeSet::new();
    let page = page()?;
    let table = page.split("| resources | verbs |").nth(1).context("no table")?;
    for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let named =
            |cell: &str| -> Vec<String> { cell.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
        let kinds = || definitions().into_iter().map(|crd| crd.spec.names.plural);
        let resources: Vec<String> = match cells[1] {
            // An Assignment has no status.
            "every status of `domicile.dev`" => {
                kinds().filter(|kind| kind != "assignments").map(|kind| format!("{kind}/status")).collect()
            }
            "every kind of `domicile.dev`" => kinds().collect(),
            cell => named(cell),
        };
        for resource in resources {
            told.extend(named(cells[2]).into_iter().map(|verb| (resource.clone(), verb)));
        }
    }
    assert_eq!(told, granted);
    Ok(())
}

fn strings(list: &Value) -> impl Iterator<Item = String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned)
}

/// Texts in the code that are no reasons.
const NO_REASONS: [&str; 8] = [
    "HostingProvider",
    "MemberCluster",
    "TenantWorkload",
    "MovePending",
    "ConfigMap",
    "CountrySet",
    "StatefulSet",
    "PersistentVolumeClaim",
];

/// What looks like a reason: a text of several words, written as one.
fn reasons(code: &str) -> BTreeSet<String> {
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let texts = code.split('"').skip(1).step_by(2);
    let is_reason = |text: &&str| {
        let capitals = text.chars().filter(char::is_ascii_uppercase).count();
        let letters = text.chars().all(|c| c.is_ascii_alphabetic());
        letters
            && capitals > 1
            && capitals < text.len() / 2
            && text.starts_with(|c: char| c.is_ascii_uppercase())
    };
    texts.filter(is_reason).map(str::to_owned).collect()
}

#[test]
fn every_reason_is_in_the_rules() -> anyhow::Result<()> {
    let page = std::fs::read_to_string(root().join("docs/rules.md"))?;
    let page = page.split("\n## Reasons\n").nth(1).context("no Reasons")?;
    let files = [
        "operator/core/src/report.rs",
        "operator/core/src/report/exposed.rs",
        "operator/core/src/report/lawful.rs",
        "operator/core/src/report/sources.rs",
        "operator/controller/src/brain/consider.rs",
        "operator/controller/src/brain/decisions.rs",
        "operator/controller/src/brain/events.rs",
        "operator/controller/src/brain/facts.rs",
        "operator/controller/src/brain/identity.rs",
        "operator/controller/src/brain/moves.rs",
        "operator/controller/src/brain/subjects.rs",
        "operator/controller/src/brain/unreadable.rs",
        "operator/controller/src/member/error.rs",
    ];
    let mut found = BTreeSet::new();
    for file in files {
        found.extend(reasons(&std::fs::read_to_string(root().join(file))?));
    }
    found.extend(domicile_core::Rule::ALL.iter().map(ToString::to_string));
    found.retain(|reason| !NO_REASONS.contains(&reason.as_str()));
    ensure!(found.contains("RecordOlder") && found.contains("ByOneAlone"), "only {found:?} were found");
    let is_told = |reason: &&String| {
        page.contains(&format!("`{reason}`")) || page.contains(&format!("\n### {reason}\n"))
    };
    let missing: Vec<_> = found.iter().filter(|reason| !is_told(reason)).collect();
    ensure!(missing.is_empty(), "docs/rules.md says nothing of {missing:?}");
    Ok(())
}
