//! Specs: the inputs that a developer writes down for an environment or a service.

use serde_json::{Map, Value};

use super::{Problem, Problems, Schema};

/// The spec of an environment.
#[derive(Debug, Clone, PartialEq)]
pub struct EnvironmentSpec {
    /// Checked against the schema, defaults filled in.
    pub inputs: Map<String, Value>,
}

impl EnvironmentSpec {
    /// Reads and checks a spec.
    pub fn parse(_text: &str, _schema: &Schema) -> Result<Self, Problems> {
        Err(unfinished())
    }
}

/// The spec of a whole service.
#[derive(Debug, Clone)]
pub struct ServiceSpec {
    /// The pipeline's inputs as written.
    pub pipeline: Option<Map<String, Value>>,
    /// In the order of the text.
    pub instances: Vec<InstanceSpec>,
}

/// One instance of a service's spec.
#[derive(Debug, Clone)]
pub struct InstanceSpec {
    /// The instance's name.
    pub name: String,
    /// The environment that it runs in.
    pub environment: String,
    /// Its inputs as written.
    pub spec: Map<String, Value>,
}

impl ServiceSpec {
    /// Reads the structure; the inputs are checked by [`Self::instance_inputs`] and [`Self::pipeline_inputs`].
    pub fn parse(_text: &str) -> Result<Self, Problems> {
        Err(unfinished())
    }

    /// The instance of this name.
    pub fn instance(&self, name: &str) -> Option<&InstanceSpec> {
        self.instances.iter().find(|instance| instance.name == name)
    }

    /// An instance's inputs, checked, defaults filled in, `${Proton::CURRENT_VAL}` taken from `current`.
    pub fn instance_inputs(
        &self,
        _name: &str,
        _schema: &Schema,
        _current: Option<&Map<String, Value>>,
    ) -> Result<Map<String, Value>, Problems> {
        Err(unfinished())
    }

    /// The pipeline's inputs, as [`Self::instance_inputs`].
    pub fn pipeline_inputs(
        &self,
        _schema: &Schema,
        _current: Option<&Map<String, Value>>,
    ) -> Result<Map<String, Value>, Problems> {
        Err(unfinished())
    }

    /// The text with every `${Proton::CURRENT_VAL}` replaced by the value that `old_text` has there.
    pub fn without_current_val(_text: &str, _old_text: &str) -> Result<String, Problems> {
        Err(unfinished())
    }

    /// `text` with the instance `name` as `other` has it, added if it isn't there; `text` itself where that changes
    /// nothing.
    pub fn with_instance_of(_text: &str, _name: &str, _other: &str) -> Result<String, Problems> {
        Err(unfinished())
    }

    /// `text` with the pipeline's inputs as `other` has them.
    pub fn with_pipeline_of(_text: &str, _other: &str) -> Result<String, Problems> {
        Err(unfinished())
    }
}

fn unfinished() -> Problems {
    Problem::of("spec", "specs can't be read yet", "").into()
}
