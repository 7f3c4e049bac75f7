//! Tests of whole rooms, on real parts, without a network.

mod architecture;
