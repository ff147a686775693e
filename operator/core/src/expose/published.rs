//! What is on the hub for what is exposed, as its watches have shown.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domicile_crds::{ClusterName, NamespaceName, WorkloadKey};
use jiff::Timestamp;
use k8s_openapi::{
    api::{core::v1::Service, discovery::v1::EndpointSlice},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};

use super::{HubService, HubSlice};

/// Something was observed on the hub of what is exposed.
#[derive(Clone, Debug)]
pub enum ExposureChange {
    /// A Service with our label, by its name; `None` if it is gone.
    Service(NamespaceName, String, Option<Box<Service>>),
    /// An EndpointSlice with our label, by its name; `None` if it is gone.
    Slice(NamespaceName, String, Option<Box<EndpointSlice>>),
    /// All with our label have been listed.
    Listed,
    /// An object that a workload needs, as `Service/web`, is there and isn't ours. It is looked at again from then on.
    Taken(WorkloadKey, String, Timestamp),
    /// The same is ours, or isn't there any more.
    Free(WorkloadKey, String),
}

/// Something that is kept on the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept<T> {
    /// What it says.
    pub body: T,
    /// Which object it is.
    pub uid: Arc<str>,
    version: Option<u128>,
}

/// What is kept for one workload, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Services.
    pub services: BTreeMap<String, Kept<HubService>>,
    /// EndpointSlices.
    pub slices: BTreeMap<String, Kept<HubSlice>>,
}

impl Published {
    /// The slices of a Service that lead to a copy.
    pub fn of<'a>(&'a self, service: &'a str, ordinal: i32) -> impl Iterator<Item = &'a HubSlice> {
        let slices = self.slices.values().map(|kept| &kept.body);
        slices.filter(move |slice| *slice.service == *service && slice.ordinal == ordinal)
    }

    /// Whether clients are sent to a copy on a cluster.
    #[must_use]
    pub fn leads_to(&self, ordinal: i32, cluster: &ClusterName) -> bool {
        self.slices.values().any(|kept| kept.body.ordinal == ordinal && kept.body.cluster == *cluster)
    }

    fn is_empty(&self) -> bool {
        self.services.is_empty() && self.slices.is_empty()
    }
}

type Place = (NamespaceName, String);

/// What is kept on the hub for all workloads.
#[derive(Clone, Debug, Default)]
pub struct Exposure {
    /// All of it has been listed: what isn't here isn't there.
    pub known: bool,
    published: HashMap<WorkloadKey, Published>,
    services: HashMap<Place, WorkloadKey>,
    slices: HashMap<Place, WorkloadKey>,
    taken: HashMap<WorkloadKey, BTreeMap<String, Timestamp>>,
}

static NOTHING: Published = Published { services: BTreeMap::new(), slices: BTreeMap::new() };

impl Exposure {
    /// What is kept for a workload.
    #[must_use]
    pub fn of(&self, key: &WorkloadKey) -> &Published {
        self.published.get(key).unwrap_or(&NOTHING)
    }

    /// Names that a workload needs and that are somebody else's, with the instant at which each is looked at again.
    pub fn taken(&self, key: &WorkloadKey) -> impl Iterator<Item = (&str, Timestamp)> {
        self.taken.get(key).into_iter().flatten().map(|(name, until)| (name.as_str(), *until))
    }

    /// Whether a workload needs a name that is somebody else's.
    #[must_use]
    pub fn is_taken(&self, key: &WorkloadKey, name: &str) -> bool {
        self.taken.get(key).is_some_and(|names| names.contains_key(name))
    }

    /// Takes note of a change. Answers whom it concerns.
    pub(crate) fn apply(&mut self, change: ExposureChange) -> Vec<WorkloadKey> {
        match change {
            ExposureChange::Service(namespace, name, object) => {
                let read = object.and_then(|it| Some((HubService::read(&it)?, it.metadata)));
                note(&mut self.published, &mut self.services, (namespace, name), read, |it| &mut it.services)
            }
            ExposureChange::Slice(namespace, name, object) => {
                let read = object.and_then(|it| Some((HubSlice::read(&it)?, it.metadata)));
                note(&mut self.published, &mut self.slices, (namespace, name), read, |it| &mut it.slices)
            }
            ExposureChange::Listed => {
                self.known = true;
                Vec::new()
            }
            ExposureChange::Taken(key, name, until) => {
                self.taken.entry(key.clone()).or_default().insert(name, until);
                vec![key]
            }
            ExposureChange::Free(key, name) => {
                let Some(names) = self.taken.get_mut(&key) else { return Vec::new() };
                let was_taken = names.remove(&name).is_some();
                if names.is_empty() {
                    self.taken.remove(&key);
                }
                if was_taken { vec![key] } else { Vec::new() }
            }
        }
    }

    /// Forgets what a workload that is gone couldn't have.
    pub(crate) fn forget(&mut self, key: &WorkloadKey) {
        self.taken.remove(key);
    }
}

fn note<T: PartialEq>(
    published: &mut HashMap<WorkloadKey, Published>,
    holders: &mut HashMap<Place, WorkloadKey>,
    place: Place,
    read: Option<((WorkloadKey, T), ObjectMeta)>,
    shelf: impl Fn(&mut Published) -> &mut BTreeMap<String, Kept<T>>,
) -> Vec<WorkloadKey> {
    let mut touched = Vec::new();
    let new = read.map(|((key, body), meta)| {
        let version = meta.resource_version.as_deref().and_then(|text| text.parse().ok());
        (key, Kept { body, uid: meta.uid.as_deref().unwrap_or_default().into(), version })
    });
    if let Some(key) = holders.get(&place)
        && new.as_ref().is_none_or(|(other, _)| other != key)
    {
        let key = key.clone();
        holders.remove(&place);
        if let Some(of_key) = published.get_mut(&key) {
            shelf(of_key).remove(&place.1);
            if of_key.is_empty() {
                published.remove(&key);
            }
        }
        touched.push(key);
    }
    let Some((key, kept)) = new else { return touched };
    let there = shelf(published.entry(key.clone()).or_default());
    if let Some(known) = there.get(&place.1) {
        // A watch may be slower than the answer to a write.
        let is_older = known.uid == kept.uid && kept.version < known.version;
        if is_older || *known == kept {
            return touched;
        }
    }
    there.insert(place.1.clone(), kept);
    holders.insert(place, key.clone());
    touched.push(key);
    touched
}
