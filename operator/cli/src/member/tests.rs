//! The files, read as a reviewer would: what is granted, and what must not be.

use std::collections::BTreeSet;

use domicile_crds::ALLOWED_KINDS;

use super::*;

const WRITES: [&str; 5] = ["create", "update", "patch", "delete", "deletecollection"];
const ON: &str = "impersonate-on:user-info:";

fn tenant() -> TenantName {
    TenantName::new("acme").unwrap()
}

fn everything(impersonation: Impersonation) -> Vec<Value> {
    let mut all = manifests(impersonation);
    all.extend(admission(&tenant(), impersonation));
    all.push(token());
    all
}

fn role(objects: &[Value], name: &str) -> Value {
    let found = objects.iter().find(|o| o["kind"] == "ClusterRole" && o["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("there is no ClusterRole {name}")).clone()
}

/// Each (group, resource, verb, resourceNames) that a role grants.
fn grants(role: &Value) -> BTreeSet<(String, String, String, Vec<String>)> {
    let strings = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(|s| s.as_str().unwrap().to_owned()).collect()
    };
    let mut all = BTreeSet::new();
    for rule in role["rules"].as_array().unwrap() {
        for group in strings(&rule["apiGroups"]) {
            for resource in strings(&rule["resources"]) {
                for verb in strings(&rule["verbs"]) {
                    all.insert((group.clone(), resource.clone(), verb, strings(&rule["resourceNames"])));
                }
            }
        }
    }
    all
}

#[test]
fn no_role_has_a_wildcard_and_none_reaches_outside_resources() {
    for impersonation in [Impersonation::Constrained, Impersonation::Legacy] {
        for object in everything(impersonation).iter().filter(|o| o["kind"] == "ClusterRole") {
            for (group, resource, verb, names) in grants(object) {
                let all = [group, resource, verb, names.join(" ")].join(" ");
                assert!(!all.contains('*'), "{}: {all}", object["metadata"]["name"]);
            }
            assert!(object["rules"].as_array().unwrap().iter().all(|r| r.get("nonResourceURLs").is_none()));
        }
    }
}

#[test]
fn the_hub_writes_no_workload_and_sees_no_secret() {
    let hub = grants(&role(&manifests(Impersonation::Constrained), "domicile-hub"));
    let may_write = ["namespaces", "rolebindings", "resourcequotas", "networkpolicies"];
    for (_, resource, verb, names) in &hub {
        assert_ne!(resource, "secrets");
        assert!(!resource.contains('/'), "{resource} is a subresource");
        if WRITES.contains(&verb.as_str()) {
            assert!(may_write.contains(&resource.as_str()), "{verb} {resource}");
            assert!(verb == "create" || verb == "patch", "{verb} {resource}");
        } else if verb == "bind" {
            assert_eq!(
                (resource.as_str(), names.as_slice()),
                ("clusterroles", &[TENANT_ROLE.to_owned()][..])
            );
        } else {
            assert!(["get", "list", "watch"].contains(&verb.as_str()), "{verb} {resource}");
        }
    }
    for watched in ["namespaces", "pods", "nodes", "events", "persistentvolumeclaims", "rolebindings"]
        .into_iter()
        .chain(["deployments", "statefulsets", "replicasets", "jobs", "cronjobs"])
    {
        for verb in ["get", "list", "watch"] {
            assert!(hub.iter().any(|(_, r, v, _)| r == watched && v == verb), "{verb} {watched} is missing");
        }
    }
}

#[test]
fn a_tenant_may_have_the_allowed_kinds_and_secrets() {
    let tenant = grants(&role(&manifests(Impersonation::Legacy), TENANT_ROLE));
    let mut wanted = BTreeSet::new();
    let kinds =
        ALLOWED_KINDS.map(|(api, _, plural)| (api.rsplit_once('/').map_or("", |(group, _)| group), plural));
    for (group, plural) in kinds.into_iter().chain([("", "secrets")]) {
        for verb in ["get", "list", "create", "patch", "delete"] {
            wanted.insert((group.to_owned(), plural.to_owned(), verb.to_owned(), vec![]));
        }
    }
    for scaled in ["deployments/scale", "statefulsets/scale"] {
        for verb in ["get", "patch", "update"] {
            wanted.insert(("apps".to_owned(), scaled.to_owned(), verb.to_owned(), vec![]));
        }
    }
    assert_eq!(tenant, wanted);
}

#[test]
fn acting_is_exactly_what_the_tenant_may() {
    let all = manifests(Impersonation::Constrained);
    let tenant = grants(&role(&all, TENANT_ROLE));
    let acting = grants(&role(&all, "domicile-acting"));
    let as_tenant = acting.into_iter().map(|(group, resource, verb, names)| {
        (group, resource, verb.strip_prefix(ON).expect("only impersonate-on verbs").to_owned(), names)
    });
    assert_eq!(as_tenant.collect::<BTreeSet<_>>(), tenant);
}

#[test]
fn a_member_has_one_kind_of_impersonation_and_only_of_the_admitted() {
    let groups = [
        (Impersonation::Constrained, "authentication.k8s.io", "impersonate:user-info"),
        (Impersonation::Legacy, "", "impersonate"),
    ];
    for (impersonation, group, verb) in groups {
        let base = manifests(impersonation);
        for object in base.iter().filter(|o| o["kind"] == "ClusterRole") {
            for (_, resource, verb, _) in grants(object) {
                let acting = impersonation == Impersonation::Constrained && verb.starts_with(ON);
                assert!(acting || !verb.contains("impersonate"), "nobody is admitted: {verb} {resource}");
            }
        }
        let admitted = grants(&role(&admission(&tenant(), impersonation), "domicile-admitted-acme"));
        let one = |resource: &str, name: &str| {
            (group.to_owned(), resource.to_owned(), verb.to_owned(), vec![name.to_owned()])
        };
        assert_eq!(
            admitted,
            BTreeSet::from([
                one("users", "domicile:tenant:acme"),
                one("groups", domicile_crds::keys::TENANTS_GROUP)
            ])
        );
    }
}

#[test]
fn only_the_hub_is_bound_and_everything_is_labelled() {
    for impersonation in [Impersonation::Constrained, Impersonation::Legacy] {
        for object in everything(impersonation) {
            let name = &object["metadata"]["name"];
            assert_eq!(object["metadata"]["labels"]["app.kubernetes.io/part-of"], "domicile", "{name}");
            assert_ne!(object["kind"], "RoleBinding", "{name}");
            if object["kind"] == "ClusterRoleBinding" {
                let hub = serde_json::json!([{"kind": "ServiceAccount", "name": SERVICE_ACCOUNT, "namespace": NAMESPACE}]);
                assert_eq!(object["subjects"], hub, "{name}");
                assert_eq!(&object["roleRef"]["name"], name);
            }
            if object["kind"] == "ValidatingAdmissionPolicy" {
                assert_eq!(object["spec"]["failurePolicy"], "Fail", "{name}");
            }
            if object["kind"] == "ValidatingAdmissionPolicyBinding" {
                assert_eq!(object["spec"]["validationActions"], serde_json::json!(["Deny"]), "{name}");
            }
        }
    }
}
