//! Every cause of a move, one after another, with a witness who watches that nothing is ever served by less than was
//! asked for; and what has no lawful place, which stays.

use anyhow::{Context as _, bail, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::{Cluster, wait::eventually},
    props::{claim, config_map, decision, deployment, list, service, site, tenant, with, workload},
    sight::{look, managed},
    stage::{PATIENCE, Stage},
    witness::Witness,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::set::{DE, NL, members_like};

const REPLICAS: usize = 3;

fn web(more: Value) -> Value {
    let three = with(deployment("web", "1"), json!({"spec": {"replicas": REPLICAS}}));
    workload("acme", "web", &[config_map("web", "a"), service("web"), three], more)
}

/// Whoever is at home in the Netherlands goes back there whenever it may.
fn dutch(more: Value) -> Value {
    with(tenant("acme"), with(json!({"spec": {"preferences": [{"country": "NL"}]}}), more))
}

fn dutch_site(state: &str) -> Value {
    with(site("nl-ams", "alpha", "NL"), json!({"spec": {"state": state}}))
}

/// A move to a place for a cause has ended, and the source is empty.
async fn moved(stage: &Stage, cause: &str, to: &str) -> anyhow::Result<()> {
    stage.wait_on(("acme", "web"), &[to]).await?;
    let from = if to == NL { DE } else { NL };
    for object in ["acme/Deployment/web", "acme/Service/web", "acme/ConfigMap/web"] {
        stage.leaves(from, object).await?;
    }
    eventually(PATIENCE, &format!("a move to {to} because of {cause} to be completed"), || async {
        let moves = migrations(stage).await?;
        let is_it = |m: &&Value| {
            m["spec"]["to"] == to && m["spec"]["cause"]["kind"] == cause && m["status"]["step"] == "Completed"
        };
        if moves.iter().any(|m| is_it(&m)) { Ok(Some(())) } else { bail!("there are {moves:?}") }
    })
    .await
    .with_context(|| stage.log_tail())?;
    stage.says("tenantworkloads/acme/web", "Compliant", "True", "").await?;
    // Each move is told apart from the next.
    let delete = ["-n", "acme", "delete", "migrations.domicile.dev", "--all"];
    stage.fleet.hub()?.kubectl(delete).text().await?;
    Ok(())
}

async fn migrations(stage: &Stage) -> anyhow::Result<Vec<Value>> {
    let path = "/apis/domicile.dev/v1alpha1/namespaces/acme/migrations";
    let all = look(stage.fleet.hub()?, path).await?.unwrap_or_default();
    Ok(all["items"].as_array().cloned().unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cause_moves_and_nothing_is_served_by_less() -> anyhow::Result<()> {
    let stage =
        members_like(&[(NL, Stage::member_options(NL)), (DE, Stage::member_options(DE))], true).await?;
    let witness = Witness::begin(&stage);
    stage.apply(&list(&[dutch(json!({})), web(json!({}))])).await?;
    stage.wait_on(("acme", "web"), &[NL]).await?;

    // A site closes, and is online again: a preference.
    stage.apply(&dutch_site("Closing").to_string()).await?;
    moved(&stage, "SiteClosing", DE).await?;
    stage.apply(&dutch_site("Online").to_string()).await?;
    moved(&stage, "PreferredPlace", NL).await?;

    // A member is drained.
    schedule(&stage, "Draining").await?;
    moved(&stage, "Draining", DE).await?;
    schedule(&stage, "Open").await?;
    moved(&stage, "PreferredPlace", NL).await?;

    // The tenant isn't allowed there any more.
    stage.apply(&dutch(json!({"spec": {"residency": {"denied": [{"country": "NL"}]}}})).to_string()).await?;
    moved(&stage, "ResidencyChanged", DE).await?;
    stage.apply(&dutch(json!({"spec": {"residency": {"denied": []}}})).to_string()).await?;
    moved(&stage, "PreferredPlace", NL).await?;

    expires(&stage).await?;
    ensure!(witness.fewest_ready("web", REPLICAS)? >= REPLICAS, "it was served by less: {witness:?}");
    nothing_is_forbidden(&stage).await
}

async fn schedule(stage: &Stage, how: &str) -> anyhow::Result<()> {
    let patch = json!({"spec": {"scheduling": how}}).to_string();
    let args = ["patch", "memberclusters.domicile.dev", NL, "--type=merge", "-p", patch.as_str()];
    stage.fleet.hub()?.kubectl(args).text().await?;
    Ok(())
}

/// An approval ends by its date: held, as long as the tenant doesn't say otherwise.
async fn expires(stage: &Stage) -> anyhow::Result<()> {
    let until = Timestamp::now() + SignedDuration::from_secs(5);
    let until = json!({"spec": {"validUntil": until.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()}});
    let short = decision("alpha-for-now", "HostingProvider/alpha", "Approved", &["alpha-approved"]);
    stage.apply(&with(short, until).to_string()).await?;
    stage.says("tenantworkloads/acme/web", "Compliant", "False", "ApprovalExpired").await?;
    stage.comes_to_rest().await?;
    ensure!(migrations(stage).await?.is_empty(), "it moves though its tenant said nothing");
    stage.apply(&dutch(json!({"spec": {"onApprovalExpired": "Evacuate"}})).to_string()).await?;
    moved(stage, "ApprovalExpired", DE).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_lawful_place_or_has_volumes_stays_and_says_so() -> anyhow::Result<()> {
    let members = [(NL, Stage::member_options(NL).volumes(2)), (DE, Stage::member_options(DE))];
    let stage = members_like(&members, false).await?;
    let mounting = with(
        deployment("data", "1"),
        json!({"spec": {"template": {"spec": {"volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}}}}),
    );
    let data = workload("acme", "data", &[claim("data"), mounting], json!({}));
    stage.apply(&list(&[web(json!({})), data])).await?;
    for name in ["web", "data"] {
        stage.wait_on(("acme", name), &[NL]).await?;
    }
    let before = managed(stage.fleet.member(NL)?).await?;
    let revoked = decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    stage.apply(&revoked.to_string()).await?;
    let message = stage.says("tenantworkloads/acme/web", "Stalled", "True", "NoLawfulPlace").await?;
    ensure!(message.contains("nothing is deleted") && message.contains(NL), "{message}");
    stage.says("tenantworkloads/acme/data", "Stalled", "True", "VolumesNotMovable").await?;
    warned(&stage, "web", "NoLawfulPlace").await?;
    warned(&stage, "data", "VolumesNotMovable").await?;
    counted(&stage, "domicile_workloads_stalled 2").await?;
    counted(&stage, "domicile_workloads_not_compliant 2").await?;
    stage.comes_to_rest().await?;
    ensure!(managed(stage.fleet.member(NL)?).await? == before, "what has no place was touched");

    // A lawful place, where for now nothing starts: the reason is told, and that it is served from where it is.
    let member = stage.fleet.member(DE)?;
    member.kubectl(["apply", "-f", "-"]).stdin(list(&no_pods())).text().await?;
    lets_pods_in(member, false).await?;
    stage.apply(&decision("beta-approved", "HostingProvider/beta", "Approved", &[]).to_string()).await?;
    hindered(&stage).await?;
    member.kubectl(["delete", "validatingadmissionpolicybindings", "no-pods"]).text().await?;
    lets_pods_in(member, true).await?;
    // Kubernetes tries again later and later, or when it sees a change.
    member.kubectl(["-n", "acme", "annotate", "replicasets", "--all", "scenario=open"]).text().await?;

    // What can go goes, and what can't still stays.
    moved(&stage, "ApprovalRevoked", DE).await?;
    stage.says("tenantworkloads/acme/data", "Stalled", "True", "VolumesNotMovable").await?;
    let now = managed(stage.fleet.member(NL)?).await?;
    ensure!(now.keys().eq(["acme/Deployment/data", "acme/PersistentVolumeClaim/data"]), "there is {now:?}");
    ensure!(
        now.iter().all(|(name, object)| before.get(name) == Some(object)),
        "the data was touched: {now:?}"
    );
    nothing_is_forbidden(&stage).await
}

/// A member's owner lets no pod in.
fn no_pods() -> [Value; 2] {
    let about = |kind: &str, spec: Value| {
        let metadata = json!({"name": "no-pods"});
        json!({"apiVersion": "admissionregistration.k8s.io/v1", "kind": kind, "metadata": metadata, "spec": spec})
    };
    let pods =
        json!({"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]});
    let policy = json!({
        "matchConstraints": {"resourceRules": [pods]},
        "validations": [{"expression": "false", "message": "closed for the day"}],
    });
    let binding = json!({"policyName": "no-pods", "validationActions": ["Deny"]});
    [about("ValidatingAdmissionPolicy", policy), about("ValidatingAdmissionPolicyBinding", binding)]
}

/// A policy is in force some time after it was written, and out of force some time after it was deleted.
async fn lets_pods_in(member: &Cluster, open: bool) -> anyhow::Result<()> {
    eventually(PATIENCE, "the policy on pods to have its way", || async {
        let probe = ["-n", "default", "run", "probe", "--image=none", "--dry-run=server"];
        match member.kubectl(probe).text().await {
            Err(error) if !format!("{error:#}").contains("closed for the day") => Err(error),
            answer => Ok((answer.is_ok() == open).then_some(())),
        }
    })
    .await
}

/// What keeps the copy at the target from being ready is said of the workload and of its move.
async fn hindered(stage: &Stage) -> anyhow::Result<()> {
    eventually(PATIENCE, "what hinders the move to be told", || async {
        let moves = migrations(stage).await?;
        let status = moves.first().map(|m| m["status"].clone()).unwrap_or_default();
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let stalled = |c: &Value| {
            let message = c["message"].as_str().unwrap_or_default();
            c["type"] == "Stalled"
                && c["reason"] == "TargetNotReady"
                && message.contains("closed for the day")
        };
        let is_told = status["step"] == "Starting" && conditions.iter().any(stalled);
        if is_told { Ok(Some(())) } else { bail!("there are {moves:?}") }
    })
    .await
    .with_context(|| stage.log_tail())?;
    let path = "/apis/domicile.dev/v1alpha1/namespaces/acme/tenantworkloads/web";
    let status = eventually(PATIENCE, "the workload to tell it, too", || async {
        let workload = look(stage.fleet.hub()?, path).await?.unwrap_or_default();
        let problem = &workload["status"]["problems"][0];
        let is_told = problem["cluster"] == DE && problem["reason"] == "FailedCreate";
        if is_told {
            Ok(Some(workload["status"].clone()))
        } else {
            bail!("its status is {}", workload["status"])
        }
    })
    .await
    .with_context(|| stage.log_tail())?;
    let mut conditions = status["conditions"].as_array().into_iter().flatten();
    let ready = conditions.find(|c| c["type"] == "Ready").context("not Ready")?;
    ensure!(ready["reason"] != "FailedCreate", "it serves from its source: {status}");
    Ok(())
}

async fn warned(stage: &Stage, name: &str, reason: &str) -> anyhow::Result<()> {
    eventually(PATIENCE, &format!("a warning {reason} about {name}"), || async {
        let events = look(stage.fleet.hub()?, "/apis/events.k8s.io/v1/namespaces/acme/events").await?;
        let events = events.unwrap_or_default();
        let about =
            |e: &Value| e["reason"] == reason && e["type"] == "Warning" && e["regarding"]["name"] == name;
        let found = events["items"].as_array().into_iter().flatten().any(about);
        if found { Ok(Some(())) } else { bail!("events are {events}") }
    })
    .await
    .with_context(|| stage.log_tail())
}

async fn counted(stage: &Stage, line: &str) -> anyhow::Result<()> {
    eventually(PATIENCE, line, || async {
        let metrics = stage.ask_operator("/metrics").await?;
        if metrics.lines().any(|found| found == line) { Ok(Some(())) } else { bail!("metrics are {metrics}") }
    })
    .await
}
