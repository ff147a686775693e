//! What came of orders: results are taken as any other input is, and what failed is tried again later.

use domicile_core::{manifests::ObjectRef, observed::ObjectView, orders::is_owners};
use domicile_crds::{
    Assignment, ClusterName, MemberCluster, Migration, NamespaceName, TenantWorkloadStatus, WorkloadKey,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Brain, CALLED_PER_END, Slot, expose::Located, status::Inspection};
use crate::{
    hub::{HubKind, bindings::Failure, publish::Published, write::WriteError},
    member::{
        Connection,
        act::Applied,
        error::MemberError,
        verify::{Found, Inventory},
    },
    metrics::OrderLabel,
    retry::{Failures, Retry},
};

/// Something was carried out.
#[derive(Debug)]
pub(crate) enum Done {
    /// For a workload.
    Workload(WorkloadKey, Slot, Box<Outcome>),
    /// For a workload, on a member by this connection.
    OnMember(WorkloadKey, Slot, Connection, Box<Outcome>),
    /// A namespace was listed for nobody in particular, or wasn't.
    Listed(ClusterName, NamespaceName, Connection, Result<Inventory, MemberError>),
    /// A namespace on a member was set up again as this digest says, or wasn't.
    SetUp(ClusterName, NamespaceName, Connection, Result<u64, MemberError>),
    /// A member's status was written.
    Member(ClusterName, Result<Box<MemberCluster>, WriteError>),
    /// A fact's status was written, or wasn't: kind and name.
    Fact(String, String),
    /// A namespace was made on the hub, or wasn't.
    Namespace(NamespaceName),
    /// Tenants' subjects were bound on the hub, but for these.
    Bound(Vec<Failure>),
}

/// How it went.
#[derive(Debug)]
pub(crate) enum Outcome {
    Assignment(Result<Box<Assignment>, WriteError>),
    Migration { given_up: bool, ended: bool, written: Result<Box<Migration>, WriteError> },
    Status(Result<Box<TenantWorkloadStatus>, WriteError>),
    MoveStatus(Result<Box<Migration>, WriteError>),
    Applied { ordinal: i32, applied: Applied },
    Removed { ordinal: i32, all: bool, objects: Vec<ObjectRef>, left: Result<usize, MemberError> },
    Halted(Result<(), MemberError>),
    Kept(Result<(), MemberError>),
    Verified { namespace: NamespaceName, found: Result<Inventory, MemberError> },
    Inspected(Inspection),
    Located(Vec<Located>),
    Published(Published),
}

/// Whether this was the last version of an object: it is being deleted, and nothing holds it.
fn is_gone(meta: &ObjectMeta) -> bool {
    let held = meta.finalizers.as_ref().is_some_and(|finalizers| !finalizers.is_empty());
    meta.deletion_timestamp.is_some() && !held
}

impl Brain {
    pub(super) fn take_done(&mut self, done: Done, now: Timestamp) {
        match done {
            Done::Workload(key, slot, outcome) => self.take_outcome_of(key, slot, *outcome, now),
            Done::OnMember(key, slot, connection, outcome) => {
                let (Slot::Member(cluster) | Slot::Halt(cluster)) = &slot else { return };
                if let Outcome::Verified { namespace, .. } = &*outcome {
                    self.listing.remove(&(cluster.clone(), namespace.clone()));
                }
                if self.is_connected_by(cluster, connection) {
                    self.take_outcome_of(key, slot, *outcome, now);
                } else {
                    // It may have been another cluster: what came of it says nothing about this one.
                    self.leave(&slot);
                    self.busy.remove(&(key.clone(), slot));
                    self.engine.touch(key);
                }
            }
            Done::Listed(cluster, namespace, connection, found) => match found {
                Ok(found) if self.is_connected_by(&cluster, connection) => {
                    self.verified(&cluster, &namespace, found, now);
                }
                Ok(_) => {}
                Err(MemberError::NamespaceTaken { .. }) if self.is_connected_by(&cluster, connection) => {
                    self.namespace_taken(&cluster, &namespace, now);
                }
                Err(error) => tracing::debug!(%cluster, %namespace, %error, "a namespace was not listed"),
            },
            Done::SetUp(cluster, namespace, connection, done) => {
                if self.is_connected_by(&cluster, connection) {
                    self.set_up(cluster, namespace, done);
                }
            }
            Done::Member(cluster, written) => self.member_written(&cluster, written, now),
            Done::Fact(kind, name) => self.fact_written(kind, name),
            Done::Namespace(namespace) => {
                self.making.remove(&namespace);
            }
            Done::Bound(done) => self.bound(done, now),
        }
    }

    pub(super) fn is_connected_by(&self, cluster: &ClusterName, connection: Connection) -> bool {
        let member = self.members.get(cluster).and_then(|state| state.member.as_ref());
        member.is_some_and(|member| member.connection == connection)
    }

    fn take_outcome_of(&mut self, key: WorkloadKey, slot: Slot, outcome: Outcome, now: Timestamp) {
        self.leave(&slot);
        let place = (key.clone(), slot);
        self.busy.remove(&place);
        match self.take_outcome(&key, &place.1, outcome, now) {
            None => {
                self.failures.remove(&place);
            }
            Some(retry) => {
                self.repeats.failed(&key, &place.1);
                let salt = domicile_core::manifests::fnv1a(key.to_string().as_bytes());
                let (failures, until) = self.failures.entry(place).or_insert((Failures::default(), now));
                let pause = failures.again(retry, salt);
                *until = now + jiff::SignedDuration::try_from(pause).unwrap_or_default();
            }
        }
        self.engine.touch(key);
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
                if is_gone(&object.metadata) {
                    self.not_there(HubKind::Assignment, Some(key.namespace.as_str()), key.name.as_str(), now);
                } else {
                    self.assignment_there(*object, now);
                }
                self.count("record", true)
            }
            Outcome::Migration { given_up, ended, written: Ok(mut object) } => {
                object.metadata.managed_fields = None;
                if ended {
                    let name = object.metadata.name.as_deref().unwrap_or_default();
                    self.memory.end(key, (name, object.spec.seat), given_up, now);
                    self.forget_problems(key, [&object.spec.from, &object.spec.to]);
                    self.touch_waiting();
                }
                if is_gone(&object.metadata) {
                    let name = object.metadata.name.as_deref().unwrap_or_default();
                    self.not_there(HubKind::Migration, Some(key.namespace.as_str()), name, now);
                } else {
                    self.migration_there(*object, now);
                }
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
            Outcome::Halted(halted) => self.stopped(key, slot, "halt", halted),
            Outcome::Kept(kept) => self.stopped(key, slot, "keep-claims", kept),
            Outcome::Verified { namespace, found } => self.listed_for(key, slot, (&namespace, found), now),
            Outcome::Inspected(inspection) => {
                self.inspected(key, inspection);
                None
            }
            Outcome::Located(located) => {
                self.located(key, located);
                None
            }
            Outcome::Published(published) => self.published(key, published, now),
        }
    }

    pub(super) fn count(&self, order: &'static str, done: bool) -> Option<Retry> {
        let outcome = if done { "done" } else { "failed" };
        self.hands.metrics.orders.get_or_create(&OrderLabel { order, outcome }).inc();
        None
    }

    /// If a place in a budget became free, a few of those who wait for one look again.
    pub(super) fn touch_waiting(&mut self) {
        if self.memory.take_freed() {
            self.call_waiting(CALLED_PER_END);
        }
    }

    /// Of those who wait for a place in a budget, so many look again.
    pub(super) fn call_waiting(&mut self, most: usize) {
        for key in self.waiters.call(most) {
            self.engine.touch(key);
        }
    }

    fn applied(&mut self, key: &WorkloadKey, slot: &Slot, ordinal: i32, applied: Applied) -> Option<Retry> {
        let Slot::Member(cluster) = slot else { return None };
        // One that is somebody else's is so until it is listed again: it may have been set up before.
        if let Some(digest) = applied.setup.filter(|_| !self.is_taken(cluster, &key.namespace)) {
            self.namespace_is(cluster, &key.namespace, Found::As(digest), Timestamp::now());
        }
        // Before what was written with it: else that would look outdated until it is looked at next.
        for (name, version) in applied.copied {
            self.secret_seen(key.namespace.clone(), name, Some(version), Timestamp::now());
        }
        for (object, mut view, generation) in applied.done {
            let place = (cluster.clone(), key.clone(), ordinal, object.clone());
            // What makes pods is watched. The watch may have been faster than the rest of the job: what it showed is
            // newer than our answer.
            if object.kind.runs_pods() {
                let seen = self.observed.seat(cluster, key, ordinal).get(&object);
                let newer = self.generations.get(&place).is_some_and(|last| *last > generation);
                let same = |seen: &ObjectView| seen.digest == view.digest && seen.halted == view.halted;
                if newer || seen.is_some_and(same) {
                    continue;
                }
                self.generations.insert(place, generation);
                // Its pods don't stop to serve by being updated: its watch tells how many do.
                view.serving = seen.is_some_and(|seen| seen.serving);
            }
            self.observed.member_mut(cluster).note(key, ordinal, object, Some(view));
        }
        let failed = applied.failed.map(|(object, error)| match object {
            Some(object) => self.object_refused(key, cluster, &object, &error),
            None => self.member_failed(key, cluster, "Namespace", &error),
        });
        if failed.is_none() {
            self.clear_problem(key, cluster, "apply");
            self.clear_problem(key, cluster, "namespace");
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
        if let (MemberError::Refused { .. } | MemberError::Taken { .. }, Some(index), Some(problems)) =
            (error, index, problems)
        {
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
        if matches!(error, MemberError::NamespaceTaken { .. }) {
            self.namespace_taken(cluster, &key.namespace, Timestamp::now());
        }
        let problem = error.problem(cluster.as_str(), object);
        // What is wrong with the namespace is over as soon as it can be listed, an object when it was applied.
        let kind = if object == "Namespace" { "namespace" } else { "apply" };
        self.problems.entry(key.clone()).or_default().insert((cluster.clone(), kind), vec![problem]);
        error.retry()
    }

    /// What was wrong with a workload where it has no copy any more is nobody's problem.
    fn forget_problems(&mut self, key: &WorkloadKey, ends: [&ClusterName; 2]) {
        let seats = self.engine.world().active_seats(key);
        let left: Vec<_> =
            ends.into_iter().filter(|end| !seats.iter().any(|seat| seat.cluster == **end)).collect();
        for cluster in left {
            self.clear_problem(key, cluster, "apply");
            self.clear_problem(key, cluster, "namespace");
        }
    }

    pub(super) fn clear_problem(&mut self, key: &WorkloadKey, cluster: &ClusterName, kind: &'static str) {
        if let Some(problems) = self.problems.get_mut(key) {
            problems.remove(&(cluster.clone(), kind));
            if problems.is_empty() {
                self.problems.remove(key);
            }
        }
    }

    /// Something was stopped, or told to keep its claims. A failure of that is no reason to wait for a change: it is
    /// tried again and again.
    fn stopped(
        &mut self,
        key: &WorkloadKey,
        slot: &Slot,
        order: &'static str,
        outcome: Result<(), MemberError>,
    ) -> Option<Retry> {
        let (Slot::Halt(cluster) | Slot::Member(cluster)) = slot else { return None };
        self.count(order, outcome.is_ok());
        let Err(error) = outcome else {
            self.clear_problem(key, cluster, order);
            return None;
        };
        let words = crate::member::chain(&error);
        tracing::warn!(workload = %key, %cluster, error = %words, "what must stop on a member runs on");
        let problem = error.problem(cluster.as_str(), "what must stop");
        self.problems.entry(key.clone()).or_default().insert((cluster.clone(), order), vec![problem]);
        Some(Retry::Backoff)
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
                for object in objects {
                    // What its owner labelled was left where it is.
                    let seen = self.observed.seat(cluster, key, ordinal).get(&object);
                    if seen.is_some_and(|seen| is_owners(self.engine.world(), key, cluster, seen)) {
                        continue;
                    }
                    self.generations.remove(&(cluster.clone(), key.clone(), ordinal, object.clone()));
                    self.observed.member_mut(cluster).note(key, ordinal, object, None);
                }
                self.clear_problem(key, cluster, "apply");
                None
            }
            Ok(_) => Some(Retry::GoesOn),
            Err(error) => Some(self.member_failed(key, cluster, "objects to remove", &error)),
        }
    }

    fn listed_for(
        &mut self,
        key: &WorkloadKey,
        slot: &Slot,
        (namespace, found): (&NamespaceName, Result<Inventory, MemberError>),
        now: Timestamp,
    ) -> Option<Retry> {
        let Slot::Member(cluster) = slot else { return None };
        match found {
            Ok(found) => {
                self.verified(cluster, namespace, found, now);
                None
            }
            Err(error) => Some(self.member_failed(key, cluster, "Namespace", &error)),
        }
    }
}
