//! What a decision names must be there: nobody can correct it afterwards.

use domicile_crds::{Subject, SubjectKind};

use super::{DecideError, shown};
use crate::args::DecideArgs;
use crate::facts::{Facts, FactsError};
use crate::hub::listed;

/// Its subject.
pub(super) fn subject(facts: &Facts, subject: &Subject) -> Result<(), DecideError> {
    let kind = format!("{:?}", subject.kind);
    let (namespace, name) = subject.name.split_once('/').unwrap_or(("", &subject.name));
    // What is decided of it outlasts it, and can be lifted.
    let is_about = |decision: &serde_json::Value| {
        let field = |path| decision.pointer(path).and_then(serde_json::Value::as_str);
        field("/spec/subject/kind") == Some(&kind) && field("/spec/subject/name") == Some(&subject.name)
    };
    let decided = || facts.snapshot.of_kind("Decision").any(|(_, decision)| is_about(decision));
    if facts.snapshot.get(&kind, namespace, name).is_some() || decided() {
        return Ok(());
    }
    let there = facts.snapshot.of_kind(&kind).map(|((_, namespace, name), _)| {
        if namespace.is_empty() { name.clone() } else { format!("{namespace}/{name}") }
    });
    let there = listed(&there.collect::<Vec<_>>());
    Err(DecideError::Missing { what: format!("{kind} {}", subject.name), there })
}

/// The tenants and sites of its scope, and the decisions whose place it takes.
pub(super) fn others(facts: &Facts, args: &DecideArgs) -> Result<(), DecideError> {
    let tenants = args.tenants.iter().map(|it| (SubjectKind::Tenant, it.to_string()));
    let sites = args.sites.iter().map(|it| (SubjectKind::Site, it.to_string()));
    for (kind, name) in tenants.chain(sites) {
        subject(facts, &Subject { kind, name })?;
    }
    let engine = facts.snapshot.engine(facts.now).map_err(FactsError::from)?;
    let about = engine.world().decisions.about(&args.about.subject);
    for name in &args.supersedes {
        let Some(other) = about.iter().find(|it| it.name == *name) else {
            let there = about.iter().map(|it| it.name.to_string()).collect::<Vec<_>>();
            let what = format!("Decision {name} about {}", shown(&args.about.subject));
            return Err(DecideError::Missing { what, there: listed(&there) });
        };
        let mut entitled = std::iter::once(&other.spec.authority).chain(&other.spec.liftable_by);
        if !entitled.any(|it| *it == args.authority) {
            let (of, authority) = (other.spec.authority.clone(), args.authority.clone());
            return Err(DecideError::NotSuperseded { decision: name.clone(), of, authority });
        }
    }
    Ok(())
}
