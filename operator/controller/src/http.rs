//! `/livez`, `/readyz` and `/metrics`, on a thread of their own: a busy runtime must not look dead.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context as _;
use axum::{Router, extract::State, http::StatusCode, routing::get};

use crate::metrics::Metrics;

/// What the probes say.
#[derive(Debug, Default)]
pub(crate) struct Health {
    /// It is known who holds the lease.
    pub(crate) lease_known: AtomicBool,
    /// We hold it.
    pub(crate) leader: AtomicBool,
    /// Every store has been filled.
    pub(crate) synced: AtomicBool,
    /// What keeps them from being filled, if somebody must do something about it.
    obstacle: Mutex<Option<String>>,
}

impl Health {
    fn is_ready(&self) -> bool {
        let known = self.lease_known.load(Ordering::Relaxed);
        // A replica that stands by has no stores to fill.
        known && (!self.leader.load(Ordering::Relaxed) || self.synced.load(Ordering::Relaxed))
    }

    /// Takes what keeps the stores from being filled.
    pub(crate) fn say(&self, obstacle: Option<String>) {
        *self.obstacle.lock().unwrap_or_else(PoisonError::into_inner) = obstacle;
    }

    fn why_not(&self) -> String {
        let obstacle = self.obstacle.lock().unwrap_or_else(PoisonError::into_inner);
        let usual = || "the lease isn't known yet, or the stores aren't filled yet".to_owned();
        obstacle.clone().unwrap_or_else(usual)
    }
}

#[derive(Clone)]
struct Served {
    health: Arc<Health>,
    metrics: Arc<Metrics>,
}

/// Serves until the process ends. Answers the address, once it is bound.
pub(crate) fn serve(
    listen: SocketAddr,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
) -> anyhow::Result<SocketAddr> {
    let listener = std::net::TcpListener::bind(listen)
        .with_context(|| format!("cannot listen on {listen}: choose another address with --listen"))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let router = Router::new()
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics_text))
        .with_state(Served { health, metrics });
    std::thread::Builder::new().name("http".to_owned()).spawn(move || {
        runtime.block_on(async move {
            let served = async { axum::serve(tokio::net::TcpListener::from_std(listener)?, router).await };
            if let Err(error) = served.await {
                tracing::error!(%error, "health and metrics are no longer served");
            }
        });
    })?;
    Ok(address)
}

async fn ready(State(served): State<Served>) -> (StatusCode, String) {
    if served.health.is_ready() {
        (StatusCode::OK, "ok".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, served.health.why_not())
    }
}

async fn metrics_text(State(served): State<Served>) -> (StatusCode, String) {
    match served.metrics.encode() {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}
