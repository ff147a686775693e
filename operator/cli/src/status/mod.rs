//! `kubectl domicile status`: the fleet and the tenants at a glance.
//!
//! [`report()`] is pure: objects in, a [`Report`] out. Only [`run`] asks the hub.

mod left;
mod look;
mod report;
mod silence;
mod stuck;
mod text;

use std::collections::BTreeSet;

use domicile_crds::{
    Decision, Installation, MemberCluster, NamespaceName, Problem, Site, SubjectKind, Tenant, TenantWorkload,
    condition_of, keys::condition,
};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{Resource, ResourceExt};
pub use left::{Left, Record};
pub use look::lease;
pub use report::{ClusterLine, Counts, Operator, Report, Seen, TenantLine, alive, report};
pub use silence::warn;
pub use stuck::Stuck;
pub use text::{stuck_text, text};

use crate::args::{HubArgs, StatusArgs};
use crate::cluster::{Cluster, ClusterError};
use crate::output::{self, Paint, render};
use crate::sight::{Eyes, Sight, SightError};
use crate::{Outcome, STUCK};

/// The operator's lease.
pub const LEASE: &str = "domicile-operator";

/// The status can't be shown.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// What is needed may not be seen.
    #[error(transparent)]
    Sight(#[from] SightError),
    /// The report can't be written.
    #[error("the report can't be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// What is looked at.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The namespace, if it is only one.
    pub namespace: Option<String>,
    /// The operator's lease.
    pub lease: Sight<Option<Lease>>,
    /// This hub.
    pub installation: Sight<Option<Installation>>,
    /// All members.
    pub clusters: Sight<Vec<MemberCluster>>,
    /// All sites.
    pub sites: Vec<Site>,
    /// All tenants.
    pub tenants: Sight<Vec<Tenant>>,
    /// Workloads: all, or those of a namespace.
    pub workloads: Vec<Workload>,
    /// Workloads that are there and can't be read, by namespace and name.
    pub unreadable: BTreeSet<(String, String)>,
    /// Where their copies are. Seen before the workloads: what one is about was there.
    pub records: Sight<Vec<Record>>,
    /// Everything else that has conditions.
    pub others: Vec<Observed>,
    /// Kinds that may not be seen.
    pub hidden: Vec<String>,
}

impl World {
    /// Whether all moves are paused, if that may be seen.
    fn is_paused(&self) -> Option<bool> {
        self.installation.seen().map(|found| found.as_ref().is_some_and(|found| found.spec.paused))
    }

    fn is_empty(&self) -> bool {
        self.workloads.is_empty()
            && self.unreadable.is_empty()
            && self.records.seen().is_none_or(Vec::is_empty)
    }
}

/// An object as far as conditions go.
#[derive(Clone, Debug)]
pub struct Observed {
    /// Its kind.
    pub kind: String,
    /// Its namespace, if it has one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created: Option<Timestamp>,
    /// Its generation now.
    pub generation: Option<i64>,
    /// What was observed of it.
    pub conditions: Vec<Condition>,
}

/// A workload without its manifests.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name and conditions.
    pub observed: Observed,
    /// What tells it from another of that name.
    pub uid: Option<String>,
    /// What is wrong on members.
    pub problems: Vec<Problem>,
    /// Until when it stays compliant by itself.
    pub compliant_until: Option<Timestamp>,
}

impl Observed {
    /// Of any kind.
    pub fn of<K: Resource<DynamicType = ()>>(object: &K, conditions: Option<Vec<Condition>>) -> Self {
        Self {
            kind: K::kind(&()).into_owned(),
            namespace: object.namespace(),
            name: object.name_any(),
            created: object.creation_timestamp().map(|created| created.0),
            generation: object.meta().generation,
            conditions: conditions.unwrap_or_default(),
        }
    }
}

impl Observed {
    /// A decision, unless nobody has anything left to do about it: it is over, or the workload that it is about is gone. Of a
    /// decision about another kind, the subject may be misspelt and must be looked at.
    #[must_use]
    pub fn of_decision(decision: &Decision) -> Option<Self> {
        let conditions = decision.status.as_ref().map(|status| status.conditions.clone());
        let says = |kind, reasons: &[&str]| {
            let found = condition_of(conditions.as_deref().unwrap_or_default(), kind);
            found.is_some_and(|it| it.status == "False" && reasons.contains(&it.reason.as_str()))
        };
        let is_over = says(condition::IN_FORCE, &["Superseded", "Expired"]);
        let is_outlived = decision.spec.subject.kind == SubjectKind::TenantWorkload
            && says(condition::READY, &["SubjectMissing"]);
        (!is_over && !is_outlived).then(|| Self::of(decision, conditions))
    }

    /// A condition, if it speaks of the object as it is now.
    #[must_use]
    pub fn current(&self, kind: &str) -> Option<&Condition> {
        let condition = condition_of(&self.conditions, kind)?;
        let old = condition.observed_generation.zip(self.generation).is_some_and(|(seen, now)| seen < now);
        (!old).then_some(condition)
    }

    /// Whether a Decision has scaled it to zero, or is about to.
    #[must_use]
    pub fn is_suspended(&self) -> bool {
        let says = |kind, reasons: &[&str]| {
            let found = self.current(kind).filter(|condition| condition.status == "False");
            found.is_some_and(|condition| reasons.contains(&condition.reason.as_str()))
        };
        says(condition::READY, &["Suspended", "Suspending"])
            || says(condition::COMPLIANT, &["ApprovalSuspended"])
    }

    fn shown(&self) -> String {
        match &self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }
}

impl From<TenantWorkload> for Workload {
    fn from(workload: TenantWorkload) -> Self {
        let status = workload.status.clone().unwrap_or_default();
        Self {
            observed: Observed::of(&workload, Some(status.conditions)),
            uid: workload.uid(),
            problems: status.problems,
            compliant_until: status.compliant_until.map(|until| until.0),
        }
    }
}

/// Runs the command.
///
/// # Errors
///
/// If the hub doesn't show what is needed.
pub async fn run(args: &StatusArgs, options: &HubArgs) -> Result<Outcome, StatusError> {
    let hub = Cluster::hub(&options.target()).await?;
    let eyes = Eyes { hub: &hub, namespace: args.namespace.as_ref() };
    let world = look::look(eyes, options).await?;
    if let Some(namespace) = args.namespace.as_ref().filter(|_| world.is_empty()) {
        note_nothing_there(&hub, namespace).await;
    }
    let report = report(&world, options.operator_namespace.as_str(), hub.now().await?);
    let paint = Paint::for_stdout();
    if !report.hidden.is_empty() && !matches!(args.output, output::Format::Text | output::Format::Wide) {
        output::note(format!("note: you may not see {}", report.hidden.join(", ")));
    }
    let text = if args.stuck {
        render(args.output, &report.stuck, |_| stuck_text(&report, paint))?
    } else {
        render(args.output, &report, |wide| text::text(&report, wide, paint))?
    };
    Ok(Outcome { text, code: if args.stuck && !report.stuck.is_empty() { STUCK } else { 0 } })
}

/// Says that what was asked about isn't there, as far as that is known.
async fn note_nothing_there(hub: &Cluster, namespace: &NamespaceName) {
    match hub.find::<Namespace>(namespace.as_str()).await {
        Ok(None) => output::note(format!("note: there is no namespace {namespace} on the hub")),
        // Tenants may seldom look at namespaces.
        Ok(Some(_)) | Err(_) => {
            output::note(format!("note: there is no TenantWorkload in namespace {namespace}"));
        }
    }
}

#[cfg(test)]
mod tests;
