//! Arguments of the commands that ask what follows from the facts.

use std::path::PathBuf;

use clap::Args;
use domicile_crds::{ClusterName, NamespaceName, ProviderName, SiteName, WorkloadName};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

use crate::output::Format;

/// Where the facts come from.
#[derive(Clone, Debug, Default, Args)]
pub struct FactsArgs {
    /// Read the objects from this file or folder instead of the hub; `-` is stdin. No cluster is asked. May be given several
    /// times; of the same object, the last one counts.
    #[arg(long, value_name = "DIR")]
    pub from: Vec<PathBuf>,
    /// Look at this time instead of now: a date (in UTC) or RFC 3339.
    #[arg(long, value_name = "TIME", value_parser = instant)]
    pub at: Option<Timestamp>,
}

/// Say why a workload is where it is, and why not elsewhere.
///
/// Holds every member cluster against every rule (docs/rules.md) and says of each what bars it, by which object, and what
/// would have to change. Reads all that the operator reads, so that it needs the rights of a platform engineer or an
/// auditor; tenants find the same in short in `kubectl describe tw`.
#[derive(Debug, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl domicile explain shop -n webshop\n  kubectl domicile explain shop -n webshop --cluster zrh-1 -o wide\n  kubectl domicile explain shop -n webshop --at 2027-03-01"
)]
pub struct ExplainArgs {
    /// The TenantWorkload.
    pub workload: WorkloadName,
    /// Its namespace; otherwise that of the current context.
    #[arg(short, long)]
    pub namespace: Option<NamespaceName>,
    /// Only this member cluster.
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<ClusterName>,
    /// Where the facts come from.
    #[command(flatten)]
    pub facts: FactsArgs,
    /// How the result is written; `wide` names the rules that pass, too.
    #[arg(short, long, default_value = "text", value_name = "FORMAT")]
    pub output: Format,
}

/// Say what would happen if something changed.
///
/// Decides for every workload as the operator would, with the facts as they are and again with the changes, and tells
/// what differs: what would be placed, moved, frozen, suspended, and what would have no lawful place. Without any change it
/// tells what the operator has yet to do. Nothing is written anywhere.
///
/// Exit codes: 0 if nothing would happen, 2 if something would, 1 for an error of any kind.
#[derive(Debug, Default, Args)]
#[command(
    after_long_help = "Examples:\n  kubectl domicile plan --revoke meridian-cloud\n  kubectl domicile plan --online zrh --approve limmat\n  kubectl domicile plan -f changed.yaml --at 2027-03-01\n  kubectl domicile plan -o json --from examples/benelux \\\n    --from charts/domicile/countrysets"
)]
pub struct PlanArgs {
    /// Objects as they would be, applied over what is there. May be given several times; `-` is stdin. Of the same object, the last
    /// one counts.
    #[arg(short = 'f', long = "filename", value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// As if this provider's approval were revoked. May be given several times.
    #[arg(long, value_name = "PROVIDER")]
    pub revoke: Vec<ProviderName>,
    /// As if this provider were approved.
    #[arg(long, value_name = "PROVIDER")]
    pub approve: Vec<ProviderName>,
    /// As if this provider were frozen.
    #[arg(long, value_name = "PROVIDER")]
    pub freeze: Vec<ProviderName>,
    /// As if this site were online.
    #[arg(long, value_name = "SITE")]
    pub online: Vec<SiteName>,
    /// As if this site were closing.
    #[arg(long, value_name = "SITE")]
    pub close: Vec<SiteName>,
    /// Where the facts come from.
    #[command(flatten)]
    pub facts: FactsArgs,
    /// How the result is written; `wide` names every workload.
    #[arg(short, long, default_value = "text", value_name = "FORMAT")]
    pub output: Format,
}

pub(super) fn instant(text: &str) -> Result<Timestamp, String> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(at);
    }
    let day = text.parse::<Date>().map(|day| DateTime::from_parts(day, jiff::civil::Time::midnight()));
    day.ok()
        .and_then(|day| day.to_zoned(TimeZone::UTC).ok())
        .map(|day| day.timestamp())
        .ok_or_else(|| "neither a date such as 2027-03-01 nor a time such as 2027-03-01T00:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_is_its_midnight_in_utc() {
        assert_eq!(instant("2027-03-01").unwrap().to_string(), "2027-03-01T00:00:00Z");
        assert_eq!(instant("2027-03-01T01:00:00+01:00").unwrap().to_string(), "2027-03-01T00:00:00Z");
        assert!(instant("tomorrow").unwrap_err().contains("2027-03-01"));
    }
}
