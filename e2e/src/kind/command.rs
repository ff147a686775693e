//! Other people's programs, which end with us.

use std::{path::Path, process::Output};

use anyhow::{Context as _, ensure};

use crate::fleet::process;

/// Runs a program to its end, whether it succeeds or not.
pub(super) async fn output(program: impl AsRef<Path>, args: &[&str]) -> anyhow::Result<Output> {
    let program = program.as_ref();
    let mut command = process::guarded(program);
    command.args(args).stdin(std::process::Stdio::null());
    process::output(command).await.with_context(|| format!("cannot run {}", program.display()))
}

/// Runs a program and answers what it printed.
///
/// # Errors
///
/// If it fails; the message has its stderr.
pub(super) async fn text(program: impl AsRef<Path>, args: &[&str]) -> anyhow::Result<String> {
    let program = program.as_ref();
    let output = output(program, args).await?;
    let words = String::from_utf8_lossy(&output.stderr);
    let name = program.file_name().unwrap_or_default().display();
    ensure!(output.status.success(), "{name} {}: {}: {}", args.join(" "), output.status, words.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The same for Docker.
pub(super) async fn docker(args: &[&str]) -> anyhow::Result<String> {
    text("docker", args).await
}
