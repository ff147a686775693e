//! All objects of a hub at one instant, and the world that they make: for whoever asks what would be.
//!
//! The objects come from a hub or from files, with others laid over them. What follows from them is decided by the very
//! code that the operator runs.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domicile_crds::{
    Assignment, ClusterName, CountrySet, CountrySetName, Decision, DecisionName, HostingProvider,
    Installation, MemberCluster, Migration, NamespaceName, ProviderName, Relocation, RelocationName, Site,
    SiteName, Tenant, TenantName, TenantWorkload, WorkloadKey, condition_of,
    keys::{self, condition},
};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::{Change, Engine, decide::PREFERENCE_SETTLE};

/// The kinds that are looked at, by name.
pub const KINDS: [&str; 12] = [
    "CountrySet",
    "HostingProvider",
    "Site",
    "MemberCluster",
    "Decision",
    "Tenant",
    "Namespace",
    "TenantWorkload",
    "Assignment",
    "Migration",
    "Relocation",
    "Installation",
];

/// Which object: kind, namespace (empty for those that have none) and name.
pub type Key = (String, String, String);

/// An object that can't be read.
#[derive(Debug, thiserror::Error)]
#[error("{object} can't be read")]
pub struct Unreadable {
    /// As kind/namespace/name.
    pub object: String,
    /// What is wrong with it.
    #[source]
    pub source: serde_json::Error,
}

/// All objects of a hub at one instant.
#[derive(Clone, Debug, Default)]
pub struct Snapshot(BTreeMap<Key, Value>);

impl Snapshot {
    /// Lays an object over what is there: it replaces the one of its name as applying it would, so that what the server and
    /// the operator have written of it stays. Of a List, each of its items. What isn't of [`KINDS`] makes no difference to where
    /// anything may run.
    ///
    /// Answers how many objects were taken.
    pub fn put(&mut self, mut object: Value) -> usize {
        if let Some(Value::Array(items)) = object.get_mut("items").map(Value::take) {
            return items.into_iter().map(|item| self.put(item)).sum();
        }
        let Some(key) = key(&object) else { return 0 };
        if let (Some(old), Value::Object(new)) = (self.0.remove(&key), &mut object) {
            keep(old, new);
        }
        self.0.insert(key, object);
        1
    }

    /// Whether an object is of those that [`put`](Self::put) takes.
    #[must_use]
    pub fn takes(object: &Value) -> bool {
        key(object).is_some()
    }

    /// Takes an object away. Answers whether it was there.
    pub fn remove(&mut self, key: &Key) -> bool {
        self.0.remove(key).is_some()
    }

    /// An object as it stands.
    #[must_use]
    pub fn get(&self, kind: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.0.get(&(kind.to_owned(), namespace.to_owned(), name.to_owned()))
    }

    /// The objects of a kind, by namespace and name.
    pub fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = (&'a Key, &'a Value)> {
        self.0.iter().filter(move |((of, ..), _)| of == kind)
    }

    /// Namespaces that tenants list and that aren't there are theirs, as the operator would make them.
    pub fn assume_namespaces(&mut self) {
        let mut namespaces = Vec::new();
        for ((_, _, tenant), object) in self.of_kind("Tenant") {
            let listed = object.pointer("/spec/namespaces").and_then(Value::as_array).into_iter().flatten();
            for name in listed.filter_map(Value::as_str) {
                if self.get("Namespace", "", name).is_none() {
                    let labels = json!({keys::TENANT_LABEL: tenant});
                    namespaces
                        .push(json!({"kind": "Namespace", "metadata": {"name": name, "labels": labels}}));
                }
            }
        }
        self.0.extend(namespaces.into_iter().filter_map(|object| Some((key(&object)?, object))));
    }

    /// Takes every member for ready, and for one that lets all tenants in, of which nothing was observed: files that people
    /// write don't say it. Their [namespaces](Self::assume_namespaces) are assumed, too.
    ///
    /// Answers of which members that was assumed.
    pub fn assume(&mut self) -> Vec<String> {
        self.assume_namespaces();
        let tenants: Vec<Value> = self.of_kind("Tenant").map(|((_, _, name), _)| json!(name)).collect();
        let mut assumed = Vec::new();
        let members = self.0.iter_mut().filter(|((kind, ..), _)| kind == "MemberCluster");
        for ((_, _, name), object) in
            members.filter(|(_, object)| object.pointer("/status/clusterId").is_none())
        {
            let ready = json!({
                "type": condition::READY, "status": "True", "reason": "Assumed", "message": "",
                "lastTransitionTime": Timestamp::UNIX_EPOCH.to_string(),
            });
            if let Value::Object(fields) = object {
                let status = json!({"clusterId": name, "tenants": tenants, "conditions": [ready]});
                fields.insert("status".to_owned(), status);
            }
            assumed.push(name.clone());
        }
        assumed
    }

    /// What follows from the objects at `now`. A member is taken for seen now if it was ready, else for seen when it was last.
    ///
    /// # Errors
    ///
    /// The first object that can't be read: nobody could say what it would forbid.
    pub fn engine(&self, now: Timestamp) -> Result<Engine, Unreadable> {
        let mut engine = Engine::default();
        engine.apply(Change::HubSeen(now), now);
        for (key, object) in &self.0 {
            for change in changes(key, object, now)? {
                engine.apply(change, now);
            }
        }
        engine.advance(now);
        Ok(engine)
    }

    /// The same, and as if each member that is ready had been so for [`PREFERENCE_SETTLE`]: what only waits for that happens without
    /// anybody's doing. Answers also which of them haven't.
    ///
    /// # Errors
    ///
    /// As [`engine`](Self::engine).
    pub fn settled(&self, now: Timestamp) -> Result<(Engine, BTreeSet<ClusterName>), Unreadable> {
        let mut engine = self.engine(now)?;
        let mut young = BTreeSet::new();
        let Ok(enough) = now.checked_sub(PREFERENCE_SETTLE) else { return Ok((engine, young)) };
        for (key, object) in self.of_kind("MemberCluster") {
            let mut object: MemberCluster = read(key, object)?;
            let Ok(name) = ClusterName::new(&key.2) else { continue };
            let conditions = object.status.iter_mut().flat_map(|status| &mut status.conditions);
            let mut ready = conditions.filter(|it| it.type_ == condition::READY && it.status == "True");
            let Some(ready) = ready.find(|ready| ready.last_transition_time.0 > enough) else { continue };
            ready.last_transition_time.0 = enough;
            young.insert(name.clone());
            engine.apply(Change::Cluster(name, Some(Box::new(object))), now);
        }
        engine.advance(now);
        Ok((engine, young))
    }
}

/// Which object it is, if it is of [`KINDS`].
fn key(object: &Value) -> Option<Key> {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    let (kind, name) = (text("/kind")?, text("/metadata/name")?);
    let group = text("/apiVersion").unwrap_or("v1");
    let is_ours = if kind == "Namespace" { group == "v1" } else { group.starts_with("domicile.dev/") };
    let namespace = text("/metadata/namespace").unwrap_or_default();
    (is_ours && KINDS.contains(&kind)).then(|| (kind.to_owned(), namespace.to_owned(), name.to_owned()))
}

/// Keeps what applying an object doesn't change: its status, and the metadata that it doesn't name.
fn keep(old: Value, new: &mut Map<String, Value>) {
    let Value::Object(old) = old else { return };
    for (field, value) in old {
        match (field.as_str(), new.get_mut(&field)) {
            ("status", None) => {
                new.insert(field, value);
            }
            ("metadata", Some(Value::Object(metadata))) => {
                let Value::Object(old) = value else { continue };
                for (field, value) in old {
                    metadata.entry(field).or_insert(value);
                }
            }
            _ => {}
        }
    }
}

fn read<T: DeserializeOwned>(key: &Key, object: &Value) -> Result<T, Unreadable> {
    T::deserialize(object).map_err(|source| {
        let (kind, namespace, name) = key;
        let place = if namespace.is_empty() { String::new() } else { format!("{namespace}/") };
        Unreadable { object: format!("{kind}/{place}{name}"), source }
    })
}

/// What the operator would be told. What has a name that it doesn't take is left out, as it would be there.
fn changes(key: &Key, object: &Value, now: Timestamp) -> Result<Vec<Change>, Unreadable> {
    let (kind, namespace, name) = key;
    let workload = || WorkloadKey::new(namespace, name).ok();
    let change = match kind.as_str() {
        "CountrySet" => {
            let spec = read::<CountrySet>(key, object)?.spec;
            CountrySetName::new(name).ok().map(|name| Change::CountrySet(name, Some(spec)))
        }
        "HostingProvider" => {
            let spec = read::<HostingProvider>(key, object)?.spec;
            ProviderName::new(name).ok().map(|name| Change::Provider(name, Some(Arc::new(spec))))
        }
        "Site" => {
            let spec = read::<Site>(key, object)?.spec;
            SiteName::new(name).ok().map(|name| Change::Site(name, Some(spec)))
        }
        "MemberCluster" => return member(key, object, now),
        "Decision" => {
            let spec = read::<Decision>(key, object)?.spec;
            DecisionName::new(name).ok().map(|name| Change::Decision(name, Some(Arc::new(spec))))
        }
        "Tenant" => {
            let spec = read::<Tenant>(key, object)?.spec;
            TenantName::new(name).ok().map(|name| Change::Tenant(name, Some(Box::new(spec))))
        }
        "Namespace" => {
            let label = object.pointer("/metadata/labels").and_then(|labels| labels.get(keys::TENANT_LABEL));
            let owner = label.and_then(Value::as_str).and_then(|label| TenantName::new(label).ok());
            NamespaceName::new(name).ok().map(|name| Change::Namespace(name, Some(owner)))
        }
        "TenantWorkload" => {
            let object: TenantWorkload = read(key, object)?;
            workload().map(|key| Change::Workload(key, Some(Box::new(object))))
        }
        "Assignment" => {
            let object: Assignment = read(key, object)?;
            workload().map(|key| Change::Assignment(key, Some(Box::new(object))))
        }
        "Migration" => {
            let object: Migration = read(key, object)?;
            let of = WorkloadKey::new(namespace, object.spec.workload.as_str()).ok();
            of.map(|key| Change::Migration(key, name.clone(), Some(Box::new(object))))
        }
        "Relocation" => {
            let object: Relocation = read(key, object)?;
            RelocationName::new(name).ok().map(|name| Change::Relocation(name, Some(Box::new(object))))
        }
        _ => {
            let spec = read::<Installation>(key, object)?.spec;
            (name == "default").then_some(Change::Installation(Some(spec)))
        }
    };
    Ok(change.into_iter().collect())
}

fn member(key: &Key, object: &Value, now: Timestamp) -> Result<Vec<Change>, Unreadable> {
    let object: MemberCluster = read(key, object)?;
    let Ok(name) = ClusterName::new(&key.2) else { return Ok(Vec::new()) };
    let ready = object.status.as_ref().and_then(|status| condition_of(&status.conditions, condition::READY));
    let seen = ready.map(|ready| if ready.status == "True" { now } else { ready.last_transition_time.0 });
    let seen = seen.map(|at| Change::Seen(name.clone(), at));
    let taken = object.status.iter().flat_map(|status| &status.namespaces_taken);
    let taken = taken.map(|namespace| Change::NamespaceTaken(name.clone(), namespace.clone(), true));
    let also: Vec<_> = seen.into_iter().chain(taken).collect();
    Ok([Change::Cluster(name, Some(Box::new(object)))].into_iter().chain(also).collect())
}
