//! What a reinstatement lifts, and what a decision approves beyond that.

use domicile_core::{
    Horizon,
    decisions::{DecisionFact, Effect},
};
use domicile_crds::{Decision, DecisionName, Scope, SubjectKind, Verdict};

use super::scope::{is_covered, told, until};
use super::standing::begins;
use super::{Act, DecideError, shown};
use crate::args::DecideArgs;
use crate::facts::{Facts, FactsError};
use crate::output;

/// What is lifted.
#[derive(Debug, Default)]
pub(super) struct Lifted {
    /// Restrictions.
    pub names: Vec<DecisionName>,
    /// Where and for whom.
    pub scope: Scope,
}

/// The restrictions of a subject that an authority may lift, of those that are meant. What stays is told of.
pub(super) fn lifted(facts: &Facts, args: &DecideArgs) -> Result<Lifted, DecideError> {
    let engine = facts.snapshot.engine(facts.now).map_err(FactsError::from)?;
    let decisions = &engine.world().decisions;
    let mut horizon = Horizon::new(facts.now);
    let restricts = |decision: &&DecisionFact| {
        let effect = decisions.effect(decision, &mut horizon);
        let over = matches!(effect, Effect::Expired | Effect::Superseded(_));
        !over && decision.spec.decision != Verdict::Approved
    };
    let has_begun = |decision: &&DecisionFact| {
        let from = decision.spec.valid_from.as_ref();
        args.supersedes.contains(&decision.name) || from.is_none_or(|from| from.0 <= facts.now)
    };
    let (own, authority) = (args.scope(), &args.authority);
    let is_meant = |decision: &&DecisionFact| {
        let is_named = args.supersedes.is_empty() || args.supersedes.contains(&decision.name);
        is_named && own.meets(&decision.spec.scope)
    };
    let is_ours = |decision: &&DecisionFact| {
        decision.spec.authority == *authority || decision.spec.liftable_by.contains(authority)
    };
    let all = decisions.about(&args.about.subject).iter().filter(restricts);
    let (all, to_come): (Vec<_>, Vec<_>) = all.partition(has_begun);
    if !to_come.is_empty() {
        let names = named(&to_come);
        output::note(format!(
            "note: this hasn't begun and will; --supersedes names it to lift it, too: {names}"
        ));
    }
    let (meant, left): (Vec<_>, Vec<_>) = all.into_iter().partition(is_meant);
    let (ours, others): (Vec<_>, Vec<_>) = meant.into_iter().partition(is_ours);
    if ours.is_empty() && others.is_empty() {
        return Err(DecideError::NothingToLift(meaning(args)));
    }
    if ours.is_empty() {
        let (authority, subject) = (authority.clone(), shown(&args.about.subject));
        return Err(DecideError::NotEntitled { authority, subject, restrictions: named(&others) });
    }
    if !others.is_empty() {
        let others = named(&others);
        output::note(format!("note: this stays in force, and only its own authority can lift it: {others}"));
    }
    if !left.is_empty() {
        output::note(format!("note: this stays in force, since it isn't what you name: {}", named(&left)));
    }
    let scope = if own.is_empty() { common(args, &ours)? } else { own };
    Ok(Lifted { names: ours.into_iter().map(|decision| decision.name.clone()).collect(), scope })
}

/// What was to be lifted, in words.
fn meaning(args: &DecideArgs) -> String {
    let scope = args.scope();
    let whom = if scope.is_empty() { String::new() } else { format!(" {}", told(&scope)) };
    let names = args.supersedes.iter().map(|name| format!("Decision/{name}")).collect::<Vec<_>>();
    let by = if names.is_empty() { String::new() } else { format!(" by {}", names.join(", ")) };
    format!("{}{whom}{by}", shown(&args.about.subject))
}

fn named(decisions: &[&DecisionFact]) -> String {
    let told = |it: &&DecisionFact| {
        format!("Decision/{} ({:?}) is of {}", it.name, it.spec.decision, it.spec.authority)
    };
    decisions.iter().map(told).collect::<Vec<_>>().join(", ")
}

/// The scope that all of them have. One decision in the place of several would hold where some of them don't.
fn common(args: &DecideArgs, ours: &[&DecisionFact]) -> Result<Scope, DecideError> {
    let Some(first) = ours.first().map(|decision| &decision.spec.scope) else { return Ok(Scope::default()) };
    let is_same = |it: &&DecisionFact| it.spec.scope.contains(first) && first.contains(&it.spec.scope);
    if ours.iter().all(is_same) {
        return Ok(first.clone());
    }
    let told = |it: &&DecisionFact| format!("Decision/{} ({})", it.name, told(&it.spec.scope));
    Err(DecideError::SeveralScopes {
        authority: args.authority.clone(),
        subject: shown(&args.about.subject),
        restrictions: ours.iter().map(told).collect::<Vec<_>>().join(", "),
    })
}

/// What a decision approves beyond what it says by itself: for whom, where or for how long no approval in force does. What takes the
/// place of a restriction is an approval, too.
pub(super) fn beyond(facts: &Facts, decision: &Decision, what: Act) -> Result<Option<String>, FactsError> {
    let spec = &decision.spec;
    if spec.subject.kind != SubjectKind::HostingProvider || spec.decision != Verdict::Approved {
        return Ok(None);
    }
    let engine = facts.snapshot.engine(facts.now)?;
    let decisions = &engine.world().decisions;
    let mut horizon = Horizon::new(begins(facts, decision));
    let about = decisions.about(&spec.subject).iter();
    let approvals: Vec<_> = about.filter(|it| it.spec.decision == Verdict::Approved).collect();
    let effects: Vec<_> = approvals.iter().map(|it| (*it, decisions.effect(it, &mut horizon))).collect();
    let end = |spec: &domicile_crds::DecisionSpec| spec.valid_until.as_ref().map(|end| end.0);
    let lasts = |it: &DecisionFact| end(&it.spec).is_none_or(|its| end(spec).is_some_and(|end| end <= its));
    let covering = effects.iter().filter(|(it, effect)| *effect == Effect::InForce && lasts(it));
    let covering: Vec<_> = covering.map(|(it, _)| &it.spec.scope).collect();
    if is_covered(facts, &spec.scope, &covering) {
        return Ok(None);
    }
    let (subject, whom) = (shown(&spec.subject), until(&spec.scope, end(spec)));
    let counts = |effect: &Effect| matches!(effect, Effect::InForce | Effect::SupersededInPart(_));
    let in_force = effects.iter().filter(|(_, effect)| counts(effect));
    let in_force =
        in_force.map(|(it, _)| format!("Decision/{} ({})", it.name, until(&it.spec.scope, end(&it.spec))));
    let in_force = in_force.collect::<Vec<_>>().join(", ");
    Ok(match (in_force.as_str(), what) {
        // That is what was asked for.
        ("", Act::Verdict(_)) => None,
        ("", Act::Reinstate) if approvals.is_empty() => {
            Some(format!("nobody has ever approved {subject}: what lifts this also approves it, {whom}"))
        }
        ("", Act::Reinstate) => {
            Some(format!("no approval of {subject} is in force: what lifts this also approves it, {whom}"))
        }
        (in_force, _) => {
            Some(format!("this approves {subject} {whom}; that is more than what is in force: {in_force}"))
        }
    })
}
