//! What users and the world do to Domicile, acted out on real API servers with the operator as a real process.
//!
//! One binary, so that it is linked once; nextest runs each act in a process of its own.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test, as it should")]

mod adopting;
mod adopting_refused;
mod campaigns;
mod deciding;
mod end;
mod evasion;
mod exclusive;
mod exposing;
mod guards;
mod hostile;
mod input;
mod lease;
mod moves;
mod outage;
mod preferences;
mod restored;
mod secrets;
mod serving;
mod set;
mod suspension;
mod time;
mod unfenced;
mod unreadable;
mod update;
