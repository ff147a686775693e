//! `Migration`: one move of one copy.

use std::fmt;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube_derive::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{ClusterName, RelocationName, TenantName, WorkloadName, schema};

/// One move of one copy of a workload. The operator writes it before it acts; the tenant may set
/// `answer` and `abort`.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "domicile.dev",
    version = "v1alpha1",
    kind = "Migration",
    plural = "migrations",
    shortname = "dmig",
    category = "domicile",
    namespaced,
    doc = "One move of one copy of a workload. The operator writes it before it acts; the tenant may set `answer` and `abort`.",
    status = "MigrationStatus",
    derive = "PartialEq",
    crates(kube_core = "::kube_core"),
    printcolumn(name = "Workload", type_ = "string", json_path = ".spec.workload"),
    printcolumn(name = "From", type_ = "string", json_path = ".spec.from"),
    printcolumn(name = "To", type_ = "string", json_path = ".spec.to"),
    printcolumn(name = "Cause", type_ = "string", json_path = ".spec.cause.kind"),
    printcolumn(name = "Answer", type_ = "string", json_path = ".spec.answer"),
    printcolumn(name = "Step", type_ = "string", json_path = ".status.step"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = schema::cel(&[
    ("self.workload == oldSelf.workload && self.seat == oldSelf.seat && self.from == oldSelf.from && self.cause == oldSelf.cause", "workload, seat, from and cause never change"),
    ("self.tenant == oldSelf.tenant && self.epoch == oldSelf.epoch && self.compulsory == oldSelf.compulsory && (has(self.relocation) ? self.relocation : '') == (has(oldSelf.relocation) ? oldSelf.relocation : '')", "tenant, epoch, compulsory and relocation never change"),
    ("has(self.answer) == has(self.answerFor)", "an answer needs answerFor, the digest of the plan that it answers (spec.digest)"),
    ("self.from != self.to", "from and to must differ"),
])))]
pub struct MigrationSpec {
    /// The workload, in the same namespace.
    pub workload: WorkloadName,
    /// Its tenant.
    pub tenant: TenantName,
    /// Which copy, from 0.
    #[schemars(range(min = 0, max = 31))]
    pub seat: i32,
    /// Where it is.
    pub from: ClusterName,
    /// Where it goes. The operator may choose another place until the move begins.
    pub to: ClusterName,
    /// The epoch that the copy has at its new place: 1 for one that was adopted, else 2 or more.
    #[schemars(range(min = 1))]
    pub epoch: i64,
    /// The workload's generation that is moved.
    #[schemars(range(min = 0))]
    pub generation: i64,
    /// Why.
    pub cause: Cause,
    /// The campaign that this move belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relocation: Option<RelocationName>,
    /// It must move whatever mode and windows say.
    #[serde(default)]
    pub compulsory: bool,
    /// Digest of what is planned (from, to, cause), to be repeated in `answerFor`.
    #[schemars(length(max = 16), regex(pattern = schema::DIGEST))]
    pub digest: String,
    /// The tenant's answer where its policy asks for one: `Approved` or `Denied`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Answer")]
    pub answer: Option<Answer>,
    /// The plan that was answered. A changed plan asks again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16), regex(pattern = schema::DIGEST))]
    pub answer_for: Option<String>,
    /// Gives the move up and goes back, as long as the source still serves. A compulsory move begins again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub abort: bool,
}

/// Why something moves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// What happened: `ApprovalRevoked`, `ApprovalExpired`, `SiteClosing`, `Draining`, `ResidencyChanged` or `PreferredPlace`.
    pub kind: CauseKind,
    /// To whom, as kind/name, for example `HostingProvider/example`.
    #[schemars(length(min = 1, max = 192))]
    pub subject: String,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, subject } = self;
        match kind {
            CauseKind::ApprovalRevoked => write!(f, "{subject} was revoked"),
            CauseKind::ApprovalExpired => write!(f, "the approval of {subject} has expired"),
            CauseKind::SiteClosing => write!(f, "{subject} is closing"),
            CauseKind::Draining => write!(f, "{subject} is being drained"),
            CauseKind::ResidencyChanged => write!(f, "the country of {subject} isn't allowed"),
            CauseKind::PreferredPlace => write!(f, "{subject} is preferred and available"),
        }
    }
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum CauseKind {
    /// An approval was revoked.
    ApprovalRevoked,
    /// An approval ended by its date, and the tenant's policy is to leave then.
    ApprovalExpired,
    /// The site is closing.
    SiteClosing,
    /// The member is being drained.
    Draining,
    /// The country isn't allowed, or not any more.
    ResidencyChanged,
    /// A place that is preferred has come online.
    PreferredPlace,
}

/// A tenant's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Answer {
    /// It may begin.
    Approved,
    /// It may not.
    Denied,
}

/// How far a move is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MigrationStatus {
    /// The generation of the object that this status speaks of; -1 until the operator has looked at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The step that it is at. Written when it ends, when it waits for somebody, and when it takes longer than half a minute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "MigrationStep")]
    pub step: Option<MigrationStep>,
    /// In one sentence, what it waits for or how it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 300))]
    pub message: Option<String>,
    /// When the target first got something, if the operator that says so has begun it: not of a move that was found under way after a
    /// restart, unless this was written before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// `Ready` is true when the move is completed. `Stalled`: a person must act.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 16),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
}

/// Steps of a move without data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum MigrationStep {
    /// It waits: for an answer, a window, a free place in the budget, or the end of a pause.
    Waiting,
    /// The target is being brought up.
    Starting,
    /// The target is Ready and serves; the source drains.
    Switched,
    /// The source is being removed.
    Removing,
    /// The source is gone. Final.
    Completed,
    /// It was given up before the switch; the source serves. Final.
    RolledBack,
    /// The target didn't become ready in time; the source serves. Other targets are tried first from then on. Final.
    Failed,
}

impl MigrationStep {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::RolledBack | Self::Failed)
    }
}
