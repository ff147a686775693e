//! How much somebody holds of a provider, directly and through others.

use std::collections::BTreeMap;

use domicile_crds::{Interest, ProviderName};

use super::{Entity, Party, Providers};
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

    pub(super) fn add(&mut self, other: Self) {
        self.min += other.min;
        self.max += other.max;
    }

    fn of(self, share: Self) -> Self {
        Self { min: self.min * share.min / 100.0, max: self.max * share.max / 100.0 }
    }
}

/// Tells `reached` of each holding in a chain from `start` upwards, with what of an interest in `start` comes to its holder by the
/// chains that arrive there. It answers whether chains go on from a described holder, and with how much.
pub(super) fn chains<'a>(
    providers: &'a Providers,
    start: Entity<'a>,
    interest: Interest,
    horizon: &mut Horizon,
    reached: &mut dyn FnMut(Party<'a>, Range) -> Option<Range>,
) {
    let mut ends: BTreeMap<&ProviderName, (Entity<'a>, Range)> = BTreeMap::new();
    ends.insert(start.name, (start, Range::ALL));
    for _ in 0..CHAIN_MAX {
        let mut next: BTreeMap<&ProviderName, (Entity<'a>, Range)> = BTreeMap::new();
        for (entity, range) in ends.into_values() {
            let holdings = entity.holdings(horizon).into_iter();
            for held in holdings.filter(|(held, _)| held.interest == interest) {
                let share = range.of(Range { min: held.0.share.min, max: held.0.share.max });
                let party = providers.party(held);
                if let (Some(on), Some(owner)) = (reached(party, share), party.described) {
                    next.entry(owner.name).or_insert((owner, Range::default())).1.add(on);
                }
            }
        }
        ends = next;
    }
}

/// What of an interest in an entity, and in each that stands behind it, is known to come to persons and states at least, over
/// all chains: 1 is all.
pub(super) fn known<'a>(
    providers: &'a Providers,
    start: Entity<'a>,
    interest: Interest,
    horizon: &mut Horizon,
) -> BTreeMap<&'a ProviderName, f64> {
    let mut holdings: BTreeMap<&ProviderName, Vec<(Party<'a>, f64)>> = BTreeMap::new();
    let mut waiting = vec![start];
    while let Some(entity) = waiting.pop() {
        if holdings.contains_key(entity.name) {
            continue;
        }
        let counted = entity.holdings(horizon).into_iter().filter(|(held, _)| held.interest == interest);
        let all = counted.map(|held| (providers.party(held), held.0.share.min / 100.0)).collect::<Vec<_>>();
        waiting.extend(all.iter().filter_map(|(party, _)| party.described));
        holdings.insert(entity.name, all);
    }
    let mut known: BTreeMap<&ProviderName, f64> = BTreeMap::new();
    for _ in 0..CHAIN_MAX {
        let of = |party: &Party<'a>| match party.described {
            Some(owner) => known.get(owner.name).copied().unwrap_or_default(),
            None => f64::from(u8::from(party.is_known())),
        };
        let sum = |all: &Vec<(Party<'a>, f64)>| all.iter().map(|(party, share)| share * of(party)).sum();
        known = holdings.iter().map(|(name, all)| (*name, sum(all))).collect();
    }
    known
}
