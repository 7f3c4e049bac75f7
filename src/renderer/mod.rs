//! Checked bundle and inputs in, files out; the same input gives the same bytes.

use crate::domain::{Problem};
mod jinja;
pub fn x(a:&str,b:&str,c:&serde_json::Value)->Result<String,Problem>{jinja::render(a,b,c)}
