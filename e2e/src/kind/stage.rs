//! A stage of real clusters: Domicile is installed by its chart, and runs as pods.

use std::ops::Deref;

use anyhow::{Context as _, bail};
use futures::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::ListParams};
use serde_json::{Value, json};

use super::{cluster::Cluster, fleet::Fleet, logs::Logs};
use crate::{
    fleet::{Access, wait::eventually},
    helm::{CHART, Helm, NAMESPACE},
    sight::look,
    world::{OPERATOR_NAMESPACE, PATIENCE, World},
};

const REPOSITORY: &str = "image.repository=localhost/domicile-operator";
/// An image that isn't on the node must fail, not be looked for.
const NEVER_PULL: &str = "image.pullPolicy=Never";

/// A fleet with Domicile on it.
#[derive(Debug)]
pub struct Stage {
    // Before the clusters whose pods it follows.
    _logs: Logs,
    world: World,
    /// The clusters.
    pub fleet: Fleet,
}

impl Deref for Stage {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Stage {
    /// Installs Domicile on a fleet as docs/install.md says, and gives the members the application of tests.
    ///
    /// # Errors
    ///
    /// What doesn't work.
    pub async fn set(fleet: Fleet) -> anyhow::Result<Self> {
        fleet.load_operator().await?;
        fleet.load_app().await?;
        let hub = fleet.hub()?;
        try_join_all(fleet.members().map(say_where)).await?;
        let members: Vec<Access> = fleet.members().map(|member| Access::clone(member)).collect();
        let log = fleet.dir().join("operator.log");
        let logs = Logs::follow(hub.client(), log.clone()).await?;
        let world = World::new(Access::clone(hub), members, log);
        let stage = Self { fleet, world, _logs: logs };
        stage.install().await?;
        Ok(stage)
    }

    async fn install(&self) -> anyhow::Result<()> {
        let helm = Helm::on(self.hub())?;
        let install = ["install", "domicile", CHART, "--namespace", NAMESPACE, "--create-namespace"];
        let waits = ["--wait", "--timeout", "5m", "--set", REPOSITORY, "--set", NEVER_PULL];
        helm.run(&[&install[..], &waits].concat()).await.map(|_| ())
    }

    /// Waits until the operator's Deployment is rolled out.
    ///
    /// # Errors
    ///
    /// If it doesn't become so.
    pub async fn rolled_out(&self) -> anyhow::Result<()> {
        let deployment = "deployment/domicile-operator";
        let status = ["-n", OPERATOR_NAMESPACE, "rollout", "status", deployment, "--timeout=120s"];
        self.hub().kubectl(status).text().await.map(|_| ())
    }

    /// The operator's pods, those that are ending left out.
    ///
    /// # Errors
    ///
    /// If the hub doesn't answer.
    pub async fn operators(&self) -> anyhow::Result<Vec<Value>> {
        let pods: Api<Pod> = Api::namespaced(self.hub().client(), OPERATOR_NAMESPACE);
        let params = ListParams::default().labels("app.kubernetes.io/component=operator");
        let pods = pods.list(&params).await?;
        let alive = pods.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none());
        Ok(alive.map(serde_json::to_value).collect::<Result<_, _>>()?)
    }

    /// The lease's `spec`.
    ///
    /// # Errors
    ///
    /// If the hub doesn't answer.
    pub async fn lease(&self) -> anyhow::Result<Value> {
        let leases = format!("/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases");
        let lease = look(self.hub(), &format!("{leases}/domicile-operator")).await?;
        Ok(lease.context("there is no lease")?.get("spec").cloned().unwrap_or_default())
    }

    /// Who holds the lease.
    ///
    /// # Errors
    ///
    /// If the hub doesn't answer.
    pub async fn holder(&self) -> anyhow::Result<String> {
        let lease = self.lease().await?;
        Ok(lease.get("holderIdentity").and_then(Value::as_str).unwrap_or_default().to_owned())
    }

    /// The pod that holds the lease, once one does.
    ///
    /// # Errors
    ///
    /// If none does.
    pub async fn leader(&self) -> anyhow::Result<Value> {
        eventually(PATIENCE, "a leader", || async {
            let holder = self.holder().await?;
            let name = |pod: &Value| pod.pointer("/metadata/name").and_then(Value::as_str).map(str::to_owned);
            let pods = self.operators().await?;
            let is_it = |pod: &Value| name(pod).is_some_and(|name| holder.starts_with(&name));
            match pods.into_iter().find(is_it) {
                Some(pod) => Ok(Some(pod)),
                None => bail!("{holder:?} holds the lease"),
            }
        })
        .await
    }
}

/// A member's node says in which region it is, as a provider's nodes do: `nl-ams` for the member `nl-ams-1`.
async fn say_where(member: &Cluster) -> anyhow::Result<()> {
    let region = member.name().rsplit_once('-').map_or(member.name(), |(site, _)| site);
    let labels = json!({"metadata": {"labels": {"topology.kubernetes.io/region": region}}}).to_string();
    member.kubectl(["patch", "node", member.node(), "-p", labels.as_str()]).text().await.map(|_| ())
}
