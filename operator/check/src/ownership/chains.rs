//! Shares over chains of holdings, added up by the length of the chain: to name each chain could take for ever.

use domicile_crds::Interest;
use jiff::Timestamp;

use super::register::{Company, Holding, Register, Share};

/// Longest chain, in holdings.
const CHAIN_MAX: usize = 32;

/// Percentages that differ by less are equal.
const EQUAL: f64 = 1e-6;

/// Capital and votes, which are counted apart.
pub(super) const COUNTED: [Interest; 2] = [Interest::Capital, Interest::Votes];

/// Whether a percentage is above another.
pub(super) fn above(one: f64, other: f64) -> bool {
    one - other >= EQUAL
}

/// The register as it counts at an instant.
#[derive(Clone, Copy)]
pub(super) struct Snapshot<'a> {
    pub(super) register: &'a Register,
    pub(super) now: Timestamp,
}

impl<'a> Snapshot<'a> {
    /// What is held in a provider.
    pub(super) fn holdings(&self, of: Company) -> impl Iterator<Item = &'a Holding> + use<'a> {
        self.register.record(of).holdings(self.now)
    }

    /// What is held in a provider over all chains: each holding in it, in its holders and so on, with what the
    /// chains that end with it come to.
    ///
    /// `pass` says what of a chain goes on to the holders of the holder that it has come to.
    pub(super) fn chains(
        &self,
        from: Company,
        interest: Interest,
        pass: impl Fn(&Holding, Share) -> Option<Share>,
    ) -> impl Iterator<Item = (&'a Holding, Share)> {
        let at = *self;
        self.arriving(from, interest, pass).into_iter().flat_map(move |(company, share)| {
            let holdings = at.holdings(company).filter(move |h| h.interest == interest);
            holdings.map(move |holding| (holding, share.times(holding.share)))
        })
    }

    /// What comes to each provider over all chains that another holding still fits behind.
    fn arriving(
        &self,
        from: Company,
        interest: Interest,
        pass: impl Fn(&Holding, Share) -> Option<Share>,
    ) -> Vec<(Company, Share)> {
        let companies = self.register.number_of_companies();
        let mut sums = PerNumber::new(companies);
        let mut last = PerNumber::new(companies);
        last.at(from, |share: &mut Share| share.add(Share::WHOLE));
        for _ in 0..CHAIN_MAX {
            let mut next = PerNumber::new(companies);
            let mut ends = true;
            for (company, share) in last.iter().filter(|(_, share)| share.most > 0.0) {
                sums.at(company, |sum: &mut Share| sum.add(share));
                let onwards = self.register.record(company).onwards(self.now);
                for (holding, described) in onwards.filter(|(h, _)| h.interest == interest) {
                    if let Some(share) = pass(holding, share.times(holding.share)) {
                        next.at(*described, |sum: &mut Share| sum.add(share));
                        ends = false;
                    }
                }
            }
            if ends {
                break;
            }
            last = next;
        }
        sums.iter().filter(|(_, share)| share.most > 0.0).collect()
    }

    /// The providers, and all that can be reached by going from holders to theirs.
    pub(super) fn upwards(&self, from: &[Company]) -> Vec<Company> {
        let mut seen: PerNumber<bool> = PerNumber::new(self.register.number_of_companies());
        let mut reached = Vec::new();
        for &company in from {
            if !seen.get(company) {
                seen.at(company, |seen| *seen = true);
                reached.push(company);
            }
        }
        let mut next = 0;
        while let Some(&company) = reached.get(next) {
            next += 1;
            for holding in self.holdings(company) {
                for &behind in self.register.behind(holding) {
                    if !seen.get(behind) {
                        seen.at(behind, |seen| *seen = true);
                        reached.push(behind);
                    }
                }
            }
        }
        reached
    }
}

/// What is held in a provider, over all chains, in capital or in votes.
pub(super) struct Held {
    /// By each holder.
    pub(super) shares: PerNumber<Share>,
    /// By persons and states, at least.
    pub(super) known: f64,
}

impl Snapshot<'_> {
    pub(super) fn held(&self, of: Company, interest: Interest) -> Held {
        let parties = self.register.number_of_parties();
        let mut held = Held { shares: PerNumber::new(parties), known: 0.0 };
        for (holding, share) in self.chains(of, interest, |_, share| Some(share)) {
            held.shares.at(holding.holder, |sum| sum.add(share));
            if holding.is_end() {
                held.known += share.least;
            }
        }
        held
    }
}

impl Held {
    /// What isn't known to belong to persons and states.
    pub(super) fn unknown(&self) -> f64 {
        (100.0 - self.known).max(0.0)
    }
}

/// One value for each party or company.
pub(super) struct PerNumber<T>(Vec<T>);

impl<T: Copy + Default> PerNumber<T> {
    pub(super) fn new(count: usize) -> Self {
        Self(vec![T::default(); count])
    }

    pub(super) fn get(&self, number: usize) -> T {
        self.0.get(number).copied().unwrap_or_default()
    }

    pub(super) fn at(&mut self, number: usize, change: impl FnOnce(&mut T)) {
        if let Some(value) = self.0.get_mut(number) {
            change(value);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, T)> {
        self.0.iter().copied().enumerate()
    }
}
