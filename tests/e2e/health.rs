//! `hadron health`: what a container's health check is told, and by which exit code.

use std::collections::BTreeMap;
use std::fs;

use rcgen::{CertificateParams, KeyPair};
use serde_json::Value;

use crate::support::plane::{Plane, Start, binary};
use crate::support::process::command;

/// The exit code, and what is said of each part.
fn health(plane: &Plane, arguments: &[&str]) -> (i32, BTreeMap<String, String>) {
    let mut ask = command(binary(), &BTreeMap::new());
    ask.args(["health", "--output", "json", "--data"]).arg(plane.data()).args(arguments).current_dir(plane.data());
    let done = ask.output().unwrap();
    let told: Value = serde_json::from_slice(&done.stdout).unwrap_or_else(|_| panic!("{done:?}"));
    let status = |row: &Value| [&row["part"], &row["status"]].map(|word| word.as_str().unwrap().to_owned());
    let parts = told["parts"].as_array().unwrap().iter().map(|row| status(row).into()).collect();
    assert_eq!(told["healthy"] == true, done.status.code() == Some(0), "{told}");
    (done.status.code().unwrap(), parts)
}

fn parts(rows: &[(&str, &str)]) -> BTreeMap<String, String> {
    rows.iter().map(|(part, status)| ((*part).to_owned(), (*status).to_owned())).collect()
}

#[test]
fn health_tells_which_of_the_two_parts_works() {
    let mut up = Plane::up(Start::default());
    let listen = up.endpoint().strip_prefix("http://").unwrap().to_owned();
    let here = ["--listen", &listen];
    assert_eq!(health(&up, &here), (0, parts(&[("server", "works"), ("agent", "works")])));
    assert_eq!(health(&up, &["agent"]), (0, parts(&[("agent", "works")])));

    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().display().to_string();
    let data = ["agent", "--data", &folder];
    let mut ask = command(binary(), &BTreeMap::new());
    assert_eq!(ask.arg("health").args(data).current_dir(elsewhere.path()).status().unwrap().code(), Some(1));
    assert_eq!(health(&up, &["server", "--listen", "127.0.0.1:1"]), (1, parts(&[("server", "absent")])));

    up.process().kill();
    assert_eq!(health(&up, &here), (1, parts(&[("server", "absent"), ("agent", "absent")])), "the lock died with it");
}

#[test]
fn health_asks_a_server_with_tls_whatever_names_its_certificate_covers() {
    let folder = tempfile::tempdir().unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["hadron.example.com".to_owned()]).unwrap().self_signed(&key).unwrap();
    let (pem, secret) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    fs::write(&pem, certificate.pem()).unwrap();
    fs::write(&secret, key.serialize_pem()).unwrap();
    let settings = format!("[tls]\ncert = {pem:?}\nkey = {secret:?}\n");
    let config = folder.path().join("hadron.toml");
    fs::write(&config, &settings).unwrap();
    let served = Plane::serve(Start { settings, ..Start::default() });
    let port = served.endpoint().rsplit_once(':').unwrap().1;
    let (listen, config) = (format!("127.0.0.1:{port}"), config.display().to_string());
    let ask = ["server", "--config", &config, "--listen", &listen];
    assert_eq!(health(&served, &ask), (0, parts(&[("server", "works")])));
    assert_eq!(health(&served, &["server", "--listen", &listen]).0, 1, "plain HTTP at a port that speaks TLS");
}

#[test]
fn an_agent_with_a_port_is_asked_there() {
    let settings = "[agent]\nlisten = \"127.0.0.1:1\"\n".to_owned();
    let up = Plane::up(Start::default());
    let config = up.data().join("asks.toml");
    fs::write(&config, settings).unwrap();
    let ask = ["agent", "--config", config.to_str().unwrap()];
    assert_eq!(health(&up, &ask), (1, parts(&[("agent", "broken")])), "it holds its lock, and nobody answers there");
}
