//! Hadron: Proton after Proton.
//!
//! Two rooms and a shared vocabulary. The [`agent`] does work: it polls Proton for pending deployments, renders the
//! template bundle, runs Terraform and reports. The [`control_plane`] keeps the record and speaks Proton's wire
//! protocol. [`domain`] is what both mean by a word. The rooms meet only over that wire, even inside one process.
//!
//! Read `agent/journey.rs` first: it is one deployment from the poll to the report.

pub mod support;

pub mod domain;

pub mod eject;
pub mod estate;
pub mod forge;
pub mod git;
pub mod hadron;
pub mod objects;
pub mod proton;
pub mod renderer;
pub mod terraform;
pub mod workbench;

pub mod agent;
pub mod control_plane;
pub mod runner;

pub mod cli;
pub mod lifecycle;
pub mod settings;
pub mod telemetry;
