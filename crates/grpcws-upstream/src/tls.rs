//! TLS to an upstream.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::error::UpstreamError;

/// The certificates of an upstream with `https`, as PEM texts. For another one they are refused.
///
/// The certificate of the upstream is always checked; there is no option to leave that out.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct TlsOptions {
    /// The certificates to trust in place of the system's. Default: none, so the system's roots are used.
    pub ca_pem: Option<Vec<u8>>,
    /// The client's certificate chain and its private key, for an upstream that asks for them. Default: none.
    pub identity_pem: Option<(Vec<u8>, Vec<u8>)>,
    /// The name that the certificate of the upstream has to have. Default: none, so it is the host of the
    /// authority.
    pub server_name: Option<String>,
}

/// The private key must not reach a log.
impl fmt::Debug for TlsOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsOptions")
            .field("ca_pem", &self.ca_pem.is_some())
            .field("identity_pem", &self.identity_pem.is_some())
            .field("server_name", &self.server_name)
            .finish()
    }
}

impl TlsOptions {
    /// Trusts these certificates, as PEM, in place of the system's.
    #[must_use]
    pub fn ca_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.ca_pem = Some(pem.into());
        self
    }

    /// Presents this certificate chain and its key, both as PEM.
    #[must_use]
    pub fn identity_pem(mut self, chain: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.identity_pem = Some((chain.into(), key.into()));
        self
    }

    /// Expects this name in the certificate of the upstream.
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = Some(name.into());
        self
    }

    /// Whether nothing is set.
    pub(crate) fn is_default(&self) -> bool {
        let Self { ca_pem, identity_pem, server_name } = self;
        ca_pem.is_none() && identity_pem.is_none() && server_name.is_none()
    }
}

/// TLS, ready to be spoken.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) connector: TlsConnector,
    pub(crate) name: ServerName<'static>,
}

impl Tls {
    /// Reads the certificates. `host` is the name to expect, unless the options say another.
    pub(crate) fn new(options: &TlsOptions, host: &str) -> Result<Self, UpstreamError> {
        let roots = match &options.ca_pem {
            Some(pem) => custom_roots(pem)?,
            None => system_roots()?,
        };
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(UpstreamError::Tls)?
            .with_root_certificates(roots);
        let mut config = match &options.identity_pem {
            Some((chain, key)) => {
                let chain = certificates("the client certificate", chain)?;
                builder.with_client_auth_cert(chain, private_key(key)?).map_err(UpstreamError::Tls)?
            }
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = options.server_name.as_deref().unwrap_or(host);
        let name = ServerName::try_from(name.trim_start_matches('[').trim_end_matches(']').to_owned())
            .map_err(|_| UpstreamError::ServerName(name.to_owned()))?;
        Ok(Self { connector: TlsConnector::from(Arc::new(config)), name })
    }
}

fn custom_roots(pem: &[u8]) -> Result<RootCertStore, UpstreamError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates("the certificate authority", pem)? {
        roots.add(certificate).map_err(|error| UpstreamError::Pem {
            part: "the certificate authority",
            why: error.to_string(),
        })?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore, UpstreamError> {
    let loaded = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A store with one odd certificate in it is common, and no reason to trust none of them.
    roots.add_parsable_certificates(loaded.certs);
    if roots.is_empty() {
        let why = loaded.errors.first().map_or_else(|| "none were found".to_owned(), ToString::to_string);
        return Err(UpstreamError::NoRoots(why));
    }
    Ok(roots)
}

fn certificates(part: &'static str, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, UpstreamError> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = read.map_err(|error| UpstreamError::Pem { part, why: error.to_string() })?;
    if certificates.is_empty() {
        return Err(UpstreamError::Pem { part, why: "there is no certificate in it".to_owned() });
    }
    Ok(certificates)
}

fn private_key(pem: &[u8]) -> Result<PrivateKeyDer<'static>, UpstreamError> {
    PrivateKeyDer::from_pem_slice(pem)
        .map_err(|error| UpstreamError::Pem { part: "the client's private key", why: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pem_without_certificates_is_refused() {
        let options = TlsOptions::default().ca_pem("nothing here");
        assert!(matches!(Tls::new(&options, "example.test"), Err(UpstreamError::Pem { .. })));
    }
}
