//! What can be ordered, and why.

use domicile_crds::{AssignmentSpec, ClusterName, CompletedJob, InventoryItem, MigrationSpec, MigrationStep};

use super::Publish;
use crate::{manifests::ObjectRef, render::Mode};

/// Something to do. Each is safe to carry out twice.
#[derive(Clone, Debug, PartialEq)]
pub enum Order {
    /// Record where a workload goes, before anything goes there.
    CreateAssignment(Box<AssignmentSpec>),
    /// Record a change.
    UpdateAssignment(Box<AssignmentSpec>),
    /// Nothing is left on members: let the Assignment go.
    ReleaseAssignment,
    /// Record a move, before it begins.
    CreateMigration(String, Box<MigrationSpec>),
    /// Record another target of a move that hasn't begun.
    RetargetMigration(String, ClusterName, String),
    /// Record the end of a move.
    FinishMigration {
        /// The Migration's name.
        name: String,
        /// Whether it was completed or rolled back.
        step: MigrationStep,
        /// How it ended.
        message: String,
        /// It was tried in vain: it isn't tried again at once.
        given_up: bool,
    },
    /// Let a Migration go that somebody has deleted: nothing follows from it any more.
    ReleaseMigration(String),
    /// List what is in the workload's namespace on a member.
    Verify(ClusterName),
    /// Apply objects on a member, as the tenant.
    Apply(Apply),
    /// Remove objects from a member, as the tenant.
    Remove(Remove),
    /// Scale to zero or suspend what is there.
    Halt(Halt),
    /// Have clients follow, on the hub.
    Publish(Box<Publish>),
    /// Have StatefulSets keep their claims, before they are scaled down or removed.
    KeepClaims(KeepClaims),
}

/// StatefulSets that must not take their volumes along.
#[derive(Clone, Debug, PartialEq)]
pub struct KeepClaims {
    /// On which member.
    pub cluster: ClusterName,
    /// Of which copy.
    pub ordinal: i32,
    /// Which StatefulSets.
    pub sets: Vec<ObjectRef>,
    /// What waits for it.
    pub before: Box<Order>,
}

/// Objects to be applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Apply {
    /// On which member.
    pub cluster: ClusterName,
    /// Which copy.
    pub ordinal: i32,
    /// Its epoch.
    pub epoch: i64,
    /// How much of it runs.
    pub mode: Mode,
    /// Which objects, in the order of applying; the others are as they should be.
    pub objects: Vec<ObjectRef>,
    /// Jobs that aren't run again.
    pub completed_jobs: Vec<CompletedJob>,
    /// Why.
    pub because: Because,
}

/// Why objects are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The workload is placed there, or was updated, or has drifted.
    Placed,
    /// It is on its way there.
    Moving,
}

/// Objects that are there and must stop: only how much of them runs is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Halt {
    /// On which member.
    pub cluster: ClusterName,
    /// Of which copy.
    pub ordinal: i32,
    /// What was seen there and hasn't been told to stop.
    pub objects: Vec<ObjectRef>,
    /// Why.
    pub because: HaltCause,
}

/// Why something must stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HaltCause {
    /// A decision suspends it.
    Suspended,
    /// It must never run twice, and is about to start elsewhere.
    Moving {
        /// Where.
        to: ClusterName,
    },
}

/// Objects to be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remove {
    /// From which member.
    pub cluster: ClusterName,
    /// Which copy.
    pub ordinal: i32,
    /// Which objects.
    pub objects: Vec<InventoryItem>,
    /// Claims are kept and labelled. Else those go, too, that the templates of StatefulSets have made.
    pub retain_claims: bool,
    /// Why.
    pub because: Removal,
}

/// Why objects are removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Removal {
    /// The copy has moved, and its replacement was seen ready at another member.
    Moved {
        /// Where it is now.
        to: ClusterName,
    },
    /// No record explains it, and the copy was seen ready where it belongs.
    Strayed {
        /// Where that is.
        to: ClusterName,
    },
    /// The move there was given up.
    RolledBack,
    /// The workload was deleted.
    WorkloadDeleted,
    /// The workload asks for fewer copies.
    SeatDropped,
    /// The new manifests don't have them.
    Pruned,
}
