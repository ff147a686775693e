//! Watches on the hub, one per kind.

use std::{
    collections::HashSet,
    fmt::Debug,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use domicile_crds::{Guarded, Unreadable, keys};
use futures::FutureExt as _;
use k8s_openapi::api::{
    core::v1::{Namespace, Service},
    discovery::v1::EndpointSlice,
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::watcher::{Config, Event},
};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;

use super::{HubEvent, HubKind, HubObject};
use crate::{
    brain::Input,
    metrics::{KindLabel, Metrics},
    watch::Watch,
};

/// How many of the hub's watches are broken at present. While any is, nothing newer is known.
#[derive(Clone, Debug, Default)]
pub(crate) struct Broken(Arc<AtomicUsize>);

impl Broken {
    /// Whether all watches are well.
    pub(crate) fn is_none(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

/// Starts all watches. They end when `inputs` is closed.
pub(crate) fn start(client: &Client, inputs: &mpsc::Sender<Input>, metrics: &Arc<Metrics>) -> Broken {
    let broken = Broken::default();
    let feed = Feed { inputs: inputs.clone(), metrics: metrics.clone(), broken: broken.clone() };
    feed.start(client, HubKind::CountrySet, HubObject::CountrySet);
    feed.start(client, HubKind::Provider, HubObject::Provider);
    feed.start(client, HubKind::Site, HubObject::Site);
    feed.start(client, HubKind::Installation, HubObject::Installation);
    feed.start(client, HubKind::Cluster, HubObject::Cluster);
    feed.start(client, HubKind::Decision, HubObject::Decision);
    feed.start(client, HubKind::Tenant, HubObject::Tenant);
    feed.start(client, HubKind::Workload, HubObject::Workload);
    feed.start(client, HubKind::Assignment, HubObject::Assignment);
    feed.start(client, HubKind::Migration, HubObject::Migration);
    feed.start(client, HubKind::Relocation, HubObject::Relocation);
    // Of namespaces, the metadata is enough.
    let api: Api<PartialObjectMeta<Namespace>> = Api::all(client.clone());
    tokio::spawn(feed.follow(api, HubKind::Namespace, |object: PartialObjectMeta<Namespace>| {
        Ok(HubObject::Namespace(Arc::new(object.metadata)))
    }));
    feed.apart().start_exposed(client);
    broken
}

#[derive(Clone)]
struct Feed {
    inputs: mpsc::Sender<Input>,
    metrics: Arc<Metrics>,
    broken: Broken,
}

impl Feed {
    fn start<K>(&self, client: &Client, kind: HubKind, wrap: fn(Arc<K>) -> HubObject)
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
    {
        let api: Api<Guarded<K>> = Api::all(client.clone());
        let read = move |guarded: Guarded<K>| match guarded.0 {
            Ok(mut object) => {
                object.meta_mut().managed_fields = None;
                Ok(wrap(Arc::new(object)))
            }
            Err(unreadable) => Err(unreadable),
        };
        tokio::spawn(self.follow(api, kind, read));
    }

    /// What is kept for what workloads expose. Nothing is decided from it: if it can't be watched, nothing else stops.
    fn start_exposed(&self, client: &Client) {
        let ours = || Config::default().labels(keys::EXPOSED_LABEL);
        let watch: Watch<Service> = Watch::new(Api::all(client.clone()), ours(), HubKind::Service as u64);
        let read = |object| Ok(HubObject::Service(Arc::new(object)));
        tokio::spawn(self.clone().forward(watch, HubKind::Service, Box::new(read)));
        let watch: Watch<EndpointSlice> = Watch::new(Api::all(client.clone()), ours(), HubKind::Slice as u64);
        let read = |object| Ok(HubObject::Slice(Arc::new(object)));
        tokio::spawn(self.clone().forward(watch, HubKind::Slice, Box::new(read)));
    }

    /// The same, with watches that may break without anything else noticing.
    fn apart(&self) -> Self {
        Self { broken: Broken::default(), ..self.clone() }
    }

    fn follow<K>(
        &self,
        api: Api<K>,
        kind: HubKind,
        read: impl Fn(K) -> Result<HubObject, Unreadable> + Send + 'static,
    ) -> futures::future::BoxFuture<'static, ()>
    where
        K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
        K::DynamicType: Default,
    {
        let watch = Watch::new(api, Config::default(), kind as u64);
        self.clone().forward(watch, kind, Box::new(read)).boxed()
    }

    async fn forward<K>(
        self,
        mut watch: Watch<K>,
        kind: HubKind,
        read: Box<dyn Fn(K) -> Result<HubObject, Unreadable> + Send>,
    ) where
        K: Resource<DynamicType: Default> + Clone + Debug + DeserializeOwned + Send + 'static,
    {
        let mut known: HashSet<(Option<String>, String)> = HashSet::new();
        let mut listed: HashSet<(Option<String>, String)> = HashSet::new();
        let mut is_broken = false;
        loop {
            let event = match watch.next().await {
                Ok(event) => event,
                Err(error) => {
                    self.metrics.watch_errors.get_or_create(&KindLabel { kind: format!("{kind:?}") }).inc();
                    tracing::warn!(?kind, error = %error, "a watch on the hub broke, and is begun again");
                    if !is_broken {
                        self.broken.0.fetch_add(1, Ordering::Relaxed);
                        is_broken = true;
                    }
                    continue;
                }
            };
            let send = match event {
                Event::Init => {
                    listed.clear();
                    continue;
                }
                Event::InitApply(object) => {
                    listed.insert(id(&object));
                    vec![self.there(kind, object, &read)]
                }
                Event::Apply(object) => {
                    known.insert(id(&object));
                    vec![self.there(kind, object, &read)]
                }
                Event::Delete(object) => {
                    let (namespace, name) = id(&object);
                    known.remove(&(namespace.clone(), name.clone()));
                    vec![HubEvent::Gone(kind, namespace, name)]
                }
                Event::InitDone => {
                    if std::mem::take(&mut is_broken) {
                        self.broken.0.fetch_sub(1, Ordering::Relaxed);
                    }
                    let gone = known.difference(&listed).cloned();
                    let mut send: Vec<_> =
                        gone.map(|(namespace, name)| HubEvent::Gone(kind, namespace, name)).collect();
                    send.push(HubEvent::Listed(kind));
                    known = std::mem::take(&mut listed);
                    send
                }
            };
            for event in send {
                if self.inputs.send(Input::Hub(event)).await.is_err() {
                    return;
                }
            }
        }
    }

    fn there<K: Resource<DynamicType: Default>>(
        &self,
        kind: HubKind,
        object: K,
        read: &(impl Fn(K) -> Result<HubObject, Unreadable> + ?Sized),
    ) -> HubEvent {
        let reference = object.object_ref(&K::DynamicType::default());
        match read(object) {
            Ok(object) => HubEvent::There(object),
            Err(unreadable) => {
                self.metrics.unreadable.get_or_create(&KindLabel { kind: format!("{kind:?}") }).inc();
                HubEvent::Unreadable(kind, Box::new(reference), Box::new(unreadable))
            }
        }
    }
}

fn id<K: Resource>(object: &K) -> (Option<String>, String) {
    (object.namespace(), object.name_any())
}
