//! The second opinion on each order, before it is handed out: what is about to be done, told to `domicile-check`.

use domicile_check::{Act, Facts, Forbidden, Halt, Removal, Replacement, Seen, Violation, What, check};
use domicile_core::{
    World,
    manifests::{Kind, ObjectRef},
    observed::Observed,
    orders::{self, Because, HaltCause, Order},
    text::shorten,
};
use domicile_crds::{
    ADOPTED, Assignment, ClusterName, InventoryItem, MigrationSpec, Problem, Seat, TenantName,
    TenantWorkload, WorkloadKey,
};
use jiff::Timestamp;

/// What the log says of each order that was refused.
pub const REFUSAL: &str = "the second opinion refuses what was decided";

/// What a second opinion on a workload's orders rests on.
#[derive(Clone, Copy, Debug)]
pub struct Knowledge<'a> {
    /// API objects as last observed, for the one who checks.
    pub facts: &'a Facts,
    /// The same for the one who decided: asked only which move is under way, and whose the namespace is.
    pub world: &'a World,
    /// What was seen on members.
    pub observed: &'a Observed,
    /// The workload; `None` if it is gone.
    pub workload: Option<&'a TenantWorkload>,
    /// Its Assignment, if there is one.
    pub assignment: Option<&'a Assignment>,
}

/// Whether nothing forbids an order.
///
/// # Errors
///
/// What is forbidden about it: an incident, since what decided should have known.
pub fn second_opinion(
    known: &Knowledge<'_>,
    key: &WorkloadKey,
    order: &Order,
    now: Timestamp,
) -> Result<(), Vec<Violation>> {
    let Some(tenant) = owner(known, key) else { return Ok(()) };
    let case = Case { known, key, tenant: &tenant, now };
    match order {
        Order::CreateAssignment(spec) => spec.seats.iter().try_for_each(|seat| {
            case.ask(&seat.cluster, if seat.epoch == ADOPTED { What::Adopt } else { What::Place })
        }),
        Order::UpdateAssignment(spec) => case.record(&spec.seats),
        Order::CreateMigration(_, spec) => case.ask(&spec.to, What::PlanMove { migration: spec }),
        Order::Apply(apply) => case.apply(apply),
        Order::Remove(remove) => case.remove(remove),
        Order::Halt(halt) => case.halt(halt),
        Order::Publish(publish) => publish
            .slices
            .iter()
            .try_for_each(|(slice, _)| case.ask(&slice.cluster, What::Publish { ordinal: slice.ordinal })),
        // It is part of what it comes before, as far as that is lawful without these.
        Order::KeepClaims(keep) => second_opinion(known, key, &without(&keep.before, &keep.sets), now),
        Order::ReleaseAssignment
        | Order::ReleaseMigration(_)
        | Order::RetargetMigration(..)
        | Order::FinishMigration { .. }
        | Order::Verify(_) => Ok(()),
    }
}

/// An order without some of its objects.
fn without(order: &Order, objects: &[ObjectRef]) -> Order {
    let mut rest = order.clone();
    match &mut rest {
        Order::Halt(halt) => halt.objects.retain(|object| !objects.contains(object)),
        Order::Remove(remove) => {
            remove
                .objects
                .retain(|item| orders::object(item).is_none_or(|object| !objects.contains(&object)));
        }
        _ => {}
    }
    rest
}

/// The tenant of a workload: whose namespace it is, or to whom it was placed.
#[must_use]
pub fn owner(known: &Knowledge<'_>, key: &WorkloadKey) -> Option<TenantName> {
    let recorded = || known.assignment.and_then(|assignment| assignment.spec.tenant.clone());
    known.world.tenant_of(&key.namespace).ok().cloned().or_else(recorded)
}

/// Whether nothing forbids to set up a workload's namespace on a member, as its tenant says now.
#[must_use]
pub fn may_set_up(known: &Knowledge<'_>, key: &WorkloadKey, cluster: &ClusterName, now: Timestamp) -> bool {
    let Some(tenant) = owner(known, key) else { return false };
    let case = Case { known, key, tenant: &tenant, now };
    case.ask(cluster, What::Apply { objects: &[], from: None }).is_ok()
}

/// A Secret that may not pass the hub, or not go to that member.
#[must_use]
pub fn secret_not_allowed(
    known: &Knowledge<'_>,
    key: &WorkloadKey,
    apply: &orders::Apply,
    now: Timestamp,
) -> Option<Problem> {
    let tenant = owner(known, key)?;
    let case = Case { known, key, tenant: &tenant, now };
    let mut secrets = apply.objects.iter().filter(|object| object.kind == Kind::SECRET);
    let (name, violations) = secrets.find_map(|object| {
        let what = What::CopySecret { name: &object.name };
        Some((&object.name, case.ask(&apply.cluster, what).err()?))
    })?;
    let hub = violations.iter().any(|v| matches!(v.fact, Forbidden::HubNotAllowed { .. }));
    Some(Problem {
        cluster: apply.cluster.to_string(),
        object: format!("Secret/{name}"),
        reason: if hub { "HubNotAllowed" } else { "SecretNotAllowed" }.to_owned(),
        message: shorten(&violations.first().map(ToString::to_string).unwrap_or_default()),
    })
}

struct Case<'a> {
    known: &'a Knowledge<'a>,
    key: &'a WorkloadKey,
    tenant: &'a TenantName,
    now: Timestamp,
}

impl Case<'_> {
    fn ask(&self, cluster: &ClusterName, what: What<'_>) -> Result<(), Vec<Violation>> {
        let Knowledge { workload, assignment, .. } = *self.known;
        // Of a workload that is gone, the record still says which one it was.
        let owner = || assignment?.metadata.owner_references.as_ref()?.first().map(|o| o.uid.as_str());
        let uid = workload.and_then(|w| w.metadata.uid.as_deref()).or_else(owner).unwrap_or_default();
        let (tenant, key) = (self.tenant, self.key);
        // What was seen matters where something is scaled down or removed, and costs where much is placed.
        let seen = match what {
            What::Adopt | What::ScaleToZero { .. } | What::Remove { .. } => self.seen(cluster),
            _ => Vec::new(),
        };
        let act = Act { tenant, key, uid, workload, assignment, cluster, seen: &seen, what };
        check(self.known.facts, &act, self.now)
    }

    fn seen(&self, cluster: &ClusterName) -> Vec<Seen> {
        let copies = self.known.observed.copies(cluster, self.key);
        let objects = copies.flat_map(|(_, view)| view);
        objects
            .map(|(object, view)| Seen { item: orders::item(object), deletes_claims: view.deletes_claims })
            .collect()
    }

    /// New seats are placements, and a seat that changes its cluster is the switch of a move.
    fn record(&self, seats: &[Seat]) -> Result<(), Vec<Violation>> {
        let recorded = self.known.assignment.map_or(&[][..], |a| a.spec.seats.as_slice());
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
        domicile_core::moves::move_of(self.known.world, self.key, ordinal).map(|m| m.spec.as_ref())
    }

    fn apply(&self, apply: &orders::Apply) -> Result<(), Vec<Violation>> {
        let migration = self.migration(apply.ordinal);
        match apply.because {
            Because::Placed => self.ask(&apply.cluster, What::Apply { objects: &[], from: None }),
            Because::Moving => {
                let Some(migration) = migration else { return Ok(()) };
                let there = self.known.observed.seat(&apply.cluster, self.key, apply.ordinal);
                if !there.values().any(|seen| seen.epoch >= migration.epoch) {
                    self.ask(&apply.cluster, What::BeginMove { migration })?;
                }
                self.ask(&apply.cluster, What::Apply { objects: &[], from: Some(&migration.from) })
            }
        }
    }

    fn halt(&self, halt: &orders::Halt) -> Result<(), Vec<Violation>> {
        let objects: Vec<InventoryItem> = halt.objects.iter().map(orders::item).collect();
        let because = match &halt.because {
            HaltCause::Moving { to } => Halt::Moving { to },
            HaltCause::Suspended => Halt::Suspended,
        };
        self.ask(&halt.cluster, What::ScaleToZero { objects: &objects, because })
    }

    fn remove(&self, remove: &orders::Remove) -> Result<(), Vec<Violation>> {
        let is_kept = |item: &&InventoryItem| remove.retain_claims && item.kind == "PersistentVolumeClaim";
        let objects: Vec<InventoryItem> = remove.objects.iter().filter(|i| !is_kept(i)).cloned().collect();
        let seat =
            self.known.assignment.and_then(|a| a.spec.seats.iter().find(|s| s.ordinal == remove.ordinal));
        let generation = seat.map_or(0, |seat| seat.generation);
        let ready = seat.map(|seat| self.ready(seat)).unwrap_or_default();
        let migration = self.migration(remove.ordinal);
        let because = match &remove.because {
            orders::Removal::Moved { to } | orders::Removal::Strayed { to } => {
                let broken = self.known.observed.member(to).and_then(|member| member.broken_since);
                let verified_at = broken.unwrap_or(self.now);
                Removal::Moved(Replacement { cluster: to, generation, ready: &ready, verified_at })
            }
            orders::Removal::RolledBack => match migration {
                Some(migration) => Removal::RolledBack { source: &migration.from },
                None => return Ok(()),
            },
            orders::Removal::WorkloadDeleted => Removal::WorkloadDeleted,
            orders::Removal::SeatDropped => Removal::SeatDropped,
            orders::Removal::Pruned => Removal::Pruned { ready_generation: generation },
        };
        let keeps_claims = remove.retain_claims;
        self.ask(&remove.cluster, What::Remove { objects: &objects, keeps_claims, because })
    }

    /// What was seen ready of a seat where it is now.
    fn ready(&self, seat: &Seat) -> Vec<InventoryItem> {
        let view = self.known.observed.seat(&seat.cluster, self.key, seat.ordinal);
        let ready =
            view.iter().filter(|(_, seen)| seen.ready && !seen.terminating && seen.epoch == seat.epoch);
        ready.map(|(object, _)| orders::item(object)).collect()
    }
}
