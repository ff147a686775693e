//! `CompelledDisclosure`.

use std::collections::BTreeSet;

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
    /// By what the entries that name them say, in whatever web.
    holders: Vec<Holder>,
}

#[derive(Default)]
struct Holder {
    /// A person, a state or a described entity.
    known: bool,
    /// A provider: what it says of itself is judged.
    described: bool,
    countries: BTreeSet<CountryCode>,
    /// The HostingProviders that it is.
    companies: BTreeSet<Company>,
}

impl<'a> Compellable<'a> {
    pub(super) fn new(control: &Control<'a>, company: Company) -> Self {
        let at = control.at;
        let group = |parties: Vec<Party>| {
            let holders: Vec<_> = parties.into_iter().map(|party| Holder::new(at, party)).collect();
            let behind = holders.iter().flat_map(|holder| &holder.companies).copied();
            Group { companies: behind.chain([company]).collect(), holders }
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
    fn new(at: Snapshot<'_>, party: Party) -> Self {
        let mut holder = Self::default();
        for holding in at.register.naming(party, at.now) {
            holder.known |= !holding.may_be_anybody();
            holder.described |= holding.described.is_some();
            holder.countries.extend(holding.country);
            holder.companies.extend(at.register.behind(holding));
        }
        holder
    }

    fn is_bound_by(&self, law: &ExcludedLaw) -> bool {
        all_of(law).is_some_and(|country| self.countries.contains(&country))
    }

    fn is_silent(&self, law: &ExcludedLaw) -> bool {
        !self.known || (law.law.is_none() && self.countries.is_empty() && !self.described)
    }
}
