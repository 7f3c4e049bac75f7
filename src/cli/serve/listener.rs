//! The port: where it is, whether it speaks TLS, and by which URL it is reached.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use anyhow::anyhow;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpListener;

use crate::cli::failure::this_user;
use crate::cli::{Exit, Failure};
use crate::control_plane::wire::{Limits, Port, Tls, TlsError};
use crate::settings::Resolved;
use crate::support::Clock;

/// File descriptors besides connections: the record, objects, pipes of Terraform.
const OTHER_FILES: u64 = 512;

/// The port, taken.
pub(super) struct Door {
    pub(super) port: Port,
    pub(super) address: SocketAddr,
    /// How clients reach it.
    pub(super) base_url: String,
}

/// Takes the port that the settings name.
///
/// # Errors
/// It can't be had, or TLS is half set up, or is missing where it is needed; with the remedy.
pub(super) async fn listen(settings: &Resolved) -> Result<Door, Failure> {
    let tls = certificate(settings)?;
    let listener = bind(settings).await?;
    let address = listener.local_addr()?;
    if tls.is_none() && !address.ip().is_loopback() && !insecure(settings)? {
        return Err(plain(address));
    }
    let base_url = base_url(settings, address, tls.as_ref())?;
    let connections: u32 = settings.value("limits.connections")?;
    let limits = Limits { connections: connections.max(1) as usize, ..Limits::default() };
    make_room(&limits);
    Ok(Door { port: Port { listener, tls, limits }, address, base_url })
}

async fn bind(settings: &Resolved) -> Result<TcpListener, Failure> {
    let wanted: String = settings.value("listen")?;
    TcpListener::bind(&wanted).await.map_err(|error| {
        let (_, source) = settings.lookup("listen");
        let taken = error.kind() == io::ErrorKind::AddrInUse;
        let what = format!("listening on {wanted} ({source})");
        let failure = Failure::new(Exit::Settings, anyhow::Error::from(error).context(what));
        match taken {
            true => failure.hint("another process has this port; stop it, or name another with --listen ADDRESS:PORT"),
            false => failure.hint("--listen takes ADDRESS:PORT; port 0 means any"),
        }
    })
}

/// The certificate that the settings name, if they do.
///
/// # Errors
/// One of the two files is missing, or they can't be used, with the remedy.
pub(in crate::cli) fn certificate(settings: &Resolved) -> Result<Option<Tls>, Failure> {
    let (certificate, key) = match (settings.text("tls.cert"), settings.text("tls.key")) {
        (None, None) => return Ok(None),
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(_), None) => return Err(half("tls.cert", "tls.key", "--tls-key FILE")),
        (None, Some(_)) => return Err(half("tls.key", "tls.cert", "--tls-cert FILE")),
    };
    let tls = Tls::open(Path::new(&certificate), Path::new(&key)).map_err(unusable)?;
    if let Some(trouble) = tls.trouble(Clock::system().now()) {
        tracing::warn!("{trouble}; clients will refuse it");
    }
    Ok(Some(tls))
}

fn half(given: &str, missing: &str, flag: &str) -> Failure {
    Failure::new(Exit::Settings, anyhow!("`{given}` is set without `{missing}`; TLS needs a certificate and its key"))
        .hint(format!("add {flag}, or leave both out"))
}

fn unusable(error: TlsError) -> Failure {
    let readable = format!("check the path, and that {} may read the file", this_user());
    let hint = match &error {
        TlsError::Unreadable { .. } => readable.as_str(),
        TlsError::NoCertificate { .. } => "--tls-cert takes PEM: the server's certificate first, then its chain",
        TlsError::NoKey { .. } => "--tls-key takes PEM; `openssl pkey -in KEY -out PLAIN` takes a passphrase away",
        TlsError::Mismatch { .. } => {
            "name the key that the certificate was made with; the server's certificate \
                                      must come first in its file"
        }
        TlsError::Unusable { .. } => {
            "`openssl x509 -text -noout -in FILE` and `openssl pkey -noout -in FILE` \
                                      show what a file holds"
        }
    };
    Failure::new(Exit::Settings, error).hint(hint)
}

fn insecure(settings: &Resolved) -> Result<bool, Failure> {
    Ok(settings.value("insecure_http")?)
}

fn plain(address: SocketAddr) -> Failure {
    let words =
        anyhow!("{address} can be reached from other machines, and without TLS everybody on the way reads along");
    Failure::new(Exit::Settings, words)
        .hint("give the server a certificate: --tls-cert FILE --tls-key FILE")
        .hint("or, behind a proxy that speaks TLS or on a network that you trust: --insecure-http")
}

/// The setting, else the address; with TLS, under a name that the certificate covers.
fn base_url(settings: &Resolved, address: SocketAddr, tls: Option<&Tls>) -> Result<String, Failure> {
    let Some(chosen) = settings.text("base_url") else {
        return match tls {
            None => Ok(told(address)),
            Some(tls) => covered(address, tls),
        };
    };
    let chosen = chosen.trim_end_matches('/').to_owned();
    if let Some(tls) = tls {
        if chosen.starts_with("http://") {
            let words = anyhow!("`base_url` is {chosen}, but the server speaks TLS");
            return Err(Failure::new(Exit::Settings, words).hint("write https:// in `base_url`"));
        }
        let host = chosen.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned));
        if host.is_some_and(|host| !tls.covers(host.trim_matches(['[', ']']))) {
            let names = tls.names().join(", ");
            tracing::warn!("`base_url` is {chosen}, but the certificate covers only {names}; clients will refuse it");
        }
    }
    Ok(chosen)
}

/// The address itself; one that is for listening only is none of any machine.
fn told(address: SocketAddr) -> String {
    let url = format!("http://{}", reachable(address));
    if address.ip().is_unspecified() {
        tracing::warn!(
            "`base_url` isn't set; clients are told {url}, which leads here from this machine only: set it to the URL by \
             which agents and Terraform on others reach this server"
        );
    }
    url
}

/// The address itself if the certificate covers it, else `localhost` for a loopback address, else its first name.
fn covered(address: SocketAddr, tls: &Tls) -> Result<String, Failure> {
    let (ip, port) = (address.ip(), address.port());
    if !ip.is_unspecified() && tls.covers(&ip.to_string()) {
        return Ok(format!("https://{address}"));
    }
    if ip.is_loopback() && tls.covers("localhost") {
        return Ok(format!("https://localhost:{port}"));
    }
    let Some(name) = tls.names().into_iter().find(|name| !name.starts_with('*')) else {
        let words = anyhow!("the certificate covers no name by which {address} can be reached");
        return Err(Failure::new(Exit::Settings, words).hint("set base_url to the https:// URL that clients use")
            .hint("if the certificate has no subjectAltName, no client accepts it: `openssl x509 -noout -ext subjectAltName`"));
    };
    tracing::info!("`base_url` isn't set; clients are told https://{name}:{port}, a name of the certificate");
    let host = match name.parse::<IpAddr>() {
        Ok(ip) => SocketAddr::new(ip, port).to_string(),
        Err(_) => format!("{name}:{port}"),
    };
    Ok(format!("https://{host}"))
}

/// Where a server with these settings is reached, for commands on its machine.
///
/// # Errors
/// As for the server.
pub(in crate::cli) fn url(settings: &Resolved) -> Result<String, Failure> {
    let listen: String = settings.value("listen")?;
    let tls = if settings.text("tls.key").is_some() { certificate(settings)? } else { None };
    if let Ok(address) = listen.parse::<SocketAddr>() {
        return base_url(settings, reachable(address), tls.as_ref());
    }
    // A host's name, which a certificate may well cover.
    let scheme = if tls.is_some() { "https" } else { "http" };
    Ok(settings.text("base_url").unwrap_or_else(|| format!("{scheme}://{listen}")))
}

/// The address by which this process reaches its own port: `0.0.0.0` is for listening only.
pub(in crate::cli) fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        std::net::IpAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], address.port())),
        std::net::IpAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
    }
}

/// Every connection is a file; most systems give a process 1024 unless it asks for more.
fn make_room(limits: &Limits) {
    let wanted = limits.connections as u64 + OTHER_FILES;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    if current.is_none_or(|current| current >= wanted) {
        return;
    }
    let possible = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    let raised = setrlimit(Resource::Nofile, Rlimit { current: Some(possible), maximum });
    if raised.is_err() || possible < wanted {
        tracing::warn!(
            "the system allows {possible} open files, too few for {} connections; raise `ulimit -n` or lower \
             limits.connections",
            limits.connections
        );
    }
}
