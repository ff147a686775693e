//! What a person must act on, with what to do.

use domicile_core::{Rule, decide::Obstacle, moves::Wait, text::remedy};
use domicile_crds::{FactStatus, condition_of, keys::condition};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::Serialize;

use super::report::{LEASE_SECONDS, seconds_since};
use super::{Left, Observed, Operator, Workload, World};

/// How long something may be unknown before a person must look: three missed questions of the operator to a member.
pub(super) const UNKNOWN_SECONDS: i64 = 30;

/// How long a copy may take to leave by itself before a person should look: as long as one may take to become ready where it goes, by
/// the default of `health.progressDeadlineSeconds`.
const LEAVES_WITHIN_SECONDS: i64 = 600;

/// Reasons for which a workload isn't Ready, though nothing is wrong with its pods.
const HELD: [&str; 4] = ["Suspended", "Suspending", "UpdateHeld", "MemberUnreachable"];

/// Something that a person must act on.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stuck {
    /// Which object.
    pub object: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, in a sentence.
    pub message: String,
    /// What to do, where the sentence doesn't say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Seconds since.
    pub since_seconds: Option<i64>,
}

pub(super) fn nobody_watches(object: String, operator: &Operator) -> Stuck {
    let message = match (&operator.holder, operator.age_seconds) {
        (Some(holder), Some(age)) if age < 0 => format!(
            "{holder} was last heard of {} s in the future: nobody knows whether it keeps watch, set its clock or the hub's",
            -age
        ),
        (Some(holder), Some(age)) => format!(
            "{holder} was last heard of {age} s ago, longer than its lease of {} s: nobody keeps watch, see that the operator runs",
            operator.lease_seconds.unwrap_or(LEASE_SECONDS)
        ),
        _ => "nobody holds the lease: see that the operator runs, and in this namespace".to_owned(),
    };
    let since_seconds = operator.age_seconds.filter(|age| *age >= 0);
    Stuck { object, reason: "OperatorSilent".to_owned(), message, remedy: None, since_seconds }
}

pub(super) fn stuck<'a>(world: &World, left: impl Iterator<Item = &'a Left>, now: Timestamp) -> Vec<Stuck> {
    let mut all: Vec<_> = left.filter_map(Left::stuck).collect();
    for fact in &facts(world) {
        let stalled = condition_of(&fact.conditions, condition::STALLED).filter(|c| c.status == "True");
        let stuck = stalled.map(|condition| entry(fact, condition, now)).or_else(|| unready(fact, now));
        all.extend(stuck.map(|stuck| Stuck { remedy: remedy_of_fact(&stuck.reason), ..stuck }));
    }
    let paused = world.is_paused().unwrap_or_default();
    let held = world.workloads.iter().filter_map(|workload| Some((workload, held(workload, paused, now)?)));
    all.extend(held.map(|(workload, stuck)| {
        let remedy = remedy_of(workload, &stuck.reason, world.clusters.seen().is_some());
        Stuck { remedy, ..stuck }
    }));
    all
}

/// What has a rule pass that holds a workload up, and where each cluster's rules are told: whoever may not see clusters finds in the
/// workload itself what bars them.
fn remedy_of(workload: &Workload, reason: &str, sees_clusters: bool) -> Option<String> {
    let (name, namespace) = (&workload.observed.name, workload.observed.namespace.as_deref()?);
    let rule_of = |reason: &str| Rule::ALL.into_iter().find(|rule| rule.name() == reason);
    let compliant = condition_of(&workload.observed.conditions, condition::COMPLIANT);
    let bars = || compliant.filter(|c| c.status == "False").and_then(|c| rule_of(&c.reason));
    let rule = rule_of(reason).or_else(|| bars().filter(|_| HELD.contains(&reason)));
    let is_place = rule.is_some() || ["NoCluster", Obstacle::NoLawfulPlace.name()].contains(&reason);
    let remedy = rule.map(|rule| format!("{}; ", remedy(rule))).unwrap_or_default();
    let look = if sees_clusters {
        format!("`kubectl domicile explain {name} -n {namespace}` says it of each cluster")
    } else {
        format!("`kubectl describe tw {name} -n {namespace}` says more")
    };
    is_place.then(|| format!("{remedy}{look}"))
}

/// What to do about a fact or a move, where its message doesn't say.
fn remedy_of_fact(reason: &str) -> Option<String> {
    let remedy = match reason {
        "ByOneAlone" => "another user makes the same decision, which `kubectl describe` of it shows",
        "Frozen" => "`kubectl domicile reinstate` what is frozen or suspended; it goes on by itself then",
        _ => return None,
    };
    Some(remedy.to_owned())
}

fn facts(world: &World) -> Vec<Observed> {
    let of = |status: Option<&FactStatus>| status.map(|status| status.conditions.clone());
    let mut facts: Vec<Observed> = world.others.clone();
    facts.extend(world.sites.iter().map(|site| Observed::of(site, of(site.status.as_ref()))));
    let tenants = world.tenants.seen().into_iter().flatten();
    facts.extend(tenants.map(|tenant| Observed::of(tenant, of(tenant.status.as_ref()))));
    let installation = world.installation.seen().into_iter().flatten();
    facts.extend(installation.map(|x| Observed::of(x, of(x.status.as_ref()))));
    facts.extend(world.clusters.seen().into_iter().flatten().map(|cluster| {
        Observed::of(cluster, cluster.status.as_ref().map(|status| status.conditions.clone()))
    }));
    facts
}

/// A workload that is stalled, whose pods don't start, that is held as it is, or that isn't where it may be.
fn held(workload: &Workload, paused: bool, now: Timestamp) -> Option<Stuck> {
    let observed = &workload.observed;
    let stalled = condition_of(&observed.conditions, condition::STALLED).filter(|c| c.status == "True");
    let unready = condition_of(&observed.conditions, condition::READY).filter(|c| c.status != "True");
    let found = match (stalled, unready, workload.problems.first()) {
        (Some(stalled), _, _) => Some(entry(observed, stalled, now)),
        (None, Some(ready), Some(problem)) => Some(Stuck {
            reason: problem.reason.clone(),
            message: format!("{} on {}: {}", problem.object, problem.cluster, problem.message),
            ..entry(observed, ready, now)
        }),
        (None, Some(ready), None) => {
            HELD.contains(&ready.reason.as_str()).then(|| entry(observed, ready, now))
        }
        (None, None, _) => None,
    };
    let Some(unlawful) = unlawful(observed, paused, now) else { return found };
    let Some(found) = found else { return Some(entry(observed, unlawful, now)) };
    let message = match unlawful.status.as_str() {
        _ if found.message.contains(&unlawful.message) => found.message,
        "False" => format!("{}; not compliant: {}", found.message, unlawful.message),
        _ => format!("{}; nobody knows whether it is compliant: {}", found.message, unlawful.message),
    };
    Some(Stuck { message, ..found })
}

/// What says that a workload isn't where it may be, or that this isn't known for long.
fn unlawful(observed: &Observed, paused: bool, now: Timestamp) -> Option<&Condition> {
    let found = condition_of(&observed.conditions, condition::COMPLIANT).filter(|c| c.status != "True")?;
    let since = |condition: &Condition| seconds_since(condition.last_transition_time.0, now);
    // Nobody must act on what is leaving: what keeps a move from going on is Stalled. A pause ends only when somebody ends it.
    let pending = condition_of(&observed.conditions, condition::MOVE_PENDING).filter(|c| c.status == "True");
    let pending = pending.filter(|pending| !paused && !Wait::is_told_paused(&pending.message));
    // What was held before may have begun to leave only now.
    if pending.is_some_and(|pending| since(pending).min(since(found)) < LEAVES_WITHIN_SECONDS) {
        return None;
    }
    let lasting = since(found) >= UNKNOWN_SECONDS;
    (found.status == "False" || lasting).then_some(found)
}

/// A fact that isn't Ready isn't used, and a member of which nobody knows is no better.
fn unready(fact: &Observed, now: Timestamp) -> Option<Stuck> {
    // A campaign or a move isn't Ready as long as it runs.
    if fact.kind == "Relocation" || fact.kind == "Migration" || is_as_written(fact) {
        return None;
    }
    let Some(ready) = condition_of(&fact.conditions, condition::READY) else {
        let age = seconds_since(fact.created.filter(|_| fact.kind == "MemberCluster")?, now);
        return (age >= UNKNOWN_SECONDS).then(|| Stuck {
            object: fact.shown(),
            reason: "NotObserved".to_owned(),
            message: "the operator has said nothing of it yet: see that it runs, and what it logs".to_owned(),
            remedy: None,
            since_seconds: Some(age),
        });
    };
    let unknown = seconds_since(ready.last_transition_time.0, now) >= UNKNOWN_SECONDS;
    (ready.status == "False" || ready.status != "True" && unknown).then(|| entry(fact, ready, now))
}

/// A site that isn't in use because somebody wrote so: it may be planned for a year, and nobody must act on that.
fn is_as_written(fact: &Observed) -> bool {
    let reason = condition_of(&fact.conditions, condition::READY).map_or("", |ready| ready.reason.as_str());
    fact.kind == "Site" && ["Planned", "NotYetOnline", "Closing", "Offline"].contains(&reason)
}

fn entry(observed: &Observed, condition: &Condition, now: Timestamp) -> Stuck {
    Stuck {
        object: observed.shown(),
        reason: condition.reason.clone(),
        message: condition.message.clone(),
        remedy: None,
        since_seconds: Some(seconds_since(condition.last_transition_time.0, now)),
    }
}
