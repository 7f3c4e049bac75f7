//! The tables of the modules' READMEs are those of their variables and outputs. `HADRON_UPDATE=1` writes them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use super::MODULES;
use super::site::modules;

/// A `variable` or `output` block of a formatted file.
struct Block {
    name: String,
    description: String,
    kind: String,
    default: Option<String>,
    validated: bool,
}

fn blocks(module: &str, file: &str, keyword: &str) -> Vec<Block> {
    let text = fs::read_to_string(modules().join(module).join(file)).unwrap();
    let opening = format!("{keyword} \"");
    let mut parts = text.split("\n}\n").filter_map(|part| part.trim_start().strip_prefix(&opening));
    parts.by_ref().map(block).collect()
}

fn block(text: &str) -> Block {
    let (name, body) = text.split_once("\" {\n").unwrap();
    let (own, rules) = body.split_once("\n\n  validation {").map_or((body, None), |(own, rules)| (own, Some(rules)));
    // A member goes on as long as its lines are indented further.
    let mut members: Vec<(String, String)> = Vec::new();
    for line in own.lines() {
        match line.strip_prefix("  ").filter(|rest| rest.starts_with(|it: char| it.is_ascii_lowercase())) {
            Some(member) => {
                members.extend(member.split_once('=').map(|(a, b)| (a.trim().to_owned(), b.trim().to_owned())));
            }
            None => members.last_mut().into_iter().for_each(|(_, value)| *value += &format!(" {}", line.trim())),
        }
    }
    let member = |wanted: &str| members.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.clone());
    let description: String = serde_json::from_str(&member("description").unwrap_or_default())
        .unwrap_or_else(|error| panic!("{name} has no description ({error})"));
    let kind = member("type").unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
    Block { name: name.to_owned(), description, kind, default: member("default"), validated: rules.is_some() }
}

/// The variables that refuse something.
pub(super) fn validated(module: &str) -> BTreeSet<String> {
    let all = blocks(module, "variables.tf", "variable").into_iter();
    all.filter(|block| block.validated).map(|block| block.name).collect()
}

/// The variable whose block has this line, counted from 1.
pub(super) fn variable_at(module: &str, line: usize) -> String {
    let text = fs::read_to_string(modules().join(module).join("variables.tf")).unwrap();
    let before: Vec<&str> = text.lines().take(line).collect();
    let name = |line: &&str| Some(line.strip_prefix("variable \"")?.split('"').next()?.to_owned());
    before.iter().rev().find_map(name).unwrap()
}

fn inputs(module: &str) -> String {
    let mut table = "| name | type | default | is |\n|---|---|---|---|\n".to_owned();
    for Block { name, description, kind, default, .. } in blocks(module, "variables.tf", "variable") {
        let default = default.map_or("required".to_owned(), |default| format!("`{default}`"));
        writeln!(table, "| `{name}` | `{kind}` | {default} | {description} |").unwrap();
    }
    table
}

fn outputs(module: &str) -> String {
    let mut table = "| name | is |\n|---|---|\n".to_owned();
    for Block { name, description, .. } in blocks(module, "outputs.tf", "output") {
        writeln!(table, "| `{name}` | {description} |").unwrap();
    }
    table
}

#[test]
fn the_tables_of_each_readme_are_those_of_its_files() {
    for module in MODULES {
        let path = modules().join(module).join("README.md");
        let written = fs::read_to_string(&path).unwrap();
        let (prose, _) = written.split_once("## Inputs\n").unwrap_or_else(|| panic!("{module}: no ## Inputs"));
        let wanted = format!("{prose}## Inputs\n\n{}\n## Outputs\n\n{}", inputs(module), outputs(module));
        if std::env::var_os("HADRON_UPDATE").is_some() {
            fs::write(&path, &wanted).unwrap();
        }
        let stale = "is stale: HADRON_UPDATE=1 cargo test --test e2e modules::readme";
        assert!(fs::read_to_string(&path).unwrap() == wanted, "modules/{module}/README.md {stale}");
    }
}
