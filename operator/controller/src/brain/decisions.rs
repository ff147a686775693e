//! What is said of decisions: whether each counts, and whether it does what its author must have meant.

use std::{collections::BTreeMap, sync::Arc};

use domicile_core::{
    Horizon, World,
    decisions::{DecisionFact, Effect},
};
use domicile_crds::{
    Decision, DecisionName, DecisionSpec, ProviderName, SiteName, Subject, SubjectKind, TenantName, Verdict,
    WorkloadKey, keys::condition,
};
use jiff::{SignedDuration, Timestamp};
use kube::ResourceExt as _;

use super::claim::Claim;

/// How long before the day somebody is reminded that a decision is to be looked at again.
const REVIEW_NOTICE: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The strictest decision in force about each subject, looked up once.
#[derive(Debug, Default)]
pub(super) struct Strictest(BTreeMap<Subject, Option<(Verdict, DecisionName)>>);

impl Strictest {
    /// A decision about the same subject that is in force and stricter than this one.
    fn than(&mut self, world: &World, fact: &DecisionFact, now: Timestamp) -> Option<&DecisionName> {
        let subject = &fact.spec.subject;
        let strictest = self.0.entry(subject.clone()).or_insert_with(|| {
            let strictest = counting(world, subject, now);
            let strictest = strictest.iter().max_by_key(|other| other.spec.decision)?;
            Some((strictest.spec.decision, strictest.name.clone()))
        });
        strictest.as_ref().filter(|(verdict, _)| *verdict > fact.spec.decision).map(|(_, name)| name)
    }
}

/// The decisions about a subject that count at present, wherever they are in scope.
pub(super) fn counting<'a>(world: &'a World, subject: &Subject, now: Timestamp) -> Vec<&'a DecisionFact> {
    let mut horizon = Horizon::new(now);
    let counts = |decision: &&DecisionFact| {
        let effect = world.decisions.effect(decision, &mut horizon);
        let needs = matches!(effect, Effect::PredecessorMissing | Effect::ByOneAlone);
        let void = decision.spec.decision == Verdict::Approved && needs;
        !void && !matches!(effect, Effect::NotYet | Effect::Expired | Effect::Superseded(_))
    };
    world.decisions.about(subject).iter().filter(counts).collect()
}

pub(super) fn decision(
    world: &World,
    object: &Decision,
    strictest: &mut Strictest,
    now: Timestamp,
) -> Vec<Claim> {
    let Ok(name) = DecisionName::new(&object.name_any()) else { return Vec::new() };
    let fact = DecisionFact { name, spec: Arc::new(object.spec.clone()) };
    let (counts, mut reason, mut message) = match world.decisions.effect(&fact, &mut Horizon::new(now)) {
        Effect::InForce => ("True", "InForce", "it counts".to_owned()),
        Effect::NotYet => ("False", "NotYet", "spec.validFrom has not come yet".to_owned()),
        Effect::Expired => ("False", "Expired", "spec.validUntil has passed".to_owned()),
        Effect::Superseded(by) => ("False", "Superseded", format!("Decision/{by} has taken its place")),
        Effect::SupersededInPart(by) => {
            ("True", "SupersededInPart", format!("within its scope, Decision/{by} has taken its place"))
        }
        Effect::ByOneAlone => {
            let counts = if fact.spec.decision == Verdict::Approved { "False" } else { "True" };
            let message =
                "by itself it approves and lifts nothing: another user must decide the same (twoPersonRule)";
            (counts, "ByOneAlone", message.to_owned())
        }
        Effect::PredecessorMissing => {
            let missing = fact.spec.supersedes.iter().find(|name| !world.decisions.knows(name));
            let missing = missing.map(ToString::to_string).unwrap_or_default();
            let counts = if fact.spec.decision == Verdict::Approved { "False" } else { "True" };
            (
                counts,
                "DecisionMissing",
                format!("spec.supersedes names Decision/{missing}, which doesn't exist"),
            )
        }
    };
    if counts == "True"
        && let Some(stricter) = strictest.than(world, &fact, now)
    {
        reason = if reason == "InForce" { "StricterInForce" } else { reason };
        message =
            format!("{message}, but Decision/{stricter} is stricter, and holds wherever it is in scope");
    }
    let needs = ["DecisionMissing", "ByOneAlone"].contains(&reason).then(|| (reason, message.clone()));
    let ready = match needs.or_else(|| in_vain(world, &fact)) {
        Some((reason, message)) => Claim::ready(false, reason, message),
        None => Claim::ready(true, "Used", message.clone()),
    };
    let review = Some(&object.spec).filter(|_| counts == "True").and_then(|spec| review(spec, now));
    let in_force = Claim::new(condition::IN_FORCE, counts, reason, message);
    [ready, in_force].into_iter().chain(review).collect()
}

/// That a decision is to be looked at again: `reviewOn` is a reminder, and ends nothing.
fn review(spec: &DecisionSpec, now: Timestamp) -> Option<Claim> {
    let day = spec.review_on.as_ref()?.0;
    let is_near = day.duration_since(now) <= REVIEW_NOTICE;
    let (due, message) = if day <= now {
        (
            "Now",
            format!(
                "{} was to look at it again on {day}: it counts as before until that is done",
                spec.authority
            ),
        )
    } else {
        (
            "Soon",
            format!(
                "{} is to look at it again on {day}: until then and afterwards it counts as before",
                spec.authority
            ),
        )
    };
    is_near.then(|| Claim::new(condition::REVIEW_DUE, "True", due, message))
}

/// Why a decision doesn't do what its author must have meant, if so.
fn in_vain(world: &World, fact: &DecisionFact) -> Option<(&'static str, String)> {
    let subject = &fact.spec.subject;
    if let Some(other) = world.decisions.not_lifted(fact) {
        let (name, about) = (&other.name, &other.spec.subject);
        if about != subject {
            let message = format!(
                "spec.supersedes names Decision/{name}, which is about {:?}/{} and stays in force",
                about.kind, about.name
            );
            return Some(("OtherSubject", message));
        }
        let message = format!(
            "Decision/{name} stays in force: it is of {}, and its spec.liftableBy doesn't name {}",
            other.spec.authority, fact.spec.authority
        );
        return Some(("NotEntitled", message));
    }
    let name = &subject.name;
    let exists = match subject.kind {
        _ if subject.is_every() => true,
        SubjectKind::HostingProvider => {
            ProviderName::new(name).is_ok_and(|name| world.providers.contains(&name))
        }
        SubjectKind::Site => SiteName::new(name).is_ok_and(|name| world.sites.contains_key(&name)),
        SubjectKind::Tenant => TenantName::new(name).is_ok_and(|name| world.tenants.contains_key(&name)),
        SubjectKind::TenantWorkload => {
            let (namespace, name) = name.split_once('/').unwrap_or_default();
            WorkloadKey::new(namespace, name).is_ok_and(|key| world.workloads.contains_key(&key))
        }
    };
    let message = || {
        format!("no {:?}/{name} is known: create it, or decide about the name that was meant", subject.kind)
    };
    (!exists).then(|| ("SubjectMissing", message()))
}

/// What is said of a decision that can't be read, given what is said of the strictest that it may mean.
pub(super) fn unreadable(object: &Decision, error: &str, strictest: &[Claim]) -> Vec<Claim> {
    let spec = &object.spec;
    if spec.decision == Verdict::Approved {
        let message = format!("it can't be read, and approves nothing: {error}");
        return vec![
            Claim::ready(false, "Unreadable", message.clone()),
            Claim::new(condition::IN_FORCE, "False", "Unreadable", message),
        ];
    }
    let about = if spec.subject.is_every() {
        "every subject".to_owned()
    } else {
        format!("{:?}/{}", spec.subject.kind, spec.subject.name)
    };
    let message = format!("it can't be read, and counts as {:?} for {about}: {error}", spec.decision);
    let in_force = strictest.iter().filter(|claim| claim.kind == condition::IN_FORCE).cloned();
    [Claim::ready(false, "Unreadable", message)].into_iter().chain(in_force).collect()
}

#[cfg(test)]
mod tests {
    use domicile_core::{Change, Engine};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_decision_that_does_nothing_says_so() {
        let now = Timestamp::UNIX_EPOCH;
        let mut engine = Engine::default();
        for provider in ["runs", "owns"] {
            let spec = json!({"legalName": provider, "registeredIn": "NL"});
            let spec = serde_json::from_value(spec).unwrap();
            engine.apply(Change::Provider(provider.parse().unwrap(), Some(spec)), now);
        }
        let decision_of = |name: &str,
                           authority: &str,
                           (subject, verdict): (&str, &str),
                           supersedes: &[&str]|
         -> Decision {
            serde_json::from_value(json!({"metadata": {"name": name}, "spec": {
                "subject": {"kind": "HostingProvider", "name": subject}, "decision": verdict, "basis": "Law",
                "authority": authority, "decidedBy": "ann", "reason": "because", "supersedes": supersedes,
            }}))
            .unwrap()
        };
        let all = [
            decision_of("frozen", "ministry", ("runs", "Frozen"), &[]),
            decision_of("approved", "board", ("runs", "Approved"), &[]),
            decision_of("lifted", "board", ("runs", "Approved"), &["frozen"]),
            decision_of("typo", "board", ("rnus", "Revoked"), &[]),
            decision_of("other", "ministry", ("rnus", "Approved"), &["frozen"]),
            decision_of("suspended", "board", ("owns", "Suspended"), &["nothing"]),
            decision_of("trusted", "board", ("owns", "Approved"), &[]),
        ];
        for object in &all {
            let name = object.metadata.name.clone().unwrap().parse().unwrap();
            engine.apply(Change::Decision(name, Some(Arc::new(object.spec.clone()))), now);
        }
        let mut strictest = Strictest::default();
        let said: Vec<String> = all
            .iter()
            .map(|object| {
                let claims = decision(engine.world(), object, &mut strictest, now);
                let conditions: Vec<_> = claims.iter().map(|claim| claim.merge(&[], None, now)).collect();
                format!(
                    "{}: {}; {}: {}",
                    conditions[0].reason, conditions[0].message, conditions[1].reason, conditions[1].message
                )
            })
            .collect();
        let stricter = "it counts, but Decision/frozen is stricter, and holds wherever it is in scope";
        assert_eq!(
            said,
            [
                "Used: it counts; InForce: it counts".to_owned(),
                format!("Used: {stricter}; StricterInForce: {stricter}"),
                format!(
                    "NotEntitled: Decision/frozen stays in force: it is of ministry, and its spec.liftableBy doesn't name board; StricterInForce: {stricter}"
                ),
                "SubjectMissing: no HostingProvider/rnus is known: create it, or decide about the name that was meant; InForce: it counts".to_owned(),
                "OtherSubject: spec.supersedes names Decision/frozen, which is about HostingProvider/runs and stays in force; \
                 StricterInForce: it counts, but Decision/typo is stricter, and holds wherever it is in scope"
                    .to_owned(),
                "DecisionMissing: spec.supersedes names Decision/nothing, which doesn't exist; \
                 DecisionMissing: spec.supersedes names Decision/nothing, which doesn't exist"
                    .to_owned(),
                "Used: it counts, but Decision/suspended is stricter, and holds wherever it is in scope; \
                 StricterInForce: it counts, but Decision/suspended is stricter, and holds wherever it is in scope"
                    .to_owned(),
            ]
        );
    }

    /// docs/rules.md: nobody can delete it, and `status --stuck` would name it for good.
    #[test]
    fn what_was_decided_about_a_misspelt_name_is_taken_back_by_what_ends() {
        let now: Timestamp = "2026-06-01T12:00:00Z".parse().unwrap();
        let of = |name: &str, more: serde_json::Value| -> Decision {
            let mut spec = json!({
                "subject": {"kind": "HostingProvider", "name": "rnus"}, "decision": "Revoked", "basis": "Law", "authority": "board",
                "decidedBy": "ann", "reason": "because",
            });
            spec.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            serde_json::from_value(json!({"metadata": {"name": name}, "spec": spec})).unwrap()
        };
        let back = json!({"supersedes": ["typo"], "validUntil": "2026-06-01T12:00:00Z"});
        let mut engine = Engine::default();
        let told = |engine: &Engine, object: &Decision| {
            let claims = decision(engine.world(), object, &mut Strictest::default(), now);
            let conditions = claims.iter().map(|claim| claim.merge(&[], None, now));
            conditions.map(|it| format!("{} {}", it.status, it.reason)).collect::<Vec<_>>()
        };
        let all = [of("typo", json!({})), of("back", back)];
        engine.apply(Change::Decision("typo".parse().unwrap(), Some(Arc::new(all[0].spec.clone()))), now);
        assert_eq!(told(&engine, &all[0]), ["False SubjectMissing", "True InForce"]);
        engine.apply(Change::Decision("back".parse().unwrap(), Some(Arc::new(all[1].spec.clone()))), now);
        assert_eq!(told(&engine, &all[0]), ["False SubjectMissing", "False Superseded"]);
        assert_eq!(told(&engine, &all[1]), ["False SubjectMissing", "False Expired"]);
    }

    #[test]
    fn a_review_is_told_of_a_fortnight_before_and_ends_nothing() {
        let spec: DecisionSpec = serde_json::from_value(json!({
            "subject": {"kind": "Site", "name": "a"}, "decision": "Frozen", "basis": "Precaution", "authority": "ministry",
            "decidedBy": "ann", "reason": "because", "reviewOn": "2026-06-15T00:00:00Z",
        }))
        .unwrap();
        let at = |day: &str| review(&spec, day.parse().unwrap()).map(|claim| claim.reason);
        assert_eq!(at("2026-05-31T23:59:59Z"), None);
        assert_eq!(at("2026-06-01T00:00:00Z"), Some("Soon"));
        assert_eq!(at("2026-06-15T00:00:00Z"), Some("Now"));
        assert_eq!(at("2027-06-15T00:00:00Z"), Some("Now"));
        assert!(review(&DecisionSpec { review_on: None, ..spec }, Timestamp::MAX).is_none());
    }
}
