//! Whether lines are coloured.

use std::collections::BTreeMap;

use super::Resolved;

impl Resolved {
    /// Whether a stream is written to in colour, which is a terminal or not.
    pub fn coloured(&self, terminal: bool) -> bool {
        coloured(self.surroundings().0, terminal)
    }
}

/// On a terminal, unless the user's environment says otherwise in the words that programs have agreed on
/// (<https://no-color.org>, <https://bixense.com/clicolors>).
fn coloured(environment: &BTreeMap<String, String>, terminal: bool) -> bool {
    let set = |name: &str| environment.get(name).map(String::as_str).filter(|value| !value.is_empty());
    if set("NO_COLOR").is_some() {
        return false;
    }
    if set("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    terminal && set("CLICOLOR") != Some("0") && set("TERM") != Some("dumb")
}

#[cfg(test)]
mod tests {
    use super::coloured;

    #[test]
    fn colour_is_for_terminals_and_for_who_wants_it() {
        let told = |variables: &[(&str, &str)], terminal| {
            let environment = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            coloured(&environment, terminal)
        };
        assert!(told(&[], true) && !told(&[], false));
        assert!(!told(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true), "NO_COLOR wins");
        assert!(told(&[("NO_COLOR", "")], true), "an empty one says nothing");
        assert!(told(&[("CLICOLOR_FORCE", "1")], false) && !told(&[("CLICOLOR_FORCE", "0")], false));
        assert!(!told(&[("CLICOLOR", "0")], true) && !told(&[("TERM", "dumb")], true));
    }
}
