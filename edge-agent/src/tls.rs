//! TLS under one CA only: the one whose fingerprint stood in the claim.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use schemas::hash::{Hash, sha256};
use schemas::time::Clock;

use crate::clock::{Floor, SystemClock};

/// Sessions are kept of so many servers: a platform and its other addresses.
const SERVERS: usize = 8;

/// A CA that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Not a certificate in PEM.
    #[error("the CA is no certificate in PEM")]
    Malformed,
    /// rustls refuses it.
    #[error(transparent)]
    Rustls(#[from] rustls::Error),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// Fingerprint of the first certificate of a PEM text: SHA-256 of its DER.
///
/// # Errors
/// [`TlsError::Malformed`].
pub fn fingerprint(pem: &str) -> Result<Hash, TlsError> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Malformed)?;
    Ok(sha256(&der))
}

/// A client that believes the first certificate of `pem` and nothing else.
///
/// # Errors
/// [`TlsError`].
pub fn under_ca(pem: &str) -> Result<ClientConfig, TlsError> {
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|_| TlsError::Malformed)?;
    let mut roots = RootCertStore::empty();
    roots.add(der)?;
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::in_memory_sessions(SERVERS);
    Ok(config)
}

/// The same on a device whose clock may be behind: certificates are judged by `floor` where that is
/// later. A clock that was never set says 1970, when no certificate was valid yet.
///
/// # Errors
/// [`TlsError`].
pub fn under_ca_since(pem: &str, floor: Floor) -> Result<ClientConfig, TlsError> {
    let mut config = under_ca(pem)?;
    config.time_provider = Arc::new(NotBefore(floor));
    Ok(config)
}

#[derive(Debug)]
struct NotBefore(Floor);

impl TimeProvider for NotBefore {
    fn current_time(&self) -> Option<UnixTime> {
        let now = SystemClock.now().max(self.0.get());
        let since = u64::try_from(now.as_seconds()).unwrap_or_default();
        Some(UnixTime::since_unix_epoch(Duration::from_secs(since)))
    }
}

/// A client that believes anybody: only to fetch the CA, whose fingerprint is compared after.
///
/// # Errors
/// [`TlsError`].
pub fn unverified() -> Result<ClientConfig, TlsError> {
    let provider = provider();
    let verifier = Arc::new(Anybody(provider.clone()));
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
