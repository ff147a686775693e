//! `kubectl domicile`, as a person runs it: the real program, and what it says.

use std::io::{Seek as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, ensure};

use crate::stage::binary;

/// What a command did.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code.
    pub code: Option<i32>,
    /// What it wrote to stdout.
    pub out: String,
    /// What it wrote to stderr.
    pub err: String,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
    }
}

impl Ran {
    /// What it wrote to stdout, if all went well.
    ///
    /// # Errors
    ///
    /// If it ended with another code than 0: all that it said.
    pub fn done(self) -> anyhow::Result<String> {
        ensure!(self.code == Some(0), "exit code {:?}: {}", self.code, self.err);
        Ok(self.out)
    }
}

/// Runs it with a kubeconfig, or without any, and with `stdin` to read.
///
/// # Errors
///
/// If the program isn't built.
pub fn domicile(kubeconfig: Option<&Path>, args: &[&str], stdin: &str) -> anyhow::Result<Ran> {
    let mut command = Command::new(binary("kubectl-domicile")?);
    command.args(args).env("KUBECONFIG", kubeconfig.unwrap_or_else(|| Path::new("/nonexistent")));
    if stdin.is_empty() {
        command.stdin(Stdio::null());
    } else {
        // A file rather than a pipe: there is no second side that must write while it reads.
        let mut file = tempfile::tempfile().context("cannot create a file for stdin")?;
        file.write_all(stdin.as_bytes())?;
        file.rewind()?;
        command.stdin(file);
    }
    Ok(command.output().context("cannot run kubectl-domicile")?.into())
}
