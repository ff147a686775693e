//! One workload: what follows from its verdict, and who does it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domicile_core::{
    Change,
    decide::Verdict,
    manifests::ObjectRef,
    moves::Wait,
    orders::{Desk, Halt, HaltCause, Order, Outlook, departure, news_of_originals, orders, releases},
};
use domicile_crds::{ClusterName, NamespaceName, Problem, WorkloadKey, keys};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Resource as _;

use super::{Brain, HUB_CALLS_MAX, Slot, events::warn, queue::Queue};
use crate::{member::CALLS_MAX, second::second_opinion};

/// How often a member is asked again what it has of a workload that no record explains.
const ASK_EVERY: SignedDuration = SignedDuration::from_secs(15);
/// The same while something is being handed over.
const ASK_SOON: SignedDuration = SignedDuration::from_secs(2);
/// How long a record may be without its workload: Kubernetes takes its time to delete what that owned.
const ORPHANED_AFTER: SignedDuration = SignedDuration::from_mins(2);
/// How often it is said again what a deleted workload has left: events last an hour.
const TELL_EVERY: SignedDuration = SignedDuration::from_mins(30);

impl Brain {
    /// Does what is next for a workload that exists.
    pub(super) fn consider(&mut self, verdict: &Verdict, now: Timestamp) {
        let key = &verdict.key;
        let Some(workload) = self.workloads.get(key).cloned() else { return };
        if workload.metadata.deletion_timestamp.is_some() {
            let fact = self.engine.world().workloads.get(key);
            if fact.is_some_and(|fact| fact.held_by.is_some()) {
                self.report(verdict, &Outlook::default(), now);
            }
            return;
        }
        let news = news_of_originals(self.engine.world(), &self.observed, verdict);
        if !news.is_empty() {
            for (cluster, there) in news {
                self.engine.apply(Change::Originals(key.clone(), cluster, there), now);
            }
            // It is decided anew, perhaps for another place.
            return self.look_again(key, now);
        }
        let mut desk = Desk {
            world: self.engine.world(),
            classes: self.engine.classes(),
            observed: &self.observed,
            memory: &mut self.memory,
            gone: &self.gone,
            now,
        };
        let mut outlook = orders(&mut desk, verdict);
        self.touch_waiting();
        self.withhold_taken_names(key, &mut outlook, now);
        if outlook.waits.iter().any(|(_, wait)| matches!(wait, Wait::Budget(_))) {
            self.waiters.join(key);
        }
        if let Some(next) = outlook.next {
            self.look_again(key, next);
        }
        if let Some(cluster) = &outlook.placement_unknown {
            self.ask_again(key, cluster, ASK_EVERY, now);
        }
        if let Some(adopting) = &outlook.adopting {
            let every = if now < adopting.settles { ASK_SOON } else { ASK_EVERY };
            self.ask_again(key, &adopting.cluster, every, now);
        }
        self.repeats.wanted(key, &outlook.orders);
        for order in std::mem::take(&mut outlook.orders) {
            self.hand_out(key, order, now);
        }
        self.locate_if_needed(key, &outlook, now);
        self.report(verdict, &outlook, now);
    }

    /// Lists again what a member has of a workload that no record explains: only a person takes that away, or hands it over, and
    /// not every kind is watched.
    fn ask_again(&mut self, key: &WorkloadKey, cluster: &ClusterName, every: SignedDuration, now: Timestamp) {
        self.look_again(key, now + every);
        let place = (cluster.clone(), key.namespace.clone());
        let asked = self.verified.get(&place).is_some_and(|at| now.duration_since(*at) < every);
        if let (false, true, Some(tenant)) = (asked, self.observed.is_reachable(cluster), self.owner(key)) {
            self.verified.insert(place, now);
            self.verify_again(cluster.clone(), key.namespace.clone(), tenant);
        }
    }

    /// Does what is next for what was deleted: the workload, or one of its Migrations.
    pub(super) fn depart(&mut self, key: &WorkloadKey, now: Timestamp) {
        let desk = Desk {
            world: self.engine.world(),
            classes: self.engine.classes(),
            observed: &self.observed,
            memory: &mut self.memory,
            gone: &self.gone,
            now,
        };
        let released = releases(desk.world, key);
        let mut outlook = departure(&desk, key);
        if let Some(outlook) = &mut outlook
            && self.unreadable.has_workload(key)
        {
            // Nothing of it is removed, and nobody is told to delete its record; what must stop stops.
            outlook.waits.clear();
            outlook.orders.retain(|order| matches!(order, Order::Halt(_) | Order::KeepClaims(_)));
        }
        let lives = desk.world.workloads.get(key).is_some_and(|workload| !workload.deleting);
        if !lives {
            let orders = outlook.as_ref().map(|outlook| &outlook.orders).into_iter().flatten();
            self.repeats.wanted(key, &released.iter().chain(orders).cloned().collect::<Vec<_>>());
        }
        for order in released {
            self.hand_out(key, order, now);
        }
        let orphaned =
            outlook.as_ref().is_some_and(|out| out.waits.iter().any(|(_, w)| *w == Wait::Orphaned));
        let patience = self.patience_with(key, orphaned, now);
        let Some(outlook) = outlook else { return };
        if let Some(next) = outlook.next {
            self.look_again(key, next);
        }
        if let Some(until) = patience {
            self.look_again(key, until);
        } else if outlook.waits.is_empty() {
            self.stalled.remove(key);
        } else {
            self.stalled.insert(key.clone());
            self.tell_what_is_left(key, &outlook, now);
            self.look_again(key, now + SignedDuration::from_secs(10));
        }
        for order in outlook.orders {
            if order == Order::ReleaseAssignment {
                self.record_abandoned(key);
            }
            self.hand_out(key, order, now);
        }
    }

    /// Until when a record without its workload is nothing to tell of.
    fn patience_with(&mut self, key: &WorkloadKey, orphaned: bool, now: Timestamp) -> Option<Timestamp> {
        if !orphaned {
            self.orphaned_since.remove(key);
            return None;
        }
        let since = *self.orphaned_since.entry(key.clone()).or_insert(now);
        Some(since + ORPHANED_AFTER).filter(|until| *until > now)
    }

    /// The workload is gone, so that its record is where a person learns why something is still there.
    fn tell_what_is_left(&mut self, key: &WorkloadKey, outlook: &Outlook, now: Timestamp) {
        let told = self.told.get(key).is_some_and(|at| now.duration_since(*at) < TELL_EVERY);
        let (Some(assignment), Some((_, wait))) = (self.assignments.get(key), outlook.waits.first()) else {
            return;
        };
        if told {
            return;
        }
        let mut message = format!("{wait}: what the workload has there stays, and so does this record");
        if *wait == Wait::Orphaned {
            message = format!("{wait}. Delete it, and what the workload has on members is removed");
        }
        if let Wait::Unreachable(cluster) | Wait::Taken(cluster) = wait {
            let when = match wait {
                Wait::Taken(_) => "nothing of it is to be removed there",
                _ => "that cluster is gone for good",
            };
            message = format!(
                "{message}. If {when}: kubectl -n {} annotate assignments.domicile.dev {} {}={cluster}",
                key.namespace,
                key.name,
                keys::ABANDON_ANNOTATION
            );
        }
        tracing::warn!(workload = %key, %wait, "what a deleted workload left is still there");
        self.told.insert(key.clone(), now);
        self.tell(assignment.object_ref(&()), "CleanupWaits", message);
    }

    /// That something was let go of is on record: in the log, and with the object as long as there are events.
    fn record_abandoned(&mut self, key: &WorkloadKey) {
        self.told.remove(key);
        let (Some(fact), Some(assignment)) =
            (self.engine.world().assignments.get(key), self.assignments.get(key))
        else {
            return;
        };
        let seats = fact.spec.seats.iter().filter(|seat| {
            let gone = self.gone.contains(&(key.clone(), seat.ordinal, seat.cluster.clone()));
            !gone && fact.abandoned.iter().any(|name| name == seat.cluster.as_str())
        });
        for seat in seats {
            let message = format!(
                "let go of what copy {} may still have on MemberCluster/{}, as the annotation {} says",
                seat.ordinal,
                seat.cluster,
                keys::ABANDON_ANNOTATION
            );
            tracing::warn!(workload = %key, cluster = %seat.cluster, ordinal = seat.ordinal, "objects were abandoned");
            self.tell(assignment.object_ref(&()), "Abandoned", message);
        }
    }

    fn tell(&self, object: ObjectReference, reason: &str, message: String) {
        let (hands, reason) = (self.hands.clone(), reason.to_owned());
        tokio::spawn(async move { warn(&hands, &object, reason, message).await });
    }

    /// Gives an order to a task, unless one is at it already or it has failed just now.
    pub(super) fn hand_out(&mut self, key: &WorkloadKey, order: Order, now: Timestamp) {
        let place = (key.clone(), slot_of(&order));
        if let Order::Halt(Halt { cluster, because: HaltCause::Moving { .. }, .. }) = &order
            && self.busy.contains(&(key.clone(), Slot::Member(cluster.clone())))
        {
            // What is under way there might start again what was stopped and starts elsewhere.
            return;
        }
        if let Order::FinishMigration { name, .. } = &order
            && let Some(migration) = self.migrations.get(key).and_then(|moves| moves.get(name))
            && self.busy.contains(&(key.clone(), Slot::Member(migration.spec.to.clone())))
        {
            // What is under way there may bring something yet, and then the move says where that is.
            return;
        }
        if self.busy.contains(&place) {
            return;
        }
        if let Some((_, until)) = self.failures.get(&place)
            && *until > now
        {
            let until = *until;
            return self.look_again(key, until);
        }
        if let Some(until) = self.repeats.pause(key, &place.1, &order, now) {
            return self.look_again(key, until);
        }
        if let Err(violations) = second_opinion(&self.knowledge(key), key, &order, now) {
            return self.refuse(place, &violations, now);
        }
        if !self.enter(key, &place.1) {
            return;
        }
        if self.carry_out(key, order.clone(), &place.1, now) {
            self.repeats.note(key, &place.1, order, now);
            self.busy.insert(place);
            self.has_begun(key, now);
        } else {
            self.leave(&place.1);
        }
    }

    /// Whether the hub or a member has time for something more. If not, the workload is looked at again when it has.
    pub(super) fn enter(&mut self, key: &WorkloadKey, slot: &Slot) -> bool {
        match slot {
            Slot::Member(cluster) => self.queues.entry(cluster.clone()).or_default().enter(key, CALLS_MAX),
            Slot::Record | Slot::Publish => self.hub_queue.enter(key, HUB_CALLS_MAX),
            Slot::Status => self.status_queue.enter(key, HUB_CALLS_MAX),
            Slot::Halt(_) | Slot::Inspect | Slot::Locate => true,
        }
    }

    /// Whether something is to be done for a workload that the hub or a member has no time for yet.
    pub(super) fn waits_for_its_turn(&self, key: &WorkloadKey) -> bool {
        self.hub_queue.has(key) || self.queues.values().any(|queue| queue.has(key))
    }

    /// The hub or a member has time for somebody else.
    pub(super) fn leave(&mut self, slot: &Slot) {
        match slot {
            Slot::Member(cluster) => self.queues.get_mut(cluster).into_iter().for_each(Queue::leave),
            Slot::Record | Slot::Publish => self.hub_queue.leave(),
            Slot::Status => self.status_queue.leave(),
            Slot::Halt(_) | Slot::Inspect | Slot::Locate => {}
        }
    }

    /// An object's name that another workload of the namespace recorded first isn't taken from it.
    fn withhold_taken_names(&mut self, key: &WorkloadKey, outlook: &mut Outlook, now: Timestamp) {
        let mut taken = BTreeMap::new();
        for order in &outlook.orders {
            let Order::Apply(apply) = order else { continue };
            for object in &apply.objects {
                if let Some(owner) = self.names.owner(&key.namespace, object).filter(|owner| *owner != key) {
                    let problem = Problem {
                        cluster: apply.cluster.to_string(),
                        object: format!("{}/{}", object.kind.name(), object.name),
                        reason: "NameTaken".to_owned(),
                        message: format!(
                            "TenantWorkload {} has an object of this kind and name: rename one of them",
                            owner.name
                        ),
                    };
                    taken.entry((apply.cluster.clone(), "names")).or_insert_with(Vec::new).push(problem);
                }
            }
        }
        if let Some(problems) = self.problems.get_mut(key) {
            problems.retain(|(_, kind), _| *kind != "names");
        }
        if !taken.is_empty() {
            self.problems.entry(key.clone()).or_default().append(&mut taken);
            outlook.orders.retain(|order| !matches!(order, Order::Apply(_)));
            self.look_again(key, now + jiff::SignedDuration::from_secs(60));
        }
    }
}

/// What an order keeps others of its workload from meanwhile.
fn slot_of(order: &Order) -> Slot {
    match order {
        Order::CreateAssignment(_)
        | Order::UpdateAssignment(_)
        | Order::ReleaseAssignment
        | Order::CreateMigration(..)
        | Order::RetargetMigration(..)
        | Order::FinishMigration { .. }
        | Order::ReleaseMigration(_) => Slot::Record,
        Order::Publish(_) => Slot::Publish,
        Order::Verify(cluster) => Slot::Member(cluster.clone()),
        Order::Apply(apply) => Slot::Member(apply.cluster.clone()),
        Order::Remove(remove) => Slot::Member(remove.cluster.clone()),
        Order::Halt(halt) => Slot::Halt(halt.cluster.clone()),
        Order::KeepClaims(keep) => slot_of(&keep.before),
    }
}

/// Which workload recorded an object's name first.
#[derive(Debug, Default)]
pub(super) struct Names {
    holders: HashMap<(NamespaceName, ObjectRef), Vec<WorkloadKey>>,
    recorded: HashMap<WorkloadKey, BTreeSet<ObjectRef>>,
}

impl Names {
    fn owner(&self, namespace: &NamespaceName, object: &ObjectRef) -> Option<&WorkloadKey> {
        self.holders.get(&(namespace.clone(), object.clone()))?.first()
    }

    /// Takes note of what an Assignment names now.
    pub(super) fn record(&mut self, key: &WorkloadKey, objects: BTreeSet<ObjectRef>) {
        let before = self.recorded.remove(key).unwrap_or_default();
        for object in before.difference(&objects) {
            let place = (key.namespace.clone(), object.clone());
            if let Some(holders) = self.holders.get_mut(&place) {
                holders.retain(|other| other != key);
                if holders.is_empty() {
                    self.holders.remove(&place);
                }
            }
        }
        for object in objects.difference(&before) {
            self.holders.entry((key.namespace.clone(), object.clone())).or_default().push(key.clone());
        }
        if !objects.is_empty() {
            self.recorded.insert(key.clone(), objects);
        }
    }
}
