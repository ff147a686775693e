//! How somebody comes to have something of a provider, in words.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use domicile_crds::{Interest, Ownership, ProviderName};
use jiff::Timestamp;

use super::{Entity, Providers, Who};
use crate::Horizon;

/// The chain with the largest share by which somebody holds something of a provider, as
/// "A, RU, holds 51 % of the votes of B, which holds 80 % of the capital of it". `None` if there is none.
pub(super) fn path(providers: &Providers, start: Entity<'_>, wanted: Who, now: Timestamp) -> Option<String> {
    let mut horizon = Horizon::new(now);
    let mut open: BTreeMap<&ProviderName, (f64, Entity<'_>, Vec<&Ownership>)> = BTreeMap::new();
    let mut closed: BTreeSet<&ProviderName> = BTreeSet::new();
    let mut best: Option<(f64, Vec<&Ownership>)> = None;
    open.insert(start.name, (1.0, start, Vec::new()));
    // Shares only shrink along a chain, so that whoever is nearest by share is reached by the best chain first.
    while let Some(name) = open.iter().max_by(|(_, a), (_, b)| a.0.total_cmp(&b.0)).map(|(name, _)| *name) {
        let Some((weight, entity, chain)) = open.remove(name) else { break };
        closed.insert(name);
        for held in entity.holdings(&mut horizon) {
            let party = providers.party(held);
            let (held, who) = held;
            let share = if held.interest == Interest::Control { 100.0 } else { held.share.max };
            let weight = weight * share / 100.0;
            let longer = || chain.iter().copied().chain([held]).collect::<Vec<_>>();
            if who == wanted && best.as_ref().is_none_or(|(most, _)| weight > *most) {
                best = Some((weight, longer()));
            }
            let owner = party.described.filter(|owner| !closed.contains(owner.name));
            if let Some(owner) = owner
                && open.get(owner.name).is_none_or(|(known, ..)| weight > *known)
            {
                open.insert(owner.name, (weight, owner, longer()));
            }
        }
    }
    best.map(|(_, chain)| words(start, &chain))
}

fn words(start: Entity<'_>, chain: &[&Ownership]) -> String {
    let mut text = String::new();
    for (depth, held) in chain.iter().enumerate().rev() {
        let below = depth.checked_sub(1).and_then(|at| chain.get(at));
        let of = below.map_or(start.name.as_str(), |below| below.holder.name.as_str());
        if text.is_empty() {
            text.push_str(&held.holder.name);
            if let Some(country) = held.holder.country {
                let _ = write!(text, ", {country},");
            }
        } else {
            text.push_str(", which");
        }
        let _ = match held.interest {
            Interest::Control => write!(text, " controls {of}"),
            Interest::Capital => write!(text, " holds {} of the capital of {of}", percent(held)),
            Interest::Votes => write!(text, " holds {} of the votes of {of}", percent(held)),
        };
    }
    text
}

fn percent(held: &Ownership) -> String {
    let (min, max) = (held.share.min, held.share.max);
    if min < max { format!("{min} to {max} %") } else { format!("{max} %") }
}
