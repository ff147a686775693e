//! What the operator's pods log, also those that are gone by the time somebody asks.

use std::{collections::BTreeSet, path::PathBuf, sync::Arc, time::Duration};

use anyhow::Context as _;
use futures::{AsyncBufReadExt as _, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt as _,
    api::{ListParams, LogParams},
};
use tokio::{
    fs::{File, OpenOptions},
    io::AsyncWriteExt as _,
    sync::Mutex,
    task::JoinSet,
};

use crate::world::OPERATOR_NAMESPACE;

/// How soon a new container is noticed.
const LOOK: Duration = Duration::from_millis(500);

/// Writes what the operator's containers log into a file, each line with its pod's name, for as long as it is kept.
#[derive(Debug)]
pub(super) struct Logs(#[expect(dead_code, reason = "what it does ends when it is dropped")] JoinSet<()>);

impl Logs {
    pub(super) async fn follow(hub: Client, path: PathBuf) -> anyhow::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(&path).await;
        let file = file.with_context(|| format!("cannot open {}", path.display()))?;
        let mut tasks = JoinSet::new();
        tasks.spawn(watch(Api::namespaced(hub, OPERATOR_NAMESPACE), Arc::new(Mutex::new(file))));
        Ok(Self(tasks))
    }
}

async fn watch(pods: Api<Pod>, file: Arc<Mutex<File>>) {
    let params = ListParams::default().labels("app.kubernetes.io/component=operator");
    let mut known = BTreeSet::new();
    let mut streams = JoinSet::new();
    let mut ticks = tokio::time::interval(LOOK);
    loop {
        ticks.tick().await;
        // An API server that is away is one of the scenarios.
        let Ok(found) = pods.list(&params).await else { continue };
        for pod in found {
            let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
            let status = statuses.and_then(|statuses| statuses.first());
            let running = status.filter(|status| status.state.as_ref().is_some_and(|s| s.running.is_some()));
            let container = running.and_then(|status| status.container_id.clone());
            if let Some(container) = container
                && known.insert(container)
            {
                streams.spawn(copy(pods.clone(), pod.name_any(), Arc::clone(&file)));
            }
        }
    }
}

/// Copies one container's lines until it ends, or the API server does.
async fn copy(pods: Api<Pod>, name: String, file: Arc<Mutex<File>>) {
    let params = LogParams { follow: true, ..LogParams::default() };
    let Ok(stream) = pods.log_stream(&name, &params).await else { return };
    let mut lines = stream.lines();
    while let Some(Ok(line)) = lines.next().await {
        let mut file = file.lock().await;
        let line = format!("{name} {line}\n");
        if file.write_all(line.as_bytes()).await.is_err() || file.flush().await.is_err() {
            return;
        }
    }
}
