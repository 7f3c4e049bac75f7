//! Services, their instances and their pipelines.

mod followup;

pub(crate) use followup::{after_instance_finished, after_pipeline_finished};
