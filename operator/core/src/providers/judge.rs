//! Whether a tenant's policy lets a provider host.

use domicile_crds::{
    CountryCode, ExcludedLaw, HostingProviderSpec, Interest, ProviderName, ProviderPolicy,
    RequiredCertification,
};
use jiff::Timestamp;

use super::{
    EPSILON, Entity, Party, Providers, SHARES, Who,
    control::{Control, Web},
    foreign::Origins,
    path::path,
    say::Say,
    who::fold,
};
use crate::{Horizon, Rule, RuleSet, Tri, countries::CountrySets};

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
    let control = Web::over(providers, host, inquiry.horizon).control();
    let mut doubts = Vec::new();
    inquiry.independence(&mut doubts, out);
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
    fn independence(&mut self, doubts: &mut Vec<String>, out: &mut Sink<'_>) {
        if self.policy.independent_of.is_empty() {
            return;
        }
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let ours = Say::in_provider(providers, host, self.horizon);
        for name in &self.policy.independent_of {
            let meant = providers.whos().called(name);
            if meant == Some(host.who) {
                self.settled = true;
                out(Rule::ProviderNotIndependent, true, &|| format!("{} is {name} itself", host.name));
                continue;
            }
            if let Some(who) = meant.filter(|who| ours.certain.contains(who)) {
                self.settled = true;
                out(Rule::ProviderNotIndependent, true, &|| said(path(providers, host, who, now)));
                continue;
            }
            if meant.is_some_and(|who| ours.possible.contains(&who)) {
                doubts.push(may_have_a_say(name, host));
            }
            if !providers.whos().is_described(name) {
                doubts.push(format!(
                    "nobody knows who stands behind {name}: describe it in a HostingProvider, which needs no approval"
                ));
            }
            let meant: Vec<Entity<'a>> = meant.into_iter().flat_map(|who| providers.entities(who)).collect();
            for other in meant {
                self.independence_of(other, &ours, doubts, out);
            }
        }
        doubts.extend(doubt(host, &ours));
    }

    /// Whether the host has no say in the other, and nobody controls both.
    fn independence_of(
        &mut self,
        other: Entity<'a>,
        ours: &Say<'a>,
        doubts: &mut Vec<String>,
        out: &mut Sink<'_>,
    ) {
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let theirs = Say::in_provider(providers, other, self.horizon);
        if theirs.certain.contains(&host.who) {
            self.settled = true;
            return out(Rule::ProviderNotIndependent, true, &|| said(path(providers, other, host.who, now)));
        }
        let controls = |who: Who| theirs.control.holders().any(|other| who == other.who);
        if let Some(both) = ours.control.holders().find(|party| controls(party.who)) {
            self.settled = true;
            return out(Rule::ProviderNotIndependent, true, &|| {
                let paths = [host, other].map(|of| said(path(providers, of, both.who, now)));
                paths.join("; ")
            });
        }
        if theirs.possible.contains(&host.who) {
            doubts.push(may_have_a_say(host.name, other));
        }
        let may_control = |who: Who| theirs.control.possible_holders().any(|other| who == other.who);
        if let Some(both) = ours.control.possible_holders().find(|party| may_control(party.who)) {
            doubts.push(format!(
                "{} may control both {} and {}: nobody knows who holds the rest, see their spec.ownership",
                both.name(),
                host.name,
                other.name
            ));
        }
        doubts.extend(doubt(other, &theirs));
    }

    fn foreigners(&mut self, control: &Control<'a>, doubts: &mut Vec<String>, out: &mut Sink<'_>) {
        let Some(set) = &self.policy.home_country_set else { return };
        if !self.sets.contains_key(set) {
            return out(Rule::ForeignControl, false, &|| format!("there is no CountrySet {set}"));
        }
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let origins = Origins::of(providers, (self.sets, set), host, self.horizon);
        if origins.provider(host, self.horizon) == Tri::Yes {
            self.settled = true;
            return out(Rule::ForeignControl, true, &|| {
                format!("{} is registered or led outside {set}", host.name)
            });
        }
        if let Some(foreign) = control.holders().find(|party| origins.is_foreign(party.who)) {
            self.settled = true;
            return out(Rule::ForeignControl, true, &|| {
                let way = said(path(providers, host, foreign.who, now));
                format!("{way}, which is control from outside {set}")
            });
        }
        for party in control.possible_holders() {
            if origins.is_open(party.who) {
                doubts.push(format!(
                    "nobody knows from where {} is, which controls {} or may",
                    party.name(),
                    host.name
                ));
            } else if origins.is_foreign(party.who) {
                doubts.push(may_control(party, host));
            }
        }
        if host.spec.headquartered_in.is_none() {
            doubts.push(format!("nobody knows from where {} is led: spec.headquarteredIn", host.name));
        }
        doubts.extend(control.hidden.map(nobody_known));
        for interest in SHARES {
            self.foreign_shares((&origins, interest), doubts, out);
        }
    }

    fn foreign_shares(
        &mut self,
        (origins, interest): (&Origins<'a>, Interest),
        doubts: &mut Vec<String>,
        out: &mut Sink<'_>,
    ) {
        let Some(set) = &self.policy.home_country_set else { return };
        let limits = self.policy.max_foreign_share;
        let (individual, collective) = (f64::from(limits.individual), f64::from(limits.collective));
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let tally = origins.tally(host, interest, self.horizon);
        let of = if interest == Interest::Capital { "capital" } else { "votes" };
        if let Some((party, share)) = tally.largest().filter(|(_, share)| *share > individual + EPSILON) {
            self.settled = true;
            return out(Rule::ForeignControl, true, &|| {
                let way = said(path(providers, host, party.who, now));
                let (name, host, share) = (party.name(), host.name, round(share));
                format!(
                    "{name} outside {set} has up to {share} % of the {of} of {host}, and {individual} % are allowed: {way}"
                )
            });
        }
        let together = tally.together();
        if together > collective + EPSILON {
            self.settled = true;
            return out(Rule::ForeignControl, true, &|| {
                let (host, share, names) = (host.name, round(together), tally.names().join(", "));
                format!(
                    "holders outside {set} have up to {share} % of the {of} of {host}, and {collective} % are allowed: {names}"
                )
            });
        }
        let (party, least) = tally.largest_at_least();
        if least + tally.rest() > individual + EPSILON || 100.0 - tally.home > collective + EPSILON {
            let unknown = nobody_knows(tally.rest(), interest, host);
            let beside = party.map(|party| format!(" (beside the {} % of {})", round(least), party.name()));
            doubts.push(unknown + &beside.unwrap_or_default());
        }
    }

    fn law(&mut self, law: &ExcludedLaw, control: &Control<'a>, out: &mut Sink<'_>) {
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let mut silent = control.hidden.map(nobody_known);
        for party in &control.parties {
            match binds(providers, law, *party, &control.recorded) {
                Tri::Yes => {
                    return out(Rule::CompelledDisclosure, true, &|| {
                        let name = party.described.map_or(party.name(), |entity| entity.name.as_str());
                        let by = format!("{} binds {name}", in_words(law));
                        match path(providers, host, party.who, now).filter(|_| party.holder.is_some()) {
                            Some(path) => format!("{by}: {path}"),
                            None => by,
                        }
                    });
                }
                Tri::Unknown => drop(silent.get_or_insert_with(|| nobody_says(law, *party))),
                Tri::No => {}
            }
        }
        for party in &control.possible {
            match binds(providers, law, *party, &control.recorded) {
                Tri::Yes => drop(silent.get_or_insert_with(|| {
                    format!("{} binds {}: {}", in_words(law), party.name(), may_control(*party, host))
                })),
                Tri::Unknown => drop(silent.get_or_insert_with(|| nobody_says(law, *party))),
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

/// Whether a law binds a party, of which all that is `recorded` is true.
fn binds(providers: &Providers, law: &ExcludedLaw, party: Party<'_>, recorded: &[Party<'_>]) -> Tri {
    let is_its = |country: CountryCode| law.jurisdiction.is_none_or(|jurisdiction| jurisdiction == country);
    let same = || recorded.iter().filter(|other| other.who == party.who);
    let country = |other: &Party<'_>| other.holder.and_then(|holder| holder.country);
    if law.law.is_none() && same().filter_map(country).any(is_its) {
        return Tri::Yes;
    }
    if party.described.is_none() {
        let says = |other: &Party<'_>| other.described.is_some() || country(other).is_some();
        let silent = !same().any(|it| it.is_known()) || (law.law.is_none() && !same().any(says));
        return if silent { Tri::Unknown } else { Tri::No };
    }
    // All that describes it is true of it.
    Tri::any(providers.entities(party.who).map(|entity| binds_described(law, entity.spec)))
}

fn binds_described(law: &ExcludedLaw, spec: &HostingProviderSpec) -> Tri {
    let is_its = |country: CountryCode| law.jurisdiction.is_none_or(|jurisdiction| jurisdiction == country);
    let is_named = |name: &str| law.law.as_ref().is_none_or(|law| fold(law) == fold(name));
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

/// Why somebody could have a say in a provider without anybody knowing.
fn doubt(entity: Entity<'_>, say: &Say<'_>) -> Option<String> {
    let unknown = say.unknown.map(|(interest, share)| nobody_knows(share, interest, entity));
    say.hidden.map(nobody_known).or(unknown)
}

fn may_have_a_say(who: impl std::fmt::Display, entity: Entity<'_>) -> String {
    format!(
        "{who} may have a say in {}: nobody knows who holds the rest, see its spec.ownership",
        entity.name
    )
}

fn may_control(party: Party<'_>, entity: Entity<'_>) -> String {
    format!(
        "{} may control {}: nobody knows who holds the rest, see its spec.ownership",
        party.name(),
        entity.name
    )
}

fn nobody_says(law: &ExcludedLaw, party: Party<'_>) -> String {
    format!("nobody says whether {} binds {}", in_words(law), party.name())
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
