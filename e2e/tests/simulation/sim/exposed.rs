//! What the simulated hub has of what is exposed, and where members can be reached.

use std::net::{IpAddr, Ipv4Addr};

use domicile_core::{
    Change,
    expose::{ExposureChange, HubSlice},
    observed::{By, Host, Reach},
    orders::{Publish, Removal, Remove},
};
use domicile_crds::{ClusterName, MigrationStep, WorkloadKey};
use serde_json::{Value, json};

use super::{super::world, Sim, cluster};

impl Sim {
    /// What the watches on the hub show after a start.
    pub(super) fn list_exposed(&mut self) {
        for change in
            self.hub_services.iter().map(|((key, name), object)| service_change(key, name, Some(object)))
        {
            self.engine.apply(change, self.now);
        }
        for change in
            self.hub_slices.iter().map(|((key, name), object)| slice_change(key, name, Some(object)))
        {
            self.engine.apply(change, self.now);
        }
        self.engine.apply(Change::Exposure(ExposureChange::Listed), self.now);
    }

    /// Members that answer are asked where copies can be reached; now and then, one has no address yet.
    pub(super) fn locate(&mut self) {
        let seats = self.assignments.iter().flat_map(|(key, assignment)| {
            assignment.spec.seats.iter().map(move |seat| (key.clone(), seat.ordinal, seat.cluster.clone()))
        });
        let targets = self.migrations.iter();
        let targets = targets.map(|((key, _), m)| (key.clone(), m.spec.seat, m.spec.to.clone()));
        let places: Vec<_> = seats.chain(targets).collect();
        for (key, ordinal, at) in places {
            if self.unreachable.contains(&at) || self.chance(30) {
                continue;
            }
            let service = key.name.to_string();
            let host = Host { name: at.to_string(), addresses: vec![address(&at)] };
            let reach = Reach { service, by: By::Balancer(vec![host]), ports: vec![(80, 80)] };
            if self.observed.member_mut(&at).set_reached(&key, ordinal, Some(vec![reach])) {
                self.engine.touch(key);
            }
        }
    }

    pub(super) fn publish(&mut self, key: &WorkloadKey, publish: &Publish) {
        for (service, _) in &publish.services {
            let place = (key.clone(), service.name.to_string());
            let object = self.stamped(service.render(key));
            self.engine.apply(service_change(key, &place.1, Some(&object)), self.now);
            self.hub_services.insert(place, object);
        }
        for (slice, _) in &publish.slices {
            self.is_answered(key, slice);
            let place = (key.clone(), slice.name());
            let object = self.stamped(slice.render(key));
            self.engine.apply(slice_change(key, &place.1, Some(&object)), self.now);
            self.hub_slices.insert(place, object);
        }
        for (name, _) in &publish.old_slices {
            self.hub_slices.remove(&(key.clone(), name.clone()));
            self.engine.apply(slice_change(key, name, None), self.now);
        }
        for (name, _) in &publish.old_services {
            self.hub_services.remove(&(key.clone(), name.clone()));
            self.engine.apply(service_change(key, name, None), self.now);
        }
    }

    fn stamped(&mut self, mut object: Value) -> Value {
        self.made += 1;
        object["metadata"]["uid"] = object["metadata"]["name"].clone();
        object["metadata"]["resourceVersion"] = json!(self.made.to_string());
        object
    }

    /// Kubernetes deletes what a workload owned.
    pub(super) fn collect_exposed(&mut self, key: &WorkloadKey) {
        let services: Vec<_> = self.hub_services.keys().filter(|(other, _)| other == key).cloned().collect();
        for place in services {
            self.hub_services.remove(&place);
            self.engine.apply(service_change(key, &place.1, None), self.now);
        }
        let slices: Vec<_> = self.hub_slices.keys().filter(|(other, _)| other == key).cloned().collect();
        for place in slices {
            self.hub_slices.remove(&place);
            self.engine.apply(slice_change(key, &place.1, None), self.now);
        }
    }

    /// Nobody is sent to where nothing runs.
    fn is_answered(&self, key: &WorkloadKey, slice: &HubSlice) {
        let there = self.members[&slice.cluster].iter();
        let mut there = there.filter(|((other, ordinal, _), _)| other == key && *ordinal == slice.ordinal);
        if !there.any(|(_, there)| there.runs && there.view.serving) {
            self.fail(&format!("{key}: clients are sent to {}, where nothing serves", slice.cluster));
        }
        if slice.addresses != [address(&slice.cluster)] {
            self.fail(&format!("{key}: the address of {} is {:?}", slice.cluster, slice.addresses));
        }
    }

    /// Where each workload's clients are sent: workload, copy and cluster.
    fn clients(&self) -> impl Iterator<Item = (&WorkloadKey, i32, ClusterName)> {
        self.hub_slices.iter().map(|((key, _), object)| {
            let label = |name: &str| object["metadata"]["labels"][name].as_str().unwrap_or_default();
            (key, label("domicile.dev/seat").parse().unwrap(), cluster(label("domicile.dev/cluster")))
        })
    }

    /// What is removed has no clients any more, unless all of it was deleted.
    pub(super) fn has_no_clients(&self, key: &WorkloadKey, remove: &Remove) {
        let goes = !matches!(remove.because, Removal::Pruned | Removal::WorkloadDeleted);
        let here = (key, remove.ordinal, remove.cluster.clone());
        if goes && self.clients().any(|client| client == here) {
            self.fail(&format!("{key} is removed from {}, where clients are sent", remove.cluster));
        }
    }

    /// Clients are sent only where a copy is on record, or where its move goes.
    pub(super) fn clients_are_on_record(&self) {
        for (key, ordinal, at) in self.clients() {
            let seats = self.assignments.get(key).map_or(&[][..], |a| a.spec.seats.as_slice());
            let is_seat = seats.iter().any(|seat| seat.ordinal == ordinal && seat.cluster == at);
            let moves = self.migrations.iter().any(|((other, _), m)| {
                let ended = m.status.as_ref().and_then(|s| s.step).is_some_and(MigrationStep::is_final);
                other == key && m.spec.seat == ordinal && !ended && [&m.spec.from, &m.spec.to].contains(&&at)
            });
            if !is_seat && !moves {
                self.fail(&format!("clients of {key}/{ordinal} are sent to {at} without a record"));
            }
        }
    }

    /// In the end, clients of whatever is exposed are sent to each copy, and nowhere else.
    pub(super) fn clients_find_every_copy(&self) {
        for (key, workload) in &self.workloads {
            let seats = self.assignments[key].spec.seats.iter().filter(|_| !workload.spec.expose.is_empty());
            let mut wanted: Vec<_> = seats.map(|seat| (seat.ordinal, seat.cluster.clone())).collect();
            let clients = self.clients().filter(|(other, ..)| *other == key);
            let mut found: Vec<_> = clients.map(|(_, ordinal, at)| (ordinal, at)).collect();
            wanted.sort();
            found.sort();
            if wanted != found {
                self.fail(&format!("clients of {key} are sent to {found:?} instead of {wanted:?}"));
            }
        }
    }
}

/// An address for each member.
fn address(at: &ClusterName) -> IpAddr {
    let nth = world::MEMBERS.iter().position(|(name, ..)| *name == at.as_str()).unwrap();
    Ipv4Addr::new(192, 0, 2, u8::try_from(nth).unwrap() + 1).into()
}

fn service_change(key: &WorkloadKey, name: &str, object: Option<&Value>) -> Change {
    let object = object.map(|object| serde_json::from_value(object.clone()).unwrap());
    Change::Exposure(ExposureChange::Service(key.namespace.clone(), name.to_owned(), object))
}

fn slice_change(key: &WorkloadKey, name: &str, object: Option<&Value>) -> Change {
    let object = object.map(|object| serde_json::from_value(object.clone()).unwrap());
    Change::Exposure(ExposureChange::Slice(key.namespace.clone(), name.to_owned(), object))
}
