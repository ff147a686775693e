//! Secrets that are copied to members: that they have changed, never what is in them.

use std::{collections::HashSet, sync::Arc};

use domicile_core::render::secret_version;
use domicile_crds::NamespaceName;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{
    Api, Client, ResourceExt as _,
    core::PartialObjectMeta,
    runtime::watcher::{Config, Event},
};
use tokio::sync::mpsc;

use crate::{
    brain::Input,
    metrics::{KindLabel, Metrics},
    watch::Watch,
};

/// The version of a Secret.
pub(crate) fn version(metadata: &ObjectMeta) -> u64 {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    secret_version(&text(&metadata.uid), &text(&metadata.resource_version))
}

/// Tells the versions of all Secrets of a namespace, until `inputs` is closed. Where that isn't allowed, nothing is
/// told, and nothing that was copied is copied again.
pub(crate) async fn follow(
    client: Client,
    namespace: NamespaceName,
    inputs: mpsc::Sender<Input>,
    metrics: Arc<Metrics>,
) {
    // The API server sends metadata and nothing else.
    let api: Api<PartialObjectMeta<Secret>> = Api::namespaced(client, namespace.as_str());
    let salt = domicile_core::manifests::fnv1a(namespace.as_str().as_bytes());
    let mut watch = Watch::new(api, Config::default(), salt);
    let (mut known, mut listed) = (HashSet::new(), HashSet::new());
    loop {
        let event = match watch.next().await {
            Ok(event) => event,
            Err(error) => {
                metrics.watch_errors.get_or_create(&KindLabel { kind: "Secret".to_owned() }).inc();
                tracing::warn!(%namespace, %error, "the watch of Secrets broke, and is begun again");
                continue;
            }
        };
        let changes = match event {
            Event::Init => {
                listed.clear();
                Vec::new()
            }
            Event::InitApply(object) => {
                listed.insert(object.name_any());
                vec![(object.name_any(), Some(version(&object.metadata)))]
            }
            Event::Apply(object) => {
                known.insert(object.name_any());
                vec![(object.name_any(), Some(version(&object.metadata)))]
            }
            Event::Delete(object) => {
                known.remove(&object.name_any());
                vec![(object.name_any(), None)]
            }
            Event::InitDone => {
                let gone = known.difference(&listed).map(|name| (name.clone(), None)).collect();
                known = std::mem::take(&mut listed);
                gone
            }
        };
        for (name, version) in changes {
            if inputs.send(Input::Secret(namespace.clone(), name, version)).await.is_err() {
                return;
            }
        }
    }
}
