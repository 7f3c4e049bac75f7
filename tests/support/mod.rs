//! What the test binaries share: foreign tools, an emulated AWS, Hadron's own binary, a shell with the real AWS CLI.
//!
//! A test that needs one of these gets it here or fails with a clear word; none is skipped. The Python tools are
//! installed once below `target/tools`.

pub(crate) mod aws;
pub(crate) mod bundle;
pub(crate) mod moto;
pub(crate) mod npm;
pub(crate) mod plane;
pub(crate) mod postgres;
pub(crate) mod process;
pub(crate) mod promtool;
pub(crate) mod shell;
pub(crate) mod tools;

use std::path::{Path, PathBuf};

/// The example templates of this repository.
pub(crate) fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}
