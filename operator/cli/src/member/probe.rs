//! Whether the hub's credential on a member can do what it must, and nothing that it must not.
//!
//! Asked of the member with that very credential: roles that look right prove little, since somebody may have
//! granted the same account more, and a policy that is stored may not be in force yet.

mod access;
mod acting;
mod granted;
mod guards;

use std::collections::BTreeSet;
use std::fmt;

pub use acting::check_acting;
pub(super) use acting::{Acting, acts_as};
use domicile_crds::{TenantName, keys};
use k8s_openapi::api::authorization::v1::ResourceRule;

use super::Impersonation;
use crate::cluster::{Cluster, ClusterError};

/// Problems that are told: a cluster-admin has all of them.
const TOLD_MAX: usize = 12;

/// The credential isn't right.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// It can do too much or too little.
    #[error("the hub's credential on the member is not as it must be:{}\nwanted: exactly what the files of `kubectl domicile join --print-member` grant, and nothing else for this account", Told(.0))]
    Wrong(Vec<String>),
}

struct Told<'a>(&'a [String]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(TOLD_MAX).try_for_each(|problem| write!(f, "\n  {problem}"))?;
        match self.0.len().saturating_sub(TOLD_MAX) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How it acts as a tenant; `None` if nobody is admitted and nothing tells.
    pub impersonation: Option<Impersonation>,
    /// As whom it may act.
    pub tenants: Vec<TenantName>,
    /// The member can't list all that it grants, so that only what could do most harm was asked.
    pub incomplete: bool,
}

/// Looks at everything.
///
/// # Errors
///
/// All that is not as it must be, at once.
pub async fn examine(hub: &Cluster) -> Result<Found, ProbeError> {
    // All that follows would be wrong, and none of it says that the file is another one.
    if access::is_allowed(hub, &access::to("*", "*", "*")).await? {
        let problem = "it can do everything: this is an administrator's, and not the one made for the hub";
        return Err(ProbeError::Wrong(vec![problem.to_owned()]));
    }
    let mut wrong = access::access(hub).await?;
    let granted = granted::rules(hub).await?;
    let mut found = judge_rules(&granted.resource_rules, &mut wrong);
    found.incomplete = granted.incomplete;
    wrong.extend(granted::beyond(&granted.resource_rules));
    wrong.extend(granted::bindings(hub).await?);
    wrong.extend(guards::stored(hub).await?);
    // What isn't there can't be in force, and waiting for it takes its time.
    if wrong.is_empty() {
        wrong.extend(guards::in_force(hub, found.tenants.first()).await);
    }
    if wrong.is_empty() { Ok(found) } else { Err(ProbeError::Wrong(wrong)) }
}

/// As whom the hub may act, by its own rules.
fn judge_rules(rules: &[ResourceRule], wrong: &mut Vec<String>) -> Found {
    let mut tenants = BTreeSet::new();
    let (mut constrained, mut legacy) = (false, false);
    for rule in rules {
        let has = |wanted: &str| rule.verbs.iter().any(|verb| verb == wanted);
        let on = rule.verbs.iter().any(|verb| verb.starts_with("impersonate-on:"));
        let who = has("impersonate") || rule.verbs.iter().any(|verb| verb.starts_with("impersonate:"));
        constrained |= on || has("impersonate:user-info");
        legacy |= has("impersonate");
        if !who {
            continue;
        }
        let names = rule.resource_names.as_deref().unwrap_or_default();
        if names.is_empty() {
            // In RBAC, no name at all means every name.
            wrong.push("it can act as anybody: a rule to impersonate has no resourceNames".to_owned());
        }
        for name in names {
            let tenant =
                name.strip_prefix("domicile:tenant:").and_then(|tenant| TenantName::new(tenant).ok());
            match tenant {
                Some(tenant) => drop(tenants.insert(tenant)),
                None if name == keys::TENANTS_GROUP || name == super::NOBODY => {}
                None => wrong.push(format!("it can act as {name}, who is no tenant")),
            }
        }
    }
    if constrained && legacy {
        wrong.push(
            "it has both kinds of impersonation: remove the verb impersonate, which makes the limits of the other void"
                .to_owned(),
        );
    }
    let impersonation = match (constrained, legacy) {
        (true, _) => Some(Impersonation::Constrained),
        (_, true) => Some(Impersonation::Legacy),
        _ => None,
    };
    Found { impersonation, tenants: tenants.into_iter().collect(), incomplete: false }
}

#[cfg(test)]
mod tests;
