//! The certificate that the port shows, and its renewal without a restart.
//!
//! The files are PEM: the certificate first and then its chain, as `fullchain.pem` is; the key in PKCS#8, PKCS#1 or SEC1.

use std::fmt;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::client::danger::ServerCertVerifier;
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, RootCertStore, ServerConfig};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_secs(3);

/// Why a certificate can't be shown.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the members are named by the messages")]
pub enum TlsError {
    #[error("{} can't be read", file.display())]
    Unreadable {
        file: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("{} holds no certificate in PEM form", file.display())]
    NoCertificate { file: PathBuf },
    #[error("{} holds no private key in PEM form (PKCS#8, RSA or SEC1, without a passphrase)", file.display())]
    NoKey { file: PathBuf },
    #[error("the key in {} doesn't belong to the certificate in {}", key.display(), certificate.display())]
    Mismatch { certificate: PathBuf, key: PathBuf },
    #[error("{} can't be used: {reason}", file.display())]
    Unusable { file: PathBuf, reason: String },
}

/// A certificate with its key, and where both come from; cheap to clone. All clones follow a renewal.
#[derive(Clone)]
pub struct Tls {
    shown: Arc<Shown>,
    config: Arc<ServerConfig>,
}

struct Shown {
    certificate: PathBuf,
    key: PathBuf,
    current: RwLock<Arc<CertifiedKey>>,
}

/// The two files as they were read.
type Files = (Vec<u8>, Vec<u8>);

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`TlsError`]. An expired certificate is none: see [`Tls::trouble`].
    pub fn open(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let files = read(certificate, key)?;
        let current = RwLock::new(Arc::new(pair(certificate, key, &files)?));
        let shown = Arc::new(Shown { certificate: certificate.to_owned(), key: key.to_owned(), current });
        let provider = rustls::crypto::ring::default_provider();
        let builder = ServerConfig::builder_with_provider(provider.into()).with_safe_default_protocol_versions();
        let builder = builder.expect("ring speaks the default versions").with_no_client_auth();
        let resolver: Arc<dyn ResolvesServerCert> = shown.clone();
        let mut config = builder.with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { shown, config: Arc::new(config) })
    }

    /// The certificate that is shown now, and its chain.
    pub fn certificates(&self) -> Vec<CertificateDer<'static>> {
        self.shown.current().cert.clone()
    }

    /// The names that the certificate covers, DNS names first.
    pub fn names(&self) -> Vec<String> {
        names(&self.shown.current())
    }

    /// Whether a client that asks for this host is content.
    pub fn covers(&self, host: &str) -> bool {
        let current = self.shown.current();
        let Ok(name) = ServerName::try_from(host) else { return false };
        let parsed = current.end_entity_cert().and_then(ParsedCertificate::try_from);
        parsed.is_ok_and(|parsed| verify_server_name(&parsed, &name).is_ok())
    }

    /// What is wrong with the certificate's dates at `now`, in milliseconds since the epoch.
    pub fn trouble(&self, now: i64) -> Option<String> {
        let now = Duration::from_millis(u64::try_from(now).unwrap_or_default());
        let reason = dates(&self.shown.current(), UnixTime::since_unix_epoch(now))?;
        Some(format!("the certificate in {} {reason}", self.shown.certificate.display()))
    }

    /// Looks at the files every few seconds until `stop` and takes a new pair into use; connections that stand stay.
    /// `renewed` hears of the new certificates before they are shown.
    pub async fn watch(self, stop: CancellationToken, renewed: impl Fn(&[CertificateDer<'static>]) + Send + Sync) {
        let Shown { certificate, key, .. } = &*self.shown;
        let mut seen = read(certificate, key).ok();
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            let now = read(certificate, key);
            // While a file is away it is being replaced.
            let Ok(files) = now else { continue };
            if seen.as_ref() == Some(&files) {
                continue;
            }
            match pair(certificate, key, &files) {
                Ok(pair) => {
                    renewed(&pair.cert);
                    *self.shown.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(pair);
                    tracing::info!("the certificate in {} is in use now", certificate.display());
                }
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "the old certificate stays in use: {error}");
                }
            }
            seen = Some(files);
        }
    }

    pub(super) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tls").field(&self.shown.certificate).finish()
    }
}

impl Shown {
    fn current(&self) -> Arc<CertifiedKey> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shown").field(&self.certificate).finish()
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current())
    }
}

fn read(certificate: &Path, key: &Path) -> Result<Files, TlsError> {
    let read = |file: &Path| fs::read(file).map_err(|source| TlsError::Unreadable { file: file.to_owned(), source });
    Ok((read(certificate)?, read(key)?))
}

fn pair(certificate: &Path, key: &Path, (chain, secret): &Files) -> Result<CertifiedKey, TlsError> {
    let unusable = |file: &Path, reason: &dyn fmt::Display| TlsError::Unusable {
        file: file.to_owned(),
        reason: reason.to_string(),
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(chain).collect();
    let chain = chain.map_err(|error| unusable(certificate, &error))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate { file: certificate.to_owned() });
    }
    let secret = PrivateKeyDer::from_pem_slice(secret).map_err(|_| TlsError::NoKey { file: key.to_owned() })?;
    let provider = rustls::crypto::ring::default_provider();
    let signer = provider.key_provider.load_private_key(secret).map_err(|error| unusable(key, &error))?;
    let pair = CertifiedKey::new(chain, signer);
    match pair.keys_match() {
        Ok(()) => Ok(pair),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() })
        }
        Err(error) => Err(unusable(certificate, &error)),
    }
}

/// No certificate covers this name, so the refusal lists what it does cover.
const NOBODY: &str = "nobody.invalid";

fn names(pair: &CertifiedKey) -> Vec<String> {
    let Ok(parsed) = pair.end_entity_cert().and_then(ParsedCertificate::try_from) else { return Vec::new() };
    let nobody = ServerName::try_from(NOBODY).expect("it is a name");
    let refusal = verify_server_name(&parsed, &nobody);
    let Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) = refusal
    else {
        return Vec::new();
    };
    let of = |kind: &str| -> Vec<String> {
        let inner = |name: &String| Some(name.strip_prefix(kind)?.strip_suffix(')')?.trim_matches('"').to_owned());
        presented.iter().filter_map(inner).collect()
    };
    let addresses = of("IpAddress(").into_iter().filter(|text| text.parse::<IpAddr>().is_ok());
    of("DnsName(").into_iter().chain(addresses).collect()
}

/// WebPKI looks at a certificate's dates before anything else, so any other verdict means that they are right.
fn dates(pair: &CertifiedKey, now: UnixTime) -> Option<String> {
    let certificate = pair.end_entity_cert().ok()?;
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).ok()?;
    let provider = rustls::crypto::ring::default_provider();
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.into()).build().ok()?;
    let nobody = ServerName::try_from(NOBODY).expect("it is a name");
    match verifier.verify_server_cert(certificate, &[], &nobody, &[], now) {
        Err(rustls::Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. })) => {
            Some("has expired".to_owned())
        }
        Err(rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. },
        )) => Some("isn't valid yet; is the clock right?".to_owned()),
        _ => None,
    }
}
