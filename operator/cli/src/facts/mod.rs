//! What a hub holds, or would hold: from the hub itself or from files, with changes laid over it.

use std::path::{Path, PathBuf};

use domicile_core::snapshot::{KINDS, Snapshot, Unreadable};
use domicile_crds::yaml::{self, YamlError};
use jiff::Timestamp;
use serde_json::Value;

use crate::args::{FactsArgs, HubArgs};
use crate::cluster::{Cluster, ClusterError};
use crate::{output, status};

mod fields;
#[cfg(test)]
mod tests;

pub use fields::FieldError;

/// The facts can't be had.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// A file can't be read.
    #[error("can't read {0}")]
    File(String, #[source] std::io::Error),
    /// A file isn't YAML or JSON.
    #[error("{0} is neither YAML nor JSON")]
    Yaml(String, #[source] YamlError),
    /// There is nothing in it.
    #[error("{0} holds none of Domicile's objects: is it the right one?")]
    Empty(String),
    /// An object that the hub wouldn't take.
    #[error("{0} can't be applied")]
    Refused(String, #[source] FieldError),
    /// An object that isn't of the form that it should have.
    #[error("nobody can say what an object means that can't be read: correct it")]
    Unreadable(#[from] Unreadable),
}

/// Facts and the time at which they are looked at.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The objects.
    pub snapshot: Snapshot,
    /// What time it is: on the hub's clock, or on ours for files.
    pub now: Timestamp,
}

impl Facts {
    /// Reads all that matters.
    ///
    /// # Errors
    ///
    /// If the hub or a file can't be read.
    pub async fn read(args: &FactsArgs, options: &HubArgs) -> Result<Self, FactsError> {
        if args.from.is_empty() {
            let hub = Cluster::hub(&options.target()).await?;
            status::warn(&hub, options).await;
            return Self::of_hub(&hub).await;
        }
        let mut snapshot = Snapshot::default();
        for path in &args.from {
            lay_over(&mut snapshot, path)?;
        }
        let assumed = snapshot.assume();
        if !assumed.is_empty() {
            output::note(format!(
                "note: nothing in the files says how {} is: taken for ready, and open to all tenants",
                assumed.join(", ")
            ));
        }
        // Files have no clock of their own, and nobody plans by less than a second.
        let now = Timestamp::now();
        Ok(Self { snapshot, now: Timestamp::from_second(now.as_second()).unwrap_or(now) })
    }

    /// Reads all that matters from the hub.
    ///
    /// # Errors
    ///
    /// If the hub refuses or doesn't answer.
    pub async fn of_hub(hub: &Cluster) -> Result<Self, FactsError> {
        let mut snapshot = Snapshot::default();
        for kind in KINDS {
            for object in hub.values(kind).await? {
                snapshot.put(object);
            }
        }
        Ok(Self { snapshot, now: hub.now().await? })
    }
}

/// Lays the objects of a file, or of all YAML and JSON files in a folder and those below, over what is there.
///
/// # Errors
///
/// As [`objects`].
pub fn lay_over(snapshot: &mut Snapshot, path: &Path) -> Result<(), FactsError> {
    for object in objects(path)? {
        snapshot.put(object);
    }
    Ok(())
}

/// Asks the hub whether it would take objects of ours. Answers which of them it didn't check, and why.
///
/// # Errors
///
/// If it refuses one for what it says, or doesn't answer.
pub async fn ask(hub: &Cluster, objects: &mut [Value]) -> Result<Vec<String>, ClusterError> {
    let mut unchecked = Vec::new();
    let ours = |object: &&mut Value| object.get("kind").is_none_or(|kind| kind != "Namespace");
    for object in objects.iter_mut().filter(ours) {
        let taken = match hub.would_take(object).await {
            // Decisions are made by those who may not change them.
            Err(error) if error.code() == Some(403) && !is_denied(&error) => {
                let of_name = |code| matches!(code, Some(403 | 404 | 409));
                hub.would_create(object)
                    .await
                    .map_err(|made| if of_name(made.code()) && !is_denied(&made) { error } else { made })
            }
            taken => taken,
        };
        match taken {
            Ok(merged) => *object = merged,
            // Whoever plans need not be whoever may write it, and its namespace may have yet to be made.
            Err(error) if matches!(error.code(), Some(403 | 404)) => {
                let text = |pointer| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
                let (kind, name) = (text("/kind"), text("/metadata/name"));
                let why = error.message().unwrap_or_default();
                let denied = is_denied(&error);
                let what =
                    if denied { "the hub would refuse to take from you" } else { "the hub didn't check" };
                unchecked.push(format!("{what} {kind}/{name}: {why}"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(unchecked)
}

/// Whether a policy or a webhook refuses, and not because of who may write such objects at all.
fn is_denied(error: &ClusterError) -> bool {
    let why = error.message().unwrap_or_default();
    why.contains("denied request") || why.contains("denied the request")
}

/// Domicile's objects, and Namespaces, in a file or in all YAML and JSON files in a folder and those below.
///
/// # Errors
///
/// If one can't be read, the hub wouldn't take one, or there is nothing in it.
pub fn objects(path: &Path) -> Result<Vec<Value>, FactsError> {
    let mut taken = Vec::new();
    for file in files(path)? {
        let name = called(&file);
        let text = if file == Path::new("-") {
            std::io::read_to_string(std::io::stdin().lock())
        } else {
            std::fs::read_to_string(&file)
        };
        let text = text.map_err(|error| FactsError::File(name.clone(), error))?;
        let documents = yaml::documents(&text).map_err(|error| FactsError::Yaml(name.clone(), error))?;
        for object in documents.into_iter().flat_map(items) {
            fields::check(&object).map_err(|error| FactsError::Refused(name.clone(), error))?;
            taken.extend(Snapshot::takes(&object).then_some(object));
        }
    }
    if taken.is_empty() { Err(FactsError::Empty(called(path))) } else { Ok(taken) }
}

/// What people call a file.
#[must_use]
pub fn called(path: &Path) -> String {
    if path == Path::new("-") {
        return "what is given on standard input".to_owned();
    }
    path.display().to_string()
}

/// The items of a list, and what is none itself.
fn items(mut object: Value) -> Vec<Value> {
    match object.get_mut("items").map(Value::take) {
        Some(Value::Array(all)) => all.into_iter().flat_map(items).collect(),
        _ => vec![object],
    }
}

/// The file, or the files in the folder in the order of their names, as `kubectl apply -R -f` takes them.
fn files(path: &Path) -> Result<Vec<PathBuf>, FactsError> {
    let failed = |error| FactsError::File(path.display().to_string(), error);
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?.path();
        let kept = entry.extension().is_some_and(|end| ["yaml", "yml", "json"].iter().any(|it| end == *it));
        if entry.is_dir() {
            found.extend(files(&entry)?);
        } else if kept {
            found.push(entry);
        }
    }
    found.sort();
    Ok(found)
}
