//! What the operator would do with each copy.

use std::collections::{BTreeMap, BTreeSet};

use domicile_core::{
    Change, Engine, Rule, RuleSet, World,
    decide::{Obstacle, SeatVerdict, Verdict, Wish},
    eligibility::explain,
    moves::{move_of, plan_digest},
    snapshot::{Snapshot, Unreadable},
};
use domicile_crds::{
    Answer, Assignment, ClusterName, MigrationMode, Seat, SeatPhase, Tenant, TenantName, TenantWorkload,
    WorkloadKey,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource as _;
use serde::{Deserialize as _, Serialize};

use super::nearest::{nearest, no_place};
use super::over;

/// What would become of a copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum What {
    /// It has no place, and no cluster may have it.
    Wait,
    /// It must leave, and has nowhere to go or isn't moved yet: nothing is deleted.
    Stuck,
    /// It is scaled to zero; its data stays.
    Suspend,
    /// Nothing in, out or deleted; what runs keeps running.
    Freeze,
    /// It is left as it is, without what is new.
    Hold,
    /// It moves, whatever the tenant's mode and windows say.
    MustMove,
    /// It moves to a place that is preferred.
    Move,
    /// The tenant is asked whether it moves to a place that is preferred.
    Ask,
    /// The tenant has said no to that: it stays.
    Denied,
    /// It is placed.
    Place,
    /// It runs there already, and is Domicile's from now on.
    Adopt,
    /// It is removed, because fewer are asked for.
    Leave,
    /// Nothing can be done for the workload at all.
    Blocked,
    /// It stays.
    Stay,
}

/// What would become of a copy, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// As namespace/name.
    pub workload: String,
    /// Which copy.
    pub copy: i32,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant: Option<TenantName>,
    /// What would become of it.
    pub what: What,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<ClusterName>,
    /// Where it goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<ClusterName>,
    /// Why.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// If it must leave and can't: why not, as the reason of the workload's condition Stalled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<&'static str>,
    /// If no cluster may have it: the one that comes nearest, and what bars it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<String>,
    /// What its claims ask for, in bytes, if it has any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<i64>,
}

impl Step {
    /// What becomes of the copy if it stays from now on.
    pub(super) fn released(&self) -> Option<&'static str> {
        match self.what {
            What::Freeze => Some("it is thawed: what is new is applied"),
            What::Suspend => Some("it is started again"),
            What::Hold => Some("what is new is applied"),
            What::Stuck | What::MustMove => Some("it may be there again"),
            What::Move | What::Ask | What::Denied => Some("nothing draws it elsewhere any more"),
            What::Wait | What::Place | What::Adopt | What::Leave | What::Blocked | What::Stay => None,
        }
    }

    /// Whether the operator does it by itself, and it is over then.
    fn is_done_at_once(&self) -> bool {
        matches!(self.what, What::Place | What::MustMove | What::Move | What::Leave)
    }

    /// Whether only its volumes keep it where it must leave: nobody has looked for a lawful place.
    pub(super) fn keeps_volumes(&self) -> bool {
        self.obstacle == Some(Obstacle::VolumesNotMovable.name())
    }

    /// Whether it is yet to be done.
    pub(crate) fn is_to_come(&self) -> bool {
        self.arrives() || self.what == What::Ask
    }

    /// Whether it is where it is to be, so that it can be decided what becomes of it there.
    fn arrives(&self) -> bool {
        self.is_done_at_once() || self.what == What::Adopt
    }

    /// Whether another round tells less of it.
    fn outlasts(&self, next: &Self) -> bool {
        // Who has moved stays.
        self.is_done_at_once() || (self.what == What::Adopt && next.what == What::Stay)
    }

    /// Whether it comes to the same.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        (self.what, &self.from, &self.to) == (other.what, &other.from, &other.to)
    }
}

/// How often it is decided again, once what moves has moved: that makes room for others.
const ROUNDS_MAX: usize = 8;

/// What the operator would do at `now` and, as long as nothing else changes, after it, by workload and copy.
pub(super) fn steps(
    snapshot: &Snapshot,
    now: Timestamp,
) -> Result<BTreeMap<(WorkloadKey, i32), Step>, Unreadable> {
    let (mut engine, young) = snapshot.settled(now)?;
    let mut keys = engine.take_dirty();
    keys.extend(engine.world().workloads.keys().cloned());
    over::settle(&mut engine, now);
    let mut steps: BTreeMap<(WorkloadKey, i32), Step> = BTreeMap::new();
    for _ in 0..ROUNDS_MAX {
        let verdicts = engine.decide(&keys, now);
        let mut moved: BTreeMap<&WorkloadKey, Vec<Step>> = BTreeMap::new();
        for verdict in &verdicts {
            for mut step in of_verdict(&engine, verdict, now) {
                wait_for_a_minute(&mut step, &young);
                let place = (verdict.key.clone(), step.copy);
                if step.arrives() {
                    moved.entry(&verdict.key).or_default().push(step.clone());
                }
                if steps.get(&place).is_none_or(|known| !known.outlasts(&step)) {
                    steps.insert(place, step);
                }
            }
        }
        for (key, steps) in &moved {
            arrive(&mut engine, key, steps, now);
        }
        engine.advance(now);
        keys = engine.take_dirty();
        if moved.is_empty() || keys.is_empty() {
            break;
        }
    }
    Ok(steps)
}

/// What a verdict says of each copy.
pub(crate) fn of_verdict(engine: &Engine, verdict: &Verdict, now: Timestamp) -> Vec<Step> {
    match (&verdict.blocked, verdict.seats.as_slice()) {
        (Some(blocked), []) => {
            let step = bare(engine, &verdict.key, 0, What::Blocked);
            vec![Step { why: blocked.to_string(), ..step }]
        }
        (_, seats) => seats.iter().map(|seat| step(engine, verdict, seat, now)).collect(),
    }
}

fn wait_for_a_minute(step: &mut Step, young: &BTreeSet<ClusterName>) {
    let waits = matches!(step.what, What::Move | What::Ask);
    if let Some(to) = step.to.as_ref().filter(|to| waits && young.contains(*to)) {
        step.why = format!("{}, once {to} has been Ready for a minute", step.why);
    }
}

/// Has the copies of a workload where they would be, and their moves ended.
fn arrive(engine: &mut Engine, key: &WorkloadKey, steps: &[Step], now: Timestamp) {
    let world = engine.world();
    let record = world.assignments.get(key).map(|record| (*record.spec).clone());
    let mut spec = record.unwrap_or_default();
    for step in steps {
        let old = spec.seats.iter().position(|seat| seat.ordinal == step.copy);
        let old = old.map(|at| spec.seats.remove(at));
        let epoch = old.map_or(i64::from(step.what != What::Adopt), |seat| seat.epoch + 1);
        spec.seats.extend(step.to.clone().map(|cluster| Seat {
            ordinal: step.copy,
            cluster,
            epoch,
            generation: 0,
            phase: SeatPhase::Active,
            inventory: Vec::new(),
            completed_jobs: Vec::new(),
        }));
    }
    let mut object = Assignment::new(key.name.as_str(), spec);
    object.metadata.owner_references = world.workloads.get(key).map(|workload| {
        let (kind, uid) = (TenantWorkload::kind(&()).into_owned(), workload.uid.to_string());
        vec![OwnerReference { kind, uid, ..OwnerReference::default() }]
    });
    let moves = world.running_moves(key).filter(|it| steps.iter().any(|step| step.copy == it.spec.seat));
    let ended: Vec<String> = moves.map(|it| it.name.clone()).collect();
    for name in ended {
        engine.apply(Change::Migration(key.clone(), name, None), now);
    }
    engine.apply(Change::Assignment(key.clone(), Some(Box::new(object))), now);
}

fn bare(engine: &Engine, key: &WorkloadKey, copy: i32, what: What) -> Step {
    let tenant = engine.world().tenant_of(&key.namespace).ok().cloned();
    let (workload, why) = (key.to_string(), String::new());
    let (from, to, obstacle, nearest, bytes) = (None, None, None, None, None);
    Step { workload, copy, tenant, what, from, to, why, obstacle, nearest, bytes }
}

fn step(engine: &Engine, verdict: &Verdict, seat: &SeatVerdict, now: Timestamp) -> Step {
    let key = &verdict.key;
    let mut step = bare(engine, key, seat.ordinal, What::Stay);
    step.from.clone_from(&seat.at);
    if let Some((to, cause)) = over::back(engine, key, seat, now) {
        (step.what, step.to, step.why) = (What::MustMove, Some(to), cause);
        return step;
    }
    let why = |rules: RuleSet| finding(engine, key, seat, rules, now);
    match &seat.wish {
        Wish::Place(to) => (step.what, step.to) = (What::Place, Some(to.clone())),
        Wish::Adopt(at) => (step.what, step.to) = (What::Adopt, Some(at.clone())),
        Wish::Wait => {
            step.what = What::Wait;
            (step.why, step.nearest) = no_place(engine, key, now);
        }
        Wish::Stay => {}
        Wish::Hold => {
            let all = seat.failing.union(seat.unknown);
            step.what = if all.is_empty() { What::Stay } else { What::Hold };
            step.why = why(all);
        }
        Wish::Suspend => {
            let rules = RuleSet::EMPTY.with(Rule::ApprovalSuspended);
            (step.what, step.why) = (What::Suspend, why(rules));
        }
        Wish::Freeze => {
            // Somebody's decision holds whatever the facts are, and is what would have to be lifted.
            let decided = RuleSet::EMPTY.with(Rule::ApprovalFrozen);
            let is_decided = seat.failing.contains(Rule::ApprovalFrozen);
            let rules = if is_decided { decided } else { seat.failing.intersection(RuleSet::FREEZING) };
            (step.what, step.why) = (What::Freeze, why(rules));
        }
        Wish::Move { to, cause, compulsory } => {
            step.what = match compulsory {
                true => What::MustMove,
                false => optional(
                    engine.world(),
                    &step,
                    key,
                    &plan_digest(seat.at.as_ref().unwrap_or(to), to, cause),
                ),
            };
            (step.to, step.why) = (Some(to.clone()), cause.to_string());
        }
        Wish::Stuck { cause, obstacle } => {
            if *obstacle == Obstacle::NoLawfulPlace {
                step.nearest = nearest(engine, key, now);
            }
            (step.what, step.why) = (What::Stuck, format!("{cause}, but {obstacle}"));
            step.obstacle = Some(obstacle.name());
        }
        Wish::Leave => step.what = What::Leave,
    }
    if let Some(blocked) = &verdict.blocked {
        step.why = blocked.to_string();
    }
    step
}

/// What becomes of a move that need not be, by its tenant's mode and by what that has answered to this very plan.
fn optional(world: &World, step: &Step, key: &WorkloadKey, digest: &str) -> What {
    let tenant = step.tenant.as_ref().and_then(|tenant| world.tenants.get(tenant));
    let asks = tenant.is_some_and(|tenant| tenant.migration.mode == MigrationMode::Approval);
    let planned = move_of(world, key, step.copy).map(|planned| &planned.spec);
    let answered = planned.filter(|spec| spec.answer_for.as_deref() == Some(digest));
    match answered.and_then(|spec| spec.answer) {
        Some(Answer::Denied) => What::Denied,
        None if asks => What::Ask,
        Some(Answer::Approved) | None => What::Move,
    }
}

/// The first of the rules that doesn't pass where a copy is, in words.
fn finding(engine: &Engine, key: &WorkloadKey, seat: &SeatVerdict, rules: RuleSet, now: Timestamp) -> String {
    let row = engine.classes().of(key);
    let id = seat.at.as_ref().and_then(|at| engine.world().find_cluster(at));
    let Some((row, id)) = row.zip(id) else { return String::new() };
    let found = explain(engine.world(), (&row.class, key), id, now).into_iter();
    found
        .filter(|finding| rules.contains(finding.rule))
        .map(|finding| finding.to_string())
        .next()
        .unwrap_or_default()
}

/// In how many rounds each tenant's moves are made.
pub(super) fn waves(snapshot: &Snapshot, steps: &[Step]) -> BTreeMap<TenantName, usize> {
    let mut moves: BTreeMap<TenantName, usize> = BTreeMap::new();
    let moving = steps.iter().filter(|step| matches!(step.what, What::MustMove | What::Move | What::Ask));
    for tenant in moving.filter_map(|step| step.tenant.clone()) {
        *moves.entry(tenant).or_default() += 1;
    }
    for (tenant, count) in &mut moves {
        let object = snapshot.get("Tenant", "", tenant.as_str());
        let policy = object.and_then(|it| Tenant::deserialize(it).ok()).map(|it| it.spec.migration);
        let at_once = usize::try_from(policy.unwrap_or_default().max_concurrent).unwrap_or(1).max(1);
        *count = count.div_ceil(at_once);
    }
    moves
}
