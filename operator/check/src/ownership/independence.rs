//! `ProviderNotIndependent`, and what of it isn't known.

use super::{
    chains::Snapshot,
    control::Control,
    register::{Company, Party},
    say::Say,
};

/// A provider beside those of whom it must be independent.
pub(super) struct Beside<'a> {
    control: &'a Control<'a>,
    own: Say<'a>,
    others: Vec<Other<'a>>,
}

/// Whom an entry of `independentOf` means.
struct Other<'a> {
    entry: &'a str,
    party: Option<Party>,
    /// A HostingProvider goes by the entry.
    described: bool,
    providers: Vec<Say<'a>>,
}

/// Of whom something isn't known.
pub(super) enum Of<'a> {
    Company(Company),
    /// No HostingProvider describes it.
    Nobody(&'a str),
}

/// The HostingProviders that the entries of `independentOf` mean.
pub(super) fn meant(at: Snapshot<'_>, entries: &[String]) -> Vec<Company> {
    let parties = entries.iter().filter_map(|entry| at.register.party(entry));
    parties.flat_map(|party| at.register.companies_of(party)).copied().collect()
}

impl<'a> Beside<'a> {
    pub(super) fn new(control: &'a Control<'a>, company: Company, entries: &'a [String]) -> Self {
        let at = control.at;
        let other = |entry: &'a String| {
            let party = at.register.party(entry);
            let companies = party.map_or(&[][..], |party| at.register.companies_of(party));
            Other {
                entry,
                party,
                described: at.register.describes(entry),
                providers: companies.iter().map(|company| Say::new(control, *company)).collect(),
            }
        };
        let own = Say::new(control, company);
        Self { control, own, others: entries.iter().map(other).collect() }
    }

    /// The entries of which it isn't independent.
    pub(super) fn depends_on(&self) -> impl Iterator<Item = &'a str> {
        let own = &self.own;
        let depends = |other: &&Other<'_>| {
            let meant = |meant| own.party == meant || own.has(meant);
            let of_any = |other: &Say<'_>| {
                let sure = |party| self.control.does(party, other.company);
                other.has(own.party) || self.control.who(own.company).any(sure)
            };
            other.party.is_some_and(meant) || other.providers.iter().any(of_any)
        };
        self.others.iter().filter(depends).map(|other| other.entry)
    }

    /// What isn't known of it, or of what is meant, and would have to be.
    pub(super) fn unknown(&self) -> Option<(Of<'a>, &'static str)> {
        let of_one = |say: &Say<'_>| say.unknown().map(|missing| (Of::Company(say.company), missing));
        let of_other = |other: &Other<'a>| {
            let nobody = (!other.described).then_some((Of::Nobody(other.entry), "who it is"));
            nobody.or_else(|| other.providers.iter().find_map(of_one)).or_else(|| self.between(other))
        };
        of_one(&self.own).or_else(|| self.others.iter().find_map(of_other))
    }

    /// What isn't known of what they have to do with each other.
    fn between(&self, other: &Other<'_>) -> Option<(Of<'a>, &'static str)> {
        const SAY: &str = "who has a say in it";
        let own = &self.own;
        if other.party.is_some_and(|meant| own.may(meant)) {
            return Some((Of::Company(own.company), SAY));
        }
        if let Some(other) = other.providers.iter().find(|other| other.may(own.party)) {
            return Some((Of::Company(other.company), SAY));
        }
        let may = |party| other.providers.iter().any(|other| self.control.may(party, other.company));
        let by_one = self.control.who_may(own.company).any(may);
        by_one.then_some((Of::Company(own.company), "who controls it"))
    }
}
