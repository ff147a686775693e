//! How a cluster is started.
//!
//! etcd and the API server start at the same time, and everything else as soon as the API server
//! is ready: earlier, each of them would find it unhealthy once and then pause for a second.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::Client;
use kube::api::Api;

use super::access::Access;
use super::binaries::{Binaries, Program};
use super::cluster::Cluster;
use super::options::{ClusterOptions, Role};
use super::pki::Pki;
use super::ports::Port;
use super::process::Spec;
use super::wait::eventually;
use super::{kubeconfig, nodes};

/// A quiet machine needs about 3 s; one that compiles and runs other clusters at the same time
/// was seen to need ten times that.
pub(crate) const DEADLINE: Duration = Duration::from_mins(2);

/// How often a cluster is started anew because a program that knows nothing of our locks took a port.
const ATTEMPTS: u32 = 3;

/// What Go programs say then.
const PORT_TAKEN: &str = "address already in use";

/// What is known of a cluster before it runs.
struct Plan<'a> {
    name: &'a str,
    options: &'a ClusterOptions,
    dir: &'a Path,
    binaries: &'a Binaries,
    pki: &'a Pki,
}

pub(crate) fn admin_kubeconfig(dir: &Path) -> PathBuf {
    dir.join("kubeconfigs/admin.yaml")
}

pub(crate) async fn start(
    name: &str,
    options: &ClusterOptions,
    dir: &Path,
    binaries: &Arc<Binaries>,
) -> anyhow::Result<Cluster> {
    let mut attempt = 1;
    loop {
        match start_once(name, options, dir, binaries).await {
            Err(error) if attempt < ATTEMPTS && format!("{error:#}").contains(PORT_TAKEN) => {
                tracing::warn!(cluster = name, "a port was taken meanwhile; starting with others");
                attempt += 1;
            }
            result => return result,
        }
    }
}

async fn start_once(
    name: &str,
    options: &ClusterOptions,
    dir: &Path,
    binaries: &Arc<Binaries>,
) -> anyhow::Result<Cluster> {
    let begin = Instant::now();
    // An earlier attempt, or an earlier fleet in a folder that is kept: its data would not fit our certificates.
    for stale in ["etcd", "logs", "kubeconfigs"] {
        let path = dir.join(stale);
        if path.exists() {
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    let ports = [Port::reserve()?, Port::reserve()?, Port::reserve()?];
    let [store, peer, api] = ports.each_ref().map(Port::number);
    let pki = Pki::create(&dir.join("pki"), name)?;
    let endpoint = format!("https://127.0.0.1:{api}");
    let admin = kubeconfig::text(name, &endpoint, &pki, &pki.client("admin", &["system:masters"])?);
    kubeconfig::write(&admin_kubeconfig(dir), &admin)?;
    let client = kubeconfig::client(&admin).await?;
    let plan = Plan { name, options, dir, binaries, pki: &pki };
    let etcd = plan.etcd(store, peer);
    let apiserver = plan.apiserver(store, api);
    let others = plan.others(&endpoint)?;
    let cluster = Cluster {
        access: Access {
            name: name.to_owned(),
            dir: dir.to_owned(),
            kubectl: binaries.path(Program::Kubectl),
            kubeconfig: admin_kubeconfig(dir),
            for_operator: admin_kubeconfig(dir),
            client,
        },
        binaries: Arc::clone(binaries),
        pki,
        endpoint,
        etcd,
        apiserver,
        others,
        processes: Mutex::default(),
        _ports: ports.into(),
    };
    cluster.launch(Program::Etcd, &cluster.etcd)?;
    cluster.launch(Program::Apiserver, &cluster.apiserver)?;
    cluster.wait_ready(DEADLINE).await?;
    tracing::debug!(cluster = name, after = ?begin.elapsed(), "API server ready");
    for (program, spec) in &cluster.others {
        cluster.launch(*program, spec)?;
    }
    cluster.while_running(populate(&cluster.client(), name, options)).await?;
    tracing::debug!(cluster = name, after = ?begin.elapsed(), "cluster ready");
    Ok(cluster)
}

/// Makes the nodes and waits for what the other processes do first.
async fn populate(client: &Client, name: &str, options: &ClusterOptions) -> anyhow::Result<()> {
    let nodes = async {
        nodes::create(client, name, options).await?;
        nodes::ready(client, options.nodes, DEADLINE).await
    };
    let account = async {
        let api = Api::<ServiceAccount>::namespaced(client.clone(), "default");
        eventually(DEADLINE, "the default service account", || async { Ok(api.get_opt("default").await?) })
            .await
    };
    futures::try_join!(nodes, account)?;
    Ok(())
}

impl Plan<'_> {
    fn etcd(&self, store: u16, peer: u16) -> Spec {
        let store = format!("http://127.0.0.1:{store}");
        let peer = format!("http://127.0.0.1:{peer}");
        self.spec(
            Program::Etcd,
            [
                format!("--data-dir={}", self.dir.join("etcd").display()),
                format!("--listen-client-urls={store}"),
                format!("--advertise-client-urls={store}"),
                format!("--listen-peer-urls={peer}"),
                format!("--initial-advertise-peer-urls={peer}"),
                format!("--initial-cluster=default={peer}"),
                // The data need not survive the machine, and several stores on one disk wait for each other.
                String::from("--unsafe-no-fsync"),
                // It waits an election's time for others before it leads itself; by default that is
                // a quarter of a cluster's whole start.
                String::from("--heartbeat-interval=20"),
                String::from("--election-timeout=200"),
                String::from("--log-level=warn"),
            ],
        )
    }

    fn apiserver(&self, store: u16, api: u16) -> Spec {
        let file = |name| self.pki.file(name);
        self.spec(
            Program::Apiserver,
            [
                format!("--etcd-servers=http://127.0.0.1:{store}"),
                String::from("--bind-address=127.0.0.1"),
                format!("--secure-port={api}"),
                // Loopback is no endpoint that pods could reach, and would be refused as one each 10 seconds.
                String::from("--advertise-address=127.0.0.1"),
                String::from("--endpoint-reconciler-type=none"),
                String::from("--service-cluster-ip-range=10.96.0.0/16"),
                String::from("--authorization-mode=RBAC"),
                format!("--client-ca-file={}", file("ca.crt")),
                format!("--tls-cert-file={}", file("apiserver.crt")),
                format!("--tls-private-key-file={}", file("apiserver.key")),
                String::from("--service-account-issuer=https://kubernetes.default.svc.cluster.local"),
                format!("--service-account-key-file={}", file("service-accounts.pub")),
                format!("--service-account-signing-key-file={}", file("service-accounts.key")),
            ],
        )
    }

    /// What runs besides etcd and the API server.
    fn others(&self, endpoint: &str) -> anyhow::Result<Vec<(Program, Spec)>> {
        let mut others = vec![(Program::ControllerManager, self.controller_manager(endpoint)?)];
        if self.options.role == Role::Member && self.options.nodes > 0 {
            others.push((Program::Scheduler, self.scheduler(endpoint)?));
            others.push((Program::Kwok, self.kwok()));
        }
        Ok(others)
    }

    fn controller_manager(&self, endpoint: &str) -> anyhow::Result<Spec> {
        let kubeconfig = self.kubeconfig(endpoint, "system:kube-controller-manager")?;
        Ok(self.spec(
            Program::ControllerManager,
            [
                format!("--kubeconfig={kubeconfig}"),
                format!("--controllers={}", self.options.controllers.join(",")),
                // Each controller under its own name, as in real clusters: admission policies see who asks.
                String::from("--use-service-account-credentials=true"),
                format!("--service-account-private-key-file={}", self.pki.file("service-accounts.key")),
                format!("--root-ca-file={}", self.pki.file("ca.crt")),
                String::from("--leader-elect=false"),
                String::from("--secure-port=0"),
                format!("--kube-api-qps={}", self.options.kube_api_qps),
                format!("--kube-api-burst={}", self.options.kube_api_qps * 2),
            ],
        ))
    }

    fn scheduler(&self, endpoint: &str) -> anyhow::Result<Spec> {
        let kubeconfig = self.kubeconfig(endpoint, "system:kube-scheduler")?;
        Ok(self.spec(
            Program::Scheduler,
            [
                format!("--kubeconfig={kubeconfig}"),
                String::from("--leader-elect=false"),
                String::from("--secure-port=0"),
                format!("--kube-api-qps={}", self.options.kube_api_qps),
                format!("--kube-api-burst={}", self.options.kube_api_qps * 2),
            ],
        ))
    }

    fn kwok(&self) -> Spec {
        self.spec(
            Program::Kwok,
            [
                format!("--kubeconfig={}", admin_kubeconfig(self.dir).display()),
                format!("--config={}", self.binaries.stages().display()),
                String::from("--manage-all-nodes"),
                String::from("--node-lease-duration-seconds=40"),
                String::from("--cidr=10.64.0.0/16"),
            ],
        )
    }

    fn kubeconfig(&self, endpoint: &str, user: &str) -> anyhow::Result<String> {
        let identity = self.pki.client(user, &[])?;
        let path = self.dir.join("kubeconfigs").join(format!("{}.yaml", user.replace(':', "-")));
        kubeconfig::write(&path, &kubeconfig::text(self.name, endpoint, self.pki, &identity))?;
        Ok(path.display().to_string())
    }

    fn spec<const N: usize>(&self, program: Program, args: [String; N]) -> Spec {
        let name = program.file_name();
        Spec {
            name: format!("{name} of {}", self.name),
            program: self.binaries.path(program),
            args: args.into_iter().chain(self.options.args_for(program)).collect(),
            env: Vec::new(),
            log: self.dir.join("logs").join(format!("{name}.log")),
        }
    }
}
