//! `kubectl domicile`: joins members, admits tenants, wraps applications, and says where everything is.
//!
//! One module per command. Commands take what was parsed by [`args`] and return text or objects;
//! only [`output`] writes to stdout and stderr.

pub mod admit;
pub mod adopt;
pub mod answer;
pub mod args;
pub mod ask;
pub mod cluster;
pub mod completion;
pub mod decide;
pub mod explain;
pub mod facts;
pub mod hub;
pub mod import;
pub mod join;
pub mod leave;
pub mod map;
pub mod member;
pub mod output;
pub mod plan;
mod run;
pub mod sight;
pub mod status;
pub mod switch;
pub mod table;
pub mod wrap;

pub use run::{CHANGES, Outcome, STUCK, run};
