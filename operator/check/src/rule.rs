//! Names of rules and of objects, and which rule a forbidden fact is about.

use std::fmt;

use domicile_crds::SubjectKind;
use serde::Serialize;

use crate::violation::Forbidden;

/// The rules of `docs/rules.md`, in the order in which they are reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub enum Rule {
    /// The tenant or the workload denies the country.
    CountryDenied,
    /// The tenant or the workload doesn't allow the country.
    CountryNotAllowed,
    /// The provider isn't independent of whom the tenant excludes.
    ProviderNotIndependent,
    /// The provider is foreign, or those who are have control or too much of it.
    ForeignControl,
    /// Too much of who owns and controls the provider isn't known.
    OwnershipUnknown,
    /// A law that the tenant excludes binds the provider or whoever controls it.
    CompelledDisclosure,
    /// The provider lacks a certificate.
    CertificationMissing,
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
    /// What the member says of itself contradicts where it was recorded to be.
    LocationContradicted,
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

impl Rule {
    /// Whether everything stays as it is where it fails.
    pub(crate) fn freezes(self) -> bool {
        matches!(
            self,
            Self::ApprovalFrozen
                | Self::ProviderNotIndependent
                | Self::ForeignControl
                | Self::OwnershipUnknown
                | Self::CompelledDisclosure
                | Self::CertificationMissing
                | Self::LocationContradicted
        )
    }
}

impl Forbidden {
    /// Whether everything stays as it is where this is so: nothing in, out or deleted.
    pub(crate) fn freezes(&self) -> bool {
        !matches!(self, Self::Unknown { .. }) && self.rule().is_some_and(Rule::freezes)
    }

    /// The rule of `docs/rules.md` that fails or can't be answered; `None` for what isn't a rule of its own.
    #[must_use]
    pub fn rule(&self) -> Option<Rule> {
        Some(match self {
            Self::CountryDenied { .. } => Rule::CountryDenied,
            Self::CountryNotAllowed { .. } => Rule::CountryNotAllowed,
            Self::ProviderNotIndependent { .. } => Rule::ProviderNotIndependent,
            Self::ForeignControl { .. } => Rule::ForeignControl,
            Self::OwnershipUnknown { .. } => Rule::OwnershipUnknown,
            Self::CompelledDisclosure { .. } => Rule::CompelledDisclosure,
            Self::CertificationMissing { .. } => Rule::CertificationMissing,
            Self::NotApproved { .. } => Rule::NotApproved,
            Self::ApprovalOutOfScope { .. } => Rule::ApprovalOutOfScope,
            Self::ApprovalRevoked { .. } => Rule::ApprovalRevoked,
            Self::ApprovalSuspended { .. } => Rule::ApprovalSuspended,
            Self::ApprovalFrozen { .. } => Rule::ApprovalFrozen,
            Self::ApprovalExpired { .. } => Rule::ApprovalExpired,
            Self::LocationContradicted { .. } => Rule::LocationContradicted,
            Self::SiteNotOnline { .. } => Rule::SiteNotOnline,
            Self::TenantNotAdmitted { .. } => Rule::TenantNotAdmitted,
            Self::NamespaceTaken { .. } => Rule::NamespaceTaken,
            Self::KindNotServed { .. } => Rule::KindNotServed,
            Self::ClassNotServed { .. } => Rule::ClassNotServed,
            Self::Cordoned { .. } => Rule::Cordoned,
            Self::CapacityExceeded { .. } => Rule::CapacityExceeded,
            Self::ClusterNotReady { .. } => Rule::ClusterNotReady,
            Self::ObservationStale { .. } => Rule::ObservationStale,
            Self::Unknown { rule, .. } => *rule,
            _ => return None,
        })
    }
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
