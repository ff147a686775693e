//! Policy classes: workloads that every cluster answers alike, and the cache of those answers.
//!
//! A million workloads fall into few classes. Reasons are held once per class and cluster, so a change
//! to a fact is judged once per class and not once per workload.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use domicile_crds::{
    CountrySetName, NamespaceName, PlaceRef, ProviderPolicy, Residency, TenantName, WorkloadKey,
};
use jiff::Timestamp;

use crate::{
    World,
    eligibility::{Cell, Suits, judge},
    facts::WorkloadFact,
    manifests::ClassUse,
    providers::asked,
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
    /// What the tenant asks of providers.
    pub providers: Arc<ProviderPolicy>,
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
            providers: fact.providers.clone(),
            preferences: preferences.clone(),
            kinds: manifests.kinds,
            classes: manifests.classes.clone(),
        })
    }
}

impl PolicyClass {
    /// Whether it names a country set, so that a change of the set can make a difference.
    #[must_use]
    pub fn names(&self, set: &CountrySetName) -> bool {
        let residencies = [&*self.tenant_residency, &self.residency];
        let mut entries = residencies.into_iter().flat_map(|r| r.allowed.iter().chain(&r.denied));
        entries.any(|entry| entry.country_set.as_ref() == Some(set))
            || self.preferences.iter().any(|place| place.country_set.as_ref() == Some(set))
            || self.providers.home_country_set.as_ref() == Some(set)
    }

    /// Whether the tenant asks anything of providers but decisions.
    #[must_use]
    pub fn asks_of_providers(&self) -> bool {
        !asked(&self.providers).is_empty()
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
    judged: bool,
    /// What the answers rest on of what its policy says of providers.
    suits: Suits,
}

/// All classes and their answers.
#[derive(Clone, Debug, Default)]
pub struct Classes {
    rows: Vec<ClassRow>,
    ids: HashMap<PolicyClass, ClassId>,
    of: HashMap<WorkloadKey, ClassId>,
    /// Rows that no workload is in, to be used again.
    free: Vec<ClassId>,
}

impl Classes {
    /// The class of a workload.
    #[must_use]
    pub fn of(&self, key: &WorkloadKey) -> Option<&ClassRow> {
        self.row(self.id_of(key)?)
    }

    /// The id of a workload's class.
    #[must_use]
    pub fn id_of(&self, key: &WorkloadKey) -> Option<ClassId> {
        self.of.get(key).copied()
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

    /// Puts a workload into its class. One that is new is yet to be [judged](Self::refresh).
    pub fn classify(&mut self, world: &World, key: &WorkloadKey) {
        let class = world.workloads.get(key).and_then(|fact| PolicyClass::of(world, key, fact));
        let old = self.of(key).map(|row| &row.class);
        if old.is_some() && old == class.as_ref() {
            return;
        }
        self.forget(key);
        let Some(class) = class else { return };
        let id = self.ids.get(&class).copied().unwrap_or_else(|| self.add(class));
        if let Some(row) = self.rows.get_mut(id.index()) {
            row.members.insert(key.clone());
        }
        self.of.insert(key.clone(), id);
    }

    /// Takes a workload out of its class.
    fn forget(&mut self, key: &WorkloadKey) {
        let Some(id) = self.of.remove(key) else { return };
        let Some(row) = self.rows.get_mut(id.index()) else { return };
        row.members.remove(key);
        if row.members.is_empty() {
            self.ids.remove(&row.class);
            (row.cells, row.open, row.next, row.judged) = (Vec::new(), Vec::new(), None, false);
            row.suits = Suits::default();
            self.free.push(id);
        }
    }

    fn add(&mut self, class: PolicyClass) -> ClassId {
        let reused = self.free.pop();
        let id = reused.unwrap_or_else(|| ClassId(u32::try_from(self.rows.len()).unwrap_or(u32::MAX)));
        self.ids.insert(class.clone(), id);
        match self.rows.get_mut(id.index()) {
            Some(row) => row.class = class,
            None => self.rows.push(ClassRow {
                class,
                cells: Vec::new(),
                open: Vec::new(),
                members: BTreeSet::new(),
                next: None,
                judged: false,
                suits: Suits::default(),
            }),
        }
        id
    }

    /// Judges `clusters` again for a class, all if it is new, and those whose answer is due.
    /// Answers the clusters whose cell changed, with the cell as it was.
    pub fn refresh(
        &mut self,
        world: &World,
        id: ClassId,
        clusters: impl Iterator<Item = ClusterId>,
        now: Timestamp,
    ) -> Vec<(ClusterId, Cell)> {
        match self.rows.get_mut(id.index()) {
            Some(row) if !row.members.is_empty() => row.refresh(world, clusters, now),
            _ => Vec::new(),
        }
    }

    /// The clusters of providers of which a class's policy says something else now, since what is recorded of owners differs.
    pub(crate) fn hosted_otherwise(&self, world: &World, id: ClassId, now: Timestamp) -> Vec<ClusterId> {
        let Some(row) = self.row(id).filter(|row| row.class.asks_of_providers()) else { return Vec::new() };
        let outdated = row.suits.outdated(world, &row.class.providers, now);
        if outdated.is_empty() {
            Vec::new()
        } else {
            world.clusters_of(|provider| outdated.contains(provider))
        }
    }
}

/// From how many changes on sorting anew is cheaper than mending.
const MANY: usize = 32;

impl ClassRow {
    /// The answer for a cluster.
    #[must_use]
    pub fn cell(&self, cluster: ClusterId) -> Cell {
        self.cells.get(cluster.index()).copied().unwrap_or(Cell::UNJUDGED)
    }

    /// Whether it has workloads, and answers for them.
    #[must_use]
    pub fn is_judged(&self) -> bool {
        self.judged
    }

    fn refresh(
        &mut self,
        world: &World,
        clusters: impl Iterator<Item = ClusterId>,
        now: Timestamp,
    ) -> Vec<(ClusterId, Cell)> {
        let mut changed = Vec::new();
        // Many clusters are of few providers.
        let mut suits = Suits::default();
        let mut judge = |row: &mut Self, id| row.judge(world, (id, now), &mut suits, &mut changed);
        if self.judged {
            clusters.for_each(|id| judge(self, id));
            if self.next.is_some_and(|next| next <= now) {
                let due = |id: &&ClusterId| self.cell(**id).next.is_some_and(|next| next <= now);
                let due: Vec<ClusterId> = world.clusters_by_name().iter().filter(due).copied().collect();
                for id in due {
                    judge(self, id);
                }
            }
        } else {
            world.clusters_by_name().iter().for_each(|id| judge(self, *id));
            self.judged = true;
        }
        if changed.len() < MANY {
            for (id, old) in &changed {
                self.reopen(world, *id, *old);
            }
        } else {
            self.sort(world);
        }
        self.suits.renew(suits);
        if !changed.is_empty() {
            self.next = self.cells.iter().filter_map(|cell| cell.next).min();
        }
        changed
    }

    /// Judges one cluster; notes the cell as it was if it changed.
    fn judge(
        &mut self,
        world: &World,
        (id, now): (ClusterId, Timestamp),
        suits: &mut Suits,
        changed: &mut Vec<(ClusterId, Cell)>,
    ) {
        if self.cells.len() <= id.index() {
            self.cells.resize(id.index() + 1, Cell::UNJUDGED);
        }
        let Some(cell) = self.cells.get_mut(id.index()) else { return };
        let old = std::mem::replace(cell, judge(world, &self.class, (id, now), suits));
        if old != *cell {
            changed.push((id, old));
        }
    }

    /// Moves one cluster, which was `old`, to where it belongs among the open ones.
    fn reopen(&mut self, world: &World, id: ClusterId, old: Cell) {
        let new = self.cell(id);
        if (old.is_open(), old.tier) == (new.is_open(), new.tier) {
            return;
        }
        let before = |other: &ClusterId| world.name_of(*other) < world.name_of(id);
        if let Ok(at) = self.open.binary_search_by_key(&old.tier, |(tier, _)| *tier)
            && let Some((_, clusters)) = self.open.get_mut(at)
            && let slot = clusters.partition_point(before)
            && clusters.get(slot) == Some(&id)
        {
            clusters.remove(slot);
            if clusters.is_empty() {
                self.open.remove(at);
            }
        }
        if !new.is_open() {
            return;
        }
        let at = self.open.partition_point(|(tier, _)| *tier < new.tier);
        if self.open.get(at).is_none_or(|(tier, _)| *tier != new.tier) {
            self.open.insert(at, (new.tier, Vec::new()));
        }
        if let Some((_, clusters)) = self.open.get_mut(at) {
            clusters.insert(clusters.partition_point(before), id);
        }
    }

    /// Sorts all open clusters by tier.
    fn sort(&mut self, world: &World) {
        let mut tiers: BTreeMap<u16, Vec<ClusterId>> = BTreeMap::new();
        for id in world.clusters_by_name() {
            let cell = self.cell(*id);
            if cell.is_open() {
                tiers.entry(cell.tier).or_default().push(*id);
            }
        }
        self.open = tiers.into_iter().collect();
    }
}
