//! Applications as their authors publish them, fetched by pip: pinned by version and hash, kept in the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use domicile_crds::yaml;
use domicile_e2e::fleet::{Binaries, Program, cache};
use serde_json::Value;

const TOOLS: &str = include_str!("tools.txt");
const APPS: &str = include_str!("apps.txt");
const CAMPUS: &str = include_str!("campus.yml");

/// Goes into the key: what is done with them below.
const RECIPE: &str = "1";

/// Open edX by Tutor, with three plugins for it: what `kubectl kustomize` makes of it. Several Deployments with
/// autoscalers, Services, ConfigMaps, a Secret, CronJobs, Ingresses. Keeps nothing in volumes.
pub(crate) fn campus() -> anyhow::Result<String> {
    let path = folder()?.join("campus.yaml");
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// RagLeap: a folder of manifests for `kubectl apply -f`. Two databases with volumes, two programs, backups.
pub(crate) fn ragleap() -> anyhow::Result<Vec<PathBuf>> {
    let folder = folder()?.join("ragleap");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<_> = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    files.sort();
    Ok(files)
}

/// The objects in a text, without those of some kinds.
pub(crate) fn objects(text: &str, without: &[&str]) -> anyhow::Result<Vec<Value>> {
    let mut all = yaml::documents(text)?;
    all.retain(|object| !object["kind"].as_str().is_some_and(|kind| without.contains(&kind)));
    Ok(all)
}

fn folder() -> anyhow::Result<PathBuf> {
    cache::once("apps", &cache::key([TOOLS, APPS, CAMPUS, RECIPE]), make)
}

fn make(folder: &Path) -> anyhow::Result<()> {
    let python = folder.join("python");
    pip(&python, TOOLS, "--only-binary=:all:")?;
    // One of them is source, and is built with the tools from above.
    pip(&python, APPS, "--no-build-isolation")?;
    copy_manifests(&python.join("ragleap_ops/k8s"), &folder.join("ragleap"))?;

    let project = folder.join("campus");
    fs::create_dir_all(&project)?;
    fs::write(project.join("config.yml"), CAMPUS)?;
    let mut tutor = Command::new("python3");
    // Without the caller's TUTOR_*, which would be settings.
    tutor.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH" || name == "HOME"));
    tutor
        .env("PYTHONPATH", &python)
        .env("TUTOR_ROOT", &project)
        .env("TUTOR_PLUGINS_ROOT", project.join("none"));
    tutor.args(["-c", "from tutor.commands.cli import main; main()", "config", "save"]);
    run(&mut tutor)?;
    let mut kustomize = Command::new(Binaries::locate()?.path(Program::Kubectl));
    let rendered = run(kustomize.arg("kustomize").arg(project.join("env")))?;
    fs::write(folder.join("campus.yaml"), rendered)?;
    fs::remove_dir_all(&project)?;
    fs::remove_dir_all(&python).context("cannot clean up")
}

fn pip(target: &Path, requirements: &str, how: &str) -> anyhow::Result<()> {
    let list = target.with_extension("txt");
    fs::write(&list, requirements)?;
    let mut pip = Command::new("python3");
    pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--require-hashes",
        "--no-input",
        "--no-compile",
    ]);
    pip.args(["--disable-pip-version-check", "--root-user-action=ignore", how, "--target"]).arg(target);
    run(pip.arg("--requirement").arg(&list).env("PYTHONPATH", target))?;
    fs::remove_file(&list).context("cannot clean up")
}

fn copy_manifests(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        fs::copy(entry.path(), to.join(entry.file_name()))?;
    }
    Ok(())
}

fn run(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.output().with_context(|| {
        format!("cannot run {command:?}: applications are fetched with Python 3.11 or later and pip")
    })?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output.stdout)
}
