//! Policy classes: workloads that every cluster answers alike, and the cache of those answers.
//!
//! A million workloads fall into few classes. Reasons are held once per class and cluster, so a change
//! to a fact is judged once per class and not once per workload.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use domicile_crds::{NamespaceName, PlaceRef, Residency, TenantName, WorkloadKey};
use jiff::Timestamp;

use crate::{
    World,
    eligibility::{Cell, judge},
    facts::WorkloadFact,
    manifests::ClassUse,
    world::ClusterId,
};

/// What the eligibility of a cluster depends on, as far as a workload is concerned.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PolicyClass {
    /// The tenant.
    pub tenant: TenantName,
    /// The namespace.
    pub namespace: NamespaceName,
    /// The tenant's residency.
    pub tenant_residency: Arc<Residency>,
    /// The workload's own.
    pub residency: Residency,
    /// The preferences in force, best first.
    pub preferences: Arc<[PlaceRef]>,
    /// Kinds used, one bit each.
    pub kinds: u16,
    /// Classes named.
    pub classes: Vec<ClassUse>,
}

impl PolicyClass {
    /// The class of a workload. `None` if it is nobody's or its manifests can't be run.
    #[must_use]
    pub fn of(world: &World, key: &WorkloadKey, workload: &WorkloadFact) -> Option<Self> {
        let tenant = world.tenant_of(&key.namespace).ok()?;
        let fact = world.tenants.get(tenant)?;
        let manifests = workload.manifests.as_ref().ok()?;
        let preferences =
            if workload.preferences.is_empty() { &fact.preferences } else { &workload.preferences };
        Some(Self {
            tenant: tenant.clone(),
            namespace: key.namespace.clone(),
            tenant_residency: fact.residency.clone(),
            residency: workload.residency.clone(),
            preferences: preferences.clone(),
            kinds: manifests.kinds,
            classes: manifests.classes.clone(),
        })
    }
}

/// A class's place in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClassId(u32);

impl ClassId {
    fn index(self) -> usize {
        self.0 as usize
    }
}

/// The answers for one class.
#[derive(Clone, Debug)]
pub struct ClassRow {
    /// The class.
    pub class: PolicyClass,
    /// The answers, by cluster id.
    pub cells: Vec<Cell>,
    /// Open clusters by tier, best first, each tier in the order of names.
    pub open: Vec<(u16, Vec<ClusterId>)>,
    /// Its workloads.
    pub members: BTreeSet<WorkloadKey>,
    /// When one of the answers changes by itself.
    pub next: Option<Timestamp>,
}

/// All classes and their answers.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    rows: Vec<ClassRow>,
    ids: HashMap<PolicyClass, ClassId>,
    of: HashMap<WorkloadKey, ClassId>,
}

impl Classes {
    /// The class of a workload.
    #[must_use]
    pub fn of(&self, key: &WorkloadKey) -> Option<&ClassRow> {
        self.row(*self.of.get(key)?)
    }

    /// A class.
    #[must_use]
    pub fn row(&self, id: ClassId) -> Option<&ClassRow> {
        self.rows.get(id.index())
    }

    /// All classes.
    pub fn ids(&self) -> impl Iterator<Item = ClassId> + use<> {
        (0..u32::try_from(self.rows.len()).unwrap_or(u32::MAX)).map(ClassId)
    }

    /// Puts a workload into its class, which is judged if it is new. Answers whether it is in one.
    pub fn classify(&mut self, world: &World, key: &WorkloadKey, now: Timestamp) -> bool {
        let class = world.workloads.get(key).and_then(|fact| PolicyClass::of(world, key, fact));
        let old = self.of.get(key).copied();
        if let (Some(id), Some(class)) = (old, &class)
            && self.row(id).is_some_and(|row| row.class == *class)
        {
            return true;
        }
        self.forget(key);
        let Some(class) = class else { return false };
        let id = self.ids.get(&class).copied().unwrap_or_else(|| self.add(class));
        if let Some(row) = self.rows.get_mut(id.index()) {
            if row.members.is_empty() {
                for cluster in world.clusters_by_name() {
                    row.judge(world, *cluster, now);
                }
                row.settle(world);
            }
            row.members.insert(key.clone());
        }
        self.of.insert(key.clone(), id);
        true
    }

    /// Takes a workload out of its class.
    pub fn forget(&mut self, key: &WorkloadKey) {
        if let Some(id) = self.of.remove(key)
            && let Some(row) = self.rows.get_mut(id.index())
        {
            row.members.remove(key);
            if row.members.is_empty() {
                // Nobody keeps these answers up to date any more; they are made anew if the class returns.
                row.cells = Vec::new();
                row.open = Vec::new();
                row.next = None;
            }
        }
    }

    fn add(&mut self, class: PolicyClass) -> ClassId {
        let id = ClassId(u32::try_from(self.rows.len()).unwrap_or(u32::MAX));
        self.ids.insert(class.clone(), id);
        self.rows.push(ClassRow {
            class,
            cells: Vec::new(),
            open: Vec::new(),
            members: BTreeSet::new(),
            next: None,
        });
        id
    }

    /// Judges `clusters` again for a class. Answers those whose cell changed, with the cell as it was.
    pub fn refresh(
        &mut self,
        world: &World,
        id: ClassId,
        clusters: &[ClusterId],
        now: Timestamp,
    ) -> Vec<(ClusterId, Cell)> {
        let Some(row) = self.rows.get_mut(id.index()).filter(|row| !row.members.is_empty()) else {
            return Vec::new();
        };
        let mut changed = Vec::new();
        for cluster in clusters {
            let old = row.judge(world, *cluster, now);
            if row.cell(*cluster) != old {
                changed.push((*cluster, old));
            }
        }
        if !changed.is_empty() {
            row.settle(world);
        }
        changed
    }
}

impl ClassRow {
    /// The answer for a cluster.
    #[must_use]
    pub fn cell(&self, cluster: ClusterId) -> Cell {
        self.cells.get(cluster.index()).copied().unwrap_or(Cell::UNJUDGED)
    }

    /// Clusters whose answer has changed by itself until `now`.
    #[must_use]
    pub fn due(&self, world: &World, now: Timestamp) -> Vec<ClusterId> {
        let is_due = |id: &&ClusterId| self.cell(**id).next.is_some_and(|next| next <= now);
        world.clusters_by_name().iter().filter(is_due).copied().collect()
    }

    /// Judges one cluster; answers the cell as it was.
    fn judge(&mut self, world: &World, cluster: ClusterId, now: Timestamp) -> Cell {
        if self.cells.len() <= cluster.index() {
            self.cells.resize(cluster.index() + 1, Cell::UNJUDGED);
        }
        let cell = judge(world, &self.class, cluster, now);
        match self.cells.get_mut(cluster.index()) {
            Some(slot) => std::mem::replace(slot, cell),
            None => cell,
        }
    }

    /// Sorts the open clusters by tier after cells have changed.
    fn settle(&mut self, world: &World) {
        let mut tiers: std::collections::BTreeMap<u16, Vec<ClusterId>> = std::collections::BTreeMap::new();
        for id in world.clusters_by_name() {
            let cell = self.cell(*id);
            if cell.is_open() {
                tiers.entry(cell.tier).or_default().push(*id);
            }
        }
        self.open = tiers.into_iter().collect();
        self.next = self.cells.iter().filter_map(|cell| cell.next).min();
    }
}
