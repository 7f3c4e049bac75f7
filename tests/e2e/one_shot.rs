//! `hadron agent --once` and `--deployment ID` as a pipeline meets them: exit codes, what they print, what GitHub shows.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::client::{Client, environment_bundle};
use crate::support::plane::{Plane, Start, binary, hadron};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

const ONE: &str = r#"
resource "terraform_data" "one" {
  input = "there"
  provisioner "local-exec" {
    command = "${var.environment.inputs.command}"
  }
}

output "One" {
  value = terraform_data.one.output
}
"#;

struct Told {
    code: i32,
    out: String,
    err: String,
}

struct Scene {
    plane: Plane,
    user: Client,
    folder: tempfile::TempDir,
    robot: BTreeMap<String, String>,
}

impl Scene {
    async fn play() -> Self {
        Self::play_with(Start::default()).await
    }

    async fn play_with(start: Start) -> Self {
        let plane = Plane::serve(start);
        let mut env = plane.exported().clone();
        env.insert("HADRON".into(), binary().display().to_string());
        env.insert("HADRON_DATA".into(), plane.data().display().to_string());
        let key = Shell::new(Tools::get(), &env).json("$HADRON key create robot --role agent --output json");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let pair = |name: &str, value: String| (name.to_owned(), value);
        let folder = tempfile::tempdir().unwrap();
        let robot = [
            pair("HADRON_ACCESS_KEY_ID", text(&key["key"]["id"])),
            pair("HADRON_SECRET_ACCESS_KEY", text(&key["secret"])),
            pair("HADRON_ENDPOINT", plane.endpoint().to_owned()),
            pair("GITHUB_ACTIONS", "true".into()),
            pair("GITHUB_STEP_SUMMARY", folder.path().join("summary.md").display().to_string()),
        ];
        let user = Client::of(&plane).await;
        user.environment_template("one", environment_bundle(&["command"], ONE)).await;
        Self { plane, user, folder, robot: robot.into() }
    }

    fn agent(&self, flags: &[&str], settings: &str) -> Told {
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let start = Start { env: self.robot.clone(), flags, settings: settings.to_owned(), ..Start::default() };
        let folder = self.folder.path().join("agent");
        fs::create_dir_all(&folder).unwrap();
        let told = hadron("agent", &start, &folder).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Told { code: told.status.code().unwrap(), out: text(told.stdout), err: text(told.stderr) }
    }

    fn summary(&self) -> String {
        fs::read_to_string(self.folder.path().join("summary.md")).unwrap_or_default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pipeline_learns_what_was_done_and_what_was_not() {
    let scene = Scene::play().await;
    let nothing = scene.agent(&["--once"], "");
    assert_eq!(
        (nothing.code, nothing.out.as_str()),
        (0, "nothing to do: no deployment is pending\n"),
        "{}",
        nothing.err
    );
    assert!(scene.summary().contains("nothing to do"), "{}", scene.summary());

    scene.user.create_environment("good", "one", "command: \"true\"").await;
    scene.user.create_environment("bad", "one", "command: echo no quota left; exit 7").await;
    let both = scene.agent(&["--once", "--output", "json"], "");
    assert_eq!(both.code, 11, "{}", both.err);
    let told: Value = serde_json::from_str(&both.out).unwrap();
    assert_eq!((&told["verdict"], &told["exitCode"]), (&"apply-failed".into(), &11.into()));
    let of = |name: &str| {
        let all = told["deployments"].as_array().unwrap();
        all.iter().find(|it| it["target"] == format!("environment {name}")).unwrap()
    };
    assert_eq!(of("good")["changes"], serde_json::json!({ "add": 1, "change": 0, "destroy": 0 }));
    assert_eq!(of("good")["outputs"], serde_json::json!(["One"]));
    assert!(of("bad")["message"].as_str().unwrap().contains("no quota left"));
    assert!(PathBuf::from(of("bad")["runDirectory"].as_str().unwrap()).join("work/main.tf").exists());
    let annotated = both.err.lines().find(|line| line.starts_with("::error file=main.tf,line=4,")).unwrap();
    assert!(
        annotated.contains("title=environment bad%3A ") && annotated.contains("%0A") == annotated.contains("Output")
    );
    assert!(scene.summary().contains("| ✅ | environment good |") && scene.summary().contains("no quota left"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_awaits_people_ends_the_step_with_20_and_a_later_one_goes_on() {
    const GATED: &str = "[environments.\"*\"]\ngates = [\"approval\"]\n";
    let scene = Scene::play().await;
    scene.user.create_environment("dev", "one", "command: \"true\"").await;
    let first = scene.agent(&["--once"], GATED);
    assert_eq!(first.code, 20, "{}", first.err);
    assert!(first.out.starts_with("environment dev: awaiting approval (deployment "), "{}", first.out);
    let id = first.out.split(['(', ')']).nth(1).unwrap().trim_start_matches("deployment ").to_owned();
    let again = scene.agent(&["--deployment", &id], GATED);
    assert_eq!(again.code, 20, "nobody has decided: {}", again.err);

    let approve = |more: &[&str]| {
        let mut approve = hadron("approve", &Start::default(), scene.plane.data().parent().unwrap());
        let told = approve.env("HADRON_ENDPOINT", scene.plane.endpoint()).arg(&id).args(more).output().unwrap();
        (told.status.success(), String::from_utf8(told.stderr).unwrap())
    };
    let (_, asked) = approve(&[]);
    let plan = asked.trim().rsplit("--plan ").next().unwrap();
    let (approved, said) = approve(&["--plan", plan]);
    assert!(approved, "{said}");
    let last = scene.agent(&["--deployment", &id, "--wait", "1m"], GATED);
    assert_eq!(last.code, 0, "{}", last.err);
    assert_eq!(last.out, format!("environment dev: done, 1 added, 0 changed, 0 destroyed (deployment {id})\n"));
    scene.user.deployed("dev").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_host_cannot_give_is_refused_before_anything_is_claimed() {
    let scene = Scene::play().await;
    let detach = scene.agent(&["--once"], "[agent]\nshutdown = \"detach\"\n");
    assert_eq!((detach.code, detach.out.as_str()), (3, ""));
    assert!(detach.err.contains("on GitHub Actions nothing outlives the agent"), "{}", detach.err);
    let wait = scene.agent(&["--wait", "1m"], "");
    assert_eq!(wait.code, 2, "{}", wait.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_that_are_refused_are_no_success() {
    let policies = tempfile::tempdir().unwrap();
    let forbid = r#"@id("closed") forbid (
        principal in Hadron::Role::"agent",
        action == Proton::Action::"NotifyResourceDeploymentStatusChange",
        resource
    );"#;
    fs::write(policies.path().join("closed.cedar"), forbid).unwrap();
    let settings = format!("policies = {:?}\n", policies.path());
    let scene = Scene::play_with(Start { settings, ..Start::default() }).await;
    scene.user.create_environment("dev", "one", "command: \"true\"").await;
    let refused = scene.agent(&["--once"], "");
    assert_eq!((refused.code, refused.out.as_str()), (3, ""), "{}", refused.err);
    assert!(refused.err.contains("closed"), "{}", refused.err);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_state_holds_is_not_replaced_by_an_adoption_that_nobody_asked_for() {
    let scene = Scene::play().await;
    scene.user.create_environment("dev", "one", "command: \"true\"").await;
    assert_eq!(scene.agent(&["--once"], "").code, 0);
    let operator = Shell::new(Tools::get(), &{
        let mut env = scene.plane.exported().clone();
        env.insert("HADRON".into(), binary().display().to_string());
        env
    });
    let adopt = |what: &str| operator.json(&format!("$HADRON state adopt environment/dev {what} --output json"));
    let held = operator.json("$HADRON state pull environment/dev")["resources"].clone();
    adopt("terraform_data.one=another");
    scene.user.update_environment("dev", "command: echo again").await;
    let refused = scene.agent(&["--once", "--output", "json"], "");
    assert_eq!(refused.code, 13, "{}", refused.err);
    let told: Value = serde_json::from_str(&refused.out).unwrap();
    let message = told["deployments"][0]["message"].as_str().unwrap();
    assert!(message.contains("the state holds") && message.contains("name another again"), "{message}");
    assert_eq!(operator.json("$HADRON state pull environment/dev")["resources"], held);
    assert_eq!(adopt("--none")["blocked"], Value::Null);
    scene.user.update_environment("dev", "command: echo again").await;
    let last = scene.agent(&["--once"], "");
    assert_eq!(last.code, 0, "{}", last.err);
    assert_eq!(operator.json("$HADRON state pull environment/dev")["resources"], held, "it is the same object");
}
