//! The audit log as people ask for it.

mod list;
mod verify;

pub(crate) use list::list_audit_entries;
pub(crate) use verify::verify_audit;
