//! An author's tools over a bundle: what needs neither server nor network.

pub mod cases;
pub mod parcel;
pub mod schemas;
