//! Helm as a user has it, with nothing of the user's.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use anyhow::{Context as _, ensure};
use domicile_crds::yaml;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::{
    fleet::{Access, tools},
    stage::root,
};

/// Where the chart is.
pub const CHART: &str = "charts/domicile";
/// Where it is installed.
pub const NAMESPACE: &str = "domicile-system";
/// What an API server says once the definitions are there.
const KNOWN: &str = "--api-versions=domicile.dev/v1alpha1/CountrySet";

/// Helm, and the folder in which it keeps what it remembers.
#[derive(Debug)]
pub struct Helm {
    home: TempDir,
    kubeconfig: PathBuf,
}

impl Helm {
    /// For rendering: without a cluster.
    ///
    /// # Errors
    ///
    /// If its folder can't be made.
    pub fn alone() -> anyhow::Result<Self> {
        Ok(Self { home: tempfile::tempdir()?, kubeconfig: "/dev/null".into() })
    }

    /// For a cluster, as its administrator.
    ///
    /// # Errors
    ///
    /// If its folder can't be made.
    pub fn on(cluster: &Access) -> anyhow::Result<Self> {
        Ok(Self { kubeconfig: cluster.kubeconfig_path(), ..Self::alone()? })
    }

    /// Runs it in the repository's root, whether it succeeds or not.
    ///
    /// # Errors
    ///
    /// If it can't be built or started.
    pub async fn try_run(&self, args: &[&str]) -> anyhow::Result<Output> {
        let program = tokio::task::spawn_blocking(tools::helm).await??;
        let home = |name: &str| self.home.path().join(name);
        let output = Command::new(program)
            .args(args)
            .current_dir(root())
            .env("KUBECONFIG", &self.kubeconfig)
            .env("KUBECACHEDIR", home("kube"))
            .env("HELM_CACHE_HOME", home("cache"))
            .env("HELM_CONFIG_HOME", home("config"))
            .env("HELM_DATA_HOME", home("data"))
            .output();
        output.await.context("helm doesn't run")
    }

    /// Runs it and answers what it printed.
    ///
    /// # Errors
    ///
    /// If it fails; the message has its stderr.
    pub async fn run(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self.try_run(args).await?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "helm {}: {words}", args.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// What is installed with these flags, once the definitions are there.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub async fn render(&self, flags: &[&str]) -> anyhow::Result<Vec<Value>> {
        let args = [&["template", "domicile", CHART, "--namespace", NAMESPACE, KNOWN], flags].concat();
        Ok(yaml::documents(&self.run(&args).await?)?)
    }
}

/// The documents of a file, or of a folder's.
///
/// # Errors
///
/// If one can't be read.
pub fn files(path: &str) -> anyhow::Result<Vec<Value>> {
    let path = root().join(path);
    if !path.is_dir() {
        return Ok(yaml::documents(&std::fs::read_to_string(path)?)?);
    }
    let mut all = Vec::new();
    for entry in path.read_dir()? {
        all.extend(yaml::documents(&std::fs::read_to_string(entry?.path())?)?);
    }
    Ok(all)
}

/// A newer version of the chart in a folder, in which a Site is described as "A new word". Answers where it is.
///
/// # Errors
///
/// If it can't be made.
pub fn newer(folder: &Path) -> anyhow::Result<PathBuf> {
    // With what its link leads to.
    let copy =
        std::process::Command::new("cp").args(["-rL", CHART]).arg(folder).current_dir(root()).status()?;
    ensure!(copy.success(), "the chart can't be copied");
    let chart = folder.join("domicile");
    let path = chart.join("definitions/sites.yaml");
    let mut definition: Value = yaml::from_str(&fs::read_to_string(&path)?)?;
    let schema = definition.pointer_mut("/spec/versions/0/schema/openAPIV3Schema/description");
    *schema.context("no schema")? = "A new word".into();
    fs::write(&path, yaml::stream(&[definition]).trim_start_matches("---\n"))?;
    let path = chart.join("Chart.yaml");
    let text = fs::read_to_string(&path)?;
    let version = format!("\nversion: {}", env!("CARGO_PKG_VERSION"));
    ensure!(text.contains(&version), "{text}");
    fs::write(path, text.replace(&version, "\nversion: 99.0.0"))?;
    Ok(chart)
}

/// The text at a path of an object; empty if there is none.
#[must_use]
pub fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// `Kind name`.
#[must_use]
pub fn id(object: &Value) -> String {
    format!("{} {}", text(object, "/kind"), text(object, "/metadata/name"))
}
