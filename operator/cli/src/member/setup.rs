//! Setting a member up and taking it down, with its owner's rights.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::api::rbac::v1::{ClusterRole, RoleBinding};
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, ListParams};
use kube::core::PartialObjectMeta;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::probe::{self, Acting};
use super::{ADMITTED_LABEL, Impersonation, NAMESPACE, SERVICE_ACCOUNT, TENANT_ROLE};
use crate::cluster::{Cluster, ClusterError};
use domicile_crds::{ALLOWED_KINDS, TenantName, keys};

/// ValidatingAdmissionPolicy is served as v1 from 1.30 on; without it nothing holds the hub to tenants' namespaces.
const MINOR_MIN: u32 = 30;
/// Constrained impersonation is on by default from 1.36 on.
const MINOR_CONSTRAINED: u32 = 36;
/// The token controller answers within a second; a cluster without one never does.
const TOKEN_WITHIN: Duration = Duration::from_secs(30);
/// API servers learn of new roles by a watch.
const ROLES_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(200);
const TOKEN_TYPE: &str = "kubernetes.io/service-account-token";
const TOKEN_NAME: &str = "hub-token";
const TOKEN_OF: &str = "kubernetes.io/service-account.name";

/// A member can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Its Kubernetes is too old.
    #[error(
        "the member runs Kubernetes {found}; wanted 1.{MINOR_MIN} or later, where admission policies hold the hub to tenants' namespaces"
    )]
    TooOld {
        /// Its version.
        found: String,
    },
    /// Nobody filled the token's Secret.
    #[error(
        "Secret {NAMESPACE}/{name} got no token within {} s; check that the member's kube-controller-manager runs its token controller",
        TOKEN_WITHIN.as_secs()
    )]
    NoToken {
        /// The Secret.
        name: String,
    },
    /// The hub can't act as a tenant.
    #[error("the hub can't act as a tenant on the member{}", .said.as_ref().map(|said| format!(": {said}")).unwrap_or_default())]
    NoImpersonation {
        /// What the API server said.
        said: Option<String>,
    },
}

/// A Kubernetes version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// As the server says it, for example `v1.36.3`.
    pub text: String,
    minor: u32,
}

impl Version {
    /// Reads what a server says of itself; vendors append something to the minor version.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let minor = text.trim_start_matches('v').split('.').nth(1).unwrap_or_default();
        let digits: String = minor.chars().take_while(char::is_ascii_digit).collect();
        Self { text: text.to_owned(), minor: digits.parse().unwrap_or_default() }
    }

    /// What this version is expected to have.
    #[must_use]
    pub fn impersonation(&self) -> Impersonation {
        if self.minor >= MINOR_CONSTRAINED { Impersonation::Constrained } else { Impersonation::Legacy }
    }
}

/// The member's version, if it is one that can be used.
///
/// # Errors
///
/// If it is too old, or doesn't answer.
pub async fn version(member: &Cluster) -> Result<Version, SetupError> {
    let info = member.client.apiserver_version().await.map_err(member.failed("ask for the version"))?;
    let version = Version::parse(&info.git_version);
    if version.minor < MINOR_MIN {
        return Err(SetupError::TooOld { found: version.text });
    }
    Ok(version)
}

/// How the hub acts as a tenant here; `None` if nothing was set up.
///
/// # Errors
///
/// If that can't be read.
pub async fn installed(member: &Cluster) -> Result<Option<Impersonation>, ClusterError> {
    if member.find::<ClusterRole>("domicile-hub").await?.is_none() {
        return Ok(None);
    }
    let acting = member.find::<ClusterRole>("domicile-acting").await?;
    Ok(Some(if acting.is_some() { Impersonation::Constrained } else { Impersonation::Legacy }))
}

/// The tenants that are admitted.
///
/// # Errors
///
/// If the roles can't be listed.
pub async fn admitted(member: &Cluster) -> Result<Vec<TenantName>, ClusterError> {
    let api = Api::<ClusterRole>::all(member.client.clone());
    let list = api.list(&ListParams::default().labels(ADMITTED_LABEL)).await;
    let list = list.map_err(member.failed("list clusterroles"))?;
    let name = |role: &ClusterRole| TenantName::new(role.labels().get(ADMITTED_LABEL)?).ok();
    Ok(list.items.iter().filter_map(name).collect())
}

/// Applies everything for one kind of impersonation, and turns what is there to it: never both.
///
/// # Errors
///
/// If the member refuses something.
pub async fn set_up(member: &Cluster, impersonation: Impersonation) -> Result<(), ClusterError> {
    let tenants = admitted(member).await?;
    if impersonation == Impersonation::Legacy {
        for object in acting() {
            member.delete(&object).await?;
        }
    }
    for tenant in &tenants {
        admit(member, tenant, impersonation).await?;
    }
    for object in super::manifests(impersonation) {
        member.apply(&object).await?;
    }
    Ok(())
}

/// What constrained impersonation has and the legacy kind must not.
fn acting() -> Vec<Value> {
    let constrained = super::manifests(Impersonation::Constrained);
    constrained
        .into_iter()
        .filter(|object| object.pointer("/metadata/name").is_some_and(|name| name == "domicile-acting"))
        .collect()
}

/// Admits a tenant.
///
/// # Errors
///
/// If the member refuses.
pub async fn admit(
    member: &Cluster,
    tenant: &TenantName,
    impersonation: Impersonation,
) -> Result<(), ClusterError> {
    for object in super::admission(tenant, impersonation) {
        member.apply(&object).await?;
    }
    Ok(())
}

/// Withdraws an admission. Says whether there was one.
///
/// # Errors
///
/// If the member refuses.
pub async fn withdraw(member: &Cluster, tenant: &TenantName) -> Result<bool, ClusterError> {
    let mut any = false;
    for object in super::admission(tenant, Impersonation::Legacy) {
        any |= member.delete(&object).await?;
    }
    Ok(any)
}

/// Whether the hub can act as somebody admitted in this way; `false` if the API server doesn't know the way.
///
/// Tried with a tenant that can't exist, who is admitted for that moment and may do nothing.
///
/// # Errors
///
/// If it knows the way and it doesn't work all the same.
pub async fn try_acting(
    member: &Cluster,
    hub: &Cluster,
    impersonation: Impersonation,
) -> Result<bool, SetupError> {
    let objects = super::nobody(impersonation);
    for object in &objects {
        member.apply(object).await?;
    }
    let tried = wait_acting(hub, impersonation).await;
    for object in &objects {
        member.delete(object).await?;
    }
    tried
}

async fn wait_acting(hub: &Cluster, impersonation: Impersonation) -> Result<bool, SetupError> {
    let end = Instant::now() + ROLES_WITHIN;
    loop {
        match probe::acts_as(hub, super::NOBODY).await? {
            Acting::Works => return Ok(true),
            Acting::NotKnown if impersonation == Impersonation::Constrained => return Ok(false),
            Acting::NotKnown | Acting::Refused(_) if Instant::now() < end => sleep(LOOK_EVERY).await,
            Acting::NotKnown => return Err(SetupError::NoImpersonation { said: None }),
            Acting::Refused(said) => return Err(SetupError::NoImpersonation { said: Some(said) }),
        }
    }
}

/// A token for the hub, and the Secret that has it.
#[derive(Clone)]
pub struct Token {
    /// The Secret.
    pub secret: String,
    /// The token.
    pub token: String,
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("secret", &self.secret).finish_non_exhaustive()
    }
}

/// The newest token that is there, or a new one.
///
/// # Errors
///
/// If none is made in time.
pub async fn token(member: &Cluster, new: bool) -> Result<Token, SetupError> {
    let there = tokens(member).await?;
    let newest = there.iter().max_by_key(|secret| secret.creation_timestamp()).map(ResourceExt::name_any);
    let name = match newest {
        Some(name) if !new => name,
        _ => {
            let taken = |name: &String| there.iter().any(|secret| secret.name_any() == *name);
            let mut numbered = (2_u32..).map(|number| format!("{TOKEN_NAME}-{number}"));
            let first = Some(TOKEN_NAME.to_owned()).filter(|name| !taken(name));
            let name = first.or_else(|| numbered.find(|name| !taken(name))).unwrap_or_default();
            member.apply(&super::token_named(&name)).await?;
            name
        }
    };
    let api = Api::<Secret>::namespaced(member.client.clone(), NAMESPACE);
    let end = Instant::now() + TOKEN_WITHIN;
    loop {
        let secret = api.get(&name).await.map_err(member.failed(format!("get Secret {NAMESPACE}/{name}")))?;
        let token = secret.data.and_then(|mut data| data.remove("token"));
        if let Some(token) = token.and_then(|bytes| String::from_utf8(bytes.0).ok()).filter(|t| !t.is_empty())
        {
            return Ok(Token { secret: name, token });
        }
        if Instant::now() >= end {
            return Err(SetupError::NoToken { name });
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn tokens(member: &Cluster) -> Result<Vec<Secret>, ClusterError> {
    let api = Api::<Secret>::namespaced(member.client.clone(), NAMESPACE);
    let list = api.list(&ListParams::default().fields(&format!("type={TOKEN_TYPE}"))).await;
    let list = list.map_err(member.failed(format!("list secrets in {NAMESPACE}")))?;
    let ours = |secret: &Secret| secret.annotations().get(TOKEN_OF).is_some_and(|of| of == SERVICE_ACCOUNT);
    Ok(list.items.into_iter().filter(ours).collect())
}

/// Deletes every token but one.
///
/// # Errors
///
/// If the member refuses.
pub async fn retire(member: &Cluster, keep: &Token) -> Result<(), ClusterError> {
    for secret in tokens(member).await? {
        if secret.name_any() != keep.secret {
            delete_token(member, &secret).await?;
        }
    }
    Ok(())
}

async fn delete_token(member: &Cluster, secret: &Secret) -> Result<(), ClusterError> {
    member.delete(&super::token_named(&secret.name_any())).await?;
    Ok(())
}

/// What there is of workloads, pods included; claims that were kept no longer belong to any.
///
/// # Errors
///
/// If a kind can't be listed.
pub async fn copies(member: &Cluster) -> Result<Vec<String>, ClusterError> {
    let mut all = Vec::new();
    for (api_version, kind, plural) in ALLOWED_KINDS.into_iter().chain([("v1", "Pod", "pods")]) {
        let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
        let resource =
            ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        let api = Api::<DynamicObject>::all_with(member.client.clone(), &resource);
        let list = api.list_metadata(&ListParams::default().labels(keys::WORKLOAD_LABEL)).await;
        let list = list.map_err(member.failed(format!("list {plural}")))?;
        let shown = |object: &PartialObjectMeta<DynamicObject>| {
            format!("{kind} {}/{}", object.namespace().unwrap_or_default(), object.name_any())
        };
        all.extend(list.items.iter().map(shown));
    }
    Ok(all)
}

/// Withdraws tenants' rights in their namespaces: they would come alive again with the next hub.
async fn unbind(member: &Cluster) -> Result<(), ClusterError> {
    let api = Api::<RoleBinding>::all(member.client.clone());
    let list = api.list(&ListParams::default().fields(&format!("metadata.name={TENANT_ROLE}"))).await;
    for binding in list.map_err(member.failed("list rolebindings"))? {
        if binding.role_ref.kind == "ClusterRole" && binding.role_ref.name == TENANT_ROLE {
            let metadata = json!({"name": TENANT_ROLE, "namespace": binding.namespace()});
            let kind = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata});
            member.delete(&kind).await?;
        }
    }
    Ok(())
}

/// Removes everything of Domicile from a member but what tenants have in their namespaces. Its own
/// namespace stays if somebody else lives
/// there: on a cluster that is hub and member at once, the operator.
///
/// # Errors
///
/// If the member refuses something; repeating is safe.
pub async fn tear_down(member: &Cluster, keep_home: bool) -> Result<(), ClusterError> {
    for tenant in admitted(member).await? {
        withdraw(member, &tenant).await?;
    }
    for secret in tokens(member).await? {
        delete_token(member, &secret).await?;
    }
    unbind(member).await?;
    let mut objects = super::nobody(Impersonation::Legacy);
    objects.extend(super::manifests(Impersonation::Constrained));
    // In this order the policies go after the rights that they hold back.
    let (home, rest): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|object| object.get("kind").is_some_and(|kind| kind == "Namespace"));
    for object in rest.iter().chain(home.iter().filter(|_| !keep_home)) {
        member.delete(object).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_vendors_are_understood() {
        for (text, minor, kind) in [
            ("v1.36.3", 36, Impersonation::Constrained),
            ("v1.35.1-gke.100", 35, Impersonation::Legacy),
            ("v1.30+", 30, Impersonation::Legacy),
            ("1.37.0-alpha.1", 37, Impersonation::Constrained),
            ("what", 0, Impersonation::Legacy),
        ] {
            let version = Version::parse(text);
            assert_eq!((version.minor, version.impersonation()), (minor, kind), "{text}");
        }
    }
}
