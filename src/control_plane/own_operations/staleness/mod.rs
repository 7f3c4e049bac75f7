//! Staleness: what is behind its template, by how much, since when, and whose it is.

mod outputs;
mod report;
mod templates;
#[cfg(test)]
mod tests;

pub(crate) use report::report_stale;
