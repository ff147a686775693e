//! Props for a stage: objects that scenarios apply, as short as a reader needs them.

use serde_json::{Value, json};

const API: &str = "domicile.dev/v1alpha1";

/// Several objects as one, for `kubectl apply`.
#[must_use]
pub fn list(items: &[Value]) -> String {
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// `base` with the fields of `more`, object by object; `null` removes.
#[must_use]
pub fn with(mut base: Value, more: Value) -> Value {
    merge(&mut base, more);
    base
}

fn merge(base: &mut Value, more: Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                if value.is_null() {
                    base.remove(&key);
                } else {
                    merge(base.entry(key).or_insert(Value::Null), value);
                }
            }
        }
        (base, more) => *base = more,
    }
}

fn domicile(kind: &str, name: &str, spec: &Value) -> Value {
    json!({"apiVersion": API, "kind": kind, "metadata": {"name": name}, "spec": spec})
}

/// A provider.
#[must_use]
pub fn provider(name: &str) -> Value {
    domicile("HostingProvider", name, &json!({"legalName": name, "registeredIn": "NL"}))
}

/// A site that is online and owned by whoever operates it.
#[must_use]
pub fn site(name: &str, provider: &str, country: &str) -> Value {
    let spec = json!({"operatedBy": provider, "ownedBy": provider, "country": country, "state": "Online"});
    domicile("Site", name, &spec)
}

/// A decision of a fleet's administrator about a subject such as `HostingProvider/alpha`, in place of those that it names.
#[must_use]
pub fn decision(name: &str, subject: &str, verdict: &str, supersedes: &[&str]) -> Value {
    let (kind, subject) = subject.split_once('/').unwrap_or_default();
    domicile(
        "Decision",
        name,
        &json!({
            "subject": {"kind": kind, "name": subject}, "decision": verdict, "basis": "Finding",
            "authority": "compliance", "decidedBy": "admin", "reason": "a scenario",
            "supersedes": supersedes,
        }),
    )
}

/// A provider with its approval `NAME-approved`, and a site of the same name as the region.
#[must_use]
pub fn place(provider_name: &str, region: &str, country: &str) -> Vec<Value> {
    let subject = format!("HostingProvider/{provider_name}");
    vec![
        provider(provider_name),
        site(region, provider_name, country),
        decision(&format!("{provider_name}-approved"), &subject, "Approved", &[]),
    ]
}

/// A tenant with one namespace of its name, at home in the EU, that moves without asking.
#[must_use]
pub fn tenant(name: &str) -> Value {
    domicile(
        "Tenant",
        name,
        &json!({
            "namespaces": [name], "residency": {"allowed": [{"countrySet": "eu"}]},
            "migration": {"mode": "Automatic"},
        }),
    )
}

/// A workload in a namespace, without draining. What is in `more` goes into its spec.
#[must_use]
pub fn workload(namespace: &str, name: &str, manifests: &[Value], more: Value) -> Value {
    let mut spec = json!({"drainSeconds": 0, "manifests": manifests});
    merge(&mut spec, more);
    json!({
        "apiVersion": API, "kind": "TenantWorkload", "metadata": {"namespace": namespace, "name": name},
        "spec": spec,
    })
}

/// A Deployment of one replica; its pods' image tells its version.
#[must_use]
pub fn deployment(name: &str, version: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": 1, "selector": {"matchLabels": {"app": name}},
            "template": pod_template(name, version),
        },
    })
}

/// A StatefulSet that doesn't say how many replicas it has, with a claim `data-NAME-0` for the first.
#[must_use]
pub fn stateful_set(name: &str) -> Value {
    let storage = json!({"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}});
    json!({
        "apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": name},
        "spec": {
            "serviceName": name, "selector": {"matchLabels": {"app": name}}, "template": pod_template(name, "1"),
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": storage}],
        },
    })
}

/// Pods with one container, labelled `app=NAME`.
#[must_use]
pub fn pod_template(name: &str, version: &str) -> Value {
    json!({
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [{"name": "main", "image": format!("example.invalid/{name}:{version}")}]},
    })
}

/// A ConfigMap with one key.
#[must_use]
pub fn config_map(name: &str, value: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"value": value}})
}

/// A Service for the pods of the Deployment with its name.
#[must_use]
pub fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
    })
}

/// A claim for a gibibyte.
#[must_use]
pub fn claim(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    })
}

/// A Job.
#[must_use]
pub fn job(name: &str) -> Value {
    let mut template = pod_template(name, "1");
    merge(&mut template, json!({"spec": {"restartPolicy": "Never"}}));
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {"template": template}})
}

/// A CronJob of every minute, the shortest that there is.
#[must_use]
pub fn cron_job(name: &str) -> Value {
    let job = job(name);
    json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": name},
        "spec": {"schedule": "* * * * *", "jobTemplate": {"spec": job.get("spec")}},
    })
}
