//! Reasons as sentences. The only place where they are worded.

use std::fmt;

use domicile_crds::Cause;

use crate::{
    Rule,
    decide::{Blocked, Obstacle},
    eligibility::Finding,
};

/// Longest message of a condition, so that `kubectl describe` stays readable.
pub const MESSAGE_MAX: usize = 300;

/// What is missing where one user alone has approved or lifted something.
pub(crate) const SECOND: &str = "another user must decide the same (Installation, twoPersonRule)";

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(because) = &self.because {
            let verb = match self.rule {
                Rule::ApprovalRevoked => "revoked",
                Rule::ApprovalSuspended => "suspended",
                Rule::ApprovalFrozen => "frozen",
                Rule::NotApproved => {
                    return write!(f, "{}: {because}; {SECOND}", self.object);
                }
                Rule::CountryDenied | Rule::CountryNotAllowed => {
                    return write!(f, "{} {because}", self.object);
                }
                // What is judged of providers says all that there is to say.
                _ => return write!(f, "{}: {because}", self.object),
            };
            return write!(f, "{} is {verb} by {because}", self.object);
        }
        let object = &self.object;
        if !self.certain && object.starts_with("CountrySet/") {
            return write!(f, "{}: {object} doesn't exist", self.rule);
        }
        if !self.certain && self.rule == Rule::ObservationStale {
            return write!(
                f,
                "{object} wasn't seen yet since the operator started, or was last seen too long ago"
            );
        }
        if !self.certain {
            return write!(f, "{}: {object} doesn't say enough to tell", self.rule);
        }
        match self.rule {
            Rule::CountryDenied => write!(f, "{object} is in a country that spec.residency.denied excludes"),
            Rule::CountryNotAllowed => {
                write!(f, "{object} is in a country that spec.residency.allowed doesn't contain")
            }
            Rule::NotApproved => write!(f, "{object} isn't approved: it needs a Decision that approves it"),
            Rule::ApprovalOutOfScope => {
                write!(f, "{object} is approved, but not for this place, country or tenant")
            }
            Rule::ApprovalRevoked => write!(f, "a Decision revokes {object}"),
            Rule::ApprovalSuspended => write!(f, "a Decision suspends {object}"),
            Rule::ApprovalFrozen => write!(f, "a Decision freezes {object}"),
            Rule::ApprovalExpired => {
                write!(f, "the approval of {object} has expired: it needs a new Decision")
            }
            Rule::SiteNotOnline => write!(f, "{object} isn't online: see its spec.state and spec.onlineFrom"),
            Rule::TenantNotAdmitted => {
                write!(f, "{object} hasn't admitted the tenant: its owner can, with `kubectl domicile admit`")
            }
            Rule::NamespaceTaken => write!(f, "the namespace belongs to somebody else on {object}"),
            Rule::KindNotServed => write!(f, "{object} doesn't serve a kind that the manifests use"),
            Rule::ClassNotServed => {
                write!(f, "{object} has no entry in spec.classes for a class that the manifests name")
            }
            Rule::Cordoned => write!(f, "{object} takes no new workloads: see its spec.scheduling"),
            Rule::CapacityExceeded => write!(f, "{object} hasn't room for it"),
            Rule::ClusterNotReady => write!(f, "{object} isn't ready"),
            Rule::ObservationStale => write!(f, "{object} was last seen too long ago"),
            Rule::ProviderNotIndependent
            | Rule::ForeignControl
            | Rule::OwnershipUnknown
            | Rule::CompelledDisclosure
            | Rule::CertificationMissing => write!(f, "{object} fails {}", self.rule),
            Rule::LocationContradicted => {
                write!(f, "nodes of {object} say that they are elsewhere: see its status.contradictions")
            }
        }
    }
}

/// What a person would have to change so that a rule passes, and who that person is.
#[must_use]
pub fn remedy(rule: Rule) -> &'static str {
    match rule {
        Rule::CountryDenied | Rule::CountryNotAllowed => {
            "the tenant's spec.residency (or the workload's, which only narrows it), or a site in another country"
        }
        Rule::ProviderNotIndependent => "another provider, or the tenant's spec.providers.independentOf",
        Rule::ForeignControl => {
            "another provider, other owners, or the tenant's spec.providers.homeCountrySet and maxForeignShare"
        }
        Rule::OwnershipUnknown => {
            "record who owns and controls the provider (spec.ownership, headquarteredIn; `kubectl domicile import`)"
        }
        Rule::CompelledDisclosure => {
            "another provider, or the tenant's spec.providers.notSubjectTo; if it can't be told: record spec.subjectTo and operatedFrom"
        }
        Rule::CertificationMissing => {
            "record the certificate in the provider's spec.certifications, or get one"
        }
        Rule::NotApproved => "`kubectl domicile approve` the provider",
        Rule::ApprovalOutOfScope => {
            "`kubectl domicile approve` the provider for this place, country or tenant"
        }
        Rule::ApprovalRevoked | Rule::ApprovalSuspended | Rule::ApprovalFrozen => {
            "`kubectl domicile reinstate` what is revoked, suspended or frozen, by the same authority or one in its liftableBy"
        }
        Rule::ApprovalExpired => "`kubectl domicile approve` the provider anew",
        Rule::LocationContradicted => "the Site's country, or the nodes' label topology.kubernetes.io/region",
        Rule::SiteNotOnline => "the Site's spec.state and spec.onlineFrom",
        Rule::TenantNotAdmitted => "`kubectl domicile admit` the tenant on the member",
        Rule::NamespaceTaken => "the tenant's spec.namespaces, or the namespace's label domicile.dev/tenant",
        Rule::KindNotServed => "the member's API server, or the workload's manifests",
        Rule::ClassNotServed => "the member's spec.classes, or the class that the manifests name",
        Rule::Cordoned => "`kubectl domicile uncordon` the member",
        Rule::CapacityExceeded => "a larger member, its spec.capacity, or what the workload asks for",
        Rule::ClusterNotReady => "see the MemberCluster's condition Ready",
        Rule::ObservationStale => "see that the operator runs and reaches the member",
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoLawfulPlace => "no other cluster may have it",
            Self::VolumesNotMovable => "it keeps data in volumes, which aren't moved yet",
        })
    }
}

impl Obstacle {
    /// The reason in conditions.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NoLawfulPlace => "NoLawfulPlace",
            Self::VolumesNotMovable => "VolumesNotMovable",
        }
    }
}

impl fmt::Display for Blocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ManifestRejected(error) => error.fmt(f),
            Self::Homeless(error) => error.fmt(f),
        }
    }
}

impl Blocked {
    /// The reason in conditions.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::ManifestRejected(_) => "ManifestRejected",
            Self::Homeless(_) => "NamespaceTaken",
        }
    }
}

/// A cause as a reason in conditions.
#[must_use]
pub fn cause_name(cause: &Cause) -> String {
    format!("{:?}", cause.kind)
}

/// Cuts a message to [`MESSAGE_MAX`] bytes, at a character's edge.
#[must_use]
pub fn shorten(message: &str) -> String {
    if message.len() <= MESSAGE_MAX {
        return message.to_owned();
    }
    let end = (0..=MESSAGE_MAX - 3).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
    format!("{}...", message.get(..end).unwrap_or_default())
}
