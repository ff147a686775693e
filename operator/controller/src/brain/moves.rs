//! Reporting of moves and campaigns. What goes on by itself costs one write, at its end.

use std::collections::BTreeMap;

use domicile_core::{
    decide::{Verdict, Wish},
    moves::{Wait, campaign_of, is_over},
    orders::Outlook,
    text::shorten,
};
use domicile_crds::{
    Migration, MigrationSpec, MigrationStatus, MigrationStep, Relocation, RelocationName, RelocationStatus,
    WorkloadKey, condition_of, keys::condition,
};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::Api;

use super::{Brain, Slot, claim::Claim, outcome::Outcome};
use crate::hub::write::{apply_status, migration_status};

/// How long a move goes on before it is said how far it is: that costs a write.
const LONG: SignedDuration = SignedDuration::from_secs(30);

impl Brain {
    /// Says in a Migration what it waits for, where somebody may look for that.
    pub(super) fn report_moves(&mut self, key: &WorkloadKey, outlook: &Outlook, now: Timestamp) {
        let Some(moves) = self.migrations.get(key).cloned() else { return };
        let place = (key.clone(), Slot::Status);
        for migration in moves.values().filter(|migration| !has_ended(migration)) {
            let waits = outlook.waits.iter().filter(|(ordinal, _)| *ordinal == migration.spec.seat);
            let waits: Vec<&Wait> = waits.map(|(_, wait)| wait).collect();
            let wait = waits.iter().find_map(|wait| self.delay(key, wait));
            let wait = wait.or_else(|| self.lasts((key, migration), waits.first().copied(), now));
            let old = migration.status.clone().unwrap_or_default();
            let step = self.step_of(key, migration);
            // A move that waited and goes on doesn't wait any more.
            let has_waited = old.step == Some(MigrationStep::Waiting);
            if wait.is_none() && !says_stalled(&old) && !(has_waited && step > MigrationStep::Waiting) {
                continue;
            }
            if self.failures.get(&place).is_some_and(|(_, until)| *until > now) {
                return self.look_again(key, now + SignedDuration::from_secs(1));
            }
            let (stalled, message) = wait.unwrap_or_else(|| (None, "it goes on".to_owned()));
            let next = MigrationStatus {
                observed_generation: migration.metadata.generation,
                step: Some(step),
                message: Some(shorten(&message)),
                started_at: old.started_at.clone().or_else(|| {
                    let name = migration.metadata.name.as_deref().unwrap_or_default();
                    self.memory.started(key, name).map(Time)
                }),
                conditions: conditions(migration, step, stalled, &message, now),
                ..MigrationStatus::default()
            };
            if old == next || self.busy.contains(&place) || !self.enter(key, &place.1) {
                continue;
            }
            self.busy.insert(place.clone());
            let (hands, at) = (self.hands.clone(), key.clone());
            let name = migration.metadata.name.clone().unwrap_or_default();
            self.hands.spawn(key, Slot::Status, async move {
                let written: Result<Migration, _> = migration_status(&hands.client, &at, &name, &next).await;
                Outcome::MoveStatus(written.map(Box::new))
            });
            return;
        }
    }

    /// How far a move is that takes long. One that doesn't costs no write before its end.
    fn lasts(
        &mut self,
        (key, migration): (&WorkloadKey, &Migration),
        wait: Option<&Wait>,
        now: Timestamp,
    ) -> Option<(Option<&'static str>, String)> {
        let began = self.memory.under_way_since(key, migration.metadata.name.as_deref()?)?;
        if began + LONG > now {
            self.look_again(key, began + LONG);
            return None;
        }
        let MigrationSpec { from, to, .. } = &migration.spec;
        let message = match (wait, self.step_of(key, migration)) {
            (Some(wait), _) => wait.to_string(),
            (None, MigrationStep::Switched) => format!("{to} serves, and {from} is being cleaned up"),
            (None, _) => format!("{to} is being brought up"),
        };
        Some((None, message))
    }

    /// What a move waits for, if somebody would want to know, and in one word if a person must act.
    fn delay(&self, key: &WorkloadKey, wait: &Wait) -> Option<(Option<&'static str>, String)> {
        if let Wait::NotReady(at) = wait {
            let problems = self.problems.get(key)?.iter().filter(|((cluster, _), _)| cluster == at);
            let problem = problems.flat_map(|(_, problems)| problems).next()?;
            let message = format!("{wait}: {}: {} ({})", problem.object, problem.reason, problem.message);
            return Some((Some("TargetNotReady"), message));
        }
        waits_for_somebody(wait).then(|| (must_act(wait), wait.to_string()))
    }

    fn step_of(&self, key: &WorkloadKey, migration: &Migration) -> MigrationStep {
        let seat = self.engine.world().seat(key, migration.spec.seat);
        let name = migration.metadata.name.as_deref().unwrap_or_default();
        if seat.is_some_and(|seat| is_over(&migration.spec, seat)) {
            MigrationStep::Switched
        } else if self.memory.begun(key, name).is_some() {
            MigrationStep::Starting
        } else {
            MigrationStep::Waiting
        }
    }

    /// What is written of a move that has ended.
    pub(super) fn last_status(
        &self,
        key: &WorkloadKey,
        name: &str,
        (step, message): (MigrationStep, &str),
        now: Timestamp,
    ) -> MigrationStatus {
        let migration = self.migrations.get(key).and_then(|moves| moves.get(name));
        let known = migration.and_then(|it| it.status.as_ref()?.started_at.clone());
        let started = known.or_else(|| self.memory.started(key, name).map(Time));
        MigrationStatus {
            observed_generation: migration.and_then(|m| m.metadata.generation),
            step: Some(step),
            message: Some(shorten(message)),
            started_at: started,
            finished_at: Some(Time(now)),
            conditions: migration.map(|m| conditions(m, step, None, message, now)).unwrap_or_default(),
        }
    }

    /// Writes the counts of campaigns that have changed.
    pub(super) fn report_campaigns(&mut self, now: Timestamp) {
        for (name, mut status) in self.campaigns() {
            let Some(known) = self.relocations.get(&name) else { continue };
            let before = known.status.as_ref().map_or(&[][..], |old| old.conditions.as_slice());
            let generation = known.metadata.generation;
            status.observed_generation = generation;
            status.conditions = vec![campaign(&status).merge(before, generation, now)];
            if known.status.as_ref() == Some(&status) {
                continue;
            }
            let client = self.hands.client.clone();
            tokio::spawn(async move {
                let api: Api<Relocation> = Api::all(client);
                if let Err(error) = apply_status(&api, name.as_str(), &status).await {
                    tracing::warn!(relocation = %name, %error, "a campaign's status was not written");
                }
            });
        }
    }

    fn campaigns(&self) -> BTreeMap<RelocationName, RelocationStatus> {
        let mut counts: BTreeMap<RelocationName, RelocationStatus> = BTreeMap::new();
        for (key, moves) in &self.migrations {
            for (migration_name, migration) in moves {
                let Some(name) = &migration.spec.relocation else { continue };
                let status = counts.entry(name.clone()).or_default();
                match migration.status.as_ref().and_then(|s| s.step) {
                    Some(MigrationStep::Completed) => status.done += 1,
                    Some(MigrationStep::RolledBack | MigrationStep::Failed) => {}
                    _ if self.memory.under_way_since(key, migration_name).is_some() => status.moving += 1,
                    _ => status.pending += 1,
                }
            }
        }
        for name in self.held.values() {
            counts.entry(name.clone()).or_default().held += 1;
        }
        counts
    }

    /// Takes note of whether a workload must leave and can't, which counts in the campaign of its cause.
    pub(super) fn note_held(&mut self, verdict: &Verdict) {
        let stuck = verdict.seats.iter().find_map(|seat| match &seat.wish {
            Wish::Stuck { cause, .. } => Some(campaign_of(cause)),
            _ => None,
        });
        match stuck {
            Some(campaign) => self.held.insert(verdict.key.clone(), campaign),
            None => self.held.remove(&verdict.key),
        };
    }
}

pub(super) fn campaign(status: &RelocationStatus) -> Claim {
    let left = status.pending + status.moving;
    if status.held > 0 {
        let message = format!(
            "{left} to move: {} under way, {} done; {} must leave and can't: see their status",
            status.moving, status.done, status.held
        );
        return Claim::ready(false, "Held", message);
    }
    if left == 0 {
        return Claim::ready(true, "Done", format!("nothing is left to move: {} done", status.done));
    }
    Claim::ready(
        false,
        "Moving",
        format!("{left} to move: {} under way, {} done", status.moving, status.done),
    )
}

fn has_ended(migration: &Migration) -> bool {
    migration.status.as_ref().and_then(|status| status.step).is_some_and(MigrationStep::is_final)
}

fn says_stalled(status: &MigrationStatus) -> bool {
    condition_of(&status.conditions, condition::STALLED).is_some_and(|c| c.status == "True")
}

pub(super) fn conditions(
    migration: &Migration,
    step: MigrationStep,
    stalled: Option<&'static str>,
    message: &str,
    now: Timestamp,
) -> Vec<Condition> {
    let before = migration.status.as_ref().map_or(&[][..], |status| status.conditions.as_slice());
    let reason = match step {
        MigrationStep::Waiting => "Waiting",
        MigrationStep::Starting => "Starting",
        MigrationStep::Switched => "Switched",
        MigrationStep::Removing => "Removing",
        MigrationStep::Completed => "Completed",
        MigrationStep::RolledBack => "RolledBack",
        MigrationStep::Failed => "Failed",
    };
    let claims = [
        Claim::ready(step == MigrationStep::Completed, reason, message),
        Claim::stalled(stalled.is_some(), stalled.unwrap_or(reason), message),
    ];
    claims.iter().map(|claim| claim.merge(before, migration.metadata.generation, now)).collect()
}

/// Why a person must act, if so. Nothing is wrong where a tenant hasn't answered: the copy may be where it is.
pub(super) fn must_act(wait: &Wait) -> Option<&'static str> {
    match wait {
        Wait::Paused(_) => Some("Paused"),
        Wait::Unreachable(_) => Some("MemberUnreachable"),
        Wait::Frozen(_) => Some("Frozen"),
        Wait::SiteMissing(_) => Some("SiteMissing"),
        Wait::Closed(_) => Some("TargetClosed"),
        Wait::Taken(_) => Some("NamespaceTaken"),
        Wait::Originals(_) => Some("OriginalRemains"),
        Wait::Held(_) => Some("SourceHeld"),
        Wait::Newer(..) => Some("RecordOlder"),
        Wait::Orphaned => Some("Orphaned"),
        Wait::InventoryFull => Some("InventoryFull"),
        Wait::Answer
        | Wait::OtherPlan
        | Wait::Denied
        | Wait::Aborted(_)
        | Wait::Window(_)
        | Wait::Budget(_)
        | Wait::NotReady(_)
        | Wait::NoAddress(_)
        | Wait::Settles(_)
        | Wait::Followed(_)
        | Wait::NotIdle(_)
        | Wait::Draining(_)
        | Wait::Retry(_) => None,
    }
}

/// Whether a person would want to know what is waited for, since it takes as long as somebody takes.
pub(super) fn waits_for_somebody(wait: &Wait) -> bool {
    let waits_for_time_or_tenant = matches!(
        wait,
        Wait::Answer | Wait::OtherPlan | Wait::Denied | Wait::Aborted(_) | Wait::Window(_) | Wait::Retry(_)
    );
    waits_for_time_or_tenant || must_act(wait).is_some()
}

#[cfg(test)]
mod tests {
    use domicile_crds::ClusterName;
    use serde_json::json;

    use super::*;

    fn migration(conditions: &[Condition]) -> Migration {
        serde_json::from_value(json!({
            "metadata": {"name": "web-0", "generation": 2},
            "spec": {
                "workload": "web", "tenant": "shop", "seat": 0, "from": "ams-1", "to": "bru-1", "epoch": 2,
                "generation": 1, "cause": {"kind": "PreferredPlace", "subject": "Site/be-bru"}, "compulsory": false,
                "digest": "0123456789abcdef",
            },
            "status": {"conditions": conditions},
        }))
        .unwrap()
    }

    fn said(conditions: &[Condition]) -> Vec<String> {
        conditions.iter().map(|c| format!("{}={} {}", c.type_, c.status, c.reason)).collect()
    }

    #[test]
    fn a_move_is_ready_when_it_is_completed_and_stalled_while_a_person_must_act() {
        let (early, late) = (Timestamp::UNIX_EPOCH, Timestamp::from_second(60).unwrap());
        let away = Wait::Unreachable(ClusterName::new("ams-1").unwrap());
        let cases = [
            (MigrationStep::Waiting, Some(Wait::Answer), ["Ready=False Waiting", "Stalled=False Waiting"]),
            (MigrationStep::Switched, Some(away), ["Ready=False Switched", "Stalled=True MemberUnreachable"]),
            (
                MigrationStep::Waiting,
                Some(Wait::Window(late)),
                ["Ready=False Waiting", "Stalled=False Waiting"],
            ),
            (MigrationStep::Completed, None, ["Ready=True Completed", "Stalled=False Completed"]),
            (MigrationStep::RolledBack, None, ["Ready=False RolledBack", "Stalled=False RolledBack"]),
        ];
        let before = conditions(&migration(&[]), MigrationStep::Starting, None, "", early);
        for (step, wait, expected) in cases {
            let next = conditions(&migration(&before), step, wait.as_ref().and_then(must_act), "", late);
            assert_eq!(said(&next), expected);
            for (old, new) in before.iter().zip(&next) {
                let same = old.status == new.status;
                assert_eq!(old.last_transition_time == new.last_transition_time, same, "{new:?}");
            }
        }
    }
}
