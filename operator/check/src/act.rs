//! What the operator is about to do.

use domicile_crds::{
    Assignment, ClusterName, InventoryItem, MigrationSpec, TenantName, TenantWorkload, WorkloadKey,
};
use jiff::Timestamp;
use serde_json::Value;

/// One thing that the operator is about to do with one workload on one cluster.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    /// For which tenant.
    pub tenant: &'a TenantName,
    /// The workload.
    pub key: &'a WorkloadKey,
    /// The workload's uid: one that was deleted and made anew is another.
    pub uid: &'a str,
    /// The workload as last observed; `None` if it doesn't exist, or not any more.
    pub workload: Option<&'a TenantWorkload>,
    /// Its Assignment as last observed or written; `None` if there is none.
    pub assignment: Option<&'a Assignment>,
    /// The cluster that is written to, or for which something is recorded.
    pub cluster: &'a ClusterName,
    /// What of the workload was last seen on that cluster.
    pub seen: &'a [Seen],
    /// What.
    pub what: What<'a>,
}

/// An object as it was last seen on a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Which object.
    pub item: InventoryItem,
    /// It is a StatefulSet whose `persistentVolumeClaimRetentionPolicy` says `Delete`.
    pub deletes_claims: bool,
}

/// What the operator is about to do.
#[derive(Clone, Copy, Debug)]
pub enum What<'a> {
    /// Record a new seat: an Assignment that names the cluster is about to be written.
    Place,
    /// Record a first copy that runs on the cluster already, wherever that is: nothing is written there.
    Adopt,
    /// Create a Migration to the cluster. It may have to wait before it begins.
    PlanMove {
        /// What is about to be written.
        migration: &'a MigrationSpec,
    },
    /// Begin a planned move: nothing has been written to the cluster yet.
    BeginMove {
        /// As last observed.
        migration: &'a MigrationSpec,
    },
    /// Write the tenant's objects: the first time, an update, a repair, scaling up again.
    Apply {
        /// What is to be written, as it will be sent or as it stands in `spec.manifests`. Empty for the
        /// namespace and what guards it.
        objects: &'a [Value],
        /// While a move hasn't switched: where it comes from.
        from: Option<&'a ClusterName>,
    },
    /// Copy a Secret from the hub.
    CopySecret {
        /// Its name.
        name: &'a str,
    },
    /// Send clients to the cluster: an EndpointSlice on the hub is about to lead there.
    Publish {
        /// Which copy is said to be there.
        ordinal: i32,
    },
    /// Scale to zero, suspend Jobs and CronJobs; removing autoscalers before is part of it.
    ScaleToZero {
        /// What is to be scaled to zero or suspended.
        objects: &'a [InventoryItem],
        /// Why.
        because: Halt<'a>,
    },
    /// Remove objects; labelling the claims that are kept is part of it, and so is having StatefulSets keep theirs before.
    Remove {
        /// What is to be removed.
        objects: &'a [InventoryItem],
        /// The claims stay that templates of StatefulSets among these have made.
        keeps_claims: bool,
        /// Why.
        because: Removal<'a>,
    },
}

/// Why something is scaled to zero.
#[derive(Clone, Copy, Debug)]
pub enum Halt<'a> {
    /// A decision suspends it.
    Suspended,
    /// It is the source of a move in which copies may not overlap.
    Moving {
        /// Where it moves to.
        to: &'a ClusterName,
    },
}

/// Why something is removed.
#[derive(Clone, Copy, Debug)]
pub enum Removal<'a> {
    /// It is the source of a move, and the replacement serves.
    Moved(Replacement<'a>),
    /// It is the target of a move that was given up.
    RolledBack {
        /// Where the copy stays.
        source: &'a ClusterName,
    },
    /// The workload was deleted; the Assignment, which it owns, is being deleted.
    WorkloadDeleted,
    /// The workload no longer has it.
    Pruned {
        /// The generation of the workload that was seen ready on the cluster.
        ready_generation: i64,
    },
    /// The workload wants fewer copies.
    SeatDropped,
}

/// The evidence that a copy was replaced.
#[derive(Clone, Copy, Debug)]
pub struct Replacement<'a> {
    /// Where the replacement is.
    pub cluster: &'a ClusterName,
    /// The workload's generation that it was made from.
    pub generation: i64,
    /// What was seen ready there.
    pub ready: &'a [InventoryItem],
    /// When it was seen.
    pub verified_at: Timestamp,
}
