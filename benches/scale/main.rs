//! What answers take with a million deployments in the record, side by side with a thousandth of it, and beside moto.
//!
//! `cargo bench --bench scale [-- --deployments N] [--rounds N] [--postgres N] [--quick] [--only WORDS]`
//!
//! - Two records: a thousand deployments of ten instances, and so many times as much of everything. Both have the same
//!   five deployments that wait for an agent, and the same five instances that the filters find.
//! - Each record is served by the real `hadron serve`. A round asks both for the same thing, one request at a time over
//!   a kept connection, each signed. The ratio is that of the medians.
//! - *moto* is `moto_server` with one parameter in SSM. Both servers get the same client with eight connections, in turn.
//! - The same on PostgreSQL, with a smaller record (`--postgres 0` leaves it out).
//! - Before all that, what a decision of the policies takes that depends on the resource.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark prints, and fails by panicking")]

mod door;
mod fill;
mod permit;

#[expect(dead_code, reason = "a benchmark uses its own part")]
#[path = "../../tests/support/mod.rs"]
mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use hadron::control_plane::seal::MasterKey;
use hadron::control_plane::store::{Postgres, Sqlite, Store};
use serde_json::{Value, json};

use self::door::{Ask, Door};
use self::fill::{BASE, Size};
use self::support::moto::Moto;
use self::support::plane::{Plane, Start};
use self::support::postgres::{Fsync, PostgresServer};
use self::support::tools::Tools;

/// How many requests are under way at a time where requests are counted.
const AT_A_TIME: usize = 8;

/// Requests of each kind that aren't counted.
const WARM_UP: usize = 20;

/// The one question whose answer is written first.
const WRITING_POLL: &str = "poll, five wait";

/// For how long requests are counted at a stretch.
const STRETCH: Duration = Duration::from_secs(1);

fn main() {
    let options = Options::read(std::env::args().skip(1));
    tokio::runtime::Runtime::new().unwrap().block_on(bench(&options));
}

/// What the command line says.
struct Options {
    deployments: usize,
    postgres: usize,
    rounds: usize,
    /// Only what has these words in its name.
    only: String,
}

impl Options {
    fn read(mut arguments: impl Iterator<Item = String>) -> Self {
        let mut options = Self { deployments: 1_000_000, postgres: 50_000, rounds: 300, only: String::new() };
        while let Some(argument) = arguments.next() {
            let mut number = || arguments.next().unwrap().parse().unwrap();
            match argument.as_str() {
                "--quick" => options = Self { deployments: 20_000, postgres: 5_000, rounds: 50, ..options },
                "--only" => options.only = arguments.next().unwrap(),
                "--deployments" => options.deployments = number(),
                "--postgres" => options.postgres = number(),
                "--rounds" => options.rounds = number(),
                // Cargo's own.
                _ => {}
            }
        }
        options
    }
}

async fn bench(options: &Options) {
    permit::decisions().await;
    let folder = tempfile::tempdir().unwrap();
    let sqlite = |size: Size| {
        let path = folder.path().join(format!("{}.db", size.deployments()));
        (Store::new(Sqlite::open(&path).unwrap()), format!("sqlite:{}", path.display()))
    };
    let small = served(sqlite(Size { times: 1 }), Size { times: 1 }).await;
    let size = Size { times: options.deployments / BASE };
    let big = served(sqlite(size), size).await;
    weigh(folder.path());
    // What the fill left to be written later would be measured with the first writes.
    rustix::fs::sync();
    ratios("SQLite", (&small, &big), size, options).await;
    beside_moto(&big.1, size, options).await;
    drop((small, big));
    if options.postgres == 0 {
        return;
    }
    let server = PostgresServer::start(Fsync::On);
    let postgres = || {
        let url = server.database();
        (Store::new(Postgres::open(&url, None).unwrap()), url)
    };
    let size = Size { times: options.postgres / BASE };
    let small = served(postgres(), Size { times: 1 }).await;
    let big = served(postgres(), size).await;
    ratios("PostgreSQL", (&small, &big), size, options).await;
}

/// Fills a record and serves it; tells how long each took.
async fn served((store, database): (Store, String), size: Size) -> (Plane, Door) {
    let began = Instant::now();
    let master = MasterKey::random();
    let sealed = fill::seal(&store, master).await;
    fill::fill(&sealed, size).await;
    let filled = began.elapsed();
    hadron::control_plane::upgrade(&sealed).await.unwrap();
    drop((store, sealed));
    let objects = tempfile::tempdir().unwrap().keep();
    let env = BTreeMap::from([
        ("HADRON_LOG".to_owned(), "warn".to_owned()),
        ("HADRON_DATABASE".to_owned(), database),
        ("HADRON_OBJECTS".to_owned(), objects.display().to_string()),
    ]);
    let began = Instant::now();
    let data = vec![("master.key", master.to_vec())];
    let plane = Plane::serve(Start { env, data, ..Start::default() });
    println!(
        "{} deployments: filled in {:.1} s, first answer {} ms after start",
        size.deployments(),
        filled.as_secs_f64(),
        began.elapsed().as_millis()
    );
    let exported = plane.exported().clone();
    let key = (exported["AWS_ACCESS_KEY_ID"].clone(), exported["AWS_SECRET_ACCESS_KEY"].clone());
    let door = Door::new(plane.endpoint(), key);
    (plane, door)
}

fn weigh(folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let megabytes = entry.metadata().unwrap().len() / 1_000_000;
        if megabytes > 0 {
            println!("{}: {megabytes} MB", entry.file_name().display());
        }
    }
}

/// What is asked, by the name that the table gives it.
fn questions(size: Size, options: &Options) -> impl Iterator<Item = (&'static str, Ask)> {
    all_questions(size).into_iter().filter(|(name, _)| name.contains(&options.only))
}

fn all_questions(size: Size) -> Vec<(&'static str, Ask)> {
    let filters = |wanted: &[(&str, &str)]| -> Value {
        wanted.iter().map(|(key, value)| json!({"key": key, "value": value})).collect()
    };
    let (prod, failed) = (("environmentName", "prod"), ("deploymentStatus", "FAILED"));
    let instances = |wanted: &[(&str, &str)]| Ask::proton("ListServiceInstances", &json!({"filters": filters(wanted)}));
    let middle = fill::deployment_id(size.deployments() / 2);
    vec![
        (WRITING_POLL, Ask::proton("ListDeployments", &json!({})).asked_by_agent()),
        ("poll, nothing waits", Ask::proton("ListDeployments", &json!({"environmentName": "prod"})).asked_by_agent()),
        ("GetResourcesSummary", Ask::proton("GetResourcesSummary", &json!({}))),
        ("instances by environment, status, template", instances(&[prod, failed, ("templateName", "web-0")])),
        ("instances by environment, status", instances(&[prod, failed])),
        ("instances by status", instances(&[failed])),
        ("all deployments, ten of them", Ask::proton("ListDeployments", &json!({"maxResults": 10}))),
        ("all deployments, a page of a hundred", Ask::proton("ListDeployments", &json!({}))),
        (
            "an environment's deployments, a hundred",
            Ask::proton("ListDeployments", &json!({"environmentName": "prod"})),
        ),
        ("GetEnvironment", Ask::proton("GetEnvironment", &json!({"name": "prod"}))),
        ("GetDeployment", Ask::proton("GetDeployment", &json!({"id": middle}))),
    ]
}

/// Asks both in turn, and then both for a durable write.
async fn ratios(database: &str, (small, big): (&(Plane, Door), &(Plane, Door)), size: Size, options: &Options) {
    let rounds = options.rounds;
    println!("\n{database}, {} and {} deployments, {rounds} rounds, ms", BASE, size.deployments());
    println!("{:45} {:>8} {:>8} {:>8} {:>8} {:>6}", "", "small", "p99", "big", "p99", "ratio");
    let pairs = questions(Size { times: 1 }, options).zip(questions(size, options));
    for ((name, of_small), (_, of_big)) in pairs {
        let [few, many] = [small.1.ask(&of_small).await, big.1.ask(&of_big).await];
        assert_eq!(few, many, "{name}: both answer as much");
        for _ in 0..WARM_UP {
            small.1.ask(&of_small).await;
            big.1.ask(&of_big).await;
        }
        let mut times = [Vec::new(), Vec::new()];
        for round in 0..rounds {
            // Who comes second may find the processor awake, so they take turns.
            for who in [round % 2, (round + 1) % 2] {
                let (door, ask) = if who == 0 { (&small.1, &of_small) } else { (&big.1, &of_big) };
                times[who].push(door.time(ask).await);
            }
        }
        line(name, times);
    }
    let mut times = [Vec::new(), Vec::new()];
    for round in 0..rounds {
        let name = json!({"name": format!("new-{round}")});
        for who in [round % 2, (round + 1) % 2] {
            let door = &[small, big][who].1;
            times[who].push(door.time(&Ask::proton("CreateEnvironmentTemplate", &name)).await);
            door.ask(&Ask::proton("DeleteEnvironmentTemplate", &name)).await;
        }
    }
    line("CreateEnvironmentTemplate", times);
    for at_a_time in [1, AT_A_TIME, 64] {
        let template = |number: usize| format!("web-{}", number % size.times.min(100));
        let change = |number: usize| json!({"name": template(number), "description": number.to_string()});
        let write = |number: usize| Ask::proton("UpdateServiceTemplate", &change(number));
        let rate = big.1.count_others(write, at_a_time, STRETCH).await;
        println!("durable writes a second (UpdateServiceTemplate), {at_a_time:2} at a time {rate:8.0}");
    }
}

fn line(name: &str, times: [Vec<f64>; 2]) {
    let [(small, small_99), (big, big_99)] = times.map(median_and_99th);
    println!("{name:45} {small:8.2} {small_99:8.2} {big:8.2} {big_99:8.2} {:6.2}", big / small);
}

fn median_and_99th(mut values: Vec<f64>) -> (f64, f64) {
    values.sort_by(f64::total_cmp);
    (values[values.len() / 2], values[values.len() * 99 / 100])
}

/// How many reads each server answers in a second, in stretches that take turns.
async fn beside_moto(big: &Door, size: Size, options: &Options) {
    let tools = Tools::get();
    let moto = Moto::start(tools);
    let ssm = Door::new(moto.endpoint(), ("test".into(), "test".into()));
    ssm.ask(&Ask::ssm("PutParameter", &json!({"Name": "/scale", "Value": "one", "Type": "String"}))).await;
    let parameter = Ask::ssm("GetParameter", &json!({"Name": "/scale"}));
    println!("\nReads a second, {AT_A_TIME} at a time, beside moto_server's SSM GetParameter");
    for (name, ask) in questions(size, options).filter(|(name, _)| *name != WRITING_POLL) {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            ours.push(big.count(&ask, AT_A_TIME, STRETCH).await);
            theirs.push(ssm.count(&parameter, AT_A_TIME, STRETCH).await);
        }
        let ((ours, _), (theirs, _)) = (median_and_99th(ours), median_and_99th(theirs));
        println!("{name:45} {ours:8.0} {theirs:8.0} {:6.1} x", ours / theirs);
    }
}
