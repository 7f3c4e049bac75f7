//! Bundles and specs that must end well: refused with words that help, nothing lost, and a way out.

use std::io::Write;

use flate2::{Compress, Compression, Crc, FlushCompress};
use serde_json::{Value, json};

use crate::support::plane::{Plane, Start};
use crate::support::shell::Shell;
use crate::support::tools::Tools;
use crate::support::{bundle, examples};

/// A bundle of an environment template, and what its refusal must mention.
struct Bad {
    name: &'static str,
    archive: Vec<u8>,
    words: &'static [&'static str],
}

type Files = Vec<(String, Vec<u8>)>;

/// The offline environment, whole and good.
fn good() -> Files {
    bundle::files(&examples().join("offline/environment"))
}

fn with(path: &str, contents: &str) -> Files {
    let mut files = good();
    files.retain(|(name, _)| name != path);
    files.push((path.to_owned(), contents.as_bytes().to_vec()));
    files
}

fn replaced(path: &str, from: &str, to: &str) -> Files {
    let files = good();
    let (_, contents) = files.iter().find(|(name, _)| name == path).expect("a file of the example");
    let text = String::from_utf8_lossy(contents);
    assert!(text.contains(from), "{path} says {from}");
    with(path, &text.replace(from, to))
}

const SCHEMA: &str = "schema/schema.yaml";
const MANIFEST: &str = "infrastructure/manifest.yaml";

fn all() -> Vec<Bad> {
    let bad = |name, files: Files, words| Bad { name, archive: bundle::tar_gz(&files), words };
    let without_schema: Files = good().into_iter().filter(|(name, _)| name != SCHEMA).collect();
    let mut three = replaced(SCHEMA, "openapi: \"3.0.0\"", "openapi: \"2.0\"");
    three.retain(|(name, _)| name != "infrastructure/outputs.tf" && name != MANIFEST);
    three.push((MANIFEST.into(), manifest("absent.tf").into_bytes()));
    three.push(("infrastructure/outputs.tf".into(), b"output \"BaseUrl\" {\n  value = \n".to_vec()));
    vec![
        Bad { name: "no-archive", archive: b"this is a letter".to_vec(), words: &["zip", "tar"] },
        Bad { name: "cut-short", archive: cut_short(), words: &["unpacked"] },
        bad("lacks-schema", without_schema, &["schema"]),
        bad("names-missing-file", with(MANIFEST, &manifest("absent.tf")), &[MANIFEST, "absent.tf"]),
        Bad { name: "escapes-its-root", archive: escaping("../../outside.tf"), words: &["outside.tf"] },
        Bad { name: "absolute-path", archive: escaping("/tmp/outside.tf"), words: &["outside.tf"] },
        Bad { name: "link", archive: linking(), words: &["link"] },
        Bad { name: "bomb", archive: bomb(), words: &["unpacks to more than"] },
        bad(
            "schema-not-openapi",
            replaced(SCHEMA, "openapi: \"3.0.0\"", "jsonschema: \"draft-07\""),
            &[SCHEMA, "openapi"],
        ),
        bad("schema-no-yaml", with(SCHEMA, "schema:\n  format: {openapi: \"3.0.0\"\n"), &["schema/schema.yaml:"]),
        bad(
            "broken-hcl",
            with("infrastructure/broken.tf", "locals {\n  half = [1, 2\n}\n"),
            &["infrastructure/broken.tf:"],
        ),
        bad(
            "moves-the-state",
            with("infrastructure/zzzz_override.tf", "terraform {\n  backend \"local\" {}\n}\n"),
            &["infrastructure/zzzz_override.tf:2", "backend"],
        ),
        bad("three-at-once", three, &["openapi", "absent.tf", "infrastructure/outputs.tf:"]),
    ]
}

fn manifest(file: &str) -> String {
    format!(
        "infrastructure:\n  templates:\n    - file: \"{file}\"\n      rendering_engine: hcl\n      \
         template_language: terraform\n"
    )
}

/// An upload that broke off.
fn cut_short() -> Vec<u8> {
    let mut whole = bundle::tar_gz(&good());
    whole.truncate(whole.len() / 2);
    whole
}

/// A good bundle and one more entry, made by hand since the tar crate refuses such names.
fn escaping(name: &str) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_gnu_mut().expect("a GNU header").name[..name.len()].copy_from_slice(name.as_bytes());
    tarred_with(header, b"# outside\n")
}

fn linking() -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path("infrastructure/link.tf").expect("a short path");
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_link_name("/etc/passwd").expect("a short path");
    tarred_with(header, b"")
}

fn tarred_with(mut header: tar::Header, contents: &[u8]) -> Vec<u8> {
    header.set_size(contents.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let encoder = flate2::write::GzEncoder::new(Vec::new(), Compression::fast());
    let mut archive = tar::Builder::new(encoder);
    for (name, contents) in good() {
        let mut header = tar::Header::new_gnu();
        header.set_size(contents.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, contents.as_slice()).expect("a name that tar takes");
    }
    archive.append(&header, contents).expect("memory takes bytes");
    archive.into_inner().expect("memory takes bytes").finish().expect("memory takes bytes")
}

/// What the bomb unpacks to: 10 GB.
const BOMB: u64 = 10_000_000_000;

/// A gzipped tar of [`BOMB`] zeros in less than the 10 MB that a bundle may have.
///
/// One piece of zeros is compressed once, ending at a byte's border and without memory of what came before, and then
/// repeated.
fn bomb() -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.set_path("infrastructure/zeros.tf").expect("a short path");
    header.set_size(BOMB);
    header.set_mode(0o644);
    header.set_cksum();
    let piece = vec![0; 4 << 20];
    let (head, zeros) = (deflated(header.as_bytes()), deflated(&piece));
    let pieces = BOMB / piece.len() as u64;
    let mut sum = crc(header.as_bytes());
    let piece_sum = crc(&piece);
    // Deflate within gzip, no name, no time.
    let mut archive = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
    archive.extend(&head);
    for _ in 0..pieces {
        archive.extend(&zeros);
        sum.combine(&piece_sum);
    }
    // An empty last block, then the trailer.
    archive.extend([3, 0]);
    archive.write_all(&sum.sum().to_le_bytes()).expect("memory takes bytes");
    archive.write_all(&sum.amount().to_le_bytes()).expect("memory takes bytes");
    archive
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut compress = Compress::new(Compression::best(), false);
    let mut out = Vec::with_capacity(bytes.len() + 1024);
    compress.compress_vec(bytes, &mut out, FlushCompress::Full).expect("room enough");
    out
}

fn crc(bytes: &[u8]) -> Crc {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc
}

#[test]
fn the_bomb_is_within_the_quota_until_it_is_unpacked() {
    let bomb = bomb();
    assert!(bomb.len() < 10_000_000, "{} bytes", bomb.len());
    let mut unpacked = flate2::read::GzDecoder::new(bomb.as_slice());
    let mut beginning = vec![0; 9 << 20];
    std::io::Read::read_exact(&mut unpacked, &mut beginning).unwrap();
    let header = tar::Header::from_byte_slice(&beginning[..512]);
    assert_eq!(header.entry_size().unwrap(), BOMB);
    assert!(beginning[512..].iter().all(|byte| *byte == 0));
}

/// Registers every bundle named in a JSON list as a version of the template and prints what became of each.
const REGISTER: &str = r#"
import boto3, json, sys, time
proton = boto3.client("proton")
result = {}
for name in json.load(open("names.json")):
    source = {"s3": {"bucket": "bundles", "key": name}}
    version = proton.create_environment_template_version(templateName="bad", source=source)["environmentTemplateVersion"]
    which = {key: version[key] for key in ("templateName", "majorVersion", "minorVersion")}
    while version["status"] == "REGISTRATION_IN_PROGRESS":
        time.sleep(0.05)
        version = proton.get_environment_template_version(**which)["environmentTemplateVersion"]
    result[name] = [version["status"], version.get("statusMessage", "")]
print(json.dumps(result))
"#;

#[test]
fn a_bad_bundle_is_refused_in_words_that_help_and_the_next_good_one_is_taken() {
    let tools = Tools::get();
    let plane = Plane::up(Start { flags: vec!["--no-agent".into()], ..Start::default() });
    let shell = Shell::new(tools, plane.exported());
    shell.ok("aws s3 mb s3://bundles && aws proton create-environment-template --name bad");
    std::fs::create_dir(shell.folder().join("bundles")).unwrap();
    let bad = all();
    for one in &bad {
        shell.file(&format!("bundles/{}", one.name), &one.archive);
    }
    shell.file("bundles/good", bundle::tar_gz(&good()));
    shell.ok("aws s3 cp --recursive --quiet bundles s3://bundles");
    let names: Vec<&str> = bad.iter().map(|one| one.name).chain(["absent", "good"]).collect();
    shell.file("names.json", json!(names).to_string());
    shell.file("register.py", REGISTER);

    let became = shell.json("python register.py");
    let of = |name: &str| {
        let [status, message] = &became[name].as_array().unwrap()[..] else { panic!("{name} has no result") };
        (status.as_str().unwrap().to_owned(), message.as_str().unwrap().to_owned())
    };
    let misses = bad.iter().flat_map(|one| {
        let (status, message) = of(one.name);
        assert_eq!(status, "REGISTRATION_FAILED", "{}: {message}", one.name);
        let missing = one.words.iter().filter(|word| !message.contains(**word)).copied().collect::<Vec<_>>();
        missing.into_iter().map(move |word| format!("{}: no `{word}` in: {message}", one.name)).collect::<Vec<_>>()
    });
    assert_eq!(misses.collect::<Vec<_>>(), Vec::<String>::new());
    assert_eq!(of("absent").0, "REGISTRATION_FAILED", "an object that isn't there");
    assert_eq!(of("good"), ("DRAFT".to_owned(), String::new()));
}

/// Specs for the offline environment, and what their refusal must mention.
const BAD_SPECS: &[(&str, &[&str])] = &[
    ("proton: EnvironmentSpec\nspec:\n  domain: 7\n", &["domain"]),
    (
        "proton: EnvironmentSpec\nspec:\n  domain: nowhere\n  log_retention_days: 8\n  debug: perhaps\n",
        &["domain", "log_retention_days", "debug"],
    ),
    ("proton: EnvironmentSpec\nspec: {domain: [\n", &["line"]),
    ("proton: EnvironmentSpec\nspec:\n  domain: acme.example\n  log_retention_day: 7\n", &["log_retention_days"]),
    ("proton: ServiceSpec\nspec:\n  domain: acme.example\n", &["EnvironmentSpec"]),
    ("proton: EnvironmentSpec\nspec: {}\n", &["domain"]),
];

#[test]
fn a_bad_spec_is_refused_with_all_its_mistakes_and_makes_no_environment() {
    let tools = Tools::get();
    let plane = Plane::up(Start { flags: vec!["--no-agent".into()], ..Start::default() });
    let shell = Shell::new(tools, plane.exported());
    shell.file("good", bundle::tar_gz(&good()));
    let version = "--template-name zone --major-version 1 --minor-version 0";
    shell.ok(&format!(
        "set -e
        aws s3 mb s3://bundles
        aws s3 cp good s3://bundles/good
        aws proton create-environment-template --name zone
        aws proton create-environment-template-version --template-name zone --source s3='{{bucket=bundles,key=good}}'
        aws proton wait environment-template-version-registered {version}
        aws proton update-environment-template-version {version} --status PUBLISHED"
    ));
    let create = "aws proton create-environment --name dev --template-name zone --template-major-version 1";
    for (spec, words) in BAD_SPECS {
        shell.file("spec.yaml", spec);
        let refused = shell.run(&format!("{create} --spec file://spec.yaml"));
        refused.failed(255, &[&["ValidationException"], *words].concat());
    }
    let environments: Value = shell.json("aws proton list-environments");
    assert_eq!(environments["environments"], json!([]));
}
