//! What is synced from a repository, and how that went.

mod definitions;
mod status;
#[cfg(test)]
mod tests;

pub(crate) use definitions::definitions;
pub(crate) use status::status;
