//! A member's kubeconfig: what is taken from it, and what is refused.

use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};

/// The key in the Secret.
const KEY: &str = "kubeconfig";

/// A kubeconfig can't be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KubeconfigError {
    /// The Secret isn't there.
    #[error("Secret {0} does not exist in the operator's namespace: `kubectl domicile join` makes it")]
    Missing(String),
    /// The Secret has no such key, or it isn't text.
    #[error("Secret {0} has no key `kubeconfig` with text")]
    NoKey(String),
    /// The Secret couldn't be read.
    #[error("Secret {0} could not be read")]
    Unreadable(String, #[source] Box<kube::Error>),
    /// It isn't a kubeconfig.
    #[error("the kubeconfig in Secret {0} is broken: {1}")]
    Broken(String, String),
    /// It names something that we don't do for somebody else's file.
    #[error(
        "the kubeconfig in Secret {0} has {1}, which is refused: it needs a server, certificate-authority-data and a token or client certificate, nothing else"
    )]
    Refused(String, &'static str),
}

/// Reads the Secret and makes a client of it.
pub(crate) async fn connect(hub: &Client, namespace: &str, secret: &str) -> Result<Client, KubeconfigError> {
    let api: Api<Secret> = Api::namespaced(hub.clone(), namespace);
    let found =
        api.get_opt(secret).await.map_err(|e| KubeconfigError::Unreadable(secret.to_owned(), Box::new(e)))?;
    let found = found.ok_or_else(|| KubeconfigError::Missing(secret.to_owned()))?;
    let text =
        found.data.and_then(|mut data| data.remove(KEY)).and_then(|bytes| String::from_utf8(bytes.0).ok());
    let text = text.ok_or_else(|| KubeconfigError::NoKey(secret.to_owned()))?;
    let broken =
        |error: &dyn std::fmt::Display| KubeconfigError::Broken(secret.to_owned(), error.to_string());
    let parsed = Kubeconfig::from_yaml(&text).map_err(|e| broken(&e))?;
    if let Some(what) = refused(&parsed) {
        return Err(KubeconfigError::Refused(secret.to_owned(), what));
    }
    let mut config = Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
        .await
        .map_err(|e| broken(&e))?;
    config.connect_timeout = Some(Duration::from_secs(5));
    // With kube's own retries, one 503 holds a call for minutes; ours are per object.
    config.default_retry = false;
    config.proxy_url = None;
    Client::try_from(config).map_err(|e| broken(&e))
}

/// What in a kubeconfig would run a program, read a file, go elsewhere or trust anybody.
fn refused(kubeconfig: &Kubeconfig) -> Option<&'static str> {
    let clusters = kubeconfig.clusters.iter().filter_map(|named| named.cluster.as_ref());
    for cluster in clusters {
        if cluster.insecure_skip_tls_verify == Some(true) {
            return Some("insecure-skip-tls-verify");
        }
        if cluster.proxy_url.is_some() {
            return Some("proxy-url");
        }
        if cluster.certificate_authority.is_some() {
            return Some("certificate-authority (a file path)");
        }
        if cluster.certificate_authority_data.is_none() {
            return Some("no certificate-authority-data");
        }
        if !cluster.server.as_deref().is_some_and(|server| server.starts_with("https://")) {
            return Some("a server that isn't https");
        }
    }
    let users = kubeconfig.auth_infos.iter().filter_map(|named| named.auth_info.as_ref());
    for user in users {
        if user.exec.is_some() {
            return Some("exec");
        }
        if user.auth_provider.is_some() {
            return Some("auth-provider");
        }
        if user.token_file.is_some() || user.client_certificate.is_some() || user.client_key.is_some() {
            return Some("a file path");
        }
        if user.username.is_some() || user.password.is_some() {
            return Some("a password");
        }
        if user.impersonate.is_some() || user.impersonate_groups.is_some() {
            return Some("impersonation");
        }
    }
    None
}
