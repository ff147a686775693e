//! Programs that no cluster consists of: those that users bring, and by which others judge what we write. Each is built from
//! its Go module in `tools/` into the cache.

use std::path::{Path, PathBuf};

use super::{
    build::{Recipe, say},
    cache,
};

/// Helm, built if need be: the first time that takes some minutes on two cores, with progress on stderr. Blocks.
///
/// # Errors
///
/// When it can't be built.
pub fn helm() -> anyhow::Result<PathBuf> {
    // What the version is told by, and by which Helm knows which charts it may install.
    made("helm", "helm.sh/helm/v4/cmd/helm", "-s -w -X helm.sh/helm/v4/internal/version.version=v4.2.4", "")
}

/// Prometheus' promtool, likewise. It discovers nothing, so that it comes without the clients of all clouds.
///
/// # Errors
///
/// When it can't be built.
pub fn promtool() -> anyhow::Result<PathBuf> {
    made("promtool", "github.com/prometheus/prometheus/cmd/promtool", "-s -w", "remove_all_sd")
}

/// What Argo CD and kstatus say of objects (`tools/health/main.go`), likewise, within a minute.
///
/// # Errors
///
/// When it can't be built.
pub fn health() -> anyhow::Result<PathBuf> {
    made("health", ".", "-s -w", "")
}

fn made(name: &str, package: &str, ldflags: &str, tags: &str) -> anyhow::Result<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools").join(name);
    let recipe = Recipe { folder: &folder, package, ldflags, tags };
    let build = |made: &Path| {
        say(&format!("building {name} from source; the first time this takes some minutes on two cores"));
        recipe.build(&made.join(name), name)
    };
    Ok(cache::once(name, &recipe.key()?, build)?.join(name))
}
