//! What a template speaks of.

use crate::domain::Problem;

/// One path that a template reads, such as `environment.inputs.port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mention {
    /// The names from the top.
    pub path: Vec<Step>,
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1, in characters.
    pub column: usize,
    /// Whether the template copes with its absence.
    pub guarded: bool,
    /// Whether all that lies below the path is used with it, as when it is handed on.
    pub as_whole: bool,
}

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// A member by its name.
    Name(String),
    /// An item of a list, or a member whose name only the values tell.
    Any,
}

impl Mention {
    /// The path as it is written in Jinja and in Terraform.
    pub fn name(&self) -> String {
        path_name(&self.path)
    }
}

/// A path as it is written.
pub fn path_name(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Name(name) if text.is_empty() => text.push_str(name),
            Step::Name(name) => {
                text.push('.');
                text.push_str(name);
            }
            Step::Any => text.push_str("[]"),
        }
    }
    text
}

/// Every path that a Jinja template reads; the template is not rendered.
///
/// # Errors
/// A mistake of syntax.
pub fn mentions(file: &str, source: &str) -> Result<Vec<Mention>, Problem> {
    super::jinja::mentions(file, source)
}
