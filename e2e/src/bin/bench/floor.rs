//! The floor: the very writes of a placement, sent by hand while no operator runs and nobody watches.
//!
//! What remains above it is what Domicile costs; what lies below is the price of the API servers themselves, on this
//! machine and on this day.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use anyhow::Context as _;
use futures::future::try_join_all;
use http::Request;
use kube::Client;
use serde_json::{Value, json};

use crate::{
    ground::{Ground, MEMBERS},
    load::workload,
    machine,
    measure::{Cpu, writes},
    report::{Figure, Section, per, progress},
};

pub(crate) const DOMICILE: &str = "/apis/domicile.dev/v1alpha1/namespaces/bench";
const CONFIG_MAPS: &str = "/api/v1/namespaces/bench/configmaps";
const SERVICES: &str = "/api/v1/namespaces/bench/services";
pub(crate) const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/bench/deployments";

/// What is written for one workload, as it was for another, with its name to be replaced.
#[derive(Debug)]
pub(crate) struct Template {
    name: String,
    uid: String,
    assignment: String,
    pub(crate) status: String,
    pub(crate) objects: [(&'static str, String); 3],
}

/// Sends what was written for `model` again for `count` others.
pub(crate) async fn measure(ground: &mut Ground, model: &str, count: usize) -> anyhow::Result<Section> {
    let title = String::from("the same writes by hand, without an operator or a watch");
    progress(&title);
    ground.stop_operator().await?;
    let template = Arc::new(Template::of(ground, model).await?);
    let hub = ground.hub()?.client();
    let members: Vec<Client> = ground.stage.fleet.members().map(|member| member.client()).collect();
    let load_before = machine::load();
    let (_, before) = ground.quiet().await?;
    let cpu = Cpu::now(ground)?;
    let next = Arc::new(AtomicUsize::new(0));
    let senders = (0..16).map(|_| {
        let (hub, members, template, next) = (hub.clone(), members.clone(), template.clone(), next.clone());
        tokio::spawn(async move {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some(member) = members.get(index % MEMBERS.len()).filter(|_| index < count) else {
                    return Ok::<_, anyhow::Error>(());
                };
                template.send(&hub, member, &format!("floor-{index}")).await?;
            }
        })
    });
    for done in try_join_all(senders).await? {
        done?;
    }
    let cpu = cpu.until(&Cpu::now(ground)?);
    let (_, after) = ground.quiet().await?;
    #[expect(clippy::cast_precision_loss, reason = "there are some thousands")]
    let rate = count as f64 / cpu.seconds;
    let figures = vec![
        Figure::more("sustained rate", rate, "workloads/s"),
        Figure::less("CPU of API servers, etcds", per(cpu.counted() * 1000.0, count), "ms/workload"),
    ];
    let writes = writes(&before, &after);
    Ok(Section {
        title,
        workloads: count,
        load_before,
        figures,
        cpu: Some(cpu),
        writes,
        reads: Vec::new(),
        complaints: Vec::new(),
    })
}

impl Template {
    pub(crate) async fn of(ground: &Ground, model: &str) -> anyhow::Result<Self> {
        let hub = ground.hub()?.client();
        let placed = get(&hub, &format!("{DOMICILE}/tenantworkloads/{model}")).await?;
        let mut assignment = get(&hub, &format!("{DOMICILE}/assignments/{model}")).await?;
        let cluster =
            assignment.pointer("/spec/seats/0/cluster").and_then(Value::as_str).context("no seat")?;
        let member = ground.stage.fleet.member(cluster)?.client();
        let mut objects = Vec::new();
        for (index, path) in [CONFIG_MAPS, SERVICES, DEPLOYMENTS].into_iter().enumerate() {
            let there = get(&member, &format!("{path}/{model}")).await?;
            let wanted = workload(model);
            let mut object =
                wanted.pointer(&format!("/spec/manifests/{index}")).cloned().context("no manifest")?;
            copy(&there, &mut object, "/metadata", &["labels", "annotations"]);
            copy(&there, &mut object, "/spec/template/metadata", &["labels"]);
            objects.push((path, object.to_string()));
        }
        let metadata =
            assignment.pointer_mut("/metadata").and_then(Value::as_object_mut).context("no metadata")?;
        metadata.retain(|field, _| ["name", "finalizers", "ownerReferences"].contains(&field.as_str()));
        let status = json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload",
            "metadata": {"name": model}, "status": placed.get("status"),
        });
        let uid = placed.pointer("/metadata/uid").and_then(Value::as_str).context("no uid")?.to_owned();
        let objects = objects.try_into().ok().context("not three objects")?;
        let (assignment, status) = (assignment.to_string(), status.to_string());
        Ok(Self { name: model.to_owned(), uid, assignment, status, objects })
    }

    /// The same for another workload.
    pub(crate) fn rename(&self, text: &str, name: &str) -> String {
        text.replace(&format!("\"{}\"", self.name), &format!("\"{name}\""))
    }

    async fn send(&self, hub: &Client, member: &Client, name: &str) -> anyhow::Result<()> {
        let made = post(hub, &format!("{DOMICILE}/tenantworkloads"), workload(name).to_string()).await?;
        let uid = made.pointer("/metadata/uid").and_then(Value::as_str).context("no uid")?;
        // A record of another owner would be collected as garbage.
        let assignment = self.rename(&self.assignment, name).replace(&self.uid, uid);
        post(hub, &format!("{DOMICILE}/assignments"), assignment).await?;
        for (path, object) in &self.objects {
            apply(member, &format!("{path}/{name}"), self.rename(object, name)).await?;
        }
        crate::eyes::write_ready(member, name, 1).await?;
        apply(hub, &format!("{DOMICILE}/tenantworkloads/{name}/status"), self.rename(&self.status, name))
            .await
    }
}

fn copy(from: &Value, to: &mut Value, place: &str, fields: &[&str]) {
    let (Some(from), Some(Value::Object(to))) = (from.pointer(place), to.pointer_mut(place)) else { return };
    for field in fields {
        if let Some(value) = from.get(field) {
            to.insert((*field).to_owned(), value.clone());
        }
    }
}

pub(crate) async fn get(client: &Client, uri: &str) -> anyhow::Result<Value> {
    Ok(serde_json::from_str(&client.request_text(Request::get(uri).body(Vec::new())?).await?)?)
}

pub(crate) async fn post(client: &Client, uri: &str, body: String) -> anyhow::Result<Value> {
    let uri = format!("{uri}?fieldManager=domicile");
    let request = Request::post(uri).header("content-type", "application/json").body(body.into_bytes())?;
    Ok(client.request(request).await?)
}

pub(crate) async fn apply(client: &Client, uri: &str, body: String) -> anyhow::Result<()> {
    let uri = format!("{uri}?fieldManager=domicile&fieldValidation=Strict");
    let request =
        Request::patch(uri).header("content-type", "application/apply-patch+yaml").body(body.into_bytes())?;
    client.request_text(request).await?;
    Ok(())
}
