//! Where a fleet keeps its files, and how they go away again.
//!
//! A temporary folder is removed on drop, which SIGKILL skips; an etcd leaves some 130 MB. The
//! owner of a folder therefore holds a lock in it, and each new fleet removes the folders whose
//! owner has died.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tempfile::TempDir;

/// How the temporary folders' names begin.
const PREFIX: &str = "domicile-fleet-";

/// The file in it that its owner keeps locked.
const LOCK: &str = "owner.lock";

/// A folder younger than this may not be locked yet.
const AGE_MIN: Duration = Duration::from_mins(1);

/// The folder of one fleet.
#[derive(Debug)]
pub(crate) struct StateDir {
    path: PathBuf,
    temporary: Option<TempDir>,
    _lock: File,
}

impl StateDir {
    /// A folder that is removed when this is dropped.
    pub(crate) fn temporary() -> anyhow::Result<Self> {
        let root = env::temp_dir();
        sweep(&root);
        let folder = tempfile::Builder::new()
            .prefix(PREFIX)
            .tempdir_in(&root)
            .with_context(|| format!("cannot create a folder in {}", root.display()))?;
        let lock = lock(folder.path())?;
        Ok(Self { path: folder.path().to_owned(), temporary: Some(folder), _lock: lock })
    }

    /// A folder that is kept. Refuses one that another fleet uses.
    pub(crate) fn kept(path: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(path).with_context(|| format!("cannot create {}", path.display()))?;
        let path = path.canonicalize()?;
        let lock = lock(&path)?;
        Ok(Self { path, temporary: None, _lock: lock })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Leaves the folder there, since someone will want to read the logs. A later fleet removes it.
    pub(crate) fn leave(&mut self) {
        if let Some(folder) = &mut self.temporary {
            folder.disable_cleanup(true);
        }
    }
}

impl Drop for StateDir {
    fn drop(&mut self) {
        if thread::panicking() {
            self.leave();
        }
    }
}

/// Where binaries and port locks are kept: `$XDG_CACHE_HOME/domicile`, else `~/.cache/domicile`.
pub(crate) fn cache_dir() -> anyhow::Result<PathBuf> {
    let root = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        // A relative path is to be ignored, says the XDG specification.
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .context("no cache folder: set HOME or XDG_CACHE_HOME")?;
    Ok(root.join("domicile"))
}

/// The beginning of a digest: 64 bits are plenty to tell a handful of things apart, and keep paths short.
pub(crate) fn short_hex(digest: &[u8]) -> String {
    digest.first_chunk().map(|bytes| format!("{:016x}", u64::from_be_bytes(*bytes))).unwrap_or_default()
}

fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join(LOCK);
    let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
    file.try_lock().map_err(|error| anyhow!("{} is used by another fleet ({error})", folder.display()))?;
    Ok(file)
}

/// Removes the folders of fleets that were killed. What can't be removed is left for the next time.
fn sweep(root: &Path) {
    let Ok(entries) = fs::read_dir(root) else { return };
    for entry in entries.flatten() {
        let old = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .is_ok_and(|time| time.elapsed().is_ok_and(|age| age > AGE_MIN));
        if old && entry.file_name().to_string_lossy().starts_with(PREFIX) {
            let abandoned = File::open(entry.path().join(LOCK)).is_ok_and(|file| file.try_lock().is_ok());
            if abandoned && let Err(error) = fs::remove_dir_all(entry.path()) {
                tracing::debug!(path = %entry.path().display(), %error, "cannot remove an abandoned folder");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn only_old_folders_without_an_owner_are_removed() {
        let root = tempfile::tempdir().unwrap();
        let folder = |name: &str, age: u64| {
            let path = root.path().join(name);
            fs::create_dir(&path).unwrap();
            let owner = lock(&path).unwrap();
            let time = SystemTime::now() - Duration::from_secs(age);
            File::open(&path).unwrap().set_modified(time).unwrap();
            owner
        };
        let _owner = folder("domicile-fleet-in-use", 3600);
        drop(folder("domicile-fleet-abandoned", 3600));
        drop(folder("domicile-fleet-just-made", 0));
        drop(folder("somebody-elses", 3600));
        sweep(root.path());
        let mut left: Vec<_> =
            fs::read_dir(root.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort_unstable();
        assert_eq!(left, ["domicile-fleet-in-use", "domicile-fleet-just-made", "somebody-elses"]);
    }

    #[test]
    fn a_temporary_folder_goes_unless_it_is_left() {
        let mut gone = PathBuf::new();
        for leave in [false, true] {
            let mut dir = StateDir::temporary().unwrap();
            dir.path().clone_into(&mut gone);
            if leave {
                dir.leave();
            }
            drop(dir);
            assert_eq!(gone.exists(), leave);
        }
        fs::remove_dir_all(gone).unwrap();
    }

    #[test]
    fn a_folder_has_one_fleet_at_a_time() {
        let root = tempfile::tempdir().unwrap();
        let first = StateDir::kept(root.path()).unwrap();
        assert!(StateDir::kept(root.path()).unwrap_err().to_string().contains("used by another fleet"));
        drop(first);
        StateDir::kept(root.path()).unwrap();
    }
}
