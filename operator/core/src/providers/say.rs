//! Who has a say in a provider, for certain or perhaps.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::Interest;

use super::{
    EPSILON, Entity, Providers, SHARES, Who,
    control::{Control, Web},
    shares::{Range, chains},
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
        let (opaque, nobody) = (web.opaque(), BTreeSet::new());
        let mut unknown = None;
        for interest in SHARES {
            let mut held = Held { providers, start, interest, horizon };
            let (by, unknown_here) = held.by_each(&nobody);
            // Whoever controls an opaque one has the whole share of it, whatever others have of that.
            let (settled, left) = held.by_each(&opaque);
            // What comes to somebody by chains that pass it once is no more than what comes to it by all; so it is cheap to tell
            // who needn't be looked at. Where more than all is recorded, what is known of others says nothing of the rest.
            let overfull = web.is_overfull(interest);
            let most = |by: &BTreeMap<Who, f64>, group: &BTreeSet<Who>| {
                group.iter().filter_map(|who| by.get(who)).sum::<f64>()
            };
            for who in web.holders() {
                let (sure, perhaps) = (web.group(who, false), web.group(who, true));
                if is_say(most(&by, &sure)) {
                    let (own, others) = held.stake(&sure, &nobody);
                    certain.extend(is_say(own.at_worst(100.0 - others)).then_some(who));
                }
                if most(&by, &perhaps) <= 0.0 {
                    continue;
                }
                let beside = most(&settled, &perhaps);
                let may = is_say(left)
                    || ((overfull || is_say(beside + left))
                        && is_say(100.0 - held.stake(&perhaps, &opaque).1));
                possible.extend(may.then_some(who));
            }
            unknown = unknown.or(Some((interest, unknown_here)).filter(|_| is_say(unknown_here)));
        }
        possible.extend(&certain);
        let (more, perhaps): (Vec<Who>, Vec<Who>) =
            (web.controlling(&certain, false).collect(), web.controlling(&possible, true).collect());
        certain.extend(more);
        possible.extend(perhaps);
        let hidden = web.hidden_among(&possible);
        Self { control, certain, possible, hidden, unknown }
    }
}

fn is_say(share: f64) -> bool {
    share >= SAY - EPSILON
}

/// What is held of an interest in a provider over all chains.
struct Held<'a, 'h> {
    providers: &'a Providers,
    start: Entity<'a>,
    interest: Interest,
    horizon: &'h mut Horizon,
}

impl Held<'_, '_> {
    /// What comes to each at most, over chains that may pass it more than once, but none of `closed`, and what they don't bring to
    /// persons and states. In percent.
    fn by_each(&mut self, closed: &BTreeSet<Who>) -> (BTreeMap<Who, f64>, f64) {
        let (mut by, mut known) = (BTreeMap::new(), 0.0);
        chains(self.providers, self.start, self.interest, self.horizon, &mut |party, share| {
            if party.described.is_some() && closed.contains(&party.who) {
                return None;
            }
            *by.entry(party.who).or_default() += share.max;
            known += if party.is_end() { share.min } else { 0.0 };
            Some(share)
        });
        (by, f64::max(100.0 - known, 0.0))
    }

    /// What comes to these by chains that end with the first of them, and to persons and states by chains that pass none, nor any of
    /// `closed`, at least.
    fn stake(&mut self, group: &BTreeSet<Who>, closed: &BTreeSet<Who>) -> (Range, f64) {
        let (mut own, mut others) = (Range::default(), 0.0);
        chains(self.providers, self.start, self.interest, self.horizon, &mut |party, share| {
            if group.contains(&party.who) {
                own.add(share);
                return None;
            }
            if party.described.is_some() && closed.contains(&party.who) {
                return None;
            }
            others += if party.is_end() { share.min } else { 0.0 };
            Some(share)
        });
        (own, others)
    }
}
