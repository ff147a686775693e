//! What a TenantWorkload says in each of its states, kept in files: Argo CD's health check is tried on them, and kstatus'
//! own code (e2e/tests/chart/health.rs). `UPDATE=1 cargo test -p domicile-core --test rules` writes them.

use domicile_core::{Change, moves::Memory, observed::Observed};
use domicile_crds::{Problem, TenantWorkload, TenantWorkloadStatus};
use serde_json::{Value, json};

use crate::{
    fixture::{Fleet, NOON, deployment, key, name, read},
    kept::keep,
    relocating::allowed,
    yard::{Yard, wanderer},
};

/// `shop/web` with this status, as kubectl would show it.
fn shown(generation: i64, status: Value) -> Value {
    let mut manifest = deployment("100m");
    manifest["metadata"]["name"] = "web".into();
    let workload: TenantWorkload = read(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload",
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-1", "generation": generation, "creationTimestamp": NOON},
        "spec": {"manifests": [manifest]}, "status": status,
    }));
    json!(workload)
}

fn says(file: &str, status: &TenantWorkloadStatus) {
    keep(&format!("TenantWorkload-{file}"), &shown(status.observed_generation.unwrap(), json!(status)));
}

/// All members answer, and there is nothing on them.
fn empty() -> Observed {
    let mut observed = Observed::default();
    for cluster in ["ams-1", "bru-1", "fra-1"] {
        let member = observed.member_mut(&name(cluster));
        (member.reachable, member.synced) = (true, true);
        member.verified.insert(name("shop"));
    }
    observed
}

fn told(fleet: &mut Fleet) -> TenantWorkloadStatus {
    fleet.status(&empty(), &mut Memory::default())
}

fn problem(object: &str, reason: &str, message: &str) -> [Problem; 1] {
    let text = str::to_owned;
    [Problem { cluster: text("ams-1"), object: text(object), reason: text(reason), message: text(message) }]
}

#[test]
fn what_the_operator_has_not_looked_at() {
    keep("TenantWorkload-new", &shown(1, json!({"observedGeneration": -1})));
    keep("TenantWorkload-changed", &shown(2, json!(Yard::new().status(&[]))));
}

#[test]
fn what_is_being_placed() {
    says("starting", &told(&mut Fleet::placed()));
    let mut succeeding = Fleet::lawful();
    let seat = json!({"ordinal": 0, "cluster": "ams-1", "epoch": 1, "generation": 1, "phase": "Active"});
    let owner = json!({"apiVersion": "domicile.dev/v1alpha1", "kind": "TenantWorkload", "name": "web", "uid": "uid-0"});
    let record = json!({"metadata": {"name": "web", "ownerReferences": [owner], "creationTimestamp": "2026-05-01T12:00:00Z"},
                        "spec": {"tenant": "shop", "seats": [seat]}});
    succeeding.apply(Change::Assignment(key("shop/web"), Some(Box::new(read(record)))));
    says("succeeding", &told(&mut succeeding));
    let mut nowhere = Fleet::lawful();
    says("no-place", &told(nowhere.tenant(allowed(&["LU"]))));
    let mut homeless = Fleet::lawful();
    says("homeless", &told(homeless.apply(Change::Tenant(name("shop"), None))));
    let mut unknown = Fleet::lawful();
    says("placement-unknown", &unknown.status(&Observed::default(), &mut Memory::default()));
}

#[test]
fn what_runs() {
    says("ready", &Yard::new().status(&[]));
    let pull = problem("Pod/web", "ImagePullBackOff", "the image can't be pulled");
    says("image-missing", &Yard::new().status(&pull));
    let secret =
        problem("Secret/key", "SecretMissing", "there is no such Secret in this namespace on the hub");
    says("secret-missing", &Yard::new().status(&secret));
    let mut yard = Yard::new();
    says("unready", &yard.unready("web", "ams-1").status(&[]));
    let mut yard = Yard::new();
    says("unseen", &yard.lose("ams-1").later(3600).status(&[]));
}

#[test]
fn what_moves() {
    let mut yard = wanderer("Approval", json!({}));
    says("asks", &yard.rest().status(&[]));
    let mut yard = Yard::new();
    yard.revoke("nl-ams").round();
    yard.round();
    says("leaves", &yard.unready("web", "bru-1").status(&[]));
    let mut yard = Yard::new();
    says("stuck", &yard.revoke("nl-ams").revoke("be-bru").rest().status(&[]));
    let mut yard = Yard::new();
    yard.revoke("nl-ams").rest().lose("ams-1").later(3600).round();
    says("source-away", &yard.status(&[]));
}

#[test]
fn what_is_left_as_it_is() {
    let decided = |verdict: &str| {
        let mut yard = Yard::new();
        yard.fleet.decide("inquiry", "TenantWorkload/shop/web", verdict, json!({}));
        yard.rest();
        yard
    };
    says("frozen", &decided("Frozen").status(&[]));
    says("suspended", &decided("Suspended").status(&[]));
    let mut yard = decided("Frozen");
    let mut newer = shown(2, Value::Null);
    newer["spec"]["manifests"][0]["spec"]["replicas"] = 2.into();
    yard.fleet.apply(Change::Workload(key("shop/web"), Some(Box::new(read(newer)))));
    says("update-held", &yard.rest().status(&[]));
}
