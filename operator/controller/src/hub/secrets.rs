//! Secrets that are copied to members: that they have changed, never what is in them.
//!
//! Each is asked for by its name, again and again. A watch would take the right to list, and whoever may list Secrets may
//! read all of them, whatever they are called.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::Arc,
    time::Duration,
};

use domicile_core::render::secret_version;
use domicile_crds::NamespaceName;
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use kube::{Api, Client};
use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use super::write::{WriteError, is_code, timely};
use crate::{
    brain::Input,
    metrics::{KindLabel, Metrics},
};

/// How often a Secret is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// How much of that there must be for each: thousands are looked at less often, and the hub is asked fifty times a second
/// at most.
const APART: Duration = Duration::from_millis(20);

/// How often in a row it must have been forbidden before that is told: a new tenant's workload may be there a moment earlier than
/// the RoleBinding by which we may look.
const FORBIDDEN_FOR_GOOD: u32 = 2;

/// A Secret: its namespace and name.
pub(crate) type SecretKey = (NamespaceName, String);

/// The version of a Secret.
pub(crate) fn version(metadata: &ObjectMeta) -> u64 {
    let text = |field: &Option<String>| field.clone().unwrap_or_default();
    secret_version(&text(&metadata.uid), &text(&metadata.resource_version))
}

/// Tells the versions of those that are `wanted`, until nobody wants any more or `inputs` is closed. Where looking isn't
/// allowed, that is told, and nothing that was copied is copied again.
pub(crate) async fn follow(
    client: Client,
    mut wanted: watch::Receiver<BTreeSet<SecretKey>>,
    inputs: mpsc::Sender<Input>,
    metrics: Arc<Metrics>,
) {
    let mut due: BTreeMap<SecretKey, Instant> = BTreeMap::new();
    let mut refused: BTreeMap<SecretKey, u32> = BTreeMap::new();
    loop {
        let key = tokio::select! {
            key = first(&due) => key,
            changed = wanted.changed() => {
                if changed.is_err() {
                    return;
                }
                let names = wanted.borrow_and_update();
                due.retain(|key, _| names.contains(key));
                refused.retain(|key, _| names.contains(key));
                for key in names.iter() {
                    due.entry(key.clone()).or_insert_with(Instant::now);
                }
                continue;
            }
        };
        let api: Api<Secret> = Api::namespaced(client.clone(), key.0.as_str());
        // The API server sends metadata and nothing else.
        let found = timely(api.get_metadata_opt(&key.1)).await;
        let apart = APART.saturating_mul(u32::try_from(due.len()).unwrap_or(u32::MAX));
        due.insert(key.clone(), Instant::now() + LOOK_EVERY.max(apart));
        match found {
            Ok(found) => {
                refused.remove(&key);
                let version = found.map(|found| version(&found.metadata));
                if inputs.send(Input::Secret(key.0, key.1, version)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                metrics.watch_errors.get_or_create(&KindLabel { kind: "Secret".to_owned() }).inc();
                let (namespace, name) = &key;
                if !refused.contains_key(&key) {
                    let error = crate::member::chain(&error);
                    tracing::warn!(%namespace, %name, %error, "a Secret could not be looked at, and is tried again");
                }
                let times = refused.entry(key.clone()).or_default();
                let is_forbidden = matches!(&error, WriteError::Kube(error) if is_code(error, 403));
                *times = if is_forbidden { *times + 1 } else { 0 };
                if *times >= FORBIDDEN_FOR_GOOD
                    && inputs.send(Input::SecretForbidden(key.0, key.1)).await.is_err()
                {
                    return;
                }
            }
        }
    }
}

/// Waits until one is due.
async fn first(due: &BTreeMap<SecretKey, Instant>) -> SecretKey {
    match due.iter().min_by_key(|(_, at)| **at) {
        Some((key, at)) => {
            sleep_until(*at).await;
            key.clone()
        }
        None => pending().await,
    }
}
