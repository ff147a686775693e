//! Requests, and what the API server says to them.

use futures::{StreamExt as _, stream};
use http::{Method, Request};
use kube::Client;
use serde_json::Value;

/// Enough to keep two cores busy.
const AT_ONCE: usize = 16;

pub(crate) const API: &str = "/apis/domicile.dev/v1alpha1";

/// One request.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    method: Method,
    path: String,
    content: &'static str,
    body: Option<Value>,
    whom: Vec<(&'static str, String)>,
}

impl Ask {
    pub(crate) fn new(method: Method, path: &str) -> Self {
        let content =
            if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        Self { method, path: path.to_owned(), content, body: None, whom: Vec::new() }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new(Method::GET, path)
    }

    pub(crate) fn create(path: &str, object: &Value) -> Self {
        Self::new(Method::POST, path).body(object)
    }

    pub(crate) fn merge(path: &str, change: &Value) -> Self {
        Self::new(Method::PATCH, path).body(change)
    }

    pub(crate) fn delete(path: &str) -> Self {
        Self::new(Method::DELETE, path)
    }

    /// What `kubectl apply --server-side --force-conflicts` asks, as a manager of fields that has none yet.
    pub(crate) fn apply(path: &str, object: &Value) -> Self {
        let mut ask = Self::new(Method::PATCH, path).body(object);
        ask.content = "application/apply-patch+yaml";
        let separator = if path.contains('?') { '&' } else { '?' };
        ask.path = format!("{path}{separator}fieldManager=attempt&force=true");
        ask
    }

    pub(crate) fn body(mut self, body: &Value) -> Self {
        self.body = Some(body.clone());
        self
    }

    pub(crate) fn acting_as(mut self, user: &str) -> Self {
        self.whom.push(("Impersonate-User", user.to_owned()));
        self
    }

    pub(crate) fn in_group(mut self, group: &str) -> Self {
        self.whom.push(("Impersonate-Group", group.to_owned()));
        self
    }

    /// What the API server answers, or the words in which it refuses.
    pub(crate) async fn to(&self, client: &Client) -> Result<Value, String> {
        let mut request = Request::builder()
            .method(self.method.clone())
            .uri(&self.path)
            .header("Content-Type", self.content);
        for (name, value) in &self.whom {
            request = request.header(*name, value);
        }
        let body = self.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let request = request.body(body).map_err(|error| format!("not a request: {error}"))?;
        client.request::<Value>(request).await.map_err(|error| match error {
            kube::Error::Api(status) => status.message.clone(),
            other => format!("not an answer: {other}"),
        })
    }

    /// A complaint unless it is granted.
    pub(crate) async fn granted(&self, client: &Client, what: &str) -> Option<String> {
        self.to(client).await.err().map(|refusal| format!("{what} is refused: {refusal}"))
    }

    /// A complaint unless it is refused in these words.
    pub(crate) async fn refused(&self, client: &Client, says: &str) -> Option<String> {
        let asked =
            || format!("{} {} with {}", self.method, self.path, self.body.clone().unwrap_or_default());
        match self.to(client).await {
            Ok(_) => Some(format!("{} is granted, wanted a refusal with `{says}`", asked())),
            Err(refusal) if !refusal.contains(says) => {
                Some(format!("{} is refused with `{refusal}`, wanted `{says}`", asked()))
            }
            Err(_) => None,
        }
    }
}

/// Does all of it, some at a time, and collects the complaints.
pub(crate) async fn together<T, F>(all: impl IntoIterator<Item = T>, one: impl Fn(T) -> F) -> Vec<String>
where
    F: Future<Output = Option<String>>,
{
    let found = stream::iter(all).map(one).buffer_unordered(AT_ONCE);
    found.filter_map(|complaint| async { complaint }).collect().await
}
