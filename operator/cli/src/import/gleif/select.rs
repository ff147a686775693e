//! Which rows are kept: those about the LEIs that were asked for and about their parents.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::files::Known;
use super::rows::{Content, Entity, Exception, Relation, Row};
use crate::import::{ImportError, Lei, Tally, called};

/// Without a choice, more entities than this are too many to review, and would fill the memory.
const ALL_MAX: usize = 10_000;
/// A chain of holdings counts up to this length (docs/rules.md).
const PARENTS_MAX: usize = 32;

/// What is kept. Each row knows its file.
#[derive(Debug, Default)]
pub(super) struct Selected {
    pub(super) entities: BTreeMap<String, (usize, Entity)>,
    pub(super) relations: Vec<(usize, Relation)>,
    pub(super) exceptions: Vec<(usize, Exception)>,
}

/// Reads the files as often as needed. Without LEIs, everything is kept.
pub(super) fn select(
    files: &[PathBuf],
    leis: &[Lei],
    tally: &mut Tally,
) -> Result<(Vec<Known>, Selected), ImportError> {
    let mut wanted: BTreeSet<String> = leis.iter().map(ToString::to_string).collect();
    let mut known = Vec::new();
    let mut kept = Selected::default();
    let all = leis.is_empty();
    for (index, file) in files.iter().enumerate() {
        let name = called(file);
        let of_all =
            &mut |row| if all { keep(&mut kept, &name, index, row) } else { parents(&mut wanted, &row) };
        known.push(Known::read(file, of_all)?);
    }
    if !all {
        grow(&known, &mut wanted)?;
        for (index, file) in known.iter().enumerate() {
            let name = called(&file.file);
            let mut others = 0;
            file.again(&mut |row| {
                if wanted.contains(about(&row)) {
                    return keep(&mut kept, &name, index, row);
                }
                others += 1;
                Ok(())
            })?;
            tally.add_many("row about an LEI that wasn't asked for and is no parent of one", others);
        }
    }
    Ok((known, kept))
}

/// Files come in any order, and rows in them: parents of parents are looked for until there are no more.
fn grow(known: &[Known], wanted: &mut BTreeSet<String>) -> Result<(), ImportError> {
    for _ in 0..PARENTS_MAX {
        let before = wanted.len();
        for file in known.iter().filter(|file| file.content == Content::Relations) {
            file.again(&mut |row| parents(wanted, &row))?;
        }
        if wanted.len() == before {
            break;
        }
    }
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "it is one of several that look at rows, and others fail")]
fn parents(wanted: &mut BTreeSet<String>, row: &Row) -> Result<(), ImportError> {
    if let Row::Relation(relation) = row
        && wanted.contains(&relation.child)
        && relation.consolidates().is_ok()
    {
        wanted.insert(relation.parent.clone());
    }
    Ok(())
}

fn about(row: &Row) -> &str {
    match row {
        Row::Entity(entity) => &entity.lei,
        Row::Relation(relation) => &relation.child,
        Row::Exception(exception) => &exception.lei,
    }
}

fn keep(kept: &mut Selected, name: &str, file: usize, row: Row) -> Result<(), ImportError> {
    let known = kept.entities.len() + kept.relations.len() + kept.exceptions.len();
    if known >= 4 * ALL_MAX {
        let what = format!("there are more than {} rows to keep", 4 * ALL_MAX);
        return Err(ImportError::unusable(name, what, "choose with --lei; parents are found by themselves"));
    }
    match row {
        Row::Entity(entity) => {
            let lei = entity.lei.clone();
            if kept.entities.len() >= ALL_MAX {
                let what = format!("there are more than {ALL_MAX} entities");
                return Err(ImportError::unusable(
                    name,
                    what,
                    "choose with --lei; parents are found by themselves",
                ));
            }
            if kept.entities.insert(lei.clone(), (file, entity)).is_some() {
                let what = format!("the LEI {lei} is there twice");
                return Err(ImportError::unusable(
                    name,
                    what,
                    "name one Level 1 file, as GLEIF publishes it",
                ));
            }
        }
        Row::Relation(relation) => kept.relations.push((file, relation)),
        Row::Exception(exception) => kept.exceptions.push((file, exception)),
    }
    Ok(())
}

impl Relation {
    /// Whether the child is controlled by the parent, or why that isn't said.
    pub(super) fn consolidates(&self) -> Result<&'static str, String> {
        let how = match self.kind.as_str() {
            "IS_DIRECTLY_CONSOLIDATED_BY" => "direct",
            "IS_ULTIMATELY_CONSOLIDATED_BY" => "ultimate",
            other => return Err(format!("relationship that is no consolidation: {other}")),
        };
        if self.status != "ACTIVE" {
            return Err(format!("relationship that isn't active: {}", self.status));
        }
        if matches!(self.registration.as_str(), "ANNULLED" | "DUPLICATE") {
            return Err(format!("relationship that never was: {}", self.registration));
        }
        Ok(how)
    }
}
