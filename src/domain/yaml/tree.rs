//! From the parser's events to a tree.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};

use super::scalar::{self, TooLarge};
use super::{Content, Entry, Node, Place, placed};
use crate::domain::{Problem, Problems};

/// Deeper than any schema or spec; a limit for everything that walks the tree by recursion.
const DEEPEST: usize = 64;

/// Most nodes that aliases may add, against a few anchors that multiply into millions.
const MOST_ALIASED: usize = 10_000;

/// Most bytes of text and keys that aliases may add: an alias is a copy, and of one long text it takes only a few.
const MOST_ALIASED_BYTES: usize = 1 << 20;

/// Reads one document. `file` is the name that problems carry.
///
/// # Errors
/// The first error of syntax, or every duplicated key and unreadable value.
pub(crate) fn parse(file: &str, text: &str) -> Result<Node, Problems> {
    let mut tree = Tree { file, ..Tree::default() };
    for event in Parser::new_from_str(text) {
        let (event, span) = match event {
            Ok(event) => event,
            Err(error) => {
                // JSON may write a character beyond 16 bits as two escapes, which YAML doesn't know.
                if let Ok(value) = serde_json::from_str(text) {
                    return Ok(Node::of(&value, None));
                }
                let mark = error.marker();
                let problem = Problem::of(file, format!("is no valid YAML: {}", error.info()), INDENTATION);
                return Err(problem.at(mark.line(), mark.col() + 1).into());
            }
        };
        tree.take(event, place(span));
        if tree.hopeless {
            break;
        }
    }
    let document = tree.documents.pop();
    tree.problems.unless_any(|| document.unwrap_or(Node { at: None, content: Content::Null }))
}

const INDENTATION: &str = "check the indentation, the quotes and the brackets here and on the line above";

#[derive(Default)]
struct Tree<'a> {
    file: &'a str,
    open: Vec<Open>,
    documents: Vec<Node>,
    anchors: HashMap<usize, Node>,
    aliased: Copies,
    /// What anchors keep of other anchors' nodes.
    anchored: Copies,
    problems: Problems,
    /// Going on would only cost time and memory.
    hopeless: bool,
}

/// A list or map whose end hasn't come yet.
struct Open {
    node: Node,
    anchor: usize,
    key: Option<(String, Place)>,
    /// The keys so far: a search through the entries would take a large map quadratic time.
    keys: HashSet<String>,
}

impl Tree<'_> {
    fn take(&mut self, event: Event<'_>, at: Place) {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) => {
                if !self.documents.is_empty() {
                    self.refuse(at, "holds a second document", "keep one document and remove the `---` line");
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let content = self.scalar(&text, style, tag.as_deref(), at);
                let merges = style == ScalarStyle::Plain;
                self.insert(Node { at: Some(at), content }, anchor, Some((&text, merges)));
            }
            Event::SequenceStart(anchor, _) => self.start(Content::List(Vec::new()), anchor, at),
            Event::MappingStart(anchor, _) => self.start(Content::Map(Vec::new()), anchor, at),
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(mut open) = self.open.pop() {
                    self.merge(&mut open);
                    self.insert(open.node, open.anchor, None);
                }
            }
            Event::Alias(anchor) => self.alias(anchor, at),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, at: Place) -> Content {
        let string = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        if string || style != ScalarStyle::Plain {
            return Content::Text(text.to_owned());
        }
        scalar::resolve(text).unwrap_or_else(|TooLarge| {
            self.refuse(
                at,
                &format!("the integer {text} has more than 64 bits"),
                "put it in quotes to keep it as text",
            );
            Content::Null
        })
    }

    fn start(&mut self, content: Content, anchor: usize, at: Place) {
        if self.open.len() >= DEEPEST {
            self.refuse(at, &format!("is nested more than {DEEPEST} levels deep"), "flatten it");
            self.hopeless = true;
        }
        self.open.push(Open { node: Node { at: Some(at), content }, anchor, key: None, keys: HashSet::new() });
    }

    fn alias(&mut self, anchor: usize, at: Place) {
        let Some(node) = self.anchors.get(&anchor) else {
            self.refuse(at, "refers to an anchor within itself", "write the value out");
            self.hopeless = true;
            return;
        };
        if !self.aliased.allow(node) {
            let message = format!("its aliases stand for more than {}", Copies::limit());
            self.refuse(at, &message, "write the values out");
            self.hopeless = true;
            return;
        }
        let node = node.clone();
        let text = node.as_text().map(str::to_owned);
        self.insert(node, 0, text.as_deref().map(|text| (text, false)));
    }

    /// Puts a finished node into what is open; a scalar comes with its text, since any scalar can be a key.
    fn insert(&mut self, node: Node, anchor: usize, scalar: Option<(&str, bool)>) {
        if anchor > 0 {
            // One copy of the document is bearable; a copy for each level of anchors isn't.
            let nested = self.open.iter().any(|open| open.anchor > 0);
            if nested && !self.anchored.allow(&node) {
                let message = format!("anchors within its anchors hold more than {}", Copies::limit());
                self.refuse(node.at.unwrap_or(START), &message, "don't nest anchors");
                self.hopeless = true;
                return;
            }
            self.anchors.insert(anchor, node.clone());
        }
        let Some(open) = self.open.last_mut() else {
            self.documents.push(node);
            return;
        };
        let Content::Map(entries) = &mut open.node.content else {
            if let Content::List(items) = &mut open.node.content {
                items.push(node);
            }
            return;
        };
        let Some((key, at)) = open.key.take() else {
            let at = node.at.unwrap_or(START);
            match scalar {
                Some((text, true)) if text == MERGE => open.key = Some((MERGE_KEY.to_owned(), at)),
                Some((text, _)) => open.key = Some((text.to_owned(), at)),
                None => {
                    open.key = Some((String::new(), at));
                    self.refuse(at, "a list or map stands as a key", "quote the key, or quote text that has braces");
                }
            }
            return;
        };
        if key != MERGE_KEY && !open.keys.insert(key.clone()) {
            self.refuse(at, &format!("the key `{key}` is given twice"), "remove one of them");
        } else {
            entries.push(Entry { key, at: Some(at), node });
        }
    }

    /// Takes the keys of merged maps over into the map that merges them, whose own keys win. They are moved: what an
    /// alias stands for was copied and counted where it stands.
    fn merge(&mut self, open: &mut Open) {
        let Content::Map(entries) = &mut open.node.content else { return };
        if !entries.iter().any(|entry| entry.key == MERGE_KEY) {
            return;
        }
        let (merges, own): (Vec<Entry>, Vec<Entry>) =
            std::mem::take(entries).into_iter().partition(|entry| entry.key == MERGE_KEY);
        *entries = own;
        for Entry { at, node, .. } in merges {
            let sources = if let Content::List(items) = node.content { items } else { vec![node] };
            for source in sources {
                let kind = source.kind();
                let Content::Map(merged) = source.content else {
                    let message = format!("the merge key `<<` takes a map, not {kind}");
                    self.refuse(at.unwrap_or(START), &message, "give it an alias of a map, or quote \"<<\"");
                    continue;
                };
                entries.extend(merged.into_iter().filter(|entry| open.keys.insert(entry.key.clone())));
            }
        }
    }

    fn refuse(&mut self, at: Place, message: &str, remedy: &str) {
        self.problems.push(placed(Problem::of(self.file, message, remedy), Some(at)));
    }
}

/// YAML 1.1's merge key, which people still write beside their anchors.
///
/// <https://yaml.org/type/merge.html>
const MERGE: &str = "<<";

/// The merge key while its map is open; a quoted `"<<"` is an ordinary key.
const MERGE_KEY: &str = "\0<<";

/// The place of what was never written.
const START: Place = Place { start: 0, line: 1, column: 1 };

/// What copies of nodes take, counted before they are made.
#[derive(Default)]
struct Copies {
    values: usize,
    bytes: usize,
}

impl Copies {
    /// Counts a node with all that lies in it, and says whether it may still be copied.
    fn allow(&mut self, node: &Node) -> bool {
        self.count(node);
        self.values <= MOST_ALIASED && self.bytes <= MOST_ALIASED_BYTES
    }

    fn count(&mut self, node: &Node) {
        self.values += 1;
        match &node.content {
            Content::Text(text) => self.bytes += text.len(),
            Content::List(items) => items.iter().for_each(|item| self.count(item)),
            Content::Map(entries) => {
                for entry in entries {
                    self.bytes += entry.key.len();
                    self.count(&entry.node);
                }
            }
            _ => {}
        }
    }

    fn limit() -> String {
        format!("{MOST_ALIASED} values or {} MiB of text", MOST_ALIASED_BYTES >> 20)
    }
}

fn place(span: Span) -> Place {
    // The end isn't kept: that of a quoted scalar lies behind the comment that follows it.
    Place { start: span.start.index(), line: span.start.line(), column: span.start.col() + 1 }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use serde_json::{Value, json};

    use super::*;

    fn value(text: &str) -> Value {
        parse("f", text).unwrap().to_value()
    }

    fn problems(text: &str) -> String {
        parse("f", text).unwrap_err().to_string()
    }

    #[test]
    fn yaml_and_json_give_the_same_tree() {
        let yaml = "proton: EnvironmentSpec\nspec:\n  port: 80\n  on: true\n  l: [a, \"b\"]\n  t: \"80\"\n";
        let json = r#"{"proton":"EnvironmentSpec","spec":{"port":80,"on":true,"l":["a","b"],"t":"80"}}"#;
        assert_eq!(value(yaml), value(json));
        let tabs = "{\n\t\"proton\": \"EnvironmentSpec\",\n\t\"spec\": {\n\t\t\"port\": 80,\n\t\t\"on\": true,\n\t\t\"l\": [\"a\", \"b\"],\n\t\t\"t\": \"80\"\n\t}\n}\n";
        assert_eq!(value(tabs), value(json));
        let flow = "{proton: EnvironmentSpec, spec: {port: 80, on: true, l: [a, b], t: '80'}}";
        assert_eq!(value(flow), value(json));
        assert_eq!(value("\u{feff}a: 1\r\nb: 2\r\n"), json!({"a": 1, "b": 2}));
        assert_eq!(value(r#"{"a": "\/\ud83d\ude00\u00e9"}"#), json!({"a": "/😀é"}));
        assert_eq!(value(""), json!(null));
        assert_eq!(value("--- \na: !!str 1\n...\n"), json!({"a": "1"}));
    }

    #[test]
    fn every_node_knows_its_place() {
        let text = "ä: 1\nlist:\n  - name: \"x y\"\n    b: plain # c\n";
        let node = parse("f", text).unwrap();
        let item = &node.get("list").unwrap().items()[0];
        let cut = |node: &Node| {
            let at = node.at.unwrap();
            (at.line, at.column, text.chars().skip(at.start).take(5).collect::<String>())
        };
        assert_eq!(cut(item.get("name").unwrap()), (3, 11, "\"x y\"".to_owned()));
        assert_eq!(cut(item.get("b").unwrap()), (4, 8, "plain".to_owned()));
        assert_eq!(item.entries()[1].at.unwrap().column, 5);
    }

    #[test]
    fn broken_yaml_names_its_line() {
        assert!(problems("a: [1, 2\nb: 3\n").starts_with("f:"), "{}", problems("a: [1, 2\nb: 3\n"));
        assert!(problems("a: \"x\nb: 3\n").contains("is no valid YAML"));
    }

    #[test]
    fn all_duplicated_keys_are_told_at_once() {
        let text = problems("a: 1\na: 2\nb:\n  c: 1\n  c: 2\n");
        assert!(text.contains("f:2:1: the key `a`") && text.contains("f:5:3: the key `c`"), "{text}");
    }

    #[test]
    fn anchors_and_merge_keys_are_followed() {
        let text = "base: &b {x: 1, y: 2}\none: {<<: *b, y: 3}\ntwo: *b\n\"<<\": kept\n";
        assert_eq!(
            value(text),
            json!({"base": {"x": 1, "y": 2}, "one": {"y": 3, "x": 1}, "two": {"x": 1, "y": 2}, "<<": "kept"})
        );
    }

    #[test]
    fn aliases_that_multiply_are_refused() {
        let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned();
        for n in 1..9 {
            let list = vec![format!("*a{}", n - 1); 10].join(",");
            writeln!(text, "a{n}: &a{n} [{list}]").unwrap();
        }
        assert!(problems(&text).contains("aliases stand for more than"), "{}", problems(&text));
    }

    #[test]
    fn copies_of_a_large_text_are_refused_before_they_are_made() {
        let large = "z".repeat(100_000);
        let listed = |times: usize| format!("x: &a \"{large}\"\ny: [{}]\n", vec!["*a"; times].join(", "));
        assert!(parse("f", &listed(5)).is_ok());
        assert!(
            problems(&listed(50)).starts_with("f:2:45: its aliases stand for more than"),
            "{}",
            problems(&listed(50))
        );
        let with = |line: &str| {
            format!(
                "x: &a\n  ? {large}\n  : 1\n{}",
                (0..50).map(|n| line.replace('N', &n.to_string())).collect::<String>()
            )
        };
        for line in ["kN: *a\n", "kN: {<<: *a}\n", "kN: {<<: [*a, *a]}\n"] {
            assert!(problems(&with(line)).contains("aliases stand for more than"), "{line}");
        }
    }

    #[test]
    fn anchors_within_anchors_dont_multiply_what_they_hold() {
        let nested = |depth: usize| format!("{}{}{}", "&a [".repeat(depth), "1,".repeat(5_000), "]".repeat(depth));
        assert!(parse("f", &nested(1)).is_ok());
        assert!(
            problems(&nested(60)).contains("anchors within its anchors hold more than"),
            "{}",
            problems(&nested(60))
        );
    }

    #[test]
    fn a_merge_key_that_merges_no_map_is_refused_with_its_line() {
        for (text, problem) in [
            ("a: 1\nb:\n  <<: foo\n", "f:3:3: the merge key `<<` takes a map, not a string"),
            ("a: &a {x: 1}\nb:\n  <<: [*a, 2]\n", "f:3:3: the merge key `<<` takes a map, not an integer"),
            ("b:\n  <<:\n", "f:2:3: the merge key `<<` takes a map, not nothing"),
        ] {
            assert!(problems(text).starts_with(problem), "{}", problems(text));
        }
    }

    #[test]
    fn endless_nesting_is_refused_and_not_a_stack_overflow() {
        for text in ["- ".repeat(20_000), "[".repeat(20_000), "{a: ".repeat(20_000), "? ".repeat(20_000)] {
            assert!(parse("f", &text).is_err());
        }
    }

    #[test]
    fn a_second_document_and_a_huge_integer_are_refused() {
        assert!(problems("a: 1\n---\nb: 2\n").contains("second document"));
        assert!(problems("a: 123456789012345678901234567890\n").contains("f:1:4: the integer"));
        assert!(problems("{{ x }}: 1\n").contains("as a key"));
    }
}
