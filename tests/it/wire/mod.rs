//! The control plane over its wire: real clients, the record in SQLite, an object store on loopback.

pub(crate) mod bench;
mod front_door;
mod limits;
mod registration;
mod sts;
mod tags;
mod templates;
