//! A connection to the hub or a member, and the few things that are done with it.

use std::fmt::Debug;
use std::path::PathBuf;
use std::time::Duration;

use domicile_crds::ALLOWED_KINDS;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions};
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Config, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

mod apply;
mod error;
mod list;

pub use error::ClusterError;
pub use list::tell_left_out;

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
