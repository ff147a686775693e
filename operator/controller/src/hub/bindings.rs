//! Who may do on the hub what a tenant does there: one RoleBinding in each of a tenant's namespaces.

use std::collections::BTreeMap;

use domicile_crds::{NamespaceName, TenantName, TenantSubject, TenantSubjectKind, keys};
use k8s_openapi::api::rbac::v1::{RoleBinding, RoleRef, Subject};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, Preconditions},
};

use super::write::{WriteError, is_code, timely};

/// The role in charts/domicile/roles.
const ROLE: &str = "domicile:tenant";
/// The binding, in each namespace. One by another name is somebody else's, and left alone.
const BINDING: &str = "domicile:subjects";
const RBAC: &str = "rbac.authorization.k8s.io";

/// Who serves itself in which namespace, and for which tenant.
pub(crate) type Wanted = BTreeMap<NamespaceName, (TenantName, Vec<TenantSubject>)>;

/// Makes the bindings as they are `wanted`, and deletes all others of that name. What is so already isn't written.
///
/// # Errors
///
/// The first that the hub refused, with its namespace; all were tried.
pub(crate) async fn bind(
    client: &Client,
    wanted: &Wanted,
) -> Result<(), (Option<NamespaceName>, WriteError)> {
    let all: Api<RoleBinding> = Api::all(client.clone());
    let ours = ListParams::default().fields(&format!("metadata.name={BINDING}"));
    let found = timely(all.list(&ours)).await.map_err(|error| (None, error))?;
    let mut failed = Ok(());
    let mut there: BTreeMap<NamespaceName, RoleBinding> = BTreeMap::new();
    for binding in found {
        let Some(Ok(namespace)) = binding.namespace().map(|name| NamespaceName::new(&name)) else { continue };
        let is_kept = wanted.contains_key(&namespace) && binding.role_ref == role();
        if is_kept {
            there.insert(namespace, binding);
        } else if let Err(error) = delete(client, &binding).await {
            failed = failed.and(Err((Some(namespace), error)));
        }
    }
    for (namespace, (tenant, subjects)) in wanted {
        let new = binding(namespace, tenant, subjects);
        let is_so = |old: &RoleBinding| {
            old.subjects == new.subjects
                && old.labels().get(keys::TENANT_LABEL) == new.labels().get(keys::TENANT_LABEL)
        };
        if there.get(namespace).is_some_and(is_so) {
            continue;
        }
        let api: Api<RoleBinding> = Api::namespaced(client.clone(), namespace.as_str());
        let params = PatchParams::apply(keys::FIELD_MANAGER).force();
        if let Err(error) = timely(api.patch(BINDING, &params, &Patch::Apply(&new))).await {
            failed = failed.and(Err((Some(namespace.clone()), error)));
        }
    }
    failed
}

async fn delete(client: &Client, binding: &RoleBinding) -> Result<(), WriteError> {
    let api: Api<RoleBinding> = Api::namespaced(client.clone(), &binding.namespace().unwrap_or_default());
    let same = Preconditions { uid: binding.uid(), resource_version: None };
    let params = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
    match timely(api.delete(BINDING, &params)).await {
        Err(WriteError::Kube(error)) if is_code(&error, 404) => Ok(()),
        other => other.map(|_| ()),
    }
}

fn binding(namespace: &NamespaceName, tenant: &TenantName, subjects: &[TenantSubject]) -> RoleBinding {
    RoleBinding {
        metadata: ObjectMeta {
            name: Some(BINDING.to_owned()),
            namespace: Some(namespace.to_string()),
            labels: Some([(keys::TENANT_LABEL.to_owned(), tenant.to_string())].into()),
            ..ObjectMeta::default()
        },
        role_ref: role(),
        subjects: Some(subjects.iter().map(subject).collect()),
    }
}

fn role() -> RoleRef {
    RoleRef { api_group: Some(RBAC.to_owned()), kind: "ClusterRole".to_owned(), name: ROLE.to_owned() }
}

fn subject(subject: &TenantSubject) -> Subject {
    let (kind, group) = match subject.kind {
        TenantSubjectKind::User => ("User", Some(RBAC.to_owned())),
        TenantSubjectKind::Group => ("Group", Some(RBAC.to_owned())),
        TenantSubjectKind::ServiceAccount => ("ServiceAccount", None),
    };
    Subject {
        api_group: group,
        kind: kind.to_owned(),
        name: subject.name.clone(),
        namespace: subject.namespace.as_ref().map(ToString::to_string),
    }
}
