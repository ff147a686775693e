//! Why something happens.

use serde_json::json;

use super::{What, args, benelux, plan, told};
use crate::facts::Facts;

/// With what somebody has decided about something.
fn decided(facts: &mut Facts, name: &str, (kind, subject): (&str, &str), verdict: &str) {
    facts.snapshot.put(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Decision", "metadata": {"name": name},
        "spec": {
            "subject": {"kind": kind, "name": subject}, "decision": verdict, "basis": "Request", "authority": "x", "decidedBy": "x",
            "reason": "r",
        },
    }));
}

/// Why each copy of a tenant's namespace is as it is, by what is decided about everything.
fn reasons(facts: &Facts, namespace: &str) -> Vec<(What, String)> {
    let steps = plan(facts, &args(&[]), &[]).unwrap().steps;
    let mine = steps.into_iter().filter(|step| step.workload.starts_with(&format!("{namespace}/")));
    mine.map(|step| (step.what, step.why)).collect()
}

#[test]
fn a_freeze_by_decision_is_told_before_one_by_facts() {
    let mut facts = benelux();
    let mut tenant = facts.snapshot.get("Tenant", "", "archive").unwrap().clone();
    tenant["spec"]["providers"] = json!({"certifications": [{"scheme": "C5"}]});
    facts.snapshot.put(tenant);
    let [(What::Freeze, why)] = &reasons(&facts, "archive")[..] else { panic!("it isn't frozen by facts") };
    assert!(why.contains("C5"), "{why}");
    decided(&mut facts, "stop", ("Tenant", "archive"), "Frozen");
    let wanted = "Tenant/archive is frozen by Decision/stop of x: r".to_owned();
    assert_eq!(reasons(&facts, "archive"), [(What::Freeze, wanted)]);
    decided(&mut facts, "own", ("TenantWorkload", "archive/records"), "Frozen");
    let mut alone = benelux();
    decided(&mut alone, "own", ("TenantWorkload", "archive/records"), "Frozen");
    let wanted = "TenantWorkload/archive/records is frozen by Decision/own of x: r".to_owned();
    assert_eq!(reasons(&alone, "archive"), [(What::Freeze, wanted)]);
}

#[test]
fn a_suspension_is_told_before_all_else() {
    let mut facts = benelux();
    decided(&mut facts, "barred", ("HostingProvider", "meridian-cloud"), "Revoked");
    decided(&mut facts, "own", ("TenantWorkload", "archive/records"), "Suspended");
    let wanted = "TenantWorkload/archive/records is suspended by Decision/own of x: r".to_owned();
    assert_eq!(reasons(&facts, "archive"), [(What::Suspend, wanted)]);
}

#[test]
fn what_stays_for_its_volumes_is_told_apart() {
    let mut facts = benelux();
    let mut records = facts.snapshot.get("TenantWorkload", "archive", "records").unwrap().clone();
    let claim = json!({
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "records"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    });
    records["spec"]["manifests"].as_array_mut().unwrap().push(claim);
    facts.snapshot.put(records);
    let text = told(&facts, &["--revoke", "meridian-cloud", "--approve", "schelde-maas"]);
    let wanted = "1 copy has no lawful place; 1 copy must leave and can't, since volumes aren't moved yet";
    assert!(text.contains(wanted), "{text}");
    assert!(
        text.contains("\nWhat can't leave stays where it is, and says so; nothing is deleted.\n"),
        "{text}"
    );
}

#[test]
fn what_is_revoked_and_needs_no_approval_had_none() {
    let mut facts = benelux();
    decided(&mut facts, "lease", ("Site", "us-va"), "Revoked");
    let text = told(&facts, &[]);
    assert!(text.contains("Site/us-va was revoked") && !text.contains("the approval of"), "{text}");
}
