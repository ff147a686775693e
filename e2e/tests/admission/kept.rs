//! What is older than the policies stays manageable, and the operator and Kubernetes aren't held up by them.

use domicile_e2e::{fleet::wait::eventually, stage::PATIENCE};
use kube::Client;
use serde_json::{Value, json};

use crate::{
    asking::Ask,
    ground::{Ground, move_path, workload_path},
};

pub(crate) async fn all(ground: &Ground) -> Vec<String> {
    let mut failures = an_old_workload(ground).await;
    failures.extend(the_operator(ground).await);
    for path in cascading() {
        failures.extend(is_gone(ground, &path).await);
    }
    failures
}

/// Its metadata and its status are written, its spec only to make it lawful.
async fn an_old_workload(ground: &Ground) -> Vec<String> {
    let old = workload_path("old");
    let note = json!({"metadata": {"annotations": {"example.com/note": "hello"}}});
    let hold = |finalizers: Value| json!({"metadata": {"finalizers": finalizers}});
    let status = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload", "metadata": {"name": "old"},
        "status": {"observedGeneration": 1},
    });
    let fine = json!({"spec": {"manifests": [
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}},
    ]}});
    let granted: [(&Client, Ask); 5] = [
        (&ground.anna, Ask::merge(&old, &note)),
        (&ground.operator, Ask::merge(&old, &hold(json!(["domicile.dev/cleanup"])))),
        (&ground.operator, Ask::merge(&old, &hold(Value::Null))),
        (&ground.operator, Ask::apply(&format!("{old}/status"), &status)),
        (&ground.anna, Ask::merge(&format!("{old}?dryRun=All"), &fine)),
    ];
    let mut failures = Vec::new();
    for (client, ask) in granted {
        failures.extend(ask.granted(client, &format!("an old workload: {ask:?}")).await);
    }
    let more = Ask::merge(&old, &json!({"spec": {"drainSeconds": 1}}));
    failures.extend(
        more.refused(&ground.anna, "spec.manifests[0] (Deployment/old) sets hostNetwork, which").await,
    );
    failures
}

/// It is known by what it may do, not by its name.
async fn the_operator(ground: &Ground) -> Vec<String> {
    let status = json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Decision", "metadata": {"name": "polder-approved"},
        "status": {"observedGeneration": 1},
    });
    let decision = format!("{}/decisions/polder-approved/status", crate::asking::API);
    let granted = [
        Ask::merge(&move_path("old-0"), &json!({"spec": {"to": "de-fra-1", "digest": "fedcba9876543210"}})),
        Ask::merge(&move_path("old-0"), &json!({"metadata": {"labels": {"domicile.dev/workload": "other"}}})),
        Ask::merge(&move_path("old-0"), &json!({"metadata": {"finalizers": null}})),
        Ask::apply(&decision, &status),
    ];
    let mut failures = Vec::new();
    for ask in granted {
        failures.extend(ask.granted(&ground.operator, &format!("the operator: {ask:?}")).await);
    }
    failures
}

/// What is deleted with all that it owns: Kubernetes' garbage collector takes its own finalizer off, as itself.
fn cascading() -> [String; 2] {
    [workload_path("old-too"), move_path("old-1")]
}

/// Deletes them early: the garbage collector notices new kinds only each half minute.
pub(crate) async fn begin_to_go(ground: &Ground) -> Vec<String> {
    let release = json!({"metadata": {"finalizers": null}});
    let foreground = json!({"propagationPolicy": "Foreground"});
    let mut failures = Vec::new();
    for path in cascading() {
        failures.extend(Ask::merge(&path, &release).granted(&ground.operator, &path).await);
        failures.extend(Ask::delete(&path).body(&foreground).granted(&ground.admin, &path).await);
    }
    failures
}

async fn is_gone(ground: &Ground, path: &str) -> Option<String> {
    let what = format!("{path} to go");
    let gone = eventually(PATIENCE, &what, || async {
        let found = Ask::get(path).to(&ground.admin).await;
        Ok(found.is_err_and(|refusal| refusal.contains("not found")).then_some(()))
    });
    gone.await.err().map(|error| format!("{error:#}"))
}
