//! Carrying out: each order becomes a task, whose result comes back as an input.

use std::sync::Arc;

use domicile_core::{
    facts::ClusterFact,
    manifests::{ObjectFact, ObjectRef},
    orders::{Apply, Halt, KeepClaims, Order, Removal, Remove, newest_known, object},
    render::Target,
};
use domicile_crds::{
    ADOPTED, Assignment, CLEANUP_FINALIZER, ClusterName, MigrationSpec, Overlap, RelocationSpec, TenantName,
    WorkloadKey,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Brain, Done, Hands, Input, Slot, outcome::Outcome};
use crate::{
    hub::write,
    member::{Member, act::ApplyJob, remove::RemoveJob},
    second,
};

/// When it is looked again whether a list that somebody else has asked for is there.
const LISTED_AFTER: SignedDuration = SignedDuration::from_secs(1);

impl Hands {
    /// Does something on a member for a workload in a task of its own.
    fn spawn_on<W>(
        &self,
        key: &WorkloadKey,
        slot: &Slot,
        member: Arc<Member>,
        work: impl FnOnce(Arc<Member>) -> W,
    ) where
        W: Future<Output = Outcome> + Send + 'static,
    {
        let (inputs, key, slot) = (self.inputs.clone(), key.clone(), slot.clone());
        let connection = member.connection;
        let work = work(member);
        tokio::spawn(async move {
            let outcome = Box::new(work.await);
            let _ = inputs.send(Input::Done(Done::OnMember(key, slot, connection, outcome))).await;
        });
    }

    /// Does something for a workload in a task of its own.
    pub(super) fn spawn(
        &self,
        key: &WorkloadKey,
        slot: Slot,
        work: impl Future<Output = Outcome> + Send + 'static,
    ) {
        let (inputs, key) = (self.inputs.clone(), key.clone());
        tokio::spawn(async move {
            let outcome = Box::new(work.await);
            let _ = inputs.send(Input::Done(Done::Workload(key, slot, outcome))).await;
        });
    }
}

impl Brain {
    /// Starts an order. Answers whether it was started.
    pub(super) fn carry_out(&mut self, key: &WorkloadKey, order: Order, slot: &Slot, now: Timestamp) -> bool {
        match order {
            Order::Verify(cluster) => self.verify(key, &cluster, slot),
            Order::Apply(apply) => self.apply(key, &apply, slot),
            Order::Remove(remove) => self.remove(key, remove, slot),
            Order::Halt(halt) => self.halt(key, &halt, slot),
            Order::KeepClaims(keep) => self.keep_claims(key, &keep, slot),
            Order::Publish(publish) => self.publish(key, *publish),
            Order::FinishMigration { name, step, message, given_up } => {
                let status = self.last_status(key, &name, (step, &message), now);
                tracing::info!(workload = %key, migration = %name, ?step, %message, "a move has ended");
                let (hands, at) = (self.hands.clone(), key.clone());
                self.hands.spawn(key, Slot::Record, async move {
                    let written =
                        write::migration_status(&hands.client, &at, &name, &status).await.map(Box::new);
                    Outcome::Migration { given_up, ended: true, written }
                });
                true
            }
            other => self.record(key, other),
        }
    }

    fn record(&mut self, key: &WorkloadKey, order: Order) -> bool {
        let (client, at) = (self.hands.client.clone(), key.clone());
        match order {
            Order::CreateAssignment(spec) => {
                let Some(workload) = self.workloads.get(key).cloned() else { return false };
                let places: Vec<String> = spec.seats.iter().map(|seat| seat.cluster.to_string()).collect();
                let adopted = spec.seats.iter().any(|seat| seat.epoch == ADOPTED);
                tracing::info!(workload = %key, clusters = %places.join(","), adopted, "a workload is placed");
                self.hands.spawn(key, Slot::Record, async move {
                    let written = write::create_assignment(&client, &at, &workload, *spec).await;
                    Outcome::Assignment(written.map(Box::new))
                });
            }
            Order::UpdateAssignment(spec) => {
                let Some(known) = self.assignments.get(key) else { return false };
                let assignment = Assignment { metadata: known.metadata.clone(), spec: *spec };
                self.hands.spawn(key, Slot::Record, async move {
                    let written = write::replace_assignment(&client, &at, assignment).await;
                    Outcome::Assignment(written.map(Box::new))
                });
            }
            Order::ReleaseAssignment => {
                let Some(known) = self.assignments.get(key) else { return false };
                let mut assignment = (**known).clone();
                if let Some(finalizers) = &mut assignment.metadata.finalizers {
                    finalizers.retain(|finalizer| finalizer != CLEANUP_FINALIZER);
                }
                tracing::info!(workload = %key, "nothing of a deleted workload is left on members");
                self.hands.spawn(key, Slot::Record, async move {
                    let written = write::replace_assignment(&client, &at, assignment).await;
                    Outcome::Assignment(written.map(Box::new))
                });
            }
            Order::CreateMigration(name, spec) => self.create_migration(key, name, *spec),
            Order::RetargetMigration(name, to, digest) => {
                let Some(known) = self.migrations.get(key).and_then(|moves| moves.get(&name)) else {
                    return false;
                };
                let mut migration = (**known).clone();
                migration.spec.to = to;
                migration.spec.digest = digest;
                self.hands.spawn(key, Slot::Record, async move {
                    let written = write::replace_migration(&client, &at, migration).await.map(Box::new);
                    Outcome::Migration { given_up: false, ended: false, written }
                });
            }
            Order::ReleaseMigration(name) => {
                let Some(known) = self.migrations.get(key).and_then(|moves| moves.get(&name)) else {
                    return false;
                };
                let mut migration = (**known).clone();
                if let Some(finalizers) = &mut migration.metadata.finalizers {
                    finalizers.retain(|finalizer| finalizer != CLEANUP_FINALIZER);
                }
                self.hands.spawn(key, Slot::Record, async move {
                    let written = write::replace_migration(&client, &at, migration).await.map(Box::new);
                    Outcome::Migration { given_up: false, ended: false, written }
                });
            }
            _ => return false,
        }
        true
    }

    fn create_migration(&mut self, key: &WorkloadKey, name: String, spec: MigrationSpec) {
        let (client, at) = (self.hands.client.clone(), key.clone());
        tracing::info!(workload = %key, from = %spec.from, to = %spec.to, cause = %spec.cause, "a move is recorded");
        let campaign = spec.relocation.clone().filter(|name| self.campaigns_known.insert(name.clone()));
        self.hands.spawn(key, Slot::Record, async move {
            if let Some(campaign) = campaign {
                let relocation =
                    RelocationSpec { cause: spec.cause.clone(), paused: false, max_concurrent: None };
                if let Err(error) = write::ensure_relocation(&client, campaign.as_str(), relocation).await {
                    return Outcome::Migration { given_up: false, ended: false, written: Err(error) };
                }
            }
            let written = write::create_migration(&client, &at, &name, spec).await.map(Box::new);
            Outcome::Migration { given_up: false, ended: false, written }
        });
    }

    fn verify(&mut self, key: &WorkloadKey, cluster: &ClusterName, slot: &Slot) -> bool {
        let Some(member) = self.usable(cluster) else { return false };
        let Some(tenant) = self.owner(key) else { return false };
        let namespace = key.namespace.clone();
        // What is watched there has yet to be listed: whoever waits for that is told.
        let view = self.observed.member(cluster);
        if view.is_some_and(|view| !view.synced && view.verified.contains(&namespace)) {
            return false;
        }
        // One list serves all workloads of the namespace.
        if !self.listing.insert((cluster.clone(), namespace.clone())) {
            self.look_again(key, Timestamp::now() + LISTED_AFTER);
            return false;
        }
        let setup = self.setup_of(&tenant);
        self.hands.spawn_on(key, slot, member, |member| async move {
            let found = member.verify(&tenant, setup.as_ref(), &namespace).await;
            Outcome::Verified { namespace, found }
        });
        true
    }

    /// The tenant of a workload: whose namespace it is, or to whom it was placed.
    pub(super) fn owner(&self, key: &WorkloadKey) -> Option<TenantName> {
        second::owner(&self.knowledge(key), key)
    }

    fn apply(&mut self, key: &WorkloadKey, apply: &Apply, slot: &Slot) -> bool {
        let Some(member) = self.usable(&apply.cluster) else { return false };
        let Some(tenant) = self.owner(key) else { return false };
        let Some(setup) = self.setup_of(&tenant) else { return false };
        let Some(objects) = self.render(key, &tenant, apply) else { return false };
        if !objects.is_empty() {
            self.gone.remove(&(key.clone(), apply.ordinal, apply.cluster.clone()));
        }
        for (object, _, _) in &objects {
            tracing::debug!(workload = %key, cluster = %apply.cluster, kind = object.kind.name(), name = %object.name, mode = ?apply.mode, "applies");
        }
        if let Some(problem) = second::secret_not_allowed(&self.knowledge(key), key, apply, Timestamp::now())
        {
            self.problems
                .entry(key.clone())
                .or_default()
                .insert((apply.cluster.clone(), "apply"), vec![problem]);
            return false;
        }
        let hub = self.hands.client.clone();
        let (namespace, workload) = (key.namespace.clone(), key.name.to_string());
        let (ordinal, mode) = (apply.ordinal, apply.mode);
        let adopted = self.engine.world().was_adopted_from(key, &apply.cluster);
        let job = ApplyJob { tenant, setup, namespace, workload, adopted, mode, objects, hub };
        self.hands.spawn_on(key, slot, member, |member| async move {
            Outcome::Applied { ordinal, applied: member.apply(job).await }
        });
        true
    }

    /// The objects of an order as they are sent, and whether each is there already and ours.
    fn render(
        &self,
        key: &WorkloadKey,
        tenant: &TenantName,
        apply: &Apply,
    ) -> Option<Vec<(ObjectRef, Value, bool)>> {
        let world = self.engine.world();
        let workload = self.workloads.get(key)?;
        let fact = world.workloads.get(key)?;
        let manifests = fact.manifests.as_ref().ok()?;
        let cluster: Option<&ClusterFact> =
            world.find_cluster(&apply.cluster).and_then(|id| world.cluster(id)?.fact.as_ref());
        let target = Target {
            tenant,
            key,
            ordinal: apply.ordinal,
            epoch: apply.epoch,
            mode: apply.mode,
            all_exclusive: fact.overlap == Overlap::Forbid,
            completed_jobs: &apply.completed_jobs,
            cluster,
        };
        let view = self.observed.seat(&apply.cluster, key, apply.ordinal);
        let adopted = world.was_adopted_from(key, &apply.cluster);
        let render = |object: &ObjectFact| {
            let secret =
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": *object.object.name}});
            let manifest = object.index.map_or(Some(&secret), |index| workload.spec.manifests.get(index))?;
            let ours = view.get(&object.object).is_some_and(|seen| adopted || seen.epoch != ADOPTED);
            Some((object.object.clone(), target.render(object, manifest), ours))
        };
        let wanted = manifests.objects.iter().filter(|object| apply.objects.contains(&object.object));
        Some(wanted.filter_map(render).collect())
    }

    fn halt(&mut self, key: &WorkloadKey, halt: &Halt, slot: &Slot) -> bool {
        let Some(member) = self.usable(&halt.cluster) else { return false };
        let Some(tenant) = self.owner(key) else { return false };
        tracing::info!(workload = %key, cluster = %halt.cluster, because = ?halt.because, "what runs is stopped");
        let (at, objects) = (key.clone(), halt.objects.clone());
        self.hands.spawn_on(key, slot, member, |member| async move {
            Outcome::Halted(member.halt(&tenant, &at, &objects).await)
        });
        true
    }

    fn keep_claims(&mut self, key: &WorkloadKey, keep: &KeepClaims, slot: &Slot) -> bool {
        let Some(member) = self.usable(&keep.cluster) else { return false };
        let Some(tenant) = self.owner(key) else { return false };
        tracing::info!(workload = %key, cluster = %keep.cluster, "StatefulSets are told to keep their claims");
        let (at, sets) = (key.clone(), keep.sets.clone());
        self.hands.spawn_on(key, slot, member, |member| async move {
            Outcome::Kept(member.keep_claims(&tenant, &at, &sets).await)
        });
        true
    }

    fn remove(&mut self, key: &WorkloadKey, remove: Remove, slot: &Slot) -> bool {
        let Some(member) = self.usable(&remove.cluster) else { return false };
        let Some(tenant) = self.owner(key) else { return false };
        tracing::info!(workload = %key, cluster = %remove.cluster, because = ?remove.because, "a copy's objects are removed");
        let ordinal = remove.ordinal;
        let all = remove.because != Removal::Pruned;
        let objects: Vec<ObjectRef> = remove.objects.iter().filter_map(object).collect();
        let job = RemoveJob {
            tenant,
            namespace: key.namespace.clone(),
            workload: key.name.to_string(),
            epoch: self.newest_that_goes(key, &remove),
            adopted: self.engine.world().was_adopted_from(key, &remove.cluster),
            objects: remove.objects,
            retain_claims: remove.retain_claims,
        };
        self.hands.spawn_on(key, slot, member, |member| async move {
            Outcome::Removed { ordinal, all, objects, left: member.remove(job).await }
        });
        true
    }

    /// The highest epoch of what a removal may touch. At the source of a move, all is older than the copy at the target.
    fn newest_that_goes(&self, key: &WorkloadKey, remove: &Remove) -> i64 {
        let seats = self.assignments.get(key).map_or(&[][..], |assignment| &assignment.spec.seats);
        let seat = seats.iter().find(|seat| seat.ordinal == remove.ordinal);
        let epoch = seat.map(|seat| seat.epoch);
        match remove.because {
            Removal::Moved { .. } => epoch.map_or(0, |epoch| epoch - 1),
            Removal::Pruned | Removal::SeatDropped => epoch.unwrap_or(0),
            Removal::Strayed { .. } => seat.map_or(0, |seat| newest_known(self.engine.world(), key, seat)),
            Removal::RolledBack | Removal::WorkloadDeleted => i64::MAX,
        }
    }
}
