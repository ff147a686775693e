//! What the credential was granted, against what the files grant.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::keys;
use k8s_openapi::api::authorization::v1::{
    ResourceRule, SelfSubjectRulesReview, SelfSubjectRulesReviewSpec, SubjectRulesReviewStatus,
};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::{RoleBinding, Subject};
use kube::ResourceExt;
use kube::api::{Api, PostParams};
use serde_json::Value;

use crate::cluster::{Cluster, ClusterError};
use crate::member::{HUB_USER, Impersonation, NAMESPACE, SERVICE_ACCOUNT, TENANT_ROLE, manifests};

/// What Kubernetes itself lets every account do, as (group, resource, verb).
const EVERYBODYS: [(&str, &str, &str); 6] = [
    ("authentication.k8s.io", "selfsubjectreviews", "create"),
    ("authorization.k8s.io", "selfsubjectaccessreviews", "create"),
    ("authorization.k8s.io", "selfsubjectrulesreviews", "create"),
    ("certificates.k8s.io", "clustertrustbundles", "get"),
    ("certificates.k8s.io", "clustertrustbundles", "list"),
    ("certificates.k8s.io", "clustertrustbundles", "watch"),
];
/// Groups that the hub's account is in.
const GROUPS: [&str; 3] =
    ["system:authenticated", "system:serviceaccounts", "system:serviceaccounts:domicile-system"];

/// One verb on one resource; without a name, on every object of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Grant {
    group: String,
    resource: String,
    name: String,
    verb: String,
}

/// What the member says that the credential may do in every namespace.
pub(super) async fn rules(hub: &Cluster) -> Result<SubjectRulesReviewStatus, ClusterError> {
    let review = SelfSubjectRulesReview {
        spec: SelfSubjectRulesReviewSpec { namespace: Some("default".to_owned()) },
        ..SelfSubjectRulesReview::default()
    };
    let api = Api::<SelfSubjectRulesReview>::all(hub.client.clone());
    let answer = api.create(&PostParams::default(), &review).await;
    let answer = answer.map_err(hub.failed("ask for the credential's rules"))?;
    Ok(answer.status.unwrap_or_default())
}

/// Everything that no file grants. As whom the hub may act is judged elsewhere.
pub(super) fn beyond(granted: &[ResourceRule]) -> Vec<String> {
    let files = manifests(Impersonation::Constrained);
    let roles = files.iter().filter(|object| {
        let is = |path: &str, wanted: &str| object.pointer(path).is_some_and(|found| found == wanted);
        is("/kind", "ClusterRole") && !is("/metadata/name", TENANT_ROLE)
    });
    let mut wanted: BTreeSet<Grant> = roles.flat_map(of_role).collect();
    wanted.extend(EVERYBODYS.map(|(group, resource, verb)| Grant {
        group: group.to_owned(),
        resource: resource.to_owned(),
        name: String::new(),
        verb: verb.to_owned(),
    }));
    let mut more: BTreeMap<(String, String, String), Vec<String>> = BTreeMap::new();
    for grant in granted.iter().flat_map(of_rule).collect::<BTreeSet<_>>() {
        let whole = Grant { name: String::new(), ..grant.clone() };
        if !wanted.contains(&grant) && !wanted.contains(&whole) && !is_to_act(&grant) {
            more.entry((grant.resource, grant.group, grant.name)).or_default().push(grant.verb);
        }
    }
    let told = |((resource, group, name), verbs): ((String, String, String), Vec<String>)| {
        let group = if group.is_empty() { group } else { format!(".{group}") };
        let name = if name.is_empty() { name } else { format!(" {name}") };
        format!("it can {} {resource}{group}{name}, which no file grants", verbs.join("/"))
    };
    more.into_iter().map(told).collect()
}

fn is_to_act(grant: &Grant) -> bool {
    ["users", "groups"].contains(&grant.resource.as_str())
        && ["impersonate", "impersonate:user-info"].contains(&grant.verb.as_str())
}

fn of_rule(rule: &ResourceRule) -> Vec<Grant> {
    let all = [String::new()];
    let names = rule.resource_names.as_deref().filter(|names| !names.is_empty()).unwrap_or(&all);
    let groups = rule.api_groups.as_deref().unwrap_or(&all);
    let resources = rule.resources.as_deref().unwrap_or_default();
    let mut grants = Vec::new();
    for (group, resource) in groups.iter().flat_map(|g| resources.iter().map(move |r| (g, r))) {
        for (name, verb) in names.iter().flat_map(|n| rule.verbs.iter().map(move |v| (n, v))) {
            let (group, resource) = (group.clone(), resource.clone());
            grants.push(Grant { group, resource, name: name.clone(), verb: verb.clone() });
        }
    }
    grants
}

/// What a ClusterRole grants.
pub(super) fn of_role(role: &Value) -> Vec<Grant> {
    let strings = |rule: &Value, field: &str| -> Option<Vec<String>> {
        let texts = rule.get(field)?.as_array()?.iter();
        Some(texts.filter_map(Value::as_str).map(str::to_owned).collect())
    };
    let rules = role.get("rules").and_then(Value::as_array).into_iter().flatten();
    let rules = rules.map(|rule| ResourceRule {
        api_groups: strings(rule, "apiGroups"),
        resources: strings(rule, "resources"),
        resource_names: strings(rule, "resourceNames"),
        verbs: strings(rule, "verbs").unwrap_or_default(),
    });
    rules.flat_map(|rule| of_rule(&rule)).collect()
}

/// RoleBindings that give the account anything, or tenants anything outside of their own namespaces.
pub(super) async fn bindings(hub: &Cluster) -> Result<Vec<String>, ClusterError> {
    let of_tenant = |namespace: Namespace| {
        let tenant = namespace.labels().get(keys::TENANT_LABEL).cloned().unwrap_or_default();
        (namespace.name_any(), tenant)
    };
    let owners: BTreeMap<_, _> =
        hub.collect(Api::all(hub.client.clone()), of_tenant).await?.into_iter().collect();
    let judged = hub.collect(Api::all(hub.client.clone()), |binding: RoleBinding| {
        let namespace = binding.namespace().unwrap_or_default();
        judge(&binding, owners.get(&namespace).map_or("", String::as_str))
    });
    Ok(judged.await?.into_iter().flatten().collect())
}

/// What is wrong with a RoleBinding in a namespace of `tenant`, which is nobody if it is empty.
fn judge(binding: &RoleBinding, tenant: &str) -> Option<String> {
    let whom = binding.subjects.iter().flatten().find_map(|subject| whom(subject, tenant))?;
    let place = format!("{}/{}", binding.namespace().unwrap_or_default(), binding.name_any());
    let role = &binding.role_ref;
    Some(format!("RoleBinding {place} gives {whom} {} {}, which no file does", role.kind, role.name))
}

fn whom(subject: &Subject, tenant: &str) -> Option<String> {
    let Subject { kind, name, namespace, .. } = subject;
    let is_account = kind == "ServiceAccount"
        && name == SERVICE_ACCOUNT
        && namespace.as_deref().is_some_and(|namespace| namespace == NAMESPACE);
    let is_ours = kind == "User" && name == HUB_USER || kind == "Group" && GROUPS.contains(&name.as_str());
    if is_account || is_ours {
        return Some("it".to_owned());
    }
    let own = !tenant.is_empty() && name.strip_prefix("domicile:tenant:") == Some(tenant);
    match kind.as_str() {
        "User" if name.starts_with("domicile:tenant:") && !own => {
            Some(format!("{name}, whose namespace it isn't,"))
        }
        "Group" if name == keys::TENANTS_GROUP => Some("all tenants".to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use domicile_crds::TenantName;
    use serde_json::{from_value, json};

    use super::*;
    use crate::member::admission;

    fn rules_of(objects: &[Value]) -> Vec<ResourceRule> {
        let roles =
            objects.iter().filter(|o| o["kind"] == "ClusterRole" && o["metadata"]["name"] != TENANT_ROLE);
        roles.flat_map(|role| from_value::<Vec<ResourceRule>>(role["rules"].clone()).unwrap()).collect()
    }

    fn told(rule: Value) -> Vec<String> {
        beyond(&[from_value(rule).unwrap()])
    }

    #[test]
    fn what_the_files_grant_is_nothing_more() {
        for impersonation in [Impersonation::Constrained, Impersonation::Legacy] {
            let mut objects = manifests(impersonation);
            objects.extend(admission(&TenantName::new("acme").unwrap(), impersonation));
            assert_eq!(beyond(&rules_of(&objects)), Vec::<String>::new());
        }
        // Less is no more.
        let one = json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]});
        assert_eq!(told(one), Vec::<String>::new());
    }

    #[test]
    fn everything_beyond_the_files_is_named() {
        for (verbs, group, resources, names, wanted) in [
            (
                json!(["get", "create"]),
                "",
                json!(["nodes/proxy"]),
                json!([]),
                "it can create/get nodes/proxy",
            ),
            (json!(["delete"]), "", json!(["pods"]), json!(["a"]), "it can delete pods a"),
            (json!(["update"]), "apps", json!(["deployments"]), json!([]), "it can update deployments.apps"),
            (json!(["*"]), "*", json!(["*"]), json!([]), "it can * *.*"),
            (
                json!(["bind"]),
                "rbac.authorization.k8s.io",
                json!(["clusterroles"]),
                json!([]),
                "it can bind clusterroles.rbac.authorization.k8s.io",
            ),
            (json!(["get"]), "example.com", json!(["keys"]), json!([]), "it can get keys.example.com"),
            (
                json!(["impersonate"]),
                "",
                json!(["serviceaccounts"]),
                json!(["a"]),
                "it can impersonate serviceaccounts a",
            ),
            (
                json!(["impersonate-on:user-info:list"]),
                "",
                json!(["pods"]),
                json!([]),
                "it can impersonate-on:user-info:list pods",
            ),
        ] {
            let rule =
                json!({"verbs": verbs, "apiGroups": [group], "resources": resources, "resourceNames": names});
            assert_eq!(told(rule), [format!("{wanted}, which no file grants")]);
        }
    }

    #[test]
    fn bindings_are_judged_by_whom_they_reach_and_where() {
        let acme = json!({"kind": "User", "name": "domicile:tenant:acme"});
        let group = |name: &str| json!({"kind": "Group", "name": name});
        let account = |name: &str, namespace: &str| json!({"kind": "ServiceAccount", "name": name, "namespace": namespace});
        for (subject, tenant, is_wrong) in [
            (acme.clone(), "acme", false),
            (acme.clone(), "other", true),
            (acme, "", true),
            (group("domicile:tenants"), "acme", true),
            (group("system:authenticated"), "", true),
            (group("system:serviceaccounts:domicile-system"), "", true),
            (group("system:nodes"), "", false),
            (account("hub", "domicile-system"), "", true),
            (account("hub", "elsewhere"), "", false),
            (account("other", "domicile-system"), "", false),
            (json!({"kind": "User", "name": "system:serviceaccount:domicile-system:hub"}), "", true),
            (json!({"kind": "User", "name": "alice"}), "", false),
        ] {
            let binding: RoleBinding = from_value(json!({
                "metadata": {"name": "b", "namespace": "n"},
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "r"},
                "subjects": [subject],
            }))
            .unwrap();
            assert_eq!(judge(&binding, tenant).is_some(), is_wrong, "{subject} in {tenant}");
        }
    }
}
