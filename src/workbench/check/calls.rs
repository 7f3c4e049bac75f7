//! Calls of modules that lie in the bundle.

use std::collections::BTreeMap;

use super::at;
use crate::domain::{Part, nearest};
use crate::workbench::finding::Report;
use crate::workbench::module::Module;

/// A module source that leads out of the part.
pub(super) struct Outside;

/// The folder that a source names from the folder of the call; `None` for modules that come from elsewhere.
///
/// <https://developer.hashicorp.com/terraform/language/modules/sources#local-paths>
pub(super) fn folder(from: &str, source: &str) -> Option<Result<String, Outside>> {
    if !source.starts_with("./") && !source.starts_with("../") {
        return None;
    }
    let mut parts: Vec<&str> = from.split('/').filter(|part| !part.is_empty()).collect();
    for part in source.split('/').filter(|part| !matches!(*part, "" | ".")) {
        if part != ".." {
            parts.push(part);
        } else if parts.pop().is_none() {
            return Some(Err(Outside));
        }
    }
    Some(Ok(parts.join("/")))
}

pub(super) fn check(
    part: &Part,
    module: &Module,
    modules: &BTreeMap<String, Module>,
    within: &str,
    report: &mut Report,
) {
    for (name, call) in &module.calls {
        let Some(source) = &call.source else { continue };
        let found = match folder(within, source) {
            None => continue,
            Some(Err(Outside)) => {
                let message = format!("the module `{name}` lies outside of {}/: {source}", part.folder);
                let remedy = "put a copy of it below the folder: only that travels with the bundle";
                report.error("module", at(part, &call.spot, message, remedy));
                continue;
            }
            Some(Ok(folder)) => modules.get(&folder),
        };
        let Some(called) = found else {
            let message = format!("the module `{name}` names a folder without Terraform files: {source}");
            report.error("module", at(part, &call.spot, message, "correct the path, or add the module"));
            continue;
        };
        if called.incomplete {
            continue;
        }
        for (argument, spot) in &call.arguments {
            if called.variables.contains_key(argument) {
                continue;
            }
            let remedy = match nearest(argument, called.variables.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("remove it, or declare the variable in {source}"),
            };
            let message = format!("the module `{name}` has no variable `{argument}`");
            report.error("module", at(part, spot, message, remedy));
        }
        let needed = called.variables.iter().filter(|(_, variable)| !variable.has_default);
        for (variable, _) in needed.filter(|(variable, _)| !call.arguments.contains_key(*variable)) {
            let message = format!("the module `{name}` isn't given `{variable}`, which has no default");
            report.error("missing-value", at(part, &call.spot, message, format!("add {variable} = …")));
        }
    }
}
