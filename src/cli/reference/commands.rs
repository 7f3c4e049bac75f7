//! `commands.md`: every command that people give, from clap's tree.

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::markdown::{MADE, code, codes, prose, table};
use crate::cli::Arguments;

#[test]
fn the_published_commands_are_those_of_the_program() {
    super::published("commands.md", &page());
}

fn page() -> String {
    let mut root = Arguments::command();
    root.build();
    let mut text = format!("{MADE}# Commands\n\n");
    text += "stdout is data, stderr is talk. `hadron COMMAND --help` says the same as this page. How a command can end is \
             told by its [exit code](exit-codes.md).\n\n";
    let rows = shown(&root).map(|command| [linked(command), about(command)]);
    text += &table(["command", "does"], rows);
    text += "\n## Everywhere\n\nEach of these may stand before the command or behind it; other values are \
             [settings](settings.md).\n\n";
    text += &table(["option", "means"], arguments(&root, true).map(row));
    for command in shown(&root) {
        section(&mut text, command, "##");
    }
    text
}

/// A command with its arguments, then its own commands.
fn section(text: &mut String, command: &Command, mark: &str) {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    *text += &format!("\n{mark} `{name}`\n\n{}.\n\n", about(command));
    if command.has_subcommands() {
        *text += &table(["command", "does"], shown(command).map(|inner| [linked(inner), about(inner)]));
    } else {
        let usage = command.clone().render_usage().to_string();
        *text += &format!("```text\n{}\n```\n", usage.trim_start_matches("Usage: ").trim());
    }
    let rows: Vec<[String; 2]> = arguments(command, false).map(row).collect();
    if !rows.is_empty() {
        *text += &format!("\n{}", table(["argument", "means"], rows));
    }
    for inner in shown(command) {
        section(text, inner, &format!("{mark}#"));
    }
}

fn shown(command: &Command) -> impl Iterator<Item = &Command> {
    command.get_subcommands().filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
}

fn arguments(command: &Command, global: bool) -> impl Iterator<Item = &Arg> {
    let own = move |arg: &&Arg| arg.is_global_set() == global && !["help", "version"].contains(&arg.get_id().as_str());
    command.get_arguments().filter(own).filter(|arg| !arg.is_hide_set())
}

fn linked(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    format!("[{}](#{})", code(name), name.replace(' ', "-"))
}

fn about(command: &Command) -> String {
    let about = command.get_long_about().or_else(|| command.get_about());
    prose(&about.map(ToString::to_string).unwrap_or_default())
}

fn row(arg: &Arg) -> [String; 2] {
    let help = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let mut means = prose(&help);
    let values: Vec<String> =
        arg.get_possible_values().iter().filter(|it| !it.is_hide_set()).map(|it| it.get_name().to_owned()).collect();
    if !values.is_empty() && takes_value(arg) {
        means += &format!(": {}", codes(values.iter().map(String::as_str)));
    }
    let defaults = arg.get_default_values().iter().filter_map(|value| value.to_str());
    if takes_value(arg) && !arg.get_default_values().is_empty() {
        means += &format!("; by default {}", codes(defaults));
    }
    [code(&spelling(arg)), means]
}

fn takes_value(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Set | ArgAction::Append)
}

/// `-f, --follow`, `--limit <N>`, `[DIR]...`.
fn spelling(arg: &Arg) -> String {
    let names = arg.get_value_names().unwrap_or_default();
    let value = names.iter().map(|name| format!("<{name}>")).collect::<Vec<_>>().join(" ");
    if arg.is_positional() {
        let many = if matches!(arg.get_action(), ArgAction::Append) { "..." } else { "" };
        return if arg.is_required_set() {
            value + many
        } else {
            format!("[{}]{many}", value.trim_matches(['<', '>']))
        };
    }
    let short = arg.get_short().map(|short| format!("-{short}"));
    let long = arg.get_long().map(|long| format!("--{long}"));
    let flag = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    if takes_value(arg) { format!("{flag} {value}") } else { flag }
}
