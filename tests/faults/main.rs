//! What goes wrong while Terraform works, in rounds: after each the record is held against what exists.
//!
//! `cargo test --test faults` plays the same 60 rounds each time, and a race of agents, in some minutes; `-- --rounds 1000`,
//! or `HADRON_TEST_ROUNDS=1000`, draws as many as you like. `--seed N` (`HADRON_TEST_SEED`) repeats a plan, `--round N` one
//! round of it, `--only WORD,WORD` those whose fault's name holds a word or that are set up so (`Postgres`, `Bucket`,
//! `Gated`), `--lanes N` as many at a time, `--race N` lets agents race over as many deployments.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "the counts are what this is for")]

#[expect(dead_code, reason = "each test binary uses its own part")]
#[path = "../e2e/client.rs"]
mod client;
mod host;
mod inject;
mod judge;
mod operator;
mod plan;
mod race;
mod road;
mod round;
mod tally;
mod templates;
mod world;

#[expect(dead_code, reason = "each test binary uses its own part")]
#[path = "../support/mod.rs"]
mod support;

use std::collections::VecDeque;
use std::panic::AssertUnwindSafe;
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

use futures::FutureExt;
use tokio::runtime::Handle;

use plan::Round;
use round::{Game, Outcome, Report};
use support::moto::Moto;
use support::tools::Tools;
use tally::Tally;
use world::World;

const ROUNDS: usize = 60;

/// Of a short run: what makes it fail is to be the change, and no luck of the draw. Longer ones draw their own.
const SEED: u64 = 20_261_007;

const LANES: usize = 5;

/// Deployments of the race: of a short run, and of a long one.
const SHORT_RACE: usize = 40;
const LONG_RACE: usize = 500;

/// What was asked for.
#[derive(Debug, Clone)]
struct Wish {
    rounds: usize,
    seed: u64,
    round: Option<usize>,
    only: Option<String>,
    lanes: usize,
    race: usize,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(code) = for_cargo(&arguments) {
        return code;
    }
    let wish = wish(&arguments);
    // Whoever ends a test run ends the rounds too, so nothing is caught here.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let tally = play(&wish, runtime.handle());
    println!("{tally}");
    let verdict = if tally.is_good() { "ok" } else { "FAILED" };
    let failed = usize::from(!tally.is_good());
    println!("test result: {verdict}. {} passed; {failed} failed; 0 ignored; 0 measured; 0 filtered out", 1 - failed);
    ExitCode::from(u8::from(!tally.is_good()))
}

/// What `cargo test` hands to every test binary: a listing, or names of other tests. And the shell that makes a file
/// which may not grow an error of the write, as on a full disk, and no end of the process.
fn for_cargo(arguments: &[String]) -> Option<ExitCode> {
    if arguments.iter().any(|it| it == "--list") {
        println!("faults: test");
        return Some(ExitCode::SUCCESS);
    }
    let values =
        ["--rounds", "--seed", "--round", "--only", "--lanes", "--race", "--test-threads", "--skip", "--format"];
    let mut before = "";
    for it in arguments {
        if !it.starts_with('-') && !values.contains(&before) && !"faults".contains(it.as_str()) {
            println!("running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 1 filtered out");
            return Some(ExitCode::SUCCESS);
        }
        before = it;
    }
    if std::env::var_os("HADRON_FAULTS_INNER").is_some() {
        return None;
    }
    #[expect(clippy::disallowed_methods, reason = "it starts itself")]
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]).arg(std::env::current_exe().unwrap()).args(arguments);
    let status = shell.env("HADRON_FAULTS_INNER", "1").status().unwrap();
    Some(ExitCode::from(u8::try_from(status.code().unwrap_or(1)).unwrap_or(1)))
}

fn wish(arguments: &[String]) -> Wish {
    let flag = |name: &str| {
        let at = arguments.iter().position(|it| it == name)?;
        arguments.get(at + 1).cloned()
    };
    let variable = |name: &str| std::env::var_os(name).map(|text| text.into_string().unwrap());
    let number = |text: String| text.parse::<u64>().unwrap_or_else(|_| panic!("{text} isn't a number"));
    let rounds = flag("--rounds").or_else(|| variable("HADRON_TEST_ROUNDS")).map(number);
    let seed = flag("--seed").or_else(|| variable("HADRON_TEST_SEED")).map(number);
    let size = |number: u64| usize::try_from(number).unwrap();
    let rounds = rounds.map_or(ROUNDS, size);
    let (round, only) = (flag("--round").map(|text| size(number(text))), flag("--only"));
    // Who looks into one thing doesn't want the other.
    let race = match rounds {
        _ if round.is_some() || only.is_some() => 0,
        ROUNDS => SHORT_RACE,
        rounds if rounds < ROUNDS => 0,
        _ => LONG_RACE,
    };
    Wish {
        rounds,
        seed: seed.unwrap_or_else(|| if rounds == ROUNDS { SEED } else { rand::random_range(0..1_000_000) }),
        round,
        only,
        lanes: flag("--lanes").map_or(LANES, |text| size(number(text))),
        race: flag("--race").map_or(race, |text| size(number(text))),
    }
}

fn play(wish: &Wish, runtime: &Handle) -> Tally {
    let rounds: VecDeque<Round> = match wish.round {
        Some(number) => [plan::round(wish.seed, number)].into(),
        None => (0..)
            .map(|number| plan::round(wish.seed, number))
            .filter(|round| fits(wish, round))
            .take(wish.rounds)
            .collect(),
    };
    println!("\nrunning {} rounds with HADRON_TEST_SEED={}", rounds.len(), wish.seed);
    let began = Instant::now();
    let moto = Moto::start(Tools::get());
    let place = moto.endpoint();
    let lanes = wish.lanes.clamp(1, rounds.len().max(1));
    let (rounds, tally) = (Mutex::new(rounds), Mutex::new(Tally::new(wish.seed)));
    // A thread each, so that what blocks one lane keeps no other.
    thread::scope(|scope| {
        if wish.race > 0 {
            scope.spawn(|| {
                let race = runtime.block_on(Box::pin(race::race(place, wish.seed, wish.race)));
                tally.lock().unwrap().race(race);
            });
        }
        for _ in 0..lanes {
            scope.spawn(|| runtime.block_on(Box::pin(lane(place, &rounds, &tally))));
        }
    });
    let mut tally = tally.into_inner().unwrap();
    tally.took = began.elapsed();
    tally
}

/// Any of the words, with commas between them, will do.
fn fits(wish: &Wish, round: &Round) -> bool {
    let Some(words) = &wish.only else { return true };
    let set_up = [format!("{:?}", round.setting), if round.gated { "Gated".into() } else { String::new() }];
    words.split(',').any(|word| round.fault.name().contains(word) || set_up.iter().any(|it| it == word))
}

async fn lane(moto: &str, rounds: &Mutex<VecDeque<Round>>, tally: &Mutex<Tally>) {
    let mut world: Option<World> = None;
    while let Some(round) = next(rounds, world.as_ref()) {
        if world.as_ref().is_none_or(|world| world.setting != round.setting) {
            world = Some(World::new(moto, round.setting).await);
        }
        let Some(world) = &mut world else { unreachable!("it was made") };
        let report = one(world, round).await;
        let broken = matches!(report.outcome, Outcome::Wrong(_));
        tally.lock().unwrap().add(report);
        if broken {
            *world = World::new(moto, world.setting).await;
        }
    }
}

/// The next round for whoever has this world; where none fits it, whichever comes next.
fn next(rounds: &Mutex<VecDeque<Round>>, world: Option<&World>) -> Option<Round> {
    let mut rounds = rounds.lock().unwrap();
    let fits = |round: &Round| world.is_none_or(|world| world.setting == round.setting);
    let at = rounds.iter().position(fits).unwrap_or(0);
    rounds.remove(at)
}

/// Plays a round, whatever comes of it.
async fn one(world: &mut World, round: Round) -> Report {
    let began = Instant::now();
    let folder = tempfile::Builder::new().prefix("faults-").tempdir().unwrap();
    let mut game = Game::new(world, round.clone(), folder.path().to_owned());
    let played = AssertUnwindSafe(Box::pin(game.play())).catch_unwind().await;
    let (outcome, missed, ended) = played.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        (Outcome::Wrong(text.unwrap_or_default()), true, String::new())
    });
    let Game { hosts, notes, twice, .. } = game;
    let mut report = Report { round, outcome, missed, twice, ended, notes, took: began.elapsed() };
    if !report.outcome.is_good() {
        for host in &hosts {
            report.notes.push(format!("agent {} says:\n{}", host.name(), tail(&host.log(), 40)));
        }
        report.notes.push(format!("the control plane says:\n{}", tail(&world.plane.process().stderr(), 15)));
    }
    world.road.traffic.clear();
    world.aws.traffic.clear();
    world.step_clock(0);
    let kept = !report.outcome.is_good();
    drop(hosts);
    if kept {
        report.notes.push(format!("kept: {}", folder.keep().display()));
    }
    report
}

fn tail(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
