//! Whose clusters are whose: each fleet has a number, and its owner holds a lock for as long as it lives.
//!
//! kind's clusters outlive whoever made them, also if that was killed. The next fleet therefore deletes those whose
//! owner has died. Clusters without a lock file of ours are somebody else's: another machine's at the same engine.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, anyhow};

use crate::fleet::cache_dir;

/// How the names of all our clusters begin.
const PREFIX: &str = "domicile-";

/// A fleet's names, and the lock that says that it lives.
#[derive(Debug)]
pub struct Names {
    number: u32,
    _lock: File,
}

impl Names {
    /// Those of this process.
    ///
    /// # Errors
    ///
    /// If it has them already, or the cache can't be written.
    pub fn take() -> anyhow::Result<Self> {
        Self::take_in(&folder()?, std::process::id())
    }

    fn take_in(folder: &Path, number: u32) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = lock_of(folder, number);
        let lock = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        lock.try_lock().map_err(|error| anyhow!("this process has a fleet of kind already ({error})"))?;
        Ok(Self { number, _lock: lock })
    }

    /// The name that kind knows a cluster by.
    #[must_use]
    pub fn of(&self, cluster: &str) -> String {
        format!("{PREFIX}{}-{cluster}", self.number)
    }
}

/// Those of kind's clusters whose owner was here and has died.
///
/// # Errors
///
/// If there is no cache.
pub fn abandoned(clusters: &str) -> anyhow::Result<Vec<String>> {
    Ok(abandoned_in(&folder()?, clusters))
}

fn abandoned_in(folder: &Path, clusters: &str) -> Vec<String> {
    let is_abandoned = |name: &&str| {
        let Some(number) = number_of(name) else { return false };
        File::open(lock_of(folder, number)).is_ok_and(|file| file.try_lock().is_ok())
    };
    clusters.lines().map(str::trim).filter(is_abandoned).map(str::to_owned).collect()
}

/// Removes what said that these were ours, once they are deleted.
///
/// # Errors
///
/// If there is no cache.
pub fn forget(clusters: &[String]) -> anyhow::Result<()> {
    let folder = folder()?;
    for number in clusters.iter().filter_map(|name| number_of(name)) {
        // Once for each cluster of the same fleet: the second time it is gone.
        let _ = fs::remove_file(lock_of(&folder, number));
    }
    Ok(())
}

fn number_of(name: &str) -> Option<u32> {
    name.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok()
}

fn lock_of(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{number}.lock"))
}

fn folder() -> anyhow::Result<PathBuf> {
    Ok(cache_dir()?.join("kind"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_died_here_is_abandoned() {
        let folder = tempfile::tempdir().unwrap();
        let alive = Names::take_in(folder.path(), 1).unwrap();
        assert_eq!(alive.of("hub"), "domicile-1-hub");
        assert!(Names::take_in(folder.path(), 1).is_err(), "it is taken");
        // Killed: nobody has removed its lock file, and nobody holds it.
        File::create(lock_of(folder.path(), 2)).unwrap();
        let clusters =
            "domicile-1-hub\ndomicile-2-hub\ndomicile-2-nl-ams-1\ndomicile-3-hub\ndomicile-nl\nkind\n";
        assert_eq!(abandoned_in(folder.path(), clusters), ["domicile-2-hub", "domicile-2-nl-ams-1"]);
        // One that ended and couldn't delete them: they are found, as long as nobody forgets them.
        drop(alive);
        assert_eq!(abandoned_in(folder.path(), "domicile-1-hub\n"), ["domicile-1-hub"]);
    }
}
