//! YAML in and out: the only place that knows the YAML library, which reads. [`mod@write`] writes.

mod write;

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

pub use self::write::{document, stream};

/// YAML couldn't be read or written.
#[derive(Debug, thiserror::Error)]
pub enum YamlError {
    /// A document isn't YAML, or not of the wanted shape.
    #[error("document {index} is not valid")]
    Document {
        /// Which one, from 1.
        index: usize,
        /// What the library says.
        #[source]
        source: serde_yaml::Error,
    },
    /// A value can't be written as YAML.
    #[error("could not be written as YAML")]
    Write(#[source] serde_json::Error),
}

/// Reads a stream of documents; empty ones are left out.
///
/// # Errors
///
/// The first document that isn't valid, by number.
pub fn documents(text: &str) -> Result<Vec<Value>, YamlError> {
    let mut values = Vec::new();
    for (index, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let value = Value::deserialize(document)
            .map_err(|source| YamlError::Document { index: index + 1, source })?;
        if !value.is_null() {
            values.push(value);
        }
    }
    Ok(values)
}

/// Reads one document.
///
/// # Errors
///
/// If it isn't valid YAML of that type.
pub fn from_str<T: DeserializeOwned>(text: &str) -> Result<T, YamlError> {
    serde_yaml::from_str(text).map_err(|source| YamlError::Document { index: 1, source })
}

/// Writes one document, without a leading `---`. What any version of YAML could take for something
/// else than a string is quoted.
///
/// # Errors
///
/// If the value has no JSON form.
pub fn to_string<T: Serialize>(value: &T) -> Result<String, YamlError> {
    Ok(document(&serde_json::to_value(value).map_err(YamlError::Write)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_read_and_its_bad_document_named() {
        let good = documents("a: 1\n---\n---\n# nothing\n---\nb: 2\n").unwrap();
        assert_eq!(good, [serde_json::json!({"a": 1}), serde_json::json!({"b": 2})]);
        let bad = documents("a: 1\n---\nb: [\n").unwrap_err();
        assert_eq!(bad.to_string(), "document 2 is not valid");
    }

    #[test]
    fn strings_stay_strings_for_readers_of_yaml_1_1() {
        for text in ["NO", "yes", "off", "y", "1_000", "1:30", "2001-01-01", "0777", "NaN", "=", "<<"] {
            assert_eq!(to_string(&[text]).unwrap(), format!("- \"{text}\"\n"));
        }
    }
}
