//! How a decision stands among those that there are.

use std::sync::Arc;

use domicile_core::{
    Engine, Horizon,
    decisions::{DecisionFact, Effect},
};
use domicile_crds::{Decision, DecisionName};
use jiff::Timestamp;

use super::{DecideError, object, shown};
use crate::facts::{Facts, FactsError};

/// What would hold with a decision.
fn with(facts: &Facts, decision: &Decision) -> Result<Engine, DecideError> {
    let mut snapshot = facts.snapshot.clone();
    snapshot.put(object(decision));
    Ok(snapshot.engine(facts.now).map_err(FactsError::from)?)
}

/// When it begins, or now if it has begun.
pub(super) fn begins(facts: &Facts, decision: &Decision) -> Timestamp {
    decision.spec.valid_from.as_ref().map_or(facts.now, |from| from.0.max(facts.now))
}

/// That a decision waits, once it is written, until another user has made the same.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Waits {
    /// Who has made it.
    user: String,
    /// As what that user has made it before.
    before: Vec<DecisionName>,
}

impl Waits {
    /// What is said before it is written: again by the same user, it adds nothing.
    pub(super) fn warning(&self) -> Option<String> {
        let Self { user, before } = self;
        let warning = format!(
            "{user} has decided the same already, by {}: another user must, and this adds nothing",
            named(before)
        );
        (!before.is_empty()).then_some(warning)
    }

    /// What is said once it is written.
    pub(super) fn told(&self) -> String {
        let so_far = match self.before.as_slice() {
            [] => String::new(),
            before => format!(" So far only {} has, also by {}.", self.user, named(before)),
        };
        format!(
            "It counts when a second user has made the same decision: run the same command as somebody else.{so_far}\n"
        )
    }
}

fn named(decisions: &[DecisionName]) -> String {
    decisions.iter().map(|name| format!("Decision/{name}")).collect::<Vec<_>>().join(", ")
}

/// Whether a decision, once it is written, waits until another user has made the same.
pub(super) fn waits(facts: &Facts, decision: &Decision) -> Result<Option<Waits>, DecideError> {
    let engine = with(facts, decision)?;
    let (decisions, spec) = (&engine.world().decisions, &decision.spec);
    let mut horizon = Horizon::new(begins(facts, decision));
    let name = DecisionName::new(decision.metadata.name.as_deref().unwrap_or_default())?;
    let mut is_alone = |fact: &DecisionFact| decisions.effect(fact, &mut horizon) == Effect::ByOneAlone;
    if !is_alone(&DecisionFact { name: name.clone(), spec: Arc::new(spec.clone()) }) {
        return Ok(None);
    }
    let is_same = |other: &&DecisionFact| {
        let lifts = |it: &DecisionName| other.spec.supersedes.contains(it);
        (other.spec.decision, &other.spec.decided_by) == (spec.decision, &spec.decided_by)
            && other.name != name
            && other.spec.scope.meets(&spec.scope)
            && (spec.supersedes.is_empty() || spec.supersedes.iter().any(lifts))
    };
    let same = decisions.about(&spec.subject).iter().filter(is_same);
    let before = same.filter(|other| is_alone(other)).map(|other| other.name.clone()).collect();
    Ok(Some(Waits { user: spec.decided_by.clone(), before }))
}

/// What counts already and makes a decision do less than its author may think: the same by the same authority, or a stricter one.
pub(super) fn already(facts: &Facts, decision: &Decision) -> Result<Option<String>, DecideError> {
    let engine = facts.snapshot.engine(facts.now).map_err(FactsError::from)?;
    let (decisions, spec) = (&engine.world().decisions, &decision.spec);
    let mut horizon = Horizon::new(facts.now);
    let mut all = decisions.about(&spec.subject).iter();
    let same = all.find(|other| {
        let scope = &other.spec.scope;
        (other.spec.decision, &other.spec.authority) == (spec.decision, &spec.authority)
            && (scope.is_empty() || *scope == spec.scope)
            && decisions.effect(other, &mut horizon) == Effect::InForce
    });
    let same = same.map(|same| {
        let (subject, of) = (shown(&spec.subject), &spec.authority);
        format!("{subject} is {:?} already, by Decision/{} of {of}", spec.decision, same.name)
    });
    // What it takes the place of doesn't stay.
    let engine = with(facts, decision)?;
    let (after, mut horizon) = (&engine.world().decisions, Horizon::new(begins(facts, decision)));
    let stays = |other: &&DecisionFact| {
        other.spec.decision > spec.decision
            && other.spec.scope.meets(&spec.scope)
            && after.effect(other, &mut horizon) == Effect::InForce
    };
    let stricter = after.about(&spec.subject).iter().filter(stays).last().map(|other| {
        let (what, by) = (other.spec.decision, &other.spec.authority);
        format!("Decision/{} of {by} counts, too, by which it is {what:?}, and that stays until it is lifted: `kubectl domicile reinstate`", other.name)
    });
    Ok(match (same, stricter) {
        (Some(same), Some(stricter)) => Some(format!("{same}; but {stricter}")),
        (same, stricter) => same.or(stricter),
    })
}
