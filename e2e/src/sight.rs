//! What can be seen on a stage: objects and conditions, on the hub and on members, and whether anything moves.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail, ensure};
use domicile_crds::{ALLOWED_KINDS, keys};
use http::Request;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

use crate::{
    fleet::{Access, RequestCounts, wait::eventually},
    stage::Stage,
    world::{PATIENCE, World},
};

/// How long nothing may be written until it counts as rest: more than the operator's longest settling time and the
/// time between two probes of a member.
const REST: Duration = Duration::from_secs(12);

/// The path of a Domicile object, such as `tenantworkloads/acme/web` or `memberclusters/nl-ams-1`.
#[must_use]
pub fn domicile(short: &str) -> String {
    let mut parts = short.split('/');
    let (plural, first) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let api = "/apis/domicile.dev/v1alpha1";
    match parts.next() {
        Some(name) => format!("{api}/namespaces/{first}/{plural}/{name}"),
        None => format!("{api}/{plural}/{first}"),
    }
}

/// The path of a tenant's object on a member, such as `acme/Deployment/web`.
///
/// # Errors
///
/// If tenants may not use the kind.
pub fn tenants(short: &str) -> anyhow::Result<String> {
    let [namespace, kind, name] = short.split('/').collect::<Vec<_>>()[..] else {
        bail!("{short} is not namespace/Kind/name")
    };
    let secrets = ("v1", "Secret", "secrets");
    let (api_version, _, plural) = ALLOWED_KINDS
        .iter()
        .chain([&secrets])
        .find(|(_, allowed, _)| *allowed == kind)
        .with_context(|| format!("no tenant may use {kind}"))?;
    let root = if *api_version == "v1" { "/api" } else { "/apis" };
    Ok(format!("{root}/{api_version}/namespaces/{namespace}/{plural}/{name}"))
}

/// What an API server answers to a GET; `None` if there is no such thing.
///
/// # Errors
///
/// If it answers anything else.
pub async fn look(cluster: &Access, path: &str) -> anyhow::Result<Option<Value>> {
    let request = Request::get(path).body(Vec::new())?;
    match cluster.client().request(request).await {
        Ok(found) => Ok(Some(found)),
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The objects of tenants on a member, as `acme/Deployment/web`, with what each is.
///
/// # Errors
///
/// If the member doesn't answer.
pub async fn managed(member: &Access) -> anyhow::Result<BTreeMap<String, Value>> {
    let mut found = BTreeMap::new();
    for (api_version, kind, plural) in ALLOWED_KINDS {
        let root = if api_version == "v1" { "/api" } else { "/apis" };
        let path = format!("{root}/{api_version}/{plural}?labelSelector={}", keys::WORKLOAD_LABEL);
        let list = look(member, &path).await?.context("a kind isn't served")?;
        for item in list.get("items").and_then(Value::as_array).into_iter().flatten() {
            let text = |path: &str| item.pointer(path).and_then(Value::as_str).unwrap_or_default();
            // The Jobs that a CronJob makes are its own, though they have its labels.
            if item.pointer("/metadata/ownerReferences").is_none() {
                found.insert(
                    format!("{}/{kind}/{}", text("/metadata/namespace"), text("/metadata/name")),
                    item.clone(),
                );
            }
        }
    }
    Ok(found)
}

/// A condition of an object, as status, reason and message.
#[must_use]
pub fn condition(object: &Value, kind: &str) -> Option<(String, String, String)> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    let found = conditions.iter().find(|c| c["type"] == kind)?;
    let text = |field: &str| found[field].as_str().unwrap_or_default().to_owned();
    Some((text("status"), text("reason"), text("message")))
}

/// What a program on this machine answers to a GET, with the headers.
///
/// # Errors
///
/// If it doesn't answer.
pub async fn get(port: u16, path: &str) -> anyhow::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

impl World {
    /// Waits until a condition of a Domicile object has a status and a reason (`""`: any), and answers its message.
    ///
    /// # Errors
    ///
    /// What the status was instead.
    pub async fn says(&self, short: &str, kind: &str, status: &str, reason: &str) -> anyhow::Result<String> {
        self.wait_until_said(short, (kind, status, reason), "").await
    }

    /// The same, once `part` is in the message.
    ///
    /// # Errors
    ///
    /// What the status was instead.
    pub async fn wait_until_said(
        &self,
        short: &str,
        (kind, status, reason): (&str, &str, &str),
        part: &str,
    ) -> anyhow::Result<String> {
        let path = domicile(short);
        eventually(PATIENCE, &format!("{short} {kind}={status} {reason}"), || async {
            let object = look(self.hub(), &path).await?.context("there is no such object")?;
            match condition(&object, kind) {
                Some((is, why, message))
                    if is == status && (reason.is_empty() || why == reason) && message.contains(part) =>
                {
                    Ok(Some(message))
                }
                _ => bail!("its status is {}", object.get("status").unwrap_or(&Value::Null)),
            }
        })
        .await
        .with_context(|| self.log_tail())
    }

    /// Waits until `fits` says yes to an object of a tenant on a member, and answers it.
    ///
    /// # Errors
    ///
    /// What it was instead.
    pub async fn sees(
        &self,
        member: &str,
        short: &str,
        what: &str,
        fits: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let path = tenants(short)?;
        eventually(PATIENCE, &format!("{short} on {member}: {what}"), || async {
            let object = look(self.member(member)?, &path).await?.context("it isn't there")?;
            if fits(&object) {
                return Ok(Some(object));
            }
            bail!("it is {object}")
        })
        .await
        .with_context(|| self.log_tail())
    }

    /// Waits until an object of a tenant isn't on a member any more.
    ///
    /// # Errors
    ///
    /// If it stays.
    pub async fn leaves(&self, member: &str, short: &str) -> anyhow::Result<()> {
        let path = tenants(short)?;
        eventually(PATIENCE, &format!("{short} to leave {member}"), || async {
            match look(self.member(member)?, &path).await? {
                None => Ok(Some(())),
                Some(object) => bail!("it is {object}"),
            }
        })
        .await
        .with_context(|| self.log_tail())
    }

    /// The write requests that each cluster was sent since its API server started.
    ///
    /// # Errors
    ///
    /// If one doesn't answer.
    pub async fn counts(&self) -> anyhow::Result<BTreeMap<String, RequestCounts>> {
        let mut counts = BTreeMap::new();
        for cluster in self.clusters() {
            counts.insert(cluster.name().to_owned(), cluster.metrics().await?);
        }
        Ok(counts)
    }

    /// Asserts that nothing is written anywhere from now on, for long enough to call it rest.
    ///
    /// # Errors
    ///
    /// What was written.
    pub async fn stays_still(&self, since: &BTreeMap<String, RequestCounts>) -> anyhow::Result<()> {
        let end = Instant::now() + REST;
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        while Instant::now() < end {
            ticks.tick().await;
            let written = self.written(since).await?;
            ensure!(written.is_empty(), "something was written: {written:?}\n{}", self.log_tail());
        }
        Ok(())
    }

    /// Waits until nothing has been written anywhere for long enough to call it rest, and answers the counts.
    ///
    /// # Errors
    ///
    /// What was written last.
    pub async fn comes_to_rest(&self) -> anyhow::Result<BTreeMap<String, RequestCounts>> {
        let end = Instant::now() + PATIENCE;
        let mut ticks = tokio::time::interval(Duration::from_secs(1));
        let (mut since, mut counts) = (Instant::now(), self.counts().await?);
        while since.elapsed() < REST {
            ticks.tick().await;
            let written = self.written(&counts).await?;
            if !written.is_empty() {
                ensure!(Instant::now() < end, "no rest; written last: {written:?}\n{}", self.log_tail());
                (since, counts) = (Instant::now(), self.counts().await?);
            }
        }
        Ok(counts)
    }

    /// What was written since, by cluster, where anything was.
    ///
    /// # Errors
    ///
    /// If a cluster doesn't answer.
    pub async fn written(
        &self,
        since: &BTreeMap<String, RequestCounts>,
    ) -> anyhow::Result<BTreeMap<String, RequestCounts>> {
        let mut written = BTreeMap::new();
        for (name, now) in self.counts().await? {
            let more = since.get(&name).map_or_else(|| now.clone(), |before| now.since(before)).writes();
            if more.total() > 0 {
                written.insert(name, more);
            }
        }
        Ok(written)
    }
}

impl Stage {
    /// What the operator that was started last answers to a GET, such as `/metrics`, with the headers.
    ///
    /// # Errors
    ///
    /// If it doesn't answer.
    pub async fn ask_operator(&self, path: &str) -> anyhow::Result<String> {
        get(self.operator()?.1, path).await
    }
}
