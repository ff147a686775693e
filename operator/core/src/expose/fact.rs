//! Which Services a workload exposes, and what its manifests say of them.

use std::sync::Arc;

use domicile_crds::TenantWorkloadSpec;
use serde_json::Value;

use crate::manifests::{Kind, ObjectRef};

/// A Service that a workload exposes, by one or several ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExposeFact {
    /// Its name, the same in the manifests, on members and on the hub.
    pub service: Arc<str>,
    /// The host names under which clients look for it.
    pub hostnames: Vec<String>,
    /// Its ports that are exposed.
    pub ports: Vec<ExposedPort>,
    /// What makes the pods that it leads to. Empty if nothing in the manifests does.
    pub backers: Vec<ObjectRef>,
    /// What makes other pods.
    pub others: Vec<ObjectRef>,
    /// Why it can't be exposed.
    pub fault: Option<ExposeFault>,
}

/// A port of a Service, as clients know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ExposedPort {
    /// Its number.
    pub number: i32,
    /// Its name, if it has one.
    pub name: Option<String>,
    /// TCP, UDP or SCTP.
    pub protocol: String,
    /// What is spoken over it, if that is said.
    pub app_protocol: Option<String>,
}

/// Why an entry of `spec.expose` can't be exposed, and what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExposeFault {
    /// There is no such Service.
    #[error(
        "spec.expose[{index}] names Service/{service}, which isn't in spec.manifests: add it there, or remove the entry"
    )]
    NoService {
        /// Which entry.
        index: usize,
        /// What it names.
        service: String,
    },
    /// The Service has no such port.
    #[error(
        "spec.expose[{index}] names port {port}, which Service/{service} in spec.manifests doesn't have: name one that it has"
    )]
    NoPort {
        /// Which entry.
        index: usize,
        /// Of which Service.
        service: String,
        /// What it names.
        port: i32,
    },
}

impl ExposeFact {
    /// What a workload exposes, in the order of its first mention.
    #[must_use]
    pub fn read(spec: &TenantWorkloadSpec) -> Arc<[Self]> {
        let mut facts: Vec<Self> = Vec::new();
        for (index, entry) in spec.expose.iter().enumerate() {
            let manifest = spec.manifests.iter().find(|one| is_service(one, &entry.service));
            let at = facts.iter().position(|fact| *fact.service == *entry.service).unwrap_or(facts.len());
            if at == facts.len() {
                let (backers, others) = manifest.map(|it| backers(it, &spec.manifests)).unwrap_or_default();
                facts.push(Self {
                    service: entry.service.as_str().into(),
                    hostnames: Vec::new(),
                    ports: Vec::new(),
                    backers,
                    others,
                    fault: None,
                });
            }
            let Some(fact) = facts.get_mut(at) else { continue };
            let service = entry.service.clone();
            match manifest.map(|it| port(it, entry.port)) {
                None => fact.fault = fact.fault.take().or(Some(ExposeFault::NoService { index, service })),
                Some(None) => {
                    let fault = ExposeFault::NoPort { index, service, port: entry.port };
                    fact.fault = fact.fault.take().or(Some(fault));
                }
                Some(Some(port)) if !fact.ports.contains(&port) => fact.ports.push(port),
                Some(Some(_)) => {}
            }
            fact.hostnames.extend(entry.hostname.clone().filter(|name| !fact.hostnames.contains(name)));
        }
        facts.into()
    }

    /// Its port of this number.
    #[must_use]
    pub fn port(&self, number: i32) -> Option<&ExposedPort> {
        self.ports.iter().find(|port| port.number == number)
    }
}

fn text<'a>(manifest: &'a Value, path: &str) -> Option<&'a str> {
    manifest.pointer(path).and_then(Value::as_str)
}

fn is_service(manifest: &Value, name: &str) -> bool {
    text(manifest, "/apiVersion") == Some("v1")
        && text(manifest, "/kind") == Some("Service")
        && text(manifest, "/metadata/name") == Some(name)
}

fn port(manifest: &Value, number: i32) -> Option<ExposedPort> {
    let ports = manifest.pointer("/spec/ports").and_then(Value::as_array)?;
    let port = ports.iter().find(|port| port.get("port") == Some(&number.into()))?;
    Some(ExposedPort {
        number,
        name: text(port, "/name").map(str::to_owned),
        protocol: text(port, "/protocol").unwrap_or("TCP").to_owned(),
        app_protocol: text(port, "/appProtocol").map(str::to_owned),
    })
}

/// The Deployments and StatefulSets whose pods a Service selects, and all others.
fn backers(service: &Value, manifests: &[Value]) -> (Vec<ObjectRef>, Vec<ObjectRef>) {
    let Some(selector) = service.pointer("/spec/selector").and_then(Value::as_object) else {
        return (Vec::new(), Vec::new());
    };
    let leads_to = |manifest: &&Value| {
        let labels = manifest.pointer("/spec/template/metadata/labels");
        !selector.is_empty()
            && selector.iter().all(|(key, value)| labels.and_then(|all| all.get(key)) == Some(value))
    };
    let backer = |manifest: &Value| {
        let kind = text(manifest, "/kind").filter(|kind| ["Deployment", "StatefulSet"].contains(kind))?;
        let kind = Kind::of(text(manifest, "/apiVersion")?, kind)?;
        Some(ObjectRef { kind, name: text(manifest, "/metadata/name")?.into() })
    };
    let (behind, others): (Vec<&Value>, Vec<&Value>) = manifests.iter().partition(leads_to);
    let refs = |manifests: Vec<&Value>| manifests.into_iter().filter_map(backer).collect();
    (refs(behind), refs(others))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(expose: &Value, manifests: &Value) -> Vec<ExposeFact> {
        let spec = json!({"manifests": manifests, "expose": expose});
        let spec: TenantWorkloadSpec = serde_json::from_value(spec).unwrap();
        ExposeFact::read(&spec).to_vec()
    }

    fn web() -> Value {
        let app = |name: &str, app: &str| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"template": {"metadata": {"labels": {"app": app, "more": "x"}}}}})
        };
        let ports = json!([{"port": 80, "name": "http", "appProtocol": "http"}, {"port": 53, "name": "dns", "protocol": "UDP"}]);
        json!([app("web", "web"), app("web-next", "web"), app("worker", "worker"),
               {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}, "ports": ports}},
               {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "bare"}, "spec": {"ports": [{"port": 80}]}}])
    }

    #[test]
    fn a_service_is_exposed_once_by_all_its_ports_as_its_manifest_names_them() {
        let facts = read(
            &json!([{"service": "web", "port": 80, "hostname": "a.example"}, {"service": "bare", "port": 80},
                    {"service": "web", "port": 53, "hostname": "b.example"}, {"service": "web", "port": 80, "hostname": "a.example"}]),
            &web(),
        );
        let told = facts.iter().map(|fact| {
            let ports: Vec<_> = fact
                .ports
                .iter()
                .map(|p| format!("{}/{} {:?} {:?}", p.number, p.protocol, p.name, p.app_protocol))
                .collect();
            let backers: Vec<_> = fact.backers.iter().map(|it| it.name.to_string()).collect();
            (fact.service.to_string(), ports, backers, fact.hostnames.clone(), fact.fault.clone())
        });
        let strings = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                (
                    "web".to_owned(),
                    strings(&[r#"80/TCP Some("http") Some("http")"#, r#"53/UDP Some("dns") None"#]),
                    strings(&["web", "web-next"]),
                    strings(&["a.example", "b.example"]),
                    None
                ),
                ("bare".to_owned(), strings(&["80/TCP None None"]), vec![], vec![], None),
            ]
        );
    }

    #[test]
    fn what_the_manifests_lack_is_named_with_its_entry() {
        let facts = read(
            &json!([{"service": "web", "port": 80}, {"service": "web", "port": 81}, {"service": "api", "port": 80}]),
            &web(),
        );
        let faults: Vec<_> = facts
            .iter()
            .map(|fact| fact.fault.as_ref().map(ToString::to_string).unwrap_or_default())
            .collect();
        assert_eq!(
            faults,
            [
                "spec.expose[1] names port 81, which Service/web in spec.manifests doesn't have: name one that it has",
                "spec.expose[2] names Service/api, which isn't in spec.manifests: add it there, or remove the entry",
            ]
        );
    }
}
