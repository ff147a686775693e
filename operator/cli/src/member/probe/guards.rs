//! Whether the policies and the tenants' role are those of the files, and whether they are in force.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use domicile_crds::{TenantName, keys};
use k8s_openapi::api::core::v1::Namespace;
use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, PostParams};
use serde_json::{Value, from_value, json};
use tokio::time::{Instant, sleep};

use super::granted::{Grant, of_role};
use crate::cluster::{Cluster, ClusterError};
use crate::member::{Impersonation, NOBODY, TENANT_ROLE, manifests};

/// API servers learn of new policies by a watch.
const GUARD_WITHIN: Duration = Duration::from_secs(15);
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// What a guard's refusals begin with.
pub(super) const GUARD: &str = "domicile-hub-guard";

/// What isn't as the files have it.
pub(super) async fn stored(hub: &Cluster) -> Result<Vec<String>, ClusterError> {
    let mut wrong = Vec::new();
    for wanted in manifests(Impersonation::Constrained) {
        let text = |path: &str| wanted.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let (kind, name) = (text("/kind"), text("/metadata/name"));
        if !kind.starts_with("ValidatingAdmissionPolicy") && name != TENANT_ROLE {
            continue;
        }
        let again = "apply the files again (repeat join, or send its owner those of --print-member)";
        match hub.read(&wanted).await {
            Ok(Some(found)) if is_as_wanted(&wanted, &found) => {}
            Ok(Some(_)) => wrong.push(format!("{kind} {name} isn't that of the files: {again}")),
            Ok(None) => wrong.push(format!("{kind} {name} is missing: {again}")),
            // That it may not look is told elsewhere.
            Err(error) if error.code() == Some(403) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(wrong)
}

fn is_as_wanted(wanted: &Value, found: &Value) -> bool {
    if wanted.get("kind").is_some_and(|kind| kind == "ClusterRole") {
        let grants = |role: &Value| of_role(role).into_iter().collect::<BTreeSet<Grant>>();
        return grants(wanted) == grants(found);
    }
    let spec = |object: &Value| object.get("spec").cloned().unwrap_or_default();
    same(&spec(wanted), &spec(found))
}

fn same(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|found| same(value, found)))
                && found.iter().all(|(key, value)| wanted.contains_key(key) || is_default(key, value))
        }
        (Value::Array(wanted), Value::Array(found)) => {
            wanted.len() == found.len() && wanted.iter().zip(found).all(|(wanted, found)| same(wanted, found))
        }
        _ => wanted == found,
    }
}

/// Whether the server adds that to a policy or binding by itself.
fn is_default(key: &str, value: &Value) -> bool {
    match key {
        "matchPolicy" => value == "Equivalent",
        "scope" => value == "*",
        "namespaceSelector" | "objectSelector" => value.as_object().is_some_and(serde_json::Map::is_empty),
        _ => false,
    }
}

/// Tries, as a dry run, what the hub's guard must refuse and what it must let pass.
pub(super) async fn in_force(hub: &Cluster, admitted: Option<&TenantName>) -> Vec<String> {
    const NAME: &str = "join-probe-of-domicile";
    let namespaces = Api::<Namespace>::all(hub.client.clone());
    let bindings = Api::<RoleBinding>::namespaced(hub.client.clone(), "kube-system");
    let namespace = |labels: Value| json!({"metadata": {"name": NAME, "labels": labels}});
    let of = |tenant: &str| {
        namespace(json!({keys::TENANT_LABEL: tenant, "pod-security.kubernetes.io/enforce": "baseline"}))
    };
    let rbac = "rbac.authorization.k8s.io";
    let binding = json!({
        "metadata": {"name": "domicile-join-probe"},
        "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": TENANT_ROLE},
        "subjects": [{"apiGroup": rbac, "kind": "User", "name": NOBODY}],
    });
    let (plain, strangers) = (namespace(json!({})), of(&format!("{NAME}-{}", std::process::id())));
    let (plain, bound, strangers) = tokio::join!(
        in_time(&namespaces, &plain, is_refusal),
        in_time(&bindings, &binding, is_refusal),
        in_time(&namespaces, &strangers, is_refusal),
    );
    let unguarded = [
        (plain, "create a namespace without a tenant"),
        (bound, "give a tenant rights in kube-system"),
        (strangers, "create a namespace of a tenant that isn't admitted"),
    ];
    let mut wrong: Vec<_> = unguarded
        .into_iter()
        .filter(|(held, _)| !held)
        .map(|(_, what)| {
            format!("it isn't held to tenants' namespaces: policy {GUARD} isn't in force (it can {what})")
        })
        .collect();
    let Some(tenant) = admitted else { return wrong };
    let own = of(tenant.as_str());
    if !in_time(&namespaces, &own, Result::is_ok).await {
        let said = dry_run(&namespaces, &own).await.err().unwrap_or_default();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_the_files_or_not() {
        let policies = manifests(Impersonation::Constrained);
        let policies = policies.iter().filter(|object| object["kind"] == "ValidatingAdmissionPolicy");
        for wanted in policies {
            let mut found = wanted.clone();
            found["spec"]["matchConstraints"]["matchPolicy"] = json!("Equivalent");
            found["spec"]["matchConstraints"]["namespaceSelector"] = json!({});
            found["metadata"]["uid"] = json!("x");
            assert!(is_as_wanted(wanted, &found));
            let mut changes = vec![found.clone(); 5];
            changes[0]["spec"]["failurePolicy"] = json!("Ignore");
            changes[1]["spec"]["validations"].as_array_mut().unwrap().pop();
            changes[2]["spec"]["matchConstraints"]["excludeResourceRules"] = json!([{}]);
            changes[3]["spec"]["matchConstraints"]["namespaceSelector"] = json!({"matchLabels": {"a": "b"}});
            changes[4]["spec"]["matchConditions"][0]["expression"] = json!("false");
            for changed in changes {
                assert!(!is_as_wanted(wanted, &changed), "{changed}");
            }
        }
    }

    #[test]
    fn the_tenants_role_is_the_files_or_not() {
        let all = manifests(Impersonation::Legacy);
        let wanted = all.iter().find(|object| object["metadata"]["name"] == TENANT_ROLE).unwrap();
        let mut found = wanted.clone();
        found["rules"].as_array_mut().unwrap().reverse();
        assert!(is_as_wanted(wanted, &found));
        found["rules"][0]["verbs"].as_array_mut().unwrap().push(json!("escalate"));
        assert!(!is_as_wanted(wanted, &found));
    }
}
