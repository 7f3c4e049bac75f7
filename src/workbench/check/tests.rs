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
    write_report(&check(source, options), Format::Text, |file| file.to_owned())
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
    insta::assert_snapshot!(environment(main), @"");
}

#[test]
fn an_input_that_nobody_uses_is_a_warning_at_its_name() {
    let main =
        "output \"a\" {\n  value = jsonencode([var.environment.inputs.vpc_cidr, var.environment.inputs.net])\n}\n";
    insta::assert_snapshot!(environment(main), @"");
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
    insta::assert_snapshot!(said(&source(&files), &Options::default()), @"");
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
    insta::assert_snapshot!(said(&service, &options), @"");
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
    insta::assert_snapshot!(said(&new, &Options { previous: Some(&old), specs, environment: None }), @"");
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
    insta::assert_snapshot!(of(template), @"");
    insta::assert_snapshot!(of("Resources:\n  A: {{ environment.name\n"), @"");
    insta::assert_snapshot!(of("Resources:\n  A: {{ environment.inputs | nope }}\n"), @"");
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
