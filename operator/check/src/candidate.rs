//! The rules of `docs/rules.md`, one function each, for one workload on one cluster at one instant.

use domicile_crds::{ClusterName, TenantName};
use domicile_crds::{
    CountryCode, CountryRef, CountrySetMember, MemberCluster, Residency, Scheduling, Site, SiteState,
    Subject, SubjectKind, Tenant, TenantWorkload, Verdict, WorkloadKey, keys::condition,
};
use jiff::{SignedDuration, Timestamp};

use crate::{
    capacity,
    decisions::{Outlook, Standing},
    facts::Facts,
    manifests,
    rule::{Object, Rule},
    violation::Forbidden,
};

/// Age beyond which nothing that was observed is acted on: ten minutes, as `ObservationStale` says.
///
/// Older data may hide a revocation, and data that has reached a revoked site can't be called back.
pub(crate) const OBSERVATION_AGE_MAX: SignedDuration = SignedDuration::from_mins(10);

/// A member cluster looked at for one workload of one tenant at one instant.
#[derive(Clone, Copy)]
pub(crate) struct Candidate<'a> {
    pub(crate) facts: &'a Facts,
    pub(crate) now: Timestamp,
    pub(crate) tenant_name: &'a TenantName,
    pub(crate) tenant: Option<&'a Tenant>,
    pub(crate) key: &'a WorkloadKey,
    pub(crate) workload: Option<&'a TenantWorkload>,
    pub(crate) cluster: &'a ClusterName,
    pub(crate) member: Option<&'a MemberCluster>,
    pub(crate) site: Option<&'a Site>,
}

/// A rule's answer, where it isn't that it passes.
type Answer = Option<Forbidden>;

fn unknown(rule: Rule, object: Object) -> Forbidden {
    Forbidden::Unknown { object, rule }
}

impl<'a> Candidate<'a> {
    /// Looks at `cluster` for a tenant, the key of its workload and, if it exists, the workload.
    pub(crate) fn new(
        facts: &'a Facts,
        now: Timestamp,
        (tenant_name, key, workload): (&'a TenantName, &'a WorkloadKey, Option<&'a TenantWorkload>),
        cluster: &'a ClusterName,
    ) -> Self {
        let tenant = facts.get_tenant(tenant_name.as_str());
        let unplaced =
            Self { facts, now, tenant_name, tenant, key, workload, cluster, member: None, site: None };
        unplaced.at(cluster)
    }

    /// The same workload at another cluster.
    pub(crate) fn at(&self, cluster: &'a ClusterName) -> Self {
        let member = self.facts.get_member(cluster.as_str());
        let site = member.and_then(|m| self.facts.get_site(m.spec.site.as_str()));
        Self { cluster, member, site, ..*self }
    }

    /// Every rule that fails or can't be answered, the most permanent first.
    ///
    /// Without the MemberCluster no rule can be answered; one of them then stands for all.
    pub(crate) fn failures(&self) -> Vec<Forbidden> {
        let Some(member) = self.member else {
            return vec![unknown(Rule::ClusterNotReady, self.member_object())];
        };
        let mut found = Vec::new();
        self.countries(&mut found);
        found.extend(self.ownership());
        self.decisions(&mut found);
        found.extend(self.location_contradicted(member));
        found.extend(self.site_not_online());
        found.extend(self.tenant_not_admitted(member));
        found.extend(self.namespace_taken());
        found.extend(self.kinds_and_classes(member));
        if member.spec.scheduling != Scheduling::Open {
            found.push(Forbidden::Cordoned { object: self.member_object() });
        }
        if let Some(amount) = self.workload.and_then(|w| capacity::exceeded(w, member)) {
            found.push(Forbidden::CapacityExceeded { object: self.member_object(), amount });
        }
        found.extend(self.cluster_not_ready(member));
        found.extend(self.hub_stale());
        found.extend(self.member_stale());
        found.sort_by_key(Forbidden::rule);
        found
    }

    pub(crate) fn member_object(&self) -> Object {
        Object::new("MemberCluster", self.cluster.as_str())
    }

    fn tenant_object(&self) -> Object {
        Object::new("Tenant", self.tenant_name.as_str())
    }

    pub(crate) fn workload_object(&self) -> Object {
        Object::new("TenantWorkload", self.key.to_string())
    }

    pub(crate) fn site_object(&self) -> Object {
        self.member.map_or_else(|| self.member_object(), |m| Object::new("Site", m.spec.site.as_str()))
    }
}

/// Countries.
impl Candidate<'_> {
    fn countries(&self, found: &mut Vec<Forbidden>) {
        let missing = match (self.site, self.tenant) {
            (None, _) => self.site_object(),
            (_, None) => self.tenant_object(),
            (Some(site), Some(_)) => return found.extend(self.country_failures(site.spec.country)),
        };
        found.push(unknown(Rule::CountryDenied, missing.clone()));
        found.push(unknown(Rule::CountryNotAllowed, missing));
    }

    /// How a country fails the residency of the tenant and of the workload.
    pub(crate) fn country_failures(&self, country: CountryCode) -> Vec<Forbidden> {
        let tenant = self.tenant.map(|t| (&t.spec.residency, self.tenant_object()));
        let workload = self.workload.map(|w| (&w.spec.residency, self.workload_object()));
        let mut found = Vec::new();
        let both = [tenant, workload];
        let policies = || both.iter().flatten();
        let denials = policies().filter_map(|(residency, by)| self.denied(residency, country, by));
        found.extend(strictest(denials));
        // An empty list in the tenant allows nothing, in the workload it leaves the tenant's as it is.
        let narrowing = policies().enumerate().filter(|(index, (r, _))| *index == 0 || !r.allowed.is_empty());
        let refusals = narrowing.filter_map(|(_, (residency, by))| self.refused(residency, country, by));
        found.extend(strictest(refusals));
        found
    }

    fn denied(&self, residency: &Residency, country: CountryCode, by: &Object) -> Answer {
        match self.any_contains(&residency.denied, country) {
            Contains::Yes => Some(Forbidden::CountryDenied { object: by.clone(), country }),
            Contains::Unknown(missing) => Some(unknown(Rule::CountryDenied, missing.unwrap_or(by.clone()))),
            Contains::No => None,
        }
    }

    fn refused(&self, residency: &Residency, country: CountryCode, by: &Object) -> Answer {
        match self.any_contains(&residency.allowed, country) {
            Contains::Yes => None,
            Contains::Unknown(missing) => {
                Some(unknown(Rule::CountryNotAllowed, missing.unwrap_or(by.clone())))
            }
            Contains::No => Some(Forbidden::CountryNotAllowed { object: by.clone(), country }),
        }
    }

    fn any_contains(&self, entries: &[CountryRef], country: CountryCode) -> Contains {
        let mut answer = Contains::No;
        for entry in entries {
            match self.contains(entry, country) {
                Contains::Yes => return Contains::Yes,
                Contains::Unknown(missing) => answer = Contains::Unknown(missing),
                Contains::No => {}
            }
        }
        answer
    }

    fn contains(&self, entry: &CountryRef, country: CountryCode) -> Contains {
        match (&entry.country, &entry.country_set) {
            (Some(one), None) if *one == country => Contains::Yes,
            (Some(_), None) => Contains::No,
            (None, Some(set)) => self.set_contains(set.as_str(), &entry.scopes, country),
            // The API refuses neither and both.
            _ => Contains::Unknown(None),
        }
    }

    pub(crate) fn set_contains(&self, set: &str, scopes: &[String], country: CountryCode) -> Contains {
        let Some(mut members) = self.members(set, scopes) else {
            return Contains::Unknown(Some(Object::new("CountrySet", set)));
        };
        if members.any(|member| member == country) { Contains::Yes } else { Contains::No }
    }

    /// The countries in a set at present, for who names these scopes; `None` if there is no such set.
    pub(crate) fn members(&self, set: &str, scopes: &[String]) -> Option<impl Iterator<Item = CountryCode>> {
        let now = self.now;
        let counts = move |m: &&CountrySetMember| {
            m.from.as_ref().is_none_or(|from| from.0 <= now)
                && m.until.as_ref().is_none_or(|until| now < until.0)
                && m.scope.as_ref().is_none_or(|scope| scopes.contains(scope))
        };
        let members = &self.facts.get_country_set(set)?.spec.members;
        Some(members.iter().filter(counts).map(|member| member.country))
    }
}

/// Whether a country is among others.
pub(crate) enum Contains {
    Yes,
    No,
    /// It can't be said, for want of this object.
    Unknown(Option<Object>),
}

/// A failure rather than an unknown.
fn strictest(answers: impl Iterator<Item = Forbidden>) -> Answer {
    let is_unknown = |f: &Forbidden| matches!(f, Forbidden::Unknown { .. });
    answers.min_by_key(is_unknown)
}

/// Decisions.
impl<'a> Candidate<'a> {
    pub(crate) fn outlook(&self) -> Outlook<'a> {
        Outlook {
            facts: self.facts,
            site: self.member.map(|m| m.spec.site.as_str()),
            country: self.site.map(|s| s.spec.country),
            tenant: self.tenant_name.as_str(),
            now: self.now,
        }
    }

    /// The provider that operates the site and the one that owns it, once if it is the same.
    pub(crate) fn providers(&self) -> impl Iterator<Item = &'a str> {
        let operator = self.site.map(|s| s.spec.operated_by.as_str());
        let owner = self.site.map(|s| s.spec.owned_by.as_str());
        operator.into_iter().chain(owner.filter(|_| operator != owner))
    }

    fn decisions(&self, found: &mut Vec<Forbidden>) {
        if self.site.is_none() {
            found.push(unknown(Rule::NotApproved, self.site_object()));
        }
        for provider in self.providers() {
            found.extend(self.provider(provider));
        }
        let key = self.key.to_string();
        let others = [
            (SubjectKind::Site, self.outlook().site.unwrap_or_default()),
            (SubjectKind::Tenant, self.tenant_name.as_str()),
            (SubjectKind::TenantWorkload, &key),
            (SubjectKind::Tenant, Subject::EVERY),
        ];
        for (kind, name) in others {
            if let Standing::Holds(decision) = self.outlook().standing(kind, name) {
                found.extend(restriction(decision.spec.decision, Object::subject(kind, name), decision));
            }
        }
    }

    fn provider(&self, name: &str) -> Vec<Forbidden> {
        let object = Object::new("HostingProvider", name);
        let exists = self.facts.has_provider(name);
        let missing = (!exists).then(|| unknown(Rule::NotApproved, object.clone()));
        let fails = match self.outlook().standing(SubjectKind::HostingProvider, name) {
            Standing::Holds(decision) => restriction(decision.spec.decision, object, decision),
            _ if !exists => None,
            Standing::Expired(decision) => {
                Some(Forbidden::ApprovalExpired { object, decision: name_of(decision) })
            }
            Standing::OutOfScope(decision) => {
                Some(Forbidden::ApprovalOutOfScope { object, decision: name_of(decision) })
            }
            Standing::Nothing => Some(Forbidden::NotApproved { object }),
        };
        missing.into_iter().chain(fails).collect()
    }
}

fn restriction(verdict: Verdict, object: Object, decision: &domicile_crds::Decision) -> Answer {
    let decision = name_of(decision);
    match verdict {
        Verdict::Approved => None,
        Verdict::Frozen => Some(Forbidden::ApprovalFrozen { object, decision }),
        Verdict::Suspended => Some(Forbidden::ApprovalSuspended { object, decision }),
        Verdict::Revoked => Some(Forbidden::ApprovalRevoked { object, decision }),
    }
}

pub(crate) fn name_of(decision: &domicile_crds::Decision) -> String {
    decision.metadata.name.clone().unwrap_or_default()
}

/// Place and capacity.
impl Candidate<'_> {
    fn location_contradicted(&self, member: &MemberCluster) -> Answer {
        let contradicted = member.status.as_ref().is_some_and(|s| !s.contradictions.is_empty());
        let (object, site) = (self.member_object(), self.site_object());
        contradicted.then_some(Forbidden::LocationContradicted { object, site })
    }

    fn site_not_online(&self) -> Answer {
        let Some(site) = self.site else { return Some(unknown(Rule::SiteNotOnline, self.site_object())) };
        let reached = site.spec.online_from.as_ref().is_none_or(|from| from.0 <= self.now);
        let online = site.spec.state == SiteState::Online && reached;
        (!online).then(|| Forbidden::SiteNotOnline { object: self.site_object() })
    }

    fn tenant_not_admitted(&self, member: &MemberCluster) -> Answer {
        if !was_observed(member) {
            return Some(unknown(Rule::TenantNotAdmitted, self.member_object()));
        }
        let admitted = member.status.as_ref().is_some_and(|s| s.tenants.contains(self.tenant_name));
        (!admitted).then(|| Forbidden::TenantNotAdmitted {
            object: self.member_object(),
            tenant: self.tenant_name.to_string(),
        })
    }

    fn namespace_taken(&self) -> Answer {
        let Some(tenant) = self.tenant else {
            return Some(unknown(Rule::NamespaceTaken, self.tenant_object()));
        };
        if tenant.spec.namespaces.contains(&self.key.namespace) {
            return self.namespace_of_another();
        }
        Some(self.taken(self.tenant_object()))
    }

    /// Whether somebody else's claim on the namespace is known: the system's, another tenant's, or the member's word.
    pub(crate) fn namespace_of_another(&self) -> Answer {
        let name = self.key.namespace.as_str();
        if name == "default" || name.starts_with("kube-") || name.starts_with("domicile-") {
            return Some(self.taken(Object::new("Namespace", name)));
        }
        if let Some(other) = self.facts.other_claim(&self.key.namespace, self.tenant_name) {
            return Some(self.taken(Object::new("Tenant", other)));
        }
        let foreign = self.facts.is_anothers(self.cluster, &self.key.namespace, self.tenant_name);
        foreign.then(|| self.taken(self.member_object()))
    }

    fn taken(&self, object: Object) -> Forbidden {
        let (tenant, namespace) = (self.tenant_name.to_string(), self.key.namespace.to_string());
        Forbidden::NamespaceTaken { object, tenant, namespace }
    }

    fn kinds_and_classes(&self, member: &MemberCluster) -> Vec<Forbidden> {
        let mut found = Vec::new();
        if !was_observed(member) {
            found.push(unknown(Rule::KindNotServed, self.member_object()));
        }
        let lacks = member.status.as_ref().map_or(&[][..], |s| &s.kinds_not_served);
        for manifest in self.workload.map_or(&[][..], |w| &w.spec.manifests) {
            let kind = manifests::kind(manifest);
            if was_observed(member) && lacks.iter().any(|lacking| lacking == kind) {
                found.push(Forbidden::KindNotServed { object: self.member_object(), kind: kind.to_owned() });
            }
            for class in manifests::classes_not_served(manifest, &member.spec.classes) {
                found.push(Forbidden::ClassNotServed { object: self.member_object(), class });
            }
        }
        found
    }

    fn cluster_not_ready(&self, member: &MemberCluster) -> Answer {
        // What is being deregistered says nothing that holds.
        if member.metadata.deletion_timestamp.is_some() {
            return Some(unknown(Rule::ClusterNotReady, self.member_object()));
        }
        match ready_condition(member).map(|c| c.status.as_str()) {
            Some("True") => None,
            Some("False") => Some(Forbidden::ClusterNotReady { object: self.member_object() }),
            _ => Some(unknown(Rule::ClusterNotReady, self.member_object())),
        }
    }

    pub(crate) fn hub_stale(&self) -> Answer {
        self.stale(self.facts.hub_seen_at(), Object::new("Installation", "default"))
    }

    pub(crate) fn member_stale(&self) -> Answer {
        self.stale(self.facts.member_seen_at(self.cluster), self.member_object())
    }

    fn stale(&self, seen: Option<Timestamp>, object: Object) -> Answer {
        let Some(seen) = seen else { return Some(unknown(Rule::ObservationStale, object)) };
        let age = self.now.duration_since(seen);
        (age > OBSERVATION_AGE_MAX).then_some(Forbidden::ObservationStale { object, age })
    }
}

fn was_observed(member: &MemberCluster) -> bool {
    member.status.as_ref().is_some_and(|s| s.cluster_id.is_some())
}

pub(crate) fn ready_condition(
    member: &MemberCluster,
) -> Option<&k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition> {
    member.status.as_ref()?.conditions.iter().find(|c| c.type_ == condition::READY)
}
