//! Keeps the answers up to date: a change touches only the workloads that it can affect.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use domicile_crds::{
    Assignment, ClusterName, CountrySetName, CountrySetSpec, DecisionName, DecisionSpec, InstallationSpec,
    MemberCluster, Migration, NamespaceName, ProviderName, Relocation, RelocationName, SiteName, SiteSpec,
    Subject, SubjectKind, TenantName, TenantSpec, TenantWorkload, WorkloadKey, keys,
};
use jiff::Timestamp;

use crate::{
    World,
    class::{ClassId, Classes},
    decide::{Verdict, Wish, decide_all},
    eligibility::Cell,
    facts::{AssignmentFact, Brakes, ClusterFact, MigrationFact, RelocationFact, SiteFact, WorkloadFact},
    quantity::Resources,
    world::ClusterId,
};

/// Something was observed. `None` means that the object is gone.
#[derive(Clone, Debug)]
pub enum Change {
    /// A country set.
    CountrySet(CountrySetName, Option<CountrySetSpec>),
    /// A provider.
    Provider(ProviderName, bool),
    /// A site.
    Site(SiteName, Option<SiteSpec>),
    /// A member cluster.
    Cluster(ClusterName, Option<Box<MemberCluster>>),
    /// A member was seen at this time.
    Seen(ClusterName, Timestamp),
    /// The hub's own objects were complete at this time.
    HubSeen(Timestamp),
    /// A member says that a namespace is, or isn't, somebody else's.
    NamespaceTaken(ClusterName, NamespaceName, bool),
    /// A decision.
    Decision(DecisionName, Option<Arc<DecisionSpec>>),
    /// A tenant.
    Tenant(TenantName, Option<Box<TenantSpec>>),
    /// A namespace of the hub, with the tenant that its label names.
    Namespace(NamespaceName, Option<Option<TenantName>>),
    /// A workload.
    Workload(WorkloadKey, Option<Box<TenantWorkload>>),
    /// Where a workload's copies are.
    Assignment(WorkloadKey, Option<Box<Assignment>>),
    /// A move.
    Migration(WorkloadKey, String, Option<Box<Migration>>),
    /// A campaign.
    Relocation(RelocationName, Option<Box<Relocation>>),
    /// The brakes.
    Installation(Option<InstallationSpec>),
}

/// The world, what follows from it, and what hasn't been looked at since it changed.
#[derive(Debug, Default)]
pub struct Engine {
    world: World,
    classes: Classes,
    on_cluster: HashMap<ClusterId, BTreeSet<WorkloadKey>>,
    used_by: HashMap<WorkloadKey, Vec<ClusterId>>,
    reserved: HashMap<WorkloadKey, Resources>,
    /// Who looked for a place in vain the last time: room that becomes free may be theirs.
    waiting: BTreeSet<WorkloadKey>,
    dirty: BTreeSet<WorkloadKey>,
}

impl Engine {
    /// The facts.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The classes and their answers.
    #[must_use]
    pub fn classes(&self) -> &Classes {
        &self.classes
    }

    /// Looks at a workload again, whatever has changed.
    pub fn touch(&mut self, key: WorkloadKey) {
        self.dirty.insert(key);
    }

    /// Whether anything waits to be looked at.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.dirty.is_empty()
    }

    /// The workloads that have or are about to have something on a cluster.
    pub fn on_cluster(&self, name: &ClusterName) -> impl Iterator<Item = &WorkloadKey> {
        let id = self.world.find_cluster(name);
        id.and_then(|id| self.on_cluster.get(&id)).into_iter().flatten()
    }

    /// Takes note of a change.
    pub fn apply(&mut self, change: Change, now: Timestamp) {
        match change {
            Change::CountrySet(name, spec) => {
                set(&mut self.world.sets, name, spec);
                self.refresh_all(now);
            }
            Change::Provider(name, exists) => {
                if exists {
                    self.world.providers.insert(name.clone());
                } else {
                    self.world.providers.remove(&name);
                }
                self.refresh_provider(name.as_str(), now);
            }
            Change::Site(name, spec) => {
                set(&mut self.world.sites, name.clone(), spec.as_ref().map(SiteFact::from));
                self.refresh_where(now, |site, _| *site == name);
            }
            Change::Decision(name, spec) => self.apply_decision(name, spec, now),
            Change::Tenant(name, spec) => self.apply_tenant(name, spec.as_deref(), now),
            Change::Namespace(name, label) => {
                set(&mut self.world.labelled, name.clone(), label);
                self.reclassify(&BTreeSet::from([name]), now);
            }
            Change::Relocation(name, object) => self.apply_relocation(&name, object),
            Change::Installation(spec) => {
                let spec = spec.unwrap_or_default();
                self.world.brakes =
                    Brakes { paused: spec.paused, max_moves_per_hour: spec.max_moves_per_hour };
                self.dirty.extend(self.world.migrations.keys().cloned());
            }
            Change::HubSeen(at) => self.world.hub_seen = Some(at),
            Change::Cluster(..) | Change::Seen(..) | Change::NamespaceTaken(..) => {
                self.apply_member(change, now);
            }
            Change::Workload(..) | Change::Assignment(..) | Change::Migration(..) => {
                self.apply_workload(change, now);
            }
        }
    }

    fn apply_member(&mut self, change: Change, now: Timestamp) {
        match change {
            Change::Cluster(name, object) => {
                let id = self.world.cluster_id(&name);
                let fact = object.as_deref().map(ClusterFact::from);
                if let Some(row) = self.world.cluster_mut(id) {
                    if fact.is_none() {
                        // What comes back under this name may be another cluster.
                        row.seen = None;
                        row.taken.clear();
                    }
                    row.fact = fact;
                }
                self.refresh(&[id], now);
            }
            Change::Seen(name, at) => {
                let id = self.world.cluster_id(&name);
                let was_stale = self.world.is_stale(id, now);
                if let Some(row) = self.world.cluster_mut(id) {
                    row.seen = Some(at);
                }
                if was_stale {
                    self.refresh(&[id], now);
                    self.reconsider(id);
                }
            }
            Change::NamespaceTaken(name, namespace, taken) => {
                let id = self.world.cluster_id(&name);
                if let Some(row) = self.world.cluster_mut(id) {
                    if taken {
                        row.taken.insert(namespace)
                    } else {
                        row.taken.remove(&namespace)
                    };
                }
                self.refresh(&[id], now);
            }
            _ => {}
        }
    }

    fn apply_workload(&mut self, change: Change, now: Timestamp) {
        let key = match change {
            Change::Workload(key, object) => {
                let fact = object.as_deref().map(|object| Arc::new(WorkloadFact::from(object)));
                if fact.is_none() {
                    self.waiting.remove(&key);
                }
                set(&mut self.world.workloads, key.clone(), fact);
                self.classes.classify(&self.world, &key, now);
                key
            }
            Change::Assignment(key, object) => {
                let fact = object.as_deref().map(assignment_fact);
                set(&mut self.world.assignments, key.clone(), fact);
                key
            }
            Change::Migration(key, name, object) => {
                let moves = self.world.migrations.entry(key.clone()).or_default();
                set(moves, name.clone(), object.as_deref().map(|object| migration_fact(name, object)));
                if moves.is_empty() {
                    self.world.migrations.remove(&key);
                }
                key
            }
            _ => return,
        };
        self.reindex(&key);
        self.dirty.insert(key);
    }

    fn apply_relocation(&mut self, name: &RelocationName, object: Option<Box<Relocation>>) {
        set(&mut self.world.relocations, name.clone(), object.map(|o| RelocationFact { spec: o.spec }));
        for (key, moves) in &self.world.migrations {
            if moves.values().any(|m| m.spec.relocation.as_ref() == Some(name)) {
                self.dirty.insert(key.clone());
            }
        }
    }

    fn apply_decision(&mut self, name: DecisionName, spec: Option<Arc<DecisionSpec>>, now: Timestamp) {
        let mut subjects: BTreeSet<Subject> = self.world.decisions.remove(&name).into_iter().collect();
        // Others may have named it as their predecessor: whether it exists makes a difference to them.
        subjects.extend(self.world.decisions.subjects_naming(&name).cloned());
        if let Some(spec) = spec {
            subjects.insert(self.world.decisions.insert(name, spec));
        }
        for subject in subjects {
            self.refresh_subject(&subject, now);
        }
    }

    fn refresh_subject(&mut self, subject: &Subject, now: Timestamp) {
        match subject.kind {
            SubjectKind::HostingProvider => self.refresh_provider(&subject.name, now),
            SubjectKind::Site => self.refresh_where(now, |site, _| site.as_str() == subject.name),
            SubjectKind::Tenant => {
                let all = self.world.clusters_by_name().to_vec();
                for class in self.classes.ids() {
                    if self.classes.row(class).is_some_and(|row| row.class.tenant.as_str() == subject.name) {
                        self.refresh_class(class, &all, now);
                    }
                }
            }
            SubjectKind::TenantWorkload => {
                if let Some((namespace, name)) = subject.name.split_once('/')
                    && let Ok(key) = WorkloadKey::new(namespace, name)
                {
                    self.dirty.insert(key);
                }
            }
        }
    }

    fn apply_tenant(&mut self, name: TenantName, spec: Option<&TenantSpec>, now: Timestamp) {
        let mut touched: BTreeSet<NamespaceName> = BTreeSet::new();
        if let Some(old) = self.world.tenants.remove(&name) {
            for namespace in old.namespaces {
                if let Some(tenants) = self.world.namespaces.get_mut(&namespace) {
                    tenants.remove(&name);
                }
                touched.insert(namespace);
            }
        }
        if let Some(spec) = spec {
            for namespace in &spec.namespaces {
                self.world.namespaces.entry(namespace.clone()).or_default().insert(name.clone());
                touched.insert(namespace.clone());
            }
            self.world.tenants.insert(name, spec.into());
        }
        self.reclassify(&touched, now);
    }

    /// Puts the workloads of these namespaces into their classes anew.
    fn reclassify(&mut self, namespaces: &BTreeSet<NamespaceName>, now: Timestamp) {
        for namespace in namespaces {
            let from = WorkloadKey { namespace: namespace.clone(), name: first_name() };
            let keys: Vec<WorkloadKey> = self
                .world
                .workloads
                .range(from..)
                .map(|(key, _)| key.clone())
                .take_while(|key| key.namespace == *namespace)
                .collect();
            for key in keys {
                self.classes.classify(&self.world, &key, now);
                self.dirty.insert(key);
            }
        }
    }

    fn refresh_provider(&mut self, provider: &str, now: Timestamp) {
        self.refresh_where(now, |_, site| {
            site.is_some_and(|s| s.operated_by.as_str() == provider || s.owned_by.as_str() == provider)
        });
    }

    fn refresh_where(&mut self, now: Timestamp, concerns: impl Fn(&SiteName, Option<&SiteFact>) -> bool) {
        let at_site = |id: &&ClusterId| {
            let fact = self.world.cluster(**id).and_then(|row| row.fact.as_ref());
            fact.is_some_and(|fact| concerns(&fact.site, self.world.sites.get(&fact.site)))
        };
        let clusters: Vec<ClusterId> =
            self.world.clusters_by_name().iter().filter(at_site).copied().collect();
        self.refresh(&clusters, now);
    }

    fn refresh_all(&mut self, now: Timestamp) {
        let all = self.world.clusters_by_name().to_vec();
        self.refresh(&all, now);
    }

    fn refresh(&mut self, clusters: &[ClusterId], now: Timestamp) {
        for class in self.classes.ids() {
            self.refresh_class(class, clusters, now);
        }
    }

    /// Judges clusters again for a class and notes whom the differences can affect.
    fn refresh_class(&mut self, class: ClassId, clusters: &[ClusterId], now: Timestamp) {
        for (id, old) in self.classes.refresh(&self.world, class, clusters, now) {
            let Some(row) = self.classes.row(class) else { continue };
            let new = row.cell(id);
            let differs =
                |cell: Cell| (cell.failing, cell.unknown, cell.evacuating, cell.tier, cell.tier_at_best);
            if differs(old) == differs(new) {
                continue;
            }
            let there = self.on_cluster.get(&id).into_iter().flatten();
            self.dirty.extend(there.filter(|key| row.members.contains(*key)).cloned());
            if new.is_open() {
                let world = &self.world;
                let gains = |key: &&WorkloadKey| gains(world, row, key, new.tier);
                self.dirty.extend(row.members.iter().filter(gains).cloned());
            }
        }
    }

    /// A cluster can be used again: whoever lacks a place may get one there.
    fn reconsider(&mut self, id: ClusterId) {
        self.dirty.extend(self.on_cluster.get(&id).into_iter().flatten().cloned());
        for class in self.classes.ids() {
            let Some(row) = self.classes.row(class).filter(|row| row.cell(id).is_open()) else { continue };
            let tier = row.cell(id).tier;
            let gains = |key: &&WorkloadKey| gains(&self.world, row, key, tier);
            self.dirty.extend(row.members.iter().filter(gains).cloned());
        }
    }

    /// Keeps the index of who uses which cluster, and what is used of it.
    fn reindex(&mut self, key: &WorkloadKey) {
        let demand = self.reserved.remove(key).unwrap_or_default();
        for id in self.used_by.remove(key).unwrap_or_default() {
            if let Some(keys) = self.on_cluster.get_mut(&id) {
                keys.remove(key);
            }
            if let Some(row) = self.world.cluster_mut(id) {
                row.used -= demand;
            }
        }
        let names = self.world.clusters_used_by(key);
        if demand != Resources::default() {
            self.dirty.extend(std::mem::take(&mut self.waiting));
        }
        if names.is_empty() {
            return;
        }
        let manifests = self.world.workloads.get(key).and_then(|w| w.manifests.as_ref().ok());
        let demand = manifests.map(|m| m.demand).unwrap_or_default();
        let ids: Vec<ClusterId> = names.iter().map(|name| self.world.cluster_id(name)).collect();
        for id in &ids {
            self.on_cluster.entry(*id).or_default().insert(key.clone());
            if let Some(row) = self.world.cluster_mut(*id) {
                row.used += demand;
            }
        }
        self.reserved.insert(key.clone(), demand);
        self.used_by.insert(key.clone(), ids);
    }

    /// Lets time pass: answers that have changed by themselves until `now` are judged again.
    pub fn advance(&mut self, now: Timestamp) {
        for class in self.classes.ids() {
            let Some(row) = self.classes.row(class) else { continue };
            if row.next.is_some_and(|next| next <= now) {
                let due = row.due(&self.world, now);
                self.refresh_class(class, &due, now);
            }
        }
    }

    /// When [`advance`](Self::advance) has something to do next.
    #[must_use]
    pub fn next(&self) -> Option<Timestamp> {
        self.classes.ids().filter_map(|id| self.classes.row(id)?.next).min()
    }

    /// The workloads to be looked at again, which are then forgotten.
    pub fn take_dirty(&mut self) -> BTreeSet<WorkloadKey> {
        std::mem::take(&mut self.dirty)
    }

    /// Decides for `keys`.
    #[must_use]
    pub fn decide(&mut self, keys: &BTreeSet<WorkloadKey>, now: Timestamp) -> Vec<Verdict> {
        let verdicts = decide_all(&self.world, &self.classes, keys, now);
        for verdict in &verdicts {
            if verdict.seats.iter().any(|seat| matches!(seat.wish, Wish::Wait | Wish::Stuck { .. })) {
                self.waiting.insert(verdict.key.clone());
            } else {
                self.waiting.remove(&verdict.key);
            }
        }
        verdicts
    }
}

/// Whether an open cluster of `tier` can make a difference to a workload.
fn gains(world: &World, row: &crate::class::ClassRow, key: &WorkloadKey, tier: u16) -> bool {
    let seats = world.active_seats(key);
    let wanted = world.workloads.get(key).map_or(0, |w| w.clusters.count);
    if i32::try_from(seats.len()).unwrap_or(i32::MAX) < wanted {
        return true;
    }
    seats.iter().any(|seat| {
        world.find_cluster(&seat.cluster).is_none_or(|id| {
            let cell = row.cell(id);
            cell.tier_at_best > tier || !cell.is_open()
        })
    })
}

fn first_name() -> domicile_crds::WorkloadName {
    // "0" sorts before every other DNS-1123 label, and is one.
    #[expect(clippy::expect_used, reason = "a constant that the names' own test accepts")]
    domicile_crds::WorkloadName::new("0").expect("0 is a name")
}

/// Maps that have an insert and a remove.
trait Table<K, V> {
    fn put(&mut self, key: K, value: V);
    fn take(&mut self, key: &K);
}

impl<K: std::hash::Hash + Eq, V> Table<K, V> for HashMap<K, V> {
    fn put(&mut self, key: K, value: V) {
        self.insert(key, value);
    }

    fn take(&mut self, key: &K) {
        self.remove(key);
    }
}

impl<K: Ord, V> Table<K, V> for std::collections::BTreeMap<K, V> {
    fn put(&mut self, key: K, value: V) {
        self.insert(key, value);
    }

    fn take(&mut self, key: &K) {
        self.remove(key);
    }
}

fn set<K, V>(table: &mut impl Table<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => table.put(key, value),
        None => table.take(&key),
    }
}

fn assignment_fact(object: &Assignment) -> AssignmentFact {
    let meta = &object.metadata;
    let abandoned = meta.annotations.as_ref().and_then(|a| a.get(keys::ABANDON_ANNOTATION));
    AssignmentFact {
        tenant: object.spec.tenant.clone(),
        spec: Arc::new(object.spec.clone()),
        deleting: meta.deletion_timestamp.is_some(),
        resource_version: meta.resource_version.clone().unwrap_or_default(),
        abandoned: abandoned.map(|a| a.split(',').map(|s| s.trim().to_owned()).collect()).unwrap_or_default(),
    }
}

fn migration_fact(name: String, object: &Migration) -> MigrationFact {
    MigrationFact {
        name,
        spec: Arc::new(object.spec.clone()),
        step: object.status.as_ref().and_then(|status| status.step),
    }
}
