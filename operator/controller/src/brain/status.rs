//! Reporting: one write per change, and none while things are still settling.

use std::{collections::BTreeMap, sync::Arc};

use domicile_core::{
    decide::{SeatVerdict, Verdict, Wish},
    moves::{Wait, move_of, told_cause},
    orders::Outlook,
    report::Situation,
};
use domicile_crds::{
    ClusterName, Problem, SeatStatus, TenantWorkloadStatus, WorkloadKey, condition_of, keys::condition,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::Resource as _;

use super::{
    Brain, Slot,
    events::{news, publish},
    moves::waits_for_somebody,
    outcome::Outcome,
};
use crate::{
    hub::write::{WriteError, workload_status},
    retry::Retry,
};

/// How long a state that isn't final may last before it is written: a copy that becomes ready within it costs one
/// write instead of two.
const SETTLE: SignedDuration = SignedDuration::from_secs(5);
/// The same while a move goes on from a lawful place, since a campaign of a thousand moves would otherwise write each workload twice;
/// and after a start, while members are still being asked: what was said before is more likely than that nobody knows. And before a first
/// placement has its turn: telling a thousand who wait would make them wait longer.
const SETTLE_LONG: SignedDuration = SignedDuration::from_secs(30);
/// How often pods are looked at while a copy isn't ready.
const INSPECT_EVERY: SignedDuration = SignedDuration::from_secs(15);

/// What was found wrong.
#[derive(Debug)]
pub(crate) struct Inspection {
    problems: BTreeMap<ClusterName, Vec<Problem>>,
}

/// A place where a copy is, or is about to be.
struct CopyAt {
    ordinal: i32,
    epoch: i64,
    cluster: ClusterName,
}

impl Brain {
    /// Writes the status of a workload if it says something new and has settled.
    pub(super) fn report(&mut self, verdict: &Verdict, outlook: &Outlook, now: Timestamp) {
        let key = &verdict.key;
        let Some(workload) = self.workloads.get(key).cloned() else { return };
        let mut problems: Vec<Problem> =
            self.problems.get(key).into_iter().flatten().flat_map(|(_, p)| p.clone()).collect();
        problems.extend(self.unreadable_secrets(key));
        problems.sort();
        problems.dedup();
        let situation = Situation {
            world: self.engine.world(),
            classes: self.engine.classes(),
            observed: &self.observed,
            verdict,
            outlook,
            problems: &problems,
            now,
        };
        let old = workload.status.as_ref();
        let next = situation.status(old);
        let stalled = condition_of(&next.conditions, condition::STALLED).is_some();
        let ready = condition_of(&next.conditions, condition::READY).is_some_and(|c| c.status == "True");
        if stalled {
            self.stalled.insert(key.clone())
        } else {
            self.stalled.remove(key)
        };
        let compliant = condition_of(&next.conditions, condition::COMPLIANT);
        if compliant.is_some_and(|c| c.status != "True") {
            self.not_compliant.insert(key.clone())
        } else {
            self.not_compliant.remove(key)
        };
        // After a start, members are still being asked.
        let seats = self.engine.world().active_seats(key);
        let asking = outlook.placement_unknown.is_some()
            || seats.iter().any(|seat| !self.observed.is_known(&seat.cluster, &key.namespace));
        if !asking {
            self.note_held(verdict);
        }
        self.inspect_if_needed(key, outlook, ready, now);
        self.report_moves(key, outlook, now);
        if old == Some(&next) {
            self.unsettled.remove(key);
            return;
        }
        let moving = verdict.seats.iter().any(|seat| matches!(seat.wish, Wish::Move { .. }))
            || self.engine.world().running_moves(key).next().is_some();
        let waits = outlook.waits.iter().any(|(_, wait)| waits_for_somebody(wait));
        // What is held stays so until somebody decides.
        let adopts = outlook.adopting.is_some() || was_adopting(old);
        // An address takes a moment more than a copy: both are told at once.
        let hidden = |conditions| {
            let exposed = condition_of(conditions, condition::EXPOSED).filter(|it| it.status != "True");
            exposed.map(|it| (it.reason.clone(), it.message.clone()))
        };
        let before = old.and_then(|old| hidden(&old.conditions));
        let hidden = hidden(&next.conditions).is_some_and(|it| Some(it) != before);
        let is_down =
            condition_of(&next.conditions, condition::READY).is_some_and(|it| it.reason == "Suspended");
        let final_for_now =
            ((ready || is_down) && !moving && !hidden) || stalled || waits || adopts || outlook.update_held;
        // What is seen to run already is Domicile's in a moment: until then, it is neither there nor to come.
        let is_to_record = |seat: &SeatVerdict| matches!(seat.wish, Wish::Adopt(_));
        let between = outlook.adopting.is_none() && verdict.seats.iter().any(is_to_record);
        let told = final_for_now || !next.problems.is_empty();
        let settled = is_newly_suspended(verdict, old) || (!asking && !between && told);
        let since = *self.unsettled.entry(key.clone()).or_insert(now);
        let is_late = is_newly_lawful_or_not(&next, old) || says_to_answer(old) || holds_no_more(&next, old);
        let in_line = is_untold(old) && self.waits_for_its_turn(key);
        let may_wait = (moving || asking || between || in_line) && !is_late;
        let until = since + if may_wait { SETTLE_LONG } else { SETTLE };
        if !settled && until > now {
            return self.look_again(key, until);
        }
        self.write_status(key, next, now);
    }

    /// Something has begun for a workload: where nothing was told of it yet, it has its time from now on.
    pub(super) fn has_begun(&mut self, key: &WorkloadKey, now: Timestamp) {
        if self.workloads.get(key).is_some_and(|workload| is_untold(workload.status.as_ref())) {
            self.unsettled.insert(key.clone(), now);
        }
    }

    fn write_status(&mut self, key: &WorkloadKey, next: TenantWorkloadStatus, now: Timestamp) {
        let place = (key.clone(), Slot::Status);
        if self.busy.contains(&place) || self.failures.get(&place).is_some_and(|(_, until)| *until > now) {
            return self.look_again(key, now + SignedDuration::from_secs(1));
        }
        let Some(workload) = self.workloads.get(key).cloned() else { return };
        if !self.enter(key, &Slot::Status) {
            return;
        }
        self.unsettled.remove(key);
        self.busy.insert(place);
        let cause = |seat: &SeatStatus| self.cause_of_arrival(key, seat, now);
        let (events, object) = (news(workload.status.as_ref(), &next, cause), workload.object_ref(&()));
        let (hands, at) = (self.hands.clone(), key.clone());
        self.hands.spawn(key, Slot::Status, async move {
            let written = workload_status(&hands.client, &at, &next).await.map(|()| Box::new(next));
            if written.is_ok() && !events.is_empty() {
                // Nothing waits for an event.
                tokio::spawn(async move {
                    for (kind, reason, message) in events {
                        publish(&hands, &object, kind, (reason, message)).await;
                    }
                });
            }
            Outcome::Status(written)
        });
    }

    /// Why a copy went where it is, if its last move is on record.
    fn cause_of_arrival(&self, key: &WorkloadKey, seat: &SeatStatus, now: Timestamp) -> Option<String> {
        let world = self.engine.world();
        let mut moves = world.migrations.get(key)?.values();
        let last = moves.find(|it| it.spec.seat == seat.ordinal && it.spec.epoch == seat.epoch)?;
        Some(told_cause(world, self.engine.classes(), (key, &last.spec), now))
    }

    pub(super) fn status_written(
        &mut self,
        key: &WorkloadKey,
        written: Result<Box<TenantWorkloadStatus>, WriteError>,
    ) -> Option<Retry> {
        match written {
            Ok(status) => {
                if let Some(known) = self.workloads.get_mut(key) {
                    Arc::make_mut(known).status = Some(*status);
                }
                None
            }
            Err(error) => {
                let words = crate::member::chain(&error);
                tracing::warn!(workload = %key, error = %words, "a status was not written");
                Some(error.retry())
            }
        }
    }

    /// Looks at pods when a copy isn't ready, or the target of its move isn't.
    fn inspect_if_needed(&mut self, key: &WorkloadKey, outlook: &Outlook, ready: bool, now: Timestamp) {
        let Some(workload) = self.workloads.get(key).cloned() else { return };
        let has_problems = self.problems.get(key).is_some_and(|p| p.keys().any(|(_, kind)| *kind == "pods"));
        let awaited = self.awaits_target_since(key, outlook);
        let here = self.unsettled.get(key).filter(|_| !ready).copied();
        let unready = |since: &Timestamp| now.duration_since(*since) >= SETTLE;
        let long_unready =
            !ready && !self.unsettled.contains_key(key) && !is_untold(workload.status.as_ref());
        if !(awaited.iter().chain(&here).any(unready) || long_unready || has_problems) {
            // The status is looked at again by itself, and may have settled before.
            return awaited.into_iter().for_each(|since| self.look_again(key, since + SETTLE));
        }
        if let Some(last) = self.inspected.get(key)
            && now.duration_since(*last) < INSPECT_EVERY
        {
            let next = *last + INSPECT_EVERY;
            return self.look_again(key, next);
        }
        let places = self.places(key).into_iter().filter(|place| self.observed.is_reachable(&place.cluster));
        let places: Vec<_> = places.filter_map(|place| Some((self.usable(&place.cluster)?, place))).collect();
        if places.is_empty() || !self.busy.insert((key.clone(), Slot::Inspect)) {
            return;
        }
        self.inspected.insert(key.clone(), now);
        let at = key.clone();
        self.hands.spawn(key, Slot::Inspect, async move {
            let mut inspection = Inspection { problems: BTreeMap::new() };
            for (member, CopyAt { ordinal, epoch, cluster }) in places {
                // What can't be asked leaves what was known.
                if let Ok(problems) = member.problems(&at, (ordinal, epoch)).await {
                    inspection.problems.insert(cluster, problems);
                }
            }
            Outcome::Inspected(inspection)
        });
    }

    /// Since when the target of a move should be ready and isn't, the earliest if there are several. Before it was asked to run, there is
    /// nothing to look at.
    fn awaits_target_since(&self, key: &WorkloadKey, outlook: &Outlook) -> Option<Timestamp> {
        let waiting = outlook.waits.iter().filter(|(_, wait)| matches!(wait, Wait::NotReady(_)));
        let moves = waiting.filter_map(|(ordinal, _)| move_of(self.engine.world(), key, *ordinal));
        moves.filter_map(|it| self.memory.unready_since(key, &it.name)).min()
    }

    /// Where a workload has its copies, and where moves take them.
    fn places(&self, key: &WorkloadKey) -> Vec<CopyAt> {
        let world = self.engine.world();
        let mut places = Vec::new();
        for seat in world.active_seats(key) {
            let (ordinal, cluster) = (seat.ordinal, seat.cluster.clone());
            places.push(CopyAt { ordinal, epoch: seat.epoch, cluster });
            if let Some(migration) = move_of(world, key, ordinal) {
                let (epoch, cluster) = (migration.spec.epoch, migration.spec.to.clone());
                places.push(CopyAt { ordinal, epoch, cluster });
            }
        }
        places
    }

    pub(super) fn inspected(&mut self, key: &WorkloadKey, inspection: Inspection) {
        for (cluster, problems) in inspection.problems {
            if problems.is_empty() {
                self.clear_problem(key, &cluster, "pods");
            } else {
                self.problems.entry(key.clone()).or_default().insert((cluster, "pods"), problems);
            }
        }
        // Where a move was given up, nothing is looked at any more.
        let places = self.places(key);
        if let Some(known) = self.problems.get_mut(key) {
            known.retain(|(at, kind), _| *kind != "pods" || places.iter().any(|place| place.cluster == *at));
        }
    }
}

fn is_untold(status: Option<&TenantWorkloadStatus>) -> bool {
    status.is_none_or(|status| status.conditions.is_empty())
}

/// Whether a copy is to be stopped that the last status called lawful or ready: whoever reads that it is must not find it gone.
fn is_newly_suspended(verdict: &Verdict, old: Option<&TenantWorkloadStatus>) -> bool {
    let says =
        |kind| old.and_then(|old| condition_of(&old.conditions, kind)).is_some_and(|c| c.status == "True");
    verdict.seats.iter().any(|seat| seat.wish == Wish::Suspend)
        && (says(condition::COMPLIANT) || says(condition::READY))
}

/// Whether the last status doesn't say yet that a copy is where it may not be, says it for another reason, or still says it of what may
/// be where it is: that isn't to be read for half a minute.
fn is_newly_lawful_or_not(next: &TenantWorkloadStatus, old: Option<&TenantWorkloadStatus>) -> bool {
    let compliant = |status| condition_of(status, condition::COMPLIANT);
    let unlawful =
        |found: Option<&Condition>| found.filter(|c| c.status == "False").map(|c| c.reason.clone());
    let (next, old) = (compliant(&next.conditions), unlawful(old.and_then(|old| compliant(&old.conditions))));
    // What isn't known for a moment may come to nothing.
    next.is_some_and(|next| next.status != "Unknown") && unlawful(next) != old
}

/// Whether the last status asks for an answer, or tells one: once another is given, it asks for what would do nothing any more, or tells what
/// isn't so.
fn says_to_answer(old: Option<&TenantWorkloadStatus>) -> bool {
    let pending = old.and_then(|old| condition_of(&old.conditions, condition::MOVE_PENDING));
    let asks = [Wait::Answer, Wait::OtherPlan, Wait::Denied].map(|wait| wait.to_string());
    pending.is_some_and(|pending| asks.iter().any(|wait| pending.message.contains(wait)))
}

/// Whether the last status says what held a workload up, and that has changed: what was held and goes on isn't held any more.
fn holds_no_more(next: &TenantWorkloadStatus, old: Option<&TenantWorkloadStatus>) -> bool {
    fn told<'a>(status: &'a TenantWorkloadStatus, kind: &str) -> Option<&'a Condition> {
        condition_of(&status.conditions, kind).filter(|it| it.status == "True")
    }
    let stalled = |status| told(status, condition::STALLED).map(|it| it.reason.as_str());
    let paused =
        |status| told(status, condition::MOVE_PENDING).is_some_and(|it| Wait::is_told_paused(&it.message));
    old.is_some_and(|old| {
        (stalled(old).is_some() && stalled(old) != stalled(next)) || (paused(old) && !paused(next))
    })
}

/// Whether the last status says that something is yet to be put on record.
fn was_adopting(old: Option<&TenantWorkloadStatus>) -> bool {
    let placed = old.and_then(|old| condition_of(&old.conditions, condition::PLACED));
    placed.is_some_and(|placed| placed.reason == "Adopting")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_was_given_is_not_asked_for_any_longer() {
        let pending = |message: &str| -> TenantWorkloadStatus {
            let condition = serde_json::json!({
                "type": "MovePending", "status": "True", "reason": "PreferredPlace", "message": message,
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            });
            serde_json::from_value(serde_json::json!({"conditions": [condition]})).unwrap()
        };
        let asked = pending(&format!("to b because c; {}: kubectl domicile answer", Wait::Answer));
        assert!(says_to_answer(Some(&asked)));
        assert!(says_to_answer(Some(&pending(&format!("to b; {}", Wait::OtherPlan)))));
        assert!(says_to_answer(Some(&pending(&format!("to b; {}", Wait::Denied)))));
        assert!(!says_to_answer(Some(&pending("to b because c"))) && !says_to_answer(None));
    }

    #[test]
    fn what_is_held_up_no_more_is_not_said_to_be() {
        let status = |kind: &str, reason: &str, message: &str| -> TenantWorkloadStatus {
            let condition = serde_json::json!({
                "type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": "2026-01-01T00:00:00Z",
            });
            serde_json::from_value(serde_json::json!({"conditions": [condition]})).unwrap()
        };
        let stuck = status("Stalled", "NoLawfulPlace", "must leave a");
        let paused =
            status("MovePending", "ApprovalRevoked", "to b because c; Installation/default is paused");
        let moves = status("MovePending", "ApprovalRevoked", "to b because c");
        assert!(holds_no_more(&moves, Some(&stuck)) && holds_no_more(&moves, Some(&paused)));
        assert!(
            holds_no_more(&status("Stalled", "MemberUnreachable", ""), Some(&stuck)),
            "for another reason"
        );
        assert!(!holds_no_more(&stuck, Some(&stuck)) && !holds_no_more(&paused, Some(&paused)));
        assert!(!holds_no_more(&stuck, Some(&moves)) && !holds_no_more(&moves, None));
    }

    #[test]
    fn what_became_unlawful_or_is_so_no_more_is_news_once() {
        let compliant = |status: &str, reason: &str| -> TenantWorkloadStatus {
            let condition = serde_json::json!({
                "type": "Compliant", "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-01-01T00:00:00Z",
            });
            serde_json::from_value(serde_json::json!({"conditions": [condition]})).unwrap()
        };
        let (yes, no, unknown) = (compliant("True", "x"), compliant("False", "x"), compliant("Unknown", "x"));
        for old in [None, Some(&yes), Some(&unknown)] {
            assert!(is_newly_lawful_or_not(&no, old), "{old:?}");
        }
        assert!(!is_newly_lawful_or_not(&no, Some(&no)));
        assert!(is_newly_lawful_or_not(&no, Some(&compliant("False", "y"))), "for another reason");
        assert!(is_newly_lawful_or_not(&yes, Some(&no)), "it may be where it is again");
        assert!(!is_newly_lawful_or_not(&yes, Some(&yes)) && !is_newly_lawful_or_not(&yes, None));
        for old in [&yes, &no] {
            let told = is_newly_lawful_or_not(&unknown, Some(old));
            assert!(!told, "nobody knows, and it may come to nothing");
        }
    }
}
