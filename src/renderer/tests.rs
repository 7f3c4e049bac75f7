//! Whole work directories.

use serde_json::{Map, Value, json};

use super::{Metadata, Request, render, requirements};
use crate::domain::{
    Attachment, Engine, EnvironmentFacts, Files, LOCK_FILE, Part, PipelineInstance, Scope, ServiceFacts, Target,
    component_inputs, environment_inputs, instance_inputs, pipeline_inputs,
};

fn scope() -> Scope {
    Scope::new("123456789012", "us-east-1")
}

fn map(value: Value) -> Map<String, Value> {
    let Value::Object(map) = value else { panic!("an object is meant") };
    map
}

fn part(engine: Engine, files: &[(&str, &str)]) -> Part {
    let templates = files.iter().map(|(path, _)| (*path).to_owned()).take(1).collect();
    let files = files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect();
    Part { folder: "infrastructure".into(), engine, templates, files }
}

fn metadata() -> Metadata {
    Metadata {
        deployment_id: "a149878a-4688-4369-84ba-e7569404acab".into(),
        template_arn: Some(scope().arn("environment-template/t")),
        template_version: Some(("1".into(), "0".into())),
        environment_arn: Some(scope().arn("environment/dev")),
        ..Metadata::default()
    }
}

struct Rendering {
    target: Target,
    part: Part,
    inputs: Value,
    metadata: Metadata,
}

impl Rendering {
    fn of_environment(part: Part) -> Self {
        let inputs = environment_inputs(&scope(), "dev", "T", map(json!({"cidr": "10.0.0.0/16", "nat": 2})));
        Self { target: Target::Environment { name: "dev".into() }, part, inputs, metadata: metadata() }
    }

    fn try_files(&self) -> Result<(Files, Option<String>), String> {
        self.with_url(None)
    }

    fn with_url(&self, url: Option<&str>) -> Result<(Files, Option<String>), String> {
        let request = Request {
            target: &self.target,
            arn: &self.target.arn(&scope()),
            part: &self.part,
            inputs: &self.inputs,
            metadata: self.metadata.clone(),
            stack_template_url: url,
        };
        let rendered = render(&request).map_err(|problems| problems.to_string())?;
        Ok((rendered.files, rendered.large_template))
    }

    fn text(&self) -> String {
        match self.try_files() {
            Ok((files, _)) => files
                .iter()
                .map(|(path, bytes)| format!("=== {path}\n{}", String::from_utf8_lossy(bytes)))
                .collect::<Vec<_>>()
                .join("\n"),
            Err(problems) => problems,
        }
    }
}

fn dev() -> EnvironmentFacts {
    EnvironmentFacts {
        name: "dev".into(),
        account_id: "123456789012".into(),
        outputs: vec![("vpc".into(), "v".into())],
    }
}

fn pay() -> ServiceFacts {
    ServiceFacts { name: "pay".into(), ..ServiceFacts::default() }
}

#[test]
fn an_environment_of_terraform_is_laid_out_as_proton_did() {
    let files = [("main.tf", "locals {}\n"), ("modules/m/main.tf", "locals {}\n"), ("user-data.sh", "#!/bin/sh\n")];
    insta::assert_snapshot!(Rendering::of_environment(part(Engine::Hcl, &files)).text(), @r#"
    === .proton/deployment-metadata.json
    {
      "deploymentId" : "a149878a-4688-4369-84ba-e7569404acab",
      "isResourceDeleted" : false,
      "resourceMetadata" : {
        "arn" : "arn:aws:proton:us-east-1:123456789012:environment/dev",
        "templateArn" : "arn:aws:proton:us-east-1:123456789012:environment-template/t",
        "templateMajorVersion" : "1",
        "templateMinorVersion" : "0"
      }
    }
    === main.tf
    locals {}

    /*
    Managed by Hadron for arn:aws:proton:us-east-1:123456789012:environment/dev.

    The next deployment writes this file anew, and changes made here are lost: change the template or the spec.
    If the resource is gone from Hadron, what this file made may still exist.
    */

    === modules/m/main.tf
    locals {}

    === proton.auto.tfvars.json
    {
      "environment" : {
        "name" : "dev",
        "inputs" : {
          "cidr" : "10.0.0.0/16",
          "nat" : 2
        }
      },
      "proton_tags" : {
        "proton:account" : "123456789012",
        "proton:template" : "T",
        "proton:environment" : "arn:aws:proton:us-east-1:123456789012:environment/dev"
      },
      "//" : "arn:aws:proton:us-east-1:123456789012:environment/dev"
    }
    === proton.environment.variables.tf
    /*
    Managed by Hadron for arn:aws:proton:us-east-1:123456789012:environment/dev.

    The next deployment writes this file anew, and changes made here are lost: change the template or the spec.
    If the resource is gone from Hadron, what this file made may still exist.
    */

    variable "environment" {
      type = object({
        inputs = any
        name   = string
      })
      default = null
    }

    variable "proton_tags" {
      type    = map(string)
      default = null
    }

    === user-data.sh
    #!/bin/sh
    "#);
}

#[test]
fn after_a_delete_only_banner_id_and_flag_change() {
    let mut rendering = Rendering::of_environment(part(Engine::Hcl, &[("main.tf", "locals {}\n")]));
    let before = rendering.try_files().unwrap().0;
    rendering.metadata.is_resource_deleted = true;
    let after = rendering.try_files().unwrap().0;
    assert_eq!(before["proton.auto.tfvars.json"], after["proton.auto.tfvars.json"]);
    assert!(before.keys().eq(after.keys()));
    insta::assert_snapshot!(String::from_utf8_lossy(&after["main.tf"]), @r"
    locals {}

    /*
    Hadron no longer manages this file: arn:aws:proton:us-east-1:123456789012:environment/dev has been deleted.
    */
    ");
    insta::assert_snapshot!(String::from_utf8_lossy(&after[".proton/deployment-metadata.json"]), @r#"
    {
      "deploymentId" : "<proton-resource-deleted>",
      "isResourceDeleted" : true,
      "resourceMetadata" : {
        "arn" : "arn:aws:proton:us-east-1:123456789012:environment/dev",
        "templateArn" : "arn:aws:proton:us-east-1:123456789012:environment-template/t",
        "templateMajorVersion" : "1",
        "templateMinorVersion" : "0"
      }
    }
    "#);
}

#[test]
fn instances_pipelines_and_components_have_their_own_names_and_notes() {
    let files = part(Engine::Hcl, &[("main.tf", "")]);
    let note = |rendering: &Rendering| {
        let files = rendering.try_files().unwrap().0;
        let names = files.keys().cloned().collect::<Vec<_>>().join(" ");
        format!("{names}\n{}", String::from_utf8_lossy(&files[".proton/deployment-metadata.json"]))
    };
    let instance = Target::ServiceInstance { service: "pay".into(), name: "api".into() };
    let inputs = instance_inputs(&scope(), &dev(), &pay(), "api", Map::new(), None, "T");
    let rendering = Rendering { target: instance, part: files.clone(), inputs, metadata: metadata() };
    insta::assert_snapshot!(note(&rendering), @r#"
    .proton/deployment-metadata.json main.tf proton.auto.tfvars.json proton.service_instance.variables.tf
    {
      "deploymentId" : "a149878a-4688-4369-84ba-e7569404acab",
      "isResourceDeleted" : false,
      "resourceMetadata" : {
        "arn" : "arn:aws:proton:us-east-1:123456789012:service/pay/service-instance/api",
        "templateArn" : "arn:aws:proton:us-east-1:123456789012:environment-template/t",
        "templateMajorVersion" : "1",
        "templateMinorVersion" : "0",
        "environmentArn" : "arn:aws:proton:us-east-1:123456789012:environment/dev"
      }
    }
    "#);
    let pipeline = Target::ServicePipeline { service: "pay".into() };
    let inputs = pipeline_inputs(&scope(), &pay(), Map::new(), vec![PipelineInstance::default()], "T");
    let rendering = Rendering { target: pipeline, part: files.clone(), inputs, metadata: metadata() };
    insta::assert_snapshot!(note(&rendering), @r#"
    .proton/deployment-metadata.json main.tf proton.auto.tfvars.json proton.pipeline.variables.tf
    {
      "deploymentId" : "a149878a-4688-4369-84ba-e7569404acab",
      "isResourceDeleted" : false,
      "resourceMetadata" : {
        "arn" : "arn:aws:proton:us-east-1:123456789012:service/pay/pipeline",
        "templateArn" : "arn:aws:proton:us-east-1:123456789012:environment-template/t",
        "templateMajorVersion" : "1",
        "templateMinorVersion" : "0"
      }
    }
    "#);
    let component = Target::Component { name: "queue".into() };
    let attached = Attachment { service: "pay".into(), instance: "api".into(), inputs: Map::new() };
    let inputs = component_inputs(&scope(), "queue", &dev(), Some(attached));
    let metadata = Metadata {
        service_arn: Some(scope().arn("service/pay")),
        service_instance_arn: Some(scope().arn("service/pay/service-instance/api")),
        ..metadata()
    };
    let rendering = Rendering { target: component, part: files, inputs, metadata };
    insta::assert_snapshot!(note(&rendering), @r#"
    .proton/deployment-metadata.json main.tf proton.auto.tfvars.json proton.component.variables.tf
    {
      "deploymentId" : "a149878a-4688-4369-84ba-e7569404acab",
      "isResourceDeleted" : false,
      "componentMetadata" : {
        "arn" : "arn:aws:proton:us-east-1:123456789012:component/queue",
        "environmentArn" : "arn:aws:proton:us-east-1:123456789012:environment/dev",
        "serviceArn" : "arn:aws:proton:us-east-1:123456789012:service/pay",
        "serviceInstanceArn" : "arn:aws:proton:us-east-1:123456789012:service/pay/service-instance/api",
        "componentType" : "default"
      }
    }
    "#);
    let detached = Rendering {
        inputs: component_inputs(&scope(), "queue", &dev(), None),
        metadata: Metadata { service_arn: None, service_instance_arn: None, ..rendering.metadata.clone() },
        ..rendering
    };
    assert!(!note(&detached).contains("service"));
}

#[test]
fn a_bundle_cant_bring_the_values_along_but_a_copy_of_the_declarations() {
    let files = [("main.tf", ""), ("proton.auto.tfvars.json", "{}"), (".proton/deployment-metadata.json", "{}")];
    insta::assert_snapshot!(Rendering::of_environment(part(Engine::Hcl, &files)).text(), @r"
    infrastructure/.proton/deployment-metadata.json: is a file that Proton generates (rename it or take it out of the bundle)
    infrastructure/proton.auto.tfvars.json: is a file that Proton generates (rename it or take it out of the bundle)
    ");
    let copy = [("proton.environment.variables.tf", "variable \"environment\" {}\n")];
    let files = Rendering::of_environment(part(Engine::Hcl, &copy)).try_files().unwrap().0;
    let plain = Rendering::of_environment(part(Engine::Hcl, &[])).try_files().unwrap().0;
    assert_eq!(files, plain);
}

#[test]
fn an_authors_file_keeps_its_lines_where_they_were() {
    let files =
        Rendering::of_environment(part(Engine::Hcl, &[("main.tf", "\u{feff}locals {}")])).try_files().unwrap().0;
    assert!(String::from_utf8_lossy(&files["main.tf"]).starts_with("\u{feff}locals {}\n\n/*\n"));
}

const CLUSTER: &str = "Parameters:
  ProtonEnvironmentName:
    Type: String
Resources:
{% for n in range(environment.inputs.nat) %}
  Nat{{ n }}:
    Type: AWS::EC2::NatGateway
{% endfor %}
Outputs:
  ClusterName:
    Value: !Ref Cluster
";

#[test]
fn a_cloudformation_template_becomes_a_module_of_one_stack() {
    insta::assert_snapshot!(Rendering::of_environment(part(Engine::Jinja, &[("cfn.yaml", CLUSTER)])).text(), @r#"
    === .proton/deployment-metadata.json
    {
      "deploymentId" : "a149878a-4688-4369-84ba-e7569404acab",
      "isResourceDeleted" : false,
      "resourceMetadata" : {
        "arn" : "arn:aws:proton:us-east-1:123456789012:environment/dev",
        "templateArn" : "arn:aws:proton:us-east-1:123456789012:environment-template/t",
        "templateMajorVersion" : "1",
        "templateMinorVersion" : "0"
      }
    }
    === cloudformation.yaml
    Parameters:
      ProtonEnvironmentName:
        Type: String
    Resources:

      Nat0:
        Type: AWS::EC2::NatGateway

      Nat1:
        Type: AWS::EC2::NatGateway

    Outputs:
      ClusterName:
        Value: !Ref Cluster
    === hadron.cloudformation.tf.json
    {
      "//": "Managed by Hadron for arn:aws:proton:us-east-1:123456789012:environment/dev.\n\nThe next deployment writes this file anew, and changes made here are lost: change the template or the spec.\nIf the resource is gone from Hadron, what this file made may still exist.",
      "terraform": {
        "required_providers": {
          "aws": {
            "source": "hashicorp/aws"
          }
        }
      },
      "variable": {
        "environment": {
          "type": "any",
          "default": null
        },
        "proton_tags": {
          "type": "any",
          "default": null
        }
      },
      "resource": {
        "aws_cloudformation_stack": {
          "stack": {
            "name": "hadron-dev",
            "template_body": "${file(\"${path.module}/cloudformation.yaml\")}",
            "capabilities": [
              "CAPABILITY_IAM",
              "CAPABILITY_NAMED_IAM",
              "CAPABILITY_AUTO_EXPAND"
            ],
            "timeouts": {
              "create": "3h",
              "update": "3h",
              "delete": "3h"
            },
            "tags": "${var.proton_tags}",
            "parameters": {
              "ProtonEnvironmentName": "dev"
            }
          }
        }
      },
      "output": {
        "ClusterName": {
          "value": "${aws_cloudformation_stack.stack.outputs[\"ClusterName\"]}"
        }
      }
    }

    === proton.auto.tfvars.json
    {
      "environment" : {
        "name" : "dev",
        "inputs" : {
          "cidr" : "10.0.0.0/16",
          "nat" : 2
        }
      },
      "proton_tags" : {
        "proton:account" : "123456789012",
        "proton:template" : "T",
        "proton:environment" : "arn:aws:proton:us-east-1:123456789012:environment/dev"
      },
      "//" : "arn:aws:proton:us-east-1:123456789012:environment/dev"
    }
    "#);
}

#[test]
fn a_parameter_that_nobody_passes_is_refused_before_cloudformation_does() {
    let template = "{% for x in [1, 2] %}\n# {{ x }}\n{% endfor %}\nParameters:\n  Size:\n    Type: Number\n  Fine: {Default: 1}\nResources: {A: {}}\n";
    insta::assert_snapshot!(Rendering::of_environment(part(Engine::Jinja, &[("cfn.yaml", template)])).text(), @"infrastructure/cfn.yaml:5:3: the parameter Size has no default, and nothing gives it a value (give it a Default, or use an input by {{ … }} in its place)");
}

#[test]
fn a_cloudformation_templates_lock_file_lies_beside_the_module_that_it_locks() {
    let lock = "provider \"registry.terraform.io/hashicorp/aws\" {\n  version = \"3.39.0\"\n}\n";
    let part = part(Engine::Jinja, &[("cfn.yaml", CLUSTER), (LOCK_FILE, lock)]);
    let required = requirements(&part);
    let files = Rendering::of_environment(part).try_files().unwrap().0;
    assert_eq!((&files[LOCK_FILE], &required[LOCK_FILE]), (&lock.as_bytes().to_vec(), &lock.as_bytes().to_vec()));
    let module = |files: &Files| serde_json::from_slice::<Value>(&files["hadron.cloudformation.tf.json"]).unwrap();
    assert_eq!(module(&required)["terraform"], module(&files)["terraform"]);
}

#[test]
fn a_large_template_is_read_from_where_it_was_uploaded() {
    let template = format!("Resources:\n  A: {{Type: T}}\n# {}\n", "x".repeat(51_200));
    let rendering = Rendering::of_environment(part(Engine::Jinja, &[("cfn.yaml", &template)]));
    assert_eq!(rendering.try_files().unwrap().1.map(|text| text.len()), Some(template.len() - 1));
    let (files, large) = rendering.with_url(Some("https://bucket/key?X=1")).unwrap();
    assert_eq!(large, None);
    let module: Value = serde_json::from_slice(&files["hadron.cloudformation.tf.json"]).unwrap();
    let stack = &module["resource"]["aws_cloudformation_stack"]["stack"];
    assert_eq!(stack["template_url"], "https://bucket/key?X=1");
    assert_eq!(stack.get("template_body"), None);
}

#[test]
fn stack_names_are_legal_and_never_shared() {
    let name = |target: Target, environment: &str| {
        let inputs = json!({"environment": {"name": environment}});
        let part = part(Engine::Jinja, &[("c", "Resources: {A: {}}")]);
        let files = Rendering { target, part, inputs, metadata: metadata() }.try_files().unwrap().0;
        let module: Value = serde_json::from_slice(&files["hadron.cloudformation.tf.json"]).unwrap();
        module["resource"]["aws_cloudformation_stack"]["stack"]["name"].as_str().unwrap().to_owned()
    };
    let instance = |service: &str, name: &str| Target::ServiceInstance { service: service.into(), name: name.into() };
    let names = [
        name(Target::Environment { name: "dev".into() }, "dev"),
        name(Target::Environment { name: "dev-pay-api".into() }, "dev-pay-api"),
        name(Target::Environment { name: "my_env".into() }, "my_env"),
        name(instance("pay", "api"), "dev"),
        name(instance("pay-api", "x"), "dev"),
        name(instance("pay", "api-x"), "dev"),
        name(instance("component", "queue"), "dev"),
        name(Target::Component { name: "queue".into() }, "dev"),
        name(Target::ServicePipeline { service: "pay".into() }, ""),
        name(instance(&"s".repeat(100), &"i".repeat(100)), "dev"),
    ];
    insta::assert_snapshot!(names.join("\n"), @r"
    hadron-dev
    hadron-dev-pay-api-933d92fb
    hadron-my-env-715e111e
    hadron-dev-pay-api
    hadron-dev-pay-api-x-0a8981a3
    hadron-dev-pay-api-x-78a0101f
    hadron-dev-component-queue
    hadron-dev-component-queue-281aba8b
    hadron-pay-pipeline
    hadron-dev-ssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssssss-iiiiiii-fe1da3d6
    ");
    assert!(names.iter().all(|name| name.len() <= 128));
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    for engine in [Engine::Hcl, Engine::Jinja] {
        let rendering = Rendering::of_environment(part(engine, &[("cfn.yaml", CLUSTER)]));
        assert_eq!(rendering.try_files(), rendering.try_files());
    }
}
