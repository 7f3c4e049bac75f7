//! A schema that takes every input that is known, as narrow as those inputs allow.

use std::fmt::Write as _;

use super::kind::{Fields, Kind, Seen};
use super::references::References;
use crate::domain::{InputType, yaml_key, yaml_value};
use crate::estate::Guess;

/// Values nested deeper are taken as they come: a schema may nest 64 levels, and each of a value's costs up to two.
const DEEPEST: usize = 16;

/// Longer names can't be declared, only let in.
///
/// <https://docs.aws.amazon.com/proton/latest/userguide/parameters.html>
const LONGEST_NAME: usize = 100;

/// What is known of the inputs of one version's environments, instances or pipelines.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Inputs of this version and of the lower minor versions, whose specs it takes, too.
    pub(super) own: Fields,
    /// Inputs of all minor versions of the major version.
    pub(super) all: Fields,
    /// What the code of this version and of the lower ones reads.
    pub(super) references: References,
}

/// One input type of a schema.
pub(super) struct Inferred {
    /// The type's name.
    pub(super) name: &'static str,
    /// Its text below `types`.
    pub(super) text: String,
    /// What had to be guessed.
    pub(super) guesses: Vec<Guess>,
}

/// The key of the schema that names an input type, the name that it gets, and what a template calls the inputs.
pub(super) fn words(which: InputType) -> (&'static str, &'static str, &'static str) {
    match which {
        InputType::Environment => ("environment_input_type", "EnvironmentInput", "environment"),
        InputType::Service => ("service_input_type", "ServiceInput", "service_instance"),
        InputType::Pipeline => ("pipeline_input_type", "PipelineInput", "pipeline"),
    }
}

/// The input type that takes everything known.
pub(super) fn input_type(which: InputType, known: &Known, title: &str) -> Inferred {
    let (_, name, root) = words(which);
    let mut writer = Writer::default();
    writer.line(4, &format!("{name}:"));
    writer.line(6, "type: object");
    writer.line(6, &format!("title: {}", yaml_value(&title.into())));
    writer.members(6, &members_of(known), &format!("{root}.inputs"), 0);
    Inferred { name, text: writer.text, guesses: writer.guesses }
}

/// The whole schema; `about` are comments at its head.
pub(super) fn document(types: &[(InputType, Inferred)], about: &[String]) -> String {
    let mut text = String::new();
    for line in about {
        writeln!(text, "# hadron: {line}").expect("text takes text");
    }
    text.push_str("schema:\n  format:\n    openapi: \"3.0.0\"\n");
    for (which, inferred) in types {
        writeln!(text, "  {}: {}", words(*which).0, inferred.name).expect("text takes text");
    }
    text.push_str("  types:\n");
    types.iter().for_each(|(_, inferred)| text.push_str(&inferred.text));
    text
}

/// One property to be written.
struct Member {
    name: String,
    seen: Seen,
    required: bool,
    /// Why it's a guess.
    why: Option<String>,
}

fn members_of(known: &Known) -> Vec<Member> {
    let own = if known.own.witnesses == 0 { &known.all } else { &known.own };
    let mut members: Vec<Member> = own.in_order().into_iter().map(|(name, _)| member(name, own, known)).collect();
    for (name, fallback) in known.references.iter().filter(|(name, _)| own.get(name).is_none()) {
        // A later minor version may have been given what this one's code only reads.
        let seen = known.all.get(name).map(|field| field.seen.clone()).unwrap_or_default().join(fallback.clone());
        let seen = if seen.kind.is_mixed() { fallback.clone() } else { seen };
        let (seen, kind) = or_text(seen);
        let why = format!("no known spec gives it, but the code reads it: optional, and {kind}");
        members.push(Member {
            name: name.clone(),
            seen: Seen { example: None, ..seen },
            required: false,
            why: Some(why),
        });
    }
    members
}

fn member(name: &str, own: &Fields, known: &Known) -> Member {
    let narrow = own.get(name).map(|field| field.seen.clone()).unwrap_or_default();
    let wide = known.all.get(name);
    let required = wide.is_some_and(|field| known.all.always(field));
    let wide = wide.map(|field| narrow.clone().join(field.seen.clone())).unwrap_or_default();
    let mut seen = if wide.kind.is_mixed() && !narrow.kind.is_mixed() { narrow } else { wide };
    let mut why = None;
    if seen.kind == Kind::Unknown {
        let fallback = known.references.get(name).cloned().unwrap_or_default();
        let (told, kind) = or_text(fallback);
        seen.kind = told.kind;
        why = Some(format!("only null was ever given: {kind}"));
    }
    Member { name: name.to_owned(), seen, required, why }
}

/// What was seen, or a text, and how to say it.
fn or_text(seen: Seen) -> (Seen, String) {
    if seen.kind == Kind::Unknown {
        return (Seen { kind: Kind::Text, ..seen }, "a string for want of anything that tells".into());
    }
    let said = format!("{} as its default in the code", seen.kind.name());
    (seen, said)
}

#[derive(Default)]
struct Writer {
    text: String,
    guesses: Vec<Guess>,
}

impl Writer {
    fn line(&mut self, indent: usize, line: &str) {
        writeln!(self.text, "{:indent$}{line}", "").expect("text takes text");
    }

    fn guess(&mut self, indent: usize, about: &str, why: &str) {
        self.line(indent, &format!("# hadron: guessed: {why}"));
        self.guesses.push(Guess { about: about.to_owned(), why: why.to_owned() });
    }

    /// `required`, `properties` and `additionalProperties` of an object.
    fn members(&mut self, indent: usize, members: &[Member], about: &str, depth: usize) {
        let required: Vec<&Member> = members.iter().filter(|member| member.required).collect();
        if !required.is_empty() {
            self.line(indent, "required:");
            required.iter().for_each(|member| self.line(indent + 2, &format!("- {}", yaml_key(&member.name))));
        }
        let (declared, open): (Vec<&Member>, Vec<&Member>) = members.iter().partition(|member| {
            !matches!(member.seen.kind, Kind::Mixed(_)) && member.name.chars().count() <= LONGEST_NAME
        });
        self.line(indent, "properties:");
        for member in &declared {
            let about = format!("{about}.{}", member.name);
            if let Some(why) = &member.why {
                self.guess(indent + 2, &about, why);
            }
            self.line(indent + 2, &format!("{}:", yaml_key(&member.name)));
            self.seen(indent + 4, &member.seen, &about, depth);
        }
        if declared.is_empty() {
            self.placeholder(indent + 2, members, about);
        }
        for member in &open {
            let name = yaml_value(&member.name.as_str().into());
            let why = match &member.seen.kind {
                Kind::Mixed(names) => format!("{name} was given as {}, which no type takes together", joined(names)),
                _ => format!("{name} is longer than the {LONGEST_NAME} characters of a name that can be declared"),
            };
            self.guess(indent, &format!("{about}.{}", member.name), &format!("{why}: let in undeclared"));
        }
        if !open.is_empty() {
            self.line(indent, "additionalProperties: true");
        }
    }

    /// An input type without a single property would be refused.
    fn placeholder(&mut self, indent: usize, members: &[Member], about: &str) {
        if members.is_empty() {
            self.guess(indent, about, "no input is known, and a schema declares at least one");
        }
        let mut name = "placeholder".to_owned();
        while members.iter().any(|member| member.name == name) {
            name.push('_');
        }
        self.line(indent, &format!("{name}:"));
        self.line(indent + 2, "type: string");
    }

    /// The type of one value.
    fn seen(&mut self, indent: usize, seen: &Seen, about: &str, depth: usize) {
        let name = if seen.kind == Kind::Unknown { "string" } else { seen.kind.name() };
        self.line(indent, &format!("type: {name}"));
        if seen.nullable {
            self.line(indent, "nullable: true");
        }
        if let Some(example) = seen.example.as_ref().filter(|_| depth == 0 && may_be_shown(about)) {
            let text = yaml_value(example);
            if seen.kind.is_scalar() && text.chars().count() <= 60 {
                self.line(indent, &format!("example: {text}"));
            }
        }
        match &seen.kind {
            _ if depth >= DEEPEST => {}
            Kind::List(items) => self.items(indent, items, about, depth),
            Kind::Map(fields) => self.map(indent, fields, about, depth),
            _ => {}
        }
    }

    fn items(&mut self, indent: usize, items: &Seen, about: &str, depth: usize) {
        match &items.kind {
            Kind::Unknown => self.guess(indent, about, "no item tells its type: items of any type are taken"),
            Kind::Mixed(names) => {
                let why = format!("its items were {}, which no type takes together: any are taken", joined(names));
                self.guess(indent, about, &why);
            }
            _ => {
                self.line(indent, "items:");
                self.seen(indent + 2, items, &format!("{about}[]"), depth + 1);
            }
        }
    }

    fn map(&mut self, indent: usize, fields: &Fields, about: &str, depth: usize) {
        let ordered = fields.in_order();
        if ordered.is_empty() {
            return self.guess(indent, about, "only empty maps were given: any names and values are taken");
        }
        if let Some(values) = fields.values_of_free_names() {
            self.guess(indent, about, "its names differ from spec to spec: names are taken as free");
            self.line(indent, "additionalProperties:");
            return self.seen(indent + 2, &values, &format!("{about}.*"), depth + 1);
        }
        let members: Vec<Member> = ordered
            .into_iter()
            .map(|(name, field)| Member {
                name: name.to_owned(),
                seen: field.seen.clone(),
                required: fields.always(field),
                why: None,
            })
            .collect();
        self.members(indent, &members, about, depth + 1);
    }
}

/// An example is shown by the API to whoever may read templates; what is called a secret isn't made one.
fn may_be_shown(about: &str) -> bool {
    let name = about.to_ascii_lowercase();
    !["secret", "passw", "token", "key", "credential"].iter().any(|word| name.contains(word))
}

fn joined(names: &std::collections::BTreeSet<&'static str>) -> String {
    names.iter().copied().collect::<Vec<_>>().join(" and ")
}
