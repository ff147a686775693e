//! The Helm chart, by Helm itself: what it renders, what it refuses, and its life on a real API server. This is what helm-unittest would
//! be: each value has its effect (effects.yaml). And what comes with the chart, by those who use it: alerts, dashboards, health checks.

#![expect(clippy::indexing_slicing, reason = "JSON: a missing member is null")]

mod alerts;
mod documented;
mod health;
mod life;
mod monitoring;
mod pods;
mod rendered;
mod values;
