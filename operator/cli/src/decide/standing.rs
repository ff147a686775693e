//! How a decision stands among those that there are.

use std::{fmt::Write as _, sync::Arc};

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

/// Whether a decision, once it is written, waits until another user has made the same.
pub(super) fn waits_for_another(facts: &Facts, decision: &Decision) -> Result<bool, DecideError> {
    let engine = with(facts, decision)?;
    let name = DecisionName::new(decision.metadata.name.as_deref().unwrap_or_default())?;
    let fact = DecisionFact { name, spec: Arc::new(decision.spec.clone()) };
    let effect = engine.world().decisions.effect(&fact, &mut Horizon::new(begins(facts, decision)));
    Ok(effect == Effect::ByOneAlone)
}

/// That the same authority has decided the same, and that it counts, if so.
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
    let Some(same) = same else { return Ok(None) };
    let (subject, of) = (shown(&spec.subject), &spec.authority);
    let mut note = format!("{subject} is {:?} already, by Decision/{} of {of}", spec.decision, same.name);
    // What it takes the place of doesn't stay.
    let engine = with(facts, decision)?;
    let (after, mut horizon) = (&engine.world().decisions, Horizon::new(begins(facts, decision)));
    let stricter = after.about(&spec.subject).iter().filter(|other| other.spec.decision > spec.decision);
    if let Some(other) = stricter.filter(|it| after.effect(it, &mut horizon) == Effect::InForce).last() {
        let (what, by) = (other.spec.decision, &other.spec.authority);
        let _ = write!(
            note,
            "; but Decision/{} of {by} counts, too, by which it is {what:?}, and that stays",
            other.name
        );
    }
    Ok(Some(note))
}
