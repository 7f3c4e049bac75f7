//! A case's text with what is so now in place of what was expected.

use super::PlanSeen;
use crate::domain::Problems;
use crate::domain::yaml::{self, Content, Node};

/// The text of a case with the counts of a plan where it has other ones, and otherwise as it was written.
///
/// # Errors
/// Text that is no YAML.
pub fn with_counts(file: &str, text: &str, plan: &PlanSeen) -> Result<String, Problems> {
    let document = yaml::parse(file, text)?;
    let expected = document.get("expect").and_then(|expect| expect.get("plan"));
    let mut counts: Vec<(usize, u64)> = Vec::new();
    for action in ["create", "update", "replace", "delete"] {
        let number = |node: &&Node| matches!(node.content, Content::Number(_));
        let node = expected.and_then(|plan| plan.get(action)).filter(number);
        counts.extend(node.and_then(|node| node.at).map(|at| (at.start, plan.count(action))));
    }
    // From the end, so that the places before stay where they are.
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let mut characters: Vec<char> = text.chars().collect();
    for (start, count) in counts {
        let digits = characters[start..].iter().take_while(|character| character.is_ascii_digit()).count();
        characters.splice(start..start + digits, count.to_string().chars());
    }
    Ok(characters.into_iter().collect())
}
