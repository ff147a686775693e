//! A release's life: installed, upgraded, rolled back, gone, and back. What people have written stays through all of it.

use anyhow::ensure;
use domicile_crds::definitions;
use domicile_e2e::{
    fleet::{Cluster, ClusterOptions, Fleet},
    helm::{CHART, Helm, NAMESPACE, files, id, newer},
    props::{decision, list, provider, tenant},
};
use serde_json::Value;

use crate::pods;

#[tokio::test(flavor = "multi_thread")]
async fn a_release_comes_and_goes_and_nothing_of_peoples_with_it() -> anyhow::Result<()> {
    // Only members have nodes: one of them is as good as a hub.
    let fleet = Fleet::builder().member("hub-1", ClusterOptions::member().nodes(2)).start().await?;
    let hub = fleet.member("hub-1")?;
    let helm = Helm::on(hub)?;
    let release = ["domicile", CHART, "--namespace", NAMESPACE];

    let notes = helm.run(&[&["install"], &release[..], &["--create-namespace"]].concat()).await?;
    ensure!(notes.contains("rollout status"), "no next command: {notes}");
    is_there(hub, &[files("charts/domicile/admission")?, files("charts/domicile/roles")?].concat()).await?;
    // They came by a hook, when their kind was known; from the next version on they are like the rest.
    is_there(hub, &files("charts/domicile/countrysets")?).await?;
    helm.run(&[&["upgrade"], &release[..]].concat()).await?;
    is_there(hub, &files("charts/domicile/countrysets")?).await?;
    pods::are_restricted(hub).await?;
    // Two nodes, which are played: replicas run on both.
    let rollout = ["-n", NAMESPACE, "rollout", "status", "deployment/domicile-operator", "--timeout=60s"];
    hub.kubectl(rollout).text().await?;

    let theirs = [
        provider("polder"),
        decision("polder-approved", "HostingProvider/polder", "Approved", &[]),
        tenant("bakery"),
    ];
    hub.kubectl(["apply", "--server-side", "-f", "-"]).stdin(list(&theirs)).text().await?;
    let stays = [definitions_as_json()?, theirs.to_vec(), files("charts/domicile/countrysets")?].concat();

    // A new version changes a definition.
    let folder = tempfile::tempdir()?;
    let newer = newer(folder.path())?.display().to_string();
    helm.run(&["upgrade", "domicile", &newer, "--namespace", NAMESPACE]).await?;
    ensure!(describes_sites(hub).await?.contains("A new word"), "the definition wasn't upgraded");
    is_there(hub, &stays).await?;

    helm.run(&["rollback", "domicile", "2", "--namespace", NAMESPACE]).await?;
    ensure!(!describes_sites(hub).await?.contains("A new word"), "the definition wasn't rolled back");
    is_there(hub, &stays).await?;

    helm.run(&["uninstall", "domicile", "--namespace", NAMESPACE]).await?;
    is_there(hub, &stays).await?;
    let get = [
        "-n",
        NAMESPACE,
        "get",
        "deployments/domicile-operator",
        "serviceaccounts/domicile-operator",
        "--ignore-not-found",
        "-o",
        "name",
    ];
    ensure!(hub.kubectl(get).text().await?.trim().is_empty(), "the operator is still there");

    // It takes up again what it left.
    helm.run(&[&["install"], &release[..]].concat()).await?;
    is_there(hub, &stays).await
}

fn definitions_as_json() -> anyhow::Result<Vec<Value>> {
    let all = definitions();
    ensure!(all.len() == 11, "{}", all.len());
    Ok(all.iter().map(serde_json::to_value).collect::<Result<_, _>>()?)
}

/// Asks for each by its kind and name.
async fn is_there(hub: &Cluster, objects: &[Value]) -> anyhow::Result<()> {
    for object in objects {
        let get = ["get", "--ignore-not-found", "-o", "name", "-f", "-"];
        let found = hub.kubectl(get).stdin(object.to_string()).text().await?;
        ensure!(!found.trim().is_empty(), "{} isn't there", id(object));
    }
    Ok(())
}

async fn describes_sites(hub: &Cluster) -> anyhow::Result<String> {
    hub.kubectl(["get", "crd", "sites.domicile.dev", "-o", "yaml"]).text().await
}
