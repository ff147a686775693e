//! What is written on the hub.

use std::time::Duration;

use domicile_crds::{
    Assignment, AssignmentSpec, CLEANUP_FINALIZER, Migration, MigrationSpec, MigrationStatus, Relocation,
    RelocationSpec, TenantWorkload, TenantWorkloadStatus, WorkloadKey, keys,
};
use http::{HeaderValue, header::ACCEPT};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{
    Api, Client, Resource,
    api::{ObjectMeta, Patch, PatchParams, PostParams, Request},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::retry::Retry;

/// How long a call to the hub may take.
const DEADLINE: Duration = Duration::from_secs(15);
/// Asks for an object's metadata instead of all of it.
const METADATA_ONLY: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// A write on the hub failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    /// The hub didn't answer in time.
    #[error("the hub did not answer in time")]
    Deadline,
    /// The hub refused, or couldn't be reached.
    #[error("the hub refused, or could not be reached")]
    Kube(#[source] Box<kube::Error>),
}

impl WriteError {
    pub(crate) fn retry(&self) -> Retry {
        match self {
            Self::Kube(error) => match **error {
                kube::Error::Api(ref status) if status.code == 422 || status.code == 400 => Retry::OnChange,
                _ => Retry::Backoff,
            },
            Self::Deadline => Retry::Backoff,
        }
    }
}

/// Waits for a call no longer than its deadline.
pub(crate) async fn timely<T>(call: impl Future<Output = Result<T, kube::Error>>) -> Result<T, WriteError> {
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => answer.map_err(|error| WriteError::Kube(Box::new(error))),
        Err(_) => Err(WriteError::Deadline),
    }
}

fn post() -> PostParams {
    PostParams { field_manager: Some(keys::FIELD_MANAGER.to_owned()), ..PostParams::default() }
}

/// Creates an Assignment: that is the record before acting, so it must not exist yet. A server-side apply would
/// overwrite one that we haven't seen.
pub(crate) async fn create_assignment(
    client: &Client,
    key: &WorkloadKey,
    workload: &TenantWorkload,
    spec: AssignmentSpec,
) -> Result<Assignment, WriteError> {
    let owner = OwnerReference {
        api_version: TenantWorkload::api_version(&()).into_owned(),
        kind: TenantWorkload::kind(&()).into_owned(),
        name: key.name.to_string(),
        uid: workload.metadata.uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    };
    let assignment = Assignment {
        metadata: ObjectMeta {
            name: Some(key.name.to_string()),
            namespace: Some(key.namespace.to_string()),
            finalizers: Some(vec![CLEANUP_FINALIZER.to_owned()]),
            owner_references: Some(vec![owner]),
            ..ObjectMeta::default()
        },
        spec,
    };
    timely(assignments(client, key).create(&post(), &assignment)).await
}

/// Replaces an Assignment, unless somebody was faster: it carries the resourceVersion that it was derived from.
pub(crate) async fn replace_assignment(
    client: &Client,
    key: &WorkloadKey,
    assignment: Assignment,
) -> Result<Assignment, WriteError> {
    timely(assignments(client, key).replace(key.name.as_str(), &post(), &assignment)).await
}

fn assignments(client: &Client, key: &WorkloadKey) -> Api<Assignment> {
    Api::namespaced(client.clone(), key.namespace.as_str())
}

/// Records a move, before it begins.
pub(crate) async fn create_migration(
    client: &Client,
    key: &WorkloadKey,
    name: &str,
    spec: MigrationSpec,
) -> Result<Migration, WriteError> {
    let label = spec.relocation.as_ref().map(|name| (keys::RELOCATION_LABEL.to_owned(), name.to_string()));
    let workload = (keys::WORKLOAD_LABEL.to_owned(), key.name.to_string());
    let migration = Migration {
        metadata: ObjectMeta {
            name: Some(name.to_owned()),
            namespace: Some(key.namespace.to_string()),
            labels: Some(label.into_iter().chain([workload]).collect()),
            finalizers: Some(vec![CLEANUP_FINALIZER.to_owned()]),
            ..ObjectMeta::default()
        },
        spec,
        status: None,
    };
    let api = migrations(client, key);
    match timely(api.create(&post(), &migration)).await {
        // Its name is a hash of cause and copy: whoever made it meant the same.
        Err(WriteError::Kube(error)) if is_code(&error, 409) => timely(api.get(name)).await,
        other => other,
    }
}

/// Records another target of a move that hasn't begun.
pub(crate) async fn replace_migration(
    client: &Client,
    key: &WorkloadKey,
    migration: Migration,
) -> Result<Migration, WriteError> {
    let name = migration.metadata.name.clone().unwrap_or_default();
    timely(migrations(client, key).replace(&name, &post(), &migration)).await
}

fn migrations(client: &Client, key: &WorkloadKey) -> Api<Migration> {
    Api::namespaced(client.clone(), key.namespace.as_str())
}

/// Records how far a move is.
pub(crate) async fn migration_status(
    client: &Client,
    key: &WorkloadKey,
    name: &str,
    status: &MigrationStatus,
) -> Result<Migration, WriteError> {
    apply_status(&migrations(client, key), name, status).await
}

/// Makes sure that a campaign exists. One that does is left as it is: its budget and pause are people's.
pub(crate) async fn ensure_relocation(
    client: &Client,
    name: &str,
    spec: RelocationSpec,
) -> Result<(), WriteError> {
    let api: Api<Relocation> = Api::all(client.clone());
    match timely(api.create(&post(), &Relocation::new(name, spec))).await {
        Err(WriteError::Kube(error)) if is_code(&error, 409) => Ok(()),
        other => other.map(|_| ()),
    }
}

/// Whether the API server answered with this code.
pub(crate) fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

/// Writes a status, whole.
pub(crate) async fn apply_status<K>(
    api: &Api<K>,
    name: &str,
    status: &impl Serialize,
) -> Result<K, WriteError>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + serde::de::DeserializeOwned,
{
    timely(api.patch_status(name, &status_params(), &status_patch::<K>(name, status))).await
}

/// Writes a workload's status, whole. The answer is asked to leave out what the tenant wants, which is most of it.
pub(crate) async fn workload_status(
    client: &Client,
    key: &WorkloadKey,
    status: &TenantWorkloadStatus,
) -> Result<(), WriteError> {
    let name = key.name.as_str();
    let patch = status_patch::<TenantWorkload>(name, status);
    let url = TenantWorkload::url_path(&(), Some(key.namespace.as_str()));
    let request = Request::new(url).patch_subresource("status", name, &status_params(), &patch);
    let mut request = request.map_err(|e| WriteError::Kube(Box::new(kube::Error::BuildRequest(e))))?;
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(METADATA_ONLY));
    timely(client.request_text(request)).await.map(|_| ())
}

fn status_params() -> PatchParams {
    PatchParams::apply(keys::FIELD_MANAGER).force()
}

fn status_patch<K: Resource<DynamicType = ()>>(name: &str, status: &impl Serialize) -> Patch<Value> {
    Patch::Apply(json!({
        "apiVersion": K::api_version(&()), "kind": K::kind(&()), "metadata": {"name": name}, "status": status,
    }))
}
