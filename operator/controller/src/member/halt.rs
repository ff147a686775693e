//! Stopping what runs on a member, and letting it run again.
//!
//! How much runs is written by a field manager of its own, and nothing else: what a tenant has changed since, or what
//! the member would refuse by now, doesn't stand in the way. Where the manifests don't say how much runs, letting go of
//! those fields gives them back.

use domicile_core::{
    manifests::{Kind, ObjectRef},
    render::set,
};
use domicile_crds::{NamespaceName, TenantName, WorkloadKey, keys};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::{
    Api, Client, ResourceExt as _,
    api::{DynamicObject, ListParams, ObjectMeta, Patch, PatchParams},
};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Member,
    act::api,
    error::{MemberError, timely},
    watch::{annotation, maker},
};

/// The digest of what is as nobody has applied it.
const NOT_APPLIED: &str = "0000000000000000";

impl Member {
    /// Scales to zero or suspends what is there; what isn't, or is another by now, is left alone.
    ///
    /// # Errors
    ///
    /// The first that couldn't be stopped, after all others were tried.
    pub(crate) async fn halt(
        &self,
        tenant: &TenantName,
        key: &WorkloadKey,
        objects: &[ObjectRef],
    ) -> Result<(), MemberError> {
        let Ok(_call) = self.calls.acquire().await else { return Ok(()) };
        let client = self.as_tenant(tenant);
        let mut failed = None;
        for object in objects {
            let api = api(&client, &key.namespace, object.kind);
            let halted = async {
                let Some(found) = self.find(&api, object, key.name.as_str()).await? else { return Ok(()) };
                let Some(spec) = nothing_runs(object.kind) else { return Ok(()) };
                let applied = annotation(&found.metadata, keys::HALTED_ANNOTATION)
                    .or_else(|| annotation(&found.metadata, keys::APPLIED_ANNOTATION));
                let annotations = json!({
                    keys::HALTED_ANNOTATION: applied.unwrap_or(NOT_APPLIED), keys::APPLIED_ANNOTATION: NOT_APPLIED,
                });
                let mut body = own_fields(&key.namespace, object, found.metadata.uid.as_deref());
                set(&mut body, &["metadata", "annotations"], annotations);
                set(&mut body, &["spec"], spec);
                self.write_own_fields(&api, object, body).await.map(|_| ())
            };
            if let Err(error) = halted.await {
                failed.get_or_insert(error);
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Lets an object run again that was halted, as its manifest says.
    pub(super) async fn let_run(
        &self,
        api: &Api<DynamicObject>,
        namespace: &NamespaceName,
        object: &ObjectRef,
        there: ObjectMeta,
    ) -> Result<ObjectMeta, MemberError> {
        if !is_halted(&there) {
            return Ok(there);
        }
        let body = own_fields(namespace, object, there.uid.as_deref());
        self.write_own_fields(api, object, body).await
    }

    /// Lets the Jobs run again that a CronJob has made and that were halted. Answers them as they are now.
    ///
    /// What isn't done by `until` is found again, as long as it is halted.
    pub(super) async fn let_jobs_run(
        &self,
        client: &Client,
        (namespace, workload): (&NamespaceName, &str),
        cron_job: &ObjectMeta,
        until: Instant,
    ) -> Result<Vec<(ObjectRef, ObjectMeta)>, MemberError> {
        let Some(kind) = Kind::of("batch/v1", "Job") else { return Ok(Vec::new()) };
        let jobs = api(client, namespace, kind);
        let ours = ListParams::default().labels(&format!("{}={workload}", keys::WORKLOAD_LABEL));
        let mut running = Vec::new();
        for job in timely(self.name.as_str(), async { jobs.list_metadata(&ours).await }).await?.items {
            let made = maker(&job.metadata).is_some_and(|by| Some(&by.uid) == cron_job.uid.as_ref());
            if !made || !is_halted(&job.metadata) || job.metadata.deletion_timestamp.is_some() {
                continue;
            }
            if Instant::now() > until {
                break;
            }
            let object = ObjectRef { kind, name: job.name_any().into() };
            match self.let_run(&jobs, namespace, &object, job.metadata).await {
                Ok(there) => running.push((object, there)),
                // It has gone since it was listed.
                Err(MemberError::Refused { reason: "NameTaken", .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(running)
    }

    async fn write_own_fields(
        &self,
        api: &Api<DynamicObject>,
        object: &ObjectRef,
        body: Value,
    ) -> Result<ObjectMeta, MemberError> {
        let params = PatchParams::apply(keys::HALT_MANAGER).force();
        let call = async { api.patch_metadata(&object.name, &params, &Patch::Apply(body)).await };
        timely(self.name.as_str(), call).await.map(|there| there.metadata)
    }
}

/// Whether an object was halted: by its mark, or by who holds how much of it runs, should somebody have removed the mark.
pub(super) fn is_halted(meta: &ObjectMeta) -> bool {
    let holds_spec = |fields: &FieldsV1| fields.0.get("f:spec").is_some();
    let holds = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(keys::HALT_MANAGER)
            && entry.fields_v1.as_ref().is_some_and(holds_spec)
    };
    annotation(meta, keys::HALTED_ANNOTATION).is_some() || meta.managed_fields.iter().flatten().any(holds)
}

/// With a uid, an object that is gone isn't made again.
fn own_fields(namespace: &NamespaceName, object: &ObjectRef, uid: Option<&str>) -> Value {
    json!({
        "apiVersion": object.kind.api_version(), "kind": object.kind.name(),
        "metadata": {"name": *object.name, "namespace": namespace.as_str(), "uid": uid},
    })
}

/// The spec by which an object of a kind has no pods.
fn nothing_runs(kind: Kind) -> Option<Value> {
    match kind.name() {
        // While it is paused, Kubernetes may leave the pods of earlier versions as they are.
        "Deployment" => Some(json!({"replicas": 0, "paused": false})),
        "StatefulSet" => Some(json!({"replicas": 0})),
        "Job" | "CronJob" => Some(json!({"suspend": true})),
        _ => None,
    }
}
