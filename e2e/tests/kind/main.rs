//! Scenarios on real clusters: kubelets, pods, volumes and networks, with the operator as pods that the chart installs.
//!
//! One set of four clusters for all of them, since a set takes minutes; so this is a harness of its own. For
//! whoever lists tests they are ignored ones: `make test` counts them as skipped, `make e2e` runs them.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test, as it should")]

mod client;
mod demo;
mod failover;
mod outages;
mod readme;
mod run;
mod set;
mod story;
mod upgrade;

use std::{
    io::{self, IsTerminal as _, Write},
    process::ExitCode,
};

use clap::{Parser, builder::FalseyValueParser};
use domicile_e2e::kind::Stage;
use futures::future::BoxFuture;
use tracing_subscriber::EnvFilter;

type Scenario = for<'a> fn(&'a Stage) -> BoxFuture<'a, anyhow::Result<()>>;
type Alone = fn() -> BoxFuture<'static, anyhow::Result<()>>;

/// In this order. Each leaves the set as it found it.
const SCENARIOS: [(&str, Scenario); 9] = [
    ("the_story_with_real_traffic_and_data", |stage| Box::pin(story::acted_out(stage))),
    ("an_upgrade_and_a_rollback_restart_nothing", |stage| Box::pin(upgrade::there_and_back(stage))),
    ("another_leader_acts_in_time", |stage| Box::pin(failover::killed(stage))),
    ("leaders_that_are_killed_in_moves_lose_nothing", |stage| Box::pin(failover::killed_in_moves(stage))),
    ("a_leader_that_wakes_up_late_writes_nothing", |stage| Box::pin(failover::woken(stage))),
    ("a_members_node_comes_back", |stage| Box::pin(outages::node(stage))),
    ("the_hubs_api_server_restarts", |stage| Box::pin(outages::hub(stage))),
    ("a_member_is_cut_off_and_found_again", |stage| Box::pin(outages::network(stage))),
    ("the_readme_with_helm", |stage| Box::pin(readme::by_hand(stage))),
];

/// Those that make clusters of their own, once those of the set are gone.
const ALONE: [(&str, Alone); 1] = [("the_demo_with_real_pods", || Box::pin(demo::by_kind()))];

/// What was asked for.
struct Chosen {
    on_set: Vec<(&'static str, Scenario)>,
    alone: Vec<(&'static str, Alone)>,
}

impl Chosen {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        let on_set = self.on_set.iter().map(|(name, _)| *name);
        on_set.chain(self.alone.iter().map(|(name, _)| *name))
    }
}

/// What libtest takes, as far as cargo and nextest use it.
#[derive(Debug, Parser)]
#[expect(clippy::struct_excessive_bools, reason = "libtest's flags")]
struct Cli {
    /// Scenarios to run: parts of their names. All if there is none.
    names: Vec<String>,
    /// Names are whole ones.
    #[arg(long)]
    exact: bool,
    /// Run the ignored ones, which all are.
    #[arg(long)]
    ignored: bool,
    /// The same.
    #[arg(long)]
    include_ignored: bool,
    /// Only list them.
    #[arg(long)]
    list: bool,
    /// How.
    #[arg(long)]
    format: Option<String>,
    /// Nothing is captured anyway.
    #[arg(long)]
    nocapture: bool,
    /// Leave the clusters running at the end, until Ctrl-C.
    #[arg(long, env = "KEEP", value_parser = FalseyValueParser::new())]
    keep: bool,
}

impl Cli {
    fn wants(&self, name: &str) -> bool {
        let is_it =
            |wanted: &String| if self.exact { name == wanted } else { name.contains(wanted.as_str()) };
        self.names.is_empty() || self.names.iter().any(is_it)
    }
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let chosen = Chosen {
        on_set: SCENARIOS.into_iter().filter(|(name, _)| cli.wants(name)).collect(),
        alone: ALONE.into_iter().filter(|(name, _)| cli.wants(name)).collect(),
    };
    let ended = if cli.list { list(&cli, &chosen) } else { run(&cli, &chosen).await };
    ended.unwrap_or_else(|error| {
        // Nobody is left to tell if stderr is closed.
        let _ = writeln!(io::stderr(), "error: {error:#}");
        ExitCode::FAILURE
    })
}

fn list(cli: &Cli, chosen: &Chosen) -> anyhow::Result<ExitCode> {
    // Terse, nextest asks twice: for the ignored ones, and for all. It takes those for ignored that are in both.
    for name in chosen.names() {
        writeln!(io::stdout(), "{name}: test")?;
    }
    if cli.format.is_none() {
        writeln!(io::stdout(), "\n{} tests, 0 benchmarks", chosen.names().count())?;
    }
    Ok(ExitCode::SUCCESS)
}

async fn run(cli: &Cli, chosen: &Chosen) -> anyhow::Result<ExitCode> {
    if !cli.ignored && !cli.include_ignored {
        writeln!(io::stdout(), "{} scenarios on kind ignored: run `make e2e`", chosen.names().count())?;
        return Ok(ExitCode::SUCCESS);
    }
    let filter = EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| EnvFilter::new("warn,kind=info,domicile_e2e=info,kube_client=off"));
    let ansi = io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(ansi).with_writer(io::stderr).init();
    run::all(chosen, cli.keep).await
}
