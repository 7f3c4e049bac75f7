//! `proton.….variables.tf`: the variables that Proton declares for a template, in Proton's words.
//!
//! They are text, since that is what they were: the same for everybody, for years. Two of Proton's types lose what they
//! are given, and only there, and only when they would, another type is declared:
//!
//! - **A pipeline's instances.** In `list(object({ inputs = any }))` Terraform looks for one type for the inputs of all:
//!   instances with different inputs end as maps of strings (`80` as `"80"`), and with a list among them they fail. A
//!   tuple has a type for each item, and `for`, `count`, `[0]`, splat and `length` work on it all the same.
//! - **A component's inputs.** `map(string)` fails on a list or an object.

use serde_json::Value;

use crate::domain::Target;

/// The file's text without banner, as `terraform fmt` would leave it.
pub(super) fn declarations(target: &Target, inputs: &Value) -> String {
    let blocks = match target {
        Target::Environment { .. } => vec![ENVIRONMENT.to_owned()],
        Target::ServiceInstance { .. } => {
            vec![nullable(SURROUNDINGS_VARIABLE, true), nullable(SERVICE, false), SERVICE_INSTANCE.to_owned()]
        }
        Target::ServicePipeline { .. } => {
            vec![service_instances(inputs), nullable(SERVICE, true), PIPELINE.to_owned()]
        }
        Target::Component { .. } => vec![
            COMPONENT.to_owned(),
            nullable(SURROUNDINGS_VARIABLE, false),
            COMPONENTS_SERVICE.to_owned(),
            components_instance(inputs),
        ],
    };
    blocks.iter().map(String::as_str).chain([TAGS]).collect::<Vec<_>>().join("\n")
}

/// A variable that Proton gave a default in one kind of file and none in another.
fn nullable(block: &str, default: bool) -> String {
    if default { block.replace("\n}\n", "\n  default = null\n}\n") } else { block.to_owned() }
}

const ENVIRONMENT: &str = r#"variable "environment" {
  type = object({
    inputs = any
    name   = string
  })
  default = null
}
"#;

/// The environment as services and components see it.
const SURROUNDINGS_VARIABLE: &str = r#"variable "environment" {
  type = object({
    account_id = string
    name       = string
    outputs    = map(string)
  })
}
"#;

const SERVICE: &str = r#"variable "service" {
  type = object({
    name                      = string
    branch_name               = string
    repository_connection_arn = string
    repository_id             = string
  })
}
"#;

const SERVICE_INSTANCE: &str = r#"variable "service_instance" {
  type = object({
    name       = string
    inputs     = any
    components = map(any)
  })
  default = null
}
"#;

const PIPELINE: &str = r#"variable "pipeline" {
  type = object({
    inputs = any
  })
  default = null
}
"#;

const COMPONENT: &str = r#"variable "component" {
  type = object({
    name = string
  })
}
"#;

const COMPONENTS_SERVICE: &str = r#"variable "service" {
  type = object({
    name = string
  })
  default = null
}
"#;

const TAGS: &str = r#"variable "proton_tags" {
  type    = map(string)
  default = null
}
"#;

/// One instance as its pipeline sees it, indented for a list or tuple.
const INSTANCE_OF_PIPELINE: &str = "    object({
      name    = string
      inputs  = any
      outputs = map(string)
      environment = object({
        account_id = string
        name       = string
        outputs    = map(string)
      })
    })";

fn service_instances(inputs: &Value) -> String {
    let instances = inputs["service_instances"].as_array().map_or(&[][..], Vec::as_slice);
    let alike = instances.windows(2).all(|pair| same_type(&pair[0]["inputs"], &pair[1]["inputs"]));
    let (open, items, close) = if alike {
        ("list(", INSTANCE_OF_PIPELINE.to_owned(), ")")
    } else {
        ("tuple([", vec![INSTANCE_OF_PIPELINE; instances.len()].join(",\n"), "])")
    };
    format!("variable \"service_instances\" {{\n  type = {open}\n{items}\n  {close}\n}}\n")
}

/// Whether Terraform gives both values the very same type, so that there is nothing to unify.
fn same_type(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(name, member)| b.get(name).is_some_and(|other| same_type(member, other)))
        }
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same_type(a, b)),
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

fn components_instance(inputs: &Value) -> String {
    let given = inputs["service_instance"]["inputs"].as_object();
    let scalars = given.is_none_or(|given| given.values().all(|value| !value.is_array() && !value.is_object()));
    let kind = if scalars { "map(string)" } else { "any" };
    format!(
        "variable \"service_instance\" {{\n  type = object({{\n    name   = string\n    inputs = {kind}\n  }})\n  \
         default = null\n}}\n"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::declarations;
    use crate::domain::Target;

    fn pipeline(inputs: &[Value]) -> String {
        let instances: Vec<Value> = inputs.iter().map(|inputs| json!({ "name": "i", "inputs": inputs })).collect();
        declarations(&Target::ServicePipeline { service: "s".into() }, &json!({ "service_instances": instances }))
    }

    #[test]
    fn instances_with_inputs_of_one_type_are_declared_in_protons_words() {
        let text = pipeline(&[json!({"port": 80, "on": true}), json!({"on": false, "port": 8080})]);
        insta::assert_snapshot!(text, @r#"
        variable "service_instances" {
          type = list(
            object({
              name    = string
              inputs  = any
              outputs = map(string)
              environment = object({
                account_id = string
                name       = string
                outputs    = map(string)
              })
            })
          )
        }

        variable "service" {
          type = object({
            name                      = string
            branch_name               = string
            repository_connection_arn = string
            repository_id             = string
          })
          default = null
        }

        variable "pipeline" {
          type = object({
            inputs = any
          })
          default = null
        }

        variable "proton_tags" {
          type    = map(string)
          default = null
        }
        "#);
    }

    #[test]
    fn instances_with_different_inputs_each_have_a_type() {
        for (a, b) in [
            (json!({"port": 80}), json!({})),
            (json!({"port": 80}), json!({"port": "80"})),
            (json!({"l": ["a"]}), json!({"l": ["a", "b"]})),
            (json!({"o": {"x": 1}}), json!({"o": {"y": 1}})),
        ] {
            let text = pipeline(&[a, b]);
            assert!(text.contains("type = tuple([\n    object({"), "{text}");
            assert_eq!(text.matches("inputs  = any").count(), 2);
        }
        let text = pipeline(&[json!({"l": []}), json!({"l": [1]}), json!({})]);
        insta::assert_snapshot!(text.split("\nvariable").next().unwrap_or_default(), @r#"
        variable "service_instances" {
          type = tuple([
            object({
              name    = string
              inputs  = any
              outputs = map(string)
              environment = object({
                account_id = string
                name       = string
                outputs    = map(string)
              })
            }),
            object({
              name    = string
              inputs  = any
              outputs = map(string)
              environment = object({
                account_id = string
                name       = string
                outputs    = map(string)
              })
            }),
            object({
              name    = string
              inputs  = any
              outputs = map(string)
              environment = object({
                account_id = string
                name       = string
                outputs    = map(string)
              })
            })
          ])
        }
        "#);
    }

    #[test]
    fn no_instance_and_one_instance_are_lists() {
        assert!(pipeline(&[]).contains("type = list("));
        assert!(pipeline(&[json!({"l": [1, "a"]})]).contains("type = list("));
    }

    #[test]
    fn the_other_kinds_read_as_proton_wrote_them() {
        let environment = Target::Environment { name: "e".into() };
        insta::assert_snapshot!(declarations(&environment, &Value::Null), @r#"
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
        "#);
        let instance = Target::ServiceInstance { service: "s".into(), name: "i".into() };
        insta::assert_snapshot!(declarations(&instance, &Value::Null), @r#"
        variable "environment" {
          type = object({
            account_id = string
            name       = string
            outputs    = map(string)
          })
          default = null
        }

        variable "service" {
          type = object({
            name                      = string
            branch_name               = string
            repository_connection_arn = string
            repository_id             = string
          })
        }

        variable "service_instance" {
          type = object({
            name       = string
            inputs     = any
            components = map(any)
          })
          default = null
        }

        variable "proton_tags" {
          type    = map(string)
          default = null
        }
        "#);
        let component = Target::Component { name: "c".into() };
        insta::assert_snapshot!(declarations(&component, &Value::Null), @r#"
        variable "component" {
          type = object({
            name = string
          })
        }

        variable "environment" {
          type = object({
            account_id = string
            name       = string
            outputs    = map(string)
          })
        }

        variable "service" {
          type = object({
            name = string
          })
          default = null
        }

        variable "service_instance" {
          type = object({
            name   = string
            inputs = map(string)
          })
          default = null
        }

        variable "proton_tags" {
          type    = map(string)
          default = null
        }
        "#);
    }

    #[test]
    fn a_component_gets_a_list_as_a_list() {
        let component = Target::Component { name: "c".into() };
        let text = |inputs: Value| declarations(&component, &json!({ "service_instance": { "inputs": inputs } }));
        assert!(text(json!({"port": 80})).contains("inputs = map(string)"));
        assert!(text(json!({"subnets": ["a"]})).contains("inputs = any"));
    }
}
