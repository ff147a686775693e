//! A witness: sees every pod and Job of tenants on every member, in the order in which things happen there.
//!
//! What it sees of two members may be some milliseconds apart. The operator acts on one member only after it has seen
//! the other, by watches like these, so that what it does in the wrong order shows here in the wrong order. Of a member
//! that doesn't answer it says nothing until it has seen all of it again.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Debug,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, ensure};
use domicile_crds::keys;
use futures::TryStreamExt as _;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use kube::{Api, Client, Resource, ResourceExt as _, runtime::watcher};
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;

use crate::world::World;

/// How soon it looks again at a member that doesn't answer: sooner than the operator, which asks every ten seconds.
const AGAIN: Duration = Duration::from_millis(100);

/// What makes or is a pod, as kind, namespace and name.
type Thing = (String, String, String);

/// How a pod or Job was.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Glimpse {
    /// Its label `app`, or else who has made it.
    app: String,
    /// It runs, or is about to.
    alive: bool,
    /// It serves.
    ready: bool,
}

/// All that belongs to an app, on all members, at one moment.
#[derive(Clone, Debug)]
struct Moment {
    app: String,
    alive_on: BTreeSet<String>,
    ready: usize,
}

#[derive(Debug, Default)]
struct Record {
    now: BTreeMap<(String, Thing), Glimpse>,
    moments: Vec<Moment>,
    /// On which members a Job was made for a time of a CronJob, by app.
    ticks: BTreeMap<(String, String), BTreeSet<String>>,
    /// Members and kinds whose watch is broken.
    blind: BTreeSet<(String, String)>,
}

impl Record {
    fn note(&mut self, member: &str, thing: Thing, glimpse: Option<Glimpse>) {
        let place = (member.to_owned(), thing);
        let before = match &glimpse {
            Some(glimpse) => self.now.insert(place, glimpse.clone()),
            None => self.now.remove(&place),
        };
        if let Some(app) = glimpse.or(before).map(|glimpse| glimpse.app) {
            self.remember(app);
        }
    }

    fn remember(&mut self, app: String) {
        let seen = |member: &String, kind: &String| !self.blind.contains(&(member.clone(), kind.clone()));
        let of_app = || {
            self.now.iter().filter(|((member, (kind, ..)), glimpse)| glimpse.app == app && seen(member, kind))
        };
        let alive_on = of_app().filter(|(_, g)| g.alive).map(|((member, _), _)| member.clone()).collect();
        let ready = of_app().filter(|(_, g)| g.ready).count();
        self.moments.push(Moment { app, alive_on, ready });
    }

    /// All of a kind on a member has been seen: what the list doesn't have is gone.
    fn keep(&mut self, member: &str, kind: &str, listed: &BTreeSet<Thing>) {
        let gone =
            |(at, thing): &&(String, Thing)| at == member && thing.0 == kind && !listed.contains(thing);
        let gone: Vec<(String, Thing)> = self.now.keys().filter(gone).cloned().collect();
        for (_, thing) in gone {
            self.note(member, thing, None);
        }
        if self.blind.remove(&(member.to_owned(), kind.to_owned())) {
            let apps: BTreeSet<String> = self.now.values().map(|glimpse| glimpse.app.clone()).collect();
            for app in apps {
                self.remember(app);
            }
        }
    }
}

/// The time of its CronJob for which a Job was made.
const SCHEDULED: &str = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/// A witness, for as long as it is kept.
#[derive(Debug)]
pub struct Witness {
    record: Arc<Mutex<Record>>,
    _tasks: JoinSet<()>,
}

impl Witness {
    /// Begins to watch all members.
    #[must_use]
    pub fn begin(world: &World) -> Self {
        let record = Arc::<Mutex<Record>>::default();
        let mut tasks = JoinSet::new();
        for member in world.members() {
            let (name, client) = (member.name(), member.client());
            tasks.spawn(follow(name.to_owned(), client.clone(), Arc::clone(&record), pod));
            tasks.spawn(follow(name.to_owned(), client, Arc::clone(&record), job));
        }
        Self { record, _tasks: tasks }
    }

    fn moments(&self, app: &str) -> Vec<Moment> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        record.moments.iter().filter(|moment| moment.app == app).cloned().collect()
    }

    /// Whether anything of an app was ever alive on a member.
    #[must_use]
    pub fn saw(&self, app: &str, member: &str) -> bool {
        self.moments(app).iter().any(|moment| moment.alive_on.contains(member))
    }

    /// The fewest pods of an app that were ready at the same time, ever since as many as `wanted` were.
    ///
    /// # Errors
    ///
    /// If there never were so many.
    pub fn fewest_ready(&self, app: &str, wanted: usize) -> anyhow::Result<usize> {
        let moments = self.moments(app);
        let since = moments.iter().position(|moment| moment.ready >= wanted);
        let since = since.with_context(|| format!("{app} never had {wanted} pods ready"))?;
        moments.iter().skip(since).map(|moment| moment.ready).min().context("no moment")
    }

    /// Asserts that nothing of an app was ever alive on two members.
    ///
    /// # Errors
    ///
    /// Where it was.
    pub fn never_on_two(&self, app: &str) -> anyhow::Result<()> {
        let moments = self.moments(app);
        ensure!(!moments.is_empty(), "{app} was never seen");
        let both = moments.iter().find(|moment| moment.alive_on.len() > 1);
        ensure!(both.is_none(), "{app} was on two members: {both:?}");
        Ok(())
    }

    /// Asserts that no time of a CronJob had a Job made on two members.
    ///
    /// # Errors
    ///
    /// The time, or if there was none.
    pub fn ran_each_time_once(&self, app: &str) -> anyhow::Result<()> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        let ticks: Vec<_> = record.ticks.iter().filter(|((of, _), _)| of == app).collect();
        ensure!(!ticks.is_empty(), "{app} never ran");
        let twice = ticks.iter().find(|(_, members)| members.len() > 1);
        ensure!(twice.is_none(), "{app} ran twice: {twice:?}");
        Ok(())
    }
}

/// Follows a kind on a member.
async fn follow<K>(member: String, client: Client, record: Arc<Mutex<Record>>, look: fn(&K) -> (bool, bool))
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let kind = K::kind(&()).into_owned();
    let config = watcher::Config::default().labels(keys::WORKLOAD_LABEL);
    let mut events = std::pin::pin!(watcher(Api::<K>::all(client), config));
    let mut listed = BTreeSet::new();
    loop {
        let event = match events.try_next().await {
            Ok(Some(event)) => event,
            Ok(None) => return,
            // The stream begins anew by itself.
            Err(error) => {
                tracing::debug!(%member, %error, "a watch was interrupted");
                let broken = (member.clone(), kind.clone());
                record.lock().unwrap_or_else(PoisonError::into_inner).blind.insert(broken);
                tokio::time::sleep(AGAIN).await;
                continue;
            }
        };
        let thing = |object: &K| (kind.clone(), object.namespace().unwrap_or_default(), object.name_any());
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            watcher::Event::Init => listed.clear(),
            watcher::Event::InitDone => record.keep(&member, &kind, &listed),
            watcher::Event::Delete(object) => record.note(&member, thing(&object), None),
            watcher::Event::Apply(object) | watcher::Event::InitApply(object) => {
                listed.insert(thing(&object));
                let maker = || object.owner_references().first().map(|owner| owner.name.clone());
                let app = object.labels().get("app").cloned().or_else(maker).unwrap_or_default();
                let (alive, ready) = look(&object);
                if let Some(time) = object.annotations().get(SCHEDULED) {
                    record.ticks.entry((app.clone(), time.clone())).or_default().insert(member.clone());
                }
                record.note(&member, thing(&object), Some(Glimpse { app, alive, ready }));
            }
        }
    }
}

fn pod(pod: &Pod) -> (bool, bool) {
    let status = pod.status.as_ref();
    let ended = matches!(status.and_then(|s| s.phase.as_deref()), Some("Succeeded" | "Failed"));
    let ready = status.and_then(|s| s.conditions.as_ref()).into_iter().flatten();
    let ready = ready.filter(|c| c.type_ == "Ready").any(|c| c.status == "True");
    (!ended, !ended && ready && pod.metadata.deletion_timestamp.is_none())
}

fn job(job: &Job) -> (bool, bool) {
    let conditions = job.status.as_ref().and_then(|s| s.conditions.as_ref()).into_iter().flatten();
    let ended =
        conditions.filter(|c| c.status == "True").any(|c| matches!(c.type_.as_str(), "Complete" | "Failed"));
    let suspended = job.spec.as_ref().and_then(|spec| spec.suspend) == Some(true);
    (!ended && !suspended, false)
}
