//! What Proton left, with a state that a real Terraform wrote: registered, looked at, adopted, and deployed anew without
//! anything being made a second time.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::plain::{Directory, ENVIRONMENT};
use crate::support::bundle::tar_gz;
use crate::support::moto::Moto;
use crate::support::plane::{Plane, Start, agent, binary};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

const ARN: &str = "arn:aws:proton:us-east-1:123456789012:environment/dev";
const ID: &str = "a149878a-4688-4369-84ba-e7569404acab";
const KEY: &str = "dev/terraform.tfstate";

const SCHEMA: &str = r#"schema:
  format:
    openapi: "3.0.0"
  environment_input_type: "In"
  types:
    In:
      type: object
      properties:
        size:
          type: integer
          default: 1
"#;

const MANIFEST: &str = "infrastructure:\n  templates:\n    - file: \"*\"\n      rendering_engine: hcl\n      \
                        template_language: terraform\n";

const MAIN: &str = r#"
resource "terraform_data" "network" {
  input = var.environment.inputs.size
}

output "Network" {
  value = terraform_data.network.id
}
"#;

/// A plane without an agent, an S3 that holds the state, and people who know both.
struct Scene {
    plane: Plane,
    moto: Moto,
    /// Knows the plane as AWS clients do.
    aws: Shell,
    /// Knows the plane by Hadron's variables, and AWS by AWS's.
    operator: Shell,
}

impl Scene {
    fn new() -> Self {
        let tools = Tools::get();
        let (moto, plane) = (Moto::start(tools), Plane::serve(Start::default()));
        let mut env: BTreeMap<String, String> = plane.exported().clone();
        env.insert("HADRON".into(), binary().display().to_string());
        let aws = Shell::new(tools, &env);
        let env = site(&moto, &plane);
        Self { operator: Shell::new(tools, &env), aws, plane, moto }
    }

    /// The state as it lies in the bucket.
    fn state(&self) -> Value {
        let script = format!(
            "import boto3, sys; sys.stdout.write(boto3.client('s3').get_object(Bucket='states', \
             Key='{KEY}')['Body'].read().decode())"
        );
        self.moto.boto3(Tools::get(), &script)
    }

    /// Puts a file into the bucket.
    fn put(&self, file: &Path) {
        let script = format!(
            "import boto3\ns3 = boto3.client('s3')\ns3.create_bucket(Bucket='states')\ns3.put_object(Bucket='states', \
             Key='{KEY}', Body=open('{}', 'rb').read())\nprint('1')",
            file.display()
        );
        self.moto.boto3(Tools::get(), &script);
    }
}

/// The environment of a Hadron process that keeps both identities apart.
fn site(moto: &Moto, plane: &Plane) -> BTreeMap<String, String> {
    let exported = plane.exported();
    let set = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    [
        set("HADRON", &binary().display().to_string()),
        set("HADRON_ENDPOINT", plane.endpoint()),
        set("HADRON_ACCESS_KEY_ID", &exported["AWS_ACCESS_KEY_ID"]),
        set("HADRON_SECRET_ACCESS_KEY", &exported["AWS_SECRET_ACCESS_KEY"]),
        set("HADRON_REGION", "us-east-1"),
        set("HADRON_STATE_ENDPOINT", moto.endpoint()),
        set("AWS_ACCESS_KEY_ID", "test"),
        set("AWS_SECRET_ACCESS_KEY", "test"),
    ]
    .into()
}

/// What Proton rendered, applied by hand, as a team's workflow did: the state and the outputs.
fn applied(size: u64) -> (Vec<u8>, String) {
    let template = TempDir::new().unwrap();
    fs::write(template.path().join("main.tf"), MAIN).unwrap();
    let directory = Directory::new(template.path(), ENVIRONMENT, BTreeMap::new());
    let inputs = json!({ "environment": { "name": "dev", "inputs": { "size": size } }, "proton_tags": {} });
    let outputs = directory.apply(&inputs);
    (fs::read(directory.path().join("terraform.tfstate")).unwrap(), outputs["Network"].clone())
}

fn estate(network: &str) -> Value {
    let files = [
        ("infrastructure/main.tf".to_owned(), MAIN.as_bytes().to_vec()),
        ("infrastructure/manifest.yaml".to_owned(), MANIFEST.as_bytes().to_vec()),
        ("schema/schema.yaml".to_owned(), SCHEMA.as_bytes().to_vec()),
    ];
    let version = json!({ "templateName": "net", "major": 1, "minor": 3 });
    json!({
        "templateVersions": [{ "kind": "ENVIRONMENT", "version": version, "bundle": STANDARD.encode(tar_gz(&files)) }],
        "environments": [{
            "arn": ARN,
            "version": version,
            "deploymentId": ID,
            "spec": "proton: EnvironmentSpec\nspec:\n  size: 1\n",
            "outputs": [{ "key": "Network", "value": network }],
            "state": { "bucket": "states", "key": KEY, "region": "us-east-1" },
        }],
    })
}

fn outcomes(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|it| it["outcome"].as_str().unwrap()).collect()
}

#[test]
fn an_adopted_environment_goes_on_with_its_own_state_and_nothing_is_made_a_second_time() {
    let scene = Scene::new();
    let (state, network) = applied(1);
    let file = scene.operator.file("state", &state);
    scene.put(&file);
    let before: Value = serde_json::from_slice(&state).unwrap();

    scene.aws.file("estate.json", estate(&network).to_string());
    scene.aws.ok("$HADRON client install");
    let import = "aws hadron import-estate --cli-input-json file://estate.json";
    assert_eq!(outcomes(&scene.aws.json(import)), ["IMPORTED", "IMPORTED"]);
    assert_eq!(outcomes(&scene.aws.json(import)), ["UNCHANGED", "UNCHANGED"]);
    let shown = scene.aws.json("aws proton get-environment --name dev --query environment");
    assert_eq!(shown["arn"], ARN);
    assert_eq!(shown["lastSucceededDeploymentId"], ID);
    assert_eq!(shown["deploymentStatus"], "SUCCEEDED");
    assert_eq!((&shown["templateMajorVersion"], &shown["templateMinorVersion"]), (&json!("1"), &json!("3")));

    let deploy = "aws proton update-environment --name dev --deployment-type CURRENT_VERSION --spec file://spec";
    scene.aws.file("spec", "proton: EnvironmentSpec\nspec:\n  size: 2\n");
    scene.aws.run(deploy).failed(255, &["ConflictException", "hadron adopt"]);
    assert!(scene.operator.ok("$HADRON status").contains("imported and quarantined"));

    let plan = scene.operator.ok("$HADRON adopt --plan");
    assert!(plan.contains("1 no changes: hadron adopt --unchanged\n  environment/dev"), "{plan}");
    assert_eq!(scene.state(), before, "a plan writes no state");
    assert!(scene.operator.ok("$HADRON adopt --updates").trim().lines().count() <= 1, "it is in another group");
    scene.operator.ok("$HADRON adopt --unchanged");
    scene.operator.run("$HADRON adopt").printed("nothing is quarantined");

    scene.aws.ok(deploy);
    let mut env = site(&scene.moto, &scene.plane);
    env.remove("HADRON");
    let _agent = agent(&scene.plane, "one", &Start { env, ..Start::default() });
    let began = Instant::now();
    let query = "aws proton get-environment --name dev --query environment.deploymentStatus --output text";
    while scene.aws.ok(query) == "IN_PROGRESS" {
        assert!(began.elapsed() < Duration::from_mins(2), "it isn't deployed");
        std::thread::sleep(Duration::from_millis(500));
    }
    scene.aws.run(query).printed("SUCCEEDED");
    let after = scene.state();
    assert_eq!(after["lineage"], before["lineage"]);
    assert!(after["serial"].as_i64() > before["serial"].as_i64());
    let attributes = &after["resources"][0]["instances"][0]["attributes"];
    assert_eq!(attributes["id"], network.as_str(), "the same resource");
    assert_eq!(attributes["input"]["value"], 2);
    // The workflow that Proton's sample made runs once more, and fails.
    scene.aws.ok(&format!(
        "aws proton notify-resource-deployment-status-change --resource-arn {ARN} --deployment-id {ID} --status FAILED"
    ));
    scene.aws.run(query).printed("SUCCEEDED");
}

#[test]
fn a_target_whose_plan_would_make_or_replace_everything_is_not_adopted_with_others() {
    let scene = Scene::new();
    scene.aws.file("estate.json", estate("n").to_string());
    scene.aws.ok("$HADRON client install && aws hadron import-estate --cli-input-json file://estate.json");
    // The state is nowhere: what exists would be made a second time.
    scene.operator.run("$HADRON adopt --plan").failed(10, &[]);
    let listed = scene.operator.ok("$HADRON adopt");
    assert!(listed.contains("1 can't be planned") && listed.contains("the state manages nothing"), "{listed}");
    scene.operator.run("$HADRON adopt environment/dev").failed(1, &[]);
}
