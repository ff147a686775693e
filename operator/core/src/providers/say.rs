//! Who has a say in a provider, for certain or perhaps.

use std::collections::BTreeSet;

use domicile_crds::Interest;

use super::{
    EPSILON, Entity, SHARES, Who,
    control::Control,
    shares::{Range, Table},
    web::{Holding, Web},
};

/// From which share on somebody has a say, in percent: Regulation (EU) 2024/1624, Article 52.
const SAY: f64 = 25.0;

/// Who has a say in a provider: found out for whoever is asked about, since there may be many.
#[derive(Debug)]
pub(super) struct Say<'w, 'a> {
    pub(super) control: &'w Control<'w, 'a>,
    /// Which holders are companies of which it isn't known who controls them.
    opaque: Table<bool>,
    held: [Held; 2],
}

/// What is held of an interest in a provider over all chains, in percent.
#[derive(Debug)]
struct Held {
    interest: Interest,
    /// More than all of it is recorded somewhere.
    overfull: bool,
    /// By each, over chains that may pass it more than once.
    by: Table<Range>,
    /// What isn't known to belong to persons and states.
    unknown: f64,
    /// Both over chains that pass nobody who is opaque: whoever controls such a one has the whole share of it, whatever
    /// others have of that.
    beside: Table<Range>,
    left: f64,
}

impl<'w, 'a> Say<'w, 'a> {
    pub(super) fn in_provider(control: &'w Control<'w, 'a>) -> Self {
        let opaque = control.opaque_holders();
        let web = control.web;
        let held = SHARES.map(|interest| {
            let (by, unknown) = by_each(web, interest, |_| false);
            let (beside, left) = by_each(web, interest, |held| is_closed(&opaque, held));
            Held { interest, overfull: web.is_overfull(interest), by, unknown, beside, left }
        });
        Self { control, opaque, held }
    }

    /// Whether somebody controls it, holds a quarter of it, or controls one that does.
    pub(super) fn has(&self, who: Who) -> bool {
        let holder = self.control.web.find(who);
        holder.is_some_and(|it| self.control.has(it, false) || self.one_has(&self.control.group(it, false)))
    }

    /// The same if what nobody is known to hold may be theirs.
    pub(super) fn may(&self, who: Who) -> bool {
        self.control.web.find(who).is_some_and(|holder| self.holder_may(holder))
    }

    /// The provider, or the first of those that may have a say in it, of which it isn't known who controls it.
    pub(super) fn hidden(&self) -> Option<Entity<'a>> {
        self.control.hidden_among(|holder| self.holder_may(holder))
    }

    /// What of the provider isn't known to belong to persons and states, if that alone is a say.
    pub(super) fn unknown(&self) -> Option<(Interest, f64)> {
        self.held.iter().find(|held| is_say(held.unknown)).map(|held| (held.interest, held.unknown))
    }

    fn holder_may(&self, holder: usize) -> bool {
        let group = || self.control.group(holder, true);
        self.control.has(holder, true) || self.is_left_to(&group()) || self.one_has(&group())
    }

    /// Whether one of these has enough for a say, with all whom it controls.
    fn one_has(&self, group: &BTreeSet<usize>) -> bool {
        // What comes to somebody by chains that pass it once is no more than what comes to it by all; so it is cheap to tell who
        // needn't be looked at.
        let may = |held: &Held, group: &BTreeSet<usize>| is_say(together(&held.by, group).max);
        let enough = |held: &Held, own: &BTreeSet<usize>| {
            may(held, own) && {
                let (stake, others) = self.stake(held.interest, own, |_| false);
                is_say(stake.at_worst(100.0 - others))
            }
        };
        self.held.iter().any(|held| may(held, group))
            && group.iter().any(|one| {
                let own = self.control.group(*one, false);
                self.held.iter().any(|held| enough(held, &own))
            })
    }

    /// Whether they have something, and others aren't known to have so much that they couldn't have a say.
    fn is_left_to(&self, group: &BTreeSet<usize>) -> bool {
        self.held.iter().any(|held| {
            // Where more than all is recorded, what is known of others says nothing of the rest.
            let beside = together(&held.beside, group).min;
            let may = || beside > 0.0 && (held.overfull || is_say(beside + held.left));
            let left = || 100.0 - self.stake(held.interest, group, |it| is_closed(&self.opaque, it)).1;
            together(&held.by, group).max > 0.0 && (is_say(held.left) || (may() && is_say(left())))
        })
    }

    /// What comes to these by chains that end with the first of them, and to persons and states by chains that pass neither these nor
    /// what is closed, at least.
    fn stake(
        &self,
        interest: Interest,
        group: &BTreeSet<usize>,
        is_closed: impl Fn(&Holding<'a>) -> bool,
    ) -> (Range, f64) {
        let (mut own, mut others) = (Range::default(), 0.0);
        let mut is_own: Table<bool> = Table::new(self.control.web.holders.len());
        for holder in group {
            is_own.change(*holder, |own| *own = true);
        }
        self.control.web.chains(interest, &mut |held, share| {
            if is_own.get(held.holder) {
                own.add(share);
                return None;
            }
            if is_closed(held) {
                return None;
            }
            others += if held.party.is_end() { share.min } else { 0.0 };
            Some(share)
        });
        (own, others)
    }
}

fn is_say(share: f64) -> bool {
    share >= SAY - EPSILON
}

fn is_closed(opaque: &Table<bool>, held: &Holding<'_>) -> bool {
    held.described.is_some() && opaque.get(held.holder)
}

fn together(by: &Table<Range>, group: &BTreeSet<usize>) -> Range {
    let mut sum = Range::default();
    for holder in group {
        sum.add(by.get(*holder));
    }
    sum
}

/// What comes to each over chains that pass nothing closed, and what they don't bring to persons and states.
fn by_each<'a>(
    web: &Web<'a>,
    interest: Interest,
    is_closed: impl Fn(&Holding<'a>) -> bool,
) -> (Table<Range>, f64) {
    let (mut by, mut known): (Table<Range>, f64) = (Table::new(web.holders.len()), 0.0);
    web.chains(interest, &mut |held, share| {
        if is_closed(held) {
            return None;
        }
        by.change(held.holder, |sum| sum.add(share));
        known += if held.party.is_end() { share.min } else { 0.0 };
        Some(share)
    });
    (by, f64::max(100.0 - known, 0.0))
}
