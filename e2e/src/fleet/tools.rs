//! Programs that no cluster consists of, but that users bring: built from the Go module in `tools/` into the cache.

use std::path::{Path, PathBuf};

use super::{
    build::{build_one, key_of, say},
    cache,
};

/// What the version is told by, and by which Helm knows which charts it may install.
const LDFLAGS: &str = "-s -w -X helm.sh/helm/v4/internal/version.version=v4.2.4";
const PACKAGE: &str = "helm.sh/helm/v4/cmd/helm";

/// Helm, built if need be: the first time that takes some minutes on two cores, with progress on stderr. Blocks.
///
/// # Errors
///
/// When it can't be built.
pub fn helm() -> anyhow::Result<PathBuf> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools");
    let build = |folder: &Path| {
        say("building Helm from source; the first time this takes some minutes on two cores");
        build_one(&sources, LDFLAGS, PACKAGE, &folder.join("helm"), "helm")
    };
    Ok(cache::once("helm", &key_of(&sources, LDFLAGS, PACKAGE)?, build)?.join("helm"))
}
