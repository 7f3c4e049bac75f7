//! Random worlds as Proton would have left them: the same seed, the same world.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use serde_json::{Map, Value, json};

use hadron::domain::{Files, Scope, Target};
use hadron::estate::{Place, Tree};

use super::writer::{Deployed, TIMES, Time};

/// Repositories, and what was deployed into them.
pub(crate) struct World {
    pub(crate) trees: Vec<Tree>,
    pub(crate) deployed: Vec<(Place, Deployed)>,
    /// A tool changed every line end on the way here.
    pub(crate) crlf: bool,
    /// Some values tell outputs that are no longer true.
    pub(crate) stale: bool,
}

/// A world of about `size` environments.
pub(crate) fn world(seed: u64, size: usize) -> World {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut maker = Maker { stale: rng.random_bool(0.2), rng, deployed: Vec::new(), names: 0 };
    let account = ["123456789012", "210987654321"][maker.rng.random_range(0..2)];
    maker.site(&Scope::new(account, "us-east-1"), size);
    if maker.rng.random_bool(0.2) {
        maker.site(&Scope::new(account, "eu-west-1"), size);
    }
    maker.lay_out()
}

/// One site of at least so many resources.
pub(crate) fn large(seed: u64, count: usize) -> World {
    let mut maker = Maker { stale: false, rng: StdRng::seed_from_u64(seed), deployed: Vec::new(), names: 0 };
    while maker.deployed.len() < count {
        maker.site(&Scope::new("123456789012", "us-east-1"), 20);
    }
    maker.lay_out()
}

struct Maker {
    rng: StdRng,
    deployed: Vec<Deployed>,
    names: u32,
    stale: bool,
}

/// A pipeline's code by version, and the inputs that it knows.
type PipelineCode = (Vec<Files>, Vec<(String, Sort)>);

/// A template with its versions: each one's code.
struct Template {
    name: String,
    inputs: Vec<(String, Sort)>,
    versions: Vec<(u32, u32, Files)>,
    /// A pipeline's code by version, and its inputs.
    pipeline: Option<PipelineCode>,
}

/// The kind of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Text,
    Integer,
    Float,
    Flag,
    Texts,
    Numbers,
    Object,
}

const SORTS: [Sort; 7] = [Sort::Text, Sort::Integer, Sort::Float, Sort::Flag, Sort::Texts, Sort::Numbers, Sort::Object];

struct Environment {
    name: String,
    account: String,
    outputs: Map<String, Value>,
}

struct Instance {
    name: String,
    environment: usize,
    inputs: Map<String, Value>,
    outputs: Map<String, Value>,
    component: Option<String>,
}

impl Maker {
    fn name(&mut self, word: &str) -> String {
        self.names += 1;
        let between = ["", "-", "_"].choose(&mut self.rng).unwrap();
        format!("{word}{between}{}", self.names)
    }

    fn site(&mut self, scope: &Scope, size: usize) {
        let templates: Vec<Template> =
            (0..self.rng.random_range(1..=2)).map(|_| self.template("environment", false)).collect();
        let environments: Vec<Environment> =
            (0..self.rng.random_range(1..=size)).map(|_| self.environment(scope, &templates)).collect();
        for _ in 0..self.rng.random_range(0..=size) {
            self.service(scope, &environments);
        }
        for _ in 0..self.rng.random_range(0..=1) {
            let environment = environments.choose(&mut self.rng).map(|it| it.name.clone());
            self.component(scope, &environments, environment.as_deref().unwrap(), None);
        }
        if self.rng.random_bool(0.3) {
            self.environment(scope, &templates);
            self.deployed.last_mut().unwrap().deleted = true;
        }
    }

    fn template(&mut self, root: &'static str, pipeline: bool) -> Template {
        let name = self.name("tpl");
        let inputs = self.inputs();
        let count = self.rng.random_range(1..=3);
        let numbers = [(1, 0), (1, 1), (2, 0)];
        let versions =
            numbers[..count].iter().map(|(major, minor)| (*major, *minor, self.code(root, &inputs))).collect();
        let pipeline = pipeline.then(|| {
            let inputs = self.inputs();
            ((0..count).map(|_| self.code("pipeline", &inputs)).collect(), inputs)
        });
        Template { name, inputs, versions, pipeline }
    }

    fn inputs(&mut self) -> Vec<(String, Sort)> {
        let count = self.rng.random_range(0..=4);
        (0..count).map(|index| (format!("in_{index}"), *SORTS.choose(&mut self.rng).unwrap())).collect()
    }

    /// Files as authors write them, the odd ones too.
    fn code(&mut self, root: &str, inputs: &[(String, Sort)]) -> Files {
        self.names += 1;
        let mut main = format!("# {} is number {}\nterraform {{\n  backend \"s3\" {{}}\n}}\n", root, self.names);
        for (name, _) in inputs {
            main += &format!("output \"{name}\" {{\n  value = jsonencode(var.{root}.inputs.{name})\n}}\n");
        }
        match self.rng.random_range(0..6) {
            0 => main += "locals {\n  text = <<-EOT\n    <<<<<<< no merge\n    ${\"ü\"}\n  EOT\n}\n",
            1 => main = format!("\n{main}"),
            2 => main.truncate(main.trim_end().len()),
            3 => main = main.replace('\n', "\r\n"),
            _ => {}
        }
        let mut files = Files::from([("main.tf".to_owned(), main.into_bytes())]);
        if self.rng.random_bool(0.3) {
            files.insert("outputs.tf".into(), b"/* of the author */\noutput \"x\" {\n  value = 1\n}\n".to_vec());
        }
        files
    }

    fn values(&mut self, inputs: &[(String, Sort)]) -> Map<String, Value> {
        let mut values = Map::new();
        for (name, sort) in inputs {
            if self.rng.random_bool(0.8) {
                values.insert(name.clone(), self.value(*sort));
            }
        }
        values
    }

    fn value(&mut self, sort: Sort) -> Value {
        let texts = ["", "a", "10.0.0.0/16", "ü \"q\" \\ \n", "yes", "80", "null", "${x}", "# no comment", "a: b"];
        let mut text = || json!(*texts.choose(&mut self.rng).unwrap());
        match sort {
            Sort::Text => text(),
            Sort::Texts => (0..3).map(|_| text()).collect(),
            Sort::Object => json!({ "a": text(), "b": { "c": [1, 2] } }),
            Sort::Integer => json!(*[0i64, -1, 80, i64::MAX].choose(&mut self.rng).unwrap()),
            Sort::Float => json!(*[0.5, -1.25, 80.0, 1e30].choose(&mut self.rng).unwrap()),
            Sort::Flag => json!(self.rng.random_bool(0.5)),
            Sort::Numbers => (0..self.rng.random_range(0..3)).map(|number| json!(number)).collect(),
        }
    }

    fn outputs(&mut self) -> Map<String, Value> {
        let count = self.rng.random_range(0..4);
        (0..count).map(|index| (format!("Out{index}"), json!(format!("v-{}", self.rng.random::<u16>())))).collect()
    }

    fn id(&mut self) -> String {
        uuid::Builder::from_random_bytes(self.rng.random()).into_uuid().to_string()
    }

    fn time(&mut self) -> Time {
        *TIMES.choose(&mut self.rng).unwrap()
    }

    fn environment(&mut self, scope: &Scope, templates: &[Template]) -> Environment {
        let name = self.name("env");
        let template = templates.choose(&mut self.rng).unwrap();
        let (major, minor, code) = template.versions.choose(&mut self.rng).unwrap();
        let inputs = self.values(&template.inputs);
        let deployed = Deployed {
            time: self.time(),
            scope: scope.clone(),
            target: Target::Environment { name: name.clone() },
            version: Some((template.name.clone(), *major, *minor)),
            deployment_id: self.id(),
            deleted: false,
            environment: None,
            attached: None,
            values: json!({ "environment": { "name": name, "inputs": inputs } }),
            code: code.clone(),
        };
        self.deployed.push(deployed);
        Environment { name, account: scope.account.clone(), outputs: self.outputs() }
    }

    /// The environment as others see it; what it gave out before, where the world is stale.
    fn seen(&mut self, environment: &Environment) -> Value {
        let mut outputs = environment.outputs.clone();
        if self.stale && self.rng.random_bool(0.3) {
            outputs.insert("Earlier".into(), json!("x"));
        }
        json!({ "account_id": environment.account, "name": environment.name, "outputs": outputs })
    }

    fn service(&mut self, scope: &Scope, environments: &[Environment]) {
        let has_pipeline = self.rng.random_bool(0.5);
        let template = self.template("service_instance", has_pipeline);
        let name = self.name("svc");
        let facts = if has_pipeline {
            json!({ "name": name, "repository_connection_arn": "arn:aws:codestar-connections:us-east-1:123456789012:connection/c",
                "repository_id": "acme/code", "branch_name": "main" })
        } else {
            json!({ "name": name, "repository_connection_arn": "", "repository_id": "", "branch_name": "" })
        };
        let instances: Vec<Instance> = (0..self.rng.random_range(1..=3))
            .map(|_| Instance {
                name: self.name("inst"),
                environment: self.rng.random_range(0..environments.len()),
                inputs: self.values(&template.inputs),
                outputs: self.outputs(),
                component: None,
            })
            .collect();
        let instances = instances.into_iter().map(|mut instance| {
            if self.rng.random_bool(0.2) {
                let environment = environments[instance.environment].name.clone();
                instance.component = Some(self.component(scope, environments, &environment, Some((&name, &instance))));
            }
            instance
        });
        let instances: Vec<Instance> = instances.collect();
        for instance in &instances {
            self.instance(scope, environments, &template, &name, &facts, instance);
        }
        if self.rng.random_bool(0.2) {
            let gone = Instance {
                name: self.name("gone"),
                component: None,
                inputs: self.values(&template.inputs),
                ..instances_first(&instances)
            };
            self.instance(scope, environments, &template, &name, &facts, &gone);
            self.deployed.last_mut().unwrap().deleted = true;
        }
        if let Some((codes, inputs)) = &template.pipeline {
            self.pipeline(scope, environments, &template, (codes, inputs), &name, &facts, &instances);
        }
    }

    fn instance(
        &mut self,
        scope: &Scope,
        environments: &[Environment],
        template: &Template,
        service: &str,
        facts: &Value,
        instance: &Instance,
    ) {
        let (major, minor, code) = template.versions.choose(&mut self.rng).unwrap();
        let environment = &environments[instance.environment];
        let components = match &instance.component {
            Some(name) if self.rng.random_bool(0.5) => {
                json!({ "default": { "name": name, "outputs": { "Url": "https://queue" } } })
            }
            _ => json!({}),
        };
        let deployed = Deployed {
            time: self.time(),
            scope: scope.clone(),
            target: Target::ServiceInstance { service: service.to_owned(), name: instance.name.clone() },
            version: Some((template.name.clone(), *major, *minor)),
            deployment_id: self.id(),
            deleted: false,
            environment: Some(environment.name.clone()),
            attached: None,
            values: json!({
                "environment": self.seen(environment),
                "service": facts,
                "service_instance": { "name": instance.name, "inputs": instance.inputs, "components": components },
            }),
            code: code.clone(),
        };
        self.deployed.push(deployed);
    }

    #[expect(clippy::too_many_arguments, reason = "a pipeline knows everything")]
    fn pipeline(
        &mut self,
        scope: &Scope,
        environments: &[Environment],
        template: &Template,
        (codes, inputs): (&[Files], &[(String, Sort)]),
        service: &str,
        facts: &Value,
        instances: &[Instance],
    ) {
        let which = self.rng.random_range(0..codes.len());
        let (major, minor, _) = &template.versions[which];
        let listed: Vec<Value> = instances
            .iter()
            .map(|instance| {
                let environment = self.seen(&environments[instance.environment]);
                json!({ "name": instance.name, "inputs": instance.inputs, "outputs": instance.outputs, "environment": environment })
            })
            .collect();
        let deployed = Deployed {
            time: self.time(),
            scope: scope.clone(),
            target: Target::ServicePipeline { service: service.to_owned() },
            version: Some((template.name.clone(), *major, *minor)),
            deployment_id: self.id(),
            deleted: false,
            environment: None,
            attached: None,
            values: json!({ "pipeline": { "inputs": self.values(inputs) }, "service": facts, "service_instances": listed }),
            code: codes[which].clone(),
        };
        self.deployed.push(deployed);
    }

    fn component(
        &mut self,
        scope: &Scope,
        environments: &[Environment],
        environment: &str,
        attached: Option<(&str, &Instance)>,
    ) -> String {
        let name = self.name("comp");
        let environment = environments.iter().find(|it| it.name == environment).unwrap();
        let mut values = json!({ "component": { "name": name }, "environment": self.seen(environment) });
        if let Some((service, instance)) = attached {
            values["service"] = json!({ "name": service });
            values["service_instance"] = json!({ "name": instance.name, "inputs": instance.inputs });
        }
        let body = format!("resource \"terraform_data\" \"{name}\" {{\n  input = var.environment.outputs\n}}\n");
        let deployed = Deployed {
            time: self.time(),
            scope: scope.clone(),
            target: Target::Component { name: name.clone() },
            version: None,
            deployment_id: self.id(),
            deleted: attached.is_none() && self.rng.random_bool(0.2),
            environment: Some(environment.name.clone()),
            attached: attached.map(|(service, instance)| (service.to_owned(), instance.name.clone())),
            values,
            code: Files::from([("component.tf".to_owned(), body.into_bytes())]),
        };
        self.deployed.push(deployed);
        name
    }

    /// Puts everything into one repository, or pipelines into a second one, at the root or below `environments/`.
    fn lay_out(mut self) -> World {
        let prefix = if self.rng.random_bool(0.5) { "" } else { "environments/" };
        let apart = self.rng.random_bool(0.5);
        let crlf = self.rng.random_bool(0.1);
        let mark = self.rng.random_bool(0.1);
        let mut trees: BTreeMap<&str, Tree> = BTreeMap::new();
        let mut places = Vec::new();
        for deployed in std::mem::take(&mut self.deployed) {
            let pipeline = matches!(deployed.target, Target::ServicePipeline { .. });
            let repository = if pipeline && apart { "acme/pipelines" } else { "acme/infrastructure" };
            let tree = trees.entry(repository).or_insert_with(|| surroundings(repository, prefix));
            let path = format!("{prefix}{}", deployed.folder());
            for (name, bytes) in deployed.files() {
                tree.files.insert(format!("{path}/{name}"), changed(&name, bytes, crlf, mark));
            }
            if self.rng.random_bool(0.1) {
                tree.files.insert(format!("{path}/README.md"), b"Ours.\n".to_vec());
                tree.files.insert(format!("{path}/terraform.tfvars"), b"x = 1\n".to_vec());
                tree.files.insert(format!("{path}/.terraform.lock.hcl"), b"# lock\n".to_vec());
            }
            places.push((Place { repository: repository.to_owned(), path }, deployed));
        }
        World { trees: trees.into_values().collect(), deployed: places, crlf, stale: self.stale }
    }
}

fn instances_first(instances: &[Instance]) -> Instance {
    let first = &instances[0];
    Instance {
        name: String::new(),
        environment: first.environment,
        inputs: Map::new(),
        outputs: Map::new(),
        component: None,
    }
}

fn surroundings(repository: &str, prefix: &str) -> Tree {
    let config = json!({ "*": { "role": "arn:aws:iam::123456789012:role/deploy", "region": "us-east-1", "state_bucket": "acme-state" } });
    let files = [
        ("README.md".to_owned(), b"Written by Proton.\n".to_vec()),
        ("env_config.json".to_owned(), config.to_string().into_bytes()),
        (".github/workflows/proton_run.yml".to_owned(), b"name: proton\n".to_vec()),
        (format!("{prefix}.gitkeep"), Vec::new()),
    ];
    Tree { name: repository.to_owned(), files: files.into(), skipped: Vec::new() }
}

/// What tools do to text.
fn changed(name: &str, bytes: Vec<u8>, crlf: bool, mark: bool) -> Vec<u8> {
    let bytes = if crlf {
        String::from_utf8(bytes).unwrap().replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()
    } else {
        bytes
    };
    if mark && name.contains(".json") { [b"\xef\xbb\xbf".to_vec(), bytes].concat() } else { bytes }
}
