//! `kubectl domicile plan`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use domicile_core::snapshot::Snapshot;
use domicile_crds::TenantName;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use crate::args::{HubArgs, PlanArgs};
use crate::cluster::Cluster;
use crate::facts::{self, Facts, FactsError};
use crate::{CHANGES, Outcome, output};

mod bytes;
mod change;
mod nearest;
mod over;
mod steps;
#[cfg(test)]
mod tests;
mod text;

pub(crate) use steps::of_verdict;
pub use steps::{Step, What};
pub(crate) use text::happens;

/// Nothing can be planned.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// The facts can't be had.
    #[error(transparent)]
    Facts(#[from] FactsError),
    /// The fleet may not be seen.
    #[error(
        "you may not see all that the operator reads, without which nothing can be planned: `kubectl describe tw -n NAMESPACE` says in short where your workloads are, or why they have no place; a platform engineer or an auditor may plan"
    )]
    Hidden(#[source] Box<FactsError>),
    /// What is to change isn't there.
    #[error("there is no {kind} {name}; {}", if .there.is_empty() { "there is none at all".to_owned() } else { format!("there are {}", .there) })]
    Missing {
        /// The kind.
        kind: &'static str,
        /// The name.
        name: String,
        /// The names that there are.
        there: String,
    },
    /// Two changes that can't both be made.
    #[error("{one} {name} and {other} {name} contradict each other: leave one of them out")]
    Contradictory {
        /// The option of one.
        one: &'static str,
        /// That of the other.
        other: &'static str,
        /// What both are about.
        name: String,
    },
    /// It can't be made JSON.
    #[error("can't be written")]
    Write(#[from] serde_json::Error),
}

/// What would happen.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// What was asked, in words; empty if nothing was to change.
    pub asked: Vec<String>,
    /// The time that was looked at.
    pub at: Timestamp,
    /// Whether what was asked about begins then.
    #[serde(skip)]
    pub begins: bool,
    /// What differs, by workload and copy.
    pub steps: Vec<Step>,
    /// In how many rounds each tenant's moves would be made, by its `maxConcurrent`.
    pub waves: BTreeMap<TenantName, usize>,
    /// How many copies stay as they are.
    pub unchanged: usize,
    /// Whether `Installation/default` pauses all moves: none begins until that is lifted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub paused: bool,
    /// Objects that others name and that aren't there.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub missing: BTreeSet<String>,
    /// Decisions of the files that begin only after that, and when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub later: Vec<String>,
    /// What the hub didn't check of the files, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unchecked: Vec<String>,
}

/// The objects of a file, as they would be.
#[derive(Debug)]
pub struct Applied {
    file: String,
    objects: Vec<Value>,
}

impl Applied {
    /// Reads them.
    ///
    /// # Errors
    ///
    /// If the hub wouldn't take one.
    pub fn read(file: &Path) -> Result<Self, FactsError> {
        Ok(Self { file: facts::called(file), objects: facts::objects(file)? })
    }
}

/// Runs the command; returns what goes to stdout.
///
/// # Errors
///
/// If the facts can't be had, or what is to change isn't there.
pub async fn run(args: &PlanArgs, options: &HubArgs) -> Result<Outcome, PlanError> {
    let mut files = args.files.iter().map(|file| Applied::read(file)).collect::<Result<Vec<_>, _>>()?;
    let mut unchecked = Vec::new();
    if !files.is_empty() && args.facts.from.is_empty() {
        let hub = Cluster::hub(&options.target()).await.map_err(FactsError::from)?;
        for file in &mut files {
            unchecked.extend(facts::ask(&hub, &mut file.objects).await.map_err(FactsError::from)?);
        }
    }
    let facts = Facts::read(&args.facts, options).await.map_err(hidden)?;
    let plan = Plan { unchecked, ..plan(&facts, args, &files)? };
    for note in &plan.unchecked {
        output::note(format!("note: {note}"));
    }
    let text = |wide| text::text(&plan, wide, output::Paint::for_stdout());
    let text = output::render(args.output, &plan, text)?;
    Ok(Outcome { text, code: if plan.steps.is_empty() { 0 } else { CHANGES } })
}

/// A tenant finds in short how things are where it may look.
fn hidden(error: FactsError) -> PlanError {
    match error {
        FactsError::Cluster(cluster) if cluster.code() == Some(403) => {
            PlanError::Hidden(Box::new(FactsError::Cluster(cluster)))
        }
        other => other.into(),
    }
}

/// Decides with the facts as they are, and again as they would be.
///
/// # Errors
///
/// If what is to change isn't there, or can't be read.
pub fn plan(facts: &Facts, args: &PlanArgs, files: &[Applied]) -> Result<Plan, PlanError> {
    let mut made = change::Made::default();
    let mut snapshot = facts.snapshot.clone();
    for Applied { file, objects } in files {
        for object in objects {
            snapshot.put(object.clone());
        }
        made.asked.push(format!("{file} were applied"));
    }
    if !files.is_empty() {
        snapshot.assume_namespaces();
    }
    change::change(&mut snapshot, args, &mut made)?;
    let at = args.facts.at.unwrap_or(facts.now);
    if at != facts.now {
        made.asked.push(format!("it were {at}"));
    }
    let mut plan = compare(facts, &snapshot, (facts.now, at), made.asked.clone())?;
    made.name(&mut plan);
    let objects = files.iter().flat_map(|file| &file.objects);
    plan.missing.extend(objects.clone().filter_map(|object| missing_subject(&snapshot, object)));
    plan.later = objects.filter_map(|object| later(object, at)).collect();
    Ok(plan)
}

/// When a Decision begins, if it says so.
fn begins(object: &Value) -> Option<Timestamp> {
    let is_decision = object.get("kind").is_some_and(|kind| kind == "Decision");
    let from = object.pointer("/spec/validFrom").filter(|_| is_decision)?;
    from.as_str()?.parse().ok()
}

/// That a Decision does nothing yet.
fn later(object: &Value, at: Timestamp) -> Option<String> {
    let begins = begins(object).filter(|begins| *begins > at)?;
    let name = object.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    Some(format!("Decision/{name} only begins at {begins}: see what it brings about then with --at {begins}"))
}

/// What would happen if `object` were applied: now or, if it is a Decision that begins later, then.
///
/// # Errors
///
/// If something can't be read.
pub fn with(facts: &Facts, object: &Value) -> Result<Plan, PlanError> {
    let mut snapshot = facts.snapshot.clone();
    snapshot.put(object.clone());
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let asked = format!("{}/{} were applied", text("/kind"), text("/metadata/name"));
    let begins = begins(object).filter(|begins| *begins > facts.now);
    let at = begins.unwrap_or(facts.now);
    // What else has changed by then isn't its doing.
    let plan = compare(facts, &snapshot, (at, at), vec![asked])?;
    Ok(Plan { begins: begins.is_some(), ..plan })
}

/// A plan for people.
#[must_use]
pub fn told(plan: &Plan) -> String {
    text::text(plan, false, output::Paint::plain())
}

/// Compares the facts as they are at one time with those of `snapshot` at another.
fn compare(
    facts: &Facts,
    snapshot: &Snapshot,
    (since, at): (Timestamp, Timestamp),
    asked: Vec<String>,
) -> Result<Plan, PlanError> {
    let after = steps::steps(snapshot, at).map_err(FactsError::from)?;
    let before = match asked.as_slice() {
        [] => BTreeMap::new(),
        _ => steps::steps(&facts.snapshot, since).map_err(FactsError::from)?,
    };
    let all: BTreeSet<_> = before.keys().chain(after.keys()).collect();
    let mut steps = Vec::new();
    for place in &all {
        let (old, new) = (before.get(*place), after.get(*place));
        let Some(new) = new else { continue };
        let same = old.map_or(new.what == What::Stay, |old| old.is_like(new));
        if !same {
            let why = old.filter(|_| new.what == What::Stay).and_then(Step::released);
            let why = why.map_or_else(|| new.why.clone(), str::to_owned);
            let bytes = bytes::claimed(snapshot, &new.workload);
            steps.push(Step { why, bytes, ..new.clone() });
        }
    }
    let unchanged = after.len() - steps.len();
    let waves = steps::waves(snapshot, &steps);
    let missing = missing_sets(snapshot);
    let installation = snapshot.get("Installation", "", "default");
    let paused = installation.and_then(|it| it.pointer("/spec/paused")) == Some(&Value::Bool(true));
    let (begins, later, unchecked) = (false, Vec::new(), Vec::new());
    Ok(Plan { asked, at, begins, steps, waves, unchanged, paused, missing, later, unchecked })
}

/// What a Decision is about, if that isn't there and nothing that is there is restricted by it all the same: that a HostingProvider isn't
/// recorded lifts nothing from the Sites that name it.
fn missing_subject(snapshot: &Snapshot, object: &Value) -> Option<String> {
    let text = |pointer| object.pointer(pointer).and_then(Value::as_str);
    let is_decision = text("/kind") == Some("Decision");
    let (kind, name) = (text("/spec/subject/kind").filter(|_| is_decision)?, text("/spec/subject/name")?);
    let (namespace, own) = name.split_once('/').unwrap_or(("", name));
    let names_it = |site: &Value| {
        let by = |field: &str| site.pointer(field).and_then(Value::as_str) == Some(name);
        by("/spec/operatedBy") || by("/spec/ownedBy")
    };
    if kind == "HostingProvider" && snapshot.of_kind("Site").any(|(_, site)| names_it(site)) {
        return None;
    }
    snapshot.get(kind, namespace, own).is_none().then(|| format!("{kind}/{name}"))
}

/// The CountrySets that are named and aren't there: nobody can tell which countries they hold.
fn missing_sets(snapshot: &Snapshot) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for kind in ["Tenant", "TenantWorkload", "Relocation"] {
        let specs = snapshot.of_kind(kind).filter_map(|(_, object)| object.get("spec")?.as_object());
        for (_, value) in specs.flatten().filter(|(field, _)| *field != "manifests") {
            sets_in(value, &mut named);
        }
    }
    let missing = named.into_iter().filter(|name| snapshot.get("CountrySet", "", name).is_none());
    missing.map(|name| format!("CountrySet/{name}")).collect()
}

fn sets_in<'a>(value: &'a Value, named: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| sets_in(item, named)),
        Value::Object(fields) => {
            for (field, value) in fields {
                if field == "countrySet" || field == "homeCountrySet" {
                    named.extend(value.as_str());
                }
                sets_in(value, named);
            }
        }
        _ => {}
    }
}
