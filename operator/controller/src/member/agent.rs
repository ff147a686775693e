//! One task per member that connects, watches and asks how it is.

use std::{sync::Arc, time::Duration};

use domicile_crds::ClusterName;
use kube::Client;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::{DEADLINE, Member, MemberEvent, kubeconfig, probe::probe, watch};
use crate::{brain::Input, metrics::Metrics};

/// How often a member is asked how it is. Three misses are half a minute, before it counts as not ready.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// How often its nodes and kinds are asked for.
const INVENTORY_EVERY: Duration = Duration::from_mins(1);
/// How long after a broken kubeconfig it is read again.
const RECONNECT_AFTER: Duration = Duration::from_secs(5);

/// What an agent needs.
#[derive(Clone)]
pub(crate) struct Agent {
    /// The member.
    pub(crate) name: ClusterName,
    /// The hub, to read the Secret.
    pub(crate) hub: Client,
    /// The operator's namespace.
    pub(crate) namespace: String,
    /// The Secret's name.
    pub(crate) secret: String,
    /// Where observations go.
    pub(crate) inputs: mpsc::Sender<Input>,
    /// Metrics.
    pub(crate) metrics: Arc<Metrics>,
}

impl Agent {
    /// Looks after the member until aborted.
    pub(crate) async fn run(self) {
        loop {
            match kubeconfig::connect(&self.hub, &self.namespace, &self.secret).await {
                Ok(client) => self.attend(client).await,
                Err(error) => {
                    let event = MemberEvent::NotConnected("KubeconfigInvalid", chain(&error));
                    self.send(event).await;
                    tokio::time::sleep(RECONNECT_AFTER).await;
                }
            }
        }
    }

    /// Watches and asks until the credential is refused: then the Secret is read again.
    async fn attend(&self, client: Client) {
        let member = Arc::new(Member::new(self.name.clone(), client.clone()));
        self.send(MemberEvent::Connected(member)).await;
        let mut watches = JoinSet::new();
        let mut last_inventory: Option<Instant> = None;
        let mut ticks = tokio::time::interval(PROBE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let thorough = last_inventory.is_none_or(|at| at.elapsed() >= INVENTORY_EVERY);
            let answer = tokio::time::timeout(DEADLINE, probe(&client, thorough)).await;
            let (answer, refused) = match answer {
                Ok(Ok(found)) => {
                    if thorough {
                        last_inventory = Some(Instant::now());
                    }
                    if watches.is_empty() {
                        watch::start(&mut watches, self, &client);
                    }
                    (Ok(Box::new(found)), false)
                }
                Ok(Err(error)) => {
                    let refused = matches!(&error, kube::Error::Api(status) if status.code == 401);
                    (Err(chain(&error)), refused)
                }
                Err(_) => (Err(format!("no answer within {} seconds", DEADLINE.as_secs())), false),
            };
            self.send(MemberEvent::Probed(answer)).await;
            if refused {
                tokio::time::sleep(RECONNECT_AFTER).await;
                return;
            }
        }
    }

    pub(super) async fn send(&self, event: MemberEvent) {
        // The brain is gone only when the process ends.
        let _ = self.inputs.send(Input::Member(self.name.clone(), event)).await;
    }
}

/// An error with all its causes.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let words = cause.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        source = cause.source();
    }
    text
}
