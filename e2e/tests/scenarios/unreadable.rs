//! Objects of a newer API than the operator knows: the hub takes them, and the operator can't read them. Whatever may
//! forbid does so all the same.

use anyhow::{Context as _, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::{process::Signal, wait::eventually},
    props::{config_map, decision, deployment, list, site, with, workload},
    sight::{domicile, look, managed},
    stage::{PATIENCE, Stage},
};
use serde_json::{Value, json};

use crate::set::{DE, NL, two_members, withdraw};

fn app(name: &str, count: i32) -> Value {
    let more = json!({"clusters": {"count": count, "spreadBy": "Country"}});
    workload("acme", name, &[config_map(name, "a"), deployment(name, "1")], more)
}

/// Has the hub take more than before: patches the schema of a kind's spec.
pub(crate) async fn extend(stage: &Stage, plural: &str, change: Value) -> anyhow::Result<()> {
    let schema = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties";
    let path = format!("{schema}{}", change["path"].as_str().context("a patch has a path")?);
    let changes = json!([with(change, json!({"path": path}))]).to_string();
    let definition = format!("{plural}.domicile.dev");
    let args = ["patch", "crd", definition.as_str(), "--type=json", "-p", changes.as_str()];
    stage.fleet.hub()?.kubectl(args).text().await?;
    Ok(())
}

/// Applies what the hub takes only once it has noticed that its schema is another.
pub(crate) async fn apply_soon(stage: &Stage, object: &Value) -> anyhow::Result<()> {
    let text = object.to_string();
    eventually(PATIENCE, "the hub to take it", || async { stage.apply(&text).await.map(Some) }).await?;
    Ok(())
}

async fn delete(stage: &Stage, kind: &str, name: &str) -> anyhow::Result<()> {
    stage.fleet.hub()?.kubectl(["delete", kind, name]).text().await.map(|_| ())
}

async fn restart(stage: &Stage) -> anyhow::Result<()> {
    stage.stop_operator(Signal::KILL).await?;
    stage.start_operator().map(|_| ())
}

/// Where a workload has its Deployment.
async fn runs_on(stage: &Stage, name: &str) -> anyhow::Result<Vec<&'static str>> {
    let mut found = Vec::new();
    for member in [NL, DE] {
        let objects = managed(stage.fleet.member(member)?).await?;
        if objects.contains_key(&format!("acme/Deployment/{name}")) {
            found.push(member);
        }
    }
    Ok(found)
}

async fn has_event(stage: &Stage, name: &str) -> anyhow::Result<()> {
    events_have(stage, &format!("involvedObject.name={name},reason=Unreadable")).await
}

/// Waits for an event that a field selector selects.
pub(crate) async fn events_have(stage: &Stage, selector: &str) -> anyhow::Result<()> {
    eventually(PATIENCE, &format!("an event with {selector}"), || async {
        let args = ["get", "events", "-A", "--field-selector", selector, "-o", "name"];
        let found = stage.fleet.hub()?.kubectl(args).text().await?;
        Ok((!found.trim().is_empty()).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_forbids_all_the_same() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    extend(&stage, "decisions", json!({"op": "add", "path": "/basis/enum/-", "value": "Omen"})).await?;
    extend(
        &stage,
        "decisions",
        json!({"op": "add", "path": "/subject/properties/kind/enum/-", "value": "Cable"}),
    )
    .await?;
    a_freeze(&stage).await?;
    an_approval(&stage).await?;
    the_brakes(&stage).await?;
    a_fact(&stage).await?;
    nothing_is_forbidden(&stage).await
}

/// Of a tenant, and of nobody knows whom: a copy that isn't wanted any more stays until the decision is gone.
async fn a_freeze(stage: &Stage) -> anyhow::Result<()> {
    let omen = with(decision("odd", "Tenant/acme", "Frozen", &[]), json!({"spec": {"basis": "Omen"}}));
    let cable = decision("cable", "Cable/atlantic", "Suspended", &[]);
    for (name, object, about) in [("odd", omen, "Tenant/acme"), ("cable", cable, "every subject")] {
        let app_name = format!("app-{name}");
        stage.apply(&app(&app_name, 2).to_string()).await?;
        let short = format!("tenantworkloads/acme/{app_name}");
        stage.says(&short, "Ready", "True", "").await?;
        apply_soon(stage, &object).await?;
        let decided = format!("decisions/{name}");
        let message = stage.says(&decided, "Ready", "False", "Unreadable").await?;
        ensure!(message.contains("Frozen") && message.contains(about), "{message}");
        stage.says(&decided, "InForce", "True", "").await?;
        has_event(stage, name).await?;
        let wanted = if name == "cable" { "Decision/cable" } else { "Tenant/acme" };
        stage.wait_until_said(&short, ("Compliant", "False", "ApprovalFrozen"), wanted).await?;

        stage.apply(&app(&app_name, 1).to_string()).await?;
        stage.comes_to_rest().await?;
        assert_eq!(runs_on(stage, &app_name).await?, [NL, DE]);
        restart(stage).await?;
        // Whoever says that has looked at everything anew.
        let later = format!("later-{name}");
        stage.apply(&app(&later, 1).to_string()).await?;
        let frozen = ("Placed", "False", "ApprovalFrozen");
        stage.wait_until_said(&format!("tenantworkloads/acme/{later}"), frozen, wanted).await?;
        stage.comes_to_rest().await?;
        assert_eq!(runs_on(stage, &app_name).await?, [NL, DE]);
        assert!(runs_on(stage, &later).await?.is_empty());

        withdraw(stage, name).await?;
        stage.says(&short, "Compliant", "True", "").await?;
        stage.says(&format!("tenantworkloads/acme/{later}"), "Ready", "True", "").await?;
        eventually(PATIENCE, "one copy to go", || async {
            Ok((runs_on(stage, &app_name).await?.len() == 1).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// It approves nothing and lifts nothing.
async fn an_approval(stage: &Stage) -> anyhow::Result<()> {
    let frozen = decision("beta-frozen", "HostingProvider/beta", "Frozen", &[]);
    let lifted = decision("beta-lifted", "HostingProvider/beta", "Approved", &["beta-frozen"]);
    stage.apply(&list(&[frozen])).await?;
    apply_soon(stage, &with(lifted, json!({"spec": {"basis": "Omen"}}))).await?;
    stage.says("decisions/beta-lifted", "InForce", "False", "Unreadable").await?;
    stage.says("decisions/beta-frozen", "InForce", "True", "InForce").await?;
    stage.says("hostingproviders/beta", "Approved", "False", "Frozen").await?;
    withdraw(stage, "beta-lifted").await?;
    withdraw(stage, "beta-frozen").await?;
    stage.says("hostingproviders/beta", "Approved", "True", "").await.map(|_| ())
}

/// An Installation that can't be read is paused.
async fn the_brakes(stage: &Stage) -> anyhow::Result<()> {
    let number = json!({"x-kubernetes-int-or-string": true});
    extend(stage, "installations", json!({"op": "replace", "path": "/maxMovesPerHour", "value": number}))
        .await?;
    let installation = |most: Value| {
        json!({
            "apiVersion": "domicile.dev/v1alpha1", "kind": "Installation", "metadata": {"name": "default"},
            "spec": {"maxMovesPerHour": most},
        })
    };
    let mut mover = app("mover", 1);
    mover["spec"]["preferences"] = json!([{"country": "NL"}]);
    stage.apply(&mover.to_string()).await?;
    stage.wait_on(("acme", "mover"), &[NL]).await?;
    apply_soon(stage, &installation(json!("lots"))).await?;
    let message = stage.says("installations/default", "Ready", "False", "Unreadable").await?;
    ensure!(message.contains("paused"), "{message}");
    for round in 0..2 {
        if round > 0 {
            restart(stage).await?;
        }
        let revoked = decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
        stage.apply(&revoked.to_string()).await?;
        let short = "tenantworkloads/acme/mover";
        stage.wait_until_said(short, ("MovePending", "True", ""), "Installation/default is paused").await?;
        stage.comes_to_rest().await?;
        assert_eq!(runs_on(stage, "mover").await?, [NL]);
        ensure!(
            look(stage.fleet.hub()?, &domicile("migrations/acme"))
                .await?
                .is_none_or(|found| { found["items"].as_array().is_none_or(Vec::is_empty) })
        );
    }
    stage.apply(&installation(json!(100)).to_string()).await?;
    stage.says("installations/default", "Ready", "True", "Used").await?;
    stage.wait_on(("acme", "mover"), &[DE]).await
}

/// A fact that nothing is known of: what rests on facts waits, and the operator says for whom.
async fn a_fact(stage: &Stage) -> anyhow::Result<()> {
    extend(stage, "sites", json!({"op": "add", "path": "/state/enum/-", "value": "Afloat"})).await?;
    let afloat = with(site("raft", "beta", "DE"), json!({"spec": {"state": "Afloat"}}));
    apply_soon(stage, &afloat).await?;
    let reason = "Site raft can't be read";
    let said = |wanted: bool| async move {
        eventually(PATIENCE, "the operator to say it", || async {
            let answer = stage.ask_operator("/readyz").await?;
            let fits = if wanted {
                answer.contains("503") && answer.contains(reason)
            } else {
                answer.contains("200")
            };
            ensure!(fits, "{answer}");
            Ok(Some(()))
        })
        .await
    };
    for round in 0..2 {
        if round > 0 {
            restart(stage).await?;
        }
        said(true).await?;
        has_event(stage, "raft").await?;
        stage.apply(&app("waits", 1).to_string()).await?;
        stage.comes_to_rest().await?;
        assert!(runs_on(stage, "waits").await?.is_empty());
    }
    delete(stage, "site", "raft").await?;
    said(false).await?;
    stage.says("tenantworkloads/acme/waits", "Ready", "True", "").await?;

    // One that is known stays what it was.
    stage.apply(&site("raft", "beta", "DE").to_string()).await?;
    stage.says("sites/raft", "Ready", "True", "").await?;
    apply_soon(stage, &afloat).await?;
    stage.apply(&app("goes-on", 1).to_string()).await?;
    stage.says("tenantworkloads/acme/goes-on", "Ready", "True", "").await?;
    said(false).await?;
    delete(stage, "site", "raft").await
}
