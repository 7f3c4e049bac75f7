//! The port.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

use crate::cli::{Exit, Failure};
use crate::settings::Resolved;

/// Takes the port that the settings name.
///
/// # Errors
/// It can't be had, with the remedy.
pub(super) async fn listen(settings: &Resolved) -> Result<(TcpListener, SocketAddr), Failure> {
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

/// The address by which this process reaches its own port: `0.0.0.0` is for listening only.
pub(super) fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        ip if !ip.is_unspecified() => address,
        std::net::IpAddr::V4(_) => SocketAddr::from(([127, 0, 0, 1], address.port())),
        std::net::IpAddr::V6(_) => SocketAddr::from((std::net::Ipv6Addr::LOCALHOST, address.port())),
    }
}
