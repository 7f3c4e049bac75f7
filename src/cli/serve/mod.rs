//! `hadron serve`: the control plane alone. `up` and `demo` start the same one and put an agent beside it.

mod bucket;
pub(super) mod events;
mod keys;
pub(super) mod listener;
pub(super) mod master_key;
mod record;

pub(super) use record::{Database, Place};

use std::io::{self, IsTerminal, Write};
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use self::listener::Door;
use self::master_key::Unsealed;
use super::failure::this_user;
use super::keys::LocalKeys;
use super::outside::{self, Numbers, Public, Routes};
use super::running::Note;
use super::{Exit, Failure, Form, policy, trust};
use crate::control_plane::seal::reseal;
use crate::control_plane::store::Sealed;
use crate::control_plane::wire::{Handler, Outside, Port, Tls};
use crate::control_plane::{
    self, App, DeploymentLimits, Metrics, Plane, PlaneSettings, Readiness, Surroundings, audit, deployments,
    events as event_sinks, registrar, state_server,
};
use crate::lifecycle::Lifecycle;
use crate::settings::Resolved;
use crate::support::health::Probe;
use crate::support::{Clock, Trust, files};

/// A control plane that accepts connections.
pub(super) struct Server {
    /// How it is reached: `http://127.0.0.1:9440`.
    pub(super) base_url: String,
    /// Of its ARNs and of the keys below.
    pub(super) region: String,
    /// For people and for the agent of the same process.
    pub(super) keys: LocalKeys,
    /// Whether these were made here, so that somebody must be told.
    own_keys: bool,
    /// What clients in this process trust, the server's own certificate included; None = the system's alone.
    pub(super) trust: Option<Trust>,
    /// What this process counts; an agent beside the server adds its own.
    pub(super) numbers: Numbers,
    /// Tells commands in the data folder where it is.
    _note: Option<Note>,
}

impl Server {
    /// Prints the lines that point AWS's clients here, or one of JSON, in one write, so that a script never reads half of
    /// them. Where the settings want no key on stdout, the log says where the server is.
    pub(super) fn announce(&self, settings: &Resolved, form: Form) -> Result<(), Failure> {
        if !settings.value::<bool>("print_keys")? {
            tracing::info!("the server accepts connections at {}", self.base_url);
            return Ok(());
        }
        let lines = match form {
            Form::Text => self.exports(),
            Form::Json => {
                let Self { base_url, region, keys, .. } = self;
                let (id, secret) = self.own_keys.then(|| (&keys.admin.0, keys.admin.1.reveal())).unzip();
                let told = json!({
                    "endpoint": base_url, "region": region, "accessKeyId": id, "secretAccessKey": secret
                });
                format!("{told}\n")
            }
        };
        let mut out = io::stdout().lock();
        out.write_all(lines.as_bytes())?;
        out.flush()?;
        if form == Form::Text && self.own_keys && io::stdout().is_terminal() {
            let mut talk = io::stderr().lock();
            writeln!(
                talk,
                "paste these lines into another terminal, or run `hadron client install` there; Ctrl-C ends this"
            )?;
        }
        Ok(())
    }

    /// The lines that point AWS's clients here.
    pub(super) fn exports(&self) -> String {
        let Self { base_url, region, keys, .. } = self;
        let (id, secret) = &keys.admin;
        let mut lines = format!("export AWS_ENDPOINT_URL={base_url} AWS_REGION={region} AWS_DEFAULT_REGION={region}\n");
        if self.own_keys {
            lines += &format!("export AWS_ACCESS_KEY_ID={id} AWS_SECRET_ACCESS_KEY={}\n", secret.reveal());
        }
        lines
    }
}

/// Serves until a signal.
pub(super) async fn run(settings: &Resolved, form: Form) -> Result<Exit, Failure> {
    let lifecycle = Lifecycle::listen()?;
    let server = start(settings, &lifecycle).await?;
    server.announce(settings, form)?;
    lifecycle.soft.cancelled().await;
    lifecycle.serving.cancel();
    lifecycle.finish().await;
    Ok(Exit::Done)
}

/// Starts a control plane: takes the port, opens the record, serves, and sets its background work going.
pub(super) async fn start(settings: &Resolved, lifecycle: &Lifecycle) -> Result<Server, Failure> {
    let data = data_folder(settings)?;
    let authority = policy::authority(settings)?;
    // Before the record is made or changed: who finds the port taken has started the wrong thing.
    let Door { port, address, base_url } = listener::listen(settings).await?;
    let own = port.tls.as_ref().map(|tls| Trust::our_own(&tls.certificates()));
    let trust = trust::of(settings)?;
    let events = events::configured(settings, trust.clone())?;
    let clock = Clock::system();
    let metrics = Metrics::new();
    let record = record::open(settings, &data, &lifecycle.soft).await?.timed(metrics.stopwatch());
    let Unsealed { sealer, masters } = master_key::unseal(settings, &data, &record, clock.now()).await?;
    let store = events.over(record.through(Sealed(sealer.clone())));
    let given = LocalKeys::given(settings)?;
    let own_keys = given.is_none();
    let local = match given {
        Some(keys) => keys,
        None => LocalKeys::open(&data, &masters).await?,
    };
    let region: String = settings.value("region")?;
    control_plane::upgrade(&store).await.map_err(|error| record::not_upgraded(settings, &data, error))?;
    keys::register(&store, settings, &local, &clock).await?;
    let (embedded, own_key) = match settings.text("bucket") {
        Some(_) => None,
        None => Some(bucket::embedded(settings, &data, &store, &sealer, &clock, &authority).await?),
    }
    .unzip();
    let store_of_objects = bucket::client(settings, &region, address, own.as_ref(), own_key).await?;
    let mut plane = Plane::new(
        store,
        store_of_objects,
        sealer,
        clock,
        PlaneSettings {
            bucket: bucket::name(settings)?,
            base_url: base_url.clone(),
            lease: Duration::from_secs(settings.value::<NonZeroU64>("lease_seconds")?.get()),
            serves_state: settings.text("state.backend").as_deref() == Some("hadron"),
            serves_objects: embedded.is_some(),
            limits: DeploymentLimits {
                per_environment: settings.value("limits.per_environment")?,
                per_account: settings.value("limits.per_account")?,
            },
        },
    );
    plane.authority = authority.clone();
    plane.leaving = lifecycle.serving.clone();
    plane.events = events;
    if let Some(tls) = port.tls.clone() {
        watch_certificate(lifecycle, tls, [own, trust.clone()]);
    }
    plane.store = metrics.watch(&plane.store);
    let numbers = Numbers::new(settings);
    let seen = seen(settings, &data, address, (&plane, metrics), &numbers)?;
    let routes = Routes {
        health: outside::well(),
        ready: seen.ready.clone().unwrap_or_else(outside::well),
        numbers: numbers.handler(Public::Yes),
    };
    routes.listen(settings, "metrics.listen", lifecycle).await?;
    serve_in_background(lifecycle, port, &plane, embedded, seen);
    plane
        .objects
        .create_bucket(&plane.settings.bucket)
        .await
        .map_err(|error| Failure::new(Exit::Settings, error).hint("check `bucket` and `objects_endpoint`"))?;
    lifecycle.spawn("policies", authority.watch(lifecycle.soft.clone()));
    lifecycle.spawn("registrar", registrar::run(plane.clone(), lifecycle.soft.clone()));
    lifecycle.spawn("counts", control_plane::keep_counts(plane.clone(), lifecycle.soft.clone()));
    lifecycle.spawn("audit", audit::chain(plane.clone(), lifecycle.soft.clone()));
    lifecycle.spawn("reseal", reseal::run(plane.clone(), record, lifecycle.soft.clone()));
    lifecycle.spawn("events", event_sinks::run(plane.clone(), lifecycle.serving.clone()));
    lifecycle.spawn("upkeep", deployments::upkeep(plane, lifecycle.soft.clone()));
    Ok(Server { _note: note(&data, &base_url), base_url, region, keys: local, own_keys, trust, numbers })
}

/// A server goes without it if it must.
fn note(data: &Path, url: &str) -> Option<Note> {
    let left = Note::leave(data, url);
    left.inspect_err(|error| tracing::warn!("commands in {} aren't told of {url}: {error}", data.display())).ok()
}

/// Takes renewed certificates into use; those who ask our own port know them before it shows them.
fn watch_certificate(lifecycle: &Lifecycle, tls: Tls, trusts: [Option<Trust>; 2]) {
    let watching = tls.watch(lifecycle.serving.clone(), move |certificates| {
        trusts.iter().flatten().for_each(|trust| trust.add(certificates));
    });
    lifecycle.spawn("certificate", watching);
}

/// What the server's own port shows besides the APIs.
fn seen(
    settings: &Resolved,
    data: &Path,
    address: SocketAddr,
    (plane, metrics): (&Plane, Metrics),
    numbers: &Numbers,
) -> Result<Outside, Failure> {
    let database = Database::of(settings, data)?;
    let surroundings = Surroundings {
        data: data.to_owned(),
        least_free: outside::least_free(settings)?,
        schema: Arc::new(move || database.schema().map_err(|failure| failure.words())),
    };
    let readiness = Readiness::new(plane.clone(), surroundings);
    let ready: Probe = Arc::new(move || {
        let readiness = readiness.clone();
        Box::pin(async move { Box::pin(readiness.report()).await })
    });
    let (plane, counted) = (plane.clone(), metrics.clone());
    numbers.add(Arc::new(move || {
        let (plane, counted) = (plane.clone(), counted.clone());
        Box::pin(async move { counted.text(&plane).await })
    }));
    // Others reach an address that isn't loopback; who chose a port for the numbers wants them there.
    let public = address.ip().is_loopback() && settings.text("metrics.listen").is_none();
    Ok(Outside {
        ready: Some(outside::probe(ready)),
        metrics: Some(numbers.handler(if public { Public::Yes } else { Public::No })),
        answered: Some(Arc::new(move |operation, status, took| metrics.answered(operation, status, took))),
    })
}

fn serve_in_background(lifecycle: &Lifecycle, port: Port, plane: &Plane, objects: Option<Handler>, outside: Outside) {
    let handle = plane.clone();
    let hadron: Handler = Arc::new(move |request| {
        let plane = handle.clone();
        Box::pin(async move { state_server::handle(&plane, request).await })
    });
    let app = App { plane: plane.clone(), objects, hadron: Some(hadron), outside };
    lifecycle.spawn("server", control_plane::serve(port, app, lifecycle.serving.clone()));
}

/// The folder of everything, for its owner alone.
///
/// # Errors
/// It can't be made or written, with the remedy.
pub(super) fn data_folder(settings: &Resolved) -> Result<PathBuf, Failure> {
    let data = PathBuf::from(settings.value::<String>("data")?);
    let (_, source) = settings.lookup("data");
    let usable = files::create_data_folder(&data).and_then(|()| tempfile::tempfile_in(&data).map(drop));
    match usable {
        // Absolute, since runs start processes in other folders.
        Ok(()) => Ok(std::path::absolute(&data)?),
        Err(error) => {
            let what = format!("the data folder {} ({source}) can't be written", data.display());
            Err(Failure::new(Exit::Settings, anyhow::Error::from(error).context(what))
                .hint(format!("name another with --data, or give {} the folder", this_user())))
        }
    }
}
