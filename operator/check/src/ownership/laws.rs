//! `CompelledDisclosure`.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::{CountryCode, ExcludedLaw};

use super::{
    chains::Snapshot,
    control::Control,
    register::{Company, Party, fold},
};

/// Whom a law binds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Binds {
    /// Neither the provider nor whoever controls it.
    Nobody,
    /// It can't be said.
    Unknown,
    /// One of them.
    Some,
}

/// A provider, and whoever controls it or may.
pub(super) struct Compellable<'a> {
    at: Snapshot<'a>,
    is_hidden: bool,
    sure: Group,
    possible: Group,
}

/// Some who control.
struct Group {
    /// Those of them that are providers, and the one that they control.
    companies: BTreeSet<Company>,
    /// By what the entries that name them say.
    holders: Vec<Holder>,
}

#[derive(Clone, Default)]
struct Holder {
    /// A person, a state or a described entity.
    known: bool,
    /// A provider: what it says of itself is judged.
    described: bool,
    countries: BTreeSet<CountryCode>,
}

impl<'a> Compellable<'a> {
    pub(super) fn new(control: &Control<'a>, company: Company) -> Self {
        let at = control.at;
        let mut holders: BTreeMap<Party, Holder> = BTreeMap::new();
        for holding in at.upwards(&[company]).into_iter().flat_map(|company| at.holdings(company)) {
            let holder = holders.entry(holding.holder).or_default();
            holder.known |= !holding.may_be_anybody();
            holder.described |= holding.described.is_some();
            holder.countries.extend(holding.country);
        }
        let group = |parties: Vec<Party>| {
            let behind = parties.iter().flat_map(|party| control.behind(*party)).copied();
            let companies = behind.chain([company]).collect();
            Group { companies, holders: parties.iter().filter_map(|p| holders.get(p).cloned()).collect() }
        };
        let sure = group(control.who(company).collect());
        let possible = group(control.who_may(company).collect());
        Self { at, is_hidden: control.is_hidden(company), sure, possible }
    }

    pub(super) fn bound_by(&self, law: &ExcludedLaw) -> Binds {
        // What names nothing means nothing that could be answered; the API refuses it.
        let is_empty = law.jurisdiction.is_none() && law.law.is_none();
        if self.binds_one_of(law, &self.sure) {
            Binds::Some
        } else if is_empty
            || self.is_hidden
            || self.binds_one_of(law, &self.possible)
            || self.possible.companies.iter().any(|company| self.is_silent(law, *company))
            || self.possible.holders.iter().any(|holder| holder.is_silent(law))
        {
            Binds::Unknown
        } else {
            Binds::Nobody
        }
    }

    fn binds_one_of(&self, law: &ExcludedLaw, group: &Group) -> bool {
        group.companies.iter().any(|company| self.binds(law, *company))
            || group.holders.iter().any(|holder| holder.is_bound_by(law))
    }

    fn binds(&self, law: &ExcludedLaw, company: Company) -> bool {
        let spec = &self.at.register.record(company).object.spec;
        let named = spec.subject_to.iter().flatten().any(|obligation| {
            law.jurisdiction.is_none_or(|jurisdiction| jurisdiction == obligation.jurisdiction)
                && law.law.as_ref().is_none_or(|law| fold(law) == fold(&obligation.law))
        });
        let administered = spec.operated_from.iter().flatten();
        let mut places =
            [spec.registered_in].into_iter().chain(spec.headquartered_in).chain(administered.copied());
        named || places.any(|country| all_of(law) == Some(country))
    }

    fn is_silent(&self, law: &ExcludedLaw, company: Company) -> bool {
        let spec = &self.at.register.record(company).object.spec;
        let places = spec.headquartered_in.is_some() && spec.operated_from.is_some();
        spec.subject_to.is_none() || (law.law.is_none() && !places)
    }
}

/// The jurisdiction of which every law is meant.
fn all_of(law: &ExcludedLaw) -> Option<CountryCode> {
    law.jurisdiction.filter(|_| law.law.is_none())
}

impl Holder {
    fn is_bound_by(&self, law: &ExcludedLaw) -> bool {
        all_of(law).is_some_and(|country| self.countries.contains(&country))
    }

    fn is_silent(&self, law: &ExcludedLaw) -> bool {
        !self.known || (law.law.is_none() && self.countries.is_empty() && !self.described)
    }
}
