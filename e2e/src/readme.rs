//! What the README tells its reader to type, typed.

use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::{
    fleet::{
        process::{Process, Spec},
        wait::eventually,
    },
    stage::{binary, root},
    world::PATIENCE,
};

/// The shell blocks of a chapter, with the programs that were built for this test, and `theirs`, the folder that the reader uses,
/// replaced by `ours`.
///
/// # Errors
///
/// If there is no such chapter.
pub fn blocks(chapter: &str, (theirs, ours): (&str, &Path)) -> anyhow::Result<Vec<String>> {
    let readme = std::fs::read_to_string(root().join("README.md"))?;
    let text = readme.split(&format!("\n## {chapter}\n")).nth(1);
    let text = text.and_then(|text| text.split("\n## ").next());
    let text = text.with_context(|| format!("README.md has no chapter {chapter:?}"))?;
    let bins = binary("domicile-fleet")?.parent().context("a folder")?.display().to_string();
    let block = |block: &str| {
        let block = block.split("```").next().unwrap_or_default();
        let block = block.replace("$PWD/", "").replace("target/debug", &bins);
        block.replace(theirs, &ours.display().to_string())
    };
    Ok(text.split("```sh\n").skip(1).map(block).collect())
}

/// Starts a terminal's only command, which stays.
///
/// # Errors
///
/// If it can't be started.
pub fn started(command: &str, dir: &Path) -> anyhow::Result<Process> {
    let words: Vec<&str> = command.split_whitespace().collect();
    let (program, args) = words.split_first().context("a command")?;
    process("terminal-1", program, args, dir)
}

/// Types commands into another terminal, in the repository, and answers what was said. What they leave in the background ends
/// with them.
///
/// # Errors
///
/// If one fails; the message has what was said.
pub async fn typed(commands: &str, dir: &Path) -> anyhow::Result<String> {
    let script = format!(
        "cd {}\ntrap 'left=$(jobs -p); [ -z \"$left\" ] || kill $left' EXIT\n{commands}",
        root().display()
    );
    let mut terminal = process("terminal-2", "/bin/bash", &["-euo", "pipefail", "-c", &script], dir)?;
    let status = eventually(PATIENCE * 5, "the second terminal's commands", || {
        let exited = terminal.exited();
        async move { Ok(exited?) }
    })
    .await?;
    let said = std::fs::read_to_string(dir.join("terminal-2.log"))?;
    ensure!(status.success(), "{said}");
    Ok(said)
}

/// What the first terminal has said so far.
///
/// # Errors
///
/// If nothing was started there.
pub fn said(dir: &Path) -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(dir.join("terminal-1.log"))?)
}

fn process(name: &str, program: &str, args: &[&str], dir: &Path) -> anyhow::Result<Process> {
    Process::start(&Spec {
        name: name.to_owned(),
        program: program.into(),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env: vec![],
        log: dir.join(format!("{name}.log")),
    })
}
