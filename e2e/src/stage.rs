//! A stage: a fleet with Domicile on it, as a platform engineer would set it up.
//!
//! The operator is the real binary in a process of its own; members are joined with the very files that
//! `kubectl domicile join` applies.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use domicile_crds::{
    TenantName,
    kubeconfig::{Credential, Kubeconfig},
    yaml,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kubectl_domicile::member::{Impersonation, admission, manifests, token};
use serde_json::{Value, json};

use crate::fleet::{
    Cluster, ClusterOptions, Fleet,
    ports::Port,
    process::{Process, Signal, Spec},
    wait::eventually,
};

/// The policies that the hub's API server holds its users to.
pub const ADMISSION: &str = "charts/domicile/admission";

/// Namespace of the operator.
pub const OPERATOR_NAMESPACE: &str = "domicile-system";

/// The roles on the hub, and who the operator is there.
const ROLES: &str = "charts/domicile/roles";
const OPERATOR_ACCOUNT: &str = "domicile-operator";

/// How long the operators' lease lasts.
pub const LEASE_SECONDS: u64 = 5;

/// How long anything may take that takes a moment: fleets share two cores.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A fleet with Domicile on it.
#[derive(Debug)]
pub struct Stage {
    /// The clusters.
    pub fleet: Fleet,
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
        let mut stage =
            Self { fleet, account: PathBuf::new(), operators: Mutex::default(), replicas: Mutex::default() };
        stage.apply_file("crds/yaml").await?;
        let hub = stage.fleet.hub()?;
        hub.kubectl(["wait", "--for=condition=Established", "--timeout=60s", "crd", "--all"]).text().await?;
        hub.kubectl(["create", "namespace", OPERATOR_NAMESPACE]).text().await?;
        stage.apply_file("charts/domicile/countrysets").await?;
        stage.apply_file(ADMISSION).await?;
        stage.apply_file(ROLES).await?;
        let hub = stage.fleet.hub()?;
        stage.account = hub.kubeconfig_for_account(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT).await?;
        Ok(stage)
    }

    /// The kubeconfig with which the operator runs: that of its ServiceAccount, with the rights that the chart gives it.
    #[must_use]
    pub fn operator_kubeconfig(&self) -> &Path {
        &self.account
    }

    /// Applies a file or folder of the repository on the hub.
    ///
    /// # Errors
    ///
    /// What the API server refuses.
    pub async fn apply_file(&self, path: &str) -> anyhow::Result<String> {
        let path = root().join(path).display().to_string();
        let args = ["apply", "--server-side", "--force-conflicts", "-f", path.as_str()];
        self.fleet.hub()?.kubectl(args).text().await
    }

    /// Applies objects on the hub.
    ///
    /// # Errors
    ///
    /// What the API server refuses.
    pub async fn apply(&self, objects: &str) -> anyhow::Result<String> {
        let args = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        self.fleet.hub()?.kubectl(args).stdin(objects).text().await
    }

    /// Joins a member at a site, as `kubectl domicile join` does, and admits tenants there.
    ///
    /// # Errors
    ///
    /// What an API server refuses.
    pub async fn join(&self, name: &str, site: &str, tenants: &[&str]) -> anyhow::Result<()> {
        self.prepare(name, tenants).await?;
        let object = json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "MemberCluster", "metadata": {"name": name},
            "spec": {"site": site, "connection": {"kubeconfigSecret": format!("member-{name}")}},
        });
        self.apply(&object.to_string()).await?;
        Ok(())
    }

    /// All of [`join`](Self::join) but the MemberCluster.
    ///
    /// # Errors
    ///
    /// What an API server refuses.
    pub async fn prepare(&self, name: &str, tenants: &[&str]) -> anyhow::Result<()> {
        let member = self.fleet.member(name)?;
        let mut objects = manifests(Impersonation::Constrained);
        objects.push(token());
        apply_all(member, &objects).await?;
        for tenant in tenants {
            self.admit(name, tenant).await?;
        }
        let token = hub_token(member).await?;
        let kubeconfig = member_kubeconfig(member, token)?;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": format!("member-{name}"), "namespace": OPERATOR_NAMESPACE},
            "stringData": {"kubeconfig": kubeconfig},
        });
        self.apply(&secret.to_string()).await?;
        Ok(())
    }

    /// Admits a tenant on a member.
    ///
    /// # Errors
    ///
    /// What the API server refuses.
    pub async fn admit(&self, name: &str, tenant: &str) -> anyhow::Result<()> {
        let tenant = TenantName::new(tenant)?;
        apply_all(self.fleet.member(name)?, &admission(&tenant, Impersonation::Constrained)).await
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

    /// The operator's log.
    #[must_use]
    pub fn operator_log(&self) -> PathBuf {
        self.fleet.dir().join("operator.log")
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

    /// A workload on the hub, with its status.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub async fn workload(
        &self,
        namespace: &str,
        name: &str,
    ) -> anyhow::Result<domicile_crds::TenantWorkload> {
        Ok(Api::namespaced(self.fleet.hub()?.client(), namespace).get(name).await?)
    }

    /// Waits until a workload's condition has a status, and optionally a reason.
    ///
    /// # Errors
    ///
    /// What the conditions were instead.
    pub async fn wait_for(
        &self,
        workload: (&str, &str),
        condition: (&str, &str, Option<&str>),
    ) -> anyhow::Result<domicile_crds::TenantWorkload> {
        let (namespace, name) = workload;
        let (kind, status, reason) = condition;
        let what = format!("{namespace}/{name} {kind}={status} {}", reason.unwrap_or_default());
        eventually(PATIENCE, &what, || async {
            let found = self.workload(namespace, name).await?;
            let conditions = found.status.as_ref().map(|s| s.conditions.clone()).unwrap_or_default();
            let it = domicile_crds::condition_of(&conditions, kind);
            let fits =
                it.is_some_and(|c| c.status == status && reason.is_none_or(|reason| c.reason == reason));
            if fits {
                return Ok(Some(found));
            }
            bail!("conditions are {conditions:?}")
        })
        .await
        .with_context(|| self.log_tail())
    }

    /// Waits until all copies of a workload are Ready, and on these clusters.
    ///
    /// # Errors
    ///
    /// Where they were instead.
    pub async fn wait_on(&self, workload: (&str, &str), clusters: &[&str]) -> anyhow::Result<()> {
        let (namespace, name) = workload;
        eventually(PATIENCE, &format!("{namespace}/{name} on {clusters:?}"), || async {
            let status = self.workload(namespace, name).await?.status.unwrap_or_default();
            let there: Vec<&str> =
                status.seats.iter().filter(|s| s.ready).map(|s| s.place.cluster.as_str()).collect();
            if there == clusters {
                return Ok(Some(()));
            }
            bail!("status is {status:?}")
        })
        .await
        .with_context(|| self.log_tail())
    }

    /// The last lines of the operator's log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.operator_log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(40);
        format!("the operator's log ends with:\n{}", lines.get(from..).unwrap_or_default().join("\n"))
    }
}

async fn apply_all(cluster: &Cluster, objects: &[Value]) -> anyhow::Result<()> {
    let apply = ["apply", "--server-side", "-f", "-"];
    cluster.kubectl(apply).stdin(yaml::stream(objects)).text().await?;
    Ok(())
}

async fn hub_token(member: &Cluster) -> anyhow::Result<String> {
    let secrets: Api<Secret> = Api::namespaced(member.client(), OPERATOR_NAMESPACE);
    let name = token().pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    eventually(PATIENCE, "a token for the hub", || async {
        let data = secrets.get(&name).await?.data.unwrap_or_default();
        Ok(data.get("token").and_then(|token| String::from_utf8(token.0.clone()).ok()))
    })
    .await
}

/// The hub's kubeconfig for a member: the member's server and authority, with a token.
fn member_kubeconfig(member: &Cluster, token: String) -> anyhow::Result<String> {
    let of_admin = Kubeconfig::parse(&std::fs::read_to_string(member.kubeconfig_path())?)?;
    Ok(Kubeconfig { credential: Credential::Token(token), ..of_admin }.to_yaml(member.name()))
}
