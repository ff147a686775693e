//! `ForeignControl`, and what of it isn't known.

use std::collections::BTreeSet;

use domicile_crds::{CountryCode, ForeignShare, Interest};

use super::{
    chains::{COUNTED, PerNumber, Snapshot, above},
    control::Control,
    register::{Company, Holding, Share},
};

/// A provider, as somebody sees it who comes from certain countries.
pub(super) struct View<'a> {
    at: Snapshot<'a>,
    company: Company,
    home: &'a BTreeSet<CountryCode>,
    limits: ForeignShare,
    /// Of each party among the holders.
    origins: PerNumber<Origin>,
    control: &'a Control<'a>,
    tallies: [Tally; 2],
}

/// Where a holder is from, by all the entries that name it, in whatever web.
#[derive(Clone, Copy, Default)]
struct Origin {
    foreign: bool,
    /// One of them names a country.
    said: bool,
    /// If it is described: whether it says where it is headquartered.
    described: Option<bool>,
}

impl Origin {
    fn may_be_foreign(self) -> bool {
        self.foreign || !self.described.unwrap_or(self.said)
    }
}

/// What is held in the provider, in capital or in votes.
struct Tally {
    /// By persons and states from home, at least.
    home: f64,
    /// By each that is foreign.
    foreign: PerNumber<Share>,
    /// By all that are foreign.
    together: Share,
}

impl<'a> View<'a> {
    pub(super) fn new(
        control: &'a Control<'a>,
        company: Company,
        home: &'a BTreeSet<CountryCode>,
        limits: ForeignShare,
    ) -> Self {
        let at = control.at;
        let origins = origins(&at, company, home);
        let tallies = COUNTED.map(|interest| tally(&at, company, home, (&origins, interest)));
        Self { at, company, home, limits, origins, control, tallies }
    }

    /// Whether it is foreign, or those who are have control or too much of it.
    pub(super) fn fails(&self) -> bool {
        is_foreign(&self.at, self.company, self.home)
            || self.control.who(self.company).any(|party| self.origins.get(party).foreign)
            || self.tallies.iter().any(|tally| tally.is_too_much(self.limits))
    }

    /// What isn't known and would have to be.
    pub(super) fn unknown(&self) -> Option<&'static str> {
        let mut tallies = self.tallies.iter();
        if tallies.any(|tally| tally.leaves_too_much_open(self.limits)) {
            return Some("who has its capital and its votes");
        }
        let mut who_may = self.control.who_may(self.company).map(|party| self.origins.get(party));
        if self.control.is_hidden(self.company) || who_may.any(Origin::may_be_foreign) {
            return Some("who controls it");
        }
        let headquarters = self.at.register.record(self.company).object.spec.headquartered_in;
        headquarters.is_none().then_some("where it is headquartered")
    }
}

fn is_foreign(at: &Snapshot<'_>, company: Company, home: &BTreeSet<CountryCode>) -> bool {
    let spec = &at.register.record(company).object.spec;
    !home.contains(&spec.registered_in) || spec.headquartered_in.is_some_and(|c| !home.contains(&c))
}

fn has_no_headquarters(at: &Snapshot<'_>, company: Company) -> bool {
    at.register.record(company).object.spec.headquartered_in.is_none()
}

fn origins(at: &Snapshot<'_>, from: Company, home: &BTreeSet<CountryCode>) -> PerNumber<Origin> {
    let mut origins = PerNumber::new(at.register.number_of_parties());
    let holders = at.upwards(&[from]).into_iter().flat_map(|company| at.holdings(company));
    let holders: BTreeSet<_> = holders.map(|holding| holding.holder).collect();
    for holding in holders.into_iter().flat_map(|party| at.register.naming(party, at.now)) {
        let companies = at.register.behind(holding);
        let abroad = holding.described.is_none() && holding.country.is_some_and(|c| !home.contains(&c));
        origins.at(holding.holder, |origin: &mut Origin| {
            origin.foreign |= abroad;
            origin.said |= holding.country.is_some();
            if !companies.is_empty() && origin.described.is_none() {
                origin.foreign |= companies.iter().any(|company| is_foreign(at, *company, home));
                origin.described = Some(!companies.iter().any(|company| has_no_headquarters(at, *company)));
            }
        });
    }
    origins
}

fn tally(
    at: &Snapshot<'_>,
    company: Company,
    home: &BTreeSet<CountryCode>,
    (origins, interest): (&PerNumber<Origin>, Interest),
) -> Tally {
    let foreign = PerNumber::new(at.register.number_of_parties());
    let mut tally = Tally { home: 0.0, foreign, together: Share::default() };
    let is_foreign = |party| origins.get(party).foreign;
    // Chains end at a foreign holder. What stands behind one that may be foreign belongs to the rest, whoever is known
    // to have it.
    let pass = |holding: &Holding, share: Share| {
        let unsaid = holding.described.is_some_and(|described| has_no_headquarters(at, described));
        let share = if unsaid { Share { least: 0.0, ..share } } else { share };
        (!is_foreign(holding.holder)).then_some(share)
    };
    for (holding, share) in at.chains(company, interest, pass) {
        if is_foreign(holding.holder) {
            tally.foreign.at(holding.holder, |sum| sum.add(share));
            tally.together.add(share);
        } else if holding.is_end() && holding.country.is_some_and(|country| home.contains(&country)) {
            tally.home += share.least;
        }
    }
    tally
}

impl Tally {
    /// What nobody is known to have.
    fn rest(&self) -> f64 {
        (100.0 - self.home - self.together.least).max(0.0)
    }

    fn not_home(&self) -> f64 {
        100.0 - self.home
    }

    fn is_too_much(&self, limits: ForeignShare) -> bool {
        let rest = self.rest();
        let mut worst = self.foreign.iter().map(|(_, share)| share.most.min(share.least + rest));
        let together = self.together.most.min(self.not_home().max(self.together.least));
        worst.any(|worst| above(worst, limits.individual.into())) || above(together, limits.collective.into())
    }

    fn leaves_too_much_open(&self, limits: ForeignShare) -> bool {
        // It may belong to one who has something already.
        let most = self.foreign.iter().map(|(_, share)| share.least).fold(0.0, f64::max);
        above(self.rest() + most, limits.individual.into())
            || above(self.not_home(), limits.collective.into())
    }
}
