//! `MemberCluster`: a Kubernetes cluster at a site.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Amounts, NamespaceName, SiteName, TenantName, schema};

/// How many namespaces a member's status names that belong to somebody else there.
pub const NAMESPACES_TAKEN_MAX: usize = 256;

/// A Kubernetes cluster at a site, which Domicile reaches with the least rights.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "MemberCluster",
    plural = "memberclusters",
    shortname = "mcl",
    category = "domicile",
    doc = "A Kubernetes cluster at a site, which Domicile reaches with the least rights.",
    status = "MemberClusterStatus",
    derive = "PartialEq",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Site", type_ = "string", json_path = ".spec.site"),
    printcolumn(name = "Scheduling", type_ = "string", json_path = ".spec.scheduling"),
    printcolumn(name = "Version", type_ = "string", json_path = ".status.version"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct MemberClusterSpec {
    /// The site where its nodes are.
    pub site: SiteName,
    /// How Domicile reaches it.
    pub connection: Connection,
    /// `Open` (default): takes new workloads. `Cordoned`: takes none. `Draining`: takes none, and what runs is moved away.
    #[serde(default)]
    pub scheduling: Scheduling,
    /// Names of classes that tenants use, and what they are called here.
    #[serde(default, skip_serializing_if = "Classes::is_empty")]
    pub classes: Classes,
    /// How much of it Domicile may use. Absent: as much as its nodes say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<Amounts>,
}

/// How to reach a member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// The Secret in the operator's namespace whose key `kubeconfig` is used. It holds a server, a
    /// certificate authority and a token or client certificate, and nothing that runs a command,
    /// reads a file, goes through a proxy or skips verification.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"))]
    pub kubeconfig_secret: String,
}

/// Whether a member takes new workloads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Scheduling {
    /// It takes new workloads.
    #[default]
    Open,
    /// It takes none.
    Cordoned,
    /// It takes none, and what runs there must move away.
    Draining,
}

/// A tenant's class name → the member's.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Classes {
    /// StorageClasses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = schema::text(1, 253)))]
    pub storage: BTreeMap<String, String>,
    /// IngressClasses.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64, "additionalProperties" = schema::text(1, 253)))]
    pub ingress: BTreeMap<String, String>,
}

impl Classes {
    fn is_empty(&self) -> bool {
        self.storage.is_empty() && self.ingress.is_empty()
    }
}

/// What was seen of a member. Written only when something changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberClusterStatus {
    /// The generation of the object that this status speaks of; -1 until the operator has looked at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Version of its API server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub version: Option<String>,
    /// The uid of its namespace kube-system, which tells one cluster from another.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub cluster_id: Option<String>,
    /// Sum of what its ready nodes can give to pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocatable: Option<Amounts>,
    /// Values of the label `topology.kubernetes.io/region` on its nodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub node_regions: Vec<String>,
    /// Tenants that its owner has admitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 4096), extend("x-kubernetes-list-type" = "set"))]
    pub tenants: Vec<TenantName>,
    /// Kinds that a tenant could use and that this member doesn't serve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(max = 63)), extend("x-kubernetes-list-type" = "set"))]
    pub kinds_not_served: Vec<String>,
    /// Tenants' namespaces that belong to somebody else there, in which nothing of theirs is placed (rule `NamespaceTaken`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = NAMESPACES_TAKEN_MAX), extend("x-kubernetes-list-type" = "set"))]
    pub namespaces_taken: Vec<NamespaceName>,
    /// Where it contradicts what was recorded of it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 300)), extend("x-kubernetes-list-type" = "atomic"))]
    pub contradictions: Vec<String>,
    /// `Ready` says whether Domicile can use it, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
}
