//! EventBridge's event patterns: which events a sink wants.
//!
//! A pattern has the structure of the events that it matches. All of its fields must match; a field matches when any of
//! the conditions in its array does, and a field that holds an array matches by any of its elements.
//!
//! <https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html>

mod read;
#[cfg(test)]
mod tests;

use std::net::IpAddr;

use serde_json::{Map, Value};

pub use read::Mistake;

/// A pattern that was read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    fields: Vec<(String, Field)>,
    /// What stands below `$or`: one of each list must match.
    alternatives: Vec<Vec<Pattern>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Field {
    /// A field with fields of its own.
    Nested(Pattern),
    /// Any of these.
    Leaf(Vec<Condition>),
}

#[derive(Debug, Clone, PartialEq)]
enum Condition {
    /// Text, number, truth value or null, exactly.
    Equals(Value),
    Text(Text),
    /// None of these values, and none of these texts.
    AnythingBut {
        values: Vec<Value>,
        texts: Vec<Text>,
    },
    /// All of these comparisons.
    Numeric(Vec<(Comparison, f64)>),
    Cidr {
        network: IpAddr,
        bits: u8,
    },
    Exists(bool),
}

/// A condition on text.
#[derive(Debug, Clone, PartialEq)]
enum Text {
    Prefix(String, Case),
    Suffix(String, Case),
    /// Whatever the case.
    Same(String),
    /// The pieces between the asterisks.
    Wildcard(Vec<String>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Case {
    Kept,
    Ignored,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Less,
    AtMost,
    Equal,
    AtLeast,
    More,
}

impl Pattern {
    /// Reads a pattern and checks all of it.
    ///
    /// # Errors
    /// Every mistake, each with its place.
    pub fn read(pattern: &Value) -> Result<Self, Vec<Mistake>> {
        read::pattern(pattern)
    }

    /// Whether an event is wanted.
    pub fn matches(&self, event: &Value) -> bool {
        event.as_object().is_some_and(|event| self.matches_object(event))
    }

    /// Whether a top-level field may have this value at all: false tells that no event with it is ever wanted.
    pub fn allows(&self, field: &str, value: &str) -> bool {
        let value = Value::from(value);
        let own = self.fields.iter().filter(|(name, _)| name == field).all(|(_, wanted)| wanted.matches(Some(&value)));
        own && self.alternatives.iter().all(|any| any.iter().any(|pattern| pattern.allows(field, text(&value))))
    }

    fn matches_object(&self, object: &Map<String, Value>) -> bool {
        self.fields.iter().all(|(name, field)| field.matches(object.get(name)))
            && self.alternatives.iter().all(|any| any.iter().any(|pattern| pattern.matches_object(object)))
    }
}

impl Field {
    fn matches(&self, found: Option<&Value>) -> bool {
        match (self, found) {
            (Self::Nested(pattern), Some(Value::Object(object))) => pattern.matches_object(object),
            // The fields of one element must match together.
            (Self::Nested(_), Some(Value::Array(elements))) => elements.iter().any(|it| self.matches(Some(it))),
            // Below what isn't there, only what mustn't be there matches.
            (Self::Nested(pattern), _) => pattern.matches_object(&Map::new()),
            (Self::Leaf(conditions), found) => conditions.iter().any(|condition| condition.holds(found)),
        }
    }
}

impl Condition {
    fn holds(&self, found: Option<&Value>) -> bool {
        match self {
            // Fields with fields of their own aren't leaves, and `exists` looks at leaves only.
            Self::Exists(wanted) => found.is_some_and(|value| !value.is_object()) == *wanted,
            _ => match found {
                None | Some(Value::Object(_)) => false,
                Some(Value::Array(elements)) => elements.iter().any(|element| self.holds_for(element)),
                Some(value) => self.holds_for(value),
            },
        }
    }

    fn holds_for(&self, value: &Value) -> bool {
        match self {
            Self::Equals(wanted) => wanted == value,
            Self::Text(wanted) => value.as_str().is_some_and(|text| wanted.holds(text)),
            Self::AnythingBut { values, texts } => {
                !values.contains(value) && !value.as_str().is_some_and(|it| texts.iter().any(|text| text.holds(it)))
            }
            Self::Numeric(comparisons) => value.as_f64().is_some_and(|number| {
                comparisons.iter().all(|(comparison, against)| comparison.holds(number, *against))
            }),
            Self::Cidr { network, bits } => text(value).parse().is_ok_and(|address| within(address, *network, *bits)),
            Self::Exists(wanted) => *wanted,
        }
    }
}

impl Text {
    fn holds(&self, text: &str) -> bool {
        match self {
            Self::Prefix(start, Case::Kept) => text.starts_with(start),
            Self::Prefix(start, Case::Ignored) => text.to_lowercase().starts_with(&start.to_lowercase()),
            Self::Suffix(end, Case::Kept) => text.ends_with(end),
            Self::Suffix(end, Case::Ignored) => text.to_lowercase().ends_with(&end.to_lowercase()),
            Self::Same(other) => text.to_lowercase() == other.to_lowercase(),
            Self::Wildcard(pieces) => wild(pieces, text),
        }
    }
}

impl Comparison {
    fn holds(self, number: f64, against: f64) -> bool {
        match self {
            Self::Less => number < against,
            Self::AtMost => number <= against,
            Self::Equal => (number - against).abs() < f64::EPSILON,
            Self::AtLeast => number >= against,
            Self::More => number > against,
        }
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Whether text consists of the pieces in their order, with anything between them. The first must begin it, the last
/// end it; of those between, the earliest place is as good as any.
fn wild(pieces: &[String], text: &str) -> bool {
    let Some((first, rest)) = pieces.split_first() else { return false };
    let Some((last, middle)) = rest.split_last() else { return text == first };
    let Some(mut left) = text.strip_prefix(first.as_str()) else { return false };
    for piece in middle {
        let Some(at) = left.find(piece.as_str()) else { return false };
        left = &left[at + piece.len()..];
    }
    left.ends_with(last.as_str())
}

fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let differs = u32::from(address) ^ u32::from(network);
            differs.checked_shr(32 - u32::from(bits)).unwrap_or(0) == 0
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let differs = u128::from(address) ^ u128::from(network);
            differs.checked_shr(128 - u32::from(bits)).unwrap_or(0) == 0
        }
        _ => false,
    }
}
