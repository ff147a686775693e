//! Measures Domicile on a local fleet, by the method by which its peer was measured.
//!
//! Nothing here fails for being slow; it fails when something isn't true: a workload that isn't placed, or an object
//! that was removed before its replacement was Ready. `docs/benchmarks.md` explains the figures.
#![allow(clippy::format_push_string, reason = "a handful of objects, once a run")]

mod by_hand;
mod evacuation;
mod eyes;
mod floor;
mod ground;
mod load;
mod machine;
mod measure;
mod peer;
mod placing;
mod report;
mod still;

use std::{path::PathBuf, time::Duration};

use anyhow::ensure;
use clap::{Parser, ValueEnum};
use domicile_e2e::stage::binary;
use eyes::Eyes;
use ground::{Ground, MEMBERS, Wishes};
use load::Pace;
use machine::Machine;
use report::{Report, Section, progress};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Waiting for something that isn't there yet is no error.
const LOG: &str = "warn,kube_client=off";

/// Measures Domicile on a local fleet of a hub and three members.
#[derive(Clone, Debug, Parser)]
#[command(version)]
struct Cli {
    /// Numbers of workloads to measure with.
    #[arg(long, value_delimiter = ',', default_value = "100,1000")]
    workloads: Vec<usize>,
    /// A smoke test: few workloads, short waits. The figures say little.
    #[arg(long)]
    quick: bool,
    /// Measure only these.
    #[arg(long, value_enum, value_delimiter = ',')]
    only: Vec<Scenario>,
    /// Write the figures here, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// How many workloads may move at the same time.
    #[arg(long, default_value_t = 200)]
    max_concurrent: u32,
    /// The operator's program; else the one beside this program.
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
    /// Measure a debug build all the same.
    #[arg(long)]
    allow_debug: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// 16 creates in flight.
    Create16,
    /// 64 creates in flight, then 20 a second.
    Create64,
    /// Idle with everything placed; implies `create16`.
    Idle,
    /// The operator restarted; implies `create16`.
    Restart,
    /// The writes of a placement without an operator; implies `create16`.
    Floor,
    /// The provider that hosts everything revoked.
    Evacuate,
    /// The writes of those moves without an operator; implies `evacuate`.
    MoveFloor,
}

impl Cli {
    fn wants(&self, scenario: Scenario) -> bool {
        self.only.is_empty() || self.only.contains(&scenario)
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(LOG)))
        .with_writer(std::io::stderr)
        .init();
    let mut cli = Cli::parse();
    if cli.quick {
        cli.workloads = vec![20];
    }
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    // Dropping the run stops all that it has started.
    tokio::select! {
        done = run(&cli) => done,
        _ = interrupt.recv() => anyhow::bail!("interrupted"),
        _ = terminate.recv() => anyhow::bail!("terminated"),
    }
}

async fn run(cli: &Cli) -> anyhow::Result<()> {
    let operator = cli.operator.clone().map_or_else(|| binary("domicile-operator"), Ok)?;
    let machine = Machine::look(operator).await?;
    ensure!(
        !machine.debug_build || cli.allow_debug,
        "{} is a debug build: its times say nothing. Run `make bench`, or say --allow-debug",
        machine.operator.display()
    );
    let mut bench = Bench { cli, report: Report { machine, sections: Vec::new() } };
    report::print_machine(&bench.report.machine)?;
    for &count in &cli.workloads {
        if [Scenario::Create16, Scenario::Idle, Scenario::Restart, Scenario::Floor]
            .iter()
            .any(|it| cli.wants(*it))
        {
            bench.steady(count).await?;
        }
        if cli.wants(Scenario::Create64) {
            bench.rush(count).await?;
        }
        if cli.wants(Scenario::Evacuate) || cli.wants(Scenario::MoveFloor) {
            bench.exodus(count).await?;
        }
    }
    report::say("\nDecisions in process, without any cluster: cargo bench -p domicile-core")?;
    if let Some(path) = &cli.json {
        std::fs::write(path, serde_json::to_vec_pretty(&bench.report)?)?;
    }
    Ok(())
}

struct Bench<'a> {
    cli: &'a Cli,
    report: Report,
}

/// Each begins with a fleet of its own, so that none stands on what another has left.
impl Bench<'_> {
    /// 16 in flight, then what it is like with so many placed.
    async fn steady(&mut self, count: usize) -> anyhow::Result<()> {
        let mut ground = self.ground(None).await?;
        self.add(still::memory(&ground, 0)?)?;
        let open = Eyes::open(&ground)?;
        let section = placing::measure(&ground, &open.eyes, "a", count, Pace::InFlight(16)).await?;
        self.add(section)?;
        self.add(still::memory(&ground, count)?)?;
        if self.cli.wants(Scenario::Idle) {
            let lasting = Duration::from_secs(if self.cli.quick { 10 } else { 60 });
            self.add(still::idle(&ground, count, lasting).await?)?;
        }
        if self.cli.wants(Scenario::Restart) {
            let placed: Vec<String> = (0..count).map(|index| format!("a-{index}")).collect();
            self.add(still::restart(&mut ground, &open.eyes, &placed).await?)?;
        }
        check(&open.eyes)?;
        drop(open);
        if self.cli.wants(Scenario::Floor) {
            self.add(floor::measure(&mut ground, "a-0", count).await?)?;
        }
        Ok(())
    }

    /// 64 in flight, then some each second.
    async fn rush(&mut self, count: usize) -> anyhow::Result<()> {
        let ground = self.ground(None).await?;
        let open = Eyes::open(&ground)?;
        self.add(placing::measure(&ground, &open.eyes, "b", count, Pace::InFlight(64)).await?)?;
        let seconds = if self.cli.quick { 2 } else { 30 };
        self.add(
            placing::measure(&ground, &open.eyes, "p", count.min(20 * seconds), Pace::PerSecond(20)).await?,
        )?;
        check(&open.eyes)
    }

    /// All in one place, and then elsewhere.
    async fn exodus(&mut self, count: usize) -> anyhow::Result<()> {
        let [(_, _, provider, _), ..] = MEMBERS;
        let mut ground = self.ground(Some(provider)).await?;
        let open = Eyes::open(&ground)?;
        self.add(evacuation::evacuate(&ground, &open.eyes, count).await?)?;
        check(&open.eyes)?;
        drop(open);
        if self.cli.wants(Scenario::MoveFloor) {
            self.add(by_hand::move_back(&mut ground, count).await?)?;
        }
        Ok(())
    }

    async fn ground(&mut self, preferred: Option<&'static str>) -> anyhow::Result<Ground> {
        progress("starts a hub and three members");
        let wishes = Wishes { preferred, max_concurrent: self.cli.max_concurrent };
        Ground::prepare(wishes, &self.report.machine.operator).await
    }

    fn add(&mut self, section: Section) -> anyhow::Result<()> {
        report::print(&section)?;
        self.report.sections.push(section);
        Ok(())
    }
}

/// Readiness that wasn't written would be measured as slowness of the operator.
fn check(eyes: &Eyes) -> anyhow::Result<()> {
    let failures = eyes.failures();
    ensure!(
        failures.is_empty(),
        "readiness could not be played {} times: {:?}",
        failures.len(),
        failures.first()
    );
    Ok(())
}
