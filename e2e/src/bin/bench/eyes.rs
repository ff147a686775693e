//! What is seen: watches on the hub and on each member, which record when each thing happened; and what plays
//! readiness, since there are no nodes: one status write for each Deployment, at once.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fmt::Debug,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::bail;
use domicile_crds::{condition_of, keys::condition};
use futures::{StreamExt as _, TryStreamExt as _};
use http::Request;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{ConfigMap, Service},
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ApiResource, Object},
    core::PartialObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde::{Deserialize, de::DeserializeOwned, de::IgnoredAny};
use serde_json::json;
use tokio::{sync::Semaphore, task::JoinSet, time::Instant};

use crate::ground::{Ground, NAMESPACE};

/// Readiness is written by so many at a time on each member.
const FAKERS: usize = 16;

/// Kinds of which a workload consists.
pub(crate) const KINDS: [&str; 3] = ["ConfigMap", "Service", "Deployment"];

/// A workload's objects on one member.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copy {
    /// When each of [`KINDS`] was first seen.
    pub(crate) seen: [Option<Instant>; 3],
    /// When each was seen to be gone.
    pub(crate) gone: [Option<Instant>; 3],
    /// Just before readiness was written: whoever saw it Ready saw it later.
    pub(crate) ready: Option<Instant>,
    here: [bool; 3],
    faked: i64,
}

impl Copy {
    /// How many objects are there now.
    pub(crate) fn present(&self) -> usize {
        self.here.iter().filter(|here| **here).count()
    }

    /// When the last object appeared, once all are there.
    pub(crate) fn applied(&self) -> Option<Instant> {
        last(self.seen)
    }

    /// When the last object went, once all are gone.
    pub(crate) fn left(&self) -> Option<Instant> {
        last(self.gone)
    }
}

/// A workload, as it was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sight {
    /// Just before its create was sent.
    pub(crate) created: Option<Instant>,
    /// When the hub first said `Ready`.
    pub(crate) reported: Option<Instant>,
    /// Its objects by member.
    pub(crate) copies: BTreeMap<String, Copy>,
}

/// All that is seen. The watches end when it is dropped.
#[derive(Default)]
pub(crate) struct Eyes {
    sights: Mutex<HashMap<String, Sight>>,
    /// Workloads whose readiness is withheld for now, with what is to be written once it no longer is.
    withheld: Mutex<HashMap<String, Vec<(String, i64)>>>,
    clients: BTreeMap<String, Client>,
    fakers: BTreeMap<String, Arc<Semaphore>>,
    failures: Mutex<Vec<String>>,
}

/// Eyes that are open.
pub(crate) struct Open {
    pub(crate) eyes: Arc<Eyes>,
    _watches: JoinSet<()>,
}

#[derive(Clone, Debug, Default, Deserialize)]
struct Reported {
    #[serde(default)]
    conditions: Vec<Condition>,
}

impl Eyes {
    /// Opens them.
    pub(crate) fn open(ground: &Ground) -> anyhow::Result<Open> {
        let members: BTreeMap<_, _> =
            ground.stage.fleet.members().map(|member| (member.name().to_owned(), member.client())).collect();
        let fakers = members.keys().map(|name| (name.clone(), Arc::new(Semaphore::new(FAKERS)))).collect();
        let eyes = Arc::new(Self { clients: members.clone(), fakers, ..Self::default() });
        let mut watches = JoinSet::new();
        for (name, client) in members {
            watches.spawn(eyes.clone().follow::<ConfigMap>(name.clone(), client.clone(), 0));
            watches.spawn(eyes.clone().follow::<Service>(name.clone(), client.clone(), 1));
            watches.spawn(eyes.clone().follow::<Deployment>(name.clone(), client.clone(), 2));
        }
        watches.spawn(eyes.clone().follow_hub(ground.hub()?.client()));
        Ok(Open { eyes, _watches: watches })
    }

    /// A create is about to be sent.
    pub(crate) fn creates(&self, name: &str) {
        self.lock().entry(name.to_owned()).or_default().created = Some(Instant::now());
    }

    /// What was seen of workloads.
    pub(crate) fn sights(&self, names: &[String]) -> Vec<Sight> {
        let all = self.lock();
        names.iter().map(|name| all.get(name).cloned().unwrap_or_default()).collect()
    }

    /// Waits until `done` holds for all of the workloads.
    pub(crate) async fn wait(
        &self,
        names: &[String],
        deadline: Duration,
        done: impl Fn(&Sight) -> bool,
    ) -> anyhow::Result<()> {
        let begin = Instant::now();
        let mut left: Vec<&String> = names.iter().collect();
        loop {
            {
                let all = self.lock();
                left.retain(|name| !all.get(*name).is_some_and(&done));
            }
            let Some(first) = left.first() else { return Ok(()) };
            if begin.elapsed() > deadline {
                let sight = self.lock().get(*first).cloned();
                bail!("{} of {} aren't done after {deadline:?}; {first}: {sight:?}", left.len(), names.len());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Keeps these workloads from becoming Ready anywhere from now on.
    pub(crate) fn withhold(&self, names: &[String]) {
        let mut withheld = self.withheld.lock().unwrap_or_else(PoisonError::into_inner);
        withheld.extend(names.iter().map(|name| (name.clone(), Vec::new())));
    }

    /// Lets them become Ready.
    pub(crate) fn release(self: &Arc<Self>) {
        let withheld = std::mem::take(&mut *self.withheld.lock().unwrap_or_else(PoisonError::into_inner));
        for (name, waiting) in withheld {
            for (cluster, generation) in waiting {
                self.fake(&cluster, &name, generation);
            }
        }
    }

    /// What went wrong with playing readiness.
    pub(crate) fn failures(&self) -> Vec<String> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A panic elsewhere leaves what was seen as it was: no entry is ever half made.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Sight>> {
        self.sights.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow<K>(self: Arc<Self>, cluster: String, client: Client, kind: usize)
    where
        K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let api: Api<PartialObjectMeta<K>> = Api::namespaced(client, NAMESPACE);
        let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
        let (mut known, mut listed) = (HashSet::new(), HashSet::new());
        loop {
            match events.try_next().await {
                Ok(Some(Event::Init)) => listed.clear(),
                Ok(Some(Event::InitApply(object))) => {
                    listed.insert(object.name_any());
                    self.there(&cluster, kind, &object);
                }
                Ok(Some(Event::Apply(object))) => {
                    known.insert(object.name_any());
                    self.there(&cluster, kind, &object);
                }
                Ok(Some(Event::Delete(object))) => {
                    known.remove(&object.name_any());
                    self.gone(&cluster, kind, &object.name_any());
                }
                Ok(Some(Event::InitDone)) => {
                    known.difference(&listed).for_each(|name| self.gone(&cluster, kind, name));
                    known = std::mem::take(&mut listed);
                }
                Ok(None) => return,
                Err(error) => tracing::debug!(%cluster, %error, "a watch broke, and is begun again"),
            }
        }
    }

    fn there<K>(self: &Arc<Self>, cluster: &str, kind: usize, object: &PartialObjectMeta<K>) {
        let meta = &object.metadata;
        let Some(name) = meta.name.clone() else { return };
        let generation = meta.generation.unwrap_or_default();
        let mut all = self.lock();
        let copy = all.entry(name.clone()).or_default().copies.entry(cluster.to_owned()).or_default();
        if let Some(seen) = copy.seen.get_mut(kind) {
            seen.get_or_insert_with(Instant::now);
        }
        if let Some(here) = copy.here.get_mut(kind) {
            *here = true;
        }
        let is_deployment = KINDS.get(kind) == Some(&"Deployment");
        if is_deployment && meta.deletion_timestamp.is_none() && copy.faked < generation {
            copy.faked = generation;
            drop(all);
            let mut withheld = self.withheld.lock().unwrap_or_else(PoisonError::into_inner);
            match withheld.get_mut(&name) {
                Some(waiting) => waiting.push((cluster.to_owned(), generation)),
                None => self.fake(cluster, &name, generation),
            }
        }
    }

    fn gone(&self, cluster: &str, kind: usize, name: &str) {
        let mut all = self.lock();
        let copy = all.entry(name.to_owned()).or_default().copies.entry(cluster.to_owned()).or_default();
        if let Some(gone) = copy.gone.get_mut(kind) {
            *gone = Some(Instant::now());
        }
        if let Some(here) = copy.here.get_mut(kind) {
            *here = false;
        }
    }

    /// Writes that a Deployment is Ready.
    fn fake(self: &Arc<Self>, cluster: &str, name: &str, generation: i64) {
        let (Some(client), Some(free)) = (self.clients.get(cluster).cloned(), self.fakers.get(cluster))
        else {
            return;
        };
        let (eyes, free) = (self.clone(), free.clone());
        let (cluster, name) = (cluster.to_owned(), name.to_owned());
        tokio::spawn(async move {
            let _turn = free.acquire().await;
            {
                let mut all = eyes.lock();
                let copies = &mut all.entry(name.clone()).or_default().copies;
                copies.entry(cluster.clone()).or_default().ready.get_or_insert_with(Instant::now);
            }
            if let Err(error) = write_ready(&client, &name, generation).await {
                let mut failures = eyes.failures.lock().unwrap_or_else(PoisonError::into_inner);
                failures.push(format!("{cluster}: {name}: {error:#}"));
            }
        });
    }

    async fn follow_hub(self: Arc<Self>, client: Client) {
        let resource = ApiResource::erase::<domicile_crds::TenantWorkload>(&());
        // What tenants want isn't read: that would cost this process more than the watch costs the hub.
        let api: Api<Object<IgnoredAny, Reported>> = Api::namespaced_with(client, NAMESPACE, &resource);
        let mut events = watcher(api, watcher::Config::default()).default_backoff().boxed();
        loop {
            match events.try_next().await {
                Ok(Some(Event::Apply(object) | Event::InitApply(object))) => {
                    let conditions = object.status.as_ref().map(|status| status.conditions.as_slice());
                    let ready = condition_of(conditions.unwrap_or_default(), condition::READY);
                    if ready.is_some_and(|ready| ready.status == "True") {
                        let mut all = self.lock();
                        let sight = all.entry(object.name_any()).or_default();
                        sight.reported.get_or_insert_with(Instant::now);
                    }
                }
                Ok(Some(_)) => {}
                Ok(None) => return,
                Err(error) => tracing::debug!(%error, "the watch on the hub broke, and is begun again"),
            }
        }
    }
}

/// Writes that a Deployment of one replica is Ready.
pub(crate) async fn write_ready(client: &Client, name: &str, generation: i64) -> anyhow::Result<()> {
    let status = json!({"status": {
        "observedGeneration": generation,
        "replicas": 1, "updatedReplicas": 1, "readyReplicas": 1, "availableReplicas": 1,
    }});
    let uri = format!("/apis/apps/v1/namespaces/{NAMESPACE}/deployments/{name}/status");
    let request = Request::patch(uri)
        .header("content-type", "application/merge-patch+json")
        .body(serde_json::to_vec(&status)?)?;
    client.request_text(request).await?;
    Ok(())
}

fn last(times: [Option<Instant>; 3]) -> Option<Instant> {
    times.into_iter().collect::<Option<Vec<_>>>()?.into_iter().max()
}
