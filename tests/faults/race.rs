//! Agents that race over many deployments while one after the other is killed: each deployment's Terraform applies once.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use aws_sdk_proton::types::DeploymentStatus;
use futures::stream::{self, StreamExt};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::Value;

use crate::client::environment_bundle;
use crate::host::{Host, Role};
use crate::plan::Setting;
use crate::templates::MARK;
use crate::world::World;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Race {
    pub(crate) deployments: usize,
    pub(crate) agents: usize,
    pub(crate) kills: usize,
    pub(crate) took: Duration,
    /// Everything that isn't as it should be.
    pub(crate) problems: Vec<String>,
}

/// Two to eight agents, by the seed.
pub(crate) async fn race(moto: &str, seed: u64, deployments: usize) -> Race {
    let mut rng = StdRng::seed_from_u64(seed ^ 0xace);
    let mut world = World::new(moto, Setting::Usual).await;
    let folder = tempfile::Builder::new().prefix("faults-race-").tempdir().unwrap();
    let marks = folder.path().join("marks");
    fs::create_dir(&marks).unwrap();
    world.user.environment_template("mark", environment_bundle(&["folder"], MARK)).await;
    let agents = rng.random_range(2..=8);
    let start = |world: &World, n: usize| {
        Host::start(world, folder.path(), &format!("racer-{n}"), &world.key, "[agent]\nconcurrency = 2\n")
    };
    let mut hosts: Vec<Host> = (0..agents).map(|n| start(&world, n)).collect();
    let began = Instant::now();
    let inputs = format!("folder: {}", marks.display());
    let names: Vec<String> = (0..deployments).map(|n| format!("race-{n}")).collect();
    let (user, inputs) = (&world.user, &inputs);
    let create = |name: String| async move { user.create_environment(&name, "mark", inputs).await };
    stream::iter(names.clone()).map(create).buffer_unordered(16).collect::<Vec<()>>().await;

    let (mut kills, mut dead) = (0, BTreeMap::<usize, Instant>::new());
    let mut next = Instant::now() + Duration::from_secs(1);
    let patience = Duration::from_mins(2) + Duration::from_secs(4) * u32::try_from(deployments).unwrap();
    while pending(&world).await > 0 && began.elapsed() < patience {
        tokio::time::sleep(Duration::from_millis(300)).await;
        if Instant::now() >= next {
            next = Instant::now() + Duration::from_millis(rng.random_range(500..3000));
            let victim = rng.random_range(0..hosts.len());
            if hosts[victim].kill(Role::Agent) > 0 {
                kills += 1;
                dead.insert(victim, Instant::now() + Duration::from_millis(rng.random_range(0..6000)));
            }
        }
        dead.retain(|victim: &usize, until: &mut Instant| {
            let over = Instant::now() >= *until;
            if over {
                hosts[*victim].start_agent();
            }
            !over
        });
    }
    let took = began.elapsed();
    let problems = problems(&world, &names, &marks).await;
    drop(hosts);
    world.plane.process().kill();
    Race { deployments, agents, kills, took, problems }
}

/// How many aren't done.
async fn pending(world: &World) -> usize {
    let mut listed = world.user.proton.list_environments().into_paginator().items().send();
    let mut count = 0;
    while let Some(it) = listed.next().await {
        count += usize::from(it.is_ok_and(|it| it.deployment_status == DeploymentStatus::InProgress));
    }
    count
}

async fn problems(world: &World, names: &[String], marks: &std::path::Path) -> Vec<String> {
    let mut problems = Vec::new();
    for name in names {
        let (status, message) = world.user.environment(name).await;
        let made = fs::read_to_string(marks.join(name)).unwrap_or_default();
        let ids: Vec<&str> = made.lines().collect();
        if status != DeploymentStatus::Succeeded {
            problems.push(format!("{name} is {status}: {message}"));
        } else if ids.len() != 1 || world.user.outputs(name).await.get("Id").map(String::as_str) != Some(ids[0]) {
            problems.push(format!("{name} was made as {ids:?}, its outputs are {:?}", world.user.outputs(name).await));
        }
    }
    let locked = world.hadron(marks, &["state", "list", "--locked", "--output", "json"]);
    match serde_json::from_str::<Value>(&locked.stdout) {
        Ok(Value::Array(list)) if list.is_empty() => {}
        _ => problems.push(format!("locks are left: {}{}", locked.stdout, locked.stderr)),
    }
    problems
}
