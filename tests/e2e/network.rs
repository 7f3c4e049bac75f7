//! The way out of a site: by its proxy, under its own authority, and what we say of ourselves there.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::plane::{Plane, Start, hadron};
use crate::tls::Pki;

/// A name that nobody but the proxy finds.
const HOST: &str = "hadron.test";

/// The beginning of each connection that a far end has got.
#[derive(Debug, Clone, Default)]
pub(crate) struct Heads(Arc<Mutex<Vec<String>>>);

impl Heads {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// Listens for ever; each connection's first head is noted and handed on.
pub(crate) fn far_end(serve: impl Fn(&str, TcpStream) + Send + Sync + 'static) -> (SocketAddr, Heads) {
    let (listener, heads) = (TcpListener::bind("127.0.0.1:0").unwrap(), Heads::default());
    let (address, noted, serve) = (listener.local_addr().unwrap(), heads.clone(), Arc::new(serve));
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let (noted, serve) = (noted.clone(), serve.clone());
            thread::spawn(move || {
                let (mut head, mut byte) = (Vec::new(), [0]);
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
                    head.push(byte[0]);
                }
                let head = String::from_utf8(head).unwrap();
                noted.0.lock().unwrap().push(head.clone());
                serve(&head, stream);
            });
        }
    });
    (address, heads)
}

/// A site's proxy, which takes every name for `server`: it opens tunnels, and forwards what isn't asked of it by CONNECT.
pub(crate) fn proxy(server: &str) -> (String, Heads) {
    let server = server.rsplit_once(':').unwrap().1.parse::<u16>().unwrap();
    let (address, heads) = far_end(move |head, mut client| {
        let mut there = TcpStream::connect(("127.0.0.1", server)).unwrap();
        match head.starts_with("CONNECT ") {
            true => client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap(),
            false => there.write_all(head.as_bytes()).unwrap(),
        }
        let (mut from, mut to) = (client.try_clone().unwrap(), there.try_clone().unwrap());
        thread::spawn(move || drop(std::io::copy(&mut from, &mut to)));
        // Either end may break off when it has what it wants.
        drop(std::io::copy(&mut there, &mut client));
    });
    (format!("http://user:pass@{address}"), heads)
}

pub(crate) struct Scene {
    pub(crate) plane: Plane,
    pub(crate) folder: TempDir,
    /// The plane's address by the name that only the proxy knows.
    pub(crate) endpoint: String,
}

impl Scene {
    pub(crate) fn new(scheme: &str, flags: &[String]) -> Self {
        let plane = Plane::serve(Start { flags: flags.to_vec(), ..Start::default() });
        let port = plane.endpoint().rsplit_once(':').unwrap().1.to_owned();
        Self { plane, folder: TempDir::new().unwrap(), endpoint: format!("{scheme}://{HOST}:{port}") }
    }

    /// Runs a command with the plane's key, unless it is an agent.
    fn run(&self, verb: &str, flags: &[&str], env: &[(&str, &str)]) -> Output {
        self.command(verb, flags, env).output().unwrap()
    }

    pub(crate) fn command(&self, verb: &str, flags: &[&str], env: &[(&str, &str)]) -> Command {
        let mut all: BTreeMap<String, String> = BTreeMap::from([("HADRON_ENDPOINT".into(), self.endpoint.clone())]);
        if verb != "agent" {
            let (id, secret) = self.key();
            all.extend([("HADRON_ACCESS_KEY_ID".into(), id), ("HADRON_SECRET_ACCESS_KEY".into(), secret)]);
        }
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        hadron(verb, &Start { env: all, flags, ..Start::default() }, self.folder.path())
    }

    pub(crate) fn key(&self) -> (String, String) {
        let exported = self.plane.exported();
        (exported["AWS_ACCESS_KEY_ID"].clone(), exported["AWS_SECRET_ACCESS_KEY"].clone())
    }

    /// Has an agent ask for work, and says whether it was let in.
    pub(crate) fn agent_is_let_in(&self, env: &[(&str, &str)]) -> bool {
        let done = self.run("agent", &["--once", "--output", "json"], env);
        let told: Value = serde_json::from_slice(&done.stdout).unwrap_or_default();
        if told["verdict"] != "done" {
            let said = String::from_utf8_lossy(&done.stderr).into_owned();
            assert!(said.contains("security token") || said.contains("key"), "{said}");
        }
        told["verdict"] == "done"
    }
}

fn ok(done: &Output) {
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_server_behind_a_proxy_is_reached_by_a_tunnel_under_the_sites_authority() {
    let pki = Pki::new();
    pki.issue("server", &[HOST]);
    let flags = ["--tls-cert".to_owned(), pki.text("server.pem"), "--tls-key".to_owned(), pki.text("server.key")];
    let scene = Scene::new("https", &flags);
    let (proxy, heads) = proxy(&scene.endpoint);
    let trust = pki.text("ca.pem");
    // `status` asks by the SDK, `runs` by a client of our own.
    for (verb, authority) in [("status", "HADRON_CA_BUNDLE"), ("runs", "AWS_CA_BUNDLE"), ("status", "SSL_CERT_FILE")] {
        ok(&scene.run(verb, &[], &[("https_proxy", &proxy), (authority, &trust)]));
        let heads = heads.take();
        assert!(!heads.is_empty(), "{verb} went by the proxy");
        for head in heads {
            assert!(head.starts_with(&format!("CONNECT {HOST}:")), "{head}");
            assert!(head.to_lowercase().contains("proxy-authorization: basic dxnlcjpwyxnz"), "{head}");
        }
    }
    let unproved = scene.run("runs", &[], &[("HTTPS_PROXY", &proxy)]);
    assert!(!unproved.status.success(), "a tunnel proves nothing");
    heads.take();
    for verb in ["status", "runs"] {
        let env = [("HTTPS_PROXY", &*proxy), ("NO_PROXY", ".test"), ("HADRON_CA_BUNDLE", &*trust)];
        assert!(!scene.run(verb, &[], &env).status.success(), "nobody else knows the name");
    }
    assert_eq!(heads.take(), [""; 0]);
}

#[test]
fn every_request_says_who_asks_and_a_proxy_forwards_what_is_plain() {
    let scene = Scene::new("http", &[]);
    let (proxy, heads) = proxy(&scene.endpoint);
    let env = [("HTTP_PROXY", &*proxy)];
    ok(&scene.run("bundle", &["init", "made", "--no-plan"], &env));
    for (verb, flags) in [("status", &[][..]), ("runs", &[]), ("bundle", &["push", "made", "--create"])] {
        ok(&scene.run(verb, flags, &env));
        let heads = heads.take();
        assert!(!heads.is_empty(), "{verb} went by the proxy");
        for head in heads {
            assert!(head.contains(&format!(" http://{HOST}:")), "{head}");
            let version = env!("CARGO_PKG_VERSION");
            // The SDK says it in a header of its own, since browsers keep the other one to themselves.
            let ours = [format!("\nuser-agent: hadron/{version}\r"), format!(" app/hadron-{version}\r")];
            assert!(ours.iter().any(|ours| head.contains(ours)), "{verb}: {head}");
        }
    }
    // Nobody asks a proxy for this machine itself.
    ok(&scene.run("status", &[], &[("HTTP_PROXY", &proxy), ("HADRON_ENDPOINT", scene.plane.endpoint())]));
    assert_eq!(heads.take(), [""; 0]);
}
