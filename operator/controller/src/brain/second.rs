//! Asking for the second opinion, and what happens when it is no.

use domicile_check::Violation;
use domicile_crds::WorkloadKey;
use jiff::Timestamp;

use super::{Brain, Slot};
use crate::{
    retry::{Failures, Retry},
    second::{Knowledge, REFUSAL},
};

impl Brain {
    /// What a second opinion on a workload's orders rests on.
    pub(super) fn knowledge(&self, key: &WorkloadKey) -> Knowledge<'_> {
        // What is cleaned up after a workload that was deleted isn't its successor's of the same name.
        let workload = self.workloads.get(key).filter(|_| !self.engine.world().is_succeeding(key));
        Knowledge {
            facts: &self.facts,
            world: self.engine.world(),
            observed: &self.observed,
            workload: workload.map(AsRef::as_ref),
            assignment: self.assignments.get(key).map(AsRef::as_ref),
        }
    }

    /// An order that was refused isn't carried out, and is reported.
    pub(super) fn refuse(&mut self, place: (WorkloadKey, Slot), violations: &[Violation], now: Timestamp) {
        for violation in violations {
            tracing::error!(workload = %place.0, %violation, "{REFUSAL}");
        }
        self.hands.metrics.refused.inc();
        let until = now + jiff::SignedDuration::from_secs(30);
        self.look_again(&place.0, until);
        let mut failures = Failures::default();
        failures.again(Retry::Backoff, 0);
        self.failures.insert(place, (failures, until));
    }
}
