//! Values that keep or break the model's constraints, made from the model itself.

use std::collections::HashMap;

use hadron_model::{Kind, Shape};
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;
use regex::bytes::{Regex, RegexBuilder};
use serde_json::{Map, Value, json};

/// Makes values; the same ones in every run.
pub(crate) struct Values {
    runner: TestRunner,
    texts: HashMap<&'static str, BoxedStrategy<String>>,
}

impl Values {
    pub(crate) fn new() -> Self {
        Self { runner: TestRunner::deterministic(), texts: HashMap::new() }
    }

    /// A value with every member that there is, lists with one entry at least, unions with their first member.
    pub(crate) fn full(&mut self, shape: &'static Shape) -> Value {
        match &shape.kind {
            Kind::Structure { members, union } => {
                let wanted = members.iter().take(if *union { 1 } else { usize::MAX });
                Value::Object(wanted.map(|it| (it.name.to_owned(), self.full(it.shape))).collect::<Map<_, _>>())
            }
            Kind::List { of, min, .. } => (0..min.unwrap_or(1).max(1)).map(|_| self.full(of)).collect(),
            Kind::String { .. } => json!(self.text(shape)),
            Kind::Integer { min, max } => json!(min.or(*max).unwrap_or(7)),
            Kind::Boolean => json!(true),
            Kind::Timestamp => json!(1_795_305_600),
        }
    }

    /// A text that a shape of texts takes.
    pub(crate) fn text(&mut self, shape: &'static Shape) -> String {
        let Kind::String { min, max, pattern, values } = &shape.kind else { panic!("{} is no text", shape.name) };
        if let Some(value) = values.first() {
            return (*value).to_owned();
        }
        let pattern = pattern.map_or("[a-z]{3,9}", |pattern| pattern.text());
        let limits = size(*min).unwrap_or(0)..=size(*max).unwrap_or(usize::MAX);
        let least = (*limits.start()).max(1);
        let made = self.texts.entry(shape.name);
        let made = made.or_insert_with(|| string_regex(&plain(pattern, least)).unwrap().boxed());
        for _ in 0..1000 {
            let text = made.new_tree(&mut self.runner).unwrap().current();
            if limits.contains(&text.chars().count()) {
                return text;
            }
        }
        if limits.contains(&0) { String::new() } else { panic!("nothing fits {}", shape.name) }
    }
}

/// A bound as a size.
pub(crate) fn size(bound: Option<i64>) -> Option<usize> {
    bound.and_then(|bound| usize::try_from(bound).ok())
}

/// A pattern in words that a generator knows: no anchors, ASCII classes, nothing endless.
fn plain(pattern: &str, least: usize) -> String {
    let ascii = pattern.replace(['^', '$'], "").replace(r"\d", "[0-9]");
    let ascii = ascii.replace(r"[\w", "[0-9A-Za-z_").replace(r"\w", "[0-9A-Za-z_]");
    let short = ascii.replace("{1,512}", "{1,8}").replace("{1,64}", "{1,8}").replace(".*", "[a-z ]{0,8}");
    let short = short.replace("]+", &format!("]{{{least},{}}}", least + 5)).replace("]*", "]{0,6}");
    short.replace(")*", "){0,3}").replace(").(", r")\.(")
}

/// The pattern as it is meant, to judge by.
pub(crate) fn judge(pattern: &str) -> Regex {
    RegexBuilder::new(pattern).unicode(false).build().unwrap()
}
