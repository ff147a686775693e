//! `make demo`: the story of examples/benelux, acted out.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, builder::FalseyValueParser};
use domicile_e2e::demo::{On, Screen, run};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Acts out the story of examples/benelux, shows it, and checks each step: on real clusters by kind if a Docker engine answers, else on
/// API servers on this machine.
///
/// Exits with 0 if every step came true, with 1 if one did not, and with 130 if it was interrupted.
/// Nothing is left behind.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Leave the fleet running at the end, until Ctrl-C.
    #[arg(long, env = "KEEP", value_parser = FalseyValueParser::new())]
    keep: bool,
    /// What to act it out on.
    #[arg(long, env = "FLEET", value_enum, default_value_t = On::Auto)]
    fleet: On,
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // Only where somebody asks: a watch that ends with its API server would speak into the picture.
    if std::env::var_os("RUST_LOG").is_some() {
        tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::from_default_env())
            .with_writer(io::stderr)
            .init();
    }
    match act(&cli).await {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell if stderr is closed.
            let _ = writeln!(io::stderr(), "\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn act(cli: &Cli) -> anyhow::Result<ExitCode> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut stopped = async || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    // Dropping the story stops whatever it has started, also half-way.
    let ending = tokio::select! {
        ending = run(Screen::stdout(), cli.fleet, cli.keep) => ending?,
        () = stopped() => {
            writeln!(io::stderr(), "\ninterrupted: everything is stopped")?;
            return Ok(ExitCode::from(130));
        }
    };
    if cli.keep {
        if let Err(error) = &ending.outcome {
            writeln!(io::stderr(), "\nerror: {error:#}")?;
        }
        stopped().await;
        return Ok(if ending.outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    ending.outcome?;
    Ok(ExitCode::SUCCESS)
}
