//! Whose certificates a client of ours trusts: the system's, a site's own, and in one case one certificate exactly.
//!
//! A site's file may hold authorities, and also the server's own certificate. What `openssl req -x509` makes calls
//! itself an authority, and WebPKI refuses an authority that serves; most other clients accept it when it is trusted by
//! name. So do ours: a certificate that stands in the site's file, byte for byte, is good for the names that it covers.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::https::HttpError;

/// What to do where no answer came for such a cause, if it is about a certificate.
pub fn remedy(cause: &str) -> Option<&'static str> {
    let words = "if the certificate is of your own authority, HADRON_CA_BUNDLE names the file to trust";
    cause.contains("certificate").then_some(words)
}

/// Certificates to trust; cheap to clone. All clones, and the clients made with them, follow a change.
#[derive(Clone)]
pub struct Trust {
    known: Arc<RwLock<Known>>,
    whose: Whose,
}

/// What a presented certificate must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// Good for the name that is asked for.
    Named,
    /// One of ours, under whatever name: a process that asks its own port by the loopback address.
    OurOwn,
}

struct Known {
    site: Vec<CertificateDer<'static>>,
    roots: RootCertStore,
    /// None while there isn't one certificate to trust.
    verifier: Option<Arc<WebPkiServerVerifier>>,
}

impl Trust {
    /// The system's certificates, and those in the PEM files.
    ///
    /// # Errors
    /// A file can't be read, holds no certificate, or one that can't be used.
    pub fn read(files: &[PathBuf]) -> Result<Self, HttpError> {
        let mut roots = RootCertStore::empty();
        // A system without certificates is no trouble until one is needed, and then the handshake says so.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let mut site = Vec::new();
        for file in files {
            for certificate in read(file)? {
                roots.add(certificate.clone()).map_err(|error| unusable(file, &error))?;
                site.push(certificate);
            }
        }
        Ok(Self::with(site, roots, Whose::Named))
    }

    /// Exactly these certificates, whatever names they cover.
    pub fn our_own(certificates: &[CertificateDer<'static>]) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().cloned());
        Self::with(certificates.to_vec(), roots, Whose::OurOwn)
    }

    fn with(site: Vec<CertificateDer<'static>>, roots: RootCertStore, whose: Whose) -> Self {
        let verifier = verifier(&roots);
        Self { known: Arc::new(RwLock::new(Known { site, roots, verifier })), whose }
    }

    /// Trusts these too, from the next handshake on.
    pub fn add(&self, certificates: &[CertificateDer<'static>]) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        for certificate in certificates {
            if !known.site.contains(certificate) {
                known.site.push(certificate.clone());
                known.roots.add_parsable_certificates([certificate.clone()]);
            }
        }
        known.verifier = verifier(&known.roots);
    }

    /// A PEM file for programs that read one in place of the system's: the system's certificates and the site's.
    pub fn pem(&self) -> String {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let system = rustls_native_certs::load_native_certs().certs;
        system.iter().chain(&known.site).map(pem).collect()
    }

    /// TLS towards others with this trust.
    pub fn client_config(&self) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(provider()).with_safe_default_protocol_versions();
        let builder = builder.expect("ring speaks the default versions");
        builder.dangerous().with_custom_certificate_verifier(Arc::new(self.clone())).with_no_client_auth()
    }

    fn verifier(&self) -> Result<Arc<WebPkiServerVerifier>, rustls::Error> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.verifier.clone().ok_or(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer))
    }

    fn holds(&self, certificate: &CertificateDer<'_>) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.site.iter().any(|known| known.as_ref() == certificate.as_ref())
    }
}

impl fmt::Debug for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trust").field("whose", &self.whose).finish_non_exhaustive()
    }
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.whose == Whose::OurOwn {
            return match self.holds(certificate) {
                true => Ok(ServerCertVerified::assertion()),
                false => Err(CertificateError::UnknownIssuer.into()),
            };
        }
        match self.verifier()?.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            // WebPKI looks at the dates first, so these say that only trust is missing.
            Err(rustls::Error::InvalidCertificate(reason)) if is_about_trust(&reason) && self.holds(certificate) => {
                verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        provider().signature_verification_algorithms.supported_schemes()
    }
}

fn is_about_trust(reason: &CertificateError) -> bool {
    match reason {
        // The second when another certificate of ours bears the issuer's name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => true,
        CertificateError::Other(other) => other.to_string().contains("CaUsedAsEndEntity"),
        _ => false,
    }
}

fn verifier(roots: &RootCertStore) -> Option<Arc<WebPkiServerVerifier>> {
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots.clone()), provider()).build().ok()
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn read(file: &Path) -> Result<Vec<CertificateDer<'static>>, HttpError> {
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| unusable(file, &error))?;
    let certificates: Result<Vec<_>, _> = certificates.collect();
    let certificates = certificates.map_err(|error| unusable(file, &error))?;
    match certificates.is_empty() {
        true => Err(unusable(file, &"it holds no PEM certificate")),
        false => Ok(certificates),
    }
}

fn unusable(file: &Path, reason: &dyn fmt::Display) -> HttpError {
    HttpError::Certificates { path: file.display().to_string(), reason: reason.to_string() }
}

/// <https://www.rfc-editor.org/rfc/rfc7468>
fn pem(certificate: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(certificate);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem + "-----END CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

    use super::{Trust, remedy};

    type Made = (CertificateDer<'static>, String);

    fn signed_by_itself(change: impl FnOnce(&mut CertificateParams)) -> Made {
        let mut params = CertificateParams::new(vec!["a.example.com".to_owned()]).unwrap();
        change(&mut params);
        let made = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        (made.der().clone(), made.pem())
    }

    fn authority(params: &mut CertificateParams) {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    }

    fn trusting(pem: &str) -> Trust {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), pem).unwrap();
        Trust::read(&[file.path().to_owned()]).unwrap()
    }

    fn accepts(trust: &Trust, shown: &CertificateDer<'_>, name: &str) -> bool {
        let name = ServerName::try_from(name).unwrap();
        trust.verify_server_cert(shown, &[], &name, &[], UnixTime::now()).is_ok()
    }

    #[test]
    fn a_certificate_of_the_file_is_good_for_its_names_and_dates_even_if_it_calls_itself_an_authority() {
        for change in [authority, |_: &mut CertificateParams| {}] {
            let (shown, pem) = signed_by_itself(change);
            let trust = trusting(&pem);
            assert!(accepts(&trust, &shown, "a.example.com"));
            assert!(!accepts(&trust, &shown, "b.example.com"), "another name");
            let (other, _) = signed_by_itself(change);
            assert!(!accepts(&trust, &other, "a.example.com"), "the same words by another key");
            trust.add(std::slice::from_ref(&other));
            assert!(accepts(&trust, &other, "a.example.com"), "added later");
        }
        let (expired, pem) = signed_by_itself(|params| {
            authority(params);
            params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        });
        assert!(!accepts(&trusting(&pem), &expired, "a.example.com"));
    }

    #[test]
    fn an_authority_vouches_for_what_it_signed_and_its_leaf_alone_is_enough_too() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        authority(&mut params);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap();
        let leaf = CertificateParams::new(vec!["a.example.com".to_owned()]).unwrap();
        let leaf = leaf.signed_by(&KeyPair::generate().unwrap(), &Issuer::new(params, key)).unwrap();
        for pem in [root.pem(), leaf.pem()] {
            assert!(accepts(&trusting(&pem), leaf.der(), "a.example.com"));
            assert!(!accepts(&trusting(&pem), leaf.der(), "b.example.com"));
        }
        let trust = trusting(&root.pem());
        assert!(!accepts(&trust, &signed_by_itself(|_| {}).0, "a.example.com"));
        assert!(trust.pem().ends_with("-----END CERTIFICATE-----\n"));
    }

    #[test]
    fn what_is_our_own_is_known_by_itself_under_any_name() {
        let (own, _) = signed_by_itself(authority);
        let trust = Trust::our_own(std::slice::from_ref(&own));
        assert!(accepts(&trust, &own, "127.0.0.1"));
        assert!(!accepts(&trust, &signed_by_itself(authority).0, "a.example.com"));
    }

    #[test]
    fn a_certificate_that_nobody_here_trusts_has_a_remedy() {
        let said = "client error (Connect): invalid peer certificate: UnknownIssuer";
        assert!(remedy(said).unwrap().contains("HADRON_CA_BUNDLE"));
        assert_eq!(remedy("client error (Connect): Connection refused"), None);
    }

    #[test]
    fn a_file_without_certificates_is_refused_by_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Trust::read(&[file.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains(&file.path().display().to_string()) && error.contains("no PEM certificate"), "{error}");
    }
}
