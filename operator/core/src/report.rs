//! What a tenant is told: the status of its workload.

use domicile_crds::{
    ClusterName, MigrationMode, PROBLEMS_MAX, Place, Problem, SeatStatus, TenantName, TenantWorkloadStatus,
    WorkloadKey, condition_of, keys::condition,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

use crate::{
    Rule, RuleSet, World,
    class::Classes,
    decide::{Obstacle, SeatVerdict, Verdict, Wish},
    moves::Wait,
    observed::Observed,
    orders::{Outlook, is_ready},
    text::{cause_name, shorten},
};

mod exposed;
mod lawful;
mod placed;
mod sources;

/// The reason of a workload that waits until its predecessor's copies have gone.
const SUCCEEDING: &str = "EarlierCopies";

/// Everything that a status is made from.
#[derive(Debug)]
pub struct Situation<'a> {
    /// The facts.
    pub world: &'a World,
    /// The classes.
    pub classes: &'a Classes,
    /// What was seen on members.
    pub observed: &'a Observed,
    /// What should become of it.
    pub verdict: &'a Verdict,
    /// What is done next, and what is waited for.
    pub outlook: &'a Outlook,
    /// What is wrong on members.
    pub problems: &'a [Problem],
    /// The instant.
    pub now: Timestamp,
}

/// One condition before it is merged with what was there.
struct Claim {
    kind: &'static str,
    status: &'static str,
    reason: String,
    message: String,
}

impl Claim {
    fn new(kind: &'static str, status: &'static str, reason: &str, message: &str) -> Self {
        Self { kind, status, reason: reason.to_owned(), message: shorten(message) }
    }
}

impl Situation<'_> {
    fn key(&self) -> &WorkloadKey {
        &self.verdict.key
    }

    /// The status, with `old` kept where nothing changed.
    #[must_use]
    pub fn status(&self, old: Option<&TenantWorkloadStatus>) -> TenantWorkloadStatus {
        let generation = self.world.workloads.get(self.key()).map(|w| w.generation);
        let seats = self.seats(old.map_or(&[], |old| &old.seats));
        let row = self.classes.of(self.key());
        let placed = self.placed(row);
        let compliant = self.compliant(row);
        let stalled = self.stalled(&placed);
        let pending = self.move_pending();
        let ready = self.ready(&seats, &placed, stalled.as_ref());
        let exposed = self.exposed(old.map_or(&[], |old| &old.conditions));
        let claims = [Some(ready), Some(placed), Some(compliant), exposed, pending, stalled];
        let homeless = |seat: &SeatVerdict| {
            matches!(seat.wish, Wish::Wait | Wish::Stuck { obstacle: Obstacle::NoLawfulPlace, .. })
        };
        let unplaced = self.verdict.seats.iter().any(homeless);
        let mut problems = self.problems.to_vec();
        problems.sort();
        problems.truncate(PROBLEMS_MAX);
        TenantWorkloadStatus {
            observed_generation: generation,
            conditions: merge(
                claims.into_iter().flatten(),
                old.map_or(&[], |old| &old.conditions),
                generation,
                self.now,
            ),
            seats,
            problems,
            candidates: row.filter(|_| unplaced).map(|row| self.candidates(row)).unwrap_or_default(),
            compliant_until: row.and_then(|row| self.compliant_until(row)).map(|at| Time(whole_seconds(at))),
        }
    }

    fn seats(&self, old: &[SeatStatus]) -> Vec<SeatStatus> {
        if self.world.is_succeeding(self.key()) {
            return Vec::new();
        }
        let seats = self.world.active_seats(self.key()).into_iter();
        seats
            .map(|seat| SeatStatus {
                ordinal: seat.ordinal,
                place: place(self.world, &seat.cluster),
                epoch: seat.epoch,
                ready: is_ready(self.world, self.observed, self.key(), seat),
                endpoints: self.endpoints(seat, old),
            })
            .collect()
    }

    /// Why a copy is left exactly as it is, if one is.
    fn left_as_it_is(&self) -> Option<String> {
        let row = self.classes.of(self.key());
        self.verdict.seats.iter().find_map(|seat| {
            let (word, rules) = match seat.wish {
                Wish::Freeze => ("frozen", seat.failing.intersection(RuleSet::FREEZING)),
                Wish::Hold => ("held", seat.failing),
                _ => return None,
            };
            let (rule, certain) =
                rules.first().map(|rule| (rule, true)).or(seat.unknown.first().map(|rule| (rule, false)))?;
            Some(format!("{word} on {}", self.finding(row, Some(seat.at.as_ref()?), rule, certain)))
        })
    }

    fn move_pending(&self) -> Option<Claim> {
        if self.world.is_succeeding(self.key()) {
            return None;
        }
        self.verdict.seats.iter().find_map(|seat| {
            let running = crate::moves::move_of(self.world, self.key(), seat.ordinal)
                .or_else(|| self.world.running_moves(self.key()).find(|m| m.spec.seat == seat.ordinal));
            let wait = self.outlook.waits.iter().find(|(ordinal, _)| *ordinal == seat.ordinal);
            let (to, cause) = match (&seat.wish, running) {
                (_, Some(migration)) => (migration.spec.to.clone(), migration.spec.cause.clone()),
                (Wish::Move { to, cause, .. }, None) => (to.clone(), cause.clone()),
                _ => return None,
            };
            let there = place(self.world, &to);
            let country = there.country.map(|c| c.to_string()).unwrap_or_default();
            let provider = there.provider.map(|p| p.to_string()).unwrap_or_default();
            let mut message = format!("to {to} ({country}, {provider}) because {cause}");
            if let Some((_, wait)) = wait {
                message = format!("{message}; {wait}");
            }
            if let (Some((_, Wait::Answer | Wait::OtherPlan)), Some(migration)) = (wait, running)
                && self.answers_count(&migration.spec.tenant)
            {
                let namespace = &self.key().namespace;
                message =
                    format!("{message}: kubectl domicile answer -n {namespace} {} approve", migration.name);
            }
            Some(Claim::new(condition::MOVE_PENDING, "True", &cause_name(&cause), &message))
        })
    }

    /// Whether a tenant's moves begin once it approves: those of one that moves by hand never do.
    fn answers_count(&self, tenant: &TenantName) -> bool {
        let tenant = self.world.tenants.get(tenant);
        tenant.is_some_and(|tenant| tenant.migration.mode == MigrationMode::Approval)
    }

    fn stalled(&self, placed: &Claim) -> Option<Claim> {
        let claim = |reason: &str, message: &str| Claim::new(condition::STALLED, "True", reason, message);
        if placed.reason == SUCCEEDING {
            return None;
        }
        if self.outlook.adopting.as_ref().is_some_and(|adopting| self.now < adopting.settles) {
            return None;
        }
        if placed.status != "True" {
            return Some(claim(&placed.reason, &placed.message));
        }
        let stopped = self.record_is_older().or_else(|| self.source_stays());
        if let Some((reason, message)) = stopped.or_else(|| self.stopped_for_good()) {
            return Some(claim(reason, &message));
        }
        if let Some((reason, message)) = self.original_remains().or_else(|| self.is_held()) {
            return Some(claim(reason, &message));
        }
        for seat in &self.verdict.seats {
            if let Wish::Stuck { cause, obstacle } = &seat.wish {
                let at = seat.at.as_ref().map(ToString::to_string).unwrap_or_default();
                let nearest = self.nearest_elsewhere(*obstacle);
                let message =
                    format!("must leave {at} because {cause}, but {obstacle}{nearest}; nothing is deleted");
                return Some(claim(obstacle.name(), &message));
            }
        }
        let unreachable = || self.not_stopped_yet().filter(|(reason, _)| *reason == "MemberUnreachable");
        let left = self.cut_off().or_else(|| self.cannot_leave());
        let left = left.or_else(|| self.is_full());
        if let Some((reason, message)) = left.or_else(unreachable).or_else(|| self.cannot_expose()) {
            return Some(claim(reason, &message));
        }
        let fatal = [
            "ImmutableField",
            "ManifestRejected",
            "NameTaken",
            "SecretMissing",
            "SecretForbidden",
            "HubNotAllowed",
        ];
        let problem = self.problems.iter().find(|problem| fatal.contains(&problem.reason.as_str()))?;
        Some(claim(&problem.reason, &format!("{}: {}", problem.object, problem.message)))
    }

    fn ready(&self, seats: &[SeatStatus], placed: &Claim, stalled: Option<&Claim>) -> Claim {
        let claim =
            |status, reason: &str, message: &str| Claim::new(condition::READY, status, reason, message);
        if placed.status != "True" {
            return claim("False", &placed.reason, &placed.message);
        }
        // What is wrong at the target of a move keeps nothing from serving at its source.
        let is_here = |problem: &&Problem| {
            let mut here = self.verdict.seats.iter().filter_map(|seat| seat.at.as_ref());
            here.any(|at| at.as_str() == problem.cluster)
        };
        if let Some(problem) = self.problems.iter().find(is_here) {
            let message = format!("{} on {}: {}", problem.object, problem.cluster, problem.message);
            return claim("False", &problem.reason, &message);
        }
        let stale = |seat: &&SeatVerdict| seat.failing.contains(Rule::ObservationStale);
        if let Some(at) = self.verdict.seats.iter().find(stale).and_then(|seat| seat.at.as_ref()) {
            let message =
                format!("MemberCluster/{at} was last seen too long ago: nobody knows whether it is");
            return claim("Unknown", Rule::ObservationStale.name(), &message);
        }
        if let Some(seat) = self.verdict.seats.iter().find(|seat| seat.wish == Wish::Suspend) {
            let row = self.classes.of(self.key());
            let why = self.finding(row, seat.at.as_ref(), Rule::ApprovalSuspended, true);
            let done = ("Suspended", format!("it is kept scaled to zero: {why}"));
            let (reason, message) = self.not_stopped_yet().unwrap_or(done);
            return claim("False", reason, &message);
        }
        let ready = seats.iter().filter(|seat| seat.ready).count();
        let wanted = self.verdict.seats.iter().filter(|seat| seat.wish != Wish::Leave).count();
        let held = self.left_as_it_is();
        if self.outlook.update_held {
            let why = held.map(|held| format!(" ({held})")).unwrap_or_default();
            let message =
                format!("the last change isn't applied, because what runs must be left as it is{why}");
            return claim("False", "UpdateHeld", &message);
        }
        match stalled {
            Some(stalled) if ready < wanted => claim("False", &stalled.reason, &stalled.message),
            _ if ready < wanted => {
                claim("False", "Progressing", &format!("{ready} of {wanted} copies are ready"))
            }
            _ => {
                let held = held.map(|held| format!("; {held}")).unwrap_or_default();
                claim("True", "Ready", &format!("{ready} of {wanted} copies are ready{held}"))
            }
        }
    }
}

/// A cluster with its site, country and provider.
#[must_use]
pub fn place(world: &World, cluster: &ClusterName) -> Place {
    let site = world.find_cluster(cluster).and_then(|id| world.site_of(id));
    Place {
        cluster: cluster.clone(),
        site: site.map(|(name, _)| name.clone()),
        country: site.map(|(_, fact)| fact.country),
        provider: site.map(|(_, fact)| fact.operated_by.clone()),
    }
}

/// Kubernetes keeps whole seconds; a finer time would differ from itself after a round trip.
fn whole_seconds(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

/// The claims as conditions: `lastTransitionTime` moves only when the status does, and what nobody claims any more is gone.
fn merge(
    claims: impl Iterator<Item = Claim>,
    old: &[Condition],
    generation: Option<i64>,
    now: Timestamp,
) -> Vec<Condition> {
    let now = whole_seconds(now);
    claims
        .map(|claim| {
            let since = condition_of(old, claim.kind).filter(|c| c.status == claim.status);
            Condition {
                type_: claim.kind.to_owned(),
                status: claim.status.to_owned(),
                reason: claim.reason,
                message: claim.message,
                observed_generation: generation,
                last_transition_time: since.map_or(Time(now), |c| c.last_transition_time.clone()),
            }
        })
        .collect()
}
