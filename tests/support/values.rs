//! Values that keep or break the model's constraints, made from the model itself.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use hadron_model::{Kind, Shape};
use proptest::strategy::{Strategy, ValueTree};
use proptest::string::string_regex;
use proptest::test_runner::TestRunner;
use regex::bytes::{Regex, RegexBuilder};
use serde_json::{Map, Value, json};

/// How many texts are made of each shape; drawing one anew each time would take most of a test's time.
const EACH: usize = 5;

/// Makes values; the same ones in every run.
pub(crate) struct Values {
    runner: TestRunner,
    /// The texts of each shape, by its address since both APIs use some names, and how often one was taken.
    texts: HashMap<usize, (Vec<String>, usize)>,
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
        let (made, taken) = match self.texts.entry(std::ptr::from_ref(shape).addr()) {
            Entry::Occupied(made) => made.into_mut(),
            Entry::Vacant(place) => place.insert((texts(shape, &mut self.runner), 0)),
        };
        *taken += 1;
        made[*taken % made.len()].clone()
    }
}

/// Texts within all bounds of a shape.
fn texts(shape: &'static Shape, runner: &mut TestRunner) -> Vec<String> {
    let Kind::String { min, max, pattern, values } = &shape.kind else { panic!("{} is no text", shape.name) };
    if let Some(value) = values.first() {
        return vec![(*value).to_owned()];
    }
    let pattern = pattern.map_or("[a-z]{3,9}", |pattern| pattern.text());
    let limits = size(*min).unwrap_or(0)..=size(*max).unwrap_or(usize::MAX);
    let strategy = string_regex(&plain(pattern, (*limits.start()).max(1))).unwrap();
    let drawn = (0..1000).map(|_| strategy.new_tree(runner).unwrap().current());
    let mut texts: Vec<String> = drawn.filter(|text| limits.contains(&text.chars().count())).take(EACH).collect();
    if texts.is_empty() {
        assert!(limits.contains(&0), "nothing fits {}", shape.name);
        texts.push(String::new());
    }
    texts
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
