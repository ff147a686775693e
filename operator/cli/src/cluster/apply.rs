//! Applying objects, for good or to see what would come of it, and who is on record for which fields.

use kube::api::{Patch, PatchParams, PostParams};
use kube::client::Body;
use serde_json::{Value, json};

use super::{Addressed, Cluster, ClusterError, FIELD_MANAGER, KUBECTL, TRIES};

impl Cluster {
    /// Applies an object that is wholly this program's.
    ///
    /// # Errors
    ///
    /// If the server refuses it.
    pub async fn apply(&self, object: &Value) -> Result<(), ClusterError> {
        self.apply_with(object, &PatchParams::apply(FIELD_MANAGER).force()).await.map(drop)
    }

    /// Applies an object of which others may own fields: a conflict is an error that names them.
    ///
    /// # Errors
    ///
    /// If the server refuses it, or a field has another value by somebody else.
    pub async fn apply_shared(&self, object: &Value) -> Result<(), ClusterError> {
        self.apply_with(object, &PatchParams::apply(FIELD_MANAGER)).await.map(drop)
    }

    /// Whether [`apply_shared`](Self::apply_shared) would be taken. Changes nothing.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn would_apply_shared(&self, object: &Value) -> Result<(), ClusterError> {
        self.apply_with(object, &PatchParams::apply(FIELD_MANAGER).dry_run()).await.map(drop)
    }

    /// Applies an object as a manager of which others may own fields. Answers the object as it is then.
    ///
    /// # Errors
    ///
    /// If the server refuses it, or a field has another value by somebody else.
    pub async fn apply_as(&self, manager: &str, object: &Value) -> Result<Value, ClusterError> {
        self.apply_with(object, &PatchParams::apply(manager)).await
    }

    /// Applies an object as a manager, and takes over its fields. Answers the object as it is then.
    ///
    /// # Errors
    ///
    /// If the server refuses it.
    pub async fn take_as(&self, manager: &str, object: &Value) -> Result<Value, ClusterError> {
        self.apply_with(object, &PatchParams::apply(manager).force()).await
    }

    /// What would come of [`take_as`](Self::take_as). Changes nothing.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn would_take_as(&self, manager: &str, object: &Value) -> Result<Value, ClusterError> {
        self.apply_with(object, &PatchParams::apply(manager).force().dry_run()).await
    }

    /// What would come of [`apply_as`](Self::apply_as). Changes nothing.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn would_apply_as(&self, manager: &str, object: &Value) -> Result<Value, ClusterError> {
        self.apply_with(object, &PatchParams::apply(manager).dry_run()).await
    }

    /// What would come of it if a person applied an object, with what others have said of it. Changes nothing.
    ///
    /// # Errors
    ///
    /// If the server wouldn't take it.
    pub async fn would_take(&self, object: &Value) -> Result<Value, ClusterError> {
        self.apply_with(object, &PatchParams::apply(KUBECTL).force().dry_run()).await
    }

    /// The same if a person made it, which whoever may not change such objects may still do. Changes nothing.
    ///
    /// # Errors
    ///
    /// If the server wouldn't take it, or has one of that name.
    pub async fn would_create(&self, object: &Value) -> Result<Value, ClusterError> {
        let Addressed { api, shown, .. } = self.target(object)?;
        let params = PostParams { dry_run: true, field_manager: Some(KUBECTL.to_owned()) };
        let failed = self.failed(format!("create {shown}"));
        let made = match serde_json::from_value(object.clone()) {
            Ok(object) => api.create(&params, &object).await,
            Err(error) => Err(kube::Error::SerdeError(error)),
        };
        Ok(serde_json::to_value(made.map_err(failed)?).unwrap_or_default())
    }

    async fn apply_with(&self, object: &Value, params: &PatchParams) -> Result<Value, ClusterError> {
        let Addressed { api, name, shown } = self.target(object)?;
        let params =
            PatchParams { field_validation: Some(kube::api::ValidationDirective::Strict), ..params.clone() };
        let applied = api.patch(&name, &params, &Patch::Apply(object)).await;
        let applied = applied.map_err(self.failed(format!("apply {shown}")))?;
        Ok(serde_json::to_value(applied).unwrap_or_default())
    }

    /// Sets who is on record as the manager of which fields of an object, as it was read.
    ///
    /// # Errors
    ///
    /// If the server refuses. What somebody else has changed since it was read is read again.
    pub async fn set_managed_fields(
        &self,
        object: &Value,
        keep: impl Fn(&Value) -> Vec<Value>,
    ) -> Result<(), ClusterError> {
        let Addressed { api, name, shown } = self.target(object)?;
        let mut now = object.clone();
        for _ in 0..TRIES {
            let version = now.pointer("/metadata/resourceVersion");
            let patch = json!({"metadata": {"resourceVersion": version, "managedFields": keep(&now)}});
            match api.patch(&name, &PatchParams::default(), &Patch::Merge(patch)).await {
                Ok(_) => return Ok(()),
                // A controller has written its status in between.
                Err(kube::Error::Api(status)) if status.code == 409 => {
                    now = self.read(object).await?.unwrap_or_default();
                }
                Err(source) => return Err(self.failed(format!("take over {shown}"))(source)),
            }
        }
        Err(ClusterError::Busy { what: shown, cluster: self.label.clone() })
    }

    /// What the server warns of if an object were applied. Changes nothing.
    ///
    /// # Errors
    ///
    /// If it refuses.
    pub async fn warnings(
        &self,
        manager: &str,
        path: &str,
        object: &Value,
    ) -> Result<Vec<String>, ClusterError> {
        let path = format!("{path}?dryRun=All&force=true&fieldManager={manager}");
        let asked = http::Request::patch(path)
            .header(http::header::CONTENT_TYPE, "application/apply-patch+yaml")
            .body(Body::from(object.to_string().into_bytes()))
            .map_err(kube::Error::HttpError);
        let answer = match asked {
            Ok(request) => self.client.send(request).await,
            Err(error) => Err(error),
        };
        let answer = answer.map_err(self.failed("ask what it would warn of"))?;
        let warnings = answer.headers().get_all(http::header::WARNING).iter();
        Ok(warnings.filter_map(|value| warning(value.to_str().ok()?)).collect())
    }
}

/// The text of a header `Warning`. RFC 9111 dropped that; Kubernetes writes `299 - "TEXT"`, in which quotes are escaped.
fn warning(value: &str) -> Option<String> {
    let (_, text) = value.split_once('"')?;
    Some(text.strip_suffix('"')?.replace("\\\"", "\""))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_warning_may_end_in_a_quote() {
        let value = r#"299 - "existing pods violate \"baseline:latest\"""#;
        assert_eq!(super::warning(value).as_deref(), Some(r#"existing pods violate "baseline:latest""#));
        assert_eq!(super::warning("299 - nothing"), None);
    }
}
