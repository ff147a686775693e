//! Who controls whom, and who may.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::{HolderKind, Interest};

use super::{
    chains::{COUNTED, PerNumber, Snapshot, above},
    register::{Company, Holding, Party},
};

/// Who controls some providers and those who stand behind them, and who may.
pub(super) struct Control<'a> {
    pub(super) at: Snapshot<'a>,
    /// By provider.
    sure: BTreeMap<Company, BTreeSet<Party>>,
    /// By provider; whoever controls it may, too.
    possible: BTreeMap<Company, BTreeSet<Party>>,
    /// Those who are held as entities, and not only as persons or states of the same name.
    entities: BTreeSet<Party>,
    /// Those of which it isn't known who controls them, whoever controls those who do.
    dark: BTreeSet<Company>,
}

impl<'a> Control<'a> {
    pub(super) fn new(at: Snapshot<'a>, of: &[Company]) -> Self {
        let all = at.upwards(of);
        let entities = all.iter().flat_map(|company| at.holdings(*company));
        let entities = entities.filter(|h| h.kind == HolderKind::Entity).map(|h| h.holder).collect();
        let sure = Book::new(at, &all, |_, holding| Stake::sure(holding)).by_company();
        let empty = BTreeMap::new();
        let mut control = Self { at, sure, possible: empty, entities, dark: BTreeSet::new() };
        let possible = |company, holding: &Holding| Stake::possible(holding, control.knows(company, holding));
        control.possible = Book::new(at, &all, possible).by_company();
        control.dark = all.into_iter().filter(|company| control.is_dark(*company)).collect();
        control
    }

    /// Who controls it.
    pub(super) fn who(&self, company: Company) -> impl Iterator<Item = Party> {
        self.sure.get(&company).into_iter().flatten().copied()
    }

    /// Who may control it.
    pub(super) fn who_may(&self, company: Company) -> impl Iterator<Item = Party> {
        self.possible.get(&company).into_iter().flatten().copied()
    }

    /// Whether this party controls it.
    pub(super) fn does(&self, party: Party, company: Company) -> bool {
        self.sure.get(&company).is_some_and(|parties| parties.contains(&party))
    }

    /// Whether this party may control it.
    pub(super) fn may(&self, party: Party, company: Company) -> bool {
        self.possible.get(&company).is_some_and(|parties| parties.contains(&party))
    }

    /// The HostingProviders that this party is as an entity.
    pub(super) fn behind(&self, party: Party) -> &'a [Company] {
        if self.entities.contains(&party) { self.at.register.companies_of(party) } else { &[] }
    }

    /// Whether control is hidden in it.
    pub(super) fn is_hidden(&self, company: Company) -> bool {
        let mut behind = self.who_may(company).flat_map(|party| self.behind(party));
        self.dark.contains(&company) || behind.any(|company| self.dark.contains(company))
    }

    /// Whether it is known whose this share of a provider is. What belongs to one whom the provider controls is its
    /// own.
    fn knows(&self, company: Company, holding: &Holding) -> bool {
        let own = self.at.register.record(company).party;
        let mut held = self.at.register.behind(holding).iter();
        !holding.may_be_anybody() && !held.any(|held| self.does(own, *held))
    }

    fn is_dark(&self, company: Company) -> bool {
        let by_anybody = |h: &Holding| h.interest == Interest::Control && h.may_be_anybody();
        let little_known = |interest| {
            let known = |h: &&Holding| h.interest == interest && self.knows(company, h);
            let least: f64 = self.at.holdings(company).filter(known).map(|h| h.share.least).sum();
            above(50.0, least)
        };
        self.at.holdings(company).any(by_anybody) || COUNTED.into_iter().any(little_known)
    }
}

/// What somebody, and all whom it controls, have of a provider, of capital and of votes.
#[derive(Clone, Copy, Default)]
struct Stake {
    most: [f64; 2],
    /// What others leave.
    left: [f64; 2],
    by_other_means: bool,
    /// It has come to control: there is no more to add up.
    is_enough: bool,
}

impl Stake {
    /// What an entry adds to it for who has it. It takes as much from what is left for all others.
    fn sure(holding: &Holding) -> Self {
        let share = |part: f64| COUNTED.map(|interest| if interest == holding.interest { part } else { 0.0 });
        let by_other_means = holding.interest == Interest::Control;
        Self {
            most: share(holding.share.most),
            left: share(holding.share.least),
            by_other_means,
            is_enough: false,
        }
    }

    /// The same, if whoever has something may have whatever isn't known to be others'.
    fn possible(holding: &Holding, is_known: bool) -> Self {
        let sure = Self::sure(holding);
        let something = sure.by_other_means || holding.share.most > 0.0;
        let most = if something { f64::INFINITY } else { 0.0 };
        Self { most: [most; 2], left: if is_known { sure.left } else { [0.0; 2] }, ..sure }
    }

    fn add(&mut self, other: Self) {
        for of in 0..2 {
            if let (Some(most), Some(more)) = (self.most.get_mut(of), other.most.get(of)) {
                *most += more;
            }
            if let (Some(left), Some(more)) = (self.left.get_mut(of), other.left.get(of)) {
                *left += more;
            }
        }
        self.by_other_means |= other.by_other_means;
    }

    /// What is left for somebody who has nothing of it.
    fn less(all: impl Iterator<Item = Self>) -> Self {
        let taken = all.fold(Self::default(), |mut sum, stake| {
            sum.add(stake);
            sum
        });
        Self { left: taken.left.map(|taken| 100.0 - taken), ..Self::default() }
    }

    fn controls(self) -> bool {
        let mut each = self.most.into_iter().zip(self.left);
        self.by_other_means || each.any(|(most, left)| above(most.min(left), 50.0))
    }
}

/// All entries among some providers, by who has them.
struct Book<'a> {
    at: Snapshot<'a>,
    entries: BTreeMap<Party, Vec<Entry>>,
    /// What each provider leaves for who has nothing of it.
    fresh: BTreeMap<Company, Stake>,
}

struct Entry {
    of: Company,
    is_entitys: bool,
    stake: Stake,
}

impl<'a> Book<'a> {
    fn new(at: Snapshot<'a>, all: &[Company], stake: impl Fn(Company, &Holding) -> Stake) -> Self {
        let mut book = Self { at, entries: BTreeMap::new(), fresh: BTreeMap::new() };
        for &of in all {
            let stakes = at.holdings(of).map(|holding| stake(of, holding));
            book.fresh.insert(of, Stake::less(stakes));
            for holding in at.holdings(of) {
                let is_entitys = holding.kind == HolderKind::Entity;
                let entry = Entry { of, is_entitys, stake: stake(of, holding) };
                book.entries.entry(holding.holder).or_default().push(entry);
            }
        }
        book
    }

    fn by_company(&self) -> BTreeMap<Company, BTreeSet<Party>> {
        let mut found: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        let mut stakes = PerNumber::new(self.at.register.number_of_companies());
        for &party in self.entries.keys() {
            for company in self.controlled(party, &mut stakes) {
                found.entry(company).or_default().insert(party);
            }
        }
        found
    }

    /// All that somebody controls: with each more counts as its own.
    ///
    /// `stakes` is empty, and is so again afterwards: there may be many who control little.
    fn controlled(&self, party: Party, stakes: &mut PerNumber<Option<Stake>>) -> BTreeSet<Company> {
        let mut controlled = BTreeSet::new();
        let mut touched = Vec::new();
        let mut group = BTreeSet::from([party]);
        let mut next = vec![party];
        // Where all control all, the first few do.
        while controlled.len() < self.fresh.len()
            && let Some(member) = next.pop()
        {
            // Nobody stands behind a person, even if it goes by the name of one whom somebody controls.
            let entries = self.entries.get(&member).into_iter().flatten();
            for entry in entries.filter(|entry| member == party || entry.is_entitys) {
                let stake = stakes.get(entry.of);
                if stake.is_some_and(|stake| stake.is_enough) {
                    continue;
                }
                let mut stake = stake.or_else(|| {
                    touched.push(entry.of);
                    self.fresh.get(&entry.of).copied()
                });
                let controls = stake.as_mut().is_some_and(|stake| {
                    stake.add(entry.stake);
                    stake.is_enough = stake.controls();
                    stake.is_enough
                });
                stakes.at(entry.of, |old| *old = stake);
                if controls && controlled.insert(entry.of) {
                    let held = self.at.register.record(entry.of).party;
                    next.extend(group.insert(held).then_some(held));
                }
            }
        }
        for company in touched {
            stakes.at(company, |stake| *stake = None);
        }
        controlled
    }
}
