//! Who is who among providers and those who hold interests in them, whatever the time.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use domicile_crds::{CountryCode, HolderKind, HostingProvider, Interest, Ownership};
use jiff::Timestamp;

/// One that holds or is held. Names, identifiers and objects that are the same one's lead to the same number.
pub(super) type Party = usize;

/// A HostingProvider, by its number in the register.
pub(super) type Company = usize;

/// All that HostingProviders say of each other and of their holders, with each name looked up once.
#[derive(Debug)]
pub(crate) struct Register {
    records: Vec<Record>,
    by_object: HashMap<String, Company>,
    named: HashMap<String, Named>,
    /// The HostingProviders that are one party: more than one if they share a name or an identifier.
    companies: Vec<Vec<Company>>,
    /// Of each party, the entries that name it: each a HostingProvider, and which of its holdings.
    named_in: Vec<Vec<(Company, usize)>>,
}

/// What a HostingProvider says.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) object: Arc<HostingProvider>,
    pub(super) party: Party,
    holdings: Vec<Holding>,
    /// Those of them behind which there are more, and in what.
    onwards: Vec<(Holding, Company)>,
}

/// An entry of `ownership`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holding {
    pub(super) holder: Party,
    pub(super) kind: HolderKind,
    /// The HostingProvider that describes the holder.
    pub(super) described: Option<Company>,
    pub(super) country: Option<CountryCode>,
    pub(super) interest: Interest,
    pub(super) share: Share,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// A share in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Share {
    pub(super) least: f64,
    pub(super) most: f64,
}

#[derive(Clone, Copy, Debug)]
struct Named {
    party: Party,
    /// It is the name, an identifier or the legal name of a HostingProvider.
    described: bool,
}

impl Register {
    pub(crate) fn new<'a>(providers: impl Iterator<Item = &'a Arc<HostingProvider>>) -> Self {
        let mut providers: Vec<_> = providers.filter(|p| p.metadata.name.is_some()).collect();
        // Sums of percentages shall not depend on the order of a map.
        providers.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        let by_object: HashMap<_, _> =
            providers.iter().enumerate().map(|(company, p)| (object_name(p).to_owned(), company)).collect();
        let mut who = WhoIsWho::default();
        for provider in &providers {
            who.same(names_of(provider), true);
            for entry in &provider.spec.ownership {
                who.same(names_of_holder(entry), false);
            }
        }
        let named = who.parties();
        let party = |name: &str| named.get(&fold(name)).map_or(0, |named| named.party);
        let mut companies = vec![Vec::new(); named.values().map(|n| n.party + 1).max().unwrap_or_default()];
        let mut records = Vec::new();
        for (company, provider) in providers.into_iter().enumerate() {
            let entries = provider.spec.ownership.iter();
            let holdings: Vec<_> =
                entries.map(|entry| Holding::new(entry, party(&entry.holder.name), &by_object)).collect();
            let onwards = holdings.iter().filter_map(|h| h.described.map(|company| (*h, company))).collect();
            let party = party(object_name(provider));
            let record = Record { object: Arc::clone(provider), party, holdings, onwards };
            if let Some(same) = companies.get_mut(record.party) {
                same.push(company);
            }
            records.push(record);
        }
        let mut named_in = vec![Vec::new(); companies.len()];
        for (company, record) in records.iter().enumerate() {
            for (index, holding) in record.holdings.iter().enumerate() {
                if let Some(entries) = named_in.get_mut(holding.holder) {
                    entries.push((company, index));
                }
            }
        }
        Self { records, by_object, named, companies, named_in }
    }

    /// The HostingProvider of this object name.
    pub(super) fn company(&self, object: &str) -> Option<Company> {
        self.by_object.get(object).copied()
    }

    /// Who goes by this object name, identifier or registered name.
    pub(super) fn party(&self, name: &str) -> Option<Party> {
        self.named.get(&fold(name)).map(|named| named.party)
    }

    /// Whether a HostingProvider goes by it.
    pub(super) fn describes(&self, name: &str) -> bool {
        self.named.get(&fold(name)).is_some_and(|named| named.described)
    }

    /// The HostingProviders that are this party.
    pub(super) fn companies_of(&self, party: Party) -> &[Company] {
        self.companies.get(party).map_or(&[], Vec::as_slice)
    }

    /// All entries that name a party and count at `now`, whatever provider they are of.
    pub(super) fn naming(&self, party: Party, now: Timestamp) -> impl Iterator<Item = &Holding> {
        let entries = self.named_in.get(party).into_iter().flatten();
        let holding = |(company, index): &(Company, usize)| self.record(*company).holdings.get(*index);
        entries.filter_map(holding).filter(move |holding| holding.counts(now))
    }

    /// The HostingProviders that a holder is: none if it is a person, a state or not known.
    pub(super) fn behind(&self, holding: &Holding) -> &[Company] {
        if holding.kind == HolderKind::Entity { self.companies_of(holding.holder) } else { &[] }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the register has handed out the number, and it never shrinks"
    )]
    pub(super) fn record(&self, company: Company) -> &Record {
        &self.records[company]
    }

    pub(super) fn number_of_companies(&self) -> usize {
        self.records.len()
    }

    pub(super) fn number_of_parties(&self) -> usize {
        self.companies.len()
    }
}

impl Record {
    /// The entries that count at `now`.
    pub(super) fn holdings(&self, now: Timestamp) -> impl Iterator<Item = &Holding> {
        self.holdings.iter().filter(move |holding| holding.counts(now))
    }

    /// Those of them whose holders are described.
    pub(super) fn onwards(&self, now: Timestamp) -> impl Iterator<Item = &(Holding, Company)> {
        self.onwards.iter().filter(move |(holding, _)| holding.counts(now))
    }
}

impl Holding {
    fn new(entry: &Ownership, holder: Party, by_object: &HashMap<String, Company>) -> Self {
        let named = entry.holder.provider.as_ref().filter(|_| entry.holder.kind == HolderKind::Entity);
        Self {
            holder,
            kind: entry.holder.kind,
            described: named.and_then(|name| by_object.get(name.as_str()).copied()),
            country: entry.holder.country,
            interest: entry.interest,
            share: Share::of(entry.share),
            from: entry.from.as_ref().map(|from| from.0),
            until: entry.until.as_ref().map(|until| until.0),
        }
    }

    fn counts(&self, now: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= now) && self.until.is_none_or(|until| now < until)
    }

    /// Nobody stands behind it.
    pub(super) fn is_end(&self) -> bool {
        matches!(self.kind, HolderKind::Person | HolderKind::State)
    }

    /// It may stand for anybody.
    pub(super) fn may_be_anybody(&self) -> bool {
        !self.is_end() && self.described.is_none()
    }
}

impl Share {
    pub(super) const WHOLE: Self = Self { least: 100.0, most: 100.0 };

    /// The API refuses what isn't between 0 and 100: if it comes all the same, nothing is known.
    fn of(share: domicile_crds::Share) -> Self {
        let read = |percent: f64, otherwise| {
            if (0.0..=100.0).contains(&percent) { percent } else { otherwise }
        };
        let least = read(share.min, 0.0);
        Self { least, most: read(share.max, 100.0).max(least) }
    }

    /// This much of it.
    pub(super) fn times(self, other: Self) -> Self {
        Self { least: self.least * other.least / 100.0, most: self.most * other.most / 100.0 }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.least += other.least;
        self.most += other.most;
    }
}

fn object_name(provider: &HostingProvider) -> &str {
    provider.metadata.name.as_deref().unwrap_or_default()
}

fn names_of(provider: &HostingProvider) -> impl Iterator<Item = &str> {
    let identifiers = provider.spec.identifiers.iter().map(|identifier| identifier.id.as_str());
    [object_name(provider), provider.spec.legal_name.as_str()].into_iter().chain(identifiers)
}

fn names_of_holder(entry: &Ownership) -> impl Iterator<Item = &str> {
    let holder = &entry.holder;
    let provider = holder.provider.as_ref().map(domicile_crds::ProviderName::as_str);
    [Some(holder.name.as_str()), holder.id.as_deref(), provider].into_iter().flatten()
}

/// Letter case aside. By way of capitals, since registers write a name with a sharp s with two in capitals.
pub(super) fn fold(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// Finds out which names are one party's: a name may be a link between two who have no other in common.
#[derive(Default)]
struct WhoIsWho {
    names: HashMap<String, usize>,
    /// For each name another that is the same party's, or itself.
    others: Vec<usize>,
    described: BTreeSet<usize>,
}

impl WhoIsWho {
    /// These names are one party's.
    fn same<'a>(&mut self, names: impl Iterator<Item = &'a str>, described: bool) {
        let mut first = None;
        for name in names {
            let fresh = self.others.len();
            let name = *self.names.entry(fold(name)).or_insert(fresh);
            if name == fresh {
                self.others.push(fresh);
            }
            if described {
                self.described.insert(name);
            }
            let root = self.root(name);
            let first = *first.get_or_insert(root);
            if let Some(other) = self.others.get_mut(root) {
                *other = first;
            }
        }
    }

    fn root(&mut self, mut name: usize) -> usize {
        while let Some(&other) = self.others.get(name).filter(|other| **other != name) {
            let further = self.others.get(other).copied().unwrap_or(other);
            if let Some(shortcut) = self.others.get_mut(name) {
                *shortcut = further;
            }
            name = other;
        }
        name
    }

    /// The party of each name; parties are counted from 0, in the order in which they were met.
    fn parties(mut self) -> HashMap<String, Named> {
        let mut numbers = HashMap::new();
        let roots: Vec<_> = (0..self.others.len()).map(|name| self.root(name)).collect();
        let parties: Vec<_> = roots
            .into_iter()
            .map(|root| {
                let fresh = numbers.len();
                *numbers.entry(root).or_insert(fresh)
            })
            .collect();
        let party = |name: usize| parties.get(name).copied().unwrap_or_default();
        let named = |name| Named { party: party(name), described: self.described.contains(&name) };
        self.names.into_iter().map(|(text, name)| (text, named(name))).collect()
    }
}
