//! From a case's text to the case.

use std::collections::BTreeMap;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use super::{Case, CaseTarget, Expect, FileRule, Given, PlanRule, Refusal, ResourceRule, TextRule};
use crate::domain::yaml::{self, Content, Node, refuse_unknown_keys};
use crate::domain::{Problem, Problems};

const ACTIONS: [&str; 6] = ["create", "update", "replace", "delete", "read", "no-op"];

pub(super) fn case(file: &str, text: &str) -> Result<Case, Problems> {
    let document = yaml::parse(file, text)?;
    let mut reader = Reader { file, problems: Problems::default() };
    if !document.is_map() {
        let message = format!("a case must be a map, not {}", document.kind());
        return Err(document.problem(file, message, "write at least `spec: ../spec.yaml`").into());
    }
    let known = ["description", "spec", "with", "instance", "pipeline", "expect"];
    refuse_unknown_keys(&mut reader.problems, file, &document, "the case", &known);
    let expect = reader.expect(document.get("expect"));
    let case = Case {
        name: Case::name_of(file),
        file: file.to_owned(),
        description: document.get("description").and_then(|node| reader.text(node, "description")),
        target: reader.target(&document),
        spec: document.get("spec").and_then(|node| reader.given(node, "spec")),
        values: document.get("with").and_then(|node| reader.given(node, "with")),
        expect,
    };
    if case.spec.is_none() && case.values.is_none() {
        reader.refuse(&document, "the case gives neither `spec` nor `with`", "write at least `spec: ../spec.yaml`");
    }
    let read = reader.problems.in_order().unless_any(|| case);
    #[cfg(test)]
    super::tests::an_editor_agrees(&document, &read);
    read
}

struct Reader<'a> {
    file: &'a str,
    problems: Problems,
}

impl Reader<'_> {
    fn target(&mut self, case: &Node) -> CaseTarget {
        let pipeline = case.get("pipeline").filter(|node| self.flag(node, "pipeline"));
        let instance = case.get("instance").and_then(|node| self.text(node, "instance"));
        match (instance, pipeline) {
            (Some(_), Some(node)) => {
                self.refuse(node, "a case deploys an instance or the pipeline, not both", "make it two cases");
                CaseTarget::Pipeline
            }
            (Some(name), None) => CaseTarget::Instance(name),
            (None, Some(_)) => CaseTarget::Pipeline,
            (None, None) => CaseTarget::TheOne,
        }
    }

    fn given(&mut self, node: &Node, key: &str) -> Option<Given> {
        match &node.content {
            Content::Text(path) => Some(Given::File(path.clone())),
            Content::Map(_) => Some(Given::Here(node.to_value())),
            _ => {
                let message = format!("`{key}` must be a file's path or a map, not {}", node.kind());
                self.refuse(node, message, "a path is relative to this file");
                None
            }
        }
    }

    fn expect(&mut self, node: Option<&Node>) -> Expect {
        let Some(node) = node.filter(|node| node.content != Content::Null) else { return Expect::default() };
        if !self.is_map(node, "expect") {
            return Expect::default();
        }
        self.known(node, "`expect`", &["snapshot", "files", "refused", "plan"]);
        let expect = Expect {
            snapshot: node.get("snapshot").is_some_and(|node| self.flag(node, "snapshot")),
            files: node.get("files").map(|node| self.files(node)).unwrap_or_default(),
            refused: node.get("refused").map(|node| self.refusals(node)).unwrap_or_default(),
            plan: node.get("plan").map(|node| self.plan(node)),
        };
        if !expect.refused.is_empty() && (expect.snapshot || !expect.files.is_empty() || expect.plan.is_some()) {
            self.refuse(node, "what is refused has neither files nor a plan", "make it two cases");
        }
        expect
    }

    fn files(&mut self, node: &Node) -> BTreeMap<String, FileRule> {
        if !self.is_map(node, "files") {
            return BTreeMap::new();
        }
        node.entries().iter().map(|entry| (entry.key.clone(), self.file_rule(&entry.node))).collect()
    }

    fn file_rule(&mut self, node: &Node) -> FileRule {
        if node.as_text() == Some("absent") {
            return FileRule::Absent;
        }
        if !node.is_map() {
            let message = format!("a file's rules are a map or `absent`, not {}", node.kind());
            self.refuse(node, message, "write contains: \"…\" below the file's name");
        }
        self.known(node, "the file", &["contains", "lacks", "matches", "equals", "json"]);
        let mut rules = Vec::new();
        for entry in node.entries() {
            match entry.key.as_str() {
                "contains" => rules.extend(self.texts(&entry.node, "contains").into_iter().map(TextRule::Contains)),
                "lacks" => rules.extend(self.texts(&entry.node, "lacks").into_iter().map(TextRule::Lacks)),
                "matches" => {
                    let patterns = self.texts(&entry.node, "matches");
                    rules.extend(patterns.iter().filter_map(|it| self.regex(&entry.node, it)).map(TextRule::Matches));
                }
                "equals" => rules.extend(self.text(&entry.node, "equals").map(TextRule::Equals)),
                "json" => rules.push(TextRule::Json(entry.node.to_value())),
                _ => {}
            }
        }
        FileRule::Present(rules)
    }

    fn regex(&mut self, node: &Node, pattern: &str) -> Option<Regex> {
        let compiled = RegexBuilder::new(pattern).multi_line(true).build();
        if let Err(error) = &compiled {
            let text = error.to_string();
            let why = text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
            self.refuse(node, format!("the pattern {pattern} can't be used: {why}"), "special characters need a \\");
        }
        compiled.ok()
    }

    fn refusals(&mut self, node: &Node) -> Vec<Refusal> {
        let one = std::slice::from_ref(node);
        let items = if matches!(node.content, Content::List(_)) { node.items() } else { one };
        if items.is_empty() {
            self.refuse(node, "`refused` lists at least one problem", "write says: \"…\"");
        }
        items.iter().filter_map(|item| self.refusal(item)).collect()
    }

    fn refusal(&mut self, node: &Node) -> Option<Refusal> {
        if let Some(says) = node.as_text() {
            return Some(Refusal { says: says.to_owned(), at: None });
        }
        self.known(node, "the problem", &["says", "at"]);
        let Some(says) = node.get("says") else {
            self.refuse(node, "a problem is expected by what it `says`", "write says: \"a part of its message\"");
            return None;
        };
        let says = self.text(says, "says")?;
        Some(Refusal { says, at: node.get("at").and_then(|node| self.text(node, "at")) })
    }

    fn plan(&mut self, node: &Node) -> PlanRule {
        if !self.is_map(node, "plan") {
            return PlanRule::default();
        }
        let known = ["create", "update", "replace", "delete", "addresses", "resources", "outputs", "fails"];
        self.known(node, "`plan`", &known);
        let mut rule = PlanRule::default();
        for action in &ACTIONS[..4] {
            if let Some(count) = node.get(action).and_then(|node| self.count(node, action)) {
                rule.counts.insert((*action).to_owned(), count);
            }
        }
        rule.addresses = node.get("addresses").map(|node| self.texts(node, "addresses"));
        if let Some(resources) = node.get("resources").filter(|node| self.is_map(node, "resources")) {
            let entries = resources.entries().iter();
            rule.resources = entries.map(|entry| (entry.key.clone(), self.resource(&entry.node))).collect();
        }
        if let Some(outputs) = node.get("outputs").filter(|node| self.is_map(node, "outputs")) {
            rule.outputs = outputs.to_map();
        }
        rule.fails = node.get("fails").and_then(|node| self.text(node, "fails"));
        rule
    }

    fn resource(&mut self, node: &Node) -> ResourceRule {
        let mut rule = ResourceRule::default();
        if let Some(action) = node.as_text() {
            rule.action = Some(action.to_owned());
        } else if self.is_map(node, "the resource") {
            self.known(node, "the resource", &["action", "values"]);
            rule.action = node.get("action").and_then(|node| self.text(node, "action"));
            if let Some(values) = node.get("values").filter(|node| self.is_map(node, "values")) {
                rule.values = values.to_map();
            }
        }
        if let Some(action) = rule.action.as_ref().filter(|action| !ACTIONS.contains(&action.as_str())) {
            self.refuse(node, format!("there is no action `{action}`"), format!("use one of {}", ACTIONS.join(", ")));
        }
        rule
    }

    fn known(&mut self, node: &Node, what: &str, keys: &[&str]) {
        refuse_unknown_keys(&mut self.problems, self.file, node, what, keys);
    }

    fn is_map(&mut self, node: &Node, key: &str) -> bool {
        if !node.is_map() {
            self.refuse(node, format!("`{key}` must be a map, not {}", node.kind()), "");
        }
        node.is_map()
    }

    fn flag(&mut self, node: &Node, key: &str) -> bool {
        if let Content::Bool(flag) = node.content {
            return flag;
        }
        self.refuse(node, format!("`{key}` must be true or false, not {}", node.kind()), "");
        false
    }

    fn count(&mut self, node: &Node, key: &str) -> Option<u64> {
        let count = if let Content::Number(number) = &node.content { number.as_u64() } else { None };
        if count.is_none() {
            self.refuse(
                node,
                format!("`{key}` must be a whole number, not {}", Value::to_string(&node.to_value())),
                "",
            );
        }
        count
    }

    /// A text, or a list of them.
    fn texts(&mut self, node: &Node, key: &str) -> Vec<String> {
        match &node.content {
            Content::List(items) => items.iter().filter_map(|item| self.text(item, key)).collect(),
            _ => self.text(node, key).into_iter().collect(),
        }
    }

    fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        let text = node.as_text().map(str::to_owned);
        if text.is_none() {
            self.refuse(node, format!("`{key}` must be text, not {}", node.kind()), "put it in quotes");
        }
        text
    }

    fn refuse(&mut self, node: &Node, message: impl Into<String>, remedy: impl Into<String>) {
        let problem: Problem = node.problem(self.file, message, remedy);
        self.problems.push(problem);
    }
}
