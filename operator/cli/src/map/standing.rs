//! Whether a copy may be where it is, as far as the operator has said.
//!
//! # Guarantees
//!
//! A condition is about a whole workload, and names one place in front of its message. Of that place, and of the only
//! place of a workload, it is known what it says; of any other, nothing is.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::{Place, Seat, TenantWorkload, keys::condition};
use jiff::Timestamp;
use serde::Serialize;

use super::TenantSeat;
use crate::status::Observed;

/// How many copies are how; one that may be where it is and runs isn't counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// May not be there.
    pub not_compliant: usize,
    /// Are scaled to zero by a Decision, or about to be.
    pub suspended: usize,
    /// It can't be said whether they may be there.
    pub unknown: usize,
}

impl Standing {
    /// Whether there is nothing to say.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the copies of another.
    pub fn add(&mut self, other: Self) {
        self.not_compliant += other.not_compliant;
        self.suspended += other.suspended;
        self.unknown += other.unknown;
    }

    /// In words, to stand behind a number of copies.
    #[must_use]
    pub fn text(&self) -> String {
        let parts = [
            (self.not_compliant, "not compliant"),
            (self.suspended, "suspended"),
            (self.unknown, "not known"),
        ];
        let parts = parts.iter().filter(|(count, _)| *count > 0);
        let parts: Vec<_> = parts.map(|(count, word)| format!("{count} {word}")).collect();
        if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
    }

    /// What the words mean, one to a line.
    #[must_use]
    pub fn legend(&self) -> Vec<&'static str> {
        let parts = [
            (
                self.not_compliant,
                "not compliant: it may not be there; `kubectl domicile status --stuck` says why",
            ),
            (self.suspended, "suspended: a Decision keeps it scaled to zero, or is about to"),
            (
                self.unknown,
                "not known: it isn't known, or not said yet, whether it may be there, as while it moves",
            ),
        ];
        parts.into_iter().filter(|(count, _)| *count > 0).map(|(_, line)| line).collect()
    }
}

/// What the operator has said of a workload.
#[derive(Clone, Debug)]
pub struct Said {
    observed: Observed,
    until: Option<Timestamp>,
    places: BTreeMap<String, Place>,
}

impl From<TenantWorkload> for Said {
    fn from(workload: TenantWorkload) -> Self {
        let status = workload.status.clone().unwrap_or_default();
        let places = status.seats.into_iter().map(|seat| (seat.place.cluster.to_string(), seat.place));
        Self {
            observed: Observed::of(&workload, Some(status.conditions)),
            until: status.compliant_until.map(|until| until.0),
            places: places.collect(),
        }
    }
}

/// A copy, and how it stands.
#[derive(Clone, Debug)]
pub struct Copied {
    /// Whose it is.
    pub tenant: String,
    /// Where it is.
    pub seat: Seat,
    /// How it stands.
    pub standing: Standing,
    /// What the operator has said of its place.
    pub place: Option<Place>,
}

/// The copies of a workload. `now` is absent if nobody keeps watch, so that what was said may no longer hold.
#[must_use]
pub fn copies(seats: &[TenantSeat], said: Option<&Said>, now: Option<Timestamp>) -> Vec<Copied> {
    let places: BTreeSet<&str> = seats.iter().map(|(_, seat)| seat.cluster.as_str()).collect();
    let copy = |(tenant, seat): &TenantSeat| Copied {
        tenant: tenant.clone(),
        seat: seat.clone(),
        standing: standing(seat.cluster.as_str(), &places, said.zip(now)),
        place: said.and_then(|said| said.places.get(seat.cluster.as_str()).cloned()),
    };
    seats.iter().map(copy).collect()
}

fn standing(at: &str, places: &BTreeSet<&str>, said: Option<(&Said, Timestamp)>) -> Standing {
    let unknown = Standing { unknown: 1, ..Standing::default() };
    let Some((said, now)) = said else { return unknown };
    let Some(compliant) = said.observed.current(condition::COMPLIANT) else { return unknown };
    let expired = said.until.is_some_and(|until| until <= now);
    let named =
        compliant.message.split_once(": ").map(|(place, _)| place).filter(|place| places.contains(place));
    let only = places.len() == 1;
    let suspended = usize::from(said.observed.is_suspended() && only);
    match (compliant.status.as_str(), named) {
        ("True", _) if !expired => Standing { suspended, ..Standing::default() },
        ("False", _) if only => Standing { not_compliant: 1, suspended, unknown: 0 },
        ("False", Some(named)) if named == at => {
            let suspended = usize::from(compliant.reason == "ApprovalSuspended");
            Standing { not_compliant: 1, suspended, unknown: 0 }
        }
        _ => Standing { suspended, ..unknown },
    }
}
