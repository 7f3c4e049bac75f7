//! Bundles from a team's template repository.

use serde_json::json;

use super::estates::{CODE, environment, estate, instance, messages, scope};
use crate::domain::Files;
use crate::estate::{Dump, Origin, Rebuilt, Resource, Tree, Trouble, rebuild};

const MANIFEST: &str =
    "infrastructure:\n  templates:\n    - {file: \"*\", rendering_engine: hcl, template_language: terraform}\n";

fn schema(which: &str, properties: &str) -> String {
    format!(
        "# ours\nschema:\n  format: {{openapi: \"3.0.0\"}}\n  {which}_input_type: T\n  types:\n    T: {{type: object, properties: {properties}}}\n"
    )
}

fn tree(files: &[(&str, &str)]) -> Tree {
    let files: Files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    Tree { name: "templates".into(), files, skipped: Vec::new() }
}

fn rebuilt(resources: Vec<Resource>, templates: &Tree) -> (Rebuilt, Vec<Trouble>) {
    let (mut rebuilt, troubles) = rebuild(&estate(resources), std::slice::from_ref(templates), &Dump::default());
    (rebuilt.remove(0), troubles)
}

fn origins(rebuilt: &Rebuilt) -> Vec<String> {
    let versions = rebuilt.templates.iter().flat_map(|it| &it.versions);
    versions
        .map(|version| match &version.origin {
            Origin::Repository(place) => place.path.clone(),
            Origin::Inferred(_) => "inferred".into(),
        })
        .collect()
}

#[test]
fn a_bundle_is_matched_by_the_bytes_that_it_renders() {
    let own = schema("environment", "{a: {type: integer, default: 1}}");
    let templates = tree(&[
        ("net/v1/schema/schema.yaml", &own),
        ("net/v1/infrastructure/manifest.yaml", MANIFEST),
        ("net/v1/infrastructure/main.tf", "locals {\r\n}\r\n"),
        ("net/v1/infrastructure/proton.environment.variables.tf", "variable \"environment\" {}\n"),
        ("net/v1/infrastructure/README.md", "how"),
        ("copy/schema/schema.yaml", &own),
        ("copy/infrastructure/manifest.yaml", MANIFEST),
        ("copy/infrastructure/main.tf", "locals {\n}\n"),
        ("other/schema/schema.yaml", &own),
        ("other/infrastructure/manifest.yaml", MANIFEST),
        ("other/infrastructure/main.tf", "locals { x = 1 }\n"),
    ]);
    let (rebuilt, troubles) = rebuilt(
        vec![
            environment("dev", "1.0", json!({"a": 2}), "locals {\n}\n"),
            environment("prod", "1.1", json!({"a": 2}), "locals { y = 1 }\n"),
        ],
        &templates,
    );
    assert!(troubles.is_empty(), "{troubles:?}");
    assert_eq!(origins(&rebuilt), ["net/v1", "inferred"]);
    let files = &rebuilt.templates[0].versions[0].files;
    assert_eq!(files["schema/schema.yaml"], own.as_bytes());
    assert!(files.contains_key("infrastructure/README.md"));
}

#[test]
fn a_schema_that_refuses_what_was_deployed_is_not_taken() {
    let refusing = schema("environment", "{a: {type: string}}");
    let filling = schema("environment", "{a: {type: integer}, b: {type: string, default: x}}");
    for (text, why) in [(refusing, "must be a string"), (filling, "would get another `b`")] {
        let templates = tree(&[
            ("schema/schema.yaml", &text),
            ("infrastructure/manifest.yaml", MANIFEST),
            ("infrastructure/main.tf", CODE),
        ]);
        let (rebuilt, troubles) = rebuilt(vec![environment("dev", "1.0", json!({"a": 2}), CODE)], &templates);
        assert_eq!(origins(&rebuilt), ["inferred"]);
        let messages = messages(&troubles).join("\n");
        assert!(
            messages.contains("whose schema doesn't take what was deployed") && messages.contains(why),
            "{messages}"
        );
    }
}

#[test]
fn a_services_bundle_brings_what_its_registration_file_says() {
    let both = "schema:\n  format: {openapi: \"3.0.0\"}\n  service_input_type: T\n  pipeline_input_type: T\n  types:\n    T: {type: object, properties: {a: {type: integer}}}\n";
    let templates = tree(&[
        ("services/web/v1/schema/schema.yaml", both),
        ("services/web/v1/instance_infrastructure/manifest.yaml", MANIFEST),
        ("services/web/v1/instance_infrastructure/main.tf", CODE),
        ("services/web/v1/pipeline_infrastructure/manifest.yaml", MANIFEST),
        ("services/web/v1/pipeline_infrastructure/main.tf", CODE),
        (
            "services/web/v1/.template-registration.yaml",
            "compatible_environments: # ours\n  - \"net:1\"\n  - other:3\nsupported_component_sources:\n  - DIRECTLY_DEFINED\n",
        ),
    ]);
    let (rebuilt, troubles) = rebuilt(
        vec![
            environment("dev", "1.0", json!({}), "locals { e = 1 }\n"),
            instance("api", "1.0", json!({"a": 1}), json!({}), CODE),
        ],
        &templates,
    );
    assert!(troubles.is_empty(), "{troubles:?}");
    assert_eq!(origins(&rebuilt), ["inferred", "services/web/v1"]);
    assert!(!rebuilt.templates[1].customer_managed_pipeline());
    let told = &rebuilt.told[&scope().arn("service-template/web:1.0")];
    assert_eq!(told.compatible_environments, [("net".to_owned(), 1), ("other".to_owned(), 3)].into());
    assert_eq!(told.supported_component_sources, ["DIRECTLY_DEFINED".to_owned()].into());
}

#[test]
fn a_folder_that_only_looks_like_a_bundle_is_noted() {
    let templates = tree(&[("a/schema/schema.yaml", "schema: x\n"), ("a/infrastructure/main.tf", CODE)]);
    let (_, troubles) = rebuilt(vec![environment("dev", "1.0", json!({}), CODE)], &templates);
    assert!(messages(&troubles)[0].starts_with("a: looks like a bundle and isn't: "), "{troubles:?}");
}
