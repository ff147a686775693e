//! A fleet at hand: starts one and keeps it until it is told to stop.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use domicile_e2e::{
    fleet::{Allocatable, Binaries, Cluster, ClusterOptions, Fleet},
    kind,
};
use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Local Kubernetes control planes for trying out and testing Domicile.
#[derive(Debug, Parser)]
#[command(version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a hub and members, and stay until Ctrl-C or SIGTERM.
    ///
    /// Prints one line a cluster when all are ready: a table on a terminal, else JSON.
    Up(Up),
    /// Make sure that all programs are there, building them if need be, and print their folder.
    Binaries,
}

#[derive(Debug, Args)]
struct Up {
    /// Names of the members, separated by commas.
    #[arg(long, value_delimiter = ',', num_args = 0.., default_value = "nl-ams-1,de-fra-1")]
    members: Vec<String>,
    /// Nodes of each member.
    #[arg(long, default_value_t = 1)]
    nodes: u32,
    /// Persistent volumes of each member that claims can be bound to.
    #[arg(long, default_value_t = 0)]
    volumes: u32,
    /// Pods that each node can hold.
    #[arg(long, default_value_t = 250)]
    pods_per_node: u32,
    /// Start no hub.
    #[arg(long)]
    no_hub: bool,
    /// Start real clusters, by kind: the hub has the operator's image, which `make image` writes. Needs a Docker engine.
    #[arg(long, conflicts_with_all = ["nodes", "volumes", "pods_per_node", "no_hub"])]
    kind: bool,
    /// Folder for kubeconfigs, data and logs, which is kept; else a temporary one.
    #[arg(long)]
    dir: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    // Whoever waits for an API server asks it before it answers.
    let filter =
        EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("error,kube_client=off"));
    tracing_subscriber::fmt()
        .with_ansi(io::stderr().is_terminal())
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .init();
    match Cli::parse().command {
        Command::Up(options) => up(options).await,
        Command::Binaries => {
            let binaries = tokio::task::spawn_blocking(Binaries::locate).await??;
            writeln!(io::stdout(), "{}", binaries.folder().display())?;
            Ok(())
        }
    }
}

async fn up(options: Up) -> anyhow::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let stopped = async {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    let run = async {
        let begin = Instant::now();
        // Kept alive until the signal.
        if options.kind {
            let (_fleet, lines) = start_kind(options).await?;
            report(&lines, begin)?;
            return std::future::pending().await;
        }
        let fleet = start(options).await?;
        report(&fleet.clusters().map(line).collect::<Vec<_>>(), begin)?;
        std::future::pending().await
    };
    // Dropping `run` stops whatever it has started, also half-way.
    tokio::select! {
        result = run => result,
        () = stopped => Ok(()),
    }
}

async fn start(options: Up) -> anyhow::Result<Fleet> {
    let mut builder = Fleet::builder();
    if !options.no_hub {
        builder = builder.hub();
    }
    for name in &options.members {
        let (region, zone) = topology(name);
        let member = ClusterOptions::member()
            .nodes(options.nodes)
            .volumes(options.volumes)
            .allocatable(Allocatable { pods: options.pods_per_node, ..Allocatable::default() })
            .topology(&region, &zone);
        builder = builder.member(name, member);
    }
    if let Some(dir) = options.dir {
        builder = builder.dir(dir);
    }
    builder.start().await
}

/// Region and zone from a name such as `nl-ams-1`: country and town, then the whole name.
fn topology(name: &str) -> (String, String) {
    let region = name.rsplit_once('-').map_or(name, |(town, _)| town);
    (region.to_owned(), name.to_owned())
}

/// Real clusters, and what is said of them.
async fn start_kind(options: Up) -> anyhow::Result<(kind::Fleet, Vec<Value>)> {
    let members: Vec<&str> = options.members.iter().map(String::as_str).collect();
    let fleet = match &options.dir {
        Some(dir) => kind::Fleet::create_at(&members, dir).await?,
        None => kind::Fleet::create(&members).await?,
    };
    fleet.load_operator().await?;
    fleet.load_app().await?;
    let mut lines = Vec::new();
    for cluster in fleet.clusters() {
        let (kubeconfig, address) =
            (cluster.kubeconfig_for("admin", &["system:masters"]).await?, cluster.address().await?);
        let server = format!("https://{address}:6443");
        lines.push(json!({
            "cluster": cluster.name(), "server": server, "kubeconfig": kubeconfig, "container": cluster.node(),
        }));
    }
    Ok((fleet, lines))
}

fn report(lines: &[Value], begin: Instant) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if !out.is_terminal() {
        return lines.iter().try_for_each(|line| writeln!(out, "{line}"));
    }
    writeln!(out, "{:<16} {:<24} KUBECONFIG", "CLUSTER", "API SERVER")?;
    for line in lines {
        let text = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default();
        writeln!(out, "{:<16} {:<24} {}", text("cluster"), text("server"), text("kubeconfig"))?;
    }
    writeln!(io::stderr(), "ready after {:.1} s; Ctrl-C stops them", begin.elapsed().as_secs_f32())
}

fn line(cluster: &Cluster) -> Value {
    let pids: Vec<_> = cluster.pids().into_values().collect();
    json!({
        "cluster": cluster.name(),
        "server": cluster.endpoint(),
        "kubeconfig": cluster.kubeconfig_path(),
        "logs": cluster.dir().join("logs"),
        "pids": pids,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gives_region_and_zone() {
        assert_eq!(topology("nl-ams-1"), (String::from("nl-ams"), String::from("nl-ams-1")));
        assert_eq!(topology("lab"), (String::from("lab"), String::from("lab")));
    }
}
