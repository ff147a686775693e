//! Rows of CSV, one at a time.

use std::io::Read;

use csv::{ErrorKind, Reader, ReaderBuilder, StringRecord};

use super::rows::{Content, ENTITY, EXCEPTION, Entity, Exception, REASONS_MAX, RELATION, Relation, Row};
use crate::import::ImportError;

/// Reads all rows.
pub(super) fn rows(
    name: &str,
    input: impl Read,
    each: &mut dyn FnMut(Row) -> Result<(), ImportError>,
) -> Result<Content, ImportError> {
    let mut reader = ReaderBuilder::new().from_reader(input);
    let header = reader.headers().map_err(|error| failed(name, error))?.clone();
    let header: Vec<_> = header.iter().map(|column| column.trim_start_matches('\u{feff}')).collect();
    let content = content(name, &header)?;
    match content {
        Content::Entities => {
            let columns = columns(name, &header, &ENTITY)?;
            fold(name, &mut reader, |row| each(Row::Entity(Entity::new(columns.map(|at| field(row, at))))))?;
        }
        Content::Relations => {
            let columns = columns(name, &header, &RELATION)?;
            fold(name, &mut reader, |row| {
                each(Row::Relation(Relation::new(columns.map(|at| field(row, at)))))
            })?;
        }
        Content::Exceptions => {
            let [lei, category, _] = columns(name, &header, &EXCEPTION)?;
            let reasons: Vec<_> = (1..=REASONS_MAX)
                .filter_map(|number| position(&header, &format!("Exception.Reason.{number}")))
                .collect();
            fold(name, &mut reader, |row| {
                let reasons = reasons.iter().map(|at| field(row, *at)).filter(|reason| !reason.is_empty());
                let (lei, category, reasons) = (field(row, lei), field(row, category), reasons.collect());
                each(Row::Exception(Exception { lei, category, reasons }))
            })?;
        }
    }
    Ok(content)
}

fn fold<R: Read>(
    name: &str,
    reader: &mut Reader<R>,
    mut each: impl FnMut(&StringRecord) -> Result<(), ImportError>,
) -> Result<(), ImportError> {
    let mut row = StringRecord::new();
    while reader.read_record(&mut row).map_err(|error| failed(name, error))? {
        each(&row)?;
    }
    Ok(())
}

fn content(name: &str, header: &[&str]) -> Result<Content, ImportError> {
    let has = |column: &str| header.contains(&column);
    if has("Relationship.StartNode.NodeID") {
        Ok(Content::Relations)
    } else if has("Exception.Category") {
        Ok(Content::Exceptions)
    } else if has("LEI") && has("Entity.LegalName") {
        Ok(Content::Entities)
    } else {
        let what = "its first line has the columns of none of GLEIF's files";
        let todo = "wanted a golden copy of Level 1 (LEI-CDF 3.1), relationships (RR-CDF 2.1) or reporting exceptions (2.1), as CSV or JSON";
        Err(ImportError::unusable(name, what, todo))
    }
}

fn position(header: &[&str], column: &str) -> Option<usize> {
    header.iter().position(|found| *found == column)
}

fn columns<const N: usize>(
    name: &str,
    header: &[&str],
    wanted: &[&str; N],
) -> Result<[usize; N], ImportError> {
    let missing: Vec<_> = wanted.iter().filter(|column| !header.contains(*column)).copied().collect();
    if !missing.is_empty() {
        let what = match missing.as_slice() {
            [one] => format!("it has no column {one}"),
            all => format!("it lacks the columns {}", all.join(", ")),
        };
        return Err(ImportError::unusable(name, what, "take the file as GLEIF publishes it"));
    }
    Ok(wanted.map(|column| position(header, column).unwrap_or_default()))
}

fn field(row: &StringRecord, at: usize) -> String {
    row.get(at).unwrap_or_default().trim().to_owned()
}

fn failed(name: &str, error: csv::Error) -> ImportError {
    let line = error.position().map_or(0, csv::Position::line);
    let line = usize::try_from(line).unwrap_or(usize::MAX);
    let what = match error.kind() {
        ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("the row has {len} columns, and the first line {expected_len}")
        }
        ErrorKind::Utf8 { .. } => "the row isn't UTF-8".to_owned(),
        _ => "the row can't be read".to_owned(),
    };
    match error.into_kind() {
        ErrorKind::Io(source) => ImportError::Read { name: name.to_owned(), source },
        _ => ImportError::Malformed { name: name.to_owned(), line, column: 1, what },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_column_that_is_needed_is_documented() {
        let page = include_str!("../../../../../docs/cli.md");
        for column in ENTITY.iter().chain(&RELATION).chain(&EXCEPTION) {
            assert!(page.contains(&format!("`{column}`")), "{column}");
        }
    }

    #[test]
    fn what_is_missing_is_told_in_a_sentence() {
        let told = |header: &[&str]| columns("a.csv", header, &EXCEPTION).unwrap_err().to_string();
        let end = "take the file as GLEIF publishes it";
        let one = told(&["LEI", "Exception.Category"]);
        assert_eq!(one, format!("a.csv: it has no column Exception.Reason.1; {end}"));
        let two = told(&["Exception.Category"]);
        assert_eq!(two, format!("a.csv: it lacks the columns LEI, Exception.Reason.1; {end}"));
    }
}
