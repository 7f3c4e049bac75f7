//! What Proton left, read back: random worlds of every age and layout, a team's own, and everything that can be wrong.

mod bad_inputs;
mod command;
mod generator;
mod round_trips;
mod team;
mod writer;
