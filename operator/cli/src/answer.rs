//! `kubectl domicile answer`.

use std::fmt::Debug;

use domicile_core::moves::is_over;
use domicile_crds::{Answer, Assignment, Migration, MigrationSpec, NamespaceName};
use kube::ResourceExt;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::args::{AnswerArgs, HubArgs};
use crate::cluster::{Cluster, ClusterError, FIELD_MANAGER};
use crate::hub::HubError;
use crate::{hub, output, status};

/// A move can't be answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Something on the hub isn't as it must be.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The kubeconfig names a namespace that can't be one.
    #[error("name the workload's namespace with -n")]
    Namespace(#[from] domicile_crds::NameError),
    /// The copy is where it was to go.
    #[error(
        "the move {0} has switched already: the copy is at its target, and what is left at its source is being removed; it can't be answered any more"
    )]
    Switched(String),
    /// It has ended.
    #[error("the move {name} has ended ({step}), so there is nothing left to answer")]
    Ended {
        /// The Migration.
        name: String,
        /// Its last step.
        step: String,
    },
}

/// Runs the command; returns what goes to stdout.
///
/// # Errors
///
/// If there is no such move, it has ended, or the hub refuses.
pub async fn run(args: &AnswerArgs, options: &HubArgs) -> Result<String, AnswerError> {
    let hub = Cluster::hub(&options.target()).await?;
    let namespace = match &args.namespace {
        Some(namespace) => namespace.clone(),
        None => NamespaceName::new(&hub.config.default_namespace)?,
    };
    let api = Api::<Migration>::namespaced(hub.client.clone(), namespace.as_str());
    let name = args.name.as_str();
    let found = api.get_opt(name).await.map_err(hub.failed(format!("get Migration {namespace}/{name}")))?;
    let Some(migration) = found else {
        let all = Api::namespaced(hub.client.clone(), namespace.as_str());
        let there = hub.collect(all, |migration: Migration| migration.name_any()).await?;
        let (kind, name) = ("Migration".to_owned(), format!("{namespace}/{name}"));
        return Err(HubError::Missing { kind, name, there: hub::listed(&there) }.into());
    };
    if let Some(step) = migration.status.as_ref().and_then(|status| status.step).filter(|s| s.is_final()) {
        return Err(AnswerError::Ended { name: name.to_owned(), step: format!("{step:?}") });
    }
    let (records, workload) =
        (Api::namespaced(hub.client.clone(), namespace.as_str()), &migration.spec.workload);
    let record: Option<Assignment> = records
        .get_opt(workload.as_str())
        .await
        .map_err(hub.failed(format!("get Assignment {namespace}/{workload}")))?;
    if record.is_some_and(|record| has_switched(&record, &migration.spec)) {
        return Err(AnswerError::Switched(name.to_owned()));
    }
    let answer = args.answer.into();
    status::warn(&hub, options).await;
    // The plan as it was read here: if it has changed since, the answer is to another one and doesn't count.
    let patch = json!({"spec": {"answer": answer, "answerFor": migration.spec.digest}});
    let params = PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
    api.patch(name, &params, &Patch::Merge(patch))
        .await
        .map_err(hub.failed(format!("change Migration {namespace}/{name}")))?;
    if migration.spec.compulsory {
        output::note("note: this move is compulsory and waits for no answer");
    }
    Ok(said(&namespace, &migration, answer))
}

/// Whether the copy is where a move takes it, or has gone on from there, by the record of where it is.
fn has_switched(record: &Assignment, spec: &MigrationSpec) -> bool {
    record.spec.seats.iter().any(|seat| seat.ordinal == spec.seat && is_over(spec, seat))
}

fn said(namespace: &NamespaceName, migration: &Migration, answer: Answer) -> String {
    let did = match answer {
        Answer::Approved => "approved",
        Answer::Denied => "denied",
    };
    let spec = &migration.spec;
    format!(
        "migration.domicile.dev/{} {did}: {namespace}/{} from {} to {} because {}\n",
        migration.name_any(),
        spec.workload,
        spec.from,
        spec.to,
        spec.cause
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_switched_is_not_answered_any_more() {
        let spec = |epoch: i64| -> MigrationSpec {
            serde_json::from_value(json!({
                "workload": "web", "tenant": "shop", "seat": 0, "from": "a", "to": "b", "epoch": epoch, "generation": 1,
                "cause": {"kind": "PreferredPlace", "subject": "Site/b"}, "compulsory": false, "digest": "0123456789abcdef",
            }))
            .unwrap()
        };
        let seat = |ordinal: i32| json!({"ordinal": ordinal, "cluster": "b", "epoch": 2, "generation": 1, "phase": "Active"});
        let record = |ordinal: i32| {
            let spec = serde_json::from_value(json!({"tenant": "shop", "seats": [seat(ordinal)]})).unwrap();
            Assignment::new("web", spec)
        };
        assert!(has_switched(&record(0), &spec(2)));
        assert!(has_switched(&record(0), &spec(1)), "it has gone on");
        assert!(!has_switched(&record(0), &spec(3)), "it is yet to go");
        assert!(!has_switched(&record(1), &spec(2)), "that is another copy");
    }
}
