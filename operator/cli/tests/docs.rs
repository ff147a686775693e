//! The documentation names every command and every flag, and prints what the program prints.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use kubectl_domicile::args::Cli;
use kubectl_domicile::completion;

const CLI: &str = include_str!("../../../docs/cli.md");
const MEMBER: &str = include_str!("../../../docs/member.md");

/// Commands, and commands of commands.
fn every(cli: &clap::Command) -> Vec<&clap::Command> {
    cli.get_subcommands().flat_map(|command| std::iter::once(command).chain(every(command))).collect()
}

#[test]
fn every_command_and_flag_is_documented() {
    let mut cli = Cli::command();
    cli.build();
    let mut missing = Vec::new();
    for command in every(&cli).into_iter().filter(|command| !command.is_hide_set()) {
        let typed = command.get_bin_name().unwrap_or_default();
        if !CLI.contains(typed) {
            missing.push(typed.to_owned());
        }
        let flags = command.get_arguments().filter_map(|arg| arg.get_long()).filter(|long| *long != "help");
        for flag in flags.map(|long| format!("--{long}")) {
            let short = matches!(flag.as_str(), "--output" | "--namespace");
            if !short && !CLI.contains(&flag) && !MEMBER.contains(&flag) {
                missing.push(format!("{} {flag}", command.get_name()));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

/// Flags of other programs that the pages show.
const OTHERS: [&str; 7] = [
    "--field-selector",
    "--server-side",
    "--raw",
    "--duration",
    "--ignore-not-found",
    "--flatten",
    "--minify",
];

#[test]
fn every_documented_command_and_flag_exists() {
    let mut cli = Cli::command();
    cli.build();
    let commands: BTreeSet<_> = cli.get_subcommands().map(|command| command.get_name().to_owned()).collect();
    let flags: BTreeSet<_> = every(&cli)
        .into_iter()
        .flat_map(clap::Command::get_arguments)
        .filter_map(|arg| Some(format!("--{}", arg.get_long()?)))
        .collect();
    let rows = CLI.lines().filter(|line| line.starts_with("| [`"));
    let named =
        rows.filter_map(|row| row.split('|').nth(1)).flat_map(|cell| cell.split('`').skip(1).step_by(2));
    let named: BTreeSet<_> = named.map(str::to_owned).collect();
    let shown: BTreeSet<_> = commands.iter().filter(|command| !command.starts_with('_')).cloned().collect();
    assert_eq!(named, shown, "the table of commands");
    let words =
        [CLI, MEMBER].into_iter().flat_map(|page| page.split([' ', '`', '\n', '=', ',', ';', ')', '|', '.']));
    let unknown: BTreeSet<_> = words
        .filter(|word| {
            word.strip_prefix("--").is_some_and(|flag| flag.starts_with(|c: char| c.is_ascii_lowercase()))
        })
        .filter(|word| !flags.contains(*word) && !OTHERS.contains(word))
        .collect();
    assert_eq!(unknown, BTreeSet::new(), "neither ours nor another program's that the pages show");
}

/// What the operator and the plugin tell people to type.
#[test]
fn commands_in_messages_exist() {
    let mut cli = Cli::command();
    cli.build();
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut seen = BTreeSet::new();
    for folder in ["crds/src", "operator", "e2e/src", "examples", "README.md", "docs"] {
        for file in files(&root.join(folder)) {
            let text = std::fs::read_to_string(&file).unwrap();
            for rest in text.split("kubectl domicile ").skip(1) {
                let word: String = rest.chars().take_while(char::is_ascii_lowercase).collect();
                if !word.is_empty() {
                    assert!(
                        cli.find_subcommand(&word).is_some(),
                        "{}: kubectl domicile {word}",
                        file.display()
                    );
                    seen.insert(word);
                }
            }
        }
    }
    assert!(seen.len() > 10, "only {seen:?} were found");
}

fn files(path: &Path) -> Vec<PathBuf> {
    if let Ok(entries) = std::fs::read_dir(path) {
        return entries.flatten().flat_map(|entry| files(&entry.path())).collect();
    }
    let text =
        ["rs", "md", "yaml", "snap"].iter().any(|end| path.extension().is_some_and(|found| found == *end));
    if text { vec![path.to_owned()] } else { Vec::new() }
}

#[test]
fn every_command_has_help_with_an_example() {
    let mut cli = Cli::command();
    cli.build();
    for command in every(&cli).into_iter().filter(|command| !command.is_hide_set()) {
        let name = command.get_bin_name().unwrap_or_default();
        let help = command.clone().render_long_help().to_string();
        assert!(help.contains("Example"), "{name} has no example");
        assert!(help.contains(name), "{name} has no example of itself");
        assert!(command.get_long_about().is_some(), "{name} is not explained");
    }
}

/// The lines of a command's help from `Example` on.
fn examples(command: &clap::Command) -> Vec<String> {
    let help = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    help.lines().skip_while(|line| !line.starts_with("Example")).skip(1).map(str::to_owned).collect()
}

/// Half a command does something else than the whole: nothing may be wrapped where a terminal is as wide as most are.
#[test]
fn examples_can_be_pasted() {
    use clap::Parser;
    let mut cli = Cli::command();
    cli.build();
    let (mut long, mut tried) = (Vec::new(), 0);
    for command in every(&cli).into_iter().filter(|command| !command.is_hide_set()) {
        let lines = examples(command);
        long.extend(lines.iter().filter(|line| line.chars().count() > 80).cloned());
        let text = lines.join("\n").replace("\\\n", " ");
        for line in text.lines() {
            let Some((_, typed)) = line.split_once("kubectl domicile ") else { continue };
            let typed = typed.split(['#', '|', '>']).next().unwrap_or_default();
            if let Err(error) =
                Cli::try_parse_from(std::iter::once("kubectl-domicile".to_owned()).chain(words(typed)))
            {
                panic!("{line}: {error}");
            }
            tried += 1;
        }
    }
    assert_eq!(long, Vec::<String>::new(), "lines that a terminal of 80 columns wraps");
    assert!(tried > 30, "only {tried} examples were found");
}

/// A line that ends in the middle of a sentence is wrapped a second time where the terminal ends.
#[test]
fn help_breaks_lines_only_after_sentences() {
    let mut cli = Cli::command();
    cli.build();
    for command in every(&cli) {
        let about = command.get_long_about().map(ToString::to_string).unwrap_or_default();
        for line in about.lines().filter(|line| !line.is_empty()) {
            assert!(
                line.ends_with(['.', ':', '?']) || about.lines().count() == 1,
                "{}: {line}",
                command.get_name()
            );
        }
    }
}

/// What is quoted is one word, and every second part is.
fn words(typed: &str) -> Vec<String> {
    let parts = typed.split('\'').enumerate().flat_map(|(at, part)| match at % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect(),
        _ => vec![part.to_owned()],
    });
    parts.collect()
}

#[test]
fn commands_in_the_documentation_can_be_typed() {
    use clap::Parser;
    let lines = CLI.lines().chain(MEMBER.lines());
    let mut tried = 0;
    for line in lines.filter(|line| !line.starts_with('|') && !line.contains('`')) {
        let Some((_, command)) = line.split_once("kubectl domicile ") else { continue };
        let command = command.split(['#', '|', '>']).next().unwrap_or_default();
        let words = std::iter::once("kubectl-domicile".to_owned()).chain(words(command));
        let words = words.map(|word| if word == "NAME" { "name".to_owned() } else { word });
        if let Err(error) = Cli::try_parse_from(words) {
            panic!("{line}: {error}");
        }
        tried += 1;
    }
    assert!(tried > 20, "only {tried} commands were found");
}

#[test]
fn the_completion_script_is_as_shown() {
    assert!(CLI.contains(&completion::script(None)));
}
