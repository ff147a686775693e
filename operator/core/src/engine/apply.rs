//! Taking note of changes: what they are about is remembered, and judged when the engine is next advanced.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use domicile_crds::{
    Assignment, CLEANUP_FINALIZER, ClusterName, DecisionName, DecisionSpec, MemberCluster, Migration,
    NamespaceName, Relocation, RelocationName, SiteName, SiteSpec, Subject, SubjectKind, TenantName,
    TenantSpec, WorkloadKey, keys,
};
use jiff::Timestamp;

use super::{Change, Engine, upkeep::stale_from};
use crate::{
    facts::{AssignmentFact, Brakes, ClusterFact, MigrationFact, RelocationFact, SiteFact, WorkloadFact},
    manifests::{Kind, ObjectRef},
    world::ClusterId,
};

impl Engine {
    /// Takes note of a change.
    pub fn apply(&mut self, change: Change, now: Timestamp) {
        match change {
            Change::CountrySet(name, spec) => {
                set(&mut self.world.sets, name.clone(), spec);
                self.touched.sets.insert(name);
            }
            Change::Provider(name, spec) => {
                if self.world.providers.contains(&name) != spec.is_some() {
                    self.touch_provider(name.as_str());
                }
                self.touched.providers = true;
                self.world.providers.set(name, spec);
            }
            Change::Site(name, spec) => self.apply_site(name, spec.as_ref()),
            Change::Decision(name, spec) => self.apply_decision(name, spec),
            Change::Tenant(name, spec) => self.apply_tenant(name, spec.as_deref()),
            Change::Namespace(name, label) => {
                set(&mut self.world.labelled, name.clone(), label);
                self.reclassify(&BTreeSet::from([name]));
            }
            Change::Secret(namespace, name, version) => self.apply_secret(&namespace, name, version),
            Change::Relocation(name, object) => self.apply_relocation(&name, object.as_deref()),
            Change::Installation(spec) => {
                let spec = spec.unwrap_or_default();
                if self.world.decisions.set_two_persons(spec.two_person_rule) {
                    self.decisions_differ();
                }
                let new = Brakes { paused: spec.paused, max_moves_per_hour: spec.max_moves_per_hour };
                if std::mem::replace(&mut self.world.brakes, new) != new {
                    self.brakes_differ();
                }
            }
            Change::HubSeen(at) => {
                self.world.hub_seen = Some(at);
                let fresh = Some(stale_from(at)).filter(|at| *at > now);
                if fresh.is_some() != self.hub_stale_from.is_some() {
                    self.dirty.extend(self.world.workloads.keys().cloned());
                }
                self.hub_stale_from = fresh;
            }
            Change::Cluster(name, object) => self.apply_cluster(&name, object.as_deref()),
            Change::Seen(name, at) => {
                let id = self.world.cluster_id(&name);
                self.apply_seen(id, Some(at), now);
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
                self.touched.clusters.insert(id);
            }
            Change::Originals(key, cluster, there) => self.apply_originals(key, cluster, there),
            Change::Exposure(change) => {
                for key in self.world.exposure.apply(change) {
                    self.touch(key);
                }
            }
            Change::Workload(..) | Change::Assignment(..) | Change::Migration(..) => {
                self.apply_workload(change);
            }
        }
    }

    fn apply_originals(&mut self, key: WorkloadKey, cluster: ClusterName, there: bool) {
        let known = self.world.originals.entry(key.clone()).or_default();
        if there {
            known.insert(cluster);
        } else {
            known.remove(&cluster);
        }
        if known.is_empty() {
            self.world.originals.remove(&key);
        }
        self.touch(key);
    }

    fn apply_cluster(&mut self, name: &ClusterName, object: Option<&MemberCluster>) {
        let id = self.world.cluster_id(name);
        let new = object.map(ClusterFact::from);
        let old = self.world.cluster(id).and_then(|row| row.fact.clone());
        let (before, after) = (old.as_ref(), new.as_ref());
        self.touched.clusters.insert(id);
        if before.map(|fact| fact.limit) != after.map(|fact| fact.limit) {
            self.resized(id);
        }
        if before.map(|fact| fact.ready_since) != after.map(|fact| fact.ready_since) {
            self.touched.reopened.insert(id);
        }
        if before.map(|fact| fact.leaving) != after.map(|fact| fact.leaving) {
            self.concerns(id);
        }
        if before.map(|fact| &fact.site) != after.map(|fact| &fact.site) {
            self.places_differ();
        }
        let is_gone = new.is_none();
        self.world.set_cluster(id, new);
        if is_gone {
            // What comes back under this name may be another cluster.
            if let Some(row) = self.world.cluster_mut(id) {
                row.taken.clear();
            }
            self.apply_seen(id, None, Timestamp::MAX);
        }
    }

    fn apply_seen(&mut self, id: ClusterId, seen: Option<Timestamp>, now: Timestamp) {
        let Some(row) = self.world.cluster_mut(id) else { return };
        let before = std::mem::replace(&mut row.seen, seen);
        let was_fresh = before.is_some_and(|seen| self.ageing.remove(&(stale_from(seen), id)));
        let fresh = seen.map(stale_from).filter(|at| *at > now);
        self.ageing.extend(fresh.map(|at| (at, id)));
        if fresh.is_some() != was_fresh {
            self.concerns(id);
            self.touched.reopened.insert(id);
        }
    }

    fn apply_site(&mut self, name: SiteName, spec: Option<&SiteSpec>) {
        self.touched.clusters.extend(self.world.clusters_at(&name));
        self.places_differ();
        set(&mut self.world.sites, name, spec.map(SiteFact::from));
    }

    /// A site, its country or its providers are others now, which no answer need show: copies are kept apart by
    /// them, causes name them, and the scopes of decisions about workloads are judged by them.
    fn places_differ(&mut self) {
        self.touched.news.places = true;
        self.dirty.extend(self.world.decisions.workloads().filter_map(key_of_subject));
        self.dirty.extend(self.unclassed.iter().cloned());
    }

    fn apply_workload(&mut self, change: Change) {
        let key = match change {
            Change::Workload(key, object) => {
                let fact = object.as_deref().map(|object| Arc::new(WorkloadFact::from(object)));
                self.list_in_namespace(&key, fact.is_some());
                if fact.is_none() {
                    self.world.exposure.forget(&key);
                }
                set(&mut self.world.workloads, key.clone(), fact);
                self.classes.classify(&self.world, &key);
                key
            }
            Change::Assignment(key, object) => {
                let mut fact = object.as_deref().map(assignment_fact);
                if let Some((old, new)) = self.world.assignments.get(&key).zip(fact.as_mut()) {
                    new.witnessed = old.witnessed && (&old.uid, &old.owner) == (&new.uid, &new.owner);
                }
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
        self.witness(&key);
        self.reindex(&key);
        self.note_class(&key);
        self.dirty.insert(key);
    }

    fn witness(&mut self, key: &WorkloadKey) {
        if let Some(record) = self.world.assignments.get_mut(key)
            && let Some(workload) = self.world.workloads.get(key)
        {
            record.witnessed |= record.owner.as_ref() == Some(&workload.uid);
        }
    }

    fn note_class(&mut self, key: &WorkloadKey) {
        if self.world.assignments.contains_key(key) && self.classes.id_of(key).is_none() {
            self.unclassed.insert(key.clone());
        } else {
            self.unclassed.remove(key);
        }
    }

    fn list_in_namespace(&mut self, key: &WorkloadKey, exists: bool) {
        if exists {
            self.in_namespace.entry(key.namespace.clone()).or_default().insert(key.clone());
        } else if let Some(there) = self.in_namespace.get_mut(&key.namespace) {
            there.remove(key);
            if there.is_empty() {
                self.in_namespace.remove(&key.namespace);
            }
        }
    }

    fn apply_relocation(&mut self, name: &RelocationName, object: Option<&Relocation>) {
        let spec = object.map(|object| &object.spec);
        if self.world.relocations.get(name).map(|fact| &fact.spec) == spec {
            return;
        }
        let fact = spec.map(|spec| RelocationFact { spec: spec.clone() });
        set(&mut self.world.relocations, name.clone(), fact);
        self.brakes_differ();
    }

    /// Whoever is placed may wait for that: nothing is recorded of a move that may not begin.
    fn brakes_differ(&mut self) {
        self.dirty.extend(self.world.assignments.keys().chain(self.world.migrations.keys()).cloned());
    }

    /// Every decision may count for something else now.
    fn decisions_differ(&mut self) {
        self.touched.clusters.extend(self.world.clusters_by_name());
        self.dirty.extend(self.world.workloads.keys().chain(self.world.assignments.keys()).cloned());
    }

    fn apply_decision(&mut self, name: DecisionName, spec: Option<Arc<DecisionSpec>>) {
        let mut subjects: BTreeSet<Subject> = self.world.decisions.remove(&name).into_iter().collect();
        // Others may have named it as their predecessor: whether it exists makes a difference to them.
        subjects.extend(self.world.decisions.subjects_naming(&name).cloned());
        if let Some(spec) = spec {
            subjects.insert(self.world.decisions.insert(name, spec));
        }
        for subject in subjects {
            self.touch_subject(&subject);
        }
        self.dirty.extend(self.unclassed.iter().cloned());
    }

    fn touch_subject(&mut self, subject: &Subject) {
        if subject.is_every() {
            self.touched.clusters.extend(self.world.clusters_by_name());
            self.dirty.extend(self.world.assignments.keys().cloned());
            return;
        }
        match subject.kind {
            SubjectKind::HostingProvider => self.touch_provider(&subject.name),
            SubjectKind::Site => {
                if let Ok(site) = SiteName::new(&subject.name) {
                    self.touched.clusters.extend(self.world.clusters_at(&site));
                }
            }
            SubjectKind::Tenant => self.touched.tenants.extend(TenantName::new(&subject.name)),
            SubjectKind::TenantWorkload => self.dirty.extend(key_of_subject(&subject.name)),
        }
    }

    fn touch_provider(&mut self, provider: &str) {
        let theirs = self.world.clusters_of(|name| name.as_str() == provider);
        self.touched.clusters.extend(theirs);
    }

    fn apply_tenant(&mut self, name: TenantName, spec: Option<&TenantSpec>) {
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
        self.reclassify(&touched);
    }

    fn apply_secret(&mut self, namespace: &NamespaceName, name: String, version: Option<u64>) {
        let there = self.world.secrets.entry(namespace.clone()).or_default();
        if there.get(&name).copied() == version {
            return;
        }
        let object = ObjectRef { kind: Kind::SECRET, name: name.as_str().into() };
        set(there, name, version);
        if there.is_empty() {
            self.world.secrets.remove(namespace);
        }
        let copies = |key: &&WorkloadKey| {
            let manifests = self.world.workloads.get(key).and_then(|w| w.manifests.as_ref().ok());
            manifests.is_some_and(|m| m.objects.iter().any(|other| other.object == object))
        };
        let concerned = self.in_namespace.get(namespace).into_iter().flatten().filter(copies);
        self.dirty.extend(concerned.cloned());
    }

    /// Puts the workloads of these namespaces into their classes anew.
    fn reclassify(&mut self, namespaces: &BTreeSet<NamespaceName>) {
        let there = namespaces.iter().filter_map(|namespace| self.in_namespace.get(namespace)).flatten();
        for key in there.cloned().collect::<Vec<_>>() {
            self.classes.classify(&self.world, &key);
            self.note_class(&key);
            self.dirty.insert(key);
        }
    }

    /// Keeps the index of who uses which cluster, and what is used of it.
    fn reindex(&mut self, key: &WorkloadKey) {
        // What was promised is on record now, or will be decided anew.
        self.touched.news.freed.extend(self.pending.forget(key));
        let demand = self.reserved.remove(key).unwrap_or_default();
        for id in self.used_by.remove(key).unwrap_or_default() {
            if let Some(keys) = self.on_cluster.get_mut(&id) {
                keys.remove(key);
            }
            if let Some(row) = self.world.cluster_mut(id) {
                row.used -= demand;
            }
            self.touched.news.freed.insert(id);
        }
        let names = self.world.clusters_used_by(key);
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
}

fn key_of_subject(subject: &str) -> Option<WorkloadKey> {
    let (namespace, name) = subject.split_once('/')?;
    WorkloadKey::new(namespace, name).ok()
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

impl<K: Ord, V> Table<K, V> for BTreeMap<K, V> {
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
    let owners = meta.owner_references.iter().flatten();
    let owner =
        owners.filter(|owner| owner.kind == "TenantWorkload").map(|owner| owner.uid.as_str().into()).next();
    AssignmentFact {
        uid: meta.uid.as_deref().map(Into::into),
        witnessed: false,
        owner,
        tenant: object.spec.tenant.clone(),
        spec: Arc::new(object.spec.clone()),
        created: meta.creation_timestamp.as_ref().map(|t| t.0),
        deleting: meta.deletion_timestamp.is_some(),
        resource_version: meta.resource_version.clone().unwrap_or_default(),
        abandoned: abandoned.map(|a| a.split(',').map(|s| s.trim().to_owned()).collect()).unwrap_or_default(),
    }
}

fn migration_fact(name: String, object: &Migration) -> MigrationFact {
    let meta = &object.metadata;
    let ours = meta.finalizers.iter().flatten().any(|finalizer| finalizer == CLEANUP_FINALIZER);
    MigrationFact {
        held: ours && meta.deletion_timestamp.is_some(),
        name,
        spec: Arc::new(object.spec.clone()),
        step: object.status.as_ref().and_then(|status| status.step),
    }
}
