//! On what it was measured.

use std::{fs, path::PathBuf};

use domicile_e2e::fleet::{Binaries, Program};
use serde::Serialize;

/// Facts without which no figure means anything.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Machine {
    pub(crate) cores: usize,
    pub(crate) model: String,
    pub(crate) memory_gib: f64,
    pub(crate) kernel: String,
    pub(crate) kubernetes: String,
    pub(crate) operator: PathBuf,
    /// Whether the operator was built without optimization: then the times say nothing.
    pub(crate) debug_build: bool,
    pub(crate) load_before: f64,
}

impl Machine {
    /// Looks.
    pub(crate) async fn look(operator: PathBuf) -> anyhow::Result<Self> {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            Some(line.split_once(':')?.1.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kibibytes: f64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
        Ok(Self {
            cores: std::thread::available_parallelism()?.get(),
            model: field(&read("/proc/cpuinfo"), "model name").unwrap_or_default(),
            memory_gib: kibibytes / 1024.0 / 1024.0,
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            kubernetes: kubernetes().await?,
            debug_build: operator.parent().is_some_and(|folder| folder.ends_with("debug")),
            operator,
            load_before: load(),
        })
    }
}

/// The load average of the last minute.
pub(crate) fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default()
}

/// The version that is started.
async fn kubernetes() -> anyhow::Result<String> {
    let binaries = tokio::task::spawn_blocking(Binaries::locate).await??;
    let mut command = std::process::Command::new(binaries.path(Program::Apiserver));
    let output = tokio::task::spawn_blocking(move || command.arg("--version").output()).await??;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text.trim().trim_start_matches("Kubernetes ").to_owned())
}
