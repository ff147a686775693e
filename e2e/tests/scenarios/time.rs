//! Time alone changes what is lawful: nobody writes anything, and the operator acts when the instant has come.

use anyhow::{Context as _, ensure};
use domicile_crds::Migration;
use domicile_e2e::{
    audit::nothing_is_forbidden,
    fleet::wait::eventually,
    props::{deployment, list, site, tenant, with, workload},
    stage::PATIENCE,
};
use jiff::{SignedDuration, Timestamp};
use kube::Api;
use serde_json::{Value, json};

use crate::set::{DE, NL, two_members};

/// A set of the Netherlands, until an instant if one is given, and Germany.
fn club(until: Option<Timestamp>) -> Value {
    let member = |country| json!({"country": country, "basis": "Membership", "source": "its statutes"});
    let leaving = with(member("NL"), until.map_or_else(|| json!({}), |at| json!({"until": at.to_string()})));
    json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "CountrySet", "metadata": {"name": "club"},
        "spec": {"members": [leaving, member("DE")]},
    })
}

/// Whole seconds, as Kubernetes keeps them, and so soon that the test needn't wait long.
fn in_seconds(seconds: i64) -> anyhow::Result<Timestamp> {
    Ok(Timestamp::from_second((Timestamp::now() + SignedDuration::from_secs(seconds)).as_second())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_country_leaves_its_set_and_a_site_comes_online_by_the_clock() -> anyhow::Result<()> {
    let stage = two_members(true).await?;
    let online_from = |at: &str| with(site("de-fra", "beta", "DE"), json!({"spec": {"onlineFrom": at}}));
    let allowed = json!({"spec": {"residency": {"allowed": [{"countrySet": "club"}]}}});
    let acme = with(tenant("acme"), allowed);
    let far = "2099-01-01T00:00:00Z";
    stage.apply(&list(&[club(None), acme, online_from(far)])).await?;
    stage.apply(&workload("acme", "web", &[deployment("web", "1")], json!({})).to_string()).await?;
    stage.wait_on(("acme", "web"), &[NL]).await?;

    let (online, leaves) = (in_seconds(6)?, in_seconds(12)?);
    stage.apply(&list(&[online_from(&online.to_string()), club(Some(leaves))])).await?;
    eventually(PATIENCE, "the tenant to be told until when it is lawful", || async {
        let status = stage.workload("acme", "web").await?.status.unwrap_or_default();
        let told = status.compliant_until.map(|at| at.0);
        ensure!(told == Some(leaves), "it says {told:?}");
        Ok(Some(()))
    })
    .await?;
    stage.wait_on(("acme", "web"), &[DE]).await?;

    let moves: Api<Migration> = Api::namespaced(stage.fleet.hub()?.client(), "acme");
    let moves = moves.list(&kube::api::ListParams::default()).await?.items;
    let [migration] = moves.as_slice() else { anyhow::bail!("one move, not {moves:?}") };
    ensure!(migration.spec.cause.subject == "Site/nl-ams", "{:?}", migration.spec.cause);
    let begun = migration.metadata.creation_timestamp.as_ref().context("when it was recorded")?.0;
    ensure!(begun >= leaves, "it began at {begun}, before {leaves}");
    nothing_is_forbidden(&stage).await
}
