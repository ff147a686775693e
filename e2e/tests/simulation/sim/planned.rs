//! What `kubectl domicile plan` says is what is done then.

use std::collections::BTreeMap;

use domicile_core::snapshot::Snapshot;
use domicile_crds::{ClusterName, WorkloadKey};
use kubectl_domicile::{
    facts::Facts,
    plan::{Plan, What, with},
};
use serde::Serialize;
use serde_json::{Value, json};

use super::{super::world, Sim};

type Places = BTreeMap<(String, i32), ClusterName>;

impl Sim {
    /// Something changes in a world at rest: what was planned comes true, and nothing else.
    pub(crate) fn what_is_planned_comes_true(&mut self) {
        self.settle();
        let (before, facts) = (self.places(), Facts { snapshot: self.snapshot(), now: self.now });
        let object = self.change();
        let plan = with(&facts, &object).unwrap();
        self.note(format!("planned: {}", serde_json::to_string(&plan.steps).unwrap()));
        self.quiet();
        let after = self.places();
        // A plan is about what is wanted: what a deleted workload has left isn't in it.
        let lives =
            |(place, _): &(&(String, i32), _)| self.workloads.keys().any(|key| key.to_string() == place.0);
        for (place, _) in before.iter().chain(&after).filter(lives) {
            let wanted = wanted(&plan, place, before.get(place));
            if wanted != after.get(place) {
                self.fail(&format!("{place:?} was to be at {wanted:?} and is at {:?}", after.get(place)));
            }
        }
        for step in plan.steps.iter().filter(|step| step.what == What::Suspend) {
            let at = &self.members[step.from.as_ref().unwrap()];
            let runs = |((key, ordinal, _), there): (&(WorkloadKey, i32, _), &super::There)| {
                key.to_string() == step.workload && *ordinal == step.copy && there.runs
            };
            if at.iter().any(runs) {
                self.fail(&format!("{step:?} was to stop and runs"));
            }
        }
    }

    /// Everybody answers, and what can be done is done.
    fn settle(&mut self) {
        self.unreachable.clear();
        for (name, site, ..) in world::MEMBERS {
            self.tell_member(name, site);
        }
        self.quiet();
    }

    fn places(&self) -> Places {
        let seats =
            self.assignments.iter().flat_map(|(key, record)| record.spec.seats.iter().map(move |s| (key, s)));
        seats.map(|(key, seat)| ((key.to_string(), seat.ordinal), seat.cluster.clone())).collect()
    }

    /// Changes one object. Answers it as it is then.
    fn change(&mut self) -> Value {
        let (member, site, country, operator) = world::MEMBERS[self.below(4)];
        let (tenant, provider) = (world::TENANTS[self.below(2)], world::PROVIDERS[self.below(3)]);
        let (what, how) = (self.below(8), self.below(12));
        match what {
            0..=2 => {
                let verdict = ["Revoked", "Frozen", "Suspended", "Approved"][how % 4];
                self.decide("HostingProvider", provider, verdict, verdict == "Approved");
                json(&self.decisions[&format!("d{}", self.made)])
            }
            3 => {
                let verdict = ["Frozen", "Suspended", "Approved"][how % 3];
                self.decide("Tenant", tenant, verdict, verdict == "Approved");
                json(&self.decisions[&format!("d{}", self.made)])
            }
            4 => {
                self.sites.insert(site, ["Online", "Planned", "Closing", "Offline"][how % 4]);
                self.tell_site(site, country, operator);
                json(&world::site(site, country, operator, self.sites[site]))
            }
            5 => {
                self.scheduling.insert(member, ["Open", "Cordoned", "Draining"][how % 3]);
                self.tell_member(member, site);
                json(&world::member(member, site, self.scheduling[member], "True"))
            }
            6 => {
                self.narrow.insert(tenant, how % 2 == 0);
                self.modes.insert(tenant, world::MODES[how % 3]);
                self.tell_tenant(tenant);
                json(&world::tenant(tenant, self.narrow[tenant], self.modes[tenant]))
            }
            _ => {
                self.make_workload(tenant, "late", how % 5, 1);
                json(&*self.workloads[&WorkloadKey::new(tenant, "late").unwrap()])
            }
        }
    }

    /// What the hub holds.
    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        let mut put = |object: Value| assert_eq!(snapshot.put(object), 1);
        put(json(&world::country_set()));
        for name in world::PROVIDERS {
            put(json(&world::provider(name)));
        }
        for (name, site, country, provider) in world::MEMBERS {
            put(json(&world::site(site, country, provider, self.sites[site])));
            put(json(&world::member(name, site, self.scheduling[name], "True")));
        }
        for name in world::TENANTS {
            put(json(&world::tenant(name, self.narrow[name], self.modes[name])));
            let labels = json!({"domicile.dev/tenant": name});
            put(
                json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}),
            );
        }
        self.decisions.values().for_each(|decision| put(json(decision)));
        self.workloads.values().for_each(|workload| put(json(&**workload)));
        self.assignments.values().for_each(|record| put(json(&**record)));
        for ((key, _), migration) in &self.migrations {
            let mut object = json(migration);
            object["metadata"]["namespace"] = json!(key.namespace);
            put(object);
        }
        snapshot
    }
}

fn json(object: &impl Serialize) -> Value {
    serde_json::to_value(object).unwrap()
}

/// Where a copy is in the end if the plan comes true.
fn wanted<'a>(
    plan: &'a Plan,
    (workload, copy): &(String, i32),
    before: Option<&'a ClusterName>,
) -> Option<&'a ClusterName> {
    let step = plan.steps.iter().find(|step| step.workload == *workload && step.copy == *copy);
    match step.map(|step| step.what) {
        Some(What::Place | What::MustMove | What::Move) => step.and_then(|step| step.to.as_ref()),
        Some(What::Leave) => None,
        _ => before,
    }
}
