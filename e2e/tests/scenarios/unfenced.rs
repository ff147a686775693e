//! The source of a move doesn't answer: what may run twice goes on without it, what may not waits, and nothing of it is
//! forgotten when it returns.

use anyhow::ensure;
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::{Cluster, process::Signal},
    props::{decision, deployment, list, workload},
    sight::{domicile, look, managed},
    witness::Witness,
};
use serde_json::{Value, json};

use crate::set::{DE, NL, two_members};

fn app(name: &str, more: Value) -> Value {
    workload("acme", name, &[deployment(name, "1")], more)
}

/// A person says that nothing of a workload runs on the member that is lost.
async fn let_go(hub: &Cluster, name: &str) -> anyhow::Result<()> {
    let annotate =
        ["-n", "acme", "annotate", "assignments.domicile.dev", name, "domicile.dev/abandon=nl-ams-1"];
    hub.kubectl(annotate).text().await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_doesnt_answer_is_left_and_cleaned_up_later() -> anyhow::Result<()> {
    let stage = two_members(false).await?;
    let witness = Witness::begin(&stage);
    let (hub, nl) = (stage.fleet.hub()?, stage.fleet.member(NL)?);
    stage
        .apply(&list(&[
            app("free", json!({})),
            app("lost", json!({})),
            app("solo", json!({"overlap": "Forbid"})),
            app("burned", json!({"overlap": "Forbid"})),
        ]))
        .await?;
    for name in ["free", "lost", "solo", "burned"] {
        stage.wait_on(("acme", name), &[NL]).await?;
    }
    nl.kill_apiserver();
    stage.says(&format!("memberclusters/{NL}"), "Ready", "Unknown", "Unreachable").await?;
    let approved = decision("beta-approved", "HostingProvider/beta", "Approved", &[]);
    let revoked = decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    stage.apply(&list(&[approved, revoked])).await?;
    for name in ["free", "lost"] {
        stage.wait_on(("acme", name), &[DE]).await?;
        let message =
            stage.says(&format!("tenantworkloads/acme/{name}"), "Stalled", "True", "SourceUnfenced").await?;
        ensure!(message.contains(NL), "{message}");
        // It can't be said that it is where it may be as long as it may still run where it may not.
        stage.says(&format!("tenantworkloads/acme/{name}"), "Compliant", "False", "ApprovalRevoked").await?;
    }
    for name in ["solo", "burned"] {
        let message = stage
            .says(&format!("tenantworkloads/acme/{name}"), "Stalled", "True", "MemberUnreachable")
            .await?;
        let command =
            format!("kubectl -n acme annotate assignments.domicile.dev {name} domicile.dev/abandon={NL}");
        ensure!(message.contains(&command), "{message}");
    }
    // It stands by there, and doesn't run.
    stage
        .sees(DE, "acme/Deployment/solo", "no pods asked for", |found| found["spec"]["replicas"] == 0)
        .await?;

    // A person lets go of two of them, and the operator is restarted: the others are remembered.
    for name in ["lost", "burned"] {
        let_go(hub, name).await?;
    }
    stage.wait_on(("acme", "burned"), &[DE]).await?;
    let wait = [
        "-n",
        "acme",
        "wait",
        "--for=condition=Ready",
        "migrations.domicile.dev",
        "--selector=domicile.dev/workload=lost",
        "--timeout=60s",
    ];
    hub.kubectl(wait).text().await?;
    stage.stop_operator(Signal::KILL).await?;
    stage.start_operator()?;
    stage.says("tenantworkloads/acme/free", "Stalled", "True", "SourceUnfenced").await?;

    // It returns: what was left is removed before anything else, and what waited moves.
    nl.restart_apiserver().await?;
    for name in ["free", "solo"] {
        stage.leaves(NL, &format!("acme/Deployment/{name}")).await?;
        stage.wait_on(("acme", name), &[DE]).await?;
        stage.says(&format!("tenantworkloads/acme/{name}"), "Compliant", "True", "").await?;
    }
    witness.never_on_two("solo")?;
    // What somebody let go of is cleaned up, too, although no record names it any more.
    for name in ["lost", "burned"] {
        stage.leaves(NL, &format!("acme/Deployment/{name}")).await?;
    }
    let left = managed(nl).await?;
    ensure!(left.is_empty(), "there is {left:?}");
    let record = look(hub, &domicile("assignments/acme/lost")).await?.unwrap_or_default();
    ensure!(record["spec"]["seats"][0]["cluster"] == DE, "{record}");
    nothing_is_forbidden(&stage).await
}
