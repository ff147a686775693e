//! Single rights that the credential must have, and must not have.

use std::fmt;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::api::{Api, PostParams};

use super::guards::GUARD;
use crate::cluster::{Cluster, ClusterError};
use crate::member::{NAMESPACE, TENANT_ROLE};

/// Requests under way at once.
const AT_ONCE: usize = 8;

/// Something that can be done or not.
#[derive(Clone, Debug)]
pub(super) struct Access {
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

pub(super) fn to(verb: &'static str, group: &'static str, resource: &'static str) -> Access {
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
    let mut all = ["bind", "get"].map(|verb| named(verb, RBAC, "clusterroles", TENANT_ROLE)).to_vec();
    for name in [GUARD, "domicile-tenant-guard"] {
        let policies = ["validatingadmissionpolicies", "validatingadmissionpolicybindings"];
        all.extend(policies.map(|resource| named("get", ADMISSION, resource, name)));
    }
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

/// What would let whoever steals the hub's credential do harm. What was granted is compared with the files as well;
/// but not every cluster can list all that it grants.
fn must_not() -> Vec<Access> {
    let mut all = vec![
        named("bind", RBAC, "clusterroles", "cluster-admin"),
        named("escalate", RBAC, "clusterroles", TENANT_ROLE),
        named("patch", RBAC, "clusterroles", TENANT_ROLE),
        to("create", RBAC, "clusterrolebindings"),
        to("create", ADMISSION, "validatingadmissionpolicybindings"),
        named("patch", ADMISSION, "validatingadmissionpolicies", GUARD),
        named("delete", ADMISSION, "validatingadmissionpolicybindings", GUARD),
        named("delete", "", "namespaces", "kube-system"),
        to("patch", ADMISSION, "mutatingwebhookconfigurations"),
        Access { subresource: "proxy", ..to("get", "", "nodes") },
        Access { subresource: "proxy", ..to("create", "", "nodes") },
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
            to("delete", "", "pods"),
            to("delete", "", "persistentvolumeclaims"),
            to("patch", "apps", "deployments"),
            to("patch", "apps", "daemonsets"),
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

pub(super) async fn access(hub: &Cluster) -> Result<Vec<String>, ClusterError> {
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

pub(super) async fn is_allowed(hub: &Cluster, access: &Access) -> Result<bool, ClusterError> {
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_must_and_must_not_be_never_meet() {
        let all: Vec<_> = must().iter().chain(&must_not()).map(ToString::to_string).collect();
        let distinct: BTreeSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), all.len());
        assert!(all.contains(&"create deployments.apps in kube-system".to_owned()), "{all:?}");
    }
}
