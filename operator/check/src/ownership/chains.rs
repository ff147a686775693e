//! Shares over chains of holdings, added up by the length of the chain: to name each chain could take for ever.

use domicile_crds::Interest;
use jiff::Timestamp;

use super::register::{Company, Holding, Party, Register, Share};

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
    pub(super) interest: Interest,
    /// By each holder.
    pub(super) shares: PerNumber<Share>,
    /// By persons and states, at least.
    known: f64,
    /// What they leave, over chains that pass nobody who is opaque.
    left: f64,
    /// By each holder who isn't, at least, over such chains.
    passed: PerNumber<f64>,
    /// Somebody is said to be held by more than there is.
    overfull: bool,
}

/// What is held in a provider by some, and behind them, and by others.
pub(super) struct Parted {
    /// What comes to these, whatever they themselves belong to.
    pub(super) own: Share,
    /// By persons and states, at least, over chains that don't pass these.
    pub(super) others: f64,
}

impl Snapshot<'_> {
    pub(super) fn held(&self, of: Company, interest: Interest, is_opaque: impl Fn(&Holding) -> bool) -> Held {
        let overfull = self.upwards(&[of]).into_iter().any(|company| {
            let entries = self.holdings(company).filter(|h| h.interest == interest);
            above(entries.map(|h| h.share.least).sum(), 100.0)
        });
        let parties = self.register.number_of_parties();
        let (shares, passed) = (PerNumber::new(parties), PerNumber::new(parties));
        let mut held = Held { interest, shares, known: 0.0, left: 100.0, passed, overfull };
        for (holding, share) in self.chains(of, interest, |_, share| Some(share)) {
            held.shares.at(holding.holder, |sum| sum.add(share));
            if holding.is_end() {
                held.known += share.least;
            }
        }
        let pass = |holding: &Holding, share| (!is_opaque(holding)).then_some(share);
        for (holding, share) in self.chains(of, interest, pass).filter(|(h, _)| !is_opaque(h)) {
            held.passed.at(holding.holder, |sum| *sum += share.least);
            if holding.is_end() {
                held.left -= share.least;
            }
        }
        held
    }

    pub(super) fn parted(
        &self,
        of: Company,
        interest: Interest,
        is_own: impl Fn(&Holding) -> bool,
    ) -> Parted {
        let mut parted = Parted { own: Share::default(), others: 0.0 };
        let pass = |holding: &Holding, share| (!is_own(holding)).then_some(share);
        for (holding, share) in self.chains(of, interest, pass) {
            if is_own(holding) {
                parted.own.add(share);
            } else if holding.is_end() {
                parted.others += share.least;
            }
        }
        parted
    }
}

impl Held {
    /// What isn't known to belong to persons and states.
    pub(super) fn unknown(&self) -> f64 {
        (100.0 - self.known).max(0.0)
    }

    /// What persons and states leave, over chains that pass neither these nor opaque ones: it is at least so much and at most
    /// so much.
    pub(super) fn left_to(&self, parties: impl Iterator<Item = Party>) -> [f64; 2] {
        // Chains bring on no more than what has come to one of these, unless there is more than there is.
        let passed: f64 = parties.map(|party| self.passed.get(party)).sum();
        let most = if self.overfull && passed > 0.0 { f64::INFINITY } else { self.left + passed };
        [self.left, most]
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
