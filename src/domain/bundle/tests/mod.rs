mod archives;

use std::io::{Cursor, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use tar::{Builder, EntryType, Header};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::*;
use crate::domain::Problems;

const SCHEMA: &str = "schema:\n  format: {openapi: 3.0.0}\n  environment_input_type: In\n  types: {In: {type: object, properties: {a: {type: string, default: x}}}}\n";
const SERVICE_SCHEMA: &str = "schema:\n  format: {openapi: 3.0.0}\n  service_input_type: In\n  pipeline_input_type: In\n  types: {In: {type: object, properties: {a: {type: string, default: x}}}}\n";
const HCL: &str = "infrastructure:\n  templates:\n    - file: \"*\"\n      rendering_engine: hcl\n      template_language: terraform\n";
const JINJA: &str = "infrastructure:\n  templates:\n    - file: cloudformation.yaml\n      rendering_engine: jinja\n      template_language: cloudformation\n";
const MAIN: &str = "resource \"terraform_data\" \"a\" {\n  input = var.environment.inputs.a\n}\n";

const ENVIRONMENT: [(&str, &str); 3] =
    [("schema/schema.yaml", SCHEMA), ("infrastructure/manifest.yaml", HCL), ("infrastructure/main.tf", MAIN)];

fn tar_gz(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (path, text) in files {
        append(&mut archive, path, EntryType::Regular, text.as_bytes());
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Writes the name as it is, which the library's own methods would refuse for bad ones.
fn append(archive: &mut Builder<GzEncoder<Vec<u8>>>, path: &str, kind: EntryType, bytes: &[u8]) {
    let mut header = Header::new_gnu();
    header.as_gnu_mut().unwrap().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    if kind == EntryType::Symlink {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    archive.append(&header, bytes).unwrap();
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (path, text) in files {
        archive.start_file(*path, SimpleFileOptions::default()).unwrap();
        archive.write_all(text.as_bytes()).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

fn with<'a>(base: &[(&'a str, &'a str)], more: &[(&'a str, &'a str)]) -> Vec<u8> {
    let all: BTreeMap<&str, &str> = base.iter().chain(more).copied().collect();
    tar_gz(&all.into_iter().collect::<Vec<_>>())
}

fn environment(more: &[(&str, &str)]) -> Result<Bundle, Problems> {
    open_bundle(BundleKind::Environment, &with(&ENVIRONMENT, more), false)
}

fn refusal<T: std::fmt::Debug>(result: Result<T, Problems>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn sub_directories_and_other_files_are_kept_and_junk_is_not() {
    let bundle = environment(&[
        ("infrastructure/modules/net/main.tf", "locals {}\n"),
        ("infrastructure/user-data.sh.tftpl", "#!/bin/sh\n"),
        ("infrastructure/.terraform/terraform.tfstate", "{}"),
        ("infrastructure/._main.tf", "\u{0}junk"),
        ("__MACOSX/schema/._schema.yaml", "junk"),
        ("infrastructure/.DS_Store", "junk"),
        ("infrastructure/errored.tfstate", "{}"),
        ("infrastructure/terraform.tfstate", "{}"),
        ("infrastructure/terraform.tfstate.backup", "{}"),
    ])
    .unwrap();
    let part = bundle.part_for(&Target::Environment { name: "dev".into() }).unwrap();
    assert_eq!(part.engine, Engine::Hcl);
    assert_eq!(part.templates, ["main.tf"]);
    assert_eq!(part.files.keys().collect::<Vec<_>>(), ["main.tf", "modules/net/main.tf", "user-data.sh.tftpl"]);
    assert_eq!(bundle.schema_text.as_deref(), Some(SCHEMA));
}

#[test]
fn every_mistake_of_a_bundle_is_told_at_once() {
    let problems = environment(&[
        ("schema/schema.yaml", "schema:\n  format: {openapi: 3.0.0}\n  types: {}\n"),
        (
            "infrastructure/manifest.yaml",
            "infrastructure:\n  templates:\n    - file: main.tf\n      rendering_engine: hcl\n    - file: mian.tf\n      rendering_engine: hcl\n",
        ),
        ("infrastructure/main.tf", "resource \"a\" \"b\" {\n  input = \n}\n"),
        ("infrastructure/modules/m/x.tf", "locals {\n"),
        ("infrastructure/modules/m/y.tf.json", "{\n  \"locals\": [,]\n}"),
    ]);
    insta::assert_snapshot!(refusal(problems), @r#"
    infrastructure/main.tf:2:11: is no valid HCL: invalid expression; expected `"`, `[`, `{`, `-`, `!`, `(`, `_`, `<`, letter or digit (the line is: input =)
    infrastructure/manifest.yaml:5:13: there is no file `mian.tf` (did you mean `main.tf`?)
    infrastructure/modules/m/x.tf:1:10: is no valid HCL: invalid block body; expected `}`, newline or identifier (the line is: locals {)
    infrastructure/modules/m/y.tf.json:2:14: is no valid JSON: expected value (check the brackets, the commas and the quotes here and right before)
    schema/schema.yaml:2:3: Environment template schema is not valid: Missing property [environmentInputType] (add `environment_input_type` with the name of one of `types`)
    "#);
}

#[test]
fn a_missing_part_is_named() {
    let only_schema = tar_gz(&ENVIRONMENT[..1]);
    assert!(refusal(open_bundle(BundleKind::Environment, &only_schema, false)).contains("infrastructure/: is missing"));
    assert!(
        open_bundle(
            BundleKind::Environment,
            &tar_gz(&[("schema/schema.yaml", &SCHEMA.replace(", default: x", ""))]),
            true
        )
        .is_ok()
    );
    let no_schema = refusal(open_bundle(BundleKind::Environment, &tar_gz(&ENVIRONMENT[1..]), false));
    assert!(no_schema.contains("schema/schema.yaml: is missing"), "{no_schema}");
    let no_manifest = with(&[ENVIRONMENT[0], ENVIRONMENT[2]], &[]);
    assert!(
        refusal(open_bundle(BundleKind::Environment, &no_manifest, false))
            .contains("infrastructure/manifest.yaml: is missing")
    );
    let managed = refusal(open_bundle(BundleKind::Environment, &tar_gz(&ENVIRONMENT), true));
    assert!(managed.contains("infrastructure/: the template is CUSTOMER_MANAGED"), "{managed}");
}

#[test]
fn what_was_probably_meant_is_named() {
    let said = |files: &[(&str, &str)]| refusal(open_bundle(BundleKind::Environment, &tar_gz(files), false));
    let manifest = said(&[ENVIRONMENT[0], ("infrastructure/manifest.yml", HCL), ENVIRONMENT[2]]);
    assert_eq!(manifest, "infrastructure/manifest.yaml: is missing (rename infrastructure/manifest.yml)");
    let folder = said(&[ENVIRONMENT[0], ("infrastucture/manifest.yaml", HCL), ("infrastucture/main.tf", MAIN)]);
    assert_eq!(folder, "infrastructure/: is missing (rename infrastucture/)");
    let quotes = with(&ENVIRONMENT, &[("infrastructure/x.tf", "locals {\n  a = “b”\n}\n")]);
    let quotes = refusal(open_bundle(BundleKind::Environment, &quotes, false));
    assert!(quotes.ends_with("(write \" instead of “)"), "{quotes}");
}

#[test]
fn a_byte_order_mark_is_refused_only_where_terraform_refuses_it() {
    let marked = |path: &str, text: &str| {
        let files = with(&ENVIRONMENT, &[(path, &format!("\u{feff}{text}"))]);
        open_bundle(BundleKind::Environment, &files, false)
    };
    assert!(marked("infrastructure/x.tf", "locals {}\n").is_ok());
    let json = refusal(marked("infrastructure/x.tf.json", "{}"));
    assert!(json.starts_with("infrastructure/x.tf.json:1:1: begins with a byte order mark"), "{json}");
}

#[test]
fn an_override_file_that_would_move_the_state_is_refused_with_its_line() {
    let backend = "# ours\n\nterraform {\n  backend \"s3\" {}\n  required_version = \">= 1.5\"\n}\n";
    for (name, text, problem) in [
        ("override.tf", backend, "infrastructure/override.tf:4:3: an override file with a `backend` block"),
        (
            "zzzz_override.tf",
            "terraform {\n  cloud {\n  }\n}\n",
            "infrastructure/zzzz_override.tf:2:3: an override file with a `cloud`",
        ),
        (
            "x_override.tf.json",
            "{\"terraform\": [{\n \"backend\": {\"s3\": {}}}]}",
            "infrastructure/x_override.tf.json:2:2: an override",
        ),
        ("override.tf.json", "{\"terraform\": {\"cloud\": {}}}", "infrastructure/override.tf.json:1:16: an override"),
    ] {
        let text = refusal(environment(&[(&format!("infrastructure/{name}"), text)]));
        assert!(text.contains(problem), "{text}");
    }
    let harmless = [
        ("infrastructure/backend.tf", backend),
        ("infrastructure/modules/m/override.tf", backend),
        ("infrastructure/tags_override.tf", "terraform {\n  required_version = \">= 1.5\"\n}\n"),
    ];
    assert!(environment(&harmless).is_ok());
}

#[test]
fn a_variable_of_the_generated_file_cant_be_declared_again() {
    let own = "variable \"own\" {}\nvariable \"environment\" {}\n";
    let text = refusal(environment(&[("infrastructure/variables.tf", own)]));
    assert!(text.starts_with("infrastructure/variables.tf:2:1: the variable `environment`"), "{text}");
    let copy = [("infrastructure/proton.environment.variables.tf", own), ("infrastructure/modules/m/v.tf", own)];
    assert!(environment(&copy).is_ok());
}

#[test]
fn terraform_as_people_write_it_is_read() {
    let text = "\u{feff}# comment\r\nlocals {\r\n  a = <<-EOT\r\n    ${var.x} %{ for k, v in var.m ~}\r\n    ${k}=${v}\r\n    %{ endfor ~}\r\n  EOT\r\n  b = { for k, v in var.m : k => v... if v != null }\r\n  c = var.list.*.id\r\n  d = var.list[*].id\r\n  e = aws_vpc.a.0.id\r\n  f = \"$${not} %%{this}\"\r\n  g = cond ? [1, 2,] : -0.5e3\r\n  h = provider::aws::arn_parse(\"x\")\r\n}\r\n\r\nterraform {\r\n  backend \"s3\" {}\r\n  required_providers {\r\n    aws = { source = \"hashicorp/aws\", version = \"~> 3.0\" }\r\n  }\r\n}\r\n\r\nresource \"a\" \"b\" {\r\n  dynamic \"x\" {\r\n    for_each = toset([\"a\"])\r\n    content { y = x.value }\r\n  }\r\n  lifecycle { ignore_changes = [tags[\"a\"], all] }\r\n} // end\r\n/* block */";
    environment(&[("infrastructure/people.tf", text)]).unwrap();
    environment(&[("infrastructure/empty.tf", ""), ("infrastructure/no-newline.tf", "locals {}")]).unwrap();
}

#[test]
fn a_service_has_an_instance_and_a_pipeline_unless_it_is_customer_managed() {
    let files = [
        ("schema/schema.yaml", SERVICE_SCHEMA),
        ("instance_infrastructure/manifest.yaml", HCL),
        ("instance_infrastructure/main.tf", MAIN),
        ("pipeline_infrastructure/manifest.yaml", JINJA),
        ("pipeline_infrastructure/cloudformation.yaml", "Resources: {{ not yaml }}\n{% for x in y %}"),
    ];
    let bundle = open_bundle(BundleKind::Service, &tar_gz(&files), false).unwrap();
    assert_eq!(bundle.part_for(&Target::ServicePipeline { service: "s".into() }).unwrap().engine, Engine::Jinja);
    assert_eq!(bundle.instance.unwrap().templates, ["main.tf"]);
    let managed = refusal(open_bundle(BundleKind::Service, &tar_gz(&files), true));
    assert!(managed.contains("pipeline_infrastructure/: the template's pipeline is CUSTOMER_MANAGED"), "{managed}");
    assert!(managed.contains("`pipeline_input_type` is given"), "{managed}");
    let without = refusal(open_bundle(BundleKind::Service, &tar_gz(&files[..3]), false));
    assert!(without.contains("pipeline_infrastructure/: is missing"), "{without}");
    let schema = SERVICE_SCHEMA.replace("  pipeline_input_type: In\n", "");
    let typeless = refusal(open_bundle(BundleKind::Service, &with(&files, &[("schema/schema.yaml", &schema)]), false));
    assert!(
        typeless.contains("Service template schema is not valid: Missing property [pipelineInputType]"),
        "{typeless}"
    );
    assert!(open_bundle(BundleKind::Service, &with(&files[..3], &[("schema/schema.yaml", &schema)]), true).is_ok());
}

#[test]
fn bundles_from_before_protons_release_are_read() {
    let files = [
        ("schema/schema.yaml", SERVICE_SCHEMA),
        ("infrastructure/manifest.yaml", &HCL.replace("rendering_engine", "engine")[..]),
        ("infrastructure/main.tf", MAIN),
        ("pipeline/manifest.yaml", HCL),
        ("pipeline/main.tf", "locals {}\n"),
    ];
    let bundle = open_bundle(BundleKind::Service, &tar_gz(&files), false).unwrap();
    assert_eq!(
        (bundle.instance.unwrap().folder, bundle.pipeline.unwrap().folder),
        ("infrastructure".into(), "pipeline".into())
    );
}

#[test]
fn a_manifest_that_isnt_followed_is_told_how_to_write_it() {
    let entry = |entry: &str| {
        let text = format!("infrastructure:\n  templates:\n    - {{{entry}}}\n");
        refusal(environment(&[("infrastructure/manifest.yaml", &text), ("infrastructure/cloudformation.yaml", "x")]))
    };
    for (given, message) in [
        (
            "rendering_engine: codebuild, settings: {image: x}",
            "CodeBuild provisioning isn't supported (turn its commands",
        ),
        ("file: '*', rendering_engine: helm", "unknown rendering_engine \"helm\" (write hcl"),
        ("file: '*'", "`rendering_engine` is missing"),
        ("rendering_engine: hcl", "`file` is missing"),
        (
            "file: '*', rendering_engine: hcl, template_language: cloudformation",
            "doesn't go with its engine (write terraform)",
        ),
        ("file: '*', rendering_engin: hcl, rendering_engine: hcl", "unknown key `rendering_engin`"),
        ("file: '*.tf', rendering_engine: hcl", "only \"*\" alone"),
        ("file: '*', rendering_engine: jinja", "must be named"),
        ("file: cloudformatoin.yaml, rendering_engine: jinja", "did you mean `cloudformation.yaml`?"),
        ("file: ../x.tf, rendering_engine: hcl", "Terraform reads only the files of this folder itself"),
        ("file: sub/x.tf, rendering_engine: hcl", "(move it beside the manifest"),
        ("file: a.yaml, rendering_engine: hcl", "only files that end with .tf"),
        (
            "file: cloudformation.yaml, rendering_engine: jinja}\n    - {file: '*', rendering_engine: hcl",
            "different engines",
        ),
        (
            "file: cloudformation.yaml, rendering_engine: jinja}\n    - {file: b.yaml, rendering_engine: jinja",
            "exactly one file",
        ),
    ] {
        assert!(entry(given).contains(message), "{given}: {}", entry(given));
        assert!(entry(given).starts_with("infrastructure/manifest.yaml:"), "{}", entry(given));
    }
}

#[test]
fn a_named_file_keeps_its_unnamed_neighbours_out() {
    let manifest = HCL.replace("\"*\"", "\"main.tf\"");
    let bundle = environment(&[
        ("infrastructure/manifest.yaml", &manifest),
        ("infrastructure/other.tf", "this is {{ no HCL"),
        ("infrastructure/other.tf.json", "{}"),
        ("infrastructure/data.json", "{}"),
    ])
    .unwrap();
    assert_eq!(bundle.infrastructure.unwrap().files.keys().collect::<Vec<_>>(), ["data.json", "main.tf"]);
}

#[test]
fn a_component_is_packed_into_the_same_bytes_and_opened_again() {
    let manifest = HCL.replace("\"*\"", "\"queue.tf\"");
    let packed = pack_component(&manifest, MAIN).unwrap();
    assert_eq!(packed, pack_component(&manifest, MAIN).unwrap());
    let bundle = open_bundle(BundleKind::Component, &packed, false).unwrap();
    let part = bundle.part_for(&Target::Component { name: "queue".into() }).unwrap();
    assert_eq!(part.templates, ["queue.tf"]);
    assert_eq!(part.files["queue.tf"], MAIN.as_bytes());
    assert!(pack_component(HCL, MAIN).is_ok());
    assert!(pack_component(JINJA, "Resources: {{ x }}").is_ok());
}

#[test]
fn a_components_mistakes_are_told_by_the_names_of_its_arguments() {
    assert!(refusal(pack_component("infrastructure: 1", MAIN)).starts_with("manifest:1:"));
    assert!(refusal(pack_component(HCL, "locals {")).starts_with("templateFile:1:"));
    assert!(
        refusal(pack_component(&JINJA.replace("cloudformation.yaml", "../x.yaml"), MAIN))
            .contains("one file without a folder")
    );
    let generated = refusal(pack_component(&HCL.replace('*', "proton.component.variables.tf"), MAIN));
    assert_eq!(
        generated,
        "manifest:3:13: `proton.component.variables.tf` is a file that Proton generates (give the template another name)"
    );
}

#[test]
fn a_file_that_is_generated_is_refused_at_registration() {
    let text = refusal(environment(&[
        ("infrastructure/proton.auto.tfvars.json", "{\"environment\": {}}"),
        ("infrastructure/.proton/deployment-metadata.json", "{}"),
        ("infrastructure/zzzz_hadron_backend_override.tf.json", "{}"),
        ("infrastructure/modules/m/proton.auto.tfvars.json", "{}"),
    ]));
    insta::assert_snapshot!(text, @"
    infrastructure/.proton/deployment-metadata.json: is a file that Proton generates (rename it or take it out of the bundle)
    infrastructure/proton.auto.tfvars.json: is a file that Proton generates (rename it or take it out of the bundle)
    infrastructure/zzzz_hadron_backend_override.tf.json: is a file that Proton generates (rename it or take it out of the bundle)
    ");
}

#[test]
fn a_copy_of_the_generated_variables_that_would_lose_a_block_is_refused() {
    let copy = "variable \"environment\" {}\n\nlocals {\n  a = 1\n}\n";
    let text = refusal(environment(&[("infrastructure/proton.environment.variables.tf", copy)]));
    assert_eq!(
        text,
        "infrastructure/proton.environment.variables.tf:3:1: the block `locals` would be lost: Proton generates this file \
         (move the block into a file of your own)"
    );
    let variables = "# ours\nvariable \"environment\" {\n  default = null\n}\n";
    assert!(environment(&[("infrastructure/proton.environment.variables.tf", variables)]).is_ok());
    // Another kind's file isn't generated here: it stays, and declares its variables a second time.
    let other = refusal(environment(&[("infrastructure/proton.pipeline.variables.tf", variables)]));
    assert!(other.contains("proton.pipeline.variables.tf:2:1: the variable `environment` is declared"), "{other}");
}

#[test]
fn values_beside_the_spec_cant_assign_a_generated_variable() {
    let text = refusal(environment(&[
        ("infrastructure/zzz.auto.tfvars", "own = 1\nenvironment = { name = \"x\", inputs = {} }\n"),
        ("infrastructure/zzz.auto.tfvars.json", "{\n  \"proton_tags\": {}\n}"),
        ("infrastructure/broken.auto.tfvars", "own = \n"),
    ]));
    assert!(text.contains("infrastructure/broken.auto.tfvars:1:7: is no valid HCL"), "{text}");
    assert!(
        text.contains(
            "infrastructure/zzz.auto.tfvars:2:1: assigns the variable `environment`, which has its value from the spec"
        ),
        "{text}"
    );
    assert!(text.contains("infrastructure/zzz.auto.tfvars.json:2:3: assigns the variable `proton_tags`"), "{text}");
    let harmless = [
        ("infrastructure/own.auto.tfvars", "own = 1\nservice = 2\n"),
        ("infrastructure/modules/m/x.auto.tfvars", "environment = 1\n"),
        ("infrastructure/terraform.tfvars", "environment = 1\n"),
    ];
    assert!(environment(&harmless).is_ok());
}

#[test]
fn a_schema_that_proton_couldnt_show_is_refused() {
    let padded = |length: usize| format!("{SCHEMA}#{}", "ä".repeat(length - SCHEMA.len() - 1));
    assert!(environment(&[("schema/schema.yaml", &padded(51_200))]).is_ok());
    let text = refusal(environment(&[("schema/schema.yaml", &padded(51_201))]));
    assert_eq!(
        text,
        "schema/schema.yaml: has 51201 characters, and Proton's API gives out at most 51200 (shorten it, or share types by $ref)"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_bytes_make_the_reader_panic(start in 0..4_usize, bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let magic: [&[u8]; 4] = [b"", b"PK\x03\x04", b"PK\x05\x06", b"\x1f\x8b\x08\x00"];
        drop(unpack(&[magic[start], &bytes].concat()));
    }

    #[test]
    fn no_damage_makes_the_reader_panic(at in any::<prop::sample::Index>(), byte in any::<u8>(), form in any::<bool>()) {
        let mut archive = if form { zip(&ENVIRONMENT) } else { tar_gz(&ENVIRONMENT) };
        let at = at.index(archive.len());
        archive[at] = byte;
        drop(open_bundle(BundleKind::Environment, &archive, false));
    }

    #[test]
    fn packed_files_come_out_as_they_went_in(contents in proptest::collection::vec("\\PC{0,80}", 1..6)) {
        let names: Vec<String> = (0..contents.len()).map(|n| format!("schema/{n}")).collect();
        let files: Vec<(&str, &str)> = names.iter().map(String::as_str).zip(contents.iter().map(String::as_str)).collect();
        let expected: Files = files.iter().map(|(name, text)| ((*name).to_owned(), text.as_bytes().to_vec())).collect();
        prop_assert_eq!(&unpack(&zip(&files)).unwrap(), &expected);
        prop_assert_eq!(&unpack(&tar_gz(&files)).unwrap(), &expected);
    }
}

#[test]
fn an_authors_tests_and_notes_are_passed_over() {
    let bundle = environment(&[
        ("README.md", "# Ours"),
        ("tests/dev.yaml", "spec: ../spec.yaml"),
        ("tests/expected/dev/main.tf", "resource {"),
        ("tests/expected/dev/.proton/deployment-metadata.json", "{"),
    ])
    .unwrap();
    assert_eq!(bundle.infrastructure.unwrap().files.keys().collect::<Vec<_>>(), ["main.tf"]);
}

#[test]
fn an_instance_is_deployed_whether_or_not_its_bundle_has_a_pipeline() {
    let instance = Target::ServiceInstance { service: "pay".into(), name: "api".into() };
    let pipeline = Target::ServicePipeline { service: "pay".into() };
    let main = "locals {}\n";
    let part = |folder: &'static str| [(format!("{folder}/manifest.yaml"), HCL), (format!("{folder}/main.tf"), main)];
    let archive = |schema: &str, folders: &[&'static str]| {
        let files: Vec<_> = folders.iter().flat_map(|folder| part(folder)).collect();
        let mut all = vec![("schema/schema.yaml", schema)];
        all.extend(files.iter().map(|(path, text)| (path.as_str(), *text)));
        tar_gz(&all)
    };
    let both = archive(SERVICE_SCHEMA, &["instance_infrastructure", "pipeline_infrastructure"]);
    assert!(open_bundle_of(&instance, &both).unwrap().part_for(&instance).is_some());
    assert!(open_bundle_of(&pipeline, &both).unwrap().part_for(&pipeline).is_some());
    let alone = archive(&SERVICE_SCHEMA.replace("  pipeline_input_type: In\n", ""), &["instance_infrastructure"]);
    assert!(open_bundle_of(&instance, &alone).unwrap().part_for(&instance).is_some());
    assert!(open_bundle_of(&pipeline, &alone).unwrap().part_for(&pipeline).is_none());
}
