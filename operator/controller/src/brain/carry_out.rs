//! Carrying out: each order becomes a task, and its result comes back as an input.

use domicile_core::{
    Change,
    facts::ClusterFact,
    manifests::{ObjectFact, ObjectRef},
    orders::{Apply, Order, Remove, object},
    render::Target,
};
use domicile_crds::{
    Assignment, CLEANUP_FINALIZER, ClusterName, MemberCluster, Migration, MigrationSpec, MigrationStatus,
    NamespaceName, Overlap, RelocationSpec, TenantName, TenantWorkload, WorkloadKey,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::{Value, json};

use super::{Brain, Hands, Input, Slot};
use crate::{
    hub::{
        HubKind,
        write::{self, WriteError},
    },
    member::{
        act::{Applied, ApplyJob, RemoveJob},
        error::MemberError,
        namespace::Setup,
        verify::Inventory,
    },
    metrics::OrderLabel,
    retry::{Failures, Retry},
    second,
};

/// Something was carried out.
#[derive(Debug)]
pub(crate) enum Done {
    /// For a workload.
    Workload(WorkloadKey, Slot, Box<Outcome>),
    /// In the background, for nobody in particular.
    Background(Outcome),
    /// A member's status was written.
    Member(ClusterName, Result<Box<MemberCluster>, WriteError>),
    /// A fact's status was written, or wasn't: kind and name.
    Fact(String, String),
    /// A namespace was made on the hub, or wasn't.
    Namespace(NamespaceName),
}

/// How it went.
#[derive(Debug)]
pub(crate) enum Outcome {
    Assignment(Result<Box<Assignment>, WriteError>),
    Migration { given_up: bool, ended: bool, written: Result<Box<Migration>, WriteError> },
    Status(Result<Box<TenantWorkload>, WriteError>),
    MoveStatus(Result<Box<Migration>, WriteError>),
    Applied { ordinal: i32, applied: Applied },
    Removed { ordinal: i32, all: bool, objects: Vec<ObjectRef>, left: Result<usize, MemberError> },
    Verified { cluster: ClusterName, namespace: NamespaceName, found: Result<Inventory, MemberError> },
    Inspected(super::status::Inspection),
}

/// Whether this was the last version of an object: it is being deleted, and nothing holds it.
fn is_gone(object: &Assignment) -> bool {
    let held = object.metadata.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty());
    object.metadata.deletion_timestamp.is_some() && !held
}

impl Hands {
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
    pub(super) fn carry_out(&mut self, key: &WorkloadKey, order: Order, now: Timestamp) -> bool {
        match order {
            Order::Verify(cluster) => self.verify(key, cluster),
            Order::Apply(apply) => self.apply(key, &apply),
            Order::Remove(remove) => self.remove(key, remove),
            Order::FinishMigration(name, step, message) => {
                let ordinal = self.migrations.get(key).and_then(|m| m.get(&name)).map_or(0, |m| m.spec.seat);
                let started = self.memory.begun(key, ordinal).unwrap_or(now);
                let status = MigrationStatus {
                    step: Some(step),
                    message: Some(domicile_core::text::shorten(&message)),
                    started_at: Some(Time(started)),
                    finished_at: Some(Time(now)),
                    ..MigrationStatus::default()
                };
                tracing::info!(workload = %key, migration = %name, ?step, %message, "a move has ended");
                let given_up = step == domicile_crds::MigrationStep::RolledBack;
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
                tracing::info!(workload = %key, clusters = %places.join(","), "a workload is placed");
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

    fn verify(&mut self, key: &WorkloadKey, cluster: ClusterName) -> bool {
        let Some(member) = self.members.get(&cluster).and_then(|state| state.member.clone()) else {
            return false;
        };
        let Some(tenant) = self.owner(key) else { return false };
        let namespace = key.namespace.clone();
        // One list serves all workloads of the namespace.
        if !self.listing.insert((cluster.clone(), namespace.clone())) {
            return false;
        }
        self.hands.spawn(key, Slot::Member(cluster.clone()), async move {
            let found = member.verify(&tenant, &namespace).await;
            Outcome::Verified { cluster, namespace, found }
        });
        true
    }

    /// The tenant of a workload: whose namespace it is, or to whom it was placed.
    pub(super) fn owner(&self, key: &WorkloadKey) -> Option<TenantName> {
        second::owner(&self.knowledge(key), key)
    }

    fn apply(&mut self, key: &WorkloadKey, apply: &Apply) -> bool {
        let Some(member) = self.members.get(&apply.cluster).and_then(|state| state.member.clone()) else {
            return false;
        };
        let Some(tenant) = self.owner(key) else { return false };
        let Some(setup) = self.tenants.get(&tenant).map(|object| Setup::of(&tenant, &object.spec)) else {
            return false;
        };
        let Some(objects) = self.render(key, &tenant, apply) else { return false };
        for (object, _, _) in &objects {
            self.gone.remove(&(key.clone(), apply.ordinal, apply.cluster.clone()));
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
        let job = ApplyJob { tenant, setup, namespace: key.namespace.clone(), objects, hub };
        let ordinal = apply.ordinal;
        self.hands.spawn(key, Slot::Member(apply.cluster.clone()), async move {
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
        let render = |object: &ObjectFact| {
            let secret =
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": *object.object.name}});
            let manifest = object.index.map_or(Some(&secret), |index| workload.spec.manifests.get(index))?;
            let ours = view.contains_key(&object.object);
            Some((object.object.clone(), target.render(object, manifest), ours))
        };
        let wanted = manifests.objects.iter().filter(|object| apply.objects.contains(&object.object));
        Some(wanted.filter_map(render).collect())
    }

    fn remove(&mut self, key: &WorkloadKey, remove: Remove) -> bool {
        let Some(member) = self.members.get(&remove.cluster).and_then(|state| state.member.clone()) else {
            return false;
        };
        let Some(tenant) = self.owner(key) else { return false };
        tracing::info!(workload = %key, cluster = %remove.cluster, because = ?remove.because, "a copy's objects are removed");
        let ordinal = remove.ordinal;
        let all = remove.because != domicile_core::orders::Removal::Pruned;
        let objects: Vec<ObjectRef> = remove.objects.iter().filter_map(object).collect();
        let job = RemoveJob {
            tenant,
            namespace: key.namespace.clone(),
            workload: key.name.to_string(),
            objects: remove.objects,
            retain_claims: remove.retain_claims,
        };
        self.hands.spawn(key, Slot::Member(remove.cluster), async move {
            Outcome::Removed { ordinal, all, objects, left: member.remove(job).await }
        });
        true
    }

    pub(super) fn take_done(&mut self, done: Done, now: Timestamp) {
        match done {
            Done::Workload(key, slot, outcome) => {
                self.busy.remove(&(key.clone(), slot.clone()));
                let failed = self.take_outcome(&key, &slot, *outcome, now);
                let place = (key.clone(), slot);
                match failed {
                    None => {
                        self.failures.remove(&place);
                    }
                    Some(retry) => {
                        let salt = domicile_core::manifests::fnv1a(key.to_string().as_bytes());
                        let (failures, until) =
                            self.failures.entry(place).or_insert((Failures::default(), now));
                        let pause = failures.again(retry, salt);
                        *until = now + jiff::SignedDuration::try_from(pause).unwrap_or_default();
                    }
                }
                self.engine.touch(key);
            }
            Done::Background(Outcome::Verified { cluster, namespace, found }) => match found {
                Ok(found) => self.verified(&cluster, &namespace, found, now),
                Err(error) => tracing::debug!(%cluster, %namespace, %error, "a namespace was not listed"),
            },
            Done::Background(_) => {}
            Done::Member(cluster, written) => self.member_written(&cluster, written, now),
            Done::Fact(kind, name) => self.fact_written(kind, name),
            Done::Namespace(namespace) => {
                self.making.remove(&namespace);
            }
        }
    }

    /// Takes a result. Answers when to try again if it failed.
    fn take_outcome(
        &mut self,
        key: &WorkloadKey,
        slot: &Slot,
        outcome: Outcome,
        now: Timestamp,
    ) -> Option<Retry> {
        match outcome {
            Outcome::Assignment(Ok(mut object)) => {
                object.metadata.managed_fields = None;
                if is_gone(&object) {
                    self.not_there(HubKind::Assignment, Some(key.namespace.as_str()), key.name.as_str(), now);
                } else {
                    self.assignment_there(*object, now);
                }
                self.count("record", true)
            }
            Outcome::Migration { given_up, ended, written: Ok(mut object) } => {
                object.metadata.managed_fields = None;
                if ended {
                    self.memory.end(key, object.spec.seat, given_up, now);
                    self.touch_waiting();
                }
                self.migration_there(*object, now);
                self.count("migration", true)
            }
            Outcome::Status(written) => self.status_written(key, written),
            Outcome::MoveStatus(written) => {
                let failed = written.as_ref().err().map(WriteError::retry);
                if let Ok(mut object) = written {
                    object.metadata.managed_fields = None;
                    self.migration_there(*object, now);
                }
                failed
            }
            Outcome::Assignment(Err(error)) | Outcome::Migration { written: Err(error), .. } => {
                let retry = error.retry();
                let error = crate::member::chain(&error);
                tracing::warn!(workload = %key, %error, "a record was not written");
                self.count("record", false);
                Some(retry)
            }
            Outcome::Applied { ordinal, applied } => self.applied(key, slot, ordinal, applied),
            Outcome::Removed { ordinal, all, objects, left } => {
                self.removed(key, slot, (ordinal, all, objects), left)
            }
            Outcome::Verified { cluster, namespace, found } => {
                self.listed_for(key, (cluster, namespace), found, now)
            }
            Outcome::Inspected(inspection) => {
                self.inspected(key, inspection, now);
                None
            }
        }
    }

    fn count(&self, order: &'static str, done: bool) -> Option<Retry> {
        let outcome = if done { "done" } else { "failed" };
        self.hands.metrics.orders.get_or_create(&OrderLabel { order, outcome }).inc();
        None
    }

    /// A place in a budget became free: whoever waits for one looks again.
    fn touch_waiting(&mut self) {
        for key in std::mem::take(&mut self.queued) {
            self.engine.touch(key);
        }
    }

    fn applied(&mut self, key: &WorkloadKey, slot: &Slot, ordinal: i32, applied: Applied) -> Option<Retry> {
        let Slot::Member(cluster) = slot else { return None };
        for (object, view, generation) in applied.done {
            let place = (cluster.clone(), key.clone(), ordinal, object.clone());
            let seen = self.observed.seat(cluster, key, ordinal).get(&object);
            // The watch may have been faster than the rest of the job: what it showed is newer than our answer.
            let newer = self.generations.get(&place).is_some_and(|last| *last > generation);
            if newer || seen.is_some_and(|seen| seen.digest == view.digest && object.kind.runs_pods()) {
                continue;
            }
            self.generations.insert(place, generation);
            self.observed.member_mut(cluster).note(key, ordinal, object, Some(view));
        }
        let failed = applied.failed.map(|(object, error)| match object {
            Some(object) => self.object_refused(key, cluster, &object, &error),
            None => self.member_failed(key, cluster, "Namespace", &error),
        });
        if failed.is_none() {
            self.clear_problem(key, cluster, "apply");
        }
        self.count("apply", failed.is_none());
        failed
    }

    /// Says of an object that wasn't applied which manifest it is.
    fn object_refused(
        &mut self,
        key: &WorkloadKey,
        cluster: &ClusterName,
        object: &ObjectRef,
        error: &MemberError,
    ) -> Retry {
        let name = format!("{}/{}", object.kind.name(), object.name);
        let retry = self.member_failed(key, cluster, &name, error);
        let workload = self.engine.world().workloads.get(key);
        let manifests = workload.and_then(|workload| workload.manifests.as_ref().ok());
        let index = manifests.and_then(|m| m.objects.iter().find(|f| f.object == *object)?.index);
        let problems = self.problems.get_mut(key).and_then(|all| all.get_mut(&(cluster.clone(), "apply")));
        if let (MemberError::Refused { .. }, Some(index), Some(problems)) = (error, index, problems) {
            for problem in problems {
                let message = format!("spec.manifests[{index}]: {}", problem.message);
                problem.message = domicile_core::text::shorten(&message);
            }
        }
        retry
    }

    fn member_failed(
        &mut self,
        key: &WorkloadKey,
        cluster: &ClusterName,
        object: &str,
        error: &MemberError,
    ) -> Retry {
        let words = crate::member::chain(error);
        tracing::warn!(workload = %key, %cluster, %object, error = %words, "a member refused, or didn't answer");
        if error.reason() == "NamespaceTaken" {
            let change = Change::NamespaceTaken(cluster.clone(), key.namespace.clone(), true);
            self.engine.apply(change, Timestamp::now());
        }
        let problem = error.problem(cluster.as_str(), object);
        self.problems.entry(key.clone()).or_default().insert((cluster.clone(), "apply"), vec![problem]);
        error.retry()
    }

    pub(super) fn clear_problem(&mut self, key: &WorkloadKey, cluster: &ClusterName, kind: &'static str) {
        if let Some(problems) = self.problems.get_mut(key) {
            problems.remove(&(cluster.clone(), kind));
            if problems.is_empty() {
                self.problems.remove(key);
            }
        }
    }

    fn removed(
        &mut self,
        key: &WorkloadKey,
        slot: &Slot,
        (ordinal, all, objects): (i32, bool, Vec<ObjectRef>),
        left: Result<usize, MemberError>,
    ) -> Option<Retry> {
        let Slot::Member(cluster) = slot else { return None };
        self.count("remove", left.is_ok());
        match left {
            Ok(0) => {
                if all {
                    self.gone.insert((key.clone(), ordinal, cluster.clone()));
                }
                let view = self.observed.member_mut(cluster);
                for object in objects {
                    view.note(key, ordinal, object, None);
                }
                self.clear_problem(key, cluster, "apply");
                None
            }
            // Some are still going; ask again soon.
            Ok(_) => Some(Retry::Backoff),
            Err(error) => Some(self.member_failed(key, cluster, "objects to remove", &error)),
        }
    }

    fn listed_for(
        &mut self,
        key: &WorkloadKey,
        place: (ClusterName, NamespaceName),
        found: Result<Inventory, MemberError>,
        now: Timestamp,
    ) -> Option<Retry> {
        self.listing.remove(&place);
        let (cluster, namespace) = place;
        match found {
            Ok(found) => {
                self.verified(&cluster, &namespace, found, now);
                None
            }
            Err(error) => Some(self.member_failed(key, &cluster, "Namespace", &error)),
        }
    }
}
