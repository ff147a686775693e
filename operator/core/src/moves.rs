//! Moves: when one may begin, and what its next step is. Make before break, except where two copies must never run.

use std::collections::{BTreeMap, HashMap, VecDeque};

use domicile_crds::{
    Answer, Cause, CauseKind, ClusterName, MigrationMode, MigrationSpec, RelocationName, Seat, SeatPhase,
    TenantName, WorkloadKey,
};
use jiff::{SignedDuration, Timestamp};

use crate::{Rule, World, class::Classes, eligibility::explain, facts::MigrationFact, manifests::fnv1a};

mod left;
mod wait;
mod windows;

use left::Left;
pub use wait::Wait;
pub use windows::next_window;

/// How long a move that was given up isn't tried again: this, then twice as long each time.
pub const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(5);
/// The longest that a move waits which was given up again and again.
const RETRY_AFTER_MAX: SignedDuration = SignedDuration::from_mins(40);

/// How long it is remembered that a move was given up.
const RETRY_FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);

/// What the operator remembers of moves beyond the objects themselves. It may be lost: everything in it is made
/// again, at worst a little later.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    begun: HashMap<(WorkloadKey, String), Begun>,
    per_tenant: HashMap<TenantName, i32>,
    per_campaign: HashMap<RelocationName, i32>,
    log: VecDeque<Timestamp>,
    switched: HashMap<(WorkloadKey, String), Switched>,
    pub(crate) left: Left,
    /// When a copy may be moved again, and how often that was given up in a row.
    retry: HashMap<(WorkloadKey, i32), (Timestamp, u32)>,
    freed: bool,
}

/// A move from its switch to its end.
#[derive(Clone, Copy, Debug)]
struct Switched {
    began: Timestamp,
    seen: bool,
    at: Timestamp,
}

/// A move from its first object at the target until the switch.
#[derive(Clone, Debug)]
struct Begun {
    /// It has its place in the budgets.
    counts: bool,
    at: Timestamp,
    /// It was seen to begin, and not found to have begun before.
    seen: bool,
    /// When the target was ready last.
    ready: Timestamp,
    /// Since when clients could be sent to the target.
    serving: Option<Timestamp>,
    /// Since when it waits for its source to stop.
    stopping: Option<Timestamp>,
    tenant: TenantName,
    campaign: Option<RelocationName>,
}

impl Memory {
    /// When a move began that hasn't switched.
    #[must_use]
    pub fn begun(&self, key: &WorkloadKey, name: &str) -> Option<Timestamp> {
        self.begun.get(&(key.clone(), name.to_owned())).map(|begun| begun.at)
    }

    /// When a move began, or was found to have begun, whether it has switched or not.
    #[must_use]
    pub fn under_way_since(&self, key: &WorkloadKey, name: &str) -> Option<Timestamp> {
        let switched = || self.switched.get(&(key.clone(), name.to_owned())).map(|it| it.began);
        self.begun(key, name).or_else(switched)
    }

    /// The same if it was seen to begin: one that began before the operator did, began at nobody knows what time.
    #[must_use]
    pub fn started(&self, key: &WorkloadKey, name: &str) -> Option<Timestamp> {
        let place = (key.clone(), name.to_owned());
        let begun = self.begun.get(&place).map(|it| (it.at, it.seen));
        let found = begun.or_else(|| self.switched.get(&place).map(|it| (it.began, it.seen)));
        found.filter(|(_, seen)| *seen).map(|(at, _)| at)
    }

    /// A move begins, or, if that wasn't seen, is found to have begun before.
    pub fn begin(&mut self, key: &WorkloadKey, (migration, seen): (&MigrationFact, bool), now: Timestamp) {
        let place = (key.clone(), migration.name.clone());
        if self.begun.contains_key(&place) {
            return;
        }
        let spec = &migration.spec;
        self.log.push_back(now);
        let (tenant, campaign) = (spec.tenant.clone(), spec.relocation.clone());
        self.begun.insert(
            place,
            Begun {
                counts: false,
                at: now,
                seen,
                ready: now,
                serving: None,
                stopping: None,
                tenant,
                campaign,
            },
        );
        self.counts(key, &migration.name, true);
    }

    /// Whether a move that has begun has its place in the budgets. One that waits for a member that doesn't answer, or for
    /// a person, hasn't: it would keep it for as long as the member is away, or a freeze lasts.
    pub(crate) fn counts(&mut self, key: &WorkloadKey, name: &str, counts: bool) {
        let Some(begun) = self.begun.get_mut(&(key.clone(), name.to_owned())) else { return };
        if begun.counts == counts {
            return;
        }
        begun.counts = counts;
        let change = if counts { 1 } else { -1 };
        *self.per_tenant.entry(begun.tenant.clone()).or_default() += change;
        if let Some(campaign) = &begun.campaign {
            *self.per_campaign.entry(campaign.clone()).or_default() += change;
        }
        self.freed |= !counts;
    }

    /// The target of a move is ready, or nothing is done about it at present.
    pub(crate) fn target_ready(&mut self, key: &WorkloadKey, name: &str, now: Timestamp) {
        if let Some(begun) = self.begun.get_mut(&(key.clone(), name.to_owned())) {
            begun.ready = now;
        }
    }

    /// Since when a target that should be ready isn't.
    #[must_use]
    pub fn unready_since(&self, key: &WorkloadKey, name: &str) -> Option<Timestamp> {
        self.begun.get(&(key.clone(), name.to_owned())).map(|begun| begun.ready)
    }

    /// Since when clients could be sent to the target, from now on if that wasn't known; or that they can't.
    pub(crate) fn serving_since(
        &mut self,
        key: &WorkloadKey,
        name: &str,
        now: Option<Timestamp>,
    ) -> Option<Timestamp> {
        let begun = self.begun.get_mut(&(key.clone(), name.to_owned()))?;
        begun.serving = now.and(begun.serving).or(now);
        begun.serving
    }

    /// Since when the source was told to stop and hasn't, from now on if that wasn't known.
    pub(crate) fn stopping_since(&mut self, key: &WorkloadKey, name: &str, now: Timestamp) -> Timestamp {
        let begun = self.begun.get_mut(&(key.clone(), name.to_owned()));
        begun.map_or(now, |begun| *begun.stopping.get_or_insert(now))
    }

    /// When clients were sent over, from now on if that wasn't known. What is left to do takes no place in a budget:
    /// a source that doesn't answer would keep it for as long as it is away.
    pub fn switched(&mut self, key: &WorkloadKey, name: &str, now: Timestamp) -> Timestamp {
        let began = self.begun(key, name).unwrap_or(now);
        let seen = self.started(key, name).is_some();
        self.free(key, name);
        self.switched.entry((key.clone(), name.to_owned())).or_insert(Switched { began, seen, at: now }).at
    }

    /// A move has ended. One that was given up isn't tried again at once.
    pub fn end(&mut self, key: &WorkloadKey, migration: (&str, i32), given_up: bool, now: Timestamp) {
        let (name, ordinal) = migration;
        self.forget(key, name);
        let place = (key.clone(), ordinal);
        if !given_up {
            self.retry.remove(&place);
            return;
        }
        let lately = |(at, _): &&(Timestamp, u32)| now.duration_since(*at) <= RETRY_FORGOTTEN;
        let times = self.retry.get(&place).filter(lately).map_or(0, |(_, times)| *times);
        let pause = RETRY_AFTER.saturating_mul(1 << times.min(8)).min(RETRY_AFTER_MAX);
        let at = now.checked_add(pause).unwrap_or(Timestamp::MAX);
        self.retry.insert(place, (at, times + 1));
    }

    /// The Migration is gone, however that came about.
    pub fn forget(&mut self, key: &WorkloadKey, name: &str) {
        self.free(key, name);
        self.switched.remove(&(key.clone(), name.to_owned()));
        self.left.forget_all(key);
    }

    fn free(&mut self, key: &WorkloadKey, name: &str) {
        self.counts(key, name, false);
        self.begun.remove(&(key.clone(), name.to_owned()));
    }

    /// Whether a place in a budget became free since this was asked last.
    pub fn take_freed(&mut self) -> bool {
        std::mem::take(&mut self.freed)
    }

    /// When a move that was given up is tried again, if that is still to come.
    #[must_use]
    pub fn retry_at(&self, key: &WorkloadKey, ordinal: i32, now: Timestamp) -> Option<Timestamp> {
        self.retry.get(&(key.clone(), ordinal)).map(|(at, _)| *at).filter(|at| *at > now)
    }

    /// How many moves of a campaign are under way.
    #[must_use]
    pub fn moving(&self, campaign: &RelocationName) -> i32 {
        self.per_campaign.get(campaign).copied().unwrap_or_default()
    }
}

/// What a new move would be: who, why, and whether it must.
#[derive(Clone, Debug)]
pub struct Proposal<'a> {
    /// The workload.
    pub key: &'a WorkloadKey,
    /// Its tenant.
    pub tenant: &'a TenantName,
    /// The copy as it is recorded.
    pub seat: &'a Seat,
    /// To where.
    pub to: &'a ClusterName,
    /// Why.
    pub cause: &'a Cause,
    /// Whatever mode and windows say.
    pub compulsory: bool,
}

impl Proposal<'_> {
    /// The Migration as it would be recorded, with its name: a hash of cause and copy, so that deriving it
    /// again makes no twin.
    #[must_use]
    pub fn record(&self, world: &World) -> Option<(String, MigrationSpec)> {
        let workload = world.workloads.get(self.key)?;
        let earlier = world.migrations.get(self.key).into_iter().flat_map(BTreeMap::values);
        let highest = earlier.filter(|m| m.spec.seat == self.seat.ordinal).map(|m| m.spec.epoch).max();
        let epoch = highest.unwrap_or(0).max(self.seat.epoch).saturating_add(1);
        let Self { key, seat, cause, .. } = self;
        let identity =
            format!("{} {} {:?} {} {epoch}", workload.uid, seat.ordinal, cause.kind, cause.subject);
        let prefix: String = key.name.as_str().chars().take(40).collect();
        let name = format!("{prefix}-{}-{:016x}", seat.ordinal, fnv1a(identity.as_bytes()));
        let spec = MigrationSpec {
            workload: key.name.clone(),
            tenant: self.tenant.clone(),
            seat: seat.ordinal,
            from: seat.cluster.clone(),
            to: self.to.clone(),
            epoch,
            generation: workload.generation,
            cause: (*cause).clone(),
            relocation: Some(campaign_of(cause)),
            compulsory: self.compulsory,
            digest: plan_digest(&seat.cluster, self.to, cause),
            answer: None,
            answer_for: None,
            abort: false,
        };
        Some((name, spec))
    }
}

/// The digest of a plan, which an answer repeats.
#[must_use]
pub fn plan_digest(from: &ClusterName, to: &ClusterName, cause: &Cause) -> String {
    format!("{:016x}", fnv1a(format!("{from} {to} {:?} {}", cause.kind, cause.subject).as_bytes()))
}

/// The campaign of a cause.
#[must_use]
pub fn campaign_of(cause: &Cause) -> RelocationName {
    let identity = format!("{:?} {}", cause.kind, cause.subject);
    let tail = cause.subject.rsplit('/').next().unwrap_or_default();
    let kind = format!("{:?}", cause.kind).to_lowercase();
    let name: String = format!("{kind}-{tail}").chars().take(46).collect();
    let name = format!("{}-{:016x}", name.trim_end_matches('-'), fnv1a(identity.as_bytes()));
    // A subject may have characters that a name hasn't; the hash alone is always one.
    RelocationName::new(&name).unwrap_or_else(|_| RelocationName::of_hash(fnv1a(identity.as_bytes())))
}

/// The cause of a move in words, with the decision by which its source is revoked, as long as that holds.
#[must_use]
pub fn told_cause(
    world: &World,
    classes: &Classes,
    (key, spec): (&WorkloadKey, &MigrationSpec),
    now: Timestamp,
) -> String {
    let row = classes.of(key).filter(|_| spec.cause.kind == CauseKind::ApprovalRevoked);
    let found = row.zip(world.find_cluster(&spec.from)).and_then(|(row, from)| {
        let found = explain(world, (&row.class, key), from, now);
        found.into_iter().find(|it| it.rule == Rule::ApprovalRevoked && it.object == spec.cause.subject)
    });
    found.map_or_else(|| spec.cause.to_string(), |finding| finding.to_string())
}

/// Whether a move may begin now: the tenant's answer and windows unless it is compulsory, brakes and budgets always.
///
/// # Errors
///
/// What it waits for.
pub fn may_begin(world: &World, memory: &Memory, spec: &MigrationSpec, now: Timestamp) -> Result<(), Wait> {
    let campaign = spec.relocation.as_ref().and_then(|name| Some((name, world.relocations.get(name)?)));
    if world.brakes.paused {
        return Err(Wait::Paused("Installation/default".to_owned()));
    }
    if let Some((name, fact)) = campaign
        && fact.spec.paused
    {
        return Err(Wait::Paused(format!("Relocation/{name}")));
    }
    let Some(tenant) = world.tenants.get(&spec.tenant) else { return Err(Wait::Answer) };
    if !spec.compulsory {
        let answered = spec.answer_for.as_ref() == Some(&spec.digest);
        match (tenant.migration.mode, spec.answer) {
            (_, Some(Answer::Denied)) if answered => return Err(Wait::Denied),
            (MigrationMode::Automatic, _) => {}
            (MigrationMode::Approval, Some(Answer::Approved)) if answered => {}
            (MigrationMode::Approval, Some(_)) => return Err(Wait::OtherPlan),
            _ => return Err(Wait::Answer),
        }
        if let Some(at) = next_window(&tenant.migration.windows, now) {
            return Err(Wait::Window(at));
        }
    }
    let moving = memory.per_tenant.get(&spec.tenant).copied().unwrap_or_default();
    if moving >= tenant.migration.max_concurrent {
        return Err(Wait::Budget("the tenant's maxConcurrent"));
    }
    if let Some((name, fact)) = campaign
        && fact.spec.max_concurrent.is_some_and(|most| memory.moving(name) >= most)
    {
        return Err(Wait::Budget("the Relocation's maxConcurrent"));
    }
    if let Some(most) = world.brakes.max_moves_per_hour {
        let hour_ago = now.checked_sub(SignedDuration::from_hours(1)).unwrap_or(Timestamp::MIN);
        let recent = memory.log.iter().rev().take_while(|at| **at > hour_ago).count();
        if recent >= usize::try_from(most).unwrap_or(0) {
            return Err(Wait::Budget("Installation/default's maxMovesPerHour"));
        }
    }
    Ok(())
}

/// The move of a copy that is planned or under way, if there is one: its record has an epoch that the copy hasn't yet.
#[must_use]
pub fn move_of<'a>(world: &'a World, key: &WorkloadKey, ordinal: i32) -> Option<&'a MigrationFact> {
    let seat = world.seat(key, ordinal);
    world
        .running_moves(key)
        .find(|m| m.spec.seat == ordinal && seat.is_none_or(|seat| !is_over(&m.spec, seat)))
}

/// Moves of a copy that have switched, or were overtaken: what they left behind is to be removed.
pub fn moves_over<'a>(
    world: &'a World,
    key: &WorkloadKey,
    seat: &Seat,
) -> impl Iterator<Item = &'a MigrationFact> {
    world.running_moves(key).filter(move |m| m.spec.seat == seat.ordinal && is_over(&m.spec, seat))
}

/// Where copies were that have moved on or aren't asked for any more, as long as it isn't on record that they are gone.
#[must_use]
pub fn left_behind<'a>(world: &'a World, key: &WorkloadKey) -> Vec<&'a ClusterName> {
    let mut left = Vec::new();
    for seat in world.active_seats(key) {
        let ends = moves_over(world, key, seat).flat_map(|m| [&m.spec.from, &m.spec.to]);
        left.extend(ends.filter(|end| **end != seat.cluster));
    }
    let seats = world.assignments.get(key).map_or(&[][..], |record| &record.spec.seats);
    left.extend(seats.iter().filter(|seat| seat.phase == SeatPhase::Leaving).map(|seat| &seat.cluster));
    left
}

/// Whether a copy has the epoch of a move, or a later one.
#[must_use]
pub fn is_over(spec: &MigrationSpec, seat: &Seat) -> bool {
    seat.epoch >= spec.epoch
}
