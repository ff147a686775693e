//! End-to-end tests of Domicile, and what they stand on.
//!
//! [`fleet`] starts real Kubernetes control planes as processes on this machine, so that a
//! test, the demo and a person at a terminal all meet the same API servers that users have.

pub mod audit;
pub mod demo;
pub mod fleet;
pub mod helm;
pub mod kind;
pub mod least;
pub mod plugin;
pub mod props;
pub mod readme;
pub mod sight;
pub mod stage;
pub mod witness;
pub mod world;
