//! The API of Domicile, group `domicile.dev/v1alpha1`: types only, no client.
//!
//! The doc comment of each field is what `kubectl explain` prints. The YAML under `crds/yaml` is
//! generated from here (`make generate`), and a test fails when the two differ.
#![deny(missing_docs)]
#![expect(clippy::duplicated_attributes, reason = "each printcolumn of a kind has the same keys")]

mod assignment;
mod common;
mod country;
mod country_set;
mod decision;
mod guarded;
mod hosting_provider;
mod installation;
pub mod keys;
pub mod kubeconfig;
mod member_cluster;
mod migration;
mod names;
mod relocation;
mod schema;
mod site;
mod strictest;
mod tenant;
mod tenant_workload;
pub mod yaml;

pub use assignment::*;
pub use common::*;
pub use country::*;
pub use country_set::*;
pub use decision::*;
pub use guarded::{Guarded, MANIFEST_DEPTH_MAX, Unreadable};
pub use hosting_provider::*;
pub use installation::*;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube_core::CustomResourceExt;
pub use member_cluster::*;
pub use migration::*;
pub use names::*;
pub use relocation::*;
pub use site::*;
pub use tenant::*;
pub use tenant_workload::*;

/// All eleven definitions, facts first.
#[must_use]
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let mut all = vec![
        CountrySet::crd(),
        HostingProvider::crd(),
        Site::crd(),
        Installation::crd(),
        MemberCluster::crd(),
        Decision::crd(),
        Tenant::crd(),
        TenantWorkload::crd(),
        Assignment::crd(),
        Migration::crd(),
        Relocation::crd(),
    ];
    for definition in &mut all {
        schema::constrain_name(definition);
        schema::begin_unobserved(definition);
    }
    all
}
