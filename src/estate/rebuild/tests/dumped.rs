//! What answers of Proton's API add.

use serde_json::{Value, json};

use super::estates::{CODE, environment, estate, find, instance, messages, scope, text};
use crate::domain::Files;
use crate::estate::{Dump, Rebuilt, Resource, Trouble, TroubleKind, rebuild};

fn dump(files: &[(&str, Value)]) -> Dump {
    let files: Files = files.iter().map(|(path, value)| ((*path).to_owned(), value.to_string().into_bytes())).collect();
    let (dump, troubles) = Dump::read(&files);
    assert!(troubles.is_empty(), "{troubles:?}");
    dump
}

fn rebuilt(resources: Vec<Resource>, dump: &Dump) -> (Rebuilt, Vec<Trouble>) {
    let (mut rebuilt, troubles) = rebuild(&estate(resources), &[], dump);
    (rebuilt.remove(0), troubles)
}

fn arn(resource: &str) -> String {
    scope().arn(resource)
}

const SCHEMA: &str = "# theirs\nschema:\n  format: {openapi: \"3.0.0\"}\n  environment_input_type: T\n  types:\n    T: {type: object, properties: {a: {type: integer, default: 1}}}\n";

#[test]
fn schema_spec_outputs_and_words_come_from_the_dump() {
    let dump = dump(&[
        (
            "1",
            json!({"environment": {"arn": arn("environment/dev"), "spec": "{proton: EnvironmentSpec, spec: {}} # short",
            "description": "d", "lastSucceededDeploymentId": "d-dev"}}),
        ),
        (
            "2",
            json!({"environmentTemplateVersion": {"arn": arn("environment-template/net:1.0"), "schema": SCHEMA,
            "status": "PUBLISHED", "description": "first"}}),
        ),
        (
            "3",
            json!({"templateVersions": [{"arn": arn("environment-template/net:1"), "recommendedMinorVersion": "0"}]}),
        ),
        (
            "4",
            json!({"templates": [{"arn": arn("environment-template/net"), "displayName": "Net", "recommendedVersion": "1.0"}]}),
        ),
        ("list-environment-outputs-dev.json", json!({"outputs": [{"key": "vpc", "valueString": "v"}]})),
    ]);
    let (rebuilt, troubles) = rebuilt(vec![environment("dev", "1.0", json!({"a": 1}), CODE)], &dump);
    assert!(troubles.is_empty(), "{troubles:?}");
    let dev = &rebuilt.environments[0];
    assert_eq!(dev.spec, "{proton: EnvironmentSpec, spec: {}} # short");
    assert_eq!(dev.outputs.as_ref().unwrap()["vpc"], "v");
    assert_eq!(text(find(&rebuilt, "net", "1.0"), "schema/schema.yaml"), SCHEMA);
    assert_eq!(rebuilt.told[&dev.arn].description.as_deref(), Some("d"));
    let version = &rebuilt.told[&arn("environment-template/net:1.0")];
    assert_eq!((version.status.as_deref(), version.description.as_deref()), (Some("PUBLISHED"), Some("first")));
    let template = &rebuilt.told[&arn("environment-template/net")];
    assert_eq!(template.display_name.as_deref(), Some("Net"));
    assert_eq!((template.recommended_version, &template.recommended_minors), (Some((1, 0)), &[(1, 0)].into()));
}

#[test]
fn where_dump_and_repository_disagree_the_repository_counts() {
    let dump = dump(&[
        (
            "1",
            json!({"environments": [{"arn": arn("environment/dev"), "templateName": "net", "templateMajorVersion": "1",
            "templateMinorVersion": "5", "lastSucceededDeploymentId": "later",
            "spec": "proton: EnvironmentSpec\nspec: {a: 2}\n"}, {"arn": arn("environment/lost")}]}),
        ),
        (
            "2",
            json!({"environmentTemplateVersion": {"arn": arn("environment-template/net:1.0"),
            "schema": SCHEMA.replace("integer, default: 1", "string")}}),
        ),
    ]);
    let (rebuilt, troubles) = rebuilt(vec![environment("dev", "1.0", json!({"a": 1}), CODE)], &dump);
    let dev = &rebuilt.environments[0];
    assert_eq!((dev.deployment_id.as_deref(), dev.version.minor.as_str()), (Some("d-dev"), "0"));
    assert_eq!(dev.spec, "proton: EnvironmentSpec\nspec:\n  a: 1\n");
    let messages = messages(&troubles).join("\n");
    for said in [
        "the dump's last deployment is later, the repository's d",
        "the dump's spec gives other inputs",
        "the dump's schema of environment template net 1.0 doesn't fit",
        "the dump has environment dev at net 1.5",
        "environment lost is in the dump and in no repository",
    ] {
        assert!(messages.contains(said), "{said}\n{messages}");
    }
}

#[test]
fn a_services_spec_is_the_dumped_one_only_if_it_says_what_was_deployed() {
    let resources =
        vec![environment("dev", "1.0", json!({}), CODE), instance("api", "1.0", json!({"port": 80}), json!({}), CODE)];
    let spec = "proton: ServiceSpec # theirs\ninstances: [{name: api, environment: dev, spec: {port: 80}}]\n";
    for (spec, taken) in [(spec.to_owned(), true), (spec.replace("80", "81"), false)] {
        let dump = dump(&[("s", json!({"service": {"arn": arn("service/pay"), "spec": spec}}))]);
        let (rebuilt, troubles) = rebuilt(resources.clone(), &dump);
        assert_eq!(rebuilt.services[0].spec == spec, taken);
        assert_eq!(troubles.is_empty(), taken, "{troubles:?}");
    }
}

#[test]
fn a_dumped_pipeline_with_an_id_in_its_arn_is_that_of_the_repository() {
    let pipeline = json!({ "arn": arn("service/pay/pipeline/a1b2c3d4-5678-90ab-cdef-111111111111"), "lastSucceededDeploymentId": "x" });
    let said = dump(&[("pipeline.json", json!({ "pipeline": pipeline }))]);
    assert_eq!(said.text(&arn("service/pay/pipeline"), "lastSucceededDeploymentId"), Some("x"));
}

#[test]
fn files_of_any_kind_are_read_or_told() {
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain("{\"counts\":{}}".encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let files = Files::from([
        ("both".to_owned(), b"{\"tags\":[]}\n{\"deployments\":[]}".to_vec()),
        ("windows.txt".to_owned(), utf16),
        ("bad.json".to_owned(), b"{\n\"a\":".to_vec()),
        ("other.json".to_owned(), b"{\"Stacks\":[]}".to_vec()),
        (".DS_Store".to_owned(), b"\0".to_vec()),
        ("binary".to_owned(), b"\xff\xff\0".to_vec()),
    ]);
    let (dump, troubles) = Dump::read(&files);
    assert!(dump.is_empty());
    let told: Vec<_> = troubles.iter().map(|it| (it.place.path.as_str(), it.kind, it.line)).collect();
    let unreadable = TroubleKind::Unreadable;
    assert_eq!(
        told,
        [("bad.json", unreadable, Some(2)), ("binary", unreadable, None), ("other.json", TroubleKind::Note, None)]
    );
}

#[test]
fn the_outputs_of_a_file_belong_to_whom_its_name_names() {
    let answer = || json!({"outputs": [{"key": "k", "valueString": "v"}]});
    let paths = [
        "list-environment-outputs-dev.json",
        "list-service-instance-outputs/pay/api-dev",
        "dev-queue/component-outputs.json",
    ];
    let dump = dump(&paths.map(|path| (path, answer())));
    assert!(dump.outputs("environment", &["dev"]).is_some());
    assert!(dump.outputs("environment", &["de"]).is_none());
    assert!(dump.outputs("service-instance", &["pay", "api-dev"]).is_some());
    assert!(dump.outputs("service-instance", &["pay", "api"]).is_none());
    assert!(dump.outputs("component", &["queue"]).is_some());
}
