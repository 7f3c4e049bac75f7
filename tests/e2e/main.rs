//! Real Terraform, the real AWS provider, the real AWS CLI, an emulated AWS.
//!
//! Most of the time these tests wait for the AWS provider, which sleeps ten seconds after it made a VPC and sixty after
//! a load balancer. They overlap, so the binary takes as long as its longest test, `article`; tests start in the order of
//! their names, and it among the first.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod adopt;
mod approval;
mod article;
mod at_rest;
mod audit;
mod backup;
mod bad_input;
mod bundle;
mod bundle_push;
mod bundle_test;
mod client;
mod clients;
mod cluster;
mod commands;
mod credentials;
mod dead_agent;
mod deployables;
mod durability;
mod earlier_release;
mod eject;
mod events;
mod examples;
mod first_process;
mod fuzz;
mod get_started;
mod habits;
mod health;
mod identities;
mod import;
mod modules;
mod network;
mod newer_providers;
mod observability;
mod offline;
mod one_shot;
mod output_json;
mod own;
mod plain;
mod postgres_away;
mod proxy;
mod pull_request;
mod recipes;
mod restart;
mod roles;
mod run_dir;
mod settle;
mod site;
mod stale;
mod stock_endpoint;
mod taken_over;
mod tls;
mod two_agents;
mod way_out;

#[expect(dead_code, reason = "each test binary uses its own part")]
#[path = "../support/mod.rs"]
mod support;
