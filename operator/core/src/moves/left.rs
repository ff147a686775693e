//! Since when no client is sent any more to where a copy was.

use std::collections::HashMap;

use domicile_crds::{ClusterName, WorkloadKey};
use jiff::Timestamp;

/// By workload, copy and place. It may be lost: whatever drains then drains anew.
#[derive(Clone, Debug, Default)]
pub(crate) struct Left(HashMap<(WorkloadKey, i32, ClusterName), Timestamp>);

impl Left {
    /// Since when, from now on if that wasn't known, or if any still is.
    pub(crate) fn since(
        &mut self,
        place: (&WorkloadKey, i32, &ClusterName),
        followed: bool,
        now: Timestamp,
    ) -> Timestamp {
        let (key, ordinal, cluster) = place;
        let since = self.0.entry((key.clone(), ordinal, cluster.clone())).or_insert(now);
        if followed {
            *since = now;
        }
        *since
    }

    /// A copy is there again, or nothing of it is there any more.
    pub(crate) fn forget(&mut self, key: &WorkloadKey, ordinal: i32, cluster: &ClusterName) {
        self.0.remove(&(key.clone(), ordinal, cluster.clone()));
    }

    /// The same of all of a workload's places.
    pub(super) fn forget_all(&mut self, key: &WorkloadKey) {
        self.0.retain(|(other, ..), _| other != key);
    }
}
