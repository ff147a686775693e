//! A fleet of real clusters: kubelets, pods, volumes and networks, by [kind](https://kind.sigs.k8s.io).
//!
//! For scenarios it is what the local fleet is, a [`crate::world::World`]; and what only containers can do is here:
//! to stop a node, to cut a network, to kill a process of a pod. `e2e/node-image` brings the engine and the image.
//!
//! # Guarantees
//!
//! What a fleet made goes when it is dropped. Of one that was killed it goes at the next start (see [`names`]). An engine
//! that answered before stays; one that was started for this fleet ends with it.
//!
//! # Assumptions
//!
//! A Docker engine, or the right to start one: see `e2e/node-image/engine`.

mod cluster;
mod command;
mod engine;
mod fleet;
mod logs;
pub mod names;
mod report;
mod stage;

pub use cluster::Cluster;
pub use engine::{Engine, NoEngine, engine_answers};
pub use fleet::Fleet;
pub use report::report;
pub use stage::Stage;
