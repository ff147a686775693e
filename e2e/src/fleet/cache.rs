//! What is made once and kept: the programs of a cluster, and applications that others publish.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

use super::state;

/// The folder `key` of `kind` in the cache. The first time, `make` fills it; one that is stopped halfway leaves
/// nothing that would be taken for the whole. Two processes don't make the same thing at once. Blocks.
///
/// # Errors
///
/// If it can't be made.
pub fn once(
    kind: &str,
    key: &str,
    make: impl FnOnce(&Path) -> anyhow::Result<()>,
) -> anyhow::Result<PathBuf> {
    let cache = state::cache_dir()?.join(kind);
    let folder = cache.join(key);
    if folder.is_dir() {
        return Ok(folder);
    }
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let _lock = lock(&cache.join(format!("{key}.lock")), kind)?;
    if folder.is_dir() {
        return Ok(folder);
    }
    // Ours alone while we hold the lock; what is in it was left by a process that was killed.
    let unfinished = cache.join(format!("{key}.unfinished"));
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    make(&unfinished)?;
    fs::rename(&unfinished, &folder).with_context(|| format!("cannot create {}", folder.display()))?;
    Ok(folder)
}

/// A key of all that goes into a thing.
#[must_use]
pub fn key<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    state::short_hex(&hash.finalize())
}

/// Two test runs that start together must not both make the same.
fn lock(path: &Path, kind: &str) -> anyhow::Result<File> {
    let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    if file.try_lock().is_err() {
        let _ = writeln!(io::stderr(), "another process is making {kind}; waiting for it");
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}
