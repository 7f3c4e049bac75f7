//! The types of a schema.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Number, Value};

use super::super::yaml::Place;
use super::rules::{Bound, Pattern};

/// A Schema Object.
#[derive(Debug, Clone)]
pub(super) struct Type {
    /// Where it is written, to name the line of an incompatible change.
    pub(super) at: Option<Place>,
    pub(super) nullable: bool,
    /// Checked, with the defaults of what lies in it.
    pub(super) default: Option<Value>,
    /// `enum`.
    pub(super) choices: Option<Vec<Value>>,
    pub(super) shape: Shape,
}

/// What `type` says, with the rules that apply to it.
#[derive(Debug, Clone)]
pub(super) enum Shape {
    Boolean,
    Text { length: Count, pattern: Option<Pattern> },
    Number { integer: bool, minimum: Option<Bound>, maximum: Option<Bound>, multiple_of: Option<Number> },
    Array { items: Option<Arc<Type>>, count: Count, unique: bool },
    Object { properties: Vec<(String, Arc<Type>)>, required: BTreeSet<String>, others: Others },
}

/// How many characters or items; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) least: Option<u64>,
    pub(super) most: Option<u64>,
}

/// Properties that the schema doesn't name.
#[derive(Debug, Clone)]
pub(super) enum Others {
    /// The default: a mistyped name must not pass silently.
    Refused,
    /// `additionalProperties: true`, or an object without a single property.
    Any,
    Of(Arc<Type>),
}

impl Shape {
    /// `type`'s own word for it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Boolean => "boolean",
            Self::Text { .. } => "string",
            Self::Number { integer: true, .. } => "integer",
            Self::Number { .. } => "number",
            Self::Array { .. } => "array",
            Self::Object { .. } => "object",
        }
    }

    /// The same with its article.
    pub(super) fn described(&self) -> String {
        let name = self.name();
        let article = if name.starts_with(['a', 'i', 'o']) { "an" } else { "a" };
        format!("{article} {name}")
    }
}
