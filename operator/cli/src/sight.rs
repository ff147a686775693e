//! What one may see of the hub.
//!
//! # Guarantees
//!
//! What is forbidden isn't taken for absent: a tenant that looks at its own namespace goes without it and is told
//! so; whoever looks at everything is told which right is missing.

use std::fmt::Debug;

use domicile_crds::{Guarded, NamespaceName};
use kube::Resource;
use kube::api::Api;
use kube::core::NamespaceResourceScope;
use serde::de::DeserializeOwned;

use crate::cluster::{Cluster, ClusterError};

/// What was asked for, or that one may not see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sight<T> {
    /// It was seen, if only to be empty.
    Seen(T),
    /// The server doesn't show it.
    Hidden,
}

impl<T: Default> Default for Sight<T> {
    fn default() -> Self {
        Self::Seen(T::default())
    }
}

impl<T> Sight<T> {
    /// What was seen, if it may be.
    pub fn seen(&self) -> Option<&T> {
        match self {
            Self::Seen(found) => Some(found),
            Self::Hidden => None,
        }
    }

    /// What was seen, if it may be.
    pub fn into_seen(self) -> Option<T> {
        match self {
            Self::Seen(found) => Some(found),
            Self::Hidden => None,
        }
    }
}

/// Something that is needed can't be looked at.
#[derive(Debug, thiserror::Error)]
pub enum SightError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The right to look at everything is missing.
    #[error(
        "you may not {0}, which is needed to look at all namespaces: look at one of yours with -n NAMESPACE"
    )]
    Everything(String),
    /// The right to look at this namespace is missing.
    #[error(
        "you may not {right}, without which nothing can be said of namespace {namespace}: ask for that right, or look at another with -n"
    )]
    Namespace {
        /// The right.
        right: String,
        /// The namespace.
        namespace: NamespaceName,
    },
}

/// Somebody who looks at the hub: at everything, or at one namespace.
#[derive(Clone, Copy, Debug)]
pub struct Eyes<'a> {
    /// The hub.
    pub hub: &'a Cluster,
    /// The namespace.
    pub namespace: Option<&'a NamespaceName>,
}

impl Eyes<'_> {
    /// What everybody can go without.
    ///
    /// # Errors
    ///
    /// If it wasn't found out, other than that one may not see it.
    pub fn shown<T>(found: Result<T, ClusterError>) -> Result<Sight<T>, ClusterError> {
        match found {
            Err(error) if error.code() == Some(403) => Ok(Sight::Hidden),
            found => found.map(Sight::Seen),
        }
    }

    /// The objects of a kind that are looked at.
    #[must_use]
    pub fn api<K>(&self) -> Api<Guarded<K>>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        match self.namespace {
            Some(namespace) => Api::namespaced(self.hub.client.clone(), namespace.as_str()),
            None => Api::all(self.hub.client.clone()),
        }
    }

    /// The right to list a kind there.
    #[must_use]
    pub fn right<K: Resource<DynamicType = (), Scope = NamespaceResourceScope>>(&self) -> String {
        let kind = format!("list {}.{}", K::plural(&()), K::group(&()));
        match self.namespace {
            Some(namespace) => format!("{kind} in namespace {namespace}"),
            None => format!("{kind} in all namespaces"),
        }
    }

    /// All objects of a kind that has no namespace.
    ///
    /// # Errors
    ///
    /// If they can't be listed, other than that a tenant may not.
    pub async fn all<K>(&self) -> Result<Sight<Vec<K>>, SightError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let found = self.hub.collect_readable(Api::all(self.hub.client.clone()), |object: K| object).await;
        self.allowed(found, || format!("list {}.{}", K::plural(&()), K::group(&())))
    }

    /// What is kept of all objects of a kind that are looked at.
    ///
    /// # Errors
    ///
    /// As [`all`](Self::all).
    pub async fn there<K, T>(&self, keep: impl Fn(K) -> T) -> Result<Sight<Vec<T>>, SightError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let found = self.hub.collect_readable(self.api(), keep).await;
        self.allowed(found, || self.right::<K>())
    }

    /// What a tenant goes without if it may not see it.
    ///
    /// # Errors
    ///
    /// If it wasn't found out, or somebody who looks at everything may not see it.
    pub fn allowed<T>(
        &self,
        found: Result<T, ClusterError>,
        right: impl FnOnce() -> String,
    ) -> Result<Sight<T>, SightError> {
        match found {
            Err(error) if error.code() == Some(403) && self.namespace.is_some() => Ok(Sight::Hidden),
            found => self.needed(found, right).map(Sight::Seen),
        }
    }

    /// What nobody can go without.
    ///
    /// # Errors
    ///
    /// If it wasn't found out.
    pub fn needed<T>(
        &self,
        found: Result<T, ClusterError>,
        right: impl FnOnce() -> String,
    ) -> Result<T, SightError> {
        found.map_err(|error| match self.namespace.cloned() {
            _ if error.code() != Some(403) => error.into(),
            Some(namespace) => SightError::Namespace { right: right(), namespace },
            None => SightError::Everything(right()),
        })
    }
}
