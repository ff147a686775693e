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

    /// At most, but no more than what others leave, and no less than at least.
    pub(super) fn at_worst(self, left: f64) -> f64 {
        self.max.min(left).max(self.min)
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
