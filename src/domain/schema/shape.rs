//! A schema as those see it who look at templates: which values there are, and which may be missing.

use std::sync::Arc;

use serde_json::Value;

use super::types::{Others, Shape, Type};
use super::{InputType, Schema};

/// What a schema says of one value. It looks into the schema step by step, so that types which refer to each other cost
/// nothing until they are looked at.
#[derive(Debug, Clone)]
pub struct InputShape(Arc<Type>);

/// What kind of value it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the schema's own words")]
pub enum Form {
    Boolean,
    String,
    Integer,
    Number,
    Array,
    Object,
}

impl Schema {
    /// The inputs of this kind: always an object.
    pub fn shape(&self, which: InputType) -> Option<InputShape> {
        self.inputs.get(&which).cloned().map(InputShape)
    }

    /// Line and column at which an input of this kind is named, both counted from 1.
    pub fn place(&self, which: InputType, input: &str) -> Option<(usize, usize)> {
        let place = self.places.get(&which)?.get(input)?;
        Some((place.line, place.column))
    }
}

impl InputShape {
    pub(super) fn declared(&self) -> &Type {
        &self.0
    }

    /// The kind of value.
    pub fn form(&self) -> Form {
        match &self.0.shape {
            Shape::Boolean => Form::Boolean,
            Shape::Text { .. } => Form::String,
            Shape::Number { integer: true, .. } => Form::Integer,
            Shape::Number { .. } => Form::Number,
            Shape::Array { .. } => Form::Array,
            Shape::Object { .. } => Form::Object,
        }
    }

    /// Whether null is let in.
    pub fn is_nullable(&self) -> bool {
        self.0.nullable
    }

    /// The default, where there is one.
    pub fn default(&self) -> Option<&Value> {
        self.0.default.as_ref()
    }

    /// The names of an object's properties, in the schema's order.
    pub fn names(&self) -> Vec<&str> {
        match &self.0.shape {
            Shape::Object { properties, .. } => properties.iter().map(|(name, _)| name.as_str()).collect(),
            _ => Vec::new(),
        }
    }

    /// A property of an object: one that it names, or what it says of all others.
    pub fn member(&self, name: &str) -> Option<Self> {
        let Shape::Object { properties, others, .. } = &self.0.shape else { return None };
        let named = properties.iter().find(|(known, _)| known == name).map(|(_, declared)| declared);
        named.or(if let Others::Of(declared) = others { Some(declared) } else { None }).cloned().map(Self)
    }

    /// Whether an object takes properties that it doesn't name.
    pub fn is_open(&self) -> bool {
        matches!(&self.0.shape, Shape::Object { others: Others::Any | Others::Of(_), .. })
    }

    /// Whether every value of the object has this property: it is required, or has a default.
    pub fn always_has(&self, name: &str) -> bool {
        let Shape::Object { properties, required, .. } = &self.0.shape else { return false };
        let named = properties.iter().find(|(known, _)| known == name);
        named.is_some_and(|(_, declared)| declared.default.is_some() || required.contains(name))
    }

    /// The items of an array, where the schema describes them.
    pub fn items(&self) -> Option<Self> {
        let Shape::Array { items, .. } = &self.0.shape else { return None };
        items.clone().map(Self)
    }
}
