//! What a tenant, a slip or a stubborn pod must not be able to do to others, and to what was there before.

use anyhow::{Context as _, bail, ensure};
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::{Cluster, process::Signal, wait::eventually},
    plugin,
    props::{claim, config_map, decision, deployment, list, site, with, workload},
    sight::{domicile, look, managed, tenants},
    stage::{OPERATOR_NAMESPACE, PATIENCE, Stage},
};
use serde_json::{Value, json};

use crate::set::{DE, NL, only, two_members};

fn app(name: &str, more: Value) -> Value {
    workload("acme", name, &[config_map(name, "a"), deployment(name, "1")], more)
}

fn cli(stage: &Stage, args: &[&str]) -> anyhow::Result<plugin::Ran> {
    plugin::domicile(Some(&stage.fleet.hub()?.kubeconfig_path()), args, "")
}

fn drain(stage: &Stage, member: &str) -> anyhow::Result<()> {
    cli(stage, &["drain", member])?.done().map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_harms_what_is_not_theirs() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    what_was_there_before_is_not_taken_over(&stage).await?;
    one_cluster_under_two_names_is_used_under_none(&stage).await?;
    nesting_stops_nobody(&stage).await?;
    nothing_is_forbidden(&stage).await
}

/// Neither with other fields, nor with equal values: server-side apply alone would see no conflict in either.
async fn what_was_there_before_is_not_taken_over(stage: &Stage) -> anyhow::Result<()> {
    stage.apply(&app("first", only("NL")).to_string()).await?;
    stage.wait_on(("acme", "first"), &[NL]).await?;
    let nl = stage.fleet.member(NL)?;
    let in_acme = |object: Value| with(object, json!({"metadata": {"namespace": "acme"}}));
    let owners = [
        in_acme(
            json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owners"}, "data": {"precious": "x"}}),
        ),
        in_acme(claim("owners")),
    ];
    nl.kubectl(["apply", "--server-side", "-f", "-"]).stdin(list(&owners)).text().await?;
    let paths = [tenants("acme/ConfigMap/owners")?, tenants("acme/PersistentVolumeClaim/owners")?];
    let mut before = Vec::new();
    for path in &paths {
        before.push(look(nl, path).await?.context("it isn't there")?);
    }
    for (name, manifest) in [("fields", config_map("owners", "mine")), ("same", claim("owners"))] {
        let mut more = only("NL");
        more["onDelete"] = json!("Remove");
        stage.apply(&workload("acme", name, &[manifest], more).to_string()).await?;
        let short = format!("tenantworkloads/acme/{name}");
        let message = stage.says(&short, "Ready", "False", "NameTaken").await?;
        ensure!(message.contains("was not made by Domicile"), "{message}");
        stage.says(&short, "Stalled", "True", "NameTaken").await?;
        let args = ["-n", "acme", "delete", "tenantworkloads.domicile.dev", name];
        stage.fleet.hub()?.kubectl(args).text().await?;
        let record = domicile(&format!("assignments/acme/{name}"));
        eventually(PATIENCE, "its record to go", || async {
            Ok(look(stage.fleet.hub()?, &record).await?.is_none().then_some(()))
        })
        .await?;
    }
    for (path, before) in paths.iter().zip(&before) {
        let now = look(nl, path).await?.context("what was there before is gone")?;
        for field in ["uid", "labels", "deletionTimestamp"] {
            assert_eq!(now["metadata"][field], before["metadata"][field], "{field}");
        }
        assert_eq!(
            (&now["data"], &now["spec"]["accessModes"]),
            (&before["data"], &before["spec"]["accessModes"])
        );
    }
    Ok(())
}

/// A move between two names of one cluster would remove the only copy.
async fn one_cluster_under_two_names_is_used_under_none(stage: &Stage) -> anyhow::Result<()> {
    const TWIN: &str = "nl-twin-1";
    let nl = stage.fleet.member(NL)?;
    let path = nl.kubeconfig_path().display().to_string();
    let refused = cli(stage, &["join", TWIN, "--site", "nl-ams", "--member-kubeconfig", &path])?;
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains(&format!("has joined as {NL}")), "{refused:?}");

    // Past the command, by a pipeline that writes both objects.
    let before = managed(nl).await?;
    let secret =
        look(stage.fleet.hub()?, &format!("/api/v1/namespaces/{OPERATOR_NAMESPACE}/secrets/member-{NL}"))
            .await?
            .context("there is no Secret")?;
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "data": secret["data"],
        "metadata": {"name": format!("member-{TWIN}"), "namespace": OPERATOR_NAMESPACE},
    });
    let twin = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "MemberCluster", "metadata": {"name": TWIN},
        "spec": {"site": "nl-twin", "connection": {"kubeconfigSecret": format!("member-{TWIN}")}},
    });
    stage.apply(&list(&[site("nl-twin", "alpha", "NL"), secret, twin])).await?;
    for (name, other) in [(TWIN, NL), (NL, TWIN)] {
        let said = ("Ready", "False", "ClusterDuplicate");
        stage.wait_until_said(&format!("memberclusters/{name}"), said, other).await?;
    }
    drain(stage, NL)?;
    // A new workload shows that the drain has been seen; it finds no place.
    stage.apply(&app("second", only("NL")).to_string()).await?;
    stage.says("tenantworkloads/acme/second", "Placed", "False", "").await?;
    stage.comes_to_rest().await?;
    assert_eq!(managed(nl).await?.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());

    // The slip is put right: all goes on as if nothing had been.
    let hub = stage.fleet.hub()?;
    hub.kubectl(["delete", "membercluster", TWIN]).text().await?;
    cli(stage, &["uncordon", NL])?.done()?;
    stage.says(&format!("memberclusters/{NL}"), "Ready", "True", "").await?;
    stage.wait_on(("acme", "second"), &[NL]).await?;
    stage.wait_on(("acme", "first"), &[NL]).await?;
    let now = managed(nl).await?;
    for (name, object) in &before {
        assert_eq!(now[name]["metadata"]["uid"], object["metadata"]["uid"], "{name}");
    }
    Ok(())
}

/// An API server takes 10,000 levels, and JSON libraries far fewer.
async fn nesting_stops_nobody(stage: &Stage) -> anyhow::Result<()> {
    let nested = (0..200).fold(json!(1), |below, _| json!({"a": below}));
    let mut deep = config_map("deep", "a");
    deep["x"] = nested;
    stage.apply(&workload("acme", "deep", &[deep], json!({})).to_string()).await?;
    stage.stop_operator(Signal::KILL).await?;
    stage.start_operator()?;
    let said = stage.wait_for(("acme", "deep"), ("Ready", "False", Some("ManifestRejected"))).await?;
    let message = serde_json::to_string(&said.status)?;
    ensure!(message.contains("spec.manifests[0] (ConfigMap/deep) has more than 32 levels"), "{message}");
    cli(stage, &["status"])?.done()?;
    let stuck = cli(stage, &["status", "--stuck"])?;
    ensure!(stuck.out.contains("acme/deep"), "{stuck:?}");

    // Everybody else is looked after: a revocation takes effect.
    stage.apply(&app("third", json!({})).to_string()).await?;
    stage.wait_for(("acme", "third"), ("Ready", "True", None)).await?;
    let revoked = decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    stage.apply(&revoked.to_string()).await?;
    stage.wait_on(("acme", "third"), &[DE]).await?;
    let args = ["-n", "acme", "delete", "tenantworkloads.domicile.dev", "deep"];
    stage.fleet.hub()?.kubectl(args).text().await?;
    Ok(())
}

/// The pods of a Deployment: how many there are, of which how many are ending.
async fn pods(member: &Cluster, name: &str) -> anyhow::Result<(usize, usize)> {
    let found = look(member, &format!("/api/v1/namespaces/acme/pods?labelSelector=app={name}")).await?;
    let found = found.unwrap_or_default();
    let items = found["items"].as_array().map_or(&[][..], Vec::as_slice);
    let ending = items.iter().filter(|pod| !pod["metadata"]["deletionTimestamp"].is_null()).count();
    Ok((items.len(), ending))
}

/// Makes a Deployment's pods stay as long as this says, as a container would that takes its time to end.
async fn hold_pods(member: &Cluster, name: &str, hold: bool) -> anyhow::Result<()> {
    let selector = format!("app={name}");
    let names = member.kubectl(["-n", "acme", "get", "pods", "-l", &selector, "-o", "name"]).text().await?;
    let finalizers = if hold { json!(["example.com/ends-slowly"]) } else { json!(null) };
    let patch = json!({"metadata": {"finalizers": finalizers}}).to_string();
    for pod in names.split_whitespace() {
        let args = ["-n", "acme", "patch", pod, "--type=merge", "-p", &patch];
        member.kubectl(args).text().await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_takes_its_time_is_reckoned_with() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    let (nl, de) = (stage.fleet.member(NL)?, stage.fleet.member(DE)?);
    let preferred = json!({"preferences": [{"country": "NL"}], "health": {"progressDeadlineSeconds": 20}});
    let once = app("once", with(preferred.clone(), json!({"overlap": "Forbid"})));
    stage.apply(&list(&[once, app("stays", preferred)])).await?;
    for name in ["once", "stays"] {
        stage.wait_on(("acme", name), &[NL]).await?;
        hold_pods(nl, name, true).await?;
    }
    let revoked = decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    stage.apply(&revoked.to_string()).await?;

    // One has moved, and its old pod still runs where it may not: everybody says so, and in time calls for help.
    stage.wait_on(("acme", "stays"), &[DE]).await?;
    let message = stage.says("tenantworkloads/acme/stays", "Stalled", "True", "SourceRemains").await?;
    ensure!(message.contains(NL), "{message}");
    stage
        .wait_until_said(
            "tenantworkloads/acme/stays",
            ("Compliant", "False", "ApprovalRevoked"),
            "isn't gone",
        )
        .await?;
    let map = cli(&stage, &["map"])?.done()?;
    ensure!(map.contains(&format!("{NL}: acme 1 (1 not compliant), 1 leaving (1 not compliant)")), "{map}");

    // The other must not run twice: as long as its old pod ends, there is no new one.
    eventually(PATIENCE, "the old pod to be ending", || async {
        match pods(nl, "once").await? {
            (1, 1) => Ok(Some(())),
            other => bail!("pods and ending: {other:?}"),
        }
    })
    .await
    .with_context(|| stage.log_tail())?;
    stage.comes_to_rest().await?;
    assert_eq!(pods(de, "once").await?, (0, 0));
    hold_pods(nl, "once", false).await?;
    stage.wait_on(("acme", "once"), &[DE]).await?;
    assert_eq!(pods(nl, "once").await?, (0, 0));

    hold_pods(nl, "stays", false).await?;
    stage.says("tenantworkloads/acme/stays", "Compliant", "True", "").await?;
    stage.leaves(NL, "acme/Deployment/stays").await?;
    nothing_is_forbidden(&stage).await
}
