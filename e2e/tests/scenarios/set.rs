//! The sets on which scenarios play.

use anyhow::Context as _;
use domicile_e2e::{
    fleet::{ClusterOptions, wait::eventually},
    props::{list, place, provider, site, tenant},
    stage::{ADMISSION, PATIENCE, Stage},
};
use serde_json::{Value, json};

/// The Netherlands, by `alpha`.
pub(crate) const NL: &str = "nl-ams-1";
/// Germany, by `beta`.
pub(crate) const DE: &str = "de-fra-1";

/// A hub, `nl-ams-1` by `alpha`, which is approved, and `de-fra-1` by `beta`, which is only if `both`. The tenant
/// `acme` is admitted on both. The operator runs.
pub(crate) async fn two_members(both: bool) -> anyhow::Result<Stage> {
    let members = [(NL, Stage::member_options(NL)), (DE, Stage::member_options(DE))];
    members_like(&members, both).await
}

/// The same with members of one's own.
pub(crate) async fn members_like(members: &[(&str, ClusterOptions)], both: bool) -> anyhow::Result<Stage> {
    let stage = Stage::set_with(ClusterOptions::hub(), members).await?;
    let mut facts = place("alpha", "nl-ams", "NL");
    if both {
        facts.extend(place("beta", "de-fra", "DE"));
    } else {
        facts.extend([provider("beta"), site("de-fra", "beta", "DE")]);
    }
    facts.push(tenant("acme"));
    stage.apply(&list(&facts)).await?;
    for (name, _) in members {
        let (region, _) = name.rsplit_once('-').context("a member is named after its site")?;
        stage.join(name, region, &["acme"]).await?;
    }
    stage.start_operator()?;
    namespace(&stage, "acme").await?;
    Ok(stage)
}

/// Waits for the namespace that the operator makes for a tenant.
pub(crate) async fn namespace(stage: &Stage, name: &str) -> anyhow::Result<()> {
    let namespace = format!("namespace/{name}");
    let args = ["wait", "--for=create", namespace.as_str(), "--timeout=60s"];
    stage.fleet.hub()?.kubectl(args).text().await?;
    Ok(())
}

/// Applies a workload that the hub's policies refuse, as one that is older than they are. They stay lifted until
/// [`admit_again`].
pub(crate) async fn apply_unadmitted(stage: &Stage, workload: &Value) -> anyhow::Result<()> {
    let lift = ["delete", "validatingadmissionpolicybinding", "domicile-manifests", "--ignore-not-found"];
    stage.fleet.hub()?.kubectl(lift).text().await?;
    let text = workload.to_string();
    // The API server learns of it by a watch.
    eventually(PATIENCE, "the policy to be lifted", || async { stage.apply(&text).await.map(Some) }).await?;
    Ok(())
}

/// Puts the policies in force again.
pub(crate) async fn admit_again(stage: &Stage) -> anyhow::Result<()> {
    stage.apply_file(ADMISSION).await.map(|_| ())
}

/// Deletes a decision, which the hub's policies let one group do.
pub(crate) async fn withdraw(stage: &Stage, name: &str) -> anyhow::Result<()> {
    let delete = ["delete", "decisions.domicile.dev", name];
    let glass = ["--as=admin", "--as-group=system:masters", "--as-group=domicile:break-glass"];
    stage.fleet.hub()?.kubectl(delete).args(glass).text().await.map(|_| ())
}

/// Only in a country.
pub(crate) fn only(country: &str) -> Value {
    json!({"residency": {"allowed": [{"country": country}]}})
}
