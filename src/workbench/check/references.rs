//! References within a module: each must name something that is declared.

use std::collections::{BTreeMap, BTreeSet};

use super::calls;
use crate::domain::{Part, Problem, nearest};
use crate::renderer::Step;
use crate::workbench::finding::Report;
use crate::workbench::module::{Found, Module};

/// Names that Terraform itself gives a meaning.
const TERRAFORMS: [&str; 6] = ["each", "count", "self", "path", "terraform", "run"];

pub(super) fn check(
    part: &Part,
    module: &Module,
    generated: &BTreeSet<&str>,
    modules: &BTreeMap<String, Module>,
    folder: &str,
    report: &mut Report,
) {
    if module.incomplete {
        return;
    }
    let variables: BTreeSet<&str> =
        module.variables.keys().map(String::as_str).chain(generated.iter().copied()).collect();
    for found in &module.found {
        let names: Vec<&str> = found.mention.path.iter().map_while(name).collect();
        let problem = match names[..] {
            [root, ..] if TERRAFORMS.contains(&root) => None,
            ["var", name, ..] => missing(name, &variables, "variable", "declare it with variable"),
            ["local", name, ..] => {
                let locals = module.locals.keys().map(String::as_str).collect();
                missing(name, &locals, "local value", "declare it in a locals block")
            }
            ["module", name, ref rest @ ..] if module.calls.contains_key(name) => {
                rest.first().and_then(|output| output_of(module, name, output, modules, folder))
            }
            ["module", name, ..] => {
                let calls = module.calls.keys().map(String::as_str).collect();
                missing(name, &calls, "module", "call it in a module block")
            }
            [word @ ("data" | "ephemeral"), kind, name, ..] => {
                resource(module, &format!("{word}.{kind}.{name}"), if word == "data" { "data source" } else { word })
            }
            ["var" | "local" | "module" | "data" | "ephemeral", ..] => {
                let message = format!("`{}` names nothing", found.mention.name());
                Some((message, "write out what is meant".to_owned()))
            }
            [kind, name, ..]
                if kind.contains('_')
                    || module.resources.iter().any(|known| known.starts_with(&format!("{kind}."))) =>
            {
                resource(module, &format!("{kind}.{name}"), "resource")
            }
            [name] => Some((
                format!("`{name}` is no reference: a name by itself means nothing to Terraform"),
                format!("write \"{name}\" in quotes, or var.{name}, local.{name}, …"),
            )),
            // A provider's own name, as in `depends_on`, or a type without an underscore.
            _ => None,
        };
        if let Some((message, remedy)) = problem {
            report.error("undeclared", place(part, found, message, remedy));
        }
    }
}

fn name(step: &Step) -> Option<&str> {
    if let Step::Name(name) = step { Some(name) } else { None }
}

fn missing(name: &str, known: &BTreeSet<&str>, what: &str, declare: &str) -> Option<(String, String)> {
    if known.contains(name) {
        return None;
    }
    let remedy = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("{declare}, or remove it here"),
    };
    Some((format!("there is no {what} `{name}`"), remedy))
}

fn resource(module: &Module, address: &str, what: &str) -> Option<(String, String)> {
    if module.resources.contains(address) {
        return None;
    }
    let remedy = match nearest(address, module.resources.iter().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => "declare it, or remove it here".to_owned(),
    };
    Some((format!("there is no {what} `{address}`"), remedy))
}

/// An output of a module whose files are in the bundle.
fn output_of(
    module: &Module,
    call: &str,
    output: &str,
    modules: &BTreeMap<String, Module>,
    folder: &str,
) -> Option<(String, String)> {
    let source = module.calls.get(call)?.source.as_deref()?;
    let called = modules.get(&calls::folder(folder, source)?.ok()?)?;
    if called.incomplete || called.outputs.contains_key(output) {
        return None;
    }
    let remedy = match nearest(output, called.outputs.keys().map(String::as_str)) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("declare it in {source}"),
    };
    Some((format!("the module `{call}` has no output `{output}`"), remedy))
}

fn place(part: &Part, found: &Found, message: String, remedy: String) -> Problem {
    let file = format!("{}/{}", part.folder, found.path);
    Problem::of(file, message, remedy).at(found.mention.line, found.mention.column)
}
