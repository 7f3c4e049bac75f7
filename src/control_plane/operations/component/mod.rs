//! Directly defined components.
