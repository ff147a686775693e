//! For commands that rely on the operator: whether it is known to run.

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;

use super::report::operator;
use crate::args::HubArgs;
use crate::cluster::Cluster;
use crate::output;

/// Warns if nobody holds the operator's lease or nothing was heard within it. Says nothing where that can't be seen: tenants may not,
/// and what the command asks for next fails by itself if the hub doesn't answer.
pub async fn warn(hub: &Cluster, options: &HubArgs) {
    let (Ok(lease), Ok(now)) = (super::lease(hub, options).await, hub.now().await) else { return };
    if let Some(silence) = silence(lease.as_ref(), options.operator_namespace.as_str(), now) {
        output::note(format!("warning: {silence}"));
    }
}

pub(super) fn silence(lease: Option<&Lease>, namespace: &str, now: Timestamp) -> Option<String> {
    let operator = operator(lease, now);
    if operator.alive {
        return None;
    }
    Some(match (operator.holder, operator.age_seconds) {
        (Some(_), Some(age)) if age < 0 => format!(
            "the operator was last heard of {} s in the future: nobody knows whether it runs, set its clock or the hub's",
            -age
        ),
        (Some(_), Some(age)) => {
            format!("the operator was last heard of {age} s ago: nothing is carried out until it runs")
        }
        _ => format!(
            "nobody holds the operator's lease in namespace {namespace}: nothing is carried out until it runs"
        ),
    })
}
