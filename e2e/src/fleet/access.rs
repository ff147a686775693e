//! How a cluster is reached, whatever it runs on.

use std::path::{Path, PathBuf};

use domicile_crds::kubeconfig::{Credential, Kubeconfig};
use http::Request;
use kube::Client;

use super::kubeconfig;
use super::kubectl::Kubectl;
use super::metrics::RequestCounts;

/// A cluster as its administrator reaches it. What runs the cluster is known to [`super::Cluster`] or
/// [`crate::kind::Cluster`] only, so that scenarios need no more than this.
#[derive(Clone)]
pub struct Access {
    pub(crate) name: String,
    pub(crate) dir: PathBuf,
    pub(crate) kubectl: PathBuf,
    pub(crate) kubeconfig: PathBuf,
    /// The same for the operator, which may be somewhere else.
    pub(crate) for_operator: PathBuf,
    pub(crate) client: Client,
}

impl Access {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The folder with its files.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The administrator's kubeconfig. It has everything in it, so it can be copied into a Secret.
    #[must_use]
    pub fn kubeconfig_path(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// The administrator's kubeconfig with the address that the operator can reach.
    #[must_use]
    pub fn kubeconfig_for_operator(&self) -> &Path {
        &self.for_operator
    }

    /// The same cluster for an operator that runs on this machine.
    #[must_use]
    pub fn from_here(self) -> Self {
        Self { for_operator: self.kubeconfig.clone(), ..self }
    }

    /// The kubeconfig of a ServiceAccount, by a token that lasts a day.
    ///
    /// # Errors
    ///
    /// If there is no such account, or the file can't be written.
    pub async fn kubeconfig_for_account(&self, namespace: &str, name: &str) -> anyhow::Result<PathBuf> {
        let create = ["-n", namespace, "create", "token", name, "--duration=24h"];
        let token = self.kubectl(create).text().await?.trim().to_owned();
        let of_admin = Kubeconfig::parse(&std::fs::read_to_string(&self.kubeconfig)?)?;
        let text = Kubeconfig { credential: Credential::Token(token), ..of_admin }.to_yaml(&self.name);
        let path = self.dir.join("kubeconfigs").join(format!("{namespace}-{name}.yaml"));
        kubeconfig::write(&path, &text)?;
        Ok(path)
    }

    /// A client as the administrator.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// A kubectl that fits it.
    #[must_use]
    pub fn kubectl_path(&self) -> &Path {
        &self.kubectl
    }

    /// A kubectl command on this cluster.
    #[must_use]
    pub fn kubectl<'a>(&self, args: impl IntoIterator<Item = &'a str>) -> Kubectl {
        Kubectl::new(self).args(args)
    }

    /// How many write requests its API server was sent since it started.
    ///
    /// # Errors
    ///
    /// When it doesn't answer.
    pub async fn metrics(&self) -> anyhow::Result<RequestCounts> {
        let request = Request::get("/metrics").body(Vec::new())?;
        RequestCounts::parse(&self.client.request_text(request).await?)
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = formatter.debug_struct("Access");
        shown.field("name", &self.name).field("kubeconfig", &self.kubeconfig).finish_non_exhaustive()
    }
}
