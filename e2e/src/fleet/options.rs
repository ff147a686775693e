//! What kind of cluster to start.

use super::binaries::Program;

/// Controllers that a hub needs: it runs no pods, but namespaces must go, owners must be followed,
/// quotas counted, roles aggregated and service accounts must have their tokens.
const HUB_CONTROLLERS: [&str; 8] = [
    "namespace-controller",
    "garbage-collector-controller",
    "serviceaccount-controller",
    "serviceaccount-token-controller",
    "root-ca-certificate-publisher-controller",
    "clusterrole-aggregation-controller",
    "resourcequota-controller",
    "validatingadmissionpolicy-status-controller",
];

/// Requests a second that controllers and scheduler may send. Their defaults (20 and 50) are meant
/// for clusters with other tenants and make a test of 100 Deployments wait for half a minute.
const KUBE_API_QPS: u32 = 200;

/// What a cluster is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// API server and store with the controllers that need no nodes.
    Hub,
    /// All controllers, and with nodes also the scheduler and kwok.
    Member,
}

/// What each node offers, as Kubernetes quantities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allocatable {
    /// CPUs, such as `32`.
    pub cpu: String,
    /// Memory, such as `256Gi`.
    pub memory: String,
    /// Number of pods.
    pub pods: u32,
}

impl Default for Allocatable {
    fn default() -> Self {
        Self { cpu: String::from("32"), memory: String::from("256Gi"), pods: 250 }
    }
}

/// How to start a cluster. Begin with [`ClusterOptions::hub`] or [`ClusterOptions::member`].
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    pub(crate) role: Role,
    pub(crate) nodes: u32,
    pub(crate) region: String,
    pub(crate) zone: String,
    pub(crate) allocatable: Allocatable,
    pub(crate) volumes: u32,
    pub(crate) controllers: Vec<String>,
    pub(crate) kube_api_qps: u32,
    pub(crate) extra_args: Vec<(Program, String)>,
}

impl ClusterOptions {
    /// A hub.
    #[must_use]
    pub fn hub() -> Self {
        Self::new(Role::Hub, 0, &HUB_CONTROLLERS)
    }

    /// A member with one node.
    #[must_use]
    pub fn member() -> Self {
        Self::new(Role::Member, 1, &["*"])
    }

    fn new(role: Role, nodes: u32, controllers: &[&str]) -> Self {
        Self {
            role,
            nodes,
            region: String::from("local"),
            zone: String::from("local-a"),
            allocatable: Allocatable::default(),
            volumes: 0,
            controllers: controllers.iter().map(ToString::to_string).collect(),
            kube_api_qps: KUBE_API_QPS,
            extra_args: Vec::new(),
        }
    }

    /// The number of nodes. With none, neither scheduler nor kwok is started: pods stay Pending.
    #[must_use]
    pub fn nodes(mut self, nodes: u32) -> Self {
        self.nodes = nodes;
        self
    }

    /// The nodes' labels `topology.kubernetes.io/region` and `topology.kubernetes.io/zone`.
    #[must_use]
    pub fn topology(mut self, region: &str, zone: &str) -> Self {
        region.clone_into(&mut self.region);
        zone.clone_into(&mut self.zone);
        self
    }

    /// What each node offers.
    #[must_use]
    pub fn allocatable(mut self, allocatable: Allocatable) -> Self {
        self.allocatable = allocatable;
        self
    }

    /// A default storage class `standard` and so many persistent volumes to bind to, each once.
    /// They hold nothing, since kwok's pods read and write nothing.
    #[must_use]
    pub fn volumes(mut self, volumes: u32) -> Self {
        self.volumes = volumes;
        self
    }

    /// Which controllers run, as in kube-controller-manager's `--controllers`.
    #[must_use]
    pub fn controllers<'a>(mut self, names: impl IntoIterator<Item = &'a str>) -> Self {
        self.controllers = names.into_iter().map(String::from).collect();
        self
    }

    /// Requests a second that controllers and scheduler may send (twice that in a burst); 200 unless set.
    #[must_use]
    pub fn kube_api_qps(mut self, qps: u32) -> Self {
        self.kube_api_qps = qps;
        self
    }

    /// One more argument for `program`, such as `--v=2`. The last one given for a flag holds.
    #[must_use]
    pub fn arg(mut self, program: Program, arg: &str) -> Self {
        self.extra_args.push((program, arg.to_owned()));
        self
    }

    pub(crate) fn args_for(&self, program: Program) -> impl Iterator<Item = String> {
        self.extra_args.iter().filter(move |(of, _)| *of == program).map(|(_, arg)| arg.clone())
    }
}
