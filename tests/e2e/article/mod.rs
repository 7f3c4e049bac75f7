//! A well-known article about Proton, followed in its own order with the unmodified AWS CLI.
//!
//! Numbers in comments count the article's commands. Where the article errs, the command stands here as it was written,
//! with what it answers, and beside it the form that does what was meant. Only file names were adapted: the bundles are the
//! Terraform ones of `examples/aws`.

mod components;
mod environments;
mod operations;
mod services;
mod sync;
mod teardown;
mod templates;

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::moto::Moto;
use crate::support::plane::{Plane, Start};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

/// Longer than any deployment takes: the provider sleeps a minute after each load balancer.
const PATIENCE: Duration = Duration::from_mins(4);

/// One reader of the article: a shell, Hadron on this machine, an AWS account.
struct Story {
    shell: Shell,
    // Before the account, since the agent inside must not outlive what it works on.
    _plane: Plane,
    moto: Moto,
    tools: &'static Tools,
    _overlay: TempDir,
}

impl Story {
    fn begin() -> Self {
        let tools = Tools::get();
        let moto = Moto::start(tools);
        let overlay = TempDir::new().unwrap();
        moto.write_overlay(overlay.path());
        let settings = format!(
            r#"
            [terraform]
            cli_config = "{}"

            [agent.env]
            AWS_ACCESS_KEY_ID = "test"
            AWS_SECRET_ACCESS_KEY = "test"
            AWS_EC2_METADATA_DISABLED = "true"

            [environments."*"]
            region = "us-east-1"
            overlay = "{}"
            "#,
            tools.terraform_rc().display(),
            overlay.path().display(),
        );
        let plane = Plane::up(Start { settings, ..Start::default() });
        let shell = Shell::new(tools, plane.exported());
        Self { shell, _plane: plane, moto, tools, _overlay: overlay }
    }

    /// What exists in the AWS account.
    fn account(&self) -> Value {
        self.moto.inventory(self.tools)
    }

    /// Runs a script again and again until its output is `expected`.
    fn until_prints(&self, script: &str, expected: &str) {
        let began = Instant::now();
        loop {
            let answer = self.shell.run(script);
            if answer.code == 0 && answer.stdout == expected {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "never printed {expected}: {answer:#?}");
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Runs a get command again and again until what it asks for is gone.
    fn until_gone(&self, get: &str) {
        let began = Instant::now();
        loop {
            let answer = self.shell.run(get);
            if answer.code == 255 && answer.stderr.contains("ResourceNotFoundException") {
                return;
            }
            assert!(answer.code == 0 && began.elapsed() < PATIENCE, "never gone: {answer:#?}");
            assert!(!answer.stdout.contains("FAILED"), "{answer:#?}");
            std::thread::sleep(Duration::from_secs(1));
        }
    }
}

#[test]
fn the_article_can_be_followed_in_its_own_order() {
    let story = Story::begin();

    templates::publish_the_environment_template(&story);
    templates::publish_the_service_template(&story);
    environments::deploy_dev_and_prod(&story);
    services::create_the_service(&story);
    services::add_the_prod_instance(&story);
    sync::link_the_repository(&story);
    components::attach_a_queue(&story);
    // The platform team goes on while prod is deployed.
    operations::publish_the_next_minor_version(&story);
    services::see_both_instances_and_their_stages(&story);
    everything_exists(&story);
    operations::roll_out_a_minor_version(&story);
    operations::ask_for_drift(&story);
    operations::use_the_quick_reference(&story);
    teardown::delete_everything(&story);

    assert_eq!(story.account(), json!({}), "nothing is left in the account");
}

/// What the article set out to build, as the AWS account sees it.
fn everything_exists(story: &Story) {
    let account = story.account();
    assert_eq!(account["clusters"], json!(["dev-cluster", "prod-cluster"]));
    assert_eq!(account["container_insights"], json!(["dev-cluster disabled", "prod-cluster enabled"]));
    assert_eq!(account["log_groups"], json!(["/proton/dev/services 7d", "/proton/prod/services 90d"]));
    assert_eq!(account["nat_gateways"].as_array().unwrap().len(), 1 + 2);
    assert_eq!(
        account["services"],
        json!(["dev-cluster/ledger-api-dev x1", "dev-cluster/payment-api-dev x1", "prod-cluster/payment-api-prod x2"])
    );
    assert_eq!(
        account["queues"],
        json!(["payment-api-dev-jobs -> payment-api-dev-jobs-dlq", "payment-api-dev-jobs-dlq"])
    );
    assert_eq!(account["pipelines"], json!(["payment-api-pipeline: Source Build Deploy-dev Deploy-prod"]));
    assert_eq!(account["repositories"], json!(["payment-api"]));
}
