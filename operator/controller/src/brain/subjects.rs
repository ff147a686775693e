//! Who serves itself on the hub: `Tenant.spec.subjects` is kept up in the namespaces that are the tenant's.

use std::collections::BTreeMap;

use domicile_core::text::shorten;
use domicile_crds::{NamespaceName, Tenant};
use jiff::{SignedDuration, Timestamp};
use kube::Resource as _;

use super::{Brain, Done, Input, events::warn};
use crate::hub::{
    HubKind,
    bindings::{Failure, SUBJECTS, Wanted, bind},
};

/// How often it is looked whether the bindings are still as they should be.
const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(10);
/// How soon it is tried again when the hub has refused one.
const AGAIN_AFTER: SignedDuration = SignedDuration::from_mins(1);

/// What became of the bindings.
#[derive(Debug, Default)]
pub(super) struct Bindings {
    /// As they were when last written.
    written: Option<Wanted>,
    busy: bool,
    next: Option<Timestamp>,
    /// What was said of each failure last, so that it isn't said again at each attempt.
    complaints: BTreeMap<NamespaceName, String>,
    /// The bindings couldn't even be looked at.
    blind: Option<String>,
}

impl Bindings {
    /// What is wrong with the bindings in a tenant's namespaces, if something is.
    pub(super) fn complaint(&self, tenant: &Tenant) -> Option<&str> {
        let mut own = tenant.spec.namespaces.iter();
        own.find_map(|namespace| self.complaints.get(namespace)).or(self.blind.as_ref()).map(String::as_str)
    }
}

impl Brain {
    /// Binds in a tenant's namespaces whomever it names, and the operator, and nobody else any more: at once when that has changed.
    pub(super) fn bind_subjects(&mut self, now: Timestamp) {
        let wanted = self.subjects();
        let is_due = self.bindings.next.is_none_or(|next| next <= now);
        if self.bindings.busy || (!is_due && self.bindings.written.as_ref() == Some(&wanted)) {
            return;
        }
        self.bindings.busy = true;
        self.bindings.next = now.checked_add(LOOK_EVERY).ok();
        let hands = self.hands.clone();
        self.bindings.written = Some(wanted.clone());
        tokio::spawn(async move {
            let done = bind(&hands.client, &hands.me, &wanted).await;
            let _ = hands.inputs.send(Input::Done(Done::Bound(done))).await;
        });
    }

    /// Whether all is known that says who serves itself where.
    pub(super) fn knows_subjects(&self) -> bool {
        let mut kinds = [HubKind::Tenant, HubKind::Namespace].into_iter();
        kinds.all(|kind| self.listed.contains(&kind) && self.unreadable.knows_all(kind))
    }

    /// The namespaces that are tenants', with the subjects of each.
    fn subjects(&self) -> Wanted {
        let world = self.engine.world();
        let mut wanted = Wanted::new();
        for (name, tenant) in &self.tenants {
            let own =
                tenant.spec.namespaces.iter().filter(|ns| world.tenant_of(ns).is_ok_and(|of| of == name));
            wanted.extend(own.map(|ns| (ns.clone(), (name.clone(), tenant.spec.subjects.clone()))));
        }
        wanted
    }

    /// The bindings were written, or some weren't.
    pub(super) fn bound(&mut self, failed: Vec<Failure>, now: Timestamp) {
        self.bindings.busy = false;
        if !failed.is_empty() {
            self.bindings.next = now.checked_add(AGAIN_AFTER).ok();
        }
        let before = std::mem::take(&mut self.bindings.complaints);
        self.bindings.blind = None;
        for Failure { bound, namespace, error } in failed {
            let error = crate::member::chain(&error);
            let place = namespace.as_ref().map(ToString::to_string).unwrap_or_default();
            if bound != SUBJECTS {
                // Workloads that need it say so.
                tracing::warn!(namespace = %place, %error, "the operator is not bound to read Secrets as it should be");
                continue;
            }
            tracing::warn!(namespace = %place, %error, "who serves itself in a tenant's namespace is not as its Tenant says");
            let Some(namespace) = namespace else {
                self.bindings.blind =
                    Some(format!("who serves itself isn't known to be as spec.subjects says: {error}"));
                continue;
            };
            let wanted = self.bindings.written.as_ref().and_then(|written| written.get(&namespace));
            let tenant = wanted.and_then(|(tenant, _)| self.tenants.get(tenant)).cloned();
            let message = format!("who serves itself in {namespace} is not as spec.subjects says: {error}");
            if let Some(tenant) = tenant.filter(|_| before.get(&namespace) != Some(&message)) {
                let (hands, object, message) = (self.hands.clone(), tenant.object_ref(&()), message.clone());
                tokio::spawn(async move {
                    warn(&hands, &object, "SubjectsNotBound".to_owned(), shorten(&message)).await;
                });
            }
            self.bindings.complaints.insert(namespace, message);
        }
    }
}
