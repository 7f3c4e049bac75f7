use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Choice, Given, Rendering, WorkbenchError, lay_out, render, values};
use crate::workbench::source::Source;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

#[expect(clippy::unnecessary_wraps, reason = "as the member is")]
fn spec(name: &str) -> Option<String> {
    Some(std::fs::read_to_string(example(name)).unwrap())
}

fn rendered(name: &str, given: &Given) -> Vec<Rendering> {
    render(&Source::open(&example(name)).unwrap(), given).unwrap_or_else(|error| panic!("{name}: {error}: {error:?}"))
}

fn document(rendering: &Rendering) -> Value {
    serde_json::from_slice(&rendering.files["proton.auto.tfvars.json"]).unwrap()
}

#[test]
fn an_environment_gets_its_inputs_and_stand_ins_for_its_name() {
    let given = Given { spec: spec("offline/environment/spec.yaml"), ..Given::default() };
    let all = rendered("offline/environment", &given);
    let [one] = &all[..] else { panic!("{}", all.len()) };
    assert_eq!(one.stand_ins, ["environment.name"]);
    assert_eq!(document(one)["environment"]["inputs"]["zones"], json!(["north", "south"]));
    assert_eq!(document(one)["//"], "arn:aws:proton:us-east-1:123456789012:environment/example");
    assert!(one.files.contains_key(".proton/deployment-metadata.json"));
    assert!(one.files.contains_key("proton.environment.variables.tf"));
}

#[test]
fn several_instances_each_get_a_folder_and_one_by_name_gets_none() {
    let given = Given { spec: spec("aws/fargate-service/spec-dev-prod.yaml"), ..Given::default() };
    let all = rendered("aws/fargate-service", &given);
    let folders: Vec<_> = all.iter().map(|it| it.folder.clone().unwrap()).collect();
    assert_eq!(folders, ["dev", "prod"]);
    assert_eq!(document(&all[1])["environment"]["name"], "prod");
    assert_eq!(document(&all[1])["environment"]["outputs"]["VpcId"], "example-VpcId");
    assert!(all[1].stand_ins.contains(&"environment.outputs.VpcId".to_owned()));
    let prod = Given { choice: Choice::Instance("prod".into()), ..given.clone() };
    assert_eq!(rendered("aws/fargate-service", &prod)[0].folder, None);
    let pipeline = Given { choice: Choice::Pipeline, ..given.clone() };
    let pipeline = &rendered("aws/fargate-service", &pipeline)[0];
    assert_eq!(document(pipeline)["service_instances"].as_array().unwrap().len(), 2);
    let none = Given { choice: Choice::Instance("test".into()), ..given };
    let error = render(&Source::open(&example("aws/fargate-service")).unwrap(), &none).unwrap_err();
    assert_eq!(error.to_string(), "the spec has no instance `test`");
}

#[test]
fn values_alone_are_used_as_they_are() {
    let text = r#"{"environment": {"inputs": {"anything": [1]}, "name": "dev"}, "proton_tags": {}, "//": "arn:aws:proton:eu-west-1:123456789012:environment/dev"}"#;
    let given = Given { values: Some(values("v", text).unwrap()), ..Given::default() };
    for folder in ["offline/environment", "offline/environment/infrastructure"] {
        let all = rendered(folder, &given);
        assert_eq!(document(&all[0]).to_string(), serde_json::from_str::<Value>(text).unwrap().to_string());
        assert!(all[0].stand_ins.is_empty(), "{:?}", all[0].stand_ins);
        let note: Value = serde_json::from_slice(&all[0].files[".proton/deployment-metadata.json"]).unwrap();
        assert_eq!(note["resourceMetadata"]["arn"], "arn:aws:proton:eu-west-1:123456789012:environment/dev");
    }
}

#[test]
fn a_component_is_rendered_from_its_folder() {
    let given =
        values("v", r#"{"component": {"name": "q"}, "environment": {"name": "dev", "outputs": {"BaseUrl": "u"}}}"#);
    let given = Given { values: Some(given.unwrap()), ..Given::default() };
    let all = rendered("offline/component", &given);
    assert!(all[0].files.contains_key("proton.component.variables.tf"));
    assert_eq!(document(&all[0])["environment"]["outputs"], json!({"BaseUrl": "u"}));
}

#[test]
fn a_wrong_spec_is_told_with_its_lines() {
    let given = Given { spec: Some("proton: EnvironmentSpec\nspec:\n  domain: 1\n".into()), ..Given::default() };
    let error = render(&Source::open(&example("offline/environment")).unwrap(), &given).unwrap_err();
    let WorkbenchError::Invalid(report) = error else { panic!("{error}") };
    assert_eq!(report.findings[0].problem.line, Some(3));
    assert_eq!(report.findings[0].source.as_deref(), Some("  domain: 1"));
}

#[test]
fn a_folder_of_other_files_is_left_alone() {
    let out = tempfile::tempdir().unwrap();
    let given = Given { spec: spec("offline/environment/spec.yaml"), ..Given::default() };
    let all = rendered("offline/environment", &given);
    lay_out(&all, out.path(), false).unwrap();
    std::fs::write(out.path().join("stale.tf"), "").unwrap();
    std::fs::write(out.path().join("terraform.tfstate"), "{}").unwrap();
    lay_out(&all, out.path(), false).unwrap();
    assert!(!out.path().join("stale.tf").exists() && out.path().join("terraform.tfstate").exists());
    let other = tempfile::tempdir().unwrap();
    std::fs::write(other.path().join("mine.txt"), "x").unwrap();
    let refused = lay_out(&all, other.path(), false).unwrap_err();
    assert!(refused.to_string().contains("no rendering has written"), "{refused}");
    lay_out(&all, other.path(), true).unwrap();
    assert!(other.path().join("mine.txt").exists() && other.path().join("main.tf").exists());
}
