//! Deployments through Hadron, side by side with the same Terraform work done bare and with the steps of AWS's sample
//! workflow. Prints ratios; `cargo bench --bench deploy [-- ROUNDS]`.
//!
//! - *new*: the first deployment of a template that this agent has never seen, from `create-environment` until
//!   GetEnvironment says SUCCEEDED, by `hadron up`.
//! - *known*: the first deployment of another environment of that template.
//! - *update*: another spec for an environment that is there.
//! - *floor*: `terraform init`, `plan -out`, `apply` of the very files that Hadron rendered, with an http state server
//!   that keeps the state in memory: the cheapest remote state there can be.
//! - *workflow*: init, fmt, plan, apply, then as its second job init and output, and the AWS CLI's notify (`proton_run.yml`
//!   of aws-proton-terraform-github-actions-sample; checkout, set-up and jq are left out).
//!
//! *With a gate* somebody approves each plan as soon as it is there. Then many at once, and the agent alone.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]
#![expect(clippy::disallowed_methods, reason = "the floor is Terraform started bare")]
#![expect(deprecated, reason = "AWS marks the whole service as closed")]

mod alone;
mod client;
mod floor;
mod many;

#[expect(dead_code, reason = "a benchmark uses its own part")]
#[path = "../../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use client::Client;
use floor::{bare, rendered, state_server};
use support::plane::{Plane, Start};

const COLUMNS: [&str; 5] = ["new", "known", "update", "floor", "workflow"];

fn main() {
    let rounds = std::env::args().filter_map(|argument| argument.parse().ok()).next_back().unwrap_or(7);
    tokio::runtime::Runtime::new().unwrap().block_on(bench(rounds));
}

async fn bench(rounds: usize) {
    let began = Instant::now();
    let plane = Plane::up(quiet());
    let first_answer = began.elapsed();
    let idle = resident(plane.process_id());
    println!("`up`: first answer {} ms after start, {idle:.1} MB resident idle", first_answer.as_millis());
    alone::report(rounds).await;

    let (serve, state) = (Plane::serve(quiet()), state_server().await);
    let workflow = Client::of(&serve).await;
    let files = support::bundle::files(&support::examples().join("offline/environment"));
    let templates = [("plain", plain(files.clone())), ("sensitive", files.clone()), ("hundred", hundred(plain(files)))];
    let up = Client::of(&plane).await;
    for (name, files) in &templates {
        compare(&plane, &up, Some(&workflow), &state, (name, files), rounds).await;
    }
    let settings = "[environments.\"*\"]\ngates = [\"approval\"]\n".to_owned();
    let gated = Plane::up(Start { settings, ..quiet() });
    let mut approver = Client::of(&gated).await;
    approver.approves = true;
    let (_, files) = &templates[0];
    compare(&gated, &approver, None, &state, ("gated", files), rounds).await;
    many::report(files, &state).await;
}

type Bundle = Vec<(String, Vec<u8>)>;

/// Rounds of one template, each of another version of it that differs in a comment.
async fn compare(
    plane: &Plane,
    user: &Client,
    workflow: Option<&Client>,
    state: &str,
    (template, files): (&str, &Bundle),
    rounds: usize,
) {
    let mut times = [const { Vec::new() }; COLUMNS.len()];
    for round in 0..=rounds {
        let (name, other) = (format!("{template}-{round}"), format!("{template}-{round}-b"));
        let bundle = support::bundle::tar_gz(&of_round(files.clone(), &name));
        user.template(&name, &bundle).await;
        let mut measured = vec![user.deploy(&name, &name).await, user.deploy(&name, &other).await];
        measured.push(user.update(&name, SECOND_SPEC).await);
        let work = rendered(plane, &name);
        measured.push(bare(&work, &format!("{state}/{name}-floor")));
        if let Some(workflow) = workflow {
            workflow.template(&name, &bundle).await;
            measured.push(workflow.sample_workflow(&work, &name, &name, &format!("{state}/{name}-workflow")).await);
        }
        // The first round warms the disk's cache and isn't counted.
        if round > 0 {
            times.iter_mut().zip(measured).for_each(|(times, time)| times.push(time));
        }
    }
    report(template, &times);
}

/// The example's spec with other values.
const SECOND_SPEC: &str = "proton: EnvironmentSpec\nspec:\n  domain: other.example\n  zones: [east]\n";

fn of_round(mut files: Bundle, name: &str) -> Bundle {
    files.push(("infrastructure/round.tf".into(), format!("# {name}\n").into()));
    files.sort();
    files
}

fn report(template: &str, times: &[Vec<Duration>; COLUMNS.len()]) {
    let floor = &times[3];
    println!("\n{template}, {} rounds, medians", floor.len());
    for (column, times) in COLUMNS.iter().zip(times).filter(|(_, times)| !times.is_empty()) {
        let millis = median(times.iter().map(|time| time.as_secs_f64() * 1000.0).collect());
        let ratio = median(times.iter().zip(floor).map(|(a, b)| a.as_secs_f64() / b.as_secs_f64()).collect());
        println!("  {column:8} {millis:6.0} ms   {ratio:.2} × floor");
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub(crate) fn quiet() -> Start {
    let env = BTreeMap::from([("HADRON_LOG".to_owned(), "warn".to_owned())]);
    Start { env, ..Start::default() }
}

/// The example without its sensitive output, whose value Terraform tells only through one process more.
fn plain(mut files: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    for (_, bytes) in files.iter_mut().filter(|(path, _)| path == "infrastructure/outputs.tf") {
        *bytes = String::from_utf8_lossy(bytes)
            .replace("  sensitive = true\n", "")
            .replace("value     =", "value =")
            .into_bytes();
    }
    files
}

/// The example with a hundred resources more.
fn hundred(mut files: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let resources = "resource \"terraform_data\" \"many\" {\n  count = 100\n  input = count.index\n}\n";
    files.push(("infrastructure/many.tf".into(), resources.into()));
    files
}

/// Resident memory in MB, once the process has come to rest.
pub(crate) fn resident(id: u32) -> f64 {
    std::thread::sleep(Duration::from_secs(2));
    let status = fs::read_to_string(format!("/proc/{id}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}
