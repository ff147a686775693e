//! Applications that were not written for Domicile: wrapped as their authors publish them, placed, and moved.

mod likeness;
mod published;

use std::collections::BTreeSet;

use anyhow::ensure;
use domicile_e2e::audit::nothing_is_forbidden;
use domicile_e2e::fleet::ClusterOptions;
use domicile_e2e::fleet::wait::eventually;
use domicile_e2e::plugin::{self, Ran};
use domicile_e2e::props::{decision, list, place, tenant, with};
use domicile_e2e::sight::managed;
use domicile_e2e::stage::{PATIENCE, Stage};
use serde_json::{Value, json};

use crate::likeness::{as_a_cluster_takes_it, as_published};
use crate::published::{campus, objects, ragleap};

const NL: &str = "nl-ams-1";
const DE: &str = "de-fra-1";

/// What Open edX brings that no tenant may have, and Jobs that Tutor itself runs by hand.
const NOT_OF_CAMPUS: [&str; 3] = ["Namespace", "Issuer", "Job"];
const NOT_OF_RAGLEAP: [&str; 3] = ["Namespace", "Role", "RoleBinding"];

fn wrap(name: &str, namespace: &str, skip: &[&str], more: &[&str], stdin: &str) -> anyhow::Result<Ran> {
    let mut args = vec!["wrap", "--name", name, "--namespace", namespace];
    args.extend(skip.iter().flat_map(|kind| ["--skip", kind]));
    args.extend(more);
    plugin::domicile(None, &args, stdin)
}

fn wrap_campus(text: &str) -> anyhow::Result<Ran> {
    wrap("openedx", "campus", &NOT_OF_CAMPUS, &[], text)
}

fn wrap_ragleap() -> anyhow::Result<Ran> {
    let files: Vec<String> = ragleap()?.iter().map(|file| file.display().to_string()).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    wrap("ragleap", "ragleap-core", &NOT_OF_RAGLEAP, &files, "")
}

/// A Dutch and a German member, of which only the Dutch one is approved. The hub is in Germany.
async fn stage(name: &str) -> anyhow::Result<Stage> {
    let options = |name: &str| Stage::member_options(name).volumes(3);
    let members = [(NL, options(NL)), (DE, options(DE))];
    let stage = Stage::set_with(ClusterOptions::hub(), &members).await?;
    let mut facts = place("alpha", "nl-ams", "NL");
    facts.extend(place("beta", "de-fra", "DE").into_iter().filter(|fact| fact["kind"] != "Decision"));
    facts.push(tenant(name));
    let domicile = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "domicile.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    facts.push(domicile("Installation", "default", json!({"hub": {"site": "de-fra"}})));
    for (member, _) in &members {
        stage.prepare(member, &[name]).await?;
        facts.push(domicile(
            "MemberCluster",
            member,
            json!({
                "site": member.trim_end_matches("-1"),
                "connection": {"kubeconfigSecret": format!("member-{member}")},
                "classes": {"ingress": {"traefik": ingress_class(member)}},
            }),
        ));
    }
    stage.apply(&list(&facts)).await?;
    stage.start_operator()?;
    let namespace = format!("namespace/{name}");
    stage.fleet.hub()?.kubectl(["wait", "--for=create", &namespace, "--timeout=60s"]).text().await?;
    Ok(stage)
}

/// What a member calls the class that the application names.
fn ingress_class(member: &str) -> String {
    format!("public-{member}")
}

/// The German provider is approved, and the Dutch one revoked.
async fn turn_the_tables(stage: &Stage) -> anyhow::Result<()> {
    let approved = decision("beta-approved", "HostingProvider/beta", "Approved", &[]);
    let revoked = decision("alpha-revoked", "HostingProvider/alpha", "Revoked", &["alpha-approved"]);
    stage.apply(&list(&[approved, revoked])).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn open_edx_is_placed_and_moved_as_it_is_published() -> anyhow::Result<()> {
    let text = campus()?;
    let wrapped = wrap_campus(&text)?;
    ensure!(wrapped.err.contains("wrapped 24 manifests, and a Secret beside it"), "{}", wrapped.err);
    let stage = stage("campus").await?;
    let wanted = objects(&text, &NOT_OF_CAMPUS)?;
    let kinds: BTreeSet<&str> = wanted.iter().filter_map(|object| object["kind"].as_str()).collect();
    let of_interest = ["ConfigMap", "CronJob", "Deployment", "HorizontalPodAutoscaler", "Ingress"];
    let of_interest = of_interest.into_iter().chain(["PodDisruptionBudget", "Secret", "Service"]);
    assert_eq!(kinds, of_interest.collect());
    let wanted = as_a_cluster_takes_it(stage.fleet.hub()?, &wanted).await?;
    let at = |member: &str| {
        let class = json!({"spec": {"ingressClassName": ingress_class(member)}});
        let of = |object: &Value| {
            if object["kind"] == "Ingress" { with(object.clone(), class.clone()) } else { object.clone() }
        };
        wanted.iter().map(of).collect::<Vec<_>>()
    };
    stage.apply(&wrapped.done()?).await?;
    stage.wait_on(("campus", "openedx"), &[NL]).await?;
    as_published(stage.fleet.member(NL)?, &at(NL)).await?;
    nothing_is_forbidden(&stage).await?;

    turn_the_tables(&stage).await?;
    stage.wait_on(("campus", "openedx"), &[DE]).await?;
    as_published(stage.fleet.member(DE)?, &at(DE)).await?;
    let nl = stage.fleet.member(NL)?;
    eventually(PATIENCE, "everything to leave the Netherlands", async || {
        let kinds =
            "deployments,replicasets,pods,services,configmaps,secrets,cronjobs,jobs,ingresses,hpa,pdb";
        let left = nl.kubectl(["-n", "campus", "get", kinds, "-o", "name"]).text().await?;
        // Every namespace gets this one.
        let left: Vec<&str> = left.lines().filter(|name| *name != "configmap/kube-root-ca.crt").collect();
        ensure!(left.is_empty(), "{left:?} is left");
        Ok(Some(()))
    })
    .await?;
    stage.says("tenantworkloads/campus/openedx", "Compliant", "True", "").await?;
    stage.comes_to_rest().await?;
    nothing_is_forbidden(&stage).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ragleap_waits_for_its_secrets_and_is_never_torn_from_its_data() -> anyhow::Result<()> {
    let stage = stage("ragleap-core").await?;
    let workload = "tenantworkloads/ragleap-core/ragleap";
    let wrapped = wrap_ragleap()?;
    let needed = ["ghcr-pull-secret", "ragleap-app-env"];
    for name in needed {
        let note = format!(
            "note: Secret {name} is needed and not in the input; create it in namespace ragleap-core on the hub"
        );
        ensure!(wrapped.err.contains(&note), "{}", wrapped.err);
    }
    let mut wanted = Vec::new();
    for file in ragleap()? {
        wanted.extend(objects(&std::fs::read_to_string(file)?, &NOT_OF_RAGLEAP)?);
    }
    let wanted = as_a_cluster_takes_it(stage.fleet.hub()?, &wanted).await?;
    stage.apply(&wrapped.done()?).await?;
    let message = stage.says(workload, "Ready", "False", "SecretMissing").await?;
    ensure!(needed.iter().any(|name| message.contains(name)), "{message}");
    for name in needed {
        let create = ["-n", "ragleap-core", "create", "secret", "generic", name, "--from-literal=key=value"];
        stage.fleet.hub()?.kubectl(create).text().await?;
    }
    stage.wait_on(("ragleap-core", "ragleap"), &[NL]).await?;
    as_published(stage.fleet.member(NL)?, &wanted).await?;

    // Data moves don't exist yet: it stays where its data are, and says so.
    turn_the_tables(&stage).await?;
    let message = stage.says(workload, "Stalled", "True", "VolumesNotMovable").await?;
    ensure!(message.contains("nothing is deleted"), "{message}");
    stage.comes_to_rest().await?;
    as_published(stage.fleet.member(NL)?, &wanted).await?;
    stage.wait_on(("ragleap-core", "ragleap"), &[NL]).await?;
    let elsewhere = managed(stage.fleet.member(DE)?).await?;
    ensure!(elsewhere.is_empty(), "{:?} went to a second place", elsewhere.keys());
    nothing_is_forbidden(&stage).await
}

#[test]
fn what_no_tenant_may_have_is_named_at_once() -> anyhow::Result<()> {
    let refused = wrap("openedx", "campus", &[], &[], &campus()?)?;
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    let wanted = "error: 2 problems keep this from becoming a TenantWorkload:\n  \
        Issuer/letsencrypt: tenants may not use this kind; leave it out with --skip Issuer, and ask whoever runs the \
        members if the application needs it\n  \
        Namespace/campus: Domicile makes the tenant's namespaces on each member; leave it out with --skip Namespace\n";
    assert_eq!(refused.err, wanted);

    // Into another namespace than the one that its authors chose.
    let files: Vec<String> = ragleap()?.iter().map(|file| file.display().to_string()).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let refused = wrap("ragleap", "search", &[], &files, "")?;
    assert_eq!((refused.code, refused.out.as_str()), (Some(1), ""));
    for part in [
        "error: 27 problems keep this from becoming a TenantWorkload:\n",
        "Deployment/ragleap-app, Deployment/ragleap-db, Deployment/ragleap-neo4j, Deployment/ragleap-voice, ",
        "it names another namespace, ragleap-core; render it for search (helm template -n search, kustomize edit \
         set namespace search), or wrap it with -n ragleap-core\n",
        "  Namespace/ragleap-core: Domicile makes the tenant's namespaces",
        "  Role/ragleap-neo4j-backup-role: a tenant grants no rights on members; leave it out with --skip Role, and \
         check that the application runs without access to the Kubernetes API",
        "  RoleBinding/ragleap-neo4j-backup-binding: a tenant grants no rights on members; leave it out with --skip \
         RoleBinding, and ",
    ] {
        ensure!(refused.err.contains(part), "{part:?} is missing in {}", refused.err);
    }
    Ok(())
}

#[test]
fn the_same_application_gives_the_same_bytes() -> anyhow::Result<()> {
    let text = campus()?;
    let once = wrap_campus(&text)?.done()?;
    assert_eq!(once, wrap_campus(&text)?.done()?);
    let mut documents = domicile_crds::yaml::documents(&text)?;
    documents.reverse();
    assert_eq!(once, wrap_campus(&domicile_crds::yaml::stream(&documents))?.done()?, "in reverse order");
    assert_eq!(once, wrap_campus(&list(&documents))?.done()?, "as JSON, in one List");
    assert_eq!(wrap_ragleap()?.done()?, wrap_ragleap()?.done()?);

    let json = wrap("openedx", "campus", &NOT_OF_CAMPUS, &["-o", "json"], &text)?.done()?;
    let listed: Value = serde_json::from_str(&json)?;
    assert_eq!(listed["items"], Value::from(domicile_crds::yaml::documents(&once)?));
    Ok(())
}
