//! Who controls whom among those who stand behind a provider, for certain or perhaps.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::{Interest, Ownership, ProviderName};

use super::{EPSILON, Entity, Party, Providers, SHARES, Who, shares::Range};
use crate::Horizon;

/// From which share of the votes or the capital on somebody controls, in percent: more than that.
const MAJORITY: f64 = 50.0;

/// A provider and all who stand behind it.
#[derive(Debug)]
pub(super) struct Web<'a> {
    providers: &'a Providers,
    /// The provider itself first.
    companies: Vec<Company<'a>>,
    /// In which companies somebody holds something.
    held_by: BTreeMap<Who, BTreeSet<usize>>,
    /// Which companies somebody controls.
    controlled: BTreeMap<Who, BTreeSet<usize>>,
    /// The same if what nobody is known to hold may be theirs.
    possibly: BTreeMap<Who, BTreeSet<usize>>,
}

/// A provider with what is held of it now.
#[derive(Debug)]
struct Company<'a> {
    entity: Entity<'a>,
    holdings: Vec<(&'a Ownership, Who)>,
    /// Of each holding, whether it is known whose it is.
    known: Vec<bool>,
}

/// Who controls a provider.
#[derive(Debug)]
pub(super) struct Control<'a> {
    /// The provider itself first, then all who control it.
    pub(super) parties: Vec<Party<'a>>,
    /// Who doesn't control it by what is recorded, and may.
    pub(super) possible: Vec<Party<'a>>,
    /// All who hold anything of anybody behind it, as often as they are recorded.
    pub(super) recorded: Vec<Party<'a>>,
    /// The first of those that are or may control it of which it isn't known who controls it.
    pub(super) hidden: Option<Entity<'a>>,
}

impl<'a> Control<'a> {
    /// Those who control it, without itself.
    pub(super) fn holders(&self) -> impl Iterator<Item = Party<'a>> {
        self.parties.iter().skip(1).copied()
    }

    /// Those who control it or may.
    pub(super) fn possible_holders(&self) -> impl Iterator<Item = Party<'a>> {
        self.holders().chain(self.possible.iter().copied())
    }
}

impl<'a> Web<'a> {
    /// Follows holdings upwards from a provider.
    pub(super) fn over(providers: &'a Providers, start: Entity<'a>, horizon: &mut Horizon) -> Self {
        let companies = upwards(providers, start, horizon);
        let mut held_by: BTreeMap<Who, BTreeSet<usize>> = BTreeMap::new();
        for (at, company) in companies.iter().enumerate() {
            for (_, who) in &company.holdings {
                held_by.entry(*who).or_default().insert(at);
            }
        }
        let (controlled, possibly) = (BTreeMap::new(), BTreeMap::new());
        let mut web = Self { providers, companies, held_by, controlled, possibly };
        web.controlled = web.reached(Company::is_controlled_by);
        // The less is known, the more may be controlled, and the less is known by one's own shares.
        loop {
            web.know();
            let possibly = web.reached(Company::may_be_controlled_by);
            if possibly == web.possibly {
                return web;
            }
            web.possibly = possibly;
        }
    }

    /// Finds out whose holdings are known: what persons and states hold, and then what is held by companies of which enough is known.
    fn know(&mut self) {
        let mut clear: BTreeSet<&ProviderName> = BTreeSet::new();
        let known = loop {
            let known: Vec<Vec<bool>> = self.companies.iter().map(|it| self.known_in(it, &clear)).collect();
            let is_clear = |(company, known): &(&Company<'a>, &Vec<bool>)| !company.is_opaque(known);
            let now = self.companies.iter().zip(&known).filter(is_clear).map(|(it, _)| it.entity.name);
            let now: BTreeSet<&ProviderName> = now.collect();
            if now == clear {
                break known;
            }
            clear = now;
        };
        for (company, known) in self.companies.iter_mut().zip(known) {
            company.known = known;
        }
    }

    /// Of each holding in a company whether it is known whose it is, if these companies are clear.
    fn known_in(&self, company: &Company<'a>, clear: &BTreeSet<&ProviderName>) -> Vec<bool> {
        let own = self.possibly.get(&company.entity.who).into_iter().flatten();
        let own = own.filter_map(|at| self.companies.get(*at)).map(|own| own.entity.who);
        let own: BTreeSet<Who> = own.chain([company.entity.who]).collect();
        let is_known = |held: &(&'a Ownership, Who)| {
            let party = self.providers.party(*held);
            let all_clear = || self.providers.entities(party.who).all(|owner| clear.contains(owner.name));
            let clear = party.described.is_none() || all_clear();
            // Nobody's shares count for what they themselves hold; who has control of whom is another matter.
            let own = held.0.interest != Interest::Control && own.contains(&party.who);
            party.is_known() && clear && !own
        };
        company.holdings.iter().map(is_known).collect()
    }

    /// Which companies each holder controls, alone and with those whom it controls.
    fn reached(
        &self,
        controls: impl Fn(&Company<'a>, &BTreeSet<Who>) -> bool,
    ) -> BTreeMap<Who, BTreeSet<usize>> {
        let reach = |start: Who| {
            let (mut group, mut found) = (BTreeSet::from([start]), BTreeSet::new());
            let mut waiting = vec![start];
            while let Some(next) = waiting.pop() {
                for at in self.held_by.get(&next).into_iter().flatten() {
                    let Some(company) = self.companies.get(*at).filter(|_| !found.contains(at)) else {
                        continue;
                    };
                    if controls(company, &group) {
                        found.insert(*at);
                        waiting.extend(Some(company.entity.who).filter(|who| group.insert(*who)));
                    }
                }
            }
            found
        };
        self.held_by.keys().map(|who| (*who, reach(*who))).collect()
    }

    /// Who controls the provider itself.
    pub(super) fn control(&self) -> Control<'a> {
        let recorded: Vec<Party<'a>> = self.recorded().collect();
        let controls = |party: &&Party<'a>| has(&self.controlled, party.who, 0);
        let may = |party: &&Party<'a>| has(&self.possibly, party.who, 0);
        let start = self.companies.first().map(|company| Party::of(company.entity));
        let holders = recorded.iter().filter(controls).copied();
        let possible = recorded.iter().filter(|party| may(party) && !controls(party)).copied().collect();
        let hidden = self.hidden(|company| has(&self.possibly, company.entity.who, 0));
        Control { parties: start.into_iter().chain(holders).collect(), possible, recorded, hidden }
    }

    /// The provider itself, or the first of `others`, of which it isn't known who controls it.
    fn hidden(&self, others: impl Fn(&Company<'a>) -> bool) -> Option<Entity<'a>> {
        let mut looked_at =
            self.companies.iter().enumerate().filter(|(at, company)| *at == 0 || others(company));
        looked_at.find(|(_, company)| company.is_opaque(&company.known)).map(|(_, company)| company.entity)
    }

    /// Of whom it isn't known who controls them.
    pub(super) fn opaque(&self) -> BTreeSet<Who> {
        let opaque = self.companies.iter().filter(|it| it.is_opaque(&it.known));
        opaque.map(|company| company.entity.who).collect()
    }

    /// Of which of these, or of the provider itself, it isn't known who controls it.
    pub(super) fn hidden_among(&self, whos: &BTreeSet<Who>) -> Option<Entity<'a>> {
        self.hidden(|company| whos.contains(&company.entity.who))
    }

    /// Who controls one of these, or may.
    pub(super) fn controlling(&self, whos: &BTreeSet<Who>, perhaps: bool) -> impl Iterator<Item = Who> {
        let of = if perhaps { &self.possibly } else { &self.controlled };
        let is_one =
            |at: &usize| self.companies.get(*at).is_some_and(|company| whos.contains(&company.entity.who));
        of.iter().filter(move |(_, reached)| reached.iter().any(is_one)).map(|(who, _)| *who)
    }

    /// Whether more than all of an interest is recorded anywhere.
    pub(super) fn is_overfull(&self, interest: Interest) -> bool {
        let least =
            |company: &Company<'a>| company.held(interest).map(|(held, ..)| held.share.min).sum::<f64>();
        self.companies.iter().any(|company| least(company) > 100.0 + EPSILON)
    }

    /// All who hold something of it, or of one behind it.
    pub(super) fn holders(&self) -> impl Iterator<Item = Who> {
        self.held_by.keys().copied()
    }

    /// Somebody with all whom it controls, or may.
    pub(super) fn group(&self, who: Who, perhaps: bool) -> BTreeSet<Who> {
        let of = if perhaps { &self.possibly } else { &self.controlled };
        let own = of.get(&who).into_iter().flatten().filter_map(|at| self.companies.get(*at));
        own.map(|company| company.entity.who).chain([who]).collect()
    }

    fn recorded(&self) -> impl Iterator<Item = Party<'a>> {
        let holdings = self.companies.iter().flat_map(|company| &company.holdings);
        holdings.map(|held| self.providers.party(*held))
    }
}

fn has(reached: &BTreeMap<Who, BTreeSet<usize>>, who: Who, at: usize) -> bool {
    reached.get(&who).is_some_and(|reached| reached.contains(&at))
}

/// A provider and whoever can be reached from holders to theirs; of one that is described under several names, each.
fn upwards<'a>(providers: &'a Providers, start: Entity<'a>, horizon: &mut Horizon) -> Vec<Company<'a>> {
    let mut companies = Vec::new();
    let mut waiting = vec![start];
    let mut visited = BTreeSet::from([start.name]);
    while let Some(entity) = waiting.pop() {
        let holdings = entity.holdings(horizon);
        let parties = holdings.iter().map(|held| providers.party(*held));
        let behind =
            parties.filter(|party| party.described.is_some()).flat_map(|p| providers.entities(p.who));
        waiting.extend(behind.filter(|owner| visited.insert(owner.name)));
        companies.push(Company { entity, known: vec![false; holdings.len()], holdings });
    }
    companies
}

impl<'a> Company<'a> {
    /// What is held of an interest, with whether it is known whose it is.
    fn held(&self, interest: Interest) -> impl Iterator<Item = (&'a Ownership, Who, bool)> {
        let all = self.holdings.iter().zip(&self.known);
        all.filter(move |((held, _), _)| held.interest == interest)
            .map(|((held, who), known)| (*held, *who, *known))
    }

    /// Whether these control it together by what is recorded.
    fn is_controlled_by(&self, group: &BTreeSet<Who>) -> bool {
        let majority = |interest| {
            let (mut own, mut others) = (Range::default(), 0.0);
            for (held, who, _) in self.held(interest) {
                if group.contains(&who) {
                    own.add(Range { min: held.share.min, max: held.share.max });
                } else {
                    others += held.share.min;
                }
            }
            own.at_worst(100.0 - others) > MAJORITY + EPSILON
        };
        self.held(Interest::Control).any(|(_, who, _)| group.contains(&who))
            || SHARES.into_iter().any(majority)
    }

    /// Whether they may, if whatever isn't known to be others' is theirs.
    fn may_be_controlled_by(&self, group: &BTreeSet<Who>) -> bool {
        let most = |interest| {
            let (mut rest, mut others) = (0.0, 0.0);
            for (held, who, known) in self.held(interest) {
                let part = if known && !group.contains(&who) { &mut others } else { &mut rest };
                *part += held.share.min;
            }
            f64::max(100.0 - others, rest)
        };
        let counts = |(held, who): &(&'a Ownership, Who)| {
            group.contains(who) && (held.interest == Interest::Control || held.share.max > 0.0)
        };
        self.is_controlled_by(group)
            || (self.holdings.iter().any(counts)
                && SHARES.into_iter().any(|interest| most(interest) > MAJORITY + EPSILON))
    }

    /// Whether it can't be told who controls it, if of its holdings it is `known` whose each is.
    fn is_opaque(&self, known: &[bool]) -> bool {
        let of = |interest| {
            let all = self.holdings.iter().zip(known);
            all.filter(move |((held, _), _)| held.interest == interest)
                .map(|((held, _), known)| (held.share.min, *known))
        };
        let little = |interest| {
            of(interest).filter(|(_, known)| *known).map(|(min, _)| min).sum::<f64>() < MAJORITY - EPSILON
        };
        of(Interest::Control).any(|(_, known)| !known) || SHARES.into_iter().any(little)
    }
}
