//! The floor of a move: the very writes of one, sent by hand while no operator runs and nobody watches.
//!
//! What remains above it is what Domicile costs; what lies below is the price of the API servers themselves, on this
//! machine and on this day.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::Context as _;
use domicile_e2e::fleet::wait::eventually;
use futures::future::try_join_all;
use http::Request;
use kube::Client;
use serde_json::{Value, json};

use crate::{
    evacuation::SLOW,
    floor::{DEPLOYMENTS, DOMICILE, Template, apply, get, post},
    ground::{Ground, MEMBERS},
    machine,
    measure::{Cpu, writes},
    placing::patience,
    report::{Figure, Section, per, progress},
};

/// How many moves are under way at a time: as many as make no further difference on two cores.
const IN_FLIGHT: usize = 16;

/// A move's record, as it was for one workload, with its name to be replaced.
struct Move {
    template: Template,
    migration: String,
    step: String,
    /// By name: the Assignments as they are.
    assignments: BTreeMap<String, Value>,
    clients: BTreeMap<String, Client>,
    hub: Client,
}

/// Moves all that were evacuated back to the first member.
pub(crate) async fn move_back(ground: &mut Ground, count: usize) -> anyhow::Result<Section> {
    let of = |prefix, count| (0..count).map(move |index| format!("{prefix}-{index}"));
    let names: Vec<String> = of("e", count).chain(of("slow", SLOW)).collect();

    let title = String::from("the same moves by hand, without an operator or a watch");
    progress(&title);
    ground.stop_operator().await?;
    let model = Arc::new(Move::of(ground, names.first().context("nothing has moved")?).await?);
    let load_before = machine::load();
    let (_, before) = ground.quiet().await?;
    let cpu = Cpu::now(ground)?;
    let (next, ready) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let senders = (0..IN_FLIGHT).map(|_| {
        let (model, next, ready, names) = (model.clone(), next.clone(), ready.clone(), names.clone());
        tokio::spawn(async move {
            while let Some(name) = names.get(next.fetch_add(1, Ordering::Relaxed)) {
                model.send(name).await.with_context(|| format!("{name} could not be moved by hand"))?;
                ready.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, anyhow::Error>(())
        })
    });
    for done in try_join_all(senders).await? {
        done?;
    }
    let [(target, ..), sources @ ..] = MEMBERS;
    for (source, ..) in sources.iter().filter(|(name, ..)| *name != target) {
        let client = ground.stage.fleet.member(source)?.client();
        eventually(patience(names.len()), "the last Deployment to have gone", || async {
            let left = get(&client, &format!("{DEPLOYMENTS}?labelSelector=domicile.dev/epoch")).await?;
            Ok(left.pointer("/items/0").is_none().then_some(()))
        })
        .await?;
    }
    let cpu = cpu.until(&Cpu::now(ground)?);
    let (_, after) = ground.quiet().await?;
    let figures = vec![
        Figure::less("all of them moved", cpu.seconds, "s"),
        Figure::less("CPU of API servers, etcds", per(cpu.counted() * 1000.0, names.len()), "ms/move"),
    ];
    Ok(Section {
        title,
        workloads: names.len(),
        load_before,
        figures,
        cpu: Some(cpu),
        writes: writes(&before, &after),
        reads: Vec::new(),
        complaints: Vec::new(),
    })
}

impl Move {
    async fn of(ground: &Ground, name: &str) -> anyhow::Result<Self> {
        let hub = ground.hub()?.client();
        let template = Template::of(ground, name).await?;
        let migrations = format!("{DOMICILE}/migrations?labelSelector=domicile.dev/workload={name}");
        let mut migration =
            get(&hub, &migrations).await?.pointer("/items/0").cloned().context("no migration")?;
        let step = json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "Migration", "status": migration.get("status"),
        });
        let whole = migration.as_object_mut().context("no object")?;
        whole.remove("status");
        let metadata = whole.get_mut("metadata").and_then(Value::as_object_mut).context("no metadata")?;
        metadata.retain(|field, _| ["labels", "finalizers"].contains(&field.as_str()));
        metadata.insert("name".to_owned(), json!(name));
        let all = get(&hub, &format!("{DOMICILE}/assignments")).await?;
        let mut assignments = BTreeMap::new();
        for assignment in all.pointer("/items").and_then(Value::as_array).into_iter().flatten() {
            let name = assignment.pointer("/metadata/name").and_then(Value::as_str).context("no name")?;
            assignments.insert(name.to_owned(), assignment.clone());
        }
        let clients = ground.stage.fleet.members().map(|it| (it.name().to_owned(), it.client())).collect();
        Ok(Self {
            template,
            migration: migration.to_string(),
            step: step.to_string(),
            assignments,
            clients,
            hub,
        })
    }

    /// In the order in which the operator does it: recorded, made there, removed here, reported.
    async fn send(&self, name: &str) -> anyhow::Result<()> {
        let [(to, ..), ..] = MEMBERS;
        let mut assignment = self.assignments.get(name).cloned().context("no assignment")?;
        let seat = assignment.pointer_mut("/spec/seats/0").context("no seat")?;
        let from = seat.get("cluster").and_then(Value::as_str).context("no cluster")?.to_owned();
        *seat.get_mut("cluster").context("no cluster")? = json!(to);
        *seat.get_mut("epoch").context("no epoch")? = json!(3);
        let (source, target) = (self.client(&from)?, self.client(to)?);

        post(&self.hub, &format!("{DOMICILE}/migrations"), self.template.rename(&self.migration, name))
            .await?;
        for (path, object) in &self.template.objects {
            apply(target, &format!("{path}/{name}"), self.template.rename(object, name)).await?;
        }
        crate::eyes::write_ready(target, name, 1).await?;
        replace(&self.hub, &format!("{DOMICILE}/assignments/{name}"), &assignment).await?;
        for (path, _) in self.template.objects.iter().rev() {
            delete(source, &format!("{path}/{name}")).await?;
        }
        let step = self.template.rename(&self.step, name);
        apply(&self.hub, &format!("{DOMICILE}/migrations/{name}/status"), step).await?;
        let status = self.template.rename(&self.template.status, name);
        apply(&self.hub, &format!("{DOMICILE}/tenantworkloads/{name}/status"), status).await
    }

    fn client(&self, member: &str) -> anyhow::Result<&Client> {
        self.clients.get(member).with_context(|| format!("no member {member}"))
    }
}

async fn replace(client: &Client, uri: &str, body: &Value) -> anyhow::Result<()> {
    let uri = format!("{uri}?fieldManager=domicile");
    let request =
        Request::put(uri).header("content-type", "application/json").body(body.to_string().into_bytes())?;
    client.request_text(request).await?;
    Ok(())
}

/// A Deployment goes when its pods have gone, the others at once.
async fn delete(client: &Client, uri: &str) -> anyhow::Result<()> {
    let policy = if uri.starts_with(DEPLOYMENTS) { "Foreground" } else { "Background" };
    client
        .request_text(Request::delete(format!("{uri}?propagationPolicy={policy}")).body(Vec::new())?)
        .await?;
    Ok(())
}
