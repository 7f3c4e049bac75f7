//! What both rooms mean by a word: values in, values out; no I/O, no async, no clock.

mod bundle;
mod deployment;
#[cfg(test)]
mod editor;
mod id;
mod inputs;
mod outputs;
mod problem;
mod schema;
mod spec;
mod target;
mod verdict;
pub(crate) mod yaml;

pub use bundle::{
    BACKEND_FILE, Bundle, BundleKind, Engine, Files, GENERATED_FILES, Intake, LOCK_FILE, METADATA_FILE, Part, Role,
    VALUES_FILE, check_alone, check_bundle, check_part, examine_bundle, generated_file, has_pipeline,
    is_left_by_terraform, lock_key, open_bundle, open_bundle_of, pack, pack_component, unpack,
};
pub use deployment::{IllegalMove, advance};
pub use id::{Scope, partition};
pub use inputs::{
    Attachment, EnvironmentFacts, OutputTexts, PipelineInstance, ServiceFacts, component_inputs, environment_inputs,
    instance_inputs, pipeline_inputs, state_key,
};
pub use outputs::{LONGEST_TEXT, MOST_OUTPUTS, Output, Outputs, proton_outputs};
pub use problem::{Problem, Problems, nearest};
pub use schema::{Form, InputShape, InputType, Schema};
pub use spec::{EnvironmentSpec, InstanceSpec, ServiceSpec};
pub use target::{Target, UnknownTarget};
pub use verdict::{Finding, Verdict};
pub use yaml::{yaml_key, yaml_value};
