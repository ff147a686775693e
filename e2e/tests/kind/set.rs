//! The set: three members at three providers, two tenants, and the application that they run.

use std::time::Duration;

use anyhow::ensure;
use domicile_e2e::{
    fleet::wait::eventually,
    kind::{Fleet, Stage},
    props::{decision, deployment, list, place, provider, site, tenant, with, workload},
    sight::managed,
};
use serde_json::{Value, json};

/// The Netherlands, by `alpha`.
pub(crate) const NL: &str = "nl-ams-1";
/// Germany, by `beta`.
pub(crate) const DE: &str = "de-fra-1";
/// Switzerland, by `gamma`, which nobody has approved.
pub(crate) const CH: &str = "ch-zrh-1";

pub(crate) const MEMBERS: [&str; 3] = [NL, DE, CH];

/// In the EU, rather in the Netherlands than in Germany.
pub(crate) const ACME: &str = "acme";
/// In the EU or Switzerland, rather in Switzerland; wants to be asked.
pub(crate) const EDELWEISS: &str = "edelweiss";

/// Real pods take their time to end.
const CLEAR: Duration = Duration::from_mins(3);

/// Installs Domicile, joins the members, and applies the facts.
pub(crate) async fn set(fleet: Fleet) -> anyhow::Result<Stage> {
    let stage = Stage::set(fleet).await?;
    stage.apply(&list(&facts())).await?;
    for name in MEMBERS {
        let region = name.trim_end_matches("-1");
        stage.join(name, region, &[ACME, EDELWEISS]).await?;
    }
    for name in MEMBERS {
        stage.says(&format!("memberclusters/{name}"), "Ready", "True", "").await?;
    }
    for tenant in [ACME, EDELWEISS] {
        let namespace = format!("namespace/{tenant}");
        let wait = ["wait", "--for=create", namespace.as_str(), "--timeout=60s"];
        stage.hub().kubectl(wait).text().await?;
    }
    Ok(stage)
}

fn facts() -> Vec<Value> {
    let mut facts = [place("alpha", "nl-ams", "NL"), place("beta", "de-fra", "DE")].concat();
    for fact in &mut facts {
        if fact["kind"] == "Decision" {
            *fact = by_us(fact.take());
        }
    }
    facts.extend([provider("gamma"), swiss_site("Planned"), acme(), edelweiss()]);
    facts
}

pub(crate) fn swiss_site(state: &str) -> Value {
    with(site("ch-zrh", "gamma", "CH"), json!({"spec": {"state": state}}))
}

fn acme() -> Value {
    let preferences = json!([{"country": "NL"}, {"country": "DE"}]);
    with(tenant(ACME), json!({"spec": {"preferences": preferences}}))
}

fn edelweiss() -> Value {
    let spec = json!({
        "residency": {"allowed": [{"countrySet": "eu"}, {"country": "CH"}]},
        "preferences": [{"country": "CH"}, {"country": "DE"}], "migration": {"mode": "Approval"},
    });
    with(tenant(EDELWEISS), json!({"spec": spec}))
}

/// A decision of whom kind's kubeconfigs are.
pub(crate) fn decided(name: &str, subject: &str, verdict: &str, supersedes: &[&str]) -> Value {
    by_us(decision(name, subject, verdict, supersedes))
}

fn by_us(decision: Value) -> Value {
    with(decision, json!({"spec": {"decidedBy": "kubernetes-admin"}}))
}

/// The application of tests, which says over the node port who answers. `more` goes into the workload's spec.
pub(crate) fn app(stage: &Stage, tenant: &str, name: &str, port: u16, more: Value) -> Value {
    workload(tenant, name, &[serving(stage, name, "1"), node_port(name, port)], with(patient(), more))
}

/// Long enough for whoever asks to ask the next one.
pub(crate) fn patient() -> Value {
    json!({"drainSeconds": 5, "onDelete": "Remove"})
}

pub(crate) fn serving(stage: &Stage, name: &str, version: &str) -> Value {
    let field = |path: &str| json!({"fieldRef": {"fieldPath": path}});
    let container = json!({
        "name": "main", "image": stage.fleet.app(), "imagePullPolicy": "Never",
        "env": [
            {"name": "VERSION", "value": version}, {"name": "DATA", "value": "/data"},
            {"name": "POD", "valueFrom": field("metadata.name")},
            {"name": "NODE", "valueFrom": field("spec.nodeName")},
        ],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 1},
    });
    let pods = json!({"spec": {"terminationGracePeriodSeconds": 5, "containers": [container]}});
    with(deployment(name, version), json!({"spec": {"template": pods}}))
}

pub(crate) fn node_port(name: &str, port: u16) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {
            "type": "NodePort", "selector": {"app": name},
            "ports": [{"port": 80, "targetPort": 8080, "nodePort": port}],
        },
    })
}

/// Takes away what a scenario has applied, and waits until nothing of it is left on the members.
pub(crate) async fn clear(stage: &Stage) -> anyhow::Result<()> {
    let hub = stage.hub();
    let delete = ["delete", "tenantworkloads.domicile.dev", "--all", "-A", "--timeout=180s"];
    hub.kubectl(delete).text().await?;
    eventually(CLEAR, "the members to be empty", || async {
        for member in stage.members() {
            let left = managed(member).await?;
            ensure!(left.is_empty(), "{} has {:?}", member.name(), left.keys());
            let pods = ["get", "pods", "-A", "-l", "domicile.dev/workload", "-o", "name"];
            let pods = member.kubectl(pods).text().await?;
            ensure!(pods.trim().is_empty(), "{} has {pods}", member.name());
        }
        for kind in ["assignments.domicile.dev", "tenantworkloads.domicile.dev"] {
            let found = hub.kubectl(["get", kind, "-A", "-o", "name"]).text().await?;
            ensure!(found.trim().is_empty(), "there are {found}");
        }
        Ok(Some(()))
    })
    .await?;
    for kind in ["migrations.domicile.dev", "relocations.domicile.dev"] {
        hub.kubectl(["delete", kind, "--all", "-A"]).text().await?;
    }
    let glass = ["--as=admin", "--as-group=system:masters", "--as-group=domicile:break-glass"];
    hub.kubectl(["delete", "decisions.domicile.dev", "--all"]).args(glass).text().await?;
    stage.apply(&list(&facts())).await?;
    for name in MEMBERS {
        stage.says(&format!("memberclusters/{name}"), "Ready", "True", "").await?;
    }
    Ok(())
}

/// A workload's pods on a member, of which there are some: name, uid and restarts of each, in order.
pub(crate) async fn pods(stage: &Stage, member: &str, app: &str) -> anyhow::Result<Vec<String>> {
    let pods = pods_if_any(stage, member, app).await?;
    ensure!(!pods.is_empty(), "{app} has no pods on {member}");
    Ok(pods)
}

/// The same, where there may be none.
pub(crate) async fn pods_if_any(stage: &Stage, member: &str, app: &str) -> anyhow::Result<Vec<String>> {
    let columns = "jsonpath={range .items[*]}{.metadata.name} {.metadata.uid} \
                   {.status.containerStatuses[0].restartCount}{\"\\n\"}{end}";
    let selector = format!("app={app}");
    let get = ["get", "pods", "-A", "-l", selector.as_str(), "-o", columns];
    let text = stage.member(member)?.kubectl(get).text().await?;
    let mut pods: Vec<String> = text.lines().map(str::to_owned).collect();
    pods.sort_unstable();
    Ok(pods)
}
