//! Moves: proposing one, its next step, its end.

use domicile_crds::{ClusterName, MigrationSpec, MigrationStep, Seat, keys};
use jiff::{SignedDuration, Timestamp};

use super::{
    Because, Copy, Desk, Halt, HaltCause, Order, Outlook, Record, Removal, Remove, Source, apply,
    departure::{OUT_OF_REACH, is_abandoned},
    inventory, kept_at, look_after,
    rollback::{Why, roll_back},
    stray::{originals_at, remove_strays},
};
use crate::{
    Horizon, Rule, RuleSet,
    decide::{SeatVerdict, Wish},
    facts::MigrationFact,
    moves::{Proposal, Wait, may_begin, plan_digest, told_cause},
    render::Mode,
};

/// How long clients could be sent to a target before they are: kube-proxy writes its rules about once a second, later on a busy node,
/// and on kind at a load of 12 half a second of requests was lost.
const SETTLE: SignedDuration = SignedDuration::from_secs(5);

/// Records a new move, unless it would only wait for its turn.
pub(super) fn propose(
    desk: &Desk<'_>,
    copy: &Copy<'_>,
    (to, cause, compulsory): (&ClusterName, &domicile_crds::Cause, bool),
    out: &mut Outlook,
) {
    let (key, seat) = (copy.key, copy.seat);
    if let Some(at) = desk.memory.retry_at(key, seat.ordinal, desk.now) {
        look_again(out, desk.now, at);
        out.waits.push((seat.ordinal, Wait::Retry(at)));
        return;
    }
    if originals_at(desk.world, desk.observed, key, to).next().is_some() {
        return out.waits.push((seat.ordinal, Wait::Originals(to.clone())));
    }
    let Ok(tenant) = desk.world.tenant_of(&key.namespace) else { return };
    let proposal = Proposal { key, tenant, seat, to, cause, compulsory };
    let Some((name, spec)) = proposal.record(desk.world) else { return };
    if let Some(name) = aborted(desk, copy, &spec) {
        return out.waits.push((seat.ordinal, Wait::Aborted(name.to_owned())));
    }
    match may_begin(desk.world, desk.memory, &spec, desk.now) {
        // Whoever must answer, or plan for a window, has to see it.
        Ok(()) | Err(Wait::Answer | Wait::Window(_)) => {
            out.orders.push(Order::CreateMigration(name, Box::new(spec)));
        }
        Err(wait) => out.waits.push((seat.ordinal, wait)),
    }
}

/// The same move as one that the tenant has aborted, if nothing compels it.
fn aborted<'a>(desk: &'a Desk<'_>, copy: &Copy<'_>, spec: &MigrationSpec) -> Option<&'a str> {
    let mut earlier = desk.world.migrations.get(copy.key).into_iter().flat_map(|moves| moves.values());
    let is_it = |m: &&MigrationFact| m.spec.seat == spec.seat && m.spec.digest == spec.digest;
    let aborted = earlier.find(|m| m.is_finished() && m.spec.abort && is_it(m))?;
    (!spec.compulsory).then_some(aborted.name.as_str())
}

pub(super) fn look_again(out: &mut Outlook, now: Timestamp, at: Timestamp) {
    let mut horizon = Horizon::new(now);
    horizon.note(at);
    out.next.into_iter().for_each(|next| horizon.note(next));
    out.next = horizon.next();
}

pub(super) fn migration_orders(
    desk: &mut Desk<'_>,
    copy: &Copy<'_>,
    migration: &MigrationFact,
    verdict: &SeatVerdict,
    (record, out): (&mut Record<'_>, &mut Outlook),
) {
    step(desk, copy, migration, verdict, (record, out));
    let goes_back = out.going_back.contains(&migration.spec.seat);
    let rests = |(ordinal, wait): &(i32, Wait)| {
        *ordinal == migration.spec.seat
            && matches!(wait, Wait::Unreachable(_) | Wait::Frozen(_) | Wait::Held(_) | Wait::Taken(_))
    };
    desk.memory.counts(copy.key, &migration.name, !out.waits.iter().any(rests));
    let has_not_begun = || desk.memory.begun(copy.key, &migration.name).is_none();
    let may_run = goes_back && stands_by(desk, copy, &migration.spec.to);
    if may_run || (matches!(verdict.wish, Wish::Move { .. }) && has_not_begun()) {
        look_after(desk, copy, verdict, (record, out));
    }
    if matches!(verdict.wish, Wish::Move { compulsory: false, .. }) && has_not_begun() {
        remove_strays(desk, copy, out);
    }
}

/// Whether nothing at the target of a move runs that must never run twice, so that its source may run again at once. It was
/// never let run, unless the hub was restored from before the switch.
fn stands_by(desk: &Desk<'_>, copy: &Copy<'_>, to: &ClusterName) -> bool {
    let target = Seat { cluster: to.clone(), ..copy.seat.clone() };
    let there = Copy { seat: &target, ..*copy };
    let is_seen = !desk.view(copy.key, &target).is_empty() || desk.observed.is_known(to, &copy.key.namespace);
    is_seen && desk.to_stop(&there).is_empty() && desk.is_idle(&there)
}

/// The next step of a move, forth or back.
fn step(
    desk: &mut Desk<'_>,
    copy: &Copy<'_>,
    migration: &MigrationFact,
    verdict: &SeatVerdict,
    (record, out): (&mut Record<'_>, &mut Outlook),
) {
    let spec = &migration.spec;
    let target = Seat { cluster: spec.to.clone(), epoch: spec.epoch, ..copy.seat.clone() };
    let arrived = desk.has_arrived(copy.key, spec);
    if arrived {
        desk.memory.begin(copy.key, (migration, false), desk.now);
    }
    match &verdict.wish {
        Wish::Move { compulsory: false, .. }
            if migration.held && desk.has_begun(copy.key, migration) == Some(false) =>
        {
            roll_back(desk, copy, migration, Why::Deleted, out);
        }
        Wish::Move { .. } | Wish::Hold if spec.abort => roll_back(desk, copy, migration, Why::Aborted, out),
        // A cause never changes, and with it goes whether an answer is waited for. What has arrived goes on.
        Wish::Move { cause, compulsory, .. }
            if !arrived && (cause, *compulsory) != (&spec.cause, spec.compulsory) =>
        {
            roll_back(desk, copy, migration, Why::OtherCause, out);
        }
        Wish::Move { to, .. } if *to == spec.to => advance(desk, copy, (migration, &target), (record, out)),
        Wish::Move { to, cause, .. } if desk.has_begun(copy.key, migration) == Some(false) => {
            let digest = plan_digest(&spec.from, to, cause);
            out.orders.push(Order::RetargetMigration(migration.name.clone(), to.clone(), digest));
        }
        Wish::Move { .. } => roll_back(desk, copy, migration, Why::TargetBarred, out),
        Wish::Stuck { .. } => roll_back(desk, copy, migration, Why::NoPlace, out),
        Wish::Stay | Wish::Leave => roll_back(desk, copy, migration, Why::CauseGone, out),
        Wish::Hold => hold(desk, copy, (migration, &target), verdict, (record, out)),
        Wish::Suspend | Wish::Freeze => {
            desk.memory.target_ready(copy.key, &migration.name, desk.now);
            out.waits.push((spec.seat, Wait::Frozen(spec.from.clone())));
        }
        Wish::Place(_) | Wish::Adopt(_) | Wish::Wait => {}
    }
}

/// A copy must be left as it is. One that was stopped to move isn't: nothing may be started where it is, so that it goes on to
/// where it may run.
fn hold(
    desk: &mut Desk<'_>,
    copy: &Copy<'_>,
    (migration, target): (&MigrationFact, &Seat),
    verdict: &SeatVerdict,
    (record, out): (&mut Record<'_>, &mut Outlook),
) {
    let (from, to) = (&migration.spec.from, &migration.spec.to);
    let has_site = desk.world.find_cluster(from).is_some_and(|id| desk.world.site_of(id).is_some());
    // What only can't be told moves nothing, and what was stopped by a suspension wasn't stopped to move.
    let is_barred = !verdict.failing.intersection(RuleSet::BARRING).is_empty();
    let has_begun = desk.has_begun(copy.key, migration) == Some(true);
    if is_barred && has_begun && has_site && desk.is_stopping(copy) && desk.is_lawful(copy.key, to) {
        // There is nowhere else to try.
        desk.memory.target_ready(copy.key, &migration.name, desk.now);
        return advance(desk, copy, (migration, target), (record, out));
    }
    let current = desk.observed.is_current(from);
    let wait = if current { Wait::Held(from.clone()) } else { Wait::Unreachable(from.clone()) };
    out.waits.push((migration.spec.seat, wait));
}

/// The next step of a move before its switch.
fn advance(
    desk: &mut Desk<'_>,
    copy: &Copy<'_>,
    (migration, target): (&MigrationFact, &Seat),
    (record, out): (&mut Record<'_>, &mut Outlook),
) {
    let spec = &migration.spec;
    let ordinal = spec.seat;
    if !desk.observed.is_reachable(&spec.to) {
        out.waits.push((ordinal, Wait::Unreachable(spec.to.clone())));
        // Where it was stopped, it may run again.
        let is_down = copy.workload.breaks_before_make() && desk.is_stopping(copy);
        if is_down && desk.is_lawful(copy.key, &copy.seat.cluster) {
            check_deadline(desk, copy, migration, out);
        }
        return;
    }
    if !desk.observed.is_known(&spec.to, &copy.key.namespace) {
        return out.orders.push(Order::Verify(spec.to.clone()));
    }
    // A first order that was lost has begun nothing there.
    if !desk.has_arrived(copy.key, spec) {
        if !desk.is_open(copy, &spec.to) {
            return out.waits.push((ordinal, Wait::Closed(spec.to.clone())));
        }
        if originals_at(desk.world, desk.observed, copy.key, &spec.to).next().is_some() {
            return out.waits.push((ordinal, Wait::Originals(spec.to.clone())));
        }
    }
    let exclusive = copy.workload.breaks_before_make();
    let is_down = exclusive && desk.is_stopping(copy);
    if desk.memory.begun(copy.key, &migration.name).is_none() {
        if let Err(wait) = may_begin(desk.world, desk.memory, spec, desk.now) {
            if let Wait::Window(at) = wait {
                look_again(out, desk.now, at);
            }
            return out.waits.push((ordinal, wait));
        }
        desk.memory.begin(copy.key, (migration, true), desk.now);
    }
    let mode = if exclusive { Mode::Standby } else { Mode::Running };
    let objects = desk.differing(copy, target, mode);
    if !objects.is_empty() {
        apply(desk, target, mode, objects, (Because::Moving, out));
    }
    let missing = if desk.is_ready(copy, target, mode) {
        // Whoever is sent there must be answered from the first moment.
        desk.lacks_address(copy, &spec.to).then(|| Wait::NoAddress(spec.to.clone()))
    } else {
        Some(Wait::NotReady(spec.to.clone()))
    };
    if let Some(wait) = missing {
        desk.memory.serving_since(copy.key, &migration.name, None);
        out.waits.push((ordinal, wait));
        return check_deadline(desk, copy, migration, out);
    }
    desk.memory.target_ready(copy.key, &migration.name, desk.now);
    if desk.has_clients(copy) && !exclusive && settles(desk, copy, migration, out) {
        return;
    }
    // A source that is being stopped is down: from there, the way out is forward.
    if desk.world.brakes.paused && !is_down {
        return out.waits.push((ordinal, Wait::Paused("Installation/default".to_owned())));
    }
    if exclusive && !stop(desk, copy, &spec.to, out) {
        return note_stopping(desk, copy, migration, out);
    }
    if let Some(seat) = record.seat(ordinal) {
        seat.cluster = spec.to.clone();
        seat.epoch = spec.epoch;
        seat.generation = copy.workload.generation;
        // What an earlier generation brought there is pruned later, like anything that the manifests lack.
        seat.inventory = desk.all_of(copy.key, target, &inventory(copy.manifests));
    }
}

/// Whether clients can be sent to a target only since a moment ago. That its pods are ready, its API server knows before its nodes
/// know the way to them; until then, the source answers.
fn settles(desk: &mut Desk<'_>, copy: &Copy<'_>, migration: &MigrationFact, out: &mut Outlook) -> bool {
    let since = desk.memory.serving_since(copy.key, &migration.name, Some(desk.now)).unwrap_or(desk.now);
    let until = since.checked_add(SETTLE).unwrap_or(Timestamp::MAX);
    if until <= desk.now {
        return false;
    }
    look_again(out, desk.now, until);
    out.waits.push((migration.spec.seat, Wait::Settles(migration.spec.to.clone())));
    true
}

/// A target that doesn't become ready in time is given up.
fn check_deadline(desk: &mut Desk<'_>, copy: &Copy<'_>, migration: &MigrationFact, out: &mut Outlook) {
    let seconds = i64::from(copy.workload.progress_deadline_seconds);
    // From when it was ready last: what waits for its source to stop for long may restart a pod meanwhile.
    let since = desk.memory.unready_since(copy.key, &migration.name).unwrap_or(desk.now);
    let Ok(deadline) = since.checked_add(SignedDuration::from_secs(seconds)) else { return };
    if deadline <= desk.now {
        let is_its =
            |order: &Order| matches!(order, Order::Apply(apply) if apply.ordinal == migration.spec.seat);
        out.orders.retain(|order| !is_its(order));
        roll_back(desk, copy, migration, Why::NotReady, out);
    } else {
        look_again(out, desk.now, deadline);
    }
}

/// Stops what must never run twice before it starts elsewhere. Answers whether it has stopped, or somebody answers for that.
fn stop(desk: &Desk<'_>, copy: &Copy<'_>, to: &ClusterName, out: &mut Outlook) -> bool {
    let seat = copy.seat;
    if is_abandoned(desk, copy.key, &seat.cluster) {
        return true;
    }
    if !desk.observed.is_current(&seat.cluster) {
        out.waits.push((seat.ordinal, Wait::Unreachable(seat.cluster.clone())));
        return false;
    }
    // That nothing is seen there says nothing before all of it was listed.
    if !desk.observed.is_known(&seat.cluster, &copy.key.namespace) {
        out.orders.push(Order::Verify(seat.cluster.clone()));
        return false;
    }
    let objects = desk.to_stop(copy);
    let stopped = objects.is_empty() && desk.is_idle(copy);
    if !stopped {
        out.waits.push((seat.ordinal, Wait::NotIdle(seat.cluster.clone())));
    }
    if !objects.is_empty() {
        let (cluster, ordinal, because) =
            (seat.cluster.clone(), seat.ordinal, HaltCause::Moving { to: to.clone() });
        out.orders.push(Order::Halt(Halt { cluster, ordinal, objects, because }));
    }
    stopped
}

/// Takes note of when a source that was told to stop should have.
fn note_stopping(desk: &mut Desk<'_>, copy: &Copy<'_>, migration: &MigrationFact, out: &mut Outlook) {
    if !desk.is_stopping(copy) {
        return;
    }
    let since = desk.memory.stopping_since(copy.key, &migration.name, desk.now);
    let overdue = after(since, copy.workload.progress_deadline_seconds);
    look_again(out, desk.now, overdue);
    let (ordinal, cluster) = (copy.seat.ordinal, copy.seat.cluster.clone());
    out.sources.push(Source { ordinal, cluster, moved: false, unfenced: overdue, overdue });
}

/// What moves of a copy that have switched left behind: the source drains and is removed, once the copy is ready where
/// it is now.
pub(super) fn finish_orders(
    desk: &mut Desk<'_>,
    copy: &Copy<'_>,
    migration: &MigrationFact,
    verdict: &SeatVerdict,
    (record, out): (&mut Record<'_>, &mut Outlook),
) {
    let (spec, here) = (&migration.spec, &copy.seat.cluster);
    let switched = desk.memory.switched(copy.key, &migration.name, desk.now);
    desk.memory.left.forget(copy.key, spec.seat, here);
    let left: Vec<&ClusterName> =
        [&spec.from, &spec.to].into_iter().filter(|end| *end != here && !is_gone(desk, copy, end)).collect();
    let Some(from) = left.first().copied() else {
        let (step, mut message) = ending(desk, copy, migration);
        for end in [&spec.from, &spec.to].into_iter().filter(|end| is_abandoned(desk, copy.key, end)) {
            let annotation = keys::ABANDON_ANNOTATION;
            message = format!("{message}; what may be left on {end} was let go of, as {annotation} says");
        }
        let name = migration.name.clone();
        return out.orders.push(Order::FinishMigration { name, step, message, given_up: false });
    };
    source_remains(copy, from, (switched, desk.now), out);
    let followed = desk.sends_to(copy, from);
    let since = desk.memory.left.since((copy.key, spec.seat, from), followed, desk.now);
    if matches!(verdict.wish, Wish::Suspend | Wish::Freeze) {
        return out.waits.push((spec.seat, Wait::Frozen(here.clone())));
    }
    if desk.is_lawful(copy.key, from) && !desk.is_lawful(copy.key, here) {
        return take_over(desk, copy, (migration, from), verdict, (record, out));
    }
    let unsure = RuleSet::EMPTY.with(Rule::ClusterNotReady).with(Rule::ObservationStale);
    if !verdict.failing.union(verdict.unknown).intersection(unsure).is_empty()
        || !desk.observed.is_current(here)
    {
        return out.waits.push((spec.seat, Wait::Unreachable(here.clone())));
    }
    if !desk.is_ready(copy, copy.seat, Mode::Running) {
        return out.waits.push((spec.seat, Wait::NotReady(here.clone())));
    }
    if let Some(wait) = kept_at(desk.world, copy.key, (&spec.tenant, from), desk.now) {
        return out.waits.push((spec.seat, wait));
    }
    if followed {
        return out.waits.push((spec.seat, Wait::Followed(from.clone())));
    }
    let drained = after(since, copy.workload.drain_seconds);
    if drained > desk.now {
        look_again(out, desk.now, drained);
        return out.waits.push((spec.seat, Wait::Draining(from.clone())));
    }
    if !desk.observed.is_reachable(from) {
        return out.waits.push((spec.seat, Wait::Unreachable(from.clone())));
    }
    if desk.is_taken(copy.key, from) {
        return out.waits.push((spec.seat, Wait::Taken(from.clone())));
    }
    if !desk.observed.is_known(from, &copy.key.namespace) {
        return out.orders.push(Order::Verify(from.clone()));
    }
    let source = Seat { cluster: from.clone(), ..copy.seat.clone() };
    let remove = Order::Remove(Remove {
        cluster: from.clone(),
        ordinal: spec.seat,
        objects: desk.all_of(copy.key, &source, &copy.seat.inventory),
        retain_claims: true,
        because: Removal::Moved { to: here.clone() },
    });
    // Two moves may have left the same place.
    if !out.orders.contains(&remove) {
        out.orders.push(remove);
    }
}

/// A lawful copy goes only for a lawful one. Where the copy must leave, the other takes over again: what must never
/// run twice only once it has stopped.
fn take_over(
    desk: &Desk<'_>,
    copy: &Copy<'_>,
    (migration, from): (&MigrationFact, &ClusterName),
    verdict: &SeatVerdict,
    (record, out): (&mut Record<'_>, &mut Outlook),
) {
    // Where a later move has taken the copy, nothing would be on record of what it leaves there: it goes by a move of its own.
    if ![&migration.spec.from, &migration.spec.to].contains(&&copy.seat.cluster) {
        return;
    }
    if !matches!(verdict.wish, Wish::Move { compulsory: true, .. } | Wish::Stuck { .. }) {
        let here = copy.seat.cluster.clone();
        let taken = desk.is_taken(copy.key, &here);
        let wait = if taken { Wait::Taken(here) } else { Wait::Frozen(here) };
        return out.waits.push((migration.spec.seat, wait));
    }
    if copy.workload.breaks_before_make() && !stop(desk, copy, from, out) {
        return;
    }
    let highest = desk.world.running_moves(copy.key).map(|m| m.spec.epoch).max().unwrap_or(0);
    if let Some(seat) = record.seat(migration.spec.seat) {
        seat.cluster = from.clone();
        seat.epoch = highest.max(copy.seat.epoch).saturating_add(1);
    }
}

/// Whether nothing of a copy is at the end of a move that it left, or a person has let go of what may be there.
fn is_gone(desk: &Desk<'_>, copy: &Copy<'_>, cluster: &ClusterName) -> bool {
    desk.gone.contains(&(copy.key.clone(), copy.seat.ordinal, cluster.clone()))
        || is_abandoned(desk, copy.key, cluster)
}

/// How a move that is over ends: the copy went on to its target, or back from there.
fn ending(desk: &Desk<'_>, copy: &Copy<'_>, migration: &MigrationFact) -> (MigrationStep, String) {
    let MigrationSpec { from, to, .. } = migration.spec.as_ref();
    if copy.seat.cluster == *from {
        return (MigrationStep::RolledBack, format!("{to} had to be left again; the copy is on {from}"));
    }
    let cause = told_cause(desk.world, desk.classes, (copy.key, &migration.spec), desk.now);
    (MigrationStep::Completed, format!("moved from {from} to {to}: {cause}"))
}

/// Takes note that the source isn't gone yet, and of when that is no longer as it should be.
fn source_remains(
    copy: &Copy<'_>,
    from: &ClusterName,
    (switched, now): (Timestamp, Timestamp),
    out: &mut Outlook,
) {
    let due = after(switched, copy.workload.drain_seconds);
    let unfenced = due.checked_add(OUT_OF_REACH).unwrap_or(Timestamp::MAX);
    let overdue = after(due, copy.workload.progress_deadline_seconds);
    look_again(out, now, unfenced);
    look_again(out, now, overdue);
    let (ordinal, cluster) = (copy.seat.ordinal, from.clone());
    out.sources.push(Source { ordinal, cluster, moved: true, unfenced, overdue });
}

pub(super) fn after(at: Timestamp, seconds: i32) -> Timestamp {
    at.checked_add(jiff::SignedDuration::from_secs(i64::from(seconds))).unwrap_or(Timestamp::MAX)
}
