//! `domicile-operator`: observes the hub and its members, decides, checks, acts and reports.

use clap::Parser;
use domicile_operator::{run, settings::Settings};

fn main() -> anyhow::Result<()> {
    let settings = Settings::parse();
    settings.init_logging();
    rustls::crypto::ring::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("another TLS provider was installed before"))?;
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(run(settings))
}
