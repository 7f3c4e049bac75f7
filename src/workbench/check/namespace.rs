//! What a template can speak of: the namespaces of its inputs.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/parameters.html>

use crate::domain::{Engine, InputShape, InputType, Problem, Role, Schema, nearest};
use crate::renderer::{Mention, Step};
use crate::workbench::finding::Report;

/// What lies at a place of the inputs.
#[derive(Debug, Clone)]
enum Place {
    /// Text or another value without members.
    Value,
    /// Whatever there may be.
    Anything,
    Members(Vec<(&'static str, Place)>),
    /// A list, or a map by names that only values tell.
    Items(Box<Place>),
    /// Inputs of the schema.
    Inputs(InputType, Option<InputShape>),
    /// Something inside an input.
    Input(InputShape),
    /// The outputs that there are.
    Outputs(Vec<String>),
    /// Not always there, and why.
    Absent(Box<Place>, &'static str),
}

/// The names that a part's templates know.
pub(in crate::workbench) struct Namespace {
    names: Vec<(&'static str, Place)>,
}

const DETACHED: &str = "no component need be attached";
const APART: &str = "a component need not be attached to a service";

/// What can be said of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::workbench) enum Verdict {
    /// It is there.
    There,
    /// It may be missing, and why.
    MayBeMissing(String),
    /// There is no such member.
    Unknown { within: String, name: String, known: Vec<String>, input: bool, output: bool },
}

impl Namespace {
    pub(in crate::workbench) fn new(
        role: Role,
        engine: Engine,
        schema: Option<&Schema>,
        environment_outputs: Option<&[String]>,
    ) -> Self {
        use Place::{Absent, Anything, Items, Members, Value};
        let inputs = |which: InputType| match schema {
            Some(schema) => Place::Inputs(which, schema.shape(which)),
            None => Anything,
        };
        let outputs = || environment_outputs.map_or(Anything, |names| Place::Outputs(names.to_vec()));
        let surroundings = || Members(vec![("account_id", Value), ("name", Value), ("outputs", outputs())]);
        let service = || {
            let facts = ["name", "branch_name", "repository_connection_arn", "repository_id"];
            Members(facts.map(|name| (name, Value)).to_vec())
        };
        let mut names = match role {
            Role::Environment => {
                vec![("environment", Members(vec![("name", Value), ("inputs", inputs(InputType::Environment))]))]
            }
            Role::Instance => {
                let component = Members(vec![("name", Value), ("outputs", Anything)]);
                // In Jinja what is missing there is an empty mapping, down to the outputs.
                let default = if engine == Engine::Hcl { Absent(Box::new(component), DETACHED) } else { component };
                let mut instance = vec![
                    ("name", Value),
                    ("inputs", inputs(InputType::Service)),
                    ("components", Members(vec![("default", default)])),
                ];
                if engine == Engine::Jinja {
                    instance.push(("environment", surroundings()));
                }
                vec![("environment", surroundings()), ("service", service()), ("service_instance", Members(instance))]
            }
            Role::Pipeline => {
                let instance = Members(vec![
                    ("name", Value),
                    ("inputs", inputs(InputType::Service)),
                    ("outputs", Anything),
                    ("environment", surroundings()),
                ]);
                let pipeline = Members(vec![("inputs", inputs(InputType::Pipeline))]);
                vec![("pipeline", pipeline), ("service", service()), ("service_instances", Items(Box::new(instance)))]
            }
            Role::Component => {
                let instance = Members(vec![("name", Value), ("inputs", Anything)]);
                vec![
                    ("component", Members(vec![("name", Value)])),
                    ("environment", surroundings()),
                    ("service", Absent(Box::new(Members(vec![("name", Value)])), APART)),
                    ("service_instance", Absent(Box::new(instance), APART)),
                ]
            }
        };
        if engine == Engine::Hcl {
            names.push(("proton_tags", Anything));
        }
        Self { names }
    }

    /// Whether a name is one of them.
    pub(in crate::workbench) fn knows(&self, name: &str) -> bool {
        self.names.iter().any(|(known, _)| *known == name)
    }

    /// Follows a path. `used` is told each input that lies on it, `None` standing for all of them.
    pub(in crate::workbench) fn follow(
        &self,
        mention: &Mention,
        mut used: impl FnMut(InputType, Option<&str>),
    ) -> Verdict {
        let top = Place::Members(self.names.clone());
        let (mut place, mut missing, mut walked) = (&top, None, String::new());
        for (index, step) in mention.path.iter().enumerate() {
            while let Place::Absent(inner, why) = place {
                missing.get_or_insert_with(|| format!("`{walked}` may be missing: {why}"));
                place = inner;
            }
            let next = match (place, step) {
                (Place::Members(members), Step::Name(name)) => {
                    let Some((_, next)) = members.iter().find(|(known, _)| known == name) else {
                        let known = members.iter().map(|(name, _)| (*name).to_owned()).collect();
                        return unknown(walked, name, known, false, false);
                    };
                    Next::Place(next)
                }
                (Place::Items(item), Step::Any) => Next::Place(item),
                (Place::Inputs(which, shape), Step::Name(name)) => {
                    used(*which, Some(name));
                    let Some(shape) = shape else { return unknown(walked, name, Vec::new(), true, false) };
                    match member(shape, name, &walked, &mut missing) {
                        Ok(next) => Next::Made(next),
                        Err(known) => return unknown(walked, name, known, true, false),
                    }
                }
                (Place::Inputs(which, _), Step::Any) => {
                    used(*which, None);
                    return Verdict::There;
                }
                (Place::Input(shape), Step::Name(name)) => match member(shape, name, &walked, &mut missing) {
                    Ok(next) => Next::Made(next),
                    Err(known) => return unknown(walked, name, known, true, false),
                },
                (Place::Input(shape), Step::Any) => match shape.items() {
                    Some(item) => Next::Made(Place::Input(item)),
                    None => return verdict(missing),
                },
                (Place::Outputs(names), Step::Name(name)) if !names.contains(name) => {
                    return unknown(walked, name, names.clone(), false, true);
                }
                _ => return verdict(missing),
            };
            match next {
                Next::Place(next) => place = next,
                Next::Made(next) => {
                    // Only inputs are made, and they hold no place that was borrowed.
                    let rest = Mention { path: mention.path[index + 1..].to_vec(), ..mention.clone() };
                    let name = crate::renderer::path_name(&mention.path[..=index]);
                    return inside(next, &name, &rest, missing);
                }
            }
            walked = crate::renderer::path_name(&mention.path[..=index]);
        }
        if mention.as_whole {
            whole(place, &mut used);
        }
        verdict(missing)
    }

    /// Notes what is wrong with a mention.
    pub(super) fn check(&self, file: &str, engine: Engine, mention: &Mention, report: &mut Report) {
        let Some(Step::Name(first)) = mention.path.first() else { return };
        // Another variable is looked for where variables are declared.
        if engine == Engine::Hcl && !self.knows(first) {
            return;
        }
        let var = if engine == Engine::Hcl { "var." } else { "" };
        let at = |message: String, remedy: String| Problem::of(file, message, remedy).at(mention.line, mention.column);
        match self.follow(mention, |_, _| {}) {
            Verdict::MayBeMissing(why) if !mention.guarded => {
                let guard =
                    if engine == Engine::Hcl { "write try(…, null) around it" } else { "pipe it to default(…)" };
                let input = why.contains("has it a default");
                let remedy =
                    if input { format!("{guard}, or give it a default in the schema") } else { guard.to_owned() };
                let why = why.replacen('`', &format!("`{var}"), 1);
                report.warn("may-be-missing", at(why, remedy));
            }
            Verdict::There | Verdict::MayBeMissing(_) => {}
            Verdict::Unknown { within, name, known, input, output } => {
                let (rule, message) = if input {
                    ("unknown-input", format!("`{name}` is no input of the schema, in `{var}{within}.{name}`"))
                } else if output {
                    ("unknown-output", format!("the environment has no output `{name}`, in `{var}{within}.{name}`"))
                } else if within.is_empty() {
                    ("unknown-name", format!("`{name}` is no name that the template gets"))
                } else {
                    ("unknown-name", format!("`{var}{within}` has no member `{name}`"))
                };
                let remedy = remedy(&within, &name, &known, input);
                if mention.guarded {
                    return report.warn(rule, at(format!("{message}, so it is always missing"), remedy));
                }
                report.error(rule, at(message, remedy));
            }
        }
    }
}

enum Next<'p> {
    Place(&'p Place),
    Made(Place),
}

/// Follows the rest of a path inside an input.
fn inside(place: Place, walked: &str, rest: &Mention, mut missing: Option<String>) -> Verdict {
    let Place::Input(mut shape) = place else { return verdict(missing) };
    let mut walked = walked.to_owned();
    for step in &rest.path {
        let next = match step {
            // What has no members is for Terraform to complain of.
            Step::Name(_) if shape.names().is_empty() && !shape.is_open() => return verdict(missing),
            Step::Name(name) => match member(&shape, name, &walked, &mut missing) {
                Ok(Place::Input(next)) => next,
                Ok(_) => return verdict(missing),
                Err(known) => return unknown(walked, name, known, true, false),
            },
            Step::Any => match shape.items() {
                Some(item) => item,
                None => return verdict(missing),
            },
        };
        walked = match step {
            Step::Name(name) => format!("{walked}.{name}"),
            Step::Any => format!("{walked}[]"),
        };
        shape = next;
    }
    verdict(missing)
}

/// A member of an object among the inputs; else the names that there are.
fn member(shape: &InputShape, name: &str, walked: &str, missing: &mut Option<String>) -> Result<Place, Vec<String>> {
    let Some(member) = shape.member(name) else {
        if shape.is_open() {
            return Ok(Place::Anything);
        }
        return Err(shape.names().into_iter().map(str::to_owned).collect());
    };
    if !shape.always_has(name) {
        let named = shape.names().contains(&name);
        let why = if named { "it is neither required nor has it a default" } else { "the schema doesn't name it" };
        missing.get_or_insert_with(|| format!("`{walked}.{name}` may be missing: {why}"));
    }
    Ok(Place::Input(member))
}

fn verdict(missing: Option<String>) -> Verdict {
    missing.map_or(Verdict::There, Verdict::MayBeMissing)
}

fn unknown(within: String, name: &str, known: Vec<String>, input: bool, output: bool) -> Verdict {
    Verdict::Unknown { within, name: name.to_owned(), known, input, output }
}

/// Everything below a place is used.
fn whole(place: &Place, used: &mut impl FnMut(InputType, Option<&str>)) {
    match place {
        Place::Inputs(which, _) => used(*which, None),
        Place::Members(members) => members.iter().for_each(|(_, member)| whole(member, used)),
        Place::Items(inner) | Place::Absent(inner, _) => whole(inner, used),
        _ => {}
    }
}

fn remedy(within: &str, name: &str, known: &[String], input: bool) -> String {
    if within == "environment" && name == "inputs" {
        return "services see an environment's outputs only: make it an output of the environment".into();
    }
    let near = nearest(name, known.iter().map(String::as_str));
    match near {
        Some(near) if input => format!("did you mean `{near}`? Else declare `{name}` in schema/schema.yaml"),
        Some(near) => format!("did you mean `{near}`?"),
        None if input => format!("declare `{name}` in schema/schema.yaml, or remove it here"),
        None if known.is_empty() => "there is none".into(),
        None => format!("there is {}", known.join(", ")),
    }
}
