//! What holds for a subject: the strictest of its decisions that nothing has taken the place of.

use std::{collections::HashMap, sync::Arc};

use domicile_crds::{
    CountryCode, DecisionName, DecisionSpec, Scope, SiteName, Subject, SubjectKind, TenantName, Verdict,
};
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
    about: About,
    subjects: HashMap<DecisionName, Subject>,
    /// Decisions that name the key as their predecessor.
    successors: HashMap<DecisionName, Vec<DecisionName>>,
    /// Approving and lifting takes two users.
    two_persons: bool,
}

/// Decisions by the name of their subject, a table for each kind, so that looking one up needs no copy of the name.
#[derive(Clone, Debug, Default)]
struct About {
    providers: HashMap<String, Vec<DecisionFact>>,
    sites: HashMap<String, Vec<DecisionFact>>,
    tenants: HashMap<String, Vec<DecisionFact>>,
    workloads: HashMap<String, Vec<DecisionFact>>,
}

impl About {
    fn table(&self, kind: SubjectKind) -> &HashMap<String, Vec<DecisionFact>> {
        match kind {
            SubjectKind::HostingProvider => &self.providers,
            SubjectKind::Site => &self.sites,
            SubjectKind::Tenant => &self.tenants,
            SubjectKind::TenantWorkload => &self.workloads,
        }
    }

    fn table_mut(&mut self, kind: SubjectKind) -> &mut HashMap<String, Vec<DecisionFact>> {
        match kind {
            SubjectKind::HostingProvider => &mut self.providers,
            SubjectKind::Site => &mut self.sites,
            SubjectKind::Tenant => &mut self.tenants,
            SubjectKind::TenantWorkload => &mut self.workloads,
        }
    }
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

/// The same, as far as it is known: scopes are judged by it.
#[derive(Clone, Copy, Debug)]
pub struct Viewpoint<'a> {
    /// The candidate's site, which its MemberCluster names. The Site itself may be missing.
    pub site: Option<&'a SiteName>,
    /// The site's country.
    pub country: Option<CountryCode>,
    /// The tenant.
    pub tenant: &'a TenantName,
}

impl<'a> From<&Circumstances<'a>> for Viewpoint<'a> {
    fn from(at: &Circumstances<'a>) -> Self {
        Self { site: Some(at.site), country: Some(at.country), tenant: at.tenant }
    }
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
    /// Sets whether approving and lifting takes two users. Answers whether that is new.
    pub(crate) fn set_two_persons(&mut self, two_persons: bool) -> bool {
        std::mem::replace(&mut self.two_persons, two_persons) != two_persons
    }

    /// Adds or replaces a decision. Answers the subject that it is about.
    pub fn insert(&mut self, name: DecisionName, spec: Arc<DecisionSpec>) -> Subject {
        self.remove(&name);
        let subject = spec.subject.clone();
        self.subjects.insert(name.clone(), subject.clone());
        for predecessor in &spec.supersedes {
            self.successors.entry(predecessor.clone()).or_default().push(name.clone());
        }
        let list = self.about.table_mut(subject.kind).entry(subject.name.clone()).or_default();
        let at = list.partition_point(|other| other.name < name);
        list.insert(at, DecisionFact { name, spec });
        subject
    }

    /// Removes a decision. Answers the subject that it was about.
    pub fn remove(&mut self, name: &DecisionName) -> Option<Subject> {
        let subject = self.subjects.remove(name)?;
        let table = self.about.table_mut(subject.kind);
        let list = table.get_mut(&subject.name)?;
        let at = list.binary_search_by(|other| other.name.cmp(name)).ok()?;
        let removed = list.remove(at);
        if list.is_empty() {
            table.remove(&subject.name);
        }
        for predecessor in &removed.spec.supersedes {
            if let Some(successors) = self.successors.get_mut(predecessor) {
                successors.retain(|other| other != name);
                if successors.is_empty() {
                    self.successors.remove(predecessor);
                }
            }
        }
        Some(subject)
    }

    /// The decisions about a subject, by name.
    #[must_use]
    pub fn about(&self, subject: &Subject) -> &[DecisionFact] {
        self.about_name(subject.kind, &subject.name)
    }

    /// The same for the subject's kind and name.
    #[must_use]
    pub fn about_name(&self, kind: SubjectKind, name: &str) -> &[DecisionFact] {
        self.about.table(kind).get(name).map_or(&[], Vec::as_slice)
    }

    /// The decisions about a workload, which few have.
    #[must_use]
    pub fn about_workload(&self, key: &domicile_crds::WorkloadKey) -> &[DecisionFact] {
        if self.about.workloads.is_empty() {
            return &[];
        }
        self.about_name(SubjectKind::TenantWorkload, &key.to_string())
    }

    /// The workloads that there are decisions about, as namespace/name.
    pub fn workloads(&self) -> impl Iterator<Item = &str> {
        self.about.workloads.keys().map(String::as_str)
    }

    /// The subjects of decisions that name `name` as their predecessor.
    pub fn subjects_naming(&self, name: &DecisionName) -> impl Iterator<Item = &Subject> {
        let successors = self.successors.get(name).into_iter().flatten();
        successors.filter_map(|successor| self.subjects.get(successor))
    }

    /// Whether `decision` names a predecessor that doesn't exist.
    #[must_use]
    pub fn misses_predecessor(&self, decision: &DecisionFact) -> bool {
        decision.spec.supersedes.iter().any(|name| !self.subjects.contains_key(name))
    }

    /// What holds for `subject` under these circumstances.
    pub fn standing(&self, subject: &Subject, at: &Circumstances<'_>, horizon: &mut Horizon) -> Standing {
        self.standing_of(self.about(subject), &at.into(), horizon)
    }

    /// What holds for the subject that `all` decisions are about.
    pub fn standing_of(&self, all: &[DecisionFact], at: &Viewpoint<'_>, horizon: &mut Horizon) -> Standing {
        let mut strictest = None;
        let mut expired = false;
        let mut elsewhere = Users::default();
        let mut approvers = Users::default();
        for decision in all {
            let spec = &decision.spec;
            let begun = horizon.has_begun(decision.from());
            let ended = horizon.has_ended(decision.until());
            if !begun || self.replaced(decision, at, horizon) || self.is_void(decision) {
                continue;
            }
            let approved = spec.decision == Verdict::Approved;
            match (in_scope(&spec.scope, at), ended) {
                (true, false) => {
                    strictest = strictest.max(Some(spec.decision));
                    if approved {
                        approvers.add(&spec.decided_by);
                    }
                }
                (true, true) => expired |= approved,
                (false, false) if approved => elsewhere.add(&spec.decided_by),
                (false, _) => {}
            }
        }
        match strictest {
            Some(Verdict::Approved) if self.two_persons && !approvers.are_two => Standing::Undecided,
            Some(verdict) => Standing::Decided(verdict),
            None if expired => Standing::Expired,
            None if elsewhere.are_two || (elsewhere.first.is_some() && !self.two_persons) => {
                Standing::OutOfScope
            }
            None => Standing::Undecided,
        }
    }

    /// Whether a decision is in force and in scope.
    #[must_use]
    pub fn holds(&self, decision: &DecisionFact, at: &Viewpoint<'_>, horizon: &mut Horizon) -> bool {
        horizon.has_begun(decision.from())
            && !horizon.has_ended(decision.until())
            && in_scope(&decision.spec.scope, at)
            && !self.replaced(decision, at, horizon)
            && !self.is_void(decision)
    }

    /// A predecessor that a decision names and whose place it can't take, because that is about another subject or of an authority that
    /// doesn't let it.
    #[must_use]
    pub fn not_lifted(&self, decision: &DecisionFact) -> Option<&DecisionFact> {
        let mut named = decision.spec.supersedes.iter().filter_map(|name| self.get(name));
        let stays =
            |other: &&DecisionFact| other.spec.subject != decision.spec.subject || !entitled(other, decision);
        named.find(stays)
    }

    /// Whether there is a decision of this name.
    #[must_use]
    pub fn knows(&self, name: &DecisionName) -> bool {
        self.subjects.contains_key(name)
    }

    /// Whether a decision counts at present, wherever it is in scope.
    pub fn effect(&self, decision: &DecisionFact, horizon: &mut Horizon) -> Effect {
        // By whom it is in one place need not be by whom it is in another.
        let contains = |other: &DecisionFact| other.spec.scope.contains(&decision.spec.scope);
        let is_replaced = self.replaced_by(decision, contains, horizon);
        let in_part = self.replaced_by(decision, |_| true, horizon);
        let successors = self.entitled_successors(decision).filter(|other| horizon.has_begun(other.from()));
        let (whole, part): (Vec<_>, Vec<_>) = successors.partition(|other| contains(other));
        let first = |all: &[&DecisionFact]| all.iter().map(|other| &other.name).min().cloned();
        let has_begun = horizon.has_begun(decision.from());
        match first(&part).filter(|_| in_part) {
            _ if is_replaced => Effect::Superseded(first(&whole).unwrap_or_else(|| decision.name.clone())),
            _ if !has_begun => Effect::NotYet,
            _ if self.misses_predecessor(decision) => Effect::PredecessorMissing,
            _ if horizon.has_ended(decision.until()) => Effect::Expired,
            Some(other) => Effect::SupersededInPart(other),
            None if self.is_alone(decision, horizon) => Effect::ByOneAlone,
            None => Effect::InForce,
        }
    }

    /// What one user alone has put in the place of a restriction that holds all the same, since lifting takes two. One that has ended
    /// lifts nothing.
    pub fn lifter<'a>(
        &'a self,
        decision: &'a DecisionFact,
        at: &Viewpoint<'_>,
        horizon: &mut Horizon,
    ) -> Option<&'a DecisionFact> {
        let lifts = |it: &&DecisionFact| {
            it.spec.decision < decision.spec.decision
                && in_scope(&it.spec.scope, at)
                && horizon.has_begun(it.from())
                && !horizon.has_ended(it.until())
        };
        let lifters = self.entitled_successors(decision).filter(lifts);
        lifters.min_by(|a, b| a.name.cmp(&b.name)).filter(|_| self.two_persons)
    }

    /// Whether a decision that approves or lifts waits for another user to decide the same.
    fn is_alone(&self, decision: &DecisionFact, horizon: &mut Horizon) -> bool {
        if !self.two_persons {
            return false;
        }
        let by = &decision.spec.decided_by;
        let mut lifted = decision.spec.supersedes.iter().filter_map(|name| self.get(name));
        let lifts_alone = |other: &DecisionFact| {
            let all = self.entitled_successors(other).filter(|it| it.spec.decision < other.spec.decision);
            decision.spec.decision < other.spec.decision
                && !all.into_iter().any(|it| it.spec.decided_by != *by)
        };
        if lifted.any(lifts_alone) {
            return true;
        }
        let is_provider = decision.spec.subject.kind == SubjectKind::HostingProvider;
        let mut others = self.about(&decision.spec.subject).iter();
        let is_second = |it: &DecisionFact| {
            let counts = horizon.has_begun(it.from()) && !horizon.has_ended(it.until()) && !self.is_void(it);
            let contains = |other: &DecisionFact| other.spec.scope.contains(&it.spec.scope);
            let replaced = self.replaced_by(it, contains, horizon);
            let is_another = it.spec.decision == Verdict::Approved && it.spec.decided_by != *by;
            is_another && counts && !replaced && it.spec.scope.meets(&decision.spec.scope)
        };
        is_provider && decision.spec.decision == Verdict::Approved && !others.any(is_second)
    }

    /// An approval that names a predecessor which doesn't exist neither counts nor lifts anything.
    fn is_void(&self, decision: &DecisionFact) -> bool {
        decision.spec.decision == Verdict::Approved && self.misses_predecessor(decision)
    }

    /// Whether another decision has taken the place of this one. It never comes back, not even when the other ends, unless two users
    /// are asked for and one alone has ended it.
    fn replaced(&self, decision: &DecisionFact, at: &Viewpoint<'_>, horizon: &mut Horizon) -> bool {
        self.replaced_by(decision, |other| in_scope(&other.spec.scope, at), horizon)
    }

    /// The same, where only those count that `counts` lets.
    ///
    /// Where two users are asked for, one alone ends no restriction: it is out of force if those that take its place, or the place
    /// of one at least as strict that took it, are by two, or as long as the last in such a line hasn't ended. A circle has no last.
    fn replaced_by(
        &self,
        decision: &DecisionFact,
        counts: impl Fn(&DecisionFact) -> bool,
        horizon: &mut Horizon,
    ) -> bool {
        let restricts = decision.spec.decision != Verdict::Approved;
        let (mut line, mut at, mut carried_on) = (vec![decision], 0, false);
        while let Some(current) = line.get(at).copied() {
            let mut users = Users::default();
            let (mut any, mut is_last) = (false, at > 0);
            // All are looked at, so that each instant at which one begins is noted.
            for other in self.entitled_successors(current).filter(|other| counts(other)) {
                if !horizon.has_begun(other.from()) {
                    continue;
                }
                any = true;
                users.add(&other.spec.decided_by);
                if other.spec.decision >= current.spec.decision {
                    is_last = false;
                    if !line.iter().any(|known| known.name == other.name) {
                        line.push(other);
                    }
                }
            }
            if users.are_two || (any && !(self.two_persons && restricts)) {
                return true;
            }
            carried_on |= is_last && !horizon.has_ended(current.until());
            at += 1;
        }
        carried_on
    }

    /// The decisions about the same subject that name this one as their predecessor and may take its place.
    fn entitled_successors<'a>(
        &'a self,
        decision: &'a DecisionFact,
    ) -> impl Iterator<Item = &'a DecisionFact> {
        let names = self.successors.get(&decision.name).into_iter().flatten();
        names.filter_map(|name| self.get(name)).filter(move |other| {
            other.spec.subject == decision.spec.subject && entitled(decision, other) && !self.is_void(other)
        })
    }

    fn get(&self, name: &DecisionName) -> Option<&DecisionFact> {
        let list = self.about(self.subjects.get(name)?);
        let at = list.binary_search_by(|other| other.name.cmp(name)).ok()?;
        list.get(at)
    }
}

/// Whether something was decided by two users.
#[derive(Default)]
struct Users<'a> {
    first: Option<&'a str>,
    are_two: bool,
}

impl<'a> Users<'a> {
    fn add(&mut self, user: &'a str) {
        self.are_two |= self.first.is_some_and(|first| first != user);
        self.first.get_or_insert(user);
    }
}

/// Whether a decision's scope covers the candidate. An empty part doesn't limit; what isn't known is in no other.
#[must_use]
pub fn in_scope(scope: &Scope, at: &Viewpoint<'_>) -> bool {
    (scope.sites.is_empty() || at.site.is_some_and(|site| scope.sites.contains(site)))
        && (scope.countries.is_empty()
            || at.country.is_some_and(|country| scope.countries.contains(&country)))
        && (scope.tenants.is_empty() || scope.tenants.contains(at.tenant))
}

/// Whether `other` may take the place of `decision`: the same authority, or one that it names.
fn entitled(decision: &DecisionFact, other: &DecisionFact) -> bool {
    let authority = &other.spec.authority;
    *authority == decision.spec.authority || decision.spec.liftable_by.contains(authority)
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
    /// It approves or lifts, and nobody else has decided the same.
    ByOneAlone,
}
