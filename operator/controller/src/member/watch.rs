//! Watches on a member: what makes pods, by label, with the hub's own right to look.

use std::{collections::HashMap, fmt::Debug};

use domicile_core::{
    manifests::{Kind, ObjectRef},
    observed::ObjectView,
};
use domicile_crds::{WorkloadKey, keys};
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::{
    apps::v1::{Deployment, StatefulSet},
    batch::v1::{CronJob, Job},
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::ObjectMeta,
    runtime::{
        WatchStreamExt as _,
        watcher::{self, Event, watcher},
    },
};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use super::{Agent, MemberEvent, SeenObject};
use crate::metrics::KindLabel;

/// The watched kinds, all of which make pods.
pub(crate) const WATCHED: [&str; 4] = ["Deployment", "StatefulSet", "Job", "CronJob"];

/// Starts the watches.
pub(super) fn start(tasks: &mut JoinSet<()>, agent: &Agent, client: &Client) {
    tasks.spawn(follow::<Deployment>(agent.clone(), client.clone(), deployment));
    tasks.spawn(follow::<StatefulSet>(agent.clone(), client.clone(), stateful_set));
    tasks.spawn(follow::<Job>(agent.clone(), client.clone(), job));
    tasks.spawn(follow::<CronJob>(agent.clone(), client.clone(), cron_job));
}

async fn follow<K>(agent: Agent, client: Client, health: fn(&K) -> Health)
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let kind = K::kind(&()).into_owned();
    let Some(kind_index) = Kind::of(&K::api_version(&()), &kind) else { return };
    let config = watcher::Config::default().labels(keys::WORKLOAD_LABEL).timeout(60);
    let mut events = watcher(Api::<K>::all(client), config).default_backoff().boxed();
    let mut known: HashMap<(String, String), Place> = HashMap::new();
    let mut listed: HashMap<(String, String), Place> = HashMap::new();
    loop {
        match events.try_next().await {
            Ok(Some(Event::Init)) => listed.clear(),
            Ok(Some(Event::InitApply(object))) => {
                if let Some((id, place)) = there(&agent, kind_index, &object, health).await {
                    listed.insert(id, place);
                }
            }
            Ok(Some(Event::Apply(object))) => {
                if let Some((id, place)) = there(&agent, kind_index, &object, health).await {
                    known.insert(id, place);
                }
            }
            Ok(Some(Event::Delete(object))) => {
                let id = (object.namespace().unwrap_or_default(), object.name_any());
                if let Some(place) = known.remove(&id) {
                    gone(&agent, kind_index, &id.1, place).await;
                }
            }
            Ok(Some(Event::InitDone)) => {
                // The list is complete: whatever else was seen before, by us or through another connection, is gone.
                known = std::mem::take(&mut listed);
                let object = |name: &str| ObjectRef { kind: kind_index, name: name.into() };
                let present =
                    known.iter().map(|((_, name), (key, ordinal))| (key.clone(), *ordinal, object(name)));
                agent.send(MemberEvent::Listed(kind_index, present.collect())).await;
            }
            Ok(None) => return,
            Err(error) => {
                let label = KindLabel { kind: format!("member/{kind}") };
                agent.metrics.watch_errors.get_or_create(&label).inc();
                tracing::debug!(cluster = %agent.name, %kind, %error, "a watch on a member broke, and is begun again");
            }
        }
    }
}

type Place = (WorkloadKey, i32);

async fn there<K: Resource<DynamicType = ()>>(
    agent: &Agent,
    kind: Kind,
    object: &K,
    health: fn(&K) -> Health,
) -> Option<((String, String), Place)> {
    let meta = object.meta();
    let (key, ordinal, mut view) = read_labels(meta)?;
    let health = health(object);
    view.ready = health.ready;
    view.idle = health.idle;
    view.completed = health.completed;
    view.deletes_claims = health.deletes_claims;
    let id = (meta.namespace.clone()?, meta.name.clone()?);
    let seen = SeenObject {
        key: key.clone(),
        ordinal,
        object: ObjectRef { kind, name: id.1.as_str().into() },
        view: Some(view),
        generation: meta.generation.unwrap_or_default(),
    };
    agent.send(MemberEvent::Object(seen)).await;
    Some((id, (key, ordinal)))
}

async fn gone(agent: &Agent, kind: Kind, name: &str, (key, ordinal): Place) {
    let object = ObjectRef { kind, name: name.into() };
    agent.send(MemberEvent::Object(SeenObject { key, ordinal, object, view: None, generation: 0 })).await;
}

/// Whose an object is, and what its labels say of it. `None` for what isn't ours.
pub(crate) fn read_labels(meta: &ObjectMeta) -> Option<(WorkloadKey, i32, ObjectView)> {
    let label = |name: &str| meta.labels.as_ref()?.get(name).map(String::as_str);
    let key = WorkloadKey::new(meta.namespace.as_deref()?, label(keys::WORKLOAD_LABEL)?).ok()?;
    let ordinal = label(keys::SEAT_LABEL)?.parse().ok()?;
    let applied = meta.annotations.as_ref().and_then(|a| a.get(keys::APPLIED_ANNOTATION));
    let view = ObjectView {
        digest: applied.and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0),
        epoch: label(keys::EPOCH_LABEL).and_then(|text| text.parse().ok()).unwrap_or(0),
        ready: true,
        idle: true,
        completed: false,
        terminating: meta.deletion_timestamp.is_some(),
        deletes_claims: false,
    };
    Some((key, ordinal, view))
}

/// How something that makes pods is.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing seen, and they don't exclude each other"
)]
#[derive(Clone, Copy, Debug, Default)]
struct Health {
    ready: bool,
    idle: bool,
    completed: bool,
    deletes_claims: bool,
}

fn deployment(object: &Deployment) -> Health {
    let wanted = object.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
    let status = object.status.clone().unwrap_or_default();
    let current = status.observed_generation >= object.metadata.generation;
    let count = |n: Option<i32>| n.unwrap_or(0);
    Health {
        ready: current
            && count(status.updated_replicas) >= wanted
            && count(status.available_replicas) >= wanted
            && count(status.replicas) <= count(status.updated_replicas),
        idle: current && count(status.replicas) == 0,
        ..Health::default()
    }
}

fn stateful_set(object: &StatefulSet) -> Health {
    let wanted = object.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
    let deletes_claims = deletes_claims(object);
    let Some(status) = &object.status else { return Health { deletes_claims, ..Health::default() } };
    let current = status.observed_generation >= object.metadata.generation;
    let updated = status.update_revision.is_none()
        || status.update_revision == status.current_revision
        || status.updated_replicas.unwrap_or(0) >= wanted;
    Health {
        ready: current && updated && status.ready_replicas.unwrap_or(0) >= wanted,
        idle: current && status.replicas == 0,
        completed: false,
        deletes_claims,
    }
}

/// Whether a StatefulSet has its claims deleted when it is scaled down or deleted itself.
pub(super) fn deletes_claims(object: &StatefulSet) -> bool {
    let policy = object.spec.as_ref().and_then(|s| s.persistent_volume_claim_retention_policy.as_ref());
    let deletes = |when: Option<&String>| when.is_some_and(|when| when != "Retain");
    policy.is_some_and(|p| deletes(p.when_deleted.as_ref()) || deletes(p.when_scaled.as_ref()))
}

fn job(object: &Job) -> Health {
    let status = object.status.clone().unwrap_or_default();
    let has = |kind: &str| status.conditions.iter().flatten().any(|c| c.type_ == kind && c.status == "True");
    let active = status.active.unwrap_or(0) + status.terminating.unwrap_or(0);
    let suspended = object.spec.as_ref().and_then(|s| s.suspend) == Some(true);
    // A Job that was only just made has no status yet: it isn't idle, its pods are to come.
    let begun = object.status.is_some() && (status.start_time.is_some() || has("Suspended"));
    Health {
        ready: !has("Failed"),
        idle: active == 0 && (has("Complete") || has("Failed") || (suspended && (begun || has("Suspended")))),
        completed: has("Complete"),
        ..Health::default()
    }
}

fn cron_job(object: &CronJob) -> Health {
    let active = object.status.as_ref().and_then(|s| s.active.as_ref()).map_or(0, Vec::len);
    let suspended = object.spec.suspend == Some(true);
    Health { ready: true, idle: suspended && active == 0, ..Health::default() }
}
