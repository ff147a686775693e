//! How a decision stands among those that there are.

use std::{fmt::Write as _, sync::Arc};

use domicile_core::{
    Horizon,
    decisions::{DecisionFact, Effect},
};
use domicile_crds::{Decision, DecisionName};

use super::{DecideError, object, shown};
use crate::facts::{Facts, FactsError};

/// Whether a decision, once it is written, waits until another user has made the same.
pub(super) fn waits_for_another(facts: &Facts, decision: &Decision) -> Result<bool, DecideError> {
    let mut snapshot = facts.snapshot.clone();
    snapshot.put(object(decision));
    let engine = snapshot.engine(facts.now).map_err(FactsError::from)?;
    let name = DecisionName::new(decision.metadata.name.as_deref().unwrap_or_default())?;
    let fact = DecisionFact { name, spec: Arc::new(decision.spec.clone()) };
    let from = fact.spec.valid_from.as_ref().map_or(facts.now, |from| from.0.max(facts.now));
    let effect = engine.world().decisions.effect(&fact, &mut Horizon::new(from));
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
    let stricter = decisions.about(&spec.subject).iter().filter(|other| other.spec.decision > spec.decision);
    if let Some(other) = stricter.filter(|it| decisions.effect(it, &mut horizon) == Effect::InForce).last() {
        let (what, by) = (other.spec.decision, &other.spec.authority);
        let _ = write!(
            note,
            "; but Decision/{} of {by} counts, too, by which it is {what:?}, and that stays",
            other.name
        );
    }
    Ok(Some(note))
}
