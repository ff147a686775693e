//! What is there on the hub and can't be read, such as an object of a newer API: what it may forbid, it forbids.

use std::{collections::BTreeMap, sync::Arc};

use domicile_core::{facts::key_of, text::shorten};
use domicile_crds::{Decision, Installation, Unreadable, WorkloadKey};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;

use super::{Brain, events::warn};
use crate::hub::{HubKind, HubObject};

/// What is there and can't be read, by kind, namespace and name.
#[derive(Debug, Default)]
pub(super) struct Register(BTreeMap<(HubKind, Option<String>, String), Entry>);

#[derive(Debug)]
struct Entry {
    /// What is wrong with it.
    error: String,
    /// Nothing is known of it, and something may rest on it.
    unknown: bool,
}

impl Register {
    /// What is wrong with an object without a namespace.
    pub(super) fn error(&self, kind: HubKind, name: &str) -> Option<&str> {
        self.0.get(&(kind, None, name.to_owned())).map(|entry| entry.error.as_str())
    }

    /// Whether a workload is there and can't be read: it isn't known, which doesn't mean that it is gone.
    pub(super) fn has_workload(&self, key: &WorkloadKey) -> bool {
        let (namespace, name) = (Some(key.namespace.to_string()), key.name.to_string());
        self.0.contains_key(&(HubKind::Workload, namespace, name))
    }

    /// Of the first that something may rest on: what a person must do.
    pub(super) fn unknown(&self) -> Option<String> {
        let ((kind, namespace, name), entry) = self.0.iter().find(|(_, entry)| entry.unknown)?;
        let namespace = namespace.as_ref().map(|namespace| format!("{namespace}/")).unwrap_or_default();
        let error = &entry.error;
        Some(format!(
            "{kind:?} {namespace}{name} can't be read, and nothing was known of it before: {error}; nothing is begun until it is corrected or deleted, or the operator is of its version"
        ))
    }

    /// Whether nothing of a kind is there of which nothing is known.
    pub(super) fn knows_all(&self, kind: HubKind) -> bool {
        !self.0.iter().any(|((of, ..), entry)| *of == kind && entry.unknown)
    }

    pub(super) fn remove(&mut self, kind: HubKind, namespace: Option<&str>, name: &str) {
        self.0.remove(&(kind, namespace.map(str::to_owned), name.to_owned()));
    }
}

impl Brain {
    /// An object could be read, so that whatever was said of it before is over.
    pub(super) fn is_readable(&mut self, object: &HubObject) {
        let (kind, metadata) = object.identity();
        let name = metadata.name.as_deref().unwrap_or_default();
        self.unreadable.remove(kind, metadata.namespace.as_deref(), name);
    }

    /// An object couldn't be read. What forbids counts as the strictest that it may mean. Of any other, what was known
    /// of it stays; where nothing was, nothing is begun, but for a workload, which nothing else rests on.
    pub(super) fn cannot_read(
        &mut self,
        kind: HubKind,
        object: ObjectReference,
        unreadable: &Unreadable,
        now: Timestamp,
    ) {
        let name = object.name.clone().unwrap_or_default();
        let mut unknown = false;
        let meaning = match kind {
            HubKind::Decision => {
                self.there(HubObject::Decision(Arc::new(Decision::strictest(unreadable))), now);
                "it counts as the strictest that it may mean"
            }
            HubKind::Installation => {
                self.there(HubObject::Installation(Arc::new(Installation::strictest(unreadable))), now);
                "moves are paused"
            }
            HubKind::Workload => "what was known of it before stays",
            _ if self.knows(kind, object.namespace.as_deref(), &name) => "what was known of it before stays",
            _ => {
                unknown = true;
                "nothing was known of it before, so that nothing at all is begun"
            }
        };
        let error = unreadable.error.clone();
        tracing::warn!(?kind, %name, %error, "an object can't be read: {meaning}");
        let message =
            format!("the object can't be read: {error}; until it is corrected or deleted, {meaning}");
        self.unreadable.0.insert((kind, object.namespace.clone(), name), Entry { error, unknown });
        let hands = self.hands.clone();
        tokio::spawn(async move {
            warn(&hands, &object, "Unreadable".to_owned(), shorten(&message)).await;
        });
    }

    /// Whether an object could be read before.
    fn knows(&self, kind: HubKind, namespace: Option<&str>, name: &str) -> bool {
        let facts = &self.fact_objects;
        match kind {
            HubKind::CountrySet => facts.sets.contains_key(name),
            HubKind::Provider => facts.providers.contains_key(name),
            HubKind::Site => facts.sites.contains_key(name),
            HubKind::Installation => facts.installations.contains_key(name),
            HubKind::Decision => facts.decisions.contains_key(name),
            HubKind::Cluster => self.members.contains_key(name),
            HubKind::Tenant => self.tenants.contains_key(name),
            // Only their metadata is read.
            HubKind::Namespace => true,
            HubKind::Workload => {
                key_of(namespace, Some(name)).is_some_and(|key| self.workloads.contains_key(&key))
            }
            HubKind::Assignment => {
                key_of(namespace, Some(name)).is_some_and(|key| self.assignments.contains_key(&key))
            }
            HubKind::Migration => self
                .migrations
                .iter()
                .any(|(key, moves)| Some(key.namespace.as_str()) == namespace && moves.contains_key(name)),
            HubKind::Relocation => self.relocations.contains_key(name),
            // They are never read into anything that could be wrong.
            HubKind::Service | HubKind::Slice => false,
        }
    }
}
