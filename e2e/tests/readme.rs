//! The README's first placement, typed as it stands there.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a README that looks otherwise fails the test, as it should"
)]

use std::path::Path;

use anyhow::{Context as _, ensure};
use domicile_e2e::{
    fleet::wait::eventually,
    readme::{blocks, said, started, typed},
    stage::{PATIENCE, root},
};

#[tokio::test(flavor = "multi_thread")]
async fn the_first_placement_by_hand_works() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let blocks = blocks("The first placement by hand", ("/tmp/domicile", dir.path()))?;
    ensure!(blocks.len() == 4, "the README has {} shell blocks there", blocks.len());
    let _fleet = started(blocks[0].lines().last().context("a command")?, dir.path())?;
    eventually(PATIENCE, "the fleet", || async {
        Ok(said(dir.path())?.contains("\"nl-ams-1\"").then_some(()))
    })
    .await?;
    let said = typed(&blocks[1..].concat(), dir.path()).await.with_context(|| {
        let operator = std::fs::read_to_string(dir.path().join("operator.log")).unwrap_or_default();
        format!("the operator said:\n{operator}")
    })?;
    for wanted in ["tenantworkload.domicile.dev/web condition met", "nl-ams-1", "polder"] {
        ensure!(said.contains(wanted), "{wanted:?} is missing in:\n{said}");
    }
    Ok(())
}

#[test]
fn every_page_that_the_readme_names_is_there() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let links = readme.split("](").skip(1).map(|rest| rest.split(')').next().unwrap());
    let local: Vec<&str> = links.filter(|link| !link.starts_with("http")).collect();
    assert!(local.len() > 5);
    for link in local {
        assert!(Path::new(&root()).join(link).exists(), "README.md names {link}, which isn't there");
    }
}
