//! What is on the hub for what is exposed: how orders are carried out there, and what clients find.

use domicile_core::{
    Change,
    expose::ExposureChange,
    observed::{By, Host, ObjectView, Reach},
    orders::Publish,
};
use domicile_crds::WorkloadKey;
use serde_json::{Value, json};

use super::Yard;
use crate::fixture::{key, name, read};

impl Yard {
    /// `shop/web` has a Service `x` and exposes it, and what the hub has of that was listed.
    pub(crate) fn expose(&mut self, more: Value) -> &mut Self {
        self.expose_unlisted_with(more).list_hub()
    }

    /// The same, before it was listed.
    pub(crate) fn expose_unlisted(&mut self) -> &mut Self {
        self.expose_unlisted_with(json!({}))
    }

    fn expose_unlisted_with(&mut self, more: Value) -> &mut Self {
        let app = json!({"app": "x"});
        let mut spec = json!({"expose": [{"service": "x", "port": 80}], "drainSeconds": 30, "manifests": [
            {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
             "spec": {"template": {"metadata": {"labels": app}, "spec": {"containers": [{"name": "x"}]}}}},
            {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "x"},
             "spec": {"selector": app, "ports": [{"port": 80, "name": "http"}]}},
        ]});
        if let (Some(spec), Value::Object(more)) = (spec.as_object_mut(), more) {
            spec.extend(more);
        }
        self.fleet.workload(spec);
        self
    }

    pub(crate) fn list_hub(&mut self) -> &mut Self {
        self.fleet.apply(Change::Exposure(ExposureChange::Listed));
        self.fleet.engine.touch(key("shop/web"));
        self
    }

    /// A member says by which addresses `x` is reached there.
    pub(crate) fn reached(&mut self, cluster: &str, addresses: &[&str]) -> &mut Self {
        self.reached_by(0, cluster, addresses)
    }

    /// The same of another copy.
    pub(crate) fn reached_by(&mut self, ordinal: i32, cluster: &str, addresses: &[&str]) -> &mut Self {
        let host =
            |it: &&str| Host { name: (*it).to_owned(), addresses: it.parse().ok().into_iter().collect() };
        let by = By::Balancer(addresses.iter().map(host).collect());
        let reach = Reach { service: "x".to_owned(), by, ports: vec![(80, 8080)] };
        let key = key("shop/web");
        self.observed.member_mut(&name(cluster)).set_reached(&key, ordinal, Some(vec![reach]));
        self.fleet.engine.touch(key);
        self
    }

    /// Pods of `shop/web` on a member become ready or don't: all, or some of them.
    pub(crate) fn pods(&mut self, cluster: &str, ready: bool, serving: bool) -> &mut Self {
        self.each_object("web", cluster, |view| {
            let runs = view.serving || !view.idle;
            Some(ObjectView { ready: ready || !runs, serving: serving && runs, ..view })
        })
    }

    /// Where clients of `x` are sent, as the hub's slices say.
    pub(crate) fn clients(&self) -> String {
        let slices = self.fleet.engine.world().exposure.of(&key("shop/web")).slices.values();
        let said = slices.map(|kept| {
            let slice = &kept.body;
            let addresses: Vec<_> = slice.addresses.iter().map(ToString::to_string).collect();
            format!("{} {}:{}", slice.cluster, addresses.join(","), slice.ports[0].number)
        });
        said.collect::<Vec<_>>().join("; ")
    }

    pub(super) fn publish(&mut self, key: &WorkloadKey, publish: &Publish) {
        self.published += 1;
        let uid = format!("u-{}", self.published);
        let there = |mut object: Value| {
            object["metadata"]["uid"] = json!(uid);
            object["metadata"]["resourceVersion"] = json!(uid.trim_start_matches("u-"));
            object
        };
        for (service, _) in &publish.services {
            if self.foreign.contains(&*service.name) {
                let until = self.fleet.now + jiff::SignedDuration::from_secs(60);
                let change = ExposureChange::Taken(key.clone(), format!("Service/{}", service.name), until);
                self.fleet.apply(Change::Exposure(change));
                continue;
            }
            let object = Some(Box::new(read(there(service.render(key)))));
            let change = ExposureChange::Service(key.namespace.clone(), service.name.to_string(), object);
            self.fleet.apply(Change::Exposure(change));
            let free = ExposureChange::Free(key.clone(), format!("Service/{}", service.name));
            self.fleet.apply(Change::Exposure(free));
        }
        for (slice, _) in publish.slices.iter().filter(|(it, _)| !self.foreign.contains(&*it.service)) {
            let object = Some(Box::new(read(there(slice.render(key)))));
            let change = ExposureChange::Slice(key.namespace.clone(), slice.name(), object);
            self.fleet.engine.apply(Change::Exposure(change), self.fleet.now);
        }
        for (name, _) in &publish.old_slices {
            let change = ExposureChange::Slice(key.namespace.clone(), name.clone(), None);
            self.fleet.apply(Change::Exposure(change));
        }
        for (name, _) in &publish.old_services {
            let change = ExposureChange::Service(key.namespace.clone(), name.clone(), None);
            self.fleet.apply(Change::Exposure(change));
        }
    }
}
