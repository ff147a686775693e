//! `kubectl domicile explain`.

use domicile_core::{
    Engine, Rule,
    eligibility::{Finding, explain_place},
    moves::left_behind,
    report::place,
    text::remedy,
};
use domicile_crds::{ClusterName, NamespaceName, Place, TenantName, WorkloadKey};
use jiff::Timestamp;
use serde::Serialize;

use crate::args::{ExplainArgs, HubArgs};
use crate::cluster::{Cluster, ClusterError};
use crate::facts::{Facts, FactsError};
use crate::output;
use crate::plan::{Step, of_verdict};

#[cfg(test)]
mod tests;
mod text;

/// A workload can't be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The facts can't be had.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// The fleet may not be seen.
    #[error(
        "you may not see all that the operator reads, without which this can't be said: `kubectl -n {namespace} describe tw {name}` says in short where it is, or why it has no place"
    )]
    Hidden {
        /// The workload's namespace.
        namespace: NamespaceName,
        /// Its name.
        name: domicile_crds::WorkloadName,
        /// What may not be seen.
        #[source]
        source: Box<FactsError>,
    },
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The kubeconfig names a namespace that can't be one, or there is none.
    #[error("name the workload's namespace with -n")]
    Namespace(#[from] domicile_crds::NameError),
    /// There is no such workload.
    #[error("there is no TenantWorkload {key}; {}", if .there.is_empty() { "there is none in that namespace".to_owned() } else { format!("there are {}", .there) })]
    Missing {
        /// Which one.
        key: WorkloadKey,
        /// Those that there are.
        there: String,
    },
    /// There is no such member.
    #[error("there is no MemberCluster {0}")]
    NoCluster(ClusterName),
    /// It can't be made JSON.
    #[error("can't be written")]
    Write(#[from] serde_json::Error),
}

/// Why a workload is where it is, and why not elsewhere.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// As namespace/name.
    workload: String,
    /// Whose it is, if that can be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    tenant: Option<String>,
    /// The time that was looked at.
    at: Timestamp,
    /// Why nothing can be done for it at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    blocked: Option<String>,
    /// What holds for each copy.
    copies: Vec<Step>,
    /// Every member cluster.
    candidates: Vec<Candidate>,
}

/// A member cluster, held against every rule.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Candidate {
    #[serde(flatten)]
    place: Place,
    /// Whether a copy is there.
    has_copy: bool,
    /// Whether a copy that has moved on, or isn't asked for any more, isn't known to be gone from there.
    is_left: bool,
    /// Whether nothing bars a new copy.
    eligible: bool,
    /// The preference that it meets, from 1; one more than there are if it meets none.
    preference: u16,
    rules: Vec<Answer>,
}

/// What a rule says of a candidate.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    rule: &'static str,
    /// `passes`, `fails` or `unknown`.
    result: &'static str,
    /// The objects to look at and why, where it doesn't pass.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    because: Vec<String>,
    /// What would have to change.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'static str>,
    /// The command that changes it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
}

/// Runs the command; returns what goes to stdout.
///
/// # Errors
///
/// If the facts can't be had, or there is no such workload.
pub async fn run(args: &ExplainArgs, options: &HubArgs) -> Result<String, ExplainError> {
    let namespace = match &args.namespace {
        Some(namespace) => namespace.clone(),
        None if !args.facts.from.is_empty() => NamespaceName::new("")?,
        None => NamespaceName::new(&Cluster::hub(&options.target()).await?.config.default_namespace)?,
    };
    let facts = Facts::read(&args.facts, options).await.map_err(|error| hidden(error, &namespace, args))?;
    let key = WorkloadKey { namespace, name: args.workload.clone() };
    let explanation = explanation(&facts, &key, args)?;
    let text = |wide| text::text(&explanation, wide, output::Paint::for_stdout());
    Ok(output::render(args.output, &explanation, text)?)
}

/// A tenant finds the same in short where it may look.
fn hidden(error: FactsError, namespace: &NamespaceName, args: &ExplainArgs) -> ExplainError {
    match error {
        FactsError::Cluster(cluster) if cluster.code() == Some(403) => {
            let (namespace, name) = (namespace.clone(), args.workload.clone());
            ExplainError::Hidden { namespace, name, source: Box::new(FactsError::Cluster(cluster)) }
        }
        other => other.into(),
    }
}

fn explanation(facts: &Facts, key: &WorkloadKey, args: &ExplainArgs) -> Result<Explanation, ExplainError> {
    let now = args.facts.at.unwrap_or(facts.now);
    let mut engine = facts.snapshot.engine(now).map_err(FactsError::from)?;
    if !engine.world().workloads.contains_key(key) {
        let there = engine.world().workloads.keys().filter(|other| other.namespace == key.namespace);
        let mut there: Vec<String> = there.map(|other| other.name.to_string()).collect();
        there.sort();
        return Err(ExplainError::Missing { key: key.clone(), there: crate::hub::listed(&there) });
    }
    let verdicts = engine.decide(&[key.clone()].into(), now);
    let copies = verdicts.iter().flat_map(|verdict| of_verdict(&engine, verdict, now)).collect();
    let blocked = verdicts.into_iter().find_map(|verdict| verdict.blocked).map(|blocked| blocked.to_string());
    let mut candidates = candidates(&engine, key, now);
    if let Some(cluster) = &args.cluster {
        candidates.retain(|candidate| candidate.place.cluster == *cluster);
        if candidates.is_empty() {
            return Err(ExplainError::NoCluster(cluster.clone()));
        }
    }
    let tenant = engine.world().tenant_of(&key.namespace).ok().map(ToString::to_string);
    Ok(Explanation { workload: key.to_string(), tenant, at: now, blocked, copies, candidates })
}

fn candidates(engine: &Engine, key: &WorkloadKey, now: Timestamp) -> Vec<Candidate> {
    let (world, Some(row)) = (engine.world(), engine.classes().of(key)) else { return Vec::new() };
    let (seats, left) = (world.active_seats(key), left_behind(world, key));
    let known =
        |id: &&domicile_core::world::ClusterId| world.cluster(**id).is_some_and(|row| row.fact.is_some());
    let candidate = |id: &domicile_core::world::ClusterId| {
        let name = &world.cluster(*id)?.name;
        let findings = explain_place(world, (&row.class, key), *id, now);
        Some(Candidate {
            place: place(world, name),
            has_copy: seats.iter().any(|seat| seat.cluster == *name),
            is_left: left.contains(&name),
            eligible: findings.is_empty(),
            preference: row.cell(*id).tier.saturating_add(1),
            rules: Rule::ALL
                .into_iter()
                .map(|rule| answer(rule, &findings, (&row.class.tenant, name)))
                .collect(),
        })
    };
    world.clusters_by_name().iter().filter(known).filter_map(candidate).collect()
}

fn answer(rule: Rule, findings: &[Finding], at: (&TenantName, &ClusterName)) -> Answer {
    let of_rule: Vec<&Finding> = findings.iter().filter(|finding| finding.rule == rule).collect();
    let result = match of_rule.as_slice() {
        [] => "passes",
        all if all.iter().any(|finding| finding.certain) => "fails",
        _ => "unknown",
    };
    let remedy = (!of_rule.is_empty()).then(|| remedy(rule));
    let command = of_rule.first().and_then(|finding| command(finding, at));
    let because = of_rule.into_iter().map(ToString::to_string).collect();
    Answer { rule: rule.name(), result, because, remedy, command }
}

/// The command that has a rule pass, if there is one; what it can't know is in capitals.
fn command(finding: &Finding, (tenant, cluster): (&TenantName, &ClusterName)) -> Option<String> {
    let authority = finding.authority.as_deref().map_or_else(|| "NAME".to_owned(), quoted);
    let who = format!("--authority {authority} --reason TEXT");
    let (kind, name) = finding.object.split_once('/')?;
    let subject = match kind {
        "HostingProvider" => name.to_owned(),
        "Site" => format!("site/{name}"),
        "Tenant" => format!("tenant/{name}"),
        "TenantWorkload" => format!("workload/{name}"),
        _ => String::new(),
    };
    match finding.rule {
        Rule::NotApproved | Rule::ApprovalExpired if kind == "HostingProvider" => {
            Some(format!("kubectl domicile approve {subject} {who}"))
        }
        Rule::ApprovalOutOfScope if kind == "HostingProvider" => {
            Some(format!("kubectl domicile approve {subject} --tenant {tenant} {who}"))
        }
        Rule::ApprovalRevoked | Rule::ApprovalSuspended | Rule::ApprovalFrozen if !subject.is_empty() => {
            Some(format!("kubectl domicile reinstate {subject} {who}"))
        }
        Rule::TenantNotAdmitted => {
            Some(format!("kubectl domicile admit {tenant} --member {cluster} --member-kubeconfig FILE"))
        }
        Rule::Cordoned => Some(format!("kubectl domicile uncordon {cluster}")),
        _ => None,
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:/".contains(c);
    if word.chars().all(is_plain) { word.to_owned() } else { format!("'{}'", word.replace('\'', r"'\''")) }
}
