//! Who controls whom.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::Interest;

use super::{
    chains::{COUNTED, PerNumber, Snapshot, above},
    register::{Company, Holding, Party},
};

/// Who controls some providers.
pub(super) struct Control {
    pub(super) parties: BTreeSet<Party>,
    /// The providers themselves, and those described entities that control them.
    pub(super) companies: Vec<Company>,
}

/// What the entries for one holder in one provider come to.
#[derive(Default)]
struct Direct<'a> {
    capital: f64,
    votes: f64,
    otherwise: bool,
    behind: &'a [Company],
}

impl Direct<'_> {
    fn controls(&self) -> bool {
        self.otherwise || above(self.capital, 50.0) || above(self.votes, 50.0)
    }
}

impl<'a> Snapshot<'a> {
    /// Who controls one of these providers. Whoever controls one that controls, controls.
    pub(super) fn control(&self, of: &[Company]) -> Control {
        let mut found = Control { parties: BTreeSet::new(), companies: Vec::new() };
        let mut seen = PerNumber::new(self.register.number_of_companies());
        let mut next = of.to_vec();
        while let Some(company) = next.pop() {
            if seen.get(company) {
                continue;
            }
            seen.at(company, |seen| *seen = true);
            found.companies.push(company);
            for (party, direct) in self.direct(company) {
                if direct.controls() {
                    found.parties.insert(party);
                    next.extend(direct.behind);
                }
            }
        }
        found
    }

    fn direct(&self, of: Company) -> BTreeMap<Party, Direct<'a>> {
        let mut holders: BTreeMap<Party, Direct<'_>> = BTreeMap::new();
        for holding in self.holdings(of) {
            let direct = holders.entry(holding.holder).or_default();
            match holding.interest {
                Interest::Capital => direct.capital += holding.share.most,
                Interest::Votes => direct.votes += holding.share.most,
                Interest::Control => direct.otherwise = true,
            }
            if direct.behind.is_empty() {
                direct.behind = self.register.behind(holding);
            }
        }
        holders
    }

    /// Whether among these there is one of which it isn't known who controls it.
    pub(super) fn is_hidden(&self, control: &Control) -> bool {
        control.companies.iter().any(|company| self.is_in_the_dark(*company))
    }

    fn is_in_the_dark(&self, company: Company) -> bool {
        let by_anybody = |h: &Holding| h.interest == Interest::Control && h.may_be_anybody();
        let little_known = |interest| {
            let known = |h: &&Holding| h.interest == interest && !h.may_be_anybody();
            let least: f64 = self.holdings(company).filter(known).map(|h| h.share.least).sum();
            above(50.0, least)
        };
        self.holdings(company).any(by_anybody) || COUNTED.into_iter().any(little_known)
    }
}
