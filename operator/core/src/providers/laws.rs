//! Whom a law binds.

use domicile_crds::{CountryCode, ExcludedLaw, HostingProviderSpec};

use super::{Party, Providers, Who, web::Holder, who::fold};
use crate::Tri;

/// Whether a law binds a holder, of which all that is recorded is true.
pub(super) fn binds<'a>(providers: &'a Providers, law: &ExcludedLaw, holder: &Holder<'a>) -> Tri {
    let country = |party: &Party<'_>| party.holder.and_then(|holder| holder.country);
    let of_all = law.law.is_none();
    if of_all && holder.records.iter().filter_map(country).any(|country| is_its(law, country)) {
        return Tri::Yes;
    }
    let says = |party: &Party<'_>| party.described.is_some() || country(party).is_some();
    let silent =
        !holder.records.iter().any(|party| party.is_known()) || (of_all && !holder.records.iter().any(says));
    let itself = if silent { Tri::Unknown } else { Tri::No };
    Tri::any(holder.entities(providers).map(|entity| binds_provider(law, entity.spec)).chain([itself]))
}

/// Whether it binds one that HostingProviders describe: all that they say is true of it.
pub(super) fn binds_described(law: &ExcludedLaw, providers: &Providers, who: Who) -> Tri {
    Tri::any(providers.entities(who).map(|entity| binds_provider(law, entity.spec)))
}

fn binds_provider(law: &ExcludedLaw, spec: &HostingProviderSpec) -> Tri {
    let is_named = |name: &str| law.law.as_ref().is_none_or(|law| fold(law) == fold(name));
    let recorded = spec
        .subject_to
        .as_ref()
        .map(|all| all.iter().any(|one| is_its(law, one.jurisdiction) && is_named(&one.law)).into());
    let recorded = recorded.unwrap_or(Tri::Unknown);
    if law.law.is_some() {
        return recorded;
    }
    let led = spec.headquartered_in.map_or(Tri::Unknown, |country| is_its(law, country).into());
    let operated = spec.operated_from.as_ref();
    let operated =
        operated.map_or(Tri::Unknown, |from| from.iter().any(|country| is_its(law, *country)).into());
    Tri::any([recorded, is_its(law, spec.registered_in).into(), led, operated])
}

fn is_its(law: &ExcludedLaw, country: CountryCode) -> bool {
    law.jurisdiction.is_none_or(|jurisdiction| jurisdiction == country)
}

pub(super) fn in_words(law: &ExcludedLaw) -> String {
    match (&law.law, law.jurisdiction) {
        (Some(law), Some(jurisdiction)) => format!("{law} ({jurisdiction})"),
        (Some(law), None) => law.clone(),
        (None, Some(jurisdiction)) => format!("the law of {jurisdiction}"),
        (None, None) => "any law".to_owned(),
    }
}
