//! Moves that have switched and aren't over.

use serde_json::json;

use super::{Facts, benelux, told};

/// The archive's records have gone from the United States to the Netherlands, and aren't gone from where they were, which takes nothing
/// new.
fn switched() -> Facts {
    let mut facts = benelux();
    let mut record = facts.snapshot.get("Assignment", "archive", "records").unwrap().clone();
    record["spec"]["seats"][0]["cluster"] = json!("nl-ams-1");
    record["spec"]["seats"][0]["epoch"] = json!(2);
    facts.snapshot.put(record);
    let mut member = facts.snapshot.get("MemberCluster", "", "us-va-1").unwrap().clone();
    member["spec"]["scheduling"] = json!("Cordoned");
    facts.snapshot.put(member);
    let spec = json!({
        "workload": "records", "tenant": "archive", "seat": 0, "from": "us-va-1", "to": "nl-ams-1", "epoch": 2, "generation": 1,
        "cause": {"kind": "Draining", "subject": "MemberCluster/us-va-1"}, "compulsory": true, "digest": "0123456789abcdef",
    });
    facts.snapshot.put(json!({
        "apiVersion": "domicile.dev/v1alpha1", "kind": "Migration",
        "metadata": {"namespace": "archive", "name": "records-0"}, "spec": spec,
    }));
    facts
}

#[test]
fn what_must_leave_again_goes_back_to_what_it_left() {
    let revoked = told(&switched(), &["--revoke", "schelde-maas"]);
    assert!(revoked.contains("must move from nl-ams-1 to us-va-1: 1\n  archive/records\n"), "{revoked}");
    // What it left is no better.
    let both = told(&switched(), &["--revoke", "schelde-maas", "--revoke", "meridian-cloud"]);
    assert!(both.contains("stuck at nl-ams-1: 1\n  archive/records\n"), "{both}");
}

#[test]
fn what_is_frozen_where_it_has_gone_goes_nowhere() {
    let frozen = told(&switched(), &["--freeze", "schelde-maas"]);
    assert!(frozen.contains("frozen at nl-ams-1: 1\n  archive/records\n"), "{frozen}");
}
