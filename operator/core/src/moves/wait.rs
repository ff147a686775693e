//! What a move waits for, in the words that a status has for it.

use domicile_crds::{ClusterName, INVENTORY_MAX};
use jiff::Timestamp;

/// How a wait ends that only a person ends.
const PAUSED: &str = " is paused";

/// What must have happened if a member has something newer than the record.
const HUB_RESTORED: &str = "the hub was restored from a backup, or that member isn't what it says";

/// Why a move waits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wait {
    /// The tenant must answer.
    #[error("waits for the tenant's answer")]
    Answer,
    /// The tenant has answered, and the plan has changed since, or another was meant.
    #[error("the tenant's answer is for another plan")]
    OtherPlan,
    /// The tenant has said no.
    #[error("the tenant has denied it")]
    Denied,
    /// The tenant has aborted the same move.
    #[error("the tenant has aborted it: see Migration/{0}")]
    Aborted(String),
    /// No window is open.
    #[error("waits for the window that opens at {0}")]
    Window(Timestamp),
    /// The tenant's, the campaign's or the installation's budget is used up.
    #[error("waits its turn: {0}")]
    Budget(&'static str),
    /// Somebody has paused it.
    #[error("{0}{paused}", paused = PAUSED)]
    Paused(String),
    /// A member doesn't answer.
    #[error("MemberCluster/{0} can't be reached")]
    Unreachable(ClusterName),
    /// The target or the source is frozen.
    #[error("MemberCluster/{0} is frozen or suspended for this workload")]
    Frozen(ClusterName),
    /// What is at the source must be left as it is.
    #[error("the copy on MemberCluster/{0} must be left as it is there")]
    Held(ClusterName),
    /// A member has a newer copy than the record knows of.
    #[error("MemberCluster/{0} has this copy in epoch {1}, which is newer than its record: {HUB_RESTORED}")]
    Newer(ClusterName, i64),
    /// Nobody has deleted the record of a workload that doesn't exist.
    #[error("its TenantWorkload doesn't exist, and nobody has deleted this record")]
    Orphaned,
    /// Its record has no room for what an update brings.
    #[error(
        "what the last change brings and what it replaces are more objects together than a record names ({INVENTORY_MAX})"
    )]
    InventoryFull,
    /// The target takes nothing new at present.
    #[error("MemberCluster/{0} takes nothing new at present")]
    Closed(ClusterName),
    /// What somebody has labelled to be adopted is at the target, and isn't on record there.
    #[error("MemberCluster/{0} has objects with its labels that aren't on record")]
    Originals(ClusterName),
    /// It can't be told whether the target or the source is frozen.
    #[error("the Site of MemberCluster/{0} doesn't exist, so that it can't be told whether it is frozen")]
    SiteMissing(ClusterName),
    /// The namespace there isn't the tenant's, so that nothing of it can be looked at or removed.
    #[error(
        "the workload's namespace on MemberCluster/{0} belongs to somebody else, so that what is there can't be removed: give it the label domicile.dev/tenant again"
    )]
    Taken(ClusterName),
    /// The target isn't ready yet.
    #[error("the copy on MemberCluster/{0} isn't ready yet")]
    NotReady(ClusterName),
    /// The source is still stopping.
    #[error("the copy on MemberCluster/{0} hasn't stopped yet")]
    NotIdle(ClusterName),
    /// What it exposes can't be reached at the target yet.
    #[error("MemberCluster/{0} has no address yet for what it exposes")]
    NoAddress(ClusterName),
    /// It is ready and has an address, and the way there may not lead all through yet.
    #[error(
        "the copy on MemberCluster/{0} is ready, and has to stay so for a moment before clients are sent there"
    )]
    Settles(ClusterName),
    /// The hub still sends clients to the source.
    #[error("clients are still sent to the copy on MemberCluster/{0}")]
    Followed(ClusterName),
    /// Clients are being sent over.
    #[error("the copy on MemberCluster/{0} drains")]
    Draining(ClusterName),
    /// The last try failed.
    #[error("the last try failed; the next is at {0}")]
    Retry(Timestamp),
}

impl Wait {
    /// Whether a status' message, which ends with what a move waits for, says that somebody has paused it.
    #[must_use]
    pub fn is_told_paused(message: &str) -> bool {
        message.ends_with(PAUSED)
    }
}
