//! `kubectl domicile approve`, `freeze`, `suspend`, `revoke` and `reinstate`: Decisions, with what they would bring about.

use domicile_crds::{Decision, DecisionName, DecisionSpec, Ground, Subject, SubjectKind, Verdict, yaml};
use jiff::Timestamp;
use k8s_openapi::api::authentication::v1::SelfSubjectReview;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::{Api, PostParams};
use serde_json::Value;

use crate::args::{DecideArgs, HubArgs};
use crate::ask::{self, AskError};
use crate::cluster::{Cluster, ClusterError, FIELD_MANAGER};
use crate::facts::{Facts, FactsError};
use crate::plan::{self, Plan, PlanError, What};
use crate::{output, status};
use lift::Lifted;

mod lift;
mod named;
mod scope;
mod standing;
#[cfg(test)]
mod tests;

/// Nothing was decided.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// A request failed.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The facts can't be had.
    #[error("nobody can say what the decision would bring about")]
    Facts(#[from] FactsError),
    /// What it would bring about can't be said.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Only providers are approved.
    #[error("a {0:?} needs no approval: `reinstate` lifts what restricts it")]
    NeedsNone(SubjectKind),
    /// Nothing restricts it.
    #[error("nothing is revoked, suspended or frozen about {0}: there is nothing to reinstate")]
    NothingToLift(String),
    /// Somebody else restricts it.
    #[error(
        "{authority} can't lift anything about {subject}: {restrictions}; whoever restricted it can, or an authority in its liftableBy (--authority)"
    )]
    NotEntitled {
        /// In whose name.
        authority: String,
        /// What.
        subject: String,
        /// Who restricts it.
        restrictions: String,
    },
    /// What could be lifted doesn't hold for the same.
    #[error(
        "what {authority} can lift about {subject} holds for different scopes: {restrictions}; say with --tenant, --site or --country for which it is lifted, or lift one at a time with --supersedes"
    )]
    SeveralScopes {
        /// In whose name.
        authority: String,
        /// What.
        subject: String,
        /// What restricts it, with its scopes.
        restrictions: String,
    },
    /// What it names isn't there.
    #[error("there is no {what}; {}", if .there.is_empty() { "there is none at all".to_owned() } else { format!("there are {}", .there) })]
    Missing {
        /// Which one.
        what: String,
        /// Those that there are.
        there: String,
    },
    /// It would not take the place of another.
    #[error("Decision/{decision} is of {of}: {authority} can't put anything in its place")]
    NotSuperseded {
        /// The other.
        decision: DecisionName,
        /// Who may.
        of: String,
        /// In whose name.
        authority: String,
    },
    /// It would never count.
    #[error("--valid-until {until} isn't after {begins}, when it would begin: it would never count")]
    Ended {
        /// Its end.
        until: Timestamp,
        /// Its begin.
        begins: Timestamp,
    },
    /// The server doesn't say who asks.
    #[error("the hub doesn't say who you are, and a Decision must name who decided it")]
    Nobody,
    /// It isn't meant.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// The name isn't one.
    #[error("the Decision needs a shorter name: --name")]
    Name(#[from] domicile_crds::NameError),
}

/// What a command decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Something that stands by itself.
    Verdict(Verdict),
    /// Lifts what restricts.
    Reinstate,
}

/// Runs a command; returns what goes to stdout.
///
/// # Errors
///
/// If nothing can be decided, isn't meant, or the hub refuses.
pub async fn run(args: &DecideArgs, what: Act, options: &HubArgs) -> Result<String, DecideError> {
    if what == Act::Verdict(Verdict::Approved) && args.about.subject.kind != SubjectKind::HostingProvider {
        return Err(DecideError::NeedsNone(args.about.subject.kind));
    }
    let hub = Cluster::hub(&options.target()).await?;
    let facts = Facts::of_hub(&hub).await?;
    named::subject(&facts, &args.about.subject)?;
    if let Err(error) = named::others(&facts, args) {
        // It may be for later: what is printed can be looked at, and be written once that is there.
        if !args.print {
            return Err(error);
        }
        output::note(format!("note: {error}"));
    }
    let decision = decision(&facts, args, what, whoami(&hub).await?)?;
    let object = object(&decision);
    notes(&facts, args, what, &decision)?;
    if args.print {
        return Ok(yaml::document(&object));
    }
    status::warn(&hub, options).await;
    let waits = standing::waits(&facts, &decision)?;
    if let Some(warning) = waits.as_ref().and_then(standing::Waits::warning) {
        output::note(format!("note: {warning}"));
    }
    let plan = plan::with(&facts, &object)?;
    output::note(plan::told(&plan));
    confirm(args, &plan)?;
    let waits = waits.map(|waits| waits.told()).unwrap_or_default();
    let api = Api::<Decision>::all(hub.client.clone());
    let params = PostParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let name = decision.metadata.name.clone().unwrap_or_default();
    api.create(&params, &decision).await.map_err(hub.failed(format!("create Decision {name}")))?;
    Ok(said(&decision) + &waits)
}

/// What is told before anything else is.
fn notes(facts: &Facts, args: &DecideArgs, what: Act, decision: &Decision) -> Result<(), DecideError> {
    if let Some(on) = args.review_on.filter(|on| *on <= facts.now) {
        output::note(format!("note: --review-on {on} has passed: the review is due at once"));
    }
    let already = standing::already(facts, decision)?.filter(|_| what != Act::Reinstate);
    for note in already.into_iter().chain(lift::beyond(facts, decision, what)?) {
        output::note(format!("note: {note}"));
    }
    Ok(())
}

/// What was written.
fn said(decision: &Decision) -> String {
    let DecisionSpec { subject, decision: verdict, basis, scope, supersedes, .. } = &decision.spec;
    let name = decision.metadata.name.as_deref().unwrap_or_default();
    let whom = if scope.is_empty() { String::new() } else { format!(" {}", scope::told(scope)) };
    let lifts = supersedes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let lifts = if lifts.is_empty() { String::new() } else { format!(" in place of {}", lifts.join(", ")) };
    let subject = shown(subject);
    format!(
        "decision.domicile.dev/{name} created: {subject} {verdict:?}{whom}{lifts}, on the ground {basis:?}\n"
    )
}

/// The object as it is written.
fn object(decision: &Decision) -> Value {
    serde_json::to_value(decision).unwrap_or_default()
}

fn decision(
    facts: &Facts,
    args: &DecideArgs,
    what: Act,
    decided_by: String,
) -> Result<Decision, DecideError> {
    let (verdict, word, lifted) = match what {
        Act::Verdict(verdict) => {
            let lifted = Lifted { names: Vec::new(), scope: args.scope() };
            (verdict, format!("{verdict:?}").to_lowercase(), lifted)
        }
        Act::Reinstate => (Verdict::Approved, "reinstated".to_owned(), lift::lifted(facts, args)?),
    };
    let default = match verdict {
        Verdict::Frozen => Ground::Precaution,
        Verdict::Approved if what != Act::Reinstate => Ground::Contract,
        _ => Ground::Finding,
    };
    let begins = args.valid_from.map_or(facts.now, |from| from.max(facts.now));
    if let Some(until) = args.valid_until.filter(|until| *until <= begins) {
        return Err(DecideError::Ended { until, begins });
    }
    let mut supersedes = args.supersedes.clone();
    supersedes.extend(lifted.names.into_iter().filter(|name| !args.supersedes.contains(name)));
    let time = |at: Option<Timestamp>| at.map(Time);
    let spec = DecisionSpec {
        subject: args.about.subject.clone(),
        decision: verdict,
        basis: args.basis.map_or(default, Into::into),
        valid_from: time(args.valid_from),
        valid_until: time(args.valid_until),
        scope: lifted.scope,
        authority: args.authority.clone(),
        decided_by,
        reason: args.reason.clone(),
        evidence: args.evidence.clone(),
        review_on: time(args.review_on),
        contested: false,
        supersedes,
        liftable_by: args.liftable_by.clone(),
    };
    let name = match &args.name {
        Some(name) => name.clone(),
        None => free_name(facts, &args.about.subject, &word)?,
    };
    Ok(Decision::new(name.as_str(), spec))
}

/// A name that no Decision has: subject, what is decided, and the day.
fn free_name(facts: &Facts, subject: &Subject, word: &str) -> Result<DecisionName, domicile_crds::NameError> {
    let day = facts.now.strftime("%Y-%m-%d");
    let stem = format!("{}-{word}-{day}", subject.name.replace('/', "-"));
    let taken = |name: &String| facts.snapshot.get("Decision", "", name).is_some();
    let others = (2..).map(|number| format!("{stem}-{number}"));
    let name = std::iter::once(stem.clone()).chain(others).find(|name| !taken(name)).unwrap_or_default();
    DecisionName::new(&name)
}

/// The user as the API server knows it.
async fn whoami(hub: &Cluster) -> Result<String, DecideError> {
    let api = Api::<SelfSubjectReview>::all(hub.client.clone());
    let answer = api.create(&PostParams::default(), &SelfSubjectReview::default()).await;
    let answer = answer.map_err(hub.failed("ask who you are"))?;
    let user = answer.status.and_then(|status| status.user_info).and_then(|user| user.username);
    user.ok_or(DecideError::Nobody)
}

/// Asks for the subject, as it was typed, if workloads would move or stop.
fn confirm(args: &DecideArgs, plan: &Plan) -> Result<(), DecideError> {
    let hurts =
        |what| matches!(what, What::MustMove | What::Move | What::Stuck | What::Suspend | What::Leave);
    if args.yes || !plan.steps.iter().any(|step| hurts(step.what)) {
        return Ok(());
    }
    ask::for_name(&args.about.typed, "the subject once more", "decide that", "workloads would move or stop")?;
    Ok(())
}

fn shown(subject: &Subject) -> String {
    format!("{:?}/{}", subject.kind, subject.name)
}
