//! GLEIF's files, read from the beginning as often as needed: they have millions of rows, and none is kept that isn't asked for.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::rows::{Content, Row};
use super::{json, table};
use crate::import::{ImportError, called, hex, no_folder};

/// A file, once it has been read.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) file: PathBuf,
    pub(super) content: Content,
    pub(super) sha256: String,
    pub(super) rows: usize,
}

impl Known {
    /// Reads a file for the first time.
    pub(super) fn read(
        file: &PathBuf,
        each: &mut dyn FnMut(Row) -> Result<(), ImportError>,
    ) -> Result<Self, ImportError> {
        if file == Path::new("-") {
            let todo =
                "name files: they are read more than once, to keep nothing in memory that isn't asked for";
            return Err(ImportError::unusable("stdin", "it can be read only once", todo));
        }
        no_folder(file)?;
        let name = called(file);
        let failed = |source: io::Error| ImportError::Read { name: name.clone(), source };
        let mut input = BufReader::with_capacity(
            1 << 16,
            Hashed { inner: File::open(file).map_err(failed)?, digest: Sha256::new() },
        );
        let mut rows = 0;
        let mut counted = |row| {
            rows += 1;
            each(row)
        };
        let begins = input.fill_buf().map_err(failed)?;
        let content = match begins.strip_prefix(b"\xef\xbb\xbf").unwrap_or(begins) {
            [b'P', b'K', ..] => {
                return Err(ImportError::unusable(
                    &name,
                    "it is a ZIP archive",
                    "unpack it and name the file in it",
                ));
            }
            [0x1f, 0x8b, ..] => {
                return Err(ImportError::unusable(&name, "it is compressed", "unpack it with gunzip"));
            }
            [b'<', ..] => {
                return Err(ImportError::unusable(&name, "it is XML", "take the golden copy as CSV or JSON"));
            }
            [] => {
                return Err(ImportError::unusable(
                    &name,
                    "it is empty",
                    "take the file as GLEIF publishes it",
                ));
            }
            text if text
                .iter()
                .find(|byte| !byte.is_ascii_whitespace())
                .is_some_and(|byte| b"{[".contains(byte)) =>
            {
                json::rows(&name, skip_mark(&mut input).map_err(failed)?, &mut counted)?
            }
            _ => table::rows(&name, &mut input, &mut counted)?,
        };
        io::copy(&mut input, &mut io::sink()).map_err(failed)?;
        let sha256 = hex(&input.into_inner().digest.finalize());
        Ok(Self { file: file.clone(), content, sha256, rows })
    }

    /// Reads it again, and makes sure that it is the same.
    pub(super) fn again(
        &self,
        each: &mut dyn FnMut(Row) -> Result<(), ImportError>,
    ) -> Result<(), ImportError> {
        let again = Self::read(&self.file, each)?;
        if again.sha256 == self.sha256 {
            return Ok(());
        }
        Err(ImportError::unusable(
            &called(&self.file),
            "it changed while it was read",
            "try again when nobody writes it",
        ))
    }
}

/// A byte order mark is no JSON.
fn skip_mark<R: BufRead>(input: &mut R) -> io::Result<&mut R> {
    if input.fill_buf()?.starts_with(b"\xef\xbb\xbf") {
        input.consume(3);
    }
    Ok(input)
}

/// Passes bytes on and digests them.
struct Hashed<R> {
    inner: R,
    digest: Sha256,
}

impl<R: Read> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.digest.update(buffer.get(..count).unwrap_or_default());
        Ok(count)
    }
}
