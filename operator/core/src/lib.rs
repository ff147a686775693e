//! Deciding where workloads may run. Pure: no client, no clock, no randomness, no I/O.
//!
//! [`World`] holds the facts, [`decide`](decide::decide) answers what should become of each workload,
//! [`Engine`] keeps the answers up to date as facts change.
#![deny(missing_docs)]

pub mod class;
pub mod countries;
pub mod decide;
pub mod decisions;
pub mod eligibility;
mod engine;
pub mod expose;
pub mod facts;
mod horizon;
pub mod manifests;
pub mod moves;
pub mod observed;
pub mod orders;
pub mod providers;
pub mod quantity;
pub mod render;
pub mod report;
mod rule;
pub mod snapshot;
pub mod text;
mod tri;
pub mod world;

pub use engine::{Change, Engine};
pub use horizon::Horizon;
pub use rule::{Rule, RuleSet};
pub use tri::Tri;
pub use world::World;
