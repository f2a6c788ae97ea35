//! The PROXY protocol: what a load balancer says of its client before the first byte of that.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::uri::Scheme;
use proxy_header::{Error, ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// How long a proxy may take to send its header.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// The longest header that is accepted. Version 1 has 107 bytes at most, version 2 52 and what the proxy adds, which could be
/// 64 KiB.
const MAX_LENGTH: usize = 4 * 1024;

/// How headers begin, version 1 and version 2.
const BEGIN: [&[u8]; 2] = [b"PROXY ", b"\r\n\r\n\0\r\nQUIT\n"];

/// Whether connections of trusted proxies begin with a header of the PROXY protocol, version 1 or 2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyProtocol {
    /// No connection does.
    #[default]
    Off,
    /// A header is read if there is one. Proxies that send none have to be HTTP proxies, whose `x-forwarded-for` is
    /// believed.
    Optional,
    /// All do. Connections of others than trusted proxies are closed, and so are those without a header.
    Required,
}

/// What a connection begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Greeting {
    /// No header.
    None,
    /// A header without a client: the proxy speaks for itself, as in a health check, or does not tell.
    Own,
    Client(Proxied),
}

/// The client of a connection, as a proxy tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proxied {
    pub(super) client: SocketAddr,
    /// The address that the client connected to.
    pub(super) local: SocketAddr,
    /// How the client reached the proxy, if the proxy tells.
    pub(super) scheme: Option<Scheme>,
}

/// Reads the header of a connection. Returns what it says, and what was read behind it.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    required: bool,
) -> io::Result<(Greeting, Bytes)> {
    let mut buffer = BytesMut::with_capacity(256);
    loop {
        if stream.read_buf(&mut buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let begins = |begin: &[u8]| begin.iter().zip(&buffer).all(|(expected, byte)| expected == byte);
        if !BEGIN.iter().any(|begin| begins(begin)) {
            return if required { Err(invalid("no header")) } else { Ok((Greeting::None, buffer.freeze())) };
        }
        match ProxyHeader::parse(&buffer, ParseConfig::default()) {
            Ok((header, length)) => {
                let tls = header.ssl().map(|tls| if tls.client_ssl() { Scheme::HTTPS } else { Scheme::HTTP });
                let greeting = header.proxied_address().map_or(Greeting::Own, |addresses| {
                    let (client, local) = (addresses.source, addresses.destination);
                    Greeting::Client(Proxied { client, local, scheme: tls })
                });
                return Ok((greeting, buffer.split_off(length).freeze()));
            }
            Err(Error::BufferTooShort) if !is_line(&buffer) => {
                if buffer.len() >= MAX_LENGTH {
                    return Err(invalid("the header is too long"));
                }
            }
            Err(_) => return Err(invalid("a malformed header")),
        }
    }
}

/// Whether a header of version 1 is there whole.
fn is_line(header: &[u8]) -> bool {
    header.starts_with(b"P") && header.windows(2).any(|end| end == b"\r\n")
}

fn invalid(text: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proxy_header::{ProxiedAddress, SslInfo, Tlv};

    use super::*;

    const CLIENT: &str = "192.0.2.7:4711";
    const LOCAL: &str = "198.51.100.1:443";

    fn header() -> ProxyHeader<'static> {
        let addresses = [CLIENT, LOCAL].map(|address| address.parse().expect("an address"));
        ProxyHeader::with_address(ProxiedAddress::stream(addresses[0], addresses[1]))
    }

    /// Reads it in one piece, and byte by byte.
    async fn both(bytes: &[u8], required: bool) -> Result<(Greeting, Vec<u8>), String> {
        let whole = read(&mut &*bytes, required).await;
        let mut pieces = in_pieces(bytes);
        let single = read(&mut pieces, required).await;
        let [whole, single] = [whole, single].map(|result| result.map_err(|error| error.to_string()));
        assert_eq!(whole.as_ref().map(|(proxied, _)| proxied), single.as_ref().map(|(proxied, _)| proxied));
        let mut rest = Vec::new();
        let (proxied, left) = single?;
        rest.extend_from_slice(&left);
        pieces.read_to_end(&mut rest).await.expect("memory");
        assert_eq!(whole?.1, rest, "nothing is lost");
        Ok((proxied, rest))
    }

    /// A reader that gives one byte at a time.
    fn in_pieces(bytes: &[u8]) -> impl AsyncRead + Unpin + use<> {
        let pieces: Vec<io::Result<Bytes>> =
            bytes.iter().map(|byte| Ok(Bytes::copy_from_slice(&[*byte]))).collect();
        tokio_util::io::StreamReader::new(futures_util::stream::iter(pieces))
    }

    #[tokio::test]
    async fn both_versions_name_the_client() {
        let mut headers = [Vec::new(), Vec::new()];
        header().encode_v1(&mut headers[0]).expect("addresses of a stream");
        header().encode_v2(&mut headers[1]).expect("room");
        for head in headers {
            let bytes = [&head[..], b"GET / HTTP/1.1\r\n"].concat();
            for required in [true, false] {
                let (proxied, rest) = both(&bytes, required).await.expect("a header");
                let Greeting::Client(proxied) = proxied else { panic!("{proxied:?}") };
                assert_eq!(
                    [proxied.client, proxied.local].map(|address| address.to_string()),
                    [CLIENT, LOCAL]
                );
                assert_eq!(proxied.scheme, None);
                assert_eq!(rest, b"GET / HTTP/1.1\r\n");
            }
        }
    }

    #[tokio::test]
    async fn a_proxy_that_ends_tls_says_so() {
        for (flags, scheme) in [(1, Scheme::HTTPS), (0, Scheme::HTTP)] {
            let tls = Tlv::Ssl(SslInfo::new(flags == 1, false, false, 0));
            let mut header = header();
            header.append_tlv(tls);
            let mut bytes = Vec::new();
            header.encode_v2(&mut bytes).expect("room");
            let (proxied, _) = both(&bytes, true).await.expect("a header");
            let Greeting::Client(proxied) = proxied else { panic!("{proxied:?}") };
            assert_eq!(proxied.scheme, Some(scheme));
        }
    }

    #[tokio::test]
    async fn a_proxy_that_speaks_for_itself_is_the_client() {
        let mut local = Vec::new();
        ProxyHeader::with_local().encode_v2(&mut local).expect("room");
        for head in [b"PROXY UNKNOWN\r\n".to_vec(), local] {
            assert_eq!(both(&[&head[..], b"GET"].concat(), true).await, Ok((Greeting::Own, b"GET".to_vec())));
        }
    }

    #[tokio::test]
    async fn what_is_no_header_is_left_to_http_unless_one_is_required() {
        for bytes in
            [b"GET / HTTP/1.1\r\n".as_slice(), b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"POST / HTTP/1.1\r\n"]
        {
            assert_eq!(both(bytes, false).await, Ok((Greeting::None, bytes.to_vec())));
            assert_eq!(both(bytes, true).await, Err("no header".to_owned()));
        }
    }

    #[tokio::test]
    async fn a_header_that_is_malformed_cut_or_endless_ends_the_connection() {
        let mut endless = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff".to_vec();
        endless.resize(80_000, 0);
        for (bytes, error) in [
            (b"PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n".to_vec(), "malformed"),
            (b"PROXY TCP4 x\r\n".to_vec(), "malformed"),
            (b"PROXY TCP5 192.0.2.7".to_vec(), "malformed"),
            ([b"PROXY UNKNOWN ".as_slice(), &[b'x'; 300]].concat(), "malformed"),
            (b"PROXY TCP4 192.0.2.7".to_vec(), "end of file"),
            (endless, "too long"),
        ] {
            for required in [true, false] {
                let refused = both(&bytes, required).await.expect_err("no header");
                assert!(refused.contains(error), "{:?}: {refused}", bytes.get(..40));
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(tail in proptest::collection::vec(any::<u8>(), 0..300), version in 0..2_usize) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
            let bytes = [BEGIN[version], &tail].concat();
            let _ = runtime.block_on(read(&mut bytes.as_slice(), false));
        }
    }
}
