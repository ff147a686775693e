//! What is removed from a member, and what is kept there.

use domicile_core::{manifests::ObjectRef, orders::object};
use domicile_crds::{InventoryItem, NamespaceName, TenantName, keys};
use kube::{
    Client,
    api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, PropagationPolicy},
};
use serde_json::json;
use tokio::time::Instant;

use super::{
    Member,
    act::{JOB_MAX, api, is_owners},
    claims::has_claims,
    error::{MemberError, timely},
    watch::read_labels,
};

/// Objects to remove.
#[derive(Debug)]
pub(crate) struct RemoveJob {
    /// For whom.
    pub(crate) tenant: TenantName,
    /// From where.
    pub(crate) namespace: NamespaceName,
    /// Of which workload: only what carries its label is touched.
    pub(crate) workload: String,
    /// Up to which epoch: what carries a newer one isn't the copy that goes.
    pub(crate) epoch: i64,
    /// It was adopted there, so that what bears epoch 0 is its own.
    pub(crate) adopted: bool,
    /// What.
    pub(crate) objects: Vec<InventoryItem>,
    /// Claims are kept and labelled. Else those go, too, that the templates of StatefulSets have made.
    pub(crate) retain_claims: bool,
}

impl Member {
    /// Removes objects, last applied first. Answers how many are still there, being deleted. When none is, every claim that
    /// goes with a StatefulSet was told to go and has no pod of that set: it may be there for another moment, or as long as
    /// a pod of somebody else uses it.
    ///
    /// # Errors
    ///
    /// The first object that couldn't be removed.
    pub(crate) async fn remove(&self, job: RemoveJob) -> Result<usize, MemberError> {
        let Ok(_call) = self.calls.acquire().await else { return Ok(job.objects.len()) };
        let client = self.as_tenant(&job.tenant);
        match self.namespace_owner(&job.namespace).await? {
            // Nothing can be in a namespace that isn't there.
            None => return Ok(0),
            Some((owner, _)) if owner.as_deref() != Some(job.tenant.as_str()) => {
                return Err(self.taken(&job.namespace).await);
            }
            Some(_) => {}
        }
        let mut refs: Vec<ObjectRef> = job.objects.iter().filter_map(object).collect();
        refs.sort();
        let mut left = 0;
        let begun = Instant::now();
        for object in refs.iter().rev() {
            if begun.elapsed() > JOB_MAX {
                left += 1;
                break;
            }
            let api = api(&client, &job.namespace, object.kind);
            let found = self.find(&api, object, &job.workload).await?;
            let Some(found) = found.filter(|found| job.adopted || !is_owners(&found.metadata)) else {
                continue;
            };
            if object.kind.name() == "PersistentVolumeClaim" && job.retain_claims {
                self.retain_claim(&api, object, &job.workload).await?;
                continue;
            }
            self.is_no_newer(object, &found, job.epoch)?;
            left += if has_claims(object.kind) {
                self.remove_set(&client, &job, (object, found)).await?
            } else {
                usize::from(self.remove_one(&api, object, found).await?)
            };
        }
        Ok(left)
    }

    /// Removes a StatefulSet as it was found, and the claims that it has made unless they are kept. Answers how many are
    /// still there.
    ///
    /// The claims go first: as long as the set is there they can be named, whenever we are interrupted.
    async fn remove_set(
        &self,
        client: &Client,
        job: &RemoveJob,
        (object, found): (&ObjectRef, DynamicObject),
    ) -> Result<usize, MemberError> {
        let sets = api(client, &job.namespace, object.kind);
        if job.retain_claims {
            let ready = self.releases_claims(client, &job.namespace, &found).await?;
            return Ok(usize::from(!ready || self.remove_one(&sets, object, found).await?));
        }
        let Some(set) = self.whole_set(client, &job.namespace, &found).await? else { return Ok(1) };
        let whose = (&job.namespace, job.workload.as_str());
        self.remove_claims(client, whose, &set).await?;
        let there = self.remove_one(&sets, object, found).await?;
        // Its controller may have made another for a pod that was to come, before the set was being deleted.
        Ok(usize::from(there) + self.remove_claims(client, whose, &set).await?)
    }

    /// What carries a newer epoch isn't the copy that goes.
    fn is_no_newer(&self, object: &ObjectRef, found: &DynamicObject, epoch: i64) -> Result<(), MemberError> {
        if read_labels(&found.metadata).is_none_or(|(_, _, view)| view.epoch <= epoch) {
            return Ok(());
        }
        let object = format!("{}/{}", object.kind.name(), object.name);
        Err(MemberError::Newer { cluster: self.name.to_string(), object })
    }

    /// Removes one object as it was found. Answers whether it is still there.
    pub(super) async fn remove_one(
        &self,
        api: &Api<DynamicObject>,
        object: &ObjectRef,
        found: DynamicObject,
    ) -> Result<bool, MemberError> {
        if found.metadata.deletion_timestamp.is_some() {
            return Ok(true);
        }
        // Foreground: the object goes when its pods have gone, so that gone means gone.
        let policy = object.kind.runs_pods().then_some(PropagationPolicy::Foreground);
        let params = DeleteParams {
            propagation_policy: policy,
            preconditions: Some(Preconditions {
                uid: found.metadata.uid,
                resource_version: found.metadata.resource_version,
            }),
            ..DeleteParams::default()
        };
        match timely(self.name.as_str(), api.delete(&object.name, &params)).await {
            // Some kinds answer with the object although it is gone already.
            Ok(answer) => {
                Ok(answer.left().is_some_and(|object| object.metadata.deletion_timestamp.is_some()))
            }
            // It has changed since it was looked at: look again.
            Err(MemberError::Refused { reason: "NameTaken", .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Takes a claim out of the workload and labels it as kept.
    async fn retain_claim(
        &self,
        api: &Api<DynamicObject>,
        object: &ObjectRef,
        workload: &str,
    ) -> Result<(), MemberError> {
        let labels =
            json!({"metadata": {"labels": {keys::RETAINED_LABEL: workload, keys::WORKLOAD_LABEL: null}}});
        let call = async { api.patch(&object.name, &PatchParams::default(), &Patch::Merge(labels)).await };
        timely(self.name.as_str(), call).await.map(|_| ())
    }
}
