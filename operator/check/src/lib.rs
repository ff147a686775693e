//! A second opinion on everything that the operator does, before it does it.
//!
//! States what `docs/rules.md` and the invariants forbid, on its own: it shares no code with the
//! crate that decides, so that a mistake there is met by somebody who doesn't make the same one.
//! Pure: no client, no clock, no I/O.
//!
//! A violation is an incident. It is reported, and what was about to be done is not done.
#![deny(missing_docs)]

mod act;
mod audit;
mod candidate;
mod capacity;
mod check;
mod decisions;
mod facts;
mod manifests;
mod moves;
mod ownership;
mod removal;
mod rule;
#[cfg(test)]
mod tests;
mod violation;

pub use act::{Act, Halt, Removal, Replacement, Seen, What};
pub use audit::{Explained, Sighting, audit};
pub use check::check;
pub use facts::Facts;
pub use rule::{Object, Rule};
pub use violation::{Forbidden, Violation};
