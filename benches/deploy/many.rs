//! Many deployments that wait for one agent, and how soon a single one begins.

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant, SystemTime};

use futures::future::join_all;

use crate::client::Client;
use crate::floor::{cpu_of_an_apply, rendered};
use crate::support::plane::{Plane, Start, agent};
use crate::{Bundle, quiet, support};

const PENDING: u32 = 200;
const BEGINNINGS: usize = 100;

pub(crate) async fn report(files: &Bundle, state: &str) {
    // It stays to the end: some file systems (ext4 without a journal) look for a while at each inode that was freed before
    // they give a file another one, so whoever deletes thousands of files makes the next thousands slow.
    let _kept = beginnings(files).await;
    let plane = Plane::serve(quiet());
    let user = Client::of(&plane).await;
    user.template("many", &support::bundle::tar_gz(files)).await;
    for batch in 0..PENDING / 10 {
        join_all((0..10).map(|number| user.create_owned(format!("many-{batch}-{number}")))).await;
    }
    let began = Instant::now();
    let env = BTreeMap::from([("HADRON_LOG".to_owned(), "warn".to_owned())]);
    let start = Start { env, flags: vec!["--once".into()], ..Start::default() };
    let mut drained = agent(&plane, "drain", &start);
    let exit = drained.wait(Duration::from_mins(10)).unwrap();
    let took = began.elapsed();
    assert!(exit.success(), "{}", drained.stderr());
    let folder = support::plane::agent_folder(&plane, "drain").join("data/runs");
    let work = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path().join("1/work");
    let cpu = cpu_of_an_apply(&work, &format!("{state}/cpu"));
    let cores = std::thread::available_parallelism().unwrap().get();
    let least = cpu * PENDING / u32::try_from(cores).unwrap();
    println!(
        "\n{PENDING} pending, {cores} cores: {:.1} s, {:.1} a second; terraform alone needs {} ms of processor time each, \
         so at least {:.1} s: {:.0} % of that rate",
        took.as_secs_f64(),
        f64::from(PENDING) / took.as_secs_f64(),
        cpu.as_millis(),
        least.as_secs_f64(),
        100.0 * least.as_secs_f64() / took.as_secs_f64(),
    );
}

/// From the request that creates to the moment when Terraform's process began.
async fn beginnings(files: &Bundle) -> Plane {
    let plane = Plane::up(quiet());
    let user = Client::of(&plane).await;
    user.template("many", &support::bundle::tar_gz(files)).await;
    user.deploy("many", "first").await;
    let mut waits = Vec::new();
    for number in 0..BEGINNINGS {
        let (name, asked) = (format!("begin-{number}"), SystemTime::now());
        user.deploy("many", &name).await;
        let pid = rendered(&plane, &name).with_file_name("2-apply").join("pid.json");
        let began = fs::metadata(pid).unwrap().modified().unwrap();
        waits.push(began.duration_since(asked).unwrap().as_secs_f64() * 1000.0);
    }
    waits.sort_by(f64::total_cmp);
    let (middle, late) = (waits[BEGINNINGS / 2], waits[BEGINNINGS * 99 / 100]);
    println!("\nfrom create to terraform's start, {BEGINNINGS} times: p50 {middle:.0} ms, p99 {late:.0} ms");
    plane
}
