//! Clients follow a copy: what is on the hub for what a workload exposes leads to the copies that serve, and to no other.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
};

use domicile_crds::{ClusterName, Seat, WorkloadKey};

use super::{Copy, Desk, Halt, Order, Outlook, is_ready, migration::look_again};
use crate::{
    expose::{ExposeFact, Family, HubService, HubSlice, Kept, Published, SlicePort},
    facts::WorkloadFact,
    manifests::ObjectRef,
    observed::{Host, Observed, Reach},
};

/// Most addresses of one slice: as many as any client tries one after another, and more than any balancer has.
const ADDRESSES_MAX: usize = 32;

/// What is to be written on the hub for what a workload exposes, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publish {
    /// Services to be applied, each with the uid of the one that is there.
    pub services: Vec<(HubService, Option<Arc<str>>)>,
    /// EndpointSlices to be applied, each with the uid of the one that is there.
    pub slices: Vec<(HubSlice, Option<Arc<str>>)>,
    /// EndpointSlices to be deleted: name and uid.
    pub old_slices: Vec<(String, Arc<str>)>,
    /// Services to be deleted: name and uid.
    pub old_services: Vec<(String, Arc<str>)>,
}

impl Publish {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// An object's name as a person reads it, and as it is remembered if it is somebody else's.
#[must_use]
pub fn service_object(name: &str) -> String {
    format!("Service/{name}")
}

/// The same of an EndpointSlice.
#[must_use]
pub fn slice_object(name: &str) -> String {
    format!("EndpointSlice/{name}")
}

/// Has the hub say where the copies are that serve. What is there already as it should be is left alone.
pub(super) fn publish(desk: &Desk<'_>, key: &WorkloadKey, out: &mut Outlook) {
    let (exposure, there) = (&desk.world.exposure, desk.world.exposure.of(key));
    let Some(workload) = desk.world.workloads.get(key) else { return };
    // What isn't known isn't known to be absent, or somebody else's.
    if !exposure.known || (workload.expose.is_empty() && *there == Published::default()) {
        return;
    }
    let is_its_own = desk.world.assignments.contains_key(key) && !desk.world.is_succeeding(key);
    if !is_its_own || desk.world.tenant_of(&key.namespace).is_err() {
        return;
    }
    // Clients follow what is recorded, which comes first.
    if out.orders.iter().any(|order| matches!(order, Order::UpdateAssignment(_))) {
        return;
    }
    for (_, until) in exposure.taken(key).filter(|(_, until)| *until > desk.now) {
        look_again(out, desk.now, until);
    }
    let free = |object: &str| exposure.taken(key).all(|(name, until)| name != object || until <= desk.now);
    let wanted = Wanted::of(desk, (key, workload), &out.orders);
    let mut publish = Publish::default();
    for (name, service) in &wanted.services {
        let known = there.services.get(name);
        if known.is_none_or(|known| known.body != *service) && free(&service_object(name)) {
            publish.services.push((service.clone(), known.map(|known| known.uid.clone())));
        }
    }
    for (name, slice) in &wanted.slices {
        let known = there.slices.get(name);
        if known.is_none_or(|known| known.body != *slice) && free(&slice_object(name)) {
            publish.slices.push((slice.clone(), known.map(|known| known.uid.clone())));
        }
    }
    publish.old_slices = surplus(&there.slices, |name| wanted.keeps_slice(name));
    publish.old_services = surplus(&there.services, |name| wanted.services.contains_key(name));
    if !publish.is_empty() {
        out.orders.push(Order::Publish(Box::new(publish)));
    }
}

fn surplus<T>(there: &BTreeMap<String, Kept<T>>, keeps: impl Fn(&str) -> bool) -> Vec<(String, Arc<str>)> {
    there
        .iter()
        .filter(|(name, _)| !keeps(name))
        .map(|(name, kept)| (name.clone(), kept.uid.clone()))
        .collect()
}

/// What should be on the hub for a workload.
#[derive(Default)]
struct Wanted {
    services: BTreeMap<String, HubService>,
    slices: BTreeMap<String, HubSlice>,
    /// Slices that stay as they are.
    kept: BTreeSet<String>,
}

impl Wanted {
    fn of(desk: &Desk<'_>, (key, workload): (&WorkloadKey, &WorkloadFact), orders: &[Order]) -> Self {
        let mut wanted = Self::default();
        let (exposure, there) = (&desk.world.exposure, desk.world.exposure.of(key));
        for fact in workload.expose.iter().filter(|fact| fact.fault.is_none()) {
            let name = fact.service.to_string();
            let is_ours = there.services.contains_key(&name);
            let hostnames = (!fact.hostnames.is_empty()).then(|| fact.hostnames.join(","));
            let (service, owner) = (fact.service.clone(), workload.uid.clone());
            wanted.services.insert(
                name.clone(),
                HubService { name: service, owner, hostnames, ports: fact.ports.clone() },
            );
            if !is_ours && exposure.is_taken(key, &service_object(&name)) {
                // Slices of that name would send the clients of somebody else's Service here.
                continue;
            }
            for seat in desk.world.active_seats(key) {
                wanted.follow(desk, (key, workload), (fact, seat), orders);
            }
        }
        wanted
    }

    fn keeps_slice(&self, name: &str) -> bool {
        self.slices.contains_key(name) || self.kept.contains(name)
    }

    /// Where the clients of a Service find a copy.
    fn follow(
        &mut self,
        desk: &Desk<'_>,
        (key, workload): (&WorkloadKey, &WorkloadFact),
        (fact, seat): (&ExposeFact, &Seat),
        orders: &[Order],
    ) {
        // What is about to be stopped answers no more.
        let stops = |at: &ClusterName| {
            let is_it = |halt: &Halt| halt.ordinal == seat.ordinal && halt.cluster == *at;
            orders.iter().any(|order| matches!(order, Order::Halt(halt) if is_it(halt)))
        };
        let there = desk.world.exposure.of(key);
        let leads_here = there.of(&fact.service, seat.ordinal).any(|slice| slice.cluster == seat.cluster);
        let serves_here = || serves(desk.observed, key, (fact, seat.ordinal), &seat.cluster);
        // A copy is let in when all of it is ready, and stays for as long as any of it serves: an update, or the loss of one pod of
        // several, keeps nobody from being answered.
        let serves_now = is_ready(desk.world, desk.observed, key, seat) || (leads_here && serves_here());
        if serves_now
            && !stops(&seat.cluster)
            && let Some(reached) = desk.observed.reached(&seat.cluster, key, seat.ordinal)
        {
            let slices = slices(fact, seat, &workload.uid, &reached);
            if !slices.is_empty() || leads_here {
                self.slices.extend(slices.into_iter().map(|slice| (slice.name(), slice)));
                return;
            }
        }
        // Until it can be reached where it is now, clients stay where they are answered. What isn't known there changes nothing.
        let answers = |at: &ClusterName| {
            !desk.observed.is_known(at, &key.namespace)
                || (!stops(at) && serves(desk.observed, key, (fact, seat.ordinal), at))
        };
        let stay = there.of(&fact.service, seat.ordinal).filter(|slice| answers(&slice.cluster));
        self.kept.extend(stay.map(HubSlice::name));
    }
}

/// Whether anything that a Service leads to takes requests at a copy.
fn serves(
    observed: &Observed,
    key: &WorkloadKey,
    (fact, ordinal): (&ExposeFact, i32),
    cluster: &ClusterName,
) -> bool {
    // What the manifests don't have any more serves until its successor does; and where nothing in them is behind a Service, nobody
    // knows what is.
    let may_be_behind = |object: &ObjectRef| fact.backers.is_empty() || !fact.others.contains(object);
    let view = observed.seat(cluster, key, ordinal);
    view.iter()
        .any(|(object, seen)| seen.serving && !(seen.terminating || seen.halted) && may_be_behind(object))
}

/// The slices of a copy: one for each family of addresses.
fn slices(
    fact: &ExposeFact,
    seat: &Seat,
    owner: &Arc<str>,
    reached: &[(&Reach, Vec<Host>)],
) -> Vec<HubSlice> {
    let Some((reach, hosts)) = reached.iter().find(|(reach, _)| *reach.service == *fact.service) else {
        return Vec::new();
    };
    let port = |(exposed, number): &(i32, i32)| {
        let port = fact.port(*exposed)?;
        let (name, protocol) = (port.name.clone(), port.protocol.clone());
        Some(SlicePort { name, protocol, app_protocol: port.app_protocol.clone(), number: *number })
    };
    let ports: Vec<SlicePort> = reach.ports.iter().filter_map(port).collect();
    let of = |family: Family| {
        let addresses = hosts.iter().flat_map(|host| &host.addresses);
        let mut addresses: Vec<IpAddr> =
            addresses.filter(|it| Family::of(it) == family && is_usable(it)).copied().collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(ADDRESSES_MAX);
        let slice = || HubSlice {
            service: fact.service.clone(),
            owner: owner.clone(),
            ordinal: seat.ordinal,
            cluster: seat.cluster.clone(),
            family,
            ports: ports.clone(),
            addresses: addresses.clone(),
        };
        (!addresses.is_empty() && !ports.is_empty()).then(slice)
    };
    Family::ALL.into_iter().filter_map(of).collect()
}

/// Whether the hub's API server takes an address: one that means something else on each machine would send clients to themselves.
fn is_usable(address: &IpAddr) -> bool {
    let is_local = match address {
        IpAddr::V4(v4) => v4.is_link_local() || v4.is_broadcast(),
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.to_ipv4_mapped().is_some(),
    };
    !is_local && !address.is_loopback() && !address.is_unspecified() && !address.is_multicast()
}

impl Desk<'_> {
    /// Whether clients are sent, or may be, to where a copy was.
    pub(super) fn sends_to(&self, copy: &Copy<'_>, cluster: &ClusterName) -> bool {
        leads_to(self, (copy.key, copy.workload), copy.seat.ordinal, cluster)
    }

    /// Whether clients are sent to a copy.
    pub(super) fn has_clients(&self, copy: &Copy<'_>) -> bool {
        self.followed(copy).next().is_some()
    }

    /// Whether clients that are sent to a copy couldn't be sent to `cluster`, because what it exposes has no address there.
    pub(super) fn lacks_address(&self, copy: &Copy<'_>, cluster: &ClusterName) -> bool {
        let target = Seat { cluster: cluster.clone(), ..copy.seat.clone() };
        let reached = self.observed.reached(cluster, copy.key, copy.seat.ordinal);
        self.followed(copy).any(|fact| {
            reached.as_ref().is_none_or(|it| slices(fact, &target, &copy.workload.uid, it).is_empty())
        })
    }

    /// What of a copy clients are sent to.
    fn followed<'a>(&'a self, copy: &'a Copy<'_>) -> impl Iterator<Item = &'a ExposeFact> {
        let there = self.world.exposure.of(copy.key);
        let leads = move |fact: &&ExposeFact| {
            fact.fault.is_none() && there.of(&fact.service, copy.seat.ordinal).next().is_some()
        };
        copy.workload.expose.iter().filter(leads)
    }
}

/// Whether clients of a workload are sent to a copy on a cluster, or may be.
pub(super) fn leads_to(
    desk: &Desk<'_>,
    (key, workload): (&WorkloadKey, &WorkloadFact),
    ordinal: i32,
    cluster: &ClusterName,
) -> bool {
    let exposure = &desk.world.exposure;
    if !exposure.known {
        return !workload.expose.is_empty();
    }
    exposure.of(key).leads_to(ordinal, cluster)
}
