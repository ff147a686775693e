//! The README's first placement on real clusters, typed as it stands there, on two clusters of its own.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use domicile_e2e::{
    fleet::{Binaries, tools, wait::eventually},
    kind::Stage,
    readme::{blocks, said, started, typed},
    stage::root,
};

/// Two more clusters, beside those of the set.
const UP: Duration = Duration::from_mins(6);
/// For deleting them.
const DOWN: Duration = Duration::from_mins(2);
/// What the reader is told to use.
const THEIRS: &str = "/tmp/domicile-kind";

pub(crate) async fn by_hand(stage: &Stage) -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let blocks = blocks("The same on real clusters, with Helm", (THEIRS, dir.path()))?;
    let [first, second] = blocks.as_slice() else { anyhow::bail!("the README has {} blocks", blocks.len()) };
    ensure!(first.starts_with("make kind "), "the first command is {first}");
    let clusters = started(&recipe(dir.path())?, dir.path())?;
    let placed = placed(stage, second, dir.path()).await;
    // Killed, it would leave its clusters.
    clusters.stop(DOWN).await?;
    placed
}

async fn placed(stage: &Stage, commands: &str, dir: &Path) -> anyhow::Result<()> {
    eventually(UP, "two clusters", || async { Ok(said(dir)?.contains("\"nl-ams-1\"").then_some(())) })
        .await
        .with_context(|| said(dir).unwrap_or_default())?;
    let said = typed(&as_here(commands, stage, dir).await?, dir).await?;
    ensure!(said.contains("tenantworkload.domicile.dev/web condition met"), "{said}");
    Ok(())
}

/// What `make kind` does once all is built.
fn recipe(dir: &Path) -> anyhow::Result<String> {
    let makefile = std::fs::read_to_string(root().join("Makefile"))?;
    let recipe =
        makefile.lines().find_map(|line| line.strip_prefix("\t@$(programs)/domicile-fleet up --kind"));
    let fleet = domicile_e2e::stage::binary("domicile-fleet")?;
    let rest = recipe.context("the Makefile has no such recipe")?.replace(THEIRS, &dir.display().to_string());
    Ok(format!("{} up --kind{rest}", fleet.display()))
}

/// The reader has Helm and kubectl, and a registry: here, an image that is on the node stands in for the example's.
async fn as_here(commands: &str, stage: &Stage, dir: &Path) -> anyhow::Result<String> {
    let (helm, kubernetes) =
        tokio::task::spawn_blocking(|| anyhow::Ok((tools::helm()?, Binaries::locate()?))).await??;
    let example = "examples/first-placement/03-workload.yaml";
    let workload = std::fs::read_to_string(root().join(example))?;
    ensure!(workload.contains("image: nginx:1.29\n"), "the example has another image");
    let workload = workload.replace("image: nginx:1.29", &format!("image: {}", stage.fleet.app()));
    let ours = dir.join("03-workload.yaml");
    std::fs::write(&ours, workload)?;
    let programs = [helm.parent().context("a folder")?, kubernetes.folder()];
    let programs = programs.map(|folder| folder.display().to_string()).join(":");
    Ok(format!("PATH={programs}:$PATH\n{}", commands.replace(example, &ours.display().to_string())))
}
