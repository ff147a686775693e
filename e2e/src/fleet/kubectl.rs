//! kubectl, as a person would use it: the documentation's commands are tested with it.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, bail};

use super::access::Access;
use super::process;

/// A kubectl command against one cluster, as its administrator unless told otherwise.
#[derive(Debug)]
pub struct Kubectl {
    command: Command,
    shown: String,
    stdin: Option<String>,
}

impl Kubectl {
    pub(crate) fn new(cluster: &Access) -> Self {
        let mut command = process::guarded(&cluster.kubectl);
        command
            .env("KUBECONFIG", cluster.kubeconfig_path())
            // Not the user's own: a fleet's ports are reused by other clusters.
            .env("KUBECACHEDIR", cluster.dir().join("kubectl-cache"));
        Self { command, shown: format!("kubectl (on {})", cluster.name()), stdin: None }
    }

    /// As whoever this kubeconfig belongs to; see [`super::Cluster::kubeconfig_for`].
    #[must_use]
    pub fn kubeconfig(mut self, path: impl Into<PathBuf>) -> Self {
        self.command.env("KUBECONFIG", path.into());
        self
    }

    /// More arguments.
    #[must_use]
    pub fn args<'a>(mut self, args: impl IntoIterator<Item = &'a str>) -> Self {
        for arg in args {
            self.command.arg(arg);
            self.shown = format!("{} {arg}", self.shown);
        }
        self
    }

    /// What it reads from `-f -`.
    #[must_use]
    pub fn stdin(mut self, text: impl Into<String>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Runs it, whether it succeeds or not.
    ///
    /// # Errors
    ///
    /// When it can't be started.
    pub async fn output(mut self) -> anyhow::Result<Output> {
        match self.stdin {
            None => self.command.stdin(Stdio::null()),
            Some(text) => {
                // A file rather than a pipe: there is no second side that must write while it reads.
                let mut file = tempfile::tempfile().context("cannot create a file for stdin")?;
                file.write_all(text.as_bytes())?;
                std::io::Seek::rewind(&mut file)?;
                self.command.stdin(file)
            }
        };
        process::output(self.command).await.with_context(|| format!("cannot run {}", self.shown))
    }

    /// Runs it and returns what it printed to stdout.
    ///
    /// # Errors
    ///
    /// When it fails; the message has its stderr.
    pub async fn text(self) -> anyhow::Result<String> {
        let shown = self.shown.clone();
        let output = self.output().await?;
        if !output.status.success() {
            bail!("{shown}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(String::from_utf8(output.stdout)?)
    }
}
