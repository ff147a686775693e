//! Names of rules and of objects.

use std::fmt;

use domicile_crds::SubjectKind;
use serde::Serialize;

/// The rules of `docs/rules.md` that judge, in the order in which they are reported.
///
/// Those on ownership, disclosure, certificates and contradicted locations are reserved and missing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Rule {
    /// The tenant or the workload denies the country.
    CountryDenied,
    /// The tenant or the workload doesn't allow the country.
    CountryNotAllowed,
    /// The provider has no approval.
    NotApproved,
    /// The provider has an approval, but not for this place and tenant.
    ApprovalOutOfScope,
    /// A decision revokes.
    ApprovalRevoked,
    /// A decision suspends.
    ApprovalSuspended,
    /// A decision freezes.
    ApprovalFrozen,
    /// The provider's approval has ended.
    ApprovalExpired,
    /// The site isn't online.
    SiteNotOnline,
    /// The member's owner hasn't admitted the tenant.
    TenantNotAdmitted,
    /// The namespace isn't the tenant's.
    NamespaceTaken,
    /// The member doesn't serve a kind.
    KindNotServed,
    /// The member has no class of that name.
    ClassNotServed,
    /// The member takes nothing new.
    Cordoned,
    /// The member is too small.
    CapacityExceeded,
    /// The member isn't Ready.
    ClusterNotReady,
    /// What is known is too old.
    ObservationStale,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// An API object by kind and name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Object {
    /// The kind.
    pub kind: &'static str,
    /// The name; with the namespace before it if the kind has one.
    pub name: String,
}

impl Object {
    pub(crate) fn new(kind: &'static str, name: impl Into<String>) -> Self {
        Self { kind, name: name.into() }
    }

    pub(crate) fn subject(kind: SubjectKind, name: &str) -> Self {
        let kind = match kind {
            SubjectKind::HostingProvider => "HostingProvider",
            SubjectKind::Site => "Site",
            SubjectKind::Tenant => "Tenant",
            SubjectKind::TenantWorkload => "TenantWorkload",
        };
        Self::new(kind, name)
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}
