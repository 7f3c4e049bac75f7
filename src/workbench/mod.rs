//! The tools of template authors: a bundle on this machine's disk is read, checked as registration checks it and beyond,
//! and rendered as a deployment would render it. No server and no network take part.

pub mod cases;
mod check;
mod finding;
mod init;
mod layout;
mod module;
pub mod parcel;
mod render;
mod report;
pub mod schemas;
mod source;

pub use check::{Options, check};
pub use finding::{Finding, Report, Severity};
pub use init::{Start, from_module, start};
pub use render::{Choice, Given, Rendering, WorkbenchError, lay_out, render, values};
pub use report::{Format, write as write_report};
pub use source::{Source, module_files, read_text};
