//! The load: workloads of a Deployment, a ConfigMap of 1 KB and a Service, created so many at a time or a second.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::future::try_join_all;
use http::Request;
use kube::Client;
use serde_json::json;
use tokio::time::Instant;

use crate::{eyes::Eyes, ground::NAMESPACE};

/// How creates are sent.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pace {
    /// So many in flight at any time.
    InFlight(usize),
    /// So many a second, each when it is due.
    PerSecond(u32),
}

/// Creates `count` workloads named `PREFIX-0` and so on. Answers their names.
pub(crate) async fn create(
    client: &Client,
    eyes: &Arc<Eyes>,
    prefix: &str,
    count: usize,
    pace: Pace,
) -> anyhow::Result<Vec<String>> {
    let names: Arc<Vec<String>> = Arc::new((0..count).map(|index| format!("{prefix}-{index}")).collect());
    match pace {
        Pace::InFlight(most) => {
            let next = Arc::new(AtomicUsize::new(0));
            let creators = (0..most).map(|_| {
                let (client, eyes, names, next) = (client.clone(), eyes.clone(), names.clone(), next.clone());
                tokio::spawn(async move {
                    while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                        create_one(&client, &eyes, name).await?;
                    }
                    Ok::<_, anyhow::Error>(())
                })
            });
            for done in try_join_all(creators).await? {
                done?;
            }
        }
        Pace::PerSecond(rate) => {
            let begin = Instant::now();
            let mut under_way = Vec::with_capacity(count);
            for (index, name) in names.iter().enumerate() {
                // From the beginning, so that a late one delays nobody.
                let due = Duration::from_secs(1) * u32::try_from(index)? / rate;
                tokio::time::sleep_until(begin + due).await;
                let (client, eyes, name) = (client.clone(), eyes.clone(), name.clone());
                under_way.push(tokio::spawn(async move { create_one(&client, &eyes, &name).await }));
            }
            for done in try_join_all(under_way).await? {
                done?;
            }
        }
    }
    Ok(names.to_vec())
}

async fn create_one(client: &Client, eyes: &Eyes, name: &str) -> anyhow::Result<()> {
    let body = serde_json::to_vec(&workload(name))?;
    let uri = format!("/apis/domicile.dev/v1alpha1/namespaces/{NAMESPACE}/tenantworkloads");
    let request = Request::post(uri).header("content-type", "application/json").body(body)?;
    eyes.creates(name);
    client.request_text(request).await?;
    Ok(())
}

pub(crate) fn workload(name: &str) -> serde_json::Value {
    let labels = json!({"app": name});
    json!({
        "apiVersion": "domicile.dev/v1alpha1",
        "kind": "TenantWorkload",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            // Nothing is connected, so there is nothing to wait for before a source may go.
            "drainSeconds": 0,
            "manifests": [
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"blob": "x".repeat(1024)}},
                {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
                 "spec": {"selector": labels, "ports": [{"port": 80}]}},
                {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
                    "replicas": 1,
                    "selector": {"matchLabels": labels},
                    "template": {"metadata": {"labels": labels}, "spec": {"containers": [{
                        "name": "main", "image": "example.invalid/main:1",
                        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}},
                    }]}},
                }},
            ],
        },
    })
}
