//! What may go wrong with a cluster.

use domicile_crds::Unreadable;
use kube::config::KubeconfigError;

/// Something with a cluster went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no usable kubeconfig.
    #[error("no usable kubeconfig for {cluster}: name one with {flags}")]
    Config {
        /// Which cluster.
        cluster: String,
        /// By which flags another is chosen.
        flags: &'static str,
        /// What the library says.
        #[source]
        source: KubeconfigError,
    },
    /// Neither is there a kubeconfig, nor does this run within a cluster.
    #[error("no usable kubeconfig for {cluster}: name one with {flags}, or set KUBECONFIG")]
    Infer {
        /// Which cluster.
        cluster: String,
        /// By which flags another is chosen.
        flags: &'static str,
        /// What the library says.
        #[source]
        source: kube::config::InferConfigError,
    },
    /// A request failed.
    #[error("can't {doing} on {cluster}")]
    Call {
        /// What was to be done.
        doing: String,
        /// Which cluster.
        cluster: String,
        /// What the server or the library says.
        #[source]
        source: Box<kube::Error>,
    },
    /// An answer doesn't say when it was given.
    #[error("{0} doesn't say what time it is: a proxy in between may remove the header Date")]
    NoDate(String),
    /// An object that isn't of the form that it should have.
    #[error("{what} on {cluster} can't be read, and may matter: correct it")]
    Unreadable {
        /// Which object, as kind/namespace/name.
        what: String,
        /// Which cluster.
        cluster: String,
        /// What is wrong with it.
        #[source]
        source: Unreadable,
    },
    /// An object that others write all the time.
    #[error("{what} on {cluster} changes all the time: try again")]
    Busy {
        /// Which object, as kind namespace/name.
        what: String,
        /// Which cluster.
        cluster: String,
    },
    /// An object has no kind that this program knows.
    #[error("internal: no resource is known for {0}")]
    Unknown(String),
}

impl ClusterError {
    /// Whether the server says that there is no such object (or no such kind).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// The server's HTTP status, if it answered.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Call { source, .. } => match &**source {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the server said.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Call { source, .. } => match &**source {
                kube::Error::Api(status) => Some(&status.message),
                _ => None,
            },
            _ => None,
        }
    }
}
