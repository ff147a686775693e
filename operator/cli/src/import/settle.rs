//! What many entries say together: nothing is counted twice, nothing contradicts itself, and it fits.

use domicile_crds::{Holder, HolderKind, Interest, Ownership, ProviderName};
use jiff::Timestamp;

use super::draft::{Holding, control, unknown};

/// Most entries of `ownership`.
pub(super) const OWNERSHIP_MAX: usize = 128;
/// Percentages that differ by less are equal (docs/rules.md).
const EQUAL: f64 = 1e-6;

/// Makes what holds for each entry hold for all together, and puts them in order.
pub(super) fn settle(holdings: &mut Vec<Holding>, provider: &ProviderName) {
    holdings.sort_by(|a, b| key(a).cmp(&key(b)).then_with(|| b.max().total_cmp(&a.max())));
    for interest in [Interest::Capital, Interest::Votes] {
        told_once(holdings, interest);
        at_most_all(holdings, interest);
    }
    fit(holdings, provider);
}

impl Holding {
    fn max(&self) -> f64 {
        self.ownership.share.max
    }

    /// Says that nobody knows whether the holder has any of it.
    pub(super) fn doubt_least(&mut self, why: String) {
        self.ownership.share.min = 0.0;
        self.doubts.push(why);
    }
}

fn key(holding: &Holding) -> (u8, String, String) {
    let rank = match holding.ownership.interest {
        Interest::Capital => 0,
        Interest::Votes => 1,
        Interest::Control => 2,
    };
    (rank, holding.ownership.holder.name.to_lowercase(), holding.origin.clone())
}

/// Two entries of one holder may be one holding that was declared twice. Added up they would leave less unaccounted for
/// than there is, so only the largest counts as the least that it has; as the most, all of them do.
fn told_once(holdings: &mut [Holding], interest: Interest) {
    let mut order: Vec<_> = (0..holdings.len()).collect();
    let min = |index: &usize| holdings.get(*index).map_or(0.0, |holding| holding.ownership.share.min);
    order.sort_by(|a, b| min(b).total_cmp(&min(a)));
    let mut kept: Vec<Ownership> = Vec::new();
    for index in order {
        let Some(holding) = holdings.get_mut(index) else { continue };
        let ownership = &holding.ownership;
        if ownership.interest != interest || ownership.share.min <= 0.0 {
            continue;
        }
        if kept.iter().any(|other| same(&other.holder, &ownership.holder) && overlap(other, ownership)) {
            holding.doubt_least(
                "another entry of this holder may be the same holding, told twice; this one isn't counted at least"
                    .to_owned(),
            );
        } else {
            kept.push(ownership.clone());
        }
    }
}

/// Holders that have more than everything at least contradict each other: nobody knows who has what.
fn at_most_all(holdings: &mut [Holding], interest: Interest) {
    let of = |holding: &&Holding| holding.ownership.interest == interest;
    let instants: Vec<_> = holdings.iter().filter(of).map(|holding| from(&holding.ownership)).collect();
    let sum_at = |at: Timestamp| -> f64 {
        let counted = holdings.iter().filter(of).map(|holding| &holding.ownership);
        counted.filter(|o| from(o) <= at && at < until(o)).map(|o| o.share.min).sum()
    };
    if !instants.into_iter().any(|at| sum_at(at) > 100.0 + EQUAL) {
        return;
    }
    for holding in holdings.iter_mut().filter(|holding| holding.ownership.interest == interest) {
        holding.doubt_least(
            "the holders come to more than 100 % at least: the data contradict themselves, so nobody is counted at least"
                .to_owned(),
        );
    }
}

/// What doesn't fit is summed up as somebody who isn't known. What controls and what holds much stays.
fn fit(holdings: &mut Vec<Holding>, provider: &ProviderName) {
    if holdings.len() <= OWNERSHIP_MAX {
        return;
    }
    // One entry for each interest.
    let keep = OWNERSHIP_MAX - 3;
    let weight = |holding: &Holding| {
        if holding.ownership.interest == Interest::Control { f64::INFINITY } else { holding.max() }
    };
    let mut order: Vec<_> = holdings.drain(..).enumerate().collect();
    order.sort_by(|(_, a), (_, b)| weight(b).total_cmp(&weight(a)));
    let over = order.split_off(keep);
    order.sort_by_key(|(place, _)| *place);
    holdings.extend(order.into_iter().map(|(_, holding)| holding));
    for interest in [Interest::Capital, Interest::Votes, Interest::Control] {
        let of: Vec<_> =
            over.iter().map(|(_, holding)| holding).filter(|h| h.ownership.interest == interest).collect();
        let Some(first) = of.first() else { continue };
        let mut ownership =
            control(unknown("too many", "holders", provider), first.ownership.evidence.clone());
        ownership.interest = interest;
        if interest != Interest::Control {
            ownership.share.max = of.iter().map(|holding| holding.max()).sum::<f64>().min(100.0);
        }
        let doubt =
            format!("{} entries that don't fit: {OWNERSHIP_MAX} are the most that can be kept", of.len());
        holdings.push(Holding { ownership, origin: "summed up".to_owned(), doubts: vec![doubt] });
    }
}

/// As docs/rules.md says, less what a described one says of itself.
fn same(a: &Holder, b: &Holder) -> bool {
    let equal = |a: Option<&str>, b: Option<&str>| {
        a.zip(b).is_some_and(|(a, b)| a.to_lowercase() == b.to_lowercase())
    };
    let provider = |holder: &Holder| holder.provider.clone();
    (a.kind != HolderKind::Unknown || b.kind != HolderKind::Unknown || a.name == b.name)
        && (provider(a).is_some() && provider(a) == provider(b)
            || equal(a.id.as_deref(), b.id.as_deref())
            || equal(Some(&a.name), Some(&b.name)))
}

fn overlap(a: &Ownership, b: &Ownership) -> bool {
    from(a) < until(b) && from(b) < until(a)
}

fn from(ownership: &Ownership) -> Timestamp {
    ownership.from.as_ref().map_or(Timestamp::MIN, |time| time.0)
}

fn until(ownership: &Ownership) -> Timestamp {
    ownership.until.as_ref().map_or(Timestamp::MAX, |time| time.0)
}
