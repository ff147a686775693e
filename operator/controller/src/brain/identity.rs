//! Which cluster a member is: the one that it was, and under one name only.
//!
//! A kubeconfig leads elsewhere by a slip. What runs at the first cluster would then be started a second time; and
//! where two names are one cluster, a move between them would remove the only copy.

use domicile_crds::ClusterName;
use jiff::Timestamp;

use super::{Brain, fleet::MemberState};
use crate::member::{Fault, Probe};

/// The reason for a member whose kubeconfig leads to another cluster than before.
const REPLACED: &str = "ClusterReplaced";
/// The reason for members that are one cluster.
const DUPLICATE: &str = "ClusterDuplicate";

/// Whether it isn't certain which cluster a member is: then what is seen there says nothing, and nothing is done.
pub(super) fn doubts(fault: &Fault) -> bool {
    [REPLACED, DUPLICATE].contains(&fault.reason)
}

impl MemberState {
    /// The cluster that it was, as seen or recorded.
    fn known_id(&self) -> Option<&String> {
        let recorded = || self.object.status.as_ref().and_then(|status| status.cluster_id.as_ref());
        self.latest.as_ref().map(|latest| &latest.cluster_id).or_else(recorded)
    }

    /// Whether it is the cluster that it was.
    fn same_cluster(&self, probe: Box<Probe>) -> Result<Box<Probe>, Fault> {
        let Some(before) = self.known_id().filter(|before| **before != probe.cluster_id) else {
            return Ok(probe);
        };
        let (secret, found) = (&self.object.spec.connection.kubeconfig_secret, &probe.cluster_id);
        let message = format!(
            "the kubeconfig in Secret {secret} leads to another cluster (its kube-system has the uid {found}, it was \
             {before}): correct it, or delete this MemberCluster and join again if the first is no more"
        );
        Err(Fault { certain: true, reason: REPLACED, message })
    }
}

impl Brain {
    /// Takes what a member said of itself, or that it didn't.
    pub(super) fn probed(
        &mut self,
        cluster: &ClusterName,
        answer: Result<Box<Probe>, Fault>,
        now: Timestamp,
    ) {
        let Some(state) = self.members.get_mut(cluster) else { return };
        let answer = answer.and_then(|probe| {
            state.answered_as = Some(probe.cluster_id.clone());
            state.same_cluster(probe)
        });
        let probe = match answer {
            Ok(probe) => probe,
            Err(fault) => return self.settle(cluster, Err(fault), now),
        };
        let twins = self.twins(cluster, &probe.cluster_id);
        let Some(twin) = twins.first() else { return self.settle(cluster, Ok(probe), now) };
        let fault = |name: &ClusterName, other: &ClusterName| {
            let message = format!(
                "it is the same cluster as MemberCluster/{other} (the kube-system of both has the uid {}), so that neither \
                 is used and nothing is removed: correct the kubeconfig of one, or delete the MemberCluster that was \
                 made by mistake, {name} or {other}",
                probe.cluster_id
            );
            Fault { certain: true, reason: DUPLICATE, message }
        };
        for other in &twins {
            self.settle(other, Err(fault(other, cluster)), now);
        }
        self.settle(cluster, Err(fault(cluster, twin)), now);
    }

    /// The other members that are this cluster. One that has turned into it is none: it isn't used already.
    fn twins(&self, cluster: &ClusterName, id: &String) -> Vec<ClusterName> {
        let is_twin = |(name, state): &(&ClusterName, &MemberState)| {
            *name != cluster && state.known_id().or(state.answered_as.as_ref()) == Some(id)
        };
        let mut twins: Vec<_> = self.members.iter().filter(is_twin).map(|(name, _)| name.clone()).collect();
        twins.sort();
        twins
    }
}
