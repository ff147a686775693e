//! Who controls whom among those who stand behind a provider, for certain or perhaps.

use std::collections::BTreeSet;

use domicile_crds::{Interest, Ownership};

use super::{
    EPSILON, Entity, Party,
    shares::Table,
    web::{Holder, Web},
};

/// From which share of the votes or the capital on somebody controls, in percent: more than that.
const MAJORITY: f64 = 50.0;

/// Who controls which of the companies of a web.
#[derive(Debug)]
pub(super) struct Control<'w, 'a> {
    pub(super) web: &'w Web<'a>,
    /// Of each holder, which companies it controls.
    controlled: Vec<Vec<usize>>,
    /// The same if what nobody is known to hold may be theirs.
    possibly: Vec<Vec<usize>>,
    /// Of which companies it isn't known who controls them.
    opaque: Table<bool>,
}

impl<'w, 'a> Control<'w, 'a> {
    pub(super) fn of(web: &'w Web<'a>) -> Self {
        let nothing: Vec<Vec<bool>> = web.companies.iter().map(|it| vec![false; it.holdings.len()]).collect();
        let controlled = reached(web, &nothing, Sums::control);
        let mut known = Known::of(web, &vec![vec![]; web.holders.len()]);
        // The less is known, the more may be controlled, and the less is known by one's own shares.
        loop {
            let possibly = reached(web, &known.holdings, Sums::may_control);
            let less = Known::of(web, &possibly);
            if less.holdings == known.holdings {
                return Self { web, controlled, possibly, opaque: less.opaque };
            }
            known = less;
        }
    }

    /// Those who control the provider.
    pub(super) fn holders(&self) -> impl Iterator<Item = &'w Holder<'a>> {
        let all = self.web.holders.iter().zip(&self.controlled);
        all.filter(|(_, reached)| reached.contains(&0)).map(|(holder, _)| holder)
    }

    /// Those who don't control it by what is recorded, and may.
    pub(super) fn possible_holders(&self) -> impl Iterator<Item = &'w Holder<'a>> {
        let all = self.web.holders.iter().zip(self.controlled.iter().zip(&self.possibly));
        all.filter(|(_, (sure, perhaps))| perhaps.contains(&0) && !sure.contains(&0))
            .map(|(holder, _)| holder)
    }

    /// Whether a holder controls the provider, or may.
    pub(super) fn has(&self, holder: usize, perhaps: bool) -> bool {
        self.reach(holder, perhaps).contains(&0)
    }

    /// The first of those that are or may control the provider of which it isn't known who controls it.
    pub(super) fn hidden(&self) -> Option<Entity<'a>> {
        self.hidden_among(|holder| self.has(holder, true))
    }

    /// The provider itself, or the first of these holders, of which it isn't known who controls it.
    pub(super) fn hidden_among(&self, among: impl Fn(usize) -> bool) -> Option<Entity<'a>> {
        let opaque = self.web.companies.iter().zip(self.opaque.iter()).enumerate();
        let mut opaque = opaque.filter(|(_, (_, opaque))| *opaque).map(|(at, (company, _))| (at, company));
        opaque.find(|(at, company)| *at == 0 || company.holder.is_some_and(&among)).map(|(_, it)| it.entity)
    }

    /// Which holders are companies of which it isn't known who controls them.
    pub(super) fn opaque_holders(&self) -> Table<bool> {
        let mut holders = Table::new(self.web.holders.len());
        for (company, _) in self.web.companies.iter().zip(self.opaque.iter()).filter(|(_, opaque)| *opaque) {
            company.holder.into_iter().for_each(|holder| holders.change(holder, |it| *it = true));
        }
        holders
    }

    /// A holder with all whom it controls, or may, as far as they hold something.
    pub(super) fn group(&self, holder: usize, perhaps: bool) -> BTreeSet<usize> {
        let own = self.reach(holder, perhaps).iter().filter_map(|at| self.web.companies.get(*at));
        own.filter_map(|company| company.holder).chain([holder]).collect()
    }

    fn reach(&self, holder: usize, perhaps: bool) -> &[usize] {
        let of = if perhaps { &self.possibly } else { &self.controlled };
        of.get(holder).map_or(&[], Vec::as_slice)
    }
}

/// What is held of a company, by some or by all.
#[derive(Clone, Copy, Default)]
struct Sums {
    capital: Sum,
    votes: Sum,
    /// By some of them by other means.
    control: bool,
}

/// In percent.
#[derive(Clone, Copy, Default)]
struct Sum {
    min: f64,
    max: f64,
    /// So much of `min` is known to be theirs.
    known: f64,
}

impl Sums {
    fn add(&mut self, entry: &Ownership, known: bool) {
        let sum = match entry.interest {
            Interest::Capital => &mut self.capital,
            Interest::Votes => &mut self.votes,
            Interest::Control => return self.control = true,
        };
        sum.min += entry.share.min;
        sum.max += entry.share.max;
        sum.known += if known { entry.share.min } else { 0.0 };
    }

    fn beside(self, all: Self) -> [(Sum, Sum); 2] {
        [(self.capital, all.capital), (self.votes, all.votes)]
    }

    /// Whether whoever holds this of `all` controls it by what is recorded.
    fn control(self, all: Self) -> bool {
        let majority = |(own, all): (Sum, Sum)| {
            let left = 100.0 - (all.min - own.min);
            own.max.min(left).max(own.min) > MAJORITY + EPSILON
        };
        self.control || self.beside(all).into_iter().any(majority)
    }

    /// Whether they may, if whatever isn't known to be others' is theirs.
    fn may_control(self, all: Self) -> bool {
        let majority = |(own, all): (Sum, Sum)| {
            let others = all.known - own.known;
            f64::max(100.0 - others, all.min - others) > MAJORITY + EPSILON
        };
        let something = self.capital.max > 0.0 || self.votes.max > 0.0;
        self.control(all) || (something && self.beside(all).into_iter().any(majority))
    }
}

/// Which companies each holder controls, alone and with those whom it controls.
fn reached(web: &Web<'_>, known: &[Vec<bool>], controls: impl Fn(Sums, Sums) -> bool) -> Vec<Vec<usize>> {
    let mut all = Table::new(web.companies.len());
    for (at, (company, known)) in web.companies.iter().zip(known).enumerate() {
        let add = |sums: &mut Sums| {
            company.holdings.iter().zip(known).for_each(|(held, known)| sums.add(held.entry, *known));
        };
        all.change(at, add);
    }
    // What the group has of each, and whether that is enough. Empty again after each: there may be many who control little.
    let mut own: Table<(Sums, bool)> = Table::new(web.companies.len());
    let reach = |start: usize| {
        let (mut group, mut waiting) = (BTreeSet::from([start]), vec![start]);
        let (mut found, mut touched) = (Vec::new(), Vec::new());
        // Where all control all, the first few do.
        while found.len() < web.companies.len()
            && let Some(next) = waiting.pop()
        {
            for &(of, at) in web.holders.get(next).into_iter().flat_map(|holder| &holder.has) {
                let Some(company) = web.companies.get(of).filter(|_| !own.get(of).1) else { continue };
                let Some(held) = company.holdings.get(at) else { continue };
                let is_known = known.get(of).and_then(|known| known.get(at)).is_some_and(|known| *known);
                own.change(of, |(sums, enough)| {
                    sums.add(held.entry, is_known);
                    *enough = controls(*sums, all.get(of));
                });
                touched.push(of);
                if own.get(of).1 {
                    found.push(of);
                    waiting.extend(company.holder.filter(|holder| group.insert(*holder)));
                }
            }
        }
        for of in touched {
            own.change(of, |it| *it = Default::default());
        }
        found
    };
    (0..web.holders.len()).map(reach).collect()
}

/// Whose holdings are known: what persons and states hold, and then what is held by companies of which enough is known.
struct Known {
    /// Of each holding in each company.
    holdings: Vec<Vec<bool>>,
    opaque: Table<bool>,
}

/// What is known of a company so far.
#[derive(Clone, Copy, Default)]
struct Told {
    capital: f64,
    votes: f64,
    /// Entries that say `Control` and of whose holders it isn't known who controls them.
    doubts: usize,
}

impl Told {
    fn learn(&mut self, entry: &Ownership) {
        match entry.interest {
            Interest::Capital => self.capital += entry.share.min,
            Interest::Votes => self.votes += entry.share.min,
            Interest::Control => self.doubts = self.doubts.saturating_sub(1),
        }
    }

    fn is_enough(self) -> bool {
        self.doubts == 0 && self.capital.min(self.votes) >= MAJORITY - EPSILON
    }
}

impl Known {
    /// If each holder may control these companies.
    fn of(web: &Web<'_>, possibly: &[Vec<usize>]) -> Self {
        let mut told: Table<Told> = Table::new(web.companies.len());
        let mut holdings = Vec::new();
        // What may be known, once it is known of its holder.
        let mut open = Vec::new();
        for (of, company) in web.companies.iter().enumerate() {
            let own = company.holder.and_then(|holder| possibly.get(holder)).into_iter().flatten();
            let own = own.filter_map(|at| web.companies.get(*at)?.holder);
            let own: BTreeSet<usize> = own.chain(company.holder).collect();
            // Nobody's shares count for what they themselves hold; who has control of whom is another matter.
            let counts = |interest, holder| interest == Interest::Control || !own.contains(&holder);
            let may =
                company.holdings.iter().map(|it| it.party.is_known() && counts(it.entry.interest, it.holder));
            let may: Vec<bool> = may.collect();
            let now: Vec<bool> =
                company.holdings.iter().zip(&may).map(|(it, may)| it.party.is_end() && *may).collect();
            told.change(of, |told| {
                told.doubts = company.held(Interest::Control).count();
                company
                    .holdings
                    .iter()
                    .zip(&now)
                    .filter(|(_, now)| **now)
                    .for_each(|(it, _)| told.learn(it.entry));
            });
            holdings.push(now);
            open.push(may);
        }
        let mut known = Self { holdings, opaque: Table::new(web.companies.len()) };
        known.spread(web, &open, &mut told);
        known
    }

    /// From companies of which enough is known to what they hold, and on.
    fn spread(&mut self, web: &Web<'_>, open: &[Vec<bool>], told: &mut Table<Told>) {
        let mut awaited: Table<usize> = Table::new(web.holders.len());
        for (at, holder) in web.holders.iter().enumerate() {
            awaited.change(at, |count| *count = holder.companies.len());
        }
        let mut waiting: Vec<usize> = (0..web.companies.len()).collect();
        for at in &waiting {
            self.opaque.change(*at, |opaque| *opaque = true);
        }
        while let Some(next) = waiting.pop() {
            if !self.opaque.get(next) || !told.get(next).is_enough() {
                continue;
            }
            self.opaque.change(next, |opaque| *opaque = false);
            let Some(number) = web.companies.get(next).and_then(|company| company.holder) else { continue };
            awaited.change(number, |count| *count = count.saturating_sub(1));
            let holder = web.holders.get(number).filter(|_| awaited.get(number) == 0);
            for &(of, at) in holder.into_iter().flat_map(|holder| &holder.has) {
                let held = web.companies.get(of).and_then(|company| company.holdings.get(at));
                let may = open.get(of).and_then(|open| open.get(at)).is_some_and(|may| *may);
                let known = self.holdings.get_mut(of).and_then(|known| known.get_mut(at));
                if let (Some(held), Some(known)) = (held.filter(|it| may && it.described.is_some()), known) {
                    *known = true;
                    told.change(of, |told| told.learn(held.entry));
                    waiting.push(of);
                }
            }
        }
    }
}

/// All these, as they are recorded first.
pub(super) fn parties<'w, 'a: 'w>(
    holders: impl Iterator<Item = &'w Holder<'a>>,
) -> impl Iterator<Item = Party<'a>> {
    holders.filter_map(Holder::party)
}
