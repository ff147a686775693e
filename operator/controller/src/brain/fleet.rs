//! Members and namespaces: connecting, how they are, what is seen there.

use std::{collections::HashSet, sync::Arc};

use domicile_core::{
    Change,
    manifests::{Kind, ObjectRef},
    observed::ObjectView,
};
use domicile_crds::{Amounts, ClusterName, MemberCluster, MemberClusterStatus, WorkloadKey, keys::condition};
use jiff::Timestamp;
use kube::Api;
use tokio::task::AbortHandle;

use super::{Brain, Done, Input, claim::merged, identity, whereabouts::contradictions};
use crate::{
    hub::write::apply_status,
    member::{Agent, Fault, Member, MemberEvent, Probe, SeenObject},
    metrics::ClusterLabel,
};

/// How often in a row a member must fail to answer before it counts as not ready.
const MISSES_MAX: u32 = 3;
/// The kinds that must have been listed before it is known what is there.
const LISTS: usize = 4;

/// What is known of a member.
pub(super) struct MemberState {
    pub(super) object: Arc<MemberCluster>,
    /// How it is reached, once it is known to be the cluster that it was.
    pub(super) member: Option<Arc<Member>>,
    /// A connection that may lead elsewhere.
    candidate: Option<Arc<Member>>,
    agent: AbortHandle,
    misses: u32,
    /// The cluster that answered last.
    pub(super) answered_as: Option<String>,
    /// Whether it isn't certain that this is the member's cluster, and no other member's.
    in_doubt: bool,
    listed: HashSet<Kind>,
    /// Kinds whose watch is broken.
    broken: HashSet<Kind>,
    writing: bool,
    pub(super) latest: Option<Box<Probe>>,
    ready: Option<(&'static str, &'static str, String)>,
}

impl Drop for MemberState {
    fn drop(&mut self) {
        self.agent.abort();
    }
}

impl Brain {
    pub(super) fn cluster_there(&mut self, object: Arc<MemberCluster>, now: Timestamp) {
        let Some(name) = object.metadata.name.as_deref().and_then(|name| ClusterName::new(name).ok()) else {
            return;
        };
        self.facts.member(object.clone());
        self.engine.apply(Change::Cluster(name.clone(), Some(Box::new((*object).clone()))), now);
        match self.members.get_mut(&name) {
            Some(state) if state.object.spec.connection == object.spec.connection => {
                state.object = object;
                self.report_member(&name, now);
            }
            _ => {
                // Another credential may lead to another cluster: nothing that was seen before is believed.
                self.forget_what_was_seen(&name);
                let agent = self.start_agent(&name, &object);
                let is_first = !self.members.contains_key(&name);
                let said = object.status.as_ref().filter(|_| is_first);
                let said = said.map(|status| status.namespaces_taken.clone()).unwrap_or_default();
                let state = MemberState {
                    object,
                    member: None,
                    candidate: None,
                    agent,
                    misses: 0,
                    answered_as: None,
                    in_doubt: false,
                    listed: HashSet::new(),
                    broken: HashSet::new(),
                    writing: false,
                    latest: None,
                    ready: None,
                };
                self.members.insert(name.clone(), state);
                // What was found before a restart is taken for true until it is looked at again.
                for namespace in said {
                    self.namespace_taken(&name, &namespace, now);
                }
            }
        }
    }

    fn start_agent(&self, name: &ClusterName, object: &MemberCluster) -> AbortHandle {
        let agent = Agent {
            name: name.clone(),
            hub: self.hands.client.clone(),
            tenure: self.hands.tenure.clone(),
            namespace: self.hands.namespace.clone(),
            secret: object.spec.connection.kubeconfig_secret.clone(),
            inputs: self.hands.inputs.clone(),
            metrics: self.hands.metrics.clone(),
        };
        tokio::spawn(agent.run()).abort_handle()
    }

    /// Begins anew with a member that was in doubt: what was seen meanwhile wasn't taken in.
    fn reconnect(&mut self, cluster: &ClusterName) {
        self.forget_what_was_seen(cluster);
        let Some(object) = self.members.get(cluster).map(|state| state.object.clone()) else { return };
        let agent = self.start_agent(cluster, &object);
        if let Some(state) = self.members.get_mut(cluster) {
            std::mem::replace(&mut state.agent, agent).abort();
            (state.member, state.candidate, state.in_doubt) = (None, None, false);
            state.listed.clear();
            state.broken.clear();
        }
    }

    /// Another credential may lead to another cluster: nothing that was seen before is believed.
    fn forget_what_was_seen(&mut self, cluster: &ClusterName) {
        self.observed.forget(cluster);
        // A namespace that was somebody else's is listed again, so that it is noticed when it is the tenant's.
        self.verified.retain(|place, _| place.0 != *cluster || self.taken.contains(place));
        self.generations.retain(|(other, ..), _| other != cluster);
        self.setups.retain(|(other, _), _| other != cluster);
    }

    /// A member on which something may be done or listed.
    pub(super) fn usable(&self, cluster: &ClusterName) -> Option<Arc<Member>> {
        self.members.get(cluster).filter(|state| !state.in_doubt)?.member.clone()
    }

    pub(super) fn cluster_gone(&mut self, name: &str, now: Timestamp) {
        let Ok(name) = ClusterName::new(name) else { return };
        self.members.remove(&name);
        self.taken.retain(|(other, _)| *other != name);
        self.forget_what_was_seen(&name);
        self.hands.metrics.reachable.remove(&ClusterLabel { cluster: name.to_string() });
        self.engine.apply(Change::Cluster(name, None), now);
    }

    pub(super) fn take_member(&mut self, cluster: &ClusterName, event: MemberEvent, now: Timestamp) {
        if !self.members.contains_key(cluster) {
            return;
        }
        match event {
            MemberEvent::Connected(member) => {
                self.forget_what_was_seen(cluster);
                if let Some(state) = self.members.get_mut(cluster) {
                    // Used as soon as it has said which cluster it is.
                    (state.member, state.candidate) = (None, Some(member));
                    state.listed.clear();
                    state.broken.clear();
                }
            }
            MemberEvent::NotConnected(fault) => self.probed(cluster, Err(fault), now),
            MemberEvent::Probed(answer) => self.probed(cluster, answer, now),
            // What is seen in another cluster says nothing about this one.
            MemberEvent::Object(_) | MemberEvent::Listed(..) | MemberEvent::Broken(_)
                if self.members.get(cluster).is_some_and(|state| state.in_doubt) => {}
            MemberEvent::Object(seen) => self.seen(cluster, seen),
            MemberEvent::Listed(kind, present) => self.listed(cluster, kind, &present),
            MemberEvent::Broken(kind) => {
                if let Some(state) = self.members.get_mut(cluster) {
                    state.broken.insert(kind);
                    self.observed.member_mut(cluster).broken_since.get_or_insert(now);
                }
            }
        }
    }

    /// A kind was listed whole on a member: what was seen of it before and isn't in the list is gone.
    fn listed(
        &mut self,
        cluster: &ClusterName,
        kind: Kind,
        present: &HashSet<(WorkloadKey, i32, ObjectRef)>,
    ) {
        let view = self.observed.member_mut(cluster);
        for key in view.retain(None, |object| object.kind == kind, present) {
            self.engine.touch(key);
        }
        self.generations.retain(|(at, key, ordinal, object), _| {
            at != cluster || object.kind != kind || present.contains(&(key.clone(), *ordinal, object.clone()))
        });
        let Some(state) = self.members.get_mut(cluster) else { return };
        state.listed.insert(kind);
        let mended = state.broken.remove(&kind) && state.broken.is_empty();
        let complete = state.listed.len() == LISTS;
        let view = self.observed.member_mut(cluster);
        if mended {
            view.broken_since = None;
            self.touch_member(cluster);
        }
        let view = self.observed.member_mut(cluster);
        if complete && !view.synced {
            view.synced = true;
            self.touch_everything();
        }
    }

    /// What is there on a member is known now: whoever waited for that looks again.
    fn touch_everything(&mut self) {
        let keys: Vec<_> = self.workloads.keys().chain(self.assignments.keys()).cloned().collect();
        for key in keys {
            self.engine.touch(key);
        }
    }

    fn answers(&mut self, cluster: &ClusterName, reachable: bool) {
        let label = ClusterLabel { cluster: cluster.to_string() };
        self.hands.metrics.reachable.get_or_create(&label).set(i64::from(reachable));
        let view = self.observed.member_mut(cluster);
        if view.reachable != reachable {
            view.reachable = reachable;
            tracing::info!(%cluster, reachable, "a member changed whether it answers");
            self.touch_member(cluster);
            if reachable {
                // What failed because it didn't answer needn't wait any longer.
                let there = [super::Slot::Member(cluster.clone()), super::Slot::Halt(cluster.clone())];
                self.failures.retain(|(_, slot), _| !there.contains(slot));
            }
        }
    }

    /// Takes how a member is, once it is known which cluster it is.
    pub(super) fn settle(
        &mut self,
        cluster: &ClusterName,
        answer: Result<Box<Probe>, Fault>,
        now: Timestamp,
    ) {
        let Some(state) = self.members.get_mut(cluster) else { return };
        if state.in_doubt && answer.is_ok() {
            return self.reconnect(cluster);
        }
        state.in_doubt |= answer.as_ref().is_err_and(identity::doubts);
        self.answers(cluster, answer.is_ok());
        let Some(state) = self.members.get_mut(cluster) else { return };
        match answer {
            Ok(mut probe) => {
                state.misses = 0;
                if let Some(member) = state.candidate.take() {
                    state.member = Some(member);
                    self.touch_member(cluster);
                }
                let Some(state) = self.members.get_mut(cluster) else { return };
                let nodes = probe.inventory.as_ref().map(|inventory| inventory.node_addresses.clone());
                if probe.inventory.is_none() {
                    probe.inventory = state.latest.take().and_then(|latest| latest.inventory);
                }
                state.latest = Some(probe);
                let message = "it answers and can be used".to_owned();
                state.ready = Some(("True", "Ready", message));
                self.engine.apply(Change::Seen(cluster.clone(), now), now);
                self.facts.member_seen(cluster, now);
                // A node that comes or goes is where clients are sent, or not any more.
                if nodes.is_some_and(|nodes| self.observed.member_mut(cluster).set_nodes(nodes)) {
                    self.touch_member(cluster);
                }
            }
            Err(Fault { certain, reason, message }) => {
                state.misses += 1;
                if certain || state.misses >= MISSES_MAX || state.ready.is_none() {
                    let status = if certain { "False" } else { "Unknown" };
                    state.ready = Some((status, reason, message));
                }
            }
        }
        self.report_member(cluster, now);
    }

    /// Writes the member's status if it says something new.
    pub(super) fn report_member(&mut self, cluster: &ClusterName, now: Timestamp) {
        let namespaces_taken = self.taken_on(cluster);
        let Some(state) = self.members.get_mut(cluster) else { return };
        let Some((status, reason, message)) = &state.ready else { return };
        let old = state.object.status.clone().unwrap_or_default();
        let generation = state.object.metadata.generation;
        let mut next =
            member_status(&old, state.latest.as_deref(), (status, reason, message), (generation, now));
        next.namespaces_taken = namespaces_taken;
        // Without its site, what was said of it stays.
        if let Some(site) = self.engine.world().sites.get(&state.object.spec.site) {
            next.contradictions = contradictions(&next.node_regions, site.country);
        }
        if next == old || state.writing {
            return;
        }
        state.writing = true;
        let (hands, name) = (self.hands.clone(), cluster.clone());
        tokio::spawn(async move {
            let api: Api<MemberCluster> = Api::all(hands.client.clone());
            let written = apply_status(&api, name.as_str(), &next).await.map(Box::new);
            let _ = hands.inputs.send(Input::Done(Done::Member(name, written))).await;
        });
    }

    pub(super) fn member_written(
        &mut self,
        cluster: &ClusterName,
        written: Result<Box<MemberCluster>, crate::hub::write::WriteError>,
        now: Timestamp,
    ) {
        if let Some(state) = self.members.get_mut(cluster) {
            state.writing = false;
        }
        match written {
            Ok(mut object) => {
                object.metadata.managed_fields = None;
                self.cluster_there(Arc::new(*object), now);
            }
            Err(error) => tracing::warn!(%cluster, %error, "the member's status was not written"),
        }
    }

    /// An object on a member was seen by a watch.
    fn seen(&mut self, cluster: &ClusterName, seen: SeenObject) {
        let SeenObject { key, ordinal, object, mut view, generation } = seen;
        let place = (cluster.clone(), key.clone(), ordinal, object.clone());
        match &mut view {
            Some(view) => {
                let known = self.observed.seat(cluster, &key, ordinal).get(&object).copied();
                let last = self.generations.get(&place).copied();
                let same_digest =
                    known.is_some_and(|known| known.digest == view.digest && known.halted == view.halted);
                let edited = last.is_some_and(|last| generation > last) && same_digest && !view.terminating;
                if edited && !self.is_autoscaled(&key, &object) {
                    // Its spec changed, and what we applied didn't: somebody else did that.
                    tracing::info!(%cluster, workload = %key, kind = object.kind.name(), name = %object.name,
                        "an object was changed by somebody else, and is put right");
                    self.hands.metrics.drift.inc();
                    *view = ObjectView { digest: 0, ..*view };
                }
                if last.is_none_or(|last| generation > last) {
                    self.generations.insert(place, generation);
                }
            }
            None => {
                self.generations.remove(&place);
            }
        }
        if self.observed.member_mut(cluster).note(&key, ordinal, object, view) {
            self.engine.touch(key);
        }
    }

    fn is_autoscaled(
        &self,
        key: &domicile_crds::WorkloadKey,
        object: &domicile_core::manifests::ObjectRef,
    ) -> bool {
        let workload = self.engine.world().workloads.get(key);
        let manifests = workload.and_then(|workload| workload.manifests.as_ref().ok());
        manifests.is_some_and(|m| m.objects.iter().any(|o| o.object == *object && o.autoscaled))
    }
}

/// The status of a member, with `old` kept where nothing changed.
pub(super) fn member_status(
    old: &MemberClusterStatus,
    probe: Option<&Probe>,
    (status, reason, message): (&str, &str, &str),
    (generation, now): (Option<i64>, Timestamp),
) -> MemberClusterStatus {
    let mut next = old.clone();
    next.observed_generation = generation;
    if let Some(probe) = probe {
        next.version = Some(probe.version.clone());
        next.cluster_id = Some(probe.cluster_id.clone());
        next.tenants.clone_from(&probe.tenants);
        if let Some(inventory) = &probe.inventory {
            next.allocatable = inventory.allocatable.clone().map(|a| Amounts { ..a });
            next.node_regions.clone_from(&inventory.regions);
            next.kinds_not_served.clone_from(&inventory.kinds_not_served);
        }
    }
    let claim = (status, reason, message);
    next.conditions = vec![merged(&old.conditions, condition::READY, claim, (generation, now))];
    next
}
