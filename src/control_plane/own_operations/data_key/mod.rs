//! The keys that the record is sealed under.

mod rotate;

pub(super) use rotate::rotate_data_key;
