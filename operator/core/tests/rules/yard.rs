//! A fleet whose members do as they are told, to see what comes of orders.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domicile_core::{
    Change,
    moves::{Memory, Wait},
    observed::Observed,
    orders::{Apply, Desk, Order, Outlook, Remove, departure, news_of_originals, orders, releases},
};
use domicile_crds::{
    Assignment, AssignmentSpec, CLEANUP_FINALIZER, Cause, ClusterName, Migration, MigrationSpec,
    MigrationStatus, MigrationStep, Problem, TenantWorkloadStatus, WorkloadKey, condition_of,
};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::{Value, json};

use crate::fixture::{Fleet, key, name};

mod hub;
mod members;

const CLUSTERS: [&str; 3] = ["ams-1", "bru-1", "fra-1"];

/// The fleet, what is on its members, and an operator.
pub(crate) struct Yard {
    pub(crate) fleet: Fleet,
    pub(crate) observed: Observed,
    memory: Memory,
    gone: HashSet<(WorkloadKey, i32, ClusterName)>,
    records: BTreeMap<WorkloadKey, Assignment>,
    moves: BTreeMap<String, (WorkloadKey, Migration)>,
    waits: BTreeMap<WorkloadKey, Vec<Wait>>,
    away: BTreeSet<&'static str>,
    said: BTreeMap<WorkloadKey, String>,
    /// Members on which pods don't end.
    pub(crate) busy: BTreeSet<&'static str>,
    /// Members on which the tenant's namespace is somebody else's.
    pub(crate) taken: BTreeSet<&'static str>,
    told_taken: BTreeSet<&'static str>,
    /// Services on the hub that are somebody else's.
    pub(crate) foreign: BTreeSet<&'static str>,
    /// The hub takes nothing of what is exposed.
    pub(crate) hub_refuses: bool,
    /// How often something of what is exposed was written.
    pub(crate) published: u32,
}

impl Yard {
    /// `shop/web` is in Amsterdam, and all is lawful.
    pub(crate) fn new() -> Self {
        let mut yard = Self {
            fleet: Fleet::lawful(),
            observed: Observed::default(),
            memory: Memory::default(),
            gone: HashSet::new(),
            records: BTreeMap::new(),
            moves: BTreeMap::new(),
            waits: BTreeMap::new(),
            away: BTreeSet::new(),
            said: BTreeMap::new(),
            busy: BTreeSet::new(),
            taken: BTreeSet::new(),
            told_taken: BTreeSet::new(),
            foreign: BTreeSet::new(),
            hub_refuses: false,
            published: 0,
        };
        yard.settle("web");
        yard
    }

    /// A workload has a copy in Amsterdam.
    pub(crate) fn settle(&mut self, workload: &str) -> &mut Self {
        self.seat(workload, "ams-1").rest()
    }

    /// A workload has a copy on record.
    pub(crate) fn seat(&mut self, workload: &str, cluster: &str) -> &mut Self {
        let seat = json!({"ordinal": 0, "cluster": cluster, "epoch": 1, "generation": 1});
        let spec = serde_json::from_value(json!({"tenant": "shop", "seats": [seat]})).unwrap();
        self.write_record(&key(&format!("shop/{workload}")), spec);
        self
    }

    pub(crate) fn lose(&mut self, cluster: &'static str) -> &mut Self {
        self.away.insert(cluster);
        self
    }

    pub(crate) fn find(&mut self, cluster: &'static str) -> &mut Self {
        self.away.remove(cluster);
        self.later(0)
    }

    pub(crate) fn revoke(&mut self, site: &str) -> &mut Self {
        self.fleet.decide(&format!("revoked-{site}"), &format!("Site/{site}"), "Revoked", json!({}));
        self
    }

    pub(crate) fn later(&mut self, seconds: i64) -> &mut Self {
        self.fleet.now += SignedDuration::from_secs(seconds);
        let now = self.fleet.now;
        self.fleet.apply(Change::HubSeen(now));
        for cluster in CLUSTERS.iter().filter(|cluster| !self.away.contains(*cluster)) {
            self.fleet.apply(Change::Seen(name(cluster), now));
        }
        self
    }

    /// The operator's memory is lost.
    pub(crate) fn restart(&mut self) -> &mut Self {
        self.memory = Memory::default();
        self.gone.clear();
        self
    }

    /// Whether it is known of all moves when they began.
    pub(crate) fn knows_when_moves_began(&self) -> bool {
        self.open_moves().all(|(name, (key, _))| self.memory.started(key, name).is_some())
    }

    /// Works until nothing is left to do.
    pub(crate) fn rest(&mut self) -> &mut Self {
        for _ in 0..60 {
            if self.round() == 0 {
                return self;
            }
        }
        panic!("it doesn't come to rest: {:?}", self.waits);
    }

    /// Works for some minutes, in which what drains has drained.
    pub(crate) fn calm(&mut self) -> &mut Self {
        for _ in 0..3 {
            self.rest().later(60);
        }
        self.rest()
    }

    pub(crate) fn round(&mut self) -> usize {
        for cluster in CLUSTERS {
            let member = self.observed.member_mut(&name(cluster));
            member.reachable = !self.away.contains(cluster);
            member.synced |= member.reachable;
            // What was listed before it was taken counts as known.
            if member.reachable && !self.taken.contains(cluster) {
                member.verified.insert(name("shop"));
            }
        }
        self.fleet.engine.advance(self.fleet.now);
        let mut keys = self.fleet.engine.take_dirty();
        keys.extend(self.records.keys().cloned());
        let verdicts = self.fleet.engine.decide(&keys, self.fleet.now);
        let mut count = 0;
        for key in &keys {
            let orders = releases(self.desk().world, key);
            count += self.carry_out(key, Outlook { orders, ..Outlook::default() });
            if let Some(outlook) = departure(&self.desk(), key) {
                count += self.carry_out(key, outlook);
            }
        }
        for verdict in verdicts {
            let news = news_of_originals(self.fleet.engine.world(), &self.observed, &verdict);
            if !news.is_empty() {
                for (cluster, there) in news {
                    self.fleet.apply(Change::Originals(verdict.key.clone(), cluster, there));
                }
                count += 1;
                continue;
            }
            let outlook = orders(&mut self.desk(), &verdict);
            count += self.carry_out(&verdict.key, outlook);
        }
        count
    }

    fn desk(&mut self) -> Desk<'_> {
        Desk {
            world: self.fleet.engine.world(),
            classes: self.fleet.engine.classes(),
            observed: &self.observed,
            memory: &mut self.memory,
            gone: &self.gone,
            now: self.fleet.now,
        }
    }

    fn carry_out(&mut self, key: &WorkloadKey, outlook: Outlook) -> usize {
        self.waits.insert(key.clone(), outlook.waits.into_iter().map(|(_, wait)| wait).collect());
        let mut count = outlook.orders.len();
        for order in outlook.orders {
            if let Some(is_news) = self.refused(&order) {
                // It is tried again and again.
                count -= usize::from(!is_news);
                continue;
            }
            match order {
                Order::CreateAssignment(spec) | Order::UpdateAssignment(spec) => {
                    self.write_record(key, *spec);
                }
                Order::ReleaseAssignment => {
                    self.records.remove(key);
                    self.fleet.apply(Change::Assignment(key.clone(), None));
                }
                Order::CreateMigration(name, spec) => self.write_move(key, name, *spec, None),
                Order::RetargetMigration(name, to, digest) => {
                    let spec = self.moves[&name].1.spec.clone();
                    self.write_move(key, name, MigrationSpec { to, digest, ..spec }, None);
                }
                Order::FinishMigration { name, step, message, given_up } => {
                    self.said.insert(key.clone(), message);
                    let spec = self.moves[&name].1.spec.clone();
                    self.memory.end(key, (&name, spec.seat), given_up, self.fleet.now);
                    self.write_move(key, name, spec, Some(step));
                }
                Order::ReleaseMigration(name) => {
                    self.moves.remove(&name);
                    self.memory.forget(key, &name);
                    self.fleet.apply(Change::Migration(key.clone(), name, None));
                }
                Order::Halt(halt) => self.halt(key, &halt),
                Order::Publish(_) if self.hub_refuses => {}
                Order::Publish(publish) => self.publish(key, &publish),
                Order::Verify(cluster) if self.away.contains(cluster.as_str()) => {}
                Order::Verify(_) | Order::KeepClaims(_) => panic!("there is no reason to {order:?}"),
                Order::Apply(apply) => self.apply(key, &apply),
                Order::Remove(remove) => self.remove(key, &remove),
            }
        }
        count
    }

    /// Whether it is news that the namespace isn't the tenant's, if a member refuses an order since it isn't.
    fn refused(&mut self, order: &Order) -> Option<bool> {
        let (Order::Verify(cluster)
        | Order::Apply(Apply { cluster, .. })
        | Order::Remove(Remove { cluster, .. })) = order
        else {
            return None;
        };
        let at = *self.taken.get(cluster.as_str())?;
        self.fleet.apply(Change::NamespaceTaken(cluster.clone(), name("shop"), true));
        Some(self.told_taken.insert(at))
    }

    /// The namespace on a member is seen to be somebody else's.
    pub(crate) fn take_away(&mut self, cluster: &'static str) -> &mut Self {
        self.taken.insert(cluster);
        self.told_taken.insert(cluster);
        self.fleet.apply(Change::NamespaceTaken(name(cluster), name("shop"), true));
        self
    }

    /// It is the tenant's again.
    pub(crate) fn give_back(&mut self, cluster: &str) -> &mut Self {
        self.taken.remove(cluster);
        self.told_taken.remove(cluster);
        self.fleet.apply(Change::NamespaceTaken(name(cluster), name("shop"), false));
        self
    }

    fn write_record(&mut self, key: &WorkloadKey, spec: AssignmentSpec) {
        let known = self.records.get(key).map(|record| record.metadata.clone());
        let metadata = known.unwrap_or_else(|| ObjectMeta {
            name: Some(key.name.to_string()),
            namespace: Some(key.namespace.to_string()),
            ..ObjectMeta::default()
        });
        let record = Assignment { metadata, spec };
        self.records.insert(key.clone(), record.clone());
        self.fleet.apply(Change::Assignment(key.clone(), Some(Box::new(record))));
    }

    /// Changes the metadata of a record.
    pub(crate) fn mark(&mut self, workload: &str, change: impl FnOnce(&mut ObjectMeta)) -> &mut Self {
        let key = key(&format!("shop/{workload}"));
        let record = self.records.get_mut(&key).unwrap();
        change(&mut record.metadata);
        let record = record.clone();
        self.fleet.apply(Change::Assignment(key, Some(Box::new(record))));
        self
    }

    fn write_move(
        &mut self,
        key: &WorkloadKey,
        name: String,
        spec: MigrationSpec,
        step: Option<MigrationStep>,
    ) {
        let known = self.moves.get(&name).map(|(_, known)| known.metadata.clone());
        let metadata = known.unwrap_or_else(|| ObjectMeta {
            name: Some(name.clone()),
            finalizers: Some(vec![CLEANUP_FINALIZER.to_owned()]),
            ..ObjectMeta::default()
        });
        let status = step.map(|step| MigrationStatus { step: Some(step), ..MigrationStatus::default() });
        let object = Migration { metadata, spec, status };
        self.moves.insert(name.clone(), (key.clone(), object.clone()));
        self.fleet.apply(Change::Migration(key.clone(), name, Some(Box::new(object))));
    }

    /// Somebody changes the only move that hasn't ended.
    pub(crate) fn change_move(&mut self, change: impl FnOnce(&mut Migration)) -> &mut Self {
        let (name, (key, mut object)) =
            self.open_moves().next().map(|(n, m)| (n.clone(), m.clone())).unwrap();
        change(&mut object);
        self.moves.insert(name.clone(), (key.clone(), object.clone()));
        self.fleet.apply(Change::Migration(key, name, Some(Box::new(object))));
        self
    }

    pub(crate) fn answer(&mut self, answer: &str) -> &mut Self {
        let answer = serde_json::from_value(json!(answer)).unwrap();
        self.change_move(|object| {
            object.spec.answer = Some(answer);
            object.spec.answer_for = Some(object.spec.digest.clone());
        })
    }

    /// Somebody deletes the only move that hasn't ended; its finalizer holds it.
    pub(crate) fn delete_move(&mut self) -> &mut Self {
        let now = self.fleet.now;
        self.change_move(|object| object.metadata.deletion_timestamp = Some(Time(now)))
    }

    /// Somebody deletes the moves that have ended.
    pub(crate) fn delete_ended_moves(&mut self) -> &mut Self {
        let now = self.fleet.now;
        for (name, (key, object)) in &mut self.moves {
            if object.status.is_some() {
                object.metadata.deletion_timestamp = Some(Time(now));
                let change = Change::Migration(key.clone(), name.clone(), Some(Box::new(object.clone())));
                self.fleet.apply(change);
            }
        }
        self
    }

    /// The moves that are on record.
    pub(crate) fn moves(&self) -> usize {
        self.moves.len()
    }

    /// Somebody deletes the record of a workload; its finalizer holds it.
    pub(crate) fn delete_record(&mut self, workload: &str) -> &mut Self {
        let now = self.fleet.now;
        self.mark(workload, |meta| meta.deletion_timestamp = Some(Time(now)))
    }

    fn open_moves(&self) -> impl Iterator<Item = (&String, &(WorkloadKey, Migration))> {
        self.moves.iter().filter(|(_, (_, object))| object.status.is_none())
    }

    /// The moves that haven't ended.
    pub(crate) fn under_way(&self) -> Vec<String> {
        let cause = |cause: &Cause| format!("{:?}", cause.kind);
        let say = |spec: &MigrationSpec| {
            format!("{} {}>{} {}", spec.workload, spec.from, spec.to, cause(&spec.cause))
        };
        self.open_moves().map(|(_, (_, object))| say(&object.spec)).collect()
    }

    /// How the last move of a workload ended.
    pub(crate) fn said(&self, workload: &str) -> &str {
        self.said.get(&key(&format!("shop/{workload}"))).map_or("", String::as_str)
    }

    /// The record of a workload, if there is one.
    pub(crate) fn record(&self, workload: &str) -> Option<&Assignment> {
        self.records.get(&key(&format!("shop/{workload}")))
    }

    /// Where a workload is on record.
    pub(crate) fn place(&self, workload: &str) -> String {
        let record = &self.records[&key(&format!("shop/{workload}"))];
        record.spec.seats.iter().map(|seat| seat.cluster.to_string()).collect::<Vec<_>>().join(",")
    }

    /// What the status of `shop/web` says, if it says that this is so.
    pub(crate) fn told(&mut self, kind: &str) -> String {
        self.told_of("web", kind)
    }

    /// The same of another workload.
    pub(crate) fn told_of(&mut self, workload: &str, kind: &str) -> String {
        let status = self.fleet.status_of(workload, &self.observed, &mut self.memory);
        let told = condition_of(&status.conditions, kind).filter(|told| told.status == "True");
        told.map(|told| format!("{}: {}", told.reason, told.message)).unwrap_or_default()
    }

    /// All that is told of `shop/web` where this is wrong on members.
    pub(crate) fn status(&mut self, problems: &[Problem]) -> TenantWorkloadStatus {
        self.fleet.status_with("web", &self.observed, &mut self.memory, problems)
    }

    pub(crate) fn waits(&self, workload: &str) -> String {
        let waits = self.waits.get(&key(&format!("shop/{workload}"))).into_iter().flatten();
        waits.map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// A tenant that would rather be in Brussels, and may be in Germany.
pub(crate) fn wanderer(mode: &str, patch: Value) -> Yard {
    let mut yard = Yard::new();
    let mut spec = json!({
        "residency": {"allowed": [{"country": "NL"}, {"country": "BE"}, {"country": "DE"}]},
        "preferences": [{"country": "BE"}], "migration": {"mode": mode},
    });
    if let (Some(spec), Value::Object(patch)) = (spec.as_object_mut(), patch) {
        spec.extend(patch);
    }
    yard.fleet.tenant(spec);
    yard
}
