//! TLS: custom roots, client certificates, ALPN, and what goes wrong.

mod common;

use std::net::SocketAddr;
use std::sync::Arc;

use common::{app, method, options, soon};
use grpcws::{ConnectionOptions, Shutdown};
use grpcws_client::HttpVersion::{Http1, Http2};
use grpcws_client::{Client, ClientError, ClientOptions, Code, HttpVersion, JsonEvent, Status, TlsOptions};
use grpcws_test::TestService;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority() -> Authority {
    let mut params = CertificateParams::new(Vec::new()).expect("no names");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// A certificate for a name and its key, both PEM.
fn certificate(authority: &Authority, name: &str) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    let certificate = params.signed_by(&key, authority).expect("a certificate");
    (certificate.pem(), key.serialize_pem())
}

/// A gateway with a certificate for `localhost`, which asks for certificates of the same authority where `mutual`.
async fn serve(authority: &Authority, mutual: bool, alpn: &[&[u8]]) -> SocketAddr {
    let (certificate, key) = certificate(authority, "localhost");
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).expect("PEM")];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).expect("PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = if mutual {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).expect("a root");
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
        builder.with_client_cert_verifier(verifier.expect("a verifier"))
    } else {
        builder.with_no_client_auth()
    };
    let mut config = builder.with_single_cert(chain, key).expect("a pair");
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let app = app(&TestService::default(), ConnectionOptions::default(), &Shutdown::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, app) = (acceptor.clone(), app.clone());
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let mut http = auto::Builder::new(TokioExecutor::new());
                http.http2().enable_connect_protocol();
                let service = TowerToHyperService::new(app);
                let _ = http.serve_connection_with_upgrades(TokioIo::new(stream), service).await;
            });
        }
    });
    address
}

fn client(address: SocketAddr, version: HttpVersion, tls: TlsOptions) -> Client {
    let url = format!("wss://localhost:{}", address.port());
    Client::new(&url, ClientOptions::builder().http_version(version).tls(tls).build().expect("valid options"))
        .expect("valid options")
}

async fn unary(client: &Client) -> Status {
    let mut call = client.json_call(&method("Unary"), options());
    soon(call.send("{}")).await.ok();
    loop {
        if let Some(JsonEvent::End(status)) = soon(call.next()).await {
            return status;
        }
    }
}

#[tokio::test]
async fn a_custom_authority_is_believed_and_no_other() {
    let authority = authority();
    let address = serve(&authority, false, &[b"h2", b"http/1.1"]).await;
    for version in [Http1, Http2] {
        let tls = TlsOptions::default().ca_certificates(authority.pem());
        assert!(unary(&client(address, version, tls)).await.is_ok());

        let other = TlsOptions::default().ca_certificates(self::authority().pem());
        let status = unary(&client(address, version, other)).await;
        assert_eq!(status.code(), Code::Unavailable);
        assert!(status.message().contains("no TLS with localhost"), "{status:?}");
    }
    let other_name = TlsOptions::default().ca_certificates(authority.pem()).server_name("example.com");
    let status = unary(&client(address, Http1, other_name)).await;
    assert_eq!(status.code(), Code::Unavailable, "{status:?}");
}

#[tokio::test]
async fn a_gateway_can_ask_for_a_certificate() {
    let authority = authority();
    let address = serve(&authority, true, &[b"h2", b"http/1.1"]).await;
    let (certificate, key) = certificate(&authority, "client");
    for version in [Http1, Http2] {
        let tls = TlsOptions::default().ca_certificates(authority.pem());
        assert_eq!(unary(&client(address, version, tls.clone())).await.code(), Code::Unavailable);
        let tls = tls.identity(certificate.as_str(), key.as_str());
        assert!(unary(&client(address, version, tls)).await.is_ok());
    }
}

#[tokio::test]
async fn http2_has_to_be_negotiated() {
    let authority = authority();
    let address = serve(&authority, false, &[]).await;
    let tls = TlsOptions::default().ca_certificates(authority.pem());
    let status = unary(&client(address, Http2, tls)).await;
    assert_eq!(status.code(), Code::Unimplemented, "{status:?}");
}

#[test]
fn options_that_cannot_be_used_are_named() {
    let error = |tls: TlsOptions| {
        Client::new("wss://localhost", ClientOptions::builder().tls(tls).build().expect("valid options"))
            .expect_err("it cannot be used")
    };
    assert!(matches!(error(TlsOptions::default().ca_certificates("")), ClientError::NoRoots));
    let authority = authority();
    let tls = TlsOptions::default().ca_certificates(authority.pem());
    let (certificate, _) = certificate(&authority, "client");
    assert!(matches!(error(tls.clone().identity(certificate.as_str(), "no key")), ClientError::Tls { .. }));
    let (_, other_key) = self::certificate(&authority, "client");
    let text = error(tls.identity(certificate, other_key.as_str())).to_string();
    assert!(text.contains("certificate and key"), "{text}");
}
