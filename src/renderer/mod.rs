//! Checked bundle and inputs in, files out; the same input gives the same bytes.

mod jinja;
