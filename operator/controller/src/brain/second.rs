//! The second opinion on each order, before it is handed out.

use domicile_check::{Act, Forbidden, Halt, Removal, Replacement, Violation, What, check};
use domicile_core::{
    manifests::Kind,
    orders::{self, Because, Order},
    text::shorten,
};
use domicile_crds::{
    Assignment, ClusterName, InventoryItem, MigrationSpec, Problem, TenantName, WorkloadKey,
};
use jiff::Timestamp;

use super::{Brain, Slot};
use crate::retry::{Failures, Retry};

impl Brain {
    /// Whether nothing forbids an order.
    ///
    /// # Errors
    ///
    /// What is forbidden about it: an incident, since what decided should have known.
    pub(super) fn second_opinion(
        &self,
        key: &WorkloadKey,
        order: &Order,
        now: Timestamp,
    ) -> Result<(), Vec<Violation>> {
        let assignment = self.assignments.get(key).map(AsRef::as_ref);
        let recorded = assignment.and_then(|assignment: &Assignment| assignment.spec.tenant.clone());
        let Some(tenant) = self.engine.world().tenant_of(&key.namespace).ok().cloned().or(recorded) else {
            return Ok(());
        };
        let case = Case { brain: self, key, tenant: &tenant, assignment, now };
        match order {
            Order::CreateAssignment(spec) => {
                spec.seats.iter().try_for_each(|seat| case.ask(&seat.cluster, What::Place))
            }
            Order::UpdateAssignment(spec) => case.record(&spec.seats),
            Order::CreateMigration(_, spec) => case.ask(&spec.to, What::PlanMove { migration: spec }),
            Order::Apply(apply) => case.apply(apply),
            Order::Remove(remove) => case.remove(remove),
            Order::ReleaseAssignment
            | Order::RetargetMigration(..)
            | Order::FinishMigration(..)
            | Order::Verify(_) => Ok(()),
        }
    }

    /// A Secret that may not pass the hub, or not go to that member.
    pub(super) fn secret_not_allowed(&self, key: &WorkloadKey, apply: &orders::Apply) -> Option<Problem> {
        let tenant = self.owner(key)?;
        let assignment = self.assignments.get(key).map(AsRef::as_ref);
        let case = Case { brain: self, key, tenant: &tenant, assignment, now: Timestamp::now() };
        let secrets = apply.objects.iter().filter(|object| object.kind == Kind::SECRET);
        secrets
            .filter_map(|object| {
                Some((object, case.ask(&apply.cluster, What::CopySecret { name: &object.name }).err()?))
            })
            .map(|(object, violations)| {
                let hub = violations.iter().any(|v| matches!(v.fact, Forbidden::HubNotAllowed { .. }));
                Problem {
                    cluster: apply.cluster.to_string(),
                    object: format!("Secret/{}", object.name),
                    reason: if hub { "HubNotAllowed" } else { "SecretNotAllowed" }.to_owned(),
                    message: shorten(&violations.first().map(ToString::to_string).unwrap_or_default()),
                }
            })
            .next()
    }

    /// An order that was refused isn't carried out, and is reported.
    pub(super) fn refuse(&mut self, place: (WorkloadKey, Slot), violations: &[Violation], now: Timestamp) {
        for violation in violations {
            tracing::error!(workload = %place.0, %violation, "the second opinion refuses what was decided");
        }
        self.hands.metrics.refused.inc();
        let until = now + jiff::SignedDuration::from_secs(30);
        self.look_again(&place.0, until);
        let mut failures = Failures::default();
        failures.again(Retry::Backoff, 0);
        self.failures.insert(place, (failures, until));
    }
}

struct Case<'a> {
    brain: &'a Brain,
    key: &'a WorkloadKey,
    tenant: &'a TenantName,
    assignment: Option<&'a Assignment>,
    now: Timestamp,
}

impl Case<'_> {
    fn ask(&self, cluster: &ClusterName, what: What<'_>) -> Result<(), Vec<Violation>> {
        let workload = self.brain.workloads.get(self.key).map(AsRef::as_ref);
        // Of a workload that is gone, the record still says which one it was.
        let owner = || self.assignment?.metadata.owner_references.as_ref()?.first().map(|o| o.uid.as_str());
        let uid = workload.and_then(|w| w.metadata.uid.as_deref()).or_else(owner).unwrap_or_default();
        let (tenant, key, assignment) = (self.tenant, self.key, self.assignment);
        check(&self.brain.facts, &Act { tenant, key, uid, workload, assignment, cluster, what }, self.now)
    }

    /// New seats are placements, and a seat that changes its cluster is the switch of a move.
    fn record(&self, seats: &[domicile_crds::Seat]) -> Result<(), Vec<Violation>> {
        let recorded = self.assignment.map_or(&[][..], |a| a.spec.seats.as_slice());
        for seat in seats {
            match recorded.iter().find(|old| old.ordinal == seat.ordinal) {
                None => self.ask(&seat.cluster, What::Place)?,
                Some(old) if old.cluster != seat.cluster => {
                    self.ask(&seat.cluster, What::Apply { objects: &[], from: Some(&old.cluster) })?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn migration(&self, ordinal: i32) -> Option<&MigrationSpec> {
        domicile_core::moves::move_of(self.brain.engine.world(), self.key, ordinal).map(|m| m.spec.as_ref())
    }

    fn apply(&self, apply: &orders::Apply) -> Result<(), Vec<Violation>> {
        let migration = self.migration(apply.ordinal);
        match apply.because {
            Because::Placed => self.ask(&apply.cluster, What::Apply { objects: &[], from: None }),
            Because::Moving => {
                let Some(migration) = migration else { return Ok(()) };
                if self.brain.observed.seat(&apply.cluster, self.key, apply.ordinal).is_empty() {
                    self.ask(&apply.cluster, What::BeginMove { migration })?;
                }
                self.ask(&apply.cluster, What::Apply { objects: &[], from: Some(&migration.from) })
            }
            Because::Stopping => {
                let because =
                    migration.map_or(Halt::Suspended, |migration| Halt::Moving { to: &migration.to });
                self.ask(&apply.cluster, What::ScaleToZero { because })
            }
        }
    }

    fn remove(&self, remove: &orders::Remove) -> Result<(), Vec<Violation>> {
        let is_kept = |item: &&InventoryItem| remove.retain_claims && item.kind == "PersistentVolumeClaim";
        let objects: Vec<InventoryItem> = remove.objects.iter().filter(|i| !is_kept(i)).cloned().collect();
        let seat = self.assignment.and_then(|a| a.spec.seats.iter().find(|s| s.ordinal == remove.ordinal));
        let generation = seat.map_or(0, |seat| seat.generation);
        let ready = seat.map(|seat| self.ready(seat)).unwrap_or_default();
        let migration = self.migration(remove.ordinal);
        let because = match &remove.because {
            orders::Removal::Moved { to } => {
                Removal::Moved(Replacement { cluster: to, generation, ready: &ready, verified_at: self.now })
            }
            orders::Removal::RolledBack => match migration {
                Some(migration) => Removal::RolledBack { source: &migration.from },
                None => return Ok(()),
            },
            orders::Removal::WorkloadDeleted => Removal::WorkloadDeleted,
            orders::Removal::SeatDropped => Removal::SeatDropped,
            orders::Removal::Pruned => Removal::Pruned { ready_generation: generation },
        };
        self.ask(&remove.cluster, What::Remove { objects: &objects, because })
    }

    /// What was seen ready of a seat where it is now.
    fn ready(&self, seat: &domicile_crds::Seat) -> Vec<InventoryItem> {
        let view = self.brain.observed.seat(&seat.cluster, self.key, seat.ordinal);
        let ready =
            view.iter().filter(|(_, seen)| seen.ready && !seen.terminating && seen.epoch == seat.epoch);
        ready.map(|(object, _)| orders::item(object)).collect()
    }
}
