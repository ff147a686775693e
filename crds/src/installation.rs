//! `Installation`: this hub itself.

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{FactStatus, SiteName};

/// This hub itself: where it stands, and the brakes. There is one, named `default`.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "Installation",
    plural = "installations",
    shortname = "dinst",
    category = "domicile",
    doc = "This hub itself: where it stands, and the brakes. There is one, named `default`.",
    status = "FactStatus",
    derive = "PartialEq",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Paused", type_ = "boolean", json_path = ".spec.paused"),
    printcolumn(name = "Two persons", type_ = "boolean", json_path = ".spec.twoPersonRule"),
    printcolumn(name = "Hub site", type_ = "string", json_path = ".spec.hub.site"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct InstallationSpec {
    /// Where the hub and its backups are. They are places too: names of workloads and what tenants
    /// write in them are kept there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hub: Option<Hub>,
    /// Stops every move at its next safe point. Placements of new workloads go on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// A decision that approves or lifts counts only when a second user (`decidedBy`) has made the same one. A freeze never
    /// waits. It is asked of all decisions, older ones too: what one user alone has approved or lifted before doesn't count any
    /// more. `kubectl domicile plan -f` says what that would bring about.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub two_person_rule: bool,
    /// How many moves may begin within any hour. Absent: no limit but the tenants' own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_moves_per_hour: Option<i32>,
}

/// Where the hub is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Hub {
    /// The site of the hub.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
    /// Sites that hold backups of the hub.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "set"))]
    pub backup_sites: Vec<SiteName>,
}
