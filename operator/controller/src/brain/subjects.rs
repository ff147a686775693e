//! Who serves itself on the hub: `Tenant.spec.subjects` is kept up in the namespaces that are the tenant's.

use domicile_crds::{NamespaceName, Tenant};
use jiff::{SignedDuration, Timestamp};
use kube::Resource;

use super::{Brain, Done, Input, events::warn};
use crate::hub::{
    bindings::{Wanted, bind},
    write::WriteError,
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
    /// What was said of the last failure, so that it isn't said again at each attempt.
    complaint: Option<String>,
}

impl Brain {
    /// Binds whoever a tenant names in its namespaces, and nobody else any more: at once when that has changed.
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
            let done = bind(&hands.client, &wanted).await;
            let _ = hands.inputs.send(Input::Done(Done::Bound(done))).await;
        });
    }

    /// The subjects of each namespace that is a tenant's.
    fn subjects(&self) -> Wanted {
        let world = self.engine.world();
        let mut wanted = Wanted::new();
        for (name, tenant) in self.tenants.iter().filter(|(_, tenant)| !tenant.spec.subjects.is_empty()) {
            let own =
                tenant.spec.namespaces.iter().filter(|ns| world.tenant_of(ns).is_ok_and(|of| of == name));
            wanted.extend(own.map(|ns| (ns.clone(), (name.clone(), tenant.spec.subjects.clone()))));
        }
        wanted
    }

    /// The bindings were written, or one wasn't.
    pub(super) fn bound(&mut self, done: Result<(), (Option<NamespaceName>, WriteError)>, now: Timestamp) {
        self.bindings.busy = false;
        let Err((namespace, error)) = done else {
            self.bindings.complaint = None;
            return;
        };
        self.bindings.next = now.checked_add(AGAIN_AFTER).ok();
        let error = crate::member::chain(&error);
        let namespace = namespace.map(|name| name.to_string()).unwrap_or_default();
        tracing::warn!(%namespace, %error, "who serves itself in a tenant's namespace was not bound on the hub");
        let owner = self.bindings.written.as_ref().and_then(|w| w.get(namespace.as_str())).map(|(t, _)| t);
        let Some(tenant) = owner.and_then(|tenant| self.tenants.get(tenant)) else { return };
        let message =
            format!("spec.subjects could not be bound to the role domicile:tenant in {namespace}: {error}");
        if self.bindings.complaint.replace(message.clone()).as_ref() != Some(&message) {
            let (hands, object) = (self.hands.clone(), Tenant::object_ref(tenant.as_ref(), &()));
            tokio::spawn(async move {
                warn(&hands, &object, "SubjectsNotBound".to_owned(), message).await;
            });
        }
    }
}
