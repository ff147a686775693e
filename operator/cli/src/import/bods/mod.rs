//! `import bods`: the Beneficial Ownership Data Standard 0.4 (<https://standard.openownership.org/en/0.4.0/>).

mod holders;
mod interests;
mod latest;
mod read;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use domicile_crds::{Ownership, ProviderName};

use self::holders::{Holders, identifiers, jurisdiction, kind};
use self::latest::{Record, Records};
use self::read::{Details, Party, Statement};
use super::draft::{Draft, Holding, control, evidence, fitting};
use super::ids::clean;
use super::labels::labels;
use super::settle::settle;
use super::write::write;
use super::{ImportError, Imported, Source, Tally, called, no_folder, sha256};

/// Largest file: its statements are held in memory together, since a later one can take the place of any.
const BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A file that has been read.
#[derive(Clone, Debug)]
pub struct Input {
    /// How it is called.
    pub file: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
}

impl Input {
    /// Reads a file; `-` is stdin.
    ///
    /// # Errors
    ///
    /// If it can't be read, or is too big.
    pub fn read(file: &PathBuf) -> Result<Self, ImportError> {
        let name = called(file);
        no_folder(file)?;
        let failed = |source: io::Error| ImportError::Read { name: name.clone(), source };
        let mut bytes = Vec::new();
        let read = if file == Path::new("-") {
            io::stdin().lock().take(BYTES_MAX + 1).read_to_end(&mut bytes)
        } else {
            File::open(file).and_then(|open| open.take(BYTES_MAX + 1).read_to_end(&mut bytes))
        };
        if read.map_err(failed)? as u64 > BYTES_MAX {
            let what = format!("it is larger than {} MiB", BYTES_MAX / 1024 / 1024);
            return Err(ImportError::unusable(
                &name,
                what,
                "take the statements about the companies that you need",
            ));
        }
        Ok(Self { file: file.clone(), bytes })
    }
}

/// Makes HostingProviders of BODS statements.
///
/// # Errors
///
/// If a file isn't BODS 0.4, or nothing can be made of it.
pub fn bods(inputs: &[Input]) -> Result<Imported, ImportError> {
    let mut sources = Vec::new();
    let mut statements: Vec<(String, Vec<Statement>)> = Vec::new();
    for Input { file, bytes } in inputs {
        let name = called(file);
        statements.push((name.clone(), read::statements(&name, bytes)?));
        sources.push(Source::of(Path::new(&name), sha256(bytes)));
    }
    let count: usize = statements.iter().map(|(_, statements)| statements.len()).sum();
    let mut tally = Tally::default();
    let records = latest::latest(statements, &mut tally)?;
    let mut drafts = drafts(&records, &mut tally);
    fill(&records, &sources, &mut drafts, &mut tally);
    let mut drafts: Vec<_> = drafts.into_values().collect();
    drafts.sort_by(|a, b| a.name.cmp(&b.name));
    let mut facts =
        vec![format!("statements of BODS 0.4 read: {count}; HostingProviders made: {}", drafts.len())];
    facts.extend(tally.lines());
    if drafts.is_empty() {
        return Err(ImportError::Nothing(facts));
    }
    for draft in &mut drafts {
        settle(&mut draft.holdings, &draft.name);
    }
    let text = write(&sources, &facts, &drafts).map_err(|error| ImportError::json("the result", error))?;
    Ok(Imported { text, notes: facts })
}

/// The entities that become HostingProviders, by `recordId`, without holdings.
fn drafts(records: &Records, tally: &mut Tally) -> BTreeMap<String, Draft> {
    let mut taken: Vec<(&String, &Details)> = Vec::new();
    for (id, Record { details, statement, .. }) in &records.entities {
        match described(details) {
            Ok(()) => taken.push((id, details)),
            Err(why) => tally.add(format!("entity of which no HostingProvider is made: {why}"), statement),
        }
    }
    let names =
        labels(taken.iter().map(|(id, details)| (details.name.as_deref().unwrap_or_default(), id.as_str())));
    let mut drafts = BTreeMap::new();
    for (id, details) in taken {
        let (Some(name), Ok(registered_in)) = (names.get(id), jurisdiction(details)) else { continue };
        let mut doubts = Vec::new();
        let legal_name = fitting(details.name.as_deref().unwrap_or_default(), &mut doubts);
        drafts.insert(
            id.clone(),
            Draft {
                name: name.clone(),
                legal_name,
                identifiers: identifiers(details),
                registered_in,
                // No type of address in BODS means the place from which an entity is led.
                headquartered_in: None,
                holdings: Vec::new(),
                doubts,
            },
        );
    }
    note_twins(&mut drafts);
    drafts
}

/// Whether a HostingProvider is made of an entity, or why not.
fn described(details: &Details) -> Result<(), String> {
    match kind(details) {
        Some("registeredEntity" | "legalEntity") => {}
        Some("state" | "stateBody") => return Err("a state or its body, which stands for itself".to_owned()),
        Some("arrangement") => return Err("an arrangement is no legal entity of its own".to_owned()),
        Some("anonymousEntity" | "unknownEntity") => return Err("it is anonymous or unknown".to_owned()),
        _ => return Err("its type isn't in the codelist".to_owned()),
    }
    if details.dissolution_date.is_some() {
        return Err("it is dissolved".to_owned());
    }
    if clean(details.name.as_deref().unwrap_or_default(), 1).0.is_empty() {
        return Err("it has no name".to_owned());
    }
    jurisdiction(details).map(|_| ())
}

/// BODS has a record of an entity for each declaration. They aren't merged: what one declares isn't the other's word.
fn note_twins(drafts: &mut BTreeMap<String, Draft>) {
    let mut by_id: BTreeMap<String, Vec<ProviderName>> = BTreeMap::new();
    for draft in drafts.values() {
        if let Some(id) = draft.identifiers.best() {
            by_id.entry(id).or_default().push(draft.name.clone());
        }
    }
    for draft in drafts.values_mut() {
        let twins = draft.identifiers.best().and_then(|id| by_id.get(&id)).filter(|twins| twins.len() > 1);
        let Some(twins) = twins else { continue };
        let others: Vec<_> =
            twins.iter().filter(|name| **name != draft.name).map(ProviderName::as_str).collect();
        draft.doubts.push(format!(
            "{} has the same identifier: put them together by hand if they are one",
            others.join(", ")
        ));
    }
}

/// Gives each HostingProvider its holdings.
fn fill(records: &Records, sources: &[Source], drafts: &mut BTreeMap<String, Draft>, tally: &mut Tally) {
    let described: BTreeMap<_, _> =
        drafts.iter().map(|(id, draft)| (id.clone(), draft.name.clone())).collect();
    let holders = Holders { records, described: &described };
    for record in records.relationships.values() {
        let subject = match &record.details.subject {
            Some(Party::Record(id)) => drafts.get_mut(id),
            _ => None,
        };
        let Some(draft) = subject else {
            tally.add("relationship whose subject is no HostingProvider here", &record.statement);
            continue;
        };
        let Some(source) = sources.get(record.source) else { continue };
        let (holder, doubts) = holders.holder(record.details.interested_party.as_ref(), &draft.name);
        let evidence = evidence(source, record.url.as_deref());
        let interests = record.details.interests.as_deref().unwrap_or_default();
        if interests.is_empty() {
            let mut doubts = doubts.clone();
            doubts.push("what is held isn't told: it may be control".to_owned());
            let ownership = control(holder.clone(), evidence.clone());
            draft.holdings.push(Holding { ownership, origin: origin(record, None), doubts });
        }
        for interest in interests {
            let Some(held) = interests::held(interest) else {
                tally.add("interest that is neither ownership nor control: boardMember", &record.statement);
                continue;
            };
            let ownership = Ownership {
                holder: holder.clone(),
                interest: held.interest,
                share: held.share,
                from: held.from,
                until: held.until,
                evidence: evidence.clone(),
            };
            let doubts = doubts.iter().cloned().chain(held.doubts).collect();
            draft.holdings.push(Holding { ownership, origin: origin(record, Some(interest)), doubts });
        }
    }
}

fn origin(record: &Record, interest: Option<&read::Interest>) -> String {
    let told = |text: Option<&str>| text.map_or_else(|| "not told".to_owned(), |text| clean(text, 60).0);
    let statement = clean(&record.statement, 64).0;
    interest.map_or_else(
        || format!("statement {statement}"),
        |interest| {
            let (kind, how) = (told(interest.kind.as_deref()), told(interest.direct_or_indirect.as_deref()));
            format!("{kind}, direct or indirect: {how}; statement {statement}")
        },
    )
}
