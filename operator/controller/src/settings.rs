//! Settings from the command line and the environment.

use std::net::SocketAddr;

use clap::{Parser, ValueEnum};
use tracing_subscriber::{EnvFilter, fmt};

/// Runs workloads only where they may run, and moves them when the world changes.
#[derive(Clone, Debug, Parser)]
#[command(name = "domicile-operator", version)]
pub struct Settings {
    /// Namespace of the operator on the hub: of its lease, and of the Secrets with members' kubeconfigs.
    #[arg(long, env = "DOMICILE_NAMESPACE", default_value = "domicile-system")]
    pub namespace: String,
    /// Who holds the lease; must differ between replicas. Default: host name and process id.
    #[arg(long, env = "DOMICILE_IDENTITY")]
    pub identity: Option<String>,
    /// How long a lease lasts without being renewed, in seconds.
    #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u16).range(3..=300))]
    pub lease_seconds: u16,
    /// Address of /livez, /readyz and /metrics.
    #[arg(long, env = "DOMICILE_LISTEN", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// How log lines are written.
    #[arg(long, env = "DOMICILE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// What is logged, as in `RUST_LOG`.
    #[arg(long, env = "RUST_LOG", default_value = DEFAULT_LOG)]
    pub log: String,
}

/// kube's own lines repeat what the failing call reports with its object.
const DEFAULT_LOG: &str = "info,kube_client=off,kube_runtime=warn";

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

impl Settings {
    /// Sends log lines to stderr.
    pub fn init_logging(&self) {
        let filter = EnvFilter::try_new(&self.log).unwrap_or_else(|_| EnvFilter::new(DEFAULT_LOG));
        let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
        let lines = fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
        match self.log_format {
            LogFormat::Text => lines.init(),
            LogFormat::Json => lines.json().init(),
        }
    }

    /// Who holds the lease.
    #[must_use]
    pub fn identity(&self) -> String {
        self.identity.clone().unwrap_or_else(|| {
            let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "domicile-operator".to_owned());
            format!("{host}-{}", std::process::id())
        })
    }
}
