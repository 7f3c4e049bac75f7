//! A `CloudFormation` template as a Terraform module of one stack.
//!
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs/resources/cloudformation_stack>

mod outline;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use self::outline::{Outline, Output, Parameter};
use super::{Request, banner, jinja};
use crate::domain::{Files, LOCK_FILE, Part, Problem, Problems, Target};

/// The Terraform module.
const MODULE: &str = "hadron.cloudformation.tf.json";

/// The rendered template beside it.
const TEMPLATE: &str = "cloudformation.yaml";

/// A longer template is taken by URL only.
///
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cloudformation-limits.html>
const LONGEST_BODY: usize = 51_200;

const LONGEST_NAME: usize = 128;

const LONGEST_WAIT: &str = "3h";

/// The parameter that the templates of Proton's early articles declare for their environment's name. Proton never passed
/// it, so that such a template could not be deployed as it was printed; here it is.
const ENVIRONMENT_NAME: &str = "ProtonEnvironmentName";

/// The module's files, and the template if it must be uploaded first.
pub(super) fn files(request: &Request<'_>) -> Result<(Files, Option<String>), Problems> {
    let (file, source) = template(request)?;
    let text = jinja::render(&file, &source, request.inputs)?;
    let outline = outline::read(&file, &text)?;
    let parameters = parameters(request, (&file, &source), &outline)?;
    let large = text.len() > LONGEST_BODY;
    let template = match request.stack_template_url.filter(|_| large) {
        Some(url) => ("template_url", escaped(url)),
        None => ("template_body", format!("${{file(\"${{path.module}}/{TEMPLATE}\")}}")),
    };
    let module = module(request, &outline, template, parameters);
    let mut files = Files::new();
    files.insert(MODULE.to_owned(), format!("{module:#}\n").into_bytes());
    files.insert(TEMPLATE.to_owned(), text.clone().into_bytes());
    // The module is ours, but with which provider it is applied is the bundle's to say.
    files.extend(request.part.files.get_key_value(LOCK_FILE).map(|(path, lock)| (path.clone(), lock.clone())));
    Ok((files, (large && request.stack_template_url.is_none()).then_some(text)))
}

/// The names of the outputs that a rendered template declares.
pub(super) fn outputs(file: &str, text: &str) -> Result<Vec<String>, Problem> {
    Ok(outline::read(file, text)?.outputs.into_iter().map(|output| output.name).collect())
}

/// What of the module names its provider.
pub(super) fn requirements(part: &Part) -> Files {
    let lock = part.files.get_key_value(LOCK_FILE).map(|(path, lock)| (path.clone(), lock.clone()));
    let module = json!({ "terraform": providers() });
    [(MODULE.to_owned(), format!("{module:#}\n").into_bytes())].into_iter().chain(lock).collect()
}

fn providers() -> Value {
    json!({ "required_providers": { "aws": { "source": "hashicorp/aws" } } })
}

/// The one template that the manifest names.
fn template(request: &Request<'_>) -> Result<(String, String), Problem> {
    let part = request.part;
    let [path] = part.templates.as_slice() else {
        let message = format!("names {} templates for CloudFormation", part.templates.len());
        return Err(Problem::of(format!("{}/manifest.yaml", part.folder), message, "name exactly one"));
    };
    let file = format!("{}/{path}", part.folder);
    let Some(bytes) = part.files.get(path) else {
        return Err(Problem::of(file, "isn't in the bundle", "correct the name in the manifest"));
    };
    match std::str::from_utf8(bytes) {
        Ok(source) => Ok((file, source.to_owned())),
        Err(_) => Err(Problem::of(file, "isn't UTF-8", "save it as UTF-8")),
    }
}

/// Values for the parameters that the template can't do without.
fn parameters(
    request: &Request<'_>,
    (file, source): (&str, &str),
    outline: &Outline,
) -> Result<Map<String, Value>, Problems> {
    let mut passed = Map::new();
    let mut problems = Problems::default();
    let environment = request.inputs["environment"]["name"].as_str();
    for Parameter { name, .. } in outline.parameters.iter().filter(|parameter| !parameter.has_default) {
        if let Some(environment) = environment.filter(|_| name == ENVIRONMENT_NAME) {
            passed.insert(name.clone(), json!(environment));
            continue;
        }
        let message = format!("the parameter {name} has no default, and nothing gives it a value");
        let remedy = "give it a Default, or use an input by {{ … }} in its place";
        problems.push(declared_at(source, name, Problem::of(file, message, remedy)));
    }
    problems.unless_any(|| passed)
}

/// The problem at the line of the source that declares `name`; lines of what was rendered are nobody's.
fn declared_at(source: &str, name: &str, problem: Problem) -> Problem {
    let mut lines = source.lines().enumerate().map(|(index, line)| (index + 1, line, line.trim_start()));
    let declaration = lines.find(|(_, _, text)| {
        let bare = text.strip_prefix('"').map_or(*text, |text| text);
        bare.strip_prefix(name).is_some_and(|rest| rest.starts_with([':', '"']))
    });
    match declaration {
        Some((number, line, text)) => problem.at(number, line.len() - text.len() + 1),
        None => problem,
    }
}

fn module(
    request: &Request<'_>,
    outline: &Outline,
    (template_key, template): (&str, String),
    parameters: Map<String, Value>,
) -> Value {
    let mut stack = json!({
        "name": stack_name(request),
        template_key: template,
        "capabilities": ["CAPABILITY_IAM", "CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"],
        // The provider's half hour is less than a database or a distribution takes.
        "timeouts": { "create": LONGEST_WAIT, "update": LONGEST_WAIT, "delete": LONGEST_WAIT },
    });
    if request.inputs.get("proton_tags").is_some() {
        stack["tags"] = json!("${var.proton_tags}");
    }
    if !parameters.is_empty() {
        stack["parameters"] = Value::Object(parameters);
    }
    let mut module = json!({
        "//": banner::words(request.arn, request.metadata.is_resource_deleted),
        "terraform": providers(),
        "variable": declarations(request.inputs),
        "resource": { "aws_cloudformation_stack": { "stack": stack } },
    });
    if !outline.outputs.is_empty() {
        let outputs = outline.outputs.iter().map(|output| (output.name.clone(), json!({ "value": value_of(output) })));
        module["output"] = Value::Object(outputs.collect());
    }
    module
}

fn value_of(output: &Output) -> String {
    let name = &output.name;
    if output.has_condition {
        format!("${{lookup(aws_cloudformation_stack.stack.outputs, \"{name}\", null)}}")
    } else {
        format!("${{aws_cloudformation_stack.stack.outputs[\"{name}\"]}}")
    }
}

/// Values are written for whoever looks; Terraform would warn of each that nobody declared.
fn declarations(inputs: &Value) -> Map<String, Value> {
    let names = inputs.as_object().into_iter().flat_map(Map::keys).filter(|name| *name != "//");
    names.map(|name| (name.clone(), json!({ "type": "any", "default": null }))).collect()
}

/// A text of which Terraform evaluates nothing.
fn escaped(text: &str) -> String {
    text.replace("${", "$${").replace("%{", "%%{")
}

/// A name that the target keeps for life and shares with no other, of letters, digits and hyphens.
///
/// Names with a hyphen of their own could meet (`a-b` + `c` and `a` + `b-c`), and an underscore isn't allowed: these carry
/// a hash of the ARN.
fn stack_name(request: &Request<'_>) -> String {
    let environment = request.inputs["environment"]["name"].as_str().unwrap_or_default();
    let (parts, mut ambiguous) = match request.target {
        Target::Environment { name } => (vec![name.as_str()], false),
        Target::ServiceInstance { service, name } => (vec![environment, service, name], false),
        Target::ServicePipeline { service } => (vec![service, "pipeline"], false),
        Target::Component { name } => (vec![environment, "component", name], true),
    };
    ambiguous |= parts.iter().any(|part| part.contains(['-', '_']));
    let name = format!("hadron-{}", parts.join("-").replace('_', "-"));
    if !ambiguous && name.len() <= LONGEST_NAME {
        return name;
    }
    let hash = hex::encode(&Sha256::digest(request.arn)[..4]);
    let kept: String = name.chars().take(LONGEST_NAME - hash.len() - 1).collect();
    format!("{kept}-{hash}")
}
