//! Watches on the hub and on every member, which keep the picture up to date.

use std::{fmt::Debug, sync::Arc};

use anyhow::Context as _;
use domicile_crds::{Decision, MemberCluster, Migration, Site, TenantWorkload, keys};
use futures::TryStreamExt as _;
use k8s_openapi::api::{apps::v1::Deployment, batch::v1::CronJob};
use kube::{
    Api, Client, Resource, ResourceExt as _,
    runtime::{WatchStreamExt as _, watcher},
};
use serde::de::DeserializeOwned;
use tokio::{sync::watch, task::JoinSet};

use super::picture::Picture;
use crate::world::World;

/// The picture, kept up to date for as long as this is kept.
pub(super) struct Watches {
    picture: watch::Receiver<Picture>,
    _tasks: JoinSet<()>,
}

impl Watches {
    /// Begins to watch.
    pub(super) fn begin(world: &World) -> Self {
        let (sender, picture) = watch::channel(Picture::default());
        let sender = Arc::new(sender);
        let mut tasks = JoinSet::new();
        let hub = world.hub().client();
        follow(&mut tasks, &sender, Api::all(hub.clone()), "", |picture, it: TenantWorkload, gone| {
            if !gone {
                picture.see_workload(&it);
            }
        });
        follow(&mut tasks, &sender, Api::all(hub.clone()), "", |picture, it: Migration, gone| {
            if !gone {
                picture.see_move(&it);
            }
        });
        follow(&mut tasks, &sender, Api::all(hub.clone()), "", |picture, it: MemberCluster, _| {
            picture.members.insert(it.name_any(), it);
        });
        follow(&mut tasks, &sender, Api::all(hub.clone()), "", |picture, it: Site, _| {
            picture.sites.insert(it.name_any(), it);
        });
        follow(&mut tasks, &sender, Api::all(hub), "", |picture, it: Decision, _| {
            picture.decisions.insert(it.name_any(), it);
        });
        for member in world.members() {
            copies_on(&mut tasks, &sender, member.name(), &member.client());
        }
        Self { picture, _tasks: tasks }
    }

    /// The picture as it is now. Holds up the watches while it is held.
    pub(super) fn now(&self) -> watch::Ref<'_, Picture> {
        self.picture.borrow()
    }

    /// Waits for the next change.
    pub(super) async fn changed(&mut self) -> anyhow::Result<()> {
        self.picture.changed().await.context("the watches have ended")
    }
}

fn copies_on(tasks: &mut JoinSet<()>, sender: &Arc<watch::Sender<Picture>>, name: &str, client: &Client) {
    let cluster = name.to_owned();
    follow(
        tasks,
        sender,
        Api::all(client.clone()),
        keys::WORKLOAD_LABEL,
        move |picture, it: Deployment, gone| {
            picture.see_deployment(&cluster, &it, gone);
        },
    );
    let cluster = name.to_owned();
    follow(
        tasks,
        sender,
        Api::all(client.clone()),
        keys::WORKLOAD_LABEL,
        move |picture, it: CronJob, gone| {
            picture.see_cron_job(&cluster, &it, gone);
        },
    );
}

/// Follows all objects of a kind that have a label. `take` gets each as it is, and whether it was deleted.
fn follow<K>(
    tasks: &mut JoinSet<()>,
    sender: &Arc<watch::Sender<Picture>>,
    api: Api<K>,
    label: &str,
    take: impl Fn(&mut Picture, K, bool) + Send + 'static,
) where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let sender = Arc::clone(sender);
    let config = watcher::Config::default().labels(label);
    tasks.spawn(async move {
        let mut events = std::pin::pin!(watcher(api, config).default_backoff());
        loop {
            let (object, gone) = match events.try_next().await {
                Ok(Some(watcher::Event::Apply(object) | watcher::Event::InitApply(object))) => {
                    (object, false)
                }
                Ok(Some(watcher::Event::Delete(object))) => (object, true),
                Ok(Some(watcher::Event::Init | watcher::Event::InitDone)) => continue,
                Ok(None) => return,
                // The stream begins anew by itself.
                Err(error) => {
                    tracing::debug!(%error, "a watch was interrupted");
                    continue;
                }
            };
            sender.send_modify(|picture| take(picture, object, gone));
        }
    });
}
