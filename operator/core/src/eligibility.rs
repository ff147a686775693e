//! Whether a cluster may have a workload: every rule, once, in one place.
//!
//! The same function feeds the cache of bits that decides and the findings that explain.

use std::collections::{HashMap, HashSet};

use domicile_crds::{
    PlaceRef, ProviderName, ProviderPolicy, Scheduling, SiteState, Subject, SubjectKind, TenantName, Verdict,
};
use jiff::Timestamp;

use crate::{
    Horizon, Rule, RuleSet, Tri, World,
    class::PolicyClass,
    countries::{judge_residency, set_contains},
    decisions::{Standing, Viewpoint},
    facts::{ClusterFact, SiteFact},
    manifests::{ClassUse, Kind},
    providers::{Suit, asked},
    world::{ClusterId, ClusterRow},
};

mod explain;
mod workload;

pub use explain::{Finding, explain, explain_place};
pub use workload::judge_workload;
pub(crate) use workload::{is_suspended, judge_own, unsuitable};

/// An object that a rule looks at, as it stands to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Object {
    /// Its MemberCluster.
    Member,
    /// Its Site.
    Site,
    /// The provider that operates the site.
    Operator,
    /// The provider that owns it.
    Owner,
    /// The tenant whose workload it is.
    Tenant,
    /// Everybody, by a decision whose subject can't be read.
    Everybody,
}

impl Object {
    /// The object as kind/name, or whatever else is meant.
    #[must_use]
    pub fn name(self, world: &World, tenant: &TenantName, id: ClusterId) -> String {
        let Some(row) = world.cluster(id) else { return String::new() };
        let member = || format!("MemberCluster/{}", row.name);
        let provider = |of: fn(&SiteFact) -> &ProviderName| {
            world.site_of(id).map(|(_, site)| format!("HostingProvider/{}", of(site)))
        };
        let name = match self {
            Self::Member => None,
            Self::Site => row.fact.as_ref().map(|fact| format!("Site/{}", fact.site)),
            Self::Operator => provider(|site| &site.operated_by),
            Self::Owner => provider(|site| &site.owned_by),
            Self::Tenant => Some(format!("Tenant/{tenant}")),
            Self::Everybody => {
                let about = world.decisions.about(&Subject::every());
                about
                    .first()
                    .map(|decision| format!("every subject, as Decision/{} can't be read", decision.name))
            }
        };
        name.unwrap_or_else(member)
    }
}

/// What of a cluster doesn't change from workload to workload of the same class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Rules that fail.
    pub failing: RuleSet,
    /// Rules that can't be told.
    pub unknown: RuleSet,
    /// The site is closing or the member draining: what runs there must leave.
    pub evacuating: bool,
    /// The preference tier; smaller is better.
    pub tier: u16,
    /// The tier if what can't be told speaks for it. What runs there isn't drawn to a place that may be no better:
    /// that a set is missing moves nothing.
    pub tier_at_best: u16,
    /// What revokes or, if nothing does, whose approval has expired.
    pub culprit: Object,
    /// When this can change by itself.
    pub next: Option<Timestamp>,
}

impl Cell {
    /// A cluster that wasn't judged yet: unknown, so not open.
    pub const UNJUDGED: Self = Self {
        failing: RuleSet::EMPTY,
        unknown: RuleSet::EMPTY.with(Rule::ClusterNotReady),
        evacuating: false,
        tier: u16::MAX,
        tier_at_best: 0,
        culprit: Object::Member,
        next: None,
    };

    /// Whether nothing bars a new placement.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.failing.is_empty() && self.unknown.is_empty()
    }

    /// Whether the law certainly lets what is there be there.
    #[must_use]
    pub fn is_lawful(&self) -> bool {
        self.failing.union(self.unknown).intersection(RuleSet::BARRING).is_empty()
    }
}

/// What one class's policy says of providers at one instant, once it was asked.
#[derive(Clone, Debug, Default)]
pub struct Suits(HashMap<ProviderName, Suit>);

impl Suits {
    fn of(&mut self, world: &World, class: &PolicyClass, provider: &ProviderName, now: Timestamp) -> Suit {
        if let Some(suit) = self.0.get(provider) {
            return *suit;
        }
        let suit = Suit::of(&world.providers, &world.sets, &class.providers, provider, now);
        self.0.insert(provider.clone(), suit);
        suit
    }

    /// Takes what was said later.
    pub(crate) fn renew(&mut self, later: Self) {
        self.0.extend(later.0);
    }

    /// The providers of which something else is to be said now.
    pub(crate) fn outdated(
        &self,
        world: &World,
        policy: &ProviderPolicy,
        now: Timestamp,
    ) -> HashSet<ProviderName> {
        let differs = |(provider, suit): &(&ProviderName, &Suit)| {
            Suit::of(&world.providers, &world.sets, policy, provider, now) != **suit
        };
        self.0.iter().filter(differs).map(|(provider, _)| provider.clone()).collect()
    }
}

/// Judges a cluster for a class: all rules but those that need the workload itself (its own decisions and its size). What
/// was found of providers is kept in `suits`, which are of this class and this instant.
#[must_use]
pub fn judge(
    world: &World,
    class: &PolicyClass,
    (id, now): (ClusterId, Timestamp),
    suits: &mut Suits,
) -> Cell {
    let Some(scene) = Scene::of(world, &class.tenant, id) else { return Cell::UNJUDGED };
    let mut cell = Cell { unknown: RuleSet::EMPTY, ..Cell::UNJUDGED };
    let mut horizon = Horizon::new(now);
    let mut out = |rule, certain: bool, object| {
        if !certain {
            return cell.unknown.insert(rule);
        }
        let first = !cell.failing.contains(rule);
        let expired = rule == Rule::ApprovalExpired && !cell.failing.contains(Rule::ApprovalRevoked);
        if first && (rule == Rule::ApprovalRevoked || expired) {
            cell.culprit = object;
        }
        cell.failing.insert(rule);
    };
    scene.examine(class, (&mut horizon, suits), &mut out);
    let draining = scene.fact().is_some_and(|fact| fact.scheduling == Scheduling::Draining);
    let closing = scene.site.is_some_and(|site| site.state == SiteState::Closing);
    cell.evacuating = draining || closing;
    (cell.tier, cell.tier_at_best) = scene.tiers(class, &mut horizon);
    cell.next = horizon.next();
    cell
}

/// Takes a rule, whether it fails for certain, and the object to look at.
type Sink<'a> = dyn FnMut(Rule, bool, Object) + 'a;

/// The rules that need the site, and can't be told without it.
const NEEDS_SITE: [Rule; 4] =
    [Rule::CountryDenied, Rule::CountryNotAllowed, Rule::NotApproved, Rule::SiteNotOnline];

/// A cluster with what is known of its place.
struct Scene<'a> {
    world: &'a World,
    row: &'a ClusterRow,
    site: Option<&'a SiteFact>,
    /// From where decisions are looked at.
    view: Viewpoint<'a>,
}

impl<'a> Scene<'a> {
    fn of(world: &'a World, tenant: &'a TenantName, id: ClusterId) -> Option<Self> {
        let row = world.cluster(id)?;
        let name = row.fact.as_ref().map(|fact| &fact.site);
        let site = name.and_then(|name| world.sites.get(name));
        let view = Viewpoint { site: name, country: site.map(|site| site.country), tenant };
        Some(Self { world, row, site, view })
    }

    fn fact(&self) -> Option<&ClusterFact> {
        self.row.fact.as_ref()
    }

    fn examine(&self, class: &PolicyClass, (horizon, suits): (&mut Horizon, &mut Suits), out: &mut Sink<'_>) {
        if let Some(site) = self.site {
            self.examine_site(class, site, horizon, out);
            self.examine_suits(class, site, (horizon, suits), out);
        } else {
            for rule in NEEDS_SITE.into_iter().chain(asked(&class.providers).iter()) {
                out(rule, false, Object::Site);
            }
        }
        if let Some(site) = self.view.site {
            self.examine_restrictions((SubjectKind::Site, site.as_str(), Object::Site), horizon, out);
        }
        let tenant = (SubjectKind::Tenant, class.tenant.as_str(), Object::Tenant);
        self.examine_restrictions(tenant, horizon, out);
        self.examine_restrictions((SubjectKind::Tenant, Subject::EVERY, Object::Everybody), horizon, out);
        self.examine_member(class, out);
    }

    fn examine_site(&self, class: &PolicyClass, site: &SiteFact, horizon: &mut Horizon, out: &mut Sink<'_>) {
        let (tenants, own) = (&class.tenant_residency, &class.residency);
        let residency = judge_residency(&self.world.sets, tenants, own, site.country, horizon);
        if residency.denied != Tri::No {
            out(Rule::CountryDenied, residency.denied == Tri::Yes, Object::Site);
        }
        if residency.allowed != Tri::Yes {
            out(Rule::CountryNotAllowed, residency.allowed == Tri::No, Object::Site);
        }
        self.examine_provider(&site.operated_by, Object::Operator, horizon, out);
        if site.owned_by != site.operated_by {
            self.examine_provider(&site.owned_by, Object::Owner, horizon, out);
        }
        let begun = horizon.has_begun(site.online_from);
        if site.state != SiteState::Online || !begun {
            out(Rule::SiteNotOnline, true, Object::Site);
        }
    }

    /// What the tenant asks of providers.
    fn examine_suits(
        &self,
        class: &PolicyClass,
        site: &SiteFact,
        (horizon, suits): (&mut Horizon, &mut Suits),
        out: &mut Sink<'_>,
    ) {
        if !class.asks_of_providers() {
            return;
        }
        let owner = Some((&site.owned_by, Object::Owner)).filter(|_| site.owned_by != site.operated_by);
        for (provider, object) in [(&site.operated_by, Object::Operator)].into_iter().chain(owner) {
            let suit = suits.of(self.world, class, provider, horizon.now());
            suit.failing.iter().for_each(|rule| out(rule, true, object));
            suit.unknown.iter().for_each(|rule| out(rule, false, object));
            if let Some(next) = suit.next {
                horizon.note(next);
            }
        }
    }

    fn examine_provider(
        &self,
        provider: &ProviderName,
        object: Object,
        horizon: &mut Horizon,
        out: &mut Sink<'_>,
    ) {
        if !self.world.providers.contains(provider) {
            out(Rule::NotApproved, false, object);
            // What restricts it still counts: deleting the object must not lift a freeze.
            let subject = (SubjectKind::HostingProvider, provider.as_str(), object);
            return self.examine_restrictions(subject, horizon, out);
        }
        match self.standing(SubjectKind::HostingProvider, provider.as_str(), horizon) {
            Standing::Decided(verdict) => {
                if let Some(rule) = restriction(verdict) {
                    out(rule, true, object);
                }
            }
            Standing::Expired => out(Rule::ApprovalExpired, true, object),
            Standing::OutOfScope => out(Rule::ApprovalOutOfScope, true, object),
            Standing::Undecided => out(Rule::NotApproved, true, object),
        }
    }

    fn examine_restrictions(
        &self,
        (kind, name, object): (SubjectKind, &str, Object),
        horizon: &mut Horizon,
        out: &mut Sink<'_>,
    ) {
        if let Standing::Decided(verdict) = self.standing(kind, name, horizon)
            && let Some(rule) = restriction(verdict)
        {
            out(rule, true, object);
        }
    }

    fn standing(&self, kind: SubjectKind, name: &str, horizon: &mut Horizon) -> Standing {
        let decisions = &self.world.decisions;
        decisions.standing_of(decisions.about_name(kind, name), &self.view, horizon)
    }

    fn examine_member(&self, class: &PolicyClass, out: &mut Sink<'_>) {
        let object = Object::Member;
        if self.row.taken.contains(&class.namespace) {
            out(Rule::NamespaceTaken, true, object);
        }
        let Some(fact) = self.fact() else {
            for rule in [Rule::TenantNotAdmitted, Rule::KindNotServed, Rule::Cordoned, Rule::ClusterNotReady]
            {
                out(rule, false, object);
            }
            if !class.classes.is_empty() {
                out(Rule::ClassNotServed, false, object);
            }
            return;
        };
        match &fact.admitted {
            None => {
                out(Rule::TenantNotAdmitted, false, object);
                out(Rule::KindNotServed, false, object);
            }
            Some(admitted) => {
                if !admitted.contains(&class.tenant) {
                    out(Rule::TenantNotAdmitted, true, object);
                }
                if fact.kinds_not_served & class.kinds != 0 {
                    out(Rule::KindNotServed, true, object);
                }
            }
        }
        let served = |class: &ClassUse| match class {
            ClassUse::Storage(name) => fact.storage_classes.contains_key(name),
            ClassUse::Ingress(name) => fact.ingress_classes.contains_key(name),
        };
        if !class.classes.iter().all(served) {
            out(Rule::ClassNotServed, true, object);
        }
        if fact.contradicted {
            out(Rule::LocationContradicted, true, object);
        }
        if fact.scheduling != Scheduling::Open {
            out(Rule::Cordoned, true, object);
        }
        if fact.ready != Tri::Yes {
            out(Rule::ClusterNotReady, fact.ready == Tri::No, object);
        }
    }

    /// The preference tiers of a cluster: the first preference that certainly contains it, and the first that may; one
    /// worse than all if none does.
    fn tiers(&self, class: &PolicyClass, horizon: &mut Horizon) -> (u16, u16) {
        let last = u16::try_from(class.preferences.len()).unwrap_or(u16::MAX);
        let (Some(site), Some(name)) = (self.site, self.view.site) else { return (last, 0) };
        let (mut certain, mut possible) = (last, last);
        // All are looked at, so that each instant at which one changes is noted.
        for (tier, place) in (0..last).zip(class.preferences.iter()).rev() {
            let contains = match place {
                PlaceRef { country: Some(country), .. } => (*country == site.country).into(),
                PlaceRef { country_set: Some(set), .. } => {
                    set_contains(&self.world.sets, set, &[], site.country, horizon)
                }
                PlaceRef { site: Some(site), .. } => (site == name).into(),
                PlaceRef { provider: Some(provider), .. } => (*provider == site.operated_by).into(),
                _ => Tri::No,
            };
            if contains != Tri::No {
                possible = tier;
            }
            if contains == Tri::Yes {
                certain = tier;
            }
        }
        (certain, possible)
    }
}

fn restriction(verdict: Verdict) -> Option<Rule> {
    match verdict {
        Verdict::Approved => None,
        Verdict::Frozen => Some(Rule::ApprovalFrozen),
        Verdict::Suspended => Some(Rule::ApprovalSuspended),
        Verdict::Revoked => Some(Rule::ApprovalRevoked),
    }
}

/// The kinds that a cluster doesn't serve and a class uses, by name.
#[must_use]
pub fn kinds_missing(class: &PolicyClass, fact: &ClusterFact) -> Vec<&'static str> {
    let missing = fact.kinds_not_served & class.kinds;
    Kind::all().filter(|kind| missing & kind.bit() != 0).map(Kind::name).collect()
}
