//! Watches on a member: what makes pods, by label, with the hub's own right to look.

use std::{collections::HashMap, fmt::Debug, time::Duration};

use domicile_core::{
    manifests::{Kind, ObjectRef, fnv1a},
    observed::{NO_EPOCH, ObjectView},
};
use domicile_crds::{WorkloadKey, keys};
use k8s_openapi::{
    api::{
        apps::v1::{Deployment, StatefulSet},
        batch::v1::{CronJob, Job},
        core::v1::Pod,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, OwnerReference},
};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    api::{ListParams, ObjectMeta},
    core::Selector,
    runtime::watcher::{Config, Event},
};
use serde::de::DeserializeOwned;
use tokio::{task::JoinSet, time::MissedTickBehavior};

use super::{Agent, MemberEvent, SeenObject, error::timely, halt::is_halted};
use crate::{metrics::KindLabel, watch::Watch};

/// The watched kinds, all of which make pods.
pub(crate) const WATCHED: [&str; 4] = ["Deployment", "StatefulSet", "Job", "CronJob"];

/// How often the pods are asked for of what was stopped: no watch tells when the last of them has gone.
const PODS_EVERY: Duration = Duration::from_secs(2);
/// Objects of a page, none of which is larger than half a mebibyte by what tenants may write: a page is read whole.
const PAGE: u32 = 100;
/// Pods whose containers haven't all ended.
const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";

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
    let config = Config::default().labels(keys::WORKLOAD_LABEL).timeout(60).page_size(PAGE);
    let salt = fnv1a(format!("{} {kind}", agent.name).as_bytes());
    let mut watch = Watch::new(Api::<K>::all(client.clone()), config, salt);
    let mut known: HashMap<(String, String), Place> = HashMap::new();
    let mut listed: HashMap<(String, String), Place> = HashMap::new();
    let mut stopping = Stopping::default();
    let mut ticks = tokio::time::interval(PODS_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let event = tokio::select! {
            event = watch.next() => event,
            _ = ticks.tick(), if !stopping.0.is_empty() => {
                stopping.look(&agent, &client).await;
                continue;
            }
        };
        match event {
            Ok(Event::Init) => listed.clear(),
            Ok(Event::InitApply(object)) => {
                if let Some((id, place)) = there(&agent, kind_index, &object, health, &mut stopping).await {
                    listed.insert(id, place);
                }
            }
            Ok(Event::Apply(object)) => {
                let id = (object.namespace().unwrap_or_default(), object.name_any());
                let now =
                    there(&agent, kind_index, &object, health, &mut stopping).await.map(|(_, place)| place);
                // Whoever changes its labels takes it from the copy that it was of.
                if let Some(before) = known.remove(&id)
                    && now.as_ref() != Some(&before)
                {
                    gone(&agent, kind_index, &id.1, before).await;
                }
                known.extend(now.map(|place| (id, place)));
            }
            Ok(Event::Delete(object)) => {
                let id = (object.namespace().unwrap_or_default(), object.name_any());
                stopping.0.remove(&id);
                if let Some(place) = known.remove(&id) {
                    gone(&agent, kind_index, &id.1, place).await;
                }
            }
            Ok(Event::InitDone) => {
                // The list is complete: whatever else was seen before, by us or through another connection, is gone.
                known = std::mem::take(&mut listed);
                stopping.0.retain(|id, _| known.contains_key(id));
                let object = |name: &str| ObjectRef { kind: kind_index, name: name.into() };
                let present =
                    known.iter().map(|((_, name), (key, ordinal))| (key.clone(), *ordinal, object(name)));
                agent.send(MemberEvent::Listed(kind_index, present.collect())).await;
            }
            Err(error) => {
                let label = KindLabel { kind: format!("member/{kind}") };
                agent.metrics.watch_errors.get_or_create(&label).inc();
                tracing::debug!(cluster = %agent.name, %kind, %error, "a watch on a member broke, and is begun again");
                agent.send(MemberEvent::Broken(kind_index)).await;
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
    stopping: &mut Stopping,
) -> Option<((String, String), Place)> {
    let meta = object.meta();
    let (key, ordinal, mut view) = read_labels(meta)?;
    let health = health(object);
    view.ready = health.ready;
    view.serving = health.serving;
    view.idle = health.idle == Idle::Certain;
    view.completed = health.completed;
    view.stopped = health.stopped;
    view.deletes_claims = health.deletes_claims;
    let id = (meta.namespace.clone()?, meta.name.clone()?);
    let seen = SeenObject {
        key: key.clone(),
        ordinal,
        object: ObjectRef { kind, name: id.1.as_str().into() },
        view: Some(view),
        generation: meta.generation.unwrap_or_default(),
    };
    match health.idle {
        Idle::UnlessPods(selector) => stopping.0.insert(id.clone(), (selector, seen.clone())),
        Idle::Certain | Idle::No => stopping.0.remove(&id),
    };
    agent.send(MemberEvent::Object(seen)).await;
    Some((id, (key, ordinal)))
}

/// What was scaled to zero and may still have pods that are ending, with the selector of its pods.
#[derive(Default)]
struct Stopping(HashMap<(String, String), (Selector, SeenObject)>);

impl Stopping {
    /// Asks for the pods, and tells of those objects that have none.
    async fn look(&mut self, agent: &Agent, client: &Client) {
        let mut ended = Vec::new();
        for (id, (selector, _)) in &self.0 {
            let pods: Api<Pod> = Api::namespaced(client.clone(), &id.0);
            // What has ended runs nothing, and stays until somebody collects it.
            let running = ListParams::default().labels_from(selector).fields(RUNNING).limit(1);
            match timely(agent.name.as_str(), pods.list_metadata(&running)).await {
                Ok(found) if found.items.is_empty() => ended.push(id.clone()),
                Ok(_) => {}
                Err(error) => {
                    tracing::debug!(cluster = %agent.name, %error, "pods that are ending could not be listed");
                }
            }
        }
        for id in ended {
            let Some((_, mut seen)) = self.0.remove(&id) else { continue };
            if let Some(view) = &mut seen.view {
                view.idle = true;
            }
            agent.send(MemberEvent::Object(seen)).await;
        }
    }
}

async fn gone(agent: &Agent, kind: Kind, name: &str, (key, ordinal): Place) {
    let object = ObjectRef { kind, name: name.into() };
    agent.send(MemberEvent::Object(SeenObject { key, ordinal, object, view: None, generation: 0 })).await;
}

/// Whose an object is, and what its labels say of it. `None` for what isn't ours.
pub(crate) fn read_labels(meta: &ObjectMeta) -> Option<(WorkloadKey, i32, ObjectView)> {
    let label = |name: &str| meta.labels.as_ref()?.get(name).map(String::as_str);
    let key = WorkloadKey::new(meta.namespace.as_deref()?, label(keys::WORKLOAD_LABEL)?).ok()?;
    // Nothing gets out of sight by an edited label.
    let ordinal = label(keys::SEAT_LABEL).and_then(|text| text.parse().ok()).unwrap_or(0);
    let halted = annotation(meta, keys::HALTED_ANNOTATION);
    // Of what was halted, the mark says what was applied before.
    let applied = halted.or_else(|| annotation(meta, keys::APPLIED_ANNOTATION));
    let view = ObjectView {
        digest: applied.and_then(|text| u64::from_str_radix(text, 16).ok()).unwrap_or(0),
        applied: applied.is_some(),
        epoch: label(keys::EPOCH_LABEL).and_then(|text| text.parse().ok()).unwrap_or(NO_EPOCH),
        ready: true,
        serving: false,
        idle: true,
        completed: false,
        terminating: meta.deletion_timestamp.is_some(),
        stopped: false,
        halted: is_halted(meta),
        deletes_claims: false,
        made_by: maker(meta).map_or(0, |cron_job| fnv1a(cron_job.name.as_bytes())),
    };
    Some((key, ordinal, view))
}

/// An annotation of an object.
pub(super) fn annotation<'a>(meta: &'a ObjectMeta, name: &str) -> Option<&'a str> {
    meta.annotations.as_ref()?.get(name).map(String::as_str)
}

/// The CronJob that has made an object, if one has.
pub(super) fn maker(meta: &ObjectMeta) -> Option<&OwnerReference> {
    meta.owner_references.iter().flatten().find(|owner| owner.kind == "CronJob")
}

/// How something that makes pods is.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing seen, and they don't exclude each other"
)]
#[derive(Clone, Debug, Default)]
struct Health {
    ready: bool,
    /// At least one of its pods takes requests.
    serving: bool,
    idle: Idle,
    completed: bool,
    stopped: bool,
    deletes_claims: bool,
}

/// Whether something has no pods.
#[derive(Clone, Debug, Default, PartialEq)]
enum Idle {
    #[default]
    No,
    Certain,
    /// It counts none, and doesn't count those that are ending: they must be asked for.
    UnlessPods(Selector),
}

impl Idle {
    fn when(certain: bool) -> Self {
        if certain { Self::Certain } else { Self::No }
    }

    /// As the status of something with a selector tells; one that can't be read selects nothing for certain.
    fn unless_pods(counts_none: bool, selector: Option<LabelSelector>) -> Self {
        let selector = selector.filter(|_| counts_none).and_then(|labels| Selector::try_from(labels).ok());
        selector.filter(|selector| !selector.selects_all()).map_or(Self::No, Self::UnlessPods)
    }
}

fn deployment(object: &Deployment) -> Health {
    let wanted = object.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
    let status = object.status.clone().unwrap_or_default();
    let current = status.observed_generation >= object.metadata.generation;
    let count = |n: Option<i32>| n.unwrap_or(0);
    // `replicas` leaves out pods that are being deleted, whose containers may run for all their grace period.
    let none = current && wanted == 0 && count(status.replicas) + count(status.terminating_replicas) == 0;
    Health {
        ready: current
            && count(status.updated_replicas) >= wanted
            && count(status.available_replicas) >= wanted
            && count(status.replicas) <= count(status.updated_replicas),
        serving: count(status.ready_replicas) > 0,
        idle: Idle::unless_pods(none, object.spec.as_ref().map(|spec| spec.selector.clone())),
        stopped: wanted == 0,
        ..Health::default()
    }
}

fn stateful_set(object: &StatefulSet) -> Health {
    let wanted = object.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1);
    let deletes_claims = deletes_claims(object);
    let Some(status) = &object.status else {
        return Health { stopped: wanted == 0, deletes_claims, ..Health::default() };
    };
    let current = status.observed_generation >= object.metadata.generation;
    let updated = status.update_revision.is_none()
        || status.update_revision == status.current_revision
        || status.updated_replicas.unwrap_or(0) >= wanted;
    let none = current && wanted == 0 && status.replicas == 0;
    Health {
        ready: current && updated && status.ready_replicas.unwrap_or(0) >= wanted,
        serving: status.ready_replicas.unwrap_or(0) > 0,
        idle: Idle::unless_pods(none, object.spec.as_ref().map(|spec| spec.selector.clone())),
        completed: false,
        stopped: wanted == 0,
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
        serving: status.ready.unwrap_or(0) > 0,
        idle: Idle::when(
            active == 0 && (has("Complete") || has("Failed") || (suspended && (begun || has("Suspended")))),
        ),
        completed: has("Complete"),
        stopped: suspended || has("Complete") || has("Failed"),
        ..Health::default()
    }
}

fn cron_job(object: &CronJob) -> Health {
    let active = object.status.as_ref().and_then(|s| s.active.as_ref()).map_or(0, Vec::len);
    let suspended = object.spec.suspend == Some(true);
    Health {
        ready: true,
        idle: Idle::when(suspended && active == 0),
        stopped: suspended,
        ..Health::default()
    }
}
