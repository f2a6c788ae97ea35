//! TLS to the upstream.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may panic, in its helpers too")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::call;
use common::own::{AbortOnDrop, Handler, Manners};
use grpcws_proto::Code;
use grpcws_upstream::{TlsOptions, Upstream, UpstreamError, UpstreamOptions};
use http_body_util::BodyExt as _;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A certificate authority of the test's own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, as PEM.
struct Identity {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn issue(&self, name: &str, purpose: ExtendedKeyUsagePurpose) -> Identity {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap().pem();
        Identity { certificate, key: key.serialize_pem() }
    }

    fn server(&self, name: &str) -> Identity {
        self.issue(name, ExtendedKeyUsagePurpose::ServerAuth)
    }
}

/// A server with TLS. It asks for client certificates of this authority, if there is one.
async fn serve(identity: &Identity, clients: Option<&Authority>, alpn: &[u8]) -> (SocketAddr, AbortOnDrop) {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.unwrap();
    let builder = match clients {
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem().as_bytes()).unwrap()).unwrap();
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
        None => builder.with_no_client_auth(),
    };
    let certificate = CertificateDer::from_pem_slice(identity.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(identity.key.as_bytes()).unwrap();
    let mut config = builder.with_single_cert(vec![certificate], key).unwrap();
    config.alpn_protocols = if alpn.is_empty() { vec![] } else { vec![alpn.to_vec()] };
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = tokio::spawn(async move {
        loop {
            let (io, _) = listener.accept().await.unwrap();
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                if let Ok(io) = acceptor.accept(io).await {
                    common::own::serve(io, 0, Manners::default(), Handler::unary()).await;
                }
            });
        }
    });
    (address, AbortOnDrop(task))
}

fn upstream(host: &str, address: SocketAddr, tls: TlsOptions) -> Upstream {
    let options = UpstreamOptions::builder()
        .tls(tls)
        .dial_timeout(Duration::from_secs(5))
        .build()
        .expect("valid options");
    Upstream::new(&format!("https://{host}:{}", address.port()), options).unwrap()
}

async fn succeeds(upstream: &Upstream) {
    call(upstream).await.unwrap().into_body().collect().await.unwrap();
}

async fn fails(upstream: &Upstream, message: &str) {
    let status = call(upstream).await.unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, message));
}

#[tokio::test]
async fn a_custom_authority_is_trusted_and_another_is_not() {
    let authority = Authority::new();
    let (address, _server) = serve(&authority.server("127.0.0.1"), None, b"h2").await;
    succeeds(&upstream("127.0.0.1", address, TlsOptions::default().ca_pem(authority.pem()))).await;
    let other = TlsOptions::default().ca_pem(Authority::new().pem());
    fails(
        &upstream("127.0.0.1", address, other),
        "the certificate of the upstream is not from a trusted authority",
    )
    .await;
}

#[tokio::test]
async fn the_name_has_to_be_that_of_the_certificate() {
    let authority = Authority::new();
    let (address, _server) = serve(&authority.server("up.test"), None, b"h2").await;
    let tls = TlsOptions::default().ca_pem(authority.pem());
    fails(
        &upstream("127.0.0.1", address, tls.clone()),
        "the certificate of the upstream is for another name",
    )
    .await;
    succeeds(&upstream("127.0.0.1", address, tls.clone().server_name("up.test"))).await;
    let options =
        UpstreamOptions::builder().tls(tls).authority("up.test:443").build().expect("valid options");
    succeeds(&Upstream::new(&format!("https://{address}"), options).unwrap()).await;
}

#[tokio::test]
async fn a_client_certificate_is_presented() {
    let (authority, clients) = (Authority::new(), Authority::new());
    let (address, _server) = serve(&authority.server("127.0.0.1"), Some(&clients), b"h2").await;
    let tls = TlsOptions::default().ca_pem(authority.pem());
    let rejected = "the upstream does not accept the client certificate, or wants one";
    fails(&upstream("127.0.0.1", address, tls.clone()), rejected).await;
    let identity = |authority: &Authority| {
        let client = authority.issue("client.test", ExtendedKeyUsagePurpose::ClientAuth);
        tls.clone().identity_pem(client.certificate, client.key)
    };
    fails(&upstream("127.0.0.1", address, identity(&authority)), rejected).await;
    succeeds(&upstream("127.0.0.1", address, identity(&clients))).await;
}

#[tokio::test]
async fn http2_has_to_be_agreed_upon() {
    let authority = Authority::new();
    for alpn in [&b""[..], b"http/1.1"] {
        let (address, _server) = serve(&authority.server("127.0.0.1"), None, alpn).await;
        let tls = TlsOptions::default().ca_pem(authority.pem());
        fails(&upstream("127.0.0.1", address, tls), "the upstream does not offer HTTP/2 in TLS (ALPN h2)")
            .await;
    }
}

#[tokio::test]
async fn tls_and_plain_text_do_not_meet() {
    let authority = Authority::new();
    let plain = common::own::Own::start(Handler::unary()).await;
    let tls = TlsOptions::default().ca_pem(authority.pem());
    fails(&upstream("127.0.0.1", plain.address, tls), "the upstream does not speak TLS").await;

    let (address, _server) = serve(&authority.server("127.0.0.1"), None, b"h2").await;
    let plain = common::upstream(
        address,
        UpstreamOptions::builder().dial_timeout(Duration::from_secs(5)).build().expect("valid options"),
    );
    fails(&plain, "the upstream does not speak HTTP/2").await;
}

#[test]
fn certificates_that_are_none_are_refused_at_once() {
    let new = |tls| {
        Upstream::new("https://up.test", UpstreamOptions::builder().tls(tls).build().expect("valid options"))
            .unwrap_err()
    };
    let pem = Authority::new().pem();
    assert!(matches!(new(TlsOptions::default().ca_pem("x")), UpstreamError::Pem { .. }));
    let no_key = TlsOptions::default().ca_pem(pem.clone()).identity_pem(pem.clone(), "x");
    assert!(matches!(new(no_key), UpstreamError::Pem { .. }));
    let no_name = TlsOptions::default().ca_pem(pem).server_name("not a name");
    assert!(matches!(new(no_name), UpstreamError::ServerName(_)));
}

#[test]
fn tls_is_not_left_out_in_silence() {
    let pem = Authority::new().pem();
    let default = TlsOptions::default;
    for endpoint in ["http://up.test:1", "unix:/run/up.sock"] {
        for tls in [
            default().ca_pem(pem.clone()),
            default().identity_pem("x", "x"),
            default().server_name("up.test"),
        ] {
            let error =
                Upstream::new(endpoint, UpstreamOptions::builder().tls(tls).build().expect("valid options"))
                    .unwrap_err();
            assert!(matches!(error, UpstreamError::NoTls(text) if text == endpoint));
        }
        Upstream::new(endpoint, UpstreamOptions::default()).unwrap();
    }
}
