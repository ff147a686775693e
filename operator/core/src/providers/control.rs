//! Who controls a provider, and who has a say in it.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::{Interest, Ownership};

use super::{EPSILON, Entity, Party, Providers, SHARES, Who, shares::chains};
use crate::Horizon;

/// From which share of the votes or the capital on somebody controls, in percent: more than that.
const MAJORITY: f64 = 50.0;
/// From which share on somebody has a say, in percent: Regulation (EU) 2024/1624, Article 52.
pub(super) const SAY: f64 = 25.0;

/// Who controls a provider.
#[derive(Debug)]
pub(super) struct Control<'a> {
    /// The provider itself first, then all who control it.
    pub(super) parties: Vec<Party<'a>>,
    /// All who hold anything of one of them, as often as they are recorded.
    pub(super) recorded: Vec<Party<'a>>,
    /// The first of them of which it isn't known who controls it.
    pub(super) hidden: Option<Entity<'a>>,
}

impl<'a> Control<'a> {
    /// Follows control upwards from a provider.
    pub(super) fn over(providers: &'a Providers, start: Entity<'a>, horizon: &mut Horizon) -> Self {
        let mut control = Self { parties: vec![Party::of(start)], recorded: Vec::new(), hidden: None };
        let mut waiting = vec![start];
        let mut visited = BTreeSet::from([start.name]);
        while let Some(entity) = waiting.pop() {
            let holdings = entity.holdings(horizon);
            if control.hidden.is_none() && is_hidden(providers, &holdings) {
                control.hidden = Some(entity);
            }
            control.recorded.extend(holdings.iter().map(|held| providers.party(*held)));
            for party in controlling(providers, &holdings) {
                if let Some(owner) = party.described.filter(|owner| visited.insert(owner.name)) {
                    waiting.push(owner);
                }
                control.parties.push(party);
            }
        }
        control
    }

    /// Those who control it, without itself.
    pub(super) fn holders(&self) -> impl Iterator<Item = Party<'a>> {
        self.parties.iter().skip(1).copied()
    }
}

/// Everybody who has a say in a provider: who controls it, holds a quarter of it, or controls one that does.
pub(super) fn having_a_say(providers: &Providers, start: Entity<'_>, horizon: &mut Horizon) -> BTreeSet<Who> {
    let mut saying: BTreeSet<Who> =
        Control::over(providers, start, horizon).holders().map(|party| party.who).collect();
    for interest in SHARES {
        let mut held: BTreeMap<Who, f64> = BTreeMap::new();
        chains(providers, start, interest, horizon, &mut |party, share| {
            *held.entry(party.who).or_default() += share.max;
            Some(share)
        });
        saying.extend(held.into_iter().filter(|(_, share)| *share >= SAY - EPSILON).map(|(who, _)| who));
    }
    for entity in saying.clone().into_iter().flat_map(|who| providers.entities(who)) {
        saying.extend(Control::over(providers, entity, horizon).holders().map(|party| party.who));
    }
    saying
}

/// Who controls an entity by what is held of it; of one that is described under several names, each.
fn controlling<'a>(providers: &'a Providers, holdings: &[(&'a Ownership, Who)]) -> Vec<Party<'a>> {
    let mut shares: BTreeMap<Who, [f64; 3]> = BTreeMap::new();
    for (held, who) in holdings {
        let sums = shares.entry(*who).or_default();
        match held.interest {
            Interest::Control => *sums = [f64::INFINITY; 3],
            interest => {
                if let Some(sum) = sums.get_mut(interest as usize) {
                    *sum += held.share.max;
                }
            }
        }
    }
    let controls = |who: &Who| {
        shares.get(who).is_some_and(|shares| shares.iter().any(|share| *share > MAJORITY + EPSILON))
    };
    holdings.iter().filter(|(_, who)| controls(who)).map(|held| providers.party(*held)).collect()
}

/// Whether it can't be told who controls an entity.
fn is_hidden(providers: &Providers, holdings: &[(&Ownership, Who)]) -> bool {
    let is_known = |held: &&(&Ownership, Who)| providers.party(**held).is_known();
    let nobody_knows = |held: &(&Ownership, Who)| held.0.interest == Interest::Control && !is_known(&held);
    holdings.iter().any(nobody_knows)
        || SHARES.into_iter().any(|interest| {
            let of = holdings.iter().filter(|(held, _)| held.interest == interest).filter(is_known);
            of.map(|(held, _)| held.share.min).sum::<f64>() < MAJORITY - EPSILON
        })
}
