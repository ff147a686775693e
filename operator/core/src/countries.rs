//! Which countries a set means at an instant, and whether a residency allows one.

use std::collections::HashMap;

use domicile_crds::{CountryCode, CountryRef, CountrySetName, CountrySetSpec, Residency};

use crate::{Horizon, Tri};

/// The sets, by name.
pub type CountrySets = HashMap<CountrySetName, CountrySetSpec>;

/// Whether the set that `name` names contains `country`, either without a scope or in one of `scopes`.
pub fn set_contains(
    sets: &CountrySets,
    name: &CountrySetName,
    scopes: &[String],
    country: CountryCode,
    horizon: &mut Horizon,
) -> Tri {
    let Some(set) = sets.get(name) else { return Tri::Unknown };
    let mut found = false;
    for member in set.members.iter().filter(|m| m.country == country) {
        let counts = member.scope.as_ref().is_none_or(|scope| scopes.contains(scope));
        let holds = horizon.holds(member.from.as_ref().map(|t| t.0), member.until.as_ref().map(|t| t.0));
        found |= counts && holds;
    }
    found.into()
}

fn contains(sets: &CountrySets, entry: &CountryRef, country: CountryCode, horizon: &mut Horizon) -> Tri {
    match (&entry.country, &entry.country_set) {
        (Some(code), None) => (*code == country).into(),
        (None, Some(name)) => set_contains(sets, name, &entry.scopes, country, horizon),
        // The schema refuses both and neither; an older object that has them can't be read.
        _ => Tri::Unknown,
    }
}

/// Whether any entry contains `country`.
pub fn any_contains(
    sets: &CountrySets,
    entries: &[CountryRef],
    country: CountryCode,
    horizon: &mut Horizon,
) -> Tri {
    // Every entry is looked at, so that each instant at which one of them changes is noted.
    Tri::any(entries.iter().map(|entry| contains(sets, entry, country, horizon)))
}

/// What a tenant's and a workload's residency say of a country.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResidencyAnswer {
    /// Whether one of the two denies it.
    pub denied: Tri,
    /// Whether both allow it.
    pub allowed: Tri,
}

/// Judges `country` by the tenant's residency and the workload's, which can only narrow it.
pub fn judge_residency(
    sets: &CountrySets,
    tenant: &Residency,
    workload: &Residency,
    country: CountryCode,
    horizon: &mut Horizon,
) -> ResidencyAnswer {
    let denied = Tri::any([
        any_contains(sets, &tenant.denied, country, horizon),
        any_contains(sets, &workload.denied, country, horizon),
    ]);
    let by_tenant = any_contains(sets, &tenant.allowed, country, horizon);
    let by_workload = if workload.allowed.is_empty() {
        Tri::Yes
    } else {
        any_contains(sets, &workload.allowed, country, horizon)
    };
    let allowed = match (by_tenant, by_workload) {
        (Tri::No, _) | (_, Tri::No) => Tri::No,
        (Tri::Yes, Tri::Yes) => Tri::Yes,
        _ => Tri::Unknown,
    };
    ResidencyAnswer { denied, allowed }
}
