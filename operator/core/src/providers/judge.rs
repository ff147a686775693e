//! Whether a tenant's policy lets a provider host.

use std::collections::BTreeSet;

use domicile_crds::{
    CountryCode, ExcludedLaw, HostingProviderSpec, Interest, ProviderName, ProviderPolicy,
    RequiredCertification,
};
use jiff::Timestamp;

use super::{
    EPSILON, Entity, Mark, Party, Providers, SHARES,
    control::{Control, SAY, having_a_say, may_be_entity},
    path::path,
    shares::{Stake, stakes},
};
use crate::{
    Horizon, Rule, RuleSet, Tri,
    countries::{CountrySets, set_contains},
};

/// What a policy says of a provider, without the words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suit {
    /// Rules that fail.
    pub failing: RuleSet,
    /// Rules that can't be told.
    pub unknown: RuleSet,
    /// When this changes by itself.
    pub next: Option<Timestamp>,
}

/// Takes a rule, whether it fails for certain, and why.
type Sink<'a> = dyn FnMut(Rule, bool, &dyn Fn() -> String) + 'a;

impl Suit {
    /// Judges a provider, whether it exists or not.
    pub(crate) fn of(
        providers: &Providers,
        sets: &CountrySets,
        policy: &ProviderPolicy,
        name: &ProviderName,
        now: Timestamp,
    ) -> Self {
        let mut suit = Self { failing: RuleSet::EMPTY, unknown: RuleSet::EMPTY, next: None };
        let mut horizon = Horizon::new(now);
        examine((providers, sets), policy, name, &mut horizon, &mut |rule, certain, _| {
            if certain { suit.failing.insert(rule) } else { suit.unknown.insert(rule) }
        });
        suit.next = horizon.next();
        suit
    }
}

/// The rules that a policy asks for.
pub(crate) fn asked(policy: &ProviderPolicy) -> RuleSet {
    let mut rules = RuleSet::EMPTY;
    let mut ask = |is_asked: bool, rule| {
        if is_asked {
            rules.insert(rule);
        }
    };
    let home = policy.home_country_set.is_some();
    ask(!policy.independent_of.is_empty(), Rule::ProviderNotIndependent);
    ask(home, Rule::ForeignControl);
    ask(home || !policy.independent_of.is_empty(), Rule::OwnershipUnknown);
    ask(!policy.not_subject_to.is_empty(), Rule::CompelledDisclosure);
    ask(!policy.certifications.is_empty(), Rule::CertificationMissing);
    rules
}

/// Judges a provider, with words.
pub(crate) fn examine(
    (providers, sets): (&Providers, &CountrySets),
    policy: &ProviderPolicy,
    name: &ProviderName,
    horizon: &mut Horizon,
    out: &mut Sink<'_>,
) {
    let rules = asked(policy);
    if rules.is_empty() {
        return;
    }
    let Some(host) = providers.entity(name) else {
        rules.iter().for_each(|rule| out(rule, false, &|| format!("there is no HostingProvider {name}")));
        return;
    };
    let mut inquiry = Inquiry { providers, sets, policy, host, horizon, settled: false };
    let control = Control::over(providers, host, inquiry.horizon);
    let mut doubts = Vec::new();
    inquiry.independence(&control, &mut doubts, out);
    inquiry.foreigners(&control, &mut doubts, out);
    if !inquiry.settled
        && let Some(doubt) = doubts.first()
    {
        out(Rule::OwnershipUnknown, true, &|| doubt.clone());
    }
    for law in &policy.not_subject_to {
        inquiry.law(law, &control, out);
    }
    for wanted in &policy.certifications {
        inquiry.certificate(wanted, out);
    }
}

struct Inquiry<'a, 'h> {
    providers: &'a Providers,
    sets: &'a CountrySets,
    policy: &'a ProviderPolicy,
    host: Entity<'a>,
    horizon: &'h mut Horizon,
    /// It is known that it may not host, so that what isn't known makes no difference.
    settled: bool,
}

impl<'a> Inquiry<'a, '_> {
    fn independence(&mut self, control: &Control<'a>, doubts: &mut Vec<String>, out: &mut Sink<'_>) {
        if self.policy.independent_of.is_empty() {
            return;
        }
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let saying = having_a_say(providers, host, self.horizon);
        for name in &self.policy.independent_of {
            let called = name.to_lowercase();
            let is_meant =
                |marks: &BTreeSet<Mark>| marks.iter().any(|mark| mark.text().to_lowercase() == called);
            if is_meant(&Party::of(host).marks()) {
                self.settled = true;
                out(Rule::ProviderNotIndependent, true, &|| format!("{} is {name} itself", host.name));
                continue;
            }
            if let Some((_, marks)) = saying.iter().find(|(_, marks)| is_meant(marks)) {
                self.settled = true;
                out(Rule::ProviderNotIndependent, true, &|| said(path(providers, host, marks, now)));
                continue;
            }
            let meant: Vec<Entity<'a>> = providers.meant_by(name).collect();
            if meant.is_empty() {
                doubts.push(format!(
                    "nobody knows who stands behind {name}: describe it in a HostingProvider, which needs no approval"
                ));
            }
            for other in meant {
                self.independence_of(other, control, doubts, out);
            }
        }
        doubts.extend(self.doubt(host, control));
    }

    /// Whether the host has no say in the other, and nobody controls both.
    fn independence_of(
        &mut self,
        other: Entity<'a>,
        control: &Control<'a>,
        doubts: &mut Vec<String>,
        out: &mut Sink<'_>,
    ) {
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let ours = Party::of(host).marks();
        let saying = having_a_say(providers, other, self.horizon);
        if saying.iter().any(|(_, marks)| !marks.is_disjoint(&ours)) {
            self.settled = true;
            return out(Rule::ProviderNotIndependent, true, &|| said(path(providers, other, &ours, now)));
        }
        let theirs = Control::over(providers, other, self.horizon);
        let shared =
            control.holders().find(|(_, marks)| theirs.holders().any(|(_, other)| !marks.is_disjoint(other)));
        if let Some((_, marks)) = shared {
            self.settled = true;
            return out(Rule::ProviderNotIndependent, true, &|| {
                let paths = [host, other].map(|of| said(path(providers, of, marks, now)));
                paths.join("; ")
            });
        }
        doubts.extend(self.doubt(other, &theirs));
    }

    /// Why somebody could have a say in a provider without anybody knowing.
    fn doubt(&mut self, entity: Entity<'a>, control: &Control<'a>) -> Option<String> {
        if let Some(hidden) = control.hidden {
            return Some(nobody_known(hidden));
        }
        let providers = self.providers;
        SHARES.into_iter().find_map(|interest| {
            let all = stakes(providers, entity, (interest, false), self.horizon, &mut |_, _| false);
            let known: f64 =
                all.iter().filter(|stake| stake.party.is_known()).map(|stake| stake.share.min).sum();
            let unknown = 100.0 - known;
            (unknown >= SAY - EPSILON).then(|| nobody_knows(unknown, interest, entity))
        })
    }

    fn foreigners(&mut self, control: &Control<'a>, doubts: &mut Vec<String>, out: &mut Sink<'_>) {
        let Some(set) = &self.policy.home_country_set else { return };
        if !self.sets.contains_key(set) {
            return out(Rule::ForeignControl, false, &|| format!("there is no CountrySet {set}"));
        }
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        if self.is_foreign(Party::of(host)) == Tri::Yes {
            self.settled = true;
            return out(Rule::ForeignControl, true, &|| {
                format!("{} is registered or led outside {set}", host.name)
            });
        }
        if let Some((_, marks)) = control.holders().find(|(party, _)| self.is_foreign(*party) == Tri::Yes) {
            self.settled = true;
            return out(Rule::ForeignControl, true, &|| {
                format!("{}, which is control from outside {set}", said(path(providers, host, marks, now)))
            });
        }
        if host.spec.headquartered_in.is_none() {
            doubts.push(format!("nobody knows from where {} is led: spec.headquarteredIn", host.name));
        }
        doubts.extend(control.hidden.map(nobody_known));
        for interest in SHARES {
            self.foreign_shares(interest, doubts, out);
        }
    }

    fn foreign_shares(&mut self, interest: Interest, doubts: &mut Vec<String>, out: &mut Sink<'_>) {
        let Some(set) = &self.policy.home_country_set else { return };
        let limits = self.policy.max_foreign_share;
        let (individual, collective) = (f64::from(limits.individual), f64::from(limits.collective));
        let (providers, sets, host, now) = (self.providers, self.sets, self.host, self.horizon.now());
        let all = stakes(providers, host, (interest, false), self.horizon, &mut |party, horizon| {
            is_foreign(sets, set, party, horizon) != Tri::No
        });
        let (mut home, mut foreign): (f64, Vec<Stake<'_>>) = (0.0, Vec::new());
        for stake in all {
            match self.is_foreign(stake.party) {
                Tri::Yes => foreign.push(stake),
                Tri::No if stake.party.is_known() => home += stake.share.min,
                _ => {}
            }
        }
        let least: f64 = foreign.iter().map(|stake| stake.share.min).sum();
        let most: f64 = foreign.iter().map(|stake| stake.share.max).sum();
        let rest = (100.0 - home - least).max(0.0);
        let of = |interest| if interest == Interest::Capital { "capital" } else { "votes" };
        let worst = |stake: &Stake<'_>| stake.share.max.min(stake.share.min + rest);
        foreign.sort_by(|a, b| worst(b).total_cmp(&worst(a)));
        if let Some(stake) = foreign.first().filter(|stake| worst(stake) > individual + EPSILON) {
            self.settled = true;
            return out(Rule::ForeignControl, true, &|| {
                let way = said(path(providers, host, &stake.marks, now));
                let (share, name) = (round(worst(stake)), stake.party.name());
                format!(
                    "{name} outside {set} has up to {share} % of the {} of {}, and {individual} % are allowed: {way}",
                    of(interest),
                    host.name
                )
            });
        }
        let together = most.min(100.0 - home);
        if together > collective + EPSILON {
            self.settled = true;
            return out(Rule::ForeignControl, true, &|| {
                let names: Vec<&str> = foreign.iter().map(|stake| stake.party.name()).collect();
                format!(
                    "holders outside {set} have up to {} % of the {} of {}, and {collective} % are allowed: {}",
                    round(together),
                    of(interest),
                    host.name,
                    names.join(", ")
                )
            });
        }
        if rest > individual + EPSILON || 100.0 - home > collective + EPSILON {
            doubts.push(nobody_knows(rest, interest, host));
        }
    }

    fn is_foreign(&mut self, party: Party<'_>) -> Tri {
        match &self.policy.home_country_set {
            Some(set) => is_foreign(self.sets, set, party, self.horizon),
            None => Tri::Unknown,
        }
    }

    fn law(&mut self, law: &ExcludedLaw, control: &Control<'a>, out: &mut Sink<'_>) {
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let mut silent = control.hidden.map(nobody_known);
        for (party, marks) in &control.parties {
            match binds(law, *party) {
                Tri::Yes => {
                    return out(Rule::CompelledDisclosure, true, &|| {
                        let name = party.described.map_or(party.name(), |entity| entity.name.as_str());
                        let by = format!("{} binds {name}", in_words(law));
                        match path(providers, host, marks, now).filter(|_| party.holder.is_some()) {
                            Some(path) => format!("{by}: {path}"),
                            None => by,
                        }
                    });
                }
                Tri::Unknown => {
                    silent.get_or_insert_with(|| {
                        format!("nobody says whether {} binds {}", in_words(law), party.name())
                    });
                }
                Tri::No => {}
            }
        }
        if let Some(silent) = silent {
            out(Rule::CompelledDisclosure, false, &|| silent.clone());
        }
    }

    fn certificate(&mut self, wanted: &RequiredCertification, out: &mut Sink<'_>) {
        let host = self.host;
        let mut held = false;
        for one in &host.spec.certifications {
            let is_wanted = one.scheme == wanted.scheme
                && wanted.level.as_ref().is_none_or(|level| one.level.as_ref() == Some(level));
            let (from, until) = (one.valid_from.as_ref().map(|t| t.0), one.valid_until.as_ref().map(|t| t.0));
            held |= is_wanted && self.horizon.holds(from, until);
        }
        if !held {
            out(Rule::CertificationMissing, true, &|| {
                let level = wanted.level.as_ref().map(|level| format!(" {level}")).unwrap_or_default();
                format!("{} has no certificate {}{level} that is valid now", host.name, wanted.scheme)
            });
        }
    }
}

/// Whether a party is from outside a set: a provider by where it is registered and where it is led from.
fn is_foreign(
    sets: &CountrySets,
    set: &domicile_crds::CountrySetName,
    party: Party<'_>,
    horizon: &mut Horizon,
) -> Tri {
    let mut outside = |country: Option<CountryCode>| match country {
        None => Tri::Unknown,
        Some(country) => match set_contains(sets, set, &[], country, horizon) {
            Tri::Yes => Tri::No,
            Tri::No => Tri::Yes,
            Tri::Unknown => Tri::Unknown,
        },
    };
    match party.described {
        Some(entity) => {
            let HostingProviderSpec { registered_in, headquartered_in, .. } = entity.spec;
            Tri::any([outside(Some(*registered_in)), outside(*headquartered_in)])
        }
        None => outside(party.holder.and_then(|holder| holder.country)),
    }
}

/// Whether a law binds a party.
fn binds(law: &ExcludedLaw, party: Party<'_>) -> Tri {
    let is_its = |country: CountryCode| law.jurisdiction.is_none_or(|jurisdiction| jurisdiction == country);
    let Some(entity) = party.described else {
        let Some(holder) = party.holder else { return Tri::Unknown };
        if law.law.is_none() && holder.country.is_some_and(is_its) {
            return Tri::Yes;
        }
        let silent = may_be_entity(party) || (law.law.is_none() && holder.country.is_none());
        return if silent { Tri::Unknown } else { Tri::No };
    };
    let spec = entity.spec;
    let is_named = |name: &str| law.law.as_ref().is_none_or(|law| law.to_lowercase() == name.to_lowercase());
    let recorded = spec.subject_to.as_ref().map(|all| {
        all.iter().any(|obligation| is_its(obligation.jurisdiction) && is_named(&obligation.law)).into()
    });
    let recorded = recorded.unwrap_or(Tri::Unknown);
    if law.law.is_some() {
        return recorded;
    }
    let led = spec.headquartered_in.map_or(Tri::Unknown, |country| is_its(country).into());
    let operated = spec.operated_from.as_ref();
    let operated = operated.map_or(Tri::Unknown, |from| from.iter().any(|country| is_its(*country)).into());
    Tri::any([recorded, is_its(spec.registered_in).into(), led, operated])
}

fn in_words(law: &ExcludedLaw) -> String {
    match (&law.law, law.jurisdiction) {
        (Some(law), Some(jurisdiction)) => format!("{law} ({jurisdiction})"),
        (Some(law), None) => law.clone(),
        (None, Some(jurisdiction)) => format!("the law of {jurisdiction}"),
        (None, None) => "any law".to_owned(),
    }
}

fn nobody_known(entity: Entity<'_>) -> String {
    format!("nobody knows who controls {}: see its spec.ownership", entity.name)
}

fn nobody_knows(share: f64, interest: Interest, entity: Entity<'_>) -> String {
    let of = if interest == Interest::Capital { "capital" } else { "votes" };
    format!(
        "nobody knows who holds {} % of the {of} of {}: see its spec.ownership",
        round(share),
        entity.name
    )
}

fn said(path: Option<String>) -> String {
    path.unwrap_or_else(|| "by what is recorded of its holders".to_owned())
}

/// With two digits at most.
fn round(share: f64) -> f64 {
    (share * 100.0).round() / 100.0
}
