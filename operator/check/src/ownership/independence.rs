//! `ProviderNotIndependent`, and what of it isn't known.

use std::collections::BTreeSet;

use super::{
    chains::{COUNTED, Snapshot, above},
    control::Control,
    register::{Company, Party},
};

/// From here on, in percent of capital or votes, a holder has a say: Regulation (EU) 2024/1624, Article 52.
const SAY: f64 = 25.0;

/// A provider beside those of whom it must be independent.
pub(super) struct Beside<'a> {
    control: &'a Control<'a>,
    own: Profile,
    others: Vec<Other<'a>>,
}

/// Whom an entry of `independentOf` means.
struct Other<'a> {
    entry: &'a str,
    party: Option<Party>,
    /// A HostingProvider goes by the entry.
    described: bool,
    profiles: Vec<Profile>,
}

/// Who stands behind a provider.
struct Profile {
    company: Company,
    party: Party,
    have_a_say: BTreeSet<Party>,
    may_have_a_say: BTreeSet<Party>,
    /// Something that isn't known and would have to be.
    unknown: Option<&'static str>,
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
                profiles: companies.iter().map(|company| Profile::new(control, *company)).collect(),
            }
        };
        let own = Profile::new(control, company);
        Self { control, own, others: entries.iter().map(other).collect() }
    }

    /// The entries of which it isn't independent.
    pub(super) fn depends_on(&self) -> impl Iterator<Item = &'a str> {
        let depends = |other: &&Other<'_>| {
            let meant = |meant| self.own.party == meant || self.own.have_a_say.contains(&meant);
            let of_any = |other: &Profile| {
                let sure = |party| self.control.does(party, other.company);
                other.have_a_say.contains(&self.own.party) || self.control.who(self.own.company).any(sure)
            };
            other.party.is_some_and(meant) || other.profiles.iter().any(of_any)
        };
        self.others.iter().filter(depends).map(|other| other.entry)
    }

    /// What isn't known of it, or of what is meant, and would have to be.
    pub(super) fn unknown(&self) -> Option<(Of<'a>, &'static str)> {
        let of_other = |other: &Other<'a>| {
            let nobody = (!other.described).then_some((Of::Nobody(other.entry), "who it is"));
            nobody
                .or_else(|| other.profiles.iter().find_map(Profile::unknown))
                .or_else(|| self.between(other))
        };
        self.own.unknown().or_else(|| self.others.iter().find_map(of_other))
    }

    /// What isn't known of what they have to do with each other.
    fn between(&self, other: &Other<'_>) -> Option<(Of<'a>, &'static str)> {
        const SAY: &str = "who has a say in it";
        let own = &self.own;
        if other.party.is_some_and(|meant| own.may_have_a_say.contains(&meant)) {
            return Some((Of::Company(own.company), SAY));
        }
        let by_own = |other: &&Profile| other.may_have_a_say.contains(&own.party);
        if let Some(other) = other.profiles.iter().find(by_own) {
            return Some((Of::Company(other.company), SAY));
        }
        let may = |party| other.profiles.iter().any(|other| self.control.may(party, other.company));
        let by_one = self.control.who_may(own.company).any(may);
        by_one.then_some((Of::Company(own.company), "who controls it"))
    }
}

impl Profile {
    fn new(control: &Control<'_>, company: Company) -> Self {
        let at = control.at;
        let held = COUNTED.map(|interest| at.held(company, interest));
        let mut have_a_say: BTreeSet<_> = control.who(company).collect();
        let mut may_have_a_say: BTreeSet<_> = control.who_may(company).collect();
        let something = |party| held.iter().any(|held| held.shares.get(party).most > 0.0);
        for held in &held {
            for (party, share) in held.shares.iter() {
                if !above(SAY, share.most) {
                    have_a_say.insert(party);
                }
                if !above(SAY, share.least + held.unknown()) && something(party) {
                    may_have_a_say.insert(party);
                }
            }
        }
        let have_a_say = with_those_behind(have_a_say, control, |company| control.who(company));
        may_have_a_say.extend(&have_a_say);
        let may_have_a_say = with_those_behind(may_have_a_say, control, |company| control.who_may(company));
        let mut behind = may_have_a_say.iter().flat_map(|party| control.behind(*party));
        let unknown = if control.is_hidden(company) || behind.any(|company| control.is_hidden(*company)) {
            Some("who controls it")
        } else {
            let too_open = held.iter().any(|held| !above(SAY, held.unknown()));
            too_open.then_some("who has its capital and its votes")
        };
        let party = at.register.record(company).party;
        Self { company, party, have_a_say, may_have_a_say, unknown }
    }

    fn unknown<'a>(&self) -> Option<(Of<'a>, &'static str)> {
        self.unknown.map(|missing| (Of::Company(self.company), missing))
    }
}

/// Whoever controls one that has a say has one.
fn with_those_behind<Who: Iterator<Item = Party>>(
    mut parties: BTreeSet<Party>,
    control: &Control<'_>,
    who: impl Fn(Company) -> Who,
) -> BTreeSet<Party> {
    let mut next: Vec<_> = parties.iter().copied().collect();
    while let Some(party) = next.pop() {
        for party in control.behind(party).iter().flat_map(|company| who(*company)) {
            next.extend(parties.insert(party).then_some(party));
        }
    }
    parties
}
