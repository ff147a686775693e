//! One task per member that connects, watches and asks how it is.

use std::{future::pending, sync::Arc, time::Duration};

use domicile_crds::ClusterName;
use kube::Client;
use tokio::{sync::mpsc, task::JoinSet, time::Instant};

use super::{DEADLINE, Fault, Member, MemberEvent, kubeconfig, probe::probe, watch};
use crate::{brain::Input, lease::Tenure, metrics::Metrics};

/// How often a member is asked how it is. Three misses are half a minute, before it counts as not ready.
const PROBE_EVERY: Duration = Duration::from_secs(10);
/// How often its nodes and kinds are asked for.
const INVENTORY_EVERY: Duration = Duration::from_mins(1);

/// What an agent needs.
#[derive(Clone)]
pub(crate) struct Agent {
    /// The member.
    pub(crate) name: ClusterName,
    /// The hub, to read the Secret.
    pub(crate) hub: Client,
    /// Until when writing is ours.
    pub(crate) tenure: Tenure,
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
        let (seen, secret) = tokio::sync::watch::channel(None);
        let follow = kubeconfig::follow(&self.hub, &self.namespace, &self.secret, seen);
        tokio::select! {
            () = follow => {}
            () = self.serve(secret) => {}
        }
    }

    /// Connects with what is in the Secret, and again whenever that changes.
    async fn serve(&self, mut secret: tokio::sync::watch::Receiver<Option<kubeconfig::Found>>) {
        loop {
            let found = secret.borrow_and_update().clone();
            let attend = async {
                let Some(found) = found else { return pending().await };
                match kubeconfig::connect(&self.secret, found).await {
                    Ok((client, server)) => self.attend(self.tenure.guard(client), &server).await,
                    Err(error) => {
                        let fault =
                            Fault { certain: true, reason: "KubeconfigInvalid", message: chain(&error) };
                        self.send(MemberEvent::NotConnected(fault)).await;
                        pending::<()>().await;
                    }
                }
            };
            tokio::select! {
                () = attend => {}
                changed = secret.changed() => if changed.is_err() { return },
            }
        }
    }

    /// Watches and asks.
    async fn attend(&self, client: Client, server: &str) {
        let member = Arc::new(Member::new(self.name.clone(), client.clone()));
        self.send(MemberEvent::Connected(member)).await;
        let mut watches = JoinSet::new();
        let mut last_inventory: Option<Instant> = None;
        let mut ticks = tokio::time::interval(PROBE_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let thorough = last_inventory.is_none_or(|at| at.elapsed() >= INVENTORY_EVERY);
            let answer = match tokio::time::timeout(DEADLINE, probe(&client, thorough)).await {
                Ok(Ok(found)) => {
                    if thorough {
                        last_inventory = Some(Instant::now());
                    }
                    Ok(Box::new(found))
                }
                Ok(Err(error)) => Err(self.fault(server, &error)),
                Err(_) => {
                    let seconds = DEADLINE.as_secs();
                    Err(self.unreachable(server, &format!("no answer within {seconds} seconds")))
                }
            };
            let answers = answer.is_ok();
            // What is seen comes after who was seen: it might be another cluster.
            self.send(MemberEvent::Probed(answer)).await;
            if answers && watches.is_empty() {
                watch::start(&mut watches, self, &client);
            }
        }
    }

    /// What went wrong when the member was asked how it is, and what to do.
    fn fault(&self, server: &str, error: &kube::Error) -> Fault {
        let secret = &self.secret;
        let refused = |reason, what: &str, status: &kube::core::Status| {
            let said = &status.message;
            let message = format!(
                "{server} refuses {what} ({said}): `kubectl domicile join {}` makes another and puts it into Secret {secret}",
                self.name
            );
            Fault { certain: true, reason, message }
        };
        match error {
            kube::Error::Api(status) if status.code == 401 => {
                refused("CredentialRefused", "the credential", status)
            }
            kube::Error::Api(status) if status.code == 403 => {
                refused("RightsMissing", "what the hub needs to look", status)
            }
            error => self.unreachable(server, &chain(error)),
        }
    }

    fn unreachable(&self, server: &str, why: &str) -> Fault {
        let message = format!(
            "{server} can't be used ({why}): see that it runs and can be reached from here, or correct the server in Secret {}",
            self.secret
        );
        Fault { certain: false, reason: "Unreachable", message }
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
