//! Claims outlive what mounts them: what they are kept by, and what would take them along.

use domicile_core::manifests::{Kind, ObjectRef};
use domicile_crds::{NamespaceName, TenantName, WorkloadKey, keys};
use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::PersistentVolumeClaim};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, ListParams, Patch, PatchParams},
};
use serde_json::json;

use super::{
    Member,
    act::api,
    error::{MemberError, timely},
    watch::deletes_claims,
};

impl Member {
    /// Has StatefulSets keep their claims, whether they are scaled down or deleted.
    ///
    /// # Errors
    ///
    /// The first that couldn't be changed.
    pub(crate) async fn keep_claims(
        &self,
        tenant: &TenantName,
        key: &WorkloadKey,
        sets: &[ObjectRef],
    ) -> Result<(), MemberError> {
        let Ok(_call) = self.calls.acquire().await else { return Ok(()) };
        let client = self.as_tenant(tenant);
        for set in sets {
            let api = api(&client, &key.namespace, set.kind);
            let Some(found) = self.find(&api, set, key.name.as_str()).await? else { continue };
            let keep = json!({
                "metadata": {"uid": found.metadata.uid},
                "spec": {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}},
            });
            let call = async { api.patch(&set.name, &PatchParams::default(), &Patch::Merge(keep)).await };
            timely(self.name.as_str(), call).await?;
        }
        Ok(())
    }

    /// Whether a StatefulSet can be deleted and its claims stay: it says so, its controller has seen that, and none of
    /// its claims is its own any more. The controller lets go of claims with pods only, so the others are released here.
    pub(super) async fn releases_claims(
        &self,
        client: &Client,
        namespace: &NamespaceName,
        set: &DynamicObject,
    ) -> Result<bool, MemberError> {
        let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace.as_str());
        let found = timely(self.name.as_str(), async { sets.get_opt(&set.name_any()).await }).await?;
        let Some(found) = found.filter(|found| found.metadata.uid == set.metadata.uid) else {
            return Ok(false);
        };
        let seen = found.status.as_ref().and_then(|status| status.observed_generation);
        if deletes_claims(&found) || seen < found.metadata.generation {
            return Ok(false);
        }
        let claims: Api<PersistentVolumeClaim> = Api::namespaced(client.clone(), namespace.as_str());
        let all = async { claims.list_metadata(&ListParams::default()).await };
        for claim in timely(self.name.as_str(), all).await?.items {
            let owners = claim.metadata.owner_references.as_deref().unwrap_or_default();
            let others: Vec<_> =
                owners.iter().filter(|o| Some(&o.uid) != found.metadata.uid.as_ref()).collect();
            if others.len() == owners.len() {
                continue;
            }
            let meta = &claim.metadata;
            let released = json!({"metadata": {
                "uid": meta.uid, "resourceVersion": meta.resource_version, "ownerReferences": others,
            }});
            let params =
                PatchParams { field_manager: Some(keys::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            let call =
                async { claims.patch_metadata(&claim.name_any(), &params, &Patch::Merge(released)).await };
            timely(self.name.as_str(), call).await?;
        }
        Ok(true)
    }
}

/// Whether an object may take claims along when it is deleted.
pub(super) fn has_claims(kind: Kind) -> bool {
    kind.name() == "StatefulSet"
}
