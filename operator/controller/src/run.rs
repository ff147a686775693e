//! From start to end: serve health, get the lease, observe, decide, act; stop when told, or when the lease is lost.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use anyhow::Context as _;
use k8s_openapi::api::coordination::v1::Lease;
use kube::{Api, Client, Config};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};

use crate::{
    brain::{Brain, Hands},
    http::{Health, serve},
    hub,
    lease::{Candidate, Held},
    metrics::Metrics,
    settings::Settings,
};

/// Inputs that wait for the brain before watches are held back.
const INPUTS_MAX: usize = 4096;

/// Runs the operator until SIGTERM or SIGINT, or until the lease is lost.
///
/// # Errors
///
/// If the hub's configuration can't be used, the address is taken, or the lease is lost.
pub async fn run(settings: Settings) -> anyhow::Result<()> {
    let health = Arc::new(Health::default());
    let metrics = Arc::new(Metrics::new());
    let address = serve(settings.listen, health.clone(), metrics.clone())?;
    let client = hub_client().await?;
    let identity = settings.identity();
    tracing::info!(version = env!("CARGO_PKG_VERSION"), %identity, %address, "starts");
    let mut end = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let candidate = Candidate {
        // With connections of its own: however much else is written, a renewal waits for none of it.
        client: hub_client().await?,
        namespace: settings.namespace.clone(),
        identity: identity.clone(),
        duration: Duration::from_secs(u64::from(settings.lease_seconds)),
    };
    let held = tokio::select! {
        held = candidate.acquire(|holder| {
            if !health.lease_known.swap(true, Ordering::Relaxed) {
                tracing::info!(%holder, "waits for the lease");
            }
        }) => held,
        _ = end.recv() => return Ok(()),
        _ = interrupt.recv() => return Ok(()),
    };
    health.lease_known.store(true, Ordering::Relaxed);
    health.leader.store(true, Ordering::Relaxed);
    metrics.leader.set(1);
    tracing::info!(%identity, "holds the lease");
    let (inputs, taken) = mpsc::channel(INPUTS_MAX);
    let broken = hub::watch::start(&client, &inputs, &metrics);
    let tenure = held.tenure();
    let hands = Hands {
        client: tenure.guard(client.clone()),
        tenure,
        namespace: settings.namespace.clone(),
        inputs,
        metrics,
        me: Arc::default(),
    };
    let brain = tokio::spawn(Brain::new(hands, health, broken).run(taken));
    let lost = tokio::select! {
        kept = held.keep() => kept,
        ended = brain => ended.context("the brain ended"),
        _ = end.recv() => Ok(()),
        _ = interrupt.recv() => Ok(()),
    };
    // Whatever is under way ends with the process: every step can be taken again by whoever leads next.
    if lost.is_ok() {
        tracing::info!("stops, and lets another replica take over");
        let api: Api<Lease> = Api::namespaced(client, &settings.namespace);
        let _ = tokio::time::timeout(Duration::from_secs(3), Held::release(api, &identity)).await;
    }
    lost
}

async fn hub_client() -> anyhow::Result<Client> {
    let mut config = Config::infer()
        .await
        .context("no configuration for the hub: neither in a cluster nor a kubeconfig")?;
    config.connect_timeout = Some(Duration::from_secs(5));
    config.default_retry = false;
    Client::try_from(config).context("the hub's configuration can't be used")
}
