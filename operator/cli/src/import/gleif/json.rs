//! Rows of JSON, one at a time: `{"records": [...]}`, `{"relations": [...]}` or `{"exceptions": [...]}`.

use std::fmt;
use std::io::Read;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::rows::{Content, Entity, Exception, Relation, Row};
use crate::import::ImportError;

/// Reads all rows.
pub(super) fn rows(
    name: &str,
    input: impl Read,
    each: &mut dyn FnMut(Row) -> Result<(), ImportError>,
) -> Result<Content, ImportError> {
    let mut stopped = None;
    let mut json = serde_json::Deserializer::from_reader(input);
    let read = File { each, stopped: &mut stopped }.deserialize(&mut json).and_then(|content| {
        json.end()?;
        Ok(content)
    });
    if let Some(error) = stopped {
        return Err(error);
    }
    read.map_err(|error| ImportError::json(name, error))?.ok_or_else(|| {
        let what = "it has neither records, relations nor exceptions";
        let todo = "wanted a golden copy as GLEIF publishes it; an answer of its API has another shape, and BODS is for `kubectl domicile import bods`";
        ImportError::unusable(name, what, todo)
    })
}

/// The object around the rows.
struct File<'a> {
    each: &'a mut dyn FnMut(Row) -> Result<(), ImportError>,
    /// What a row was refused for: the library knows only its own errors.
    stopped: &'a mut Option<ImportError>,
}

impl<'de> DeserializeSeed<'de> for File<'_> {
    type Value = Option<Content>;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Self::Value, D::Error> {
        json.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for File<'_> {
    type Value = Option<Content>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with records, relations or exceptions")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = None;
        while let Some(key) = map.next_key::<String>()? {
            let content = match key.as_str() {
                "records" => Content::Entities,
                "relations" => Content::Relations,
                "exceptions" => Content::Exceptions,
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            if found.replace(content).is_some_and(|other| other != content) {
                return Err(A::Error::custom("more than one of records, relations and exceptions"));
            }
            map.next_value_seed(Rows { content, file: &mut self })?;
        }
        Ok(found)
    }
}

struct Rows<'a, 'b> {
    content: Content,
    file: &'a mut File<'b>,
}

impl<'de> DeserializeSeed<'de> for Rows<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<(), D::Error> {
        json.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Rows<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        loop {
            let row = match self.content {
                Content::Entities => rows.next_element::<JsonEntity>()?.map(Row::from),
                Content::Relations => rows.next_element::<JsonRelation>()?.map(Row::from),
                Content::Exceptions => rows.next_element::<JsonException>()?.map(Row::from),
            };
            let Some(row) = row else { return Ok(()) };
            if let Err(error) = (self.file.each)(row) {
                *self.file.stopped = Some(error);
                return Err(A::Error::custom("stopped"));
            }
        }
    }
}

/// A text, as XML made JSON: `{"$": "text", "@xml:lang": "en"}`, `{}` if there is none.
#[derive(Debug, Default)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "neither a text nor an object with a text as `$`")]
        enum Either {
            Plain(Option<String>),
            Object {
                #[serde(rename = "$")]
                text: Option<String>,
            },
        }
        Ok(match Either::deserialize(json)? {
            Either::Plain(text) | Either::Object { text } => Self(text.unwrap_or_default().trim().to_owned()),
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an object")]
struct JsonEntity {
    #[serde(rename = "LEI")]
    lei: Text,
    entity: EntityPart,
    registration: Registration,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an object")]
struct EntityPart {
    legal_name: Text,
    legal_jurisdiction: Text,
    legal_address: Address,
    headquarters_address: Address,
    registration_authority: Authority,
    entity_category: Text,
    entity_status: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an object")]
struct Address {
    country: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Authority {
    #[serde(rename = "RegistrationAuthorityID")]
    id: Text,
    #[serde(rename = "RegistrationAuthorityEntityID")]
    entity_id: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an object")]
struct Registration {
    registration_status: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an object")]
struct JsonRelation {
    relationship_record: RelationRecord,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an object")]
struct RelationRecord {
    relationship: RelationPart,
    registration: Registration,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an object")]
struct RelationPart {
    start_node: Node,
    end_node: Node,
    relationship_type: Text,
    relationship_status: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default, expecting = "an object")]
struct Node {
    #[serde(rename = "NodeID")]
    id: Text,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default, expecting = "an object")]
struct JsonException {
    #[serde(rename = "LEI")]
    lei: Text,
    exception_category: Text,
    exception_reason: Reasons,
}

/// One, or several in an array.
#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "neither a text nor an array of them")]
enum Reasons {
    Several(Vec<Text>),
    One(Text),
}

impl Default for Reasons {
    fn default() -> Self {
        Self::Several(Vec::new())
    }
}

impl From<JsonEntity> for Row {
    fn from(JsonEntity { lei, entity, registration }: JsonEntity) -> Self {
        let fields = [
            lei,
            entity.legal_name,
            entity.legal_jurisdiction,
            entity.legal_address.country,
            entity.headquarters_address.country,
            entity.registration_authority.id,
            entity.registration_authority.entity_id,
            entity.entity_category,
            entity.entity_status,
            registration.registration_status,
        ];
        Self::Entity(Entity::new(fields.map(|Text(text)| text)))
    }
}

impl From<JsonRelation> for Row {
    fn from(
        JsonRelation { relationship_record: RelationRecord { relationship, registration } }: JsonRelation,
    ) -> Self {
        let fields = [
            relationship.start_node.id,
            relationship.end_node.id,
            relationship.relationship_type,
            relationship.relationship_status,
            registration.registration_status,
        ];
        Self::Relation(Relation::new(fields.map(|Text(text)| text)))
    }
}

impl From<JsonException> for Row {
    fn from(JsonException { lei, exception_category, exception_reason }: JsonException) -> Self {
        let reasons = match exception_reason {
            Reasons::Several(reasons) => reasons,
            Reasons::One(reason) => vec![reason],
        };
        let reasons =
            reasons.into_iter().map(|Text(reason)| reason).filter(|reason| !reason.is_empty()).collect();
        Self::Exception(Exception { lei: lei.0, category: exception_category.0, reasons })
    }
}
