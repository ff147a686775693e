//! Names that cross a boundary, as types: a site's name can't be passed where a cluster's is wanted.

use std::{fmt, sync::Arc};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Longest name of any Domicile object: they are used as label values, which end at 63.
pub const NAME_MAX: usize = 63;

/// A DNS-1123 label (RFC 1123 §2.1, as Kubernetes uses it).
pub const NAME_PATTERN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// A string isn't a valid name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{found}` is not a name: wanted 1 to 63 characters a-z, 0-9 and `-`, beginning and ending with a letter or digit"
)]
pub struct NameError {
    found: String,
}

fn check_name(name: &str) -> Result<(), NameError> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let ends = |b: Option<&u8>| b.is_some_and(|b| *b != b'-');
    let bytes = name.as_bytes();
    let ok = bytes.len() <= NAME_MAX
        && bytes.iter().all(|b| inner(*b))
        && ends(bytes.first())
        && ends(bytes.last());
    if ok { Ok(()) } else { Err(NameError { found: name.chars().take(80).collect() }) }
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a checked name.
            ///
            /// # Errors
            ///
            /// If it isn't a DNS-1123 label of at most 63 characters.
            pub fn new(name: &str) -> Result<Self, NameError> {
                check_name(name)?;
                Ok(Self(name.into()))
            }

            /// A name made of a hash: sixteen hexadecimal digits.
            #[must_use]
            pub fn of_hash(hash: u64) -> Self {
                Self(format!("{hash:016x}").into())
            }

            /// The name as a string.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;

            fn try_from(name: String) -> Result<Self, NameError> {
                Self::new(&name)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;

            fn from_str(name: &str) -> Result<Self, NameError> {
                Self::new(name)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&*self.0, f)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({
                    "type": "string", "minLength": 1, "maxLength": NAME_MAX, "pattern": NAME_PATTERN
                })
            }
        }
    };
}

name!(
    /// Name of a [`CountrySet`](crate::CountrySet).
    CountrySetName
);
name!(
    /// Name of a [`HostingProvider`](crate::HostingProvider).
    ProviderName
);
name!(
    /// Name of a [`Site`](crate::Site).
    SiteName
);
name!(
    /// Name of a [`MemberCluster`](crate::MemberCluster).
    ClusterName
);
name!(
    /// Name of a [`Decision`](crate::Decision).
    DecisionName
);
name!(
    /// Name of a [`Tenant`](crate::Tenant).
    TenantName
);
name!(
    /// Name of a namespace, the same on the hub and on members.
    NamespaceName
);
name!(
    /// Name of a [`TenantWorkload`](crate::TenantWorkload) within its namespace.
    WorkloadName
);
name!(
    /// Name of a [`Migration`](crate::Migration) within its namespace.
    MigrationName
);
name!(
    /// Name of a [`Relocation`](crate::Relocation).
    RelocationName
);

/// A TenantWorkload, by namespace and name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadKey {
    /// The tenant's namespace.
    pub namespace: NamespaceName,
    /// The workload's name in it.
    pub name: WorkloadName,
}

impl WorkloadKey {
    /// Takes a namespace and a name.
    ///
    /// # Errors
    ///
    /// If one of them isn't a DNS-1123 label.
    pub fn new(namespace: &str, name: &str) -> Result<Self, NameError> {
        Ok(Self { namespace: NamespaceName::new(namespace)?, name: WorkloadName::new(name)? })
    }
}

impl fmt::Display for WorkloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl fmt::Debug for WorkloadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_dns_1123_labels() {
        for good in ["a", "nl-ams-1", "0", &"a".repeat(63)] {
            assert_eq!(SiteName::new(good).map(|n| n.to_string()), Ok(good.to_owned()));
        }
        for bad in ["", "-a", "a-", "A", "a.b", "ä", &"a".repeat(64)] {
            assert!(SiteName::new(bad).is_err(), "{bad:?} was taken");
        }
    }
}
