//! What was seen on members: which objects of which copy, and how they are.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::IpAddr,
};

use domicile_crds::{ADOPTED, ClusterName, NamespaceName, WorkloadKey};
use jiff::Timestamp;

use crate::manifests::ObjectRef;

/// Of what has no epoch that can be read on its label: older than all that have one.
pub const NO_EPOCH: i64 = -1;

/// An object on a member.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one thing seen, and they don't exclude each other"
)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ObjectView {
    /// Digest of what was applied, from its annotation; 0 if it has none or differs from what was applied. Of what was
    /// halted, that of before.
    pub digest: u64,
    /// The epoch on its label, or [`NO_EPOCH`].
    pub epoch: i64,
    /// It was applied by us, whatever its labels say now.
    pub applied: bool,
    /// At least one of its pods takes requests, whatever else is wrong with it. Never of kinds without pods.
    pub serving: bool,
    /// It does what it should. Kinds without pods are ready as soon as they are there.
    pub ready: bool,
    /// It has no pods.
    pub idle: bool,
    /// A Job that has completed.
    pub completed: bool,
    /// It is being deleted.
    pub terminating: bool,
    /// Its spec asks for no pods, or it has finished: nothing has to be done for it to stop.
    pub stopped: bool,
    /// It was stopped by us, and isn't as it was applied.
    pub halted: bool,
    /// A StatefulSet whose claims Kubernetes deletes when it is scaled down or deleted.
    pub deletes_claims: bool,
    /// FNV-1a of the name of the CronJob that has made it; 0 if none has.
    pub made_by: u64,
}

impl ObjectView {
    /// Whether only its owner gave it its labels, to have it adopted or to hand it over: it lacks what we leave on all that we apply, and
    /// none that we have applied has made it.
    #[must_use]
    pub fn is_only_labelled(&self) -> bool {
        matches!(self.epoch, ADOPTED | NO_EPOCH) && !self.applied && self.made_by == 0
    }
}

/// The objects of one copy on one member.
pub type SeatView = BTreeMap<ObjectRef, ObjectView>;

/// What was seen of one member.
#[derive(Clone, Debug, Default)]
pub struct MemberView {
    /// It answered the last time.
    pub reachable: bool,
    /// What makes pods has been listed once, and is watched since: what isn't here wasn't there.
    pub synced: bool,
    /// Since when one of its watches is broken, so that what was seen may have changed.
    pub broken_since: Option<Timestamp>,
    /// Namespaces in which the other kinds have been listed too.
    pub verified: HashSet<NamespaceName>,
    seats: HashMap<WorkloadKey, BTreeMap<i32, SeatView>>,
    /// Addresses of nodes that are ready, once they were asked for.
    nodes: Option<Vec<String>>,
    /// How what copies expose is reached, once that was asked for.
    reached: HashMap<WorkloadKey, BTreeMap<i32, Vec<Reach>>>,
}

/// What was seen of all members.
#[derive(Clone, Debug, Default)]
pub struct Observed(HashMap<ClusterName, MemberView>);

/// How an exposed Service is reached from outside its member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The Service.
    pub service: String,
    /// By what.
    pub by: By,
    /// Its exposed ports, each with the one that it has there.
    pub ports: Vec<(i32, i32)>,
}

/// By what an exposed Service is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// By a load balancer's addresses.
    Balancer(Vec<Host>),
    /// By a port of every node.
    Nodes,
}

/// An address, or a name with its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// As it is told.
    pub name: String,
    /// The addresses; none if a name couldn't be looked up.
    pub addresses: Vec<IpAddr>,
}

static NOTHING: SeatView = SeatView::new();

impl Observed {
    /// What was seen of a member, if anything ever was.
    #[must_use]
    pub fn member(&self, cluster: &ClusterName) -> Option<&MemberView> {
        self.0.get(cluster)
    }

    /// To be changed.
    pub fn member_mut(&mut self, cluster: &ClusterName) -> &mut MemberView {
        self.0.entry(cluster.clone()).or_default()
    }

    /// Forgets a member.
    pub fn forget(&mut self, cluster: &ClusterName) {
        self.0.remove(cluster);
    }

    /// The objects of a copy on a member, as far as seen.
    #[must_use]
    pub fn seat(&self, cluster: &ClusterName, key: &WorkloadKey, ordinal: i32) -> &SeatView {
        let copies = self.member(cluster).and_then(|member| member.seats.get(key));
        copies.and_then(|copies| copies.get(&ordinal)).unwrap_or(&NOTHING)
    }

    /// The copies of a workload of which something was seen on a member, by ordinal.
    pub fn copies(&self, cluster: &ClusterName, key: &WorkloadKey) -> impl Iterator<Item = (i32, &SeatView)> {
        let copies = self.member(cluster).and_then(|member| member.seats.get(key));
        copies.into_iter().flatten().map(|(ordinal, view)| (*ordinal, view))
    }

    /// Whether everything of a namespace on a member is known, so that what isn't seen isn't there.
    #[must_use]
    pub fn is_known(&self, cluster: &ClusterName, namespace: &NamespaceName) -> bool {
        self.member(cluster).is_some_and(|m| m.synced && m.verified.contains(namespace))
    }

    /// Whether all that is watched on a member was listed and is how it is, so that what isn't seen of it isn't there.
    #[must_use]
    pub fn is_listed(&self, cluster: &ClusterName) -> bool {
        self.is_current(cluster) && self.member(cluster).is_some_and(|member| member.synced)
    }

    /// Whether a member answers.
    #[must_use]
    pub fn is_reachable(&self, cluster: &ClusterName) -> bool {
        self.member(cluster).is_some_and(|member| member.reachable)
    }

    /// Whether a member answers and what is seen there is how it is.
    #[must_use]
    pub fn is_current(&self, cluster: &ClusterName) -> bool {
        self.member(cluster).is_some_and(|member| member.reachable && member.broken_since.is_none())
    }

    /// How what a copy exposes is reached on a member, with the hosts. `None` if that isn't known.
    #[must_use]
    pub fn reached(
        &self,
        cluster: &ClusterName,
        key: &WorkloadKey,
        ordinal: i32,
    ) -> Option<Vec<(&Reach, Vec<Host>)>> {
        let member = self.member(cluster)?;
        let all = member.reached.get(key)?.get(&ordinal)?;
        all.iter().map(|reach| Some((reach, member.hosts(reach)?))).collect()
    }

    /// Members on which something of a workload was seen.
    pub fn members_with<'a>(&'a self, key: &'a WorkloadKey) -> impl Iterator<Item = &'a ClusterName> {
        let has = move |member: &MemberView| member.seats.contains_key(key);
        self.0.iter().filter(move |(_, member)| has(member)).map(|(name, _)| name)
    }
}

impl MemberView {
    /// Takes note of an object; `None` if it is gone. Answers whether that is news.
    pub fn note(
        &mut self,
        key: &WorkloadKey,
        ordinal: i32,
        object: ObjectRef,
        view: Option<ObjectView>,
    ) -> bool {
        if let Some(view) = view {
            let seat = self.seats.entry(key.clone()).or_default().entry(ordinal).or_default();
            return seat.insert(object, view) != Some(view);
        }
        let Some(seat) = self.seats.get_mut(key).and_then(|copies| copies.get_mut(&ordinal)) else {
            return false;
        };
        let was_there = seat.remove(&object).is_some();
        if seat.is_empty()
            && let Some(copies) = self.seats.get_mut(key)
        {
            copies.remove(&ordinal);
            if copies.is_empty() {
                self.seats.remove(key);
            }
        }
        was_there
    }

    /// All that was seen, by workload and ordinal.
    pub fn seats(&self) -> impl Iterator<Item = (&WorkloadKey, i32, &SeatView)> {
        self.seats
            .iter()
            .flat_map(|(key, copies)| copies.iter().map(move |(ordinal, seat)| (key, *ordinal, seat)))
    }

    /// The addresses of the nodes that are ready. Answers whether that is news.
    pub fn set_nodes(&mut self, nodes: Vec<String>) -> bool {
        let nodes = Some(nodes);
        let is_news = self.nodes != nodes;
        self.nodes = nodes;
        is_news
    }

    /// How what a copy exposes is reached; `None` forgets it. Answers whether that is news.
    pub fn set_reached(&mut self, key: &WorkloadKey, ordinal: i32, reached: Option<Vec<Reach>>) -> bool {
        if let Some(reached) = reached {
            let copies = self.reached.entry(key.clone()).or_default();
            return copies.get(&ordinal) != Some(&reached) && {
                copies.insert(ordinal, reached);
                true
            };
        }
        let Some(copies) = self.reached.get_mut(key) else { return false };
        let was_known = copies.remove(&ordinal).is_some();
        if copies.is_empty() {
            self.reached.remove(key);
        }
        was_known
    }

    fn hosts(&self, reach: &Reach) -> Option<Vec<Host>> {
        match &reach.by {
            By::Balancer(hosts) => Some(hosts.clone()),
            By::Nodes => {
                let host = |name: &String| Host {
                    name: name.clone(),
                    addresses: name.parse().ok().into_iter().collect(),
                };
                Some(self.nodes.as_ref()?.iter().map(host).collect())
            }
        }
    }

    /// Removes what is there of some kinds in a namespace (`None`: everywhere) and isn't in `present`: it was
    /// listed and not found. Answers whose it was.
    pub fn retain(
        &mut self,
        namespace: Option<&NamespaceName>,
        listed: impl Fn(&ObjectRef) -> bool,
        present: &HashSet<(WorkloadKey, i32, ObjectRef)>,
    ) -> Vec<WorkloadKey> {
        let mut lost = Vec::new();
        self.seats.retain(|key, copies| {
            if namespace.is_some_and(|namespace| *namespace != key.namespace) {
                return true;
            }
            copies.retain(|ordinal, seat| {
                let before = seat.len();
                seat.retain(|object, _| {
                    !listed(object) || present.contains(&(key.clone(), *ordinal, object.clone()))
                });
                if seat.len() != before {
                    lost.push(key.clone());
                }
                !seat.is_empty()
            });
            !copies.is_empty()
        });
        lost
    }
}
