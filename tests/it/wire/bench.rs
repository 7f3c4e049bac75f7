//! A control plane on a free port, and ways to ask it.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use hadron::control_plane::records::AccessKey;
use hadron::control_plane::seal::{MasterKey, keyring};
use hadron::control_plane::store::{Sqlite, Store, StoreError, Typed};
use hadron::control_plane::wire::{Handler, Limits, Outside, Port, Tls};
use hadron::control_plane::{App, Plane, PlaneSettings, registrar, serve};
use hadron::objects::{Objects, ObjectsConfig};
use hadron::support::{AwsAccess, Clock, Secret};
use hadron_model::hadron::Role;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::far_end::s3;

pub(crate) const ACCOUNT: &str = "123456789012";
pub(crate) const REGION: &str = "us-east-1";
/// What the server's clock says, in milliseconds; it stands still.
pub(crate) const NOW: i64 = 1_795_000_000_000;

/// A running control plane; it stops when this is dropped.
pub(crate) struct Bench {
    pub(crate) host: String,
    pub(crate) plane: Plane,
    pub(crate) s3: s3::Running,
    serving: JoinHandle<()>,
    stop: DropGuard,
}

/// How the port is served.
#[derive(Default)]
pub(crate) struct Door {
    pub(crate) limits: Limits,
    pub(crate) tls: Option<Tls>,
    pub(crate) objects: Option<Handler>,
    pub(crate) hadron: Option<Handler>,
}

/// How the clock is set.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Time {
    /// As the machine's, which SDK clients sign with.
    Real,
    /// At [`NOW`].
    Still,
}

impl Bench {
    pub(crate) async fn start(time: Time) -> Self {
        Self::behind(time, Door::default()).await
    }

    /// With limits, a certificate and handlers of the test's own.
    pub(crate) async fn behind(time: Time, door: Door) -> Self {
        let s3 = s3::start().await;
        let config = ObjectsConfig {
            endpoint: Some(s3.url.clone()),
            region: REGION.into(),
            credentials: Some(("AKIAOBJECTS".into(), Secret::new("objects"))),
            path_style: true,
            trust: None,
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let settings = PlaneSettings {
            bucket: "hadron".into(),
            base_url: format!("http://{host}"),
            lease: Duration::from_mins(1),
            serves_state: true,
            serves_objects: false,
            limits: hadron::control_plane::DeploymentLimits::default(),
        };
        let record = Store::new(Sqlite::temporary().unwrap());
        let sealer = keyring::open(&record, MasterKey::local(MasterKey::random()), None, NOW).await.unwrap();
        let plane = Plane::new(
            record,
            Objects::new(config).await,
            sealer,
            if time == Time::Real { Clock::system() } else { Clock::fixed(NOW) },
            settings,
        );
        let stop = CancellationToken::new();
        let Door { limits, tls, objects, hadron } = door;
        let app = App { plane: plane.clone(), objects, hadron, outside: Outside::default() };
        let serving = tokio::spawn(serve(Port { listener, tls, limits }, app, stop.clone()));
        tokio::spawn(registrar::run(plane.clone(), stop.clone()));
        let bench = Self { host, plane, s3, serving, stop: stop.drop_guard() };
        bench.add_key("AKIAADMIN", "secret", ACCOUNT).await;
        bench
    }

    /// Asks it to end and waits until it has.
    pub(crate) async fn shut_down(self) {
        drop(self.stop);
        self.serving.await.unwrap();
    }

    pub(crate) async fn add_key(&self, id: &str, secret: &str, account: &str) {
        let key = AccessKey::new(id, Secret::new(secret), account, "admin", Role::Admin, NOW);
        let added: Result<(), StoreError> = self.plane.store.write(move |tx| tx.add(&AccessKey::scope(), &key)).await;
        added.unwrap();
    }

    /// AWS's own client, signing with the given key.
    pub(crate) async fn client_of(&self, id: &str, secret: &str, region: &str) -> aws_sdk_proton::Client {
        let access = AwsAccess {
            endpoint: Some(format!("http://{}", self.host)),
            region: Some(region.into()),
            credentials: Some((id.into(), Secret::new(secret))),
            trust: None,
        };
        aws_sdk_proton::Client::new(&access.sdk_config().await)
    }

    pub(crate) async fn client(&self) -> aws_sdk_proton::Client {
        self.client_of("AKIAADMIN", "secret", REGION).await
    }
}

/// A request that can be spoilt after it has been signed.
#[derive(Clone)]
pub(crate) struct Raw {
    pub(crate) method: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }
}

/// Whom a request is signed as, for what and when.
#[derive(Clone, Copy)]
pub(crate) struct Signer<'a> {
    pub(crate) key: &'a str,
    pub(crate) secret: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) at: i64,
}

pub(crate) const ADMIN: Signer<'static> =
    Signer { key: "AKIAADMIN", secret: "secret", region: REGION, service: "proton", at: NOW };

impl Raw {
    /// A Proton request, not signed yet.
    pub(crate) fn proton(bench: &Bench, operation: &str, body: &str) -> Self {
        let headers = vec![
            ("host".to_owned(), bench.host.clone()),
            ("content-type".to_owned(), "application/x-amz-json-1.0".to_owned()),
            ("x-amz-target".to_owned(), format!("AwsProton20200720.{operation}")),
        ];
        Self { method: "POST".into(), headers, body: body.as_bytes().to_vec() }
    }

    pub(crate) fn set(mut self, name: &str, value: &str) -> Self {
        self = self.without(name);
        self.headers.push((name.into(), value.into()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    pub(crate) fn get(&self, name: &str) -> &str {
        &self.headers.iter().find(|(key, _)| key == name).unwrap().1
    }

    /// Signs as AWS's own signer does.
    pub(crate) fn signed(self, signer: Signer<'_>) -> Self {
        let identity = Credentials::new(signer.key, signer.secret, None, None, "test").into();
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(signer.at).unwrap());
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(signer.region)
            .name(signer.service)
            .time(at)
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let headers = self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let url = format!("http://{}/", self.get("host"));
        let request = SignableRequest::new(&self.method, url, headers, SignableBody::Bytes(&self.body)).unwrap();
        let (instructions, _) = sign(request, &params).unwrap().into_parts();
        let mut bearer = Request::new(());
        instructions.apply_to_request_http1x(&mut bearer);
        bearer.headers().iter().fold(self, |raw, (name, value)| raw.set(name.as_str(), value.to_str().unwrap()))
    }

    pub(crate) async fn send(&self, bench: &Bench) -> Answer {
        self.send_to(bench, "/").await
    }

    pub(crate) async fn send_to(&self, bench: &Bench, path: &str) -> Answer {
        let mut stream = tokio::net::TcpStream::connect(&bench.host).await.unwrap();
        let mut head = format!("{} {path} HTTP/1.1\r\nconnection: close\r\n", self.method);
        for (name, value) in &self.headers {
            write!(head, "{name}: {value}\r\n").unwrap();
        }
        write!(head, "content-length: {}\r\n\r\n", self.body.len()).unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&self.body).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}
