//! Who may do what in a tenant's namespaces on the hub: one RoleBinding for those whom the Tenant names, and one for the
//! operator, to copy Secrets.

use std::collections::BTreeMap;

use domicile_crds::{NamespaceName, TenantName, TenantSubject, TenantSubjectKind, keys};
use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    rbac::v1::{RoleBinding, RoleRef, Subject},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams, Preconditions},
};
use tokio::sync::OnceCell;

use super::write::{WriteError, is_code, timely};

/// What is bound: a role in charts/domicile/roles, and by which name. A binding of another name is somebody else's, and
/// left alone. What the operator may bind is listed there, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Bound {
    role: &'static str,
    binding: &'static str,
}

/// Whom a Tenant names.
pub(crate) const SUBJECTS: Bound = Bound { role: "domicile:tenant", binding: "domicile:subjects" };
/// The operator itself, to read Secrets that workloads take from the hub.
pub(crate) const READER: Bound = Bound { role: "domicile:secret-reader", binding: "domicile:secret-reader" };

const RBAC: &str = "rbac.authorization.k8s.io";

/// Whose each namespace is, and who serves itself there.
pub(crate) type Wanted = BTreeMap<NamespaceName, (TenantName, Vec<TenantSubject>)>;

/// Where somebody couldn't be bound, or a right couldn't be withdrawn; no namespace if nobody knows where there are bindings.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) bound: Bound,
    pub(crate) namespace: Option<NamespaceName>,
    pub(crate) error: WriteError,
}

/// Makes the bindings as they are `wanted`, and deletes all others of these names.
pub(crate) async fn bind(client: &Client, me: &OnceCell<Subject>, wanted: &Wanted) -> Vec<Failure> {
    let named =
        wanted.iter().filter(|(_, (_, subjects))| !subjects.is_empty()).map(|(ns, (tenant, subjects))| {
            (ns.clone(), SUBJECTS.binding(ns, tenant, subjects.iter().map(subject).collect()))
        });
    let mut failed = SUBJECTS.keep(client, &named.collect()).await;
    match me.get_or_try_init(|| whoami(client)).await {
        Ok(me) => {
            let readers = wanted
                .iter()
                .map(|(ns, (tenant, _))| (ns.clone(), READER.binding(ns, tenant, vec![me.clone()])));
            failed.extend(READER.keep(client, &readers.collect()).await);
        }
        Err(error) => failed.push(Failure { bound: READER, namespace: None, error }),
    }
    failed
}

/// Who the hub's API server says that we are.
async fn whoami(client: &Client) -> Result<Subject, WriteError> {
    let api: Api<SelfSubjectReview> = Api::all(client.clone());
    let review = timely(api.create(&PostParams::default(), &SelfSubjectReview::default())).await?;
    Ok(user(review.status.and_then(|status| status.user_info?.username).unwrap_or_default()))
}

/// A user, as RBAC names it.
fn user(name: String) -> Subject {
    let account = name.strip_prefix("system:serviceaccount:").and_then(|account| account.split_once(':'));
    if let Some((namespace, account)) = account {
        return Subject {
            api_group: None,
            kind: "ServiceAccount".to_owned(),
            name: account.to_owned(),
            namespace: Some(namespace.to_owned()),
        };
    }
    Subject { api_group: Some(RBAC.to_owned()), kind: "User".to_owned(), name, namespace: None }
}

impl Bound {
    /// What is so already isn't written. Where the hub refuses a binding, whoever isn't wanted any more is taken out of it
    /// all the same.
    async fn keep(self, client: &Client, wanted: &BTreeMap<NamespaceName, RoleBinding>) -> Vec<Failure> {
        let failure = |namespace, error| Failure { bound: self, namespace, error };
        let all: Api<RoleBinding> = Api::all(client.clone());
        let ours = ListParams::default().fields(&format!("metadata.name={}", self.binding));
        let found = match timely(all.list(&ours)).await {
            Ok(found) => found,
            Err(error) => return vec![failure(None, error)],
        };
        let mut failed = Vec::new();
        let mut there: BTreeMap<NamespaceName, RoleBinding> = BTreeMap::new();
        for binding in found {
            let Some(Ok(namespace)) = binding.namespace().map(|name| NamespaceName::new(&name)) else {
                continue;
            };
            if wanted.get(&namespace).is_some_and(|new| new.role_ref == binding.role_ref) {
                there.insert(namespace, binding);
            } else if let Err(error) = delete(client, &binding).await {
                failed.push(failure(Some(namespace), error));
            }
        }
        for (namespace, new) in wanted {
            let old = there.get(namespace);
            if old.is_some_and(|old| is_so(old, new)) {
                continue;
            }
            if let Err(error) = apply(client, new).await {
                if let Some(old) = old
                    && let Err(error) = narrow(client, old, new).await
                {
                    failed.push(failure(Some(namespace.clone()), error));
                }
                failed.push(failure(Some(namespace.clone()), error));
            }
        }
        failed
    }

    fn binding(self, namespace: &NamespaceName, tenant: &TenantName, subjects: Vec<Subject>) -> RoleBinding {
        RoleBinding {
            metadata: ObjectMeta {
                name: Some(self.binding.to_owned()),
                namespace: Some(namespace.to_string()),
                labels: Some([(keys::TENANT_LABEL.to_owned(), tenant.to_string())].into()),
                ..ObjectMeta::default()
            },
            role_ref: RoleRef {
                api_group: Some(RBAC.to_owned()),
                kind: "ClusterRole".to_owned(),
                name: self.role.to_owned(),
            },
            subjects: Some(subjects),
        }
    }
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
    timely(api.patch(&binding.name_any(), &params, &Patch::Apply(binding))).await.map(|_| ())
}

async fn delete(client: &Client, binding: &RoleBinding) -> Result<(), WriteError> {
    let api: Api<RoleBinding> = Api::namespaced(client.clone(), &binding.namespace().unwrap_or_default());
    let same = Preconditions { uid: binding.uid(), resource_version: None };
    let params = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
    match timely(api.delete(&binding.name_any(), &params)).await {
        Err(WriteError::Kube(error)) if is_code(&error, 404) => Ok(()),
        other => other.map(|_| ()),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_bound_as_one_and_anybody_else_as_a_user() {
        let account = user("system:serviceaccount:domicile-system:domicile-operator".to_owned());
        assert_eq!((account.kind.as_str(), account.name.as_str()), ("ServiceAccount", "domicile-operator"));
        assert_eq!((account.namespace.as_deref(), account.api_group), (Some("domicile-system"), None));
        for name in ["admin", "system:serviceaccount:nobody"] {
            let other = user(name.to_owned());
            assert_eq!((other.kind.as_str(), other.name.as_str(), other.namespace), ("User", name, None));
            assert_eq!(other.api_group.as_deref(), Some(RBAC));
        }
    }
}
