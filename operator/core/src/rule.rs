//! The rules, by name and in the order in which they are reported (docs/rules.md).

use std::fmt;

/// A rule that can bar a workload from a cluster. The most permanent first: the first that fails
/// names what a person must change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Rule {
    /// The tenant or the workload denies the country.
    CountryDenied,
    /// The tenant or the workload doesn't allow the country.
    CountryNotAllowed,
    /// Somebody of whom the tenant wants to be independent has a say in the provider, or it in them.
    ProviderNotIndependent,
    /// Holders from abroad have more of the provider than the tenant allows.
    ForeignControl,
    /// Too much of the provider may be anybody's.
    OwnershipUnknown,
    /// A law that the tenant excludes binds the provider.
    CompelledDisclosure,
    /// The provider lacks a certificate that the tenant asks for.
    CertificationMissing,
    /// No approval of the provider has ever been in force.
    NotApproved,
    /// The provider is approved, but not here or not for this tenant.
    ApprovalOutOfScope,
    /// A decision in force revokes.
    ApprovalRevoked,
    /// A decision in force suspends.
    ApprovalSuspended,
    /// A decision in force freezes.
    ApprovalFrozen,
    /// The provider's approval has ended by its date.
    ApprovalExpired,
    /// What the member says of itself contradicts where it is recorded to be.
    LocationContradicted,
    /// The site isn't online.
    SiteNotOnline,
    /// The member's owner hasn't admitted the tenant.
    TenantNotAdmitted,
    /// The namespace isn't the tenant's.
    NamespaceTaken,
    /// The member doesn't serve a kind that the workload uses.
    KindNotServed,
    /// The member doesn't have a class that the workload names.
    ClassNotServed,
    /// The member takes no new workloads.
    Cordoned,
    /// The member hasn't room for it.
    CapacityExceeded,
    /// The member isn't ready.
    ClusterNotReady,
    /// The member was last seen too long ago.
    ObservationStale,
}

impl Rule {
    /// All rules, in their order.
    pub const ALL: [Self; 23] = [
        Self::CountryDenied,
        Self::CountryNotAllowed,
        Self::ProviderNotIndependent,
        Self::ForeignControl,
        Self::OwnershipUnknown,
        Self::CompelledDisclosure,
        Self::CertificationMissing,
        Self::NotApproved,
        Self::ApprovalOutOfScope,
        Self::ApprovalRevoked,
        Self::ApprovalSuspended,
        Self::ApprovalFrozen,
        Self::ApprovalExpired,
        Self::LocationContradicted,
        Self::SiteNotOnline,
        Self::TenantNotAdmitted,
        Self::NamespaceTaken,
        Self::KindNotServed,
        Self::ClassNotServed,
        Self::Cordoned,
        Self::CapacityExceeded,
        Self::ClusterNotReady,
        Self::ObservationStale,
    ];

    /// The name as it stands in conditions, metrics and docs/rules.md.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CountryDenied => "CountryDenied",
            Self::CountryNotAllowed => "CountryNotAllowed",
            Self::ProviderNotIndependent => "ProviderNotIndependent",
            Self::ForeignControl => "ForeignControl",
            Self::OwnershipUnknown => "OwnershipUnknown",
            Self::CompelledDisclosure => "CompelledDisclosure",
            Self::CertificationMissing => "CertificationMissing",
            Self::NotApproved => "NotApproved",
            Self::ApprovalOutOfScope => "ApprovalOutOfScope",
            Self::ApprovalRevoked => "ApprovalRevoked",
            Self::ApprovalSuspended => "ApprovalSuspended",
            Self::ApprovalFrozen => "ApprovalFrozen",
            Self::ApprovalExpired => "ApprovalExpired",
            Self::LocationContradicted => "LocationContradicted",
            Self::SiteNotOnline => "SiteNotOnline",
            Self::TenantNotAdmitted => "TenantNotAdmitted",
            Self::NamespaceTaken => "NamespaceTaken",
            Self::KindNotServed => "KindNotServed",
            Self::ClassNotServed => "ClassNotServed",
            Self::Cordoned => "Cordoned",
            Self::CapacityExceeded => "CapacityExceeded",
            Self::ClusterNotReady => "ClusterNotReady",
            Self::ObservationStale => "ObservationStale",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of rules.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct RuleSet(u32);

impl RuleSet {
    /// No rule.
    pub const EMPTY: Self = Self(0);

    /// Rules whose failure makes a seat non-compliant: those about law, not about convenience.
    pub const LEGAL: Self = Self::EMPTY
        .with(Rule::CountryDenied)
        .with(Rule::CountryNotAllowed)
        .with(Rule::ProviderNotIndependent)
        .with(Rule::ForeignControl)
        .with(Rule::OwnershipUnknown)
        .with(Rule::CompelledDisclosure)
        .with(Rule::CertificationMissing)
        .with(Rule::NotApproved)
        .with(Rule::ApprovalOutOfScope)
        .with(Rule::ApprovalRevoked)
        .with(Rule::ApprovalSuspended)
        .with(Rule::ApprovalFrozen)
        .with(Rule::ApprovalExpired)
        .with(Rule::LocationContradicted);

    /// Rules that bar every new byte, also where a workload runs already: unless the law certainly allows it, the
    /// member lets the tenant in and the view is fresh.
    pub const BARRING: Self =
        Self::LEGAL.with(Rule::TenantNotAdmitted).with(Rule::NamespaceTaken).with(Rule::ObservationStale);

    /// Rules whose failure freezes what runs.
    pub const FREEZING: Self = Self::EMPTY
        .with(Rule::ApprovalFrozen)
        .with(Rule::ProviderNotIndependent)
        .with(Rule::ForeignControl)
        .with(Rule::OwnershipUnknown)
        .with(Rule::CompelledDisclosure)
        .with(Rule::CertificationMissing)
        .with(Rule::LocationContradicted);

    /// Rules that fail because somebody has decided that what runs must leave.
    pub const EXPELLING: Self =
        Self::EMPTY.with(Rule::ApprovalRevoked).with(Rule::CountryDenied).with(Rule::CountryNotAllowed);

    /// The set and one rule more.
    #[must_use]
    pub const fn with(self, rule: Rule) -> Self {
        Self(self.0 | (1 << rule as u8))
    }

    /// The set and one rule less.
    #[must_use]
    pub const fn without(self, rule: Rule) -> Self {
        Self(self.0 & !(1 << rule as u8))
    }

    /// Adds a rule.
    pub fn insert(&mut self, rule: Rule) {
        *self = self.with(rule);
    }

    /// Whether it has the rule.
    #[must_use]
    pub const fn contains(self, rule: Rule) -> bool {
        self.0 & (1 << rule as u8) != 0
    }

    /// Whether it has none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The rules of both.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The rules that both have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The rules in their order.
    pub fn iter(self) -> impl Iterator<Item = Rule> {
        Rule::ALL.into_iter().filter(move |rule| self.contains(*rule))
    }

    /// The first rule, the most permanent.
    #[must_use]
    pub fn first(self) -> Option<Rule> {
        self.iter().next()
    }
}

/// Whether failing rules freeze what runs. What is only a fact waits for somebody to decide, and doesn't stand in the way once
/// somebody has: whoever revokes, or doesn't allow the country, wants everything to leave.
pub(crate) fn is_frozen(failing: RuleSet) -> bool {
    failing.contains(Rule::ApprovalFrozen)
        || (!failing.intersection(RuleSet::FREEZING).is_empty() && !is_expelled(failing))
}

/// Whether somebody has decided that what runs must leave.
pub(crate) fn is_expelled(failing: RuleSet) -> bool {
    !failing.intersection(RuleSet::EXPELLING).is_empty()
}

impl FromIterator<Rule> for RuleSet {
    fn from_iter<I: IntoIterator<Item = Rule>>(rules: I) -> Self {
        rules.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for RuleSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
