//! A member's kubeconfig: from the Secret to a client.

use std::time::Duration;

use domicile_crds::kubeconfig::{Kubeconfig, KubeconfigError as Refusal};
use k8s_openapi::api::core::v1::Secret;
use kube::{
    Api, Client, Config,
    config::{KubeConfigOptions, Kubeconfig as KubeKubeconfig},
};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

use super::{agent::chain, limit::limited};
use crate::hub::write::timely;

/// The key in the Secret.
const KEY: &str = "kubeconfig";

/// What is in the Secret, as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// There is no such Secret.
    Missing,
    /// It has no such key, or it isn't text.
    NoKey,
    /// It couldn't be read: why.
    Unreadable(String),
    /// The kubeconfig.
    Text(String),
}

/// A kubeconfig can't be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum KubeconfigError {
    /// The Secret isn't there.
    #[error("Secret {0} does not exist in the operator's namespace: `kubectl domicile join` makes it")]
    Missing(String),
    /// The Secret has no such key, or it isn't text.
    #[error("Secret {0} has no key `kubeconfig` with text: `kubectl domicile join` makes one")]
    NoKey(String),
    /// The Secret couldn't be read.
    #[error("Secret {0} could not be read: {1}")]
    Unreadable(String, String),
    /// It isn't a kubeconfig, or does more than name a server and a credential.
    #[error("the kubeconfig in Secret {0} is broken: {1}; `kubectl domicile join` makes another")]
    Broken(String, String),
}

/// How often the Secret is looked at: as often as the member is asked how it is. A watch would take the right to list, and
/// with it to read every Secret of the namespace.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Tells what is in the Secret, now and whenever that has changed. A person who puts it right is heard soon.
pub(super) async fn follow(hub: &Client, namespace: &str, secret: &str, found: watch::Sender<Option<Found>>) {
    let api: Api<Secret> = Api::namespaced(hub.clone(), namespace);
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        looks.tick().await;
        let new = match timely(api.get_opt(secret)).await {
            Ok(None) => Found::Missing,
            Ok(Some(object)) => kubeconfig(object).map_or(Found::NoKey, Found::Text),
            // What was read before stays: the hub's silence says nothing about the member.
            Err(_) if found.borrow().is_some() => continue,
            Err(error) => Found::Unreadable(chain(&error)),
        };
        // A new label or annotation is no reason to connect anew.
        found.send_if_modified(|old| {
            let differs = old.as_ref() != Some(&new);
            *old = Some(new);
            differs
        });
    }
}

fn kubeconfig(secret: Secret) -> Option<String> {
    String::from_utf8(secret.data?.remove(KEY)?.0).ok()
}

/// Makes a client of what was found. Answers the server's address too.
pub(super) async fn connect(secret: &str, found: Found) -> Result<(Client, String), KubeconfigError> {
    let text = match found {
        Found::Missing => return Err(KubeconfigError::Missing(secret.to_owned())),
        Found::NoKey => return Err(KubeconfigError::NoKey(secret.to_owned())),
        Found::Unreadable(why) => return Err(KubeconfigError::Unreadable(secret.to_owned(), why)),
        Found::Text(text) => text,
    };
    let broken = |why: String| KubeconfigError::Broken(secret.to_owned(), why);
    let allowed = Kubeconfig::parse(&text).map_err(|refusal| match refusal {
        Refusal::Refused(wrong) => broken(wrong.join(", ")),
        Refusal::Read(_) => broken(chain(&refusal)),
    })?;
    // Not the file itself: what it could do beside naming these was refused or is left out.
    let parsed = KubeKubeconfig::from_yaml(&allowed.to_yaml(secret)).map_err(|e| broken(chain(&e)))?;
    let mut config = Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
        .await
        .map_err(|e| broken(chain(&e)))?;
    config.connect_timeout = Some(Duration::from_secs(5));
    // With kube's own retries, one 503 holds a call for minutes; ours are per object.
    config.default_retry = false;
    config.proxy_url = None;
    let server = config.cluster_url.to_string();
    let client = Client::try_from(config).map_err(|e| broken(chain(&e)))?;
    Ok((limited(client), server))
}
