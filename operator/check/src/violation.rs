//! What must not be, by name, and the one place where it is put into words.

use domicile_crds::{ClusterName, CountryCode, MigrationMode, WorkloadKey};
use jiff::SignedDuration;
use serde::Serialize;

use crate::rule::{Object, Rule};

/// A forbidden fact: of which workload, on which cluster, and what.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{workload} on {cluster}: {fact}")]
pub struct Violation {
    /// The workload.
    pub workload: WorkloadKey,
    /// The cluster that is, or would be, written to.
    pub cluster: ClusterName,
    /// What is forbidden about it.
    pub fact: Forbidden,
}

impl Violation {
    /// The name of the forbidden fact, for metrics and reasons of conditions.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.fact.name()
    }

    /// The object to look at.
    #[must_use]
    pub fn object(&self) -> &Object {
        self.fact.object()
    }
}

/// Gives every variant the object to look at, and `name` and `object` to read them by.
///
/// `$object` comes from the caller so that the messages can name the field.
macro_rules! forbidden {
    ($object:ident; $($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $field:ident: $type:ty,)* })*) => {
        /// What is forbidden. Each message says what was wanted, what was found and what to change.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
        #[serde(rename_all_fields = "camelCase")]
        pub enum Forbidden {
            $(
                $(#[$meta])*
                $name {
                    /// The object to look at.
                    $object: Object,
                    $($(#[$doc])* $field: $type,)*
                },
            )*
        }

        impl Forbidden {
            /// The variant's name, for metrics and reasons of conditions.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => stringify!($name),)*
                }
            }

            /// The object to look at.
            #[must_use]
            pub fn object(&self) -> &Object {
                match self {
                    $(Self::$name { $object, .. } => $object,)*
                }
            }
        }
    };
}

forbidden! { object;
    /// The tenant or the workload denies the country.
    #[error("wanted a country that is not denied, found {country}, which {object} denies: choose another cluster or change its residency")]
    CountryDenied {
        /// The site's country.
        country: CountryCode,
    }

    /// The tenant or the workload doesn't allow the country.
    #[error("wanted a country that is allowed, found {country}, which {object} does not allow: choose another cluster or change its residency")]
    CountryNotAllowed {
        /// The site's country.
        country: CountryCode,
    }

    /// The provider isn't independent of whom the tenant excludes.
    #[error("wanted a provider independent of {of}, found that one has a say in the other, or somebody controls both, see {object}: choose another cluster")]
    ProviderNotIndependent {
        /// Whom, as the tenant names it.
        of: String,
    }

    /// The provider is foreign, or those who are have control or too much of it.
    #[error("wanted a provider that belongs to CountrySet/{set}, found {object} abroad, or too much of it held or controlled from there: choose another cluster")]
    ForeignControl {
        /// The tenant's home.
        set: String,
    }

    /// Too much of who owns and controls the provider isn't known.
    #[error("wanted to know {missing}, found that nothing says so of {object}: complete its record, or choose another cluster")]
    OwnershipUnknown {
        /// What isn't known.
        missing: &'static str,
    }

    /// A law that the tenant excludes binds the provider or whoever controls it.
    #[error("wanted a provider that cannot be compelled by {law}, found that it binds {object} or who controls it: choose another cluster")]
    CompelledDisclosure {
        /// The law.
        law: String,
    }

    /// The provider lacks a certificate.
    #[error("wanted a provider with the certificate {certificate}, found none in force of {object}: record it, or choose another cluster")]
    CertificationMissing {
        /// The scheme, and the level if one is asked for.
        certificate: String,
    }

    /// The provider has no approval.
    #[error("wanted a provider with an approval in force, found none for {object}: make a Decision that approves it")]
    NotApproved {}

    /// The provider has an approval, but not for this place and tenant.
    #[error("wanted a provider approved for this place and tenant, found Decision/{decision} about {object}, whose scope leaves them out: make one whose scope names them")]
    ApprovalOutOfScope {
        /// The approval.
        decision: String,
    }

    /// A decision revokes.
    #[error("wanted nothing revoked, found Decision/{decision} that revokes {object}: choose another cluster or supersede the decision")]
    ApprovalRevoked {
        /// The revocation.
        decision: String,
    }

    /// A decision suspends: nothing but scaling to zero is lawful.
    #[error("wanted nothing suspended, found Decision/{decision} that suspends {object}: scale to zero and leave the rest until the decision is superseded")]
    ApprovalSuspended {
        /// The suspension.
        decision: String,
    }

    /// A decision freezes: nothing in, out or deleted.
    #[error("wanted nothing frozen, found Decision/{decision} that freezes {object}: leave everything as it is until the decision is superseded")]
    ApprovalFrozen {
        /// The freeze.
        decision: String,
    }

    /// The provider's approval has ended.
    #[error("wanted a provider with an approval in force, found that Decision/{decision} about {object} has ended: approve it anew")]
    ApprovalExpired {
        /// The approval that ended.
        decision: String,
    }

    /// What the member says of itself contradicts where it was recorded to be.
    #[error("wanted nodes that are where {site} is, found that {object} says otherwise: see its status.contradictions, and find out which is true")]
    LocationContradicted {
        /// Where it was recorded to be.
        site: Object,
    }

    /// The site isn't online.
    #[error("wanted a site that is online, found that {object} is not: choose another cluster, or set its state and onlineFrom")]
    SiteNotOnline {}

    /// The member's owner hasn't admitted the tenant.
    #[error("wanted a cluster whose owner admits Tenant/{tenant}, found that {object} does not list it: have its owner admit the tenant")]
    TenantNotAdmitted {
        /// The tenant.
        tenant: String,
    }

    /// The namespace isn't the tenant's, or is somebody else's too.
    #[error("wanted a namespace of Tenant/{tenant} alone, found that {namespace} is not, see {object}: use another namespace or correct its owner")]
    NamespaceTaken {
        /// The tenant.
        tenant: String,
        /// The workload's namespace.
        namespace: String,
    }

    /// The member doesn't serve a kind.
    #[error("wanted a cluster that serves {kind}, found that {object} does not: choose another cluster or change the manifests")]
    KindNotServed {
        /// The kind in the manifests.
        kind: String,
    }

    /// The member has no class of that name.
    #[error("wanted a cluster with the class {class}, found none in {object}: add it to spec.classes or change the manifests")]
    ClassNotServed {
        /// The StorageClass or IngressClass in the manifests.
        class: String,
    }

    /// The member takes nothing new.
    #[error("wanted a cluster that takes new workloads, found that {object} does not: choose another, or set its scheduling to Open")]
    Cordoned {}

    /// The workload alone asks for more than the member has.
    #[error("wanted a cluster that is large enough, found that {object} has less {amount} than the workload alone asks for: choose another cluster")]
    CapacityExceeded {
        /// What there is too little of: cpu, memory or pods.
        amount: &'static str,
    }

    /// The member isn't Ready.
    #[error("wanted a cluster that is Ready, found that {object} is not: see its condition Ready")]
    ClusterNotReady {}

    /// What is known is too old to act on.
    #[error("wanted a state of at most 10 minutes, found that {object} was last seen {} s ago: wait until it is seen again", age.as_secs())]
    ObservationStale {
        /// How long ago it was last seen.
        age: SignedDuration,
    }

    /// A rule can't be answered, which bars as a failure does.
    #[error("wanted an answer to {rule}, found that {object} is missing or says nothing about it: create or complete it")]
    Unknown {
        /// The rule.
        rule: Rule,
    }

    /// The Installation asks for two persons, and only one has decided.
    #[error("wanted a second user's decision (twoPersonRule), found {object} by one user alone: have another user decide the same")]
    SecondPersonMissing {}

    /// The hub, or a backup of it, is where the tenant's data may not be.
    #[error("wanted a hub where the tenant's Secrets may be, found {object}, which its residency excludes or whose country is unknown: keep the Secret on the member (from: Member) or state the hub's site")]
    HubNotAllowed {}

    /// The object at hand isn't the workload that the act names.
    #[error("wanted {object} with the uid, namespace and name of the act, found another, none or one that is being deleted: read it anew")]
    WorkloadMismatch {}

    /// The Assignment or Migration at hand isn't about this workload, tenant and cluster.
    #[error("wanted a record of this workload, tenant and cluster, found {object} about others: read it anew")]
    RecordMismatch {}

    /// The act hasn't been recorded in the Assignment.
    #[error("wanted {expected} in {object}, found it otherwise: record before acting")]
    NotRecorded {
        /// What should have been recorded.
        expected: &'static str,
    }

    /// What is to be adopted isn't there, or not to be adopted.
    #[error("wanted all of {object} seen on the cluster that its spec.adopt names, and no record of it, found {missing}: hand it over with `kubectl domicile adopt`")]
    NotHandedOver {
        /// What was found instead.
        missing: String,
    }

    /// The cluster has a seat of the same workload.
    #[error("wanted a cluster without a copy of this workload, found one in {object}: choose another cluster")]
    SeatTaken {}

    /// The workload has its seats already.
    #[error("wanted at most {count} copies, found that {object} has them already: place no more")]
    TooManySeats {
        /// `spec.clusters.count`.
        count: i32,
    }

    /// The epoch doesn't grow.
    #[error("wanted an epoch above {epoch}, found the same or a lower one in {object}: never go back")]
    EpochNotGrown {
        /// The seat's present epoch.
        epoch: i64,
    }

    /// An object is of a kind, in a namespace or with a field that tenants may not use.
    #[error("wanted objects that tenants may use, found {field} of {manifest} in {object}: take it out")]
    ManifestNotAllowed {
        /// The manifest, as kind/name.
        manifest: String,
        /// The field.
        field: &'static str,
    }

    /// A workload with volumes doesn't move.
    #[error("wanted a workload without volumes, found {volume} in {object}: it cannot be moved, leave it where it is")]
    VolumesNotMovable {
        /// The claim or what makes claims, as kind/name.
        volume: String,
    }

    /// A claim would be deleted that nobody asked to delete.
    #[error("wanted claims to be kept, found {volume} among what is to be removed from {object}: only onDelete Remove deletes claims")]
    VolumeRemoved {
        /// The claim, as kind/name.
        volume: String,
    }

    /// Something would be scaled to zero that wasn't seen there.
    #[error("wanted only what runs to be scaled to zero, found {wanted}, which was not seen on {object}: leave it out")]
    NotSeen {
        /// What wasn't seen, as kind/name.
        wanted: String,
    }

    /// An object would be pruned that is still wanted.
    #[error("wanted only what {object} no longer has to be removed, found {wanted}, which it has: keep it")]
    StillWanted {
        /// What is still wanted, as kind/name.
        wanted: String,
    }

    /// A seat would be dropped that is still wanted.
    #[error("wanted {count} copies to remain, found fewer in {object}: keep this one")]
    SeatStillWanted {
        /// `spec.clusters.count`.
        count: i32,
    }

    /// The replacement is at the same place as the source.
    #[error("wanted a replacement on another cluster, found {object} on both sides: remove nothing")]
    ReplacementNotElsewhere {}

    /// The replacement wasn't seen ready, wholly and lately.
    #[error("wanted {missing} to be seen ready on {object} in the last 10 minutes, found it otherwise: verify before removing")]
    ReplacementNotReady {
        /// What wasn't seen ready.
        missing: String,
    }

    /// The workload is still there.
    #[error("wanted a workload that was deleted, found that {object} was not: remove nothing")]
    WorkloadNotDeleted {}

    /// Nothing is suspended.
    #[error("wanted a decision in force that suspends, found none about {object} or its place: leave it running")]
    NotSuspended {}

    /// Nothing compels or calls for the move.
    #[error("wanted a reason to move, found none for {object} to leave its place: leave it where it is")]
    MoveNotCalledFor {}

    /// Moves are paused.
    #[error("wanted moves to be allowed, found {object} paused: wait, or set paused to false")]
    MovesPaused {}

    /// The tenant hasn't agreed to the move.
    #[error("wanted the consent of {object} to a move, found none under mode {mode:?}: wait for its answer")]
    MoveNotAgreed {
        /// The tenant's migration mode.
        mode: MigrationMode,
    }

    /// No window is open.
    #[error("wanted an open migration window, found none in {object}: wait for the next")]
    WindowClosed {}

    /// The target became Ready too recently to attract anybody.
    #[error("wanted a target that has been Ready for a minute, found that {object} has not: wait")]
    TargetNotSettled {}

    /// The workload doesn't name this Secret as one to be copied.
    #[error("wanted a Secret that {object} names with from: Hub, found {secret}: copy only what is named")]
    SecretNotNamed {
        /// The Secret's name.
        secret: String,
    }

    /// Two copies of one seat, and no move that explains them.
    #[error("wanted one copy of {object}, found another on MemberCluster/{other} that no move explains: find out which one is recorded")]
    TwoCopies {
        /// The other cluster.
        other: String,
    }

    /// Objects are at a place that they must leave, and nothing says that they are leaving or held.
    #[error("wanted what breaks {rule} to be leaving or held, found neither, see {object}: find out how it got there")]
    Unaccounted {
        /// The rule that fails.
        rule: Rule,
    }
}
