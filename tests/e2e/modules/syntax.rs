//! The modules are formatted, and take nothing that a current provider has lost. Its plugin can't be had where tests run, but
//! its schema can: `aws_schema.py` wrote it into the file beside.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::MODULES;
use super::site::modules;
use crate::support::process::command;

const CURRENT: &str = include_str!("aws-6.62.0.json");

#[test]
fn every_module_is_formatted() {
    let mut terraform = command(Path::new("terraform"), &BTreeMap::new());
    let done = terraform.args(["fmt", "-check", "-diff", "-recursive"]).arg(modules()).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

/// What a resource block sets, as paths of argument names. `dynamic "x" { content { … } }` is `x`; what is Terraform's own
/// (`count`, `lifecycle` and so on) is left out.
fn arguments(block: &str) -> Vec<Vec<String>> {
    let (mut within, mut found, mut depth) = (Vec::<String>::new(), Vec::new(), 0_i32);
    for line in block.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let opened = balance(line);
        if depth > 0 {
            depth += opened;
            continue;
        }
        if line == "}" {
            within.pop();
        } else if let Some(name) = line.strip_suffix('{').filter(|name| !name.contains('=')) {
            let label = name.split('"').nth(1).unwrap_or(name.trim());
            within.push(label.to_owned());
        } else if let Some((name, _)) = line.split_once('=') {
            let path = within.iter().filter(|it| *it != "content").cloned();
            found.push(path.chain([name.trim().to_owned()]).collect());
            depth += opened;
        }
    }
    let own = ["count", "for_each", "depends_on", "lifecycle", "provider"];
    found.retain(|path: &Vec<String>| !own.contains(&path[0].as_str()) && path.last().unwrap() != "for_each");
    found
}

fn balance(line: &str) -> i32 {
    line.chars().map(|it| if "{[(".contains(it) { 1 } else { -i32::from("}])".contains(it)) }).sum()
}

fn knows(schema: &Value, path: &[String]) -> bool {
    match path {
        [] => true,
        [first, rest @ ..] => schema.get(first).is_some_and(|inner| rest.is_empty() || knows(inner, rest)),
    }
}

#[test]
fn every_argument_is_one_that_a_current_provider_takes() {
    let current: Value = serde_json::from_str(CURRENT).unwrap();
    let mut seen = 0;
    for folder in MODULES.iter().flat_map(|it| [modules().join(it), modules().join(it).join("examples/basic")]) {
        for file in fs::read_dir(folder).unwrap().flatten().filter(|it| it.path().extension() == Some("tf".as_ref())) {
            let text = fs::read_to_string(file.path()).unwrap();
            for block in text.split("\nresource \"").skip(1).map(|it| it.split("\n}\n").next().unwrap()) {
                let (kind, body) = (block.split('"').next().unwrap(), block.split_once("{\n").unwrap().1);
                let schema = current["types"].get(kind).unwrap_or_else(|| panic!("aws_schema.py didn't write {kind}"));
                for path in arguments(body) {
                    assert!(knows(schema, &path), "{}: {kind} has no {}", file.path().display(), path.join("."));
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 100, "only {seen} arguments were found");
}

#[test]
fn an_argument_that_was_taken_away_is_found() {
    let schema = &serde_json::from_str::<Value>(CURRENT).unwrap()["types"]["aws_s3_bucket"];
    let block = "bucket = \"a\"\n  versioning {\n    enabled = true\n  }\n  dynamic \"lifecycle_rule\" {\n    for_each = [\n      1,\n    ]\n    \
                 content {\n      gone = true\n    }\n  }\n";
    let unknown: Vec<_> = arguments(block).into_iter().filter(|path| !knows(schema, path)).collect();
    assert_eq!(unknown, [["lifecycle_rule", "gone"]]);
}
