//! Markdown that means what the text says.

/// The note at the top of each page.
pub(super) const MADE: &str = "<!-- Made from the code: HADRON_UPDATE=1 cargo test --lib cli::reference -->\n";

/// A table; what stands in `heads` and cells is Markdown already.
pub(super) fn table<const N: usize>(heads: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let line = |cells: [String; N]| format!("| {} |\n", cells.join(" | "));
    let rule = format!("|{}\n", "---|".repeat(N));
    line(heads.map(str::to_owned)) + &rule + &rows.into_iter().map(line).collect::<String>()
}

/// Prose in a cell: what looks like markup isn't, but for backticks.
pub(super) fn prose(text: &str) -> String {
    let mut inside = false;
    let escaped = |letter: char| {
        inside ^= letter == '`';
        match letter {
            '|' => "\\|".to_owned(),
            '\n' => " ".to_owned(),
            '<' if !inside => "&lt;".to_owned(),
            '*' | '_' | '[' | ']' if !inside => format!("\\{letter}"),
            _ => letter.to_string(),
        }
    };
    text.chars().map(escaped).collect()
}

/// Code in a cell.
pub(super) fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|").replace('\n', " "))
}

/// Several pieces of code, one after the other.
pub(super) fn codes<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    texts.into_iter().map(code).collect::<Vec<_>>().join(", ")
}

/// The text with a capital at its beginning.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
