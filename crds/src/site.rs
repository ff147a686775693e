//! `Site`: a data centre.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CountryCode, FactStatus, ProviderName, schema};

/// A data centre: where it is, who operates it, who owns it, and whether it is online.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "Site",
    plural = "sites",
    shortname = "dsite",
    category = "domicile",
    doc = "A data centre: where it is, who operates it, who owns it, and whether it is online.",
    status = "FactStatus",
    derive = "PartialEq",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Country", type_ = "string", json_path = ".spec.country"),
    printcolumn(name = "Operator", type_ = "string", json_path = ".spec.operatedBy"),
    printcolumn(name = "Owner", type_ = "string", json_path = ".spec.ownedBy"),
    printcolumn(name = "State", type_ = "string", json_path = ".spec.state"),
    printcolumn(name = "Online from", type_ = "string", json_path = ".spec.onlineFrom"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[(
    "!has(self.locode) || self.locode.startsWith(self.country)",
    "locode must begin with the site's country",
)])))]
pub struct SiteSpec {
    /// The provider that operates the machines. It must be approved.
    pub operated_by: ProviderName,
    /// The provider that owns the machines. It must be approved too; often the same.
    pub owned_by: ProviderName,
    /// The country where the machines stand.
    pub country: CountryCode,
    /// UN/LOCODE of the place, for example `NLAMS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 5), regex(pattern = "^[A-Z]{2}[A-Z2-9]{3}$"))]
    pub locode: Option<String>,
    /// Where on Earth (WGS 84).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinates: Option<Coordinates>,
    /// Before this instant the site counts as not online, whatever `state` says. RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub online_from: Option<Time>,
    /// `Planned` (default): nothing is placed. `Online`: in use. `Closing`: everything is moved away.
    /// `Offline`: nothing is placed, what runs is left alone.
    #[serde(default)]
    pub state: SiteState,
}

/// A point on Earth, WGS 84, in degrees.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Coordinates {
    /// Degrees north, -90 to 90.
    #[schemars(range(min = -90, max = 90))]
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    #[schemars(range(min = -180, max = 180))]
    pub longitude: f64,
}

/// What a site is used for at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SiteState {
    /// Not yet in use.
    #[default]
    Planned,
    /// In use.
    Online,
    /// Being emptied: a compulsory move for all that runs there.
    Closing,
    /// Not in use; what runs there is left alone.
    Offline,
}
