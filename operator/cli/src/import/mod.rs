//! `kubectl domicile import`: public records of companies in, HostingProviders to review out.
//!
//! # Guarantees
//!
//! A pure filter: it asks no cluster and applies nothing, and the same files give the same bytes. What a file doesn't
//! say stays open and is never taken for "none"; what could be counted twice, or could be somebody else's, is never
//! counted as the least that a holder has. Of natural persons nothing but name, country and holding comes out.

mod bods;
mod draft;
mod gleif;
mod ids;
mod labels;
mod settle;
mod write;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

pub use bods::{Input, bods};
pub use gleif::gleif;
pub use ids::Lei;

/// What comes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// YAML with comments.
    pub text: String,
    /// What the user should know, in sentences.
    pub notes: Vec<String>,
}

/// Nothing comes out.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A file can't be read.
    #[error("can't read {name}")]
    Read {
        /// Which file.
        name: String,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// A file isn't what it should be, and where.
    #[error("{name}, line {line}, column {column}: {what}")]
    Malformed {
        /// Which file.
        name: String,
        /// In which line, from 1.
        line: usize,
        /// In which column of it.
        column: usize,
        /// What is wrong, without what stands there: that may be personal data.
        what: String,
    },
    /// A file is no such file at all, or can't be used.
    #[error("{name}: {what}; {todo}")]
    Unusable {
        /// Which file.
        name: String,
        /// What was found.
        what: String,
        /// What to do.
        todo: String,
    },
    /// No HostingProvider can be made.
    #[error("no HostingProvider can be made of it{}", Reasons(.0))]
    Nothing(Vec<String>),
    /// LEIs that were asked for don't come out.
    #[error("what was asked for can't be made{}", Reasons(.0))]
    Asked(Vec<String>),
}

struct Reasons<'a>(&'a [String]);

impl std::fmt::Display for Reasons<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_empty() { "" } else { ":" })?;
        self.0.iter().try_for_each(|reason| write!(f, "\n  {reason}"))
    }
}

impl ImportError {
    fn unusable(name: &str, what: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::Unusable { name: name.to_owned(), what: what.into(), todo: todo.into() }
    }

    /// What serde says, less what stands in the file.
    fn json(name: &str, error: serde_json::Error) -> Self {
        if error.is_io() {
            return Self::Read { name: name.to_owned(), source: error.into() };
        }
        let (line, column) = (error.line(), error.column());
        let said = error.to_string();
        let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(said, _)| said);
        let what = match said.rsplit_once(", expected ") {
            Some((_, wanted)) => format!("wanted {wanted}, found something else"),
            None if error.is_data() => said.to_owned(),
            None => format!("not valid JSON: {said}"),
        };
        Self::Malformed { name: name.to_owned(), line, column, what }
    }
}

/// A file that something rests on.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Source {
    /// Its name, without its folder: where it lies on somebody's machine helps nobody else.
    name: String,
    /// Its digest.
    sha256: String,
}

impl Source {
    fn of(file: &Path, sha256: String) -> Self {
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
        Self { name: ids::clean(&name, 256).0, sha256 }
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut hex, byte| {
        // A String can always be written.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// What was left out: why, how often, and the first of them.
#[derive(Debug, Default)]
struct Tally(BTreeMap<String, (usize, Option<String>)>);

impl Tally {
    /// `which` is the identifier of a statement or an entity, never a name.
    fn add(&mut self, why: impl Into<String>, which: &str) {
        let (count, first) = self.0.entry(why.into()).or_default();
        *count += 1;
        first.get_or_insert_with(|| ids::clean(which, ids::ID_MAX).0);
    }

    fn add_many(&mut self, why: &str, count: usize) {
        if count > 0 {
            self.0.entry(why.to_owned()).or_default().0 += count;
        }
    }

    fn lines(&self) -> Vec<String> {
        let line = |(why, (count, first)): (&String, &(usize, Option<String>))| match first {
            Some(first) if *count == 1 => format!("left out: 1 x {why} ({first})"),
            Some(first) => format!("left out: {count} x {why} (first {first})"),
            None => format!("left out: {count} x {why}"),
        };
        self.0.iter().map(line).collect()
    }
}

/// The files of a command line, by what messages call them.
fn called(file: &Path) -> String {
    if file == Path::new("-") { "stdin".to_owned() } else { file.display().to_string() }
}

/// A folder has no bytes; saying so beats the system's words.
fn no_folder(file: &Path) -> Result<(), ImportError> {
    if file.is_dir() {
        return Err(ImportError::unusable(&called(file), "it is a directory", "name the files in it"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
