//! Who stands at the other end of a relationship.

use std::collections::{BTreeMap, BTreeSet};

use domicile_crds::{CountryCode, Holder, HolderKind, ProviderName};

use super::latest::{Record, Records};
use super::read::{Address, Details, Id, Party, Place, Unnamed};
use crate::import::draft::{fitting, unknown};
use crate::import::ids::{self, Identifiers};

/// What is known of all holders.
pub(super) struct Holders<'a> {
    pub(super) records: &'a Records,
    /// Entities that become HostingProviders.
    pub(super) described: &'a BTreeMap<String, ProviderName>,
}

impl Holders<'_> {
    /// The holder of a relationship, and what is doubtful about it. `of` is whom it holds.
    pub(super) fn holder(&self, party: Option<&Party>, of: &ProviderName) -> (Holder, Vec<String>) {
        let id = match party {
            Some(Party::Record(id)) => id,
            Some(Party::Unspecified(why)) => return nobody(reason(Some(why)), of),
            None => return nobody("no interestedParty", of),
        };
        if let Some(record) = self.records.entities.get(id) {
            self.entity(id, record, of)
        } else if let Some(record) = self.records.persons.get(id) {
            person(&record.details, of)
        } else {
            nobody("no record, or a closed one", of)
        }
    }

    fn entity(&self, id: &str, record: &Record, of: &ProviderName) -> (Holder, Vec<String>) {
        let details = &record.details;
        let kind = match kind(details) {
            Some("anonymousEntity" | "unknownEntity") => {
                return nobody(reason(details.unspecified_entity_details.as_ref()), of);
            }
            Some("state" | "stateBody") => HolderKind::State,
            _ => HolderKind::Entity,
        };
        let mut doubts = Vec::new();
        let name = fitting(details.name.as_deref().unwrap_or_default(), &mut doubts);
        if name.is_empty() {
            return nobody("no name", of);
        }
        let provider = self.described.get(id).cloned();
        if kind == HolderKind::Entity && provider.is_none() {
            doubts.push(
                "no HostingProvider is made of this entity, so who stands behind it isn't known".to_owned(),
            );
        }
        let country = jurisdiction(details).ok();
        if country.is_none() {
            doubts.push("its country isn't known".to_owned());
        }
        (Holder { name, id: identifiers(details).best(), provider, country, kind }, doubts)
    }
}

fn nobody(why: &str, of: &ProviderName) -> (Holder, Vec<String>) {
    (unknown(why, "holder", of), vec!["who it is isn't known, which is not the same as nobody".to_owned()])
}

fn reason(unspecified: Option<&Unnamed>) -> &str {
    unspecified
        .and_then(|unspecified| unspecified.reason.as_deref())
        .filter(|why| !why.is_empty())
        .unwrap_or("no reason told")
}

/// A person that is told by name and lives is one; all others may be anybody.
fn person(details: &Details, of: &ProviderName) -> (Holder, Vec<String>) {
    let told = matches!(details.person_type.as_deref(), None | Some("knownPerson"));
    if !told || details.unspecified_person_details.is_some() {
        return nobody(reason(details.unspecified_person_details.as_ref()), of);
    }
    if details.death_date.is_some() {
        return nobody("the holder has died", of);
    }
    let names = details.names.as_deref().unwrap_or_default();
    let legal = names.iter().find(|name| name.kind.as_deref() == Some("legal"));
    let name = legal.or(names.first()).and_then(|name| name.full_name.as_deref()).unwrap_or_default();
    let mut doubts = Vec::new();
    let name = fitting(name, &mut doubts);
    if name.is_empty() {
        return nobody("no name", of);
    }
    let country = one_country(details);
    if let Err(why) = country {
        doubts.push(why.to_owned());
    }
    (Holder { name, id: None, provider: None, country: country.ok(), kind: HolderKind::Person }, doubts)
}

/// The country of a person, if all that is told of it agrees. Of several, any could be the one that matters, and one field can't
/// say so; a country that is left out is never at home.
fn one_country(details: &Details) -> Result<CountryCode, &'static str> {
    let nationalities = details.nationalities.as_deref().unwrap_or_default();
    if nationalities.is_empty() {
        return Err("its nationality isn't told, so its country is left out");
    }
    let lives =
        |address: &&Address| matches!(address.kind.as_deref(), None | Some("residence" | "alternative"));
    let addresses = details.addresses.as_deref().unwrap_or_default().iter().filter(lives);
    let tax = details.tax_residencies.as_deref().unwrap_or_default();
    let all = nationalities.iter().chain(tax).chain(addresses.filter_map(|address| address.country.as_ref()));
    let codes: Option<BTreeSet<_>> = all.map(code).collect();
    let codes = codes.ok_or("a country is told without an ISO code, so its country is left out")?;
    match codes.iter().next() {
        Some(only) if codes.len() == 1 => Ok(*only),
        _ => Err(
            "nationalities or residences are in several countries, and one field can't say so: its country is left out",
        ),
    }
}

fn code(place: &Place) -> Option<CountryCode> {
    CountryCode::new(place.code.as_deref()?).ok()
}

/// The type of an entity.
pub(super) fn kind(details: &Details) -> Option<&str> {
    details.entity_type.as_ref()?.kind.as_deref()
}

/// The country where an entity is registered, or why that isn't known.
pub(super) fn jurisdiction(details: &Details) -> Result<CountryCode, String> {
    let place = details.jurisdiction.as_ref().or(details.incorporated_in_jurisdiction.as_ref());
    let code = place.and_then(|place| place.code.as_deref()).ok_or("its jurisdiction has no ISO code")?;
    ids::country(code)
}

/// The identifiers of an entity.
pub(super) fn identifiers(details: &Details) -> Identifiers {
    let mut identifiers = Identifiers::default();
    for Id { id, scheme, scheme_name } in details.identifiers.as_deref().unwrap_or_default() {
        let (scheme, name) = (scheme.as_deref(), scheme_name.as_deref());
        identifiers.add(ids::scheme(scheme, name), id.as_deref().unwrap_or_default(), scheme.or(name));
    }
    identifiers.finish()
}
