//! Command lines in the documentation and in our own messages are ones that the program takes.

use clap::error::ErrorKind;
use clap::{ArgAction, Command, CommandFactory, Parser as _};
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

use crate::cli::Arguments;

/// A line that shows `hadron`, with where it stands.
struct Shown {
    place: String,
    text: String,
    /// Whether it is to be typed as it stands; else it may leave things out.
    whole: bool,
}

#[test]
fn every_command_line_in_the_documentation_is_taken() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for (path, text) in pages() {
        for shown in shown(&path, &text) {
            for words in invocations(&shown.text) {
                count += 1;
                if let Err(why) = judge(&words, shown.whole) {
                    wrong.push(format!("{}: hadron {}\n    {why}", shown.place, words.join(" ")));
                }
            }
        }
    }
    assert!(count > 200, "only {count} command lines were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_that_our_own_messages_name_exists() {
    let quoted = regex::Regex::new(r"`(hadron [a-z][^`\n]*)`").unwrap();
    let mut wrong = Vec::new();
    for (path, text) in super::files("src", ".rs").into_iter().filter(|(path, _)| !path.contains("reference/")) {
        for found in quoted.captures_iter(&text) {
            for words in invocations(&found[1]) {
                if let Err(why) = judge(&words, false) {
                    wrong.push(format!("{path}: hadron {}\n    {why}", words.join(" ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn pages() -> Vec<(String, String)> {
    let folders = ["docs", "examples", "modules"].into_iter().flat_map(|folder| super::files(folder, ".md"));
    let top = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"];
    folders
        .chain(top.map(|name| (name.to_owned(), std::fs::read_to_string(super::root().join(name)).unwrap())))
        .collect()
}

/// Lines of code blocks, and code within prose.
fn shown(path: &str, text: &str) -> Vec<Shown> {
    let (mut found, mut block) = (Vec::new(), None::<String>);
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        let line = || format!("{path}:{}", text[..range.start].lines().count().max(1));
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(_) | CodeBlockKind::Indented)) => {
                block = Some(String::new());
            }
            Event::Text(text) if block.is_some() => block.get_or_insert_default().push_str(&text),
            Event::End(TagEnd::CodeBlock) => {
                let lines = typed(&block.take().unwrap_or_default());
                found.extend(lines.into_iter().map(|text| Shown { place: line(), text, whole: true }));
            }
            Event::Code(code) if code.starts_with("hadron ") => {
                found.push(Shown { place: line(), text: code.into_string(), whole: false });
            }
            _ => {}
        }
    }
    found
}

/// What is typed of a block: the lines behind a prompt, or all that begin with a command of ours if there is no prompt.
fn typed(block: &str) -> Vec<String> {
    let joined = block.replace("\\\n", " ");
    let prompted: Vec<String> =
        joined.lines().filter_map(|line| line.trim().strip_prefix("$ ")).map(str::to_owned).collect();
    if prompted.is_empty() { joined.lines().map(|line| line.trim().to_owned()).collect() } else { prompted }
}

/// The arguments of each `hadron` in a line of shell, also of one whose output is another's argument.
fn invocations(line: &str) -> Vec<Vec<String>> {
    let substituted = regex::Regex::new(r"\$\(([^()]*)\)").unwrap();
    let outer = substituted.replace_all(line, "SUBSTITUTED");
    let inner = substituted.captures_iter(line).map(|found| found[1].to_owned());
    let lines = std::iter::once(outer.into_owned()).chain(inner);
    lines.filter_map(|line| shlex::split(&line)).flat_map(|words| commands(&words)).collect()
}

fn commands(words: &[String]) -> Vec<Vec<String>> {
    let ends = |word: &String| ["|", "&&", "||", ";", "&"].contains(&word.as_str());
    words.split(ends).filter_map(arguments).collect()
}

fn arguments(words: &[String]) -> Option<Vec<String>> {
    let is_assignment = |word: &&String| {
        word.split_once('=').is_some_and(|(name, _)| name.chars().all(|it| it.is_ascii_uppercase() || it == '_'))
    };
    let mut words = words.iter().skip_while(|word| is_assignment(word) || *word == "exec" || *word == "sudo");
    let program = words.next()?;
    if program != "hadron" && !program.ends_with("/hadron") {
        return None;
    }
    let mut arguments = Vec::new();
    while let Some(word) = words.next() {
        match word.trim_start_matches(['0', '1', '2']) {
            ">" | "<" | ">>" => drop(words.next()),
            redirected if redirected.starts_with(['>', '<']) => {}
            _ => arguments.push(word.trim_end_matches(';').to_owned()),
        }
    }
    Some(arguments)
}

fn judge(words: &[String], whole: bool) -> Result<(), String> {
    // `…`, `[--flag]` and `{value}` are for readers: what is left out can't be asked for.
    let marks = ['…', '[', '{', '|', '<'];
    if !whole || words.iter().any(|word| word.contains(marks) || word == "...") {
        return names(&Arguments::command(), words);
    }
    let argv = std::iter::once("hadron").chain(words.iter().map(String::as_str));
    match Arguments::try_parse_from(argv) {
        Ok(_) => Ok(()),
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => Ok(()),
        Err(error) => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
    }
}

/// Whether each verb and flag exists, whatever else is missing.
fn names(root: &Command, words: &[String]) -> Result<(), String> {
    let mut root = root.clone();
    root.build();
    let mut command = &root;
    let mut words = words.iter().map(|word| word.trim_matches(['[', ']', '…', '.', ',']));
    while let Some(word) = words.next() {
        if let Some(flag) = word.strip_prefix("--").filter(|flag| !flag.is_empty()) {
            let (flag, value) = flag.split_once('=').map_or((flag, None), |(flag, value)| (flag, Some(value)));
            let Some(arg) = command.get_arguments().find(|arg| arg.get_long() == Some(flag)) else {
                return Err(format!("`{}` has no --{flag}", command.get_name()));
            };
            if value.is_none() && matches!(arg.get_action(), ArgAction::Set | ArgAction::Append) {
                words.next();
            }
        } else if let Some(inner) = command.find_subcommand(word) {
            command = inner;
        } else if command.has_subcommands() && command.get_positionals().next().is_none() && is_a_verb(word) {
            return Err(format!("`{}` has no command `{word}`", command.get_name()));
        }
    }
    Ok(())
}

fn is_a_verb(word: &str) -> bool {
    word.starts_with(|it: char| it.is_ascii_lowercase()) && word.chars().all(|it| it.is_ascii_lowercase() || it == '-')
}

#[test]
fn a_verb_or_flag_that_is_not_there_is_noticed() {
    let judged = |line: &str, whole| invocations(line).iter().map(|words| judge(words, whole)).collect::<Vec<_>>();
    for line in ["hadron stat", "hadron status --nonsense", "hadron bundle pusch …", "X=1 exec hadron up --agents"] {
        assert!(matches!(judged(line, true)[..], [Err(_)]), "{line}");
        assert!(matches!(judged(line, false)[..], [Err(_)]), "{line}");
    }
    for line in [
        "hadron --data drill serve",
        "hadron logs ID | less",
        "aws x && hadron state unblock environment/dev --serial 3 > f",
    ] {
        assert!(matches!(judged(line, true)[..], [Ok(())]), "{line}");
        assert!(matches!(judged(line, false)[..], [Ok(())]), "{line}");
    }
    assert!(judged("echo $(hadron logs)", true)[0].is_err(), "an argument is missing");
}
