//! Why an upstream could not be connected.

use std::io;

use grpcws_proto::{Code, ErrorChain, Status, causes};
use rustls::{self, AlertDescription, CertificateError};

use crate::status::BoxError;

/// Why an upstream could not be connected, in words that a client may read: they name no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("the name of the upstream cannot be resolved")]
    Dns,
    #[error("the name of the upstream has no address")]
    NoAddress,
    #[error("the name of the upstream could not be resolved in time")]
    DnsTimeout,
    #[error("the upstream refuses connections")]
    Refused,
    #[error("the upstream cannot be reached")]
    Unreachable,
    #[error("the upstream did not answer a connection attempt in time")]
    ConnectTimeout,
    #[error("the unix socket of the upstream does not exist")]
    NoSocket,
    #[error("the unix socket of the upstream may not be used by this process")]
    Permission,
    #[error("this process has no file descriptors left for a connection to the upstream")]
    Descriptors,
    #[error("the upstream did not finish the TLS handshake in time")]
    TlsTimeout,
    #[error("the certificate of the upstream is for another name")]
    TlsName,
    #[error("the certificate of the upstream is not from a trusted authority")]
    TlsAuthority,
    #[error("the certificate of the upstream is not valid at this time")]
    TlsTime,
    #[error("the certificate of the upstream is not valid")]
    TlsCertificate,
    #[error("the upstream does not accept the client certificate, or wants one")]
    TlsClient,
    #[error("the upstream does not speak TLS")]
    NoTls,
    #[error("the TLS handshake with the upstream failed")]
    Tls,
    #[error("the upstream does not offer HTTP/2 in TLS (ALPN h2)")]
    NoAlpn,
    #[error("the upstream does not speak HTTP/2")]
    NotHttp2,
    #[error(
        "the upstream closed the connection before HTTP/2 began; perhaps it does not speak it, or wants TLS"
    )]
    HandshakeClosed,
    #[error(
        "the upstream closed the connection before HTTP/2 began; perhaps it does not speak it, or wants a client certificate"
    )]
    HandshakeClosedTls,
    #[error("the upstream sent no HTTP/2 settings in time; perhaps it does not speak HTTP/2, or wants TLS")]
    HandshakeTimeout,
    #[error("the upstream sent no HTTP/2 settings in time; perhaps it does not speak HTTP/2")]
    HandshakeTimeoutTls,
    #[error("the upstream cannot be connected")]
    Other,
}

impl Failure {
    /// The status of the calls that wait for the connection.
    pub(crate) fn status(self) -> Status {
        Status::new(Code::Unavailable, self.to_string())
    }
}

/// A failed attempt with its cause, for the log.
#[derive(Debug, thiserror::Error)]
#[error("{failure}")]
pub(crate) struct DialError {
    pub(crate) failure: Failure,
    source: Option<BoxError>,
}

impl From<Failure> for DialError {
    fn from(failure: Failure) -> Self {
        Self { failure, source: None }
    }
}

impl DialError {
    pub(crate) fn lookup(error: io::Error) -> Self {
        Self { failure: Failure::Dns, source: Some(error.into()) }
    }

    /// The error of `connect`.
    pub(super) fn connect(error: io::Error) -> Self {
        use io::ErrorKind;
        /// The numbers of EMFILE and ENFILE wherever tokio runs on unix.
        const OUT_OF_DESCRIPTORS: [i32; 2] = [24, 23];
        let out_of_descriptors =
            cfg!(unix) && error.raw_os_error().is_some_and(|number| OUT_OF_DESCRIPTORS.contains(&number));
        let failure = match error.kind() {
            _ if out_of_descriptors => Failure::Descriptors,
            ErrorKind::ConnectionRefused => Failure::Refused,
            ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => Failure::Unreachable,
            ErrorKind::TimedOut => Failure::ConnectTimeout,
            ErrorKind::NotFound => Failure::NoSocket,
            ErrorKind::PermissionDenied => Failure::Permission,
            _ => Failure::Other,
        };
        Self { failure, source: Some(error.into()) }
    }

    /// The error of the TLS handshake.
    pub(super) fn tls(error: io::Error) -> Self {
        let failure = match Self::of_tls(&error) {
            Some(failure) => failure,
            None if error.kind() == io::ErrorKind::UnexpectedEof => Failure::NoTls,
            None => Failure::Tls,
        };
        Self { failure, source: Some(error.into()) }
    }

    /// The connection ended in the HTTP/2 handshake.
    pub(super) const fn closed(tls: bool) -> Failure {
        if tls { Failure::HandshakeClosedTls } else { Failure::HandshakeClosed }
    }

    /// The HTTP/2 handshake took too long.
    pub(super) const fn timeout(tls: bool) -> Failure {
        if tls { Failure::HandshakeTimeoutTls } else { Failure::HandshakeTimeout }
    }

    /// The error of the HTTP/2 handshake. `noted` is the error of TLS behind it: with TLS 1.3 the upstream judges
    /// the client's certificate after the handshake has ended for us.
    pub(super) fn http2(error: h2::Error, noted: Option<Failure>, tls: bool) -> Self {
        let failure = match noted {
            Some(failure) => failure,
            None if error.is_io() => Self::closed(tls),
            None => Failure::NotHttp2,
        };
        Self { failure, source: Some(error.into()) }
    }

    /// What an I/O error is, if TLS has made it.
    pub(super) fn of_tls(error: &io::Error) -> Option<Failure> {
        tls_error(error).map(tls_failure)
    }

    /// The causes, outermost first, for the log.
    pub(crate) fn detail(&self) -> String {
        self.source.as_deref().map(|source| ErrorChain(source).to_string()).unwrap_or_default()
    }
}

fn tls_error(error: &io::Error) -> Option<&rustls::Error> {
    causes(error).find_map(|error| error.downcast_ref())
}

fn tls_failure(error: &rustls::Error) -> Failure {
    match error {
        rustls::Error::InvalidCertificate(reason) => match reason {
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Failure::TlsName
            }
            CertificateError::UnknownIssuer | CertificateError::BadSignature => Failure::TlsAuthority,
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Failure::TlsTime,
            _ => Failure::TlsCertificate,
        },
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::DecryptError
            | AlertDescription::AccessDenied,
        ) => Failure::TlsClient,
        rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol)
        | rustls::Error::NoApplicationProtocol => Failure::NoAlpn,
        rustls::Error::InvalidMessage(_) => Failure::NoTls,
        _ => Failure::Tls,
    }
}
