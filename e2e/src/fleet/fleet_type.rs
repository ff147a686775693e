//! The fleet itself: a hub and its members, started together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use futures::future::try_join_all;

use super::binaries::Binaries;
use super::cluster::Cluster;
use super::options::ClusterOptions;
use super::state::StateDir;

/// The hub's name among the clusters.
const HUB: &str = "hub";

/// Clusters that belong together. All of them stop when it is dropped.
#[derive(Debug)]
pub struct Fleet {
    // Before the folder, so that processes end before their files go.
    clusters: BTreeMap<String, Cluster>,
    binaries: Arc<Binaries>,
    dir: StateDir,
}

/// What to start. Made by [`Fleet::builder`].
#[derive(Debug, Default)]
pub struct FleetBuilder {
    clusters: Vec<(String, ClusterOptions)>,
    dir: Option<PathBuf>,
}

impl Fleet {
    /// Begins to describe a fleet.
    #[must_use]
    pub fn builder() -> FleetBuilder {
        FleetBuilder::default()
    }

    /// The hub.
    ///
    /// # Errors
    ///
    /// When the fleet was built without one.
    pub fn hub(&self) -> anyhow::Result<&Cluster> {
        self.clusters.get(HUB).context("this fleet has no hub")
    }

    /// The member of that name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn member(&self, name: &str) -> anyhow::Result<&Cluster> {
        ensure!(name != HUB, "the hub is not a member");
        self.clusters.get(name).with_context(|| format!("this fleet has no member {name}"))
    }

    /// All members, by name.
    pub fn members(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters().filter(|cluster| cluster.name() != HUB)
    }

    /// The hub and all members, by name.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values()
    }

    /// Starts one more member: a site that comes online later.
    ///
    /// # Errors
    ///
    /// When the name is taken or the cluster doesn't start.
    pub async fn add_member(&mut self, name: &str, options: &ClusterOptions) -> anyhow::Result<&Cluster> {
        check_name(name)?;
        ensure!(!self.clusters.contains_key(name), "there is a cluster {name} already");
        let cluster = Cluster::start(name, options, &self.dir.path().join(name), &self.binaries).await?;
        Ok(self.clusters.entry(name.to_owned()).or_insert(cluster))
    }

    /// The folder with everybody's files.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Runs kubectl on `cluster` as its administrator; see [`Access::kubectl`](super::Access::kubectl) for more.
    ///
    /// # Errors
    ///
    /// When it can't be started. That it fails is no error here.
    pub async fn kubectl(&self, cluster: &Cluster, args: &[&str]) -> anyhow::Result<Output> {
        cluster.kubectl(args.iter().copied()).output().await
    }

    /// Stops everything, as dropping does.
    pub fn stop(self) {
        drop(self);
    }
}

impl FleetBuilder {
    /// With a hub.
    #[must_use]
    pub fn hub(self) -> Self {
        self.hub_with(ClusterOptions::hub())
    }

    /// With a hub that is started in another way than usual.
    #[must_use]
    pub fn hub_with(self, options: ClusterOptions) -> Self {
        self.member(HUB, options)
    }

    /// With a member. Its name becomes part of file and node names, so it must be a DNS label.
    #[must_use]
    pub fn member(mut self, name: &str, options: ClusterOptions) -> Self {
        self.clusters.push((name.to_owned(), options));
        self
    }

    /// Where its files go, and stay afterwards; without this, a temporary folder.
    #[must_use]
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Self {
        self.dir = Some(dir.into());
        self
    }

    /// Starts all clusters at the same time and waits until each can be used.
    ///
    /// # Errors
    ///
    /// When one can't be started; the others are stopped again.
    pub async fn start(self) -> anyhow::Result<Fleet> {
        for (name, _) in &self.clusters {
            check_name(name)?;
        }
        let mut names: Vec<_> = self.clusters.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        if let Some([name, _]) = names.array_windows().find(|[one, next]| one == next) {
            bail!("there are two clusters named {name}");
        }
        let mut dir = match &self.dir {
            Some(path) => StateDir::kept(path)?,
            None => StateDir::temporary()?,
        };
        let binaries = Arc::new(tokio::task::spawn_blocking(Binaries::locate).await??);
        // Owned by each, since a future that borrows from here could not be spawned.
        let starts = self.clusters.into_iter().map(|(name, options)| {
            let folder = dir.path().join(&name);
            let binaries = Arc::clone(&binaries);
            async move { Cluster::start(&name, &options, &folder, &binaries).await }
        });
        let clusters = match try_join_all(starts).await {
            Ok(clusters) => clusters,
            Err(error) => {
                dir.leave();
                return Err(error);
            }
        };
        let clusters = clusters.into_iter().map(|cluster| (cluster.name().to_owned(), cluster)).collect();
        Ok(Fleet { clusters, binaries, dir })
    }
}

fn check_name(name: &str) -> anyhow::Result<()> {
    let allowed = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    ensure!(
        (1..=40).contains(&name.len())
            && name.chars().all(allowed)
            && !name.starts_with('-')
            && !name.ends_with('-'),
        "{name:?} can't name a cluster: 1 to 40 of a-z, 0-9 and '-', and no '-' at an end"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_labels() {
        assert!(check_name("nl-ams-1").is_ok());
        for bad in ["", "-a", "a-", "NL", "../x", "a b", &"a".repeat(41)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn two_clusters_of_one_name_are_refused() {
        let twice =
            Fleet::builder().member("a", ClusterOptions::member()).member("a", ClusterOptions::member());
        assert_eq!(twice.start().await.unwrap_err().to_string(), "there are two clusters named a");
    }
}
