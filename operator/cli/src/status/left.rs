//! What deleted workloads have left on members.

use domicile_crds::{Assignment, keys::ABANDON_ANNOTATION};
use jiff::Timestamp;
use kube::{Resource, ResourceExt};
use serde::Serialize;

use super::World;
use super::report::seconds_since;
use super::stuck::{Stuck, UNKNOWN_SECONDS};

/// An Assignment without its inventory.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its namespace.
    pub namespace: String,
    /// Its name, which is the workload's.
    pub name: String,
    /// The uid of the workload that it is about.
    pub owner: Option<String>,
    /// When somebody deleted it.
    pub deleted: Option<Timestamp>,
    /// The clusters that it lists.
    pub clusters: Vec<String>,
}

impl From<Assignment> for Record {
    fn from(assignment: Assignment) -> Self {
        let mut clusters: Vec<_> =
            assignment.spec.seats.iter().map(|seat| seat.cluster.to_string()).collect();
        clusters.sort();
        clusters.dedup();
        Self {
            namespace: assignment.namespace().unwrap_or_default(),
            name: assignment.name_any(),
            owner: assignment.owner_references().iter().map(|owner| owner.uid.clone()).next(),
            deleted: assignment.meta().deletion_timestamp.as_ref().map(|deleted| deleted.0),
            clusters,
        }
    }
}

/// What a workload that is gone has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Left {
    /// The workload's namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
    /// Where it may still have objects.
    pub clusters: Vec<String>,
    /// Whether they are being removed: not, if only the workload was deleted and the Assignment wasn't.
    pub removing: bool,
    /// Seconds since the Assignment was deleted.
    pub since_seconds: Option<i64>,
}

pub(super) fn left(world: &World, records: &[Record], now: Timestamp) -> Vec<Left> {
    let mut left: Vec<_> = records
        .iter()
        .filter(|record| is_left(world, record))
        .map(|record| Left {
            namespace: record.namespace.clone(),
            name: record.name.clone(),
            clusters: record.clusters.clone(),
            removing: record.deleted.is_some(),
            since_seconds: record.deleted.map(|deleted| seconds_since(deleted, now)),
        })
        .collect();
    left.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    left
}

/// Whether its workload is gone; of one that can't be read, only the name is known.
fn is_left(world: &World, record: &Record) -> bool {
    if world.unreadable.contains(&(record.namespace.clone(), record.name.clone())) {
        return false;
    }
    let same = world.workloads.iter().find(|workload| {
        workload.observed.namespace.as_ref() == Some(&record.namespace)
            && workload.observed.name == record.name
    });
    // A later workload of that name waits until what the earlier has left is removed.
    let later =
        |uid: &Option<String>| record.deleted.is_some() && record.owner.is_some() && *uid != record.owner;
    same.is_none_or(|workload| later(&workload.uid))
}

impl Left {
    /// What a person must do about it, unless it is just being removed.
    pub(super) fn stuck(&self) -> Option<Stuck> {
        let Self { namespace, name, .. } = self;
        let clusters =
            if self.clusters.is_empty() { "no cluster".to_owned() } else { self.clusters.join(", ") };
        let (reason, message) = if self.removing {
            let all = self.clusters.join(",");
            let lost = if self.clusters.len() == 1 { &all } else { "MEMBER" };
            let message = format!(
                "its TenantWorkload is gone, and what it left isn't removed yet; listed: {clusters}. Its events say what keeps it: \
                 reinstate what is frozen or suspended there, bring back what doesn't answer; if a member is gone for good: kubectl -n {namespace} annotate assignments.domicile.dev {name} {ABANDON_ANNOTATION}={lost}"
            );
            ("CleanupWaits", message)
        } else {
            let message = format!(
                "its TenantWorkload is gone and nobody has deleted this record, so what it left stays; listed: {clusters}. To have that removed: \
                 kubectl -n {namespace} delete assignments.domicile.dev {name}"
            );
            ("WorkloadGone", message)
        };
        let lasting = self.since_seconds.is_none_or(|seconds| seconds >= UNKNOWN_SECONDS);
        lasting.then(|| Stuck {
            object: format!("Assignment {namespace}/{name}"),
            reason: reason.to_owned(),
            message,
            remedy: None,
            since_seconds: self.since_seconds,
        })
    }
}
