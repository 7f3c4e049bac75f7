use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use serde_json::Value;

use super::all;
use crate::domain::yaml;
use crate::support::judge::Judge;

static JUDGES: LazyLock<BTreeMap<&str, Judge>> =
    LazyLock::new(|| all().iter().map(|(name, text)| (*name, Judge::of(text))).collect());

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// What an editor marks in a document.
fn marks(schema: &str, document: &Value) -> String {
    JUDGES[schema].marks(document)
}

fn yaml(text: &str) -> Value {
    yaml::parse("f", text).unwrap_or_else(|problems| panic!("{problems}\n{text}")).to_value()
}

fn toml(text: &str) -> Value {
    serde_json::to_value(text.parse::<toml::Table>().unwrap_or_else(|error| panic!("{error}\n{text}"))).unwrap()
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

/// The schema that goes with a YAML document, by what it says of itself.
fn schema_of(document: &Value) -> Option<&'static str> {
    match document["proton"].as_str() {
        Some("EnvironmentSpec") => Some("environment-spec.json"),
        Some("ServiceSpec") => Some("service-spec.json"),
        _ if document["schema"]["types"].is_object() => Some("schema.json"),
        _ if document["infrastructure"]["templates"].is_array() => Some("manifest.json"),
        _ => None,
    }
}

/// The code blocks of a page in one language.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn every_published_schema_is_embedded_and_is_of_draft_7() {
    let mut published: Vec<String> = fs::read_dir(root().join("docs/schemas"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "json"))
        .collect();
    published.sort();
    assert_eq!(published, all().iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for (name, text) in all() {
        let schema: Value = serde_json::from_str(text).unwrap();
        assert_eq!(schema["$schema"], "http://json-schema.org/draft-07/schema#", "{name}");
        // The judge refuses a schema that its draft refuses.
        drop(Judge::new(schema));
    }
}

#[test]
fn every_example_is_free_of_marks() {
    let mut files = Vec::new();
    files_below(&root().join("examples"), &mut files);
    let mut judged = BTreeMap::new();
    for path in files.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
        // A CloudFormation template with Jinja in it is no YAML yet.
        let Ok(document) = yaml::parse("f", &fs::read_to_string(path).unwrap()) else { continue };
        let document = document.to_value();
        let is_case = path.parent().is_some_and(|folder| folder.ends_with("tests"));
        let Some(schema) = is_case.then_some("test.json").or_else(|| schema_of(&document)) else { continue };
        assert_eq!(marks(schema, &document), "", "{}", path.display());
        *judged.entry(schema).or_insert(0) += 1;
    }
    assert!(judged.len() == 5 && judged.values().all(|count| *count >= 2), "{judged:?}");
}

#[test]
fn every_example_of_the_documentation_is_free_of_marks() {
    let mut pages = vec![root().join("README.md")];
    files_below(&root().join("docs"), &mut pages);
    let mut judged = 0;
    for path in pages.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md")) {
        let page = fs::read_to_string(path).unwrap();
        for block in blocks(&page, "toml") {
            assert_eq!(marks("hadron.json", &toml(&block)), "", "{}:\n{block}", path.display());
            judged += 1;
        }
        for block in blocks(&page, "yaml") {
            let Ok(document) = yaml::parse("f", &block) else { continue };
            let document = document.to_value();
            let Some(schema) = schema_of(&document) else { continue };
            assert_eq!(marks(schema, &document), "", "{}:\n{block}", path.display());
            judged += 1;
        }
    }
    assert!(judged >= 6, "{judged}");
}

#[test]
fn typical_mistakes_of_a_manifest_are_marked() {
    for entry in [
        "file: '*', rendering_engine: terraform",
        "file: '*', rendering_engine: codebuild",
        "file: '*', rendering_engin: hcl",
        "file: '*'",
        "rendering_engine: hcl",
        "file: '*', rendering_engine: hcl, template_language: cloudformation",
        "file: '*.tf', rendering_engine: hcl",
        "file: '*', rendering_engine: jinja",
        "file: 7, rendering_engine: hcl",
        "file: main.yaml, rendering_engine: hcl",
        "file: main.tf, rendering_engine: hcl, engine: hcl",
        "file: a.yaml, rendering_engine: jinja}, {file: b.yaml, rendering_engine: jinja",
        "file: a.yaml, rendering_engine: jinja}, {file: b.tf, rendering_engine: hcl",
    ] {
        let text = format!("infrastructure: {{templates: [{{{entry}}}]}}");
        assert!(!marks("manifest.json", &yaml(&text)).is_empty(), "{text}");
    }
    for text in
        ["infrastructure: {templates: []}", "infrastructure: {}", "templates: []", "infrastructure: {template: []}"]
    {
        assert!(!marks("manifest.json", &yaml(text)).is_empty(), "{text}");
    }
}

#[test]
fn typical_mistakes_of_a_schema_are_marked() {
    let frame = |inputs: &str, declared: &str| {
        format!(
            "schema: {{format: {{openapi: 3.0.0}}, {inputs} types: {{In: {{type: object, properties: {{p: {{{declared}}}}}}}}}}}"
        )
    };
    for declared in [
        "type: int",
        "type: list",
        "default: x",
        "type: string, minimun: 1",
        "type: string, minLength: -1",
        "type: integer, default: '80'",
        "type: boolean, default: 'true'",
        "type: integer, enum: [a]",
        "type: string, enum: []",
        "type: string, pattern: '(?=x)'",
        "type: object, required: true",
        "type: object, properties: [a]",
        "type: string, oneOf: []",
        "type: string, const: a",
        "$ref: 'other.yaml#/In'",
        "$ref: '#/types/In', default: x",
        "type: integer, multipleOf: 0",
        "type: string, nullable: 'yes'",
    ] {
        let text = frame("environment_input_type: In,", declared);
        assert!(!marks("schema.json", &yaml(&text)).is_empty(), "{text}");
    }
    for inputs in [
        "",
        "environment_input_typ: In,",
        "environment_input_type: In, service_input_type: In,",
        "environment_input_type: In, pipeline_input_type: In,",
        "pipeline_input_type: In,",
    ] {
        let text = frame(inputs, "type: string");
        assert!(!marks("schema.json", &yaml(&text)).is_empty(), "{text}");
    }
    let sound = frame("environment_input_type: In,", "type: string, pattern: '^\\(?=', x-ours: {a: 1}");
    assert_eq!(marks("schema.json", &yaml(&sound)), "");
    assert!(!marks("schema.json", &yaml(&sound.replace("3.0.0", "2.0"))).is_empty());
    assert!(!marks("schema.json", &yaml("format: {openapi: 3.0.0}")).is_empty());
}

#[test]
fn typical_mistakes_of_a_spec_are_marked() {
    for (schema, text) in [
        ("environment-spec.json", "proton: ServiceSpec\nspec: {}"),
        ("environment-spec.json", "proton: EnvironmentSpec\nspecs: {}"),
        ("environment-spec.json", "proton: EnvironmentSpec\nspec: [a]"),
        ("environment-spec.json", "spec: {}"),
        ("service-spec.json", "proton: ServiceInstanceSpec\nspec: {}"),
        ("service-spec.json", "proton: ServiceSpec\ninstances: {}"),
        ("service-spec.json", "proton: ServiceSpec\ninstances: [{name: a}]"),
        ("service-spec.json", "proton: ServiceSpec\ninstances: [{name: a, environmnt: b}]"),
        ("service-spec.json", "proton: ServiceSpec\ninstances: [{name: -a, environment: b}]"),
        ("service-spec.json", "proton: ServiceSpec\ninstances: [{name: a, environment: 7}]"),
        ("service-spec.json", "proton: ServiceSpec\npipeline: main"),
    ] {
        assert!(!marks(schema, &yaml(text)).is_empty(), "{schema}: {text}");
    }
}

#[test]
fn typical_mistakes_of_the_settings_are_marked() {
    for text in [
        "lissten = 'x'",
        "listen = 9440",
        "listen = 'here'",
        "[agent]\nconcurency = 2",
        "[agent]\nconcurrency = 'many'",
        "[agent]\nconcurrency = -1",
        "[agent]\nshutdown = 'detatch'",
        "[agent.env]\nA = 1",
        "[state]\nbackend = 'gcs'",
        "[log]\nformat = 'xml'",
        "insecure_http = 'yes'",
        "account = '12345'",
        "[environments.prod]\ngates = ['aproval']",
        "[environments.prod]\ngates = 'approval'",
        "[environments.prod]\nregoin = 'eu-west-1'",
        "[environments.prod.variables]\nsize = 3",
        "[[events.sink]]\nname = 'a'",
        "[[events.sink]]\nname = 'a'\ntype = 'teams'",
        "[events]\nsinks = []",
    ] {
        assert!(!marks("hadron.json", &toml(text)).is_empty(), "{text}");
    }
    for text in ["insecure_http = 'true'\n[agent]\nconcurrency = '8'", "[environments.\"*\"]\ngates = []"] {
        assert_eq!(marks("hadron.json", &toml(text)), "", "{text}");
    }
}
