//! `Tenant`: who is served, where its data may live and on whose machines.

use std::collections::BTreeMap;

use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CountryCode, CountrySetName, FactStatus, NamespaceName, PlaceRef, Residency, schema};

/// Who is served, where its data may live and on whose machines.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "Tenant",
    plural = "tenants",
    shortname = "dten",
    category = "domicile",
    doc = "Who is served, where its data may live and on whose machines.",
    status = "FactStatus",
    derive = "PartialEq",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Namespaces", type_ = "string", json_path = ".spec.namespaces"),
    printcolumn(name = "Migration", type_ = "string", json_path = ".spec.migration.mode"),
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
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[(
    "self.namespaces.all(n, n != 'default' && !n.startsWith('kube-') && !n.startsWith('domicile-'))",
    "default, kube-* and domicile-* are no tenant's namespaces",
)])))]
pub struct TenantSpec {
    /// Its namespaces, of the same names on the hub and on members. Taking one off the list
    /// withdraws rights and deletes nothing.
    #[schemars(length(min = 1, max = 32), extend("x-kubernetes-list-type" = "set"))]
    pub namespaces: Vec<NamespaceName>,
    /// Users, groups and service accounts that serve themselves in these namespaces: they are bound there to the ClusterRole
    /// `domicile:tenant`, by the RoleBinding `domicile:subjects`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub subjects: Vec<TenantSubject>,
    /// Where its data may live.
    pub residency: Residency,
    /// On whose machines, beyond an approval in force. Judged for who operates the site and for who owns it: see
    /// docs/rules.md, "Ownership, control and law".
    #[serde(default)]
    pub providers: ProviderPolicy,
    /// Places that are preferred among the lawful ones, best first. What matches none comes last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub preferences: Vec<PlaceRef>,
    /// How moves by preference are made. A compulsory move ignores mode and windows, and keeps maxConcurrent.
    #[serde(default)]
    pub migration: MigrationPolicy,
    /// What becomes of what runs when an approval ends by its date: `Hold` (default: it stays, and is
    /// not compliant) or `Evacuate` (it is moved as if the approval were revoked).
    #[serde(default)]
    pub on_approval_expired: OnApprovalExpired,
    /// Pod Security Standard of its namespaces on members: `baseline` (default) or `restricted`.
    #[serde(default)]
    pub pod_security: PodSecurity,
    /// Where its pods may connect to. Empty: to their own namespace and DNS only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), extend("x-kubernetes-list-type" = "atomic"))]
    pub egress: Vec<EgressRule>,
    /// `hard` of the ResourceQuota in each of its namespaces on each member, for example `pods: "50"`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32, "additionalProperties" = schema::quantity()))]
    pub quota: BTreeMap<String, String>,
}

/// Somebody who serves itself, as in RBAC's subjects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[(
    "(self.kind == 'ServiceAccount') == has(self.namespace)",
    "a ServiceAccount, and nothing else, has a namespace",
), (
    "self.kind != 'ServiceAccount' || self.name.matches('^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$')",
    "a ServiceAccount's name is one of Kubernetes: small letters, digits, '-' and '.'",
)])))]
pub struct TenantSubject {
    /// `User`, `Group` or `ServiceAccount`.
    pub kind: TenantSubjectKind,
    /// The name as the API server knows it.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
    /// Namespace of a ServiceAccount.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<NamespaceName>,
}

/// What a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum TenantSubjectKind {
    /// A user.
    User,
    /// A group.
    Group,
    /// A service account.
    ServiceAccount,
}

/// What a tenant asks of providers, beyond an approval in force.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProviderPolicy {
    /// Entities, by HostingProvider name, LEI or registered name, that may have no say in a host, nor a host in them. Each
    /// must be described by a HostingProvider, which needs no approval.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 256)), extend("x-kubernetes-list-type" = "set"))]
    pub independent_of: Vec<String>,
    /// Holders from outside this CountrySet count as foreign. Absent: no limit on foreign shares.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub home_country_set: Option<CountrySetName>,
    /// How much foreign holders may have.
    #[serde(default)]
    pub max_foreign_share: ForeignShare,
    /// Certificates that a host must hold, valid at the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub certifications: Vec<RequiredCertification>,
    /// Laws to which no host may be subject, disputed or not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub not_subject_to: Vec<ExcludedLaw>,
}

/// Largest foreign shares, in percent. The defaults are those of SecNumCloud 3.2 §19.6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ForeignShare {
    /// Of any one foreign holder. Default 24.
    #[serde(default = "individual_share")]
    #[schemars(range(min = 0, max = 100))]
    pub individual: i32,
    /// Of all foreign holders together. Default 39.
    #[serde(default = "collective_share")]
    #[schemars(range(min = 0, max = 100))]
    pub collective: i32,
}

fn individual_share() -> i32 {
    24
}

fn collective_share() -> i32 {
    39
}

impl Default for ForeignShare {
    fn default() -> Self {
        Self { individual: individual_share(), collective: collective_share() }
    }
}

/// A certificate that a host must hold.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RequiredCertification {
    /// The scheme, as in the provider's certifications.
    #[schemars(length(min = 1, max = 64))]
    pub scheme: String,
    /// The level. Absent: any.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64))]
    pub level: Option<String>,
}

/// A law, or all laws of a jurisdiction, to which no host may be subject.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[(
    "has(self.jurisdiction) || has(self.law)", "name a jurisdiction, a law or both",
)])))]
pub struct ExcludedLaw {
    /// Whose law. Absent: anybody's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jurisdiction: Option<CountryCode>,
    /// The law. Absent: every one of the jurisdiction.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub law: Option<String>,
}

/// How moves by preference are made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MigrationPolicy {
    /// `Automatic`: as soon as a window is open. `Approval` (default): when the tenant has answered `Approved`
    /// in the Migration. `Manual`: never by itself.
    #[serde(default)]
    pub mode: MigrationMode,
    /// When moves may begin, in UTC. Empty: at any time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "atomic"))]
    pub windows: Vec<Window>,
    /// How many of its workloads move at the same time. Default 5.
    #[serde(default = "max_concurrent")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_concurrent: i32,
}

fn max_concurrent() -> i32 {
    5
}

impl Default for MigrationPolicy {
    fn default() -> Self {
        Self { mode: MigrationMode::default(), windows: Vec::new(), max_concurrent: max_concurrent() }
    }
}

/// Who starts a move by preference.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum MigrationMode {
    /// Domicile.
    Automatic,
    /// Domicile, once the tenant has approved.
    #[default]
    Approval,
    /// Nobody: it stays where it is.
    Manual,
}

/// A time of the week, in UTC.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// Days on which it opens. Empty: every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 7), extend("x-kubernetes-list-type" = "set"))]
    pub days: Vec<Weekday>,
    /// When it opens, `HH:MM` in UTC.
    #[schemars(length(min = 5, max = 5), regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub start: String,
    /// How long it stays open, in minutes; it may reach into the next day. At most a day.
    #[schemars(range(min = 1, max = 1440))]
    pub minutes: i32,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Weekday {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

/// What becomes of what runs when an approval ends by its date.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
pub enum OnApprovalExpired {
    /// It stays, and isn't compliant.
    #[default]
    Hold,
    /// It is moved away.
    Evacuate,
}

/// A Pod Security Standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PodSecurity {
    /// Prevents known escalations.
    #[default]
    Baseline,
    /// Hardened.
    Restricted,
}

impl PodSecurity {
    /// The value of the label `pod-security.kubernetes.io/enforce`.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// An address range to which pods may connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[(
    "isCIDR(self.cidr)", "cidr must be an address range such as 192.0.2.0/24",
)])))]
pub struct EgressRule {
    /// The range, for example `192.0.2.0/24`.
    #[schemars(length(min = 1, max = 64))]
    pub cidr: String,
    /// TCP ports. Empty: all ports and protocols.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(range(min = 1, max = 65535)), extend("x-kubernetes-list-type" = "set"))]
    pub ports: Vec<i32>,
}
