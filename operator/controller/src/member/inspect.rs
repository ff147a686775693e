//! Why a copy isn't ready, as its pods tell, and where what it exposes can be reached.

use std::{collections::BTreeSet, fmt::Debug};

use domicile_core::text::shorten;
use domicile_crds::{ADOPTED, Endpoint, Expose, PROBLEMS_MAX, Problem, TenantName, WorkloadKey, keys};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, StatefulSet},
        batch::v1::Job,
        core::v1::{ContainerStatus, Node, Pod, Service},
    },
};
use kube::{Api, Resource, ResourceExt as _, api::ListParams, core::Selector};
use serde::de::DeserializeOwned;

use super::{
    Member,
    error::{MemberError, timely},
};

impl Member {
    /// What is wrong with the pods of a copy, at most eight things.
    pub(crate) async fn problems(
        &self,
        key: &WorkloadKey,
        (ordinal, epoch): (i32, i64),
    ) -> Result<Vec<Problem>, MemberError> {
        let _call = self.calls.acquire().await;
        let labels = format!("{}={},{}={ordinal}", keys::WORKLOAD_LABEL, key.name, keys::SEAT_LABEL);
        let page = page(ListParams::default().labels(&labels));
        let namespace = key.namespace.as_str();
        let deployments: Vec<Deployment> = self.list(namespace, &page).await?;
        let mut pods: Vec<Pod> = self.list(namespace, &page).await?;
        if epoch == ADOPTED {
            // Its pods have no labels of ours.
            let sets: Vec<StatefulSet> = self.list(namespace, &page).await?;
            let jobs: Vec<Job> = self.list(namespace, &page).await?;
            let of_deployments =
                deployments.iter().filter_map(|object| Some(&object.spec.as_ref()?.selector));
            let of_sets = sets.iter().filter_map(|object| Some(&object.spec.as_ref()?.selector));
            let of_jobs = jobs.iter().filter_map(|object| object.spec.as_ref()?.selector.as_ref());
            for selector in of_deployments.chain(of_sets).chain(of_jobs) {
                let selector = Selector::try_from(selector.clone()).ok().filter(|it| !it.selects_all());
                let Some(selector) = selector else { continue };
                pods.extend(
                    self.list(namespace, &self::page(ListParams::default().labels_from(&selector))).await?,
                );
            }
        }
        let of_pods = pods.iter().filter_map(|pod| self.pod_problem(pod));
        let of_deployments = deployments.iter().filter_map(|deployment| self.deployment_problem(deployment));
        let problems: BTreeSet<Problem> = of_pods.chain(of_deployments).collect();
        Ok(problems.into_iter().take(PROBLEMS_MAX).collect())
    }

    async fn list<K>(&self, namespace: &str, page: &ListParams) -> Result<Vec<K>, MemberError>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
    {
        let api: Api<K> = Api::namespaced(self.client.clone(), namespace);
        Ok(timely(self.name.as_str(), api.list(page)).await?.items)
    }

    fn problem(&self, object: String, reason: &str, message: &str) -> Problem {
        let (cluster, reason, message) = (self.name.to_string(), reason.to_owned(), shorten(message));
        Problem { cluster, object, reason, message }
    }

    fn pod_problem(&self, pod: &Pod) -> Option<Problem> {
        let status = pod.status.as_ref()?;
        let object = format!("Pod/{}", pod.name_any());
        let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
        for container in containers {
            if let Some((reason, message)) = trouble(container) {
                return Some(self.problem(object, &reason, &message));
            }
        }
        let conditions = status.conditions.as_deref().unwrap_or_default();
        let unscheduled = conditions.iter().find(|c| c.type_ == "PodScheduled" && c.status == "False")?;
        let reason = unscheduled.reason.as_deref().unwrap_or("Unschedulable");
        Some(self.problem(object, reason, unscheduled.message.as_deref().unwrap_or_default()))
    }

    /// A ReplicaSet that isn't allowed to make pods says so in its Deployment's conditions.
    fn deployment_problem(&self, deployment: &Deployment) -> Option<Problem> {
        let conditions = deployment.status.as_ref()?.conditions.as_deref()?;
        let failure = conditions.iter().find(|c| c.type_ == "ReplicaFailure" && c.status == "True")?;
        let object = format!("Deployment/{}", deployment.name_any());
        let reason = failure.reason.as_deref().unwrap_or("FailedCreate");
        Some(self.problem(object, reason, failure.message.as_deref().unwrap_or_default()))
    }

    /// Addresses by which exposed Services are reached from outside the member.
    pub(crate) async fn endpoints(
        &self,
        tenant: &TenantName,
        key: &WorkloadKey,
        expose: &[Expose],
    ) -> Result<Vec<Endpoint>, MemberError> {
        let _call = self.calls.acquire().await;
        let services: Api<Service> = Api::namespaced(self.as_tenant(tenant), key.namespace.as_str());
        let mut endpoints = Vec::new();
        for exposed in expose {
            let Some(service) = timely(self.name.as_str(), services.get_opt(&exposed.service)).await? else {
                continue;
            };
            let balanced = load_balancer(&service, exposed);
            if balanced.is_empty() {
                endpoints.extend(self.node_port(&service, exposed).await?);
            }
            endpoints.extend(balanced);
        }
        endpoints.truncate(64);
        Ok(endpoints)
    }

    async fn node_port(&self, service: &Service, exposed: &Expose) -> Result<Vec<Endpoint>, MemberError> {
        let ports = service.spec.as_ref().and_then(|spec| spec.ports.as_deref()).unwrap_or_default();
        let Some(port) = ports.iter().find(|p| p.port == exposed.port).and_then(|p| p.node_port) else {
            return Ok(Vec::new());
        };
        let nodes: Api<Node> = Api::all(self.client.clone());
        let nodes = timely(self.name.as_str(), nodes.list(&ListParams::default().limit(8))).await?;
        let address = |node: &Node| {
            let addresses = node.status.as_ref()?.addresses.clone()?;
            let of = |kind: &str| addresses.iter().find(|a| a.type_ == kind).map(|a| a.address.clone());
            of("ExternalIP").or_else(|| of("InternalIP"))
        };
        let endpoint = |address| Endpoint { service: exposed.service.clone(), address, port };
        Ok(nodes.items.iter().filter_map(address).map(endpoint).collect())
    }
}

/// Enough to find what is wrong.
fn page(params: ListParams) -> ListParams {
    params.limit(50)
}

fn load_balancer(service: &Service, exposed: &Expose) -> Vec<Endpoint> {
    let status = service.status.as_ref().and_then(|s| s.load_balancer.as_ref());
    let ingress = status.and_then(|lb| lb.ingress.as_deref()).unwrap_or_default();
    let address = ingress.iter().filter_map(|i| i.ip.clone().or_else(|| i.hostname.clone()));
    address
        .map(|address| Endpoint { service: exposed.service.clone(), address, port: exposed.port })
        .collect()
}

/// Why a container waits or has ended, if that is trouble.
fn trouble(container: &ContainerStatus) -> Option<(String, String)> {
    let state = container.state.as_ref()?;
    if let Some(waiting) = &state.waiting {
        let reason = waiting.reason.clone()?;
        let harmless = matches!(reason.as_str(), "ContainerCreating" | "PodInitializing");
        return (!harmless).then(|| (reason, waiting.message.clone().unwrap_or_default()));
    }
    let ended = state.terminated.as_ref().filter(|ended| ended.exit_code != 0)?;
    let reason = ended.reason.clone().unwrap_or_else(|| "Error".to_owned());
    let message = ended.message.clone().unwrap_or_else(|| format!("exit code {}", ended.exit_code));
    Some((reason, message))
}
