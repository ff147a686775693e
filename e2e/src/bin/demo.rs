//! `make demo`: the story of examples/benelux, acted out on a local fleet.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Parser, builder::FalseyValueParser};
use domicile_e2e::demo::{Screen, run};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Acts out the story of examples/benelux on a local fleet, shows it, and checks each step.
///
/// Exits with 0 if every step came true, with 1 if one did not, and with 130 if it was interrupted.
/// Nothing is left behind.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    /// Leave the fleet running at the end, until Ctrl-C.
    #[arg(long, env = "KEEP", value_parser = FalseyValueParser::new())]
    keep: bool,
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
    match act(cli.keep).await {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell if stderr is closed.
            let _ = writeln!(io::stderr(), "\nerror: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn act(keep: bool) -> anyhow::Result<ExitCode> {
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
        ending = run(Screen::stdout(), keep) => ending?,
        () = stopped() => {
            writeln!(io::stderr(), "\ninterrupted: everything is stopped")?;
            return Ok(ExitCode::from(130));
        }
    };
    if keep {
        if let Err(error) = &ending.outcome {
            writeln!(io::stderr(), "\nerror: {error:#}")?;
        }
        stopped().await;
        return Ok(if ending.outcome.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
    }
    ending.outcome?;
    Ok(ExitCode::SUCCESS)
}
