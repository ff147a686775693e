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

/// A provider, and whoever controls it.
pub(super) struct Compellable<'a> {
    at: Snapshot<'a>,
    control: Control,
    /// Those who control, by what the entries that name them say.
    holders: BTreeMap<Party, Holder>,
}

#[derive(Default)]
struct Holder {
    /// A person, a state or a described entity.
    known: bool,
    /// A provider: what it says of itself is judged.
    described: bool,
    countries: BTreeSet<CountryCode>,
}

impl<'a> Compellable<'a> {
    pub(super) fn new(at: Snapshot<'a>, company: Company) -> Self {
        let control = at.control(&[company]);
        let mut holders: BTreeMap<Party, Holder> = BTreeMap::new();
        let holdings = control.companies.iter().flat_map(|company| at.holdings(*company));
        for holding in holdings.filter(|h| control.parties.contains(&h.holder)) {
            let holder = holders.entry(holding.holder).or_default();
            holder.known |= !holding.may_be_anybody();
            holder.described |= holding.described.is_some();
            holder.countries.extend(holding.country);
        }
        Self { at, control, holders }
    }

    pub(super) fn bound_by(&self, law: &ExcludedLaw) -> Binds {
        // What names nothing means nothing that could be answered; the API refuses it.
        let is_empty = law.jurisdiction.is_none() && law.law.is_none();
        let mut companies = self.control.companies.iter();
        let mut holders = self.holders.values();
        if companies.clone().any(|company| self.binds(law, *company))
            || holders.clone().any(|holder| holder.is_bound_by(law))
        {
            Binds::Some
        } else if is_empty
            || self.at.is_hidden(&self.control)
            || companies.any(|company| self.is_silent(law, *company))
            || holders.any(|holder| holder.is_silent(law))
        {
            Binds::Unknown
        } else {
            Binds::Nobody
        }
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
