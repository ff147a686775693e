//! The fleet: a hub and its members, created together.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, ensure};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    cluster::Cluster,
    command::text,
    engine::{self, Engine, Images},
    names::{self, Names},
};
use crate::{fleet::StateDir, stage::root};

/// What `make image` writes.
const ARCHIVE: &str = "target/image/domicile-operator.tar";
const HUB: &str = "hub";

/// Clusters that belong together. All of them are deleted when it is dropped.
#[derive(Debug)]
pub struct Fleet {
    clusters: BTreeMap<String, Cluster>,
    images: Images,
    times: Vec<(String, u64)>,
    // In this order: the lock says that the clusters are ours, and the engine is what they run on.
    _remains: Remains,
    dir: StateDir,
    _names: Names,
    _engine: Engine,
}

/// What there may be to delete, also of a cluster that was created half-way.
#[derive(Debug)]
struct Remains {
    kind: PathBuf,
    names: Vec<String>,
}

impl Fleet {
    /// Creates a hub and members, as many at the same time as there are processors.
    ///
    /// # Errors
    ///
    /// [`super::NoEngine`] where there is none; or what went wrong.
    pub async fn create(members: &[&str]) -> anyhow::Result<Self> {
        Self::create_in(members, StateDir::temporary()?).await
    }

    /// The same, with everybody's files in a folder that is kept.
    ///
    /// # Errors
    ///
    /// As there, or if the folder is another fleet's.
    pub async fn create_at(members: &[&str], dir: &Path) -> anyhow::Result<Self> {
        Self::create_in(members, StateDir::kept(dir)?).await
    }

    async fn create_in(members: &[&str], dir: StateDir) -> anyhow::Result<Self> {
        let (mut times, mut begin) = (Vec::new(), Instant::now());
        let mut took = |what: &str| {
            times.push((what.to_owned(), begin.elapsed().as_secs()));
            begin = Instant::now();
        };
        let engine = Engine::up().await?;
        let images = Images::ensure().await?;
        took("node image");
        delete_abandoned(&images.kind).await?;
        let names = Names::take()?;
        let all: Vec<&str> = [&[HUB], members].concat();
        let known_as: Vec<String> = all.iter().map(|name| names.of(name)).collect();
        // Before the first cluster, so that all go if one fails.
        let remains = Remains { kind: images.kind.clone(), names: known_as.clone() };
        let width = std::thread::available_parallelism().map_or(1, usize::from);
        let creations = all.iter().zip(&known_as).map(|(name, known_as)| {
            let (folder, images) = (dir.path().join(name), &images);
            async move {
                let cluster = Cluster::create(name, known_as, &folder, images).await;
                cluster.with_context(|| format!("cannot create cluster {name}"))
            }
        });
        let clusters: Vec<Cluster> = stream::iter(creations).buffer_unordered(width).try_collect().await?;
        took("clusters");
        let clusters = clusters.into_iter().map(|cluster| (cluster.name().to_owned(), cluster)).collect();
        Ok(Self { clusters, images, times, _remains: remains, dir, _names: names, _engine: engine })
    }

    /// The hub.
    ///
    /// # Errors
    ///
    /// Never, as long as it was created.
    pub fn hub(&self) -> anyhow::Result<&Cluster> {
        self.clusters.get(HUB).context("this fleet has no hub")
    }

    /// The member of that name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn member(&self, name: &str) -> anyhow::Result<&Cluster> {
        self.clusters.get(name).filter(|_| name != HUB).with_context(|| format!("there is no member {name}"))
    }

    /// All members, by name.
    pub fn members(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters().filter(|cluster| cluster.name() != HUB)
    }

    /// The hub and all members, by name.
    pub fn clusters(&self) -> impl Iterator<Item = &Cluster> {
        self.clusters.values()
    }

    /// The folder with everybody's files.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// Where the time went until it was there, in seconds.
    #[must_use]
    pub fn times(&self) -> &[(String, u64)] {
        &self.times
    }

    /// The image of the application of tests, which every member has.
    #[must_use]
    pub fn app(&self) -> &str {
        &self.images.app
    }

    /// Gives a cluster's node the images of an archive, as `docker save` writes it.
    async fn load(&self, cluster: &Cluster, archive: &Path) -> anyhow::Result<()> {
        let known_as = cluster.node().trim_end_matches("-control-plane");
        let archive = archive.display().to_string();
        let load = ["load", "image-archive", &archive, "--name", known_as];
        text(&self.images.kind, &load).await.map(|_| ())
    }

    /// Gives the hub the operator's image.
    ///
    /// # Errors
    ///
    /// If there is none, or it can't be loaded.
    pub async fn load_operator(&self) -> anyhow::Result<()> {
        let archive = root().join(ARCHIVE);
        ensure!(archive.exists(), "there is no {ARCHIVE}: run `make image`");
        self.load(self.hub()?, &archive).await
    }

    /// Gives every member the application of tests.
    ///
    /// # Errors
    ///
    /// If it can't be loaded.
    pub async fn load_app(&self) -> anyhow::Result<()> {
        for member in self.members() {
            self.load(member, &self.images.app_archive).await?;
        }
        Ok(())
    }

    /// What each cluster takes of memory and processors.
    ///
    /// # Errors
    ///
    /// If the engine doesn't say.
    pub async fn usage(&self) -> anyhow::Result<String> {
        engine::usage(&self.clusters().map(Cluster::node).collect::<Vec<_>>()).await
    }
}

async fn delete_abandoned(kind: &Path) -> anyhow::Result<()> {
    let abandoned = names::abandoned(&text(kind, &["get", "clusters"]).await?)?;
    if abandoned.is_empty() {
        return Ok(());
    }
    tracing::info!(?abandoned, "deleting the clusters of a run that was killed");
    let names: Vec<&str> = abandoned.iter().map(String::as_str).collect();
    text(kind, &[&["delete", "clusters"], &names[..]].concat()).await?;
    names::forget(&abandoned)
}

impl Drop for Remains {
    fn drop(&mut self) {
        // Of a cluster that isn't there, kind says nothing.
        let delete = Command::new(&self.kind)
            .args(["delete", "clusters"])
            .args(&self.names)
            .env("KUBECONFIG", "/dev/null")
            .stdin(Stdio::null())
            .output();
        match delete {
            // What stays is found by the next fleet.
            Ok(output) if output.status.success() => drop(names::forget(&self.names)),
            Ok(output) => {
                tracing::warn!(words = %String::from_utf8_lossy(&output.stderr), "clusters stay");
            }
            Err(error) => tracing::warn!(%error, "clusters stay"),
        }
    }
}
