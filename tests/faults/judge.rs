//! Holds what exists, what the state knows and what Proton tells against each other.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::client::as_map;
use crate::host::below;
use crate::plan::{Fault, Operation, Template};
use crate::road::Call;
use crate::round::{Game, Outcome};

/// What is wrong, if anything is.
pub(crate) async fn judge(game: &mut Game<'_>) -> Option<Outcome> {
    if let Some(lock) = lock_left(game).await {
        return Some(Outcome::Stuck(format!("a lock is left: {lock}")));
    }
    let objects = match game.round.template {
        Template::Queues => by_letter(game, game.world.objects(&format!("{}-", game.name)).await),
        Template::Data => data_objects(game),
    };
    let expected = game.expected();
    for (letter, found) in &objects {
        if found.len() > 1 || !expected.contains(&letter.as_str()) {
            return Some(Outcome::Duplicated(format!("of {letter} there are {found:?}; {}", creations(game))));
        }
    }
    if let Some(letter) = expected.iter().find(|letter| !objects.contains_key(**letter)) {
        return Some(Outcome::Lost(format!("{letter} doesn't exist; {}", creations(game))));
    }
    let exist: Vec<String> = objects.into_values().flatten().collect();
    if game.round.operation != Operation::Delete {
        // A queue's id is its URL, with the place in it by which it was asked for.
        let names = |ids: Vec<String>| ids.iter().map(|id| last(id)).collect::<Vec<_>>();
        let (exist, state, outputs) = (names(exist), names(state_ids(game).await), names(outputs(game).await));
        if state != exist {
            return Some(Outcome::Lost(format!("there are {exist:?}, the state knows {state:?}")));
        }
        if outputs != exist {
            return Some(Outcome::Lost(format!("there are {exist:?}, the outputs are {outputs:?}")));
        }
    }
    let trouble = fs::read_to_string(game.folder.join("objects/trouble")).unwrap_or_default();
    if !trouble.is_empty() {
        return Some(Outcome::Duplicated(format!("two Terraforms at once: {trouble}")));
    }
    if let Some(twice) = made_twice(game) {
        return Some(Outcome::Duplicated(twice));
    }
    processes_left(game).await.map(|left| Outcome::Stuck(format!("still running: {left}")))
}

/// The lock's text, if it stays for a while.
async fn lock_left(game: &Game<'_>) -> Option<String> {
    let began = Instant::now();
    loop {
        let lock = game.world.state(&game.folder, &game.name).await.1?;
        if began.elapsed() > Duration::from_secs(20) {
            return Some(lock);
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn by_letter(game: &Game<'_>, objects: Vec<String>) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::<String, Vec<String>>::new();
    let prefix = format!("{}-", game.name);
    for object in objects {
        let name = object.rsplit('/').next().unwrap_or_default();
        let letter = name.strip_prefix(&prefix).and_then(|rest| rest.split('-').next()).unwrap_or_default();
        found.entry(letter.to_owned()).or_default().push(object);
    }
    found
}

fn data_objects(game: &Game<'_>) -> BTreeMap<String, Vec<String>> {
    let read = |letter: &str| fs::read_to_string(game.folder.join("objects").join(format!("object-{letter}"))).ok();
    let all = ["a", "b", "c"].into_iter();
    all.filter_map(|letter| Some((letter.to_owned(), vec![read(letter)?.trim().to_owned()]))).collect()
}

/// The ids in the current state, in the order of the resources' names.
pub(crate) async fn state_ids(game: &Game<'_>) -> Vec<String> {
    let state: Value = game.world.state(&game.folder, &game.name).await.0;
    let mut found = Vec::new();
    for resource in state["resources"].as_array().into_iter().flatten() {
        let name = resource["name"].as_str().unwrap_or_default().to_owned();
        for instance in resource["instances"].as_array().into_iter().flatten() {
            found.push((name.clone(), instance["attributes"]["id"].as_str().unwrap_or_default().to_owned()));
        }
    }
    found.sort();
    found.into_iter().map(|(_, id)| id).collect()
}

async fn outputs(game: &Game<'_>) -> Vec<String> {
    let list = game.world.user.proton.list_environment_outputs().environment_name(&game.name);
    let outputs = as_map(list.send().await.expect("outputs can be listed").outputs);
    outputs.into_values().filter(|value| !value.is_empty()).collect()
}

fn last(id: &str) -> String {
    id.rsplit('/').next().unwrap_or_default().to_owned()
}

/// What was asked of AWS, for whoever has to find out.
fn creations(game: &Game<'_>) -> String {
    let passed = game.world.aws.traffic.passed();
    let told = passed.iter().filter(|it| matches!(it.call, Call::Create | Call::Delete));
    told.map(|it| format!("{:?} {} → {}", it.call, it.name, it.status)).collect::<Vec<_>>().join(", ")
}

/// Where no Terraform was ended and no step failed, each step was done once. What was adopted may be made anew where its
/// provider can't read back all that it was made of.
fn made_twice(game: &Game<'_>) -> Option<String> {
    let unhurt = matches!(
        game.round.fault,
        Fault::AgentKilled
            | Fault::AgentLost
            | Fault::SupervisorKilled
            | Fault::ServerKilled
            | Fault::RecordAway
            | Fault::LogSinkAway
            | Fault::ObjectsFail(_)
            | Fault::ObjectsSlow(_)
            | Fault::ObjectsMute(_)
            | Fault::StateSlow(_)
            | Fault::StateMute(_)
            | Fault::ReportMute
            | Fault::ReportFails
            | Fault::ServerClockAhead
            | Fault::ServerClockBehind
            | Fault::AgentClockAhead
            | Fault::AgentClockBehind
            | Fault::ProviderSleeps
    );
    if !unhurt || game.round.second.is_some() || game.commands > 0 {
        return None;
    }
    if game.round.template == Template::Queues {
        let mut made = BTreeMap::<String, Vec<String>>::new();
        for it in game.world.aws.traffic.passed().into_iter().filter(|it| it.call == Call::Create && it.status < 300) {
            // Of a name there is one, however often it is asked for.
            if !made.values().flatten().any(|name| *name == it.name) {
                let letter = it.name.split('-').nth(1).unwrap_or_default().to_owned();
                made.entry(letter).or_default().push(it.name);
            }
        }
        let most = |letter: &str| if letter == "b" && game.round.operation == Operation::Replace { 2 } else { 1 };
        return made
            .into_iter()
            .find(|(letter, names)| names.len() > most(letter))
            .map(|(letter, names)| format!("{letter} was made {} times: {names:?}", names.len()));
    }
    let begun = fs::read_to_string(game.folder.join("objects/begun")).unwrap_or_default();
    let mut counts = BTreeMap::<String, usize>::new();
    for line in begun.lines() {
        *counts.entry(line.rsplit_once(' ').map_or(line, |it| it.0).to_owned()).or_default() += 1;
    }
    let twice = counts.into_iter().find(|(_, count)| *count > 1)?;
    Some(format!("`{}` was done {} times", twice.0, twice.1))
}

/// What runs once everything has ended: nothing but the agents themselves.
async fn processes_left(game: &mut Game<'_>) -> Option<String> {
    let began = Instant::now();
    loop {
        let left: Vec<String> = below(&game.folder)
            .into_iter()
            .filter(|process| process.role != crate::host::Role::Agent)
            .map(|process| process.line.chars().take(150).collect())
            .collect();
        if left.is_empty() {
            return None;
        }
        if began.elapsed() > Duration::from_secs(15) {
            return Some(left.join("; "));
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
}
