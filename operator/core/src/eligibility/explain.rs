//! The rules that don't pass, for people: which object to look at, and which decision says so.

use std::fmt::Write as _;

use domicile_crds::{
    CountryRef, CountrySetName, Disclosure, Evidence, Subject, SubjectKind, TenantName, Verdict, WorkloadKey,
};
use jiff::Timestamp;

use super::{Object, Scene, Suits, judge_workload};
use crate::{
    Horizon, Rule, Tri, World, class::PolicyClass, countries::any_contains, decide::Overlay,
    decisions::DecisionFact, providers::examine, text::SECOND, world::ClusterId,
};

/// One rule that doesn't pass, with the object that a person would have to look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The rule.
    pub rule: Rule,
    /// It fails for certain. Otherwise it is unknown, which bars a new placement and moves nothing.
    pub certain: bool,
    /// The object to look at, as kind/name.
    pub object: String,
    /// Who says so, and why: the decision, its authority and its reason.
    pub because: Option<String>,
    /// Whose decision that is, if it is one.
    pub authority: Option<String>,
}

impl Finding {
    /// A rule of which no more is known than that it doesn't pass.
    pub(crate) fn bare(rule: Rule, certain: bool, object: String) -> Self {
        Self { rule, certain, object, because: None, authority: None }
    }
}

/// The same as [`judge`](super::judge), told in findings, with what decisions about the workload itself bar.
#[must_use]
pub fn explain(
    world: &World,
    (class, key): (&PolicyClass, &WorkloadKey),
    id: ClusterId,
    now: Timestamp,
) -> Vec<Finding> {
    let Some(scene) = Scene::of(world, &class.tenant, id) else {
        return vec![Finding::bare(Rule::ClusterNotReady, false, String::new())];
    };
    let mut horizon = Horizon::new(now);
    let mut found = Vec::new();
    let mut push = |rule, certain, object| found.push((rule, certain, object));
    scene.examine(class, (&mut horizon, &mut Suits::default()), &mut push);
    let finding = |(rule, certain, object): (Rule, bool, Object)| {
        let missing = if certain { None } else { scene.missing_set(class, rule) };
        let object_name = missing.unwrap_or_else(|| object.name(world, &class.tenant, id));
        let subject = scene.subject(object, &class.tenant);
        let decision = subject.as_ref().and_then(|subject| scene.decided(rule, subject, now));
        let because = decision
            .map(|decision| scene.words(decision, now))
            .or_else(|| scene.because_of_residency((rule, certain), class, now))
            .or_else(|| scene.because_of_provider((rule, certain), class, object, now));
        let authority = decision.map(|decision| decision.spec.authority.clone());
        Finding { rule, certain, object: object_name, because, authority }
    };
    let mut findings: Vec<Finding> = found.into_iter().map(finding).collect();
    for rule in judge_workload(world, &class.tenant, key, id, &mut horizon).iter() {
        let subject = Subject { kind: SubjectKind::TenantWorkload, name: key.to_string() };
        let decision = scene.decided(rule, &subject, now);
        let because = decision.map(|decision| scene.words(decision, now));
        let authority = decision.map(|decision| decision.spec.authority.clone());
        let object = format!("TenantWorkload/{key}");
        findings.push(Finding { rule, certain: true, object, because, authority });
    }
    findings.sort_by_key(|f| f.rule);
    findings
}

/// Everything that keeps a workload from a cluster where it has no copy: what [`explain`] tells, and also whether there is room
/// and the cluster was seen lately.
#[must_use]
pub fn explain_place(
    world: &World,
    (class, key): (&PolicyClass, &WorkloadKey),
    id: ClusterId,
    now: Timestamp,
) -> Vec<Finding> {
    let mut findings = explain(world, (class, key), id, now);
    let name = world.name_of(id).map(|name| format!("MemberCluster/{name}")).unwrap_or_default();
    let workload = world.workloads.get(key).and_then(|workload| workload.manifests.as_ref().ok());
    let has_copy = world.clusters_used_by(key).iter().any(|used| world.find_cluster(used) == Some(id));
    let has_room = |demand| has_copy || Overlay::default().has_room(world, id, demand);
    if workload.is_some_and(|manifests| !has_room(manifests.demand)) {
        findings.push(Finding::bare(Rule::CapacityExceeded, true, name.clone()));
    }
    if world.is_stale(id, now) {
        findings.push(Finding::bare(Rule::ObservationStale, true, name));
    }
    findings.sort_by_key(|finding| finding.rule);
    findings
}

impl Scene<'_> {
    /// The country set that a residency names and that doesn't exist, if it is that which can't be told.
    fn missing_set(&self, class: &PolicyClass, rule: Rule) -> Option<String> {
        self.site?;
        let residencies = [&*class.tenant_residency, &class.residency];
        let entries = |of: fn(&domicile_crds::Residency) -> &Vec<CountryRef>| {
            residencies.into_iter().flat_map(of).filter_map(|entry| entry.country_set.as_ref())
        };
        let missing = |set: &&CountrySetName| !self.world.sets.contains_key(*set);
        let set = match rule {
            Rule::CountryDenied => entries(|r| &r.denied).find(missing),
            Rule::CountryNotAllowed => entries(|r| &r.allowed).find(missing),
            _ => None,
        };
        set.map(|set| format!("CountrySet/{set}"))
    }

    /// Whose residency excludes the country, the tenant's or the workload's own.
    fn because_of_residency(
        &self,
        (rule, certain): (Rule, bool),
        class: &PolicyClass,
        now: Timestamp,
    ) -> Option<String> {
        let country = self.site.filter(|_| certain)?.country;
        let contained =
            |entries: &[CountryRef]| any_contains(&self.world.sets, entries, country, &mut Horizon::new(now));
        let tenants = &class.tenant_residency;
        let whose = |is_tenants: bool| if is_tenants { "the Tenant's" } else { "the workload's own" };
        match rule {
            Rule::CountryDenied => {
                let whose = whose(contained(&tenants.denied) == Tri::Yes);
                Some(format!("is in {country}, which {whose} spec.residency.denied excludes"))
            }
            Rule::CountryNotAllowed => {
                let whose = whose(contained(&tenants.allowed) == Tri::No);
                Some(format!("is in {country}, which {whose} spec.residency.allowed doesn't contain"))
            }
            _ => None,
        }
    }

    /// Why a provider isn't one that the tenant asks for.
    fn because_of_provider(
        &self,
        wanted: (Rule, bool),
        class: &PolicyClass,
        object: Object,
        now: Timestamp,
    ) -> Option<String> {
        let provider = match object {
            Object::Operator => &self.site?.operated_by,
            Object::Owner => &self.site?.owned_by,
            _ => return None,
        };
        let facts = (&self.world.providers, &self.world.sets);
        let mut because = None;
        examine(facts, &class.providers, provider, &mut Horizon::new(now), &mut |rule, certain, why| {
            if (rule, certain) == wanted {
                because.get_or_insert_with(why);
            }
        });
        because
    }

    /// Whom decisions are about that bar something by `object`.
    fn subject(&self, object: Object, tenant: &TenantName) -> Option<Subject> {
        let provider = |name: &str| Subject { kind: SubjectKind::HostingProvider, name: name.to_owned() };
        match object {
            Object::Operator => self.site.map(|site| provider(site.operated_by.as_str())),
            Object::Owner => self.site.map(|site| provider(site.owned_by.as_str())),
            Object::Site => self.view.site.map(|s| Subject { kind: SubjectKind::Site, name: s.to_string() }),
            Object::Tenant => Some(Subject { kind: SubjectKind::Tenant, name: tenant.to_string() }),
            Object::Everybody => Some(Subject::every()),
            Object::Member => None,
        }
    }

    /// The decision by which a rule fails.
    fn decided(&self, rule: Rule, subject: &Subject, now: Timestamp) -> Option<&DecisionFact> {
        let verdict = match rule {
            Rule::NotApproved => Verdict::Approved,
            Rule::ApprovalRevoked => Verdict::Revoked,
            Rule::ApprovalSuspended => Verdict::Suspended,
            Rule::ApprovalFrozen => Verdict::Frozen,
            _ => return None,
        };
        let decisions = &self.world.decisions;
        let holds = |decision: &&DecisionFact| {
            decision.spec.decision == verdict && decisions.holds(decision, &self.view, &mut Horizon::new(now))
        };
        decisions.about(subject).iter().find(holds)
    }

    /// What a decision says, for people.
    fn words(&self, decision: &DecisionFact, now: Timestamp) -> String {
        let (name, spec) = (&decision.name, &decision.spec);
        if spec.decision == Verdict::Approved {
            // It would count, were it not by one user alone.
            return format!("Decision/{name} approves it by {} alone", spec.decided_by);
        }
        let mut words = format!("Decision/{name} of {}: {}", spec.authority, spec.reason);
        if let Some(until) = &spec.valid_until {
            let _ = write!(words, " (until {})", until.0);
        }
        if let Some(on) = &spec.review_on {
            let _ = write!(words, " (to be looked at again on {})", on.0);
        }
        if spec.contested {
            words.push_str(" (contested by whom it is about)");
        }
        let is_withheld = |it: &Evidence| it.disclosure == Disclosure::Withheld;
        if !spec.evidence.is_empty() && spec.evidence.iter().all(is_withheld) {
            words.push_str(" (its evidence is withheld)");
        }
        if let Some(lifter) = self.world.decisions.lifter(decision, &self.view, &mut Horizon::new(now)) {
            let (name, user) = (&lifter.name, &lifter.spec.decided_by);
            let _ = write!(words, "; Decision/{name} lifts it by {user} alone: {SECOND}");
        }
        words
    }
}
