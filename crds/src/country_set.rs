//! `CountrySet`: which countries a name such as `eu` means, and when.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CountryCode, FactStatus, schema};

/// Which countries a name such as `eu` means, and when. Tenants name sets in their residency and
/// preferences; a country that joins or leaves a set takes effect at that instant.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "CountrySet",
    plural = "countrysets",
    shortname = "cset",
    category = "domicile",
    doc = "Which countries a name such as `eu` means, and when.",
    status = "FactStatus",
    derive = "PartialEq",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Description", type_ = "string", json_path = ".spec.description"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct CountrySetSpec {
    /// What the set stands for, in a few words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub description: Option<String>,
    /// The members. A country may be listed more than once, for different times or scopes.
    #[schemars(length(min = 1, max = 512), extend("x-kubernetes-list-type" = "atomic"))]
    pub members: Vec<CountrySetMember>,
}

/// A country in a set, for a time, on a basis.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[(
    "!has(self.from) || !has(self.until) || self.from < self.until", "until must be later than from",
)])))]
pub struct CountrySetMember {
    /// The country, as an ISO 3166-1 alpha-2 code (Greece is GR, the United Kingdom GB).
    pub country: CountryCode,
    /// From when, RFC 3339. Absent: always was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// Until when (excluded), RFC 3339. Absent: no end is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// Why it is in the set: `Membership` (of a union or treaty), `Adequacy` (a decision under Article 45 GDPR) or `Agreement`.
    pub basis: Basis,
    /// If the basis holds only for some recipients or data: which. Such a member counts only for
    /// those who name this scope word for word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub scope: Option<String>,
    /// The legal source: treaty, decision number or address.
    #[schemars(length(min = 1, max = 1024))]
    pub source: String,
}

/// Why a country is in a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Basis {
    /// It is a member of a union or party to a treaty.
    Membership,
    /// An adequacy decision (GDPR Article 45).
    Adequacy,
    /// Another agreement.
    Agreement,
}
