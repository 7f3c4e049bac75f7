//! Proton's pen: what it wrote into a repository for one resource, in the form of a given time.
//!
//! Written from what its repositories look like, and from nothing of ours: what reads it back must not be what wrote it.

use serde_json::{Map, Value, json};

use hadron::domain::{Files, Scope, Target};

/// Proton's format at a time; each later one has what the earlier had, unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Time {
    /// December 2021: other words in the banner, no `isResourceDeleted`, the preview of components, `manifest.yaml` and a
    /// file of inputs beside.
    Preview,
    /// March 2022: `isResourceDeleted`; deleted resources keep an id.
    Flag,
    /// April 2022: a word in place of a deleted resource's id.
    Word,
    /// May 2022: components below `components/`, `components = map(any)`.
    Components,
    /// September 2022: `proton_tags`.
    Tags,
    /// January 2023: `inputs = any`.
    Any,
    /// 2023, in some accounts: no `proton_tags`.
    Untagged,
}

pub(crate) const TIMES: [Time; 7] =
    [Time::Preview, Time::Flag, Time::Word, Time::Components, Time::Tags, Time::Any, Time::Untagged];

impl Time {
    pub(crate) fn has_tags(self) -> bool {
        matches!(self, Self::Tags | Self::Any)
    }

    fn inputs(self) -> &'static str {
        if self >= Self::Any { "any" } else { "map(string)" }
    }
}

/// What was deployed.
#[derive(Debug, Clone)]
pub(crate) struct Deployed {
    pub(crate) time: Time,
    pub(crate) scope: Scope,
    pub(crate) target: Target,
    /// Template's name, major, minor.
    pub(crate) version: Option<(String, u32, u32)>,
    pub(crate) deployment_id: String,
    pub(crate) deleted: bool,
    /// Of instances and components.
    pub(crate) environment: Option<String>,
    /// Service and instance that a component is attached to.
    pub(crate) attached: Option<(String, String)>,
    /// The values without `proton_tags` and `//`.
    pub(crate) values: Value,
    /// The author's files.
    pub(crate) code: Files,
}

impl Deployed {
    pub(crate) fn arn(&self) -> String {
        self.target.arn(&self.scope)
    }

    fn template_arn(&self) -> Option<String> {
        let kind = if matches!(self.target, Target::Environment { .. }) { "environment" } else { "service" };
        self.version.as_ref().map(|(name, ..)| self.scope.arn(format_args!("{kind}-template/{name}")))
    }

    /// Where Proton put it below the root of its repository.
    pub(crate) fn folder(&self) -> String {
        let environment = self.environment.as_deref().unwrap_or_default();
        match &self.target {
            Target::Environment { name } => name.clone(),
            Target::ServiceInstance { service, name } => format!("{environment}/{service}-{name}"),
            Target::ServicePipeline { service } => format!("{service}/pipeline"),
            Target::Component { name } if self.time < Time::Components => format!("{environment}/{name}"),
            Target::Component { name } => format!("{environment}/components/{name}"),
        }
    }

    /// The files, by their paths within the folder.
    pub(crate) fn files(&self) -> Files {
        let banner = self.banner();
        let mut files = Files::new();
        for (path, body) in &self.code {
            files.insert(path.clone(), [banner.as_bytes(), body].concat());
        }
        files.insert(self.variables_name().into(), format!("{banner}{}", self.variables()).into_bytes());
        files.insert("proton.auto.tfvars.json".into(), jackson(&self.tfvars()).into_bytes());
        files.insert(".proton/deployment-metadata.json".into(), jackson(&self.metadata()).into_bytes());
        if self.time == Time::Preview {
            let manifest = "infrastructure:\n  templates:\n    - rendering_engine: hcl\n      template_language: terraform\n      file: \"*\"\n";
            files.insert("manifest.yaml".into(), manifest.into());
            files.insert("proton-inputs".into(), jackson(&self.values).into_bytes());
        }
        files
    }

    fn banner(&self) -> String {
        if self.deleted {
            return "/*\nThis file is no longer managed by AWS Proton. The associated resource has been deleted in \
                    Proton.\n*/\n\n"
                .into();
        }
        let is = if self.time == Time::Preview { "is " } else { "" };
        format!(
            "/*\nThis file is managed by AWS Proton. Any changes made directly to this file will be overwritten the next \
             time AWS Proton performs an update.\n\nTo manage this resource, see AWS Proton Resource: {}\n\nIf the \
             resource is no longer {is}accessible within AWS Proton, it may have been deleted and may require manual \
             cleanup.\n*/\n\n",
            self.arn()
        )
    }

    fn tfvars(&self) -> Value {
        let mut values = self.values.as_object().cloned().unwrap_or_default();
        if self.time.has_tags() && !matches!(self.target, Target::Component { .. }) {
            values.insert("proton_tags".into(), Value::Object(self.tags()));
        }
        values.insert("//".into(), json!(self.arn()));
        Value::Object(values)
    }

    fn tags(&self) -> Map<String, Value> {
        let mut tags = Map::new();
        let mut tag = |key: &str, value: String| drop(tags.insert(format!("proton:{key}"), json!(value)));
        tag("account", self.scope.account.clone());
        tag("template", self.template_arn().unwrap_or_default());
        let environment = self.environment.as_ref().map(|name| self.scope.arn(format_args!("environment/{name}")));
        match &self.target {
            Target::Environment { .. } => tag("environment", self.arn()),
            Target::ServiceInstance { service, .. } => {
                tag("service", self.scope.arn(format_args!("service/{service}")));
                tag("environment", environment.unwrap_or_default());
                tag("service-instance", self.arn());
            }
            Target::ServicePipeline { service } => tag("service", self.scope.arn(format_args!("service/{service}"))),
            Target::Component { .. } => {}
        }
        tags
    }

    fn metadata(&self) -> Value {
        let mut document = Map::new();
        let word = self.deleted && self.time >= Time::Word;
        let id = if word { "<proton-resource-deleted>" } else { &self.deployment_id };
        document.insert("deploymentId".into(), json!(id));
        if self.time >= Time::Flag {
            document.insert("isResourceDeleted".into(), json!(self.deleted));
        }
        let mut facts = Map::from_iter([("arn".to_owned(), json!(self.arn()))]);
        let environment = self.environment.as_ref().map(|name| self.scope.arn(format_args!("environment/{name}")));
        if let Target::Component { .. } = self.target {
            facts.insert("environmentArn".into(), json!(environment));
            if let Some((service, instance)) = &self.attached {
                let service = self.scope.arn(format_args!("service/{service}"));
                facts.insert("serviceArn".into(), json!(service));
                facts.insert("serviceInstanceArn".into(), json!(format!("{service}/service-instance/{instance}")));
            }
            let kind = if self.time < Time::Components { "CUSTOM_ISOLATED" } else { "default" };
            facts.insert("componentType".into(), json!(kind));
            document.insert("componentMetadata".into(), Value::Object(facts));
        } else {
            let (_, major, minor) = self.version.clone().unwrap();
            facts.insert("templateArn".into(), json!(self.template_arn()));
            facts.insert("templateMajorVersion".into(), json!(major.to_string()));
            facts.insert("templateMinorVersion".into(), json!(minor.to_string()));
            if let (Target::ServiceInstance { .. }, Some(environment)) = (&self.target, environment) {
                facts.insert("environmentArn".into(), json!(environment));
            }
            document.insert("resourceMetadata".into(), Value::Object(facts));
        }
        Value::Object(document)
    }

    pub(crate) fn variables_name(&self) -> &'static str {
        match self.target {
            Target::Environment { .. } => "proton.environment.variables.tf",
            Target::ServiceInstance { .. } => "proton.service_instance.variables.tf",
            Target::ServicePipeline { .. } => "proton.pipeline.variables.tf",
            Target::Component { .. } => "proton.component.variables.tf",
        }
    }

    fn variables(&self) -> String {
        let inputs = self.time.inputs();
        let blocks = match self.target {
            Target::Environment { .. } => ENVIRONMENT.replace("INPUTS", inputs),
            Target::ServiceInstance { .. } => {
                let components = if self.time < Time::Components { "map(string)" } else { "map(any)" };
                INSTANCE.replace("INPUTS", inputs).replace("COMPONENTS", components)
            }
            Target::ServicePipeline { .. } => PIPELINE.replace("INPUTS", inputs),
            Target::Component { .. } => COMPONENT.to_owned(),
        };
        if self.time.has_tags() { blocks + TAGS } else { blocks }
    }
}

/// As Jackson's pretty printer lays JSON out, but with a list's items on lines of their own where `lines` wouldn't fit: the
/// reader must not care.
pub(crate) fn jackson(value: &Value) -> String {
    fn write(out: &mut String, value: &Value, depth: usize) {
        let indent = "  ".repeat(depth + 1);
        match value {
            Value::Object(members) if members.is_empty() => out.push_str("{ }"),
            Value::Array(items) if items.is_empty() => out.push_str("[ ]"),
            Value::Object(members) => {
                out.push('{');
                for (index, (key, member)) in members.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    *out += &format!("{comma}\n{indent}{} : ", json!(key));
                    write(out, member, depth + 1);
                }
                *out += &format!("\n{}}}", "  ".repeat(depth));
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index == 0 { "[ " } else { ", " });
                    write(out, item, depth);
                }
                out.push_str(" ]");
            }
            scalar => *out += &scalar.to_string(),
        }
    }
    let mut out = String::new();
    write(&mut out, value, 0);
    out
}

const TAGS: &str = r#"
variable "proton_tags" {
  type    = map(string)
  default = null
}
"#;

const ENVIRONMENT: &str = r#"variable "environment" {
  type = object({
    inputs = INPUTS
    name   = string
  })
  default = null
}
"#;

const INSTANCE: &str = r#"variable "environment" {
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
    inputs     = INPUTS
    components = COMPONENTS
  })
  default = null
}
"#;

const PIPELINE: &str = r#"variable "service_instances" {
  type = list(
    object({
      name    = string
      inputs  = INPUTS
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
    inputs = INPUTS
  })
  default = null
}
"#;

const COMPONENT: &str = r#"variable "component" {
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
"#;
