//! Bundles from directories alone.

use serde_json::json;

use super::estates::{CODE, environment, find, instance, messages, pipeline, rebuilt, text};
use crate::estate::{CodeFile, Origin, Resource};

const SCHEMA: &str = "schema/schema.yaml";

#[test]
fn a_schema_says_what_is_known_and_marks_what_is_guessed() {
    let code =
        "output \"o\" {\n  value = [var.environment.inputs.cidr, lookup(var.environment.inputs, \"size\", 3)]\n}\n";
    let one = json!({"cidr": "10.0.0.0/16", "port": 80, "ratio": 1, "zones": ["a"], "on": true, "password": "hunter2",
        "mixed": "80", "nothing": null, "empty": [], "tags": {"a": "x"}, "deep": {"x": 1}});
    let other = json!({"cidr": "10.1.0.0/16", "ratio": 0.5, "zones": [], "on": false, "password": "x", "mixed": 80,
        "nothing": null, "empty": [], "tags": {"b": "y"}, "deep": {"x": 2}});
    let (rebuilt, troubles) =
        rebuilt(vec![environment("dev", "1.0", one, code), environment("prod", "1.0", other, code)]);
    assert!(troubles.is_empty(), "{troubles:?}");
    let version = find(&rebuilt, "net", "1.0");
    insta::assert_snapshot!(text(version, SCHEMA), @r#"
    # hadron: rebuilt from what AWS Proton rendered; the original schema isn't known.
    schema:
      format:
        openapi: "3.0.0"
      environment_input_type: EnvironmentInput
      types:
        EnvironmentInput:
          type: object
          title: "Inputs of environment template net 1.0"
          required:
            - cidr
            - ratio
            - zones
            - "on"
            - password
            - mixed
            - nothing
            - empty
            - tags
            - deep
          properties:
            cidr:
              type: string
              example: "10.0.0.0/16"
            port:
              type: integer
              example: 80
            ratio:
              type: number
              example: 1
            zones:
              type: array
              items:
                type: string
            "on":
              type: boolean
              example: true
            password:
              type: string
            # hadron: guessed: only null was ever given: a string for want of anything that tells
            nothing:
              type: string
              nullable: true
            empty:
              type: array
              # hadron: guessed: no item tells its type: items of any type are taken
            tags:
              type: object
              # hadron: guessed: its names differ from spec to spec: names are taken as free
              additionalProperties:
                type: string
            deep:
              type: object
              required:
                - x
              properties:
                x:
                  type: integer
            # hadron: guessed: no known spec gives it, but the code reads it: optional, and integer as its default in the code
            size:
              type: integer
          # hadron: guessed: "mixed" was given as integer and string, which no type takes together: let in undeclared
          additionalProperties: true
    "#);
    assert_eq!(text(version, "infrastructure/main.tf"), code);
    let Origin::Inferred(guesses) = &version.origin else { panic!("no repository was given") };
    let about: Vec<&str> = guesses.iter().map(|guess| guess.about.as_str()).collect();
    let root = "environment.inputs";
    let expected = ["nothing", "empty", "tags", "size", "mixed"].map(|name| format!("{root}.{name}"));
    assert_eq!(about, expected);
}

#[test]
fn a_version_without_inputs_has_a_schema_all_the_same() {
    let (rebuilt, _) = rebuilt(vec![environment("dev", "1.0", json!({}), CODE)]);
    assert!(text(find(&rebuilt, "net", "1.0"), SCHEMA).contains("hadron: guessed: no input is known"));
}

#[test]
fn deleted_resources_tell_of_their_version_and_are_not_rebuilt() {
    let gone = Resource { deleted: true, ..environment("old", "1.0", json!({"a": 1}), CODE) };
    let (rebuilt, _) = rebuilt(vec![gone, environment("dev", "2.0", json!({"a": "x"}), CODE)]);
    assert!(text(find(&rebuilt, "net", "1.0"), SCHEMA).contains("type: integer"));
    assert!(text(find(&rebuilt, "net", "2.0"), SCHEMA).contains("type: string"));
    let names: Vec<&str> = rebuilt.environments.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(names, ["dev"]);
}

#[test]
fn of_files_that_differ_the_majority_is_taken_and_said() {
    let code = ["locals { a = 1 }\n", "locals { a = 2 }\n", "locals { a = 2 }\r\n"];
    let resources = code.iter().enumerate().map(|(n, code)| environment(&format!("e{n}"), "1.0", json!({}), code));
    let (rebuilt, troubles) = rebuilt(resources.collect());
    assert_eq!(text(find(&rebuilt, "net", "1.0"), "infrastructure/main.tf"), code[1]);
    let messages = messages(&troubles);
    assert_eq!(messages.len(), 1);
    assert!(messages[0].contains("3 directories should have the same files, and differ (main.tf)"), "{messages:?}");
}

#[test]
fn files_that_no_bundle_may_have_are_not_taken() {
    let broken = environment("a", "1.0", json!({}), "locals {\n<<<<<<< HEAD\n");
    let (rebuilt, _) = rebuilt(vec![broken.clone(), environment("b", "1.0", json!({}), CODE)]);
    assert_eq!(text(find(&rebuilt, "net", "1.0"), "infrastructure/main.tf"), CODE);
    let (rebuilt, troubles) = super::estates::rebuilt(vec![broken]);
    assert!(rebuilt.templates.is_empty() && rebuilt.environments.is_empty());
    let messages = messages(&troubles).join("\n");
    assert!(
        messages.contains("net 1.0 can't be rebuilt") && messages.contains("infrastructure/main.tf:"),
        "{messages}"
    );
}

#[test]
fn what_proton_and_terraform_left_beside_the_code_is_no_part_of_the_bundle() {
    let mut dev = environment("dev", "1.0", json!({}), CODE);
    for path in
        ["manifest.yaml", "net-inputs", "terraform.tfstate", ".terraform.lock.hcl", "x.auto.tfvars", "readme.md"]
    {
        dev.code.push(CodeFile { path: path.into(), body: b"x".to_vec(), banner: None });
    }
    let (rebuilt, _) = rebuilt(vec![dev]);
    let version = find(&rebuilt, "net", "1.0");
    let files: Vec<&str> = version.files.keys().map(String::as_str).collect();
    assert_eq!(files, ["infrastructure/main.tf", "infrastructure/manifest.yaml", "infrastructure/readme.md", SCHEMA]);
}

#[test]
fn a_service_template_without_a_pipeline_has_none() {
    let (rebuilt, troubles) = rebuilt(vec![
        environment("dev", "1.0", json!({}), CODE),
        instance("api", "1.0", json!({"port": 80}), json!({}), CODE),
    ]);
    assert!(troubles.is_empty(), "{troubles:?}");
    assert!(rebuilt.templates[1].customer_managed_pipeline());
    assert!(!rebuilt.services[0].spec.contains("pipeline"));
}

#[test]
fn a_part_that_was_never_seen_at_a_version_is_that_of_the_nearest() {
    let built = "locals { built = true }\n";
    let (rebuilt, troubles) = rebuilt(vec![
        environment("dev", "1.0", json!({}), CODE),
        instance("api", "1.0", json!({"port": 80}), json!({}), CODE),
        pipeline("1.3", json!({"repo": "r"}), json!([]), built),
    ]);
    assert!(troubles.is_empty(), "{troubles:?}");
    let (first, last) = (find(&rebuilt, "web", "1.0"), find(&rebuilt, "web", "1.3"));
    assert_eq!(text(first, "pipeline_infrastructure/main.tf"), built);
    assert_eq!(text(last, "instance_infrastructure/main.tf"), CODE);
    let Origin::Inferred(guesses) = &last.origin else { panic!("no repository was given") };
    assert!(guesses.iter().any(|it| it.about == "instance_infrastructure/" && it.why.contains("that of 1.0")));
    assert!(text(last, SCHEMA).contains("# hadron: guessed: instance_infrastructure/: nothing shows it"));
}

#[test]
fn a_pipeline_alone_gets_an_instance_part_without_resources() {
    let (rebuilt, _) = rebuilt(vec![pipeline("1.0", json!({"repo": "r"}), json!([]), CODE)]);
    let version = find(&rebuilt, "web", "1.0");
    assert!(text(version, "instance_infrastructure/main.tf").starts_with("# hadron: guessed: its code was never seen"));
    assert_eq!(rebuilt.services[0].spec, "proton: ServiceSpec\npipeline:\n  repo: \"r\"\ninstances: []\n");
}

#[test]
fn a_file_that_a_person_laid_into_one_directory_is_no_part_of_the_version() {
    let told = |name: &str| instance(name, "1.0", json!({}), json!({}), CODE);
    let mut by_hand = told("a");
    by_hand.code.push(CodeFile { path: "mine.tf".into(), body: b"locals {}\n".to_vec(), banner: None });
    let alone = rebuilt(vec![environment("dev", "1.0", json!({}), CODE), by_hand.clone()]).0;
    let has = |rebuilt: &crate::estate::Rebuilt| {
        let web = rebuilt.templates.iter().find(|template| template.name == "web").unwrap();
        web.versions[0].files.contains_key("instance_infrastructure/mine.tf")
    };
    assert!(has(&alone), "every directory has it");
    let (both, troubles) = rebuilt(vec![environment("dev", "1.0", json!({}), CODE), by_hand, told("b")]);
    assert!(!has(&both));
    assert!(troubles.iter().any(|it| it.message.contains("mine.tf has no banner")), "{troubles:?}");
}
