//! A new version of a template: what is behind, and the upgrade that leaves everyone's own spec alone.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use aws_sdk_proton::types::{CompatibleEnvironmentTemplateInput, Tag, TemplateVersionStatus};
use serde_json::Value;

use crate::client::{Client, ask, environment_bundle, eventually, service_bundle};
use crate::support::plane::{Plane, Start, binary};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

const SPEC: &str = r#"proton: ServiceSpec
pipeline:
  word: "pipe"
instances:
  - name: one
    environment: dev
    spec:
      word: "first"
  - name: two
    environment: dev
    spec:
      word: "second"
"#;

const SAYS: &str = "output \"Word\" {\n  value = var.service_instance.inputs.word\n}\n";
const PIPELINE: &str = "output \"Word\" {\n  value = var.pipeline.inputs.word\n}\n";

/// Publishes 1.1 of the service template, which says the same and one thing more.
async fn publish_next(client: &Client) {
    let more = format!("{SAYS}output \"More\" {{\n  value = \"more\"\n}}\n");
    let source = client.upload("next.tar.gz", service_bundle(&more, PIPELINE)).await;
    let compatible = CompatibleEnvironmentTemplateInput::builder().template_name("net").major_version("1").build();
    let create = client.proton.create_service_template_version().template_name("app").major_version("1");
    ask!(create.source(source).compatible_environment_templates(compatible.unwrap()));
    eventually(async || {
        let get = client.proton.get_service_template_version().template_name("app").major_version("1");
        let version = ask!(get.minor_version("1")).service_template_version.unwrap();
        version.status == TemplateVersionStatus::Draft
    })
    .await;
    let publish = client.proton.update_service_template_version().template_name("app").major_version("1");
    ask!(publish.minor_version("1").status(TemplateVersionStatus::Published));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_published_version_is_reported_and_the_upgrade_keeps_everyones_own_spec() {
    let plane = Plane::up(Start::default());
    let client = Client::of(&plane).await;
    client.environment_template("net", environment_bundle(&["word"], "output \"Vpc\" {\n  value = \"a\"\n}\n")).await;
    client.service_template("app", "net", service_bundle(SAYS, PIPELINE)).await;
    client.create_environment("dev", "net", "").await;
    client.deployed("dev").await;
    let owner = Tag::builder().key("owner").value("payments").build().unwrap();
    let create =
        client.proton.create_service().name("shop").template_name("app").template_major_version("1").spec(SPEC);
    let create = create.repository_id("team/shop").branch_name("main");
    ask!(
        create
            .repository_connection_arn("arn:aws:codestar-connections:us-east-1:123456789012:connection/a")
            .tags(owner)
    );
    client.service_active("shop").await;

    let shell = Shell::new(Tools::get(), plane.exported());
    let hadron = |arguments: &str| shell.run(&format!("{} {arguments}", binary().display())).succeeded();
    hadron("report stale").printed("nothing is behind");
    publish_next(&client).await;
    let rows: Value = serde_json::from_str(&hadron("report stale --output json").stdout).unwrap();
    let told = |row: &Value| format!("{} {} {} {}", row["kind"], row["deployed"], row["recommended"], row["owner"]);
    let told: Vec<_> = rows.as_array().unwrap().iter().map(told).collect();
    assert_eq!(
        told,
        [
            r#""service-pipeline" "1.0" "1.1" "payments""#,
            r#""service-instance" "1.0" "1.1" "payments""#,
            r#""service-instance" "1.0" "1.1" "payments""#,
        ]
    );
    let csv = hadron("report stale --service shop --csv").stdout;
    assert!(csv.contains("service/shop/instance/two,dev,app,1.0,1.1,BEHIND_MINOR,1,"), "{csv}");
    shell.run(&format!("{} upgrade service/shop/instance/three", binary().display())).failed(2, &["three"]);

    let planned = hadron("upgrade --template app --dry-run").stdout;
    assert_eq!(planned.lines().filter(|line| line.contains("1.0 -> 1.1  would start")).count(), 3, "{planned}");
    let done = hadron("upgrade service/shop/instance/one --wait").stdout;
    assert_eq!(done, "service/shop/instance/one  1.0 -> 1.1  SUCCEEDED");
    let done = hadron("upgrade --service shop --wait").stdout;
    assert_eq!(done.lines().filter(|line| line.ends_with("1.0 -> 1.1  SUCCEEDED")).count(), 2, "{done}");
    for (name, word) in [("one", "first"), ("two", "second")] {
        let list = client.proton.list_service_instance_outputs().service_name("shop").service_instance_name(name);
        let outputs = crate::client::as_map(ask!(list).outputs);
        assert_eq!((outputs["Word"].as_str(), outputs["More"].as_str()), (word, "more"));
    }
    hadron("report stale").printed("nothing is behind");
}
