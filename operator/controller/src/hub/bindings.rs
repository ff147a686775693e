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

/// Where somebody couldn't be bound, or a right couldn't be withdrawn; `None` if nobody knows where there are bindings.
pub(crate) type Failure = (Option<NamespaceName>, WriteError);

/// Makes the bindings as they are `wanted`, and deletes all others of that name. What is so already isn't written. Where the
/// hub refuses one, whoever isn't wanted any more is taken out of it all the same.
pub(crate) async fn bind(client: &Client, wanted: &Wanted) -> Vec<Failure> {
    let all: Api<RoleBinding> = Api::all(client.clone());
    let ours = ListParams::default().fields(&format!("metadata.name={BINDING}"));
    let found = match timely(all.list(&ours)).await {
        Ok(found) => found,
        Err(error) => return vec![(None, error)],
    };
    let mut failed = Vec::new();
    let mut there: BTreeMap<NamespaceName, RoleBinding> = BTreeMap::new();
    for binding in found {
        let Some(Ok(namespace)) = binding.namespace().map(|name| NamespaceName::new(&name)) else { continue };
        if wanted.contains_key(&namespace) && binding.role_ref == role() {
            there.insert(namespace, binding);
        } else if let Err(error) = delete(client, &binding).await {
            failed.push((Some(namespace), error));
        }
    }
    for (namespace, (tenant, subjects)) in wanted {
        let new = binding(namespace, tenant, subjects.iter().map(subject).collect());
        let old = there.get(namespace);
        if old.is_some_and(|old| is_so(old, &new)) {
            continue;
        }
        if let Err(error) = apply(client, &new).await {
            if let Some(old) = old
                && let Err(error) = narrow(client, old, &new).await
            {
                failed.push((Some(namespace.clone()), error));
            }
            failed.push((Some(namespace.clone()), error));
        }
    }
    failed
}

fn is_so(old: &RoleBinding, new: &RoleBinding) -> bool {
    let tenant = |binding: &RoleBinding| binding.labels().get(keys::TENANT_LABEL).cloned();
    old.subjects == new.subjects && tenant(old) == tenant(new)
}

/// Leaves of a binding those whom another one has, too.
async fn narrow(client: &Client, old: &RoleBinding, new: &RoleBinding) -> Result<(), WriteError> {
    let mut kept = old.subjects.clone().unwrap_or_default();
    let before = kept.len();
    kept.retain(|subject| new.subjects.iter().flatten().any(|other| other == subject));
    match kept.len() {
        0 => delete(client, old).await,
        // Nobody is to go.
        now if now == before => Ok(()),
        // Who may bind nobody can still delete: nobody keeps a right because another can't be left with it.
        _ => match apply(client, &RoleBinding { subjects: Some(kept), ..new.clone() }).await {
            Ok(()) => Ok(()),
            Err(_) => delete(client, old).await,
        },
    }
}

async fn apply(client: &Client, binding: &RoleBinding) -> Result<(), WriteError> {
    let api: Api<RoleBinding> = Api::namespaced(client.clone(), &binding.namespace().unwrap_or_default());
    let params = PatchParams::apply(keys::FIELD_MANAGER).force();
    timely(api.patch(BINDING, &params, &Patch::Apply(binding))).await.map(|_| ())
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

fn binding(namespace: &NamespaceName, tenant: &TenantName, subjects: Vec<Subject>) -> RoleBinding {
    RoleBinding {
        metadata: ObjectMeta {
            name: Some(BINDING.to_owned()),
            namespace: Some(namespace.to_string()),
            labels: Some([(keys::TENANT_LABEL.to_owned(), tenant.to_string())].into()),
            ..ObjectMeta::default()
        },
        role_ref: role(),
        subjects: Some(subjects),
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
