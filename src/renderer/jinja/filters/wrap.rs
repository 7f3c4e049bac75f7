//! `wordwrap`, as Python's `textwrap` cuts lines.

use minijinja::value::{Rest, ValueOrKwargs};
use minijinja::{Error, State, Value};

use super::text::text_of;
use crate::renderer::jinja::arguments::Arguments;
use crate::renderer::jinja::functions::text;
use crate::renderer::jinja::limits::afford;

/// `wordwrap(width=79, break_long_words=True, wrapstring=None, break_on_hyphens=True)`.
pub(super) fn wordwrap(state: &State<'_, '_>, value: &Value, given: Rest<ValueOrKwargs>) -> Result<String, Error> {
    let names = &["width", "break_long_words", "wrapstring", "break_on_hyphens"];
    let arguments = Arguments::bind(names, given)?;
    let width: usize = arguments.get_or("width", 79)?;
    let long = arguments.flag("break_long_words", true);
    let hyphens = arguments.flag("break_on_hyphens", true);
    let separator =
        arguments.value("wrapstring").filter(|given| !given.is_none()).map_or_else(|| Ok("\n".to_owned()), text)?;
    let value = text_of(state, value)?;
    // No line is shorter than a character, so this is the most that separators can add.
    afford(state, separator.len().saturating_mul(value.len()))?;
    let lines = value.lines().map(|line| wrap(line, width.max(1), long, hyphens).join(&separator));
    Ok(lines.collect::<Vec<_>>().join(&separator))
}

fn wrap(line: &str, width: usize, break_long: bool, hyphens: bool) -> Vec<String> {
    let mut chunks: Vec<String> = chunks(line, hyphens);
    chunks.reverse();
    let mut lines = Vec::new();
    while !chunks.is_empty() {
        let (mut current, mut length) = (Vec::new(), 0);
        if !lines.is_empty() && chunks.last().is_some_and(|chunk| chunk.trim().is_empty()) {
            chunks.pop();
        }
        while let Some(chunk) = chunks.pop_if(|chunk| length + chunk.chars().count() <= width) {
            length += chunk.chars().count();
            current.push(chunk);
        }
        if let Some(chunk) = chunks.pop_if(|chunk| chunk.chars().count() > width) {
            break_chunk(&mut chunks, &mut current, &chunk, width - length, break_long, hyphens);
        }
        if current.last().is_some_and(|chunk| chunk.trim().is_empty()) {
            current.pop();
        }
        if !current.is_empty() {
            lines.push(current.concat());
        }
    }
    lines
}

/// A word that is longer than a line: cut it, or give it a line of its own.
fn break_chunk(
    chunks: &mut Vec<String>,
    current: &mut Vec<String>,
    chunk: &str,
    room: usize,
    break_long: bool,
    hyphens: bool,
) {
    if break_long {
        let mut end = room.max(1);
        let head: Vec<char> = chunk.chars().take(end).collect();
        let hyphen = head.iter().rposition(|c| *c == '-');
        if let Some(at) = hyphen.filter(|at| hyphens && *at > 0 && head[..*at].iter().any(|c| *c != '-')) {
            end = at + 1;
        }
        current.push(chunk.chars().take(end).collect());
        chunks.push(chunk.chars().skip(end).collect());
    } else if current.is_empty() {
        current.push(chunk.to_owned());
    } else {
        chunks.push(chunk.to_owned());
    }
}

/// Words and the blanks between them, words with hyphens in pieces.
fn chunks(line: &str, hyphens: bool) -> Vec<String> {
    let mut chunks: Vec<String> = Vec::new();
    let characters: Vec<char> = line.chars().collect();
    for (index, c) in characters.iter().enumerate() {
        let before = index.checked_sub(1).map(|at| characters[at]);
        let starts = match before {
            None => true,
            Some(before) if before.is_whitespace() != c.is_whitespace() => true,
            Some('-') => hyphens && cuts_after_hyphen(&characters, index),
            Some(_) => false,
        };
        if starts {
            chunks.push(c.to_string());
        } else if let Some(chunk) = chunks.last_mut() {
            chunk.push(*c);
        }
    }
    chunks
}

/// A hyphen between letters ends a piece; one between digits, or of an option, doesn't.
fn cuts_after_hyphen(characters: &[char], index: usize) -> bool {
    let letter = |at: usize| characters.get(at).is_some_and(|c| c.is_alphabetic() || *c == '_');
    index >= 3 && letter(index - 2) && (letter(index - 3) || characters[index - 3] == '-') && letter(index)
}
