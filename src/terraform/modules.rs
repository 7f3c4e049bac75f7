//! Whether the modules that `init` fetched would be the same ones another time.

use std::fs;
use std::path::Path;

use serde::Deserialize;

/// `.terraform/modules/modules.json`.
#[derive(Debug, Deserialize)]
struct Manifest {
    #[serde(rename = "Modules")]
    modules: Vec<Module>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Module {
    /// The names of the calls that lead to it, with dots between; empty for the root.
    key: String,
    #[serde(default)]
    source: String,
    /// Of a module from a registry.
    #[serde(default)]
    version: Option<String>,
    /// Where it lies, relative to the work directory.
    dir: String,
}

/// Whether every module lies beside the files that call it, or is called by a version or a commit that stays what it is:
/// Terraform's lock file doesn't hold modules, so a branch, or a range of versions, is looked up by every `init`.
///
/// <https://developer.hashicorp.com/terraform/language/modules/sources>
pub(super) fn are_settled(work: &Path) -> bool {
    let Ok(text) = fs::read(work.join(".terraform/modules/modules.json")) else { return true };
    let Ok(manifest) = serde_json::from_slice::<Manifest>(&text) else { return false };
    manifest.modules.iter().all(|module| match (&module.version, module.source.as_str()) {
        (None, "") => true,
        (None, source) if source.starts_with("./") || source.starts_with("../") => true,
        (None, source) => names_a_commit(source),
        (Some(version), _) => is_called_exactly(work, &manifest, module, version),
    })
}

fn names_a_commit(source: &str) -> bool {
    let reference = source.rsplit_once("ref=").map_or("", |(_, reference)| reference);
    let reference = reference.split('&').next().unwrap_or_default();
    reference.len() == 40 && reference.chars().all(|c| c.is_ascii_hexdigit())
}

/// Whether the call names one version and no range.
fn is_called_exactly(work: &Path, manifest: &Manifest, module: &Module, version: &str) -> bool {
    let (caller, name) = module.key.rsplit_once('.').unwrap_or(("", &module.key));
    let Some(caller) = manifest.modules.iter().find(|module| module.key == caller) else { return false };
    let entries = fs::read_dir(work.join(&caller.dir)).into_iter().flatten().flatten();
    let constraints: Vec<String> = entries.filter_map(|entry| constraint(&entry.path(), name)).collect();
    let exact = |text: &str| text.trim().trim_start_matches('=').trim_start() == version;
    constraints.len() == 1 && constraints.iter().all(|text| exact(text))
}

/// The version that a file's call of a module asks for. JSON's calls aren't looked for, and so count as open.
fn constraint(file: &Path, name: &str) -> Option<String> {
    if file.extension()? != "tf" {
        return None;
    }
    let body = hcl::parse(&fs::read_to_string(file).ok()?).ok()?;
    let call = body.blocks().find(|block| {
        block.identifier() == "module" && block.labels().first().is_some_and(|label| label.as_str() == name)
    })?;
    let version = call.body().attributes().find(|attribute| attribute.key() == "version")?;
    match version.expr() {
        hcl::Expression::String(text) => Some(text.clone()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(main: &str, modules: &str) -> tempfile::TempDir {
        let work = tempfile::tempdir().unwrap();
        fs::create_dir_all(work.path().join(".terraform/modules")).unwrap();
        fs::write(work.path().join("main.tf"), main).unwrap();
        let root = r#"{"Key":"","Source":"","Dir":"."}"#;
        let text = format!(r#"{{"Modules":[{root},{modules}]}}"#);
        fs::write(work.path().join(".terraform/modules/modules.json"), text).unwrap();
        work
    }

    #[test]
    fn what_lies_in_the_bundle_and_what_a_commit_names_stays() {
        let commit = "0123456789012345678901234567890123456789";
        for (source, settled) in [
            ("./modules/m", true),
            (&format!("git::https://example.com/m.git?ref={commit}&depth=1") as &str, true),
            ("git::https://example.com/m.git?ref=main", false),
            ("git::https://example.com/m.git", false),
        ] {
            let module = format!(r#"{{"Key":"m","Source":"{source}","Dir":"modules/m"}}"#);
            assert_eq!(are_settled(work("", &module).path()), settled, "{source}");
        }
        assert!(are_settled(tempfile::tempdir().unwrap().path()), "no modules at all");
    }

    #[test]
    fn a_range_of_versions_is_looked_up_each_time() {
        let module =
            r#"{"Key":"m","Source":"registry.terraform.io/a/b/c","Version":"1.2.3","Dir":".terraform/modules/m"}"#;
        for (constraint, settled) in [("1.2.3", true), ("= 1.2.3", true), ("~> 1.2", false), (">= 1.0", false)] {
            let main = format!("module \"m\" {{\n  source  = \"a/b/c\"\n  version = \"{constraint}\"\n}}\n");
            assert_eq!(are_settled(work(&main, module).path()), settled, "{constraint}");
        }
        assert!(!are_settled(work("module \"m\" {\n  source = \"a/b/c\"\n}\n", module).path()));
    }
}
