//! Replaces one section of an AWS configuration file and leaves every other byte alone.

/// The text with `[name]` holding exactly `body`; an existing section of that name is replaced where it stands.
pub(super) fn with_section(text: &str, name: &str, body: &str) -> String {
    let header = format!("[{name}]");
    let mut out = String::new();
    let mut lines = text.split_inclusive('\n').peekable();
    let mut written = false;
    while let Some(line) = lines.next() {
        if line.trim() != header {
            out.push_str(line);
            continue;
        }
        while lines.next_if(|next| !next.trim_start().starts_with('[')).is_some() {}
        out.push_str(&section(&header, body));
        if lines.peek().is_some() {
            out.push('\n');
        }
        written = true;
    }
    if written {
        return out;
    }
    if !out.is_empty() {
        out.push_str(if out.ends_with('\n') { "\n" } else { "\n\n" });
    }
    out + &section(&header, body)
}

fn section(header: &str, body: &str) -> String {
    format!("{header}\n{body}")
}

#[cfg(test)]
mod tests {
    use super::with_section;

    #[test]
    fn other_sections_stay_as_they_are() {
        let before =
            "# mine\n[default]\nregion = eu-west-1\n\n[profile hadron]\nold = 1\n  nested = 2\n\n[profile x]\na = b\n";
        let after = with_section(before, "profile hadron", "region = us-east-1\n");
        assert_eq!(
            after,
            "# mine\n[default]\nregion = eu-west-1\n\n[profile hadron]\nregion = us-east-1\n\n[profile x]\na = b\n"
        );
        assert_eq!(
            with_section(&after, "profile hadron", "region = us-east-1\n"),
            after,
            "a second run changes nothing"
        );
    }

    #[test]
    fn a_missing_section_is_appended() {
        assert_eq!(with_section("[a]\nb = c", "d", "e = f\n"), "[a]\nb = c\n\n[d]\ne = f\n");
        assert_eq!(with_section("", "d", "e = f\n"), "[d]\ne = f\n");
    }
}
