//! The sets on which scenarios play.

use anyhow::Context as _;
use domicile_e2e::{
    fleet::ClusterOptions,
    props::{list, place, provider, site, tenant},
    stage::Stage,
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

/// Only in a country.
pub(crate) fn only(country: &str) -> Value {
    json!({"residency": {"allowed": [{"country": country}]}})
}
