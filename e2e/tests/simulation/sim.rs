//! The simulated hub, members and time.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use domicile_check::Facts;
use domicile_core::{
    Change, Engine,
    manifests::ObjectRef,
    moves::Memory,
    observed::{ObjectView, Observed},
    orders::{Apply, Because, Desk, Order, Outlook, Removal, Remove, departure, object, orders},
    render::Target,
};
use domicile_crds::{
    Assignment, AssignmentSpec, ClusterName, Decision, DecisionName, Migration, MigrationSpec,
    MigrationStatus, NamespaceName, ProviderName, SiteName, TenantName, TenantWorkload, WorkloadKey,
};
use domicile_operator::second::{Knowledge, second_opinion};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference, Time};

use super::world;

/// An object on a simulated member.
#[derive(Clone, Copy, Debug)]
struct There {
    view: ObjectView,
    /// It has pods.
    runs: bool,
    exclusive: bool,
    since: Timestamp,
}

type Member = BTreeMap<(WorkloadKey, i32, ObjectRef), There>;

/// Everything.
pub(crate) struct Sim {
    random: u64,
    now: Timestamp,
    engine: Engine,
    observed: Observed,
    memory: Memory,
    gone: HashSet<(WorkloadKey, i32, ClusterName)>,
    facts: Facts,
    workloads: BTreeMap<WorkloadKey, Arc<TenantWorkload>>,
    shapes: HashMap<WorkloadKey, usize>,
    assignments: BTreeMap<WorkloadKey, Arc<Assignment>>,
    migrations: BTreeMap<(WorkloadKey, String), Migration>,
    decisions: BTreeMap<String, Decision>,
    members: BTreeMap<ClusterName, Member>,
    unreachable: BTreeSet<ClusterName>,
    sites: BTreeMap<&'static str, &'static str>,
    scheduling: BTreeMap<&'static str, &'static str>,
    narrow: BTreeMap<&'static str, bool>,
    made: u64,
    log: Vec<String>,
}

fn cluster(name: &str) -> ClusterName {
    ClusterName::new(name).unwrap()
}

impl Sim {
    pub(crate) fn new(seed: u64) -> Self {
        let mut sim = Self {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            now: world::BEGIN.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(1),
            engine: Engine::default(),
            observed: Observed::default(),
            memory: Memory::default(),
            gone: HashSet::new(),
            facts: Facts::default(),
            workloads: BTreeMap::new(),
            shapes: HashMap::new(),
            assignments: BTreeMap::new(),
            migrations: BTreeMap::new(),
            decisions: BTreeMap::new(),
            members: world::MEMBERS.iter().map(|(name, ..)| (cluster(name), Member::new())).collect(),
            unreachable: BTreeSet::new(),
            sites: world::MEMBERS.iter().map(|(_, site, ..)| (*site, "Online")).collect(),
            scheduling: world::MEMBERS.iter().map(|(name, ..)| (*name, "Open")).collect(),
            narrow: world::TENANTS.iter().map(|name| (*name, false)).collect(),
            made: 0,
            log: Vec::new(),
        };
        for provider in world::PROVIDERS {
            sim.decide("HostingProvider", provider, "Approved", true);
        }
        for (index, name) in ["one", "two", "three", "four"].iter().enumerate() {
            let tenant = world::TENANTS[index % 2];
            sim.make_workload(tenant, name, index % 3, 1);
        }
        sim.start();
        sim
    }

    fn next(&mut self) -> u64 {
        // xorshift64: small, and the same everywhere.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() >> 11).unwrap() % bound
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn note(&mut self, what: String) {
        self.log.push(format!("{} {what}", self.now));
    }

    /// Fails, with the story that led here.
    fn fail(&self, what: &str) -> ! {
        let from = self.log.len().saturating_sub(60);
        panic!("{what}\n{}", self.log[from..].join("\n"));
    }

    /// The operator begins with empty hands: everything it knows it reads from the hub and the members.
    fn start(&mut self) {
        self.engine = Engine::default();
        self.observed = Observed::default();
        self.memory = Memory::default();
        self.gone = HashSet::new();
        self.facts = Facts::default();
        let now = self.now;
        let set = world::country_set();
        self.engine.apply(
            Change::CountrySet(domicile_crds::CountrySetName::new("eu").unwrap(), Some(set.spec.clone())),
            now,
        );
        self.facts.country_set(Arc::new(set));
        for name in world::PROVIDERS {
            self.engine.apply(Change::Provider(ProviderName::new(name).unwrap(), true), now);
            self.facts.provider(Arc::new(world::provider(name)));
        }
        for name in world::TENANTS {
            let namespace = NamespaceName::new(name).unwrap();
            let owner = Some(TenantName::new(name).unwrap());
            self.engine.apply(Change::Namespace(namespace, Some(owner)), now);
            self.tell_tenant(name);
        }
        for (name, site, country, provider) in world::MEMBERS {
            self.tell_site(site, country, provider);
            self.tell_member(name, site);
        }
        for (name, decision) in self.decisions.clone() {
            self.tell_decision(&name, &decision);
        }
        for (key, workload) in self.workloads.clone() {
            self.engine.apply(Change::Workload(key, Some(Box::new((*workload).clone()))), now);
        }
        for (key, assignment) in self.assignments.clone() {
            self.engine.apply(Change::Assignment(key, Some(Box::new((*assignment).clone()))), now);
        }
        for ((key, name), migration) in self.migrations.clone() {
            self.engine.apply(Change::Migration(key, name, Some(Box::new(migration))), now);
        }
        self.beat();
    }

    /// The hub is seen, and every member that answers.
    fn beat(&mut self) {
        let now = self.now;
        self.engine.apply(Change::HubSeen(now), now);
        self.facts.hub_seen(now);
        for (name, ..) in world::MEMBERS {
            let name = cluster(name);
            let reachable = !self.unreachable.contains(&name);
            let was = self.observed.is_reachable(&name);
            self.observed.member_mut(&name).reachable = reachable;
            if reachable {
                self.engine.apply(Change::Seen(name.clone(), now), now);
                self.facts.member_seen(&name, now);
                let view = self.observed.member_mut(&name);
                if !view.synced {
                    view.synced = true;
                    self.read_member(&name);
                }
            }
            if was != reachable {
                let keys: Vec<_> = self.workloads.keys().chain(self.assignments.keys()).cloned().collect();
                for key in keys {
                    self.engine.touch(key);
                }
            }
        }
    }

    /// What a watch would have shown.
    fn read_member(&mut self, name: &ClusterName) {
        let member = self.members[name].clone();
        for ((key, ordinal, object), there) in &member {
            self.observed.member_mut(name).note(key, *ordinal, object.clone(), Some(there.view));
        }
        for tenant in world::TENANTS {
            self.observed.member_mut(name).verified.insert(NamespaceName::new(tenant).unwrap());
        }
        let keys: Vec<_> = self.workloads.keys().chain(self.assignments.keys()).cloned().collect();
        for key in keys {
            self.engine.touch(key);
        }
    }

    fn tell_site(&mut self, name: &'static str, country: &str, provider: &str) {
        let object = world::site(name, country, provider, self.sites[name]);
        let change = Change::Site(SiteName::new(name).unwrap(), Some(object.spec.clone()));
        self.engine.apply(change, self.now);
        self.facts.site(Arc::new(object));
    }

    fn tell_member(&mut self, name: &'static str, site: &str) {
        let ready = if self.unreachable.contains(&cluster(name)) { "Unknown" } else { "True" };
        let object = world::member(name, site, self.scheduling[name], ready);
        self.engine.apply(Change::Cluster(cluster(name), Some(Box::new(object.clone()))), self.now);
        self.facts.member(Arc::new(object));
    }

    fn tell_tenant(&mut self, name: &'static str) {
        let object = world::tenant(name, self.narrow[name]);
        let change = Change::Tenant(TenantName::new(name).unwrap(), Some(Box::new(object.spec.clone())));
        self.engine.apply(change, self.now);
        self.facts.tenant(Arc::new(object));
    }

    fn tell_decision(&mut self, name: &str, decision: &Decision) {
        let change = Change::Decision(DecisionName::new(name).unwrap(), Some(decision.spec.clone().into()));
        self.engine.apply(change, self.now);
        self.facts.decision(Arc::new(decision.clone()));
    }

    /// A new decision; with `lift`, it takes the place of all before it about the subject.
    fn decide(&mut self, kind: &str, subject: &str, verdict: &str, lift: bool) {
        self.made += 1;
        let name = format!("d{}", self.made);
        let earlier = self.decisions.iter().filter(|(_, d)| d.spec.subject.name == subject);
        let earlier: Vec<String> =
            if lift { earlier.map(|(name, _)| name.clone()).collect() } else { Vec::new() };
        let earlier: Vec<String> = earlier.into_iter().rev().take(16).collect();
        let decision = world::decision(&name, kind, subject, verdict, &earlier);
        self.note(format!("{verdict} for {kind}/{subject} (lifts: {lift})"));
        self.tell_decision(&name, &decision);
        self.decisions.insert(name, decision);
    }

    fn make_workload(&mut self, tenant: &str, name: &str, shape: usize, generation: i64) {
        let key = WorkloadKey::new(tenant, name).unwrap();
        let object = world::workload(tenant, name, shape, generation);
        self.engine.apply(Change::Workload(key.clone(), Some(Box::new(object.clone()))), self.now);
        self.shapes.insert(key.clone(), shape);
        self.workloads.insert(key, Arc::new(object));
    }

    /// Something happens in the world.
    pub(crate) fn disturb(&mut self) {
        let seconds = i64::try_from(self.below(20)).unwrap();
        self.now += SignedDuration::from_secs(seconds);
        let provider = world::PROVIDERS[self.below(3)];
        let (member, site, country, operator) = world::MEMBERS[self.below(4)];
        match self.below(24) {
            0 => self.decide("HostingProvider", provider, "Revoked", true),
            1 => self.decide("HostingProvider", provider, "Frozen", false),
            2 => self.decide("Tenant", world::TENANTS[0], "Frozen", false),
            3 => self.decide("Tenant", world::TENANTS[0], "Approved", true),
            4 | 5 => self.decide("HostingProvider", provider, "Approved", true),
            6 => self.decide("HostingProvider", provider, "Suspended", true),
            7 | 8 => {
                let state = ["Online", "Planned", "Closing", "Offline"][self.below(4)];
                self.note(format!("Site/{site} is {state}"));
                self.sites.insert(site, state);
                self.tell_site(site, country, operator);
            }
            9 => {
                let state = ["Open", "Cordoned", "Draining"][self.below(3)];
                self.note(format!("MemberCluster/{member} is {state}"));
                self.scheduling.insert(member, state);
                self.tell_member(member, site);
            }
            10 | 11 => {
                let name = cluster(member);
                let lost = !self.unreachable.remove(&name) && self.unreachable.insert(name);
                self.note(format!("MemberCluster/{member} lost: {lost}"));
                self.tell_member(member, site);
            }
            12 => {
                let tenant = world::TENANTS[self.below(2)];
                self.narrow.insert(tenant, !self.narrow[tenant]);
                self.note(format!("Tenant/{tenant} narrow: {}", self.narrow[tenant]));
                self.tell_tenant(tenant);
            }
            13 | 14 => self.update_workload(),
            15 => self.delete_workload(),
            16 | 17 => {
                self.note("the operator crashes".to_owned());
                self.start();
            }
            _ => {}
        }
        self.beat();
    }

    fn some_key(&mut self) -> Option<WorkloadKey> {
        let keys: Vec<_> = self.workloads.keys().cloned().collect();
        if keys.is_empty() { None } else { Some(keys[self.below(keys.len())].clone()) }
    }

    fn update_workload(&mut self) {
        let Some(key) = self.some_key() else { return };
        let generation = self.workloads[&key].metadata.generation.unwrap() + 1;
        self.note(format!("{key} is updated to {generation}"));
        let shape = self.shapes[&key];
        self.make_workload(key.namespace.as_str(), key.name.as_str(), shape, generation);
    }

    fn delete_workload(&mut self) {
        let Some(key) = self.some_key() else { return };
        self.note(format!("{key} is deleted"));
        self.workloads.remove(&key);
        self.engine.apply(Change::Workload(key.clone(), None), self.now);
        if let Some(assignment) = self.assignments.get_mut(&key) {
            let mut deleted = (**assignment).clone();
            deleted.metadata.deletion_timestamp = Some(Time(self.now));
            *assignment = Arc::new(deleted.clone());
            self.engine.apply(Change::Assignment(key, Some(Box::new(deleted))), self.now);
        }
    }

    /// The operator works for a while; some of what it does fails, and pods take their time.
    pub(crate) fn work(&mut self) {
        for _ in 0..6 {
            self.kubelets();
            self.round();
            if self.chance(30) {
                return;
            }
        }
    }

    fn kubelets(&mut self) {
        for (name, ..) in world::MEMBERS {
            let name = cluster(name);
            if self.unreachable.contains(&name) {
                continue;
            }
            let waiting: Vec<_> = self.members[&name]
                .iter()
                .filter(|(_, there)| !there.view.ready)
                .map(|(place, _)| place.clone())
                .collect();
            for place in waiting {
                if self.chance(70) {
                    let there = self.members.get_mut(&name).unwrap().get_mut(&place).unwrap();
                    there.view.ready = true;
                    there.view.idle = !there.runs;
                    let view = there.view;
                    let (key, ordinal, object) = place;
                    self.observed.member_mut(&name).note(&key, ordinal, object, Some(view));
                    self.engine.touch(key);
                }
            }
        }
    }

    /// One round of the brain. Answers how many orders there were.
    fn round(&mut self) -> usize {
        self.engine.advance(self.now);
        let mut keys = self.engine.take_dirty();
        // Timers are not simulated one by one: whoever has a move or a record is looked at.
        keys.extend(self.migrations.keys().map(|(key, _)| key.clone()));
        keys.extend(self.assignments.keys().cloned());
        let verdicts = self.engine.decide(&keys, self.now);
        let mut count = 0;
        for key in &keys {
            let desk = self.desk();
            if let Some(outlook) = departure(&desk, key) {
                count += self.carry_out(key, outlook);
            }
        }
        for verdict in verdicts {
            let mut desk = self.desk();
            let outlook = orders(&mut desk, &verdict);
            count += self.carry_out(&verdict.key, outlook);
        }
        count
    }

    fn desk(&mut self) -> Desk<'_> {
        Desk {
            world: self.engine.world(),
            classes: self.engine.classes(),
            observed: &self.observed,
            memory: &mut self.memory,
            gone: &self.gone,
            now: self.now,
        }
    }

    fn carry_out(&mut self, key: &WorkloadKey, outlook: Outlook) -> usize {
        let count = outlook.orders.len();
        for order in outlook.orders {
            let known = Knowledge {
                facts: &self.facts,
                world: self.engine.world(),
                observed: &self.observed,
                workload: self.workloads.get(key).map(AsRef::as_ref),
                assignment: self.assignments.get(key).map(AsRef::as_ref),
            };
            if let Err(violations) = second_opinion(&known, key, &order, self.now) {
                let said: Vec<String> = violations.iter().map(ToString::to_string).collect();
                self.fail(&format!("the second opinion refuses {order:?} for {key}: {}", said.join("; ")));
            }
            if self.chance(12) {
                continue;
            }
            self.note(format!("{key}: {order:?}"));
            self.execute(key, order);
            self.engine.touch(key.clone());
        }
        count
    }

    fn execute(&mut self, key: &WorkloadKey, order: Order) {
        match order {
            Order::CreateAssignment(spec) => {
                assert!(!self.assignments.contains_key(key), "an Assignment is made twice");
                self.write_assignment(key, *spec);
            }
            Order::UpdateAssignment(spec) => self.write_assignment(key, *spec),
            Order::ReleaseAssignment => {
                self.assignments.remove(key);
                self.gone.retain(|(other, ..)| other != key);
                self.engine.apply(Change::Assignment(key.clone(), None), self.now);
            }
            Order::CreateMigration(name, spec) => {
                self.write_migration(key, name, *spec, MigrationStatus::default());
            }
            Order::RetargetMigration(name, to, digest) => {
                let old = self.migrations[&(key.clone(), name.clone())].clone();
                let spec = MigrationSpec { to, digest, ..old.spec };
                self.write_migration(key, name, spec, old.status.unwrap_or_default());
            }
            Order::FinishMigration(name, step, message) => {
                let old = self.migrations[&(key.clone(), name.clone())].clone();
                let given_up = step == domicile_crds::MigrationStep::RolledBack;
                self.memory.end(key, old.spec.seat, given_up, self.now);
                let status = MigrationStatus {
                    step: Some(step),
                    message: Some(message),
                    ..MigrationStatus::default()
                };
                self.write_migration(key, name, old.spec, status);
            }
            Order::Verify(name) => {
                if !self.unreachable.contains(&name) {
                    self.read_member(&name);
                }
            }
            Order::Apply(apply) => self.apply(key, &apply),
            Order::Remove(remove) => self.remove(key, &remove),
        }
    }

    fn write_assignment(&mut self, key: &WorkloadKey, spec: AssignmentSpec) {
        let old = self.assignments.get(key).map(|a| a.metadata.clone());
        let owner = OwnerReference {
            uid: format!("uid-{}-{}", key.namespace, key.name),
            ..OwnerReference::default()
        };
        let metadata = old.unwrap_or(ObjectMeta {
            name: Some(key.name.to_string()),
            namespace: Some(key.namespace.to_string()),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        });
        let object = Assignment { metadata, spec };
        self.assignments.insert(key.clone(), Arc::new(object.clone()));
        self.engine.apply(Change::Assignment(key.clone(), Some(Box::new(object))), self.now);
    }

    fn write_migration(
        &mut self,
        key: &WorkloadKey,
        name: String,
        spec: MigrationSpec,
        status: MigrationStatus,
    ) {
        let metadata = ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() };
        let object = Migration { metadata, spec, status: Some(status) };
        self.migrations.insert((key.clone(), name.clone()), object.clone());
        self.engine.apply(Change::Migration(key.clone(), name, Some(Box::new(object))), self.now);
    }

    fn apply(&mut self, key: &WorkloadKey, apply: &Apply) {
        if self.unreachable.contains(&apply.cluster) {
            self.fail(&format!("{key} is applied on {}, which doesn't answer", apply.cluster));
        }
        let fact = self.engine.world().workloads[key].clone();
        let manifests = fact.manifests.as_ref().unwrap();
        let tenant = TenantName::new(key.namespace.as_str()).unwrap();
        let world = self.engine.world();
        let id = world.find_cluster(&apply.cluster).unwrap();
        let target = Target {
            tenant: &tenant,
            key,
            ordinal: apply.ordinal,
            epoch: apply.epoch,
            mode: apply.mode,
            all_exclusive: fact.overlap == domicile_crds::Overlap::Forbid,
            completed_jobs: &apply.completed_jobs,
            cluster: world.cluster(id).unwrap().fact.as_ref(),
        };
        let mut written = Vec::new();
        for spec in manifests.objects.iter().filter(|o| apply.objects.contains(&o.object)) {
            let pods = spec.object.kind.runs_pods();
            let runs = pods && !target.is_off(spec);
            let view = ObjectView {
                digest: target.digest(spec),
                epoch: apply.epoch,
                ready: !pods,
                idle: !pods,
                completed: false,
                terminating: false,
            };
            written.push((
                spec.object.clone(),
                There { view, runs, exclusive: spec.exclusive, since: self.now },
            ));
        }
        self.gone.remove(&(key.clone(), apply.ordinal, apply.cluster.clone()));
        for (object, there) in written {
            self.members
                .get_mut(&apply.cluster)
                .unwrap()
                .insert((key.clone(), apply.ordinal, object.clone()), there);
            self.observed.member_mut(&apply.cluster).note(key, apply.ordinal, object, Some(there.view));
        }
        if apply.because == Because::Moving {
            self.never_twice(key);
        }
    }

    fn remove(&mut self, key: &WorkloadKey, remove: &Remove) {
        if let Removal::Moved { to } = &remove.because {
            let there = self.members[to]
                .iter()
                .filter(|((other, ordinal, _), _)| other == key && *ordinal == remove.ordinal);
            let (mut any, mut ready) = (false, true);
            for (_, there) in there {
                any = true;
                ready &= there.view.ready;
            }
            if !(any && ready) {
                self.fail(&format!("{key} is removed from {} before it is ready on {to}", remove.cluster));
            }
        }
        let objects: Vec<ObjectRef> = remove.objects.iter().filter_map(object).collect();
        for object in objects {
            self.members.get_mut(&remove.cluster).unwrap().remove(&(
                key.clone(),
                remove.ordinal,
                object.clone(),
            ));
            self.observed.member_mut(&remove.cluster).note(key, remove.ordinal, object, None);
        }
        if remove.because != Removal::Pruned {
            self.gone.insert((key.clone(), remove.ordinal, remove.cluster.clone()));
        }
    }

    /// What must never run twice has pods at one place only.
    fn never_twice(&self, key: &WorkloadKey) {
        let mut places: BTreeMap<(i32, ObjectRef), Vec<&ClusterName>> = BTreeMap::new();
        for (name, member) in &self.members {
            for ((other, ordinal, object), there) in member {
                if other == key && there.exclusive && there.runs {
                    places.entry((*ordinal, object.clone())).or_default().push(name);
                }
            }
        }
        if let Some((what, places)) = places.iter().find(|(_, places)| places.len() > 1) {
            self.fail(&format!("{key}: {what:?} runs at {places:?}"));
        }
    }

    /// What must hold at every moment.
    pub(crate) fn look(&self) {
        for key in self.shapes.keys() {
            self.never_twice(key);
        }
        for (key, assignment) in &self.assignments {
            let mut used = BTreeSet::new();
            for seat in &assignment.spec.seats {
                if !used.insert(&seat.cluster) {
                    self.fail(&format!("{key} has two copies on {}", seat.cluster));
                }
            }
        }
        for (name, member) in &self.members {
            for ((key, ordinal, _), there) in member {
                let known = self.assignments.contains_key(key);
                if !known {
                    self.fail(&format!(
                        "{key}/{ordinal} is on {name} since {} without a record",
                        there.since
                    ));
                }
            }
        }
    }

    /// Everything becomes lawful and answers again.
    pub(crate) fn calm(&mut self) {
        self.note("calm".to_owned());
        self.unreachable.clear();
        for provider in world::PROVIDERS {
            self.decide("HostingProvider", provider, "Approved", true);
        }
        self.decide("Tenant", world::TENANTS[0], "Approved", true);
        for (name, site, country, operator) in world::MEMBERS {
            self.sites.insert(site, "Online");
            self.scheduling.insert(name, "Open");
            self.tell_site(site, country, operator);
            self.tell_member(name, site);
        }
        self.beat();
    }

    /// In the end nothing is left to do, and everything is where it should be.
    pub(crate) fn rest(&mut self) {
        let mut quiet = 0;
        for _ in 0..400 {
            self.now += SignedDuration::from_secs(10);
            self.beat();
            self.kubelets();
            quiet = if self.round() == 0 { quiet + 1 } else { 0 };
            self.look();
            // A move that was given up is tried again after five minutes: rest must outlast that.
            if quiet > 40 {
                break;
            }
        }
        if quiet <= 40 {
            self.fail("it doesn't come to rest");
        }
        for (key, workload) in &self.workloads {
            let Some(assignment) = self.assignments.get(key) else {
                self.fail(&format!("{key} has no place"))
            };
            let count = usize::try_from(workload.spec.clusters.count).unwrap();
            if assignment.spec.seats.len() != count {
                self.fail(&format!("{key} has {} copies instead of {count}", assignment.spec.seats.len()));
            }
            for seat in &assignment.spec.seats {
                if !domicile_core::orders::is_ready(self.engine.world(), &self.observed, key, seat) {
                    self.fail(&format!("{key} isn't ready on {}", seat.cluster));
                }
            }
            let places: BTreeSet<&ClusterName> =
                assignment.spec.seats.iter().map(|seat| &seat.cluster).collect();
            let strays = self.members.iter().filter(|(name, member)| {
                !places.contains(name) && member.keys().any(|(other, ..)| other == key)
            });
            if let Some((stray, _)) = strays.into_iter().next() {
                self.fail(&format!("something of {key} was left on {stray}"));
            }
        }
        let left = self.assignments.keys().find(|key| !self.workloads.contains_key(*key));
        if let Some(key) = left {
            self.fail(&format!("the record of {key} was left behind"));
        }
    }
}
