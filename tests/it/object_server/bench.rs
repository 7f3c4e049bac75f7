//! A server on a data folder of its own, and clients.

use hadron_model::hadron::Role;
use std::path::Path;
use std::sync::Arc;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region, RequestChecksumCalculation};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use hadron::control_plane::object_server::{Guard, ObjectServer};
use hadron::control_plane::records::AccessKey;
use hadron::control_plane::seal::{MasterKey, keyring};
use hadron::control_plane::store::{Sqlite, Store, StoreError, Transaction, Typed};
use hadron::support::{Clock, Secret};
use tokio::task::JoinHandle;

pub(crate) struct Bench {
    pub(crate) folder: Arc<tempfile::TempDir>,
    pub(crate) address: String,
    serving: JoinHandle<()>,
}

impl Bench {
    pub(crate) async fn new() -> Self {
        Self::on(Arc::new(tempfile::tempdir().unwrap())).await
    }

    /// A server with one key, AKIDEXAMPLE, a revoked one, AKIDREVOKED, and the buckets `one` and `two`.
    pub(crate) async fn with_buckets() -> (Self, Client) {
        let bench = Self::new().await;
        let client = bench.client();
        for bucket in ["one", "two"] {
            client.create_bucket().bucket(bucket).send().await.unwrap();
        }
        (bench, client)
    }

    async fn on(folder: Arc<tempfile::TempDir>) -> Self {
        let store = Store::new(Sqlite::open(&folder.path().join("hadron.db")).unwrap());
        store.write(add_key).await.unwrap();
        // The data key lies in the record, so that the next server opens what this one seals.
        let sealer = keyring::open(&store, MasterKey::local([7; 32]), None, 0).await.unwrap();
        let objects = folder.path().join("objects");
        let server = ObjectServer::open(store, &objects, sealer, Clock::system(), Guard::default()).await.unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let answer =
            |State(server): State<ObjectServer>, request: Request<Body>| async move { server.handle(request).await };
        let router = Router::new().fallback(answer).with_state(server);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { folder, address, serving }
    }

    /// Ends the server as it stands, and starts another on the same data.
    pub(crate) async fn restart(self) -> Self {
        let Self { folder, serving, .. } = self;
        serving.abort();
        drop(serving.await);
        // Connections that were open hold the store until they are closed.
        loop {
            match Sqlite::open(&folder.path().join("hadron.db")) {
                Ok(closed) => break drop(closed),
                Err(StoreError::InUse { .. }) => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
                Err(error) => panic!("{error}"),
            }
        }
        Self::on(folder).await
    }

    pub(crate) fn client(&self) -> Client {
        self.client_with("AKIDEXAMPLE", "secret", RequestChecksumCalculation::WhenSupported)
    }

    pub(crate) fn client_with(&self, id: &str, secret: &str, checksums: RequestChecksumCalculation) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("eu-test-1"))
            .credentials_provider(Credentials::new(id, secret, None, None, "test"))
            .endpoint_url(format!("http://{}", self.address))
            .force_path_style(true)
            .request_checksum_calculation(checksums)
            .http_client(aws_smithy_http_client::Builder::new().build_http())
            .build();
        Client::from_conf(config)
    }

    /// The files that hold objects' bytes.
    pub(crate) fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(Path::new(self.folder.path()).join("objects")).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// How many objects have their bytes in the record.
    pub(crate) fn blobs(&self) -> u64 {
        let record = rusqlite::Connection::open(self.folder.path().join("hadron.db")).unwrap();
        let count = "SELECT count(*) FROM blobs WHERE kind = 's3_bytes'";
        record.query_row(count, [], |row| row.get::<_, i64>(0)).unwrap().unsigned_abs()
    }
}

fn add_key(tx: &mut dyn Transaction) -> Result<(), StoreError> {
    let key = AccessKey::new("AKIDEXAMPLE", Secret::new("secret"), "123456789012", "tester", Role::Admin, 0);
    let revoked = AccessKey { id: "AKIDREVOKED".into(), revoked_at: Some(0), ..key.clone() };
    for key in [key, revoked] {
        match tx.add(&AccessKey::scope(), &key) {
            Err(StoreError::Exists { .. }) | Ok(()) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The error's code and HTTP status: `NoSuchKey 404`.
pub(crate) fn refusal<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    outcome: Result<T, SdkError<E>>,
) -> String {
    match outcome {
        Err(SdkError::ServiceError(error)) => {
            let status = error.raw().status().as_u16();
            format!("{} {status}", error.err().code().unwrap_or("-"))
        }
        other => panic!("{other:?}"),
    }
}

/// Bytes that look random and are the same each time.
pub(crate) fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}
