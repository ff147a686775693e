//! `Relocation`: a campaign of moves for one cause.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Cause;

/// A campaign: all moves that have one cause. The operator creates it; whoever runs the fleet may pause it or set its budget.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "Relocation",
    plural = "relocations",
    shortname = "reloc",
    category = "domicile",
    doc = "A campaign: all moves that have one cause. The operator creates it; whoever runs the fleet may pause it or set its budget.",
    status = "RelocationStatus",
    derive = "PartialEq",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Cause", type_ = "string", json_path = ".spec.cause.kind"),
    printcolumn(name = "Subject", type_ = "string", json_path = ".spec.cause.subject"),
    printcolumn(name = "Paused", type_ = "boolean", json_path = ".spec.paused"),
    printcolumn(name = "Pending", type_ = "integer", json_path = ".status.pending"),
    printcolumn(name = "Moving", type_ = "integer", json_path = ".status.moving"),
    printcolumn(name = "Done", type_ = "integer", json_path = ".status.done"),
    printcolumn(name = "Held", type_ = "integer", json_path = ".status.held"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct RelocationSpec {
    /// Why things move.
    pub cause: Cause,
    /// Begins no further move; what has begun goes on to its end.
    #[serde(default)]
    pub paused: bool,
    /// How many of its moves run at the same time. Absent: as many as the tenants allow.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_concurrent: Option<i32>,
}

/// How far a campaign is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RelocationStatus {
    /// The generation of the object that this status speaks of; -1 until the operator has looked at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Moves that haven't begun.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub pending: i64,
    /// Moves under way.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub moving: i64,
    /// Moves completed.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub done: i64,
    /// Copies that should move and have no lawful place.
    #[serde(default)]
    #[schemars(range(min = 0))]
    pub held: i64,
    /// `Ready` is true when nothing is left to move.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
}
