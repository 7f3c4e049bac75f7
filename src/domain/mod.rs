//! What both rooms mean by a word: values in, values out; no I/O, no async, no clock.

mod bundle;
mod deployment;
mod id;
mod inputs;
mod outputs;
mod problem;
mod schema;
mod spec;
mod target;
mod yaml;

pub use bundle::{
    Bundle, BundleKind, Engine, Files, LOCK_FILE, Part, check_bundle, open_bundle, pack, pack_component, unpack,
};
pub use deployment::{IllegalMove, advance};
pub use id::{Scope, partition};
pub use inputs::{
    Attachment, EnvironmentFacts, OutputTexts, PipelineInstance, ServiceFacts, component_inputs, environment_inputs,
    instance_inputs, pipeline_inputs, state_key,
};
pub use outputs::{LONGEST_TEXT, MOST_OUTPUTS, Output, Outputs, proton_outputs};
pub use problem::{Problem, Problems};
pub use schema::{InputType, Schema};
pub use spec::{EnvironmentSpec, InstanceSpec, ServiceSpec};
pub use target::{Target, UnknownTarget};
