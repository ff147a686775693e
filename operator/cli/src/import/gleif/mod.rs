//! `import gleif`: golden copies of GLEIF, Level 1 (LEI-CDF 3.1) and Level 2 (RR-CDF 2.1, reporting exceptions 2.1).
//!
//! Level 2 is about whose accounts consolidate whose. That is no share of anything, so it makes doubts and removes none:
//! a parent has `Control`, and whoever isn't named is somebody who isn't known.

mod files;
mod json;
mod rows;
mod select;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use domicile_crds::{CountryCode, Holder, HolderKind, IdentifierScheme, ProviderName};

use self::rows::{Entity, Exception, Relation};
use self::select::{Selected, select};
use super::draft::{Draft, Holding, control, evidence, fitting, unknown};
use super::ids::{ID_MAX, Identifiers, Lei, clean, country};
use super::labels::labels;
use super::settle::settle;
use super::write::write;
use super::{ImportError, Imported, Source, Tally};

/// Makes HostingProviders of the LEIs that are asked for and their parents, or of all.
///
/// # Errors
///
/// If a file isn't GLEIF's, or an LEI that is asked for can't be made.
pub fn gleif(files: &[PathBuf], leis: &[Lei]) -> Result<Imported, ImportError> {
    let mut tally = Tally::default();
    let (known, selected) = select(files, leis, &mut tally)?;
    let sources: Vec<_> = known.iter().map(|known| Source::of(&known.file, known.sha256.clone())).collect();
    let rows: usize = known.iter().map(|known| known.rows).sum();
    let (mut drafts, refused) = drafts(&selected);
    let missing = missing(leis, &selected, &refused);
    if !missing.is_empty() {
        return Err(ImportError::Asked(missing));
    }
    for (lei, why) in refused {
        tally.add(format!("entity of which no HostingProvider is made: {why}"), &lei);
    }
    consolidated(&selected, &sources, &mut drafts, &mut tally);
    excepted(&selected.exceptions, &sources, &mut drafts, &mut tally);
    let mut facts = vec![format!("rows of GLEIF read: {rows}; HostingProviders made: {}", drafts.len())];
    facts.extend(tally.lines());
    if drafts.is_empty() {
        facts.push("HostingProviders are made of Level 1 (LEI-CDF): name that file, too".to_owned());
        return Err(ImportError::Nothing(facts));
    }
    let mut drafts: Vec<_> = drafts.into_values().collect();
    drafts.sort_by(|a, b| a.name.cmp(&b.name));
    for draft in &mut drafts {
        settle(&mut draft.holdings, &draft.name);
    }
    let text = write(&sources, &facts, &drafts).map_err(|error| ImportError::json("the result", error))?;
    Ok(Imported { text, notes: facts })
}

/// HostingProviders by LEI, and of which entities there are none, and why.
fn drafts(selected: &Selected) -> (BTreeMap<String, Draft>, BTreeMap<String, String>) {
    let (mut taken, mut refused) = (Vec::new(), BTreeMap::new());
    for (lei, (_, entity)) in &selected.entities {
        match described(entity) {
            Ok(registered_in) => taken.push((lei, entity, registered_in)),
            Err(why) => {
                refused.insert(lei.clone(), why);
            }
        }
    }
    let names = labels(taken.iter().map(|(lei, entity, _)| (entity.name.as_str(), lei.as_str())));
    let drafts = taken.into_iter().filter_map(|(lei, entity, registered_in)| {
        Some((lei.clone(), draft(entity, names.get(lei)?.clone(), registered_in)))
    });
    (drafts.collect(), refused)
}

fn draft(entity: &Entity, name: ProviderName, registered_in: CountryCode) -> Draft {
    let mut doubts = Vec::new();
    if entity.registration != "ISSUED" {
        doubts.push(format!("its LEI isn't kept up to date: {}", entity.registration));
    }
    if !entity.jurisdiction.is_empty() && country(&entity.legal_country).ok() != Some(registered_in) {
        doubts
            .push("jurisdiction and legal address are in different countries, or one isn't known".to_owned());
    }
    let mut identifiers = Identifiers::default();
    identifiers.add(IdentifierScheme::Lei, &entity.lei, None);
    if !entity.register_id.is_empty() {
        identifiers.add(IdentifierScheme::National, &entity.register_id, Some(&entity.register));
    }
    Draft {
        legal_name: fitting(&entity.name, &mut doubts),
        name,
        identifiers: identifiers.finish(),
        registered_in,
        headquartered_in: country(&entity.headquarters_country).ok(),
        holdings: Vec::new(),
        doubts,
    }
}

/// Where an entity is registered, or why no HostingProvider is made of it.
fn described(entity: &Entity) -> Result<CountryCode, String> {
    entity.lei.parse::<Lei>().map_err(|why| format!("its LEI is none: {why}"))?;
    match entity.category.as_str() {
        // Its name and address are a natural person's.
        "SOLE_PROPRIETOR" => return Err("a sole proprietor is a natural person".to_owned()),
        "BRANCH" => return Err("a branch is no legal entity of its own".to_owned()),
        _ => {}
    }
    if entity.status == "INACTIVE" {
        return Err("it isn't active any more".to_owned());
    }
    if matches!(entity.registration.as_str(), "ANNULLED" | "DUPLICATE") {
        return Err(format!("its LEI isn't in use: {}", entity.registration));
    }
    if clean(&entity.name, 1).0.is_empty() {
        return Err("it has no name".to_owned());
    }
    country(&entity.jurisdiction)
        .or_else(|_| country(&entity.legal_country))
        .map_err(|_| "neither jurisdiction nor legal address is in a country with an ISO code".to_owned())
}

fn missing(leis: &[Lei], selected: &Selected, refused: &BTreeMap<String, String>) -> Vec<String> {
    let why = |lei: &Lei| {
        if let Some(why) = refused.get(lei.as_str()) {
            return Some(format!("{lei}: {why}"));
        }
        let found = selected.entities.contains_key(lei.as_str());
        (!found).then(|| format!("{lei}: it isn't in Level 1 (LEI-CDF) of these files"))
    };
    leis.iter().filter_map(why).collect()
}

/// A child and its parent.
type Pair = (String, String);

/// Of what parents one thing is told, and in which files.
type Told<'a> = (BTreeSet<&'a str>, BTreeSet<usize>);

/// Parents have control.
fn consolidated(
    selected: &Selected,
    sources: &[Source],
    drafts: &mut BTreeMap<String, Draft>,
    tally: &mut Tally,
) {
    let mut found: BTreeMap<Pair, Vec<(usize, &Relation, &str)>> = BTreeMap::new();
    for (file, relation) in &selected.relations {
        match relation.consolidates() {
            Err(why) => tally.add(why, &relation.child),
            Ok(_) if !drafts.contains_key(&relation.child) => {
                tally.add("Level 2 row about an entity that is no HostingProvider here", &relation.child);
            }
            Ok(how) => {
                let key = (relation.child.clone(), relation.parent.clone());
                found.entry(key).or_default().push((*file, relation, how));
            }
        }
    }
    for ((child, parent), relations) in found {
        let holder = match drafts.get(&parent) {
            Some(parent) => described_parent(parent),
            None => other_parent(&parent, drafts.get(&child).map(|child| &child.name)),
        };
        let Some(child) = drafts.get_mut(&child) else { continue };
        let mut doubts = vec![
            "accounts that are consolidated are no share of anything: what it holds isn't told".to_owned(),
        ];
        if holder.provider.is_none() {
            doubts.push(
                "no HostingProvider is made of this parent, so who stands behind it isn't known".to_owned(),
            );
        }
        for (_, relation, _) in &relations {
            if relation.registration != "PUBLISHED" {
                doubts.push(format!("the relationship isn't kept up to date: {}", relation.registration));
            }
        }
        doubts.dedup();
        let how: BTreeSet<_> = relations.iter().map(|(_, _, how)| *how).collect();
        let files: BTreeSet<_> = relations.iter().map(|(file, _, _)| *file).collect();
        let shown =
            files.iter().filter_map(|file| sources.get(*file)).flat_map(|source| evidence(source, None));
        let origin = format!("parent in the accounts: {}", how.into_iter().collect::<Vec<_>>().join(" and "));
        child.holdings.push(Holding { ownership: control(holder, shown.collect()), origin, doubts });
    }
}

fn described_parent(parent: &Draft) -> Holder {
    Holder {
        name: parent.legal_name.clone(),
        id: parent.identifiers.best(),
        provider: Some(parent.name.clone()),
        country: Some(parent.registered_in),
        kind: HolderKind::Entity,
    }
}

/// Its name may be a natural person's, so its LEI has to do.
fn other_parent(parent: &str, child: Option<&ProviderName>) -> Holder {
    let (id, cut) = clean(parent, ID_MAX);
    match child {
        Some(child) if id.is_empty() || cut => unknown("no LEI", "parent", child),
        _ => {
            Holder { name: id.clone(), id: Some(id), provider: None, country: None, kind: HolderKind::Entity }
        }
    }
}

/// Whoever isn't named is somebody.
fn excepted(
    exceptions: &[(usize, Exception)],
    sources: &[Source],
    drafts: &mut BTreeMap<String, Draft>,
    tally: &mut Tally,
) {
    let mut found: BTreeMap<(&str, String), Told> = BTreeMap::new();
    for (file, Exception { lei, category, reasons }) in exceptions {
        if !drafts.contains_key(lei) {
            tally.add("Level 2 row about an entity that is no HostingProvider here", lei);
            continue;
        }
        let which = match category.as_str() {
            "DIRECT_ACCOUNTING_CONSOLIDATION_PARENT" => "direct",
            "ULTIMATE_ACCOUNTING_CONSOLIDATION_PARENT" => "ultimate",
            other => other,
        };
        let why = if reasons.is_empty() { "no reason told".to_owned() } else { reasons.join(", ") };
        let (categories, files) = found.entry((lei, why)).or_default();
        categories.insert(which);
        files.insert(*file);
    }
    for ((lei, why), (categories, files)) in found {
        let Some(draft) = drafts.get_mut(lei) else { continue };
        let shown =
            files.iter().filter_map(|file| sources.get(*file)).flat_map(|source| evidence(source, None));
        let ownership = control(unknown(&why, "parent", &draft.name), shown.collect());
        let origin = format!("no parent told: {}", categories.into_iter().collect::<Vec<_>>().join(" and "));
        let doubts = vec![format!("{why} is why nobody is named, and not the same as nobody")];
        draft.holdings.push(Holding { ownership, origin, doubts });
    }
}
