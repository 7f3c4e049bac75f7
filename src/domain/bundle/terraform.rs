//! What can be said of Terraform files without Terraform: that they parse, that they leave the state alone, and that they
//! aren't in the way of what is generated beside them.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::Range;

use hcl_edit::Span;
use hcl_edit::structure::{Block, Body};

use super::{GENERATED_FILES, Part, Role, generated_file};
use crate::domain::yaml::{self, Node};
use crate::domain::{Problem, Problems};

/// The end of a file's name in Terraform's own syntax; Terraform minds the case.
pub(super) const HCL: &str = ".tf";

/// The end of a file's name in JSON.
pub(super) const JSON: &str = ".tf.json";

/// Ends of the names of files that Terraform takes values from by itself.
const VALUES: [&str; 2] = [".auto.tfvars", ".auto.tfvars.json"];

/// Checks every Terraform file of a part, and that none is in the way of those that are generated for its role.
pub(super) fn check(part: &Part, role: Role) -> Problems {
    let mut check = Check { role, declared: Declared::default(), problems: Problems::default() };
    // A template by that name is refused as such, whatever it says.
    let alone = is_generated_alone(&part.templates, role);
    for (path, bytes) in part.files.iter().filter(|(path, _)| !alone || *path != role.variables_file()) {
        check.file(&format!("{}/{path}", part.folder), path, bytes);
    }
    check.problems
}

/// Whether all that a manifest selects is the file that is generated, so that nothing would be provisioned.
pub(super) fn is_generated_alone(templates: &[String], role: Role) -> bool {
    matches!(templates, [only] if only == role.variables_file())
}

struct Check {
    role: Role,
    declared: Declared,
    problems: Problems,
}

impl Check {
    fn file(&mut self, file: &str, path: &str, bytes: &[u8]) {
        if GENERATED_FILES.contains(&path) {
            return self.problems.push(generated_file(file.to_owned()));
        }
        let values = !path.contains('/') && VALUES.iter().any(|end| path.ends_with(end));
        let json = path.ends_with(JSON) || values && path.ends_with(".json");
        if !values && !json && !path.ends_with(HCL) {
            return;
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            return self.problems.push(Problem::of(file, "isn't UTF-8", "save it as UTF-8"));
        };
        // Terraform skips a byte order mark in its own syntax, the parsers don't.
        let marked = text.strip_prefix('\u{feff}');
        let text = marked.unwrap_or(text);
        if json {
            if marked.is_some() {
                let message = "begins with a byte order mark, which Terraform refuses in JSON";
                self.problems.push(Problem::of(file, message, "save it as UTF-8 without one").at(1, 1));
            }
            let Some(document) = self.problems.note(read_json(file, text)) else { return };
            if values {
                self.assigned_json(file, &document);
            } else if is_override(path) && !path.contains('/') {
                refuse_state_json(file, &document, &mut self.problems);
            }
        } else if let Some(body) = self.problems.note(read_hcl(file, text)) {
            if values { self.assigned(file, text, &body) } else { self.hcl(file, path, text, &body) }
        }
    }

    fn hcl(&mut self, file: &str, path: &str, text: &str, body: &Body) {
        if path == self.role.variables_file() {
            return self.lost(file, text, body);
        }
        let own = !path.contains('/');
        if !is_override(path) {
            self.declared.note(file, text, body, &mut self.problems);
        }
        if own && is_override(path) {
            refuse_state(file, text, body, &mut self.problems);
        } else if own {
            refuse_variables(file, text, body, self.role.variables(), &mut self.problems);
        }
    }

    /// The generated file takes the place of its copy, so that whatever else the copy says is never applied.
    fn lost(&mut self, file: &str, text: &str, body: &Body) {
        for block in body.blocks().filter(|block| block.ident.as_str() != "variable") {
            let message = format!("the block `{}` would be lost: Proton generates this file", block.ident.as_str());
            let problem = Problem::of(file, message, "move the block into a file of your own");
            self.problems.push(placed(problem, text, block));
        }
    }

    /// Of several files with values the last by name wins, and that may be the author's and not the spec's.
    fn assigned(&mut self, file: &str, text: &str, body: &Body) {
        let variables = self.role.variables();
        for value in body.attributes().filter(|value| variables.contains(&value.key.as_str())) {
            let problem = Problem::of(file, assigns(value.key.as_str()), REMOVE);
            self.problems.push(at_span(problem, text, value.span()));
        }
    }

    fn assigned_json(&mut self, file: &str, document: &Node) {
        let variables = self.role.variables();
        for entry in document.entries().iter().filter(|entry| variables.contains(&entry.key.as_str())) {
            self.problems.push(entry.problem(file, assigns(&entry.key), REMOVE));
        }
    }
}

const REMOVE: &str = "remove the line, and give the value by the spec";

fn assigns(variable: &str) -> String {
    format!("assigns the variable `{variable}`, which has its value from the spec and from Proton")
}

/// Terraform merges these over all others, in the order of their names.
///
/// <https://developer.hashicorp.com/terraform/language/files/override>
fn is_override(path: &str) -> bool {
    let stem = path.strip_suffix(JSON).or_else(|| path.strip_suffix(HCL)).unwrap_or(path);
    stem == "override" || stem.ends_with("_override")
}

fn read_hcl(file: &str, text: &str) -> Result<Body, Problems> {
    hcl_edit::parser::parse_body(text).map_err(|error| {
        let at = error.location();
        let message = format!("is no valid HCL: {}", error.message().replace('\n', ", "));
        let line = error.line().trim();
        let remedy = match line.chars().find(|char| matches!(char, '“' | '”' | '„' | '‘' | '’')) {
            Some(curly) => format!("write \" instead of {curly}"),
            None => format!("the line is: {line}"),
        };
        Problem::of(file, message, remedy).at(at.line(), at.column()).into()
    })
}

fn read_json(file: &str, text: &str) -> Result<Node, Problems> {
    if let Err(error) = serde_json::from_str::<serde::de::IgnoredAny>(text) {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        let remedy = "check the brackets, the commas and the quotes here and right before";
        let problem = Problem::of(file, format!("is no valid JSON: {message}"), remedy);
        return Err(problem.at(error.line(), error.column().max(1)).into());
    }
    yaml::parse(file, text)
}

const STATE: &str = "remove the block: where the state is kept is the operator's choice";

/// An override file could win over the backend that the agent sets, and the state would land elsewhere.
fn refuse_state(file: &str, text: &str, body: &Body, problems: &mut Problems) {
    let settings = body.get_blocks("terraform").flat_map(|terraform| terraform.body.blocks());
    for block in settings.filter(|block| matches!(block.ident.as_str(), "backend" | "cloud")) {
        let message = format!("an override file with a `{}` block would move the state", block.ident.as_str());
        problems.push(placed(Problem::of(file, message, STATE), text, block));
    }
}

fn refuse_state_json(file: &str, document: &Node, problems: &mut Problems) {
    let Some(terraform) = document.get("terraform") else { return };
    // A block may be written as an object or as a list of them.
    let blocks = if terraform.is_map() { std::slice::from_ref(terraform) } else { terraform.items() };
    for entry in blocks.iter().flat_map(Node::entries).filter(|entry| matches!(entry.key.as_str(), "backend" | "cloud"))
    {
        let message = format!("an override file with a `{}` block would move the state", entry.key);
        problems.push(entry.problem(file, message, STATE));
    }
}

/// Terraform refuses a variable that is declared twice, but only when the first deployment runs.
fn refuse_variables(file: &str, text: &str, body: &Body, variables: &[&str], problems: &mut Problems) {
    for block in body.get_blocks("variable") {
        let name = block.labels.first().map(hcl_edit::structure::BlockLabel::as_str).unwrap_or_default();
        if variables.contains(&name) {
            let message = format!("the variable `{name}` is declared by Proton's generated file");
            problems.push(placed(Problem::of(file, message, "remove this declaration"), text, block));
        }
    }
}

/// What the files of each folder declare, and where: twice is a mistake, wherever it is.
#[derive(Default)]
struct Declared(BTreeMap<(String, String), (String, usize)>);

impl Declared {
    fn note(&mut self, file: &str, text: &str, body: &Body, problems: &mut Problems) {
        for block in body.blocks() {
            let labels: Vec<&str> = block.labels.iter().map(hcl_edit::structure::BlockLabel::as_str).collect();
            let name = match (block.ident.as_str(), &labels[..]) {
                ("resource", [kind, name]) => format!("resource `{kind}.{name}`"),
                ("data", [kind, name]) => format!("data source `data.{kind}.{name}`"),
                (word @ ("variable" | "output" | "module"), [name]) => format!("{word} `{name}`"),
                ("locals", []) => {
                    for local in block.body.attributes() {
                        let name = format!("local value `{}`", local.key.as_str());
                        self.declare(file, text, name, local.span(), problems);
                    }
                    continue;
                }
                _ => continue,
            };
            self.declare(file, text, name, block.span(), problems);
        }
    }

    fn declare(&mut self, file: &str, text: &str, name: String, span: Option<Range<usize>>, problems: &mut Problems) {
        let folder = file.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
        let line =
            span.as_ref().and_then(|span| text.get(..span.start)).map_or(1, |before| before.matches('\n').count() + 1);
        match self.0.entry((folder, name)) {
            Entry::Vacant(free) => {
                free.insert((file.to_owned(), line));
            }
            Entry::Occupied(first) => {
                let ((_, name), (other, line)) = (first.key(), first.get());
                let message = format!("the {name} is declared twice, first in {other}:{line}");
                problems.push(at_span(Problem::of(file, message, "rename or remove one of them"), text, span));
            }
        }
    }
}

/// The problem at the line and column where a block begins.
fn placed(problem: Problem, text: &str, block: &Block) -> Problem {
    at_span(problem, text, block.span())
}

fn at_span(problem: Problem, text: &str, span: Option<Range<usize>>) -> Problem {
    let Some(before) = span.and_then(|span| text.get(..span.start)) else { return problem };
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
    problem.at(line, column)
}
