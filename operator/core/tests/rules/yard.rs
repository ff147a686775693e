//! A fleet whose members do as they are told, to see what comes of orders.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use domicile_core::{
    Change,
    manifests::{Kind, ObjectRef, fnv1a},
    moves::{Memory, Wait},
    observed::{ObjectView, Observed},
    orders::{Apply, Desk, Halt, Order, Outlook, Remove, departure, object, orders, releases},
    render::{Mode, Target},
};
use domicile_crds::{
    Assignment, AssignmentSpec, CLEANUP_FINALIZER, Cause, ClusterName, Migration, MigrationSpec,
    MigrationStatus, MigrationStep, Overlap, WorkloadKey, condition_of,
};
use jiff::SignedDuration;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use serde_json::{Value, json};

use crate::fixture::{Fleet, key, name};

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
        self
    }

    pub(crate) fn revoke(&mut self, site: &str) -> &mut Self {
        self.fleet.decide(&format!("revoked-{site}"), &format!("Site/{site}"), "Revoked", json!({}));
        self
    }

    pub(crate) fn later(&mut self, seconds: i64) -> &mut Self {
        self.fleet.now += SignedDuration::from_secs(seconds);
        self.fleet.seen(SignedDuration::ZERO);
        self
    }

    /// The operator's memory is lost.
    pub(crate) fn restart(&mut self) -> &mut Self {
        self.memory = Memory::default();
        self.gone.clear();
        self
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
            if member.reachable {
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
        let count = outlook.orders.len();
        for order in outlook.orders {
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
                Order::Verify(_) | Order::KeepClaims(_) => panic!("there is no reason to {order:?}"),
                Order::Apply(apply) => self.apply(key, &apply),
                Order::Remove(remove) => self.remove(key, &remove),
            }
        }
        count
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

    /// What a workload has on a member is gone.
    pub(crate) fn break_copy(&mut self, workload: &str, cluster: &str) -> &mut Self {
        self.each_object(workload, cluster, |_| None)
    }

    /// What a workload has on a member isn't ready for the time being.
    pub(crate) fn unready(&mut self, workload: &str, cluster: &str) -> &mut Self {
        self.each_object(workload, cluster, |view| Some(ObjectView { ready: false, ..view }))
    }

    /// The pods of a workload on a member have ended.
    pub(crate) fn end_pods(&mut self, workload: &str, cluster: &str) -> &mut Self {
        self.each_object(workload, cluster, |view| Some(ObjectView { idle: true, ..view }))
    }

    /// A CronJob of a workload begins its first Job.
    pub(crate) fn begin_job(&mut self, workload: &str, cluster: &str, cron_job: &str) -> &mut Self {
        let kind = Kind::of("batch/v1", "Job").unwrap();
        let job = ObjectRef { kind, name: format!("{cron_job}-1").into() };
        let view = ObjectView { ready: true, made_by: fnv1a(cron_job.as_bytes()), ..ObjectView::default() };
        let key = key(&format!("shop/{workload}"));
        self.observed.member_mut(&name(cluster)).note(&key, 0, job, Some(view));
        self
    }

    /// A Job of a workload completes.
    pub(crate) fn complete(&mut self, workload: &str, cluster: &str, job: &str) -> &mut Self {
        let key = key(&format!("shop/{workload}"));
        let object = ObjectRef { kind: Kind::of("batch/v1", "Job").unwrap(), name: job.into() };
        let seen = self.observed.seat(&name(cluster), &key, 0)[&object];
        let view = ObjectView { completed: true, idle: true, stopped: true, ..seen };
        self.observed.member_mut(&name(cluster)).note(&key, 0, object, Some(view));
        self
    }

    /// What of a workload is halted on a member.
    pub(crate) fn halted(&self, workload: &str, cluster: &str) -> String {
        let view = self.observed.seat(&name(cluster), &key(&format!("shop/{workload}")), 0);
        let halted = view.iter().filter(|(_, seen)| seen.halted);
        let words = halted.map(|(object, _)| format!("{}/{}", object.kind.name(), object.name));
        words.collect::<Vec<_>>().join(" ")
    }

    fn each_object(
        &mut self,
        workload: &str,
        cluster: &str,
        change: impl Fn(ObjectView) -> Option<ObjectView>,
    ) -> &mut Self {
        let key = key(&format!("shop/{workload}"));
        for (object, view) in self.observed.seat(&name(cluster), &key, 0).clone() {
            self.observed.member_mut(&name(cluster)).note(&key, 0, object, change(view));
        }
        self
    }

    /// Where a workload is on record.
    pub(crate) fn place(&self, workload: &str) -> String {
        let record = &self.records[&key(&format!("shop/{workload}"))];
        record.spec.seats.iter().map(|seat| seat.cluster.to_string()).collect::<Vec<_>>().join(",")
    }

    /// On which members something of a workload has pods.
    pub(crate) fn runs(&self, workload: &str) -> String {
        self.seen(workload, |view| !view.idle)
    }

    /// On which members there is anything of a workload.
    pub(crate) fn there(&self, workload: &str) -> String {
        self.seen(workload, |_| true)
    }

    fn seen(&self, workload: &str, what: impl Fn(&ObjectView) -> bool) -> String {
        let key = key(&format!("shop/{workload}"));
        let has = |cluster: &&str| self.observed.seat(&name(cluster), &key, 0).values().any(&what);
        CLUSTERS.into_iter().filter(has).collect::<Vec<_>>().join(",")
    }

    /// What the status of `shop/web` says, if it says that this is so.
    pub(crate) fn told(&mut self, kind: &str) -> String {
        let status = self.fleet.status(&self.observed, &mut self.memory);
        let told = condition_of(&status.conditions, kind).filter(|told| told.status == "True");
        told.map(|told| format!("{}: {}", told.reason, told.message)).unwrap_or_default()
    }

    pub(crate) fn waits(&self, workload: &str) -> String {
        let waits = self.waits.get(&key(&format!("shop/{workload}"))).into_iter().flatten();
        waits.map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    fn apply(&mut self, key: &WorkloadKey, apply: &Apply) {
        assert!(!self.away.contains(apply.cluster.as_str()), "{} doesn't answer", apply.cluster);
        let world = self.fleet.engine.world();
        let workload = &world.workloads[key];
        let tenant = name("shop");
        let target = Target {
            tenant: &tenant,
            key,
            ordinal: apply.ordinal,
            epoch: apply.epoch,
            mode: apply.mode,
            all_exclusive: workload.overlap == Overlap::Forbid,
            completed_jobs: &apply.completed_jobs,
            cluster: world.cluster(world.find_cluster(&apply.cluster).unwrap()).unwrap().fact.as_ref(),
        };
        let objects = &workload.manifests.as_ref().unwrap().objects;
        let busy = self.busy.contains(apply.cluster.as_str());
        for fact in objects.iter().filter(|fact| apply.objects.contains(&fact.object)) {
            let runs = fact.object.kind.runs_pods() && !target.is_off(fact);
            let view = ObjectView {
                digest: target.digest(fact),
                epoch: apply.epoch,
                ready: true,
                idle: !(runs || busy),
                stopped: !runs,
                ..ObjectView::default()
            };
            let member = self.observed.member_mut(&apply.cluster);
            member.note(key, apply.ordinal, fact.object.clone(), Some(view));
        }
        if apply.mode == Mode::Running {
            self.let_jobs_run(key, apply);
        }
        self.gone.remove(&(key.clone(), apply.ordinal, apply.cluster.clone()));
    }

    /// What CronJobs that were applied have begun goes on.
    fn let_jobs_run(&mut self, key: &WorkloadKey, apply: &Apply) {
        let cron_jobs = apply.objects.iter().filter(|object| object.kind.name() == "CronJob");
        let applied: Vec<u64> = cron_jobs.map(|object| fnv1a(object.name.as_bytes())).collect();
        for (job, seen) in self.observed.seat(&apply.cluster, key, apply.ordinal).clone() {
            if seen.halted && applied.contains(&seen.made_by) {
                let view = ObjectView { halted: false, stopped: false, idle: false, ..seen };
                self.observed.member_mut(&apply.cluster).note(key, apply.ordinal, job, Some(view));
            }
        }
    }

    fn halt(&mut self, key: &WorkloadKey, halt: &Halt) {
        let idle = !self.busy.contains(halt.cluster.as_str());
        for object in &halt.objects {
            let seen = self.observed.seat(&halt.cluster, key, halt.ordinal)[object];
            let view = ObjectView { digest: 0, idle, stopped: true, halted: true, ..seen };
            self.observed.member_mut(&halt.cluster).note(key, halt.ordinal, object.clone(), Some(view));
        }
    }

    fn remove(&mut self, key: &WorkloadKey, remove: &Remove) {
        assert!(!self.away.contains(remove.cluster.as_str()), "{} doesn't answer", remove.cluster);
        for object in remove.objects.iter().filter_map(object) {
            self.observed.member_mut(&remove.cluster).note(key, remove.ordinal, object, None);
        }
        self.gone.insert((key.clone(), remove.ordinal, remove.cluster.clone()));
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
