//! What must be there before anything can be adopted.

use domicile_crds::keys::{self, tenant_user};
use domicile_crds::{Assignment, MemberCluster, Tenant, TenantName, TenantWorkload, WorkloadKey};
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt as _;
use kube::api::Api;
use serde_json::{Value, json};

use super::AdoptError;
use super::fields::changes;
use crate::args::{AdoptArgs, HubArgs};
use crate::cluster::{Cluster, ClusterError, KUBECTL};
use crate::hub;
use crate::member::{TENANT_ROLE, setup};

/// Where it is, and whose it is.
pub(super) struct Ground {
    pub(super) hub: Cluster,
    pub(super) owner: Cluster,
    pub(super) member: MemberCluster,
    pub(super) tenant: Tenant,
    /// The tenant's name.
    pub(super) whose: TenantName,
    pub(super) key: WorkloadKey,
}

impl Ground {
    /// Looks for all that adopting needs.
    ///
    /// # Errors
    ///
    /// What is missing, or isn't as it must be.
    pub(super) async fn find(args: &AdoptArgs, options: &HubArgs) -> Result<Self, AdoptError> {
        let hub = Cluster::hub(&options.target()).await?;
        let member: MemberCluster = hub::need(&hub, args.member.as_str()).await?;
        let owner = Cluster::member(&args.target.target().unwrap_or_default()).await?;
        hub::check_same(&member, &owner, &args.member).await?;
        let namespace = args.namespace.clone();
        let tenants = hub.collect(Api::all(hub.client.clone()), |tenant: Tenant| tenant).await?;
        let mut whose = tenants.into_iter().filter(|tenant| tenant.spec.namespaces.contains(&namespace));
        let tenant = whose.next().ok_or_else(|| AdoptError::NobodysNamespace(namespace.clone()))?;
        let whose = TenantName::new(&tenant.name_any())
            .map_err(|_| AdoptError::NobodysNamespace(namespace.clone()))?;
        let key = WorkloadKey { namespace, name: args.name.clone() };
        let ground = Self { hub, owner, member, tenant, whose, key };
        ground.check(args).await?;
        Ok(ground)
    }

    /// Refuses a Secret that is on the hub already and says something else.
    ///
    /// # Errors
    ///
    /// If it is, or the hub wouldn't take it.
    pub(super) async fn check_secret(&self, secret: &Value) -> Result<(), AdoptError> {
        let there = self.hub.read(secret).await?;
        let same = |there: &Value| ["data", "type"].iter().all(|field| there.get(field) == secret.get(field));
        if there.is_some_and(|there| !same(&there)) {
            let name = secret.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
            return Err(AdoptError::OtherSecret(format!("{}/{name}", self.key.namespace)));
        }
        Ok(self.hub.would_apply_as(KUBECTL, secret).await.map(drop)?)
    }

    /// Refuses a TenantWorkload that is there already and says something else than what would be made.
    ///
    /// # Errors
    ///
    /// If it does.
    pub(super) async fn check_workload(&self, wanted: &Value) -> Result<(), AdoptError> {
        let Some(there) = self.hub.read(wanted).await? else { return Ok(()) };
        let fields = changes(&there, wanted);
        if fields.is_empty() {
            return Ok(());
        }
        Err(AdoptError::OtherWorkload { key: self.key.clone(), fields: fields.join(", ") })
    }

    /// Looks whether that name is free, and the tenant may be there.
    ///
    /// # Errors
    ///
    /// What is missing, or isn't as it must be.
    pub(super) async fn check(&self, args: &AdoptArgs) -> Result<(), AdoptError> {
        let Self { hub, owner, whose, key, .. } = self;
        let label = |namespace: Namespace| namespace.labels().get(keys::TENANT_LABEL).cloned();
        let on_hub = hub.find::<Namespace>(key.namespace.as_str()).await?.and_then(label);
        if on_hub.as_deref() != Some(whose.as_str()) {
            return Err(AdoptError::HubNamespace(key.namespace.clone(), whose.clone()));
        }
        let there = owner.find::<Namespace>(key.namespace.as_str()).await?;
        let there = there.ok_or_else(|| AdoptError::NoNamespace(key.namespace.clone()))?;
        if let Some(found) = label(there).filter(|found| found != whose.as_str()) {
            let (namespace, tenant) = (key.namespace.clone(), whose.clone());
            return Err(AdoptError::NamespaceTaken { namespace, found, tenant });
        }
        if !setup::admitted(owner).await?.contains(whose) {
            return Err(AdoptError::NotAdmitted { tenant: whose.clone(), member: args.member.to_string() });
        }
        let (name, namespace) = (key.name.as_str(), key.namespace.as_str());
        let workloads: Api<TenantWorkload> = Api::namespaced(hub.client.clone(), namespace);
        let known = workloads.get_opt(name).await.map_err(hub.failed(format!("get TenantWorkload {key}")))?;
        let records: Api<Assignment> = Api::namespaced(hub.client.clone(), namespace);
        let record = records.get_opt(name).await.map_err(hub.failed(format!("get Assignment {key}")))?;
        let is_it = known.as_ref().map(|known| known.spec.adopt.as_ref() == Some(&args.member));
        match (is_it, record) {
            (Some(true), Some(_)) => Err(AdoptError::Done(key.clone())),
            (Some(true) | None, None) => Ok(()),
            _ => Err(AdoptError::Exists(key.clone())),
        }
    }

    /// Labels the namespace on the member, and lets the tenant act there, as the operator does where it may write: what leaves must be removed
    /// by somebody.
    pub(super) async fn take_namespace(&self) -> Result<(), ClusterError> {
        let namespace = self.key.namespace.as_str();
        let labels = json!({keys::TENANT_LABEL: self.whose.as_str()});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
        self.owner.apply_shared(&object).await?;
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
            "metadata": {"name": TENANT_ROLE, "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": TENANT_ROLE},
            "subjects": [{
                "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": tenant_user(&self.whose),
            }],
        });
        self.owner.apply_as(keys::HUB_MANAGER, &binding).await.map(drop)
    }

    /// What the member warns of if the namespace had the tenant's Pod Security level.
    pub(super) async fn violations(&self) -> Result<Vec<String>, ClusterError> {
        let namespace = self.key.namespace.as_str();
        let labels = json!({"pod-security.kubernetes.io/enforce": self.tenant.spec.pod_security.label()});
        let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}});
        self.owner.warnings(keys::HUB_MANAGER, &format!("/api/v1/namespaces/{namespace}"), &object).await
    }
}
