//! From bytes to statements: an array, or one statement after the other (JSON lines).
//!
//! Only what is used is read. Birth dates, addresses and identifiers of persons never get into memory.

use serde::Deserialize;

use crate::import::ImportError;

/// The version that is read.
const VERSION: &str = "0.4";

/// A claim about an entity, a person or a relationship, at a date.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "a statement")]
#[expect(clippy::struct_field_names, reason = "the names are those of the standard")]
pub(super) struct Statement {
    pub(super) statement_id: Option<String>,
    declaration_subject: Option<String>,
    pub(super) statement_date: Option<String>,
    pub(super) record_id: Option<String>,
    pub(super) record_type: Option<String>,
    pub(super) record_status: Option<String>,
    pub(super) record_details: Option<Details>,
    pub(super) source: Option<Origin>,
    publication_details: Option<Publication>,
    // What statements of 0.1 to 0.3 have instead.
    #[serde(rename = "statementID")]
    old_id: Option<serde::de::IgnoredAny>,
    statement_type: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object with a bodsVersion")]
struct Publication {
    bods_version: Option<String>,
}

/// Where a statement has been taken from.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with a url")]
pub(super) struct Origin {
    pub(super) url: Option<String>,
}

/// `recordDetails` of all three types of record: no field has two shapes.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[expect(clippy::struct_field_names, reason = "the names are those of the standard")]
pub(super) struct Details {
    // An entity.
    pub(super) entity_type: Option<Typed>,
    pub(super) name: Option<String>,
    pub(super) jurisdiction: Option<Place>,
    pub(super) incorporated_in_jurisdiction: Option<Place>,
    pub(super) dissolution_date: Option<String>,
    pub(super) identifiers: Option<Vec<Id>>,
    pub(super) unspecified_entity_details: Option<Unnamed>,
    // A person.
    pub(super) person_type: Option<String>,
    pub(super) names: Option<Vec<PersonName>>,
    pub(super) nationalities: Option<Vec<Place>>,
    pub(super) tax_residencies: Option<Vec<Place>>,
    pub(super) addresses: Option<Vec<Address>>,
    pub(super) death_date: Option<serde::de::IgnoredAny>,
    pub(super) unspecified_person_details: Option<Unnamed>,
    // A relationship.
    pub(super) subject: Option<Party>,
    pub(super) interested_party: Option<Party>,
    pub(super) interests: Option<Vec<Interest>>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with a type")]
pub(super) struct Typed {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
}

/// A country or a part of one.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with a code")]
pub(super) struct Place {
    pub(super) code: Option<String>,
}

/// Of an address, only what kind it is and in which country.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with a country")]
pub(super) struct Address {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) country: Option<Place>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object with an id")]
#[expect(clippy::struct_field_names, reason = "the names are those of the standard")]
pub(super) struct Id {
    pub(super) id: Option<String>,
    pub(super) scheme: Option<String>,
    pub(super) scheme_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object with a fullName")]
pub(super) struct PersonName {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) full_name: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with a reason")]
pub(super) struct Unnamed {
    pub(super) reason: Option<String>,
}

/// An end of a relationship.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "neither a recordId nor an object with a reason")]
pub(super) enum Party {
    Record(String),
    Unspecified(Unnamed),
}

/// What is held.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an interest")]
pub(super) struct Interest {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) direct_or_indirect: Option<String>,
    pub(super) share: Option<Percent>,
    pub(super) start_date: Option<String>,
    pub(super) end_date: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object with numbers")]
pub(super) struct Percent {
    pub(super) exact: Option<f64>,
    pub(super) minimum: Option<f64>,
    pub(super) maximum: Option<f64>,
    pub(super) exclusive_minimum: Option<f64>,
    pub(super) exclusive_maximum: Option<f64>,
}

/// Reads all statements of a file.
pub(super) fn statements(name: &str, bytes: &[u8]) -> Result<Vec<Statement>, ImportError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let json = |error| ImportError::json(name, error);
    let statements: Vec<Statement> = match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        Some(b'[') => serde_json::from_slice(bytes).map_err(json)?,
        Some(b'{') => {
            serde_json::Deserializer::from_slice(bytes).into_iter().collect::<Result<_, _>>().map_err(json)?
        }
        found => return Err(neither(name, found.copied(), bytes)),
    };
    if statements.is_empty() {
        return Err(ImportError::unusable(name, "it has no statements", "name a file that has some"));
    }
    for (index, statement) in statements.iter().enumerate() {
        statement.check(name, index + 1)?;
    }
    Ok(statements)
}

fn neither(name: &str, first: Option<u8>, bytes: &[u8]) -> ImportError {
    let todo = "wanted an array of BODS statements, or one statement a line";
    match first {
        None => ImportError::unusable(name, "it is empty", todo),
        _ if bytes.starts_with(b"PK") => {
            ImportError::unusable(name, "it is a ZIP archive", "unpack it and name the file in it")
        }
        _ if bytes.starts_with(b"\x1f\x8b") => {
            ImportError::unusable(name, "it is compressed", "unpack it with gunzip")
        }
        _ => ImportError::unusable(
            name,
            "it is no JSON",
            format!("{todo}; GLEIF's CSV is for `kubectl domicile import gleif`"),
        ),
    }
}

impl Statement {
    fn check(&self, name: &str, number: usize) -> Result<(), ImportError> {
        let version = self.publication_details.as_ref().and_then(|details| details.bods_version.as_deref());
        let convert = "get BODS 0.4 from whoever publishes it, or convert it";
        match version {
            Some(VERSION) => {}
            Some(old @ ("0.1" | "0.2" | "0.3")) => {
                let what = format!("statement {number} is BODS {old}, whose statements have another shape");
                return Err(ImportError::unusable(name, what, convert));
            }
            Some(other) => {
                let other: String = other.chars().take(20).collect();
                let what = format!(
                    "statement {number} says that it is BODS `{other}`, and only {VERSION} is understood"
                );
                return Err(ImportError::unusable(name, what, convert));
            }
            None if self.old_id.is_some() || self.statement_type.is_some() => {
                let what =
                    format!("statement {number} is BODS 0.3 or older: it has statementID or statementType");
                return Err(ImportError::unusable(name, what, convert));
            }
            None => {}
        }
        let fields = [
            ("statementId", self.statement_id.is_some()),
            ("declarationSubject", self.declaration_subject.is_some()),
            ("statementDate", self.statement_date.is_some()),
            ("recordId", self.record_id.is_some()),
            ("recordType", self.record_type.is_some()),
            ("recordDetails", self.record_details.is_some()),
        ];
        let missing: Vec<_> = fields.iter().filter(|(_, there)| !there).map(|(field, _)| *field).collect();
        if missing.len() == fields.len() {
            let todo = "wanted an array of BODS statements, or one statement a line; GLEIF's JSON is for `kubectl domicile import gleif`";
            return Err(ImportError::unusable(name, format!("object {number} is no BODS statement"), todo));
        }
        if !missing.is_empty() {
            let what = format!("statement {number} has no {}", missing.join(", no "));
            return Err(ImportError::unusable(name, what, "BODS 0.4 requires it: ask whoever publishes it"));
        }
        Ok(())
    }
}
