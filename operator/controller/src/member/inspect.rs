//! Why a copy isn't ready, as its pods tell.

use std::{collections::BTreeSet, fmt::Debug};

use domicile_core::text::shorten;
use domicile_crds::{ADOPTED, PROBLEMS_MAX, Problem, WorkloadKey, keys};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{
        apps::v1::{Deployment, StatefulSet},
        batch::v1::Job,
        core::v1::{ContainerStatus, Pod},
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
}

/// Enough to find what is wrong.
fn page(params: ListParams) -> ListParams {
    params.limit(50)
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
