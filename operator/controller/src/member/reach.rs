//! Where what a copy exposes can be reached from outside its member.

use std::{net::IpAddr, time::Duration};

use domicile_core::{
    expose::ExposeFact,
    observed::{By, Host, Reach},
};
use domicile_crds::{TenantName, WorkloadKey};
use k8s_openapi::api::core::v1::{Node, Service, ServicePort};
use kube::Api;

use super::{
    Member,
    error::{MemberError, timely},
};

/// Most nodes by whose ports something is reached: a few, so that one may fail.
const NODES_MAX: usize = 8;
/// How long it may take to look up a load balancer's name.
const LOOK_UP: Duration = Duration::from_secs(5);

impl Member {
    /// How exposed Services are reached: by their load balancer, or else by a port of each node. What has neither isn't among them.
    pub(crate) async fn reached(
        &self,
        tenant: &TenantName,
        key: &WorkloadKey,
        exposed: &[ExposeFact],
    ) -> Result<Vec<Reach>, MemberError> {
        let _call = self.calls.acquire().await;
        let services: Api<Service> = Api::namespaced(self.as_tenant(tenant), key.namespace.as_str());
        let mut reached = Vec::new();
        for fact in exposed {
            if let Some(service) = timely(self.name.as_str(), services.get_opt(&fact.service)).await? {
                reached.extend(reach(&service, fact));
            }
        }
        for reach in &mut reached {
            let By::Balancer(hosts) = &mut reach.by else { continue };
            for host in hosts {
                if host.addresses.is_empty() {
                    host.addresses = look_up(&host.name).await;
                }
            }
        }
        Ok(reached)
    }
}

fn reach(service: &Service, fact: &ExposeFact) -> Option<Reach> {
    let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
    let exposed = || ports.iter().filter(|port| fact.port(port.port).is_some());
    let hosts = balancer(service);
    let by_balancer = |port: &ServicePort| Some((port.port, port.port));
    let by_node = |port: &ServicePort| Some((port.port, port.node_port?));
    let (by, ports): (By, Vec<(i32, i32)>) = if hosts.is_empty() {
        (By::Nodes, exposed().filter_map(by_node).collect())
    } else {
        (By::Balancer(hosts), exposed().filter_map(by_balancer).collect())
    };
    (!ports.is_empty()).then(|| Reach { service: fact.service.to_string(), by, ports })
}

fn balancer(service: &Service) -> Vec<Host> {
    let status = service.status.as_ref().and_then(|status| status.load_balancer.as_ref());
    let ingress = status.and_then(|balancer| balancer.ingress.as_deref()).unwrap_or_default();
    let names = ingress.iter().filter_map(|it| it.ip.clone().or_else(|| it.hostname.clone()));
    names.map(|name| Host { addresses: name.parse().ok().into_iter().collect(), name }).collect()
}

/// The addresses of a name, sorted; none if it can't be looked up.
async fn look_up(name: &str) -> Vec<IpAddr> {
    let found = tokio::time::timeout(LOOK_UP, tokio::net::lookup_host((name, 0))).await;
    match found {
        Ok(Ok(found)) => {
            let mut addresses: Vec<IpAddr> = found.map(|it| it.ip()).collect();
            addresses.sort_unstable();
            addresses.dedup();
            addresses
        }
        Ok(Err(error)) => {
            tracing::warn!(%name, %error, "a load balancer's name could not be looked up");
            Vec::new()
        }
        Err(_) => {
            tracing::warn!(%name, "a load balancer's name could not be looked up in time");
            Vec::new()
        }
    }
}

/// The addresses of some nodes that are ready, in the order of their names: the one that is reached from outside, if there is one.
pub(crate) fn node_addresses(nodes: &[Node]) -> Vec<String> {
    let address = |node: &Node| {
        let status = node.status.as_ref()?;
        let ready = status.conditions.iter().flatten().any(|it| it.type_ == "Ready" && it.status == "True");
        let of = |kind: &str| status.addresses.iter().flatten().find(|it| it.type_ == kind);
        let found = of("ExternalIP").or_else(|| of("InternalIP")).filter(|_| ready)?;
        Some(found.address.clone())
    };
    nodes.iter().filter_map(address).take(NODES_MAX).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(spec: &Value, status: &Value) -> Option<Reach> {
        let port = |number| domicile_core::expose::ExposedPort {
            number,
            name: None,
            protocol: "TCP".to_owned(),
            app_protocol: None,
        };
        let fact = ExposeFact {
            service: "web".into(),
            hostnames: Vec::new(),
            ports: vec![port(80), port(443)],
            backers: Vec::new(),
            others: Vec::new(),
            fault: None,
        };
        let service = json!({"metadata": {"name": "web"}, "spec": spec, "status": status});
        reach(&serde_json::from_value(service).unwrap(), &fact)
    }

    #[test]
    fn a_load_balancer_comes_before_the_ports_of_nodes() {
        let ports = json!({"ports": [{"port": 80, "nodePort": 30080}, {"port": 443, "nodePort": 30443}, {"port": 9090, "nodePort": 30090}]});
        let balanced =
            json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}, {"hostname": "lb.example"}]}});
        let by_node = of(&ports, &json!({})).unwrap();
        assert_eq!((by_node.by, by_node.ports), (By::Nodes, vec![(80, 30080), (443, 30443)]));
        let host = |name: &str, addresses: &[&str]| Host {
            name: name.to_owned(),
            addresses: addresses.iter().map(|it| it.parse().unwrap()).collect(),
        };
        let by_balancer = of(&ports, &balanced).unwrap();
        assert_eq!(
            by_balancer.by,
            By::Balancer(vec![host("192.0.2.1", &["192.0.2.1"]), host("lb.example", &[])])
        );
        assert_eq!(by_balancer.ports, [(80, 80), (443, 443)]);
        assert_eq!(of(&json!({"ports": [{"port": 80}]}), &json!({})), None, "it is reached from inside only");
    }

    #[test]
    fn nodes_that_are_not_ready_are_left_out() {
        let node = |name: &str, ready: &str, addresses: Value| -> Node {
            let conditions = json!([{"type": "Ready", "status": ready}]);
            let status = json!({"conditions": conditions, "addresses": addresses});
            serde_json::from_value(json!({"metadata": {"name": name}, "status": status})).unwrap()
        };
        let internal = |ip: &str| json!({"type": "InternalIP", "address": ip});
        let external = |ip: &str| json!({"type": "ExternalIP", "address": ip});
        let nodes = [
            node("a", "True", json!([internal("10.0.0.1"), external("192.0.2.1")])),
            node("b", "Unknown", json!([internal("10.0.0.2")])),
            node("c", "True", json!([internal("10.0.0.3")])),
        ];
        assert_eq!(node_addresses(&nodes), ["192.0.2.1", "10.0.0.3"]);
    }

    #[tokio::test]
    async fn a_name_is_looked_up_and_one_that_is_none_leads_nowhere() {
        let found = look_up("localhost").await;
        assert!(!found.is_empty() && found.iter().all(IpAddr::is_loopback), "{found:?}");
        assert!(look_up("no name").await.is_empty());
    }
}
