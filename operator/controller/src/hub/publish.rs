//! Services and EndpointSlices that are kept on the hub for what workloads expose.

use std::{fmt::Debug, sync::Arc};

use domicile_core::{
    expose::is_owned,
    orders::{Publish, service_object, slice_object},
    render::set,
};
use domicile_crds::{WorkloadKey, keys};
use k8s_openapi::{
    NamespaceResourceScope,
    api::{core::v1::Service, discovery::v1::EndpointSlice},
};
use kube::{
    Api, Client, Resource,
    api::{DeleteParams, Patch, PatchParams, Preconditions},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::write::{WriteError, is_code, timely};

/// What came of it. After a failure, nothing more was done.
#[derive(Debug, Default)]
pub(crate) struct Published {
    /// Services as the hub has them now.
    pub(crate) services: Vec<Service>,
    /// EndpointSlices as the hub has them now.
    pub(crate) slices: Vec<EndpointSlice>,
    /// Services that are gone, by name.
    pub(crate) old_services: Vec<String>,
    /// EndpointSlices that are gone, by name.
    pub(crate) old_slices: Vec<String>,
    /// What is somebody else's and was left alone, as `Service/web`.
    pub(crate) taken: Vec<String>,
    /// What failed.
    pub(crate) failed: Option<WriteError>,
}

/// Does what is ordered, in its order: an address is there before another goes, and a Service for as long as it has any.
pub(crate) async fn publish(client: &Client, key: &WorkloadKey, order: Publish) -> Published {
    let mut done = Published::default();
    done.failed = carry_out(client, key, order, &mut done).await.err();
    done
}

async fn carry_out(
    client: &Client,
    key: &WorkloadKey,
    order: Publish,
    done: &mut Published,
) -> Result<(), WriteError> {
    let services: Api<Service> = Api::namespaced(client.clone(), key.namespace.as_str());
    let slices: Api<EndpointSlice> = Api::namespaced(client.clone(), key.namespace.as_str());
    for (service, known) in order.services {
        match apply(&services, key, (&service.name, known), service.render(key)).await? {
            Some(applied) => done.services.push(applied),
            None => done.taken.push(service_object(&service.name)),
        }
    }
    for (slice, known) in order.slices {
        // Beside somebody else's Service, it would send that one's clients here.
        if done.taken.contains(&service_object(&slice.service)) {
            continue;
        }
        let name = slice.name();
        match apply(&slices, key, (&name, known), slice.render(key)).await? {
            Some(applied) => done.slices.push(applied),
            None => done.taken.push(slice_object(&name)),
        }
    }
    for (name, uid) in order.old_slices {
        delete(&slices, &name, &uid).await?;
        done.old_slices.push(name);
    }
    for (name, uid) in order.old_services {
        delete(&services, &name, &uid).await?;
        done.old_services.push(name);
    }
    Ok(())
}

/// Applies an object, unless one of its name is there that isn't ours: then it answers `None`. What is known to be ours has its
/// uid in the request, so that another in its place is never changed. What nobody has seen yet is looked at first, and then not
/// forced; what is made by somebody else in between is kept from us by the policy `domicile-exposed`.
async fn apply<K>(
    api: &Api<K>,
    key: &WorkloadKey,
    (name, known): (&str, Option<Arc<str>>),
    mut body: Value,
) -> Result<Option<K>, WriteError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    let mut uid = known.map(|uid| uid.to_string());
    if uid.is_none()
        && let Some(there) = timely(api.get_metadata_opt(name)).await?
    {
        if !is_owned(&there.metadata, key.name.as_str()) {
            return Ok(None);
        }
        uid = there.metadata.uid;
    }
    let mut params = PatchParams::apply(keys::FIELD_MANAGER);
    if let Some(uid) = uid {
        set(&mut body, &["metadata", "uid"], json!(uid));
        params = params.force();
    }
    timely(api.patch(name, &params, &Patch::Apply(body))).await.map(Some)
}

/// Deletes this object, and no other that has its name meanwhile.
async fn delete<K>(api: &Api<K>, name: &str, uid: &str) -> Result<(), WriteError>
where
    K: Clone + Debug + DeserializeOwned,
{
    let same = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
    let params = DeleteParams { preconditions: Some(same), ..DeleteParams::default() };
    match timely(api.delete(name, &params)).await {
        Err(WriteError::Kube(error)) if is_code(&error, 404) || is_code(&error, 409) => Ok(()),
        other => other.map(|_| ()),
    }
}
