//! A whole site over TLS: the server's certificate, its renewal, and every client that must trust it.

#![expect(deprecated, reason = "AWS marks the whole service as closed; its API is what we keep alive")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hadron::proton::sdk::types::DeploymentStatus;
use hadron::support::{AwsAccess, Secret, Trust};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::client::{Client, environment_bundle};
use crate::support::plane::{Plane, Start, agent, binary, free_port, hadron};
use crate::support::process::command;
use crate::support::shell::Shell;
use crate::support::tools::Tools;

const PATIENCE: Duration = Duration::from_secs(30);

/// A folder of certificates, all of one authority.
pub(crate) struct Pki {
    folder: TempDir,
    authority: Issuer<'static, KeyPair>,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, "Site Authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        fs::write(folder.path().join("ca.pem"), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { folder, authority: Issuer::new(params, key) }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A certificate of the authority's, in `NAME.pem` and `NAME.key`.
    pub(crate) fn issue(&self, name: &str, hosts: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let params = params(hosts);
        self.write(name, &params.signed_by(&key, &self.authority).unwrap().pem(), &key);
    }

    /// What `openssl req -x509 -newkey …` makes: it signs itself and calls itself an authority.
    fn self_signed(&self, name: &str, hosts: &[&str]) {
        let key = KeyPair::generate().unwrap();
        let mut params = params(hosts);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        self.write(name, &params.self_signed(&key).unwrap().pem(), &key);
    }

    /// The key first, as a careless renewal does it.
    fn write(&self, name: &str, certificate: &str, key: &KeyPair) {
        fs::write(self.path(&format!("{name}.key")), key.serialize_pem()).unwrap();
        fs::write(self.path(&format!("{name}.pem")), certificate).unwrap();
    }

    fn flags(&self, name: &str) -> Vec<String> {
        let (certificate, key) = (self.text(&format!("{name}.pem")), self.text(&format!("{name}.key")));
        ["--tls-cert", &certificate, "--tls-key", &key].map(str::to_owned).to_vec()
    }
}

fn params(hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
    CertificateParams::new(hosts).unwrap()
}

fn agents_settings() -> String {
    format!("[terraform]\ncli_config = \"{}\"\n", Tools::get().terraform_rc().display())
}

/// The SDKs, trusting a file.
async fn client(plane: &Plane, trusted: &Path) -> Client {
    let exported = plane.exported();
    let access = AwsAccess {
        endpoint: Some(plane.endpoint().to_owned()),
        region: Some("us-east-1".into()),
        credentials: Some((
            exported["AWS_ACCESS_KEY_ID"].clone(),
            Secret::new(exported["AWS_SECRET_ACCESS_KEY"].clone()),
        )),
        trust: Some(Trust::read(&[trusted.to_owned()]).unwrap()),
    };
    let sdk = access.sdk_config().await;
    let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
    Client { proton: aws_sdk_proton::Client::new(&sdk), s3: aws_sdk_s3::Client::from_conf(s3) }
}

const MAIN: &str = "resource \"terraform_data\" \"it\" {\n  input = var.environment.inputs.word\n  \
                    provisioner \"local-exec\" {\n    command = \"echo $TF_HTTP_ADDRESS > address\"\n  }\n}\n\n\
                    output \"Word\" {\n  value = terraform_data.it.output\n}\n\n\
                    output \"Hidden\" {\n  value     = \"s3cret\"\n  sensitive = true\n}\n";

/// Deploys an environment twice, so that its state is written and read back.
async fn deploy(client: &Client) {
    client.environment_template("tls", environment_bundle(&["word"], MAIN)).await;
    client.create_environment("dev", "tls", "word: one").await;
    client.deployed("dev").await;
    let update = client.proton.update_environment().name("dev").spec(crate::client::spec("word: two"));
    let deployment_type = hadron::proton::sdk::types::DeploymentUpdateType::CurrentVersion;
    update.deployment_type(deployment_type).send().await.unwrap();
    let (status, message) = client.settled("dev").await;
    assert_eq!(status, DeploymentStatus::Succeeded, "{message}");
    assert_eq!(client.outputs("dev").await["Word"], "two");
}

/// The state's address, as Terraform was told it in the runs below `data`.
fn addresses(data: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![data.join("runs")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().map(Result::unwrap) {
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if entry.path().ends_with("work/address") {
                found.push(fs::read_to_string(entry.path()).unwrap().trim().to_owned());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn up_with_a_certificate_that_signs_itself_deploys_and_needs_no_other_setting() {
    let pki = Pki::new();
    pki.self_signed("own", &["localhost", "127.0.0.1"]);
    let plane = Plane::up(Start { settings: agents_settings(), flags: pki.flags("own"), ..Start::default() });
    assert!(plane.endpoint().starts_with("https://127.0.0.1:"), "{}", plane.endpoint());
    deploy(&client(&plane, &pki.path("own.pem")).await).await;
    let addresses = addresses(&plane.data());
    assert!(!addresses.is_empty() && addresses.iter().all(|it| it.starts_with("https://")), "{addresses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_the_command_line_and_the_aws_cli_trust_a_private_authority() {
    let pki = Pki::new();
    pki.issue("server", &["hadron.example.com", "localhost", "127.0.0.1"]);
    let plane = Plane::serve(Start { flags: pki.flags("server"), ..Start::default() });
    let trusted = BTreeMap::from([("HADRON_CA_BUNDLE".to_owned(), pki.text("ca.pem"))]);
    let start = Start { settings: agents_settings(), env: trusted.clone(), ..Start::default() };
    let _agent = agent(&plane, "remote", &start);
    deploy(&client(&plane, &pki.path("ca.pem")).await).await;

    let beside = |verb: &str, env: &BTreeMap<String, String>| {
        let folder = TempDir::new().unwrap();
        let mut env = env.clone();
        env.extend(plane.exported().clone());
        let start = Start { env, ..Start::default() };
        let Output { status, stdout, stderr } = hadron(verb, &start, folder.path()).output().unwrap();
        let (out, err) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        (status.code(), out, err)
    };
    let (code, out, err) = beside("status", &trusted);
    assert!(code == Some(0) && out.contains("dev"), "{out}{err}");
    let (code, _, err) = beside("status", &BTreeMap::new());
    assert!(code == Some(1) && err.contains("HADRON_CA_BUNDLE"), "{err}");

    let shell = Shell::new(Tools::get(), plane.exported());
    let list = "aws proton list-environments --query 'environments[].name' --output text";
    let ca = pki.text("ca.pem");
    assert_eq!(shell.ok(&format!("AWS_CA_BUNDLE={ca} {list}")).trim(), "dev");
    assert_ne!(shell.run(list).code, 0, "without the authority nobody believes it");

    let folder = TempDir::new().unwrap();
    let aws = folder.path().join("aws");
    let mut env = trusted;
    env.extend(plane.exported().clone());
    let flags = ["install", "--aws-dir", aws.to_str().unwrap()].map(str::to_owned).to_vec();
    let mut install = hadron("client", &Start { flags, env, ..Start::default() }, folder.path());
    assert!(install.output().unwrap().status.success());
    let config = fs::read_to_string(aws.join("config")).unwrap();
    assert!(config.contains(&format!("ca_bundle = {ca}\n")), "{config}");
}

/// A connection to the plane and the certificate that it showed.
async fn handshake(plane: &Plane, pki: &Pki) -> (TlsStream<TcpStream>, Vec<u8>) {
    let config = Trust::read(&[pki.path("ca.pem")]).unwrap().client_config();
    let stream = TcpStream::connect(plane.endpoint().strip_prefix("https://").unwrap()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
    let shown = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
    (stream, shown)
}

async fn healthy(stream: &mut TlsStream<TcpStream>) {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    let mut answer = [0; 1024];
    let count = stream.read(&mut answer).await.unwrap();
    assert!(answer[..count].starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer[..count]));
}

async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !so().await {
        assert!(began.elapsed() < PATIENCE, "{what} doesn't happen");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_without_a_restart_and_a_wrong_one_is_not() {
    let pki = Pki::new();
    pki.issue("server", &["localhost", "127.0.0.1"]);
    let mut plane = Plane::serve(Start { flags: pki.flags("server"), ..Start::default() });
    let (mut old, first) = handshake(&plane, &pki).await;
    healthy(&mut old).await;

    pki.issue("other", &["localhost"]);
    fs::copy(pki.path("other.key"), pki.path("server.key")).unwrap();
    until("a complaint", async || plane.process().stderr().contains("the old certificate stays in use")).await;
    assert_eq!(handshake(&plane, &pki).await.1, first, "a key without its certificate isn't shown");

    pki.issue("server", &["localhost", "127.0.0.1"]);
    until("a renewal", async || handshake(&plane, &pki).await.1 != first).await;
    healthy(&mut old).await;
    // It asks its own port when it registers a template: it knows its new certificate.
    client(&plane, &pki.path("ca.pem")).await.environment_template("tls", environment_bundle(&["word"], MAIN)).await;
    let complaints = plane.process().stderr().matches("the old certificate stays in use").count();
    assert_eq!(complaints, 1, "{}", plane.process().stderr());
}

/// Fails with the exit code of settings and says these words.
fn refused(flags: &[&str], words: &[&str]) {
    let folder = TempDir::new().unwrap();
    let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
    let start = Start { flags, ..Start::default() };
    let told = hadron("serve", &start, folder.path()).output().unwrap();
    let err = String::from_utf8(told.stderr).unwrap();
    assert_eq!(told.status.code(), Some(3), "{err}");
    for word in words {
        assert!(err.contains(word), "no `{word}` in: {err}");
    }
}

#[test]
fn what_would_not_be_safe_or_not_work_is_refused_with_the_way_out() {
    let pki = Pki::new();
    pki.issue("a", &["localhost"]);
    pki.issue("b", &["localhost"]);
    fs::write(pki.path("none"), "nothing\n").unwrap();
    let [a, b] = ["a.pem", "b.pem"].map(|name| pki.text(name));
    let [a_key, b_key, none] = ["a.key", "b.key", "none"].map(|name| pki.text(name));
    let any = ["--listen", "127.0.0.1:0"];
    let with = |more: &[&str], words: &[&str]| refused(&[&any[..], more].concat(), words);
    refused(&["--listen", "0.0.0.0:0"], &["--tls-cert FILE --tls-key FILE", "--insecure-http"]);
    with(&["--tls-cert", &a], &["--tls-key FILE"]);
    with(&["--tls-key", &a_key], &["--tls-cert FILE"]);
    with(&["--tls-cert", "/nonexistent.pem", "--tls-key", &a_key], &["/nonexistent.pem can't be read"]);
    with(&["--tls-cert", &a, "--tls-key", &b_key], &["b.key doesn't belong to the certificate in", "a.pem"]);
    with(&["--tls-cert", &none, "--tls-key", &a_key], &["none holds no certificate"]);
    with(&["--tls-cert", &b, "--tls-key", &none], &["none holds no private key"]);
    with(&["--tls-cert", &b, "--tls-key", &b], &["b.pem holds no private key"]);
}

#[tokio::test]
async fn an_expired_certificate_is_shown_with_a_warning_and_the_url_is_a_name_that_it_covers() {
    let pki = Pki::new();
    let key = KeyPair::generate().unwrap();
    let mut expired = params(&["*.example.com", "hadron.example.com"]);
    expired.not_after = rcgen::date_time_ymd(2020, 1, 1);
    pki.write("expired", &expired.signed_by(&key, &pki.authority).unwrap().pem(), &key);
    let mut plane = Plane::serve(Start { flags: pki.flags("expired"), ..Start::default() });
    assert!(plane.endpoint().starts_with("https://hadron.example.com:"), "{}", plane.endpoint());
    let said = plane.process().stderr();
    assert!(said.contains("expired.pem has expired") && said.contains("a name of the certificate"), "{said}");
}

#[test]
fn commands_beside_a_server_ask_its_port_whatever_name_others_have_for_it() {
    let (pki, port) = (Pki::new(), free_port());
    pki.issue("server", &["hadron.invalid"]);
    let (certificate, key) = (pki.text("server.pem"), pki.text("server.key"));
    let url = format!("https://hadron.invalid:{port}");
    let settings = format!("base_url = {url:?}\n[tls]\ncert = {certificate:?}\nkey = {key:?}\n");
    let config = pki.path("hadron.toml");
    fs::write(&config, &settings).unwrap();
    let plane = Plane::serve(Start { settings, port, ..Start::default() });
    let mut create = command(binary(), &BTreeMap::new());
    create
        .args(["key", "create", "dana", "--role", "developer", "--config"])
        .arg(&config)
        .arg("--data")
        .arg(plane.data());
    let done = create.env("HADRON_LISTEN", format!("127.0.0.1:{port}")).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let told = String::from_utf8(done.stdout).unwrap();
    assert!(told.starts_with(&format!("export AWS_ENDPOINT_URL={url} ")), "dana is told what others reach: {told}");
}
