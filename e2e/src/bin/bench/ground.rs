//! What is measured: a hub with the operator, and three members, without nodes.
//!
//! kube-controller-manager runs as in the measurement of the peer: without the controllers of Deployments, so that
//! no pods and ReplicaSets are part of the figures.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context as _, bail};
use domicile_e2e::{
    fleet::{
        Cluster, ClusterOptions, RequestCounts,
        ports::Port,
        process::{Process, Spec, Usage},
        wait::eventually,
    },
    sight::get,
    stage::{PATIENCE, Stage},
};

/// The namespace of all workloads.
pub(crate) const NAMESPACE: &str = "bench";

/// Members with their sites and providers: one each, so that a provider can be revoked.
pub(crate) const MEMBERS: [(&str, &str, &str, &str); 3] = [
    ("nl-ams-1", "nl-ams", "alpha", "NL"),
    ("de-fra-1", "de-fra", "beta", "DE"),
    ("be-bru-1", "be-bru", "gamma", "BE"),
];

/// The token controller is there for joining only: afterwards it writes nothing.
const CONTROLLERS: [&str; 4] = [
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
];

/// What runs of kube-controller-manager may send as much as it wants: the peer's limits were lifted, too.
const CONTROLLERS_QPS: u32 = 2000;

/// As in a cluster: one line for each decision, and no debugging.
const OPERATOR_LOG: &str = "info,kube_client=off,kube_runtime=warn";

/// A fleet with an operator that is ready to place.
#[derive(Debug)]
pub(crate) struct Ground {
    pub(crate) stage: Stage,
    program: PathBuf,
    operator: Option<(Process, Port)>,
    starts: u32,
}

/// What the tenant of a measurement wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wishes {
    /// The provider that is preferred, so that it hosts everything.
    pub(crate) preferred: Option<&'static str>,
    /// How many workloads may move at the same time.
    pub(crate) max_concurrent: u32,
}

impl Ground {
    /// Starts everything, and waits until the operator knows that all members are ready.
    pub(crate) async fn prepare(wishes: Wishes, program: &Path) -> anyhow::Result<Self> {
        let options =
            |options: ClusterOptions| options.nodes(0).controllers(CONTROLLERS).kube_api_qps(CONTROLLERS_QPS);
        let members = MEMBERS.map(|(name, ..)| (name, options(ClusterOptions::member())));
        let stage = Stage::set_with(options(ClusterOptions::hub()), &members).await?;
        stage.apply(&facts(wishes)).await?;
        for (name, site, ..) in MEMBERS {
            stage.join(name, site, &[NAMESPACE]).await?;
        }
        let mut ground = Self { stage, program: program.to_owned(), operator: None, starts: 0 };
        ground.start_operator()?;
        let hub = ground.hub()?;
        let namespace = format!("namespace/{NAMESPACE}");
        hub.kubectl(["wait", "--for=create", &namespace, "--timeout=60s"]).text().await?;
        let ready =
            ["wait", "--for=condition=Ready", "memberclusters.domicile.dev", "--all", "--timeout=60s"];
        hub.kubectl(ready).text().await?;
        ground.quiet().await?;
        Ok(ground)
    }

    pub(crate) fn hub(&self) -> anyhow::Result<&Cluster> {
        self.stage.fleet.hub()
    }

    pub(crate) fn start_operator(&mut self) -> anyhow::Result<()> {
        let port = Port::reserve()?;
        self.starts += 1;
        let spec = Spec {
            name: String::from("operator"),
            program: self.program.clone(),
            args: vec![
                format!("--listen=127.0.0.1:{}", port.number()),
                format!("--identity=bench-{}", self.starts),
            ],
            env: vec![
                (String::from("KUBECONFIG"), self.stage.operator_kubeconfig().display().to_string()),
                (String::from("RUST_LOG"), OPERATOR_LOG.to_owned()),
            ],
            log: self.stage.operator_log(),
        };
        self.operator = Some((Process::start(&spec)?, port));
        Ok(())
    }

    /// Stops it as a rollout does.
    pub(crate) async fn stop_operator(&mut self) -> anyhow::Result<()> {
        let (process, _) = self.operator.take().context("no operator runs")?;
        process.stop(Duration::from_secs(10)).await?;
        Ok(())
    }

    pub(crate) fn operator_usage(&self) -> anyhow::Result<Usage> {
        self.operator.as_ref().context("no operator runs")?.0.usage()
    }

    /// Waits until the operator has filled its stores.
    pub(crate) async fn operator_ready(&self) -> anyhow::Result<()> {
        let port = self.operator.as_ref().context("no operator runs")?.1.number();
        eventually(PATIENCE, "the operator to be ready", || async move {
            Ok(get(port, "/readyz").await?.starts_with("HTTP/1.0 200").then_some(()))
        })
        .await
    }

    /// Lines of the operator's log that warn, or worse.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.stage.operator_log()).unwrap_or_default();
        let is_bad = |line: &&str| line.contains(" WARN ") || line.contains(" ERROR ");
        text.lines().filter(is_bad).map(str::to_owned).collect()
    }

    /// CPU seconds that each kind of process has used so far.
    pub(crate) fn cpu(&self) -> anyhow::Result<BTreeMap<String, f64>> {
        let mut all = BTreeMap::new();
        if self.operator.is_some() {
            all.insert(String::from("operator"), self.operator_usage()?.cpu_seconds);
        }
        for cluster in self.stage.fleet.clusters() {
            let whose = if cluster.name() == "hub" { "hub" } else { "members" };
            for (program, usage) in cluster.usage()? {
                let name = format!("{whose}: {}", program.file_name());
                *all.entry(name).or_default() += usage.cpu_seconds;
            }
        }
        Ok(all)
    }

    /// Requests so far, of the hub and of each member.
    pub(crate) async fn counts(&self) -> anyhow::Result<BTreeMap<String, RequestCounts>> {
        let all = self.stage.fleet.clusters().map(|cluster| async {
            Ok::<_, anyhow::Error>((cluster.name().to_owned(), cluster.metrics().await?))
        });
        Ok(futures::future::try_join_all(all).await?.into_iter().collect())
    }

    /// Waits until nothing has been written anywhere for 5 seconds. Answers how long it took until the last write.
    pub(crate) async fn quiet(&self) -> anyhow::Result<(Duration, BTreeMap<String, RequestCounts>)> {
        const QUIET: Duration = Duration::from_secs(5);
        const PATIENCE: Duration = Duration::from_mins(20);
        let begin = tokio::time::Instant::now();
        let mut last = self.counts().await?;
        let mut since = begin;
        while since.elapsed() < QUIET {
            if begin.elapsed() > PATIENCE {
                bail!("something is still written after {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            let next = self.counts().await?;
            if next
                .iter()
                .any(|(name, counts)| last.get(name).map(RequestCounts::writes) != Some(counts.writes()))
            {
                since = tokio::time::Instant::now();
            }
            last = next;
        }
        Ok((since - begin, last))
    }
}

/// Providers, sites, approvals and the tenant.
fn facts(wishes: Wishes) -> String {
    let mut text = String::new();
    for (_, site, provider, country) in MEMBERS {
        text += &format!(
            "---
apiVersion: domicile.dev/v1alpha1
kind: HostingProvider
metadata: {{name: {provider}}}
spec: {{legalName: {provider}, registeredIn: {country}}}
---
apiVersion: domicile.dev/v1alpha1
kind: Site
metadata: {{name: {site}}}
spec: {{operatedBy: {provider}, ownedBy: {provider}, country: {country}, state: Online}}
{}",
            decision(&format!("{provider}-approved"), provider, "Approved", "[]")
        );
    }
    let preferences =
        wishes.preferred.map_or(String::from("[]"), |provider| format!("[{{provider: {provider}}}]"));
    text += &format!(
        "---
apiVersion: domicile.dev/v1alpha1
kind: Tenant
metadata: {{name: {NAMESPACE}}}
spec:
  namespaces: [{NAMESPACE}]
  residency: {{allowed: [{{countrySet: eu}}]}}
  preferences: {preferences}
  migration: {{mode: Automatic, maxConcurrent: {}}}
",
        wishes.max_concurrent
    );
    text
}

/// A decision about a provider.
pub(crate) fn decision(name: &str, provider: &str, decision: &str, supersedes: &str) -> String {
    format!(
        "---
apiVersion: domicile.dev/v1alpha1
kind: Decision
metadata: {{name: {name}}}
spec:
  subject: {{kind: HostingProvider, name: {provider}}}
  decision: {decision}
  basis: Contract
  authority: compliance
  decidedBy: admin
  reason: measured
  supersedes: {supersedes}
"
    )
}
