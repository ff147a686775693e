//! The API as a user meets it, on a real API server with nothing of ours running: what it accepts, what
//! it refuses and with which words, what it documents, and that names find it among others' of like names.
//!
//! One server for all: each part collects its failures, so that one run shows every one.

#![expect(clippy::indexing_slicing, reason = "JSON: a missing member is null")]

mod accepted;
mod documented;
mod names;
mod refused;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};
use domicile_crds::definitions;
use domicile_e2e::fleet::{Cluster, Fleet};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;

/// A plural, a short name, and whether it lives in namespaces.
struct Kind {
    plural: String,
    short: String,
    namespaced: bool,
}

fn kinds() -> BTreeMap<String, Kind> {
    let kind = |definition: CustomResourceDefinition| {
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
    failures.extend(refused::all(hub).await.context("what must be refused")?);
    failures.extend(accepted::every_country(hub).await);
    failures.extend(accepted::examples(hub).await.context("what must be accepted")?);
    failures.extend(documented::all(hub).await.context("documentation")?);
    failures.extend(names::all(hub).await.context("names")?);
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
