//! docs/rules.md, row by row: each test changes one thing in a world in which all is lawful.
#![expect(clippy::needless_pass_by_value, reason = "json!({..}) reads better at its use than &json!({..})")]

#[cfg(test)]
mod adopting;
#[cfg(test)]
mod choosing;
#[cfg(test)]
mod countries;
#[cfg(test)]
mod decisions;
#[cfg(test)]
mod exposed;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod forsaken;
#[cfg(test)]
mod health;
#[cfg(test)]
mod held;
#[cfg(test)]
mod interrupted;
#[cfg(test)]
mod jobs;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod labelled;
#[cfg(test)]
mod moves;
#[cfg(test)]
mod outdated;
#[cfg(test)]
mod place;
#[cfg(test)]
mod providers;
#[cfg(test)]
mod reactions;
#[cfg(test)]
mod relocating;
#[cfg(test)]
mod resuming;
#[cfg(test)]
mod seats;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod status;
#[cfg(test)]
mod stopping;
#[cfg(test)]
mod stranded;
#[cfg(test)]
mod taken;
#[cfg(test)]
mod yard;
