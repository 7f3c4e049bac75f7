//! What went wrong in a template, said to its author.

use minijinja::{Error, ErrorKind};

use crate::domain::Problem;

/// The problem behind an error of minijinja, at the expression that it is about.
pub(super) fn of(file: &str, source: &str, error: &Error) -> Problem {
    let error = innermost(error);
    let (mut message, remedy) = say(error);
    // What is undefined is named already, and better than by the piece that the engine stopped at.
    let named = error.kind() == ErrorKind::UndefinedError && error.detail().is_some();
    if let Some(expression) = expression(source, error)
        && !named
        && !message.contains(&expression)
    {
        message = format!("{message}, in `{expression}`");
    }
    let problem = Problem::of(file, message, remedy);
    match (error.line(), error.range()) {
        (Some(line), Some(range)) => problem.at(line, column(source, range.start)),
        (Some(line), None) => Problem { line: Some(line), ..problem },
        (None, _) => problem,
    }
}

/// An error inside a macro or block is wrapped by those of its callers; the inner one names the culprit.
fn innermost(error: &Error) -> &Error {
    let mut inner = error;
    while let Some(source) = std::error::Error::source(inner).and_then(|source| source.downcast_ref::<Error>()) {
        if source.line().is_none() {
            break;
        }
        inner = source;
    }
    inner
}

fn say(error: &Error) -> (String, String) {
    let detail = error.detail().unwrap_or_default();
    let otherwise = || if detail.is_empty() { error.kind().to_string() } else { detail.to_owned() };
    match error.kind() {
        ErrorKind::UndefinedError => (
            if detail.is_empty() { "a value is undefined".to_owned() } else { detail.to_owned() },
            "correct its name, pass the input, or pipe it to default(…)".to_owned(),
        ),
        ErrorKind::OutOfFuel => (
            "the template asks for too much work".to_owned(),
            "look for an endless loop, a huge range or a text that is multiplied".to_owned(),
        ),
        ErrorKind::TemplateNotFound => (
            "a template can't include or extend another".to_owned(),
            "put everything into the one file that the manifest names".to_owned(),
        ),
        ErrorKind::SyntaxError => {
            (otherwise(), "close each {{ by }} and each {% by %}, and if, for and macro by their end".to_owned())
        }
        ErrorKind::UnknownFilter | ErrorKind::UnknownTest => {
            (otherwise(), "correct its name: there are those of Jinja2 and Proton's own".to_owned())
        }
        _ => (otherwise(), String::new()),
    }
}

/// The failing piece of the template in one short line.
fn expression(source: &str, error: &Error) -> Option<String> {
    const LONGEST: usize = 80;
    let piece = source.get(error.range()?)?.split_whitespace().collect::<Vec<_>>().join(" ");
    if piece.is_empty() {
        return None;
    }
    if piece.chars().count() <= LONGEST {
        return Some(piece);
    }
    Some(piece.chars().take(LONGEST).chain(['…']).collect())
}

pub(super) fn column(source: &str, offset: usize) -> usize {
    let before = source.get(..offset).unwrap_or_default();
    before.rsplit('\n').next().unwrap_or_default().chars().count() + 1
}
