//! A small world in which everything is lawful, to be broken one fact at a time.

#![expect(clippy::needless_pass_by_value, reason = "facts are written in place, as JSON")]

mod acts;
mod audit;
mod countries;
mod decisions;
mod manifests;
mod moves;
mod ownership;
mod place;
mod properties;
mod publish;
mod removal;
mod speed;
mod words;

use std::sync::Arc;

use domicile_crds::{
    Assignment, ClusterName, CountrySet, Decision, HostingProvider, Installation, InventoryItem,
    MemberCluster, NamespaceName, Site, Tenant, TenantName, TenantWorkload, WorkloadKey,
};
use jiff::{SignedDuration, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{Act, Facts, Forbidden, Seen, Violation, What, check};

/// A Monday noon.
const NOON: &str = "2026-06-01T12:00:00Z";
const UID: &str = "web-1";

/// Two clusters, in Amsterdam and in Brussels; the tenant `shop` has the workload `shop/web` on the first.
#[derive(Clone)]
struct World {
    facts: Facts,
    tenant: TenantName,
    key: WorkloadKey,
    workload: Option<TenantWorkload>,
    assignment: Option<Assignment>,
    /// What was seen of the workload, wherever that is asked.
    seen: Vec<Seen>,
    now: Timestamp,
}

fn read<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn object(kind: &str, name: &str, spec: Value) -> Value {
    json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// Merges `patch` into `value`: maps are merged, a null removes, all else replaces.
fn merge(value: &mut Value, patch: &Value) {
    match (value, patch) {
        (Value::Object(value), Value::Object(patch)) => {
            for (key, inner) in patch {
                if inner.is_null() {
                    value.remove(key);
                } else {
                    merge(value.entry(key.clone()).or_insert(json!({})), inner);
                }
            }
        }
        (value, patch) => *value = patch.clone(),
    }
}

fn merged(mut value: Value, patch: &Value) -> Value {
    merge(&mut value, patch);
    value
}

fn name<T: std::str::FromStr<Err: std::fmt::Debug>>(name: &str) -> T {
    name.parse().unwrap()
}

fn cluster(cluster: &str) -> ClusterName {
    name(cluster)
}

fn deployment(name: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {"replicas": 2, "template": {"spec": {"containers": [
            {"name": "main", "resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}}
        ]}}}
    })
}

fn manifest(api: &str, kind: &str, spec: Value) -> Value {
    json!({"apiVersion": api, "kind": kind, "metadata": {"name": "x"}, "spec": spec})
}

fn item(api: &str, kind: &str, name: &str) -> InventoryItem {
    InventoryItem { api_version: api.to_owned(), kind: kind.to_owned(), name: name.to_owned() }
}

fn web() -> Vec<InventoryItem> {
    vec![item("apps/v1", "Deployment", "web")]
}

fn claim() -> InventoryItem {
    item("v1", "PersistentVolumeClaim", "data")
}

impl World {
    fn lawful() -> Self {
        let mut world = Self {
            facts: Facts::default(),
            tenant: name("shop"),
            key: WorkloadKey::new("shop", "web").unwrap(),
            workload: None,
            assignment: None,
            seen: web().into_iter().map(|item| Seen { item, deletes_claims: false }).collect(),
            now: NOON.parse().unwrap(),
        };
        world.country_set("benelux", &["BE", "NL", "LU"]);
        world.provider("runs");
        world.provider("owns");
        world.decide("runs-1", "HostingProvider/runs", "Approved", json!({}));
        world.decide("owns-1", "HostingProvider/owns", "Approved", json!({}));
        world.site("nl-ams", "NL", json!({}));
        world.site("be-bru", "BE", json!({}));
        world.member("ams-1", "nl-ams", json!({}));
        world.member("bru-1", "be-bru", json!({}));
        world.tenant(json!({}));
        world.workload(json!({}));
        world.installation(json!({"hub": {"site": "nl-ams"}}));
        world.seen(SignedDuration::ZERO);
        world
    }

    /// As it was lawful, and with a copy in Amsterdam on record.
    fn placed() -> Self {
        let mut world = Self::lawful();
        world.seats(&[("ams-1", "Active")]);
        world
    }

    fn country_set(&mut self, set: &str, countries: &[&str]) {
        let member = |c: &&str| json!({"country": c, "basis": "Membership", "source": "treaty"});
        self.country_set_of(set, countries.iter().map(member).collect());
    }

    fn country_set_of(&mut self, set: &str, members: Vec<Value>) {
        let set = read::<CountrySet>(object("CountrySet", set, json!({"members": members})));
        self.facts.country_set(Arc::new(set));
    }

    fn provider(&mut self, provider: &str) {
        self.provider_of(provider, json!({"legalName": provider, "registeredIn": "BE"}));
    }

    fn provider_of(&mut self, provider: &str, spec: Value) {
        self.facts.provider(Arc::new(read::<HostingProvider>(object("HostingProvider", provider, spec))));
    }

    /// A decision by `compliance` and the user `ann`.
    fn decide(&mut self, decision: &str, subject: &str, verdict: &str, patch: Value) {
        let (kind, subject) = subject.split_once('/').unwrap();
        let spec = json!({
            "subject": {"kind": kind, "name": subject}, "decision": verdict, "basis": "Law",
            "authority": "compliance", "decidedBy": "ann", "reason": "because"
        });
        let decision = read::<Decision>(object("Decision", decision, merged(spec, &patch)));
        self.facts.decision(Arc::new(decision));
    }

    fn site(&mut self, site: &str, country: &str, patch: Value) {
        let spec = json!({"operatedBy": "runs", "ownedBy": "owns", "country": country, "state": "Online"});
        self.facts.site(Arc::new(read::<Site>(object("Site", site, merged(spec, &patch)))));
    }

    fn member(&mut self, member: &str, site: &str, patch: Value) {
        let mut value = object(
            "MemberCluster",
            member,
            json!({"site": site, "connection": {"kubeconfigSecret": "x"},
                   "classes": {"storage": {"fast": "a"}, "ingress": {"web": "b"}}}),
        );
        let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "",
                           "lastTransitionTime": "2026-06-01T11:59:00Z"});
        value["status"] = json!({"clusterId": member, "tenants": ["other", "shop"], "conditions": [ready],
                                 "allocatable": {"cpu": "4", "memory": "8Gi", "pods": 10}});
        self.facts.member(Arc::new(read::<MemberCluster>(merged(value, &patch))));
    }

    fn tenant(&mut self, patch: Value) {
        let spec = json!({"namespaces": ["shop", "shop-test"], "residency": {"allowed": [{"countrySet": "benelux"}]}});
        self.facts.tenant(Arc::new(read::<Tenant>(object("Tenant", "shop", merged(spec, &patch)))));
    }

    fn workload(&mut self, patch: Value) {
        let mut value =
            object("TenantWorkload", "web", merged(json!({"manifests": [deployment("web")]}), &patch));
        merge(&mut value["metadata"], &json!({"namespace": "shop", "uid": UID, "generation": 1}));
        self.workload = Some(read(value));
    }

    fn installation(&mut self, spec: Value) {
        let installation = read::<Installation>(object("Installation", "default", spec));
        self.facts.installation(Arc::new(installation));
    }

    /// All was seen so long before `now`.
    fn seen(&mut self, ago: SignedDuration) {
        self.facts.hub_seen(self.now - ago);
        for member in ["ams-1", "bru-1"] {
            self.facts.member_seen(&cluster(member), self.now - ago);
        }
    }

    /// Puts seats on record, as pairs of cluster and phase.
    fn seats(&mut self, seats: &[(&str, &str)]) {
        let seat = |(ordinal, (cluster, phase)): (usize, &(&str, &str))| json!({"ordinal": ordinal, "cluster": cluster, "epoch": 1, "generation": 1, "phase": phase});
        let seats: Vec<_> = seats.iter().enumerate().map(seat).collect();
        let owner = json!([{"apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload", "name": "web", "uid": UID}]);
        let mut value = object("Assignment", "web", json!({"tenant": "shop", "seats": seats}));
        merge(&mut value["metadata"], &json!({"namespace": "shop", "ownerReferences": owner}));
        self.assignment = Some(read(value));
    }

    fn check(&self, cluster: &str, what: What<'_>) -> Result<(), Vec<Violation>> {
        let cluster: ClusterName = name(cluster);
        let act = Act {
            tenant: &self.tenant,
            key: &self.key,
            uid: UID,
            workload: self.workload.as_ref(),
            assignment: self.assignment.as_ref(),
            cluster: &cluster,
            seen: &self.seen,
            what,
        };
        check(&self.facts, &act, self.now)
    }

    /// Names of what is forbidden; an unanswered rule has a question mark.
    fn verdict(&self, cluster: &str, what: What<'_>) -> String {
        let violations = self.check(cluster, what).err().unwrap_or_default();
        violations.iter().map(|v| short(&v.fact)).collect::<Vec<_>>().join(" ")
    }

    /// What forbids a new seat in Amsterdam.
    fn place(&self) -> String {
        self.verdict("ams-1", What::Place)
    }

    /// What forbids an update of what runs in Amsterdam.
    fn update(&self) -> String {
        let objects = self.workload.as_ref().map_or(&[][..], |w| &w.spec.manifests);
        self.verdict("ams-1", What::Apply { objects, from: None })
    }

    fn namespace(&self) -> NamespaceName {
        self.key.namespace.clone()
    }
}

fn short(fact: &Forbidden) -> String {
    match fact {
        Forbidden::Unknown { rule, .. } => format!("{rule}?"),
        fact => fact.name().to_owned(),
    }
}

/// What one change does to a lawful world.
fn after(change: impl FnOnce(&mut World)) -> World {
    let mut world = World::lawful();
    change(&mut world);
    world
}

#[test]
fn in_a_lawful_world_all_is_lawful() {
    assert_eq!(World::lawful().place(), "");
    assert_eq!(World::placed().update(), "");
}
