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
    control: Control,
    have_a_say: BTreeSet<Party>,
    /// Something that isn't known and would have to be.
    unknown: Option<&'static str>,
}

/// Of whom something isn't known.
pub(super) enum Of<'a> {
    Company(Company),
    /// No HostingProvider describes it.
    Nobody(&'a str),
}

impl<'a> Beside<'a> {
    pub(super) fn new(at: Snapshot<'_>, company: Company, entries: &'a [String]) -> Self {
        let other = |entry: &'a String| {
            let party = at.register.party(entry);
            let companies = party.map_or(&[][..], |party| at.register.companies_of(party));
            Other {
                entry,
                party,
                described: at.register.describes(entry),
                profiles: companies.iter().map(|company| Profile::new(at, *company)).collect(),
            }
        };
        Self { own: Profile::new(at, company), others: entries.iter().map(other).collect() }
    }

    /// The entries of which it isn't independent.
    pub(super) fn depends_on(&self) -> impl Iterator<Item = &'a str> {
        let depends = |other: &&Other<'_>| {
            let meant = other.party.is_some_and(|meant| self.own.party == meant || self.own.hears(meant));
            let of_any = |other: &Profile| {
                other.hears(self.own.party) || !other.control.parties.is_disjoint(&self.own.control.parties)
            };
            meant || other.profiles.iter().any(of_any)
        };
        self.others.iter().filter(depends).map(|other| other.entry)
    }

    /// What isn't known of it, or of what is meant, and would have to be.
    pub(super) fn unknown(&self) -> Option<(Of<'a>, &'static str)> {
        let of_other = |other: &Other<'a>| {
            let nobody = (!other.described).then_some((Of::Nobody(other.entry), "who it is"));
            nobody.or_else(|| other.profiles.iter().find_map(Profile::unknown))
        };
        self.own.unknown().or_else(|| self.others.iter().find_map(of_other))
    }
}

impl Profile {
    fn new(at: Snapshot<'_>, company: Company) -> Self {
        let control = at.control(&[company]);
        let held = COUNTED.map(|interest| at.held(company, interest));
        let mut have_a_say = control.parties.clone();
        let mut entities = Vec::new();
        for held in &held {
            for (party, _) in held.most.iter().filter(|(_, most)| !above(SAY, *most)) {
                have_a_say.insert(party);
                if held.entities.get(party) {
                    entities.extend(at.register.companies_of(party));
                }
            }
        }
        // Whoever controls one that has a say has one.
        have_a_say.extend(at.control(&entities).parties);
        let too_open = held.iter().any(|held| !above(SAY, 100.0 - held.known));
        let unknown = if at.is_hidden(&control) {
            Some("who controls it")
        } else {
            too_open.then_some("who has its capital and its votes")
        };
        Self { company, party: at.register.record(company).party, control, have_a_say, unknown }
    }

    fn hears(&self, party: Party) -> bool {
        self.have_a_say.contains(&party)
    }

    fn unknown<'a>(&self) -> Option<(Of<'a>, &'static str)> {
        self.unknown.map(|missing| (Of::Company(self.company), missing))
    }
}
