//! Who controls a provider, and who has a say in it.

use std::collections::BTreeSet;

use domicile_crds::{HolderKind, Interest, Ownership};

use super::{EPSILON, Entity, Mark, Party, Providers, SHARES, shares::stakes};
use crate::Horizon;

/// From which share of the votes or the capital on somebody controls, in percent: more than that.
const MAJORITY: f64 = 50.0;
/// From which share on somebody has a say, in percent: Regulation (EU) 2024/1624, Article 52.
pub(super) const SAY: f64 = 25.0;

/// Who controls a provider.
#[derive(Debug)]
pub(super) struct Control<'a> {
    /// The provider itself first, then all who control it.
    pub(super) parties: Vec<(Party<'a>, BTreeSet<Mark>)>,
    /// The first of them of which it isn't known who controls it.
    pub(super) hidden: Option<Entity<'a>>,
}

impl<'a> Control<'a> {
    /// Follows control upwards from a provider.
    pub(super) fn over(providers: &'a Providers, start: Entity<'a>, horizon: &mut Horizon) -> Self {
        let party = Party::of(start);
        let mut control = Self { parties: vec![(party, party.marks())], hidden: None };
        let mut waiting = vec![start];
        let mut visited = BTreeSet::from([start.name]);
        while let Some(entity) = waiting.pop() {
            let holdings = entity.holdings(horizon);
            if control.hidden.is_none() && is_hidden(providers, &holdings) {
                control.hidden = Some(entity);
            }
            for (party, marks) in controlling(providers, &holdings) {
                if let Some(owner) = party.described.filter(|owner| visited.insert(owner.name)) {
                    waiting.push(owner);
                }
                control.parties.push((party, marks));
            }
        }
        control
    }

    /// Those who control it, without itself.
    pub(super) fn holders(&self) -> impl Iterator<Item = &(Party<'a>, BTreeSet<Mark>)> {
        self.parties.iter().skip(1)
    }
}

/// Everybody who has a say in a provider: who controls it, holds a quarter of it, or controls one that does.
pub(super) fn having_a_say<'a>(
    providers: &'a Providers,
    start: Entity<'a>,
    horizon: &mut Horizon,
) -> Vec<(Party<'a>, BTreeSet<Mark>)> {
    let mut found: Vec<_> = Control::over(providers, start, horizon).parties.split_off(1);
    for interest in SHARES {
        let all = stakes(providers, start, (interest, true), horizon, &mut |_, _| false);
        for stake in all.into_iter().filter(|stake| stake.share.max >= SAY - EPSILON) {
            found.push((stake.party, stake.marks));
        }
    }
    let described: Vec<Entity<'a>> = found.iter().filter_map(|(party, _)| party.described).collect();
    for entity in described {
        found.extend(Control::over(providers, entity, horizon).parties.split_off(1));
    }
    found
}

/// Who controls an entity by what is held of it.
fn controlling<'a>(providers: &'a Providers, holdings: &[&'a Ownership]) -> Vec<(Party<'a>, BTreeSet<Mark>)> {
    let mut found: Vec<(Party<'a>, BTreeSet<Mark>, [f64; 3])> = Vec::new();
    for held in holdings {
        let party = providers.party(&held.holder);
        let mut marks = party.marks();
        let mut shares = [0.0; 3];
        if let Some(share) = shares.get_mut(held.interest as usize) {
            *share = held.share.max;
        }
        if held.interest == Interest::Control {
            shares = [f64::INFINITY; 3];
        }
        let mut party = party;
        while let Some(at) = found.iter().position(|(_, other, _)| !other.is_disjoint(&marks)) {
            let (other, its, more) = found.swap_remove(at);
            party = if party.described.is_some() { party } else { other };
            marks.extend(its);
            shares.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
        }
        found.push((party, marks, shares));
    }
    let controls = |shares: &[f64; 3]| shares.iter().any(|share| *share > MAJORITY + EPSILON);
    found
        .into_iter()
        .filter(|(.., shares)| controls(shares))
        .map(|(party, marks, _)| (party, marks))
        .collect()
}

/// Whether it can't be told who controls an entity.
fn is_hidden(providers: &Providers, holdings: &[&Ownership]) -> bool {
    let is_known = |held: &&&Ownership| providers.party(&held.holder).is_known();
    let nobody_knows = |held: &&Ownership| held.interest == Interest::Control && !is_known(&held);
    holdings.iter().any(nobody_knows)
        || SHARES.into_iter().any(|interest| {
            let of = holdings.iter().filter(|held| held.interest == interest).filter(is_known);
            of.map(|held| held.share.min).sum::<f64>() < MAJORITY - EPSILON
        })
}

/// Whether a holder is a legal entity, or may be one.
pub(super) fn may_be_entity(party: Party<'_>) -> bool {
    party.holder.is_none_or(|holder| matches!(holder.kind, HolderKind::Entity | HolderKind::Unknown))
}
