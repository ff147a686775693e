//! What holds for a subject: the strictest of its decisions that nothing has taken the place of.

use std::{collections::HashMap, sync::Arc};

use domicile_crds::{CountryCode, DecisionName, DecisionSpec, Scope, SiteName, Subject, TenantName, Verdict};
use jiff::Timestamp;

use crate::Horizon;

/// A decision as the core keeps it.
#[derive(Clone, Debug)]
pub struct DecisionFact {
    /// Its name.
    pub name: DecisionName,
    /// What it says.
    pub spec: Arc<DecisionSpec>,
}

impl DecisionFact {
    fn from(&self) -> Option<Timestamp> {
        self.spec.valid_from.as_ref().map(|t| t.0)
    }

    fn until(&self) -> Option<Timestamp> {
        self.spec.valid_until.as_ref().map(|t| t.0)
    }
}

/// All decisions, by subject and by name.
#[derive(Clone, Debug, Default)]
pub struct Decisions {
    by_subject: HashMap<Subject, Vec<DecisionFact>>,
    subjects: HashMap<DecisionName, Subject>,
}

/// For whom and where a decision is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The candidate's site.
    pub site: &'a SiteName,
    /// Its country.
    pub country: CountryCode,
    /// The tenant.
    pub tenant: &'a TenantName,
}

/// What holds for a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// The strictest decision that counts.
    Decided(Verdict),
    /// No decision counts; an approval in scope ended by its date.
    Expired,
    /// No decision counts; an approval is in force elsewhere or for others.
    OutOfScope,
    /// No decision counts.
    Undecided,
}

impl Decisions {
    /// Adds or replaces a decision. Answers the subject that it is about.
    pub fn insert(&mut self, name: DecisionName, spec: Arc<DecisionSpec>) -> Subject {
        self.remove(&name);
        let subject = spec.subject.clone();
        self.subjects.insert(name.clone(), subject.clone());
        let list = self.by_subject.entry(subject.clone()).or_default();
        let at = list.partition_point(|other| other.name < name);
        list.insert(at, DecisionFact { name, spec });
        subject
    }

    /// Removes a decision. Answers the subject that it was about.
    pub fn remove(&mut self, name: &DecisionName) -> Option<Subject> {
        let subject = self.subjects.remove(name)?;
        if let Some(list) = self.by_subject.get_mut(&subject) {
            list.retain(|other| other.name != *name);
            if list.is_empty() {
                self.by_subject.remove(&subject);
            }
        }
        Some(subject)
    }

    /// The decisions about a subject, by name.
    #[must_use]
    pub fn about(&self, subject: &Subject) -> &[DecisionFact] {
        self.by_subject.get(subject).map_or(&[], Vec::as_slice)
    }

    /// The subjects of decisions that name `name` as their predecessor.
    pub fn subjects_naming<'a>(&'a self, name: &'a DecisionName) -> impl Iterator<Item = Subject> + 'a {
        let names = move |list: &&Vec<DecisionFact>| list.iter().any(|d| d.spec.supersedes.contains(name));
        self.by_subject.iter().filter(move |(_, list)| names(list)).map(|(subject, _)| subject.clone())
    }

    /// Whether there is a decision of this name.
    #[must_use]
    pub fn knows(&self, name: &DecisionName) -> bool {
        self.subjects.contains_key(name)
    }

    /// Whether `decision` names a predecessor that doesn't exist.
    #[must_use]
    pub fn misses_predecessor(&self, decision: &DecisionFact) -> bool {
        decision.spec.supersedes.iter().any(|name| !self.subjects.contains_key(name))
    }

    /// What holds for `subject` under these circumstances.
    pub fn standing(&self, subject: &Subject, at: &Circumstances<'_>, horizon: &mut Horizon) -> Standing {
        let all = self.about(subject);
        let mut strictest = None;
        let mut expired = false;
        let mut elsewhere = false;
        for decision in all {
            let spec = &decision.spec;
            let begun = horizon.has_begun(decision.from());
            let ended = horizon.has_ended(decision.until());
            if !begun || self.replaced(decision, all, at, horizon) || self.is_void(decision) {
                continue;
            }
            let approved = spec.decision == Verdict::Approved;
            match (in_scope(&spec.scope, at), ended) {
                (true, false) => strictest = strictest.max(Some(spec.decision)),
                (true, true) => expired |= approved,
                (false, false) => elsewhere |= approved,
                (false, true) => {}
            }
        }
        match strictest {
            Some(verdict) => Standing::Decided(verdict),
            None if expired => Standing::Expired,
            None if elsewhere => Standing::OutOfScope,
            None => Standing::Undecided,
        }
    }

    /// Whether a decision counts at present, wherever it is in scope.
    pub fn effect(&self, decision: &DecisionFact, horizon: &mut Horizon) -> Effect {
        if !horizon.has_begun(decision.from()) {
            return Effect::NotYet;
        }
        let all = self.about(&decision.spec.subject);
        let successor = all.iter().find(|other| {
            let names = other.spec.supersedes.contains(&decision.name);
            names && entitled(decision, other) && !self.is_void(other) && horizon.has_begun(other.from())
        });
        match successor {
            Some(other) if other.spec.scope.is_empty() => Effect::Superseded(other.name.clone()),
            _ if self.misses_predecessor(decision) => Effect::PredecessorMissing,
            _ if horizon.has_ended(decision.until()) => Effect::Expired,
            Some(other) => Effect::SupersededInPart(other.name.clone()),
            None => Effect::InForce,
        }
    }

    /// An approval that names a predecessor which doesn't exist neither counts nor lifts anything.
    fn is_void(&self, decision: &DecisionFact) -> bool {
        decision.spec.decision == Verdict::Approved && self.misses_predecessor(decision)
    }

    /// Whether another decision has taken the place of this one. It never comes back, not even when the other ends.
    fn replaced(
        &self,
        decision: &DecisionFact,
        all: &[DecisionFact],
        at: &Circumstances<'_>,
        horizon: &mut Horizon,
    ) -> bool {
        let mut replaced = false;
        for other in all {
            let spec = &other.spec;
            let entitled = entitled(decision, other);
            let names = spec.supersedes.contains(&decision.name);
            if names && entitled && in_scope(&spec.scope, at) && !self.is_void(other) {
                replaced |= horizon.has_begun(other.from());
            }
        }
        replaced
    }
}

/// Whether a decision counts at present.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It counts.
    InForce,
    /// It hasn't begun.
    NotYet,
    /// It has ended by its date.
    Expired,
    /// Another has taken its place.
    Superseded(DecisionName),
    /// Another has taken its place within that one's scope.
    SupersededInPart(DecisionName),
    /// It names a predecessor that doesn't exist.
    PredecessorMissing,
}

/// Whether `other` may take the place of `decision`: the same authority, or one that it names.
fn entitled(decision: &DecisionFact, other: &DecisionFact) -> bool {
    let authority = &other.spec.authority;
    *authority == decision.spec.authority || decision.spec.liftable_by.contains(authority)
}

/// Whether a decision's scope covers the candidate. An empty part doesn't limit.
#[must_use]
pub fn in_scope(scope: &Scope, at: &Circumstances<'_>) -> bool {
    (scope.sites.is_empty() || scope.sites.contains(at.site))
        && (scope.countries.is_empty() || scope.countries.contains(&at.country))
        && (scope.tenants.is_empty() || scope.tenants.contains(at.tenant))
}
