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
    /// When one has to be looked at again for a reason of its own.
    wakes: BTreeSet<(Timestamp, WorkloadKey)>,
    /// What is promised and not on record.
    promised: Overlay,
    /// Those that passed over a cluster without room: room that becomes free may be theirs.
    short: HashSet<WorkloadKey>,
}

#[derive(Debug)]
struct Entry {
    class: Option<ClassId>,
    /// A copy has yet to find a place, or to leave for one.
    open: bool,
    /// Clusters that it was given and that aren't on record yet.
    chosen: Vec<ClusterId>,
    demand: Resources,
    wake: Option<Timestamp>,
}

/// What happened that can concern workloads wherever they are.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Classes for which a cluster opened, closed or is preferred otherwise.
    pub(super) classes: BTreeSet<ClassId>,
    /// Clusters that may not be chosen any more, for another reason than their answer.
    pub(super) closed: BTreeSet<ClusterId>,
    /// Clusters that may have more room than before.
    pub(super) freed: BTreeSet<ClusterId>,
    /// Sites differ, by which copies are kept apart and causes are named.
    pub(super) places: bool,
}

impl News {
    pub(super) fn is_empty(&self) -> bool {
        self.classes.is_empty() && self.closed.is_empty() && self.freed.is_empty() && !self.places
    }
}

impl Pending {
    /// Room that is promised and not on record.
    pub(super) fn promised(&self) -> &Overlay {
        &self.promised
    }

    /// Takes note of a verdict, the last one being forgotten.
    pub(super) fn note(&mut self, class: Option<ClassId>, decided: &Decided) {
        let Decided { verdict, chosen, demand, short, wake } = decided;
        let open = decided.is_open();
        if !open && !short && wake.is_none() {
            return;
        }
        for id in chosen {
            self.promised.promise(*id, *demand);
        }
        if *short {
            self.short.insert(verdict.key.clone());
        }
        self.wakes.extend(wake.map(|at| (at, verdict.key.clone())));
        let entry = Entry { class, open, chosen: chosen.clone(), demand: *demand, wake: *wake };
        self.entries.insert(verdict.key.clone(), entry);
    }

    /// Forgets the last verdict. Answers the clusters where it was promised room.
    pub(super) fn forget(&mut self, key: &WorkloadKey) -> Vec<ClusterId> {
        let Some(entry) = self.entries.remove(key) else { return Vec::new() };
        for id in &entry.chosen {
            self.promised.take_back(*id, entry.demand);
        }
        self.short.remove(key);
        if let Some(at) = entry.wake {
            self.wakes.remove(&(at, key.clone()));
        }
        entry.chosen
    }

    /// Whom news concern. Only a change of facts makes it look at all of them; room that becomes free doesn't.
    pub(super) fn concerned<'a>(
        &'a self,
        world: &'a World,
        classes: &'a Classes,
        news: &'a News,
    ) -> impl Iterator<Item = &'a WorkloadKey> {
        let everywhere = news.places || !news.classes.is_empty() || !news.closed.is_empty();
        let entries = everywhere.then_some(&self.entries).into_iter().flatten();
        let shaken = entries.filter(move |(_, entry)| {
            let reopened = entry.class.is_some_and(|class| news.classes.contains(&class));
            (entry.open && (news.places || reopened))
                || entry.chosen.iter().any(|id| news.closed.contains(id))
        });
        let short = (!news.freed.is_empty()).then_some(&self.short).into_iter().flatten();
        let fitting = short.filter(move |key| self.fits(world, classes, key, news));
        shaken.map(|(key, _)| key).chain(fitting)
    }

    /// Whether a workload fits where room became free.
    fn fits(&self, world: &World, classes: &Classes, key: &WorkloadKey, news: &News) -> bool {
        let Some(row) = classes.of(key) else { return true };
        let manifests = world.workloads.get(key).and_then(|w| w.manifests.as_ref().ok());
        let demand = manifests.map(|m| m.demand).unwrap_or_default();
        let mut freed = news.freed.iter();
        freed.any(|id| row.cell(*id).is_open() && self.promised.has_room(world, *id, demand))
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
