//! What is done for a tenant on a member: applying objects, as the tenant.

use domicile_core::{
    manifests::{Kind, ObjectRef},
    observed::ObjectView,
    render::{Mode, digest_of_copy, set},
};
use domicile_crds::{NamespaceName, TenantName, keys};
use k8s_openapi::{api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry};
use kube::{
    Api, Client,
    api::{DynamicObject, ObjectMeta, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::{
    Member,
    error::{MemberError, timely},
    namespace::Setup,
    verify::resource,
    watch::{annotation, read_labels},
};
use crate::hub::secrets;

/// How long a job goes on. What is left then is derived anew: who may have what could have changed meanwhile.
pub(super) const JOB_MAX: Duration = Duration::from_secs(30);

/// Objects to apply.
pub(crate) struct ApplyJob {
    /// For whom.
    pub(crate) tenant: TenantName,
    /// How its namespace is set up.
    pub(crate) setup: Setup,
    /// Where.
    pub(crate) namespace: NamespaceName,
    /// Of which workload.
    pub(crate) workload: String,
    /// It was adopted there, so that what bears epoch 0 is its own.
    pub(crate) adopted: bool,
    /// How much of it runs.
    pub(crate) mode: Mode,
    /// What, in this order; with whether it is there already and ours. Of a Secret, everything but what is in it.
    pub(crate) objects: Vec<(ObjectRef, Value, bool)>,
    /// The hub, where Secrets are copied from.
    pub(crate) hub: Client,
}

/// What became of a job.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// How the namespace is set up now, if it could be.
    pub(crate) setup: Option<u64>,
    /// The objects that are there now, with their generation.
    pub(crate) done: Vec<(ObjectRef, ObjectView, i64)>,
    /// The Secrets that were read on the hub, with their versions.
    pub(crate) copied: Vec<(String, u64)>,
    /// The object at which it stopped, and why.
    pub(crate) failed: Option<(Option<ObjectRef>, MemberError)>,
}

impl Member {
    /// Applies objects one after another; the first failure ends it.
    pub(crate) async fn apply(&self, mut job: ApplyJob) -> Applied {
        let mut applied = Applied::default();
        let Ok(_call) = self.calls.acquire().await else { return applied };
        if let Err(error) = self.ensure_namespace(&job.namespace, &job.setup).await {
            applied.failed = Some((None, error));
            return applied;
        }
        applied.setup = Some(job.setup.digest());
        let client = self.as_tenant(&job.tenant);
        let until = Instant::now() + JOB_MAX;
        for (object, body, ours) in std::mem::take(&mut job.objects) {
            if Instant::now() > until {
                break;
            }
            let body = if object.kind == Kind::SECRET {
                let read = with_secret(&job.hub, &job.namespace, &object, body).await;
                read.map(|(body, version)| {
                    applied.copied.push((object.name.to_string(), version));
                    body
                })
            } else {
                Ok(body)
            };
            let outcome = match body {
                Ok(body) => self.apply_one((&client, until), &job, &object, (body, ours)).await,
                Err(error) => Err(error),
            };
            match outcome {
                Ok(written) => applied.done.extend(written),
                Err(error) => {
                    if matches!(error.reason(), "MemberUnreachable" | "MemberFailed" | "Forbidden") {
                        // The namespace may have gone, or lost what was set up in it: look again next time.
                        self.namespaces.lock().await.remove(&job.namespace);
                    }
                    applied.failed = Some((Some(object), error));
                    break;
                }
            }
        }
        applied
    }

    /// The first apply never forces; later ones do, on our own fields. Answers what was written, with its generation: the
    /// object, and what runs again with it.
    async fn apply_one(
        &self,
        (client, until): (&Client, Instant),
        job: &ApplyJob,
        object: &ObjectRef,
        (body, ours): (Value, bool),
    ) -> Result<Vec<(ObjectRef, ObjectView, i64)>, MemberError> {
        let api = api(client, &job.namespace, object.kind);
        let workload = job.workload.as_str();
        let mut params = PatchParams::apply(keys::FIELD_MANAGER).validation_strict();
        params.force = ours;
        if !ours {
            // Server-side apply by itself takes over what has equal values, or fields that we don't set.
            let call = async { api.get_metadata_opt(&object.name).await };
            if let Some(there) = timely(self.name.as_str(), call).await? {
                if !is_ours(&there.metadata, (workload, job.adopted), &body) {
                    return Err(MemberError::Taken {
                        object: format!("{}/{}", object.kind.name(), object.name),
                        label: format!(
                            "{}={workload}, without {}=0",
                            keys::WORKLOAD_LABEL,
                            keys::EPOCH_LABEL
                        ),
                    });
                }
                // Somebody has edited the labels by which we would have seen it.
                params.force = was_applied(&there.metadata);
            }
        }
        let call = async { api.patch_metadata(&object.name, &params, &Patch::Apply(body)).await };
        let there = timely(self.name.as_str(), call).await?;
        let there = self.let_run(&api, &job.namespace, object, there.metadata).await?;
        let mut written = Vec::new();
        if object.kind.name() == "CronJob" && job.mode == Mode::Running {
            let whose = (&job.namespace, workload);
            written = self.let_jobs_run(client, whose, &there, until).await?;
        }
        written.push((object.clone(), there));
        Ok(written.into_iter().map(|(object, there)| as_written(object, &there)).collect())
    }

    /// An object, if it is there and the workload's.
    pub(super) async fn find(
        &self,
        api: &Api<DynamicObject>,
        object: &ObjectRef,
        workload: &str,
    ) -> Result<Option<DynamicObject>, MemberError> {
        let call = async { api.get_metadata_opt(&object.name).await };
        let found = timely(self.name.as_str(), call).await?;
        let label = |meta: &ObjectMeta| meta.labels.as_ref()?.get(keys::WORKLOAD_LABEL).cloned();
        Ok(found
            .filter(|found| label(&found.metadata).as_deref() == Some(workload))
            .map(|found| DynamicObject { types: None, metadata: found.metadata, data: Value::Null }))
    }
}

/// What is known of an object that we have just written, with its generation.
fn as_written(object: ObjectRef, there: &ObjectMeta) -> (ObjectRef, ObjectView, i64) {
    // We have written its labels; without them it is as if it weren't ours.
    let mut view = read_labels(there).map(|(_, _, view)| view).unwrap_or_default();
    // What makes pods is ready when its watch says so.
    view.ready = !object.kind.runs_pods();
    view.idle = !object.kind.runs_pods();
    (object, view, there.generation.unwrap_or_default())
}

/// Puts into a Secret what the one of the same name on the hub holds, and answers the version of that. It passes through
/// memory only.
async fn with_secret(
    hub: &Client,
    namespace: &NamespaceName,
    object: &ObjectRef,
    mut body: Value,
) -> Result<(Value, u64), MemberError> {
    let api: Api<Secret> = Api::namespaced(hub.clone(), namespace.as_str());
    let found = match timely("the hub", api.get_opt(&object.name)).await {
        // Not the member's word: there it would be on record as something that it forbids.
        Err(MemberError::Refused { reason: "Forbidden", .. }) => {
            return Err(MemberError::SecretForbidden(object.name.to_string()));
        }
        found => found?,
    };
    let found = found.ok_or_else(|| MemberError::SecretMissing(object.name.to_string()))?;
    // The digest is that of what is copied, whatever version was seen last.
    let version = secrets::version(&found.metadata);
    let annotations = body.pointer_mut("/metadata/annotations");
    if let Some(annotation) = annotations.and_then(|all| all.get_mut(keys::APPLIED_ANNOTATION))
        && let Some(digest) = annotation.as_str().and_then(|text| u64::from_str_radix(text, 16).ok())
    {
        *annotation = json!(format!("{:016x}", digest_of_copy(digest, version)));
    }
    set(&mut body, &["type"], json!(found.type_));
    set(&mut body, &["data"], json!(found.data));
    Ok((body, version))
}

/// Whether an object that is there already is the workload's, and was `adopted` if it looks so: it carries its label, or we have applied it
/// before, exactly as `body` would.
fn is_ours(meta: &ObjectMeta, (workload, adopted): (&str, bool), body: &Value) -> bool {
    let label = |name: &str| meta.labels.as_ref()?.get(name).map(String::as_str);
    if let Some(of) = label(keys::WORKLOAD_LABEL) {
        // What bears no epoch was handed over.
        let is_original = is_owners(meta) && label(keys::EPOCH_LABEL).is_some();
        return of == workload && (adopted || !is_original);
    }
    // A claim that was kept when a workload of this name was deleted.
    if let Some(of) = label(keys::RETAINED_LABEL) {
        return of == workload;
    }
    // Without its label, another workload's looks the same: two of them may name it.
    let would_be =
        body.pointer("/metadata/annotations").and_then(|all| all.get(keys::APPLIED_ANNOTATION)?.as_str());
    was_applied(meta) && would_be.is_some() && annotation(meta, keys::APPLIED_ANNOTATION) == would_be
}

/// Whether an object got its labels from its owner, who may have used our name for it: it lacks what we leave on all that we apply.
pub(super) fn is_owners(meta: &ObjectMeta) -> bool {
    read_labels(meta).is_some_and(|(_, _, view)| view.is_only_labelled())
}

/// Whether we have applied an object before.
fn was_applied(meta: &ObjectMeta) -> bool {
    let applied = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(keys::FIELD_MANAGER) && entry.operation.as_deref() == Some("Apply")
    };
    meta.managed_fields.iter().flatten().any(applied)
}

pub(super) fn api(client: &Client, namespace: &NamespaceName, kind: Kind) -> Api<DynamicObject> {
    Api::namespaced_with(client.clone(), namespace.as_str(), &resource(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(labels: &[(&str, &str)], manager: &str, operation: &str) -> ObjectMeta {
        let entry = ManagedFieldsEntry {
            manager: Some(manager.to_owned()),
            operation: Some(operation.to_owned()),
            ..ManagedFieldsEntry::default()
        };
        ObjectMeta {
            labels: Some(labels.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()),
            managed_fields: Some(vec![entry]),
            ..ObjectMeta::default()
        }
    }

    #[test]
    fn what_is_ours_carries_our_label_or_was_applied_as_it_would_be() {
        let body = json!({"metadata": {"annotations": {keys::APPLIED_ANNOTATION: "a1"}}});
        let is_ours = |meta: &ObjectMeta| super::is_ours(meta, ("web", false), &body);
        assert!(!is_ours(&meta(&[("app", "web")], "kubectl", "Apply")));
        assert!(!is_ours(&ObjectMeta::default()));
        for label in [keys::WORKLOAD_LABEL, keys::RETAINED_LABEL] {
            assert!(is_ours(&meta(&[(label, "web")], "kubectl", "Apply")));
            assert!(!is_ours(&meta(&[(label, "shop")], keys::FIELD_MANAGER, "Apply")));
        }
        let bare = |manager, operation, digest: &str| ObjectMeta {
            annotations: Some([(keys::APPLIED_ANNOTATION.to_owned(), digest.to_owned())].into()),
            ..meta(&[], manager, operation)
        };
        assert!(is_ours(&bare(keys::FIELD_MANAGER, "Apply", "a1")), "somebody took our labels off");
        assert!(
            !is_ours(&bare(keys::FIELD_MANAGER, "Apply", "a2")),
            "another workload's, whose label somebody took off"
        );
        assert!(!is_ours(&bare(keys::FIELD_MANAGER, "Update", "a1")), "anybody may call itself that");
        assert!(!is_ours(&meta(&[], keys::FIELD_MANAGER, "Apply")), "it was never handed over in full");
    }

    #[test]
    fn an_original_is_ours_only_where_it_was_adopted() {
        let original = ObjectMeta {
            namespace: Some("acme".to_owned()),
            ..meta(&[(keys::WORKLOAD_LABEL, "web"), (keys::EPOCH_LABEL, "0")], keys::FIELD_MANAGER, "Apply")
        };
        assert!(is_ours(&original, ("web", true), &Value::Null));
        assert!(!is_ours(&original, ("web", false), &Value::Null));
        assert!(is_owners(&original), "it isn't removed either");
        let applied = [(keys::APPLIED_ANNOTATION.to_owned(), "a1".to_owned())].into();
        let edited = ObjectMeta { annotations: Some(applied), ..original };
        assert!(is_ours(&edited, ("web", false), &Value::Null), "somebody has edited the label of ours");
        assert!(!is_owners(&edited), "and it is removed like the rest");
    }

    #[test]
    fn what_is_handed_over_is_ours_to_change_and_not_to_remove() {
        let handed = ObjectMeta {
            namespace: Some("acme".to_owned()),
            ..meta(&[(keys::WORKLOAD_LABEL, "web")], "kubectl", "Update")
        };
        assert!(is_ours(&handed, ("web", false), &Value::Null));
        assert!(is_owners(&handed));
    }
}
