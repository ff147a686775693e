//! Where the programs of a cluster come from.
//!
//! `$KUBEBUILDER_ASSETS` if set, as in other Kubernetes projects; else a cache; else they are
//! built from the Go modules in `controlplane/`, because those can be had wherever Go can, while
//! prebuilt binaries need a download host of their own.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::build;

/// The variable that names a folder with ready-made programs.
const ASSETS: &str = "KUBEBUILDER_ASSETS";

/// The kwok stages, a file beside the programs: without them kwok does nothing.
pub(crate) const STAGES: &str = "kwok-stages.yaml";

/// A program of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Program {
    /// The store.
    Etcd,
    /// The API server.
    Apiserver,
    /// The controllers.
    ControllerManager,
    /// The scheduler.
    Scheduler,
    /// Plays nodes and their pods.
    Kwok,
    /// The client, for people and tests.
    Kubectl,
}

impl Program {
    /// Every one of them.
    pub const ALL: [Self; 6] =
        [Self::Etcd, Self::Apiserver, Self::ControllerManager, Self::Scheduler, Self::Kwok, Self::Kubectl];

    /// The name of its file.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Etcd => "etcd",
            Self::Apiserver => "kube-apiserver",
            Self::ControllerManager => "kube-controller-manager",
            Self::Scheduler => "kube-scheduler",
            Self::Kwok => "kwok",
            Self::Kubectl => "kubectl",
        }
    }
}

/// A folder that has every program.
#[derive(Clone, Debug)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// Finds the programs, or builds them: the first time that takes some 10 minutes on two cores,
    /// with progress on stderr. Blocks.
    ///
    /// # Errors
    ///
    /// When `$KUBEBUILDER_ASSETS` lacks some of them (the message says which), or they can't be built.
    pub fn locate() -> anyhow::Result<Self> {
        if let Some(folder) = env::var_os(ASSETS).filter(|folder| !folder.is_empty()) {
            let folder = PathBuf::from(folder);
            let missing = missing(&folder);
            if !missing.is_empty() {
                bail!(
                    "{ASSETS} names {}, which lacks {}; add them, or unset {ASSETS} to have them built from source",
                    folder.display(),
                    missing.join(", ")
                );
            }
            let folder = folder.canonicalize().with_context(|| format!("cannot use {}", folder.display()))?;
            return Ok(Self { folder });
        }
        Ok(Self { folder: build::cached()? })
    }

    /// The folder, which can serve as `$KUBEBUILDER_ASSETS`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file of `program`.
    #[must_use]
    pub fn path(&self, program: Program) -> PathBuf {
        self.folder.join(program.file_name())
    }

    pub(crate) fn stages(&self) -> PathBuf {
        self.folder.join(STAGES)
    }
}

/// The files that `folder` lacks.
pub(crate) fn missing(folder: &Path) -> Vec<&'static str> {
    Program::ALL
        .map(Program::file_name)
        .into_iter()
        .chain([STAGES])
        .filter(|name| !folder.join(name).is_file())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_files_are_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["etcd", "kube-apiserver", "kubectl"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let expected = ["kube-controller-manager", "kube-scheduler", "kwok", STAGES];
        assert_eq!(missing(folder.path()), expected);
    }
}
