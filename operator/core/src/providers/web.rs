//! A provider and all who stand behind it.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::{HolderKind, Interest, Ownership, ProviderName};

use super::{
    EPSILON, Entity, Party, Providers, Who,
    shares::{Range, Table},
};
use crate::Horizon;

/// How many holdings a chain has at most. Companies may hold each other: each round adds less.
const CHAIN_MAX: usize = 32;

/// A provider and all who stand behind it, with each looked up once.
#[derive(Debug)]
pub(super) struct Web<'a> {
    /// The provider itself first.
    pub(super) companies: Vec<Company<'a>>,
    /// All who hold something of one of them.
    pub(super) holders: Vec<Holder<'a>>,
}

/// A provider with what is held of it now.
#[derive(Debug)]
pub(super) struct Company<'a> {
    pub(super) entity: Entity<'a>,
    /// Which holder it is, if it is one.
    pub(super) holder: Option<usize>,
    pub(super) holdings: Vec<Holding<'a>>,
}

/// An entry of `ownership` that counts now.
#[derive(Debug)]
pub(super) struct Holding<'a> {
    pub(super) entry: &'a Ownership,
    pub(super) party: Party<'a>,
    /// Which holder has it.
    pub(super) holder: usize,
    /// The company by which that is described.
    pub(super) described: Option<usize>,
}

/// Somebody who holds something.
#[derive(Debug)]
pub(super) struct Holder<'a> {
    pub(super) who: Who,
    /// As it is recorded now, first where it holds something of these, and then anywhere.
    pub(super) records: Vec<Party<'a>>,
    /// What it has: each a company, and which of the holdings in it.
    pub(super) has: Vec<(usize, usize)>,
    /// The companies that it is: more than one if it is described under several names.
    pub(super) companies: Vec<usize>,
}

impl<'a> Web<'a> {
    /// Follows holdings upwards from a provider.
    pub(super) fn over(providers: &'a Providers, start: Entity<'a>, horizon: &mut Horizon) -> Self {
        let (mut companies, numbers) = upwards(providers, start, horizon);
        let mut holders: Vec<Holder<'a>> = Vec::new();
        let mut known: BTreeMap<Who, usize> = BTreeMap::new();
        for (of, company) in companies.iter_mut().enumerate() {
            for (at, held) in company.holdings.iter_mut().enumerate() {
                let who = held.party.who;
                held.holder = *known.entry(who).or_insert_with(|| {
                    holders.push(Holder { who, records: vec![], has: vec![], companies: vec![] });
                    holders.len() - 1
                });
                held.described = held.party.described.and_then(|entity| numbers.get(entity.name).copied());
                if let Some(holder) = holders.get_mut(held.holder) {
                    holder.has.push((of, at));
                    holder.records.push(held.party);
                }
            }
        }
        for holder in &mut holders {
            holder.records.extend(providers.recorded(holder.who, horizon));
        }
        for (at, company) in companies.iter_mut().enumerate() {
            company.holder = known.get(&company.entity.who).copied();
            if let Some(holder) = company.holder.and_then(|holder| holders.get_mut(holder)) {
                holder.companies.push(at);
            }
        }
        Self { companies, holders }
    }

    /// Tells `reached` of each holding in a chain upwards, with what of an interest in the provider comes to its holder by the
    /// chains that arrive there. It answers whether chains go on from a described holder, and with how much.
    pub(super) fn chains(
        &self,
        interest: Interest,
        reached: &mut dyn FnMut(&Holding<'a>, Range) -> Option<Range>,
    ) {
        let mut ends = Table::new(self.companies.len());
        ends.change(0, |range| *range = Range::ALL);
        for _ in 0..CHAIN_MAX {
            let mut next: Table<Range> = Table::new(self.companies.len());
            let mut goes_on = false;
            for (company, range) in self.companies.iter().zip(ends.iter()).filter(|(_, it)| !it.is_nothing())
            {
                for held in company.held(interest) {
                    let on = reached(held, range.of(held.share()));
                    if let (Some(on), Some(owner)) = (on, held.described) {
                        next.change(owner, |sum| sum.add(on));
                        goes_on = true;
                    }
                }
            }
            if !goes_on {
                return;
            }
            ends = next;
        }
    }

    /// Which holder somebody is, if any.
    pub(super) fn find(&self, who: Who) -> Option<usize> {
        self.holders.iter().position(|holder| holder.who == who)
    }

    /// Whether more than all of an interest is recorded anywhere.
    pub(super) fn is_overfull(&self, interest: Interest) -> bool {
        let least =
            |company: &Company<'a>| company.held(interest).map(|held| held.entry.share.min).sum::<f64>();
        self.companies.iter().any(|company| least(company) > 100.0 + EPSILON)
    }
}

impl<'a> Company<'a> {
    pub(super) fn held(&self, interest: Interest) -> impl Iterator<Item = &Holding<'a>> {
        self.holdings.iter().filter(move |held| held.entry.interest == interest)
    }
}

impl Holding<'_> {
    pub(super) fn share(&self) -> Range {
        Range { min: self.entry.share.min, max: self.entry.share.max }
    }
}

impl<'a> Holder<'a> {
    /// Somebody, as it is recorded first.
    pub(super) fn party(&self) -> Option<Party<'a>> {
        self.records.first().copied()
    }

    /// The providers that it is: none if it is only recorded as a person, a state or unknown.
    pub(super) fn entities(&self, providers: &'a Providers) -> impl Iterator<Item = Entity<'a>> {
        let is_entity = |party: &Party<'a>| party.holder.is_some_and(|it| it.kind == HolderKind::Entity);
        let is_one = self.records.iter().any(is_entity);
        providers.entities(self.who).filter(move |_| is_one)
    }
}

/// A provider and whoever can be reached from holders to theirs; of one that is described under several names, each.
fn upwards<'a>(
    providers: &'a Providers,
    start: Entity<'a>,
    horizon: &mut Horizon,
) -> (Vec<Company<'a>>, BTreeMap<&'a ProviderName, usize>) {
    let (mut companies, mut numbers) = (Vec::new(), BTreeMap::new());
    let mut waiting = vec![start];
    let mut visited = BTreeSet::from([start.name]);
    // Of one that is described under several names, each is looked for once.
    let mut followed = BTreeSet::new();
    while let Some(entity) = waiting.pop() {
        let holding = |held: (&'a Ownership, Who)| {
            let party = providers.party(held);
            Holding { entry: held.0, party, holder: 0, described: None }
        };
        let holdings: Vec<Holding<'a>> = entity.holdings(horizon).into_iter().map(holding).collect();
        for held in holdings.iter().filter(|held| held.party.described.is_some()) {
            if followed.insert(held.party.who) {
                let behind = providers.entities(held.party.who);
                waiting.extend(behind.filter(|owner| visited.insert(owner.name)));
            }
        }
        numbers.insert(entity.name, companies.len());
        companies.push(Company { entity, holder: None, holdings });
    }
    (companies, numbers)
}
