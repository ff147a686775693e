//! A tenant's namespace on a member: its label and Pod Security level, who may act in it, how much it may use, and
//! where its pods may connect to. All of it written with the hub's own credential, within what the member's
//! hub guard allows.

use std::collections::BTreeMap;

use domicile_core::{manifests::fnv1a, render::set};
use domicile_crds::{
    NamespaceName, TenantName, TenantSpec,
    keys::{self, HUB_MANAGER, tenant_user},
};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        core::v1::{Namespace, ResourceQuota},
        networking::v1::NetworkPolicy,
        rbac::v1::RoleBinding,
    },
};
use kube::{
    Api, Client, Resource,
    api::{ObjectMeta, Patch, PatchParams},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    Member,
    error::{MemberError, timely},
    verify::is_edited,
};

/// The label of a namespace by which its pods are judged.
pub(crate) const POD_SECURITY_LABEL: &str = "pod-security.kubernetes.io/enforce";
/// What the hub puts into a tenant's namespace.
const BINDING: &str = "domicile-tenant";
const EGRESS: &str = "domicile-egress";
const QUOTA: &str = "domicile-quota";
/// The role that the member's owner has defined for tenants.
const TENANT_ROLE: &str = "domicile-tenant";

/// What was found of what guards a namespace: for each whether it is as the hub wrote it; `None` if it isn't there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Guards {
    binding: Option<bool>,
    egress: Option<bool>,
    quota: Option<bool>,
}

impl Guards {
    /// Whether the tenant may act there.
    pub(crate) fn let_the_tenant_act(self) -> bool {
        self.binding.is_some()
    }

    /// Whether all that a set-up asks for is there, and nobody else has changed it.
    pub(crate) fn are_well(self, setup: &Setup) -> bool {
        let is_well = |guard: Option<bool>| guard == Some(true);
        is_well(self.binding) && is_well(self.egress) && self.quota.unwrap_or(setup.quota.is_empty())
    }
}

/// How a tenant's namespaces are to be set up.
#[derive(Clone, Debug)]
pub(crate) struct Setup {
    tenant: TenantName,
    level: &'static str,
    quota: BTreeMap<String, String>,
    egress: Value,
    digest: u64,
}

impl Setup {
    /// From what the tenant says.
    pub(crate) fn of(tenant: &TenantName, spec: &TenantSpec) -> Self {
        let egress = egress_rules(spec);
        let level = spec.pod_security.label();
        let quota = spec.quota.clone();
        let digest = fnv1a(format!("1 {tenant} {level} {quota:?} {egress}").as_bytes());
        Self { tenant: tenant.clone(), level, quota, egress, digest }
    }

    /// Tells one set-up from another.
    pub(crate) fn digest(&self) -> u64 {
        self.digest
    }
}

/// To its own namespace, to DNS, and to what the tenant names.
fn egress_rules(spec: &TenantSpec) -> Value {
    let dns = json!([{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]);
    let mut rules = vec![
        json!({"to": [{"podSelector": {}}]}),
        json!({"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}], "ports": dns}),
    ];
    for rule in &spec.egress {
        let mut out = json!({"to": [{"ipBlock": {"cidr": rule.cidr}}]});
        if !rule.ports.is_empty() {
            let ports: Vec<Value> =
                rule.ports.iter().map(|p| json!({"protocol": "TCP", "port": p})).collect();
            set(&mut out, &["ports"], Value::Array(ports));
        }
        rules.push(out);
    }
    Value::Array(rules)
}

impl Member {
    /// Sets a namespace up, unless that has been done already.
    ///
    /// # Errors
    ///
    /// If it exists and isn't the tenant's, or the member refuses.
    pub(crate) async fn ensure_namespace(
        &self,
        namespace: &NamespaceName,
        setup: &Setup,
    ) -> Result<(), MemberError> {
        // Held throughout, so that many workloads of one tenant set it up once.
        let mut done = self.namespaces.lock().await;
        if done.get(namespace) == Some(&setup.digest) {
            return Ok(());
        }
        let digest = format!("{:016x}", setup.digest);
        let found = self.namespace_owner(namespace).await?;
        let annotated = found.as_ref().and_then(|(_, annotation)| annotation.as_deref());
        let current = annotated == Some(digest.as_str()) && self.guards(namespace).await?.are_well(setup);
        match &found {
            Some((owner, _)) if owner.as_deref() != Some(setup.tenant.as_str()) => {
                let found = owner.as_ref().map_or("has no label domicile.dev/tenant".to_owned(), |owner| {
                    format!("is labelled domicile.dev/tenant={owner}")
                });
                return Err(MemberError::NamespaceTaken {
                    cluster: self.name.to_string(),
                    namespace: namespace.to_string(),
                    found,
                });
            }
            _ => {}
        }
        if !current {
            if found.is_none() {
                self.write_namespace(namespace, setup, None).await?;
            }
            self.write_guards(namespace, setup).await?;
            // The digest last: without it, all is written again.
            self.write_namespace(namespace, setup, Some(&digest)).await?;
        }
        done.insert(namespace.clone(), setup.digest);
        Ok(())
    }

    /// That a namespace isn't the tenant's. That it was set up before isn't believed any more.
    pub(super) async fn taken(&self, namespace: &NamespaceName) -> MemberError {
        self.namespaces.lock().await.remove(namespace);
        MemberError::NamespaceTaken {
            cluster: self.name.to_string(),
            namespace: namespace.to_string(),
            found: "isn't this tenant's by its label domicile.dev/tenant".to_owned(),
        }
    }

    /// The tenant that a namespace's label names, and the digest of its setup. `None` if there is no such namespace.
    pub(crate) async fn namespace_owner(
        &self,
        namespace: &NamespaceName,
    ) -> Result<Option<(Option<String>, Option<String>)>, MemberError> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let found = timely(self.name.as_str(), api.get_opt(namespace.as_str())).await?;
        Ok(found.map(|found| {
            let label = found.metadata.labels.and_then(|mut labels| labels.remove(keys::TENANT_LABEL));
            let annotation =
                found.metadata.annotations.and_then(|mut all| all.remove(keys::APPLIED_ANNOTATION));
            (label, annotation)
        }))
    }

    async fn write_namespace(
        &self,
        namespace: &NamespaceName,
        setup: &Setup,
        digest: Option<&str>,
    ) -> Result<(), MemberError> {
        let mut object = json!({
            "metadata": {"labels": {
                keys::TENANT_LABEL: setup.tenant.as_str(),
                POD_SECURITY_LABEL: setup.level,
            }},
        });
        if let Some(digest) = digest {
            set(&mut object, &["metadata", "annotations", keys::APPLIED_ANNOTATION], json!(digest));
        }
        let api: Api<Namespace> = Api::all(self.client.clone());
        self.write(api, namespace.as_str(), object).await
    }

    async fn write_guards(&self, namespace: &NamespaceName, setup: &Setup) -> Result<(), MemberError> {
        let client: Client = self.client.clone();
        let binding = json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": TENANT_ROLE},
            "subjects": [{
                "apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": tenant_user(&setup.tenant),
            }],
        });
        let api: Api<RoleBinding> = Api::namespaced(client.clone(), namespace.as_str());
        self.write(api, BINDING, binding).await?;
        let policy = json!({"spec": {"podSelector": {}, "policyTypes": ["Egress"], "egress": setup.egress}});
        let api: Api<NetworkPolicy> = Api::namespaced(client.clone(), namespace.as_str());
        self.write(api, EGRESS, policy).await?;
        let api: Api<ResourceQuota> = Api::namespaced(client, namespace.as_str());
        // The hub may delete none; an empty one limits nothing.
        if !setup.quota.is_empty() || self.guard::<ResourceQuota>(namespace, QUOTA).await?.is_some() {
            self.write(api, QUOTA, json!({"spec": {"hard": setup.quota}})).await?;
        }
        Ok(())
    }

    /// Looks at what guards a namespace.
    pub(crate) async fn guards(&self, namespace: &NamespaceName) -> Result<Guards, MemberError> {
        Ok(Guards {
            binding: self.guard::<RoleBinding>(namespace, BINDING).await?,
            egress: self.guard::<NetworkPolicy>(namespace, EGRESS).await?,
            quota: self.guard::<ResourceQuota>(namespace, QUOTA).await?,
        })
    }

    /// Whether an object of the hub's is as the hub wrote it; `None` if it isn't there.
    async fn guard<K>(&self, namespace: &NamespaceName, name: &str) -> Result<Option<bool>, MemberError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + std::fmt::Debug
            + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace.as_str());
        let found = timely(self.name.as_str(), api.get_metadata_opt(name)).await?;
        let entries = |meta: ObjectMeta| meta.managed_fields.unwrap_or_default();
        Ok(found.map(|found| !is_edited(&entries(found.metadata), HUB_MANAGER)))
    }

    async fn write<K>(&self, api: Api<K>, name: &str, mut object: Value) -> Result<(), MemberError>
    where
        K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + DeserializeOwned,
    {
        set(&mut object, &["apiVersion"], json!(K::api_version(&())));
        set(&mut object, &["kind"], json!(K::kind(&())));
        set(&mut object, &["metadata", "name"], json!(name));
        let params = PatchParams::apply(HUB_MANAGER).force();
        let call = async { api.patch(name, &params, &Patch::Apply(object)).await };
        timely(self.name.as_str(), call).await.map(|_| ())
    }
}
