//! Outputs as Proton takes them: texts, of a limited length, not too many.

use hcl_edit::expr::{Expression, TraversalOperator};

use super::at;
use crate::domain::{LONGEST_TEXT, MOST_OUTPUTS, Part, Problem};
use crate::workbench::finding::Report;
use crate::workbench::module::{Module, Output};

pub(super) fn check(part: &Part, module: &Module, report: &mut Report) {
    too_many(&part.folder, module.outputs.len(), report);
    for (name, output) in &module.outputs {
        if output.ephemeral {
            let message = format!("the output `{name}` is ephemeral, and Terraform lets no root module have one");
            report.error("output", at(part, &output.spot, message, "remove ephemeral = true"));
        }
        if name.len() > LONGEST_TEXT {
            let message = format!("an output's name has more than {LONGEST_TEXT} characters");
            report.error("output", at(part, &output.spot, message, "shorten it"));
        }
        if let Some((message, remedy)) = doubtful(name, output) {
            report.warn("output", at(part, &output.spot, message, remedy));
        }
    }
}

/// Notes that a part has more outputs than Proton takes.
pub(super) fn too_many(folder: &str, count: usize, report: &mut Report) {
    if count > MOST_OUTPUTS {
        let message = format!("declares {count} outputs, and Proton takes at most {MOST_OUTPUTS}");
        report.error("output", Problem::of(format!("{folder}/"), message, "join some of them into a list or a map"));
    }
}

fn doubtful(name: &str, output: &Output) -> Option<(String, String)> {
    match output.value.as_ref()? {
        Expression::Null(_) => {
            Some((format!("the output `{name}` is null and will be left out"), "give it a value, or remove it".into()))
        }
        Expression::String(text) if text.is_empty() => {
            Some((format!("the output `{name}` is empty and will be left out"), "give it a value, or remove it".into()))
        }
        Expression::String(text) if text.chars().count() > LONGEST_TEXT => {
            Some((format!("the output `{name}` has more than {LONGEST_TEXT} characters"), "shorten it".into()))
        }
        Expression::Traversal(traversal) => {
            let root = traversal.expr.as_variable()?.as_str();
            let names = traversal.operators.iter().filter(|it| matches!(***it, TraversalOperator::GetAttr(_))).count();
            let whole = match root {
                "data" => names == 2,
                "module" => names == 1,
                "var" | "local" | "each" | "path" | "terraform" | "count" | "self" => false,
                kind => kind.contains('_') && names == 1,
            };
            let message = format!(
                "the output `{name}` is a whole {}, which rarely fits into {LONGEST_TEXT} characters",
                what(root)
            );
            whole.then(|| (message, "name the attribute that is meant".into()))
        }
        _ => None,
    }
}

fn what(root: &str) -> &'static str {
    match root {
        "data" => "data source",
        "module" => "module",
        _ => "resource",
    }
}
