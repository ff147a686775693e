//! What a workload says of itself.

use domicile_crds::TenantWorkloadStatus;
use serde_json::json;

use crate::fixture::{Fleet, read};

/// Kubernetes keeps whole seconds: a finer instant would never equal what was stored, and be written for ever.
#[test]
fn a_status_equals_itself_after_it_was_stored() {
    let mut fleet = Fleet::placed();
    let until = json!({"supersedes": ["runs-1"], "validUntil": "2026-12-31T23:59:59.999Z"});
    fleet.decide("runs-2", "runs", "Approved", until).at("2026-06-02T12:00:00.123456789Z");
    let status = fleet.status_unseen(None);
    assert!(status.compliant_until.is_some(), "{status:?}");
    let stored: TenantWorkloadStatus = read(json!(status));
    assert_eq!(stored, status);
    assert_eq!(fleet.status_unseen(Some(&stored)), stored);
}
