//! `Assignment`: the durable record of where a workload's copies are.

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ClusterName, OnDelete, TenantName, schema};

/// Keeps an Assignment until everything it lists has left the members, and a Migration until it has ended.
pub const CLEANUP_FINALIZER: &str = "domicile.dev/cleanup";

/// The epoch of a copy that ran before Domicile had it, until it moves.
pub const ADOPTED: i64 = 0;

/// How many objects a copy may have, those included that an update replaces.
pub const INVENTORY_MAX: usize = 160;

/// Where a workload's copies are. Written by the operator before it acts, read by the tenant.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "Assignment",
    plural = "assignments",
    shortname = "asg",
    category = "domicile",
    namespaced,
    doc = "Where a workload's copies are. Written by the operator before it acts, read by the tenant.",
    derive = "PartialEq",
    derive = "Default",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Tenant", type_ = "string", json_path = ".spec.tenant"),
    printcolumn(name = "Cluster", type_ = "string", json_path = ".spec.seats[*].cluster"),
    printcolumn(name = "Epoch", type_ = "string", json_path = ".spec.seats[*].epoch"),
    printcolumn(name = "Phase", type_ = "string", json_path = ".spec.seats[*].phase"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentSpec {
    /// The tenant to whom it was placed. Absent only in what an older operator left half-written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// What becomes of PersistentVolumeClaims when the workload is deleted, as it said when this was
    /// written: by then the workload can't be asked any more. Absent: they are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "OnDelete")]
    pub on_delete: Option<OnDelete>,
    /// Where copy 0 ran before Domicile had it, if it was adopted: what bears epoch 0 there is, or was, this workload's, and what bears it
    /// elsewhere is nobody's to change or remove.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ClusterName")]
    pub adopted_from: Option<ClusterName>,
    /// The copies.
    #[serde(default)]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["ordinal"]))]
    pub seats: Vec<Seat>,
}

/// One copy of a workload on one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seat {
    /// Which copy, from 0.
    #[schemars(range(min = 0, max = 31))]
    pub ordinal: i32,
    /// Where.
    pub cluster: ClusterName,
    /// Grows by one with each move and never goes back. A copy that was placed begins with 1, one that was adopted with 0: until it
    /// moves, its pods go without Domicile's labels, which would restart them.
    #[schemars(range(min = 0))]
    pub epoch: i64,
    /// The workload's generation that the inventory was made from.
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// `Active`, or `Leaving` while its objects are being removed from the cluster.
    #[serde(default)]
    pub phase: SeatPhase,
    /// What is, or is about to be, on the cluster.
    #[serde(default)]
    #[schemars(length(max = INVENTORY_MAX), extend("x-kubernetes-list-type" = "atomic"))]
    pub inventory: Vec<InventoryItem>,
    /// Jobs that have completed, and aren't run again as long as their manifests stay as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"]))]
    pub completed_jobs: Vec<CompletedJob>,
}

/// A Job that has completed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CompletedJob {
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Digest of its manifest: another Job of that name runs.
    #[schemars(length(max = 16), regex(pattern = schema::DIGEST))]
    pub manifest: String,
}

/// Whether a copy stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SeatPhase {
    /// It runs, or is about to.
    #[default]
    Active,
    /// Its objects are being removed.
    Leaving,
}

/// An object on a member.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InventoryItem {
    /// Its apiVersion.
    #[schemars(length(min = 1, max = 63))]
    pub api_version: String,
    /// Its kind.
    #[schemars(length(min = 1, max = 63))]
    pub kind: String,
    /// Its name.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
}
