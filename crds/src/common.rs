//! Parts that several kinds share.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ClusterName, CountryCode, CountrySetName, ProviderName, SiteName, schema};

/// A country, or a named set of countries. Exactly one of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[
    ("has(self.country) != has(self.countrySet)", "name either a country or a countrySet"),
    ("!has(self.scopes) || has(self.countrySet)", "scopes belong to a countrySet"),
])))]
pub struct CountryRef {
    /// One country, as an ISO 3166-1 alpha-2 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<CountryCode>,
    /// Every country that is in this CountrySet at the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_set: Option<CountrySetName>,
    /// Scopes that are accepted as enough. A country that is in the set only in a scope (the US in
    /// `gdpr-adequate`, say) doesn't count unless its scope is named here word for word.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub scopes: Vec<String>,
}

/// Which countries are lawful. A country must be allowed and not denied; denied wins.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Residency {
    /// Countries where data may live. In a Tenant, an empty list allows no country at all; in a
    /// TenantWorkload it leaves the tenant's list as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub allowed: Vec<CountryRef>,
    /// Countries where data may never live, whatever is allowed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub denied: Vec<CountryRef>,
}

/// A place that is preferred: one of a set of countries, a country, a site or a provider.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[(
    "[has(self.country), has(self.countrySet), has(self.site), has(self.provider)].filter(x, x).size() == 1",
    "name exactly one of country, countrySet, site and provider",
)])))]
pub struct PlaceRef {
    /// One country, as an ISO 3166-1 alpha-2 code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<CountryCode>,
    /// Every country that is in this CountrySet at the time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_set: Option<CountrySetName>,
    /// One site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
    /// Every site that this provider operates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
}

/// A document that somebody can check, by address and digest. Never the document itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Evidence {
    /// Where the document is kept.
    #[schemars(length(min = 1, max = 1024))]
    pub uri: String,
    /// SHA-256 of the document, lower-case hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), regex(pattern = schema::SHA256))]
    pub sha256: Option<String>,
    /// Who may see it: `Public`, `OnRequest` or `Withheld`.
    #[serde(default)]
    pub disclosure: Disclosure,
}

/// Who may see a document.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Disclosure {
    /// Anyone.
    Public,
    /// Those who ask and have a reason.
    #[default]
    OnRequest,
    /// Nobody outside the authority.
    Withheld,
}

/// Amounts of what pods ask for, as Kubernetes quantities.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Amounts {
    /// CPUs, for example `64` or `500m`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = schema::QUANTITY))]
    pub cpu: Option<String>,
    /// Memory in bytes, for example `256Gi`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = schema::QUANTITY))]
    pub memory: Option<String>,
    /// Number of pods.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub pods: Option<i64>,
}

/// Status of a fact: what Domicile made of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FactStatus {
    /// The generation of the object that this status speaks of; -1 until the operator has looked at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// `Ready` says whether Domicile uses the object, and why not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
}

/// Whether `now` lies in the half-open interval from `from` to `until`; an absent end is open.
#[must_use]
pub fn in_force(from: Option<&Time>, until: Option<&Time>, now: jiff::Timestamp) -> bool {
    from.is_none_or(|t| t.0 <= now) && until.is_none_or(|t| now < t.0)
}

/// A cluster of a seat, with what a reader wants to know of it at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The member cluster.
    pub cluster: ClusterName,
    /// Its site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteName>,
    /// The site's country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<CountryCode>,
    /// The provider that operates the site.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
}

/// The condition of this type, if there is one.
#[must_use]
pub fn condition_of<'a>(conditions: &'a [Condition], kind: &str) -> Option<&'a Condition> {
    conditions.iter().find(|condition| condition.type_ == kind)
}
