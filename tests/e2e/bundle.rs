//! An author's tools through the real binary, with real Terraform.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::bundle::{tarred, zipped};
use crate::support::plane::binary;
use crate::support::{examples, process};

/// What a command ended with.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

fn bundle(folder: &Path, words: &[&str]) -> Ended {
    let home = folder.join(".home");
    fs::create_dir_all(&home).unwrap();
    let output = process::command(binary(), &BTreeMap::new())
        .arg("bundle")
        .args(words)
        .current_dir(folder)
        .env("HOME", &home)
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let ended =
        Ended { code: output.status.code().unwrap_or(-1), stdout: text(&output.stdout), stderr: text(&output.stderr) };
    assert!(!ended.stderr.contains("panicked"), "{words:?}: {}", ended.stderr);
    ended
}

fn copy(name: &str) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("b");
    let from = examples().join(name);
    for (path, bytes) in crate::support::bundle::files(&from) {
        let path = copy.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    // A spec lies beside the bundle and isn't packed.
    fs::copy(from.join("spec.yaml"), copy.join("spec.yaml")).unwrap();
    (folder, copy)
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replace(from, to)).unwrap();
}

#[test]
fn a_mistake_is_told_in_every_form_with_its_place() {
    let (folder, copy) = copy("offline/environment");
    edit(&copy.join("infrastructure/main.tf"), "inputs.debug ?", "inputs.debgu ?");
    let text = bundle(folder.path(), &["check", "b"]);
    assert_eq!(text.code, 4, "{}", text.stderr);
    let place = "b/infrastructure/main.tf:8:15: error: `debgu` is no input of the schema, in `var.environment.inputs.debgu` [unknown-input]";
    assert!(text.stdout.starts_with(place), "{}", text.stdout);
    assert!(text.stdout.contains("did you mean `debug`?"), "{}", text.stdout);
    assert!(text.stderr.contains("b: 1 error\n"), "{}", text.stderr);
    let json: Value = serde_json::from_str(&bundle(folder.path(), &["check", "b", "--output", "json"]).stdout).unwrap();
    assert_eq!((&json["findings"][0]["line"], &json["errors"]), (&8.into(), &1.into()));
    let github = bundle(folder.path(), &["check", "b", "--output", "github"]).stdout;
    assert!(
        github.starts_with("::error file=b/infrastructure/main.tf,line=8,col=15,title=unknown-input::"),
        "{github}"
    );
    let sarif: Value =
        serde_json::from_str(&bundle(folder.path(), &["check", "b", "--output", "sarif"]).stdout).unwrap();
    assert_eq!(sarif["version"], "2.1.0");
    let refused = process::command(binary(), &BTreeMap::new())
        .args(["settings", "--output", "sarif"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn folders_archives_and_single_parts_are_checked_and_warnings_pass_unless_strict() {
    let (folder, copy) = copy("offline/service");
    fs::write(folder.path().join("b.zip"), zipped(&copy)).unwrap();
    fs::write(folder.path().join("b.tar.gz"), tarred(&copy)).unwrap();
    for path in ["b", ".", "b.zip", "b.tar.gz", "b/instance_infrastructure", "b/pipeline_infrastructure"] {
        let ended = bundle(folder.path(), &["check", path, "--strict"]);
        assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{path}: {}", ended.stderr);
    }
    let environment = examples().join("offline/environment");
    let ended = bundle(
        folder.path(),
        &["check", "b", "--environment", &environment.to_string_lossy(), "--spec", "b/spec.yaml"],
    );
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    edit(&copy.join("schema/schema.yaml"), "      properties:", "      properties:\n        idle: { type: string }");
    assert_eq!(bundle(folder.path(), &["check", "b"]).code, 0);
    assert_eq!(bundle(folder.path(), &["check", "b", "--strict"]).code, 4);
    edit(&copy.join("spec.yaml"), "proton:", "porton:");
    let ended = bundle(folder.path(), &["check", "b", "--spec", "b/spec.yaml"]);
    assert!(ended.stdout.starts_with("b/spec.yaml:"), "a spec is called as it was named: {}", ended.stdout);
}

#[test]
fn an_incompatible_minor_is_found_in_git() {
    let (folder, copy) = copy("offline/environment");
    let git = |words: &[&str]| {
        let done =
            process::command(Path::new("git"), &BTreeMap::new()).args(words).current_dir(&copy).output().unwrap();
        assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "--quiet"]);
    git(&["add", "."]);
    git(&["-c", "user.name=n", "-c", "user.email=n@example.com", "commit", "--quiet", "--message", "one"]);
    assert_eq!(bundle(folder.path(), &["check", "b", "--previous-git", "HEAD"]).code, 0);
    edit(&copy.join("schema/schema.yaml"), "enum: [1, 7, 30, 365]", "enum: [7, 30, 365]");
    let ended = bundle(folder.path(), &["check", "b", "--previous-git", "HEAD"]);
    assert!(ended.code == 4 && ended.stdout.contains("`log_retention_days` no longer takes 1"), "{}", ended.stdout);
    let ended = bundle(folder.path(), &["check", "b", "--previous-git", "nope"]);
    assert!(ended.code == 4 && ended.stdout.contains("as it was at nope"), "{}", ended.stdout);
}

#[test]
fn what_is_rendered_can_be_planned_and_a_refusal_names_the_authors_line() {
    let (folder, copy) = copy("offline/service");
    let ended = bundle(folder.path(), &["render", "b", "--spec", "b/spec.yaml", "--out", "out"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    assert!(ended.stderr.contains("stand-ins"), "{}", ended.stderr);
    // The example reads its environment's outputs, and stand-ins are none of the lists that it expects.
    let (secret, zones) = ("s".repeat(64), r#"["north"]"#);
    let outputs =
        serde_json::json!({ "BaseUrl": "https://dev", "LogLevel": "info", "SharedSecret": secret, "Zones": zones });
    let values = serde_json::json!({ "environment": { "outputs": outputs } });
    fs::write(folder.path().join("values.json"), values.to_string()).unwrap();
    let ended = bundle(folder.path(), &["plan", "b", "--spec", "b/spec.yaml", "--with", "values.json"]);
    assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.stdout.contains(" to create, 0 to update, 0 to destroy") && ended.stdout.contains("  + terraform_data."),
        "{}",
        ended.stdout
    );
    let ended = bundle(folder.path(), &["plan", "b", "--spec", "b/spec.yaml", "--pipeline", "--output", "json"]);
    let json: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(json[0]["changes"][0]["action"], "create");
    let main = copy.join("instance_infrastructure/zz.tf");
    fs::write(main, "resource \"terraform_data\" \"bad\" {\n  inpt = 1\n}\n").unwrap();
    let ended = bundle(folder.path(), &["plan", "b", "--spec", "b/spec.yaml"]);
    assert_eq!(ended.code, 10, "{}", ended.stdout);
    assert!(
        ended.stdout.contains("b/instance_infrastructure/zz.tf:2:") && ended.stdout.contains("inpt = 1"),
        "{}",
        ended.stdout
    );
}

#[test]
fn somebody_elses_files_are_not_written_over() {
    let (folder, _copy) = copy("offline/environment");
    fs::create_dir(folder.path().join("out")).unwrap();
    fs::write(folder.path().join("out/mine"), "x").unwrap();
    let words = ["render", "b", "--spec", "b/spec.yaml", "--out", "out"];
    let ended = bundle(folder.path(), &words);
    assert!(ended.code == 2 && ended.stderr.contains("no rendering has written"), "{}", ended.stderr);
    assert_eq!(bundle(folder.path(), &[&words[..], &["--force"]].concat()).code, 0);
    assert!(folder.path().join("out/mine").exists());
}

#[test]
fn a_new_bundle_is_clean_and_planned() {
    let folder = tempfile::tempdir().unwrap();
    for (name, words) in [("e", &["--kind", "environment"][..]), ("s", &["--kind", "service"])] {
        let ended = bundle(folder.path(), &[&["init", name][..], words].concat());
        assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
        assert!(ended.stderr.contains("to create"), "{}", ended.stderr);
        assert_eq!(bundle(folder.path(), &["init", name]).code, 2);
        let ended = bundle(folder.path(), &["test", name]);
        assert_eq!(ended.code, 0, "{}{}", ended.stdout, ended.stderr);
    }
    let ended = bundle(folder.path(), &["init", "c", "--engine", "cloudformation", "--kind", "service"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
}

#[test]
fn a_module_becomes_a_bundle_that_terraform_plans() {
    let folder = tempfile::tempdir().unwrap();
    let module = folder.path().join("terraform-queue");
    fs::create_dir(&module).unwrap();
    let text = "variable \"name\" {\n  type = string\n}\nvariable \"size\" {\n  type = object({ cpu = number, label = optional(string, \"x\") })\n  default = { cpu = 1 }\n}\nvariable \"note\" {\n  type = string\n  default = null\n}\nresource \"terraform_data\" \"q\" {\n  input = [var.name, var.size, var.note]\n}\noutput \"id\" {\n  value = terraform_data.q.id\n}\n";
    fs::write(module.join("main.tf"), text).unwrap();
    let ended = bundle(folder.path(), &["init", "b", "--from", "terraform-queue", "--kind", "service"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (0, ""), "{}", ended.stderr);
    assert!(ended.stderr.contains("+ module.queue.terraform_data.q"), "{}", ended.stderr);
}

#[test]
fn bad_input_ends_well() {
    let folder = tempfile::tempdir().unwrap();
    let at = |path: &str| folder.path().join(path);
    fs::create_dir_all(at("empty")).unwrap();
    fs::write(at("file"), "x").unwrap();
    let write = |name: &str, path: &str, bytes: &[u8]| {
        let path = at(name).join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let manifest = b"infrastructure:\r\n  templates:\r\n    - file: \"*\"\r\n      rendering_engine: hcl\r\n      template_language: terraform\r\n";
    let schema = b"\xef\xbb\xbfschema:\r\n  format: { openapi: \"3.0.0\" }\r\n  environment_input_type: In\r\n  types:\r\n    In: { type: object, properties: { a: { type: string, default: x } } }\r\n";
    let code = b"\xef\xbb\xbfoutput \"a\" {\r\n  value = var.environment.inputs.a\r\n}\r\n";
    for name in ["crlf", "deep", "hcl", "latin", "huge", "link"] {
        write(name, "schema/schema.yaml", schema);
        write(name, "infrastructure/manifest.yaml", manifest);
        write(name, "infrastructure/main.tf", code);
    }
    write("deep", "schema/schema.yaml", "- ".repeat(25_000).as_bytes());
    write("hcl", "infrastructure/deep.tf", format!("locals {{\n  a = {}\n}}\n", "[".repeat(100_000)).as_bytes());
    write("latin", "infrastructure/latin.tf", b"# \xe9\n");
    write("huge", "infrastructure/huge.tf", &vec![b'#'; 3 << 20]);
    std::os::unix::fs::symlink("/etc/passwd", at("link/infrastructure/p.tf")).unwrap();
    let crlf = bundle(folder.path(), &["check", "crlf", "--strict"]);
    assert_eq!((crlf.code, crlf.stdout.as_str()), (0, ""), "{}", crlf.stderr);
    for (name, words) in [
        ("missing", "doesn't exist"),
        ("empty", "holds no bundle"),
        ("file", "is no archive"),
        ("file/x", "is no folder"),
        ("deep", "nested more than"),
        ("hcl", "is no valid HCL"),
        ("latin", "isn't UTF-8"),
        ("huge", "is larger than 2 MiB"),
        ("link", "is a link"),
    ] {
        let ended = bundle(folder.path(), &["check", name]);
        assert!(ended.code == 4 && ended.stdout.contains(words), "{name}: {} {}", ended.stdout, ended.stderr);
    }
    for words in [
        &["render", "crlf", "--with", "file", "--out", "o"][..],
        &["render", "crlf", "--spec", "missing", "--out", "o"],
    ] {
        assert_eq!(bundle(folder.path(), words).code, 4, "{words:?}");
    }
}
