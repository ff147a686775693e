//! What people and machines do to the simulated world.

use std::sync::Arc;

use domicile_core::Change;
use domicile_crds::{Decision, DecisionName, SiteName, TenantName, WorkloadKey};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::{super::world, Sim, cluster};

impl Sim {
    pub(super) fn tell_site(&mut self, name: &'static str, country: &str, provider: &str) {
        let object = world::site(name, country, provider, self.sites[name]);
        let change = Change::Site(SiteName::new(name).unwrap(), Some(object.spec.clone()));
        self.engine.apply(change, self.now);
        self.facts.site(Arc::new(object));
    }

    pub(super) fn tell_member(&mut self, name: &'static str, site: &str) {
        let ready = if self.unreachable.contains(&cluster(name)) { "Unknown" } else { "True" };
        let object = world::member(name, site, self.scheduling[name], ready);
        self.engine.apply(Change::Cluster(cluster(name), Some(Box::new(object.clone()))), self.now);
        self.facts.member(Arc::new(object));
    }

    pub(super) fn tell_tenant(&mut self, name: &'static str) {
        let object = world::tenant(name, self.narrow[name], self.modes[name]);
        let change = Change::Tenant(TenantName::new(name).unwrap(), Some(Box::new(object.spec.clone())));
        self.engine.apply(change, self.now);
        self.facts.tenant(Arc::new(object));
    }

    pub(super) fn tell_decision(&mut self, name: &str, decision: &Decision) {
        let change = Change::Decision(DecisionName::new(name).unwrap(), Some(decision.spec.clone().into()));
        self.engine.apply(change, self.now);
        self.facts.decision(Arc::new(decision.clone()));
    }

    /// A new decision; with `lift`, it takes the place of all before it about the subject.
    pub(super) fn decide(&mut self, kind: &str, subject: &str, verdict: &str, lift: bool) {
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

    pub(super) fn make_workload(&mut self, tenant: &str, name: &str, shape: usize, generation: i64) {
        let key = WorkloadKey::new(tenant, name).unwrap();
        let mut object = world::workload(tenant, name, shape, generation);
        if self.unreadable.contains(&key) {
            object = world::unreadable(object);
        }
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
        match self.below(26) {
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
            18 | 19 => self.have_claims_deleted(),
            20 | 21 => self.delete_migration(),
            _ => {}
        }
        self.beat();
    }

    /// Somebody deletes a Migration, ended or not.
    fn delete_migration(&mut self) {
        if self.migrations.is_empty() {
            return;
        }
        let nth = self.below(self.migrations.len());
        let Some(((key, name), mut object)) =
            self.migrations.iter().nth(nth).map(|(place, object)| (place.clone(), object.clone()))
        else {
            return;
        };
        self.note(format!("Migration/{name} is deleted"));
        object.metadata.deletion_timestamp = Some(Time(self.now));
        self.tell_migration(&key, name, object);
    }

    /// Somebody on a member says that claims go with their StatefulSet, as was never forbidden there.
    fn have_claims_deleted(&mut self) {
        for (name, member) in &mut self.members {
            if self.unreachable.contains(name) {
                continue;
            }
            for ((key, ordinal, object), there) in member {
                if object.kind.name() == "StatefulSet" {
                    there.view.deletes_claims = true;
                    let (object, view) = (object.clone(), Some(there.view));
                    self.observed.member_mut(name).note(key, *ordinal, object, view);
                    self.engine.touch(key.clone());
                }
            }
        }
        self.note("claims go with their StatefulSets".to_owned());
    }

    pub(super) fn some_key(&mut self) -> Option<WorkloadKey> {
        let keys: Vec<_> = self.workloads.keys().cloned().collect();
        if keys.is_empty() { None } else { Some(keys[self.below(keys.len())].clone()) }
    }

    pub(super) fn update_workload(&mut self) {
        let Some(key) = self.some_key() else { return };
        let generation = self.workloads[&key].metadata.generation.unwrap() + 1;
        if self.chance(20) {
            self.unreadable.insert(key.clone());
        } else {
            self.unreadable.remove(&key);
        }
        let unreadable = self.unreadable.contains(&key);
        self.note(format!("{key} is updated to {generation}, unreadable: {unreadable}"));
        let shape = self.shapes[&key];
        self.make_workload(key.namespace.as_str(), key.name.as_str(), shape, generation);
    }

    pub(super) fn delete_workload(&mut self) {
        let Some(key) = self.some_key() else { return };
        self.note(format!("{key} is deleted"));
        self.workloads.remove(&key);
        self.engine.apply(Change::Workload(key.clone(), None), self.now);
        self.collect_exposed(&key);
        if let Some(assignment) = self.assignments.get_mut(&key) {
            let mut deleted = (**assignment).clone();
            deleted.metadata.deletion_timestamp = Some(Time(self.now));
            *assignment = Arc::new(deleted.clone());
            self.engine.apply(Change::Assignment(key, Some(Box::new(deleted))), self.now);
        }
    }
}
