//! The provider store: one download a machine, whoever asks and however many at once.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use hadron::support::Secret;
use hadron::terraform::{Backend, ProviderStore, Session, Step, child_env, find};
use rcgen::generate_simple_self_signed;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::state::StateServer;

/// A network mirror with one provider, which counts the downloads.
///
/// <https://developer.hashicorp.com/terraform/internals/provider-network-mirror-protocol>
struct Mirror {
    downloads: Arc<AtomicUsize>,
    /// What Terraform is given to reach it.
    site: BTreeMap<String, String>,
}

struct Tls {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl axum::serve::Listener for Tls {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, SocketAddr) {
        loop {
            let Ok((stream, peer)) = self.listener.accept().await else { continue };
            if let Ok(stream) = self.acceptor.accept(stream).await {
                return (stream, peer);
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

impl Mirror {
    async fn start(folder: &Path) -> Self {
        let made = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let key = made.signing_key.serialize_der().try_into().unwrap();
        let provider = Arc::new(tokio_rustls::rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (ca, rc) = (folder.join("ca.pem"), folder.join("site.tfrc"));
        fs::write(&ca, made.cert.pem()).unwrap();
        let url = format!("https://localhost:{port}/");
        fs::write(&rc, format!("provider_installation {{\n  network_mirror {{\n    url = \"{url}\"\n  }}\n}}\n"))
            .unwrap();
        let downloads = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&downloads);
        let router = Router::new().fallback(move |method: Method, uri: Uri| answer(method, uri, Arc::clone(&counter)));
        let listener = Tls { listener, acceptor: TlsAcceptor::from(Arc::new(config)) };
        tokio::spawn(async move { axum::serve(listener, router).await });
        let set = |name: &str, path: &Path| (name.to_owned(), path.display().to_string());
        Self { downloads, site: [set("SSL_CERT_FILE", &ca), set("TF_CLI_CONFIG_FILE", &rc)].into() }
    }

    fn downloads(&self) -> usize {
        self.downloads.load(Ordering::SeqCst)
    }
}

async fn answer(method: Method, uri: Uri, downloads: Arc<AtomicUsize>) -> Response {
    let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    match uri.path().strip_prefix("/example.com/acme/thing/").unwrap_or_default() {
        "index.json" => json(r#"{"versions": {"1.0.0": {}}}"#.into()),
        "1.0.0.json" => json(format!(r#"{{"archives": {{"linux_{machine}": {{"url": "thing.zip"}}}}}}"#)),
        "thing.zip" => {
            // Terraform asks for the length before.
            downloads.fetch_add(usize::from(method == Method::GET), Ordering::SeqCst);
            // Others have the time to come, too.
            tokio::time::sleep(Duration::from_millis(300)).await;
            archive().into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn json(text: String) -> Response {
    ([("content-type", "application/json")], text).into_response()
}

/// A package; `init` looks for a program of that name and doesn't run it.
fn archive() -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("terraform-provider-thing_v1.0.0", options).unwrap();
    zip.write_all(b"#!/bin/sh\nexit 1\n").unwrap();
    zip.finish().unwrap().into_inner()
}

const MAIN: &str = "terraform {\n  required_providers {\n    thing = { source = \"example.com/acme/thing\" }\n  }\n}\n";

struct Host {
    folder: tempfile::TempDir,
    state: StateServer,
}

impl Host {
    async fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Self { folder, state: StateServer::start().await }
    }

    fn store(&self) -> ProviderStore {
        ProviderStore { folder: self.folder.path().join("store") }
    }

    fn run(&self, name: &str, mirror: &Mirror, lock: Option<&str>) -> Session {
        let run_dir = self.folder.path().join(name);
        let work_dir = run_dir.join("work");
        fs::create_dir_all(&work_dir).unwrap();
        fs::write(work_dir.join("main.tf"), format!("{MAIN}# {name}\n")).unwrap();
        if let Some(lock) = lock {
            fs::write(work_dir.join(".terraform.lock.hcl"), lock).unwrap();
        }
        let (address, username) = (self.state.address.clone(), "deployment.1".to_owned());
        let backend = Backend::Http { address, username, password: Secret::new("hush") };
        Session {
            terraform: find(None, &std::env::var_os("PATH").unwrap()).unwrap(),
            supervisor: env!("CARGO_BIN_EXE_hadron").into(),
            env: child_env(&mirror.site, &backend, &run_dir.join("home"), None).unwrap(),
            work_dir,
            run_dir,
            backend,
            lock_timeout: Duration::from_secs(5),
            warm: None,
            state_reader: None,
            providers: Some(self.store()),
        }
    }
}

fn lock_file(session: &Session) -> String {
    fs::read_to_string(session.work_dir.join(".terraform.lock.hcl")).unwrap()
}

fn linked(session: &Session) -> PathBuf {
    let version = session.work_dir.join(".terraform/providers/example.com/acme/thing/1.0.0");
    let platform = fs::read_dir(version).unwrap().next().unwrap().unwrap().path();
    fs::read_link(platform).unwrap()
}

#[tokio::test]
async fn fifty_that_begin_at_once_download_once() {
    let host = Host::new().await;
    let mirror = Mirror::start(host.folder.path()).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..50 {
        let session = host.run(&number.to_string(), &mirror, None);
        tasks.spawn(async move {
            session.init(&CancellationToken::new()).await.unwrap();
            assert!(session.run_dir.join(Step::Init.folder()).exists());
            session
        });
    }
    let sessions = tasks.join_all().await;
    assert_eq!((sessions.len(), mirror.downloads()), (50, 1));
    let (place, lock) = (linked(&sessions[0]), lock_file(&sessions[0]));
    assert!(place.starts_with(host.store().folder) && place.join("terraform-provider-thing_v1.0.0").exists());
    assert!(sessions.iter().all(|session| linked(session) == place && lock_file(session) == lock));
    let listed = host.store().list().unwrap();
    assert_eq!((listed.len(), listed[0].provider.as_str()), (1, "example.com/acme/thing"));

    host.store().remove(&listed[0]).unwrap();
    assert!(host.store().list().unwrap().is_empty());
    host.run("later", &mirror, Some(&lock)).init(&CancellationToken::new()).await.unwrap();
    assert_eq!(mirror.downloads(), 2, "what was removed is downloaded again");
}

#[tokio::test]
async fn a_lock_file_that_means_another_package_is_not_served_from_the_store() {
    let host = Host::new().await;
    let mirror = Mirror::start(host.folder.path()).await;
    let never = CancellationToken::new();
    let first = host.run("first", &mirror, None);
    first.init(&never).await.unwrap();
    let lock = lock_file(&first);
    host.run("same", &mirror, Some(&lock)).init(&never).await.unwrap();
    assert_eq!(mirror.downloads(), 1);
    let digest = lock.split('"').find(|part| part.starts_with("h1:")).unwrap();
    let other = lock.replace(digest, "h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let error = host.run("other", &mirror, Some(&other)).init(&never).await.unwrap_err().to_string();
    assert!(error.contains("checksum") || error.contains("lock file"), "{error}");
}
