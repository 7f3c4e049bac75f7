//! The audit log through the real binary: the AWS CLI changes things, a stranger is refused, somebody edits the database.

use std::collections::BTreeMap;
use std::process::Output;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::plane::{Plane, Start, hadron};
use crate::support::shell::Shell;
use crate::support::tools::Tools;

/// How `hadron audit …` ended, and what it printed.
fn audit(plane: &Plane, flags: &[&str]) -> (i32, String) {
    let start = Start { flags: flags.iter().map(|flag| (*flag).to_owned()).collect(), ..Start::default() };
    let mut command = hadron("audit", &start, plane.data().parent().unwrap());
    let Output { status, stdout, stderr } = command.env("HADRON_ENDPOINT", plane.endpoint()).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code().unwrap(), text(&stdout) + &text(&stderr))
}

/// The entries, newest first, once all of them are linked.
fn linked(plane: &Plane, count: usize) -> Vec<Value> {
    let began = Instant::now();
    loop {
        let (code, text) = audit(plane, &["list", "--output", "json"]);
        assert_eq!(code, 0, "{text}");
        let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
        if entries.len() >= count && entries.iter().all(|entry| entry["hash"].is_string()) {
            return entries;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "entries aren't linked: {text}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// JSON with sorted keys and no spaces.
fn sorted(value: &Value) -> String {
    match value {
        Value::Object(members) => {
            let sorted: BTreeMap<_, _> = members.iter().map(|(name, member)| (name, sorted(member))).collect();
            let member = |(name, member)| format!("{}:{member}", Value::from(String::clone(name)));
            format!("{{{}}}", sorted.into_iter().map(member).collect::<Vec<_>>().join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(sorted).collect::<Vec<_>>().join(",")),
        plain => plain.to_string(),
    }
}

/// Edits the database behind the server's back.
fn edit(plane: &Plane, sql: &str) {
    let database = rusqlite::Connection::open(plane.data().join("hadron.db")).unwrap();
    database.busy_timeout(Duration::from_secs(10)).unwrap();
    database.execute_batch(&format!("PRAGMA foreign_keys = on; BEGIN IMMEDIATE; {sql}; COMMIT")).unwrap();
}

/// The row of an entry, for SQL.
fn row(sequence: i64) -> String {
    format!("(SELECT record FROM terms WHERE kind = 'audit_entry' AND name = 'all' AND sort = 'c{sequence:020}')")
}

#[test]
fn changes_and_refusals_are_listed_and_an_edited_database_is_found_out() {
    let plane = Plane::serve(Start::default());
    let shell = Shell::new(Tools::get(), plane.exported());
    shell.ok("set -e
        aws proton create-environment-template --name net
        aws proton update-environment-template --name net --description first
        aws proton create-service-template --name web
        aws proton list-environment-templates");
    let refused = shell.run("AWS_SECRET_ACCESS_KEY=wrong aws proton delete-environment-template --name net");
    assert!(refused.stderr.contains("InvalidSignatureException"), "{refused:?}");
    let refused = shell.run("AWS_ACCESS_KEY_ID=AKIANOBODYHASTHIS000 aws proton list-services");
    assert!(refused.stderr.contains("UnrecognizedClientException"), "{refused:?}");

    // The server's own keys, three changes, two refusals; a list is neither.
    let entries = linked(&plane, 6);
    let told = |entry: &Value| format!("{} {}", entry["outcome"].as_str().unwrap(), entry["action"].as_str().unwrap());
    let expected = [
        "REFUSED ListServices",
        "REFUSED DeleteEnvironmentTemplate",
        "CHANGED CreateServiceTemplate",
        "CHANGED UpdateEnvironmentTemplate",
        "CHANGED CreateEnvironmentTemplate",
        "CHANGED RegisterLocalKeys",
    ];
    assert_eq!(entries.iter().map(told).collect::<Vec<_>>(), expected);
    let update = &entries[3];
    assert_eq!(update["touched"][0]["before"], 1);
    assert_eq!(update["touched"][0]["after"], 2);
    assert!(update["principal"].as_str().unwrap().ends_with(":user/admin"), "{update}");
    assert!(update["userAgent"].as_str().unwrap().contains("aws-cli"), "{update}");
    assert_eq!(entries[0]["principal"], "unknown");
    assert_eq!(entries[1]["reason"], "the signature is wrong");

    // What the documentation says about checking it without us.
    let mut hashed = update.clone();
    let link = ["hash", "previousHash"].map(|name| hashed.as_object_mut().unwrap().remove(name).unwrap());
    let by_hand = Sha256::digest(format!("{}{}", link[1].as_str().unwrap(), sorted(&hashed)));
    assert_eq!(link[0], hex::encode(by_hand));

    let (code, text) = audit(&plane, &["list", "--refused", "--since", "1h", "--principal", "admin"]);
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("refused proton:DeleteEnvironmentTemplate") && text.lines().count() == 2, "{text}");
    let kept = entries[2]["hash"].as_str().unwrap();
    let (code, text) = audit(&plane, &["verify", "--head", kept]);
    assert!(code == 0 && text.starts_with("intact: 6 entries\n"), "{code} {text}");
    let (code, text) = audit(&plane, &["verify", "--head", &"0123456789abcdef".repeat(4)]);
    assert!(code == 1 && text.contains("no entry has the hash"), "{code} {text}");

    let swap =
        format!("UPDATE records SET body = (SELECT body FROM records WHERE id = {}) WHERE id = {}", row(3), row(2));
    edit(&plane, &format!("CREATE TABLE kept AS SELECT * FROM records WHERE kind = 'audit_entry'; {swap}"));
    let (code, text) = audit(&plane, &["verify"]);
    assert!(code == 1 && text.starts_with("BROKEN: ") && text.contains("entry 2"), "{code} {text}");
    edit(
        &plane,
        "UPDATE records SET body = (SELECT body FROM kept WHERE kept.id = records.id) WHERE kind = 'audit_entry'",
    );
    assert_eq!(audit(&plane, &["verify"]).0, 0);
    edit(&plane, &format!("DELETE FROM records WHERE id = {}", row(4)));
    let (code, text) = audit(&plane, &["verify", "--output", "json"]);
    let verified: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, &verified["brokenAt"], &verified["problem"]), (1, &4.into(), &"entry 4 is missing".into()));
}
