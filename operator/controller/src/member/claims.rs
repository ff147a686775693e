//! Claims outlive what mounts them: what they are kept by, what would take them along, and those that go with a workload
//! whose owner wants that.

use domicile_core::manifests::{Kind, ObjectRef};
use domicile_crds::{NamespaceName, TenantName, WorkloadKey, keys};
use k8s_openapi::api::{apps::v1::StatefulSet, core::v1::PersistentVolumeClaim};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, ListParams, ObjectMeta, Patch, PatchParams},
};
use serde_json::{Value, json};

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
        let Some(found) = self.whole_set(client, namespace, set).await? else { return Ok(false) };
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

    /// A StatefulSet of which only the metadata was asked for; `None` if that one is gone.
    pub(super) async fn whole_set(
        &self,
        client: &Client,
        namespace: &NamespaceName,
        set: &DynamicObject,
    ) -> Result<Option<StatefulSet>, MemberError> {
        let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace.as_str());
        let found = timely(self.name.as_str(), async { sets.get_opt(&set.name_any()).await }).await?;
        Ok(found.filter(|found| found.metadata.uid == set.metadata.uid))
    }

    /// Deletes the claims that a StatefulSet's templates have made. Answers how many are still there.
    ///
    /// Kubernetes keeps a claim until no pod uses it any more, so that nothing that runs loses its volume.
    pub(super) async fn remove_claims(
        &self,
        client: &Client,
        (namespace, workload): (&NamespaceName, &str),
        set: &StatefulSet,
    ) -> Result<usize, MemberError> {
        let Some(kind) = Kind::of("v1", "PersistentVolumeClaim") else { return Ok(0) };
        let claims = api(client, namespace, kind);
        let all = async { claims.list_metadata(&ListParams::default()).await };
        let mut left = 0;
        for claim in timely(self.name.as_str(), all).await?.items {
            if !is_made_by(set, workload, &claim.metadata) {
                continue;
            }
            let object = ObjectRef { kind, name: claim.name_any().into() };
            let found = DynamicObject { types: None, metadata: claim.metadata, data: Value::Null };
            left += usize::from(self.remove_one(&claims, &object, found).await?);
        }
        Ok(left)
    }
}

/// Whether an object may take claims along when it is deleted.
pub(super) fn has_claims(kind: Kind) -> bool {
    kind.name() == "StatefulSet"
}

/// Whether a claim was made by a template of a workload's StatefulSet. The name alone could be anybody's: the controller
/// gives its claims the labels of the set's selector, and without any there is no telling.
fn is_made_by(set: &StatefulSet, workload: &str, claim: &ObjectMeta) -> bool {
    let (Some(spec), Some(name), Some(set)) = (&set.spec, &claim.name, &set.metadata.name) else {
        return false;
    };
    let is_ordinal = |text: &str| text.parse::<u32>().is_ok_and(|number| number.to_string() == text);
    let is_named_after = |template: &str| {
        let ordinal = name.strip_prefix(&format!("{template}-{set}-"));
        ordinal.is_some_and(is_ordinal)
    };
    let mut templates = spec.volume_claim_templates.iter().flatten();
    let label = |name: &str| claim.labels.as_ref()?.get(name);
    let selected = spec.selector.match_labels.as_ref().is_some_and(|wanted| {
        !wanted.is_empty() && wanted.iter().all(|(name, value)| label(name) == Some(value))
    });
    let is_anothers = |name| label(name).is_some_and(|of| of != workload);
    selected
        && !is_anothers(keys::WORKLOAD_LABEL)
        && !is_anothers(keys::RETAINED_LABEL)
        && templates.any(|template| template.metadata.name.as_deref().is_some_and(is_named_after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(selector: &Value) -> StatefulSet {
        let templates = ["data", "data-db"].map(|name| json!({"metadata": {"name": name}, "spec": {}}));
        let spec = json!({
            "serviceName": "db", "selector": selector, "template": {}, "volumeClaimTemplates": templates,
        });
        serde_json::from_value(json!({"metadata": {"name": "db"}, "spec": spec})).unwrap()
    }

    fn claim(name: &str, labels: &[(&str, &str)]) -> ObjectMeta {
        let labels = labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        ObjectMeta { name: Some(name.to_owned()), labels: Some(labels), ..ObjectMeta::default() }
    }

    #[test]
    fn a_claim_is_a_sets_by_name_and_by_labels() {
        let selector = json!({"matchLabels": {"app": "db", "tier": "data"}});
        let made = [("app", "db"), ("tier", "data")];
        let is =
            |name: &str, labels: &[(&str, &str)]| is_made_by(&set(&selector), "web", &claim(name, labels));
        for name in ["data-db-0", "data-db-11", "data-db-db-3"] {
            assert!(is(name, &made), "{name}");
        }
        for name in ["data-db", "data-db-", "data-db-x", "data-db-01", "data-db-0-1", "data-db--1", "db-0"] {
            assert!(!is(name, &made), "{name}");
        }
        assert!(!is("data-db-0", &[]), "somebody else's of that name");
        assert!(!is("data-db-0", &[("app", "db")]));
        for label in [keys::WORKLOAD_LABEL, keys::RETAINED_LABEL] {
            assert!(is("data-db-0", &[made[0], made[1], (label, "web")]));
            assert!(!is("data-db-0", &[made[0], made[1], (label, "shop")]));
        }
        let unlabelled = json!({"matchExpressions": [{"key": "app", "operator": "Exists"}]});
        assert!(
            !is_made_by(&set(&unlabelled), "web", &claim("data-db-0", &made)),
            "nothing says whose it is"
        );
    }
}
