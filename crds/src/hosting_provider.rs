//! `HostingProvider`: a legal entity that owns or operates machines.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CountryCode, Evidence, FactStatus, ProviderName, schema};

/// A legal entity that owns or operates machines. It hosts nothing until a Decision approves it.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "HostingProvider",
    plural = "hostingproviders",
    shortname = "hp",
    category = "domicile",
    doc = "A legal entity that owns or operates machines. It hosts nothing until a Decision approves it.",
    status = "FactStatus",
    derive = "PartialEq",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Legal name", type_ = "string", json_path = ".spec.legalName"),
    printcolumn(name = "Registered", type_ = "string", json_path = ".spec.registeredIn"),
    printcolumn(
        name = "Approved",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Approved\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Approved\")].reason"
    ),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct HostingProviderSpec {
    /// The name in the register.
    #[schemars(length(min = 1, max = 256))]
    pub legal_name: String,
    /// Identifiers in public registers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub identifiers: Vec<Identifier>,
    /// Country of registration.
    pub registered_in: CountryCode,
    /// Country from which it is really led. Absent: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headquartered_in: Option<CountryCode>,
    /// Who owns or controls it, as far as known: capital and votes apart. What isn't accounted for may be anybody's, and
    /// bars it from tenants who ask for independence or for a home country.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), extend("x-kubernetes-list-type" = "atomic"))]
    pub ownership: Vec<Ownership>,
    /// Certificates that it holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub certifications: Vec<Certification>,
    /// Laws that can compel it to act or to disclose. Empty: there are none. Absent: nobody has looked, which bars it from
    /// tenants who exclude laws.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub subject_to: Option<Vec<Obligation>>,
    /// Countries from which its machines are administered remotely. Empty: none. Absent: not known, which bars it from tenants
    /// who exclude all laws of a country.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "set"))]
    pub operated_from: Option<Vec<CountryCode>>,
}

/// An identifier in a public register.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[(
    "self.scheme != 'LEI' || self.id.matches('^[A-Z0-9]{18}[0-9]{2}$')",
    "an LEI has 18 letters or digits and 2 check digits (ISO 17442)",
)])))]
pub struct Identifier {
    /// The register: `LEI` (ISO 17442), `VAT`, `EUID` (the European business registers) or `National`.
    pub scheme: IdentifierScheme,
    /// The identifier as the register writes it.
    #[schemars(length(min = 1, max = 64))]
    pub id: String,
}

/// A public register of legal entities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum IdentifierScheme {
    /// Legal Entity Identifier (ISO 17442).
    #[serde(rename = "LEI")]
    Lei,
    /// VAT number.
    #[serde(rename = "VAT")]
    Vat,
    /// European Unique Identifier of the business registers.
    #[serde(rename = "EUID")]
    Euid,
    /// A national register's number.
    National,
}

/// An interest that somebody holds in a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[(
    "!has(self.from) || !has(self.until) || self.from < self.until", "until must be later than from",
)])))]
pub struct Ownership {
    /// Who holds it.
    pub holder: Holder,
    /// What is held: `Capital`, `Votes` or `Control` (by other means).
    pub interest: Interest,
    /// How much, in percent. Judged at its worst.
    pub share: Share,
    /// From when, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Time>,
    /// Until when (excluded), RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Time>,
    /// What shows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub evidence: Vec<Evidence>,
}

/// Who holds an interest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holder {
    /// The name as registered.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// An identifier (an LEI, say).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub id: Option<String>,
    /// The HostingProvider that describes this holder, if it is an `Entity` and there is one (it needs no approval). Who
    /// stands behind an entity that isn't described isn't known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub provider: Option<ProviderName>,
    /// Country of the holder. Absent: not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<CountryCode>,
    /// What the holder is: `Person`, `Entity`, `State` or `Unknown`.
    pub kind: HolderKind,
}

/// What a holder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum HolderKind {
    /// A natural person.
    Person,
    /// A legal entity.
    Entity,
    /// A state or its body.
    State,
    /// Somebody who isn't known.
    Unknown,
}

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Interest {
    /// Share of the capital.
    Capital,
    /// Share of the voting rights.
    Votes,
    /// Control by other means, such as a contract or a right to appoint. Its share says nothing.
    Control,
}

/// A share as a range, in percent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[("self.min <= self.max", "min must not exceed max")])))]
pub struct Share {
    /// At least, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    pub min: f64,
    /// At most, 0 to 100.
    #[schemars(range(min = 0, max = 100))]
    pub max: f64,
}

impl Eq for Share {}

/// A certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Certification {
    /// The scheme, for example `ISO27001`, `SecNumCloud`, `C5` or `EUCS`.
    #[schemars(length(min = 1, max = 64))]
    pub scheme: String,
    /// The level within the scheme.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub level: Option<String>,
    /// From when, RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Time>,
    /// Until when (excluded), RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Time>,
    /// The certificate.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub evidence: Vec<Evidence>,
}

/// A law that can compel a provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Obligation {
    /// Whose law.
    pub jurisdiction: CountryCode,
    /// The law, for example `US CLOUD Act`.
    #[schemars(length(min = 1, max = 256))]
    pub law: String,
    /// What it obliges to, in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub obligation: Option<String>,
    /// The provider says that it doesn't apply. It counts all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
    /// What shows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub evidence: Vec<Evidence>,
}
