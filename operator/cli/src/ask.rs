//! Asking a person who is about to do something that can't be taken back.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};

/// Nothing is done.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody is there to ask.
    #[error("{consequence}: say --yes, or type {wanted} at a terminal")]
    NotAsked {
        /// What would come of it.
        consequence: &'static str,
        /// What is to be typed, in words.
        wanted: &'static str,
    },
    /// Another name was typed.
    #[error("that isn't {0}: nothing was done")]
    NotMeant(String),
    /// A terminal can't be read.
    #[error("nothing was typed")]
    Input(#[from] io::Error),
}

/// Has `name` typed by whoever is at the terminal.
///
/// # Errors
///
/// If nobody is there, or something else is typed.
pub fn for_name(
    name: &str,
    wanted: &'static str,
    to: &str,
    consequence: &'static str,
) -> Result<(), AskError> {
    if !io::stdin().is_terminal() {
        return Err(AskError::NotAsked { consequence, wanted });
    }
    let mut stderr = io::stderr().lock();
    write!(stderr, "Type {name} to {to}: ")?;
    stderr.flush()?;
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed)?;
    if typed.trim() == name { Ok(()) } else { Err(AskError::NotMeant(name.to_owned())) }
}
