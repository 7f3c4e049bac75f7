//! JSON as Jackson's default pretty printer writes it, and so Proton did: two blanks for each object around, `"k" : v`,
//! lists in one line, `{ }` and `[ ]` for what is empty, no newline at the end.
//!
//! Repositories that Proton wrote stay as they are, without a change of nothing but blanks.

use serde_json::Value;

/// The document's text.
pub(super) fn print(document: &Value) -> String {
    let mut out = String::new();
    write(&mut out, document, 0);
    out
}

/// `depth` counts objects: lists stay in their line and indent nothing.
fn write(out: &mut String, value: &Value, depth: usize) {
    match value {
        Value::Object(members) if members.is_empty() => out.push_str("{ }"),
        Value::Array(items) if items.is_empty() => out.push_str("[ ]"),
        Value::Object(members) => {
            out.push('{');
            for (index, (name, member)) in members.iter().enumerate() {
                out.push_str(if index == 0 { "\n" } else { ",\n" });
                indent(out, depth + 1);
                out.push_str(&Value::from(name.as_str()).to_string());
                out.push_str(" : ");
                write(out, member, depth + 1);
            }
            out.push('\n');
            indent(out, depth);
            out.push('}');
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                out.push_str(if index == 0 { "[ " } else { ", " });
                write(out, item, depth);
            }
            out.push_str(" ]");
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

fn indent(out: &mut String, depth: usize) {
    out.push_str(&"  ".repeat(depth));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::print;

    #[test]
    fn every_shape_is_laid_out_as_jackson_does() {
        let document = json!({"a": {}, "b": [], "c": ["x", 1, true, null], "d": {"e": 1.5, "f": "é\"\n"},
            "g": [{"h": 1, "i": [2]}, {}], "j": [[1], []]});
        insta::assert_snapshot!(print(&document), @r#"
        {
          "a" : { },
          "b" : [ ],
          "c" : [ "x", 1, true, null ],
          "d" : {
            "e" : 1.5,
            "f" : "é\"\n"
          },
          "g" : [ {
            "h" : 1,
            "i" : [ 2 ]
          }, { } ],
          "j" : [ [ 1 ], [ ] ]
        }
        "#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&print(&document)).unwrap(), document);
    }
}
