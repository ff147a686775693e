//! `kubectl domicile`: joins members, admits tenants, wraps applications, and says where everything is.
//!
//! One module per command. Commands take what was parsed by [`args`] and return text or objects;
//! only [`output`] writes to stdout and stderr.

pub mod args;
pub mod cluster;
pub mod kubeconfig;
pub mod member;
pub mod output;
pub mod table;
pub mod wrap;
pub mod yaml;
