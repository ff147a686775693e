//! The objects that the simulation plays with.

use domicile_crds::{CountrySet, Decision, HostingProvider, MemberCluster, Site, Tenant, TenantWorkload};
use serde_json::{Value, json};

pub(crate) const PROVIDERS: [&str; 3] = ["alpha", "beta", "gamma"];
pub(crate) const MEMBERS: [(&str, &str, &str, &str); 4] = [
    ("nl-1", "nl", "NL", "alpha"),
    ("de-1", "de", "DE", "beta"),
    ("de-2", "de", "DE", "beta"),
    ("ch-1", "ch", "CH", "gamma"),
];
pub(crate) const TENANTS: [&str; 2] = ["red", "blue"];
pub(crate) const MODES: [&str; 3] = ["Automatic", "Approval", "Manual"];
pub(crate) const BEGIN: &str = "2026-01-01T00:00:00Z";

fn object<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn country_set() -> CountrySet {
    let member = |country| json!({"country": country, "basis": "Membership", "source": "test"});
    object(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "CountrySet", "metadata": {"name": "eu"},
        "spec": {"members": [member("NL"), member("DE")]},
    }))
}

pub(crate) fn provider(name: &str) -> HostingProvider {
    object(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "HostingProvider", "metadata": {"name": name},
        "spec": {"legalName": name, "registeredIn": "NL"},
    }))
}

pub(crate) fn site(name: &str, country: &str, provider: &str, state: &str) -> Site {
    object(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Site", "metadata": {"name": name},
        "spec": {"operatedBy": provider, "ownedBy": provider, "country": country, "state": state},
    }))
}

pub(crate) fn member(name: &str, site: &str, scheduling: &str, ready: &str) -> MemberCluster {
    object(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "MemberCluster", "metadata": {"name": name, "generation": 1},
        "spec": {"site": site, "scheduling": scheduling, "connection": {"kubeconfigSecret": name}},
        "status": {
            "clusterId": name, "tenants": TENANTS,
            "conditions": [{
                "type": "Ready", "status": ready, "reason": "Simulated", "message": "", "lastTransitionTime": BEGIN,
            }],
        },
    }))
}

pub(crate) fn decision(
    name: &str,
    kind: &str,
    subject: &str,
    verdict: &str,
    supersedes: &[String],
) -> Decision {
    object(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Decision", "metadata": {"name": name},
        "spec": {
            "subject": {"kind": kind, "name": subject}, "decision": verdict, "basis": "Finding",
            "authority": "compliance", "decidedBy": "compliance", "reason": "simulated", "supersedes": supersedes,
        },
    }))
}

pub(crate) fn tenant(name: &str, narrow: bool, mode: &str) -> Tenant {
    let allowed =
        if narrow { json!([{"countrySet": "eu"}]) } else { json!([{"countrySet": "eu"}, {"country": "CH"}]) };
    object(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Tenant", "metadata": {"name": name},
        "spec": {
            "namespaces": [name], "residency": {"allowed": allowed},
            "preferences": [{"country": "CH"}, {"country": "NL"}],
            "migration": {"mode": mode, "maxConcurrent": 1},
        },
    }))
}

/// Five shapes: one that makes before it breaks, one that must never run twice, one on two clusters, one with data, one of
/// Jobs and nothing else.
pub(crate) fn workload(namespace: &str, name: &str, shape: usize, generation: i64) -> TenantWorkload {
    let count = if shape == 2 { 2 } else { 1 };
    let strategy = if shape == 1 { "Recreate" } else { "RollingUpdate" };
    // Owners rename things: what had the old name is there until the new one is ready.
    let deployment = if generation % 4 == 3 { format!("{name}-other") } else { name.to_owned() };
    let manifests = json!([
        {
            "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": format!("{name}-{}", generation % 2)},
            "data": {"generation": generation.to_string()},
        },
        {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": deployment},
            "spec": {
                "replicas": 1, "strategy": {"type": strategy}, "selector": {"matchLabels": {"app": name}},
                "template": {
                    "metadata": {"labels": {"app": name}},
                    "spec": {"containers": [{"name": "main", "image": format!("example.invalid/{name}:{generation}")}]},
                },
            },
        },
    ]);
    let mut manifests = match shape {
        3 => with_data(name, generation),
        4 => jobs(name, generation),
        _ => manifests,
    };
    // Owners expose things, and change their mind.
    let exposed = shape < 3 && generation % 5 != 0;
    if let Some(manifests) = manifests.as_array_mut().filter(|_| exposed) {
        manifests.push(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
        }));
    }
    let expose = if exposed { json!([{"service": name, "port": 80}]) } else { json!([]) };
    object(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload",
        "metadata": {"name": name, "namespace": namespace, "uid": format!("uid-{namespace}-{name}"), "generation": generation},
        "spec": {"manifests": manifests, "clusters": {"count": count}, "drainSeconds": 5, "expose": expose},
    }))
}

/// A StatefulSet that makes its own claims.
fn with_data(name: &str, generation: i64) -> Value {
    json!([{
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name},
        "spec": {
            "replicas": 1, "serviceName": name, "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "main", "image": format!("example.invalid/{name}:{generation}")}]},
            },
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}],
        },
    }])
}

/// Two Jobs of which only one goes by itself. They stay as they are for some generations.
fn jobs(name: &str, generation: i64) -> Value {
    let job = |name: String, ttl: Option<i32>| {
        json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name},
            "spec": {
                "ttlSecondsAfterFinished": ttl,
                "template": {"spec": {
                    "restartPolicy": "Never",
                    "containers": [{"name": "main", "image": format!("example.invalid/job:{}", generation / 3)}],
                }},
            },
        })
    };
    json!([job(format!("{name}-stays"), None), job(format!("{name}-goes"), Some(60))])
}

/// The same with something in it that no tenant may have.
pub(crate) fn unreadable(mut workload: TenantWorkload) -> TenantWorkload {
    workload.spec.manifests.push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sly"}}));
    workload
}
