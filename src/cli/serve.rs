//! `hadron serve`: the control plane alone. `up` and `demo` start the same one and put an agent beside it.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
use tokio::net::TcpListener;

use super::keys::{KeyPair, LocalKeys};
use super::{Exit, Failure};
use crate::control_plane::object_server::{OWN_BUCKET, ObjectServer};
use crate::control_plane::records::AccessKey;
use crate::control_plane::seal::Sealer;
use crate::control_plane::store::{Sqlite, Store, StoreError, Transaction, Typed};
use crate::control_plane::wire::Handler;
use crate::control_plane::{self, App, Plane, PlaneSettings, Wake, deployments, registrar, state_server};
use crate::lifecycle::Lifecycle;
use crate::objects::{Objects, ObjectsConfig};
use crate::settings::Resolved;
use crate::support::{Clock, files};

/// A control plane that accepts connections.
pub(super) struct Server {
    /// How it is reached: `http://127.0.0.1:9440`.
    pub(super) base_url: String,
    /// Of its ARNs and of the keys below.
    pub(super) region: String,
    /// For people and for the agent of the same process.
    pub(super) keys: LocalKeys,
}

impl Server {
    /// Prints the lines that point AWS's clients here, in one write, so that a script never reads half of them.
    pub(super) fn announce(&self) -> io::Result<()> {
        let Self { base_url, region, keys } = self;
        let (id, secret) = &keys.admin;
        let lines = format!(
            "export AWS_ENDPOINT_URL={base_url} AWS_REGION={region} AWS_DEFAULT_REGION={region}\n\
             export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={}\n",
            secret.reveal()
        );
        let mut out = io::stdout().lock();
        out.write_all(lines.as_bytes())?;
        out.flush()
    }
}

/// Serves until a signal.
pub(super) async fn run(settings: &Resolved) -> Result<Exit, Failure> {
    let lifecycle = Lifecycle::listen()?;
    let server = start(settings, &lifecycle).await?;
    server.announce()?;
    lifecycle.soft.cancelled().await;
    lifecycle.serving.cancel();
    lifecycle.finish().await;
    Ok(Exit::Done)
}

/// Starts a control plane: takes the port, opens the record, serves, and sets its background work going.
pub(super) async fn start(settings: &Resolved, lifecycle: &Lifecycle) -> Result<Server, Failure> {
    let data = data_folder(settings)?;
    // Before the record is made or changed: who finds the port taken has started the wrong thing.
    let (listener, address) = listen(settings).await?;
    let store = Store::new(open_record(settings, &data)?);
    let sealer = Sealer::open(&data.join("master.key")).map_err(|error| Failure::new(Exit::Settings, error))?;
    let keys = LocalKeys::open(&data)?;
    let clock = Clock::system();
    let region: String = settings.value("region")?;
    register_keys(&store, settings, &keys, clock.now()).await?;
    let base_url = settings.text("base_url").unwrap_or_else(|| format!("http://{address}"));
    let store_of_objects = objects(settings, &region, address, &keys.agent).await?;
    let embedded = match settings.text("bucket") {
        Some(_) => None,
        None => Some(object_server(settings, &data, &store, &clock).await?),
    };
    let plane = Plane {
        store,
        objects: store_of_objects,
        sealer,
        clock,
        work: Wake::default(),
        registrations: Wake::default(),
        settings: Arc::new(PlaneSettings {
            bucket: bucket(settings)?,
            base_url: base_url.trim_end_matches('/').to_owned(),
            lease: Duration::from_secs(settings.value("lease_seconds")?),
            serves_state: settings.text("state.backend").as_deref() == Some("hadron"),
            serves_objects: embedded.is_some(),
        }),
    };
    serve_in_background(lifecycle, listener, &plane, embedded);
    plane
        .objects
        .create_bucket(&plane.settings.bucket)
        .await
        .map_err(|error| Failure::new(Exit::Settings, error).hint("check `bucket` and `objects_endpoint`"))?;
    lifecycle.spawn("registrar", registrar::run(plane.clone(), lifecycle.soft.clone()));
    lifecycle.spawn("upkeep", deployments::upkeep(plane, lifecycle.soft.clone()));
    Ok(Server { base_url, region, keys })
}

fn serve_in_background(lifecycle: &Lifecycle, listener: TcpListener, plane: &Plane, objects: Option<Handler>) {
    let handle = plane.clone();
    let hadron: Handler = Arc::new(move |request| {
        let plane = handle.clone();
        Box::pin(async move { state_server::handle(&plane, request).await })
    });
    let app = App { plane: plane.clone(), objects, hadron: Some(hadron) };
    let (soft, stop) = (lifecycle.soft.clone(), lifecycle.serving.clone());
    lifecycle.spawn("server", async move {
        if let Err(error) = control_plane::serve(listener, app, stop).await {
            tracing::error!(%error, "the server ended: {error}");
            soft.cancel();
        }
    });
}

async fn object_server(settings: &Resolved, data: &Path, store: &Store, clock: &Clock) -> Result<Handler, Failure> {
    let folder = settings.text("objects").map_or_else(|| data.join("objects"), PathBuf::from);
    let server = ObjectServer::open(store.clone(), &folder, clock.clone())
        .await
        .with_context(|| format!("opening the object store in {}", folder.display()))?;
    Ok(Arc::new(move |request| {
        let server = server.clone();
        Box::pin(async move { server.handle(request).await })
    }))
}

/// The folder of everything, for its owner alone.
///
/// # Errors
/// It can't be made or written, with the remedy.
pub(super) fn data_folder(settings: &Resolved) -> Result<PathBuf, Failure> {
    let data = PathBuf::from(settings.value::<String>("data")?);
    let (_, source) = settings.lookup("data");
    let usable = files::create_private_folder(&data).and_then(|()| tempfile::tempfile_in(&data).map(drop));
    match usable {
        // Absolute, since runs start processes in other folders.
        Ok(()) => Ok(std::path::absolute(&data)?),
        Err(error) => {
            let what = format!("the data folder {} ({source}) can't be written", data.display());
            Err(Failure::new(Exit::Settings, anyhow::Error::from(error).context(what))
                .hint("name another with --data, or give this user the folder"))
        }
    }
}

fn open_record(settings: &Resolved, data: &Path) -> Result<Sqlite, Failure> {
    let path = match settings.text("database") {
        None => data.join("hadron.db"),
        Some(url) => match url.strip_prefix("sqlite:") {
            Some(path) => PathBuf::from(path),
            None => {
                return Err(Failure::new(Exit::Settings, anyhow!("`database` is {url}, which this build can't open"))
                    .hint("use sqlite:PATH"));
            }
        },
    };
    Sqlite::open(&path).map_err(|error| {
        let what = format!("opening the record {}", path.display());
        Failure::new(Exit::Settings, anyhow::Error::from(error).context(what))
    })
}

async fn listen(settings: &Resolved) -> Result<(TcpListener, SocketAddr), Failure> {
    let wanted: String = settings.value("listen")?;
    let listener = TcpListener::bind(&wanted).await.map_err(|error| {
        let (_, source) = settings.lookup("listen");
        let taken = error.kind() == io::ErrorKind::AddrInUse;
        let what = format!("listening on {wanted} ({source})");
        let failure = Failure::new(Exit::Settings, anyhow::Error::from(error).context(what));
        match taken {
            true => failure.hint("another process has this port; stop it, or name another with --listen ADDRESS:PORT"),
            false => failure.hint("--listen takes ADDRESS:PORT; port 0 means any"),
        }
    })?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Puts the installation's own keys into the record, once.
async fn register_keys(store: &Store, settings: &Resolved, keys: &LocalKeys, now: i64) -> Result<(), Failure> {
    let account: String = settings.value("account")?;
    if account.len() != 12 || !account.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Failure::new(Exit::Settings, anyhow!("`account` is {account}; an AWS account has twelve digits")));
    }
    let wanted = [("admin", &keys.admin), ("agent", &keys.agent)].map(|(role, (id, secret))| AccessKey {
        id: id.clone(),
        secret: secret.clone(),
        account: account.clone(),
        name: role.into(),
        role: role.into(),
        created_at: now,
    });
    let written = store.write(move |tx: &mut dyn Transaction| {
        for key in &wanted {
            if tx.get::<AccessKey>(&AccessKey::scope(), &key.id)?.is_none() {
                tx.add(&AccessKey::scope(), key)?;
            }
        }
        Ok::<_, StoreError>(())
    });
    Ok(written.await.context("writing the access keys into the record")?)
}

fn bucket(settings: &Resolved) -> Result<String, Failure> {
    let Some(uri) = settings.text("bucket") else { return Ok(OWN_BUCKET.into()) };
    let name = uri.strip_prefix("s3://").map(|rest| rest.trim_end_matches('/')).filter(|name| !name.contains('/'));
    match name {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(Failure::new(Exit::Settings, anyhow!("`bucket` is {uri}; write s3://NAME"))),
    }
}

/// The client of the bucket: our own port, or S3 with the identity that AWS's chain finds.
async fn objects(
    settings: &Resolved,
    region: &str,
    address: SocketAddr,
    (id, secret): &KeyPair,
) -> Result<Objects, Failure> {
    let config = if settings.text("bucket").is_none() {
        ObjectsConfig {
            endpoint: Some(format!("http://{}", reachable(address))),
            region: region.to_owned(),
            credentials: Some((id.clone(), secret.clone())),
            path_style: true,
        }
    } else {
        let endpoint = settings.text("objects_endpoint");
        let path_style = endpoint.is_some();
        ObjectsConfig { endpoint, region: region.to_owned(), credentials: None, path_style }
    };
    Ok(Objects::new(config).await)
}

/// The address by which this process reaches its own port: `0.0.0.0` is for listening only.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        std::net::IpAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], address.port())),
        std::net::IpAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
    }
}
