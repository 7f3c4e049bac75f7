//! What users of other tools expect of this one: completions, man pages, its version, colour where it is wanted.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::plane::{Plane, Start, binary, hadron};
use crate::support::process::command;

/// Runs the binary where no settings can be read, which these verbs don't need.
fn alone(folder: &Path, arguments: &[&str]) -> Output {
    fs::write(folder.join("hadron.toml"), "[").unwrap();
    let done = command(binary(), &BTreeMap::new()).args(arguments).current_dir(folder).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    done
}

#[test]
fn bash_completes_verbs_their_parts_and_their_options() {
    let folder = TempDir::new().unwrap();
    let script = alone(folder.path(), &["completions", "bash"]).stdout;
    fs::write(folder.path().join("hadron.bash"), script).unwrap();
    // As `complete -F` calls it: the words, the number of the one to be completed, and what is typed of it.
    let completed = |words: &str, typed: &str, before: &str| {
        let number = words.split(' ').count() - 1 + usize::from(typed.is_empty());
        let line = format!(
            ". ./hadron.bash; complete -p hadron | grep -q -- '-F _hadron' || exit 7
             COMP_WORDS=({words}); COMP_CWORD={number}; _hadron hadron '{typed}' '{before}'; echo \"${{COMPREPLY[@]}}\""
        );
        let bash = command(Path::new("bash"), &BTreeMap::new()).args(["-c", &line]).current_dir(&folder).output();
        let Output { status, stdout, stderr } = bash.unwrap();
        assert!(status.success() && stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(completed("hadron aud", "aud", "hadron"), ["audit"]);
    assert_eq!(completed("hadron audit ver", "ver", "audit"), ["verify"]);
    assert_eq!(completed("hadron serve --li", "--li", "serve"), ["--listen"]);
    assert_eq!(completed("hadron status --output j", "j", "--output"), ["json"]);
    let verbs = completed("hadron", "", "hadron");
    assert!(verbs.iter().any(|verb| verb == "demo") && !verbs.iter().any(|verb| verb == "supervise"), "{verbs:?}");
}

#[test]
fn each_shell_has_a_script_and_each_command_a_page() {
    let folder = TempDir::new().unwrap();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = String::from_utf8(alone(folder.path(), &["completions", shell]).stdout).unwrap();
        assert!(script.contains("rotate") && !script.contains("supervise"), "{shell}");
    }
    let told = alone(folder.path(), &["man", "man1", "--output", "json"]).stdout;
    let told: Value = serde_json::from_slice(&told).unwrap();
    for page in told["pages"].as_array().unwrap() {
        let text = fs::read_to_string(folder.path().join("man1").join(page.as_str().unwrap())).unwrap();
        assert!(text.contains("\n.SH SYNOPSIS\n"), "{page}");
    }
    let first = alone(folder.path(), &["man"]).stdout;
    assert_eq!(first, fs::read(folder.path().join("man1/hadron.1")).unwrap());
}

#[test]
fn the_version_names_what_was_built_and_the_same_as_clap_does() {
    let folder = TempDir::new().unwrap();
    let facts: Value = serde_json::from_slice(&alone(folder.path(), &["version", "--json"]).stdout).unwrap();
    let same: Value = serde_json::from_slice(&alone(folder.path(), &["version", "--output", "json"]).stdout).unwrap();
    assert_eq!(facts, same);
    let short = String::from_utf8(alone(folder.path(), &["--version"]).stdout).unwrap();
    assert_eq!(short, format!("hadron {}\n", facts["version"].as_str().unwrap()));
    assert_eq!((&facts["protonApi"], &facts["terraform"]["oldest"]), (&"AwsProton20200720".into(), &"1.5.0".into()));
    let text = String::from_utf8(alone(folder.path(), &["version"]).stdout).unwrap();
    assert!(text.starts_with(&short) && text.contains(facts["target"].as_str().unwrap()), "{text}");
}

#[test]
fn pipes_get_no_colour_unless_it_is_forced_and_never_against_no_color() {
    // An error of the command line, and the log.
    let told = |variables: &[(&str, &str)]| {
        let env: BTreeMap<_, _> = variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let folder = TempDir::new().unwrap();
        let start = Start { env: env.clone(), flags: vec!["--nope".into()], ..Start::default() };
        let usage = String::from_utf8(hadron("status", &start, folder.path()).output().unwrap().stderr).unwrap();
        let mut plane = Plane::up(Start { env, ..Start::default() });
        let log = plane.process().stderr();
        assert!(usage.contains("--nope") && log.contains("is at work"), "{usage}{log}");
        [usage, log].map(|text| text.contains('\u{1b}'))
    };
    assert_eq!(told(&[]), [false, false]);
    assert_eq!(told(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]), [false, false]);
    assert_eq!(told(&[("CLICOLOR_FORCE", "1")]), [true, true]);
}
