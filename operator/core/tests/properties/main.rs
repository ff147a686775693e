//! What holds in every world and however it came about.
#![expect(clippy::needless_pass_by_value, reason = "json!({..}) reads better at its use than &json!({..})")]

#[cfg(test)]
mod absence;
#[cfg(test)]
mod follower;
#[cfg(test)]
mod incremental;
#[cfg(test)]
mod time;
#[cfg(test)]
mod worlds;
