//! A bundle's schema: which inputs a template takes.
//!
//! The subset of `OpenAPI` 3.0's Schema Object that Proton knew, and `$ref` inside `types`.
//! <https://docs.aws.amazon.com/proton/latest/userguide/ag-schema.html>
//! <https://spec.openapis.org/oas/v3.0.3#schema-object>

mod check;
mod compatibility;
mod document;
mod number;
mod read;
mod rules;
mod sample;
mod shape;
mod types;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

pub use shape::{Form, InputShape};

use super::yaml::{Node, Place};
use super::{BundleKind, Problem, Problems};
#[cfg(test)]
pub(super) use read::names_a_keyword;
use types::Type;

/// Where a bundle keeps its schema.
pub(super) const SCHEMA_FILE: &str = "schema/schema.yaml";

/// Whose inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputType {
    /// `environment_input_type`.
    Environment,
    /// `service_input_type`: the inputs of an instance.
    Service,
    /// `pipeline_input_type`.
    Pipeline,
}

impl InputType {
    /// The key of the schema that names the type.
    pub fn key(self) -> &'static str {
        match self {
            Self::Environment => "environment_input_type",
            Self::Service => "service_input_type",
            Self::Pipeline => "pipeline_input_type",
        }
    }
}

/// A schema whose every type is known and whose every default obeys it.
#[derive(Debug, Clone)]
pub struct Schema {
    inputs: BTreeMap<InputType, Arc<Type>>,
    /// Where the names of the inputs are written.
    places: BTreeMap<InputType, BTreeMap<String, Place>>,
}

impl Schema {
    /// Reads `schema/schema.yaml` of a bundle.
    ///
    /// `has_pipeline` tells whether the bundle carries a pipeline, `customer_managed` whether the template's
    /// provisioning (of a service: its pipeline's) is `CUSTOMER_MANAGED`.
    ///
    /// # Errors
    /// Every mistake in the text, with line and column.
    pub fn parse(text: &str, kind: BundleKind, has_pipeline: bool, customer_managed: bool) -> Result<Self, Problems> {
        document::read(text, kind, has_pipeline, customer_managed)
    }

    /// Whether the schema declares inputs of this kind.
    pub fn declares(&self, which: InputType) -> bool {
        self.inputs.contains_key(&which)
    }

    /// Checks given values and fills in the defaults; properties come in the order of the schema.
    ///
    /// # Errors
    /// Every mistake, without lines, since the values have lost them: specs are checked by their own types.
    pub fn resolve(&self, which: InputType, given: &Map<String, Value>) -> Result<Map<String, Value>, Problems> {
        self.check("spec", which, &Node::of_map(given, None))
    }

    /// [`Self::resolve`] for values that know where they stand.
    pub(super) fn check(&self, file: &str, which: InputType, given: &Node) -> Result<Map<String, Value>, Problems> {
        let Some(declared) = self.inputs.get(&which) else {
            if given.entries().is_empty() {
                return Ok(Map::new());
            }
            let message = format!("the template takes no inputs here, its schema has no `{}`", which.key());
            return Err(given.problem(file, message, "remove them").into());
        };
        match check::checked(file, declared, given, "")? {
            Value::Object(map) => Ok(map),
            // Only objects are let in as input types.
            _ => Err(Problem::of(file, "the inputs are no map", "").into()),
        }
    }

    /// What a spec written for `older` could trip over; empty when this is a proper minor version of it.
    pub fn incompatible_with(&self, older: &Schema) -> Problems {
        compatibility::compare(self, older)
    }
}

#[cfg(test)]
mod tests;
