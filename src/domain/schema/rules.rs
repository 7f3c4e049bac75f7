//! What narrows a type down: patterns and bounds.

use regex::Regex;
use serde_json::Number;

use super::number::compare;

/// A `pattern`, which may match anywhere in the text: authors anchor it themselves.
#[derive(Debug, Clone)]
pub(super) struct Pattern(Regex);

impl Pattern {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// Why it can't be compiled, in one line.
    pub(super) fn new(source: &str) -> Result<Self, String> {
        Regex::new(source).map(Self).map_err(|error| {
            let text = error.to_string();
            text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    pub(super) fn source(&self) -> &str {
        self.0.as_str()
    }
}

/// One end of a range of numbers.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bound {
    pub(super) value: Number,
    pub(super) exclusive: bool,
}

impl Bound {
    /// Whether a number is large enough for this lower bound.
    pub(super) fn is_below(&self, number: &Number) -> bool {
        let order = compare(&self.value, number);
        order.is_lt() || (order.is_eq() && !self.exclusive)
    }

    /// Whether a number is small enough for this upper bound.
    pub(super) fn is_above(&self, number: &Number) -> bool {
        let order = compare(&self.value, number);
        order.is_gt() || (order.is_eq() && !self.exclusive)
    }
}
