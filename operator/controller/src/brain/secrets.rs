//! Secrets that workloads take from the hub: in which namespaces they are followed.

use std::collections::{HashMap, HashSet};

use domicile_core::Change;
use domicile_crds::{NamespaceName, SecretSource, TenantWorkload, WorkloadKey};
use jiff::Timestamp;
use tokio::task::AbortHandle;

use super::Brain;
use crate::hub::secrets::follow;

/// The namespaces of the hub whose Secrets are followed: only those in which a workload takes one from there.
#[derive(Debug, Default)]
pub(super) struct Followed(HashMap<NamespaceName, Namespace>);

#[derive(Debug)]
struct Namespace {
    /// Who takes one.
    takers: HashSet<WorkloadKey>,
    watch: AbortHandle,
}

impl Brain {
    /// Takes note of whether a workload takes Secrets from the hub; `None` if it is gone.
    pub(super) fn follow_secrets(
        &mut self,
        key: &WorkloadKey,
        workload: Option<&TenantWorkload>,
        now: Timestamp,
    ) {
        let takes = workload.is_some_and(|w| w.spec.secrets.iter().any(|s| s.from == SecretSource::Hub));
        if takes {
            let hands = &self.hands;
            let begin = || {
                let (client, inputs) = (hands.client.clone(), hands.inputs.clone());
                let follow = follow(client, key.namespace.clone(), inputs, hands.metrics.clone());
                Namespace { takers: HashSet::new(), watch: tokio::spawn(follow).abort_handle() }
            };
            let followed = self.followed.0.entry(key.namespace.clone()).or_insert_with(begin);
            followed.takers.insert(key.clone());
            return;
        }
        let Some(followed) = self.followed.0.get_mut(&key.namespace) else { return };
        if !followed.takers.remove(key) || !followed.takers.is_empty() {
            return;
        }
        followed.watch.abort();
        self.followed.0.remove(&key.namespace);
        let known = self.engine.world().secrets.get(&key.namespace);
        for name in known.into_iter().flat_map(HashMap::keys).cloned().collect::<Vec<_>>() {
            self.engine.apply(Change::Secret(key.namespace.clone(), name, None), now);
        }
    }

    /// A Secret is there, new or changed, or gone.
    pub(super) fn secret_seen(
        &mut self,
        namespace: NamespaceName,
        name: String,
        version: Option<u64>,
        now: Timestamp,
    ) {
        let Some(followed) = self.followed.0.get(&namespace) else { return };
        if self.engine.world().secrets.get(&namespace).and_then(|there| there.get(&name)).copied() != version
        {
            // What failed without it may succeed now.
            let takes = |key: &WorkloadKey| {
                let workload = self.workloads.get(key).filter(|_| followed.takers.contains(key));
                workload.is_some_and(|w| w.spec.secrets.iter().any(|secret| secret.name == name))
            };
            self.failures.retain(|(key, _), _| !takes(key));
        }
        self.engine.apply(Change::Secret(namespace, name, version), now);
    }
}
