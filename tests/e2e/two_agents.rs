//! Two agents as separate processes on one plane: every deployment runs, and none runs twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use futures::future::join_all;
use serde_json::Value;

use crate::client::{Client, environment_bundle};
use crate::support::plane::{Plane, Start, agent, agent_folder};

const ENVIRONMENTS: usize = 12;

/// Each run of this Terraform leaves one line behind.
const MARKS: &str = r#"
resource "terraform_data" "mark" {
  input = var.environment.name

  provisioner "local-exec" {
    command = "echo ${var.environment.name} >> ${var.environment.inputs.file}"
  }
}

output "Name" {
  value = terraform_data.mark.output
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_agents_share_the_work_and_no_deployment_runs_twice() {
    let plane = Plane::serve(Start::default());
    let folder = tempfile::tempdir().unwrap();
    let marks = folder.path().join("marks");
    let user = Client::of(&plane).await;
    user.environment_template("marks", environment_bundle(&["file"], MARKS)).await;
    // One with the key of people, one with the key that an installation makes for agents.
    let start = Start { settings: "[agent]\nconcurrency = 3\n".into(), ..Start::default() };
    let other = Start { env: agents_key(&plane), settings: start.settings.clone(), ..Start::default() };
    let (_blue, _green) = (agent(&plane, "blue", &start), agent(&plane, "green", &other));
    let names: Vec<String> = (0..ENVIRONMENTS).map(|n| format!("env-{n}")).collect();
    let inputs = format!("file: {}", marks.display());
    join_all(names.iter().map(|name| user.create_environment(name, "marks", &inputs))).await;
    join_all(names.iter().map(|name| user.deployed(name))).await;

    let mut lines: Vec<String> = fs::read_to_string(&marks).unwrap().lines().map(str::to_owned).collect();
    lines.sort_unstable();
    let mut expected = names.clone();
    expected.sort_unstable();
    assert_eq!(lines, expected, "each environment's Terraform ran once");
    let runs = [runs(&agent_folder(&plane, "blue")), runs(&agent_folder(&plane, "green"))];
    assert!(runs.iter().all(|runs| !runs.is_empty()), "both had a share: {runs:?}");
    let all: Vec<&(String, u64)> = runs.iter().flatten().collect();
    assert_eq!(all.len(), ENVIRONMENTS, "{all:?}");
    assert_eq!(all.iter().map(|run| &run.0).collect::<BTreeSet<_>>().len(), ENVIRONMENTS, "no deployment at both");
    assert!(all.iter().all(|run| run.1 == 1), "nobody had to try twice: {all:?}");
    for name in &names {
        assert_eq!(user.outputs(name).await["Name"], *name);
    }
}

fn agents_key(plane: &Plane) -> BTreeMap<String, String> {
    let keys: Value = serde_json::from_slice(&fs::read(plane.data().join("keys.json")).unwrap()).unwrap();
    let text = |n: usize| keys["agent"][n].as_str().unwrap().to_owned();
    BTreeMap::from([("HADRON_ACCESS_KEY_ID".to_owned(), text(0)), ("HADRON_SECRET_ACCESS_KEY".to_owned(), text(1))])
}

/// The deployments that an agent has run, with the number of the attempt.
fn runs(agent: &Path) -> Vec<(String, u64)> {
    let below =
        |path: &Path| fs::read_dir(path).into_iter().flatten().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let deployments = below(&agent.join("data/runs"));
    let attempts = deployments.iter().flat_map(|deployment| below(deployment));
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    attempts.filter_map(|attempt| Some((name(attempt.parent()?), name(&attempt).parse().ok()?))).collect()
}
