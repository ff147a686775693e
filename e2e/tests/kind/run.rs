//! Sets the set, runs scenarios on it one after another, and says how that went.

use std::{
    io::{self, Write},
    path::Path,
    process::ExitCode,
    time::Instant,
};

use anyhow::Context as _;
use domicile_e2e::kind::{Engine, Fleet, NoEngine, Stage, report};
use tokio::signal::unix::{SignalKind, signal};

use crate::{Chosen, Scenario, set};

/// How scenarios ended, and where the time went.
#[derive(Default)]
struct Score {
    passed: usize,
    failed: Vec<String>,
    skipped: usize,
    /// CI has to have an engine.
    has_to_run: bool,
    times: Vec<(String, u64)>,
}

pub(crate) async fn all(chosen: &Chosen, keep: bool) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let stopped = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let mut score = Score::default();
    // Dropping the stage deletes the clusters, also half-way.
    tokio::select! {
        ended = play(chosen, keep, &mut score) => ended?,
        () = stopped => {
            writeln!(io::stderr(), "\ninterrupted: the clusters are deleted")?;
            return Ok(ExitCode::from(130));
        }
    }
    score.say()
}

async fn play(chosen: &Chosen, keep: bool, score: &mut Score) -> anyhow::Result<()> {
    // One for all of them, which outlives each.
    let begin = Instant::now();
    let _engine = match Engine::up().await {
        Ok(engine) => engine,
        Err(error) => match error.downcast::<NoEngine>() {
            Ok(words) => return score.skip(chosen.names().count(), &words),
            Err(error) => return Err(error),
        },
    };
    score.took("engine", begin);
    if !chosen.on_set.is_empty() {
        let fleet = Fleet::create(&set::MEMBERS).await?;
        score.times.extend(fleet.times().iter().cloned());
        on_set(fleet, &chosen.on_set, keep, score).await?;
    }
    for (name, scenario) in &chosen.alone {
        let begin = Instant::now();
        let played = scenario().await;
        score.played(name, begin, played.as_ref().err())?;
    }
    Ok(())
}

async fn on_set(
    fleet: Fleet,
    scenarios: &[(&str, Scenario)],
    keep: bool,
    score: &mut Score,
) -> anyhow::Result<()> {
    let begin = Instant::now();
    let stage = set::set(fleet).await?;
    score.took("Domicile and three members", begin);
    for (at, (name, scenario)) in scenarios.iter().enumerate() {
        let begin = Instant::now();
        let played = match scenario(&stage).await {
            Ok(()) => set::clear(&stage).await.context("when it was over"),
            Err(error) => Err(error),
        };
        score.played(name, begin, played.as_ref().err())?;
        let Err(error) = played else { continue };
        tell(&stage, name, &format!("{error:?}\n")).await?;
        if let Err(error) = set::clear(&stage).await {
            score.skipped = scenarios.len() - at - 1;
            writeln!(io::stdout(), "the set can't be cleared, the rest of it is skipped: {error:#}")?;
            break;
        }
    }
    writeln!(io::stdout(), "\nmemory and processors\n{}", stage.fleet.usage().await?)?;
    if keep {
        wait(&stage).await?;
    }
    let begin = Instant::now();
    drop(stage);
    score.took("deleting the set", begin);
    Ok(())
}

/// Writes all that can be known of a failure into a folder, and names it.
async fn tell(stage: &Stage, name: &str, why: &str) -> anyhow::Result<()> {
    let parent = Path::new(env!("CARGO_TARGET_TMPDIR")).join("e2e");
    let folder = report(&stage.fleet, stage, &parent, name, why).await?;
    writeln!(io::stdout(), "     every object, event and log is in {}", folder.display())?;
    Ok(())
}

/// Says how to look around, and waits to be stopped.
async fn wait(stage: &Stage) -> anyhow::Result<()> {
    let mut out = io::stdout();
    writeln!(out, "the clusters stay until Ctrl-C:")?;
    for cluster in stage.clusters() {
        writeln!(out, "  export KUBECONFIG={}   # {}", cluster.kubeconfig_path().display(), cluster.name())?;
    }
    writeln!(out, "the operator's log: {}", stage.operator_log().display())?;
    std::future::pending::<()>().await;
    Ok(())
}

impl Score {
    fn took(&mut self, what: &str, begin: Instant) {
        self.times.push((what.to_owned(), begin.elapsed().as_secs()));
    }

    /// Counts a scenario, and says how it ended. What led to it, such as the operator's log, is in the folder.
    fn played(&mut self, name: &str, begin: Instant, error: Option<&anyhow::Error>) -> io::Result<()> {
        self.took(name, begin);
        let seconds = begin.elapsed().as_secs();
        let Some(error) = error else {
            self.passed += 1;
            return writeln!(io::stdout(), "PASS [{seconds:4} s] {name}");
        };
        self.failed.push(name.to_owned());
        writeln!(io::stdout(), "FAIL [{seconds:4} s] {name}: {}", error.root_cause())
    }

    /// Where there is no engine nothing was seen.
    fn skip(&mut self, all: usize, words: &NoEngine) -> anyhow::Result<()> {
        writeln!(io::stdout(), "{words}\nSKIPPED: without an engine no scenario on kind has run")?;
        self.skipped = all;
        self.has_to_run = std::env::var_os("CI").is_some_and(|ci| ci == "true");
        Ok(())
    }

    fn say(&self) -> anyhow::Result<ExitCode> {
        let mut out = io::stdout();
        if !self.times.is_empty() {
            writeln!(out, "where the time went")?;
        }
        for (what, seconds) in &self.times {
            writeln!(out, "{seconds:6} s  {what}")?;
        }
        let (passed, failed, skipped) = (self.passed, self.failed.len(), self.skipped);
        writeln!(out, "\nscenarios on kind: {passed} passed, {failed} failed, {skipped} skipped")?;
        for name in &self.failed {
            writeln!(out, "  failed: {name}")?;
        }
        Ok(if self.failed.is_empty() && !(self.has_to_run && skipped > 0) {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
