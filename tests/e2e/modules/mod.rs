//! `modules/`: each example is applied and destroyed with the real AWS provider against an emulated AWS, what its tasks get
//! is held against the real `hadron`, wrong inputs are refused, and the READMEs tell what there is.

mod inputs;
mod lives;
mod permissions;
mod readme;
mod site;
mod syntax;
mod tasks;

/// The modules' folders.
const MODULES: &[&str] = &["agent", "ci-role", "control-plane", "environment-role", "state-bucket"];
