//! One of kind's clusters: a container that is its only node, and what can be done to that.

use std::{
    net::IpAddr,
    ops::Deref,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use http::Request;
use serde_json::Value;

use super::{
    command::{docker, text},
    engine::Images,
};
use crate::fleet::{Access, kubeconfig, wait::eventually};

/// A quiet machine needs 30 s for a cluster; some were seen to need three times that.
const CREATE: &str = "--wait=300s";

/// How long a node or API server may take until it answers again.
const BACK: Duration = Duration::from_mins(3);

/// A cluster of one node.
#[derive(Debug)]
pub struct Cluster {
    access: Access,
    node: String,
}

impl Deref for Cluster {
    type Target = Access;

    fn deref(&self) -> &Access {
        &self.access
    }
}

impl Cluster {
    /// Creates a cluster that kind knows as `known_as`, and waits until its node is Ready.
    pub(super) async fn create(
        name: &str,
        known_as: &str,
        dir: &Path,
        images: &Images,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let path = |file: &str| dir.join(file).display().to_string();
        let (from_here, for_operator) = (path("kubeconfig.yaml"), path("kubeconfig-internal.yaml"));
        let create = ["create", "cluster", "--quiet", CREATE, "--name", known_as, "--kubeconfig", &from_here];
        let create = [&create[..], &["--image", &images.node, "--config", &images.config]].concat();
        text(&images.kind, &create).await?;
        let internal = ["get", "kubeconfig", "--internal", "--name", known_as];
        let internal = text(&images.kind, &internal).await?;
        kubeconfig::write(Path::new(&for_operator), &internal)?;
        let node = format!("{known_as}-control-plane");
        // The node has a kubectl that fits.
        let kubectl = path("kubectl");
        docker(&["cp", &format!("{node}:/usr/bin/kubectl"), &kubectl]).await?;
        let client = kubeconfig::client(&std::fs::read_to_string(&from_here)?).await?;
        let access = Access {
            name: name.to_owned(),
            dir: dir.to_owned(),
            kubectl: kubectl.into(),
            kubeconfig: from_here.into(),
            for_operator: for_operator.into(),
            client,
        };
        Ok(Self { access, node })
    }

    /// The kubeconfig of any user in any groups, by a client certificate, as [`crate::fleet::Cluster::kubeconfig_for`]. It leads to the
    /// node's own address, where this machine and other clusters' pods reach it alike.
    ///
    /// # Errors
    ///
    /// If the node doesn't make one.
    pub async fn kubeconfig_for(&self, user: &str, groups: &[&str]) -> anyhow::Result<PathBuf> {
        let mut create = vec!["kubeadm", "kubeconfig", "user", "--client-name", user];
        create.extend(groups.iter().flat_map(|group| ["--org", group]));
        let text = self.run(&create).await?;
        let path = self.dir().join(format!("kubeconfigs/{user}.yaml"));
        kubeconfig::write(&path, &text)?;
        Ok(path)
    }

    /// The name of its node, and of the container that is it.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// Where its node ports answer.
    ///
    /// # Errors
    ///
    /// If it doesn't run.
    pub async fn address(&self) -> anyhow::Result<IpAddr> {
        let format = "{{(index .NetworkSettings.Networks \"kind\").IPAddress}}";
        let address = docker(&["inspect", "--format", format, &self.node]).await?;
        address.trim().parse().with_context(|| format!("{} has no address", self.node))
    }

    /// Runs a program on the node, and answers what it printed.
    ///
    /// # Errors
    ///
    /// If it fails.
    pub async fn run(&self, command: &[&str]) -> anyhow::Result<String> {
        docker(&[&["exec", &self.node], command].concat()).await
    }

    /// Stops every process of the node where it is, as a machine that hangs.
    ///
    /// # Errors
    ///
    /// If it doesn't run.
    pub async fn pause(&self) -> anyhow::Result<()> {
        docker(&["pause", &self.node]).await.map(|_| ())
    }

    /// Ends [`Cluster::pause`].
    ///
    /// # Errors
    ///
    /// If it isn't paused, or doesn't answer again.
    pub async fn unpause(&self) -> anyhow::Result<()> {
        docker(&["unpause", &self.node]).await?;
        self.answers().await
    }

    /// Switches the node off, without asking what runs on it.
    ///
    /// # Errors
    ///
    /// If it doesn't run.
    pub async fn switch_off(&self) -> anyhow::Result<()> {
        docker(&["kill", &self.node]).await.map(|_| ())
    }

    /// Switches it on again, and waits until its API server answers.
    ///
    /// # Errors
    ///
    /// If that doesn't happen.
    pub async fn switch_on(&self) -> anyhow::Result<()> {
        docker(&["start", &self.node]).await?;
        self.answers().await
    }

    /// Kills its API server, which the kubelet starts again, and waits until that answers.
    ///
    /// # Errors
    ///
    /// If that doesn't happen.
    pub async fn restart_apiserver(&self) -> anyhow::Result<()> {
        let pid = self.run(&["pgrep", "-x", "kube-apiserver"]).await?;
        self.run(&["kill", "-KILL", pid.trim()]).await?;
        eventually(BACK, "another API server", || async {
            let now = self.run(&["pgrep", "-x", "kube-apiserver"]).await?;
            Ok((now != pid).then_some(()))
        })
        .await?;
        self.answers().await
    }

    /// Waits until its API server is ready.
    ///
    /// # Errors
    ///
    /// If it doesn't become so.
    pub async fn answers(&self) -> anyhow::Result<()> {
        eventually(BACK, &format!("the API server of {} to be ready", self.name()), || async {
            let request = Request::get("/readyz").body(Vec::new())?;
            Ok(Some(self.client().request_text(request).await?))
        })
        .await
        .map(|_| ())
    }

    /// Takes the way from pods here to another cluster's node, and back.
    ///
    /// # Errors
    ///
    /// If the rule can't be set.
    pub async fn cut_off(&self, other: &Self) -> anyhow::Result<()> {
        self.rules("-I", other).await
    }

    /// Gives it back.
    ///
    /// # Errors
    ///
    /// If the rule can't be removed.
    pub async fn heal(&self, other: &Self) -> anyhow::Result<()> {
        self.rules("-D", other).await
    }

    async fn rules(&self, how: &str, other: &Self) -> anyhow::Result<()> {
        let address = other.address().await?.to_string();
        for side in ["-s", "-d"] {
            self.run(&["iptables", how, "FORWARD", side, &address, "-j", "DROP"]).await?;
        }
        Ok(())
    }

    /// The number, on the node, of the first process of a pod's container.
    ///
    /// # Errors
    ///
    /// If it doesn't run.
    pub async fn process_of(&self, pod: &Value) -> anyhow::Result<String> {
        let id = pod.pointer("/status/containerStatuses/0/containerID").and_then(Value::as_str);
        let id = id.and_then(|id| id.strip_prefix("containerd://")).context("the pod has no container")?;
        let tasks = self.run(&["ctr", "-n", "k8s.io", "tasks", "ls"]).await?;
        let line = tasks.lines().find(|line| line.starts_with(id)).unwrap_or_default();
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, pid, "RUNNING"] = fields[..] else { bail!("container {id} doesn't run: {tasks}") };
        ensure!(pid.parse::<u32>().is_ok(), "{pid} is no process");
        Ok(pid.to_owned())
    }
}
