//! Requests that just keep or just break one constraint, for every member of an input.

use hadron_model::{Action, Kind, Member, Shape};
use serde_json::{Value, json};

use crate::values::{Values, judge, size};

/// What a request must get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Expected {
    Passes,
    /// A ValidationException that says this and nothing of another member.
    Breach(String),
    /// A SerializationException that names this place.
    WrongType(String),
}

/// A request and its fate.
#[derive(Debug, Clone)]
pub(super) struct Case {
    /// Which constraint it is about: `min`, `pattern`.
    pub(super) rule: &'static str,
    pub(super) input: Value,
    pub(super) expected: Expected,
    /// What no answer may repeat.
    pub(super) secret: Option<String>,
}

/// A place in an input, as a JSON pointer and as AWS writes it.
#[derive(Debug, Clone, Default)]
struct Place {
    pointer: String,
    path: String,
}

impl Place {
    fn member(&self, name: &str) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { pointer: format!("{}/{name}", self.pointer), path: format!("{}{dot}{name}", self.path) }
    }

    fn entry(&self, index: usize) -> Self {
        Self { pointer: format!("{}/{index}", self.pointer), path: format!("{}.{}.member", self.path, index + 1) }
    }
}

/// Builds the cases of one operation on a request that is whole and good.
struct Builder<'a> {
    values: &'a mut Values,
    good: Value,
    cases: Vec<Case>,
}

/// All cases of an operation; the first is the good request itself.
pub(super) fn of(action: Action, values: &mut Values) -> Vec<Case> {
    let good = values.full(action.input());
    let first = Case { rule: "good", input: good.clone(), expected: Expected::Passes, secret: None };
    let mut builder = Builder { values, good, cases: vec![first] };
    builder.visit(action.input(), &Place::default());
    builder.cases
}

impl Builder<'_> {
    fn visit(&mut self, shape: &'static Shape, place: &Place) {
        self.wrong_types(shape, place);
        match &shape.kind {
            Kind::Structure { members, union } => {
                self.structure(members, *union, place);
                for member in members.iter().take(if *union { 1 } else { usize::MAX }) {
                    self.visit(member.shape, &place.member(member.name));
                }
            }
            Kind::List { of, min, max } => {
                self.list(shape, of, (size(*min), size(*max)), place);
                self.visit(of, &place.entry(0));
            }
            Kind::String { .. } => self.string(shape, place),
            Kind::Integer { min, max } => self.integer(shape, (*min, *max), place),
            Kind::Boolean => self.passes("boolean", place, json!(false)),
            Kind::Timestamp => self.passes("timestamp", place, json!(0.5)),
        }
    }

    fn structure(&mut self, members: &[Member], union: bool, place: &Place) {
        for member in members {
            let at = place.member(member.name);
            let mut without = self.good.clone();
            let parent = without.pointer_mut(&place.pointer).and_then(Value::as_object_mut).unwrap();
            if parent.remove(member.name).is_none() {
                continue;
            }
            let null = format!("Value null at '{}' failed to satisfy constraint: Member must not be null", at.path);
            let names: Vec<_> = members.iter().map(|it| it.name).collect();
            let one = format!(
                "Value 'null' at '{}' failed to satisfy constraint: Member must have exactly one of the members [{}]",
                place.path,
                names.join(", ")
            );
            let expected = match (union, member.required) {
                (true, _) => Expected::Breach(one),
                (false, true) => Expected::Breach(null),
                (false, false) => Expected::Passes,
            };
            self.cases.push(Case { rule: "required", input: without, expected: expected.clone(), secret: None });
            let nulled = self.with(&at, Value::Null);
            self.cases.push(Case { rule: "required", input: nulled, expected, secret: None });
        }
        let mut more = self.good.clone();
        let parent = more.pointer_mut(&place.pointer).and_then(Value::as_object_mut).unwrap();
        parent.insert("unheardOf".into(), json!({"of": [1]}));
        self.cases.push(Case { rule: "unknown", input: more, expected: Expected::Passes, secret: None });
    }

    fn list(&mut self, shape: &Shape, of: &'static Shape, (min, max): (Option<usize>, Option<usize>), place: &Place) {
        let mut entries = |count: usize| Value::Array((0..count).map(|_| self.values.full(of)).collect());
        let sizes = [min, max, min.and_then(|min| min.checked_sub(1)), max.map(|max| max + 1)];
        let [least, most, fewer, more] = sizes.map(|count| count.map(&mut entries));
        for kept in [least, most].into_iter().flatten() {
            self.passes("size", place, kept);
        }
        let shown = |list: &Value| match list.as_array().map_or(0, Vec::len) {
            0 => "[]".to_owned(),
            count => format!("[{count} entries]"),
        };
        if let (Some(list), Some(min)) = (fewer, min) {
            let shown = shown(&list);
            self.breaks("size", shape, place, list, &shown, &format!("have length greater than or equal to {min}"));
        }
        if let (Some(list), Some(max)) = (more, max) {
            let shown = shown(&list);
            self.breaks("size", shape, place, list, &shown, &format!("have length less than or equal to {max}"));
        }
    }

    fn integer(&mut self, shape: &Shape, (min, max): (Option<i64>, Option<i64>), place: &Place) {
        for kept in [min, max].into_iter().flatten() {
            self.passes("range", place, json!(kept));
        }
        if let Some(min) = min {
            let (given, rule) = (min - 1, format!("have value greater than or equal to {min}"));
            self.breaks("range", shape, place, json!(given), &given.to_string(), &rule);
        }
        if let Some(max) = max {
            let (given, rule) = (max + 1, format!("have value less than or equal to {max}"));
            self.breaks("range", shape, place, json!(given), &given.to_string(), &rule);
        }
    }

    fn string(&mut self, shape: &'static Shape, place: &Place) {
        let Kind::String { min, max, pattern, values } = &shape.kind else { unreachable!("it is a string") };
        if !values.is_empty() {
            for value in *values {
                self.passes("enum", place, json!(value));
            }
            let rule = format!("satisfy enum value set: [{}]", values.join(", "));
            return self.breaks("enum", shape, place, json!("NEITHER"), "NEITHER", &rule);
        }
        let text = self.values.text(shape);
        let pattern = pattern.map(|pattern| (pattern.text(), judge(pattern.text())));
        let fits = |text: &str| pattern.as_ref().is_none_or(|(_, judge)| judge.is_match(text.as_bytes()));
        if let Some(max) = size(*max) {
            if let Some(longest) = stretched(&text, max, fits) {
                self.passes("length", place, json!(longest));
            }
            let longer = stretched(&text, max + 1, fits).unwrap_or_else(|| "x".repeat(max + 1));
            let rule = format!("have length less than or equal to {max}");
            self.breaks("length", shape, place, json!(longer), &longer, &rule);
        }
        if let Some(min) = size(*min).filter(|min| *min > 0) {
            let cut = |count: usize| text.chars().take(count).collect::<String>();
            if fits(&cut(min)) {
                self.passes("length", place, json!(cut(min)));
            }
            let rule = format!("have length greater than or equal to {min}");
            self.breaks("length", shape, place, json!(cut(min - 1)), &cut(min - 1), &rule);
        }
        let Some((written, _)) = &pattern else { return };
        let within = |text: &String| {
            let count = text.chars().count();
            size(*min).is_none_or(|min| count >= min) && size(*max).is_none_or(|max| count <= max)
        };
        let broken = [format!("{text} !"), text.replace(['/', ':', '-', '.'], "!"), "é !".to_owned(), "!".repeat(12)];
        let broken = broken.into_iter().chain(size(*min).map(|min| "!".repeat(min)));
        let broken = broken.filter(within).find(|text| !fits(text)).expect("something breaks every pattern");
        self.breaks(
            "pattern",
            shape,
            place,
            json!(broken),
            &broken,
            &format!("satisfy regular expression pattern: {written}"),
        );
    }

    fn wrong_types(&mut self, shape: &Shape, place: &Place) {
        let fits = |value: &Value| match shape.kind {
            Kind::Structure { .. } => value.is_object(),
            Kind::List { .. } => value.is_array(),
            Kind::String { .. } => value.is_string(),
            Kind::Integer { .. } => value.is_i64(),
            Kind::Boolean => value.is_boolean(),
            Kind::Timestamp => value.is_number(),
        };
        for wrong in [json!(true), json!(1.5), json!(1), json!("text"), json!([]), json!({}), json!(u64::MAX)] {
            if fits(&wrong) {
                continue;
            }
            let named = if place.path.is_empty() { "the request".to_owned() } else { format!("'{}'", place.path) };
            let (input, expected) = (self.with(place, wrong), Expected::WrongType(named));
            self.cases.push(Case { rule: "type", input, expected, secret: None });
        }
    }

    fn with(&self, place: &Place, value: Value) -> Value {
        let mut input = self.good.clone();
        *input.pointer_mut(&place.pointer).unwrap() = value;
        input
    }

    fn passes(&mut self, rule: &'static str, place: &Place, value: Value) {
        let input = self.with(place, value);
        self.cases.push(Case { rule, input, expected: Expected::Passes, secret: None });
    }

    fn breaks(&mut self, rule: &'static str, shape: &Shape, place: &Place, value: Value, shown: &str, must: &str) {
        let given = if shape.sensitive { "Value".to_owned() } else { format!("Value '{shown}'") };
        let told = format!("{given} at '{}' failed to satisfy constraint: Member must {must}", place.path);
        // Shorter ones could stand in the message by chance.
        let secret = (shape.sensitive && shown.len() > 8).then(|| shown.to_owned());
        let input = self.with(place, value);
        self.cases.push(Case { rule, input, expected: Expected::Breach(told), secret });
    }
}

/// A good text at exactly this length, if repeating one of its characters keeps it good.
fn stretched(text: &str, length: usize, fits: impl Fn(&str) -> bool) -> Option<String> {
    let letters: Vec<char> = text.chars().collect();
    if letters.is_empty() {
        return Some("x".repeat(length)).filter(|it| fits(it));
    }
    if letters.len() >= length {
        return Some(letters[..length].iter().collect()).filter(|it: &String| fits(it));
    }
    let repeated = |at: usize| -> String {
        let middle = std::iter::repeat_n(letters[at], length - letters.len());
        letters[..at].iter().copied().chain(middle).chain(letters[at..].iter().copied()).collect()
    };
    (0..letters.len()).rev().map(repeated).find(|it| fits(it))
}
