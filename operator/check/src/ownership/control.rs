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
    /// All these providers.
    pub(super) all: Vec<Company>,
    /// By provider.
    sure: BTreeMap<Company, BTreeSet<Party>>,
    /// By provider; whoever controls it may, too.
    possible: BTreeMap<Company, BTreeSet<Party>>,
    /// Those who are held as entities, and not only as persons or states of the same name.
    entities: BTreeSet<Party>,
    /// Those of which somebody unknown or opaque has control, or of which less than half is known to be somebody's.
    opaque: BTreeSet<Company>,
}

impl<'a> Control<'a> {
    pub(super) fn new(at: Snapshot<'a>, of: &[Company]) -> Self {
        let all = at.upwards(of);
        let entities = all.iter().flat_map(|company| at.holdings(*company));
        let entities = entities.filter(|h| h.kind == HolderKind::Entity).map(|h| h.holder).collect();
        let sure = Book::new(at, &all, |_, holding| Sum::sure(holding)).by_company();
        let possible = sure.clone();
        let mut control = Self { at, all, sure, possible, entities, opaque: BTreeSet::new() };
        // Who may control makes less known, and the less is known, the more may control.
        let mut known = Vec::new();
        loop {
            control.opaque = control.find_opaque();
            let entries = control.all.iter().flat_map(|company| at.holdings(*company).map(|h| (*company, h)));
            let now: Vec<_> = entries.map(|(of, h)| control.knows(of, h, &control.opaque)).collect();
            if now == known {
                return control;
            }
            known = now;
            let possible = |of, h: &Holding| Sum::possible(h, control.knows(of, h, &control.opaque));
            control.possible = Book::new(at, &control.all, possible).by_company();
        }
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

    /// All whom this party controls.
    pub(super) fn whom(&self, party: Party) -> BTreeSet<Party> {
        self.parties(|company| self.does(party, company))
    }

    /// All whom this party may control.
    pub(super) fn whom_it_may(&self, party: Party) -> BTreeSet<Party> {
        self.parties(|company| self.may(party, company))
    }

    fn parties(&self, of: impl Fn(Company) -> bool) -> BTreeSet<Party> {
        let companies = self.all.iter().filter(|company| of(**company));
        companies.map(|company| self.at.register.record(*company).party).collect()
    }

    /// Whether somebody is held as an entity.
    pub(super) fn is_entity(&self, party: Party) -> bool {
        self.entities.contains(&party)
    }

    /// Whether whoever has this holding is opaque: it can't be told who casts the votes of it.
    pub(super) fn is_opaque_ones(&self, holding: &Holding) -> bool {
        self.at.register.behind(holding).iter().any(|company| self.opaque.contains(company))
    }

    /// Whether control is hidden in it.
    pub(super) fn is_hidden(&self, company: Company) -> bool {
        let mut behind = self.who_may(company).flat_map(|party| self.behind(party));
        self.opaque.contains(&company) || behind.any(|company| self.opaque.contains(company))
    }

    /// Whether it is known whose this share of a provider is. What belongs to it, or to one whom it may control, is its
    /// own, and so nobody's.
    fn knows(&self, of: Company, holding: &Holding, opaque: &BTreeSet<Company>) -> bool {
        let own = self.at.register.record(of).party;
        let mut behind = self.at.register.behind(holding).iter();
        !holding.may_be_anybody()
            && holding.holder != own
            && !behind.any(|company| opaque.contains(company) || self.may(own, *company))
    }

    /// All but those of which enough rests on persons and states in the end, by who may control whom so far.
    fn find_opaque(&self) -> BTreeSet<Company> {
        let mut opaque: BTreeSet<_> = self.all.iter().copied().collect();
        loop {
            let before = opaque.len();
            // From those who stand farthest behind, so that there is little left for another time.
            for &company in self.all.iter().rev() {
                if opaque.contains(&company) && !self.is_opaque(company, &opaque) {
                    opaque.remove(&company);
                }
            }
            if opaque.len() == before {
                return opaque;
            }
        }
    }

    fn is_opaque(&self, company: Company, opaque: &BTreeSet<Company>) -> bool {
        let is_opaque =
            |h: &Holding| self.at.register.behind(h).iter().any(|company| opaque.contains(company));
        let by_anybody =
            |h: &Holding| h.interest == Interest::Control && (h.may_be_anybody() || is_opaque(h));
        let little_known = |interest| {
            let known = |h: &&Holding| h.interest == interest && self.knows(company, h, opaque);
            let least: f64 = self.at.holdings(company).filter(known).map(|h| h.share.least).sum();
            above(50.0, least)
        };
        self.at.holdings(company).any(by_anybody) || COUNTED.into_iter().any(little_known)
    }
}

/// What somebody, and all whom it controls, have of a provider, of capital and of votes.
#[derive(Clone, Copy, Default)]
struct Sum {
    least: [f64; 2],
    most: [f64; 2],
    /// What others leave.
    left: [f64; 2],
    /// What isn't known to be anybody's in particular, and so may be whose one asks for, at least.
    anybodys: [f64; 2],
    by_other_means: bool,
    /// It has come to control: there is no more to add up.
    is_enough: bool,
}

impl Sum {
    /// What an entry adds to it for who has it. It takes as much from what is left for all others.
    fn sure(holding: &Holding) -> Self {
        let share = |part: f64| COUNTED.map(|interest| if interest == holding.interest { part } else { 0.0 });
        let least = share(holding.share.least);
        let by_other_means = holding.interest == Interest::Control;
        Self { least, most: share(holding.share.most), left: least, by_other_means, ..Self::default() }
    }

    /// The same, if whoever has something may have whatever isn't known to be others'.
    fn possible(holding: &Holding, is_known: bool) -> Self {
        let sure = Self::sure(holding);
        let something = sure.by_other_means || holding.share.most > 0.0;
        let most = [if something { f64::INFINITY } else { 0.0 }; 2];
        if is_known {
            Self { most, ..sure }
        } else {
            Self { most, least: [0.0; 2], left: [0.0; 2], anybodys: sure.least, ..sure }
        }
    }

    fn add(&mut self, other: Self) {
        let add = |sums: &mut [f64; 2], more: [f64; 2]| {
            sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        };
        add(&mut self.least, other.least);
        add(&mut self.most, other.most);
        add(&mut self.left, other.left);
        add(&mut self.anybodys, other.anybodys);
        self.by_other_means |= other.by_other_means;
    }

    /// What is left for somebody who has nothing of it.
    fn less(all: impl Iterator<Item = Self>) -> Self {
        let taken = all.fold(Self::default(), |mut sum, part| {
            sum.add(part);
            sum
        });
        Self { left: taken.left.map(|taken| 100.0 - taken), least: taken.anybodys, ..Self::default() }
    }

    fn controls(self) -> bool {
        let left = self.left.into_iter().zip(self.least).map(|(left, least)| left.max(least));
        let mut shares = self.most.into_iter().zip(left).map(|(most, left)| most.min(left));
        self.by_other_means || shares.any(|share| above(share, 50.0))
    }
}

/// All entries among some providers, by who has them.
struct Book<'a> {
    at: Snapshot<'a>,
    entries: BTreeMap<Party, Vec<Entry>>,
    /// What each provider leaves for who has nothing of it.
    fresh: BTreeMap<Company, Sum>,
}

struct Entry {
    of: Company,
    is_entitys: bool,
    sum: Sum,
}

impl<'a> Book<'a> {
    fn new(at: Snapshot<'a>, all: &[Company], sum: impl Fn(Company, &Holding) -> Sum) -> Self {
        let mut book = Self { at, entries: BTreeMap::new(), fresh: BTreeMap::new() };
        for &of in all {
            let sums: Vec<_> = at.holdings(of).map(|holding| (holding, sum(of, holding))).collect();
            book.fresh.insert(of, Sum::less(sums.iter().map(|(_, sum)| *sum)));
            for (holding, sum) in sums {
                let is_entitys = holding.kind == HolderKind::Entity;
                book.entries.entry(holding.holder).or_default().push(Entry { of, is_entitys, sum });
            }
        }
        book
    }

    fn by_company(&self) -> BTreeMap<Company, BTreeSet<Party>> {
        let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
        let mut sums = PerNumber::new(self.at.register.number_of_companies());
        for &party in self.entries.keys() {
            for company in self.controlled(party, &mut sums) {
                found.entry(company).or_default().push(party);
            }
        }
        found.into_iter().map(|(company, parties)| (company, parties.into_iter().collect())).collect()
    }

    /// All that somebody controls: with each more counts as its own.
    ///
    /// `sums` is empty, and is so again afterwards: there may be many who control little.
    fn controlled(&self, party: Party, sums: &mut PerNumber<Option<Sum>>) -> Vec<Company> {
        let mut controlled = Vec::new();
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
                let sum = sums.get(entry.of);
                if sum.is_some_and(|sum| sum.is_enough) {
                    continue;
                }
                let mut sum = sum.or_else(|| {
                    touched.push(entry.of);
                    self.fresh.get(&entry.of).copied()
                });
                let controls = sum.as_mut().is_some_and(|sum| {
                    sum.add(entry.sum);
                    sum.is_enough = sum.controls();
                    sum.is_enough
                });
                sums.at(entry.of, |old| *old = sum);
                if controls {
                    controlled.push(entry.of);
                    let held = self.at.register.record(entry.of).party;
                    next.extend(group.insert(held).then_some(held));
                }
            }
        }
        for company in touched {
            sums.at(company, |sum| *sum = None);
        }
        controlled
    }
}
