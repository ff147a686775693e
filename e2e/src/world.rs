//! The world of a scenario: a hub with Domicile on it and its members, whatever they run on. What people do to it, and
//! what they wait for.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use anyhow::{Context as _, bail};
use domicile_crds::{
    TenantName,
    kubeconfig::{Credential, Kubeconfig},
    yaml,
};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kubectl_domicile::member::{Impersonation, admission, manifests, token};
use serde_json::{Value, json};

use crate::{
    fleet::{Access, wait::eventually},
    stage::root,
};

/// Namespace of the operator.
pub const OPERATOR_NAMESPACE: &str = "domicile-system";

/// How long anything may take that takes a moment: fleets share two cores.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// A hub, its members, and what the operators of all times have logged.
#[derive(Debug)]
pub struct World {
    hub: Access,
    members: BTreeMap<String, Access>,
    log: PathBuf,
}

impl World {
    /// Of these clusters.
    pub fn new(hub: Access, members: impl IntoIterator<Item = Access>, log: PathBuf) -> Self {
        let members = members.into_iter().map(|member| (member.name.clone(), member)).collect();
        Self { hub, members, log }
    }

    /// The hub.
    #[must_use]
    pub fn hub(&self) -> &Access {
        &self.hub
    }

    /// The member of that name.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn member(&self, name: &str) -> anyhow::Result<&Access> {
        self.members.get(name).with_context(|| format!("there is no member {name}"))
    }

    /// All members, by name.
    pub fn members(&self) -> impl Iterator<Item = &Access> {
        self.members.values()
    }

    /// The hub and all members.
    pub fn clusters(&self) -> impl Iterator<Item = &Access> {
        std::iter::once(&self.hub).chain(self.members())
    }

    /// Applies a file or folder of the repository on the hub.
    ///
    /// # Errors
    ///
    /// What the API server refuses.
    pub async fn apply_file(&self, path: &str) -> anyhow::Result<String> {
        let path = root().join(path).display().to_string();
        let args = ["apply", "--server-side", "--force-conflicts", "-f", path.as_str()];
        self.hub.kubectl(args).text().await
    }

    /// Applies objects on the hub.
    ///
    /// # Errors
    ///
    /// What the API server refuses.
    pub async fn apply(&self, objects: &str) -> anyhow::Result<String> {
        let args = ["apply", "--server-side", "--force-conflicts", "-f", "-"];
        self.hub.kubectl(args).stdin(objects).text().await
    }

    /// Joins a member at a site, as `kubectl domicile join` does, and admits tenants there.
    ///
    /// # Errors
    ///
    /// What an API server refuses.
    pub async fn join(&self, name: &str, site: &str, tenants: &[&str]) -> anyhow::Result<()> {
        self.prepare(name, tenants).await?;
        let object = json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "MemberCluster", "metadata": {"name": name},
            "spec": {"site": site, "connection": {"kubeconfigSecret": format!("member-{name}")}},
        });
        self.apply(&object.to_string()).await?;
        Ok(())
    }

    /// All of [`join`](Self::join) but the MemberCluster.
    ///
    /// # Errors
    ///
    /// What an API server refuses.
    pub async fn prepare(&self, name: &str, tenants: &[&str]) -> anyhow::Result<()> {
        let member = self.member(name)?;
        let mut objects = manifests(Impersonation::Constrained);
        objects.push(token());
        apply_all(member, &objects).await?;
        for tenant in tenants {
            self.admit(name, tenant).await?;
        }
        let token = hub_token(member).await?;
        let kubeconfig = member_kubeconfig(member, token)?;
        let secret = json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": {"name": format!("member-{name}"), "namespace": OPERATOR_NAMESPACE},
            "stringData": {"kubeconfig": kubeconfig},
        });
        self.apply(&secret.to_string()).await?;
        Ok(())
    }

    /// Admits a tenant on a member.
    ///
    /// # Errors
    ///
    /// What the API server refuses.
    pub async fn admit(&self, name: &str, tenant: &str) -> anyhow::Result<()> {
        let tenant = TenantName::new(tenant)?;
        apply_all(self.member(name)?, &admission(&tenant, Impersonation::Constrained)).await
    }

    /// What the operators have logged, also those that have ended.
    #[must_use]
    pub fn operator_log(&self) -> PathBuf {
        self.log.clone()
    }

    /// A workload on the hub, with its status.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub async fn workload(
        &self,
        namespace: &str,
        name: &str,
    ) -> anyhow::Result<domicile_crds::TenantWorkload> {
        Ok(Api::namespaced(self.hub.client(), namespace).get(name).await?)
    }

    /// Waits until a workload's condition has a status, and optionally a reason.
    ///
    /// # Errors
    ///
    /// What the conditions were instead.
    pub async fn wait_for(
        &self,
        workload: (&str, &str),
        condition: (&str, &str, Option<&str>),
    ) -> anyhow::Result<domicile_crds::TenantWorkload> {
        let (namespace, name) = workload;
        let (kind, status, reason) = condition;
        let what = format!("{namespace}/{name} {kind}={status} {}", reason.unwrap_or_default());
        eventually(PATIENCE, &what, || async {
            let found = self.workload(namespace, name).await?;
            let conditions = found.status.as_ref().map(|s| s.conditions.clone()).unwrap_or_default();
            let it = domicile_crds::condition_of(&conditions, kind);
            let fits =
                it.is_some_and(|c| c.status == status && reason.is_none_or(|reason| c.reason == reason));
            if fits {
                return Ok(Some(found));
            }
            bail!("conditions are {conditions:?}")
        })
        .await
        .with_context(|| self.log_tail())
    }

    /// Waits until all copies of a workload are Ready, and on these clusters.
    ///
    /// # Errors
    ///
    /// Where they were instead.
    pub async fn wait_on(&self, workload: (&str, &str), clusters: &[&str]) -> anyhow::Result<()> {
        let (namespace, name) = workload;
        eventually(PATIENCE, &format!("{namespace}/{name} on {clusters:?}"), || async {
            let status = self.workload(namespace, name).await?.status.unwrap_or_default();
            let there: Vec<&str> =
                status.seats.iter().filter(|s| s.ready).map(|s| s.place.cluster.as_str()).collect();
            if there == clusters {
                return Ok(Some(()));
            }
            bail!("status is {status:?}")
        })
        .await
        .with_context(|| self.log_tail())
    }

    /// The last lines of the operator's log.
    #[must_use]
    pub fn log_tail(&self) -> String {
        let text = std::fs::read_to_string(self.operator_log()).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(40);
        format!("the operator's log ends with:\n{}", lines.get(from..).unwrap_or_default().join("\n"))
    }
}

async fn apply_all(cluster: &Access, objects: &[Value]) -> anyhow::Result<()> {
    let apply = ["apply", "--server-side", "-f", "-"];
    cluster.kubectl(apply).stdin(yaml::stream(objects)).text().await?;
    Ok(())
}

async fn hub_token(member: &Access) -> anyhow::Result<String> {
    let secrets: Api<Secret> = Api::namespaced(member.client(), OPERATOR_NAMESPACE);
    let name = token().pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default().to_owned();
    eventually(PATIENCE, "a token for the hub", || async {
        let data = secrets.get(&name).await?.data.unwrap_or_default();
        Ok(data.get("token").and_then(|token| String::from_utf8(token.0.clone()).ok()))
    })
    .await
}

/// The hub's kubeconfig for a member: the member's server and authority, with a token.
fn member_kubeconfig(member: &Access, token: String) -> anyhow::Result<String> {
    let of_admin = Kubeconfig::parse(&std::fs::read_to_string(member.kubeconfig_for_operator())?)?;
    Ok(Kubeconfig { credential: Credential::Token(token), ..of_admin }.to_yaml(member.name()))
}
