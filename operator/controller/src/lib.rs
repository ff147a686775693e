//! The operator: observe → decide → check → act → report.
//!
//! Watches feed one task, the [`brain`], which alone holds the state. It derives what to do with
//! `domicile-core`, asks `domicile-check` for a second opinion, and hands each order to a task that carries it
//! out and reports back. Nothing is told what changed: everything is derived again from what is recorded and seen.

mod brain;
mod http;
mod hub;
mod lease;
mod member;
mod metrics;
mod retry;
mod run;
pub mod second;
pub mod settings;
mod watch;

pub use run::run;
