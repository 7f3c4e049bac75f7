//! What a file declares.

use std::collections::BTreeMap;

use hcl_edit::Span;
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, BlockLabel, Body};
use serde_json::Value;

use super::{Call, Module, Output, Places, Read, Spot, Variable, walk};

/// Arguments of a module call that are Terraform's own.
const META: [&str; 7] = ["source", "version", "providers", "count", "for_each", "depends_on", "lifecycle"];

pub(super) fn hcl(module: &mut Module, text: &Read) {
    let places = Places::new(&text.path, &text.text);
    body(module, &places, &text.body);
}

fn body(module: &mut Module, places: &Places<'_>, body: &Body) {
    for block in body.blocks() {
        let labels: Vec<&str> = block.labels.iter().map(BlockLabel::as_str).collect();
        let spot = places.spot(block.span());
        match (block.ident.as_str(), &labels[..]) {
            ("resource", [kind, name]) => {
                module.resources.insert(format!("{kind}.{name}"));
            }
            (word @ ("data" | "ephemeral"), [kind, name]) => {
                module.resources.insert(format!("{word}.{kind}.{name}"));
            }
            ("variable", [name]) => {
                let has_default = block.body.has_attribute("default");
                let declared = Variable { spot, has_default };
                // An override file changes what is there.
                let known = module.variables.entry((*name).to_owned()).or_insert(declared);
                known.has_default |= has_default;
            }
            ("output", [name]) => {
                module.outputs.insert((*name).to_owned(), output(block, spot));
            }
            ("module", [name]) => {
                module.calls.insert((*name).to_owned(), call(block, spot, places));
            }
            ("locals", []) => {
                for local in block.body.attributes() {
                    module.locals.insert(local.key.as_str().to_owned(), places.spot(local.span()));
                }
            }
            // A check may have a data source of its own.
            ("check", _) => self::body(module, places, &block.body),
            _ => {}
        }
    }
}

fn output(block: &Block, spot: Spot) -> Output {
    let value = block.body.get_attribute("value").map(|attribute| attribute.value.clone());
    let ephemeral = block.body.get_attribute("ephemeral").and_then(|attribute| attribute.value.as_bool());
    Output { spot, ephemeral: ephemeral.unwrap_or(false), value }
}

fn call(block: &Block, spot: Spot, places: &Places<'_>) -> Call {
    let source = block.body.get_attribute("source").and_then(|attribute| attribute.value.as_str());
    let given = block.body.attributes().filter(|attribute| !META.contains(&attribute.key.as_str()));
    let arguments = given.map(|attribute| (attribute.key.as_str().to_owned(), places.spot(attribute.key.span())));
    Call { spot, source: source.map(str::to_owned), arguments: arguments.collect() }
}

/// What a file in JSON declares, and what its texts speak of. False if it can't be read.
pub(super) fn json(module: &mut Module, path: &str, text: &str) -> bool {
    let Ok(document) = serde_json::from_str::<Value>(text) else { return false };
    let spot = || Spot { path: path.to_owned(), line: 1, column: 1 };
    for (kind, members) in entries(&document["resource"]) {
        module.resources.extend(entries(members).into_iter().map(|(name, _)| format!("{kind}.{name}")));
    }
    for (kind, members) in entries(&document["data"]) {
        module.resources.extend(entries(members).into_iter().map(|(name, _)| format!("data.{kind}.{name}")));
    }
    for (name, declared) in entries(&document["variable"]) {
        let has_default = declared.get("default").is_some();
        module.variables.insert(name.to_owned(), Variable { spot: spot(), has_default });
    }
    for (name, declared) in entries(&document["output"]) {
        let value = declared.get("value").and_then(Value::as_str).map(Expression::from);
        module.outputs.insert(name.to_owned(), Output { spot: spot(), ephemeral: false, value });
    }
    for (name, _) in entries(&document["locals"]) {
        module.locals.insert(name.to_owned(), spot());
    }
    for (name, declared) in entries(&document["module"]) {
        let source = declared.get("source").and_then(Value::as_str).map(str::to_owned);
        let given = entries(declared).into_iter().filter(|(name, _)| !META.contains(name) && *name != "//");
        let arguments: BTreeMap<String, Spot> = given.map(|(name, _)| (name.to_owned(), spot())).collect();
        module.calls.insert(name.to_owned(), Call { spot: spot(), source, arguments });
    }
    walk::json(module, path, &document);
    true
}

/// The members of a block, which may be an object or a list of them.
fn entries(value: &Value) -> Vec<(&str, &Value)> {
    let blocks = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    let members = blocks.iter().filter_map(Value::as_object).flatten();
    members.map(|(name, value)| (name.as_str(), value)).collect()
}
