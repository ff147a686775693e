//! What can go wrong on a member, in words that say what to do.

use domicile_core::text::shorten;
use domicile_crds::Problem;

use super::refusal::{Refusal, refusal};
use crate::retry::Retry;

/// Something went wrong on a member.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MemberError {
    /// It didn't answer in time.
    #[error("MemberCluster/{0} did not answer in time")]
    Deadline(String),
    /// The namespace belongs to somebody else.
    #[error("namespace {namespace} on {cluster} {found}: it is not taken over")]
    NamespaceTaken {
        /// The member.
        cluster: String,
        /// The namespace.
        namespace: String,
        /// What was found.
        found: String,
    },
    /// A Secret that the workload names is missing.
    #[error("Secret {0} is missing in this namespace on the hub: create it, or take it off spec.secrets")]
    SecretMissing(String),
    /// A Secret that the workload names may not be read.
    #[error(
        "the operator may not read Secret {0} in this namespace on the hub: the RoleBinding domicile:secret-reader, or the ClusterRole of that name, isn't as it should be; what was copied stays as it is"
    )]
    SecretForbidden(String),
    /// An object of that name is there, and isn't ours.
    #[error(
        "{object} is there already and was not made by Domicile: rename the workload's, or have the other removed; whoever it belongs to can hand it over with the label {label}"
    )]
    Taken {
        /// Which object.
        object: String,
        /// By which label it is handed over.
        label: String,
    },
    /// What was to be removed is newer than the copy that goes.
    #[error(
        "{object} on {cluster} is of a newer copy than the one that is removed, and stays: are two MemberClusters one cluster?"
    )]
    Newer {
        /// The member.
        cluster: String,
        /// Which object.
        object: String,
    },
    /// The API server refused an object.
    #[error("{message}")]
    Refused {
        /// One word for conditions.
        reason: &'static str,
        /// What is wrong, and what to do.
        message: String,
        /// When it is worth another try.
        retry: Retry,
    },
    /// The API server answered something that isn't about the object.
    #[error("MemberCluster/{cluster} answered {code}: {message}")]
    Answered {
        /// The member.
        cluster: String,
        /// The HTTP status.
        code: u16,
        /// Its words.
        message: String,
    },
    /// The API server couldn't be reached.
    #[error("MemberCluster/{cluster} could not be reached")]
    Unreachable {
        /// The member.
        cluster: String,
        /// Why.
        #[source]
        source: Box<kube::Error>,
    },
}

impl MemberError {
    /// An answer of the API server, as what it means for a tenant.
    pub(crate) fn of(cluster: &str, error: kube::Error) -> Self {
        let kube::Error::Api(status) = &error else {
            return Self::Unreachable { cluster: cluster.to_owned(), source: Box::new(error) };
        };
        match refusal(status) {
            Some(Refusal { reason, message, retry }) => {
                Self::Refused { reason, message: shorten(&message), retry }
            }
            None => Self::Answered {
                cluster: cluster.to_owned(),
                code: status.code,
                message: shorten(&status.message),
            },
        }
    }

    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Refused { retry, .. } => *retry,
            Self::Deadline(_)
            | Self::NamespaceTaken { .. }
            | Self::SecretMissing(_)
            | Self::SecretForbidden(_)
            | Self::Taken { .. }
            | Self::Newer { .. }
            | Self::Answered { .. }
            | Self::Unreachable { .. } => Retry::Backoff,
        }
    }

    /// One word for conditions.
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::Deadline(_) | Self::Unreachable { .. } => "MemberUnreachable",
            Self::Answered { .. } => "MemberFailed",
            Self::NamespaceTaken { .. } => "NamespaceTaken",
            Self::SecretMissing(_) => "SecretMissing",
            Self::SecretForbidden(_) => "SecretForbidden",
            Self::Taken { .. } => "NameTaken",
            Self::Newer { .. } => "NewerCopy",
            Self::Refused { reason, .. } => reason,
        }
    }

    /// As a tenant is told.
    pub(crate) fn problem(&self, cluster: &str, object: &str) -> Problem {
        Problem {
            cluster: cluster.to_owned(),
            object: object.to_owned(),
            reason: self.reason().to_owned(),
            message: shorten(&self.to_string()),
        }
    }
}

/// Waits for a call no longer than its deadline.
pub(crate) async fn timely<T>(
    cluster: &str,
    call: impl Future<Output = Result<T, kube::Error>>,
) -> Result<T, MemberError> {
    match tokio::time::timeout(super::DEADLINE, call).await {
        Ok(answer) => answer.map_err(|error| MemberError::of(cluster, error)),
        Err(_) => Err(MemberError::Deadline(cluster.to_owned())),
    }
}
