//! Leader election: who writes.
//!
//! Own code, because the published crates renew without a resourceVersion, so that two holders can both win.
//! Whether a lease has run out is judged by how long it hasn't changed under our own eyes, not by comparing
//! another machine's clock with ours (as client-go does).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail};
use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::MicroTime,
};
use kube::{
    Api, Client,
    api::{ObjectMeta, PostParams},
    client::Body,
};
use tokio::time::Instant;

/// The lease's name.
pub(crate) const LEASE_NAME: &str = "domicile-operator";

/// A lease that is held, and must be renewed.
pub(crate) struct Held {
    api: Api<Lease>,
    lease: Lease,
    duration: Duration,
    identity: String,
    tenure: Tenure,
}

/// Until when writing is ours, by our own clock.
///
/// A process that was stopped and goes on (a paused machine, a long swap) has another leader by then, and doesn't know:
/// what it had in hand must not be sent. That it ends a moment later is too late.
#[derive(Clone, Debug)]
pub(crate) struct Tenure(Arc<Mutex<Instant>>);

impl Tenure {
    /// Whether the lease can't have run out yet.
    fn is_held(&self) -> bool {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) > Instant::now()
    }

    fn extend(&self, until: Instant) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    /// A client that looks at any time, but sends a write only while the lease is held.
    pub(crate) fn guard(&self, client: Client) -> Client {
        let tenure = self.clone();
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (client, tenure) = (client.clone(), tenure.clone());
            async move {
                if request.method() != http::Method::GET && !tenure.is_held() {
                    return Err(tower::BoxError::from("the lease has run out: nothing is written any more"));
                }
                Ok::<_, tower::BoxError>(client.send(request).await?)
            }
        });
        Client::new(service, "default")
    }
}

/// What is needed to get a lease.
#[derive(Clone)]
pub(crate) struct Candidate {
    /// The hub.
    pub(crate) client: Client,
    /// The operator's namespace.
    pub(crate) namespace: String,
    /// Who we are.
    pub(crate) identity: String,
    /// How long a lease lasts.
    pub(crate) duration: Duration,
}

impl Candidate {
    /// Waits until the lease is ours.
    pub(crate) async fn acquire(&self, mut known: impl FnMut(&str)) -> Held {
        let api: Api<Lease> = Api::namespaced(self.client.clone(), &self.namespace);
        let mut seen: Option<(String, Instant)> = None;
        loop {
            let until = Instant::now() + self.duration * 4 / 5;
            match self.attempt(&api, &mut seen, &mut known).await {
                Ok(Some(lease)) => {
                    let (duration, identity) = (self.duration, self.identity.clone());
                    return Held {
                        api,
                        lease,
                        duration,
                        identity,
                        tenure: Tenure(Arc::new(Mutex::new(until))),
                    };
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(error = %format!("{error:#}"), "cannot read or take the lease"),
            }
            tokio::time::sleep(self.duration / 5).await;
        }
    }

    async fn attempt(
        &self,
        api: &Api<Lease>,
        seen: &mut Option<(String, Instant)>,
        known: &mut impl FnMut(&str),
    ) -> anyhow::Result<Option<Lease>> {
        let Some(current) = within(self.duration / 3, api.get_opt(LEASE_NAME)).await? else {
            let lease = self.lease(None, 0);
            return Ok(within(self.duration / 3, api.create(&PostParams::default(), &lease)).await.ok());
        };
        let holder = current.spec.as_ref().and_then(|s| s.holder_identity.clone()).unwrap_or_default();
        known(&holder);
        let version = current.metadata.resource_version.clone().unwrap_or_default();
        if seen.as_ref().is_none_or(|(last, _)| *last != version) {
            *seen = Some((version, Instant::now()));
        }
        let unchanged = seen.as_ref().map_or(Duration::ZERO, |(_, since)| since.elapsed());
        let spec = current.spec.as_ref();
        let lasts = spec.and_then(|s| s.lease_duration_seconds).and_then(|s| u64::try_from(s).ok());
        if !holder.is_empty() && unchanged < Duration::from_secs(lasts.unwrap_or(15)) {
            return Ok(None);
        }
        let transitions = spec.and_then(|s| s.lease_transitions).unwrap_or(0);
        let lease = self.lease(current.metadata.resource_version, transitions.saturating_add(1));
        // A conflict means that somebody else was faster.
        match within(self.duration / 3, api.replace(LEASE_NAME, &PostParams::default(), &lease)).await {
            Ok(lease) => Ok(Some(lease)),
            Err(error) => {
                tracing::debug!(error = %format!("{error:#}"), "another replica took the lease");
                Ok(None)
            }
        }
    }

    fn lease(&self, resource_version: Option<String>, transitions: i32) -> Lease {
        let now = MicroTime(jiff::Timestamp::now());
        Lease {
            metadata: ObjectMeta {
                name: Some(LEASE_NAME.to_owned()),
                namespace: Some(self.namespace.clone()),
                resource_version,
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(self.duration.as_secs()).ok(),
                acquire_time: Some(now.clone()),
                renew_time: Some(now),
                lease_transitions: Some(transitions),
                ..LeaseSpec::default()
            }),
        }
    }
}

impl Held {
    /// Until when writing is ours.
    pub(crate) fn tenure(&self) -> Tenure {
        self.tenure.clone()
    }

    /// Renews until that fails for two thirds of the lease's duration, or somebody else holds it.
    ///
    /// # Errors
    ///
    /// Always, in the end: the process must then stop writing at once.
    pub(crate) async fn keep(mut self) -> anyhow::Result<()> {
        let mut last = Instant::now();
        loop {
            tokio::time::sleep(self.duration / 5).await;
            let deadline = self.duration * 2 / 3;
            // From before the request: whoever watches sees the renewal later than that.
            let begun = Instant::now();
            match self.renew().await {
                Ok(()) => {
                    last = begun;
                    self.tenure.extend(begun + self.duration * 4 / 5);
                }
                Err(error) if is_conflict(&error) && !self.is_still_ours().await => {
                    bail!("the lease was taken by another replica")
                }
                Err(error) if last.elapsed() > deadline => {
                    return Err(error).context("the lease could not be renewed in time");
                }
                Err(error) => {
                    tracing::warn!(error = %format!("{error:#}"), "the lease was not renewed, trying again");
                }
            }
        }
    }

    /// After a conflict: a renewal whose answer was lost is ours all the same.
    async fn is_still_ours(&mut self) -> bool {
        let Ok(Some(lease)) = within(self.duration / 5, self.api.get_opt(LEASE_NAME)).await else {
            return false;
        };
        let ours =
            lease.spec.as_ref().and_then(|s| s.holder_identity.as_deref()) == Some(self.identity.as_str());
        self.lease = lease;
        ours
    }

    async fn renew(&mut self) -> anyhow::Result<()> {
        let mut next = self.lease.clone();
        if let Some(spec) = &mut next.spec {
            spec.renew_time = Some(MicroTime(jiff::Timestamp::now()));
        }
        next.metadata.managed_fields = None;
        let params = PostParams::default();
        let replaced = self.api.replace(LEASE_NAME, &params, &next);
        self.lease = within(self.duration / 5, replaced).await?;
        Ok(())
    }

    /// Lets another replica take over at once.
    pub(crate) async fn release(api: Api<Lease>, identity: &str) {
        let Ok(Some(mut lease)) = api.get_opt(LEASE_NAME).await else { return };
        let ours = lease.spec.as_ref().and_then(|s| s.holder_identity.as_deref()) == Some(identity);
        if let Some(spec) = lease.spec.as_mut().filter(|_| ours) {
            spec.holder_identity = Some(String::new());
            lease.metadata.managed_fields = None;
            // If it fails, the lease runs out by itself.
            let _ = api.replace(LEASE_NAME, &PostParams::default(), &lease).await;
        }
    }
}

fn is_conflict(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref::<kube::Error>(), Some(kube::Error::Api(status)) if status.code == 409)
}

async fn within<T>(limit: Duration, call: impl Future<Output = Result<T, kube::Error>>) -> anyhow::Result<T> {
    Ok(tokio::time::timeout(limit, call).await.context("no answer in time")??)
}
