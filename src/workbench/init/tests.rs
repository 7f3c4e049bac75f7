use super::{Start, from_module, start};
use crate::domain::{BundleKind, Engine, Files};
use crate::workbench::{Format, Given, Options, Source, check, render, write_report};

/// The bundle on disk, read back.
fn laid_out(start: &Start) -> (tempfile::TempDir, Source) {
    let folder = tempfile::tempdir().unwrap();
    for (path, bytes) in &start.files {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let source = Source::open(folder.path()).unwrap_or_else(|problems| panic!("{problems}"));
    (folder, source)
}

fn said(start: &Start) -> String {
    let (_folder, source) = laid_out(start);
    let spec = String::from_utf8(start.files["spec.yaml"].clone()).unwrap();
    let options = Options { specs: vec![("spec.yaml".into(), spec)], ..Options::default() };
    write_report(&check(&source, &options), Format::Text, str::to_owned)
}

fn text<'s>(start: &'s Start, path: &str) -> &'s str {
    std::str::from_utf8(start.files.get(path).unwrap_or_else(|| panic!("no {path}: {:?}", start.files.keys()))).unwrap()
}

#[test]
fn every_starting_bundle_is_clean_and_renders_with_its_own_spec() {
    for kind in [BundleKind::Environment, BundleKind::Service] {
        for engine in [Engine::Hcl, Engine::Jinja] {
            let made = start(kind, engine);
            assert_eq!(said(&made), "", "{kind:?} {engine:?}");
            let (_folder, source) = laid_out(&made);
            let spec = Some(text(&made, "spec.yaml").to_owned());
            let given = Given { spec, ..Given::default() };
            assert_eq!(render(&source, &given).unwrap().len(), 1, "{kind:?} {engine:?}");
        }
    }
}

const VARIABLES: &str = r#"
variable "cidr" {
  type        = string
  description = "The network: \"quoted\""
  validation {
    condition     = can(regex("^10\\.", var.cidr)) && length(var.cidr) <= 18
    error_message = "no"
  }
}
variable "zones" {
  type    = list(string)
  default = ["a", "b"]
  validation {
    condition     = length(var.zones) > 0
    error_message = "no"
  }
}
variable "size" {
  type    = number
  default = 3
  validation {
    condition     = var.size >= 1 && 10 > var.size && floor(var.size) == var.size
    error_message = "no"
  }
}
variable "kind" {
  type     = string
  default  = null
  validation {
    condition     = var.kind == null || contains(["small", "large"], var.kind)
    error_message = "no"
  }
}
variable "net" {
  type = object({
    name  = string
    ports = optional(set(number), [80])
    tags  = optional(map(string))
  })
  default = { name = "n" }
}
variable "password" {
  type      = string
  sensitive = true
  validation {
    condition     = var.password != var.cidr
    error_message = "no"
  }
}
variable "loose" {
  default = true
}
"#;

fn module() -> Files {
    let outputs = "output \"id\" {\n  description = \"The id\"\n  value = terraform_data.a.id\n}\noutput \"key\" {\n  value = var.password\n  sensitive = true\n}\n";
    let main = "terraform {\n  required_version = \">= 1.6\"\n}\nresource \"terraform_data\" \"a\" {\n  input = [var.cidr, var.zones, var.size, var.kind, var.net, var.loose]\n}\n";
    let file = |path: &str, text: &str| (path.to_owned(), text.as_bytes().to_vec());
    Files::from([
        file("variables.tf", VARIABLES),
        file("main.tf", main),
        file("outputs.tf", outputs),
        file("terraform.tfstate", "{}"),
        file("examples/x/main.tf", "module \"x\" {\n  source = \"../..\"\n}\n"),
    ])
}

#[test]
fn a_modules_variables_become_a_schema() {
    let made = from_module(&module(), "terraform-aws-net", BundleKind::Environment).unwrap();
    insta::assert_snapshot!(text(&made, "schema/schema.yaml"), @r#"
    # yaml-language-server: $schema=../.hadron/schemas/schema.json
    schema:
      format:
        openapi: "3.0.0"
      environment_input_type: "EnvironmentInput"
      types:
        EnvironmentInput:
          type: object
          description: "Inputs of the module terraform-aws-net"
          required: [cidr, password]
          properties:
            cidr:
              type: string
              description: "The network: \"quoted\""
              pattern: "^10\\."
              maxLength: 18
            zones:
              type: array
              default: [a, b]
              items:
                type: string
              minItems: 1
            size:
              type: integer
              default: 3
              minimum: 1
              maximum: 10
              exclusiveMaximum: true
            kind:
              type: string
              enum: [small, large]
            net:
              type: object
              default:
                name: "n"
              required: [name]
              properties:
                name:
                  type: string
                ports:
                  type: array
                  items:
                    type: number
                  uniqueItems: true
                  default: [80]
                tags:
                  type: object
                  additionalProperties:
                    type: string
            password:
              type: string
              description: "(sensitive: give the name of a secret, not its value)"
            loose:
              type: boolean
              default: true
    "#);
}

#[test]
fn a_module_is_called_with_every_input_and_its_outputs_are_wired() {
    let made = from_module(&module(), "terraform-aws-net", BundleKind::Service).unwrap();
    insta::assert_snapshot!(text(&made, "instance_infrastructure/main.tf"), @r#"
    module "aws_net" {
      source = "./modules/aws_net"

      cidr     = var.service_instance.inputs.cidr
      zones    = var.service_instance.inputs.zones
      size     = var.service_instance.inputs.size
      kind     = try(var.service_instance.inputs.kind, null)
      net      = var.service_instance.inputs.net
      password = var.service_instance.inputs.password
      loose    = var.service_instance.inputs.loose
    }
    "#);
    insta::assert_snapshot!(text(&made, "instance_infrastructure/outputs.tf"), @r#"
    output "id" {
      description = "The id"
      value       = module.aws_net.id
    }

    output "key" {
      value     = module.aws_net.key
      sensitive = true
    }
    "#);
    insta::assert_snapshot!(text(&made, "spec.yaml"), @r#"
    # yaml-language-server: $schema=.hadron/schemas/service-spec.json
    proton: ServiceSpec

    instances:
      - name: dev
        environment: dev
        spec:
          cidr: "10.0.0.0/16"
          zones: [a, b]
          size: 3
          net:
            name: "n"
            ports: [80]
          password: example
          loose: true
    "#);
    assert_eq!(made.notes.len(), 3, "{:#?}", made.notes);
    assert_eq!(said(&made), "");
    assert!(!made.files.keys().any(|path| path.contains("tfstate") || path.contains("examples")));
}

#[test]
fn defaults_are_of_the_schemas_types() {
    let code = "variable \"a\" {\n  type = string\n  default = 80\n}\nvariable \"b\" {\n  type = map(object({ n = number, o = optional(string) }))\n  default = { x = { n = \"1\", o = null } }\n}\nvariable \"c\" {\n  default = \"${path.module}\"\n}\nresource \"terraform_data\" \"a\" {\n  input = [var.a, var.b, var.c]\n}\n";
    let files = Files::from([("main.tf".to_owned(), code.as_bytes().to_vec())]);
    let made = from_module(&files, "m", BundleKind::Environment).unwrap();
    assert_eq!(said(&made), "");
    let schema = text(&made, "schema/schema.yaml");
    assert!(schema.contains("default: \"80\"") && schema.contains("\"n\": 1\n"), "{schema}");
    assert!(!text(&made, "infrastructure/main.tf").contains("  c "), "{}", text(&made, "infrastructure/main.tf"));
}

#[test]
fn a_module_without_variables_and_a_folder_without_a_module() {
    let files = Files::from([("main.tf".to_owned(), b"resource \"aws_vpc\" \"v\" {}\n".to_vec())]);
    let made = from_module(&files, "x", BundleKind::Environment).unwrap();
    assert!(text(&made, "infrastructure/versions.tf").contains("default_tags"));
    assert!(said(&made).contains("`note` is never used"));
    let none = from_module(&Files::new(), "x", BundleKind::Environment).unwrap_err();
    assert!(none.to_string().contains("no Terraform module"), "{none}");
}
