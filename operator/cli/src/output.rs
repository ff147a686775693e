//! The only place that writes: results to stdout, everything else to stderr.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use domicile_crds::yaml;
use serde::Serialize;

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// For people with a wide terminal.
    Wide,
    /// For programs.
    Json,
    /// For programs and files.
    Yaml,
}

/// A result as JSON or YAML, or as the text that `text` makes of it.
///
/// # Errors
///
/// If it can't be made JSON.
pub fn render<T: Serialize>(
    format: Format,
    value: &T,
    text: impl FnOnce(bool) -> String,
) -> Result<String, serde_json::Error> {
    Ok(match format {
        Format::Text => text(false),
        Format::Wide => text(true),
        Format::Json => serde_json::to_string_pretty(value)? + "\n",
        Format::Yaml => yaml::document(&serde_json::to_value(value)?),
    })
}

/// Writes a result. Whoever reads may have stopped reading: that is its right, not an error.
///
/// # Errors
///
/// If stdout can't be written for another reason.
pub fn result(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

/// Says something that is not the result.
pub fn note(text: impl Display) {
    // Nobody is left to be told that stderr is gone.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Says what went wrong, with all its causes.
pub fn error(error: &(dyn Error + 'static)) {
    note(explained(error));
}

/// An error and its causes, one to a line; what a cause repeats is left out.
#[must_use]
pub fn explained(error: &(dyn Error + 'static)) -> String {
    let mut text = format!("error: {error}");
    let mut next = error.source();
    while let Some(cause) = next {
        if let Some(kube::Error::Api(status)) = called(cause) {
            text.push_str("\n  because: ");
            text.push_str(if status.message.is_empty() { &status.reason } else { &status.message });
            break;
        }
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str("\n  because: ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

/// Whether a cluster refused something for lack of rights. What a policy refuses is of another kind.
#[must_use]
pub fn is_forbidden(error: &(dyn Error + 'static)) -> bool {
    let causes = std::iter::successors(Some(error), |error: &&(dyn Error + 'static)| (*error).source());
    causes.filter_map(called).any(|cause| {
        matches!(cause, kube::Error::Api(status) if status.code == 403 && status.message.contains(" cannot "))
    })
}

/// What a call says, which stands in a box in our own errors.
fn called<'a>(cause: &'a (dyn Error + 'static)) -> Option<&'a kube::Error> {
    let boxed = cause.downcast_ref::<Box<kube::Error>>().map(|error| &**error);
    boxed.or_else(|| cause.downcast_ref())
}

/// Colours, where they are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Paint {
    on: bool,
}

impl Paint {
    /// Colours if stdout is a terminal that shows them and nobody has said no (<https://no-color.org>).
    #[must_use]
    pub fn for_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        Self { on: io::stdout().is_terminal() && !refused && !dumb }
    }

    /// No colours.
    #[must_use]
    pub fn plain() -> Self {
        Self { on: false }
    }

    /// Whether something is as it should be.
    #[must_use]
    pub fn state(self, text: &str, state: State) -> String {
        let code = match state {
            State::Good => "32",
            State::Bad => "31",
            State::Unknown => "33",
            State::Plain => return text.to_owned(),
            State::Title => "1",
        };
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// What a text means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Nothing good or bad.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Not as it should be.
    Bad,
    /// Nobody knows.
    Unknown,
    /// A heading.
    Title,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        #[source]
        source: Option<Box<dyn Error + Send + Sync>>,
    }

    fn layer(text: &'static str, source: Option<Box<dyn Error + Send + Sync>>) -> Layer {
        Layer { text, source }
    }

    #[test]
    fn the_whole_chain_is_told_once() {
        let deepest = layer("connection refused", None);
        let middle = layer("can't connect: connection refused", Some(Box::new(deepest)));
        let outer = layer("can't get Namespace a on the hub", Some(Box::new(middle)));
        let text = "error: can't get Namespace a on the hub\n  because: can't connect: connection refused";
        assert_eq!(explained(&outer), text);
    }

    #[test]
    fn the_servers_own_words_are_enough() {
        let status =
            kube::core::Status::failure("namespaces \"a\" is forbidden", "Forbidden").with_code(403).boxed();
        let outer = layer("can't get Namespace a on the hub", Some(Box::new(kube::Error::Api(status))));
        let text = "error: can't get Namespace a on the hub\n  because: namespaces \"a\" is forbidden";
        assert_eq!(explained(&outer), text);
        let status = kube::core::Status::failure("namespaces \"a\" is forbidden", "Forbidden").boxed();
        let call = crate::cluster::ClusterError::Call {
            doing: "get Namespace a".to_owned(),
            cluster: "the hub".to_owned(),
            source: Box::new(kube::Error::Api(status)),
        };
        assert_eq!(explained(&call), text);
    }
}
