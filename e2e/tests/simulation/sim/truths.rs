//! What must always be true, and what in the end.

use std::collections::{BTreeMap, BTreeSet};

use domicile_core::manifests::ObjectRef;
use domicile_crds::{ClusterName, Migration, MigrationStep, WorkloadKey};
use jiff::SignedDuration;

use super::{super::world, Sim, cluster};

impl Sim {
    /// What must never run twice has pods at one place only.
    pub(super) fn never_twice(&self, key: &WorkloadKey) {
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
        self.clients_are_on_record();
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
                let at = |m: &Migration| [&m.spec.from, &m.spec.to].contains(&name);
                let moving = self.migrations.iter().any(|((other, _), m)| {
                    let ended = m.status.as_ref().and_then(|s| s.step).is_some_and(MigrationStep::is_final);
                    other == key && m.spec.seat == *ordinal && !ended && at(m)
                });
                let seats = self.assignments.get(key).map_or(&[][..], |a| a.spec.seats.as_slice());
                let known = moving || seats.iter().any(|s| s.ordinal == *ordinal && s.cluster == *name);
                if !known {
                    self.fail(&format!(
                        "{key}/{ordinal} is on {name} since {} without a record",
                        there.since
                    ));
                }
            }
        }
    }

    /// Where all is suspended, everything stops that answers, and nothing is made.
    pub(crate) fn suspend(&mut self) {
        for tenant in world::TENANTS {
            self.decide("Tenant", tenant, "Suspended", true);
        }
        let there = |sim: &Self| -> BTreeSet<_> {
            let objects = sim.members.iter().flat_map(|(name, m)| m.keys().map(move |place| (name, place)));
            objects.map(|(name, place)| (name.clone(), place.clone())).collect()
        };
        let before = there(self);
        for _ in 0..30 {
            self.now += SignedDuration::from_secs(10);
            self.beat();
            self.kubelets();
            self.round();
            self.look();
        }
        if let Some(made) = there(self).difference(&before).next() {
            self.fail(&format!("{made:?} was made although all is suspended"));
        }
        for (name, member) in self.members.iter().filter(|(name, _)| !self.unreachable.contains(*name)) {
            if let Some((place, _)) = member.iter().find(|(_, there)| there.runs) {
                self.fail(&format!("{place:?} runs on {name} although all is suspended"));
            }
        }
    }

    /// Everything becomes lawful and answers again.
    pub(crate) fn calm(&mut self) {
        self.note("calm".to_owned());
        self.unreachable.clear();
        for key in std::mem::take(&mut self.unreadable) {
            if let Some(workload) = self.workloads.get(&key) {
                let generation = workload.metadata.generation.unwrap() + 1;
                let shape = self.shapes[&key];
                self.make_workload(key.namespace.as_str(), key.name.as_str(), shape, generation);
            }
        }
        for tenant in world::TENANTS {
            self.narrow.insert(tenant, false);
            self.tell_tenant(tenant);
        }
        for provider in world::PROVIDERS {
            self.decide("HostingProvider", provider, "Approved", true);
        }
        for tenant in world::TENANTS {
            self.decide("Tenant", tenant, "Approved", true);
        }
        for (name, site, country, operator) in world::MEMBERS {
            self.sites.insert(site, "Online");
            self.scheduling.insert(name, "Open");
            self.tell_site(site, country, operator);
            self.tell_member(name, site);
        }
        self.beat();
    }

    /// A provider is revoked, and all else is lawful: whatever tenants want or don't say, all leave it, whether it
    /// answers or not.
    pub(crate) fn evacuate(&mut self) {
        self.calm();
        let revoked = world::PROVIDERS[self.below(3)];
        self.decide("HostingProvider", revoked, "Revoked", true);
        let left: Vec<_> =
            world::MEMBERS.iter().filter(|(.., by)| *by == revoked).map(|(name, ..)| cluster(name)).collect();
        let answers = self.chance(50);
        if !answers {
            self.unreachable.extend(left.iter().cloned());
        }
        self.note(format!("{left:?} answer: {answers}"));
        for (name, site, ..) in world::MEMBERS {
            self.tell_member(name, site);
        }
        self.quiet();
        for (key, assignment) in &self.assignments {
            // Volumes don't move, and what must never run twice waits for a source that doesn't answer.
            let waits = self.shapes[key] == 3 || (!answers && [1, 4].contains(&self.shapes[key]));
            let stays = assignment.spec.seats.iter().find(|seat| left.contains(&seat.cluster));
            if let Some(seat) = stays.filter(|_| !waits && self.workloads.contains_key(key)) {
                self.fail(&format!("{key} is still on {}, which is revoked", seat.cluster));
            }
        }
        if let Some((place, _)) =
            self.migrations.iter().find(|(_, m)| answers && m.metadata.deletion_timestamp.is_some())
        {
            self.fail(&format!("{place:?} was deleted, and nothing lets it go"));
        }
        for name in left.iter().filter(|_| answers) {
            let stays = self.members[name].keys().find(|(key, ..)| self.shapes[key] != 3);
            if let Some((key, ..)) = stays {
                self.fail(&format!("something of {key} is left on {name}, which is revoked"));
            }
        }
    }

    /// Works until nothing is left to do.
    pub(super) fn quiet(&mut self) {
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
    }

    /// In the end nothing is left to do, and everything is where it should be.
    pub(crate) fn rest(&mut self) {
        self.quiet();
        for (key, workload) in &self.workloads {
            let Some(assignment) = self.assignments.get(key) else {
                self.fail(&format!("{key} has no place"))
            };
            let count = usize::try_from(workload.spec.clusters.count).unwrap();
            if assignment.spec.seats.len() != count {
                self.fail(&format!("{key} has {} copies instead of {count}", assignment.spec.seats.len()));
            }
            for seat in &assignment.spec.seats {
                // Its data holds it where the tenant doesn't want it any more: it stays as it is.
                let held = self.shapes[key] == 3 && self.narrow[key.namespace.as_str()];
                if held && seat.cluster.as_str() == "ch-1" {
                    continue;
                }
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
        self.all_have_run();
        self.clients_find_every_copy();
        let left = self.assignments.keys().find(|key| !self.workloads.contains_key(*key));
        if let Some(key) = left {
            self.fail(&format!("the record of {key} was left behind"));
        }
    }
}
