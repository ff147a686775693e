//! Labels, annotations, names and condition types that are part of the API.

/// API group of every Domicile kind.
pub const GROUP: &str = "domicile.dev";

/// Label: the tenant to whom a namespace or an object belongs.
pub const TENANT_LABEL: &str = "domicile.dev/tenant";
/// Label on member objects and pod templates: the TenantWorkload's name.
pub const WORKLOAD_LABEL: &str = "domicile.dev/workload";
/// Label on member objects and pod templates: the seat's ordinal.
pub const SEAT_LABEL: &str = "domicile.dev/seat";
/// Label on member objects and pod templates: the seat's epoch.
pub const EPOCH_LABEL: &str = "domicile.dev/epoch";
/// Label on PersistentVolumeClaims that were kept when their workload was deleted.
pub const RETAINED_LABEL: &str = "domicile.dev/retained";
/// Label on Migrations: the Relocation that they belong to.
pub const RELOCATION_LABEL: &str = "domicile.dev/relocation";
/// Label on Services and EndpointSlices that are kept on the hub for what a TenantWorkload exposes: its name. It isn't
/// [`WORKLOAD_LABEL`], so that on a hub that is a member, too, they are never taken for a copy's objects.
pub const EXPOSED_LABEL: &str = "domicile.dev/exposed-by";
/// Label on EndpointSlices on the hub: the MemberCluster to which their addresses lead.
pub const CLUSTER_LABEL: &str = "domicile.dev/cluster";
/// Annotation on Services on the hub: the host names under which clients look for them, with commas between.
pub const HOSTNAME_ANNOTATION: &str = "domicile.dev/hostname";
/// Annotation on member objects: digest of what was applied.
pub const APPLIED_ANNOTATION: &str = "domicile.dev/applied";
/// Annotation by which a person lets go of objects on a member that is gone for good: its value is the member's name.
pub const ABANDON_ANNOTATION: &str = "domicile.dev/abandon";

/// Annotation on member objects that were scaled to zero or suspended by the operator: digest of what was applied before.
pub const HALTED_ANNOTATION: &str = "domicile.dev/halted";

/// Field manager of everything that the operator applies.
pub const FIELD_MANAGER: &str = "domicile";
/// Field manager of what the hub itself writes on a member: a tenant's namespace, and what guards it.
pub const HUB_MANAGER: &str = "domicile-hub";
/// Field manager of what the operator writes to stop something, and of nothing else.
pub const HALT_MANAGER: &str = "domicile-halt";

/// The user as whom the operator acts on a member for `tenant`.
#[must_use]
pub fn tenant_user(tenant: &crate::TenantName) -> String {
    format!("domicile:tenant:{tenant}")
}

/// The group of all such users.
pub const TENANTS_GROUP: &str = "domicile:tenants";

/// Condition types.
pub mod condition {
    /// Sums up: the object does what it should.
    pub const READY: &str = "Ready";
    /// Every copy has a cluster.
    pub const PLACED: &str = "Placed";
    /// Every copy is at a lawful place.
    pub const COMPLIANT: &str = "Compliant";
    /// A move is planned or under way.
    pub const MOVE_PENDING: &str = "MovePending";
    /// What is exposed has its addresses on the hub.
    pub const EXPOSED: &str = "Exposed";
    /// A person must act.
    pub const STALLED: &str = "Stalled";
    /// A provider has an approval in force.
    pub const APPROVED: &str = "Approved";
    /// Decisions about a subject differ.
    pub const CONTESTED: &str = "Contested";
    /// A decision is to be looked at again soon, or is overdue.
    pub const REVIEW_DUE: &str = "ReviewDue";
    /// A decision counts at present.
    pub const IN_FORCE: &str = "InForce";
}
