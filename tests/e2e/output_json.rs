//! `--output json` of every verb: what stdout holds is one JSON document and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::site::Site;
use crate::support::plane::{Plane, Start, binary, hadron};
use crate::support::process::{Running, command};

/// What a verb is to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Prints {
    /// One document.
    Document,
    /// A document a line: a stream has no end to close a list at.
    Lines,
    /// Nothing, since it refuses here; why is on stderr.
    Nothing,
}

use Prints::{Document, Lines, Nothing};

/// Every verb, with arguments that have it do something in the scene below. `ID` is a deployment, `KEY` an access key,
/// `PORT` where the server listens.
const VERBS: &[(&str, &str, Prints)] = &[
    ("agent", "--once --data elsewhere", Document),
    ("status", "", Document),
    ("logs", "ID", Lines),
    ("runs", "", Document),
    ("runs show", "ID", Document),
    ("report stale", "", Document),
    ("upgrade", "environment/dev", Document),
    ("audit list", "", Document),
    ("audit verify", "", Document),
    ("data-key rotate", "", Document),
    ("approve", "ID --plan 0000", Nothing),
    ("reject", "ID --plan 0000", Nothing),
    ("cancel", "environment/dev", Nothing),
    ("state list", "", Document),
    ("state show", "environment/dev", Document),
    ("state versions", "environment/dev", Document),
    ("state pull", "environment/dev", Document),
    ("state push", "environment/dev pulled.json", Document),
    ("state adopt", "environment/dev terraform_data.other=1", Document),
    ("state unlock", "environment/dev 00000000-0000-4000-8000-000000000000", Nothing),
    ("state unblock", "environment/dev --serial 99", Nothing),
    ("key create", "someone --role read-only", Document),
    ("key list", "", Document),
    ("key rotate", "KEY", Document),
    ("key revoke", "KEY", Document),
    ("executor", "dev agent", Document),
    ("migrate", "--check", Document),
    ("backup", "copy.backup --data data", Document),
    ("restore", "copy.backup --data elsewhere/restored --trust-states", Document),
    ("adopt", "", Document),
    ("eject", "roots --local-state --rehearse", Document),
    ("doctor", "", Document),
    ("health", "server --listen PORT", Document),
    ("events translate-rule", "rule.json", Document),
    ("events dead-letters", "", Document),
    ("events replay", "--all", Document),
    ("client install", "--aws-dir aws", Document),
    ("policy check", "", Document),
    ("policy show", "", Document),
    ("providers list", "", Document),
    ("providers prune", "", Document),
    ("providers upgrade", "environment-template/net", Document),
    ("bundle init", "bundle --no-plan", Document),
    ("bundle check", "bundle", Document),
    ("bundle render", "bundle --spec bundle/spec.yaml --out rendered", Document),
    ("bundle plan", "bundle --spec bundle/spec.yaml", Document),
    ("bundle test", "bundle --no-plan", Document),
    ("bundle pack", "bundle --out bundle.tar.gz", Document),
    ("bundle push", "bundle --create --template made", Document),
    ("import", "rendered", Document),
    ("run", "rendered --plan", Document),
    ("settings", "", Document),
    ("man", "man1", Document),
    ("version", "", Document),
    // What it prints is in another language.
    ("completions", "bash", Nothing),
];

/// Verbs that go on until they are ended; `demo`, which is one, has its own test.
const SERVE: [&str; 3] = ["up", "serve", "demo"];

/// All commands by their man pages: `audit list`, and whether they are made of others.
fn commands(folder: &TempDir) -> BTreeMap<String, bool> {
    let pages = folder.path().join("pages");
    let made = command(binary(), &BTreeMap::default()).arg("man").arg(&pages).output().unwrap();
    assert!(made.status.success());
    let synopsis = |text: &str| {
        let usage = text.lines().skip_while(|line| *line != ".SH SYNOPSIS").nth(1).unwrap();
        let name = usage.trim_start_matches("\\fB").split("\\fR").next().unwrap();
        name.replace("\\-", "-").trim_start_matches("hadron").trim().to_owned()
    };
    let texts = fs::read_dir(pages).unwrap().map(|page| fs::read_to_string(page.unwrap().path()).unwrap());
    texts.map(|text| (synopsis(&text), text.contains("\n.SH SUBCOMMANDS\n"))).collect()
}

#[test]
fn no_verb_is_left_out_of_this_test() {
    let commands = commands(&TempDir::new().unwrap());
    let known: BTreeSet<&str> = VERBS.iter().map(|(verb, ..)| *verb).chain(SERVE).collect();
    let leaves = commands.iter().filter(|(_, of_others)| !**of_others).map(|(name, _)| name.as_str());
    let left_out: Vec<&str> = leaves.filter(|name| !known.contains(name)).collect();
    assert_eq!(left_out, [""; 0], "give each new verb a row, and `--output json` its one document");
    let gone: Vec<&str> = known.into_iter().filter(|name| !commands.contains_key(*name)).collect();
    assert_eq!(gone, [""; 0], "these are no commands");
}

struct Scene {
    plane: Plane,
    folder: PathBuf,
    deployment: String,
    key: String,
}

impl Scene {
    fn run(&self, verb: &str, arguments: &str) -> Output {
        let (first, rest) = verb.split_once(' ').unwrap_or((verb, ""));
        let mut flags: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
        flags.extend(arguments.split_whitespace().map(|word| match word {
            "ID" => self.deployment.clone(),
            "KEY" => self.key.clone(),
            "PORT" => self.plane.endpoint().trim_start_matches("http://").to_owned(),
            word => word.to_owned(),
        }));
        flags.extend(["--output".to_owned(), "json".to_owned()]);
        let mut command = command(binary(), &BTreeMap::default());
        command.env("HOME", &self.folder).env("HADRON_ENDPOINT", self.plane.endpoint()).current_dir(&self.folder);
        let exported = self.plane.exported();
        command.env("HADRON_ACCESS_KEY_ID", &exported["AWS_ACCESS_KEY_ID"]);
        command.env("HADRON_SECRET_ACCESS_KEY", &exported["AWS_SECRET_ACCESS_KEY"]);
        command.arg(first).args(&flags).output().unwrap()
    }

    fn check(&mut self, verb: &str, arguments: &str, prints: Prints) -> Result<(), String> {
        let Output { status, stdout, stderr } = self.run(verb, arguments);
        let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8_lossy(&stderr).into_owned());
        let documents = serde_json::Deserializer::from_str(&out).into_iter::<Value>().collect::<Result<Vec<_>, _>>();
        let told = || format!("{verb} {arguments} ({status}) printed\n{out}\n{err}");
        let documents = documents.map_err(|error| format!("{error}: {}", told()))?;
        let right = match prints {
            Document => documents.len() == 1 && status.code() != Some(1),
            Lines => documents.len() > 1 && documents.len() == out.lines().count(),
            Nothing => out.is_empty() && !status.success() && err.contains("error: "),
        };
        match verb {
            "status" => documents[0][0]["deployment"].as_str().unwrap().clone_into(&mut self.deployment),
            "key create" => documents[0]["key"]["id"].as_str().unwrap().clone_into(&mut self.key),
            "backup" => {
                // It opens only with its own master key.
                let folder = self.folder.join("elsewhere/restored");
                fs::create_dir_all(&folder).unwrap();
                fs::copy(self.folder.join("data/master.key"), folder.join("master.key")).unwrap();
            }
            "state pull" => fs::write(self.folder.join("pulled.json"), &out).unwrap(),
            _ => {}
        }
        if right { Ok(()) } else { Err(told()) }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_prints_one_document_or_nothing() {
    let plane = Plane::serve(Start::default());
    let site = Site::of(&plane).await;
    site.environment_template("net", "resource \"terraform_data\" \"it\" {}\n\noutput \"Id\" {\n  value = 1\n}\n")
        .await;
    site.begin_environment("dev", "net", false).await;
    let folder = plane.data().parent().unwrap().to_owned();
    fs::write(folder.join("rule.json"), r#"{"source": ["aws.proton"]}"#).unwrap();
    let mut scene = Scene { plane, folder, deployment: String::new(), key: String::new() };
    let wrong: Vec<String> =
        VERBS.iter().filter_map(|(verb, arguments, prints)| scene.check(verb, arguments, *prints).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n----\n"));
}

#[test]
fn a_server_tells_where_it_is_in_one_line_of_json() {
    for verb in ["serve", "up"] {
        let folder = TempDir::new().unwrap();
        let flags = ["--listen", "127.0.0.1:0", "--output", "json"].map(str::to_owned).to_vec();
        let start = hadron(verb, &Start { flags, ..Start::default() }, folder.path());
        let mut server = Running::start(start, &folder.path().join("log"));
        let told: Value = serde_json::from_str(&server.line(Duration::from_secs(30))).unwrap();
        let members: Vec<&String> = told.as_object().unwrap().keys().collect();
        assert_eq!(members, ["endpoint", "region", "accessKeyId", "secretAccessKey"], "{verb}");
        assert!(told["endpoint"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{told}");
    }
}
