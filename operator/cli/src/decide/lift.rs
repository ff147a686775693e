//! What a reinstatement lifts.

use domicile_core::{
    Horizon,
    decisions::{DecisionFact, Effect},
};
use domicile_crds::{DecisionName, SubjectKind, Verdict};

use super::{DecideError, shown};
use crate::args::DecideArgs;
use crate::facts::{Facts, FactsError};
use crate::output;

/// The restrictions of a subject that an authority may lift. Those of others are told of, since they stay.
pub(super) fn liftable(facts: &Facts, args: &DecideArgs) -> Result<Vec<DecisionName>, DecideError> {
    let engine = facts.snapshot.engine(facts.now).map_err(FactsError::from)?;
    let decisions = &engine.world().decisions;
    let mut horizon = Horizon::new(facts.now);
    let mut restricts = |decision: &&DecisionFact| {
        let effect = decisions.effect(decision, &mut horizon);
        let over = matches!(effect, Effect::Expired | Effect::Superseded(_));
        !over && decision.spec.decision != Verdict::Approved
    };
    let all: Vec<_> = decisions.about(&args.about.subject).iter().filter(|it| restricts(it)).collect();
    let authority = &args.authority;
    let is_ours = |decision: &&&DecisionFact| {
        decision.spec.authority == *authority || decision.spec.liftable_by.contains(authority)
    };
    let (ours, others): (Vec<_>, Vec<_>) = all.iter().partition(is_ours);
    let told = |decision: &&&DecisionFact| {
        format!("Decision/{} ({:?}) is of {}", decision.name, decision.spec.decision, decision.spec.authority)
    };
    let told = others.iter().map(told).collect::<Vec<_>>().join(", ");
    match (ours.is_empty(), others.is_empty()) {
        (true, true) => Err(DecideError::NothingToLift(shown(&args.about.subject))),
        (true, false) => Err(DecideError::NotEntitled {
            authority: authority.clone(),
            subject: shown(&args.about.subject),
            restrictions: told,
        }),
        (false, others_are_none) => {
            if !others_are_none {
                output::note(format!(
                    "note: this stays in force, and only its own authority can lift it: {told}"
                ));
            }
            Ok(ours.into_iter().map(|decision| decision.name.clone()).collect())
        }
    }
}

/// What lifting does beyond that, for a provider that nobody has ever approved: what takes the place of a restriction is an approval.
pub(super) fn approves(facts: &Facts, args: &DecideArgs) -> Result<Option<String>, FactsError> {
    let engine = facts.snapshot.engine(facts.now)?;
    let decisions = engine.world().decisions.about(&args.about.subject);
    let is_new = !decisions.iter().any(|decision| decision.spec.decision == Verdict::Approved);
    let is_provider = args.about.subject.kind == SubjectKind::HostingProvider;
    Ok((is_new && is_provider).then(|| {
        format!("nobody has ever approved {}: what lifts this also approves it", shown(&args.about.subject))
    }))
}
