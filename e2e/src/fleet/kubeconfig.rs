//! Kubeconfigs, with everything in them, so that one can be put into a Secret as it is.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;
use domicile_crds::kubeconfig::{Credential, Kubeconfig};
use kube::config::{KubeConfigOptions, Kubeconfig as KubeKubeconfig};
use kube::{Client, Config};

use super::pki::{Identity, Pki};

/// The text of a kubeconfig for `identity` at `endpoint`.
pub(crate) fn text(cluster: &str, endpoint: &str, pki: &Pki, identity: &Identity) -> String {
    let credential =
        Credential::Certificate { certificate: identity.certificate.clone(), key: identity.key.clone() };
    let kubeconfig = Kubeconfig {
        server: endpoint.to_owned(),
        authority: pki.authority(),
        tls_server_name: None,
        credential,
    };
    kubeconfig.to_yaml(cluster)
}

/// Writes a kubeconfig that only its owner can read: it holds a key.
pub(crate) fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    }
    OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("cannot write {}", path.display()))
}

/// A client that uses the kubeconfig in `text`.
pub(crate) async fn client(text: &str) -> anyhow::Result<Client> {
    // Fails when the program has chosen a provider already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let config = KubeKubeconfig::from_yaml(text)?;
    let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await?;
    Ok(Client::try_from(config)?)
}
