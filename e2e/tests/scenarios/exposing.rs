//! Clients of what is exposed: the Service and the EndpointSlices on the hub that lead them, before, while and after a workload moves.
//!
//! Nobody routes anything here. What a member's load balancer would say is written into the Service's status.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::{Access, process::Signal, wait::eventually},
    props::{decision, deployment, list, service, tenant, with, workload},
    sight::{look, managed},
    stage::{PATIENCE, Stage},
};
use serde_json::{Value, json};
use tokio::{
    task::JoinSet,
    time::{Instant, interval},
};

use crate::set::{DE, NL, two_members};

/// Where each member's balancer answers.
const DUTCH: &str = "192.0.2.1";
const GERMAN: &str = "198.51.100.1";
/// Long enough to be told from nothing.
const DRAIN: Duration = Duration::from_secs(15);

fn balanced(name: &str) -> Value {
    let port = json!([{"name": "http", "port": 80}]);
    let spec = json!({"type": "LoadBalancer", "allocateLoadBalancerNodePorts": false, "ports": port});
    with(service(name), json!({"spec": spec}))
}

fn exposed(name: &str, more: Value) -> Value {
    let spec = json!({
        "drainSeconds": DRAIN.as_secs(), "expose": [{"service": name, "port": 80, "hostname": format!("{name}.example")}],
    });
    workload("acme", name, &[balanced(name), deployment(name, "1")], with(spec, more))
}

/// What a member's load balancer says of a Service.
async fn answers(stage: &Stage, member: &str, name: &str, address: &str) -> anyhow::Result<()> {
    let status = json!({"status": {"loadBalancer": {"ingress": [{"ip": address}]}}}).to_string();
    let patch = [
        "-n",
        "acme",
        "patch",
        "service",
        name,
        "--subresource=status",
        "--type=merge",
        "-p",
        status.as_str(),
    ];
    stage.member(member)?.kubectl(patch).text().await.map(|_| ())
}

async fn slices(hub: &Access, name: &str) -> anyhow::Result<Vec<Value>> {
    let path = format!(
        "/apis/discovery.k8s.io/v1/namespaces/acme/endpointslices?labelSelector=kubernetes.io/service-name={name}"
    );
    let all = look(hub, &path).await?.unwrap_or_default();
    Ok(all["items"].as_array().cloned().unwrap_or_default())
}

/// Where clients of a Service are sent, such as `nl-ams-1 192.0.2.1 http:80`.
async fn clients(hub: &Access, name: &str) -> anyhow::Result<String> {
    let mut said = Vec::new();
    for slice in slices(hub, name).await? {
        let at = slice["metadata"]["labels"]["domicile.dev/cluster"].as_str().unwrap_or_default();
        let port = &slice["ports"][0];
        for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
            ensure!(endpoint["conditions"]["ready"] == true, "{endpoint}");
            let address = endpoint["addresses"][0].as_str().unwrap_or_default();
            said.push(format!(
                "{at} {address} {}:{}",
                port["name"].as_str().unwrap_or_default(),
                port["port"]
            ));
        }
    }
    Ok(said.join("; "))
}

async fn sent(stage: &Stage, name: &str, to: &str) -> anyhow::Result<()> {
    eventually(PATIENCE, &format!("clients of {name} to be sent to {to:?}"), || async {
        let said = clients(stage.fleet.hub()?, name).await?;
        if said == to { Ok(Some(())) } else { bail!("they are sent to {said:?}") }
    })
    .await
    .with_context(|| stage.log_tail())
}

async fn service_on_hub(stage: &Stage, name: &str) -> anyhow::Result<Option<Value>> {
    look(stage.fleet.hub()?, &format!("/api/v1/namespaces/acme/services/{name}")).await
}

/// Notes each place to which clients are sent, one after another.
struct Follower {
    seen: Arc<Mutex<Vec<String>>>,
    _task: JoinSet<()>,
}

impl Follower {
    fn of(hub: Access, name: &'static str) -> Self {
        let (seen, mut task) = (Arc::<Mutex<Vec<String>>>::default(), JoinSet::new());
        let noted = Arc::clone(&seen);
        task.spawn(async move {
            let mut ticks = interval(Duration::from_millis(50));
            loop {
                ticks.tick().await;
                let Ok(now) = clients(&hub, name).await else { continue };
                let mut seen = noted.lock().unwrap_or_else(PoisonError::into_inner);
                if seen.last() != Some(&now) {
                    seen.push(now);
                }
            }
        });
        Self { seen, _task: task }
    }

    fn saw(&self, wanted: &[&str]) -> anyhow::Result<()> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        ensure!(*seen == wanted, "clients were sent to {seen:?}");
        Ok(())
    }
}

async fn schedule(stage: &Stage, how: &str) -> anyhow::Result<()> {
    let patch = json!({"spec": {"scheduling": how}}).to_string();
    let args = ["patch", "memberclusters.domicile.dev", NL, "--type=merge", "-p", patch.as_str()];
    stage.fleet.hub()?.kubectl(args).text().await.map(|_| ())
}

/// A stage on which `acme` prefers the Netherlands.
async fn set() -> anyhow::Result<Stage> {
    let stage = two_members(true).await?;
    let dutch = with(tenant("acme"), json!({"spec": {"preferences": [{"country": "NL"}]}}));
    stage.apply(&dutch.to_string()).await?;
    Ok(stage)
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_follow_a_workload_and_are_never_sent_where_nobody_answers() -> anyhow::Result<()> {
    let stage = set().await?;
    let hub = Access::clone(stage.fleet.hub()?);
    let follower = Follower::of(hub.clone(), "web");
    stage.apply(&exposed("web", json!({})).to_string()).await?;
    stage.wait_on(("acme", "web"), &[NL]).await?;
    stage.says("tenantworkloads/acme/web", "Exposed", "False", "NoAddress").await?;
    ensure!(slices(&hub, "web").await?.is_empty(), "it has no address");

    answers(&stage, NL, "web", DUTCH).await?;
    let dutch = format!("{NL} {DUTCH} http:80");
    sent(&stage, "web", &dutch).await?;
    let told = stage.says("tenantworkloads/acme/web", "Exposed", "True", "").await?;
    ensure!(told == format!("web leads to {NL}"), "{told}");
    is_ours(&stage).await?;

    // A restart writes nothing.
    stage.comes_to_rest().await?;
    stage.stop_operator(Signal::KILL).await?;
    let before = stage.counts().await?;
    stage.start_operator()?;
    eventually(PATIENCE, "the new operator to know all", || async {
        Ok(stage.ask_operator("/readyz").await.is_ok_and(|said| said.contains(" 200 ")).then_some(()))
    })
    .await?;
    stage.stays_still(&before).await?;

    // It must leave. The target becomes ready and has no address: nobody is sent there, and the source serves on.
    schedule(&stage, "Draining").await?;
    let pending = ("MovePending", "True", "Draining");
    stage.wait_until_said("tenantworkloads/acme/web", pending, "has no address yet").await?;
    ensure!(clients(&hub, "web").await? == dutch);
    answers(&stage, DE, "web", GERMAN).await?;
    let german = format!("{DE} {GERMAN} http:80");
    sent(&stage, "web", &german).await?;
    let switched = Instant::now();
    let there = managed(stage.member(NL)?).await?;
    ensure!(there.contains_key("acme/Deployment/web"), "the source is gone at the switch: {there:?}");
    stage.leaves(NL, "acme/Deployment/web").await?;
    // It was noticed up to a poll later that they were sent over.
    ensure!(
        switched.elapsed() + Duration::from_secs(2) >= DRAIN,
        "drained for {:?} only",
        switched.elapsed()
    );
    stage.wait_on(("acme", "web"), &[DE]).await?;
    follower.saw(&["", &dutch, &german])?;

    // What is stopped has no clients, and has them again when it runs.
    stage.apply(&decision("acme-suspended", "Tenant/acme", "Suspended", &[]).to_string()).await?;
    sent(&stage, "web", "").await?;
    stage.says("tenantworkloads/acme/web", "Exposed", "False", "NotReady").await?;
    stage.apply(&decision("acme-again", "Tenant/acme", "Approved", &["acme-suspended"]).to_string()).await?;
    sent(&stage, "web", &german).await?;

    // What isn't exposed any more is removed.
    stage.apply(&exposed("web", json!({"expose": []})).to_string()).await?;
    sent(&stage, "web", "").await?;
    gone(&stage, "web").await?;
    nothing_is_forbidden(&stage).await
}

/// What is on the hub belongs to the workload, and leads nowhere by itself.
async fn is_ours(stage: &Stage) -> anyhow::Result<()> {
    let there = service_on_hub(stage, "web").await?.context("no Service")?;
    ensure!(there["spec"]["clusterIP"] == "None" && there["spec"]["selector"].is_null(), "{there}");
    ensure!(there["metadata"]["annotations"]["domicile.dev/hostname"] == "web.example", "{there}");
    let slice = slices(stage.fleet.hub()?, "web").await?.pop().context("no slice")?;
    let labels = &slice["metadata"]["labels"];
    ensure!(labels["endpointslice.kubernetes.io/managed-by"] == "domicile.dev", "{slice}");
    let owner = stage.workload("acme", "web").await?.metadata.uid;
    for object in [&there, &slice] {
        let of = &object["metadata"]["ownerReferences"][0];
        ensure!(of["kind"] == "TenantWorkload" && of["uid"].as_str() == owner.as_deref(), "{object}");
    }
    let status = stage.workload("acme", "web").await?.status.unwrap_or_default();
    let endpoints: Vec<_> = status.seats.iter().flat_map(|seat| &seat.endpoints).collect();
    ensure!(
        endpoints.len() == 1 && endpoints[0].address == DUTCH && endpoints[0].port == 80,
        "{endpoints:?}"
    );
    Ok(())
}

async fn gone(stage: &Stage, name: &str) -> anyhow::Result<()> {
    eventually(PATIENCE, &format!("Service {name} to go"), || async {
        Ok(service_on_hub(stage, name).await?.is_none().then_some(()))
    })
    .await
    .with_context(|| stage.log_tail())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_somebody_elses_is_left_alone_and_told_of() -> anyhow::Result<()> {
    let stage = set().await?;
    let hub = stage.fleet.hub()?;
    let own = with(
        service("api"),
        json!({"metadata": {"namespace": "acme", "labels": {"domicile.dev/exposed-by": "api"}}}),
    );
    stage.apply(&own.to_string()).await?;
    let before = service_on_hub(&stage, "api").await?.context("no Service")?;
    stage.apply(&list(&[exposed("api", json!({})), exposed("web", json!({}))])).await?;
    for name in ["api", "web"] {
        stage.wait_on(("acme", name), &[NL]).await?;
        answers(&stage, NL, name, DUTCH).await?;
    }
    let dutch = format!("{NL} {DUTCH} http:80");
    sent(&stage, "web", &dutch).await?;
    let told = stage.says("tenantworkloads/acme/api", "Exposed", "False", "ExposeNameTaken").await?;
    ensure!(told.contains("Service/api in namespace acme of the hub isn't Domicile's"), "{told}");
    stage.says("tenantworkloads/acme/api", "Stalled", "True", "ExposeNameTaken").await?;
    stage.says("tenantworkloads/acme/api", "Ready", "True", "").await?;
    stage.comes_to_rest().await?;
    ensure!(service_on_hub(&stage, "api").await? == Some(before), "it was touched");
    let led: Vec<Value> = slices(hub, "api").await?;
    ensure!(led.iter().all(|slice| slice["metadata"]["labels"]["domicile.dev/cluster"].is_null()), "{led:?}");

    // Once its owner has taken it away, the name is free.
    hub.kubectl(["-n", "acme", "delete", "service", "api"]).text().await?;
    sent(&stage, "api", &dutch).await?;
    stage.says("tenantworkloads/acme/api", "Exposed", "True", "").await?;

    // What belongs to a workload goes with it.
    hub.kubectl(["-n", "acme", "delete", "tenantworkloads.domicile.dev", "web"]).text().await?;
    gone(&stage, "web").await?;
    sent(&stage, "web", "").await?;
    sent(&stage, "api", &dutch).await
}
