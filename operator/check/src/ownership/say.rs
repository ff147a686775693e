//! Who has a say in a provider, and who may.

use std::collections::BTreeSet;

use domicile_crds::HolderKind;

use super::{
    chains::{COUNTED, Held, above},
    control::Control,
    register::{Company, Holding, Party},
};

/// From here on, in percent of capital or votes, a holder has a say: Regulation (EU) 2024/1624, Article 52.
const SAY: f64 = 25.0;

/// A provider in which somebody may have a say.
pub(super) struct Say<'a> {
    control: &'a Control<'a>,
    pub(super) company: Company,
    pub(super) party: Party,
    held: [Held; 2],
}

/// Somebody, with those who go with it.
struct Group {
    party: Party,
    others: BTreeSet<Party>,
}

impl<'a> Say<'a> {
    pub(super) fn new(control: &'a Control<'a>, company: Company) -> Self {
        let is_opaque = |holding: &Holding| control.is_opaque_ones(holding);
        let held = COUNTED.map(|interest| control.at.held(company, interest, is_opaque));
        Self { control, company, party: control.at.register.record(company).party, held }
    }

    /// Whether this party has one.
    pub(super) fn has(&self, party: Party) -> bool {
        self.control.does(party, self.company) || self.one_has(&Group::sure(self.control, party))
    }

    /// Whether this party may have one.
    pub(super) fn may(&self, party: Party) -> bool {
        let group = || Group { party, others: self.control.whom_it_may(party) };
        self.control.may(party, self.company) || self.is_left_to(&group()) || self.one_has(&group())
    }

    /// What would have to be known, whoever asks.
    pub(super) fn unknown(&self) -> Option<&'static str> {
        const CONTROL: &str = "who controls it";
        let control = self.control;
        if control.is_hidden(self.company) {
            return Some(CONTROL);
        }
        if self.held.iter().any(|held| !above(SAY, held.unknown())) {
            return Some("who has its capital and its votes");
        }
        let hidden = control.all.iter().filter(|company| control.is_hidden(**company));
        let mut parties = hidden.map(|company| control.at.register.record(*company).party);
        parties.any(|party| control.is_entity(party) && self.may(party)).then_some(CONTROL)
    }

    /// Whether one of them, with all whom it controls, has enough for a say.
    fn one_has(&self, group: &Group) -> bool {
        let entities = group.others.iter().copied().filter(|other| self.control.is_entity(*other));
        let mut each = [group.party].into_iter().chain(entities);
        // What one of them has the group has.
        self.may_come_to_a_say(group) && each.any(|party| self.is_enough(&Group::sure(self.control, party)))
    }

    /// Whether what they have, together, is enough for a say.
    fn is_enough(&self, group: &Group) -> bool {
        self.may_come_to_a_say(group)
            && COUNTED.into_iter().any(|interest| {
                let parted = self.control.at.parted(self.company, interest, |h| group.has(h));
                let stake = parted.own.most.min(100.0 - parted.others).max(parted.own.least);
                !above(SAY, stake)
            })
    }

    /// To follow all chains anew for each group takes its time.
    fn may_come_to_a_say(&self, group: &Group) -> bool {
        let most = |held: &Held| group.parties().map(|party| held.shares.get(party).most).sum();
        self.held.iter().any(|held| !above(SAY, most(held)))
    }

    /// Whether they have something, and others aren't known to have so much that they couldn't have a say. Who controls
    /// an opaque one isn't known: what others have of it doesn't count.
    fn is_left_to(&self, group: &Group) -> bool {
        let has_some = |held: &Held| group.parties().any(|party| held.shares.get(party).most > 0.0);
        let is_taken = |holding: &Holding| group.has(holding) || self.control.is_opaque_ones(holding);
        self.held.iter().any(has_some)
            && self.held.iter().any(|held| {
                let [least, most] = held.left_to(group.parties());
                let left = || 100.0 - self.control.at.parted(self.company, held.interest, is_taken).others;
                !above(SAY, least) || (!above(SAY, most) && !above(SAY, left()))
            })
    }
}

impl Group {
    fn sure(control: &Control<'_>, party: Party) -> Self {
        Self { party, others: control.whom(party) }
    }

    fn parties(&self) -> impl Iterator<Item = Party> {
        let others = self.others.iter().copied().filter(|other| *other != self.party);
        others.chain([self.party])
    }

    /// Nobody stands behind a person, even if it goes by the name of one whom somebody controls.
    fn has(&self, holding: &Holding) -> bool {
        holding.holder == self.party
            || (holding.kind == HolderKind::Entity && self.others.contains(&holding.holder))
    }
}
