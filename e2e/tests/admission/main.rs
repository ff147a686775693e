//! What the hub's API server holds its users to by itself, with nothing of ours running: the policies in
//! `charts/domicile/admission` and the roles in `charts/domicile/roles`.
//!
//! One server for all: each part collects its failures, so that one run shows every one.

#![expect(clippy::indexing_slicing, reason = "JSON: a missing member is null")]

mod allowed;
mod asking;
mod attempts;
mod brakes;
mod decisions;
mod exposed;
mod ground;
mod kept;
mod large;
mod manifests;
mod operator;
mod policies;
mod roles;

use anyhow::{Context as _, ensure};

use ground::Ground;

#[tokio::test(flavor = "multi_thread")]
async fn the_hub_holds_its_users_to_the_rules_by_itself() -> anyhow::Result<()> {
    let ground = Ground::prepare().await?;
    let mut failures = kept::begin_to_go(&ground).await;
    failures.extend(brakes::all(&ground).await);
    failures.extend(attempts::all(&ground).await.context("what a tenant must not get away with")?);
    failures.extend(manifests::all(&ground).await.context("what a manifest may not say")?);
    failures.extend(large::all(&ground).await.context("what is large")?);
    failures.extend(allowed::all(&ground).await.context("what everybody must be able to do")?);
    failures.extend(operator::all(&ground).await);
    failures.extend(exposed::all(&ground).await);
    failures.extend(decisions::all(&ground).await.context("decisions")?);
    failures.extend(policies::unchecked(&ground).await.context("the policies' own health")?);
    failures.extend(kept::all(&ground).await);
    ensure!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    Ok(())
}
