//! A connection to the hub or a member, and the few things that are done with it.

use std::error::Error as _;
use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use domicile_crds::{ALLOWED_KINDS, Guarded, Unreadable};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, Preconditions};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::output;

mod apply;

/// Field manager of what this program applies.
pub const FIELD_MANAGER: &str = "kubectl-domicile";

/// Field manager of `kubectl apply --server-side`: what it has applied it also removes, once a file doesn't name it any more.
pub const KUBECTL: &str = "kubectl";

/// A person waits: a server that takes longer than this to answer one request counts as dead.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

/// House rule for connections to clusters far away.
const CONNECT_WITHIN: Duration = Duration::from_secs(5);

/// How often something is tried that somebody else's write gets ahead of.
pub(crate) const TRIES: u32 = 10;

/// Objects in one page of a list: a TenantWorkload may have 512 KiB.
const PAGE: u32 = 250;

/// Something with a cluster went wrong.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// There is no usable kubeconfig.
    #[error("no usable kubeconfig for {cluster}: name one with {flags}")]
    Config {
        /// Which cluster.
        cluster: String,
        /// By which flags another is chosen.
        flags: &'static str,
        /// What the library says.
        #[source]
        source: KubeconfigError,
    },
    /// Neither is there a kubeconfig, nor does this run within a cluster.
    #[error("no usable kubeconfig for {cluster}: name one with {flags}, or set KUBECONFIG")]
    Infer {
        /// Which cluster.
        cluster: String,
        /// By which flags another is chosen.
        flags: &'static str,
        /// What the library says.
        #[source]
        source: kube::config::InferConfigError,
    },
    /// A request failed.
    #[error("can't {doing} on {cluster}")]
    Call {
        /// What was to be done.
        doing: String,
        /// Which cluster.
        cluster: String,
        /// What the server or the library says.
        #[source]
        source: Box<kube::Error>,
    },
    /// An answer doesn't say when it was given.
    #[error("{0} doesn't say what time it is: a proxy in between may remove the header Date")]
    NoDate(String),
    /// An object that isn't of the form that it should have.
    #[error("{what} on {cluster} can't be read, and may matter: correct it")]
    Unreadable {
        /// Which object, as kind/namespace/name.
        what: String,
        /// Which cluster.
        cluster: String,
        /// What is wrong with it.
        #[source]
        source: Unreadable,
    },
    /// An object that others write all the time.
    #[error("{what} on {cluster} changes all the time: try again")]
    Busy {
        /// Which object, as kind namespace/name.
        what: String,
        /// Which cluster.
        cluster: String,
    },
    /// An object has no kind that this program knows.
    #[error("internal: no resource is known for {0}")]
    Unknown(String),
}

impl ClusterError {
    /// Whether the server says that there is no such object (or no such kind).
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    /// The server's HTTP status, if it answered.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Call { source, .. } => match &**source {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }

    /// What the server said.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Call { source, .. } => match &**source {
                kube::Error::Api(status) => Some(&status.message),
                _ => None,
            },
            _ => None,
        }
    }
}

/// Which kubeconfig, and which context in it.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// The file. Absent: as kubectl finds it.
    pub kubeconfig: Option<PathBuf>,
    /// The context. Absent: the current one.
    pub context: Option<String>,
}

/// A cluster that can be called.
#[derive(Clone)]
pub struct Cluster {
    /// How messages call it.
    pub label: String,
    /// For calls that this type has no method for.
    pub client: Client,
    /// What the client was made from.
    pub config: Config,
}

impl Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("label", &self.label).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Connects to the hub.
    ///
    /// # Errors
    ///
    /// If there is no usable kubeconfig.
    pub async fn hub(target: &Target) -> Result<Self, ClusterError> {
        Self::connect("the hub", target, "--kubeconfig and --context").await
    }

    /// Connects to a member with its owner's kubeconfig.
    ///
    /// # Errors
    ///
    /// If there is no usable kubeconfig.
    pub async fn member(target: &Target) -> Result<Self, ClusterError> {
        Self::connect("the member", target, "--member-kubeconfig and --member-context").await
    }

    async fn connect(label: &str, target: &Target, flags: &'static str) -> Result<Self, ClusterError> {
        let cluster = || label.to_owned();
        let failed = |source| ClusterError::Config { cluster: cluster(), flags, source };
        let options = KubeConfigOptions { context: target.context.clone(), ..KubeConfigOptions::default() };
        let config = match &target.kubeconfig {
            Some(path) => {
                let file = Kubeconfig::read_from(path).map_err(failed)?;
                Config::from_custom_kubeconfig(file, &options).await.map_err(failed)?
            }
            None if target.context.is_some() => Config::from_kubeconfig(&options).await.map_err(failed)?,
            None => Config::infer().await.map_err(|source| ClusterError::Infer {
                cluster: cluster(),
                flags,
                source,
            })?,
        };
        Self::with(label, config)
    }

    /// Connects as somebody.
    ///
    /// # Errors
    ///
    /// If no client can be made of it, for example because a certificate can't be read.
    pub fn with(label: &str, mut config: Config) -> Result<Self, ClusterError> {
        // One answer, good or bad, is what a person wants; the library's retries take minutes.
        config.default_retry = false;
        config.connect_timeout = Some(CONNECT_WITHIN);
        config.read_timeout = Some(ANSWER_WITHIN);
        config.reset_reader_on_write = true;
        let client = Client::try_from(config.clone()).map_err(|source| ClusterError::Call {
            doing: "make a client".to_owned(),
            cluster: label.to_owned(),
            source: Box::new(source),
        })?;
        Ok(Self { label: label.to_owned(), client, config })
    }

    /// An error of a call.
    pub fn failed(&self, doing: impl Into<String>) -> impl FnOnce(kube::Error) -> ClusterError {
        let (doing, cluster) = (doing.into(), self.label.clone());
        move |source| ClusterError::Call { doing, cluster, source: Box::new(source) }
    }

    /// One cluster-scoped object, if there is one of that name.
    ///
    /// # Errors
    ///
    /// If the server doesn't say whether there is.
    pub async fn find<K>(&self, name: &str) -> Result<Option<K>, ClusterError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let doing = format!("get {} {name}", K::kind(&()));
        Api::<K>::all(self.client.clone()).get_opt(name).await.map_err(self.failed(doing))
    }

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

    /// Deletes an object; one that is gone already is fine. Says whether it was there.
    ///
    /// # Errors
    ///
    /// If the server refuses.
    pub async fn delete(&self, object: &Value) -> Result<bool, ClusterError> {
        let Addressed { api, name, shown } = self.target(object)?;
        let Some(found) = api.get_opt(&name).await.map_err(self.failed(format!("get {shown}")))? else {
            return Ok(false);
        };
        // Not one that somebody else made under the same name in between.
        let preconditions = Preconditions { uid: found.uid(), resource_version: None };
        let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match api.delete(&name, &params).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(false),
            Err(source) => Err(self.failed(format!("delete {shown}"))(source)),
        }
    }

    /// The object of this kind and name as it is there, if it is.
    ///
    /// # Errors
    ///
    /// If the server doesn't say.
    pub async fn read(&self, object: &Value) -> Result<Option<Value>, ClusterError> {
        let Addressed { api, name, shown } = self.target(object)?;
        let found = api.get_opt(&name).await.map_err(self.failed(format!("get {shown}")))?;
        Ok(found.map(|found| serde_json::to_value(found).unwrap_or_default()))
    }

    /// A merge patch of one field, as a command would make it: what isn't there stays an error.
    ///
    /// # Errors
    ///
    /// If there is no such object, or the server refuses.
    pub async fn patch<K>(&self, name: &str, patch: &impl Serialize) -> Result<K, ClusterError>
    where
        K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned,
    {
        let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let api = Api::<K>::all(self.client.clone());
        let patch = serde_json::to_value(patch).unwrap_or_default();
        api.patch(name, &params, &Patch::Merge(patch))
            .await
            .map_err(self.failed(format!("change {} {name}", K::kind(&()))))
    }

    /// What tells one cluster from another: the uid of its namespace kube-system.
    ///
    /// # Errors
    ///
    /// If that can't be read.
    pub async fn id(&self) -> Result<String, ClusterError> {
        let namespace = Api::<Namespace>::all(self.client.clone());
        let found = namespace.get("kube-system").await.map_err(self.failed("get namespace kube-system"))?;
        Ok(found.uid().unwrap_or_default())
    }

    /// What time it is by the server's clock, which is that of its objects; the caller's own may be anything.
    ///
    /// # Errors
    ///
    /// If the server doesn't answer, or not with a date.
    pub async fn now(&self) -> Result<Timestamp, ClusterError> {
        let asked = http::Request::get("/version").body(Body::empty()).map_err(kube::Error::HttpError);
        let answer = match asked {
            Ok(request) => self.client.send(request).await,
            Err(error) => Err(error),
        };
        let answer = answer.map_err(self.failed("ask what time it is"))?;
        let date = answer.headers().get(http::header::DATE).and_then(|date| date.to_str().ok());
        let now = date.and_then(|date| DateTimeParser::new().parse_timestamp(date).ok());
        now.ok_or_else(|| ClusterError::NoDate(self.label.clone()))
    }

    fn target(&self, object: &Value) -> Result<Addressed, ClusterError> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let meta = object.get("metadata").unwrap_or(&Value::Null);
        let name = text(meta.get("name").unwrap_or(&Value::Null));
        let namespace = meta.get("namespace").and_then(Value::as_str);
        let resource = resource(object).ok_or_else(|| ClusterError::Unknown(object.to_string()))?;
        let shown = match namespace {
            Some(namespace) => format!("{} {namespace}/{name}", resource.kind),
            None => format!("{} {name}", resource.kind),
        };
        let api = match namespace {
            Some(namespace) => Api::namespaced_with(self.client.clone(), namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        Ok(Addressed { api, name, shown })
    }
}

/// Says of an object that can't be read that it is missing in what is shown.
pub fn tell_left_out(error: &ClusterError) {
    let why = error.source().map(ToString::to_string).unwrap_or_default();
    output::note(format!("note: left out: {error}: {why}"));
}

struct Addressed {
    api: Api<DynamicObject>,
    name: String,
    shown: String,
}

/// The kinds that this program writes; those that tenants may not use make their plural in a regular way.
fn resource(object: &Value) -> Option<ApiResource> {
    let kind = object.get("kind")?.as_str()?;
    let api_version = object.get("apiVersion")?.as_str()?;
    let (group, version) = api_version.rsplit_once('/').unwrap_or(("", api_version));
    let lower = kind.to_lowercase();
    let known = ALLOWED_KINDS.into_iter().find(|known| (known.0, known.1) == (api_version, kind));
    let plural = match (known, lower.strip_suffix('y')) {
        (Some((_, _, plural)), _) => plural.to_owned(),
        (None, Some(stem)) => format!("{stem}ies"),
        (None, None) => format!("{lower}s"),
    };
    Some(ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), &plural))
}
