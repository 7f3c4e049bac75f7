use super::{Options, check};
use crate::workbench::source::Source;
use crate::workbench::{Format, write_report};

const MANIFEST: &str =
    "infrastructure: {templates: [{file: \"*\", rendering_engine: hcl, template_language: terraform}]}\n";
const SCHEMA: &str = r#"schema:
  format: { openapi: "3.0.0" }
  environment_input_type: In
  types:
    In:
      type: object
      required: [vpc_cidr]
      properties:
        vpc_cidr: { type: string }
        zones: { type: array, items: { type: string }, default: [a] }
        note: { type: string }
        net: { type: object, default: {}, properties: { size: { type: integer, default: 8 } } }
"#;

fn source(files: &[(&str, &str)]) -> Source {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let source = Source::open(folder.path()).unwrap_or_else(|problems| panic!("{problems}"));
    Source { root: ".".into(), ..source }
}

fn said(source: &Source, options: &Options<'_>) -> String {
    write_report(&check(source, options), Format::Text, str::to_owned)
}

fn environment(main: &str) -> String {
    let files =
        [("schema/schema.yaml", SCHEMA), ("infrastructure/manifest.yaml", MANIFEST), ("infrastructure/main.tf", main)];
    said(&source(&files), &Options::default())
}

#[test]
fn a_bundle_that_uses_what_there_is_has_nothing_wrong() {
    let main = r#"
locals {
  inputs = var.environment.inputs
  note   = try(local.inputs.note, "none")
}
resource "terraform_data" "net" {
  for_each = toset(local.inputs.zones)
  input    = { cidr = local.inputs.vpc_cidr, size = local.inputs.net.size, key = each.key, note = local.note }
  lifecycle {
    ignore_changes = [input]
  }
}
output "Nets" {
  value = { for key, net in terraform_data.net : key => net.id }
}
"#;
    assert_eq!(environment(main), "");
}

#[test]
fn what_does_not_exist_is_named_with_its_place_and_a_remedy() {
    let main = r#"
resource "terraform_data" "net" {
  input = "${var.environment.inputs.vpc_cdir}-${var.environment.inputs.net.sise}-${var.environment.nmae}"
}
output "a" { value = terraform_data.nat.id }
output "b" { value = [local.x, module.m.y, data.aws_vpc.v.id, var.region, var.environment.inputs.note] }
output "c" { value = "${var.environment.inputs["vpc_cidr"]} ${try(var.environment.inputs.nope, 1)} ${length(var.environment.inputs.zones)}" }
"#;
    insta::assert_snapshot!(environment(main), @r#"
    infrastructure/main.tf:3:14: error: `vpc_cdir` is no input of the schema, in `var.environment.inputs.vpc_cdir` [unknown-input]
      3 |   input = "${var.environment.inputs.vpc_cdir}-${var.environment.inputs.net.sise}-${var.environment.nmae}"
        |              ^
      = did you mean `vpc_cidr`? Else declare `vpc_cdir` in schema/schema.yaml

    infrastructure/main.tf:3:49: error: `sise` is no input of the schema, in `var.environment.inputs.net.sise` [unknown-input]
      3 |   input = "${var.environment.inputs.vpc_cdir}-${var.environment.inputs.net.sise}-${var.environment.nmae}"
        |                                                 ^
      = did you mean `size`? Else declare `sise` in schema/schema.yaml

    infrastructure/main.tf:3:84: error: `var.environment` has no member `nmae` [unknown-name]
      3 |   input = "${var.environment.inputs.vpc_cdir}-${var.environment.inputs.net.sise}-${var.environment.nmae}"
        |                                                                                    ^
      = did you mean `name`?

    infrastructure/main.tf:5:22: error: there is no resource `terraform_data.nat` [undeclared]
      5 | output "a" { value = terraform_data.nat.id }
        |                      ^
      = did you mean `terraform_data.net`?

    infrastructure/main.tf:6:23: error: there is no local value `x` [undeclared]
      6 | output "b" { value = [local.x, module.m.y, data.aws_vpc.v.id, var.region, var.environment.inputs.note] }
        |                       ^
      = declare it in a locals block, or remove it here

    infrastructure/main.tf:6:32: error: there is no module `m` [undeclared]
      6 | output "b" { value = [local.x, module.m.y, data.aws_vpc.v.id, var.region, var.environment.inputs.note] }
        |                                ^
      = call it in a module block, or remove it here

    infrastructure/main.tf:6:44: error: there is no data source `data.aws_vpc.v` [undeclared]
      6 | output "b" { value = [local.x, module.m.y, data.aws_vpc.v.id, var.region, var.environment.inputs.note] }
        |                                            ^
      = declare it, or remove it here

    infrastructure/main.tf:6:63: error: there is no variable `region` [undeclared]
      6 | output "b" { value = [local.x, module.m.y, data.aws_vpc.v.id, var.region, var.environment.inputs.note] }
        |                                                               ^
      = declare it with variable, or remove it here

    infrastructure/main.tf:6:75: warning: `var.environment.inputs.note` may be missing: it is neither required nor has it a default [may-be-missing]
      6 | output "b" { value = [local.x, module.m.y, data.aws_vpc.v.id, var.region, var.environment.inputs.note] }
        |                                                                           ^
      = write try(…, null) around it, or give it a default in the schema

    infrastructure/main.tf:7:67: warning: `nope` is no input of the schema, in `var.environment.inputs.nope`, so it is always missing [unknown-input]
      7 | output "c" { value = "${var.environment.inputs["vpc_cidr"]} ${try(var.environment.inputs.nope, 1)} ${length(var.environment.inputs.zones)}" }
        |                                                                   ^
      = did you mean `note`? Else declare `nope` in schema/schema.yaml
    "#);
}

#[test]
fn an_input_that_nobody_uses_is_a_warning_at_its_name() {
    let main =
        "output \"a\" {\n  value = jsonencode([var.environment.inputs.vpc_cidr, var.environment.inputs.net])\n}\n";
    insta::assert_snapshot!(environment(main), @r#"
    schema/schema.yaml:10:9: warning: the input `zones` is never used [unused-input]
      10 |         zones: { type: array, items: { type: string }, default: [a] }
         |         ^
      = use it as var.environment.inputs.zones, or remove it from the schema

    schema/schema.yaml:11:9: warning: the input `note` is never used [unused-input]
      11 |         note: { type: string }
         |         ^
      = use it as var.environment.inputs.note, or remove it from the schema
    "#);
    assert_eq!(environment("output \"a\" {\n  value = jsonencode(var.environment)\n}\n"), "");
}

#[test]
fn modules_of_the_bundle_are_held_against_their_calls() {
    let main = "module \"m\" {\n  source = \"./modules/m\"\n  cidr = var.environment.inputs.vpc_cidr\n}\nmodule \"n\" {\n  source = \"../shared\"\n}\nmodule \"o\" {\n  source = \"./none\"\n}\noutput \"x\" {\n  value = [module.m.id, module.m.idd, var.environment.inputs]\n}\n";
    let inner = "variable \"cider\" {}\nvariable \"size\" {\n  default = 1\n}\noutput \"id\" {\n  value = \"${var.cider}${var.environment}\"\n}\n";
    let files = [
        ("schema/schema.yaml", SCHEMA),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/main.tf", main),
        ("infrastructure/modules/m/main.tf", inner),
    ];
    insta::assert_snapshot!(said(&source(&files), &Options::default()), @r#"
    infrastructure/main.tf:1:1: error: the module `m` isn't given `cider`, which has no default [missing-value]
      1 | module "m" {
        | ^
      = add cider = …

    infrastructure/main.tf:3:3: error: the module `m` has no variable `cidr` [module]
      3 |   cidr = var.environment.inputs.vpc_cidr
        |   ^
      = did you mean `cider`?

    infrastructure/main.tf:5:1: error: the module `n` lies outside of infrastructure/: ../shared [module]
      5 | module "n" {
        | ^
      = put a copy of it below the folder: only that travels with the bundle

    infrastructure/main.tf:8:1: error: the module `o` names a folder without Terraform files: ./none [module]
      8 | module "o" {
        | ^
      = correct the path, or add the module

    infrastructure/main.tf:12:25: error: the module `m` has no output `idd` [undeclared]
      12 |   value = [module.m.id, module.m.idd, var.environment.inputs]
         |                         ^
      = did you mean `id`?

    infrastructure/modules/m/main.tf:6:26: error: there is no variable `environment` [undeclared]
      6 |   value = "${var.cider}${var.environment}"
        |                          ^
      = declare it with variable, or remove it here
    "#);
}

#[test]
fn outputs_of_an_environment_are_known_with_its_bundle() {
    let env = source(&[
        ("schema/schema.yaml", SCHEMA),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/main.tf", "output \"VpcId\" {\n  value = var.environment.inputs\n}\n"),
    ]);
    let schema = "schema: {format: {openapi: 3.0.0}, service_input_type: In, types: {In: {type: object, properties: {port: {type: integer}}}}}\n";
    let main = "locals {\n  shared = var.environment.outputs\n}\noutput \"x\" {\n  value = [local.shared.VpcID, local.shared.VpcId, var.environment.inputs.a, lookup(var.service_instance.inputs, \"port\", 80), var.service_instance.components.default.outputs.url, var.service.nam]\n}\n";
    let service = source(&[
        ("schema/schema.yaml", schema),
        ("instance_infrastructure/manifest.yaml", MANIFEST),
        ("instance_infrastructure/main.tf", main),
    ]);
    let options = Options { environment: Some(&env), ..Options::default() };
    insta::assert_snapshot!(said(&service, &options), @r#"
    instance_infrastructure/main.tf:5:12: error: the environment has no output `VpcID`, in `var.environment.outputs.VpcID` [unknown-output]
      5 |   value = [local.shared.VpcID, local.shared.VpcId, var.environment.inputs.a, lookup(var.service_instance.inputs, "port", 80), var.service_instance.components.default.outputs.url, var.service.nam]
        |            ^
      = did you mean `VpcId`?

    instance_infrastructure/main.tf:5:52: error: `var.environment` has no member `inputs` [unknown-name]
      5 |   value = [local.shared.VpcID, local.shared.VpcId, var.environment.inputs.a, lookup(var.service_instance.inputs, "port", 80), var.service_instance.components.default.outputs.url, var.service.nam]
        |                                                    ^
      = services see an environment's outputs only: make it an output of the environment

    instance_infrastructure/main.tf:5:127: warning: `var.service_instance.components.default` may be missing: no component need be attached [may-be-missing]
      5 |   value = [local.shared.VpcID, local.shared.VpcId, var.environment.inputs.a, lookup(var.service_instance.inputs, "port", 80), var.service_instance.components.default.outputs.url, var.service.nam]
        |                                                                                                                               ^
      = write try(…, null) around it

    instance_infrastructure/main.tf:5:180: error: `var.service` has no member `nam` [unknown-name]
      5 |   value = [local.shared.VpcID, local.shared.VpcId, var.environment.inputs.a, lookup(var.service_instance.inputs, "port", 80), var.service_instance.components.default.outputs.url, var.service.nam]
        |                                                                                                                                                                                    ^
      = did you mean `name`?
    "#);
}

#[test]
fn one_folder_of_a_service_without_a_pipeline_has_nothing_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let schema = SCHEMA.replace("environment_input_type", "service_input_type");
    for (path, text) in [
        ("schema/schema.yaml", schema.as_str()),
        ("instance_infrastructure/manifest.yaml", MANIFEST),
        ("instance_infrastructure/main.tf", "output \"x\" {\n  value = var.service_instance.inputs.vpc_cidr\n}\n"),
    ] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let part = Source::open(&folder.path().join("instance_infrastructure")).unwrap();
    assert_eq!(said(&part, &Options::default()), "");
}

#[test]
fn where_the_schema_is_missing_nothing_else_is_blamed() {
    let main = "output \"x\" {\n  value = var.environment.inputs.vpc_cidr\n}\n";
    let code = [("infrastructure/manifest.yaml", MANIFEST), ("infrastructure/main.tf", main)];
    let beside = source(&[code[0], code[1], ("schema.yaml", SCHEMA)]);
    insta::assert_snapshot!(said(&beside, &Options::default()), @r"
    schema/schema.yaml: error: is missing [schema]
      = add it, and pack the folder that has schema/ in it
    ");
    let named = source(&[code[0], code[1], ("schema/schema.yml", SCHEMA)]);
    insta::assert_snapshot!(said(&named, &Options::default()), @r"
    schema/schema.yaml: error: is missing [schema]
      = rename schema/schema.yml
    ");
}

#[test]
fn a_folder_with_a_typing_error_in_its_name_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (path, text) in [("schema/schema.yaml", SCHEMA), ("infrastucture/manifest.yaml", MANIFEST)] {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    let problems = Source::open(folder.path()).unwrap_err().to_string();
    assert!(
        problems.contains("infrastucture: is no folder of a bundle")
            && problems.contains("rename it to infrastructure/")
    );
}

#[test]
fn a_narrower_minor_and_a_wrong_spec_are_told() {
    let new = source(&[
        ("schema/schema.yaml", &SCHEMA.replace("note: { type: string }", "note: { type: integer }")),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/main.tf", "output \"x\" {\n  value = var.environment.inputs\n}\n"),
    ]);
    let old = source(&[
        ("schema/schema.yaml", SCHEMA),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/a.tf", ""),
    ]);
    let specs = vec![("spec.yaml".to_owned(), "proton: EnvironmentSpec\nspec:\n  vpc_cidr: 1\n".to_owned())];
    insta::assert_snapshot!(said(&new, &Options { previous: Some(&old), specs, environment: None }), @r#"
    schema/schema.yaml:11:15: error: `note` was a string and is an integer now [incompatible]
      11 |         note: { type: integer }
         |               ^
      = undo it, or register a new major version

    spec.yaml:3:13: error: `vpc_cidr` must be a string, not an integer [spec]
      3 |   vpc_cidr: 1
        |             ^
      = put it in quotes
    "#);
}

#[test]
fn a_cloudformation_template_is_checked_too() {
    let manifest = "infrastructure: {templates: [{file: cloudformation.yaml, rendering_engine: jinja, template_language: cloudformation}]}\n";
    let template = "Resources:\n  A:\n    Type: {{ environment.inputs.vpc_cdir }}\n    B: {{ enviroment.name }}{{ environment.inputs.note }}\n{% for z in environment.inputs.zones %}  C{{ loop.index }}: {{ z }}\n{% endfor %}";
    let of = |template: &str| {
        said(
            &source(&[
                ("schema/schema.yaml", SCHEMA),
                ("infrastructure/manifest.yaml", manifest),
                ("infrastructure/cloudformation.yaml", template),
            ]),
            &Options::default(),
        )
    };
    insta::assert_snapshot!(of(template), @r#"
    infrastructure/cloudformation.yaml:3:14: error: `vpc_cdir` is no input of the schema, in `environment.inputs.vpc_cdir` [unknown-input]
      3 |     Type: {{ environment.inputs.vpc_cdir }}
        |              ^
      = did you mean `vpc_cidr`? Else declare `vpc_cdir` in schema/schema.yaml

    infrastructure/cloudformation.yaml:4:11: error: `enviroment` is no name that the template gets [unknown-name]
      4 |     B: {{ enviroment.name }}{{ environment.inputs.note }}
        |           ^
      = did you mean `environment`?

    infrastructure/cloudformation.yaml:4:32: warning: `environment.inputs.note` may be missing: it is neither required nor has it a default [may-be-missing]
      4 |     B: {{ enviroment.name }}{{ environment.inputs.note }}
        |                                ^
      = pipe it to default(…), or give it a default in the schema

    schema/schema.yaml:12:9: warning: the input `net` is never used [unused-input]
      12 |         net: { type: object, default: {}, properties: { size: { type: integer, default: 8 } } }
         |         ^
      = use it as {{ environment.inputs.net }}, or remove it from the schema
    "#);
    insta::assert_snapshot!(of("Resources:\n  A: {{ environment.name\n"), @r#"
    infrastructure/cloudformation.yaml:2:21: error: unexpected end of input, expected end of variable block, in `name` [jinja]
      2 |   A: {{ environment.name
        |                     ^
      = close each {{ by }} and each {% by %}, and if, for and macro by their end
    "#);
    insta::assert_snapshot!(of("Resources:\n  A: {{ environment.inputs | nope }}\n"), @r#"
    infrastructure/cloudformation.yaml:2:30: error: filter nope is unknown [jinja]
      2 |   A: {{ environment.inputs | nope }}
        |                              ^
      = correct its name: there are those of Jinja2 and Proton's own
    "#);
}

#[test]
fn every_example_is_clean() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for name in [
        "offline/environment",
        "offline/service",
        "offline/component",
        "aws/ecs-environment",
        "aws/ecs-environment-cloudformation",
        "aws/fargate-service",
        "aws/sqs-component",
    ] {
        let source = Source::open(&examples.join(name)).unwrap_or_else(|problems| panic!("{name}: {problems}"));
        assert_eq!(said(&source, &Options::default()), "", "{name}");
    }
}

#[test]
fn code_that_cannot_be_read_keeps_the_rest_from_being_called_undeclared() {
    let files = [
        ("schema/schema.yaml", SCHEMA),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/main.tf", "output \"x\" {\n  value = [local.elsewhere, var.environment.inputs]\n}\n"),
        ("infrastructure/locals.tf", "locals {\n  elsewhere = \n}\n"),
    ];
    let text = said(&source(&files), &Options::default());
    assert!(text.contains("is no valid HCL") && !text.contains("undeclared"), "{text}");
}

#[test]
fn what_is_declared_twice_is_told_at_registration_too() {
    let files = [
        ("schema/schema.yaml", SCHEMA),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/a.tf", "output \"x\" {\n  value = var.environment.inputs\n}\nlocals {\n  a = 1\n}\n"),
        ("infrastructure/b.tf", "locals {\n  a = 2\n}\noutput \"x\" {\n  value = local.a\n}\n"),
        ("infrastructure/x_override.tf", "output \"x\" {\n  value = 3\n}\n"),
    ];
    let source = source(&files);
    let words = ["b.tf:2:3: the local value `a` is declared twice, first in infrastructure/a.tf:5", "the output `x`"];
    let registered = crate::domain::check_bundle(source.kind, source.files.clone(), false).unwrap_err().to_string();
    assert!(words.iter().all(|words| registered.contains(words)), "{registered}");
    assert_eq!(check(&source, &Options::default()).errors(), 2);
}

#[test]
fn a_file_that_is_read_and_does_not_travel_is_told_where_it_is_surely_read() {
    let main = r#"
locals {
  user_data = templatefile("${path.module}/user-dat.sh", { cidr = var.environment.inputs.vpc_cidr })
  there     = file("${path.root}/user-data.sh")
  outside   = filesha256("../lambda.zip")
  perhaps   = try(file("${path.module}/extra.txt"), "")
  either    = fileexists("more.txt") ? file("more.txt") : ""
  computed  = file("${path.module}/${var.environment.name}.txt")
}
output "All" {
  value = local
}
"#;
    let files = [
        ("schema/schema.yaml", SCHEMA),
        ("infrastructure/manifest.yaml", MANIFEST),
        ("infrastructure/main.tf", main),
        ("infrastructure/user-data.sh", "#!/bin/sh\n"),
    ];
    let report = check(&source(&files), &Options::default());
    let told = write_report(&report, Format::Text, str::to_owned);
    let about: Vec<&str> = told.lines().filter(|line| line.contains("isn't in the bundle")).collect();
    assert_eq!(about.len(), 2, "{told}");
    assert!(about[0].contains("main.tf:3:28") && about[0].contains("user-dat.sh"), "{told}");
    assert!(told.contains("did you mean `user-data.sh`?"), "{told}");
    assert!(about[1].contains("../lambda.zip"), "{told}");
}
