//! AWS's configuration files: one section is replaced, every other byte left alone; one member is read.

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

/// What a section says; a member that lies below another one has two names: `hadron.endpoint_url`.
pub(in crate::cli) fn value(text: &str, section: &str, name: &str) -> Option<String> {
    let header = format!("[{section}]");
    let inside = text.lines().skip_while(|line| line.trim() != header).skip(1);
    let mut above = "";
    for line in inside.take_while(|line| !line.trim_start().starts_with('[')) {
        let Some((key, value)) = line.split_once('=').map(|(key, value)| (key.trim_end(), value.trim())) else {
            continue;
        };
        let below = key.trim_start();
        let nested = below.len() < key.len();
        let found = if nested { format!("{above}.{below}") == name } else { key == name };
        if found {
            return Some(value.to_owned());
        }
        if !nested {
            above = key;
        }
    }
    None
}

fn section(header: &str, body: &str) -> String {
    format!("{header}\n{body}")
}

#[cfg(test)]
mod tests {
    use super::{value, with_section};

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

    #[test]
    fn a_member_is_found_in_its_own_section_and_below_its_own_name() {
        let text = "[profile a]\nregion = one\n[profile b]\nregion=two\ns3 =\n  endpoint_url = x\nhadron =\n  endpoint_url = y\n";
        let found = |section, name| value(text, section, name);
        assert_eq!(found("profile b", "region").as_deref(), Some("two"));
        assert_eq!(found("profile b", "hadron.endpoint_url").as_deref(), Some("y"));
        assert_eq!(found("profile b", "endpoint_url"), None);
        assert_eq!(found("profile a", "s3.endpoint_url"), None);
        assert_eq!(found("profile c", "region"), None);
    }
}
