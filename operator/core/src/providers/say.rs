//! Who has a say in a provider, for certain or perhaps.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::Interest;

use super::{
    EPSILON, Entity, Providers, SHARES, Who,
    control::{Control, Web},
    shares::{chains, known},
};
use crate::Horizon;

/// From which share on somebody has a say, in percent: Regulation (EU) 2024/1624, Article 52.
const SAY: f64 = 25.0;

/// Who has a say in a provider.
#[derive(Debug)]
pub(super) struct Say<'a> {
    pub(super) control: Control<'a>,
    /// Who controls it, holds a quarter of it, or controls one that does.
    pub(super) certain: BTreeSet<Who>,
    /// The same if what nobody is known to hold may be theirs.
    pub(super) possible: BTreeSet<Who>,
    /// The provider, or the first of those that may have a say in it, of which it isn't known who controls it.
    pub(super) hidden: Option<Entity<'a>>,
    /// What of the provider isn't known to belong to persons and states, if that alone is a say.
    pub(super) unknown: Option<(Interest, f64)>,
}

impl<'a> Say<'a> {
    pub(super) fn in_provider(providers: &'a Providers, start: Entity<'a>, horizon: &mut Horizon) -> Self {
        let web = Web::over(providers, start, horizon);
        let control = web.control();
        let mut certain: BTreeSet<Who> = control.holders().map(|party| party.who).collect();
        let mut possible: BTreeSet<Who> = control.possible_holders().map(|party| party.who).collect();
        let mut unknown = None;
        for interest in SHARES {
            let held = Held::of(providers, start, interest, horizon);
            let is_say = |share: f64| share >= SAY - EPSILON;
            for (who, stake) in held.by {
                certain.extend(is_say(stake.most).then_some(who));
                let perhaps = is_say(stake.most) || is_say(stake.known + held.unknown);
                possible.extend(perhaps.then_some(who));
            }
            unknown = unknown.or(Some((interest, held.unknown)).filter(|_| is_say(held.unknown)));
        }
        let (more, perhaps): (Vec<Who>, Vec<Who>) =
            (web.controlling(&certain, false).collect(), web.controlling(&possible, true).collect());
        certain.extend(more);
        possible.extend(perhaps);
        let hidden = web.hidden_among(&possible);
        Self { control, certain, possible, hidden, unknown }
    }
}

/// What is held of an interest in a provider over all chains.
struct Held {
    by: BTreeMap<Who, Stake>,
    /// What isn't known to belong to persons and states, in percent.
    unknown: f64,
}

/// What somebody has of it, in percent.
#[derive(Default)]
struct Stake {
    most: f64,
    /// What is known at least to be its own, or to come to persons and states through it.
    known: f64,
}

impl Held {
    fn of(providers: &Providers, start: Entity<'_>, interest: Interest, horizon: &mut Horizon) -> Self {
        let of_each = known(providers, start, interest, horizon);
        let mut by: BTreeMap<Who, Stake> = BTreeMap::new();
        let mut ends = 0.0;
        chains(providers, start, interest, horizon, &mut |party, share| {
            let stake = by.entry(party.who).or_default();
            stake.most += share.max;
            match party.described {
                Some(entity) => {
                    stake.known += share.min * of_each.get(entity.name).copied().unwrap_or_default();
                }
                None if party.is_known() => {
                    stake.known += share.min;
                    ends += share.min;
                }
                None => {}
            }
            Some(share)
        });
        Self { by, unknown: f64::max(100.0 - ends, 0.0) }
    }
}
