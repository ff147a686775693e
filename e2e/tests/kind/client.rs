//! A client as users have it: asks all the time, wherever it was answered last, and elsewhere if nobody answers there; or where the hub sends it, and
//! nowhere else.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use domicile_e2e::{
    fleet::{Access, wait::eventually},
    kind::Stage,
    sight::look,
    world::PATIENCE,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
    time::{interval, timeout},
};

/// How often it asks.
const OFTEN: Duration = Duration::from_millis(100);
/// How long it waits for an answer.
const LONG: Duration = Duration::from_secs(2);

/// A member, and where it answers.
type Place = (String, SocketAddr);

#[derive(Debug, Default)]
struct Record {
    /// Who answered, each as long as it was the same.
    answered: Vec<String>,
    /// Rounds in which nobody answered, since anybody ever did.
    unanswered: usize,
    rounds: usize,
}

/// Asks for as long as it is kept.
pub(crate) struct Client {
    places: Vec<Place>,
    record: Arc<Mutex<Record>>,
    _task: JoinSet<()>,
}

impl Client {
    /// Of what answers on a node port.
    pub(crate) async fn of(stage: &Stage, port: u16) -> anyhow::Result<Self> {
        let mut places = Vec::new();
        for member in stage.fleet.members() {
            places.push((member.name().to_owned(), SocketAddr::new(member.address().await?, port)));
        }
        let record = Arc::<Mutex<Record>>::default();
        let mut task = JoinSet::new();
        task.spawn(ask_on(places.clone(), Arc::clone(&record)));
        Ok(Self { places, record, _task: task })
    }

    /// Of what a workload exposes: it asks at the first address that the hub's EndpointSlices name, and at no other.
    pub(crate) async fn following(stage: &Stage, namespace: &str, service: &str) -> anyhow::Result<Self> {
        let client = Self::of(stage, 0).await?;
        let names: Vec<String> = client.places.iter().map(|(name, _)| name.clone()).collect();
        let path = format!(
            "/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices?labelSelector=kubernetes.io/service-name={service}"
        );
        let record = Arc::<Mutex<Record>>::default();
        let mut task = JoinSet::new();
        task.spawn(follow(Access::clone(stage.hub()), path, names, Arc::clone(&record)));
        Ok(Self { places: client.places.clone(), record, _task: task })
    }

    /// Waits until a member answers.
    pub(crate) async fn answered_by(&self, member: &str) -> anyhow::Result<()> {
        eventually(PATIENCE, &format!("{member} to answer"), || async {
            let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
            if record.answered.last().is_some_and(|last| last == member) {
                return Ok(Some(()));
            }
            bail!("answered by {record:?}")
        })
        .await
    }

    /// Asserts that somebody answered each time, and who, one after another.
    pub(crate) fn was_always_answered(&self, by: &[&str]) -> anyhow::Result<()> {
        let record = self.record.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(record.answered == by && record.unanswered == 0 && record.rounds > 10, "it was {record:?}");
        Ok(())
    }

    /// Puts a text into a file of the application.
    pub(crate) async fn put(&self, member: &str, path: &str, text: &str) -> anyhow::Result<()> {
        let length = text.len();
        let request = format!("PUT {path} HTTP/1.0\r\nContent-Length: {length}\r\n\r\n{text}");
        let answer = ask(self.at(member)?, &request).await?;
        ensure!(answer.starts_with("HTTP/1.0 204"), "{answer}");
        Ok(())
    }

    /// What is in a file of the application.
    pub(crate) async fn get(&self, member: &str, path: &str) -> anyhow::Result<String> {
        let answer = ask(self.at(member)?, &format!("GET {path} HTTP/1.0\r\n\r\n")).await?;
        body(&answer).map(str::to_owned)
    }

    fn at(&self, member: &str) -> anyhow::Result<SocketAddr> {
        let place = self.places.iter().find(|(name, _)| name == member);
        Ok(place.with_context(|| format!("there is no {member}"))?.1)
    }
}

async fn ask_on(mut places: Vec<Place>, record: Arc<Mutex<Record>>) {
    let mut ticks = interval(OFTEN);
    loop {
        ticks.tick().await;
        let mut by = None;
        for (index, (name, address)) in places.iter().enumerate() {
            if who(*address).await.is_ok_and(|node| node.contains(name.as_str())) {
                by = Some((index, name.clone()));
                break;
            }
        }
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        match by {
            Some((index, name)) => {
                if record.answered.last() != Some(&name) {
                    record.answered.push(name);
                }
                places.swap(0, index);
            }
            None if !record.answered.is_empty() => record.unanswered += 1,
            None => {}
        }
        record.rounds += 1;
    }
}

async fn follow(hub: Access, path: String, names: Vec<String>, record: Arc<Mutex<Record>>) {
    let mut ticks = interval(OFTEN);
    loop {
        ticks.tick().await;
        // Whoever can't ask the hub keeps to what it said last: this one only waits for its next answer.
        let Ok(Some(slices)) = look(&hub, &path).await else { continue };
        let node = match first(&slices) {
            Some(address) => who(address).await.ok(),
            None => None,
        };
        let by = node.and_then(|node| names.iter().find(|name| node.contains(name.as_str())));
        let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
        match by {
            Some(name) if record.answered.last() != Some(name) => record.answered.push(name.clone()),
            None if !record.answered.is_empty() => record.unanswered += 1,
            _ => {}
        }
        record.rounds += 1;
    }
}

/// The first address of slices, with its port.
fn first(slices: &Value) -> Option<SocketAddr> {
    let slice = slices["items"].as_array()?.first()?;
    let address = slice["endpoints"][0]["addresses"][0].as_str()?.parse().ok()?;
    Some(SocketAddr::new(address, u16::try_from(slice["ports"][0]["port"].as_u64()?).ok()?))
}

/// The node of the pod that answers.
async fn who(address: SocketAddr) -> anyhow::Result<String> {
    let answer = ask(address, "GET / HTTP/1.0\r\n\r\n").await?;
    let answer: Value = serde_json::from_str(body(&answer)?)?;
    Ok(answer["node"].as_str().context("no node")?.to_owned())
}

fn body(answer: &str) -> anyhow::Result<&str> {
    let (head, body) = answer.split_once("\r\n\r\n").context("half an answer")?;
    ensure!(head.starts_with("HTTP/1.0 200"), "{head}");
    Ok(body)
}

async fn ask(address: SocketAddr, request: &str) -> anyhow::Result<String> {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer)
    };
    timeout(LONG, ask).await.context("no answer in time")?
}
