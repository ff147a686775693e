//! The demo: acts out the story of `examples/benelux` on a fleet, shows it, and checks it.
//!
//! Everything that is shown and checked is read from the API servers of the hub and the members; the
//! operator is only ever spoken to through the hub, as its users do.

mod check;
mod ground;
mod picture;
mod scene;
mod screen;
mod steps;
mod table;
mod watches;

pub use ground::{Ground, On};
pub use scene::run;
pub use screen::Screen;
