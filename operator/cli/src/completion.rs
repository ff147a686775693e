//! Completion: scripts for shells, and what kubectl asks for.

use clap::{Command, CommandFactory};
use clap_complete::{Shell, generate};

use crate::args::Cli;

/// kubectl looks for an executable of the name kubectl_complete-domicile, and calls it with what was typed.
const KUBECTL_SCRIPT: &str = "#!/usr/bin/env sh\nexec kubectl-domicile __complete -- \"$@\"\n";

/// Tells kubectl's shell code to offer files if there is nothing else (cobra's ShellCompDirectiveDefault).
const FILES_TOO: &str = ":0";
/// Tells it to offer no files (ShellCompDirectiveNoFileComp).
const NO_FILES: &str = ":4";

/// The script for a shell, or the one that kubectl looks for.
#[must_use]
pub fn script(shell: Option<Shell>) -> String {
    let Some(shell) = shell else { return KUBECTL_SCRIPT.to_owned() };
    let mut command = Cli::command().bin_name("kubectl-domicile");
    let mut out = Vec::new();
    generate(shell, &mut command, "kubectl-domicile", &mut out);
    String::from_utf8_lossy(&out).into_owned()
}

/// What can be typed in place of the last of `words`, one to a line, with a directive for kubectl at the end.
#[must_use]
pub fn candidates(words: &[String]) -> String {
    let (typed, before) = words.split_last().map_or(("", &[][..]), |(last, before)| (last.as_str(), before));
    let mut root = Cli::command();
    root.build();
    let mut command = &root;
    for word in before {
        if let Some(next) = command.find_subcommand(word) {
            command = next;
        }
    }
    let values = before.last().and_then(|flag| values_of(command, flag));
    let (found, directive) = match values {
        Some(values) if values.is_empty() => (values, FILES_TOO),
        Some(values) => (values, NO_FILES),
        None if typed.starts_with('-') => (flags(command), NO_FILES),
        None => (
            arguments(command),
            if command.get_positionals().next().is_some() { FILES_TOO } else { NO_FILES },
        ),
    };
    let mut lines: Vec<_> = found.into_iter().filter(|candidate| candidate.starts_with(typed)).collect();
    lines.push(directive.to_owned());
    lines.join("\n") + "\n"
}

/// The values that a flag takes; `None` if the word is no flag that takes one.
fn values_of(command: &Command, word: &str) -> Option<Vec<String>> {
    let flag = command.get_arguments().find(|arg| {
        let long = arg.get_long().is_some_and(|long| word.strip_prefix("--") == Some(long));
        let short = arg.get_short().is_some_and(|short| word.strip_prefix('-') == Some(&short.to_string()));
        long || short
    })?;
    let takes = flag.get_num_args().is_some_and(|number| number.takes_values());
    takes.then(|| flag.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect())
}

fn flags(command: &Command) -> Vec<String> {
    let visible = command.get_arguments().filter(|arg| !arg.is_hide_set());
    visible.filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect()
}

/// Subcommands, or the fixed values of arguments.
fn arguments(command: &Command) -> Vec<String> {
    let subcommands = command.get_subcommands().filter(|sub| !sub.is_hide_set());
    let values = command.get_positionals().flat_map(clap::Arg::get_possible_values);
    subcommands
        .map(|sub| sub.get_name().to_owned())
        .chain(values.map(|value| value.get_name().to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(words: &[&str]) -> Vec<String> {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        candidates(&words).lines().map(str::to_owned).collect()
    }

    #[test]
    fn kubectl_is_told_what_can_follow() {
        assert_eq!(complete(&["un"]), ["uncordon", ":4"]);
        assert_eq!(complete(&["status", "--st"]), ["--stuck", ":4"]);
        assert_eq!(complete(&["status", "-o", ""]), ["text", "wide", "json", "yaml", ":4"]);
        assert_eq!(complete(&["wrap", "--secrets", "h"]), ["hub", ":4"]);
        assert_eq!(complete(&["wrap", "--name", ""]), [":0"], "any name");
        assert_eq!(complete(&["completion", "z"]), ["zsh", ":0"]);
        assert!(!complete(&[""]).iter().any(|word| word.starts_with("__")));
    }

    #[test]
    fn there_is_a_script_for_every_shell() {
        for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::Elvish, Shell::PowerShell] {
            assert!(script(Some(shell)).contains("drain"), "{shell}");
        }
        assert!(script(None).contains("kubectl-domicile __complete"));
    }
}
