//! The approval gate as operators meet it: the real binary, a control plane and an agent with a key of its own.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use aws_sdk_proton::types::DeploymentStatus;
use serde_json::Value;

use crate::client::{Client, environment_bundle, eventually};
use crate::support::plane::{Plane, Start, agent, agent_folder, binary};
use crate::support::process::Running;
use crate::support::shell::Shell;
use crate::support::tools::Tools;

/// A secret that is in the plan; `MAIN` holds it too.
const SECRET: &str = "planted-hush-4711";

const MAIN: &str = r#"
variable "password" {
  type      = string
  sensitive = true
  default   = "planted-hush-4711"
}

resource "terraform_data" "one" {
  input            = var.environment.inputs.size
  triggers_replace = var.password
}

output "Size" {
  value = terraform_data.one.output
}
"#;

/// A gated environment whose first plan awaits approval.
struct Scene {
    plane: Plane,
    user: Client,
    shell: Shell,
    robot: BTreeMap<String, String>,
    agent: Running,
}

impl Scene {
    async fn play() -> Self {
        let plane = Plane::serve(Start::default());
        let mut env = plane.exported().clone();
        env.insert("HADRON".into(), binary().display().to_string());
        env.insert("HADRON_DATA".into(), plane.data().display().to_string());
        let shell = Shell::new(Tools::get(), &env);
        let key = shell.json("$HADRON key create robot --role agent --output json");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let (id, secret) = (text(&key["key"]["id"]), text(&key["secret"]));
        let robot = [("HADRON_ACCESS_KEY_ID".to_owned(), id), ("HADRON_SECRET_ACCESS_KEY".to_owned(), secret)].into();
        let user = Client::of(&plane).await;
        user.environment_template("small", environment_bundle(&["size"], MAIN)).await;
        let agent = gated(&plane, &robot);
        user.create_environment("dev", "small", "size: m").await;
        Self { plane, user, shell, robot, agent }
    }

    /// The run that awaits approval, once there is one: its id and its plan.
    async fn awaiting(&self) -> (String, String) {
        let mut found = Value::Null;
        eventually(async || {
            found = self.shell.json("$HADRON runs --status AWAITING_APPROVAL --output json");
            found[0].is_object()
        })
        .await;
        let text = |name: &str| found[0][name].as_str().unwrap().to_owned();
        assert_eq!(text("planSummary"), "1 to add, 0 to change, 0 to destroy");
        (text("deploymentId"), text("planDigest"))
    }

    /// The agent's files that belong to saved plans.
    fn plan_files(&self) -> Vec<PathBuf> {
        let mut found = files_below(&agent_folder(&self.plane, "robot").join("data"));
        found.retain(|path| path.ancestors().any(|folder| folder.ends_with("plan")));
        found
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

/// Insists that a file neither shows the secret nor is a plan of Terraform's: a zip with `tfplan` and the state in it.
fn gives_nothing_away(path: &Path) {
    let bytes = fs::read(path).unwrap();
    assert!(!bytes.windows(SECRET.len()).any(|at| at == SECRET.as_bytes()), "{} holds it", path.display());
    let zip = zip::ZipArchive::new(Cursor::new(bytes));
    assert!(zip.is_err(), "{} is a zip of {:?}", path.display(), zip.unwrap().file_names().collect::<Vec<_>>());
}

fn gated(plane: &Plane, robot: &BTreeMap<String, String>) -> Running {
    let settings = "[environments.\"*\"]\ngates = [\"approval\"]\n".to_owned();
    agent(plane, "robot", &Start { settings, env: robot.clone(), ..Start::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gated_environment_waits_for_people_even_across_a_crash_of_its_agent() {
    let mut scene = Scene::play().await;
    let (id, plan) = scene.awaiting().await;
    let shell = &scene.shell;
    assert!(shell.ok("$HADRON status").contains("AWAITING_APPROVAL"));
    // Asked for right away: it is waited for.
    assert!(shell.ok(&format!("$HADRON logs {id} --plan")).contains("terraform_data.one will be created"));
    let other = "0".repeat(64);
    shell.run(&format!("$HADRON approve {id} --plan {other}")).failed(1, &["ConflictException", &plan]);
    let repeat = format!("hadron approve {id} --plan {plan}");
    shell.run(&format!("$HADRON approve {id} < /dev/null")).failed(2, &["1 to add", &repeat]);
    let as_robot = scene.robot.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
    let as_robot = format!("HADRON_ENDPOINT={} {as_robot}", scene.plane.endpoint());
    shell.run(&format!("{as_robot} $HADRON approve {id} --plan {plan}")).failed(1, &["AccessDenied"]);

    let waiting = scene.plan_files();
    assert!(matches!(waiting.as_slice(), [one] if one.ends_with("1/plan/plan.sealed")), "{waiting:?}");
    for path in &waiting {
        gives_nothing_away(path);
    }
    scene.agent.kill();
    scene.agent = gated(&scene.plane, &scene.robot);
    let said = shell.ok(&format!("$HADRON approve {id} --plan {plan} --comment 'looks right'"));
    assert_eq!(said, "APPROVED: environment/dev, 1 to add, 0 to change, 0 to destroy");
    scene.user.deployed("dev").await;
    assert_eq!(scene.user.outputs("dev").await["Size"], "m");
    eventually(async || scene.plan_files().is_empty()).await;
    let no_attempt = shell.run(&format!("$HADRON runs show {id} --attempt 9"));
    no_attempt.failed(2, &["this deployment has no attempt 9", "hint: its attempts are 1 to "]);
    let run = shell.ok(&format!("$HADRON runs {id}"));
    assert!(run.contains("APPROVED") && run.contains("user/admin") && run.contains("looks right"), "{run}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_plan_fails_the_deployment_in_the_words_of_whoever_rejected_it() {
    let scene = Scene::play().await;
    let (id, plan) = scene.awaiting().await;
    scene.shell.ok(&format!("$HADRON reject {id} --plan {plan} --comment 'not on a Friday'"));
    let (status, message) = scene.user.settled("dev").await;
    assert_eq!(status, DeploymentStatus::Failed);
    assert!(message.contains("was rejected by arn:aws:iam::123456789012:user/admin: not on a Friday"), "{message}");
    eventually(async || scene.plan_files().is_empty()).await;
    scene.shell.run(&format!("$HADRON approve {id} --plan {plan}")).failed(1, &["was rejected by"]);
}
