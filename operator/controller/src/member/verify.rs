//! Lists what is in a tenant's namespace on a member, as the tenant, of the kinds that aren't watched.

use std::collections::HashSet;

use domicile_core::{
    manifests::{Kind, ObjectRef},
    observed::ObjectView,
};
use domicile_crds::{NamespaceName, TenantName, WorkloadKey, keys};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams, ObjectMeta},
};

use super::{
    Member,
    error::{MemberError, timely},
    namespace::Setup,
    watch::{WATCHED, read_labels},
};

/// How a namespace was found to be set up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Found {
    /// There is no such namespace.
    #[default]
    Absent,
    /// Something of it is missing, or was changed by somebody else.
    Damaged,
    /// As this digest says.
    As(u64),
}

/// What a namespace holds.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    /// The objects, with whose they are.
    pub(crate) objects: Vec<(WorkloadKey, i32, ObjectRef, ObjectView)>,
    /// How many had been changed by somebody else.
    pub(crate) drifted: u64,
    /// How the namespace is set up.
    pub(crate) setup: Found,
}

impl Inventory {
    /// The objects, for a comparison with what was known before.
    pub(crate) fn present(&self) -> HashSet<(WorkloadKey, i32, ObjectRef)> {
        self.objects.iter().map(|(key, ordinal, object, _)| (key.clone(), *ordinal, object.clone())).collect()
    }
}

/// Whether a kind is listed here and not watched.
pub(crate) fn is_listed(object: &ObjectRef) -> bool {
    !WATCHED.contains(&object.kind.name())
}

/// The resource of a kind.
pub(crate) fn resource(kind: Kind) -> ApiResource {
    let api_version = kind.api_version();
    let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
    ApiResource {
        group: group.to_owned(),
        version: version.to_owned(),
        api_version: api_version.to_owned(),
        kind: kind.name().to_owned(),
        plural: kind.plural().to_owned(),
    }
}

impl Member {
    /// Lists a namespace.
    ///
    /// # Errors
    ///
    /// If it belongs to somebody else, or one kind couldn't be listed: what isn't listed isn't known to be absent.
    pub(crate) async fn verify(
        &self,
        tenant: &TenantName,
        setup: Option<&Setup>,
        namespace: &NamespaceName,
    ) -> Result<Inventory, MemberError> {
        let _call = self.calls.acquire().await;
        let mut found = Inventory::default();
        let annotation = match self.namespace_owner(namespace).await? {
            Some((owner, _)) if owner.as_deref() != Some(tenant.as_str()) => {
                return Err(self.taken(namespace).await);
            }
            // Nothing can be in a namespace that isn't there.
            None => return Ok(found),
            Some((_, annotation)) => annotation,
        };
        let guards = self.guards(namespace).await?;
        let digest = annotation.as_ref().and_then(|text| u64::from_str_radix(text, 16).ok());
        // Without a Tenant nobody says how it should be, and all that is known is that it is there.
        let are_well = setup.is_some_and(|setup| guards.are_well(setup));
        found.setup = digest.filter(|_| are_well).map_or(Found::Damaged, Found::As);
        if found.setup == Found::Damaged {
            self.namespaces.lock().await.remove(namespace);
        }
        // Set up by half for the first time: the tenant could never do anything there.
        if annotation.is_none() && !guards.let_the_tenant_act() {
            return Ok(found);
        }
        let client = self.as_tenant(tenant);
        for kind in Kind::all().filter(|kind| !WATCHED.contains(&kind.name())) {
            let api: Api<DynamicObject> =
                Api::namespaced_with(client.clone(), namespace.as_str(), &resource(kind));
            let mut page = ListParams::default().labels(keys::WORKLOAD_LABEL).limit(500);
            loop {
                let listed = timely(self.name.as_str(), api.list_metadata(&page)).await;
                let listed = match listed {
                    // A kind that isn't served has no objects.
                    Err(MemberError::Answered { code: 404, .. }) => break,
                    other => other?,
                };
                for object in &listed.items {
                    found.take(kind, &object.metadata);
                }
                match listed.metadata.continue_.filter(|token| !token.is_empty()) {
                    Some(token) => page = page.continue_token(&token),
                    None => break,
                }
            }
        }
        Ok(found)
    }
}

impl Inventory {
    fn take(&mut self, kind: Kind, meta: &ObjectMeta) {
        let Some((key, ordinal, mut view)) = read_labels(meta) else { return };
        // Controllers annotate claims when they bind them, which is no drift.
        if kind.name() != "PersistentVolumeClaim"
            && is_edited(meta.managed_fields.as_deref().unwrap_or_default(), keys::FIELD_MANAGER)
        {
            view.digest = 0;
            self.drifted += 1;
        }
        let object = ObjectRef { kind, name: meta.name.as_deref().unwrap_or_default().into() };
        self.objects.push((key, ordinal, object, view));
    }
}

/// Whether somebody else wrote an object after `manager` did.
pub(super) fn is_edited(entries: &[ManagedFieldsEntry], manager: &str) -> bool {
    let ours = entries.iter().filter(|e| e.manager.as_deref() == Some(manager));
    let Some(ours) = ours.filter_map(|e| e.time.as_ref()).max() else { return true };
    entries
        .iter()
        .filter(|e| e.manager.as_deref() != Some(manager) && e.subresource.is_none())
        .any(|e| e.time.as_ref().is_some_and(|time| time > ours))
}
