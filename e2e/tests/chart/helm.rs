//! Helm as a user has it, with nothing of the user's.

use std::{path::Path, process::Output};

use anyhow::{Context as _, ensure};
use domicile_crds::yaml;
use domicile_e2e::{
    fleet::{Cluster, tools},
    stage::root,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

/// Where the chart is.
pub(crate) const CHART: &str = "charts/domicile";
/// Where it is installed.
pub(crate) const NAMESPACE: &str = "domicile-system";
/// What an API server says once the definitions are there.
const KNOWN: &str = "--api-versions=domicile.dev/v1alpha1/CountrySet";

/// Helm, and the folder in which it keeps what it remembers.
pub(crate) struct Helm {
    home: TempDir,
    kubeconfig: std::path::PathBuf,
}

impl Helm {
    /// For rendering: without a cluster.
    pub(crate) fn alone() -> anyhow::Result<Self> {
        Ok(Self { home: tempfile::tempdir()?, kubeconfig: "/dev/null".into() })
    }

    pub(crate) fn on(cluster: &Cluster) -> anyhow::Result<Self> {
        Ok(Self { kubeconfig: cluster.kubeconfig_path(), ..Self::alone()? })
    }

    /// Runs it in the repository's root, whether it succeeds or not.
    pub(crate) async fn try_run(&self, args: &[&str]) -> anyhow::Result<Output> {
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

    pub(crate) async fn run(&self, args: &[&str]) -> anyhow::Result<String> {
        let output = self.try_run(args).await?;
        let words = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "helm {}: {words}", args.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }

    /// What is installed with these flags, once the definitions are there.
    pub(crate) async fn render(&self, flags: &[&str]) -> anyhow::Result<Vec<Value>> {
        let args = [&["template", "domicile", CHART, "--namespace", NAMESPACE, KNOWN], flags].concat();
        Ok(yaml::documents(&self.run(&args).await?)?)
    }
}

/// The documents of a file, or of a folder's.
pub(crate) fn files(path: &str) -> anyhow::Result<Vec<Value>> {
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

/// A copy of the chart, with what its link leads to.
pub(crate) fn copy(to: &Path) -> anyhow::Result<()> {
    let status =
        std::process::Command::new("cp").args(["-rL", CHART]).arg(to).current_dir(root()).status()?;
    ensure!(status.success(), "the chart can't be copied");
    Ok(())
}

pub(crate) fn text<'a>(object: &'a Value, path: &str) -> &'a str {
    object.pointer(path).and_then(Value::as_str).unwrap_or_default()
}

/// `Kind name`.
pub(crate) fn id(object: &Value) -> String {
    format!("{} {}", text(object, "/kind"), text(object, "/metadata/name"))
}
