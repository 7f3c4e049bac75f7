//! Where bundles, inputs and run records lie: in our own object server, or in S3.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, anyhow};

use super::listener::reachable;
use crate::cli::keys::KeyPair;
use crate::cli::{Exit, Failure, trust};
use crate::control_plane::authority::Authority;
use crate::control_plane::object_server::{Guard, OWN_BUCKET, ObjectServer};
use crate::control_plane::seal::Sealer;
use crate::control_plane::store::Store;
use crate::control_plane::wire::Handler;
use crate::objects::{Objects, ObjectsConfig};
use crate::settings::Resolved;
use crate::support::{Clock, Trust};

/// The object server of this process, with its files in the folder that the settings name, and the key that this
/// process itself signs with.
///
/// # Errors
/// The folder can't be opened.
pub(super) async fn embedded(
    settings: &Resolved,
    data: &Path,
    store: &Store,
    sealer: &Sealer,
    clock: &Clock,
    authority: &Authority,
) -> Result<(Handler, KeyPair), Failure> {
    let folder = settings.text("objects").map_or_else(|| data.join("objects"), PathBuf::from);
    let guard = Guard { authority: authority.clone(), account: settings.value("account")? };
    let server = ObjectServer::open(store.clone(), &folder, sealer.clone(), clock.clone(), guard)
        .await
        .with_context(|| format!("opening the object store in {}", folder.display()))?;
    let own_key = server.own_key();
    let handler: Handler = Arc::new(move |request| {
        let server = server.clone();
        Box::pin(async move { server.handle(request).await })
    });
    Ok((handler, own_key))
}

/// The bucket's name.
///
/// # Errors
/// The setting is no bucket.
pub(super) fn name(settings: &Resolved) -> Result<String, Failure> {
    let Some(uri) = settings.text("bucket") else { return Ok(OWN_BUCKET.into()) };
    let name = uri.strip_prefix("s3://").map(|rest| rest.trim_end_matches('/')).filter(|name| !name.contains('/'));
    match name {
        Some(name) if !name.is_empty() => Ok(name.to_owned()),
        _ => Err(Failure::new(Exit::Settings, anyhow!("`bucket` is {uri}; write s3://NAME"))),
    }
}

/// The client of the bucket: our own port, which with TLS shows one of the certificates `own` under whatever name, or S3
/// with the identity that AWS's chain finds.
pub(super) async fn client(
    settings: &Resolved,
    region: &str,
    address: SocketAddr,
    own: Option<&Trust>,
    own_key: Option<KeyPair>,
) -> Result<Objects, Failure> {
    let config = if own_key.is_some() {
        ObjectsConfig {
            endpoint: Some(format!("{}://{}", if own.is_some() { "https" } else { "http" }, reachable(address))),
            region: region.to_owned(),
            credentials: own_key,
            path_style: true,
            trust: own.cloned(),
        }
    } else {
        let endpoint = settings.text("objects_endpoint");
        let path_style = endpoint.is_some();
        let trust = trust::of(settings)?;
        ObjectsConfig { endpoint, region: region.to_owned(), credentials: None, path_style, trust }
    };
    Ok(Objects::new(config).await)
}
