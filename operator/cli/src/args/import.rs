//! What can be typed after `import`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::import::Lei;

/// Make HostingProviders of public records of companies.
///
/// Reads a file that somebody publishes and prints HostingProviders with comments, to review: it asks no cluster and
/// applies nothing. What isn't told stays open, and is never taken for "none". The comments say what was left out, and
/// beside each entry what is doubtful about it.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl domicile import bods ownership.json > providers.yaml\n  kubectl domicile import gleif lei2.csv rr.csv repex.csv \\\n    --lei 5299INVENTEDSCHELD45 > providers.yaml\n  kubectl apply --server-side -f providers.yaml"
)]
pub struct ImportArgs {
    /// What to read.
    #[command(subcommand)]
    pub from: ImportFrom,
}

/// Formats that can be read.
#[derive(Debug, Subcommand)]
pub enum ImportFrom {
    #[command(about = "Read the Beneficial Ownership Data Standard 0.4")]
    Bods(BodsArgs),
    #[command(about = "Read golden copies of GLEIF: who has an LEI, and who consolidates whom")]
    Gleif(GleifArgs),
}

/// Read the Beneficial Ownership Data Standard 0.4.
///
/// Takes an array of statements, or one statement a line. Registered and legal entities whose jurisdiction has an ISO code
/// become HostingProviders; relationships become their ownership. An interest counts as the least that somebody has only if
/// it is said to be direct, and once.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl domicile import bods ownership.json > providers.yaml\n  zcat statements.jsonl.gz | kubectl domicile import bods -"
)]
pub struct BodsArgs {
    /// Files to read; `-` is stdin.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
}

/// Read golden copies of GLEIF: who has an LEI, and who consolidates whom.
///
/// Takes Level 1 (LEI-CDF 3.1) and, of Level 2, relationships (RR-CDF 2.1) and reporting exceptions (2.1), as CSV or JSON, in
/// any order. Level 2 is about accounts, not about shares: parents have control, and a parent that isn't named is somebody
/// who isn't known.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl domicile import gleif lei2.csv rr.csv repex.csv \\\n    --lei 5299INVENTEDSCHELD45 > providers.yaml"
)]
pub struct GleifArgs {
    /// Files to read; they are read more than once.
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Only these and their parents. Needed if there are more than 10,000 entities or 40,000 rows. May be given several times.
    #[arg(long, value_name = "LEI", value_delimiter = ',')]
    pub lei: Vec<Lei>,
}
