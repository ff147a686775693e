//! Which decisions count for a place and a tenant.

use domicile_crds::{CountryCode, Decision, DecisionName, SubjectKind, Verdict};
use jiff::Timestamp;

use crate::facts::Facts;

/// From where decisions are looked at: a place and a tenant at an instant.
#[derive(Clone, Copy)]
pub(crate) struct Outlook<'a> {
    pub(crate) facts: &'a Facts,
    /// As the MemberCluster names it; the Site itself may be missing.
    pub(crate) site: Option<&'a str>,
    pub(crate) country: Option<CountryCode>,
    pub(crate) tenant: &'a str,
    pub(crate) now: Timestamp,
}

/// What holds for a subject.
#[derive(Clone, Copy)]
pub(crate) enum Standing<'a> {
    /// The strictest of the decisions that count.
    Holds(&'a Decision),
    /// None counts; this approval did until it ended.
    Expired(&'a Decision),
    /// None counts; this approval counts elsewhere.
    OutOfScope(&'a Decision),
    /// None counts, and nothing explains it.
    Nothing,
}

impl<'a> Outlook<'a> {
    pub(crate) fn standing(&self, kind: SubjectKind, name: &str) -> Standing<'a> {
        let about = || self.facts.decisions_about(kind, name).iter().map(AsRef::as_ref);
        let strictest = about().filter(|d| self.counts(d)).max_by_key(|d| d.spec.decision);
        if let Some(decision) = strictest {
            return Standing::Holds(decision);
        }
        // Only a provider needs an approval, so only there it matters why there is none.
        let approvals = about().filter(|d| {
            kind == SubjectKind::HostingProvider && d.spec.decision == Verdict::Approved && self.begun(d)
        });
        let stands = |d: &&Decision| !self.is_unfounded(d) && !self.replaced(d);
        let expired = approvals.clone().find(|d| self.ended(d) && self.in_scope(d) && stands(d));
        if let Some(decision) = expired {
            return Standing::Expired(decision);
        }
        let elsewhere: Vec<_> =
            approvals.filter(|d| !self.ended(d) && !self.in_scope(d) && stands(d)).collect();
        match elsewhere.first() {
            Some(decision) if !self.wants_two() || !by_one(&elsewhere) => Standing::OutOfScope(decision),
            _ => Standing::Nothing,
        }
    }

    /// The approvals of a provider that count.
    pub(crate) fn approvals(&self, provider: &str) -> Vec<&'a Decision> {
        let about = self.facts.decisions_about(SubjectKind::HostingProvider, provider).iter();
        let approval = |d: &&Decision| d.spec.decision == Verdict::Approved && self.counts(d);
        about.map(AsRef::as_ref).filter(approval).collect()
    }

    /// Whether an approval of a provider in scope ever began, ended or superseded as it may be.
    pub(crate) fn ever_approved(&self, provider: &str) -> bool {
        let about = self.facts.decisions_about(SubjectKind::HostingProvider, provider);
        about.iter().any(|d| d.spec.decision == Verdict::Approved && self.in_scope(d) && self.begun(d))
    }

    fn counts(&self, decision: &Decision) -> bool {
        self.begun(decision)
            && !self.ended(decision)
            && self.in_scope(decision)
            && !self.replaced(decision)
            && !self.is_unfounded(decision)
    }

    fn begun(&self, decision: &Decision) -> bool {
        decision.spec.valid_from.as_ref().is_none_or(|from| from.0 <= self.now)
    }

    fn ended(&self, decision: &Decision) -> bool {
        decision.spec.valid_until.as_ref().is_some_and(|until| until.0 <= self.now)
    }

    fn in_scope(&self, decision: &Decision) -> bool {
        let scope = &decision.spec.scope;
        let site = scope.sites.is_empty() || scope.sites.iter().any(|s| Some(s.as_str()) == self.site);
        let country =
            scope.countries.is_empty() || self.country.is_some_and(|c| scope.countries.contains(&c));
        let tenant = scope.tenants.is_empty() || scope.tenants.iter().any(|t| t.as_str() == self.tenant);
        site && country && tenant
    }

    /// An approval that names a predecessor that doesn't exist (`DecisionMissing`) doesn't count and takes
    /// nobody's place. Anything stricter does both.
    fn is_unfounded(&self, decision: &Decision) -> bool {
        let exists = |name: &DecisionName| self.facts.has_decision(name.as_str());
        decision.spec.decision == Verdict::Approved && !decision.spec.supersedes.iter().all(exists)
    }

    /// A circle needs no rule of its own: each in it is replaced by another. Where two persons are asked for, one alone takes a restriction's
    /// place only with what restricts as much and lasts.
    fn replaced(&self, old: &'a Decision) -> bool {
        if self.replacements(old).next().is_none() {
            return false;
        }
        if !self.wants_two() || old.spec.decision == Verdict::Approved {
            return true;
        }
        let line = self.line(old);
        let by_two = |decision: &&Decision| !by_one(&self.replacements(decision).collect::<Vec<_>>());
        let lasts = |decision: &&Decision| !self.ended(decision) && self.as_strict(decision).next().is_none();
        line.iter().any(by_two) || line.iter().skip(1).any(lasts)
    }

    /// A decision, and all that took its place or the place of one of these, and are at least as strict as what they replace.
    fn line(&self, old: &'a Decision) -> Vec<&'a Decision> {
        let mut line = vec![old];
        let mut looked_at = 0;
        while looked_at < line.len() {
            let new: Vec<_> =
                line.iter().skip(looked_at).flat_map(|decision| self.as_strict(decision)).collect();
            looked_at = line.len();
            for decision in new {
                if !line.iter().any(|known| std::ptr::eq(*known, decision)) {
                    line.push(decision);
                }
            }
        }
        line
    }

    fn as_strict(&self, old: &'a Decision) -> impl Iterator<Item = &'a Decision> {
        self.replacements(old).filter(|new| new.spec.decision >= old.spec.decision)
    }

    /// Whether the Installation asks for two persons.
    pub(crate) fn wants_two(&self) -> bool {
        self.facts.get_installation().is_some_and(|installation| installation.spec.two_person_rule)
    }

    fn replacements(&self, old: &Decision) -> impl Iterator<Item = &'a Decision> {
        let successors = self.facts.successors_of(old.metadata.name.as_deref().unwrap_or_default());
        successors.iter().map(AsRef::as_ref).filter(move |new| self.takes_the_place(new, old))
    }

    /// Whether `new`, which names `old`, takes its place. That `new` has ended or was itself superseded is no matter.
    fn takes_the_place(&self, new: &Decision, old: &Decision) -> bool {
        let authority = &new.spec.authority;
        // The cheapest questions first: a provider may have hundreds of decisions.
        self.begun(new)
            && self.in_scope(new)
            && new.spec.subject == old.spec.subject
            && (*authority == old.spec.authority || old.spec.liftable_by.contains(authority))
            && !self.is_unfounded(new)
    }
}

/// Whether all of them were decided by the same user.
pub(crate) fn by_one(decisions: &[&Decision]) -> bool {
    decisions
        .windows(2)
        .all(|pair| matches!(pair, [one, other] if one.spec.decided_by == other.spec.decided_by))
}
