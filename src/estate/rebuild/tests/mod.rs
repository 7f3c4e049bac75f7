//! What is rebuilt of small estates, written down by hand.

mod bundles;
mod dumped;
mod estates;
mod repositories;
mod resources;
mod values;
