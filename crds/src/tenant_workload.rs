//! `TenantWorkload`: what a tenant wants to run.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{ClusterName, Place, PlaceRef, Residency, schema};

/// Most manifests in one workload.
pub const MANIFESTS_MAX: usize = 64;

/// Most bytes of all manifests of one workload, as JSON: etcd refuses requests over 1.5 MiB, and a
/// server-side apply keeps the field names a second time.
pub const MANIFESTS_BYTES_MAX: usize = 512 * 1024;

/// Most entries of `status.problems`.
pub const PROBLEMS_MAX: usize = 8;

/// The kinds that a tenant may use, as (apiVersion, kind, plural). Namespaced, all of them.
///
/// The order is the order of applying: what others need comes first, so that the presence of a
/// workload kind means that all before it was applied.
pub const ALLOWED_KINDS: [(&str, &str, &str); 12] = [
    ("v1", "ServiceAccount", "serviceaccounts"),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"),
    ("v1", "ConfigMap", "configmaps"),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims"),
    ("v1", "Service", "services"),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets"),
    ("networking.k8s.io/v1", "Ingress", "ingresses"),
    ("apps/v1", "StatefulSet", "statefulsets"),
    ("apps/v1", "Deployment", "deployments"),
    ("batch/v1", "Job", "jobs"),
    ("batch/v1", "CronJob", "cronjobs"),
    ("autoscaling/v2", "HorizontalPodAutoscaler", "horizontalpodautoscalers"),
];

/// What a tenant wants to run. Domicile runs it where the tenant's policy allows, and moves it when
/// the world changes.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "TenantWorkload",
    plural = "tenantworkloads",
    shortname = "tw",
    category = "domicile",
    namespaced,
    doc = "What a tenant wants to run. Domicile runs it where the tenant's policy allows, and moves it when the world changes.",
    status = "TenantWorkloadStatus",
    derive = "PartialEq",
    derive = "Default",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Cluster", type_ = "string", json_path = ".status.seats[*].place.cluster"),
    printcolumn(name = "Country", type_ = "string", json_path = ".status.seats[*].place.country"),
    printcolumn(name = "Provider", type_ = "string", json_path = ".status.seats[*].place.provider"),
    printcolumn(
        name = "Compliant",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Compliant\")].status"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason",
        priority = 1
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[(
    "!has(self.adopt) || has(oldSelf.adopt) && self.adopt == oldSelf.adopt",
    "adopt is set when a workload is made, or not at all: it can only be removed",
)])))]
pub struct TenantWorkloadSpec {
    /// The objects to run, as they would be applied by hand: at most 64, and 512 KiB in all. Allowed:
    /// ConfigMap, Service, ServiceAccount, PersistentVolumeClaim, Deployment, StatefulSet, Job, CronJob,
    /// Ingress, NetworkPolicy, PodDisruptionBudget, HorizontalPodAutoscaler. Secrets go into `secrets`.
    #[serde(deserialize_with = "crate::guarded::manifests")]
    #[schemars(schema_with = "manifests_schema")]
    pub manifests: Vec<Value>,
    /// The MemberCluster on which its objects run already: `kubectl domicile adopt` sets it. As long as it has no Assignment, its first
    /// copy is recorded there once all of them are seen there with its labels, and nothing is placed before; afterwards it means nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ClusterName")]
    pub adopt: Option<ClusterName>,
    /// On how many clusters it runs, and what keeps them apart.
    #[serde(default)]
    pub clusters: Clusters,
    /// Narrows the tenant's residency; it can't widen it.
    #[serde(default, skip_serializing_if = "is_default")]
    pub residency: Residency,
    /// Replaces the tenant's preferences. Best first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub preferences: Vec<PlaceRef>,
    /// Services (NodePort or LoadBalancer) for clients elsewhere: for each, a headless Service of that name here leads to the copies that serve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub expose: Vec<Expose>,
    /// Secrets that the manifests refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub secrets: Vec<SecretRef>,
    /// Whether two copies may run for the length of a move: `Allow` (default) or `Forbid`. Jobs, CronJobs
    /// and Deployments with strategy Recreate never overlap.
    #[serde(default)]
    pub overlap: Overlap,
    /// What becomes of PersistentVolumeClaims when the workload is deleted: `Retain` (default) keeps and
    /// labels them, `Remove` deletes them, also those that its StatefulSets have made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OnDelete")]
    pub on_delete: Option<OnDelete>,
    /// How long retained claims are kept, for example `30d`. Absent: until somebody removes them. Not read yet: they are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 16), regex(pattern = "^([0-9]+[smhd])+$"))]
    pub retain_for: Option<String>,
    /// How its pods are brought to rest before a move with data. Not read yet: what has data isn't moved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiesce: Option<Quiesce>,
    /// When a copy counts as failed.
    #[serde(default)]
    pub health: Health,
    /// How long the source of a move, or an exposed copy that isn't wanted any more, runs after clients were sent elsewhere, in seconds. Default 10.
    #[serde(default = "drain_seconds")]
    #[schemars(range(min = 0, max = 3600))]
    pub drain_seconds: i32,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

fn drain_seconds() -> i32 {
    10
}

/// CEL sees apiVersion, kind and metadata.name of an embedded object, nothing deeper: that is for the policy `domicile-manifests`.
fn manifests_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    // Compared one by one: for a joined `apiVersion/kind` the server assumes any length, takes the rule for
    // too expensive, and refuses the whole definition.
    let allowed: Vec<String> = ALLOWED_KINDS
        .iter()
        .map(|(api, kind, _)| format!("m.apiVersion == '{api}' && m.kind == '{kind}'"))
        .collect();
    // A Secret has a rule and a message of its own.
    let kind = format!("self.all(m, m.kind == 'Secret' || {})", allowed.join(" || "));
    schemars::json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": MANIFESTS_MAX,
        "x-kubernetes-list-type": "atomic",
        "x-kubernetes-validations": schema::cel(&[
            ("self.all(m, m.kind != 'Secret')", "a Secret does not belong in manifests, where everyone who reads the workload reads it: create it in this namespace and name it in secrets"),
            (&kind, "a manifest is of a kind that tenants may not use: allowed are ConfigMap, Service, ServiceAccount, PersistentVolumeClaim, Deployment, StatefulSet, Job, CronJob, Ingress, NetworkPolicy, PodDisruptionBudget (policy/v1) and HorizontalPodAutoscaler (autoscaling/v2)"),
            ("self.all(m, has(m.metadata) && has(m.metadata.name) && m.metadata.name.size() > 0)", "every manifest needs metadata.name (generateName is not supported)"),
        ]),
        "items": json!({
            "type": "object",
            "x-kubernetes-embedded-resource": true,
            "x-kubernetes-preserve-unknown-fields": true,
        }),
    })
}

/// On how many clusters, and what keeps them apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Clusters {
    /// How many clusters run a copy, 1 to 16. Default 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 16))]
    pub count: i32,
    /// Copies are put at different ones of these where possible: `Site` (default), `Provider` or `Country`.
    #[serde(default)]
    pub spread_by: SpreadBy,
}

fn one() -> i32 {
    1
}

impl Default for Clusters {
    fn default() -> Self {
        Self { count: one(), spread_by: SpreadBy::default() }
    }
}

/// What keeps copies apart.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum SpreadBy {
    /// Different sites.
    #[default]
    Site,
    /// Different providers.
    Provider,
    /// Different countries.
    Country,
}

/// A Service that clients outside its clusters use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expose {
    /// The Service's name in the manifests.
    #[schemars(length(min = 1, max = 63))]
    pub service: String,
    /// The port's number in the Service.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
    /// The host name under which clients look for it: an annotation of the headless Service, for whatever makes DNS records or routes.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub hostname: Option<String>,
}

/// A Secret that the manifests refer to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// Its name, the same on the hub and on members.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// `Hub`: Domicile copies it from this namespace, and again whenever it changes. `Member`: it is on the
    /// member already, and its value never passes the hub.
    pub from: SecretSource,
}

/// Where a Secret comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SecretSource {
    /// From the tenant's namespace on the hub.
    Hub,
    /// It is on the member already.
    Member,
}

/// Whether two copies may run for the length of a move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Overlap {
    /// The new copy is Ready before the old one stops.
    #[default]
    Allow,
    /// The old copy has stopped before the new one starts.
    Forbid,
}

/// What becomes of claims when the workload is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum OnDelete {
    /// They are kept, labelled `domicile.dev/retained`.
    Retain,
    /// They are deleted.
    Remove,
}

/// How pods are brought to rest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Quiesce {
    /// How long pods may take to stop before the move is given up, in seconds. Default 300.
    #[serde(default = "quiesce_seconds")]
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_seconds: i32,
}

fn quiesce_seconds() -> i32 {
    300
}

/// When a copy counts as failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// How long a copy may take to become Ready before a move to it is given up, in seconds. Default 600.
    #[serde(default = "progress_deadline")]
    #[schemars(range(min = 1, max = 86400))]
    pub progress_deadline_seconds: i32,
}

fn progress_deadline() -> i32 {
    600
}

impl Default for Health {
    fn default() -> Self {
        Self { progress_deadline_seconds: progress_deadline() }
    }
}

/// Where it runs, whether it may, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TenantWorkloadStatus {
    /// The generation of the object that this status speaks of; -1 until the operator has looked at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` sums up. `Placed`: it has its clusters. `Compliant`: each of them is lawful now.
    /// `Exposed`: clients find what it exposes. `MovePending`: a move is planned. `Stalled`: a person must act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
    /// Where its copies are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["ordinal"]))]
    pub seats: Vec<SeatStatus>,
    /// What is wrong on the members, at most 8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "atomic"))]
    pub problems: Vec<Problem>,
    /// Why clusters were turned down, by reason, with counts. Only while something has no place.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub candidates: Vec<Candidates>,
    /// Until when it stays compliant if nothing changes: the earliest end of an approval or of a
    /// country's membership that it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub compliant_until: Option<Time>,
}

/// One copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatStatus {
    /// Which copy, from 0.
    #[schemars(range(min = 0, max = 31))]
    pub ordinal: i32,
    /// Where.
    pub place: Place,
    /// Grows by one with each move.
    #[schemars(range(min = 0))]
    pub epoch: i64,
    /// Whether all of it is ready.
    pub ready: bool,
    /// Addresses of what `expose` names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub endpoints: Vec<Endpoint>,
}

/// An address of an exposed Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Endpoint {
    /// The Service.
    #[schemars(length(max = 63))]
    pub service: String,
    /// IP address or host name by which it is reached from outside the member; for a NodePort, a node's.
    #[schemars(length(max = 253))]
    pub address: String,
    /// Port at that address.
    #[schemars(range(min = 1, max = 65535))]
    pub port: i32,
}

/// Something that is wrong on a member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Problem {
    /// On which cluster.
    #[schemars(length(max = 63))]
    pub cluster: String,
    /// Which object, as kind/name.
    #[schemars(length(max = 320))]
    pub object: String,
    /// In one word, for example `ImagePullBackOff`.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// In one sentence.
    #[schemars(length(max = 300))]
    pub message: String,
}

/// How many clusters were turned down for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Candidates {
    /// The rule that turned them down, or `HasCopy`: no cluster takes two copies.
    #[schemars(length(max = 64))]
    pub reason: String,
    /// How many.
    #[schemars(range(min = 0))]
    pub count: i32,
    /// One of them, and what would have to change.
    #[schemars(length(max = 300))]
    pub message: String,
}
