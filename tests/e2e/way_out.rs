//! Deployments that fail: what people are told, what is kept, and that update and delete lead out of it.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::fs;
use std::path::Path;

use hadron::proton::sdk::error::ProvideErrorMetadata;
use hadron::proton::sdk::types::{
    ComponentDeploymentUpdateType, DeploymentStatus, DeploymentUpdateType, Output, ResourceDeploymentStatus,
};
use tempfile::TempDir;

use crate::site::{MANIFEST, Site, environment_spec};
use crate::support::plane::{Plane, Start};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

/// One resource that is noted in a file when it is made and when it is destroyed, and one after it that fails if the
/// condition holds.
fn half_way(notes: &Path, broken: &str) -> String {
    let notes = notes.display();
    format!(
        r#"resource "terraform_data" "first" {{
  input = "{notes}"
  provisioner "local-exec" {{
    command = "echo made >> ${{self.input}}"
  }}
  provisioner "local-exec" {{
    when    = destroy
    command = "echo destroyed >> ${{self.input}}"
  }}
}}

resource "terraform_data" "second" {{
  depends_on = [terraform_data.first]
  provisioner "local-exec" {{
    command = "echo on its way; exit ${{{broken} ? 3 : 0}}"
  }}
}}
"#
    )
}

fn read(notes: &Path) -> String {
    fs::read_to_string(notes).unwrap_or_default()
}

/// An error's code and message.
macro_rules! refusal {
    ($request:expr) => {{
        let error = $request.send().await.unwrap_err().into_service_error();
        format!("{}: {}", error.code().unwrap_or_default(), error.message().unwrap_or_default())
    }};
}

fn succeeded(settled: Option<(DeploymentStatus, String)>) {
    let (status, message) = settled.expect("it is there");
    assert_eq!(status, DeploymentStatus::Succeeded, "{message}");
}

fn failed(settled: Option<(DeploymentStatus, String)>) -> String {
    let (status, message) = settled.expect("it is there");
    assert_eq!(status, DeploymentStatus::Failed, "{message}");
    message
}

#[tokio::test(flavor = "multi_thread")]
async fn an_apply_that_fails_half_way_keeps_its_state_and_a_corrected_version_finishes_it() {
    let plane = Plane::up(Start::default());
    let (site, folder) = (Site::of(&plane).await, TempDir::new().unwrap());
    let notes = folder.path().join("notes");
    site.environment_template("zone", &half_way(&notes, "true")).await;
    let message = failed(Some(site.environment("dev", "zone", false).await));
    for words in ["main.tf:21", "local-exec provisioner error", "terraform_data.second", "exit status 3", "on its way"]
    {
        assert!(message.contains(words), "no `{words}` in: {message}");
    }
    assert!(message.contains("update again, or delete"), "the way out: {message}");

    site.environment_template("zone", &half_way(&notes, "false")).await;
    let update = site.proton.update_environment().name("dev").deployment_type(DeploymentUpdateType::MinorVersion);
    update.template_minor_version("1").spec(environment_spec(false)).send().await.unwrap();
    succeeded(site.environment_settled("dev").await);
    assert_eq!(read(&notes), "made\n", "what had been made was in the state");

    site.proton.delete_environment().name("dev").send().await.unwrap();
    assert_eq!(site.environment_settled("dev").await, None);
    assert_eq!(read(&notes), "made\ndestroyed\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_environment_can_be_deleted_and_nothing_of_it_stays() {
    let plane = Plane::up(Start::default());
    let (site, folder) = (Site::of(&plane).await, TempDir::new().unwrap());
    let notes = folder.path().join("notes");
    site.environment_template("zone", &half_way(&notes, "true")).await;
    failed(Some(site.environment("dev", "zone", false).await));
    site.proton.delete_environment().name("dev").send().await.unwrap();
    assert_eq!(site.environment_settled("dev").await, None);
    assert_eq!(read(&notes), "made\ndestroyed\n");
}

fn service_spec(instances: &[&str], environment: &str, broken: bool) -> String {
    let mut spec = format!("proton: ServiceSpec\npipeline:\n  broken: {broken}\ninstances:\n");
    for name in instances {
        spec += &format!("  - name: {name}\n    environment: {environment}\n    spec:\n      broken: {broken}\n");
    }
    spec
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_instances_pipelines_and_components_can_be_updated_and_deleted() {
    let plane = Plane::up(Start::default());
    let (site, folder) = (Site::of(&plane).await, TempDir::new().unwrap());
    let notes = |name: &str| folder.path().join(name);
    site.environment_template("zone", "").await;
    succeeded(Some(site.environment("dev", "zone", false).await));
    let instance = half_way(&notes("instance"), "var.service_instance.inputs.broken");
    let pipeline = half_way(&notes("pipeline"), "var.pipeline.inputs.broken");
    site.service_template("web", "zone", &instance, &pipeline).await;
    let create = |name: &str| {
        let create = site.proton.create_service().name(name).template_name("web").template_major_version("1");
        create
            .spec(service_spec(&["one"], "dev", true))
            .branch_name("main")
            .repository_id("acme/code")
            .repository_connection_arn(
                "arn:aws:codestar-connections:us-east-1:123456789012:connection/00000000-0000-0000-0000-000000000000",
            )
    };
    create("shop").send().await.unwrap();
    assert_eq!(site.service_settled("shop").await.as_deref(), Some("CREATE_FAILED"));
    let message = failed(site.instance_settled("shop", "one").await);
    assert!(message.contains("main.tf:21"), "{message}");

    let corrected = service_spec(&["one"], "dev", false);
    let update = site.proton.update_service_instance().service_name("shop").name("one").spec(&corrected);
    update.deployment_type(DeploymentUpdateType::CurrentVersion).send().await.unwrap();
    succeeded(site.instance_settled("shop", "one").await);
    // With the last instance mended its creation goes on, as the service was created.
    let message = failed(site.pipeline_settled("shop").await);
    assert!(message.contains("main.tf:21"), "{message}");
    let update = site.proton.update_service_pipeline().service_name("shop").spec(&corrected);
    update.deployment_type(DeploymentUpdateType::CurrentVersion).send().await.unwrap();
    succeeded(site.pipeline_settled("shop").await);
    assert_eq!(site.service_settled("shop").await.as_deref(), Some("ACTIVE"));
    assert_eq!((read(&notes("instance")), read(&notes("pipeline"))), ("made\n".to_owned(), "made\n".to_owned()));

    let component = |broken: &str| half_way(&notes("component"), broken);
    let create_component = |name: &str| {
        let create = site.proton.create_component().name(name).environment_name("dev").manifest(MANIFEST);
        create.template_file(component("true"))
    };
    create_component("queue").send().await.unwrap();
    let message = failed(site.component_settled("queue").await);
    assert!(message.contains("local-exec provisioner error"), "{message}");
    let update = site.proton.update_component().name("queue").template_file(component("false"));
    update.deployment_type(ComponentDeploymentUpdateType::CurrentVersion).send().await.unwrap();
    succeeded(site.component_settled("queue").await);
    create_component("other").send().await.unwrap();
    failed(site.component_settled("other").await);
    for name in ["queue", "other"] {
        site.proton.delete_component().name(name).send().await.unwrap();
        assert_eq!(site.component_settled(name).await, None);
    }
    assert_eq!(read(&notes("component")), "made\nmade\ndestroyed\ndestroyed\n");

    create("hopeless").send().await.unwrap();
    assert_eq!(site.service_settled("hopeless").await.as_deref(), Some("CREATE_FAILED"));
    for name in ["hopeless", "shop"] {
        site.proton.delete_service().name(name).send().await.unwrap();
        assert_eq!(site.service_settled(name).await, None);
    }
    for kind in ["instance", "pipeline"] {
        let text = read(&notes(kind));
        let count = |word: &str| text.lines().filter(|line| *line == word).count();
        assert_eq!(count("made"), count("destroyed"), "{kind}: {text}");
    }
    site.proton.delete_environment().name("dev").send().await.unwrap();
    assert_eq!(site.environment_settled("dev").await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_whose_names_collide_in_a_state_key_keep_states_of_their_own() {
    let plane = Plane::up(Start::default());
    let (site, folder) = (Site::of(&plane).await, TempDir::new().unwrap());
    let notes = folder.path().join("notes");
    site.environment_template("zone", "").await;
    succeeded(Some(site.environment("dev", "zone", false).await));
    site.service_template("web", "zone", &half_way(&notes, "false"), "").await;
    // Both would be `pay-api-dev`.
    for (service, instance) in [("pay", "api-dev"), ("pay-api", "dev")] {
        let create = site.proton.create_service().name(service).template_name("web").template_major_version("1");
        let create =
            create.spec(service_spec(&[instance], "dev", false)).branch_name("main").repository_id("acme/code");
        let create = create.repository_connection_arn(
            "arn:aws:codestar-connections:us-east-1:123456789012:connection/00000000-0000-0000-0000-000000000000",
        );
        create.send().await.unwrap();
        assert_eq!(site.service_settled(service).await.as_deref(), Some("ACTIVE"));
    }
    assert_eq!(read(&notes), "made\nmade\n");
    site.proton.delete_service().name("pay").send().await.unwrap();
    assert_eq!(site.service_settled("pay").await, None);
    assert_eq!(read(&notes), "made\nmade\ndestroyed\n", "the other one's is untouched");
    let update = site.proton.update_service_instance().service_name("pay-api").name("dev");
    update.deployment_type(DeploymentUpdateType::CurrentVersion).send().await.unwrap();
    succeeded(site.instance_settled("pay-api", "dev").await);
    assert_eq!(read(&notes), "made\nmade\ndestroyed\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_strangers_notify_changes_nothing() {
    let plane = Plane::up(Start::default());
    let (site, folder) = (Site::of(&plane).await, TempDir::new().unwrap());
    let notes = folder.path().join("notes");
    site.environment_template("zone", "output \"Name\" {\n  value = var.environment.name\n}\n").await;
    for name in ["one", "two"] {
        succeeded(Some(site.environment(name, "zone", false).await));
    }
    let got = |name| site.proton.get_environment().name(name).send();
    let (one, two) = (got("one").await.unwrap().environment.unwrap(), got("two").await.unwrap().environment.unwrap());
    let finished = one.last_succeeded_deployment_id.unwrap();
    let notify = |arn: &str, deployment: &str| {
        let notify = site.proton.notify_resource_deployment_status_change().resource_arn(arn);
        notify.status(ResourceDeploymentStatus::Failed).deployment_id(deployment)
    };
    let unknown = refusal!(notify(&one.arn, "00000000-0000-4000-8000-000000000000"));
    assert!(unknown.contains("environment one has no deployment 00000000-"), "{unknown}");
    let foreign = refusal!(notify(&two.arn, &finished));
    assert!(foreign.contains(&format!("environment two has no deployment {finished}")), "{foreign}");
    let nonsense = refusal!(notify("arn:aws:proton:us-east-1:123456789012:environment/absent", &finished));
    assert!(nonsense.contains("absent"), "{nonsense}");
    let late = refusal!(notify(&one.arn, &finished));
    assert!(late.ends_with(&format!("deployment {finished} has ended already: it is SUCCEEDED")), "{late}");
    // An old workflow that runs again says what it said before, and with other outputs.
    let again = notify(&one.arn, &finished).status(ResourceDeploymentStatus::Succeeded);
    let output = Output::builder().key("Name").value_string("changed").build();
    again.outputs(output).send().await.unwrap();
    assert_eq!(site.environment_settled("one").await.unwrap().0, DeploymentStatus::Succeeded);
    assert_eq!(site.outputs("one").await, [("Name".to_owned(), "one".to_owned())]);

    let slow = format!(
        "resource \"terraform_data\" \"slow\" {{\n  provisioner \"local-exec\" {{\n    command = \"touch {}; sleep \
         3\"\n  }}\n}}\n",
        notes.display()
    );
    site.environment_template("slow", &slow).await;
    site.begin_environment("three", "slow", false).await;
    while !notes.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let three = got("three").await.unwrap().environment.unwrap();
    let refused = refusal!(notify(&three.arn, &three.last_attempted_deployment_id.unwrap()));
    assert!(refused.starts_with("ConflictException: "), "{refused}");
    succeeded(site.environment_settled("three").await);
}

/// Signs as if the clock went wrong by so many seconds, and prints the refusal.
const SKEWED: &str = r#"
import boto3, botocore.auth, botocore.exceptions, datetime, sys
real = botocore.auth.get_current_datetime
botocore.auth.get_current_datetime = lambda *a, **k: real(*a, **k) + datetime.timedelta(seconds=int(sys.argv[1]))
for service, ask in [("proton", "list_environments"), ("s3", "list_buckets"), ("sts", "get_caller_identity")]:
    try:
        getattr(boto3.client(service), ask)()
        print(service, "OK")
    except botocore.exceptions.ClientError as error:
        print(service, error.response["Error"]["Code"], error.response["Error"]["Message"].split("\n")[0])
"#;

#[test]
fn wrong_signatures_unknown_keys_and_wrong_clocks_are_refused_in_words() {
    let plane = Plane::serve(Start::default());
    let shell = Shell::new(Tools::get(), plane.exported());
    shell.file("ask.py", SKEWED);
    shell.run("AWS_ACCESS_KEY_ID=AKIAUNKNOWNUNKNOWN00 python ask.py 0").succeeded().printed(
        "proton UnrecognizedClientException The security token included in the request is invalid.\n\
         s3 InvalidAccessKeyId the access key doesn't exist in our records\n\
         sts InvalidClientTokenId The security token included in the request is invalid.",
    );
    let wrong = shell.ok("AWS_SECRET_ACCESS_KEY=wrong python ask.py 0");
    let codes: Vec<&str> = wrong.lines().map(|line| line.split(' ').nth(1).unwrap()).collect();
    assert_eq!(codes, ["InvalidSignatureException", "SignatureDoesNotMatch", "SignatureDoesNotMatch"], "{wrong}");
    assert!(!wrong.contains("Unknown"), "{wrong}");
    for hour in ["-3600", "3600"] {
        let skewed = shell.ok(&format!("python ask.py {hour}"));
        assert!(skewed.contains("proton InvalidSignatureException Signature"), "{skewed}");
        assert!(skewed.contains("s3 RequestTimeTooSkewed "), "{skewed}");
        assert!(skewed.contains("sts SignatureDoesNotMatch Signature"), "{skewed}");
    }
    shell.run("python ask.py 60").succeeded().printed("proton OK\ns3 OK\nsts OK");
}
