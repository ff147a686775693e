//! The simulated hub, members and time.

mod acts;
mod changes;
mod exposed;
mod jobs;
mod planned;
mod truths;

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
    orders::{Desk, Outlook, departure, orders, releases},
};
use domicile_crds::{
    Assignment, ClusterName, Decision, Migration, NamespaceName, ProviderName, TenantName, TenantWorkload,
    WorkloadKey,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::world;

/// An object on a simulated member.
#[derive(Clone, Copy, Debug)]
struct There {
    view: ObjectView,
    /// It has pods.
    runs: bool,
    exclusive: bool,
    since: Timestamp,
    /// Hash of the manifest.
    manifest: u64,
    /// A Job that goes by itself once it has finished.
    expires: bool,
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
    /// Services and EndpointSlices that are kept on the hub, by workload and name.
    hub_services: BTreeMap<(WorkloadKey, String), Value>,
    hub_slices: BTreeMap<(WorkloadKey, String), Value>,
    members: BTreeMap<ClusterName, Member>,
    unreachable: BTreeSet<ClusterName>,
    sites: BTreeMap<&'static str, &'static str>,
    scheduling: BTreeMap<&'static str, &'static str>,
    narrow: BTreeMap<&'static str, bool>,
    /// Workloads with manifests that no tenant may have.
    unreadable: BTreeSet<WorkloadKey>,
    modes: BTreeMap<&'static str, &'static str>,
    /// Jobs that were on record as completed, with the hash of what has.
    done: BTreeSet<(WorkloadKey, i32, String, String)>,
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
            hub_services: BTreeMap::new(),
            hub_slices: BTreeMap::new(),
            members: world::MEMBERS.iter().map(|(name, ..)| (cluster(name), Member::new())).collect(),
            unreachable: BTreeSet::new(),
            sites: world::MEMBERS.iter().map(|(_, site, ..)| (*site, "Online")).collect(),
            scheduling: world::MEMBERS.iter().map(|(name, ..)| (*name, "Open")).collect(),
            narrow: world::TENANTS.iter().map(|name| (*name, false)).collect(),
            unreadable: BTreeSet::new(),
            modes: world::TENANTS.into_iter().zip(world::MODES).collect(),
            done: BTreeSet::new(),
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
        sim.make_workload(world::TENANTS[0], "five", 3, 1);
        sim.make_workload(world::TENANTS[1], "six", 4, 1);
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
            let provider = world::provider(name);
            let change =
                Change::Provider(ProviderName::new(name).unwrap(), Some(Arc::new(provider.spec.clone())));
            self.engine.apply(change, now);
            self.facts.provider(Arc::new(provider));
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
        self.list_exposed();
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
                    there.view.serving = there.runs;
                    there.view.idle = !there.runs;
                    let view = there.view;
                    let (key, ordinal, object) = place;
                    self.observed.member_mut(&name).note(&key, ordinal, object, Some(view));
                    self.engine.touch(key);
                }
            }
            self.jobs_go_on(&name);
        }
    }

    /// One round of the brain. Answers how many orders there were.
    fn round(&mut self) -> usize {
        self.locate();
        self.engine.advance(self.now);
        let mut keys = self.engine.take_dirty();
        // Timers are not simulated one by one: whoever has a move or a record is looked at.
        keys.extend(self.migrations.keys().map(|(key, _)| key.clone()));
        keys.extend(self.assignments.keys().cloned());
        let verdicts = self.engine.decide(&keys, self.now);
        let mut count = 0;
        for key in &keys {
            let desk = self.desk();
            let orders = releases(desk.world, key);
            count += self.carry_out(key, Outlook { orders, ..Outlook::default() });
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
}
