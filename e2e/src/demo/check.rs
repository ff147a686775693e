//! What must have come true, looked up on the API servers themselves.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
};

use anyhow::{Context as _, ensure};
use domicile_crds::{TenantWorkload, WorkloadKey, keys};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::Deployment,
        batch::v1::CronJob,
        core::v1::{ConfigMap, Event, Namespace, Pod, Service},
    },
};
use kube::{
    Api, Resource, ResourceExt,
    api::{ListParams, PartialObjectMeta},
};

use serde::de::DeserializeOwned;

use super::picture::{Copy, Picture};
use crate::{fleet::Access, world::World};

/// All objects of a namespace on a member, with what tells whether anybody has touched them.
pub(super) type Fingerprint = BTreeMap<String, String>;

/// The objects of a kind that belong to workloads.
async fn of_kind<K>(member: &Access, namespace: &str, but: &str) -> anyhow::Result<Vec<PartialObjectMeta<K>>>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(member.client(), namespace);
    let labels = format!("{}{but}", keys::WORKLOAD_LABEL);
    Ok(api.list_metadata(&ListParams::default().labels(&labels)).await?.items)
}

fn put<K>(into: &mut Fingerprint, objects: &[PartialObjectMeta<K>], version: bool)
where
    K: Resource<DynamicType = ()>,
{
    for object in objects {
        let name = format!("{}/{}", K::kind(&()), object.name_any());
        let (uid, generation) = (object.uid().unwrap_or_default(), object.metadata.generation);
        let version = object.resource_version().filter(|_| version).unwrap_or_default();
        into.insert(name, format!("uid {uid}, generation {}, version {version}", generation.unwrap_or(0)));
    }
}

/// Everything of a tenant on a member: uid, generation and, of what nobody else writes, resourceVersion. The
/// CronJob's schedule writes its status, and its pods come and go.
pub(super) async fn fingerprint(member: &Access, namespace: &str) -> anyhow::Result<Fingerprint> {
    let mut all = Fingerprint::new();
    put(&mut all, &of_kind::<Deployment>(member, namespace, "").await?, true);
    put(&mut all, &of_kind::<Service>(member, namespace, "").await?, true);
    put(&mut all, &of_kind::<ConfigMap>(member, namespace, "").await?, true);
    put(&mut all, &of_kind::<CronJob>(member, namespace, "").await?, false);
    put(&mut all, &of_kind::<Pod>(member, namespace, ",!batch.kubernetes.io/job-name").await?, false);
    Ok(all)
}

/// The same on all members, for several tenants.
pub(super) async fn fingerprints(world: &World, tenants: &[&str]) -> anyhow::Result<Fingerprint> {
    let mut all = Fingerprint::new();
    for member in world.members() {
        for tenant in tenants {
            let found = fingerprint(member, tenant).await?;
            all.extend(
                found.into_iter().map(|(name, it)| (format!("{} {tenant} {name}", member.name()), it)),
            );
        }
    }
    Ok(all)
}

/// Nothing came, went or was written.
pub(super) fn untouched(before: &Fingerprint, after: &Fingerprint) -> anyhow::Result<()> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for name in names {
        let (was, is) = (before.get(name), after.get(name));
        ensure!(was == is, "{name} should have been left alone: it was {was:?} and is {is:?}");
    }
    Ok(())
}

/// Nothing of a tenant's workloads is left on a member.
pub(super) async fn nothing_left(member: &Access, namespace: &str) -> anyhow::Result<()> {
    let mut left = fingerprint(member, namespace).await?;
    // A pod that was asked to go takes its time, and is nobody's decision any more.
    left.retain(|name, _| !name.starts_with("Pod/"));
    let names: Vec<&String> = left.keys().collect();
    ensure!(left.is_empty(), "{} still has {names:?} of {namespace}", member.name());
    Ok(())
}

/// The tenants that have a namespace on a member.
pub(super) async fn tenants_on(member: &Access) -> anyhow::Result<Vec<String>> {
    let api: Api<Namespace> = Api::all(member.client());
    let found = api.list_metadata(&ListParams::default().labels(keys::TENANT_LABEL)).await?;
    Ok(found.items.iter().map(ResourceExt::name_any).collect())
}

/// A CronJob can't run on two members. Asked of the members themselves.
pub(super) async fn runs_once(world: &World, key: &WorkloadKey) -> anyhow::Result<()> {
    let mut running = Vec::new();
    for member in world.members() {
        let api: Api<CronJob> = Api::namespaced(member.client(), key.namespace.as_str());
        let ours = format!("{}={}", keys::WORKLOAD_LABEL, key.name);
        let found = api.list(&ListParams::default().labels(&ours)).await?;
        if found.items.iter().any(|it| it.spec.suspend != Some(true)) {
            running.push(member.name());
        }
    }
    ensure!(running.len() < 2, "the CronJob of {key} could run on {running:?} at once");
    Ok(())
}

/// A value in a ConfigMap on a member.
pub(super) async fn config(member: &Access, key: &WorkloadKey, entry: &str) -> anyhow::Result<String> {
    let api: Api<ConfigMap> = Api::namespaced(member.client(), key.namespace.as_str());
    let found = api.get(key.name.as_str()).await?;
    found.data.and_then(|mut data| data.remove(entry)).with_context(|| format!("{key} has no {entry}"))
}

/// The Warning events about a workload on the hub, by reason.
pub(super) async fn warnings(hub: &Access, key: &WorkloadKey) -> anyhow::Result<Vec<String>> {
    let events: Api<Event> = Api::namespaced(hub.client(), key.namespace.as_str());
    let about = format!(
        "type=Warning,involvedObject.kind={},involvedObject.name={}",
        TenantWorkload::kind(&()),
        key.name
    );
    let found = events.list(&ListParams::default().fields(&about)).await?;
    Ok(found.items.into_iter().filter_map(|event| event.reason).collect())
}

/// A workload is Ready and lawful on exactly one member, which is one of these, as the hub says and as all
/// members say; or what is missing.
pub(super) fn at_home(picture: &Picture, key: &WorkloadKey, places: &[&str]) -> Result<(), String> {
    let Some(workload) = picture.workloads.get(key) else { return Err(format!("{key} isn't on the hub")) };
    let there = picture.clusters_of(key);
    let [cluster] = there.as_slice() else { return Err(format!("{key} is on {there:?}")) };
    if !places.contains(cluster) {
        return Err(format!("{key} is on {cluster}"));
    }
    let works = picture.copies.get(key).and_then(|copies| copies.get(*cluster)).is_some_and(Copy::works);
    if !works {
        return Err(format!("{key} isn't Ready on {cluster}"));
    }
    let seats: Vec<&str> =
        workload.status.seats.iter().filter(|s| s.ready).map(|s| s.place.cluster.as_str()).collect();
    if seats != [*cluster] {
        return Err(format!("{key} says that it is Ready on {seats:?}, and is on {cluster}"));
    }
    for kind in [keys::condition::READY, keys::condition::COMPLIANT] {
        match workload.condition(kind) {
            Some(("True", ..)) => {}
            other => return Err(format!("{key} says {kind}={other:?}")),
        }
    }
    match picture.move_of(key) {
        Some(it) => Err(format!("the move of {key} from {} to {} hasn't ended", it.from, it.to)),
        None => Ok(()),
    }
}
