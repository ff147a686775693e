//! The one task that holds the state: takes in what was observed, derives what to do, hands it out.
//!
//! It never waits for a call. What is carried out reports back as an [`Input`], like any observation.

mod carry_out;
mod claim;
mod consider;
mod decisions;
mod events;
mod expose;
mod facts;
mod fleet;
#[cfg(test)]
mod health;
mod identity;
mod intake;
mod moves;
mod namespaces;
mod outcome;
mod queue;
mod repeats;
mod second;
mod secrets;
mod status;
mod subjects;
#[cfg(test)]
mod tests;
mod timers;
mod unreadable;
mod waiters;
mod whereabouts;

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use domicile_check::Facts;
use domicile_core::{Change, Engine, moves::Memory, observed::Observed};
use domicile_crds::{
    Assignment, ClusterName, Migration, NamespaceName, Problem, Relocation, RelocationName, Tenant,
    TenantName, TenantWorkload, WorkloadKey,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::rbac::v1::Subject;
use kube::Client;
use tokio::{
    sync::{OnceCell, mpsc},
    time::Instant,
};

use crate::{
    http::Health,
    hub::{HubEvent, HubKind, watch::Broken},
    lease::Tenure,
    member::{CALLS_MAX, MemberEvent},
    metrics::Metrics,
    retry::Failures,
};
use fleet::MemberState;
pub(crate) use outcome::Done;

/// Most inputs that are taken in before what follows from them is derived.
const BATCH_MAX: usize = 512;
/// How often the brain looks around when nothing happens: for ages and campaigns.
const TICK: Duration = Duration::from_secs(5);
/// How many records are written on the hub at the same time, and how many statuses. Each call under way has a connection; a thousand at once would keep
/// everybody else waiting, the renewal of the lease included.
const HUB_CALLS_MAX: usize = 16;
/// When campaigns are counted first: after a start, members have yet to be asked, and what must leave and can't isn't known.
const CAMPAIGNS_AFTER: Duration = Duration::from_secs(30);
/// How many that wait for a place in a budget look again when a move has ended, and at each tick: an hour's budget
/// becomes free by itself.
const CALLED_PER_END: usize = 16;
const CALLED_PER_TICK: usize = 1024;
/// How often a namespace on a member is listed again, to find what others have changed.
const VERIFY_EVERY: SignedDuration = SignedDuration::from_mins(10);

/// Something that the brain takes in.
#[derive(Debug)]
pub(crate) enum Input {
    /// Something was observed on the hub.
    Hub(HubEvent),
    /// A Secret of the hub has this version; `None` if it is gone.
    Secret(NamespaceName, String, Option<u64>),
    /// A Secret of the hub may not be looked at.
    SecretForbidden(NamespaceName, String),
    /// Something was observed of a member.
    Member(ClusterName, MemberEvent),
    /// Something was carried out.
    Done(Done),
}

/// What at most one task does at a time for a workload.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Slot {
    /// Write its record on the hub.
    Record,
    /// Write its status.
    Status,
    /// Do something on a member.
    Member(ClusterName),
    /// Stop something on a member: whatever else fails there doesn't hold that up.
    Halt(ClusterName),
    /// Look at its pods.
    Inspect,
    /// Look where what it exposes can be reached.
    Locate,
    /// Have clients follow, on the hub.
    Publish,
}

/// What carries orders out.
#[derive(Clone)]
pub(crate) struct Hands {
    /// The hub.
    pub(crate) client: Client,
    /// Until when writing is ours.
    pub(crate) tenure: Tenure,
    /// The operator's namespace.
    pub(crate) namespace: String,
    /// Where results go.
    pub(crate) inputs: mpsc::Sender<Input>,
    /// Metrics.
    pub(crate) metrics: Arc<Metrics>,
    /// Who we are on the hub, once it was asked.
    pub(crate) me: Arc<OnceCell<Subject>>,
}

/// The state.
pub(crate) struct Brain {
    hands: Hands,
    begun: Instant,
    health: Arc<Health>,
    broken: Broken,
    engine: Engine,
    observed: Observed,
    memory: Memory,
    gone: HashSet<(WorkloadKey, i32, ClusterName)>,
    facts: Facts,
    listed: HashSet<HubKind>,
    /// Which Secrets of the hub are followed.
    followed: secrets::Followed,
    /// What is there on the hub and can't be read.
    unreadable: unreadable::Register,
    workloads: HashMap<WorkloadKey, Arc<TenantWorkload>>,
    assignments: HashMap<WorkloadKey, Arc<Assignment>>,
    migrations: HashMap<WorkloadKey, BTreeMap<String, Arc<Migration>>>,
    tenants: HashMap<TenantName, Arc<Tenant>>,
    relocations: HashMap<RelocationName, Arc<Relocation>>,
    campaigns_known: HashSet<RelocationName>,
    members: HashMap<ClusterName, MemberState>,
    /// Hub namespaces that are being made.
    making: HashSet<NamespaceName>,
    /// Who serves itself in tenants' namespaces on the hub.
    bindings: subjects::Bindings,
    /// Who owns an object's name in a namespace.
    fact_objects: facts::FactObjects,
    /// A fact has changed since its status was looked at.
    facts_changed: bool,
    names: consider::Names,
    /// Namespaces on members that are being listed.
    listing: HashSet<(ClusterName, NamespaceName)>,
    /// Whose moves wait for a place in a budget.
    waiters: waiters::Waiters,
    verified: HashMap<(ClusterName, NamespaceName), Timestamp>,
    /// Namespaces on members that belong to somebody else.
    taken: HashSet<(ClusterName, NamespaceName)>,
    /// How namespaces on members are set up.
    setups: HashMap<(ClusterName, NamespaceName), namespaces::Setting>,
    /// Of what is watched, the newest generation that was seen.
    generations: HashMap<(ClusterName, WorkloadKey, i32, domicile_core::manifests::ObjectRef), i64>,
    busy: HashSet<(WorkloadKey, Slot)>,
    queues: HashMap<ClusterName, queue::Queue>,
    /// Who waits for the hub to take a record.
    hub_queue: queue::Queue,
    /// Who waits for it to take a status: that a workload may not be where it is must not be told after all steps of its move.
    status_queue: queue::Queue,
    repeats: repeats::Repeats,
    failures: HashMap<(WorkloadKey, Slot), (Failures, Timestamp)>,
    problems: HashMap<WorkloadKey, BTreeMap<(ClusterName, &'static str), Vec<Problem>>>,
    /// When it was asked last where what a copy exposes on a cluster can be reached.
    located: HashMap<WorkloadKey, expose::Asked>,
    inspected: HashMap<WorkloadKey, Timestamp>,
    unsettled: HashMap<WorkloadKey, Timestamp>,
    stalled: HashSet<WorkloadKey>,
    not_compliant: HashSet<WorkloadKey>,
    /// What must leave and can't, with the campaign of its cause.
    held: HashMap<WorkloadKey, RelocationName>,
    /// Since when a record has been without its workload.
    orphaned_since: HashMap<WorkloadKey, Timestamp>,
    /// When it was said last what a deleted workload has left.
    told: HashMap<WorkloadKey, Timestamp>,
    timers: timers::Timers,
}

impl Brain {
    pub(crate) fn new(hands: Hands, health: Arc<Health>, broken: Broken) -> Self {
        let followed = secrets::Followed::begin(&hands);
        Self {
            hands,
            begun: Instant::now(),
            health,
            broken,
            engine: Engine::default(),
            observed: Observed::default(),
            memory: Memory::default(),
            gone: HashSet::new(),
            facts: Facts::default(),
            listed: HashSet::new(),
            followed,
            unreadable: unreadable::Register::default(),
            workloads: HashMap::new(),
            assignments: HashMap::new(),
            migrations: HashMap::new(),
            tenants: HashMap::new(),
            relocations: HashMap::new(),
            campaigns_known: HashSet::new(),
            members: HashMap::new(),
            making: HashSet::new(),
            bindings: subjects::Bindings::default(),
            fact_objects: facts::FactObjects::default(),
            facts_changed: false,
            names: consider::Names::default(),
            listing: HashSet::new(),
            waiters: waiters::Waiters::default(),
            verified: HashMap::new(),
            taken: HashSet::new(),
            setups: HashMap::new(),
            generations: HashMap::new(),
            busy: HashSet::new(),
            queues: HashMap::new(),
            hub_queue: queue::Queue::default(),
            status_queue: queue::Queue::default(),
            repeats: repeats::Repeats::default(),
            failures: HashMap::new(),
            problems: HashMap::new(),
            located: HashMap::new(),
            inspected: HashMap::new(),
            unsettled: HashMap::new(),
            stalled: HashSet::new(),
            not_compliant: HashSet::new(),
            held: HashMap::new(),
            told: HashMap::new(),
            orphaned_since: HashMap::new(),
            timers: timers::Timers::default(),
        }
    }

    /// Runs until `inputs` is closed.
    pub(crate) async fn run(mut self, mut inputs: mpsc::Receiver<Input>) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        // By a clock that nobody sets.
        let mut next_tick = Instant::now();
        loop {
            let now = Timestamp::now();
            tokio::select! {
                taken = inputs.recv_many(&mut batch, BATCH_MAX) => if taken == 0 { return },
                () = tokio::time::sleep(self.pause(now)) => {}
            }
            let now = Timestamp::now();
            for input in batch.drain(..) {
                self.take(input, now);
            }
            if self.is_synced() {
                if next_tick <= Instant::now() {
                    next_tick = Instant::now() + TICK;
                    self.tick(now);
                }
                if std::mem::take(&mut self.facts_changed) {
                    self.make_namespaces();
                    self.bind_subjects(now);
                    self.report_facts(now);
                }
                self.round(now);
            } else if next_tick <= Instant::now() && self.knows_subjects() {
                // Whoever may do something no more must not wait for what has nothing to do with it.
                next_tick = Instant::now() + TICK;
                self.bind_subjects(now);
            }
        }
    }

    /// How long nothing happens by itself.
    fn pause(&self, now: Timestamp) -> Duration {
        let hub = [&self.hub_queue, &self.status_queue].iter().any(|queue| queue.has_next(HUB_CALLS_MAX));
        if hub || self.queues.values().any(|queue| queue.has_next(CALLS_MAX)) {
            return Duration::ZERO;
        }
        let next = self.timers.next().into_iter().chain(self.engine.next()).min();
        let until = next.map_or(SignedDuration::MAX, |next| next.duration_since(now));
        // A little more, so that the instant has come when we look.
        let until = until.saturating_add(SignedDuration::from_millis(1));
        until.max(SignedDuration::ZERO).min(SignedDuration::try_from(TICK).unwrap_or_default()).unsigned_abs()
    }

    /// Whether every kind on the hub has been listed, and what must be known could be read. Before that, what isn't
    /// known isn't known to be absent.
    fn is_synced(&self) -> bool {
        let unknown = self.unreadable.unknown();
        let decisive = self.listed.iter().filter(|kind| kind.is_decisive()).count();
        let synced = decisive == HubKind::COUNT && unknown.is_none();
        if self.health.synced.swap(synced, Ordering::Relaxed) != synced || !synced {
            self.health.say(unknown);
        }
        synced
    }

    /// Regular work: ages, campaigns, namespaces, lists of what members hold.
    fn tick(&mut self, now: Timestamp) {
        if self.broken.is_none() {
            self.engine.apply(Change::HubSeen(now), now);
            self.facts.hub_seen(now);
        }
        self.call_waiting(CALLED_PER_TICK);
        self.make_namespaces();
        self.bind_subjects(now);
        if self.begun.elapsed() >= CAMPAIGNS_AFTER {
            self.report_campaigns(now);
        }
        self.report_facts(now);
        self.forget_unlisted(now);
        self.verify_old(now);
        self.mend_namespaces(now);
        self.hands.metrics.workloads.set(i64::try_from(self.workloads.len()).unwrap_or(i64::MAX));
        self.hands.metrics.stalled.set(i64::try_from(self.stalled.len()).unwrap_or(i64::MAX));
        let not_compliant = i64::try_from(self.not_compliant.len()).unwrap_or(i64::MAX);
        self.hands.metrics.not_compliant.set(not_compliant);
    }

    /// Derives and hands out, for every workload that something concerns.
    fn round(&mut self, now: Timestamp) {
        self.engine.advance(now);
        let mut keys = self.engine.take_dirty();
        keys.extend(self.timers.take_due(now));
        keys.extend(self.queues.values_mut().flat_map(|queue| queue.take_next(CALLS_MAX)));
        for queue in [&mut self.hub_queue, &mut self.status_queue] {
            keys.extend(queue.take_next(HUB_CALLS_MAX));
        }
        if keys.is_empty() {
            return;
        }
        let verdicts = self.engine.decide(&keys, now);
        for key in &keys {
            self.depart(key, now);
        }
        for verdict in verdicts {
            self.consider(&verdict, now);
        }
    }

    fn look_again(&mut self, key: &WorkloadKey, at: Timestamp) {
        self.timers.set(key, at);
    }
}
