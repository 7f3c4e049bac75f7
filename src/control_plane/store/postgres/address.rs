//! Where a PostgreSQL is, and how to talk to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use postgres::config::{Host, SslMode, TargetSessionAttrs};
use postgres::{Client, Config, NoTls};
use rustls::ClientConfig;
use tokio_postgres_rustls::MakeRustlsConnect;

use super::refused;
use crate::control_plane::store::StoreError;
use crate::support::{address, https};

/// How long one host may take to take a connection.
const CONNECT: Duration = Duration::from_secs(3);

/// How long what was sent may stay unacknowledged; then the other end is taken for dead.
const UNACKNOWLEDGED: Duration = Duration::from_secs(5);

/// What every session is told first.
///
/// Serializable transactions fail for what they *could* have read: a sequential scan reads the whole table, so all
/// others' writes would be in its way. With these settings every statement walks an index, however small the table is.
/// Plans don't depend on values here, so making them once is enough. A server that hangs with a transaction open is
/// cut off, and its locks with it.
const SESSION: &str = "SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off;
    SET enable_hashjoin = off; SET enable_mergejoin = off; SET jit = off; SET plan_cache_mode = force_generic_plan;
    SET statement_timeout = '20s'; SET idle_in_transaction_session_timeout = '30s'; SET client_min_messages = warning;
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// A parsed URL, without a way to show its password.
pub(super) struct Address {
    config: Config,
    tls: Option<ClientConfig>,
    /// For messages: the URL without its password.
    pub(super) shown: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.shown)
    }
}

impl Address {
    /// Reads a `postgres://` URL. Besides what PostgreSQL's own clients take for TLS (`sslmode`, `sslrootcert`) it
    /// takes what the driver knows. TLS is used from `sslmode=require` on, and then the server's certificate and name
    /// are always checked: against the system's certificates, `sslrootcert` and `ca_bundle`.
    ///
    /// <https://www.postgresql.org/docs/current/libpq-connect.html#LIBPQ-CONNSTRING>
    ///
    /// # Errors
    /// The URL or the certificates can't be read.
    pub(super) fn parse(url: &str, ca_bundle: Option<&Path>) -> Result<Self, StoreError> {
        let (url, tls) = tls_options(url).map_err(refused("reading its URL"))?;
        let mut config: Config = url.parse().map_err(refused("reading its URL"))?;
        let roots = tls.roots.as_deref().or(ca_bundle);
        let tls = match tls.verified {
            true => Some(https::client_config(roots).map_err(refused("reading its certificates"))?),
            false => None,
        };
        config.ssl_mode(if tls.is_some() { SslMode::Require } else { SslMode::Disable });
        config.connect_timeout(config.get_connect_timeout().copied().unwrap_or(CONNECT));
        config.tcp_user_timeout(UNACKNOWLEDGED).keepalives_idle(UNACKNOWLEDGED);
        config.keepalives_interval(Duration::from_secs(1)).keepalives_retries(3);
        config.application_name("hadron");
        // After a failover the old primary, now a standby, must not be asked.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        let address = Self { config, tls, shown: address::without_password(&url) };
        address.warn_of_plain_passwords();
        Ok(address)
    }

    fn warn_of_plain_passwords(&self) {
        let far = |host: &Host| match host {
            Host::Tcp(name) => !matches!(name.as_str(), "localhost" | "127.0.0.1" | "::1"),
            Host::Unix(_) => false,
        };
        if self.tls.is_none() && self.config.get_hosts().iter().any(far) {
            tracing::warn!("the record at {} is reached without TLS; add ?sslmode=verify-full", self.shown);
        }
    }

    /// A new session. Not to be called from an asynchronous task: the client waits in a runtime of its own.
    pub(super) fn connect(&self) -> Result<Client, postgres::Error> {
        let mut client = match &self.tls {
            None => self.config.connect(NoTls)?,
            Some(tls) => self.config.connect(MakeRustlsConnect::new(tls.clone()))?,
        };
        client.batch_execute(SESSION)?;
        Ok(client)
    }
}

/// What a URL says about TLS.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tls {
    verified: bool,
    roots: Option<PathBuf>,
}

/// A word that `sslmode` doesn't have. Taken for none it would be plain text where somebody wanted TLS.
#[derive(Debug, thiserror::Error)]
#[error("`sslmode` is {0}; write verify-full for TLS, or disable for a network that you trust")]
struct UnknownMode(String);

/// Takes out of a URL what the driver doesn't understand.
fn tls_options(url: &str) -> Result<(String, Tls), UnknownMode> {
    let Some((front, query)) = url.split_once('?') else { return Ok((url.to_owned(), Tls::default())) };
    let (mut tls, mut kept) = (Tls::default(), Vec::new());
    for pair in query.split('&') {
        match pair.split_once('=') {
            Some(("sslmode", mode)) => {
                tls.verified = match mode {
                    "require" | "verify-ca" | "verify-full" => true,
                    "disable" | "allow" | "prefer" => false,
                    unknown => return Err(UnknownMode(unknown.to_owned())),
                }
            }
            Some(("sslrootcert", path)) => {
                tls.roots = Some(percent_encoding::percent_decode_str(path).decode_utf8_lossy().as_ref().into());
            }
            _ => kept.push(pair),
        }
    }
    let url = if kept.is_empty() { front.to_owned() } else { format!("{front}?{}", kept.join("&")) };
    Ok((url, tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_used_when_the_url_says_so_and_the_rest_is_the_drivers() {
        let read = |url| tls_options(url).unwrap();
        let (url, tls) = read("postgres://a@h/d?sslmode=verify-full&connect_timeout=2&sslrootcert=%2Fca.pem");
        assert_eq!(url, "postgres://a@h/d?connect_timeout=2");
        assert_eq!(tls, Tls { verified: true, roots: Some("/ca.pem".into()) });
        assert!(!read("postgres://a@h/d?sslmode=disable").1.verified);
        assert_eq!(read("postgres://a@h/d?sslmode=require").0, "postgres://a@h/d");
    }

    #[test]
    fn a_mistyped_mode_isnt_taken_for_none() {
        let error = Address::parse("postgres://a@h/d?sslmode=verify_full", None).unwrap_err();
        let words = crate::support::causes(&error);
        assert!(words.contains("`sslmode` is verify_full; write verify-full"), "{words}");
    }

    #[test]
    fn no_message_shows_the_password() {
        let address = Address::parse("postgres://me:geheim@127.0.0.1/d?password=geheim", None).unwrap();
        assert!(!format!("{address:?} {}", address.shown).contains("geheim"));
        let error = Address::parse("postgres://me:geheim@h:port/d", None).unwrap_err();
        assert!(!format!("{error:?}").contains("geheim"), "{error:?}");
    }
}
