//! From statements to records as they are now: later statements take the place of earlier ones, closed records end.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use super::read::{Details, Statement};
use crate::import::ids::clean;
use crate::import::{ImportError, Tally};

/// What a record says.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) details: Details,
    pub(super) statement: String,
    /// Which of the files.
    pub(super) source: usize,
    pub(super) url: Option<String>,
    date: Timestamp,
    kind: Kind,
    closed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Entity,
    Person,
    Relationship,
}

/// All records that aren't closed, by `recordId`.
#[derive(Debug, Default)]
pub(super) struct Records {
    pub(super) entities: BTreeMap<String, Record>,
    pub(super) persons: BTreeMap<String, Record>,
    pub(super) relationships: BTreeMap<String, Record>,
}

/// The latest of each record. `statements` are those of each file, with its name.
pub(super) fn latest(
    statements: Vec<(String, Vec<Statement>)>,
    tally: &mut Tally,
) -> Result<Records, ImportError> {
    let mut seen = BTreeSet::new();
    let mut all: BTreeMap<String, Record> = BTreeMap::new();
    for (source, (name, statements)) in statements.into_iter().enumerate() {
        for statement in statements {
            let (id, record) = record(&name, source, statement)?;
            if !seen.insert(record.statement.clone()) {
                let what = format!("statementId {} is there twice", clean(&record.statement, 64).0);
                return Err(ImportError::unusable(
                    &name,
                    what,
                    "remove one of them: which of the two holds isn't known",
                ));
            }
            let Some(other) = all.get(&id) else {
                all.insert(id, record);
                continue;
            };
            if other.kind != record.kind {
                let what = format!(
                    "statement {} gives a recordId to another type of record",
                    clean(&record.statement, 64).0
                );
                return Err(ImportError::unusable(&name, what, "ask whoever publishes it"));
            }
            // Of two of the same time, the one that stands later: BODS has its statements in order.
            let later = record.date >= other.date;
            let earlier = if later { &other.statement } else { &record.statement };
            tally.add("statement replaced by a later one about the same record", earlier);
            if later {
                all.insert(id, record);
            }
        }
    }
    let mut records = Records::default();
    for (id, record) in all {
        if record.closed {
            tally.add("record that is closed", &record.statement);
            continue;
        }
        let of = match record.kind {
            Kind::Entity => &mut records.entities,
            Kind::Person => &mut records.persons,
            Kind::Relationship => &mut records.relationships,
        };
        of.insert(id, record);
    }
    Ok(records)
}

fn record(name: &str, source: usize, statement: Statement) -> Result<(String, Record), ImportError> {
    // That they are there has been checked.
    let id = statement.statement_id.unwrap_or_default();
    let shown = clean(&id, 64).0;
    let wrong = |what: String| {
        ImportError::unusable(name, format!("statement {shown}: {what}"), "ask whoever publishes it")
    };
    let kind = match statement.record_type.as_deref() {
        Some("entity") => Kind::Entity,
        Some("person") => Kind::Person,
        Some("relationship") => Kind::Relationship,
        _ => return Err(wrong("recordType is none of entity, person and relationship".to_owned())),
    };
    let closed = match statement.record_status.as_deref() {
        None | Some("new" | "updated") => false,
        Some("closed") => true,
        Some(_) => return Err(wrong("recordStatus is none of new, updated and closed".to_owned())),
    };
    let date = instant(statement.statement_date.as_deref().unwrap_or_default())
        .ok_or_else(|| wrong("statementDate is neither a date nor a time (RFC 3339)".to_owned()))?;
    let record = Record {
        details: statement.record_details.unwrap_or_default(),
        statement: id,
        source,
        url: statement.source.and_then(|source| source.url),
        date,
        kind,
        closed,
    };
    Ok((statement.record_id.unwrap_or_default(), record))
}

/// The instant of a time, or the first one of a date.
pub(super) fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| midnight(text))
}

/// The first instant of a date in UTC; nothing else is taken.
pub(super) fn midnight(text: &str) -> Option<Timestamp> {
    // The library would take a date with a time, and forget the time.
    let date: Date = (text.len() == 10).then(|| text.parse().ok()).flatten()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
