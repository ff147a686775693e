//! Who is from abroad, and how much those have.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::{CountryCode, CountrySetName, Interest};
use jiff::Timestamp;

use super::{
    Entity, Party, Providers, Who,
    shares::Range,
    web::{Holder, Web},
};
use crate::{
    Horizon, Tri,
    countries::{CountrySets, set_contains},
};

/// Where those who stand behind a provider are from, by all that is recorded of each, wherever it is.
pub(super) struct Origins<'a> {
    providers: &'a Providers,
    sets: &'a CountrySets,
    set: &'a CountrySetName,
    foreign: BTreeSet<Who>,
    /// Those of whom nothing says from where they are, or from where they are led.
    open: BTreeSet<Who>,
}

impl<'a> Origins<'a> {
    pub(super) fn of(
        providers: &'a Providers,
        (sets, set): (&'a CountrySets, &'a CountrySetName),
        web: &Web<'a>,
        horizon: &mut Horizon,
    ) -> Self {
        let mut origins = Self { providers, sets, set, foreign: BTreeSet::new(), open: BTreeSet::new() };
        web.holders.iter().for_each(|holder| origins.note(holder, horizon));
        origins
    }

    fn note(&mut self, holder: &Holder<'a>, horizon: &mut Horizon) {
        let providers = self.providers;
        let mut foreign = holder.entities(providers).any(|it| self.provider(it, horizon) == Tri::Yes);
        let mut said = false;
        for party in holder.records.iter().filter(|party| party.described.is_none()) {
            match self.outside(party.holder.and_then(|holder| holder.country), horizon) {
                Tri::Yes => foreign = true,
                Tri::No => said = true,
                Tri::Unknown => {}
            }
        }
        let mut entities = holder.entities(providers).peekable();
        let open = match entities.peek() {
            Some(_) => entities.any(|entity| entity.spec.headquartered_in.is_none()),
            None => !said,
        };
        self.foreign.extend(foreign.then_some(holder.who));
        self.open.extend(open.then_some(holder.who));
    }

    /// Whether a provider is from abroad, by where it is registered and where it is led from.
    pub(super) fn provider(&self, entity: Entity<'_>, horizon: &mut Horizon) -> Tri {
        let countries = [Some(entity.spec.registered_in), entity.spec.headquartered_in];
        Tri::any(countries.map(|country| self.outside(country, horizon)))
    }

    fn outside(&self, country: Option<CountryCode>, horizon: &mut Horizon) -> Tri {
        let Some(country) = country else { return Tri::Unknown };
        match set_contains(self.sets, self.set, &[], country, horizon) {
            Tri::Yes => Tri::No,
            Tri::No => Tri::Yes,
            Tri::Unknown => Tri::Unknown,
        }
    }

    pub(super) fn is_foreign(&self, who: Who) -> bool {
        self.foreign.contains(&who)
    }

    /// Whether it can't be told that somebody is from the set.
    pub(super) fn is_open(&self, who: Who) -> bool {
        self.open.contains(&who)
    }

    /// What is held of an interest in the provider of a web.
    pub(super) fn tally(&self, web: &Web<'a>, interest: Interest, now: Timestamp) -> Tally<'a> {
        let mut tally = Tally::default();
        web.chains(interest, &mut |held, share| {
            let party = held.party;
            if self.is_foreign(party.who) {
                tally.foreign.entry(party.who).or_insert((party, Range::default())).1.add(share);
                return None;
            }
            if let Some(owner) = party.described {
                // What stands behind one that may be foreign belongs to the rest.
                let min = owner.spec.headquartered_in.map_or(0.0, |_| share.min);
                return Some(Range { min, ..share });
            }
            let country = party.holder.and_then(|holder| holder.country);
            if party.is_known() && self.outside(country, &mut Horizon::new(now)) == Tri::No {
                tally.home += share.min;
            }
            None
        });
        tally
    }
}

/// What is held of an interest in a provider, in percent.
#[derive(Default)]
pub(super) struct Tally<'a> {
    /// By persons and states from the set, at least.
    pub(super) home: f64,
    foreign: BTreeMap<Who, (Party<'a>, Range)>,
}

impl<'a> Tally<'a> {
    /// What nobody is known to have.
    pub(super) fn rest(&self) -> f64 {
        let least: f64 = self.foreign.values().map(|(_, share)| share.min).sum();
        (100.0 - self.home - least).max(0.0)
    }

    /// The foreign holder with the largest share, at worst.
    pub(super) fn largest(&self) -> Option<(Party<'a>, f64)> {
        let worst = |share: &Range| share.max.min(share.min + self.rest());
        let all = self.foreign.values().map(|(party, share)| (*party, worst(share)));
        all.max_by(|a, b| a.1.total_cmp(&b.1))
    }

    /// The foreign holder with the largest share, at least, if it has any.
    pub(super) fn largest_at_least(&self) -> (Option<Party<'a>>, f64) {
        let all = self.foreign.values().filter(|(_, share)| share.min > 0.0);
        let largest = all.max_by(|a, b| a.1.min.total_cmp(&b.1.min));
        largest.map_or((None, 0.0), |(party, share)| (Some(*party), share.min))
    }

    /// The share of all foreign holders together, at worst.
    pub(super) fn together(&self) -> f64 {
        let (least, most) = self
            .foreign
            .values()
            .fold((0.0, 0.0), |(min, max), (_, share)| (min + share.min, max + share.max));
        f64::min(most, f64::max(100.0 - self.home, least))
    }

    pub(super) fn names(&self) -> Vec<&'a str> {
        self.foreign.values().map(|(party, _)| party.name()).collect()
    }
}
