//! What workloads expose: asking members where it can be reached, and having clients follow on the hub.

use std::collections::BTreeMap;

use domicile_core::{
    Change,
    expose::ExposureChange,
    moves::Wait,
    observed::{By, Host, Reach},
    orders::{Outlook, Publish, is_ready, service_object, slice_object},
};
use domicile_crds::{ClusterName, WorkloadKey};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::{Brain, Slot, VERIFY_EVERY, outcome::Outcome};
use crate::{
    hub::{HubKind, HubObject, publish},
    member::{Connection, error::MemberError},
    retry::Retry,
};

/// How often it is asked for an address when nobody has answered.
const LOCATE_SOON: SignedDuration = SignedDuration::from_secs(5);
/// How often it is asked for one that isn't there yet: a load balancer takes its time, and a Service may never have one.
const LOCATE_AGAIN: SignedDuration = SignedDuration::from_secs(15);
/// How often a load balancer that has only a name is looked up again: about as long as such names say that they are good for.
const LOOK_UP_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How often a name that is somebody else's is looked at again.
const TAKEN_FOR: SignedDuration = SignedDuration::from_mins(1);

/// When each copy's member was asked last.
pub(super) type Asked = BTreeMap<(i32, ClusterName), Timestamp>;

/// Where what a copy exposes can be reached on a member, or why that isn't known.
#[derive(Debug)]
pub(crate) struct Located {
    ordinal: i32,
    cluster: ClusterName,
    connection: Connection,
    reached: Result<Vec<Reach>, MemberError>,
}

impl Brain {
    /// Asks where what a workload exposes can be reached, where that isn't known or was asked long ago.
    pub(super) fn locate_if_needed(&mut self, key: &WorkloadKey, outlook: &Outlook, now: Timestamp) {
        let world = self.engine.world();
        let Some(workload) = world.workloads.get(key).filter(|it| !it.expose.is_empty()).cloned() else {
            return self.forget_located(key);
        };
        let mut places: Vec<(i32, ClusterName)> = Vec::new();
        for seat in world.active_seats(key) {
            let known = self.observed.reached(&seat.cluster, key, seat.ordinal).is_some();
            if known || is_ready(world, &self.observed, key, seat) {
                places.push((seat.ordinal, seat.cluster.clone()));
            }
        }
        // The target of a move, once nothing else is missing there.
        places.extend(outlook.waits.iter().filter_map(|(ordinal, wait)| match wait {
            Wait::NoAddress(cluster) | Wait::Settles(cluster) => Some((*ordinal, cluster.clone())),
            _ => None,
        }));
        self.forget_located_elsewhere(key);
        let mut due = Vec::new();
        for place in places {
            let at = self.located.get(key).and_then(|asked| asked.get(&place)).copied();
            let at = at.map(|at| at + self.pace(key, &place));
            match at.filter(|at| *at > now) {
                Some(at) => self.look_again(key, at),
                None => due.push(place),
            }
        }
        let reachable = |(_, cluster): &(i32, ClusterName)| self.observed.is_reachable(cluster);
        due.retain(reachable);
        let members = due.iter().filter_map(|place| Some((place.clone(), self.usable(&place.1)?)));
        let members: Vec<_> = members.collect();
        let Some(tenant) = self.owner(key) else { return };
        if members.is_empty() || !self.busy.insert((key.clone(), Slot::Locate)) {
            return;
        }
        self.located.entry(key.clone()).or_default().extend(due.into_iter().map(|place| (place, now)));
        let at = key.clone();
        self.hands.spawn(key, Slot::Locate, async move {
            let mut located = Vec::new();
            for ((ordinal, cluster), member) in members {
                let reached = member.reached(&tenant, &at, &workload.expose).await;
                located.push(Located { ordinal, cluster, connection: member.connection, reached });
            }
            Outcome::Located(located)
        });
    }

    /// How long what a member said of a copy's addresses is good for.
    fn pace(&self, key: &WorkloadKey, (ordinal, cluster): &(i32, ClusterName)) -> SignedDuration {
        let Some(reached) = self.observed.reached(cluster, key, *ordinal) else { return LOCATE_SOON };
        let exposed = self.engine.world().workloads.get(key).map_or(0, |workload| workload.expose.len());
        let hosts = || reached.iter().flat_map(|(_, hosts)| hosts);
        if reached.len() < exposed || hosts().any(|host| host.addresses.is_empty()) {
            return LOCATE_AGAIN;
        }
        let is_name = |host: &Host| host.name.parse::<std::net::IpAddr>().is_err();
        if hosts().any(is_name) { LOOK_UP_EVERY } else { VERIFY_EVERY }
    }

    pub(super) fn located(&mut self, key: &WorkloadKey, located: Vec<Located>) {
        for Located { ordinal, cluster, connection, reached } in located {
            match reached {
                // What can't be asked leaves what was known.
                Err(error) => {
                    tracing::debug!(workload = %key, %cluster, %error, "addresses could not be asked for");
                }
                Ok(_) if !self.is_connected_by(&cluster, connection) => {}
                Ok(mut reached) => {
                    let known = self.observed.reached(&cluster, key, ordinal).unwrap_or_default();
                    for reach in &mut reached {
                        keep_addresses(reach, &known);
                    }
                    self.observed.member_mut(&cluster).set_reached(key, ordinal, Some(reached));
                }
            }
        }
    }

    /// What a copy exposed where it was before says nothing of where it is.
    fn forget_located_elsewhere(&mut self, key: &WorkloadKey) {
        let Some(asked) = self.located.get_mut(key) else { return };
        let world = self.engine.world();
        let seats = world.active_seats(key);
        let is_current = |(ordinal, cluster): &(i32, ClusterName)| {
            seats.iter().any(|seat| seat.ordinal == *ordinal && seat.cluster == *cluster)
                || world.running_moves(key).any(|it| it.spec.seat == *ordinal && it.spec.to == *cluster)
        };
        let observed = &mut self.observed;
        asked.retain(|place, _| {
            let is_current = is_current(place);
            if !is_current {
                observed.member_mut(&place.1).set_reached(key, place.0, None);
            }
            is_current
        });
    }

    pub(super) fn forget_located(&mut self, key: &WorkloadKey) {
        for (ordinal, cluster) in self.located.remove(key).into_iter().flat_map(BTreeMap::into_keys) {
            self.observed.member_mut(&cluster).set_reached(key, ordinal, None);
        }
    }

    /// Has clients follow, on the hub. Answers that it was started.
    pub(super) fn publish(&mut self, key: &WorkloadKey, order: Publish) -> bool {
        for (slice, _) in &order.slices {
            let (service, cluster) = (&slice.service, &slice.cluster);
            tracing::info!(workload = %key, %service, %cluster, ordinal = slice.ordinal, "clients are sent to a copy");
        }
        let (hands, at) = (self.hands.clone(), key.clone());
        self.hands.spawn(key, Slot::Publish, async move {
            Outcome::Published(publish::publish(&hands.client, &at, order).await)
        });
        true
    }

    pub(super) fn published(
        &mut self,
        key: &WorkloadKey,
        done: publish::Published,
        now: Timestamp,
    ) -> Option<Retry> {
        for service in done.services {
            self.is_free(key, service_object(&service.name_any()), now);
            self.there(HubObject::Service(service.into()), now);
        }
        for slice in done.slices {
            self.is_free(key, slice_object(&slice.name_any()), now);
            self.there(HubObject::Slice(slice.into()), now);
        }
        let namespace = Some(key.namespace.as_str());
        for name in done.old_slices {
            self.not_there(HubKind::Slice, namespace, &name, now);
        }
        for name in done.old_services {
            self.not_there(HubKind::Service, namespace, &name, now);
        }
        for object in done.taken {
            if !self.engine.world().exposure.is_taken(key, &object) {
                tracing::warn!(workload = %key, %object, "what is exposed needs a name that is somebody else's on the hub");
            }
            let change = ExposureChange::Taken(key.clone(), object, now + TAKEN_FOR);
            self.engine.apply(Change::Exposure(change), now);
        }
        self.count("publish", done.failed.is_none());
        let error = done.failed?;
        let words = crate::member::chain(&error);
        tracing::warn!(workload = %key, error = %words, "clients could not be sent to where a copy is");
        Some(error.retry())
    }

    fn is_free(&mut self, key: &WorkloadKey, object: String, now: Timestamp) {
        self.engine.apply(Change::Exposure(ExposureChange::Free(key.clone(), object)), now);
    }

    /// One of the kinds that are kept for what is exposed was listed. Before both are, what isn't known isn't known to be absent.
    pub(super) fn exposed_listed(&mut self, now: Timestamp) {
        let all = [HubKind::Service, HubKind::Slice].iter().all(|kind| self.listed.contains(kind));
        if !all || self.engine.world().exposure.known {
            return;
        }
        self.engine.apply(Change::Exposure(ExposureChange::Listed), now);
        let workloads = &self.engine.world().workloads;
        let exposing = workloads.iter().filter(|(_, workload)| !workload.expose.is_empty());
        let exposing: Vec<WorkloadKey> = exposing.map(|(key, _)| key.clone()).collect();
        for key in exposing {
            self.engine.touch(key);
        }
    }
}

/// A name that can't be looked up at present leads where it led before.
fn keep_addresses(reach: &mut Reach, known: &[(&Reach, Vec<Host>)]) {
    let By::Balancer(hosts) = &mut reach.by else { return };
    for host in hosts.iter_mut().filter(|host| host.addresses.is_empty()) {
        let before = known.iter().flat_map(|(_, hosts)| hosts).find(|old| old.name == host.name);
        if let Some(before) = before {
            host.addresses.clone_from(&before.addresses);
        }
    }
}
