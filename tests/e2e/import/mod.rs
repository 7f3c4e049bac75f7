//! A team's repositories, as Proton left them, with states that real Terraforms wrote: imported, adopted, deployed anew.

#[expect(dead_code, reason = "what the generator of random repositories uses of it")]
#[path = "../../it/estate/team.rs"]
mod team;
#[expect(dead_code, reason = "what the generator of random repositories uses of it")]
#[path = "../../it/estate/writer.rs"]
mod writer;

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::moto::Moto;
use crate::support::plane::{Plane, Start, binary};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

/// Where the sample workflow kept each directory's state.
const STATES: [(&str, &str, &str); 9] = [
    ("infrastructure/dev", "acme-dev-state", "dev/terraform.tfstate"),
    ("infrastructure/prod", "acme-state", "prod/terraform.tfstate"),
    ("infrastructure/old", "acme-state", "old/terraform.tfstate"),
    ("infrastructure/dev/pay-web", "acme-dev-state", "dev/pay-web/terraform.tfstate"),
    ("infrastructure/prod/pay-web-prod", "acme-state", "prod/pay-web-prod/terraform.tfstate"),
    ("infrastructure/prod/pay-batch", "acme-state", "prod/pay-batch/terraform.tfstate"),
    ("infrastructure/dev/components/queue", "acme-dev-state", "dev/components/queue/terraform.tfstate"),
    ("infrastructure/prod/components/bucket", "acme-state", "prod/components/bucket/terraform.tfstate"),
    // The workflow's own missing slash.
    ("pipelines/pay/pipeline", "acme-ci-state", "pay/pipelineterraform.tfstate"),
];

struct Scene {
    _moto: Moto,
    /// Knows the plane as AWS clients do.
    aws: Shell,
    /// Knows the plane by Hadron's variables, and AWS by AWS's; the repositories lie in its folder.
    operator: Shell,
    _plane: Plane,
}

impl Scene {
    fn new() -> Self {
        let tools = Tools::get();
        let (moto, plane) = (Moto::start(tools), Plane::serve(Start::default()));
        let aws = Shell::new(tools, plane.exported());
        let exported = plane.exported();
        let mut env: BTreeMap<String, String> = moto.env();
        for (name, value) in [
            ("HADRON", binary().to_str().unwrap()),
            ("HADRON_ENDPOINT", plane.endpoint()),
            ("HADRON_ACCESS_KEY_ID", &exported["AWS_ACCESS_KEY_ID"]),
            ("HADRON_SECRET_ACCESS_KEY", &exported["AWS_SECRET_ACCESS_KEY"]),
            ("HADRON_STATE_ENDPOINT", moto.endpoint()),
        ] {
            env.insert(name.to_owned(), value.to_owned());
        }
        let operator = Shell::new(tools, &env);
        for tree in team::team() {
            team::write(&tree, &operator.folder().join(&tree.name));
        }
        let scene = Self { _moto: moto, aws, operator, _plane: plane };
        scene.apply_as_the_workflow_did();
        scene
    }

    /// Applies every directory by hand, in a copy, so that the repositories stay as Proton left them.
    fn apply_as_the_workflow_did(&self) {
        for bucket in ["acme-dev-state", "acme-state", "acme-ci-state"] {
            self.operator.ok(&format!("aws s3 mb s3://{bucket}"));
        }
        for (folder, bucket, key) in STATES {
            let backend = format!(
                "terraform {{\n  backend \"s3\" {{\n    bucket = \"{bucket}\"\n    key = \"{key}\"\n    region = \"us-east-1\"\n    \
                 use_path_style = true\n    skip_credentials_validation = true\n    skip_requesting_account_id = true\n    \
                 skip_region_validation = true\n    skip_metadata_api_check = true\n    endpoints = {{ s3 = \
                 \"$HADRON_STATE_ENDPOINT\" }}\n  }}\n}}\n"
            );
            self.operator.ok(&format!(
                "mkdir copy && cp {folder}/*.* copy && cat > copy/backend_override.tf <<EOF\n{backend}EOF\n\
                 cd copy && terraform init -input=false >/dev/null && terraform apply -input=false -auto-approve >/dev/null \
                 && cd .. && rm -r copy"
            ));
        }
    }

    fn state(&self, bucket: &str, key: &str) -> Value {
        self.operator.json(&format!("aws s3 cp s3://{bucket}/{key} -"))
    }
}

#[test]
fn a_teams_repositories_are_imported_adopted_and_deployed_with_their_own_states() {
    let scene = Scene::new();
    let before: Vec<Value> = STATES.iter().map(|(_, bucket, key)| scene.state(bucket, key)).collect();
    let import = "$HADRON import infrastructure pipelines --apply";
    let first = scene.operator.run(import).succeeded();
    // Five versions, eight targets, the service.
    assert!(first.stdout.contains("14 registered, 0 unchanged"), "{first:?}");
    assert!(
        first
            .stderr
            .contains("s3://acme-state/old/terraform.tfstate manages 1 resources and belongs to nothing that lives"),
        "{first:?}"
    );
    assert!(scene.operator.ok(import).contains("0 registered, 14 unchanged"));

    let dev = scene.aws.json("aws proton get-environment --name dev --query environment");
    assert_eq!(dev["arn"], "arn:aws:proton:us-east-1:123456789012:environment/dev");
    assert_eq!(dev["deploymentStatus"], "SUCCEEDED");
    assert_eq!(dev["templateMinorVersion"], "1");
    let outputs =
        "aws proton list-environment-outputs --environment-name dev --query outputs[0].valueString --output text";
    scene.aws.run(outputs).printed("vpc-dev");
    let names = "aws proton list-service-instances --query serviceInstances[].name --output text";
    scene.aws.run(names).printed("batch\tweb\tweb-prod");

    let plan = scene.operator.run("$HADRON adopt --plan");
    assert_eq!(plan.code, 10, "{plan:?}");
    assert!(plan.stdout.contains("6 no changes: hadron adopt --unchanged"), "{plan:?}");
    // Its inputs were texts when Proton rendered it.
    assert!(
        plan.stdout.contains("1 adds or updates: hadron adopt --updates\n  service/pay/service-instance/batch"),
        "{plan:?}"
    );
    // It had never heard of the instance that came last, whose outputs no directory tells.
    let (_, unplanned) = plan.stdout.split_once("1 can't be planned").unwrap();
    assert!(unplanned.contains("service/pay/pipeline") && unplanned.contains("Url"), "{plan:?}");
    let after: Vec<Value> = STATES.iter().map(|(_, bucket, key)| scene.state(bucket, key)).collect();
    assert_eq!(before, after, "neither import nor plan writes a state");
    scene.operator.ok("$HADRON adopt --unchanged");
    assert!(!scene.operator.ok("$HADRON adopt").contains("environment/dev"));
}

#[test]
fn states_are_copied_with_lineage_and_serial_and_outputs_are_read_from_them() {
    let scene = Scene::new();
    let import = "$HADRON import infrastructure pipelines --apply --copy-state --outputs-from-state";
    let told = scene.operator.ok(import);
    assert!(told.contains("8 states copied into the state server"), "{told}");
    let there = scene.state("acme-dev-state", "dev/terraform.tfstate");
    let here: Value = serde_json::from_str(&scene.operator.ok("$HADRON state pull environment/dev")).unwrap();
    assert_eq!(here, there);
    let told = scene.operator.ok(import);
    assert!(told.contains("0 registered, 14 unchanged"), "{told}");
    // No directory tells what the component gave out; its state does.
    let query =
        "aws proton list-component-outputs --component-name bucket --query outputs[0].valueString --output text";
    scene.aws.run(query).printed("vpc-prod/bucket");
    let plan = scene.operator.ok("$HADRON adopt --plan");
    assert!(plan.contains("6 no changes") && plan.contains("2 adds or updates: hadron adopt --updates"), "{plan}");
}

#[test]
fn a_team_leaves_for_plain_terraform_straight_from_what_proton_left() {
    let scene = Scene::new();
    scene.operator.ok("$HADRON import infrastructure pipelines --apply --outputs-from-state");
    let ejected = scene.operator.run("aws s3 mb s3://spare && $HADRON eject roots --state s3://spare").succeeded();
    assert!(ejected.stderr.contains("8 of them were imported and never adopted"), "{ejected:?}");
    assert!(ejected.stdout.contains("s3://acme-ci-state/pay/pipelineterraform.tfstate"), "{ejected:?}");
    assert_eq!(scene.operator.ok("aws s3 ls s3://spare"), "", "every state stays where it is");
    let planned = scene.operator.ok(
        "cd roots/environments/dev && terraform init -input=false >/dev/null && terraform plan -input=false -no-color",
    );
    assert!(planned.contains("No changes."), "{planned}");
    // Hadron's hands are off from now on.
    let shown = scene.operator.ok("$HADRON state show environment/dev");
    assert!(shown.contains("ejected: its state lies at s3://acme-dev-state/dev/terraform.tfstate"), "{shown}");
}
