//! `Decision`: one decision about one subject.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CountryCode, DecisionName, Evidence, FactStatus, SiteName, TenantName, schema};

/// One decision about one subject, by whoever answers for compliance. It never changes; another
/// decision that names it in `supersedes` takes its place.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "Decision",
    plural = "decisions",
    shortname = "dec",
    category = "domicile",
    doc = "One decision about one subject. It never changes; another that names it in `supersedes` takes its place.",
    status = "FactStatus",
    derive = "PartialEq",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Kind", type_ = "string", json_path = ".spec.subject.kind"),
    printcolumn(name = "Subject", type_ = "string", json_path = ".spec.subject.name"),
    printcolumn(name = "Decision", type_ = "string", json_path = ".spec.decision"),
    printcolumn(name = "Authority", type_ = "string", json_path = ".spec.authority"),
    printcolumn(
        name = "In force",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"InForce\")].status"
    ),
    printcolumn(
        name = "Why",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"InForce\")].reason"
    ),
    printcolumn(name = "Review on", type_ = "string", json_path = ".spec.reviewOn", priority = 1),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[
    ("self == oldSelf", "a decision never changes: make another that names this one in supersedes"),
    (
        "!has(self.validFrom) || !has(self.validUntil) || self.validFrom < self.validUntil",
        "validUntil must be later than validFrom",
    ),
    (
        "self.subject.kind == 'TenantWorkload' ? self.subject.name.contains('/') : !self.subject.name.contains('/')",
        "a TenantWorkload is named namespace/name, every other subject by its name alone",
    ),
])))]
pub struct DecisionSpec {
    /// Whom it is about.
    pub subject: Subject,
    /// What is decided: `Approved`, `Frozen` (nothing in, out or deleted; what runs keeps running),
    /// `Suspended` (scaled to zero, data stays) or `Revoked` (everything must leave).
    pub decision: Verdict,
    /// On what ground: `Precaution`, `Finding`, `Contract`, `Law` or `Request`.
    pub basis: Ground,
    /// From when, RFC 3339. Absent: at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Time>,
    /// Until when (excluded), RFC 3339. Absent: until superseded. What it superseded never comes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Time>,
    /// Where and for whom it holds. An absent or empty part doesn't limit.
    #[serde(default, skip_serializing_if = "Scope::is_empty")]
    pub scope: Scope,
    /// Who has the power to decide, for example `ministry-of-justice` or `compliance`.
    #[schemars(length(min = 1, max = 128))]
    pub authority: String,
    /// The user who wrote it, as the API server knows that user (`kubectl auth whoami`). The policy `domicile-decisions` refuses
    /// any other name.
    #[schemars(length(min = 1, max = 256))]
    pub decided_by: String,
    /// Why, for those who will ask later.
    #[schemars(length(min = 1, max = 4096))]
    pub reason: String,
    /// What it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub evidence: Vec<Evidence>,
    /// When to look at it again, RFC 3339. A reminder, not an end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub review_on: Option<Time>,
    /// The subject disputes it. It counts all the same.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub contested: bool,
    /// Decisions whose place this one takes, within its own scope. It lifts one only if it has the
    /// same authority or one that the other names in `liftableBy`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "set"))]
    pub supersedes: Vec<DecisionName>,
    /// Other authorities that may lift this decision.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 128)), extend("x-kubernetes-list-type" = "set"))]
    pub liftable_by: Vec<String>,
}

/// Whom a decision is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Subject {
    /// `HostingProvider` (needs an approval to be used), `Site`, `Tenant` or `TenantWorkload` (need none).
    pub kind: SubjectKind,
    /// Its name; for a TenantWorkload `namespace/name`.
    #[schemars(
        length(min = 1, max = 127),
        regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(/[a-z0-9]([-a-z0-9]*[a-z0-9])?)?$")
    )]
    pub name: String,
}

impl Subject {
    /// The name of every tenant, which no decision that can be read names.
    pub const EVERY: &str = "*";

    /// Every subject that there is: all that is placed is some tenant's.
    #[must_use]
    pub fn every() -> Self {
        Self { kind: SubjectKind::Tenant, name: Self::EVERY.to_owned() }
    }

    /// Whether it is [every](Self::every) subject.
    #[must_use]
    pub fn is_every(&self) -> bool {
        *self == Self::every()
    }
}

/// Kinds that decisions are made about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum SubjectKind {
    /// A provider.
    HostingProvider,
    /// A site.
    Site,
    /// A tenant.
    Tenant,
    /// One workload of a tenant.
    TenantWorkload,
}

/// What is decided, from the mildest to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Verdict {
    /// May be used.
    Approved,
    /// Nothing in, out or deleted; what runs keeps running.
    Frozen,
    /// Scaled to zero; data stays.
    Suspended,
    /// Everything must leave.
    Revoked,
}

/// On what ground a decision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Ground {
    /// As a precaution, before anything is established.
    Precaution,
    /// Something was established.
    Finding,
    /// A contract says so.
    Contract,
    /// A law says so.
    Law,
    /// Somebody entitled asked for it.
    Request,
}

/// Where and for whom a decision holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scope {
    /// Only at these sites. Empty: at all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "set"))]
    pub sites: Vec<SiteName>,
    /// Only in these countries. Empty: in all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "set"))]
    pub countries: Vec<CountryCode>,
    /// Only for these tenants. Empty: for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "set"))]
    pub tenants: Vec<TenantName>,
}

impl Scope {
    /// Whether it limits nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty() && self.countries.is_empty() && self.tenants.is_empty()
    }

    /// Whether there may be a place within both.
    #[must_use]
    pub fn meets(&self, other: &Self) -> bool {
        fn meet<T: PartialEq>(one: &[T], other: &[T]) -> bool {
            one.is_empty() || other.is_empty() || one.iter().any(|it| other.contains(it))
        }
        meet(&self.sites, &other.sites)
            && meet(&self.countries, &other.countries)
            && meet(&self.tenants, &other.tenants)
    }

    /// Whether all of another is within this one, as far as they name the same: in which country a site is, nobody knows here.
    #[must_use]
    pub fn contains(&self, other: &Self) -> bool {
        fn within<T: PartialEq>(one: &[T], other: &[T]) -> bool {
            one.is_empty() || (!other.is_empty() && other.iter().all(|it| one.contains(it)))
        }
        within(&self.sites, &other.sites)
            && within(&self.countries, &other.countries)
            && within(&self.tenants, &other.tenants)
    }
}
