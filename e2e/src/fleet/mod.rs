//! A fleet: one hub and any number of member clusters, as local processes.
//!
//! Real binaries instead of mocks, because most of what Domicile relies on (server-side apply,
//! admission policies, impersonation, quotas, garbage collection) only exists in the real API
//! server. Only nodes and containers are played, by kwok.
//!
//! # Guarantees
//!
//! Nothing outlives the process that started it, however that process ends (see [`process`]), and
//! any number of fleets can run side by side (see [`ports`]).
//!
//! # Assumptions
//!
//! Linux with `setpriv` (util-linux), and the binaries that [`Binaries::locate`] finds or builds.

pub mod cache;
pub mod ports;
pub mod process;
pub mod tools;
pub mod wait;

mod access;
mod binaries;
mod build;
mod cluster;
mod faulty;
mod fleet_type;
pub(crate) mod kubeconfig;
mod kubectl;
mod metrics;
mod nodes;
mod options;
mod pki;
mod start;
mod state;

pub(crate) use state::{StateDir, cache_dir};

pub use access::Access;
pub use binaries::{Binaries, Program};
pub use cluster::Cluster;
pub use faulty::FaultyServer;
pub use fleet_type::{Fleet, FleetBuilder};
pub use kubectl::Kubectl;
pub use metrics::{RequestCounts, RequestKey};
pub use options::{Allocatable, ClusterOptions, Role};
