//! Members that hang, refuse or are gone for a while, an operator that is killed at any moment, a hub that restarts.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context as _, bail};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::{Cluster, RequestCounts, process::Signal, wait::eventually},
    props::{config_map, decision, deployment, list, workload},
    sight::{domicile, look, managed, tenants},
    stage::Stage,
};
use serde_json::{Value, json};

use crate::{
    lease::takes_over,
    set::{DE, NL, only, two_members},
};

/// Within this, a new workload runs although another member is dead: nobody waits for a dead member's deadline.
const SOON: Duration = Duration::from_secs(10);

fn app(name: &str, version: &str, country: &str) -> Value {
    workload("acme", name, &[config_map(name, version), deployment(name, version)], only(country))
}

async fn served_soon(stage: &Stage, name: &str) -> anyhow::Result<()> {
    stage.apply(&app(name, "1", "DE").to_string()).await?;
    eventually(SOON, &format!("{name} to be served meanwhile"), || async {
        let found = look(stage.fleet.hub()?, &domicile(&format!("tenantworkloads/acme/{name}"))).await?;
        let ready = found.as_ref().and_then(|w| w.pointer("/status/seats/0/ready")).and_then(Value::as_bool);
        if ready == Some(true) { Ok(Some(())) } else { bail!("it is {found:?}") }
    })
    .await
    .with_context(|| stage.log_tail())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_member_delays_nobody_and_loses_nothing() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    let nl = stage.fleet.member(NL)?;
    stage.apply(&list(&[app("here", "1", "NL"), app("gone", "1", "NL"), app("there", "1", "DE")])).await?;
    for (name, at) in [("here", NL), ("gone", NL), ("there", DE)] {
        stage.wait_on(("acme", name), &[at]).await?;
    }
    let objects = managed(nl).await?;
    hangs(&stage, nl).await?;
    answers_with_errors(&stage, nl).await?;

    // It refuses. Meanwhile a workload there changes, one is deleted, and the operator is restarted.
    nl.kill_apiserver();
    served_soon(&stage, "refuses").await?;
    stage.apply(&app("here", "2", "NL").to_string()).await?;
    stage
        .fleet
        .hub()?
        .kubectl(["-n", "acme", "delete", "tenantworkloads.domicile.dev", "gone"])
        .text()
        .await?;
    stage.says(&format!("memberclusters/{NL}"), "Ready", "Unknown", "Unreachable").await?;
    stage.stop_operator(Signal::KILL).await?;
    let next = stage.start_operator()?;
    // It waits for the lease of the one that was killed, which has nothing to do with the member.
    takes_over(&stage, &next).await?;
    served_soon(&stage, "after-a-restart").await?;
    let assignment = look(stage.fleet.hub()?, &domicile("assignments/acme/gone")).await?;
    assert!(assignment.is_some(), "the record of what is left on a dead member is gone");

    // It returns: what was missed is made up for, once.
    nl.restart_apiserver().await?;
    stage.says(&format!("memberclusters/{NL}"), "Ready", "True", "").await?;
    let image = |found: &Value| found.pointer("/spec/template/spec/containers/0/image").cloned();
    let new = Some(json!("example.invalid/here:2"));
    stage.sees(NL, "acme/Deployment/here", "the new image", |found| image(found) == new).await?;
    stage.leaves(NL, "acme/Deployment/gone").await?;
    stage.says("tenantworkloads/acme/here", "Ready", "True", "").await?;
    stage.comes_to_rest().await?;
    let now = managed(nl).await?;
    assert_eq!(now.keys().collect::<Vec<_>>(), ["acme/ConfigMap/here", "acme/Deployment/here"]);
    assert_eq!(uid(&now, "acme/Deployment/here"), uid(&objects, "acme/Deployment/here"));
    assert!(look(stage.fleet.hub()?, &domicile("assignments/acme/gone")).await?.is_none());
    nothing_is_forbidden(&stage).await
}

/// Connections are accepted, and nobody answers.
async fn hangs(stage: &Stage, member: &Cluster) -> anyhow::Result<()> {
    let before = stage.comes_to_rest().await?;
    member.pause().await?;
    served_soon(stage, "hangs").await?;
    stage.wait_on(("acme", "here"), &[NL]).await?;
    member.resume()?;
    returns_untouched(stage, &before).await
}

/// Whatever it is asked, it answers 500.
async fn answers_with_errors(stage: &Stage, member: &Cluster) -> anyhow::Result<()> {
    let before = stage.comes_to_rest().await?;
    member.kill_apiserver();
    let errors = member.answer_with_errors()?;
    served_soon(stage, "errors").await?;
    let unknown = ("Ready", "Unknown", "");
    stage.wait_until_said(&format!("memberclusters/{NL}"), unknown, "Out of order").await?;
    stage.wait_on(("acme", "here"), &[NL]).await?;
    drop(errors);
    member.restart_apiserver().await?;
    stage.says(&format!("memberclusters/{NL}"), "Ready", "True", "").await?;
    returns_untouched(stage, &before).await
}

async fn returns_untouched(stage: &Stage, before: &BTreeMap<String, RequestCounts>) -> anyhow::Result<()> {
    stage.comes_to_rest().await?;
    // Its own controllers note in statuses that nodes were away.
    let written =
        stage.counts().await?[NL].since(&before[NL]).writes().filter(|key| key.subresource != "status");
    assert_eq!(written.total(), 0, "a member that returned was written to: {written:?}");
    Ok(())
}

fn uid(objects: &BTreeMap<String, Value>, name: &str) -> Option<Value> {
    objects.get(name)?.pointer("/metadata/uid").cloned()
}

const MANY: usize = 12;

fn many() -> Vec<Value> {
    let one = |n| {
        workload(
            "acme",
            &format!("app-{n}"),
            &[config_map(&format!("app-{n}"), "a"), deployment(&format!("app-{n}"), "1")],
            json!({}),
        )
    };
    (0..MANY).map(one).collect()
}

/// Waits until `count` workloads satisfy `fits`, and answers how many do.
async fn progress(
    stage: &Stage,
    count: usize,
    what: &str,
    fits: impl Fn(&Value) -> bool,
) -> anyhow::Result<()> {
    eventually(Duration::from_secs(90), what, || async {
        let path = "/apis/domicile.dev/v1alpha1/namespaces/acme/assignments";
        let all = look(stage.fleet.hub()?, path).await?.unwrap_or_default();
        let done = all["items"].as_array().into_iter().flatten().filter(|item| fits(item)).count();
        if done >= count { Ok(Some(())) } else { bail!("{done} of {count}") }
    })
    .await
    .with_context(|| stage.log_tail())
}

async fn restart_operator(stage: &Stage) -> anyhow::Result<()> {
    stage.stop_operator(Signal::KILL).await?;
    stage.start_operator()?;
    Ok(())
}

fn deletes(counts: &BTreeMap<String, RequestCounts>, cluster: &str) -> u64 {
    counts.get(cluster).map_or(0, |c| c.writes().filter(|key| key.verb.starts_with("DELETE")).total())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_that_is_killed_goes_on_where_it_was() -> anyhow::Result<()> {
    let stage = two_members(false).await?;
    stage.apply(&list(&many())).await?;
    for placed in [1, 5, MANY] {
        progress(&stage, placed, "placements", |_| true).await?;
        restart_operator(&stage).await?;
    }
    for n in 0..MANY {
        stage.wait_on(("acme", &format!("app-{n}")), &[NL]).await?;
    }
    let rest = stage.comes_to_rest().await?;
    assert_eq!(managed(stage.fleet.member(NL)?).await?.len(), 2 * MANY);
    assert_eq!((deletes(&rest, NL), deletes(&rest, "hub")), (0, 0), "{rest:?}");

    // Restarted with everything in place: it writes nothing.
    restart_operator(&stage).await?;
    stage.stays_still(&rest).await?;

    // Everything moves, and it is killed at each step.
    let approved = decision("beta-approved", "HostingProvider/beta", "Approved", &[]);
    let revoked = decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    stage.apply(&list(&[approved, revoked])).await?;
    for switched in [1, 4, 8, MANY] {
        let at = |item: &Value| item.pointer("/spec/seats/0/cluster") == Some(&json!(DE));
        progress(&stage, switched, "switches", at).await?;
        restart_operator(&stage).await?;
    }
    for n in 0..MANY {
        stage.wait_on(("acme", &format!("app-{n}")), &[DE]).await?;
        stage.leaves(NL, &format!("acme/Deployment/app-{n}")).await?;
    }
    let moved = stage.comes_to_rest().await?;
    assert_eq!(managed(stage.fleet.member(NL)?).await?.len(), 0);
    let there = managed(stage.fleet.member(DE)?).await?;
    assert_eq!(there.len(), 2 * MANY);
    assert_eq!(deletes(&moved, DE), 0);
    let path = "/apis/domicile.dev/v1alpha1/migrations";
    let migrations = look(stage.fleet.hub()?, path).await?.unwrap_or_default();
    let steps: Vec<_> =
        migrations["items"].as_array().into_iter().flatten().map(|m| &m["status"]["step"]).collect();
    assert_eq!(steps, vec![&json!("Completed"); MANY]);
    for kind in ["migrations.domicile.dev", "relocations.domicile.dev"] {
        let args = ["-n", "acme", "wait", "--for=condition=Ready", kind, "--all", "--timeout=30s"];
        stage.fleet.hub()?.kubectl(args).text().await?;
    }

    // The hub restarts under it: it goes on, and what is new is placed. One operator may lose its lease over that.
    stage.start_operator()?;
    let hub = stage.fleet.hub()?;
    hub.kill_apiserver();
    hub.restart_apiserver().await?;
    served_soon_after_hub(&stage).await?;
    let now = managed(stage.fleet.member(DE)?).await?;
    assert!(there.keys().all(|name| uid(&now, name) == uid(&there, name)));
    nothing_is_forbidden(&stage).await
}

async fn served_soon_after_hub(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(&app("after-the-hub", "1", "DE").to_string()).await?;
    stage.wait_on(("acme", "after-the-hub"), &[DE]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_that_has_forgotten_asks_before_it_places() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    let (hub, nl) = (stage.fleet.hub()?, stage.fleet.member(NL)?);
    stage.apply(&list(&[app("half", "1", "NL"), app("lost", "1", "NL")])).await?;
    for name in ["half", "lost"] {
        stage.wait_on(("acme", name), &[NL]).await?;
    }
    stage.stop_operator(Signal::TERM).await?;
    let objects = managed(nl).await?;

    // An older operator didn't write the tenant nor what was applied; a restored hub has no record at all.
    let half = json!([
        {"op": "remove", "path": "/spec/tenant"}, {"op": "remove", "path": "/spec/onDelete"},
        {"op": "replace", "path": "/spec/seats/0/inventory", "value": []},
    ]);
    let patch = |name: &'static str, patch: String| {
        hub.kubectl(["-n", "acme", "patch", "assignments.domicile.dev", name, "--type=json", "-p", &patch])
            .text()
    };
    patch("half", half.to_string()).await?;
    patch("lost", json!([{"op": "remove", "path": "/metadata/finalizers"}]).to_string()).await?;
    hub.kubectl(["-n", "acme", "delete", "assignments.domicile.dev", "lost"]).text().await?;
    stage.start_operator()?;

    let message = stage.says("tenantworkloads/acme/lost", "Placed", "Unknown", "PlacementUnknown").await?;
    assert!(message.contains(NL), "{message}");
    stage.says("tenantworkloads/acme/half", "Ready", "True", "").await?;
    stage.comes_to_rest().await?;
    let now = managed(nl).await?;
    assert_eq!(now.keys().collect::<Vec<_>>(), objects.keys().collect::<Vec<_>>());
    assert!(now.keys().all(|name| uid(&now, name) == uid(&objects, name)));
    assert_eq!(managed(stage.fleet.member(DE)?).await?.len(), 0);

    // As the message says: without what is left there, it is placed.
    nl.kubectl(["-n", "acme", "delete", "deployment/lost", "configmap/lost"]).text().await?;
    stage.wait_on(("acme", "lost"), &[NL]).await?;

    // The half-written one has all that it needs to be cleaned up.
    hub.kubectl(["-n", "acme", "delete", "tenantworkloads.domicile.dev", "half"]).text().await?;
    stage.leaves(NL, "acme/Deployment/half").await?;
    stage.leaves(NL, "acme/ConfigMap/half").await?;
    eventually(Duration::from_mins(1), "the record to go", || async {
        Ok(look(hub, &domicile("assignments/acme/half")).await?.is_none().then_some(()))
    })
    .await?;
    assert!(look(nl, &tenants("acme/Deployment/lost")?).await?.is_some());
    nothing_is_forbidden(&stage).await
}
