//! A stage: a fleet with Domicile on it, as a platform engineer would set it up.
//!
//! The operator is the real binary in a process of its own; members are joined with the very files that
//! `kubectl domicile join` applies.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};

pub use crate::world::{OPERATOR_NAMESPACE, PATIENCE};
use crate::{
    fleet::{
        Access, ClusterOptions, Fleet,
        ports::Port,
        process::{Process, Signal, Spec},
        wait::eventually,
    },
    world::World,
};

/// The policies that the hub's API server holds its users to.
pub const ADMISSION: &str = "charts/domicile/admission";

/// The roles on the hub, and who the operator is there.
const ROLES: &str = "charts/domicile/roles";
const OPERATOR_ACCOUNT: &str = "domicile-operator";

/// How long the operators' lease lasts.
pub const LEASE_SECONDS: u64 = 5;

/// A fleet with Domicile on it.
#[derive(Debug)]
pub struct Stage<F = Fleet> {
    /// The clusters, and what can be done to them.
    pub fleet: F,
    world: World,
    /// The operator's rights on the hub are those of its ServiceAccount, and no more.
    account: PathBuf,
    operators: Mutex<Vec<Operator>>,
    replicas: Mutex<u32>,
}

/// A running operator.
#[derive(Debug)]
struct Operator {
    identity: String,
    process: Process,
    port: Port,
}

/// The repository's root.
#[must_use]
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A binary of the workspace, beside the one that runs.
///
/// # Errors
///
/// If it hasn't been built.
pub fn binary(name: &str) -> anyhow::Result<PathBuf> {
    let mut folder = std::env::current_exe()?;
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let file = folder.join(name);
    ensure!(file.exists(), "{} is not built: run `cargo build --workspace --bins`", file.display());
    Ok(file)
}

impl<F> Deref for Stage<F> {
    type Target = World;

    fn deref(&self) -> &World {
        &self.world
    }
}

impl Stage {
    /// Starts a hub and members, one node each in the region of its name's first two letters, and sets Domicile up on the hub. Nobody is joined yet, and no operator runs.
    ///
    /// # Errors
    ///
    /// If a cluster doesn't start.
    pub async fn set(members: &[&str]) -> anyhow::Result<Self> {
        let members: Vec<_> = members.iter().map(|name| (*name, Self::member_options(name))).collect();
        Self::set_with(ClusterOptions::hub(), &members).await
    }

    /// The options of a member that is named like `nl-ams-1`.
    #[must_use]
    pub fn member_options(name: &str) -> ClusterOptions {
        let region = name.rsplit_once('-').map_or(name, |(site, _)| site);
        ClusterOptions::member().nodes(1).topology(region, name)
    }

    /// The same with options of one's own.
    ///
    /// # Errors
    ///
    /// If a cluster doesn't start.
    pub async fn set_with(hub: ClusterOptions, members: &[(&str, ClusterOptions)]) -> anyhow::Result<Self> {
        let (fleet, world) = Self::started(hub, members).await?;
        Self::on(fleet, world).await
    }

    /// Only the clusters.
    ///
    /// # Errors
    ///
    /// If one doesn't start.
    pub async fn started(
        hub: ClusterOptions,
        members: &[(&str, ClusterOptions)],
    ) -> anyhow::Result<(Fleet, World)> {
        // Several libraries of the workspace bring rustls; the provider must be named before its first use.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut builder = Fleet::builder().hub_with(hub);
        if let Some(dir) = std::env::var_os("DOMICILE_FLEET_DIR") {
            builder = builder.dir(dir);
        }
        for (name, options) in members {
            builder = builder.member(name, options.clone());
        }
        let fleet = builder.start().await?;
        let members: Vec<Access> = fleet.members().map(|member| Access::clone(member)).collect();
        let world = World::new(Access::clone(fleet.hub()?), members, fleet.dir().join("operator.log"));
        Ok((fleet, world))
    }
}

impl<F> Stage<F> {
    /// Sets Domicile up on the hub of a fleet, for operators that run on this machine.
    ///
    /// # Errors
    ///
    /// What the API server refuses.
    pub async fn on(fleet: F, world: World) -> anyhow::Result<Self> {
        let mut stage = Self {
            fleet,
            world,
            account: PathBuf::new(),
            operators: Mutex::default(),
            replicas: Mutex::default(),
        };
        stage.apply_file("crds/yaml").await?;
        let hub = stage.hub();
        hub.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).text().await?;
        hub.kubectl(["create", "namespace", OPERATOR_NAMESPACE]).text().await?;
        stage.apply_file("charts/domicile/countrysets").await?;
        stage.apply_file(ADMISSION).await?;
        stage.apply_file(ROLES).await?;
        stage.account = stage.hub().kubeconfig_for_account(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT).await?;
        Ok(stage)
    }

    /// The kubeconfig with which the operator runs: that of its ServiceAccount, with the rights that the chart gives it.
    #[must_use]
    pub fn operator_kubeconfig(&self) -> &Path {
        &self.account
    }

    /// Starts an operator, beside those that run. Answers its identity.
    ///
    /// # Errors
    ///
    /// If its binary isn't built or it doesn't start.
    pub fn start_operator(&self) -> anyhow::Result<String> {
        let port = Port::reserve()?;
        let replica = {
            let mut replicas = self.replicas.lock().map_err(|_| anyhow::anyhow!("poisoned"))?;
            *replicas += 1;
            *replicas
        };
        let identity = format!("operator-{replica}");
        let spec = Spec {
            name: identity.clone(),
            program: binary("domicile-operator")?,
            args: vec![
                format!("--listen=127.0.0.1:{}", port.number()),
                format!("--identity={identity}"),
                format!("--lease-seconds={LEASE_SECONDS}"),
            ],
            env: vec![
                ("KUBECONFIG".to_owned(), self.account.display().to_string()),
                (
                    "RUST_LOG".to_owned(),
                    std::env::var("OPERATOR_LOG")
                        .unwrap_or("info,domicile_operator=debug,kube_client=off".to_owned()),
                ),
            ],
            log: self.operator_log(),
        };
        let process = Process::start(&spec)?;
        self.operators()?.push(Operator { identity: identity.clone(), process, port });
        Ok(identity)
    }

    fn operators(&self) -> anyhow::Result<MutexGuard<'_, Vec<Operator>>> {
        self.operators.lock().map_err(|_| anyhow::anyhow!("poisoned"))
    }

    /// Kills the operator that was started last as SIGKILL does, or stops it as SIGTERM does.
    ///
    /// # Errors
    ///
    /// If none runs.
    pub async fn stop_operator(&self, signal: Signal) -> anyhow::Result<()> {
        let operator = self.operators()?.pop();
        let Some(mut operator) = operator else { bail!("no operator runs") };
        if signal == Signal::KILL {
            operator.process.kill();
        } else {
            operator.process.stop(Duration::from_secs(10)).await?;
        }
        Ok(())
    }

    /// Sends an operator a signal.
    ///
    /// # Errors
    ///
    /// If it doesn't run.
    pub fn signal_operator(&self, identity: &str, signal: Signal) -> anyhow::Result<()> {
        let mut operators = self.operators()?;
        let operator = operators.iter_mut().find(|operator| operator.identity == identity);
        operator.with_context(|| format!("{identity} doesn't run"))?.process.signal(signal)
    }

    /// Waits until an operator has ended by itself.
    ///
    /// # Errors
    ///
    /// If it still runs.
    pub async fn operator_ends(&self, identity: &str) -> anyhow::Result<()> {
        eventually(PATIENCE, &format!("{identity} to end"), || async {
            let mut operators = self.operators()?;
            let operator = operators.iter_mut().find(|operator| operator.identity == identity);
            let ended =
                operator.with_context(|| format!("{identity} was never started"))?.process.exited()?;
            Ok(ended.map(|_| ()))
        })
        .await
    }

    /// The process id and port of the operator that was started last.
    ///
    /// # Errors
    ///
    /// If none runs.
    pub fn operator(&self) -> anyhow::Result<(u32, u16)> {
        let operators = self.operators()?;
        let operator = operators.last().context("no operator runs")?;
        Ok((operator.process.pid(), operator.port.number()))
    }
}
