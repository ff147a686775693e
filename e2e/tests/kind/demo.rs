//! `make demo` where an engine answers: the same story, with real pods, on clusters of its own.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use domicile_e2e::{
    fleet::{
        process::{Process, Spec},
        wait::eventually,
    },
    stage::binary,
};

/// Five clusters, and the story.
const STORY: Duration = Duration::from_mins(12);
/// For deleting the clusters.
const DOWN: Duration = Duration::from_mins(2);

pub(crate) async fn by_kind() -> anyhow::Result<()> {
    let dir = tempfile::tempdir()?;
    let log = dir.path().join("demo.log");
    let mut demo = Process::start(&Spec {
        name: "demo".to_owned(),
        program: binary("demo")?,
        args: vec![],
        env: vec![("FLEET".to_owned(), "kind".to_owned()), ("KEEP".to_owned(), String::new())],
        log: log.clone(),
    })?;
    let ended = eventually(STORY, "the demo to end", || {
        let exited = demo.exited();
        async move { Ok(exited?) }
    })
    .await;
    // Killed, it would leave its clusters.
    let status = demo.stop(DOWN).await?;
    let said = std::fs::read_to_string(log)?;
    ended.with_context(|| said.clone())?;
    ensure!(status.success() && said.contains("their pods and the operator are real."), "{said}");
    Ok(())
}
