//! Whether a tenant's policy lets a provider host.

use std::collections::BTreeSet;

use domicile_crds::{ExcludedLaw, Interest, ProviderName, ProviderPolicy, RequiredCertification};
use jiff::Timestamp;

use super::{
    EPSILON, Entity, Party, Providers, SHARES, Who,
    control::{Control, parties},
    foreign::Origins,
    laws::{binds, binds_described, in_words},
    path::path,
    say::Say,
    web::{Holder, Web},
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
    let web = Web::over(providers, host, inquiry.horizon);
    let control = Control::of(&web);
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
    fn independence(&mut self, control: &Control<'_, 'a>, doubts: &mut Vec<String>, out: &mut Sink<'_>) {
        if self.policy.independent_of.is_empty() {
            return;
        }
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let ours = Say::in_provider(control);
        for name in &self.policy.independent_of {
            let meant = providers.whos().called(name);
            if meant == Some(host.who) {
                self.settled = true;
                out(Rule::ProviderNotIndependent, true, &|| format!("{} is {name} itself", host.name));
                continue;
            }
            if let Some(who) = meant.filter(|who| ours.has(*who)) {
                self.settled = true;
                out(Rule::ProviderNotIndependent, true, &|| said(path(providers, host, who, now)));
                continue;
            }
            if meant.is_some_and(|who| ours.may(who)) {
                doubts.push(may_have_a_say(name, host));
            }
            if !providers.whos().is_described(name) {
                doubts.push(format!(
                    "nobody knows who stands behind {name}: describe it in a HostingProvider, which needs no approval"
                ));
            }
            let meant: Vec<Entity<'a>> = meant.into_iter().flat_map(|who| providers.entities(who)).collect();
            for other in meant {
                self.independence_of(other, control, doubts, out);
            }
        }
        if doubts.is_empty() && !self.settled {
            doubts.extend(doubt(host, &ours));
        }
    }

    /// Whether the host has no say in the other, and nobody controls both.
    fn independence_of(
        &mut self,
        other: Entity<'a>,
        ours: &Control<'_, 'a>,
        doubts: &mut Vec<String>,
        out: &mut Sink<'_>,
    ) {
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let web = Web::over(providers, other, self.horizon);
        let control = Control::of(&web);
        let theirs = Say::in_provider(&control);
        if theirs.has(host.who) {
            self.settled = true;
            return out(Rule::ProviderNotIndependent, true, &|| said(path(providers, other, host.who, now)));
        }
        let control_it: BTreeSet<Who> = control.holders().map(|holder| holder.who).collect();
        if let Some(both) = ours.holders().find(|holder| control_it.contains(&holder.who)) {
            self.settled = true;
            return out(Rule::ProviderNotIndependent, true, &|| {
                let paths = [host, other].map(|of| said(path(providers, of, both.who, now)));
                paths.join("; ")
            });
        }
        if theirs.may(host.who) {
            doubts.push(may_have_a_say(host.name, other));
        }
        let may_control_it: BTreeSet<Who> =
            control.holders().chain(control.possible_holders()).map(|holder| holder.who).collect();
        let both = |holder: &&Holder<'a>| may_control_it.contains(&holder.who);
        if let Some(both) = parties(ours.holders().chain(ours.possible_holders()).filter(both)).next() {
            doubts.push(format!(
                "{} may control both {} and {}: nobody knows who holds the rest, see their spec.ownership",
                both.name(),
                host.name,
                other.name
            ));
        }
        if doubts.is_empty() && !self.settled {
            doubts.extend(doubt(other, &theirs));
        }
    }

    fn foreigners(&mut self, control: &Control<'_, 'a>, doubts: &mut Vec<String>, out: &mut Sink<'_>) {
        let Some(set) = &self.policy.home_country_set else { return };
        if !self.sets.contains_key(set) {
            return out(Rule::ForeignControl, false, &|| format!("there is no CountrySet {set}"));
        }
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let origins = Origins::of(providers, (self.sets, set), control.web, self.horizon);
        if origins.provider(host, self.horizon) == Tri::Yes {
            self.settled = true;
            return out(Rule::ForeignControl, true, &|| {
                format!("{} is registered or led outside {set}", host.name)
            });
        }
        if let Some(foreign) = control.holders().find(|holder| origins.is_foreign(holder.who)) {
            self.settled = true;
            return out(Rule::ForeignControl, true, &|| {
                let way = said(path(providers, host, foreign.who, now));
                format!("{way}, which is control from outside {set}")
            });
        }
        for party in parties(control.holders().chain(control.possible_holders())) {
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
        doubts.extend(control.hidden().map(nobody_known));
        for interest in SHARES {
            self.foreign_shares((&origins, control.web, interest), doubts, out);
        }
    }

    fn foreign_shares(
        &mut self,
        (origins, web, interest): (&Origins<'a>, &Web<'a>, Interest),
        doubts: &mut Vec<String>,
        out: &mut Sink<'_>,
    ) {
        let Some(set) = &self.policy.home_country_set else { return };
        let limits = self.policy.max_foreign_share;
        let (individual, collective) = (f64::from(limits.individual), f64::from(limits.collective));
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let tally = origins.tally(web, interest, now);
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

    fn law(&mut self, law: &ExcludedLaw, control: &Control<'_, 'a>, out: &mut Sink<'_>) {
        let (providers, host, now) = (self.providers, self.host, self.horizon.now());
        let mut silent = control.hidden().map(nobody_known);
        let itself = Party::of(host);
        match binds_described(law, providers, host.who) {
            Tri::Yes => {
                return out(Rule::CompelledDisclosure, true, &|| {
                    format!("{} binds {}", in_words(law), host.name)
                });
            }
            Tri::Unknown => drop(silent.get_or_insert_with(|| nobody_says(law, itself))),
            Tri::No => {}
        }
        let all = control.holders().map(|holder| (holder, true));
        for (holder, certain) in all.chain(control.possible_holders().map(|holder| (holder, false))) {
            let Some(party) = holder.party() else { continue };
            match binds(providers, law, holder) {
                Tri::Yes if certain => {
                    return out(Rule::CompelledDisclosure, true, &|| {
                        let name = party.described.map_or(party.name(), |entity| entity.name.as_str());
                        let by = format!("{} binds {name}", in_words(law));
                        path(providers, host, party.who, now)
                            .map_or_else(|| by.clone(), |path| format!("{by}: {path}"))
                    });
                }
                Tri::Yes => drop(silent.get_or_insert_with(|| {
                    format!("{} binds {}: {}", in_words(law), party.name(), may_control(party, host))
                })),
                Tri::Unknown => drop(silent.get_or_insert_with(|| nobody_says(law, party))),
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

/// Why somebody could have a say in a provider without anybody knowing.
fn doubt(entity: Entity<'_>, say: &Say<'_, '_>) -> Option<String> {
    // Who else may have a say takes the longest to find out.
    let unknown = || say.unknown().map(|(interest, share)| nobody_knows(share, interest, entity));
    let near = say.control.hidden().map(nobody_known).or_else(unknown);
    near.or_else(|| say.hidden().map(nobody_known))
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
