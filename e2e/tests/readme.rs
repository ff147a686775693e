//! The README's first placement, typed as it stands there.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a README that looks otherwise fails the test, as it should"
)]

use std::path::Path;

use anyhow::{Context as _, ensure};
use domicile_e2e::{
    fleet::{
        process::{Process, Spec},
        wait::eventually,
    },
    stage::{PATIENCE, binary, root},
};

/// The shell blocks of a chapter.
fn blocks(readme: &str, chapter: &str) -> Vec<String> {
    let text = readme.split(&format!("\n## {chapter}\n")).nth(1).unwrap();
    let text = text.split("\n## ").next().unwrap();
    text.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_placement_by_hand_works() -> anyhow::Result<()> {
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    let dir = tempfile::tempdir()?;
    let bins = binary("domicile-fleet")?.parent().context("a folder")?.display().to_string();
    // The reader's folders are ours; nothing else is changed.
    let blocks: Vec<String> = blocks(&readme, "The first placement by hand")
        .into_iter()
        .map(|block| {
            let block = block.replace("$PWD/", "").replace("target/debug", &bins);
            block.replace("/tmp/domicile", &dir.path().display().to_string())
        })
        .collect();
    ensure!(blocks.len() == 4, "the README has {} shell blocks there", blocks.len());

    let first = blocks[0].lines().last().context("a command")?;
    let words: Vec<String> = first.split_whitespace().map(ToOwned::to_owned).collect();
    let spec = |name: &str, program: &str, args: Vec<String>| Spec {
        name: name.to_owned(),
        program: program.into(),
        args,
        env: vec![],
        log: dir.path().join(format!("{name}.log")),
    };
    let _fleet = Process::start(&spec("terminal-1", &words[0], words[1..].to_vec()))?;
    let up = dir.path().join("terminal-1.log");
    eventually(PATIENCE, "the fleet", || async {
        Ok(std::fs::read_to_string(&up)?.contains("\"nl-ams-1\"").then_some(()))
    })
    .await?;

    // The operator, which the reader leaves in the background, ends with its terminal.
    let script = format!("cd {}\ntrap 'kill $(jobs -p)' EXIT\n{}", root().display(), blocks[1..].concat());
    let args = vec!["-euo".to_owned(), "pipefail".to_owned(), "-c".to_owned(), script];
    let mut terminal = Process::start(&spec("terminal-2", "/bin/bash", args))?;
    let log = dir.path().join("terminal-2.log");
    let status = eventually(PATIENCE * 3, "the second terminal's commands", || {
        let exited = terminal.exited();
        async move { Ok(exited?) }
    })
    .await?;
    let said = std::fs::read_to_string(&log)?;
    let operator = std::fs::read_to_string(dir.path().join("operator.log")).unwrap_or_default();
    ensure!(status.success(), "{said}\nthe operator said:\n{operator}");
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
