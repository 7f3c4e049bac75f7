//! `manifest.yaml`: which files are templates and what renders them.
//!
//! <https://docs.aws.amazon.com/proton/latest/userguide/ag-wrap-up.html>

use super::{Engine, Files, terraform};
#[cfg(test)]
use crate::domain::editor;
use crate::domain::problem::nearest;
use crate::domain::yaml::{self, Content, Node, refuse_unknown_keys};
use crate::domain::{Problem, Problems};

/// The manifest's name in each infrastructure folder.
pub(super) const MANIFEST: &str = "manifest.yaml";

/// A manifest whose entries agree on one engine.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) engine: Engine,
    /// The `file` of each entry.
    selections: Vec<Node>,
    file: String,
}

impl Manifest {
    /// Reads a manifest; `file` is its path in the bundle.
    pub(super) fn parse(file: &str, text: &str) -> Result<Self, Problems> {
        let document = yaml::parse(file, text)?;
        let mut reader = Reader { file, problems: Problems::default() };
        let entries: Vec<(Engine, Node)> =
            reader.entries(&document).iter().filter_map(|entry| reader.entry(entry)).collect();
        let engine = entries.first().map(|(engine, _)| *engine);
        if let Some((_, other)) = entries.iter().find(|(other, _)| Some(*other) != engine) {
            reader.refuse(other, "the templates have different engines", "use one rendering_engine per folder");
        } else if let (Some(Engine::Jinja), Some((_, second))) = (engine, entries.get(1)) {
            reader.refuse(second, "a CloudFormation template is exactly one file", "join them, or nest stacks");
        }
        let selections = entries.into_iter().map(|(_, file)| file).collect();
        let engine = engine.unwrap_or(Engine::Hcl);
        let read = reader.problems.in_order().unless_any(|| Self { engine, selections, file: file.to_owned() });
        #[cfg(test)]
        editor::agrees("manifest.json", &document, &read);
        read
    }

    /// The name of a component's only file.
    pub(super) fn single_file(&self) -> &str {
        match self.selections.first().and_then(Node::as_text) {
            Some("*") | None => "component.tf",
            Some(name) => name.trim_start_matches("./"),
        }
    }

    /// Whether it's `"*"`, and no Terraform file has to stay out.
    pub(super) fn selects_all(&self) -> bool {
        self.selections.iter().any(|selection| selection.as_text() == Some("*"))
    }

    /// A problem of what the manifest selects.
    pub(super) fn problem(&self, message: impl Into<String>, remedy: impl Into<String>) -> Option<Problem> {
        Some(self.selections.first()?.problem(&self.file, message, remedy))
    }

    /// The selected files of the manifest's folder, whose paths are relative to it.
    pub(super) fn select(&self, files: &Files) -> Result<Vec<String>, Problems> {
        let mut problems = Problems::default();
        let mut selected = Vec::new();
        for selection in &self.selections {
            let name = selection.as_text().unwrap_or_default().trim_start_matches("./");
            if name == "*" {
                let all: Vec<&String> =
                    files.keys().filter(|path| path.ends_with(terraform::HCL) && !path.contains('/')).collect();
                if all.is_empty() {
                    let message = "\"*\" selects every .tf file of this folder, and there is none";
                    problems.push(selection.problem(&self.file, message, "add one beside the manifest"));
                }
                selected.extend(all.into_iter().cloned());
            } else if files.contains_key(name) {
                selected.push(name.to_owned());
            } else {
                let remedy = match nearest(name, files.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "add it beside the manifest, or correct the name".into(),
                };
                problems.push(selection.problem(&self.file, format!("there is no file `{name}`"), remedy));
            }
        }
        selected.sort_unstable();
        selected.dedup();
        problems.unless_any(|| selected)
    }
}

struct Reader<'a> {
    file: &'a str,
    problems: Problems,
}

const GRAMMAR: &str =
    "write infrastructure: { templates: [ { file: \"*\", rendering_engine: hcl, template_language: terraform } ] }";

impl Reader<'_> {
    fn entries<'n>(&mut self, document: &'n Node) -> &'n [Node] {
        let Some(infrastructure) = document.get("infrastructure") else {
            self.refuse(document, "the key `infrastructure` is missing", GRAMMAR);
            return &[];
        };
        refuse_unknown_keys(&mut self.problems, self.file, document, "the manifest", &["infrastructure"]);
        refuse_unknown_keys(&mut self.problems, self.file, infrastructure, "`infrastructure`", &["templates"]);
        match infrastructure.get("templates") {
            Some(templates) if !templates.items().is_empty() => templates.items(),
            other => {
                let message = "`infrastructure.templates` must be a list of at least one template";
                self.refuse(other.unwrap_or(infrastructure), message, GRAMMAR);
                &[]
            }
        }
    }

    fn entry(&mut self, entry: &Node) -> Option<(Engine, Node)> {
        // Before Proton's release the key was `engine`.
        let engine = entry.get("rendering_engine").or_else(|| entry.get("engine"));
        let language = entry.get("template_language").and_then(Node::as_text);
        let rendered = match engine.map(|node| (node, node.as_text().unwrap_or_default())) {
            Some((_, "hcl")) => Engine::Hcl,
            Some((_, "jinja")) => Engine::Jinja,
            Some((node, "codebuild")) => {
                let remedy = "turn its commands into a Terraform module and use rendering_engine: hcl";
                self.refuse(node, "CodeBuild provisioning isn't supported", remedy);
                return None;
            }
            Some((node, _)) => {
                self.refuse(node, format!("unknown rendering_engine {}", node.to_value()), ENGINES);
                return None;
            }
            None => {
                self.refuse(entry, "`rendering_engine` is missing", ENGINES);
                return None;
            }
        };
        let expected = if rendered == Engine::Hcl { "terraform" } else { "cloudformation" };
        if entry.get("template_language").is_some() && language != Some(expected) {
            let node = entry.get("template_language").unwrap_or(entry);
            let message = format!("template_language is {}, which doesn't go with its engine", node.to_value());
            self.refuse(node, message, format!("write {expected}"));
        }
        let engine_key = if entry.get("rendering_engine").is_some() { "rendering_engine" } else { "engine" };
        let keys = ["file", engine_key, "template_language"];
        refuse_unknown_keys(&mut self.problems, self.file, entry, "the template", &keys);
        self.selection(entry, rendered).map(|file| (rendered, file))
    }

    fn selection(&mut self, entry: &Node, engine: Engine) -> Option<Node> {
        let Some(file) = entry.get("file") else {
            self.refuse(entry, "`file` is missing", "name a file of this folder");
            return None;
        };
        let Content::Text(name) = &file.content else {
            self.refuse(file, format!("`file` must be a string, not {}", file.kind()), "put it in quotes");
            return None;
        };
        let problem = match engine {
            Engine::Jinja if name == "*" => {
                ("a CloudFormation template must be named", "write file: \"cloudformation.yaml\"")
            }
            Engine::Hcl if name != "*" && name.contains('*') => {
                ("only \"*\" alone selects several files", "write \"*\"")
            }
            Engine::Hcl if name != "*" && !name.ends_with(terraform::HCL) && !name.ends_with(terraform::JSON) => {
                ("Terraform reads only files that end with .tf or .tf.json", "rename it, or write \"*\"")
            }
            Engine::Hcl if name.trim_start_matches("./").contains('/') => (
                "Terraform reads only the files of this folder itself",
                "move it beside the manifest, or call its folder as a module",
            ),
            _ => return Some(file.clone()),
        };
        self.refuse(file, problem.0, problem.1);
        None
    }

    fn refuse(&mut self, node: &Node, message: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(node.problem(self.file, message, remedy));
    }
}

const ENGINES: &str = "write hcl for Terraform, or jinja for CloudFormation";
