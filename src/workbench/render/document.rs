//! The values of one target: from the spec, from what was given, and stand-ins for the rest.

use serde_json::{Map, Value};

use super::{Given, Spec, merge, stand_in};
use crate::domain::{
    Attachment, Engine, EnvironmentFacts, InputType, Part, PipelineInstance, Problems, Role, Schema, Scope,
    ServiceFacts, Target, component_inputs, environment_inputs, instance_inputs, pipeline_inputs,
};
use crate::renderer::{self, Mention, Step};
use crate::workbench::module::Module;

/// What a document is made from.
pub(super) struct Builder<'a> {
    pub(super) schema: Option<&'a Schema>,
    pub(super) spec: &'a Spec,
    pub(super) given: &'a Given,
    pub(super) role: Role,
    pub(super) part: &'a Part,
}

impl Builder<'_> {
    /// The document of a target, and the paths of what stands in for something.
    pub(super) fn build(&self, instance: Option<&str>) -> Result<(Value, Vec<String>), Problems> {
        let mut stand_ins = Vec::new();
        let made = match self.role {
            Role::Environment => self.environment(&mut stand_ins)?,
            Role::Instance => self.instance(instance, &mut stand_ins)?,
            Role::Pipeline => self.pipeline(&mut stand_ins)?,
            Role::Component => self.component(&mut stand_ins),
        };
        let mut document = match &self.given.values {
            Some(values) => merge::over(&made, values),
            None => made,
        };
        let outputs_given = self.value(&["environment", "outputs"]).is_some();
        let mentions = mentions(self.part);
        let of_environment = |mention: &Mention| mention.path.first() == Some(&Step::Name("environment".to_owned()));
        let wanted = mentions.iter().filter(|mention| !(outputs_given && of_environment(mention)));
        let instances_given = self.value(&["service_instances"]).is_some();
        stand_ins.extend(stand_in::outputs(&mut document, wanted.filter(|_| !instances_given)));
        Ok((document, stand_ins))
    }

    fn environment(&self, stand_ins: &mut Vec<String>) -> Result<Value, Problems> {
        let name = self.name("environment", None, stand_ins);
        let inputs = self.inputs("environment", InputType::Environment, stand_ins, || match self.spec {
            Spec::Environment(spec) => Some(Ok(spec.inputs.clone())),
            _ => None,
        })?;
        let scope = self.scope();
        Ok(environment_inputs(&scope, &name, &self.template(&scope), inputs))
    }

    fn instance(&self, instance: Option<&str>, stand_ins: &mut Vec<String>) -> Result<Value, Problems> {
        let written = match (self.spec, instance) {
            (Spec::Service(spec), Some(name)) => spec.instance(name),
            _ => None,
        };
        let environment = self.surroundings(written.map(|written| written.environment.clone()), stand_ins);
        let service = ServiceFacts { name: self.name("service", None, stand_ins), ..ServiceFacts::default() };
        let name = self.name("service_instance", instance, stand_ins);
        let inputs = self.inputs("service_instance", InputType::Service, stand_ins, || {
            let (Spec::Service(spec), Some(schema)) = (self.spec, self.schema) else { return None };
            Some(spec.instance_inputs(instance?, schema, None))
        })?;
        let scope = self.scope();
        Ok(instance_inputs(&scope, &environment, &service, &name, inputs, None, &self.template(&scope)))
    }

    fn pipeline(&self, stand_ins: &mut Vec<String>) -> Result<Value, Problems> {
        let service = ServiceFacts { name: self.name("service", None, stand_ins), ..ServiceFacts::default() };
        let mut problems = Problems::default();
        let inputs = self.inputs("pipeline", InputType::Pipeline, stand_ins, || {
            let (Spec::Service(spec), Some(schema)) = (self.spec, self.schema) else { return None };
            Some(spec.pipeline_inputs(schema, None))
        });
        let inputs = problems.note(inputs).unwrap_or_default();
        let instances = if self.value(&["service_instances"]).is_some() {
            Vec::new()
        } else {
            self.instances(stand_ins, &mut problems)
        };
        let scope = self.scope();
        problems.unless_any(|| pipeline_inputs(&scope, &service, inputs, instances, &self.template(&scope)))
    }

    fn instances(&self, stand_ins: &mut Vec<String>, problems: &mut Problems) -> Vec<PipelineInstance> {
        let (Spec::Service(spec), Some(schema)) = (self.spec, self.schema) else {
            stand_ins.push("service_instances".to_owned());
            let inputs = self.schema.map_or_else(Map::new, |schema| schema.sample(InputType::Service));
            let environment = facts(stand_in::NAME.to_owned(), stand_in::ACCOUNT.to_owned());
            let name = stand_in::NAME.to_owned();
            return vec![PipelineInstance { name, inputs, outputs: Vec::new(), environment }];
        };
        if !spec.instances.is_empty() {
            stand_ins.push("service_instances[].environment.account_id".to_owned());
        }
        let read = spec.instances.iter().map(|instance| PipelineInstance {
            name: instance.name.clone(),
            inputs: problems.note(spec.instance_inputs(&instance.name, schema, None)).unwrap_or_default(),
            outputs: Vec::new(),
            environment: facts(instance.environment.clone(), stand_in::ACCOUNT.to_owned()),
        });
        read.collect()
    }

    fn component(&self, stand_ins: &mut Vec<String>) -> Value {
        let name = self.name("component", None, stand_ins);
        let environment = self.surroundings(None, stand_ins);
        let member = |of: &str, name: &str| self.value(&[of, name]);
        let attached = self.value(&["service_instance"]).is_some() || self.value(&["service"]).is_some();
        let attached = attached.then(|| Attachment {
            service: text(member("service", "name")).unwrap_or_else(|| stand_in::NAME.to_owned()),
            instance: text(member("service_instance", "name")).unwrap_or_else(|| stand_in::NAME.to_owned()),
            inputs: Map::new(),
        });
        component_inputs(&self.scope(), &name, &environment, attached)
    }

    fn surroundings(&self, written: Option<String>, stand_ins: &mut Vec<String>) -> EnvironmentFacts {
        let name = match (text(self.value(&["environment", "name"])), written) {
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => told("environment.name", stand_in::NAME, stand_ins),
        };
        let account = text(self.value(&["environment", "account_id"]))
            .unwrap_or_else(|| told("environment.account_id", stand_in::ACCOUNT, stand_ins));
        let mut facts = facts(name, account);
        if let Some(outputs) =
            self.given.environment_outputs.as_ref().filter(|_| self.value(&["environment", "outputs"]).is_none())
        {
            stand_ins.extend(outputs.iter().map(|name| format!("environment.outputs.{name}")));
            facts.outputs = outputs.iter().map(|name| (name.clone(), format!("example-{name}"))).collect();
        }
        facts
    }

    /// A resource's own name: from the values, from the spec, from the command line, or a stand-in.
    fn name(&self, of: &str, written: Option<&str>, stand_ins: &mut Vec<String>) -> String {
        let said = text(self.value(&[of, "name"])).or(written.map(str::to_owned));
        let own = if of == "service_instance" { None } else { self.given.name.clone() };
        said.or(own)
            .or_else(|| self.by_arn(of))
            .unwrap_or_else(|| told(&format!("{of}.name"), stand_in::NAME, stand_ins))
    }

    /// The name in the ARN that the values carry.
    fn by_arn(&self, of: &str) -> Option<String> {
        let (_, target) = Target::parse(self.value(&["//"])?.as_str()?).ok()?;
        match (of, target) {
            ("environment", Target::Environment { name })
            | ("component", Target::Component { name })
            | ("service_instance", Target::ServiceInstance { name, .. })
            | ("service", Target::ServiceInstance { service: name, .. } | Target::ServicePipeline { service: name }) => {
                Some(name)
            }
            _ => None,
        }
    }

    /// Inputs: as given, else from the spec, else what the schema accepts.
    fn inputs(
        &self,
        of: &str,
        which: InputType,
        stand_ins: &mut Vec<String>,
        from_spec: impl FnOnce() -> Option<Result<Map<String, Value>, Problems>>,
    ) -> Result<Map<String, Value>, Problems> {
        if self.value(&[of, "inputs"]).is_some() {
            return Ok(Map::new());
        }
        if let Some(inputs) = from_spec() {
            return inputs;
        }
        let sample = self.schema.map_or_else(Map::new, |schema| schema.sample(which));
        stand_ins.extend(sample.keys().map(|name| format!("{of}.inputs.{name}")));
        Ok(sample)
    }

    fn scope(&self) -> Scope {
        self.given.values.as_ref().map_or_else(|| Scope::new(stand_in::ACCOUNT, stand_in::REGION), stand_in::scope)
    }

    fn template(&self, scope: &Scope) -> String {
        let said = text(self.value(&["proton_tags", "proton:template"]));
        said.unwrap_or_else(|| stand_in::template_arn(scope, self.role))
    }

    fn value(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(self.given.values.as_ref()?, |value, name| value.get(name))
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

fn told(path: &str, value: &str, stand_ins: &mut Vec<String>) -> String {
    stand_ins.push(path.to_owned());
    value.to_owned()
}

fn facts(name: String, account_id: String) -> EnvironmentFacts {
    EnvironmentFacts { name, account_id, outputs: Vec::new() }
}

/// What the part's own templates read.
fn mentions(part: &Part) -> Vec<Mention> {
    if let (Engine::Jinja, [path]) = (part.engine, &part.templates[..]) {
        let source = part.files.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        return renderer::mentions(path, &source.unwrap_or_default()).unwrap_or_default();
    }
    let found = Module::read(&part.files, "").found.into_iter();
    let rest = found.filter_map(|found| match &found.mention.path[..] {
        [Step::Name(root), rest @ ..] if root == "var" => {
            Some(Mention { path: rest.to_vec(), ..found.mention.clone() })
        }
        _ => None,
    });
    rest.collect()
}
