//! What is behind its template: asked for, and sent.

mod report;
mod send;
#[cfg(test)]
mod tests;

pub(crate) use report::report_stale;
pub(crate) use send::send_stale_report;
