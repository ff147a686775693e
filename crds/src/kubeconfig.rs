//! The kubeconfig by which the hub reaches a member.
//!
//! # Guarantees
//!
//! What is stored is written here, field by field, and never what somebody sent: a kubeconfig can run
//! a command, read a file or go through a proxy, and whoever loads it does so with its own rights.

use std::fmt;

use k8s_openapi::ByteString;
use serde_json::{Value, json};

use crate::yaml;

/// A server, whom to trust there, and who one is. Nothing else.
#[derive(Clone, PartialEq, Eq)]
pub struct Kubeconfig {
    /// URL of the API server.
    pub server: String,
    /// Certificates of the authorities that the server's certificate may come from, in PEM.
    pub authority: String,
    /// Name in the server's certificate, if it isn't the URL's.
    pub tls_server_name: Option<String>,
    /// Who one is.
    pub credential: Credential,
}

/// A credential that is complete in itself.
#[derive(Clone, PartialEq, Eq)]
pub enum Credential {
    /// A bearer token.
    Token(String),
    /// A client certificate with its key, both in PEM.
    Certificate {
        /// The certificate.
        certificate: String,
        /// Its key.
        key: String,
    },
}

impl fmt::Debug for Kubeconfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kubeconfig").field("server", &self.server).finish_non_exhaustive()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Token(_) => "Token(..)",
            Self::Certificate { .. } => "Certificate { .. }",
        })
    }
}

/// A kubeconfig isn't taken.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// It isn't YAML.
    #[error("the kubeconfig can't be read")]
    Read(#[from] yaml::YamlError),
    /// It has what must not be in it, or lacks what must.
    #[error(
        "the kubeconfig is not taken:\n  {}\nwanted: a server, certificate-authority-data, and a token or client-certificate-data with client-key-data; docs/member.md shows how to make one",
        .0.join("\n  ")
    )]
    Refused(Vec<String>),
}

impl Kubeconfig {
    /// Reads the current context of a kubeconfig.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with it, by the fields' names.
    pub fn parse(text: &str) -> Result<Self, KubeconfigError> {
        let file: Value = yaml::from_str(text)?;
        let mut wrong = Vec::new();
        let parsed = current(&file, &mut wrong).and_then(|(cluster, user)| {
            let server = server(cluster, &mut wrong);
            let credential = credential(user, &mut wrong);
            let authority = authority(cluster, &mut wrong);
            let tls_server_name = text_of(cluster, "tls-server-name").map(str::to_owned);
            Some(Self { server: server?, authority: authority?, tls_server_name, credential: credential? })
        });
        match parsed {
            Some(kubeconfig) if wrong.is_empty() => Ok(kubeconfig),
            _ => Err(KubeconfigError::Refused(wrong)),
        }
    }

    /// The text to store. `name` is what its cluster, context and user are called.
    #[must_use]
    pub fn to_yaml(&self, name: &str) -> String {
        let base64 = |pem: &str| ByteString(pem.as_bytes().to_vec());
        let mut cluster =
            json!({"server": self.server, "certificate-authority-data": base64(&self.authority)});
        if let (Some(name), Value::Object(cluster)) = (&self.tls_server_name, &mut cluster) {
            cluster.insert("tls-server-name".to_owned(), json!(name));
        }
        let user = match &self.credential {
            Credential::Token(token) => json!({"token": token}),
            Credential::Certificate { certificate, key } => {
                json!({"client-certificate-data": base64(certificate), "client-key-data": base64(key)})
            }
        };
        yaml::document(&json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": cluster}],
            "users": [{"name": name, "user": user}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }))
    }
}

/// Cluster and user of the current context.
fn current<'a>(file: &'a Value, wrong: &mut Vec<String>) -> Option<(&'a Value, &'a Value)> {
    if file.get("kind").and_then(Value::as_str) != Some("Config") {
        wrong.push("it is no kubeconfig: its kind is not Config".to_owned());
        return None;
    }
    let Some(name) = text_of(file, "current-context") else {
        wrong.push("current-context is missing".to_owned());
        return None;
    };
    let mut find = |list: &str, name: Option<&str>, part: &str| {
        let entries = file.get(list).and_then(Value::as_array);
        let entry =
            entries.into_iter().flatten().find(|entry| text_of(entry, "name") == name && name.is_some());
        let found = entry.and_then(|entry| entry.get(part));
        if found.is_none() {
            wrong.push(format!("{list} has no {} with a {part}", name.unwrap_or("entry")));
        }
        found
    };
    let context = find("contexts", Some(name), "context")?;
    let cluster = find("clusters", text_of(context, "cluster"), "cluster");
    let user = find("users", text_of(context, "user"), "user");
    Some((cluster?, user?))
}

fn text_of<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str().filter(|text| !text.is_empty())
}

/// Whether a field says something: absent, null, false and empty say nothing.
fn says(value: &Value, key: &str) -> bool {
    match value.get(key) {
        None | Some(Value::Null | Value::Bool(false)) => false,
        Some(Value::String(text)) => !text.is_empty(),
        Some(_) => true,
    }
}

fn refuse(value: &Value, key: &str, why: &str, wrong: &mut Vec<String>) {
    if says(value, key) {
        wrong.push(format!("{key} {why}"));
    }
}

fn server(cluster: &Value, wrong: &mut Vec<String>) -> Option<String> {
    refuse(cluster, "proxy-url", "would send everything through somebody else", wrong);
    refuse(cluster, "insecure-skip-tls-verify", "would trust any server", wrong);
    let server = text_of(cluster, "server");
    match server {
        None => wrong.push("server is missing".to_owned()),
        Some(url) if !url.starts_with("https://") => {
            wrong.push(format!("server {url} doesn't begin with https://"));
        }
        Some(_) => {}
    }
    server.map(str::to_owned)
}

fn authority(cluster: &Value, wrong: &mut Vec<String>) -> Option<String> {
    refuse(cluster, "certificate-authority", "names a file, which isn't here", wrong);
    pem(cluster, "certificate-authority-data", "CERTIFICATE", wrong)
}

fn credential(user: &Value, wrong: &mut Vec<String>) -> Option<Credential> {
    refuse(user, "exec", "would run a command", wrong);
    refuse(user, "auth-provider", "would run a plugin", wrong);
    for key in ["client-certificate", "client-key", "tokenFile"] {
        refuse(user, key, "names a file, which isn't here", wrong);
    }
    for key in ["username", "password"] {
        refuse(user, key, "is of basic authentication, which no supported Kubernetes knows", wrong);
    }
    for key in ["as", "as-uid", "as-groups", "as-user-extra"] {
        refuse(user, key, "would act as somebody else all the time", wrong);
    }
    if let Some(token) = text_of(user, "token") {
        return Some(Credential::Token(token.to_owned()));
    }
    if !says(user, "client-certificate-data") && !says(user, "client-key-data") {
        wrong.push("token is missing".to_owned());
        return None;
    }
    let certificate = pem(user, "client-certificate-data", "CERTIFICATE", wrong);
    let key = pem(user, "client-key-data", "PRIVATE KEY", wrong);
    Some(Credential::Certificate { certificate: certificate?, key: key? })
}

/// PEM text in base64.
fn pem(value: &Value, field: &str, what: &str, wrong: &mut Vec<String>) -> Option<String> {
    let Some(encoded) = text_of(value, field) else {
        wrong.push(format!("{field} is missing"));
        return None;
    };
    let bytes = serde_json::from_value::<ByteString>(json!(encoded)).map(|bytes| bytes.0).unwrap_or_default();
    match String::from_utf8(bytes) {
        Ok(text) if text.contains("-----BEGIN ") && text.contains(what) => Some(text),
        _ => {
            wrong.push(format!("{field} is no {what} in PEM, in base64"));
            None
        }
    }
}

#[cfg(test)]
mod tests;
