//! Leader election: who writes.
//!
//! Own code, because the published crates renew without a resourceVersion, so that two holders can both win.
//! Whether a lease has run out is judged by how long it hasn't changed under our own eyes, not by comparing
//! another machine's clock with ours (as client-go does).

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
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
    /// The last renewal that is known to be written and those after it whose answer was lost, each with when it began.
    asked: Vec<(MicroTime, Instant)>,
}

/// Another replica writes now.
#[derive(Debug, thiserror::Error)]
#[error("the lease was taken by {0:?}")]
struct Taken(String);

/// Until when writing is ours, by our own clock.
///
/// A process that was stopped and goes on (a paused machine, a long swap) has another leader by then, and doesn't know:
/// what it had in hand must not be sent. That it ends a moment later is too late.
#[derive(Clone, Debug)]
pub(crate) struct Tenure(Arc<Mutex<Instant>>);

impl Tenure {
    #[cfg(test)]
    pub(crate) fn lasting(time: Duration) -> Self {
        Self(Arc::new(Mutex::new(Instant::now() + time)))
    }

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
                        asked: Vec::new(),
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
            // One that is there by now was made by somebody who was faster.
            return match within(self.duration / 3, api.create(&PostParams::default(), &lease)).await {
                Err(error) if is_conflict(&error) => Ok(None),
                made => made.map(Some),
            };
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
        let mut next = last + self.duration / 5;
        loop {
            tokio::time::sleep_until(next).await;
            let begun = Instant::now();
            next = begun + self.duration / 5;
            match self.renew(begun).await {
                Ok(since) => {
                    last = last.max(since);
                    self.tenure.extend(last + self.duration * 4 / 5);
                    if since < begun {
                        next = Instant::now();
                    }
                }
                Err(error) if error.is::<Taken>() => return Err(error),
                Err(error) if last.elapsed() > self.duration * 2 / 3 => {
                    return Err(error).context("the lease could not be renewed in time");
                }
                Err(error) => {
                    tracing::warn!(error = %format!("{error:#}"), "the lease was not renewed, trying again");
                }
            }
        }
    }

    /// Renews. Answers from when on that counts: from before the request, since whoever watches sees the renewal later.
    async fn renew(&mut self, begun: Instant) -> anyhow::Result<Instant> {
        let mut next = self.lease.clone();
        let now = jiff::Timestamp::now();
        // As precise as it is when it is read again.
        let now = MicroTime(jiff::Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now));
        if let Some(spec) = &mut next.spec {
            spec.renew_time = Some(now.clone());
        }
        next.metadata.managed_fields = None;
        self.asked.push((now.clone(), begun));
        let params = PostParams::default();
        let replaced = self.api.replace(LEASE_NAME, &params, &next);
        match within(self.duration / 5, replaced).await {
            Ok(lease) => {
                self.lease = lease;
                self.asked = vec![(now, begun)];
                Ok(begun)
            }
            Err(error) if is_conflict(&error) => self.find_renewal().await,
            Err(error) => Err(error),
        }
    }

    /// After a conflict: a renewal whose answer was lost counts, if it is what was written.
    async fn find_renewal(&mut self) -> anyhow::Result<Instant> {
        let found = within(self.duration / 5, self.api.get(LEASE_NAME)).await?;
        let spec = found.spec.clone().unwrap_or_default();
        let holder = spec.holder_identity.unwrap_or_default();
        if holder != self.identity {
            return Err(Taken(holder).into());
        }
        self.lease = found;
        let ours = self.asked.iter().find(|(asked, _)| Some(asked) == spec.renew_time.as_ref());
        ours.map(|(_, begun)| *begun).context("somebody else has written the lease in our name")
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

#[cfg(test)]
mod tests {
    use http::{Method, Response, StatusCode};
    use serde_json::{Value, json};

    use super::*;

    const LASTS: Duration = Duration::from_secs(3);

    /// An API server with one lease. What `late` says of a write, by its number, is written and not answered.
    fn server(
        lease: Lease,
        late: impl Fn(usize) -> bool + Send + Sync + 'static,
    ) -> (Client, Arc<Mutex<Lease>>) {
        let stored = Arc::new(Mutex::new(lease));
        let (state, late, writes) = (stored.clone(), Arc::new(late), Arc::new(Mutex::new(0_usize)));
        let service = tower::service_fn(move |request: http::Request<Body>| {
            let (state, late, writes) = (state.clone(), late.clone(), writes.clone());
            async move {
                if request.method() == Method::GET {
                    return Ok::<_, tower::BoxError>(answer(StatusCode::OK, &json!(*state.lock().unwrap())));
                }
                let body = request.into_body().collect_bytes().await?;
                let next: Lease = serde_json::from_slice(&body)?;
                let written = {
                    let mut state = state.lock().unwrap();
                    if next.metadata.resource_version != state.metadata.resource_version {
                        let conflict = json!({"kind": "Status", "status": "Failure", "code": 409, "reason": "Conflict", "message": "modified"});
                        return Ok(answer(StatusCode::CONFLICT, &conflict));
                    }
                    *state = next;
                    let mut count = writes.lock().unwrap();
                    *count += 1;
                    state.metadata.resource_version = Some(count.to_string());
                    (*count, json!(*state))
                };
                if late(written.0) {
                    std::future::pending::<()>().await;
                }
                Ok(answer(StatusCode::OK, &written.1))
            }
        });
        (Client::new(service, "default"), stored)
    }

    fn answer(code: StatusCode, body: &Value) -> Response<Body> {
        Response::builder().status(code).body(Body::from(body.to_string().into_bytes())).unwrap()
    }

    fn held(late: impl Fn(usize) -> bool + Send + Sync + 'static) -> (Held, Arc<Mutex<Lease>>) {
        let lease: Lease = serde_json::from_value(json!({
            "metadata": {"name": LEASE_NAME, "namespace": "domicile", "resourceVersion": "0"},
            "spec": {"holderIdentity": "one"},
        }))
        .unwrap();
        let (client, stored) = server(lease.clone(), late);
        let held = Held {
            api: Api::namespaced(client, "domicile"),
            lease,
            duration: LASTS,
            identity: "one".to_owned(),
            tenure: Tenure(Arc::new(Mutex::new(Instant::now() + LASTS))),
            asked: Vec::new(),
        };
        (held, stored)
    }

    #[tokio::test]
    async fn a_renewal_whose_answer_is_lost_counts() {
        let (held, _) = held(|write| !write.is_multiple_of(3));
        let tenure = held.tenure();
        let ended = tokio::time::timeout(LASTS * 2, held.keep()).await;
        assert!(ended.is_err(), "it ended: {ended:?}");
        assert!(tenure.is_held());
    }

    #[tokio::test]
    async fn a_lease_that_somebody_has_annotated_is_ours_as_before() {
        let (held, stored) = held(|_| false);
        stored.lock().unwrap().metadata.resource_version = Some("annotated".to_owned());
        assert!(tokio::time::timeout(LASTS * 2, held.keep()).await.is_err());
    }

    #[tokio::test]
    async fn what_another_has_taken_is_let_go_at_once() {
        let (held, stored) = held(|_| false);
        {
            let mut lease = stored.lock().unwrap();
            lease.metadata.resource_version = Some("taken".to_owned());
            lease.spec.as_mut().unwrap().holder_identity = Some("two".to_owned());
        }
        let error = held.keep().await.unwrap_err();
        assert_eq!(error.to_string(), "the lease was taken by \"two\"");
    }
}
