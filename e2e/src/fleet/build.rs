//! Builds the programs from the Go modules in `controlplane/` into a cache.
//!
//! The cache is addressed by what goes into the programs, so that a change of a version builds
//! anew and going back to the old one costs nothing.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use sha2::{Digest, Sha256};

use super::binaries::{self, Program, STAGES};
use super::{cache, process, state};

/// A Go module and what is built from it.
struct Module {
    folder: &'static str,
    ldflags: &'static str,
    programs: &'static [(Program, &'static str)],
}

/// The version goes into the Kubernetes programs at link time; without it the API server
/// calls itself v0.0.0 and clients that look at the version misbehave.
const MODULES: [Module; 3] = [
    Module { folder: "etcd", ldflags: "-s -w", programs: &[(Program::Etcd, "go.etcd.io/etcd/server/v3")] },
    Module {
        folder: "kubernetes",
        ldflags: "-s -w \
            -X k8s.io/component-base/version.gitVersion=v1.36.3 \
            -X k8s.io/component-base/version.gitMajor=1 \
            -X k8s.io/component-base/version.gitMinor=36 \
            -X k8s.io/client-go/pkg/version.gitVersion=v1.36.3",
        programs: &[
            (Program::Apiserver, "k8s.io/kubernetes/cmd/kube-apiserver"),
            (Program::ControllerManager, "k8s.io/kubernetes/cmd/kube-controller-manager"),
            (Program::Scheduler, "k8s.io/kubernetes/cmd/kube-scheduler"),
            (Program::Kubectl, "k8s.io/kubernetes/cmd/kubectl"),
        ],
    },
    Module {
        folder: "kwok",
        ldflags: "-s -w -X sigs.k8s.io/kwok/pkg/consts.Version=v0.8.0",
        programs: &[(Program::Kwok, "sigs.k8s.io/kwok/cmd/kwok")],
    },
];

const BUILD_FLAGS: [&str; 3] = ["build", "-trimpath", "-buildvcs=false"];

/// What makes the programs the same everywhere, whatever the caller's environment says. `GOFLAGS`
/// repeats the default, since an empty one lets `go env -w` have its way.
const BUILD_ENV: [(&str, &str); 3] = [("CGO_ENABLED", "0"), ("GOFLAGS", "-mod=readonly"), ("GOWORK", "off")];

/// The stages that make nodes and pods Ready, Jobs Complete and deleted pods go, in kwok's own module.
const STAGE_FILES: [&str; 5] = [
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
];

/// How often progress is shown where it can't be overwritten: often enough that CI sees life.
const PROGRESS_EVERY: Duration = Duration::from_secs(15);

/// The folder in the cache that has all programs, built if need be.
pub(crate) fn cached() -> anyhow::Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("controlplane");
    let build = |folder: &Path| build_all(&sources, &folder.join("bin"));
    Ok(cache::once("controlplane", &key(&sources)?, build)?.join("bin"))
}

/// A hash of all that goes into the programs.
fn key(sources: &Path) -> anyhow::Result<String> {
    let mut hash = Sha256::new();
    for module in &MODULES {
        let programs = format!("{:?}", module.programs);
        hash_module(&mut hash, &sources.join(module.folder), module.ldflags, &programs)?;
    }
    hash.update(format!("{BUILD_FLAGS:?} {BUILD_ENV:?} {STAGE_FILES:?}"));
    Ok(state::short_hex(&hash.finalize()))
}

/// One program of a module.
#[derive(Debug)]
pub(super) struct Recipe<'a> {
    /// Where its Go module is.
    pub(super) folder: &'a Path,
    /// The package, `.` for the module's own `main.go`.
    pub(super) package: &'a str,
    /// What the linker is told.
    pub(super) ldflags: &'a str,
    /// Build tags.
    pub(super) tags: &'a str,
}

impl Recipe<'_> {
    /// A hash of all that goes into it.
    pub(super) fn key(&self) -> anyhow::Result<String> {
        let mut hash = Sha256::new();
        hash_module(&mut hash, self.folder, self.ldflags, self.package)?;
        hash.update(format!("{BUILD_FLAGS:?} {BUILD_ENV:?}"));
        hash.update(self.tags);
        if self.package == "." {
            let path = self.folder.join("main.go");
            hash.update(fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        }
        Ok(state::short_hex(&hash.finalize()))
    }

    /// Builds it, with progress on stderr.
    pub(super) fn build(&self, target: &Path, label: &str) -> anyhow::Result<()> {
        let start = Instant::now();
        let mut command = process::guarded(Path::new("go"));
        command
            .args(BUILD_FLAGS)
            .args(["-ldflags", self.ldflags, "-tags", self.tags, "-o"])
            .args([target.as_os_str(), self.package.as_ref()])
            .envs(BUILD_ENV)
            .current_dir(self.folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        let mut child = process::spawn(command).with_context(|| format!("cannot build {label}"))?;
        let errors = child.stderr.take().map(|mut pipe| {
            // Read at once: a full pipe would stop the build.
            thread::spawn(move || {
                let mut text = Vec::new();
                let _ = io::copy(&mut pipe, &mut text);
                String::from_utf8_lossy(&text).into_owned()
            })
        });
        let succeeded = watch(&mut child, label, start)?;
        let errors = errors.and_then(|reader| reader.join().ok()).unwrap_or_default();
        if !succeeded {
            let (package, folder) = (self.package, self.folder.display());
            bail!("cannot build {package} in {folder} (is Go on the path?):\n{errors}");
        }
        finish_line(&format!("{label}: {} s", start.elapsed().as_secs()));
        Ok(())
    }
}

fn hash_module(hash: &mut Sha256, folder: &Path, ldflags: &str, programs: &str) -> anyhow::Result<()> {
    for name in ["go.mod", "go.sum"] {
        let path = folder.join(name);
        let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    }
    hash.update(go(folder, &["env", "GOVERSION", "GOOS", "GOARCH"])?);
    hash.update(ldflags);
    hash.update(programs);
    Ok(())
}

fn build_all(sources: &Path, bin: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(bin).with_context(|| format!("cannot create {}", bin.display()))?;
    let steps: Vec<_> = MODULES
        .iter()
        .flat_map(|module| module.programs.iter().map(move |program| (module, program)))
        .collect();
    say("building the control plane from source; the first time this takes some 10 minutes on two cores");
    for (index, (module, (program, package))) in steps.iter().enumerate() {
        let label = format!("[{}/{}] {}", index + 1, steps.len(), program.file_name());
        let target = bin.join(program.file_name());
        let folder = sources.join(module.folder);
        Recipe { folder: &folder, package, ldflags: module.ldflags, tags: "" }.build(&target, &label)?;
    }
    write_stages(&sources.join("kwok"), &bin.join(STAGES))?;
    let missing = binaries::missing(bin);
    ensure!(missing.is_empty(), "the build left out {}", missing.join(", "));
    Ok(())
}

/// Shows progress until `child` ends. Says whether it succeeded.
fn watch(child: &mut Child, label: &str, start: Instant) -> anyhow::Result<bool> {
    let live = io::stderr().is_terminal();
    let mut shown = Duration::ZERO;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        let elapsed = start.elapsed();
        if live {
            let _ = write!(io::stderr(), "\r{label}: {} s ", elapsed.as_secs());
        } else if elapsed >= shown + PROGRESS_EVERY {
            shown = elapsed;
            say(&format!("{label}: building, {} s", elapsed.as_secs()));
        }
        thread::sleep(Duration::from_millis(100));
    }
}

/// The stages are kwok's own, taken from its module so that they fit its version.
fn write_stages(module: &Path, target: &Path) -> anyhow::Result<()> {
    let folder = go(module, &["list", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"])?;
    let folder = Path::new(folder.trim()).join("kustomize/stage");
    let stages = STAGE_FILES
        .iter()
        .map(|name| {
            fs::read_to_string(folder.join(name)).with_context(|| format!("kwok has no stage {name}"))
        })
        .collect::<anyhow::Result<Vec<_>>>()?;
    fs::write(target, stages.join("\n---\n")).with_context(|| format!("cannot write {}", target.display()))
}

/// What a quick `go` command prints.
fn go(folder: &Path, args: &[&str]) -> anyhow::Result<String> {
    let output = std::process::Command::new("go")
        .args(args)
        .envs(BUILD_ENV)
        .current_dir(folder)
        .output()
        .map_err(|error| anyhow!("cannot run go ({error}): install Go, or set KUBEBUILDER_ASSETS"))?;
    ensure!(
        output.status.success(),
        "go {} failed: {}",
        args.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

pub(super) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}

fn finish_line(line: &str) {
    let overwrite = if io::stderr().is_terminal() { "\r" } else { "" };
    let _ = writeln!(io::stderr(), "{overwrite}{line} ");
}
