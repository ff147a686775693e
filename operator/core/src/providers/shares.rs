//! How much somebody holds of a provider, directly and through others.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::{Interest, ProviderName};

use super::{Entity, Mark, Party, Providers};
use crate::Horizon;

/// How many holdings a chain has at most. Companies may hold each other: each round adds less.
const CHAIN_MAX: usize = 32;

/// At least and at most, in percent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Range {
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Range {
    const ALL: Self = Self { min: 100.0, max: 100.0 };

    fn add(&mut self, other: Self) {
        self.min += other.min;
        self.max += other.max;
    }

    fn of(self, share: Self) -> Self {
        Self { min: self.min * share.min / 100.0, max: self.max * share.max / 100.0 }
    }
}

/// Somebody with all that it holds.
#[derive(Clone, Debug)]
pub(super) struct Stake<'a> {
    pub(super) party: Party<'a>,
    pub(super) marks: BTreeSet<Mark>,
    pub(super) share: Range,
}

/// What of an interest in `start` comes to whom, over all chains that end at parties of which `ends` says so, or behind
/// whom nobody is recorded. With `passing`, those that chains go through are told, too.
pub(super) fn stakes<'a>(
    providers: &'a Providers,
    start: Entity<'a>,
    (interest, passing): (Interest, bool),
    horizon: &mut Horizon,
    ends: &mut dyn FnMut(Party<'a>, &mut Horizon) -> bool,
) -> Vec<Stake<'a>> {
    let mut found: Vec<Stake<'a>> = Vec::new();
    let mut reached: BTreeMap<&ProviderName, (Entity<'a>, Range)> = BTreeMap::new();
    reached.insert(start.name, (start, Range::ALL));
    for _ in 0..CHAIN_MAX {
        let mut next: BTreeMap<&ProviderName, (Entity<'a>, Range)> = BTreeMap::new();
        for (entity, range) in reached.into_values() {
            for held in entity.holdings(horizon).into_iter().filter(|held| held.interest == interest) {
                let share = range.of(Range { min: held.share.min, max: held.share.max });
                let party = providers.party(&held.holder);
                let end = ends(party, horizon);
                if let Some(owner) = party.described.filter(|_| !end) {
                    next.entry(owner.name).or_insert((owner, Range::default())).1.add(share);
                }
                if end || passing || party.described.is_none() {
                    add(&mut found, party, share);
                }
            }
        }
        reached = next;
    }
    found
}

/// Adds to what a party holds. Two are the same that share a mark, and so are those whom a third joins.
fn add<'a>(found: &mut Vec<Stake<'a>>, party: Party<'a>, share: Range) {
    let marks = party.marks();
    let mut stake = Stake { party, marks, share };
    while let Some(at) = found.iter().position(|other| !other.marks.is_disjoint(&stake.marks)) {
        let other = found.swap_remove(at);
        stake.share.add(other.share);
        stake.marks.extend(other.marks);
    }
    found.push(stake);
}
