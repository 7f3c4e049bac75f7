//! Reads a pattern; a mistake names its place, and none hides another.

use std::fmt;
use std::net::IpAddr;

use serde_json::{Map, Value};

use super::{Case, Comparison, Condition, Field, Pattern, Text};

/// What is wrong with a pattern, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The place, from the pattern's root: `detail.status[1].prefix`.
    pub at: String,
    /// What is wrong and what would be right.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", if self.at.is_empty() { "the pattern" } else { &self.at }, self.what)
    }
}

/// What can be asked of a field besides its exact value.
const OPERATORS: &[&str] =
    &["prefix", "suffix", "anything-but", "numeric", "exists", "equals-ignore-case", "wildcard", "cidr"];

/// The largest number that EventBridge compares, either side of zero.
const LARGEST: f64 = 5e9;

pub(super) fn pattern(value: &Value) -> Result<Pattern, Vec<Mistake>> {
    let mut reader = Reader::default();
    let pattern = reader.object("", value);
    match pattern {
        Some(pattern) if reader.mistakes.is_empty() => Ok(pattern),
        _ => Err(reader.mistakes),
    }
}

#[derive(Default)]
struct Reader {
    mistakes: Vec<Mistake>,
}

impl Reader {
    fn wrong<T>(&mut self, at: &str, what: impl Into<String>) -> Option<T> {
        self.mistakes.push(Mistake { at: at.to_owned(), what: what.into() });
        None
    }

    fn object(&mut self, at: &str, value: &Value) -> Option<Pattern> {
        let Some(object) = value.as_object() else { return self.wrong(at, "must be an object") };
        if object.is_empty() {
            return self.wrong(at, "is empty, which EventBridge doesn't allow; leave it out to get every event");
        }
        let mut pattern = Pattern { fields: Vec::new(), alternatives: Vec::new() };
        for (name, value) in object {
            let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
            if name == "$or" {
                pattern.alternatives.extend(self.alternatives(&at, value));
            } else if let Some(field) = self.field(&at, value) {
                pattern.fields.push((name.clone(), field));
            }
        }
        Some(pattern)
    }

    fn alternatives(&mut self, at: &str, value: &Value) -> Option<Vec<Pattern>> {
        match value.as_array() {
            Some(all) if all.len() > 1 => {
                let each = all.iter().enumerate().filter_map(|(n, one)| self.object(&format!("{at}[{n}]"), one));
                Some(each.collect())
            }
            _ => self.wrong(at, "must be an array of two or more patterns"),
        }
    }

    fn field(&mut self, at: &str, value: &Value) -> Option<Field> {
        match value {
            Value::Object(_) => self.object(at, value).map(Field::Nested),
            Value::Array(conditions) if conditions.is_empty() => {
                self.wrong(at, "is an empty array, which no event matches")
            }
            Value::Array(conditions) => {
                let each = conditions.iter().enumerate();
                let each = each.filter_map(|(n, one)| self.condition(&format!("{at}[{n}]"), one));
                Some(Field::Leaf(each.collect()))
            }
            other => self.wrong(at, format!("must be an array of the values that match: [{other}]")),
        }
    }

    fn condition(&mut self, at: &str, value: &Value) -> Option<Condition> {
        match value {
            Value::Array(_) => self.wrong(at, "is an array in an array; write the values side by side"),
            Value::Object(operator) => self.operator(at, operator),
            exact => Some(Condition::Equals(exact.clone())),
        }
    }

    /// The one member of an operator's object.
    fn only<'v>(&mut self, at: &str, operator: &'v Map<String, Value>) -> Option<(&'v str, &'v Value)> {
        let mut members = operator.iter();
        match (members.next(), members.next()) {
            (Some((name, value)), None) => Some((name, value)),
            _ => self.wrong(at, "must name exactly one operator"),
        }
    }

    fn operator(&mut self, at: &str, operator: &Map<String, Value>) -> Option<Condition> {
        let (name, value) = self.only(at, operator)?;
        let at = format!("{at}.{name}");
        match name {
            "exists" => match value.as_bool() {
                Some(wanted) => Some(Condition::Exists(wanted)),
                None => self.wrong(&at, "must be true or false"),
            },
            "numeric" => self.numeric(&at, value),
            "cidr" => self.cidr(&at, value),
            "anything-but" => self.anything_but(&at, value),
            "prefix" | "suffix" | "equals-ignore-case" | "wildcard" => self.text(&at, name, value).map(Condition::Text),
            other => self.unknown(&at, other),
        }
    }

    fn unknown<T>(&mut self, at: &str, name: &str) -> Option<T> {
        let nearest = OPERATORS
            .iter()
            .max_by(|a, b| strsim::jaro_winkler(a, name).total_cmp(&strsim::jaro_winkler(b, name)))
            .expect("there are operators");
        self.wrong(at, format!("there is no operator `{name}`; did you mean `{nearest}`?"))
    }

    fn text(&mut self, at: &str, name: &str, value: &Value) -> Option<Text> {
        let (text, case) = match value {
            Value::String(text) => (text.clone(), Case::Kept),
            Value::Object(inner) if matches!(name, "prefix" | "suffix") => match (self.only(at, inner)?, at) {
                (("equals-ignore-case", Value::String(text)), _) => (text.clone(), Case::Ignored),
                _ => return self.wrong(at, "must be text, or {\"equals-ignore-case\": \"text\"}"),
            },
            _ => return self.wrong(at, "must be text"),
        };
        match name {
            "prefix" => Some(Text::Prefix(text, case)),
            "suffix" => Some(Text::Suffix(text, case)),
            "wildcard" => self.wildcard(at, &text),
            _ => Some(Text::Same(text)),
        }
    }

    /// An asterisk stands for anything, `\*` for an asterisk and `\\` for a backslash.
    fn wildcard(&mut self, at: &str, text: &str) -> Option<Text> {
        let (mut pieces, mut letters) = (vec![String::new()], text.chars().peekable());
        while let Some(letter) = letters.next() {
            match letter {
                '*' if letters.peek() == Some(&'*') => {
                    return self.wrong(at, "two asterisks in a row say no more than one; write one");
                }
                '*' => pieces.push(String::new()),
                _ => {
                    let escaped = (letter == '\\').then(|| letters.next());
                    match escaped {
                        None => pieces.last_mut().expect("there is a piece").push(letter),
                        Some(Some(escaped @ ('*' | '\\'))) => {
                            pieces.last_mut().expect("there is a piece").push(escaped);
                        }
                        Some(_) => return self.wrong(at, "a backslash escapes only `*` and `\\`"),
                    }
                }
            }
        }
        Some(Text::Wildcard(pieces))
    }

    fn anything_but(&mut self, at: &str, value: &Value) -> Option<Condition> {
        let exactly = |value: &Value| value.is_string() || value.is_number();
        match value {
            Value::Object(inner) => {
                let (name, value) = self.only(at, inner)?;
                let at = format!("{at}.{name}");
                if !matches!(name, "prefix" | "suffix" | "equals-ignore-case" | "wildcard") {
                    return self.wrong(&at, "must be one of `prefix`, `suffix`, `equals-ignore-case` and `wildcard`");
                }
                let each = match value {
                    Value::Array(all) if all.is_empty() => return self.wrong(&at, "is an empty array"),
                    Value::Array(all) => all.iter().collect(),
                    one => vec![one],
                };
                let texts: Vec<Text> = each.into_iter().filter_map(|one| self.text(&at, name, one)).collect();
                Some(Condition::AnythingBut { values: Vec::new(), texts })
            }
            Value::Array(all) if !all.is_empty() && all.iter().all(exactly) => {
                Some(Condition::AnythingBut { values: all.clone(), texts: Vec::new() })
            }
            one if exactly(one) => Some(Condition::AnythingBut { values: vec![one.clone()], texts: Vec::new() }),
            _ => self.wrong(at, "must be text, a number, an array of them, or an object with one operator on text"),
        }
    }

    fn numeric(&mut self, at: &str, value: &Value) -> Option<Condition> {
        let form = "must be one or two comparisons: [\">\", 0, \"<=\", 5]";
        let Some(parts) = value.as_array().filter(|parts| matches!(parts.len(), 2 | 4)) else {
            return self.wrong(at, form);
        };
        let mut comparisons = Vec::new();
        for pair in parts.chunks(2) {
            let (sign, number) = (pair[0].as_str().unwrap_or_default(), pair[1].as_f64());
            let comparison = match sign {
                "<" => Comparison::Less,
                "<=" => Comparison::AtMost,
                "=" => Comparison::Equal,
                ">=" => Comparison::AtLeast,
                ">" => Comparison::More,
                _ => return self.wrong(at, format!("{} is no comparison; {form}", pair[0])),
            };
            match number {
                Some(number) if number.abs() <= LARGEST => comparisons.push((comparison, number)),
                _ => return self.wrong(at, format!("{} is no number from -5e9 to 5e9", pair[1])),
            }
        }
        Some(Condition::Numeric(comparisons))
    }

    fn cidr(&mut self, at: &str, value: &Value) -> Option<Condition> {
        let parsed = value.as_str().and_then(|text| text.split_once('/')).and_then(|(network, bits)| {
            let (network, bits): (IpAddr, u8) = (network.parse().ok()?, bits.parse().ok()?);
            (bits <= if network.is_ipv4() { 32 } else { 128 }).then_some(Condition::Cidr { network, bits })
        });
        parsed.or_else(|| self.wrong(at, "must be a network: \"10.0.0.0/24\""))
    }
}
