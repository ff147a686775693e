//! The documentation names every command and every flag, and prints what the program prints.

use clap::CommandFactory;
use kubectl_domicile::args::Cli;
use kubectl_domicile::completion;

const CLI: &str = include_str!("../../../docs/cli.md");
const MEMBER: &str = include_str!("../../../docs/member.md");

#[test]
fn every_command_and_flag_is_documented() {
    let mut cli = Cli::command();
    cli.build();
    let mut missing = Vec::new();
    for command in cli.get_subcommands().filter(|command| !command.is_hide_set()) {
        if !CLI.contains(&format!("kubectl domicile {}", command.get_name())) {
            missing.push(command.get_name().to_owned());
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

#[test]
fn every_command_has_help_with_an_example() {
    let mut cli = Cli::command();
    cli.build();
    for command in cli.get_subcommands_mut().filter(|command| !command.is_hide_set()) {
        let name = command.get_name().to_owned();
        let help = command.render_long_help().to_string();
        assert!(help.contains("Example"), "{name} has no example");
        assert!(help.contains(&format!("kubectl domicile {name}")), "{name} has no example of itself");
        assert!(command.get_long_about().is_some(), "{name} is not explained");
    }
}

#[test]
fn commands_in_the_documentation_can_be_typed() {
    use clap::Parser;
    let lines = CLI.lines().chain(MEMBER.lines());
    let mut tried = 0;
    for line in lines.filter(|line| !line.starts_with('|') && !line.contains('`')) {
        let Some((_, command)) = line.split_once("kubectl domicile ") else { continue };
        let command = command.split(['#', '|', '>']).next().unwrap_or_default();
        let words = ["kubectl-domicile"].into_iter().chain(command.split_whitespace());
        let words = words.map(|word| if word == "NAME" { "name" } else { word });
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
