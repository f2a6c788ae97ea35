//! TLS by rustls.

use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Connector, Failure, Io, Transport};
use crate::{ClientError, ClientOptions, Code, HttpVersion, Status};

fn wrong<E: std::error::Error + Send + Sync + 'static>(reason: &'static str) -> impl Fn(E) -> ClientError {
    move |error| ClientError::Tls { reason, source: error.into() }
}

pub(super) fn connector(options: &ClientOptions) -> Result<TlsConnector, ClientError> {
    let tls = &options.tls;
    let roots = match &tls.ca_certificates {
        Some(pem) => custom_roots(pem)?,
        None => system_roots()?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong("no protocol version"))?
        .with_root_certificates(roots);
    let mut config = match &tls.identity {
        Some((certificates, key)) => {
            let certificates = CertificateDer::pem_slice_iter(certificates)
                .collect::<Result<Vec<_>, _>>()
                .map_err(wrong("the client's certificate is not PEM"))?;
            let key = PrivateKeyDer::from_pem_slice(key).map_err(wrong("the client's key is not PEM"))?;
            builder
                .with_client_auth_cert(certificates, key)
                .map_err(wrong("the client's certificate and key"))?
        }
        None => builder.with_no_client_auth(),
    };
    let protocol: &[u8] = match options.http_version {
        HttpVersion::Http1 => b"http/1.1",
        HttpVersion::Http2 => b"h2",
    };
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

fn custom_roots(pem: &[u8]) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(wrong("ca_certificates are not PEM"))?;
        roots.add(certificate).map_err(wrong("one of ca_certificates"))?;
    }
    if roots.is_empty() { Err(ClientError::NoRoots) } else { Ok(roots) }
}

fn system_roots() -> Result<RootCertStore, ClientError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems carry certificates that rustls does not read; one of them must not make all others useless.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 { Err(ClientError::NoRoots) } else { Ok(roots) }
}

pub(super) async fn handshake(
    tls: &TlsConnector,
    connector: &Connector,
    stream: TcpStream,
) -> Result<Transport, Failure> {
    let host = connector.options.tls.server_name.as_ref().unwrap_or(&connector.endpoint.host);
    let name = ServerName::try_from(host.clone()).map_err(|_| {
        let text = format!("{host:?} is not a name that a certificate can have");
        Failure::Refused(Status::new(Code::InvalidArgument, text))
    })?;
    let authority = &connector.endpoint.authority;
    let stream = tls
        .connect(name, stream)
        .await
        .map_err(|error| Failure::unreachable(format!("no TLS with {authority}: {error}")))?;
    let negotiated = stream.get_ref().1.alpn_protocol();
    if connector.options.http_version == HttpVersion::Http2 && negotiated != Some(b"h2") {
        return Err(Failure::Refused(Status::new(
            Code::Unimplemented,
            format!("{authority} does not speak HTTP/2: use HttpVersion::Http1"),
        )));
    }
    Ok(Transport::from(Io::Tls(Box::new(stream))))
}
