//! Whether a move may be planned, and whether it may begin.

use domicile_crds::{
    Answer, CauseKind, MigrationMode, MigrationSpec, OnApprovalExpired, PlaceRef, Scheduling, Seat,
    SeatPhase, SiteState, Weekday, Window,
};
use jiff::{SignedDuration, Timestamp, tz::Offset};

use crate::{
    act::Act,
    candidate::{Candidate, Contains, ready_condition},
    check::{assignment_object, is_unknown, new_copy},
    manifests,
    removal::{held_in_doubt, kept_in_place},
    rule::{Object, Rule},
    violation::Forbidden,
};

/// How long a cluster has been Ready before it attracts anybody: one that comes and goes shall not.
const SETTLED: SignedDuration = SignedDuration::from_mins(1);

/// A Migration is about to be written.
pub(crate) fn plan(candidate: &Candidate<'_>, act: &Act<'_>, migration: &MigrationSpec) -> Vec<Forbidden> {
    let mut found = either(candidate, act, migration);
    found.extend(held_in_doubt(&candidate.at(&migration.from)));
    let seats = act.assignment.map_or(&[][..], |a| &a.spec.seats);
    if seats.iter().any(|seat| seat.cluster == *act.cluster) {
        found.push(Forbidden::SeatTaken { object: assignment_object(act) });
    }
    let is_source = |seat: &&Seat| {
        seat.ordinal == migration.seat && seat.cluster == migration.from && seat.phase == SeatPhase::Active
    };
    match seats.iter().find(is_source) {
        None => {
            let expected = "the copy that moves, on the cluster that it leaves,";
            found.push(Forbidden::NotRecorded { object: assignment_object(act), expected });
        }
        Some(seat) if migration.epoch <= seat.epoch => {
            found.push(Forbidden::EpochNotGrown { object: migration_object(act), epoch: seat.epoch });
        }
        Some(_) => {}
    }
    found
}

/// The first byte is about to be written at the target.
pub(crate) fn begin(candidate: &Candidate<'_>, act: &Act<'_>, migration: &MigrationSpec) -> Vec<Forbidden> {
    let mut found = either(candidate, act, migration);
    if candidate.facts.get_installation().is_some_and(|i| i.spec.paused) {
        found.push(Forbidden::MovesPaused { object: Object::new("Installation", "default") });
    }
    let Some(tenant) = candidate.tenant.filter(|_| !migration.compulsory) else { return found };
    let policy = &tenant.spec.migration;
    let object = Object::new("Tenant", candidate.tenant_name.as_str());
    // An answer to an earlier plan is none to this one.
    let answer = migration.answer.filter(|_| migration.answer_for.as_ref() == Some(&migration.digest));
    let agreed = answer == Some(Answer::Approved) || policy.mode != MigrationMode::Approval;
    if answer == Some(Answer::Denied) || !agreed {
        found.push(Forbidden::MoveNotAgreed { object: object.clone(), mode: policy.mode });
    }
    if !policy.windows.is_empty() && !policy.windows.iter().any(|window| is_open(window, candidate.now)) {
        found.push(Forbidden::WindowClosed { object });
    }
    found
}

/// What must hold both when a move is planned and when it begins.
fn either(candidate: &Candidate<'_>, act: &Act<'_>, migration: &MigrationSpec) -> Vec<Forbidden> {
    let source = candidate.at(&migration.from);
    let mut found = new_copy(candidate, act);
    let is_it = migration.workload == act.key.name
        && migration.tenant == *act.tenant
        && migration.to == *act.cluster
        && !migration.abort;
    if !is_it {
        found.push(Forbidden::RecordMismatch { object: migration_object(act) });
    }
    if migration.from == migration.to {
        found.push(Forbidden::ReplacementNotElsewhere { object: candidate.member_object() });
    }
    if let Some(volume) = act.workload.and_then(manifests::volume) {
        found.push(Forbidden::VolumesNotMovable { object: candidate.workload_object(), volume });
    }
    found.extend(kept_in_place(&source));
    if migration.compulsory {
        if !must_leave(&source) {
            found.push(Forbidden::MoveNotCalledFor { object: source.member_object() });
        }
    } else {
        found.extend(by_preference(candidate, &source, migration));
    }
    found
}

/// Whether one of the reasons for a compulsory move holds, known and not just unknown.
pub(crate) fn must_leave(source: &Candidate<'_>) -> bool {
    leaving_rule(source).is_some()
        || source.site.is_some_and(|s| s.spec.state == SiteState::Closing)
        || is_draining(source)
}

pub(crate) fn is_draining(source: &Candidate<'_>) -> bool {
    source.member.is_some_and(|m| m.spec.scheduling == Scheduling::Draining)
}

/// The rule whose failing compels to leave.
pub(crate) fn leaving_rule(source: &Candidate<'_>) -> Option<Rule> {
    let evacuates = source.tenant.is_some_and(|t| t.spec.on_approval_expired == OnApprovalExpired::Evacuate);
    let failures = source.failures();
    let mut rules = failures.iter().filter(|fact| !is_unknown(fact)).filter_map(Forbidden::rule);
    rules.find(|rule| match rule {
        Rule::ApprovalRevoked | Rule::CountryNotAllowed | Rule::CountryDenied => true,
        Rule::ApprovalExpired => evacuates,
        _ => false,
    })
}

/// A score moves nothing: only a better tier does, if the tenant lets it, and only to a cluster that stays.
fn by_preference(
    target: &Candidate<'_>,
    source: &Candidate<'_>,
    migration: &MigrationSpec,
) -> Vec<Forbidden> {
    let mut found = Vec::new();
    let Some(tenant) = target.tenant else { return found };
    let mode = tenant.spec.migration.mode;
    if mode == MigrationMode::Manual {
        let object = Object::new("Tenant", target.tenant_name.as_str());
        found.push(Forbidden::MoveNotAgreed { object, mode });
    }
    if migration.cause.kind != CauseKind::PreferredPlace || tier(target) >= tier(source) {
        found.push(Forbidden::MoveNotCalledFor { object: target.workload_object() });
    }
    let ready = target.member.and_then(ready_condition).filter(|c| c.status == "True");
    let settled = ready.is_some_and(|c| target.now.duration_since(c.last_transition_time.0) >= SETTLED);
    if !settled {
        found.push(Forbidden::TargetNotSettled { object: target.member_object() });
    }
    found
}

/// The first preference that contains the place; what none contains comes last.
fn tier(candidate: &Candidate<'_>) -> usize {
    let own = candidate.workload.map_or(&[][..], |w| &w.spec.preferences);
    let tenants = candidate.tenant.map_or(&[][..], |t| &t.spec.preferences);
    let preferences = if own.is_empty() { tenants } else { own };
    preferences.iter().position(|place| contains(candidate, place)).unwrap_or(preferences.len())
}

fn contains(candidate: &Candidate<'_>, place: &PlaceRef) -> bool {
    let Some(site) = candidate.site else { return false };
    let country = site.spec.country;
    let in_set = |set: &str| matches!(candidate.set_contains(set, &[], country), Contains::Yes);
    match place {
        PlaceRef { country: Some(one), .. } => *one == country,
        PlaceRef { country_set: Some(set), .. } => in_set(set.as_str()),
        PlaceRef { site: Some(one), .. } => candidate.member.is_some_and(|m| m.spec.site == *one),
        PlaceRef { provider: Some(one), .. } => site.spec.operated_by == *one,
        PlaceRef { country: None, country_set: None, site: None, provider: None } => false,
    }
}

/// A window that opened yesterday may still be open.
fn is_open(window: &Window, now: Timestamp) -> bool {
    let Some((hours, minutes)) = window.start.split_once(':') else { return false };
    let (Ok(hours), Ok(minutes)) = (hours.parse::<i64>(), minutes.parse::<i64>()) else { return false };
    let now = Offset::UTC.to_datetime(now);
    let day = i64::from(now.weekday().to_monday_zero_offset());
    let minute = i64::from(now.hour()) * 60 + i64::from(now.minute());
    [0, 1].into_iter().any(|days_ago| {
        let since = minute + days_ago * 24 * 60 - (hours * 60 + minutes);
        let opened_on = (day - days_ago).rem_euclid(7);
        let opens = window.days.is_empty() || window.days.iter().any(|d| number(*d) == opened_on);
        opens && (0..i64::from(window.minutes)).contains(&since)
    })
}

fn number(day: Weekday) -> i64 {
    match day {
        Weekday::Mon => 0,
        Weekday::Tue => 1,
        Weekday::Wed => 2,
        Weekday::Thu => 3,
        Weekday::Fri => 4,
        Weekday::Sat => 5,
        Weekday::Sun => 6,
    }
}

fn migration_object(act: &Act<'_>) -> Object {
    Object::new("Migration", format!("{} of {}", act.cluster, act.key))
}
