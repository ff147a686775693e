//! What Domicile writes on the hub for what is exposed: said here, and read back from what is there.

use std::{net::IpAddr, sync::Arc};

use domicile_crds::{ClusterName, WorkloadKey, keys};
use k8s_openapi::{
    api::{core::v1::Service, discovery::v1::EndpointSlice},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use serde_json::{Value, json};

use super::ExposedPort;

/// What owns both.
const OWNER: (&str, &str) = ("domicile.dev/v1alpha1", "TenantWorkload");
/// Label by which Kubernetes knows whose an EndpointSlice is.
const MANAGED_BY: &str = "endpointslice.kubernetes.io/managed-by";
/// Label by which Kubernetes knows of which Service an EndpointSlice is.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// A headless Service without a selector, as far as it is ours to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubService {
    /// Its name.
    pub name: Arc<str>,
    /// The uid of its TenantWorkload.
    pub owner: Arc<str>,
    /// The host names under which clients look for it, with commas between.
    pub hostnames: Option<String>,
    /// Its ports.
    pub ports: Vec<ExposedPort>,
}

/// The addresses of one copy, all of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubSlice {
    /// The Service's name.
    pub service: Arc<str>,
    /// The uid of its TenantWorkload.
    pub owner: Arc<str>,
    /// Which copy.
    pub ordinal: i32,
    /// Where the addresses lead.
    pub cluster: ClusterName,
    /// Of which family they are.
    pub family: Family,
    /// The ports at these addresses, under the names that they have at the Service.
    pub ports: Vec<SlicePort>,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
}

/// A port at an address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SlicePort {
    /// As the Service names it.
    pub name: Option<String>,
    /// TCP, UDP or SCTP.
    pub protocol: String,
    /// What is spoken over it.
    pub app_protocol: Option<String>,
    /// Its number, which for a NodePort isn't the Service's.
    pub number: i32,
}

/// The family of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// Of an address.
    #[must_use]
    pub fn of(address: &IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// As an EndpointSlice names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// Whether an object on the hub is one that Domicile keeps for a workload. Its label alone, which anybody can write, says
/// nothing: it must be owned, too.
#[must_use]
pub fn is_owned(meta: &ObjectMeta, workload: &str) -> bool {
    meta.labels.as_ref().and_then(|labels| labels.get(keys::EXPOSED_LABEL)).is_some_and(|it| it == workload)
        && owner(meta, workload).is_some()
}

/// The uid of the TenantWorkload of this name that owns an object.
fn owner(meta: &ObjectMeta, workload: &str) -> Option<Arc<str>> {
    let is_it = |api_version: &str, kind: &str| {
        kind == OWNER.1 && api_version.split_once('/').is_some_and(|(group, _)| group == keys::GROUP)
    };
    let mut owners = meta.owner_references.iter().flatten();
    let owner = owners.find(|it| is_it(&it.api_version, &it.kind) && it.name == workload)?;
    Some(owner.uid.as_str().into())
}

fn metadata(name: &str, key: &WorkloadKey, owner: &str, more: Value) -> Value {
    let mut labels = json!({keys::EXPOSED_LABEL: key.name.as_str()});
    if let (Some(labels), Value::Object(more)) = (labels.as_object_mut(), more) {
        labels.extend(more);
    }
    json!({
        "name": name, "namespace": key.namespace.as_str(), "labels": labels,
        "ownerReferences": [{
            "apiVersion": OWNER.0, "kind": OWNER.1, "name": key.name.as_str(), "uid": owner,
        }],
    })
}

impl HubService {
    /// The object, to be applied.
    #[must_use]
    pub fn render(&self, key: &WorkloadKey) -> Value {
        let mut metadata = metadata(&self.name, key, &self.owner, json!({}));
        if let Some(hostnames) = &self.hostnames {
            crate::render::set(
                &mut metadata,
                &["annotations"],
                json!({keys::HOSTNAME_ANNOTATION: hostnames}),
            );
        }
        let port = |port: &ExposedPort| {
            let mut out = json!({"port": port.number, "protocol": port.protocol});
            name_port(&mut out, port.name.as_ref(), port.app_protocol.as_ref());
            out
        };
        let ports: Vec<Value> = self.ports.iter().map(port).collect();
        let spec = json!({"type": "ClusterIP", "clusterIP": "None", "ports": ports});
        json!({"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec})
    }

    /// Reads what is there. `None` if it isn't ours.
    #[must_use]
    pub fn read(object: &Service) -> Option<(WorkloadKey, Self)> {
        let (key, owner) = whose(&object.metadata)?;
        let spec = object.spec.as_ref()?;
        let port = |port: &k8s_openapi::api::core::v1::ServicePort| ExposedPort {
            number: port.port,
            name: port.name.clone().filter(|name| !name.is_empty()),
            protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
            app_protocol: port.app_protocol.clone(),
        };
        let annotations = object.metadata.annotations.as_ref();
        let read = Self {
            name: object.metadata.name.as_deref()?.into(),
            owner,
            hostnames: annotations.and_then(|all| all.get(keys::HOSTNAME_ANNOTATION).cloned()),
            ports: spec.ports.iter().flatten().map(port).collect(),
        };
        Some((key, read))
    }
}

impl HubSlice {
    /// Its name: one for each Service, copy and family, so that a switch is one write.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}-{}-{}", self.service, self.ordinal, self.family.name().to_lowercase())
    }

    /// The object, to be applied.
    #[must_use]
    pub fn render(&self, key: &WorkloadKey) -> Value {
        let labels = json!({
            MANAGED_BY: keys::GROUP, SERVICE_NAME: &*self.service, keys::CLUSTER_LABEL: self.cluster.as_str(),
            keys::SEAT_LABEL: self.ordinal.to_string(),
        });
        let port = |port: &SlicePort| {
            let mut out = json!({"port": port.number, "protocol": port.protocol});
            name_port(&mut out, port.name.as_ref(), port.app_protocol.as_ref());
            out
        };
        let ports: Vec<Value> = self.ports.iter().map(port).collect();
        let endpoint = |it: &IpAddr| json!({"addresses": [it.to_string()], "conditions": {"ready": true, "serving": true}});
        let endpoints: Vec<Value> = self.addresses.iter().map(endpoint).collect();
        json!({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": self.family.name(),
            "metadata": metadata(&self.name(), key, &self.owner, labels), "ports": ports, "endpoints": endpoints,
        })
    }

    /// Reads what is there. `None` if it isn't ours, or not as we write any.
    #[must_use]
    pub fn read(object: &EndpointSlice) -> Option<(WorkloadKey, Self)> {
        let (key, owner) = whose(&object.metadata)?;
        let label = |name: &str| object.metadata.labels.as_ref()?.get(name).map(String::as_str);
        let port = |port: &k8s_openapi::api::discovery::v1::EndpointPort| SlicePort {
            name: port.name.clone().filter(|name| !name.is_empty()),
            protocol: port.protocol.clone().unwrap_or_else(|| "TCP".to_owned()),
            app_protocol: port.app_protocol.clone(),
            number: port.port.unwrap_or_default(),
        };
        let ready = |endpoint: &&k8s_openapi::api::discovery::v1::Endpoint| {
            endpoint.conditions.as_ref().is_some_and(|it| it.ready == Some(true))
                && label(MANAGED_BY) == Some(keys::GROUP)
        };
        let addresses = object.endpoints.iter().flatten().filter(ready).flat_map(|it| &it.addresses);
        let read = Self {
            service: label(SERVICE_NAME)?.into(),
            owner,
            ordinal: label(keys::SEAT_LABEL)?.parse().ok()?,
            cluster: ClusterName::new(label(keys::CLUSTER_LABEL)?).ok()?,
            family: Family::ALL.into_iter().find(|it| it.name() == object.address_type)?,
            ports: object.ports.iter().flatten().map(port).collect(),
            addresses: addresses.filter_map(|it| it.parse().ok()).collect(),
        };
        Some((key, read))
    }
}

fn name_port(out: &mut Value, name: Option<&String>, app_protocol: Option<&String>) {
    if let Some(name) = name {
        crate::render::set(out, &["name"], json!(name));
    }
    if let Some(app_protocol) = app_protocol {
        crate::render::set(out, &["appProtocol"], json!(app_protocol));
    }
}

/// For which workload an object is kept, with that workload's uid.
fn whose(meta: &ObjectMeta) -> Option<(WorkloadKey, Arc<str>)> {
    let workload = meta.labels.as_ref()?.get(keys::EXPOSED_LABEL)?;
    let owner = owner(meta, workload)?;
    Some((WorkloadKey::new(meta.namespace.as_deref()?, workload).ok()?, owner))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn web() -> (WorkloadKey, HubService, HubSlice) {
        let key = WorkloadKey::new("shop", "web").unwrap();
        let named = |name: Option<&str>, number, protocol: &str| ExposedPort {
            number,
            name: name.map(str::to_owned),
            protocol: protocol.to_owned(),
            app_protocol: name.map(|_| "http".to_owned()),
        };
        let service = HubService {
            name: "api".into(),
            owner: "u-1".into(),
            hostnames: Some("a.example,b.example".to_owned()),
            ports: vec![named(Some("http"), 80, "TCP"), named(None, 53, "UDP")],
        };
        let slice = HubSlice {
            service: "api".into(),
            owner: "u-1".into(),
            ordinal: 3,
            cluster: ClusterName::new("nl-ams-1").unwrap(),
            family: Family::V6,
            ports: vec![SlicePort {
                name: None,
                protocol: "TCP".to_owned(),
                app_protocol: None,
                number: 30080,
            }],
            addresses: vec!["2001:db8::1".parse().unwrap()],
        };
        (key, service, slice)
    }

    #[test]
    fn what_is_written_reads_as_it_was_said() {
        let (key, service, slice) = web();
        let object = serde_json::from_value(service.render(&key)).unwrap();
        assert_eq!(HubService::read(&object), Some((key.clone(), service)));
        let object = serde_json::from_value(slice.render(&key)).unwrap();
        assert_eq!(HubSlice::read(&object), Some((key, slice)));
    }

    #[test]
    fn a_label_alone_makes_nothing_ours() {
        let (key, service, _) = web();
        let changed = |change: &dyn Fn(&mut Value)| {
            let mut object = service.render(&key);
            change(&mut object["metadata"]);
            let object: Service = serde_json::from_value(object).unwrap();
            (HubService::read(&object).is_some(), is_owned(&object.metadata, "web"))
        };
        assert_eq!(changed(&|_| {}), (true, true));
        assert_eq!(changed(&|meta| meta["ownerReferences"] = json!([])), (false, false));
        assert_eq!(changed(&|meta| meta["ownerReferences"][0]["name"] = json!("api")), (false, false));
        assert_eq!(changed(&|meta| meta["ownerReferences"][0]["kind"] = json!("Deployment")), (false, false));
        assert_eq!(changed(&|meta| meta["ownerReferences"][0]["apiVersion"] = json!("v1")), (false, false));
        assert_eq!(changed(&|meta| meta["labels"] = json!({})), (false, false));
    }

    #[test]
    fn a_slice_that_somebody_has_changed_reads_as_another() {
        let (key, _, slice) = web();
        for (path, value) in [
            ("/endpoints/0/conditions/ready", json!(false)),
            ("/endpoints/0/addresses/0", json!("2001:db8::2")),
            ("/ports/0/port", json!(1)),
            ("/metadata/labels/endpointslice.kubernetes.io~1managed-by", json!("somebody")),
        ] {
            let mut object = slice.render(&key);
            *object.pointer_mut(path).unwrap() = value;
            let read = HubSlice::read(&serde_json::from_value(object).unwrap());
            assert_ne!(read, Some((key.clone(), slice.clone())), "{path}");
        }
    }
}
