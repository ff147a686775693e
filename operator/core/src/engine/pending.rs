//! What the last verdicts left open, and what would change them.

use std::collections::{BTreeSet, HashMap, HashSet};

use domicile_crds::WorkloadKey;
use jiff::Timestamp;

use crate::{
    World,
    class::{ClassId, Classes},
    decide::{Decided, Overlay},
    quantity::Resources,
    world::ClusterId,
};

/// Workloads whose last verdict can be changed by more than what happens where they are. Few, in a fleet at rest.
#[derive(Debug, Default)]
pub(super) struct Pending {
    entries: HashMap<WorkloadKey, Entry>,
    /// Those with a copy that has yet to find a place or to leave: whatever opens or closes concerns them.
    by_class: HashMap<ClassId, HashSet<WorkloadKey>>,
    /// Those that were given a cluster that isn't on record yet.
    aimed: HashMap<ClusterId, HashSet<WorkloadKey>>,
    /// Those that passed over a cluster without room: room that becomes free may be theirs.
    short: BTreeSet<WorkloadKey>,
    /// When one has to be looked at again for a reason of its own.
    wakes: BTreeSet<(Timestamp, WorkloadKey)>,
    /// What is promised and not on record.
    promised: Overlay,
}

#[derive(Debug)]
struct Entry {
    class: Option<ClassId>,
    chosen: Vec<ClusterId>,
    demand: Resources,
    wake: Option<Timestamp>,
}

impl Pending {
    /// Room that is promised and not on record.
    pub(super) fn promised(&self) -> &Overlay {
        &self.promised
    }

    /// Takes note of a verdict, the last one being forgotten.
    pub(super) fn note(&mut self, class: Option<ClassId>, decided: &Decided) {
        let open = decided.is_open();
        if !open && !decided.short && decided.wake.is_none() {
            return;
        }
        let key = &decided.verdict.key;
        if let Some(class) = class.filter(|_| open) {
            self.by_class.entry(class).or_default().insert(key.clone());
        }
        for id in &decided.chosen {
            self.aimed.entry(*id).or_default().insert(key.clone());
            self.promised.promise(*id, decided.demand);
        }
        if decided.short {
            self.short.insert(key.clone());
        }
        if let Some(at) = decided.wake {
            self.wakes.insert((at, key.clone()));
        }
        let (chosen, demand, wake) = (decided.chosen.clone(), decided.demand, decided.wake);
        self.entries.insert(key.clone(), Entry { class, chosen, demand, wake });
    }

    /// Forgets the last verdict. Answers the clusters where it was promised room.
    pub(super) fn forget(&mut self, key: &WorkloadKey) -> Vec<ClusterId> {
        let Some(entry) = self.entries.remove(key) else { return Vec::new() };
        if let Some(class) = entry.class {
            drop_from(&mut self.by_class, &class, key);
        }
        for id in &entry.chosen {
            drop_from(&mut self.aimed, id, key);
            self.promised.take_back(*id, entry.demand);
        }
        self.short.remove(key);
        if let Some(at) = entry.wake {
            self.wakes.remove(&(at, key.clone()));
        }
        entry.chosen
    }

    pub(super) fn of_class(&self, class: ClassId) -> impl Iterator<Item = &WorkloadKey> {
        self.by_class.get(&class).into_iter().flatten()
    }

    pub(super) fn aimed_at(&self, id: ClusterId) -> impl Iterator<Item = &WorkloadKey> {
        self.aimed.get(&id).into_iter().flatten()
    }

    /// Those with a copy that has yet to find a place or to leave.
    pub(super) fn all_open(&self) -> impl Iterator<Item = &WorkloadKey> {
        self.by_class.values().flatten()
    }

    /// Those for whom there is room at one of `freed`, which they may have passed over.
    pub(super) fn who_fits<'a>(
        &'a self,
        world: &'a World,
        classes: &'a Classes,
        freed: &'a BTreeSet<ClusterId>,
    ) -> impl Iterator<Item = &'a WorkloadKey> {
        self.short.iter().filter(move |key| {
            let Some(row) = classes.of(key) else { return true };
            let manifests = world.workloads.get(*key).and_then(|w| w.manifests.as_ref().ok());
            let demand = manifests.map(|m| m.demand).unwrap_or_default();
            freed.iter().any(|id| row.cell(*id).is_open() && self.promised.has_room(world, *id, demand))
        })
    }

    /// Those whose time has come.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = &WorkloadKey> {
        self.wakes.iter().take_while(move |(at, _)| *at <= now).map(|(_, key)| key)
    }

    /// When the next one's time comes.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.wakes.first().map(|(at, _)| *at)
    }

    /// Whether any passed over a cluster without room.
    pub(super) fn lacks_room(&self) -> bool {
        !self.short.is_empty()
    }
}

fn drop_from<K: std::hash::Hash + Eq>(
    index: &mut HashMap<K, HashSet<WorkloadKey>>,
    at: &K,
    key: &WorkloadKey,
) {
    if let Some(keys) = index.get_mut(at) {
        keys.remove(key);
        if keys.is_empty() {
            index.remove(at);
        }
    }
}
