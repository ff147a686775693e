//! Lists, page by page.

use std::{error::Error as _, fmt::Debug};

use domicile_crds::Guarded;
use kube::Resource;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::ApiResource;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Cluster, ClusterError, resource};
use crate::output;

/// Objects in one page of a list: a TenantWorkload may have 512 KiB.
const PAGE: u32 = 250;

impl Cluster {
    /// All objects of a kind, page by page, each turned into what is needed of it at once.
    ///
    /// # Errors
    ///
    /// If a page or an object can't be read.
    pub async fn collect<K, T>(
        &self,
        api: Api<Guarded<K>>,
        keep: impl Fn(K) -> T,
    ) -> Result<Vec<T>, ClusterError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        self.collect_guarded(api, |read| read.map(&keep)).await?.into_iter().collect()
    }

    /// The same for looking only: an object that can't be read is told of and left out.
    ///
    /// # Errors
    ///
    /// If a page can't be read.
    pub async fn collect_readable<K, T>(
        &self,
        api: Api<Guarded<K>>,
        keep: impl Fn(K) -> T,
    ) -> Result<Vec<T>, ClusterError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let found = self.collect_guarded(api, |read| read.map(&keep)).await?;
        Ok(found.into_iter().filter_map(|read| read.inspect_err(tell_left_out).ok()).collect())
    }

    /// All objects of a kind, as they are.
    ///
    /// # Errors
    ///
    /// If a page can't be read.
    pub async fn values(&self, kind: &str) -> Result<Vec<Value>, ClusterError> {
        let api_version = if kind == "Namespace" { "v1" } else { "domicile.dev/v1alpha1" };
        let sample = json!({"apiVersion": api_version, "kind": kind});
        let resource = resource(&sample).ok_or_else(|| ClusterError::Unknown(kind.to_owned()))?;
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        self.pages(&api, &resource, ListParams::default()).await
    }

    /// All objects of a kind, those included that can't be read.
    ///
    /// # Errors
    ///
    /// If a page can't be read.
    pub async fn collect_guarded<K, T>(
        &self,
        api: Api<Guarded<K>>,
        keep: impl Fn(Result<K, ClusterError>) -> T,
    ) -> Result<Vec<T>, ClusterError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let read = |guarded: Guarded<K>| {
            guarded.0.map_err(|source| {
                let meta = &source.metadata;
                let parts = [Some(&*K::kind(&())), meta.namespace.as_deref(), meta.name.as_deref()];
                let what = parts.into_iter().flatten().collect::<Vec<_>>().join("/");
                ClusterError::Unreadable { what, cluster: self.label.clone(), source }
            })
        };
        let mut kept = Vec::new();
        let mut params = ListParams::default().limit(PAGE);
        loop {
            let doing = format!("list {}", K::plural(&()));
            let page = api.list(&params).await.map_err(self.failed(doing))?;
            kept.extend(page.items.into_iter().map(read).map(&keep));
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(kept),
            }
        }
    }

    /// Objects of a kind in a namespace, as they are; none of a kind that isn't served.
    ///
    /// # Errors
    ///
    /// If they can't be listed.
    pub async fn list_of(
        &self,
        api_version: &str,
        kind: &str,
        namespace: &str,
        params: &ListParams,
    ) -> Result<Vec<Value>, ClusterError> {
        let sample = json!({"apiVersion": api_version, "kind": kind});
        let resource = resource(&sample).ok_or_else(|| ClusterError::Unknown(kind.to_owned()))?;
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &resource);
        match self.pages(&api, &resource, params.clone()).await {
            Err(error) if error.is_not_found() => Ok(Vec::new()),
            found => found,
        }
    }

    async fn pages(
        &self,
        api: &Api<DynamicObject>,
        resource: &ApiResource,
        params: ListParams,
    ) -> Result<Vec<Value>, ClusterError> {
        let (mut values, mut params) = (Vec::new(), params.limit(PAGE));
        loop {
            let page = api.list(&params).await.map_err(self.failed(format!("list {}", resource.plural)))?;
            for item in page.items {
                let mut value = serde_json::to_value(item).unwrap_or_default();
                if let Value::Object(fields) = &mut value {
                    fields.insert("apiVersion".to_owned(), resource.api_version.as_str().into());
                    fields.insert("kind".to_owned(), resource.kind.as_str().into());
                }
                values.push(value);
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(values),
            }
        }
    }
}

/// Says of an object that can't be read that it is missing in what is shown.
pub fn tell_left_out(error: &ClusterError) {
    let why = error.source().map(ToString::to_string).unwrap_or_default();
    output::note(format!("note: left out: {error}: {why}"));
}
