//! What an interest of BODS is here, and how much of it.

use domicile_crds::{Interest, Share};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::latest::midnight;
use super::read::{self, Percent};

/// An interest as the API takes it.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) interest: Interest,
    pub(super) share: Share,
    pub(super) from: Option<Time>,
    pub(super) until: Option<Time>,
    pub(super) doubts: Vec<String>,
}

/// What a code of the codelist `interestType` is.
enum Meaning {
    Capital,
    Votes,
    /// Rights to profit and assets are ownership interests, too (Regulation (EU) 2024/1624, Article 52). Whether the same
    /// holder's shares are what they come with isn't known, so they never count as the least that it has.
    Economic,
    Control,
    /// Control, if it is taken at its worst.
    Perhaps,
    /// One of many on a board: neither ownership nor control.
    Member,
}

fn meaning(code: Option<&str>) -> Meaning {
    match code {
        Some("shareholding") => Meaning::Capital,
        Some("votingRights") => Meaning::Votes,
        Some(
            "rightsToSurplusAssetsOnDissolution"
            | "rightsToProfitOrIncome"
            | "enjoymentAndUseOfAssets"
            | "rightToProfitOrIncomeFromAssets",
        ) => Meaning::Economic,
        // The codelist calls these controlling, or they are the parties to a trust or a nomination, all of which may direct it.
        Some(
            "appointmentOfBoard"
            | "otherInfluenceOrControl"
            | "seniorManagingOfficial"
            | "controlViaCompanyRulesOrArticles"
            | "controlByLegalFramework"
            | "boardChair"
            | "settlor"
            | "trustee"
            | "protector"
            | "beneficiaryOfLegalArrangement"
            | "nominee"
            | "nominator",
        ) => Meaning::Control,
        Some("boardMember") => Meaning::Member,
        // What a contract grants, what isn't published and what no codelist knows can be control.
        _ => Meaning::Perhaps,
    }
}

/// The interest as the API takes it; `None` if it is neither ownership nor control.
pub(super) fn held(interest: &read::Interest) -> Option<Held> {
    let mut doubts = Vec::new();
    let (kind, may_count) = match meaning(interest.kind.as_deref()) {
        Meaning::Member => return None,
        Meaning::Capital => (Interest::Capital, true),
        Meaning::Votes => (Interest::Votes, true),
        Meaning::Economic => {
            doubts.push("a right to profit or assets: taken for capital at most, not at least".to_owned());
            (Interest::Capital, false)
        }
        Meaning::Control => (Interest::Control, false),
        Meaning::Perhaps => {
            doubts.push("what it is isn't told: it may be control".to_owned());
            (Interest::Control, false)
        }
    };
    let mut share = Share { min: 0.0, max: 100.0 };
    if kind != Interest::Control {
        share = range(interest.share.as_ref(), &mut doubts);
        if interest.direct_or_indirect.as_deref() != Some("direct") {
            doubts.push(
                "it may be what the same holder has along a chain: to count nothing twice, it isn't counted at least".to_owned(),
            );
            share.min = 0.0;
        }
        if !may_count {
            share.min = 0.0;
        }
    }
    let (from, until) = period(interest, &mut share, &mut doubts);
    Some(Held { interest: kind, share, from, until, doubts })
}

fn range(share: Option<&Percent>, doubts: &mut Vec<String>) -> Share {
    let everything = Share { min: 0.0, max: 100.0 };
    let Some(share) = share else {
        doubts.push("how much isn't told".to_owned());
        return everything;
    };
    let least: Vec<_> = [share.exact, share.minimum, share.exclusive_minimum].into_iter().flatten().collect();
    let most: Vec<_> = [share.exact, share.maximum, share.exclusive_maximum].into_iter().flatten().collect();
    let percent = |n: &f64| (0.0..=100.0).contains(n);
    // Of several the widest; an exclusive bound is one all the same.
    let min = least.iter().copied().reduce(f64::min).unwrap_or(0.0);
    let max = most.iter().copied().reduce(f64::max).unwrap_or(100.0);
    if !least.iter().chain(&most).all(percent) || min > max {
        doubts.push("the share contradicts itself, so how much isn't known".to_owned());
        return everything;
    }
    if least.is_empty() && most.is_empty() {
        doubts.push("how much isn't told".to_owned());
    }
    Share { min, max }
}

/// Dates that can't be are left out: then the holding counts for ever, but not at least.
fn period(
    interest: &read::Interest,
    share: &mut Share,
    doubts: &mut Vec<String>,
) -> (Option<Time>, Option<Time>) {
    let read = |date: &Option<String>| date.as_deref().map(midnight);
    let (from, until) = (read(&interest.start_date), read(&interest.end_date));
    let backwards = matches!((from, until), (Some(Some(from)), Some(Some(until))) if from >= until);
    if backwards || from == Some(None) || until == Some(None) {
        doubts.push(
            "its dates can't be read, or it ends before it begins: when it is held isn't known".to_owned(),
        );
        share.min = 0.0;
        return (None, None);
    }
    let time = |instant: Option<Option<Timestamp>>| instant.flatten().map(Time);
    (time(from), time(until))
}
