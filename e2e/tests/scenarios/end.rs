//! Deletion: what a workload leaves behind, what waits for a member or a decision, and what never deletes anything.

use anyhow::{Context as _, bail};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::wait::eventually,
    props::{claim, config_map, decision, deployment, list, place, stateful_set, tenant, with, workload},
    sight::{domicile, look, managed, tenants},
    stage::{PATIENCE, Stage},
};
use serde_json::{Value, json};

use crate::set::{DE, NL, members_like, only, withdraw};

fn app(name: &str, country: &str) -> Value {
    workload("acme", name, &[config_map(name, "a"), deployment(name, "1")], only(country))
}

async fn delete(stage: &Stage, name: &str) -> anyhow::Result<()> {
    stage.fleet.hub()?.kubectl(["-n", "acme", "delete", "tenantworkloads.domicile.dev", name]).text().await?;
    Ok(())
}

async fn record_goes(stage: &Stage, name: &str) -> anyhow::Result<()> {
    let path = domicile(&format!("assignments/acme/{name}"));
    eventually(PATIENCE, &format!("the Assignment of {name} to go"), || async {
        Ok(look(stage.fleet.hub()?, &path).await?.is_none().then_some(()))
    })
    .await
    .with_context(|| stage.log_tail())
}

/// The message of an event about the Assignment of a workload that is gone.
async fn event(stage: &Stage, name: &str, reason: &str) -> anyhow::Result<String> {
    eventually(PATIENCE, &format!("an event {reason} about {name}"), || async {
        let events = look(stage.fleet.hub()?, "/apis/events.k8s.io/v1/namespaces/acme/events").await?;
        let events = events.unwrap_or_default();
        let about = |e: &&Value| {
            e["reason"] == reason && e["regarding"]["name"] == name && e["regarding"]["kind"] == "Assignment"
        };
        match events["items"].as_array().into_iter().flatten().find(about) {
            Some(event) => Ok(Some(event["note"].as_str().unwrap_or_default().to_owned())),
            None => bail!("events are {events}"),
        }
    })
    .await
    .with_context(|| stage.log_tail())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_goes_and_nothing_else() -> anyhow::Result<()> {
    let members = [(NL, Stage::member_options(NL).volumes(8)), (DE, Stage::member_options(DE))];
    let stage = members_like(&members, true).await?;
    claims(&stage).await?;
    made_again(&stage).await?;
    frozen(&stage).await?;
    facts_come_and_go(&stage).await?;
    nothing_is_forbidden(&stage).await?;
    gone_for_good(&stage).await
}

/// A claim outlives its workload unless that says otherwise.
async fn claims(stage: &Stage) -> anyhow::Result<()> {
    let nl = stage.fleet.member(NL)?;
    let mounting = |name: &str| {
        let mut deployment = deployment(name, "1");
        deployment["spec"]["template"]["spec"]["volumes"] =
            json!([{"name": "data", "persistentVolumeClaim": {"claimName": name}}]);
        deployment
    };
    let manifests = |name: &str| [claim(name), mounting(name), stateful_set(&format!("{name}-db"))];
    let keeps = workload("acme", "keeps", &manifests("keeps"), only("NL"));
    let mut more = only("NL");
    more["onDelete"] = json!("Remove");
    let erases = workload("acme", "erases", &manifests("erases"), more);
    stage.apply(&list(&[keeps, erases])).await?;
    for name in ["keeps", "erases"] {
        stage.wait_on(("acme", name), &[NL]).await?;
    }
    // What a set has left of a larger past goes, too; what only has a like name, or is kept for another, doesn't.
    let of = |name: &str, labels: Value| with(claim(name), json!({"metadata": {"labels": labels}}));
    let claims = list(&[
        of("data-erases-db-1", json!({"app": "erases-db"})),
        of("data-erases-db-2", json!({"app": "other"})),
        of("data-erases-db-3", json!({"app": "erases-db", "domicile.dev/retained": "other"})),
    ]);
    nl.kubectl(["-n", "acme", "apply", "-f", "-"]).stdin(claims).text().await?;
    for name in ["keeps", "erases"] {
        delete(stage, name).await?;
    }
    for name in ["keeps", "erases"] {
        stage.leaves(NL, &format!("acme/Deployment/{name}")).await?;
        stage.leaves(NL, &format!("acme/StatefulSet/{name}-db")).await?;
        record_goes(stage, name).await?;
    }
    for gone in ["erases", "data-erases-db-0", "data-erases-db-1"] {
        stage.leaves(NL, &format!("acme/PersistentVolumeClaim/{gone}")).await?;
    }
    for kept in ["keeps", "data-keeps-db-0", "data-erases-db-2", "data-erases-db-3"] {
        let path = tenants(&format!("acme/PersistentVolumeClaim/{kept}"))?;
        let kept = look(nl, &path).await?.with_context(|| format!("{kept} is gone"))?;
        assert!(kept["metadata"]["deletionTimestamp"].is_null(), "{kept}");
        assert_ne!(kept["metadata"]["labels"]["domicile.dev/workload"], "erases", "{kept}");
    }
    let kept = look(nl, &tenants("acme/PersistentVolumeClaim/keeps")?).await?.unwrap_or_default();
    assert_eq!(kept["metadata"]["labels"]["domicile.dev/retained"], "keeps");
    assert!(kept["metadata"]["labels"]["domicile.dev/workload"].is_null());
    Ok(())
}

/// Deleted and made again at once: the new one is placed when the old one has gone.
async fn made_again(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(&app("again", "NL").to_string()).await?;
    stage.wait_on(("acme", "again"), &[NL]).await?;
    let args = ["-n", "acme", "delete", "tenantworkloads.domicile.dev", "again", "--wait=false"];
    stage.fleet.hub()?.kubectl(args).text().await?;
    stage.apply(&app("again", "DE").to_string()).await?;
    stage.wait_on(("acme", "again"), &[DE]).await?;
    stage.leaves(NL, "acme/Deployment/again").await
}

/// Nothing of a frozen tenant or workload is deleted until that is lifted; where it is, somebody says so.
async fn frozen(stage: &Stage) -> anyhow::Result<()> {
    let subjects = [("tenant-frozen", "Tenant/acme"), ("workload-frozen", "TenantWorkload/acme/cold")];
    for (name, subject) in subjects {
        stage.apply(&app("cold", "NL").to_string()).await?;
        stage.wait_on(("acme", "cold"), &[NL]).await?;
        stage.apply(&decision(name, subject, "Frozen", &[]).to_string()).await?;
        stage.says("tenantworkloads/acme/cold", "Compliant", "False", "ApprovalFrozen").await?;
        delete(stage, "cold").await?;
        let message = event(stage, "cold", "CleanupWaits").await?;
        assert!(message.contains(NL) && message.contains("frozen"), "{message}");
        let before = stage.comes_to_rest().await?;
        assert!(look(stage.fleet.member(NL)?, &tenants("acme/Deployment/cold")?).await?.is_some());
        assert!(look(stage.fleet.hub()?, &domicile("assignments/acme/cold")).await?.is_some());
        assert!(stage.written(&before).await?.is_empty());
        stage.apply(&decision(&format!("{name}-lifted"), subject, "Approved", &[name]).to_string()).await?;
        stage.leaves(NL, "acme/Deployment/cold").await?;
        record_goes(stage, "cold").await?;
        stage.fleet.hub()?.kubectl(["-n", "acme", "delete", "events", "--all"]).text().await?;
    }
    Ok(())
}

/// That a fact isn't there is no decision: nothing goes, and nothing moves.
async fn facts_come_and_go(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(&app("stays", "NL").to_string()).await?;
    stage.wait_on(("acme", "stays"), &[NL]).await?;
    let before = managed(stage.fleet.member(NL)?).await?;
    let hub = stage.fleet.hub()?;
    let facts = [
        "hostingproviders.domicile.dev/alpha",
        "sites.domicile.dev/nl-ams",
        "countrysets.domicile.dev/eu",
        "memberclusters.domicile.dev/nl-ams-1",
        "tenants.domicile.dev/acme",
    ];
    withdraw(stage, "alpha-approved").await?;
    for fact in facts {
        hub.kubectl(["delete", fact]).text().await?;
    }
    stage.says("tenantworkloads/acme/stays", "Placed", "False", "NamespaceTaken").await?;
    stage.comes_to_rest().await?;
    let now = managed(stage.fleet.member(NL)?).await?;
    assert_eq!(now, before, "what runs was touched");
    let moves = look(hub, "/apis/domicile.dev/v1alpha1/migrations").await?.unwrap_or_default();
    assert_eq!(moves["items"], json!([]));

    stage.apply(&list(&[place("alpha", "nl-ams", "NL"), vec![tenant("acme")]].concat())).await?;
    stage.apply_file("charts/domicile/countrysets").await?;
    stage.join(NL, "nl-ams", &["acme"]).await?;
    stage.says("tenantworkloads/acme/stays", "Compliant", "True", "").await?;
    stage.wait_on(("acme", "stays"), &[NL]).await?;
    stage.comes_to_rest().await?;
    assert_eq!(managed(stage.fleet.member(NL)?).await?, before);
    Ok(())
}

/// A member that never returns: its record stays and says so until a person lets go.
async fn gone_for_good(stage: &Stage) -> anyhow::Result<()> {
    stage.fleet.member(NL)?.kill_apiserver();
    delete(stage, "stays").await?;
    let message = event(stage, "stays", "CleanupWaits").await?;
    let command = "kubectl -n acme annotate assignments.domicile.dev stays domicile.dev/abandon=nl-ams-1";
    assert!(message.contains(command), "{message}");
    assert!(look(stage.fleet.hub()?, &domicile("assignments/acme/stays")).await?.is_some());
    let args =
        ["-n", "acme", "annotate", "assignments.domicile.dev", "stays", "domicile.dev/abandon=nl-ams-1"];
    stage.fleet.hub()?.kubectl(args).text().await?;
    record_goes(stage, "stays").await?;
    let message = event(stage, "stays", "Abandoned").await?;
    assert!(message.contains(NL), "{message}");
    Ok(())
}
