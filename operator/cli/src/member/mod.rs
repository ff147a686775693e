//! What Domicile puts on a member: the files in `operator/cli/member`, as objects and as text.
//!
//! # Guarantees
//!
//! With nobody admitted, the hub can act as nobody. No file has a wildcard.

pub mod probe;
pub mod setup;

use domicile_crds::{TenantName, yaml};
use serde_json::Value;

/// Namespace of the hub's identity on a member.
pub const NAMESPACE: &str = "domicile-system";
/// The hub's ServiceAccount on a member.
pub const SERVICE_ACCOUNT: &str = "hub";
/// Who the hub is on a member.
pub const HUB_USER: &str = "system:serviceaccount:domicile-system:hub";
/// The role that a tenant has in its namespaces.
pub const TENANT_ROLE: &str = "domicile-tenant";
/// Label, on the roles and bindings of an admitted tenant, with its name.
pub const ADMITTED_LABEL: &str = "domicile.dev/admitted";

/// A user that no tenant can be, for trying out whether the hub can act as somebody: no name begins with `-`.
const NOBODY: &str = "domicile:tenant:-probe";

const BASE: [&str; 5] = [
    include_str!("../../member/namespace.yaml"),
    include_str!("../../member/hub.yaml"),
    include_str!("../../member/tenant.yaml"),
    include_str!("../../member/hub-guard.yaml"),
    include_str!("../../member/tenant-guard.yaml"),
];
const ACTING: &str = include_str!("../../member/acting.yaml");
const ADMITTED_CONSTRAINED: &str = include_str!("../../member/admitted-constrained.yaml");
const ADMITTED_LEGACY: &str = include_str!("../../member/admitted-legacy.yaml");
const TOKEN: &str = include_str!("../../member/token.yaml");

/// How the hub acts as a tenant. A member has one of the two, never both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Impersonation {
    /// Constrained impersonation (KEP-5284), on by default from Kubernetes 1.36: who, and what as them.
    Constrained,
    /// The verb `impersonate`: who, and then whatever they may.
    Legacy,
}

/// What every member has, in the order of applying; without tokens and admitted tenants.
#[must_use]
pub fn manifests(impersonation: Impersonation) -> Vec<Value> {
    objects(&text(impersonation))
}

/// The same with its comments, for a person to review.
#[must_use]
pub fn text(impersonation: Impersonation) -> String {
    let mut files = BASE.to_vec();
    if impersonation == Impersonation::Constrained {
        files.insert(3, ACTING);
    }
    files.join("---\n")
}

/// What admits `tenant`: a ClusterRole and its binding, named `domicile-admitted-` and the tenant.
#[must_use]
pub fn admission(tenant: &TenantName, impersonation: Impersonation) -> Vec<Value> {
    objects(&admission_text(tenant, impersonation))
}

/// The same with its comments, for a person to review.
#[must_use]
pub fn admission_text(tenant: &TenantName, impersonation: Impersonation) -> String {
    let file = match impersonation {
        Impersonation::Constrained => ADMITTED_CONSTRAINED,
        Impersonation::Legacy => ADMITTED_LEGACY,
    };
    // A tenant's name is a DNS label, so it can't be anything but text where it is put.
    file.replace("TENANT", tenant.as_str())
}

/// What admits [`NOBODY`].
fn nobody(impersonation: Impersonation) -> Vec<Value> {
    let file = match impersonation {
        Impersonation::Constrained => ADMITTED_CONSTRAINED,
        Impersonation::Legacy => ADMITTED_LEGACY,
    };
    // Without the label, by which the admitted tenants are found.
    let file = file.replace("    domicile.dev/admitted: TENANT\n", "");
    objects(&file.replace("domicile:tenant:TENANT", NOBODY).replace("admitted-TENANT", "probe"))
}

/// The Secret that the token controller fills with a token for the hub.
#[must_use]
pub fn token() -> Value {
    token_named("hub-token")
}

fn token_named(name: &str) -> Value {
    objects(&TOKEN.replace("hub-token", name)).remove(0)
}

/// The same with its comments, for a person to review.
#[must_use]
pub fn token_text() -> &'static str {
    TOKEN
}

#[expect(clippy::expect_used, reason = "the files are compiled in, and a test reads each of them")]
fn objects(text: &str) -> Vec<Value> {
    yaml::documents(text).expect("the embedded files are valid YAML")
}

#[cfg(test)]
mod tests;
