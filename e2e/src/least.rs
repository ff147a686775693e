//! Least privilege, as rules on RBAC objects: what the operator's may never grant, whatever else changes in them.

use serde_json::Value;

/// The ClusterRole by which the operator reads Secrets in tenants' namespaces: it is bound in each of them, and nowhere else.
const SECRET_READER: &str = "domicile:secret-reader";

/// What makes pods, or is a way to somebody else's rights: none of it is the operator's, with whatever verb.
const NEVER: [&str; 14] = [
    "certificatesigningrequests",
    "clusterrolebindings",
    "cronjobs",
    "daemonsets",
    "deployments",
    "jobs",
    "nodes",
    "pods",
    "replicasets",
    "replicationcontrollers",
    "roles",
    "serviceaccounts",
    "statefulsets",
    "validatingadmissionpolicies",
];

/// What RBAC objects grant beyond what an operator may ever have.
#[must_use]
pub fn excesses(objects: &[Value]) -> Vec<String> {
    objects.iter().flat_map(excesses_of).collect()
}

fn excesses_of(object: &Value) -> Vec<String> {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let (kind, name) = (text("/kind"), text("/metadata/name"));
    let mut found = Vec::new();
    match kind {
        "ClusterRoleBinding" if text("/roleRef/name") != "domicile:operator" => {
            found.push(format!("{} is bound in the whole cluster", text("/roleRef/name")));
        }
        "Role" | "ClusterRole" => {
            if !object["aggregationRule"].is_null() {
                found.push("it takes in other roles".to_owned());
            }
            for rule in object["rules"].as_array().into_iter().flatten() {
                found.extend(excesses_of_rule(kind, name, rule));
            }
        }
        _ => {}
    }
    found.into_iter().map(|what| format!("{kind} {name}: {what}")).collect()
}

fn excesses_of_rule(kind: &str, name: &str, rule: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if !rule["nonResourceURLs"].is_null() {
        found.push("paths that aren't resources".to_owned());
    }
    let names = list(rule, "resourceNames");
    let are_ours = !names.is_empty() && names.iter().all(|name| name.starts_with("domicile:"));
    for group in list(rule, "apiGroups") {
        for resource in list(rule, "resources") {
            for verb in list(rule, "verbs") {
                let right = format!("{verb} {group}/{resource}");
                let first = resource.split('/').next().unwrap_or_default();
                let may_be_granted = match (first, verb) {
                    _ if [group, resource, verb].contains(&"*") || names.contains(&"*") => false,
                    (_, "escalate") => false,
                    (_, verb) if verb.starts_with("impersonate") => false,
                    ("clusterroles", "bind") | ("rolebindings", _) => are_ours,
                    // A Role is of one namespace.
                    ("secrets", "get") => kind == "Role" || name == SECRET_READER,
                    // By not having `update` of them, the operator is known to the policies domicile-exposed-*.
                    (_, "bind")
                    | ("secrets" | "clusterroles", _)
                    | ("services" | "endpointslices", "update") => false,
                    (resource, _) => !NEVER.contains(&resource),
                };
                if !may_be_granted {
                    found.push(right);
                }
            }
        }
    }
    found
}

fn list<'a>(rule: &'a Value, key: &str) -> Vec<&'a str> {
    rule[key].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: &str, rule: &Value) -> Vec<String> {
        excesses(&[json!({"kind": kind, "metadata": {"name": "domicile:operator"}, "rules": [rule]})])
    }

    fn rule(group: &str, resource: &str, verb: &str) -> Value {
        json!({"apiGroups": [group], "resources": [resource], "verbs": [verb]})
    }

    #[test]
    fn every_excess_is_found() {
        for (group, resource, verb) in [
            ("*", "sites", "get"),
            ("", "*", "get"),
            ("", "events", "*"),
            ("", "secrets", "get"),
            ("", "secrets", "list"),
            ("", "pods", "create"),
            ("", "pods/exec", "create"),
            ("apps", "deployments", "create"),
            ("", "serviceaccounts/token", "create"),
            ("", "users", "impersonate"),
            ("authentication.k8s.io", "users", "impersonate:user-info"),
            ("rbac.authorization.k8s.io", "clusterroles", "bind"),
            ("rbac.authorization.k8s.io", "clusterroles", "escalate"),
            ("rbac.authorization.k8s.io", "clusterroles", "update"),
            ("rbac.authorization.k8s.io", "rolebindings", "create"),
            ("rbac.authorization.k8s.io", "clusterrolebindings", "create"),
            ("", "services", "update"),
            ("discovery.k8s.io", "endpointslices", "update"),
        ] {
            let excess = of("ClusterRole", &rule(group, resource, verb));
            assert_eq!(excess, [format!("ClusterRole domicile:operator: {verb} {group}/{resource}")]);
        }
        assert_eq!(of("ClusterRole", &json!({"nonResourceURLs": ["/metrics"], "verbs": ["get"]})).len(), 1);
        let bound = json!({"kind": "ClusterRoleBinding", "metadata": {"name": "a"}, "roleRef": {"name": SECRET_READER}});
        assert_eq!(excesses(&[bound]).len(), 1);
        let mut named = rule("rbac.authorization.k8s.io", "clusterroles", "bind");
        named["resourceNames"] = json!(["domicile:tenant", "cluster-admin"]);
        assert_eq!(of("ClusterRole", &named).len(), 1);
    }

    #[test]
    fn what_is_needed_is_none() {
        assert!(of("Role", &rule("", "secrets", "get")).is_empty());
        let mut named = rule("rbac.authorization.k8s.io", "clusterroles", "bind");
        named["resourceNames"] = json!(["domicile:tenant"]);
        assert!(of("ClusterRole", &named).is_empty());
        assert!(of("ClusterRole", &rule("domicile.dev", "tenants/status", "patch")).is_empty());
    }
}
