//! Whether the hub's credential on a member can do what it must, and nothing that it must not.
//!
//! Asked of the member with that very credential: roles that look right prove little, since somebody may have
//! granted the same account more, and a policy that is stored may not be in force yet.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use domicile_crds::{TenantName, keys};
use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, ResourceRule, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
    SelfSubjectRulesReview, SelfSubjectRulesReviewSpec,
};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, PostParams};
use serde_json::{Value, from_value, json};
use tokio::time::{Instant, sleep};

use super::{Impersonation, NAMESPACE};
use crate::cluster::{Cluster, ClusterError};

/// API servers learn of new policies by a watch.
const GUARD_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Problems that are told: a cluster-admin has all of them.
const TOLD_MAX: usize = 12;
/// What a guard's refusals begin with.
const GUARD: &str = "domicile-hub-guard";
/// Requests under way at once.
const AT_ONCE: usize = 8;

/// The credential isn't right.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// It can do too much or too little.
    #[error("the hub's credential on the member is not as it must be:{}\nwanted: exactly what the files of `kubectl domicile join --print-member` grant, and nothing else for this account", Told(.0))]
    Wrong(Vec<String>),
}

struct Told<'a>(&'a [String]);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(TOLD_MAX).try_for_each(|problem| write!(f, "\n  {problem}"))?;
        match self.0.len().saturating_sub(TOLD_MAX) {
            0 => Ok(()),
            more => write!(f, "\n  and {more} more"),
        }
    }
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// How it acts as a tenant; `None` if nobody is admitted and nothing tells.
    pub impersonation: Option<Impersonation>,
    /// As whom it may act.
    pub tenants: Vec<TenantName>,
}

/// Looks at everything.
///
/// # Errors
///
/// All that is not as it must be, at once.
pub async fn examine(hub: &Cluster) -> Result<Found, ProbeError> {
    // All that follows would be wrong, and none of it says that the file is another one.
    if is_allowed(hub, &to("*", "*", "*")).await? {
        let problem = "it can do everything: this is an administrator's, and not the one made for the hub";
        return Err(ProbeError::Wrong(vec![problem.to_owned()]));
    }
    let mut wrong = access(hub).await?;
    let found = match rules(hub).await {
        Ok(rules) => judge_rules(&rules, &mut wrong),
        Err(error) => return Err(error.into()),
    };
    wrong.extend(guard(hub, found.tenants.first()).await);
    if wrong.is_empty() { Ok(found) } else { Err(ProbeError::Wrong(wrong)) }
}

/// Something that can be done or not.
#[derive(Clone, Debug)]
struct Access {
    verb: &'static str,
    group: &'static str,
    resource: &'static str,
    subresource: &'static str,
    name: &'static str,
    namespace: &'static str,
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        for (mark, part) in
            [(".", self.group), ("/", self.subresource), (" ", self.name), (" in ", self.namespace)]
        {
            if !part.is_empty() {
                write!(f, "{mark}{part}")?;
            }
        }
        Ok(())
    }
}

fn to(verb: &'static str, group: &'static str, resource: &'static str) -> Access {
    Access { verb, group, resource, subresource: "", name: "", namespace: "" }
}

fn named(verb: &'static str, group: &'static str, resource: &'static str, name: &'static str) -> Access {
    Access { name, ..to(verb, group, resource) }
}

const RBAC: &str = "rbac.authorization.k8s.io";
const NETWORKING: &str = "networking.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";

/// What the hub can't do its work without.
fn must() -> Vec<Access> {
    let mut all = vec![named("bind", RBAC, "clusterroles", super::TENANT_ROLE)];
    let core = ["namespaces", "pods", "nodes", "events", "persistentvolumeclaims"].map(|r| ("", r));
    let apps = ["deployments", "statefulsets", "replicasets"].map(|r| ("apps", r));
    let batch = ["jobs", "cronjobs"].map(|r| ("batch", r));
    for (group, resource) in core.into_iter().chain(apps).chain(batch).chain([(RBAC, "rolebindings")]) {
        all.extend(["get", "list", "watch"].map(|verb| to(verb, group, resource)));
    }
    let written =
        [("", "namespaces"), (RBAC, "rolebindings"), ("", "resourcequotas"), (NETWORKING, "networkpolicies")];
    for (group, resource) in written {
        all.extend(["create", "patch"].map(|verb| to(verb, group, resource)));
    }
    for (group, resource) in [("", "resourcequotas"), (NETWORKING, "networkpolicies")] {
        all.extend(["get", "list"].map(|verb| to(verb, group, resource)));
    }
    all
}

/// What would let whoever steals the hub's credential do harm.
fn must_not() -> Vec<Access> {
    let mut all = vec![
        named("bind", RBAC, "clusterroles", "cluster-admin"),
        named("escalate", RBAC, "clusterroles", super::TENANT_ROLE),
        named("patch", RBAC, "clusterroles", super::TENANT_ROLE),
        to("create", RBAC, "clusterrolebindings"),
        to("create", ADMISSION, "validatingadmissionpolicybindings"),
        named("patch", ADMISSION, "validatingadmissionpolicies", GUARD),
        named("delete", ADMISSION, "validatingadmissionpolicybindings", GUARD),
        named("delete", "", "namespaces", "kube-system"),
        named("impersonate", "", "users", "system:admin"),
        named("impersonate", "", "groups", "system:masters"),
        named("impersonate:user-info", "authentication.k8s.io", "users", "system:admin"),
        named("impersonate:user-info", "authentication.k8s.io", "groups", "system:masters"),
    ];
    for namespace in ["", "kube-system", "default", NAMESPACE] {
        let mut here = vec![
            to("impersonate", "", "serviceaccounts"),
            to("get", "", "secrets"),
            to("list", "", "secrets"),
            to("create", "", "secrets"),
            to("create", "", "pods"),
            to("patch", "apps", "deployments"),
            to("create", RBAC, "roles"),
            Access { subresource: "token", ..to("create", "", "serviceaccounts") },
            Access { subresource: "exec", ..to("create", "", "pods") },
        ];
        here.extend(
            ["deployments", "statefulsets", "daemonsets", "replicasets"].map(|r| to("create", "apps", r)),
        );
        here.extend(["jobs", "cronjobs"].map(|r| to("create", "batch", r)));
        all.extend(here.into_iter().map(|access| Access { namespace, ..access }));
    }
    all
}

async fn access(hub: &Cluster) -> Result<Vec<String>, ClusterError> {
    let wanted = must().into_iter().map(|access| (access, true));
    let all: Vec<_> = wanted.chain(must_not().into_iter().map(|access| (access, false))).collect();
    let mut wrong = Vec::new();
    for chunk in all.chunks(AT_ONCE) {
        let mut asked = tokio::task::JoinSet::new();
        for (index, (access, _)) in chunk.iter().enumerate() {
            let (hub, access) = (hub.clone(), access.clone());
            asked.spawn(async move { (index, is_allowed(&hub, &access).await) });
        }
        let mut answers = asked.join_all().await;
        answers.sort_by_key(|(index, _)| *index);
        for ((access, wanted), (_, answer)) in chunk.iter().zip(answers) {
            match (answer?, wanted) {
                (false, true) => wrong.push(format!("it can't {access}, which it must")),
                (true, false) => wrong.push(format!("it can {access}, which it must not")),
                _ => {}
            }
        }
    }
    Ok(wrong)
}

async fn is_allowed(hub: &Cluster, access: &Access) -> Result<bool, ClusterError> {
    let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(ResourceAttributes {
                verb: some(access.verb),
                group: some(access.group),
                resource: some(access.resource),
                subresource: some(access.subresource),
                name: some(access.name),
                namespace: some(access.namespace),
                ..ResourceAttributes::default()
            }),
            ..SelfSubjectAccessReviewSpec::default()
        },
        ..SelfSubjectAccessReview::default()
    };
    let api = Api::<SelfSubjectAccessReview>::all(hub.client.clone());
    let answer = api.create(&PostParams::default(), &review).await;
    let answer = answer.map_err(hub.failed("ask what the credential may do"))?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

async fn rules(hub: &Cluster) -> Result<Vec<ResourceRule>, ClusterError> {
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some("default".to_owned()) },
        ..SelfSubjectRulesReview::default()
    };
    let api = Api::<SelfSubjectRulesReview>::all(hub.client.clone());
    let answer = api.create(&PostParams::default(), &review).await;
    let answer = answer.map_err(hub.failed("ask for the credential's rules"))?;
    Ok(answer.status.map(|status| status.resource_rules).unwrap_or_default())
}

/// As whom the hub may act, by its own rules.
fn judge_rules(rules: &[ResourceRule], wrong: &mut Vec<String>) -> Found {
    let mut tenants = BTreeSet::new();
    let (mut constrained, mut legacy) = (false, false);
    for rule in rules {
        let has = |wanted: &str| rule.verbs.iter().any(|verb| verb == wanted);
        let on = rule.verbs.iter().any(|verb| verb.starts_with("impersonate-on:"));
        let who = has("impersonate") || rule.verbs.iter().any(|verb| verb.starts_with("impersonate:"));
        constrained |= on || has("impersonate:user-info");
        legacy |= has("impersonate");
        if !who {
            continue;
        }
        let names = rule.resource_names.as_deref().unwrap_or_default();
        if names.is_empty() {
            // In RBAC, no name at all means every name.
            wrong.push("it can act as anybody: a rule to impersonate has no resourceNames".to_owned());
        }
        for name in names {
            let tenant =
                name.strip_prefix("domicile:tenant:").and_then(|tenant| TenantName::new(tenant).ok());
            match tenant {
                Some(tenant) => drop(tenants.insert(tenant)),
                None if name == keys::TENANTS_GROUP || name == super::NOBODY => {}
                None => wrong.push(format!("it can act as {name}, who is no tenant")),
            }
        }
    }
    if constrained && legacy {
        wrong.push(
            "it has both kinds of impersonation: remove the verb impersonate, which makes the limits of the other void"
                .to_owned(),
        );
    }
    let impersonation = match (constrained, legacy) {
        (true, _) => Some(Impersonation::Constrained),
        (_, true) => Some(Impersonation::Legacy),
        _ => None,
    };
    Found { impersonation, tenants: tenants.into_iter().collect() }
}

/// Tries, as a dry run, what the guard must refuse and what it must let pass.
async fn guard(hub: &Cluster, admitted: Option<&TenantName>) -> Vec<String> {
    const NAME: &str = "join-probe-of-domicile";
    let namespaces = Api::<Namespace>::all(hub.client.clone());
    let bindings = Api::<RoleBinding>::namespaced(hub.client.clone(), "kube-system");
    let namespace = |labels: Value| json!({"metadata": {"name": NAME, "labels": labels}});
    let binding = json!({
        "metadata": {"name": "domicile-join-probe"},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": super::TENANT_ROLE},
        "subjects": [{"apiGroup": RBAC, "kind": "User", "name": super::NOBODY}],
    });
    let plain = namespace(json!({}));
    let of = |tenant: &str| {
        namespace(json!({keys::TENANT_LABEL: tenant, "pod-security.kubernetes.io/enforce": "baseline"}))
    };
    let mut wrong = Vec::new();
    let unguarded =
        "it isn't held to tenants' namespaces: the policy domicile-hub-guard or its binding is missing";
    if !in_time(&namespaces, &plain, is_refusal).await {
        wrong.push(format!("{unguarded} (it can create a namespace without a tenant)"));
    }
    if !in_time(&bindings, &binding, is_refusal).await {
        wrong.push(format!("{unguarded} (it can give a tenant rights in kube-system)"));
    }
    let strangers = format!("{NAME}-{}", std::process::id());
    if !in_time(&namespaces, &of(&strangers), is_refusal).await {
        wrong.push(format!("{unguarded} (it can create a namespace of a tenant that isn't admitted)"));
    }
    let Some(tenant) = admitted else { return wrong };
    if !in_time(&namespaces, &of(tenant.as_str()), Result::is_ok).await {
        let said = dry_run(&namespaces, &of(tenant.as_str())).await.err().unwrap_or_default();
        wrong.push(format!("it can't create a namespace of the admitted tenant {tenant}: {said}"));
    }
    wrong
}

fn is_refusal(answer: &Result<(), String>) -> bool {
    answer.as_ref().is_err_and(|said| said.contains(GUARD))
}

/// Whether a dry run is answered as wanted before long.
async fn in_time<K>(api: &Api<K>, object: &Value, wanted: impl Fn(&Result<(), String>) -> bool) -> bool
where
    K: Clone + fmt::Debug + serde::de::DeserializeOwned + serde::Serialize,
{
    let end = Instant::now() + GUARD_WITHIN;
    loop {
        if wanted(&dry_run(api, object).await) {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        sleep(LOOK_EVERY).await;
    }
}

async fn dry_run<K>(api: &Api<K>, object: &Value) -> Result<(), String>
where
    K: Clone + fmt::Debug + serde::de::DeserializeOwned + serde::Serialize,
{
    let params = PostParams { dry_run: true, field_manager: None };
    let object: K = from_value(object.clone()).map_err(|error| error.to_string())?;
    match api.create(&params, &object).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) => Err(status.message),
        Err(error) => Err(error.to_string()),
    }
}

/// What happened when the hub acted as somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Acting {
    /// It was taken for that user.
    Works,
    /// The API server knows only the legacy kind, and that isn't granted.
    NotKnown,
    /// It wasn't allowed to.
    Refused(String),
}

/// Acts as `user` for one request, which that user isn't allowed: whom the refusal names is what matters.
pub(super) async fn acts_as(hub: &Cluster, user: &str) -> Result<Acting, ClusterError> {
    let mut config = hub.config.clone();
    config.auth_info.impersonate = Some(user.to_owned());
    config.auth_info.impersonate_groups = Some(vec![keys::TENANTS_GROUP.to_owned()]);
    let acting = Cluster::with(&hub.label, config)?;
    let api = Api::<ConfigMap>::namespaced(acting.client.clone(), "kube-system");
    match api.get("domicile-join-probe").await {
        Err(kube::Error::Api(status)) if status.code == 403 => Ok(judge_refusal(&status.message)),
        Ok(_) => Ok(Acting::Works),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(Acting::Works),
        Err(error) => Err(acting.failed(format!("act as {user}"))(error)),
    }
}

fn judge_refusal(said: &str) -> Acting {
    if said.contains("User \"domicile:tenant:") {
        Acting::Works
    } else if said.contains("cannot impersonate resource") {
        Acting::NotKnown
    } else {
        Acting::Refused(said.to_owned())
    }
}

/// Acts once as a tenant that is admitted.
///
/// # Errors
///
/// If that doesn't work.
pub async fn check_acting(hub: &Cluster, tenant: &TenantName) -> Result<(), ProbeError> {
    let said = match acts_as(hub, &keys::tenant_user(tenant)).await? {
        Acting::Works => return Ok(()),
        Acting::Refused(said) => said,
        Acting::NotKnown => {
            "this API server doesn't know constrained impersonation (Kubernetes 1.36 and later): apply the files with --impersonation legacy".to_owned()
        }
    };
    Err(ProbeError::Wrong(vec![format!("it can't act as the admitted tenant {tenant}: {said}")]))
}

#[cfg(test)]
mod tests;
