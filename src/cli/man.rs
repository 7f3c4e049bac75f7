//! `hadron man`: man pages, one a command, out of the same declarations as `--help`.

use std::fmt::Write as _;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::{Args, Command};
use clap_mangen::Man;
use serde_json::json;

use super::tree::tree;
use super::{Exit, Failure, Form, print};

#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write a page for every command into this folder; without it the page of `hadron` itself is printed
    #[arg(value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Prints the first page, or writes all of them.
pub(super) fn run(args: &ManArgs, form: Form) -> Result<Exit, Failure> {
    let pages = pages()?;
    match (&args.folder, form) {
        (Some(folder), form) => {
            write(&pages, folder)?;
            let names: Vec<&str> = pages.iter().map(|page| page.file.as_str()).collect();
            match form {
                Form::Json => print::json(&json!({ "folder": folder, "pages": names }))?,
                Form::Text => print::text(&format!("wrote {} pages to {}\n", names.len(), folder.display()))?,
            }
        }
        (None, Form::Text) => print::out().write_all(&pages[0].text)?,
        (None, Form::Json) => {
            let error = anyhow!("a man page has a form of its own");
            return Err(Failure::new(Exit::Usage, error).hint("leave --output out, or name a folder"));
        }
    }
    Ok(Exit::Done)
}

/// A page, and the name that `man` finds it by.
struct Page {
    file: String,
    text: Vec<u8>,
}

fn write(pages: &[Page], folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))?;
    for page in pages {
        let path = folder.join(&page.file);
        fs::write(&path, &page.text).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// All pages, that of `hadron` first.
fn pages() -> Result<Vec<Page>, Failure> {
    let mut tree = tree().disable_help_subcommand(true);
    // Names each command by its whole path, and gives it the options of all.
    tree.build();
    let mut pages = Vec::new();
    collect(&tree, &mut pages)?;
    pages[0].text.extend(exit_status().into_bytes());
    Ok(pages)
}

fn collect(command: &Command, pages: &mut Vec<Page>) -> Result<(), Failure> {
    let man = Man::new(command.clone()).source(concat!("hadron ", env!("CARGO_PKG_VERSION"))).manual("Hadron");
    let mut text = Vec::new();
    man.render(&mut text).context("writing a man page")?;
    pages.push(Page { file: man.get_filename(), text: in_ascii(&text) });
    command.get_subcommands().try_for_each(|part| collect(part, pages))
}

/// As troff names what isn't ASCII; it reads UTF-8 only when told to.
fn in_ascii(text: &[u8]) -> Vec<u8> {
    let mut out = String::new();
    for letter in String::from_utf8_lossy(text).chars() {
        match letter.is_ascii() {
            true => out.push(letter),
            false => write!(out, "\\[u{:04X}]", u32::from(letter)).expect("text takes text"),
        }
    }
    out.into_bytes()
}

fn exit_status() -> String {
    let mut text = ".SH \"EXIT STATUS\"\n".to_owned();
    for exit in Exit::ALL {
        write!(text, ".TP\n\\fB{}\\fR\n{}\n", exit as u8, exit.meaning()).expect("text takes text");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What clap_mangen's pages are made of; anything else would be text that troff took for a request.
    const REQUESTS: [&str; 9] = [".TH", ".SH", ".TP", ".IP", ".br", ".RS", ".RE", ".ie", ".el"];

    #[test]
    fn every_command_has_a_page_that_troff_reads_as_it_is_meant() {
        let pages = pages().unwrap();
        let files: Vec<&str> = pages.iter().map(|page| page.file.as_str()).collect();
        assert_eq!(files[0], "hadron.1");
        for file in ["hadron-serve.1", "hadron-audit.1", "hadron-audit-list.1", "hadron-man.1"] {
            assert!(files.contains(&file), "no {file} in {files:?}");
        }
        for Page { file, text } in &pages {
            assert!(text.is_ascii(), "{file}");
            let text = std::str::from_utf8(text).unwrap();
            let name = format!(".SH NAME\n{} \\- ", file.trim_end_matches(".1").replace('-', "\\-"));
            assert!(text.contains(&name), "{file}:\n{text}");
            assert!(text.contains(".TH ") && text.contains(".SH SYNOPSIS\n"), "{file}:\n{text}");
            for line in text.lines().filter(|line| line.starts_with(['.', '\''])) {
                assert!(REQUESTS.iter().any(|request| line.starts_with(request)), "{file}: {line}");
            }
        }
    }

    #[test]
    fn the_first_page_tells_every_exit_code() {
        let page = String::from_utf8(pages().unwrap().remove(0).text).unwrap();
        assert!(page.contains("hadron \\- Proton after Proton: "), "{page}");
        assert!(page.contains(".SH \"EXIT STATUS\"\n.TP\n\\fB0\\fR\ndone\n"), "{page}");
        assert!(page.contains("\\fB130\\fR\ncancelled"), "{page}");
    }
}
