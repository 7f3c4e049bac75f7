//! Hermetic tests of whole rooms: real clients and real Terraform against far ends on loopback.

mod far_end;

mod objects;
mod proton;
