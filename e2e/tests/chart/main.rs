//! The Helm chart, by Helm itself: what it renders, what it refuses, and its life on a real API server.

#![expect(clippy::indexing_slicing, reason = "JSON: a missing member is null")]

mod documented;
mod life;
mod monitoring;
mod pods;
mod rendered;
mod values;
